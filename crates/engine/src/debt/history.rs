//! How the debt grew: one scan for each month, what wrote the changes, how they came in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use solvent_metrics::Snapshot;
use solvent_protocol::debt::{Authorship, CommitView, DebtFinding, Introduced, Measured, Process};
use solvent_protocol::view::Unmeasured;

use super::DebtRequest;
use crate::door::Engine;
use crate::error::EngineError;
use crate::progress::Progress;
use crate::scan::{Lowered, Scan};

/// What time there is.
pub struct Clock {
    pub deadline: Instant,
    /// What the newest tree cost; an older one is assumed to cost as much.
    pub one_scan: Duration,
}

/// What git says.
pub struct Past {
    pub snapshots: Vec<Snapshot>,
    pub authorship: Measured<Authorship>,
    pub process: Process,
    pub commits: Vec<CommitView>,
    pub unmeasured: Vec<Unmeasured>,
    /// By fingerprint.
    introduced: BTreeMap<String, Measured<Introduced>>,
    /// Findings of older revisions that the newest one does not show.
    gone: Vec<DebtFinding>,
}

impl Past {
    fn without(why: &str) -> Self {
        let unmeasured = || why.to_owned();
        Self {
            snapshots: Vec::new(),
            authorship: Measured::Unmeasured(unmeasured()),
            process: Process {
                direct_pushes: Measured::Unmeasured(unmeasured()),
                self_merges: Measured::Unmeasured(unmeasured()),
                admin_merges: Measured::Unmeasured(unmeasured()),
                suppressions: Measured::Unmeasured(unmeasured()),
            },
            commits: Vec::new(),
            unmeasured: vec![Unmeasured {
                what: "history, authorship and process".to_owned(),
                why: why.to_owned(),
            }],
            introduced: BTreeMap::new(),
            gone: Vec::new(),
        }
    }

    /// Whether there was an older revision to compare with.
    pub fn compared(&self) -> bool {
        self.snapshots.iter().filter(|s| s.seen.known().is_some()).count() > 1
    }

    /// Writes what is known of the past into the list of findings.
    pub fn tell(&self, findings: &mut Vec<DebtFinding>) {
        for finding in findings.iter_mut() {
            if let Some(introduced) = self.introduced.get(&finding.fingerprint) {
                finding.introduced = introduced.clone();
            }
        }
        findings.extend(self.gone.iter().cloned());
    }
}

/// Asks git, as far as time allows.
pub fn history(
    engine: &Engine,
    request: &DebtRequest,
    _scan: &Scan,
    _lowered: &mut Lowered,
    _clock: &Clock,
    _progress: &dyn Progress,
) -> Result<Past, EngineError> {
    if !engine.repo.is_git {
        return Ok(Past::without("this folder is not a git repository"));
    }
    if request.months == 0 {
        return Ok(Past::without("no month of history was asked for"));
    }
    Ok(Past::without("not yet"))
}
