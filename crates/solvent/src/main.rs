//! Arguments in, words and exit code out.
//!
//! It does not know how anything is found, proven or recorded; it asks `engine` and prints what comes
//! back. Read [`args`], then [`commands`] (one function per command), [`exit`] (codes), [`demo`].

mod args;
mod commands;
mod debt;
mod demo;
mod evidence;
mod exit;
mod graph;
mod impact;
mod out;
mod progress;
mod remedy;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::Exit;

/// The analysis makes many small values: a fifth of its time goes less than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A sandbox is launched by running this program again, before anything else has happened in it.
    solvent_sandbox::reexec_hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Clean
            };
            return ExitCode::from(exit.code());
        }
    };
    let common = cli.common.clone();
    let terminal = progress::Terminal::new(common.quiet);
    let done = commands::run(cli, &terminal);
    terminal.finish();
    let exit = match done {
        Ok(done) => done.exit.and(out::print(&done.text(common.json))),
        Err(error) => out::error(&error, common.json),
    };
    ExitCode::from(exit.code())
}
