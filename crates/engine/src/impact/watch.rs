//! A process that stays warm: what a tree's answer becomes each time that something in it changes.
//!
//! Each answer is the whole one, as a scan would give it; what is told is what differs. What spares work: files
//! that did not change are not read into the engine again, and a tree that was seen lately is remembered.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use solvent_base::{Digest, System as _};
use solvent_host::{Host, Watcher};
use solvent_protocol::view::{ScanReport, Unmeasured};
use solvent_protocol::watch::{Standing, WATCH_SCHEMA, WatchAnswer};

use super::compare::{self, Compared, Outlines};
use super::differing;
use super::inputs::{self, Inputs};
use super::known::{By, Known};
use super::stamps::Stamps;
use crate::door::{Options, host_of};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::scan::{self, Lowered};

/// Answers that are remembered: who undoes an edit or comes back to a branch has waited once.
const REMEMBERED: usize = 8;

/// Answers in a row that are not told since the tree was another by then: whoever writes without a pause is
/// answered all the same.
const MAX_UNTOLD: u32 = 3;

/// A tree that is watched.
pub struct Watch {
    repo: Repo,
    host: Host,
    watcher: Watcher,
    lowered: Lowered,
    stamps: Stamps,
    /// By the digest of everything that they rest on, the newest first.
    answers: VecDeque<(Digest, Rc<Known>)>,
    /// What was told last.
    told: Option<(Digest, Rc<Known>)>,
    given: u64,
}

impl Watch {
    /// Begins to watch. Nothing is analysed yet.
    ///
    /// # Errors
    ///
    /// When the folder cannot be opened.
    pub fn open(options: &Options) -> Result<Self, EngineError> {
        let repo = Repo::open(&options.path, options.git)?;
        let host = host_of(&repo, options)?;
        // Before the first look, so that nothing is missed after it.
        let watcher = Watcher::new(host.root());
        Ok(Self {
            repo,
            host,
            watcher,
            lowered: Lowered::nothing(),
            stamps: Stamps::default(),
            answers: VecDeque::new(),
            told: None,
            given: 0,
        })
    }

    /// Why changes are only seen by looking, once a second; `None`: the kernel tells of them.
    pub fn looks_because(&self) -> Option<&str> {
        self.watcher.looks_because()
    }

    /// The name of the tree's folder.
    pub fn name(&self) -> String {
        self.repo.name()
    }

    /// At first the answer about the tree as it is. After that it waits until something changes that an answer
    /// may rest on, and tells what that made of the answer.
    pub fn next(&mut self, progress: &dyn Progress) -> WatchAnswer {
        let mut untold = 0;
        loop {
            if self.given > 0 {
                self.watcher.wait();
            }
            let began = Instant::now();
            let inputs = inputs::inputs(&self.host, &mut self.stamps);
            let before = match &self.told {
                Some((key, _)) if *key == inputs.key => continue,
                Some((_, known)) => Some(Rc::clone(known)),
                None => None,
            };
            let (now, by) = self.answer(&inputs, progress);
            // A file may have been seen empty, between being cut off and being written.
            if self.given > 0 && untold < MAX_UNTOLD && self.watcher.is_over() {
                untold += 1;
                continue;
            }
            let told = self.tell(before.as_deref(), &now, by, began);
            self.told = Some((inputs.key, now));
            self.given += 1;
            return told;
        }
    }

    fn answer(&mut self, inputs: &Inputs, progress: &dyn Progress) -> (Rc<Known>, By) {
        let known = self.answers.iter().position(|(key, _)| *key == inputs.key);
        let (key, known, by) = match known.and_then(|at| self.answers.remove(at)) {
            Some((key, known)) => (key, known, By::Remembered),
            None => {
                let (repo, lowered) = (&self.repo, &mut self.lowered);
                let made = Known::made(repo, &self.host, inputs.files.clone(), lowered, progress);
                (inputs.key, Rc::new(made), By::Analysed)
            }
        };
        self.answers.push_front((key, Rc::clone(&known)));
        self.answers.truncate(REMEMBERED);
        (known, by)
    }

    fn tell(&self, before: Option<&Known>, now: &Known, by: By, began: Instant) -> WatchAnswer {
        let mut told = WatchAnswer {
            schema: WATCH_SCHEMA.to_owned(),
            number: self.given,
            at_ms: self.host.now().0,
            files: Vec::new(),
            entry_points: Vec::new(),
            flows: Vec::new(),
            unmeasured: gaps(&now.report).cloned().collect(),
            measured: Vec::new(),
            now: standing(&now.report),
            by: by.word().to_owned(),
            seconds: 0.0,
        };
        if let Some(before) = before {
            told.files = differing(before, now).into_iter().collect();
            // Nobody looks at a flow again that only goes through what is edited.
            let compared = compare::compare(before, now, &Outlines::default());
            let Compared {
                entry_points,
                flows,
                ..
            } = compared;
            (told.entry_points, told.flows) = (entry_points, flows);
            let was_known = |gap: &Unmeasured| !before.report.unmeasured.contains(gap);
            told.unmeasured.retain(was_known);
            told.measured = gaps(&before.report)
                .filter(|gap| !now.report.unmeasured.contains(gap))
                .cloned()
                .collect();
        }
        told.seconds = began.elapsed().as_secs_f64();
        told
    }
}

/// What is unmeasured but verdicts, which are told finding by finding.
fn gaps(report: &ScanReport) -> impl Iterator<Item = &Unmeasured> {
    let gaps = report.unmeasured.iter();
    gaps.filter(|gap| !gap.what.starts_with(scan::VERDICT_OF))
}

fn standing(report: &ScanReport) -> Standing {
    let of = |word: &str| {
        let findings = report.findings.iter();
        findings.filter(|f| f.verdict.word == word).count() as u64
    };
    Standing {
        reachable: of("reachable"),
        undecided: of("undecided"),
        no_path: of("no_path"),
        entry_points: report.entry_points.len() as u64,
        files: report.coverage.files_analysed,
        lines: report.coverage.lines,
        unmeasured: gaps(report).count() as u64,
    }
}
