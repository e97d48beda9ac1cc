//! Progress on standard error: a moving line on a terminal, plain stages elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use solvent_engine::Progress;

/// What the person at the terminal sees while a command works.
pub struct Terminal {
    bar: Option<ProgressBar>,
    shown: Mutex<Loudness>,
}

struct Loudness {
    quiet: bool,
    last: String,
}

impl Terminal {
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            shown: Mutex::new(Loudness {
                quiet,
                last: String::new(),
            }),
        }
    }

    /// Whether there is a moving line.
    pub fn moves(&self) -> bool {
        self.bar.is_some()
    }

    /// Takes the moving line away; what was said stays. The next stage brings it back.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.println(text);
        } else {
            let shown = self
                .shown
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if !shown.quiet {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }
}

impl Progress for Terminal {
    fn stage(&self, text: &str) {
        if let Some(bar) = &self.bar {
            if bar.is_finished() {
                bar.reset();
            }
            bar.set_message(text.to_owned());
            return;
        }
        let repeated = {
            let mut shown = self
                .shown
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let repeated = shown.last == text;
            text.clone_into(&mut shown.last);
            repeated
        };
        if !repeated {
            self.line(&format!("· {text}"));
        }
    }

    fn step(&self, done: u64, total: u64, item: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{done}/{total} {item}"));
        }
    }

    fn say(&self, line: &str) {
        self.line(line);
    }
}
