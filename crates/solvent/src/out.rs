//! Words on standard output and standard error. Every print of the program is here, so that a closed
//! pipe ends it quietly and colour follows the terminal.

use std::io::{IsTerminal as _, Write as _};

use serde_json::json;
use solvent_engine::reader::utc;
use solvent_engine::{AsOf, EngineError, Failure};
use solvent_report::text;

use crate::exit::Exit;

/// What a command has to say.
pub struct Done {
    pub exit: Exit,
    /// For a person; may carry ANSI styles, which are dropped where the output is not a terminal.
    pub human: String,
    /// Null: everything was said already.
    pub json: serde_json::Value,
}

impl Done {
    /// Says which moment the answer is about, when it is not now.
    pub fn dated(mut self, moment: Option<&AsOf>) -> Self {
        if let Some(moment) = moment {
            let time = utc(moment.instant_ms);
            self.human = format!(
                "As of {time}: the first {} of {} records\n\n{}",
                moment.head.size, moment.of, self.human
            );
            if let serde_json::Value::Object(fields) = &mut self.json {
                fields.insert(
                    "as_of".to_owned(),
                    json!({"time": time, "records": moment.head.size, "root": moment.head.root}),
                );
            }
        }
        self
    }

    pub fn text(&self, json: bool) -> String {
        if json && self.json.is_null() {
            String::new()
        } else if json {
            let mut text = serde_json::to_string_pretty(&self.json).unwrap_or_default();
            text.push('\n');
            text
        } else {
            self.human.clone()
        }
    }
}

/// Writes to standard output. A reader that went away is not an error; an answer that could not be
/// written is, or a full disk would look clean.
pub fn print(text: &str) -> Exit {
    say(text).err().unwrap_or(Exit::Clean)
}

/// Writes to standard output, and says whether somebody still reads.
pub fn say(text: &str) -> Result<bool, Exit> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let mut err = anstream::stderr().lock();
            let _ = writeln!(err, "error: cannot write the answer: {error}");
            Err(Exit::Unfinished)
        }
    }
}

/// Prints a failure with its next step, and says which exit code it is.
pub fn error(error: &EngineError, json: bool) -> Exit {
    let exit = match error.failure {
        Failure::Usage => Exit::Usage,
        Failure::Unfinished => Exit::Unfinished,
        Failure::Refused => Exit::Refused,
    };
    if json {
        let document = json!({
            "schema": "solvent.error/v1",
            "error": error.message,
            "hint": error.hint,
            "exit": exit.code(),
        });
        let _ = print(&format!("{document:#}\n"));
    }
    // Programs that read it get each sentence on one line.
    let width = if std::io::stderr().is_terminal() {
        width()
    } else {
        usize::MAX
    };
    let text = text::failure(&error.message, &error.hint, width).ansi();
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    exit
}

/// Width of the terminal, or 80; `COLUMNS` wins.
pub fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .or_else(|| {
            rustix::termios::tcgetwinsize(std::io::stdout())
                .ok()
                .map(|w| usize::from(w.ws_col))
        })
        .filter(|w| *w > 0)
        .unwrap_or(80)
        .clamp(40, 120)
}
