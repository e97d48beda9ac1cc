//! Figures by month, over everybody.

use std::collections::BTreeMap;

use crate::error::Gap;
use crate::history::History;
use crate::month::Month;
use crate::origin::Tally;
use crate::review::{Merger, Route};
use crate::suppression::Counts;

/// What landed in one month.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MonthFigures {
    /// Commits that are no merges.
    pub changes: Tally,
    /// Those among them that touched code; unmeasured are those whose files are not known.
    pub code_changes: Tally,
    /// Lines of code that they added, changes of white space alone left out.
    pub added: Tally,
    /// Commits of the default branch by the way they came there.
    pub landings: Landings,
    /// Comments that silence scanners, in added lines.
    pub suppressions: Counts,
}

/// Commits of the default branch by the signs of how they came there. The sum of `merges`, `requests`,
/// `forge`, `direct` and `direct_by_bot` is the denominator; roots and ends of shallow clones are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Landings {
    pub merges: u64,
    /// Merges made by the only author of what they bring: an indication that nobody else was asked. Of
    /// `merges - merges_unknown`.
    pub merges_by_author: u64,
    /// Merges that bring nothing in this clone, and those that Solvent made: git does not know for whom.
    pub merges_unknown: u64,
    /// With the number or trailer of a change request.
    pub requests: u64,
    /// By the forge, without a number.
    pub forge: u64,
    /// Without any sign of a change request.
    pub direct: u64,
    pub direct_by_bot: u64,
}

impl Landings {
    /// All of which the way is known.
    pub fn all(&self) -> u64 {
        self.merges + self.requests + self.forge + self.direct + self.direct_by_bot
    }
}

impl History {
    /// Figures of every month looked at, months without changes among them.
    pub fn by_month(&self) -> BTreeMap<Month, MonthFigures> {
        let mut all: BTreeMap<Month, MonthFigures> = self
            .months
            .iter()
            .map(|month| (*month, MonthFigures::default()))
            .collect();
        for change in &self.changes {
            let Some(figures) = all.get_mut(&change.month) else {
                continue;
            };
            if let Some(route) = &change.route {
                let landings = &mut figures.landings;
                match route {
                    Route::Root => {}
                    Route::Merge(merger) => {
                        landings.merges += 1;
                        match merger {
                            Merger::OnlyAuthor => landings.merges_by_author += 1,
                            Merger::Unknown | Merger::Recorded(_) => landings.merges_unknown += 1,
                            Merger::Another => {}
                        }
                    }
                    Route::Request(_) => landings.requests += 1,
                    Route::Forge => landings.forge += 1,
                    Route::Direct => landings.direct += 1,
                    Route::DirectByBot => landings.direct_by_bot += 1,
                }
            }
            if change.merge {
                continue;
            }
            figures.changes.add(&change.origin, 1);
            match &change.size {
                Some(size) => {
                    if size.files > 0 {
                        figures.code_changes.add(&change.origin, 1);
                    }
                    figures.added.merge(&size.origins);
                    for (key, count) in &size.suppressions {
                        *figures.suppressions.entry(key.clone()).or_default() += count;
                    }
                }
                None => figures.code_changes.unmeasured += 1,
            }
        }
        all
    }

    /// What a policy can be bypassed by and git keeps no trace of.
    pub fn untraced() -> Vec<Gap> {
        [
            (
                "force pushes",
                "git keeps no record of what a branch was before; ask the forge's audit log",
            ),
            (
                "merges by administrators past a rule",
                "git does not know the rules; ask the forge's audit log",
            ),
            (
                "approvals, and who pressed the button of a squash",
                "a squashed commit names its author and the forge; ask the forge",
            ),
            (
                "skipped or failed checks",
                "git does not know of checks; ask the forge or the build service",
            ),
            (
                "findings dismissed in a scanner's own database",
                "they are not in the repository; import the scanner's report",
            ),
        ]
        .map(|(what, why)| Gap::new(what, why))
        .to_vec()
    }
}
