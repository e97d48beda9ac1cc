//! The second act: a released package that nobody here wrote, from its source on the index to a repair that
//! the same attack no longer gets past.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use solvent_engine::repo::Git;
use solvent_engine::{Actor, Command, EngineError, Progress};
use solvent_protocol::view::ProveReport;
use solvent_report::text;

use super::act::{self, Pass};
use super::shop;
use crate::commands::{fetch_package, open};
use crate::exit::Exit;
use crate::out::width;

/// A code editor for the browser. Its last release lets a visitor read and write files outside its folder.
const NAME: &str = "flaskcode";
const VERSION: &str = "0.0.8";
/// Confirmed flaws of that release that this version of ours knows how to prove.
const FLAWS: u64 = 2;

/// What came of it.
pub enum Act {
    /// Why it was not played: packages are not to be had everywhere.
    Unmeasured(String),
    Played(Box<Played>),
}

pub struct Played {
    proofs: ProveReport,
    pass: Pass,
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
        Err(shop::Unmade::Source(error)) => return Ok(Act::Unmeasured(error.to_string())),
        Err(shop::Unmade::Other(error)) => return Err(error),
    }
    let started = Instant::now();
    let mut engine = open(&repo, Git::Required)?;
    engine.submit(actor, &Command::Init, progress)?;
    let proofs = act::prove(&mut engine, actor, progress)?;
    let pass = act::pass(&mut engine, dir, actor, &proofs, progress)?;
    Ok(Act::Played(Box::new(Played {
        seconds: started.elapsed().as_secs_f64() - proofs.target.prepare_ms as f64 / 1000.0,
        proofs,
        pass,
    })))
}

impl Act {
    /// An act that was not played shows nothing, neither good nor bad.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unmeasured(_) => Exit::Unmeasured,
            Self::Played(act) => super::designed(act.pass.holds(FLAWS)),
        }
    }

    pub fn json(&self) -> Result<serde_json::Value, EngineError> {
        Ok(match self {
            Self::Unmeasured(reason) => {
                json!({ "package": NAME, "version": VERSION, "unmeasured": reason })
            }
            Self::Played(act) => json!({
                "package": NAME,
                "version": VERSION,
                "prove": act.proofs,
                "pass": act.pass.json()?,
                "loop_seconds": act.seconds,
            }),
        })
    }

    pub fn text(&self) -> String {
        let mut out = format!("\nSecond act: {NAME} {VERSION}, a released package\n");
        match self {
            Self::Unmeasured(reason) => out.push_str(&format!("unmeasured: {reason}\n")),
            Self::Played(act) => {
                out.push_str(&text::prove(&act.proofs, width()).ansi());
                out.push_str(&act.pass.text());
                out.push_str(&format!("\nLoop {:.1} s, packages apart.\n", act.seconds));
            }
        }
        out
    }
}
