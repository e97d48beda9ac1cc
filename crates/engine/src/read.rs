//! Answers that change nothing and need no record.

use solvent_base::System as _;
use solvent_protocol::remediation::Lifecycle;
use solvent_protocol::view::{
    FindingList, FindingState, FullReport, LedgerHead, LogReport, ScanReport, ShowReport,
    StatusReport, Subject, Unmeasured,
};
use solvent_store::{Filter, LogFilter, Presence, SqliteStore, Store as _, StoreError};

use crate::door::{Engine, ledger_error};
use crate::error::EngineError;
use crate::repo::Repo;

/// Which moment an answer is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Now,
    /// What the checkout was then is not recorded, only what scans saw of it.
    Then,
}

/// Answers from a folded record, the writer's own or a reader's.
pub struct View<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) store: &'a mut SqliteStore,
    /// Size and root of what was folded; `None` where there is no ledger.
    pub(crate) head: Option<LedgerHead>,
    /// The time of asking, which may lie in the past.
    pub(crate) asked_ms: i64,
    pub(crate) moment: Moment,
}

impl View<'_> {
    /// The funnel of this repository.
    pub fn status(&mut self) -> Result<StatusReport, EngineError> {
        let name = self.repo.name();
        let mut status = self
            .store
            .status(Some(&name))
            .map_err(|e| store_error(&e))?;
        // A campaign repeats the gaps of the scan that it began with.
        let mut said = std::collections::HashSet::new();
        status
            .unmeasured
            .retain(|gap| said.insert((gap.what.clone(), gap.why.clone())));
        status
            .unmeasured
            .extend(self.stale(status.subject.as_ref())?);
        let ended = self.ended()?;
        status.accepted = status.accepted.saturating_sub(ended);
        status.reopened += ended;
        Ok(status)
    }

    /// Acceptances that ran out: no record says so, the clock does.
    fn ended(&mut self) -> Result<u64, EngineError> {
        let filter = Filter {
            subject: Some(self.repo.name()),
            presence: Presence::Ever,
            ..Filter::present()
        };
        let list = self.store.findings(&filter).map_err(|e| store_error(&e))?;
        let asked = self.asked_ms;
        Ok(list
            .findings
            .iter()
            .filter(|f| f.lifecycle.state == "accepted" && ended(&f.lifecycle, asked))
            .count() as u64)
    }

    /// What the newest scan and the newest campaign do not say about the checkout as it is.
    fn stale(&mut self, scanned: Option<&Subject>) -> Result<Vec<Unmeasured>, EngineError> {
        let Some(scanned) = scanned else {
            return Ok(Vec::new());
        };
        let short = |revision: &Option<String>| {
            revision
                .as_deref()
                .map_or("a folder without revision".to_owned(), |r| {
                    r.chars().take(12).collect()
                })
        };
        let mut out = Vec::new();
        if self.moment == Moment::Now
            && (scanned.revision != self.repo.revision || scanned.dirty != self.repo.dirty)
        {
            out.push(Unmeasured {
                what: "the checkout as it is".to_owned(),
                why: format!(
                    "it is at {}{}, the newest scan saw {}{}; run `solvent scan` or `solvent prove`",
                    short(&self.repo.revision),
                    if self.repo.dirty { " with changes" } else { "" },
                    short(&scanned.revision),
                    if scanned.dirty { " with changes" } else { "" },
                ),
            });
        }
        let name = self.repo.name();
        let attacked = self
            .store
            .latest_prove(Some(&name))
            .map_err(|e| store_error(&e))?;
        if let Some(attacked) = attacked
            && attacked.subject.tree != scanned.tree
        {
            out.push(Unmeasured {
                what: "proofs at the scanned revision".to_owned(),
                why: format!(
                    "outcomes are from attacks on {}; run `solvent prove`",
                    short(&attacked.subject.revision)
                ),
            });
        }
        Ok(out)
    }

    /// Findings of the newest scan and whatever was closed, the ones to act on first.
    pub fn findings(&mut self) -> Result<FindingList, EngineError> {
        self.newest_scan()?;
        let filter = Filter {
            subject: Some(self.repo.name()),
            presence: Presence::Ever,
            ..Filter::present()
        };
        let mut list = self.store.findings(&filter).map_err(|e| store_error(&e))?;
        list.findings
            .retain(|state| state.present || state.lifecycle.state == "closed");
        for state in &mut list.findings {
            age(&mut state.lifecycle, self.asked_ms);
        }
        Ok(list)
    }

    /// Findings that were ever proven here and have not been shown otherwise since, closed ones too.
    pub fn proofs(&mut self) -> Result<Vec<FindingState>, EngineError> {
        let filter = Filter {
            subject: Some(self.repo.name()),
            presence: Presence::Ever,
            ..Filter::present()
        };
        let mut list = self.store.findings(&filter).map_err(|e| store_error(&e))?;
        list.findings.retain(|state| {
            let proof = state.proof.as_ref();
            proof.is_some_and(|p| p.outcome == "proven") || state.lifecycle.state == "closed"
        });
        for state in &mut list.findings {
            age(&mut state.lifecycle, self.asked_ms);
        }
        Ok(list.findings)
    }

    /// One finding by its id or the start of it.
    pub fn show(&mut self, id: &str) -> Result<ShowReport, EngineError> {
        let name = self.repo.name();
        let mut shown = self
            .store
            .show(Some(&name), id)
            .map_err(|e| store_error(&e))?;
        age(&mut shown.state.lifecycle, self.asked_ms);
        Ok(shown)
    }

    /// The newest records.
    pub fn log(&mut self, last: u64) -> Result<LogReport, EngineError> {
        let filter = LogFilter {
            action: None,
            actor: None,
            from: 0,
            last,
        };
        self.store.log(&filter).map_err(|e| store_error(&e))
    }

    /// Everything that a report shows.
    pub fn full_report(&mut self) -> Result<FullReport, EngineError> {
        let name = self.repo.name();
        let scan = self.newest_scan()?;
        Ok(FullReport {
            status: self.status()?,
            scan,
            prove: self
                .store
                .latest_prove(Some(&name))
                .map_err(|e| store_error(&e))?,
            findings: self.findings()?.findings,
            generated_ms: self.asked_ms,
            ledger: self.head.clone(),
        })
    }

    fn newest_scan(&mut self) -> Result<ScanReport, EngineError> {
        let name = self.repo.name();
        let scan = self
            .store
            .latest_scan(Some(&name))
            .map_err(|e| store_error(&e))?;
        scan.ok_or_else(|| {
            EngineError::usage(
                "nothing was scanned here yet",
                "run `solvent scan` or `solvent prove` first",
            )
        })
    }
}

fn ended(lifecycle: &Lifecycle, asked_ms: i64) -> bool {
    lifecycle.expires_ms.is_some_and(|ms| ms <= asked_ms)
}

/// What the clock does to a decision: an acceptance ends.
fn age(lifecycle: &mut Lifecycle, asked_ms: i64) {
    match lifecycle.state.as_str() {
        "" => "open".clone_into(&mut lifecycle.state),
        "accepted" if ended(lifecycle, asked_ms) => {
            lifecycle.why = format!("the acceptance ended; it was {}", lifecycle.why);
            lifecycle.since_ms = lifecycle.expires_ms.unwrap_or(lifecycle.since_ms);
            "reopened".clone_into(&mut lifecycle.state);
        }
        _ => {}
    }
}

impl Engine {
    /// Answers from what this engine has folded.
    pub fn view(&mut self) -> Result<View<'_>, EngineError> {
        Ok(View {
            head: Some(self.head()?),
            repo: &self.repo,
            store: &mut self.store,
            asked_ms: self.host.now().0,
            moment: Moment::Now,
        })
    }

    /// See [`View::status`].
    pub fn status(&mut self) -> Result<StatusReport, EngineError> {
        self.view()?.status()
    }

    /// See [`View::findings`].
    pub fn findings(&mut self) -> Result<FindingList, EngineError> {
        self.view()?.findings()
    }

    /// See [`View::show`].
    pub fn show(&mut self, id: &str) -> Result<ShowReport, EngineError> {
        self.view()?.show(id)
    }

    pub(crate) fn finding(&mut self, id: &str) -> Result<FindingState, EngineError> {
        self.show(id).map(|shown| shown.state)
    }

    /// See [`View::log`].
    pub fn log(&mut self, last: u64) -> Result<LogReport, EngineError> {
        self.view()?.log(last)
    }

    /// See [`View::full_report`].
    pub fn full_report(&mut self) -> Result<FullReport, EngineError> {
        self.view()?.full_report()
    }

    /// Size and root of the ledger.
    pub fn head(&self) -> Result<LedgerHead, EngineError> {
        let head = self.ledger.head().map_err(|e| ledger_error(&e))?;
        Ok(LedgerHead {
            size: head.size,
            root: head.root.to_string(),
        })
    }

    /// The key to keep outside this machine, as verifiers take it.
    pub fn trusted_key(&self) -> &str {
        self.ledger.trusted_key().text()
    }

    /// The newest signed checkpoint, to keep outside this machine.
    pub fn checkpoint(&self) -> String {
        self.ledger.checkpoint()
    }
}

pub(crate) fn store_error(error: &StoreError) -> EngineError {
    match error {
        StoreError::NoFinding(_) | StoreError::Ambiguous { .. } => {
            EngineError::usage(error.to_string(), "see `solvent findings --all`")
        }
        _ => EngineError::unfinished(error.to_string(), "run `solvent ledger rebuild`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(expires_ms: i64) -> Lifecycle {
        Lifecycle {
            state: "accepted".to_owned(),
            why: "accepted by human:ben for human:ana: the host is going away".to_owned(),
            since_ms: 1_000,
            expires_ms: Some(expires_ms),
            ..Lifecycle::default()
        }
    }

    #[test]
    fn an_acceptance_holds_until_its_last_moment_and_reopens_in_it() {
        let mut before = accepted(5_000);
        age(&mut before, 4_999);
        assert_eq!(before, accepted(5_000));
        let mut after = accepted(5_000);
        age(&mut after, 5_000);
        assert_eq!((after.state.as_str(), after.since_ms), ("reopened", 5_000));
        assert!(
            after
                .why
                .starts_with("the acceptance ended; it was accepted by human:ben")
        );
    }

    #[test]
    fn time_ends_nothing_but_acceptances() {
        for state in ["closed", "reopened", "open"] {
            let mut lifecycle = Lifecycle {
                state: state.to_owned(),
                ..accepted(5_000)
            };
            age(&mut lifecycle, 9_000);
            assert_eq!(lifecycle.state, state);
        }
        let mut undecided = Lifecycle::default();
        age(&mut undecided, 9_000);
        assert_eq!(undecided.state, "open");
    }
}
