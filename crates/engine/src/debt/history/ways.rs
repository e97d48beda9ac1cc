//! How changes came in, and which comments tell a scanner to be silent.

use std::collections::BTreeMap;

use solvent_base::System;
use solvent_base::system::is_own_page;
use solvent_change::suppression::{Counts, Suppressions as Table};
use solvent_change::{Change, History, Merger, Route, code};
use solvent_protocol::debt::{
    Figure, Measured, Process, Proportion, SuppressionKind, Suppressions, evidence,
};
use solvent_protocol::view::Unmeasured;

use super::MAX_TEXT;
use super::authors::counted;
use crate::debt::merges::{Merged, Merges};

/// Comments that silence scanners in the tree as it is, each by its line.
pub fn present(system: &dyn System) -> Suppressions {
    let table = Table::builtin();
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut lines = 0_u64;
    for file in system.walk().files {
        if !code::is_code(file.path.as_str()) {
            continue;
        }
        let Ok(bytes) = system.read(&file.path, MAX_TEXT) else {
            continue;
        };
        if is_own_page(&bytes) {
            continue;
        }
        let mut all = Counts::new();
        table.text(&bytes, &mut all);
        lines += bytes.iter().filter(|b| **b == b'\n').count() as u64;
        if all.is_empty() {
            continue;
        }
        for (at, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let mut counts = Counts::new();
            table.line(line.strip_suffix(b"\r").unwrap_or(line), &mut counts);
            for ((_, kind), count) in counts {
                let reference = evidence::line(file.path.as_str(), at as u32 + 1);
                kinds
                    .entry(kind.to_string())
                    .or_default()
                    .extend(std::iter::repeat_n(reference, count as usize));
            }
        }
    }
    let all: Vec<String> = kinds.values().flatten().cloned().collect();
    let mut kinds: Vec<SuppressionKind> = kinds
        .into_iter()
        .map(|(kind, references)| SuppressionKind {
            kind,
            now: counted(references.len() as u64, references),
        })
        .collect();
    kinds.sort_by(|a, b| (b.now.count, &a.kind).cmp(&(a.now.count, &b.kind)));
    Suppressions {
        now: counted(all.len() as u64, all),
        lines,
        kinds,
        months: Vec::new(),
        caveats: vec![
            "findings dismissed in a scanner's own database are not in the repository".to_owned(),
        ],
    }
}

/// What a change says of who merged it, when it was a merge.
fn merged(change: &Change, merges: &Merges) -> Option<Merged> {
    match &change.route {
        Some(Route::Merge(Merger::OnlyAuthor)) => Some(Merged::ByAuthor),
        Some(Route::Merge(Merger::Another)) => Some(Merged::ByAnother),
        Some(Route::Merge(Merger::Recorded(id))) => merges.merged(id, &change.id.hex()),
        _ => None,
    }
}

/// Merges that Solvent made and of which this record does not know for whom.
pub fn unrecorded(history: &History, merges: &Merges) -> Option<Unmeasured> {
    let left = history
        .changes
        .iter()
        .filter(|c| matches!(c.route, Some(Route::Merge(Merger::Recorded(_)))))
        .filter(|c| merged(c, merges).is_none())
        .count();
    (left > 0).then(|| Unmeasured {
        what: format!(
            "who merged {left} {} made through Solvent",
            if left == 1 { "merge" } else { "merges" }
        ),
        why: "the record here does not know their changes; git names the program alone, so they are left out"
            .to_owned(),
    })
}

pub fn process(history: &History, present: Suppressions, merges: &Merges) -> Process {
    let landed: Vec<(&Change, &Route)> = history
        .changes
        .iter()
        .filter_map(|c| Some((c, c.route.as_ref()?)))
        .filter(|(_, route)| **route != Route::Root)
        .collect();
    let of = |keep: &dyn Fn(&Route) -> bool| -> Figure {
        let kept: Vec<String> = landed
            .iter()
            .filter(|(_, route)| keep(route))
            .map(|(c, _)| evidence::commit(&c.id.hex()))
            .collect();
        counted(kept.len() as u64, kept)
    };
    let by = |keep: &[Merged]| -> Figure {
        let kept: Vec<String> = history
            .changes
            .iter()
            .filter(|c| merged(c, merges).is_some_and(|by| keep.contains(&by)))
            .map(|c| evidence::commit(&c.id.hex()))
            .collect();
        counted(kept.len() as u64, kept)
    };
    let left = unrecorded(history, merges).map(|gap| format!("{}: {}", gap.what, gap.why));
    let mut caveats = vec!["that the author merges does not show that nobody else looked"];
    caveats.extend(left.as_deref());
    let proportion = |part: Figure, of: Figure, of_what: &str, caveats: &[&str]| {
        if of.count == 0 {
            return Measured::Unmeasured(format!("there are no {of_what} in these months"));
        }
        Measured::Known(Proportion {
            part,
            of,
            of_what: of_what.to_owned(),
            caveats: caveats.iter().map(|c| (*c).to_owned()).collect(),
        })
    };
    let admin = History::untraced()
        .into_iter()
        .find(|gap| gap.what.contains("administrators"))
        .map_or_else(|| "git does not show them".to_owned(), |gap| gap.why);
    Process {
        direct_pushes: proportion(
            of(&|r| matches!(r, Route::Direct | Route::DirectByBot)),
            of(&|_| true),
            "commits of the mainline",
            &[
                "git keeps no record of a push: a commit without a merge, a number or a trailer of a change request \
                 counts as direct",
                "force pushes leave no trace in git",
            ],
        ),
        self_merges: proportion(
            by(&[Merged::ByAuthor]),
            by(&[Merged::ByAuthor, Merged::ByAnother]),
            "merges of which it is known who merged",
            &caveats,
        ),
        admin_merges: Measured::Unmeasured(admin),
        suppressions: Measured::Known(present),
    }
}
