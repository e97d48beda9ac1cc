//! `solvent watch`: a process that stays warm and says after each edit what became of entry points and flows.

use solvent_engine::impact::Watch;
use solvent_engine::{EngineError, Progress, Quiet};
use solvent_protocol::watch::Standing;
use solvent_report::text;

use crate::args::{Common, Where};
use crate::commands::{git, options, to_json};
use crate::exit::Exit;
use crate::out::{Done, say, width};
use crate::progress::Terminal;

/// Does not end by itself, unless nobody reads any more what it says.
pub fn watch(place: &Where, common: &Common, terminal: &Terminal) -> Result<Done, EngineError> {
    let options = options(&place.path, git(place.no_git))?;
    let mut watch = Watch::open(&options)?;
    let mut progress: &dyn Progress = terminal;
    loop {
        let answer = watch.next(progress);
        terminal.finish();
        if !terminal.moves() {
            // Lines about stages after each edit would bury what is said.
            progress = &Quiet;
        }
        let text = if common.json {
            format!("{}\n", to_json(&answer)?)
        } else if answer.number == 0 {
            text::watching(&answer, &watch.name(), watch.looks_because(), width()).ansi()
        } else {
            text::watched(&answer, width()).ansi()
        };
        let exit = match say(&text) {
            Ok(true) => continue,
            Ok(false) => exit(&answer.now),
            Err(exit) => exit,
        };
        return Ok(Done {
            exit,
            human: String::new(),
            json: serde_json::Value::Null,
        });
    }
}

/// As of a scan.
fn exit(now: &Standing) -> Exit {
    match (now.reachable, now.unmeasured + now.undecided) {
        (0, 0) => Exit::Clean,
        (0, _) => Exit::Unmeasured,
        _ => Exit::Findings,
    }
}
