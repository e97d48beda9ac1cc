//! The second act: a released package that nobody here wrote, from its source on the index to a repair that
//! the same attack no longer gets past.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use solvent_engine::command::{Attack, ProveRequest};
use solvent_engine::repo::Git;
use solvent_engine::{Actor, Answer, Command, EngineError, Progress};
use solvent_protocol::remediation::ReplayAllReport;
use solvent_protocol::view::ProveReport;
use solvent_report::text;

use super::act::{self, Closed};
use super::shop;
use crate::commands::{fetch_package, open, to_json, unexpected};
use crate::out::width;

/// A code editor for the browser. Its last release lets a visitor read and write files outside its folder.
const NAME: &str = "flaskcode";
const VERSION: &str = "0.0.8";
/// Confirmed flaws of that release that this version of ours knows how to prove.
const FLAWS: usize = 2;

/// What came of it.
pub enum Act {
    /// Why it was left out: packages are not to be had everywhere.
    Left(String),
    Played(Box<Played>),
}

pub struct Played {
    proofs: ProveReport,
    closed: Vec<Closed>,
    /// Every attack again, when an earlier run closed everything.
    again: Option<ReplayAllReport>,
    seconds: f64,
}

/// Plays it in a repository of its own below `dir`.
pub fn play(dir: &Path, actor: &Actor, progress: &dyn Progress) -> Result<Act, EngineError> {
    let repo = dir.join(NAME);
    let made = shop::adopt(
        dir,
        &repo,
        &format!("{NAME} {VERSION}, as released"),
        &|into| fetch_package(NAME, VERSION, into, progress),
    );
    match made {
        Ok(()) => {}
        Err(shop::Unmade::Source(error)) => return Ok(Act::Left(error.to_string())),
        Err(shop::Unmade::Other(error)) => return Err(error),
    }
    let started = Instant::now();
    let mut engine = open(&repo, Git::Required)?;
    engine.submit(actor, &Command::Init, progress)?;
    let request = ProveRequest {
        attack: Attack::Findings(Vec::new()),
        max_requests: 2_000,
        max_seconds: 600,
    };
    let Answer::Proved(proofs) = engine.submit(actor, &Command::Prove(request), progress)? else {
        return Err(unexpected());
    };
    let closed = act::close_all(&mut engine, dir, actor, &proofs, progress)?;
    let again = if closed.is_empty() {
        let command = Command::ReplayAll { revision: None };
        match engine.submit(actor, &command, progress)? {
            Answer::ReplayedAll(report) => Some(*report),
            _ => return Err(unexpected()),
        }
    } else {
        None
    };
    Ok(Act::Played(Box::new(Played {
        seconds: started.elapsed().as_secs_f64() - proofs.target.prepare_ms as f64 / 1000.0,
        proofs: *proofs,
        closed,
        again,
    })))
}

impl Act {
    pub fn as_designed(&self) -> bool {
        match self {
            Self::Left(_) => true,
            Self::Played(act) => match &act.again {
                Some(again) => {
                    again.results.len() >= FLAWS
                        && again.results.iter().all(|r| r.outcome == "not_reproduced")
                }
                None => act.closed.len() >= FLAWS && act.closed.iter().all(Closed::is_closed),
            },
        }
    }

    pub fn json(&self) -> Result<serde_json::Value, EngineError> {
        Ok(match self {
            Self::Left(reason) => {
                json!({ "package": NAME, "version": VERSION, "left_out": reason })
            }
            Self::Played(act) => json!({
                "package": NAME,
                "version": VERSION,
                "prove": act.proofs,
                "closed": act.closed.iter().map(Closed::json).collect::<Result<Vec<_>, _>>()?,
                "again": act.again.as_ref().map(to_json).transpose()?,
                "loop_seconds": act.seconds,
            }),
        })
    }

    pub fn text(&self) -> String {
        let mut out = format!("\nSecond act: {NAME} {VERSION}, a released package\n");
        match self {
            Self::Left(reason) => out.push_str(&format!("left out: {reason}\n")),
            Self::Played(act) => {
                out.push_str(&text::prove(&act.proofs, width()).ansi());
                for one in &act.closed {
                    out.push('\n');
                    out.push_str(&one.text());
                }
                if let Some(again) = &act.again {
                    out.push_str(
                        "\nEverything was closed by an earlier run. Every attack again:\n",
                    );
                    out.push_str(&text::replay_all(again, width()).ansi());
                }
                out.push_str(&format!("\nLoop {:.1} s, packages apart.\n", act.seconds));
            }
        }
        out
    }
}
