//! Development tasks: `cargo xtask test | lint | tidy | codegen | score | bench | pairs`.
//!
//! It does not know about findings or proofs: scores and benches run the released program as a user
//! would and read its JSON. Read [`rules`] for what keeps the rooms apart, [`test`] for what a fresh
//! machine goes through, [`score`] and [`bench`] for the figures.

mod bench;
mod codegen;
mod cost;
mod figures;
mod outside;
mod pairs;
mod program;
mod rules;
mod score;
mod setup;
mod source;
mod summary;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of this repository
#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up what the tests need, run them all, and say what was unmeasured
    Test {
        /// Only look whether the prerequisites are there; install nothing
        #[arg(long)]
        no_install: bool,
    },
    /// Run clippy, with every warning an error
    Lint,
    /// Check layers, purity, file lengths, documents
    Tidy,
    /// Write the generated parts of the documents
    Codegen,
    /// Run a score on a corpus below $SOLVENT_CORPORA
    Score(figures::Choice),
    /// Measure speed on this machine
    Bench(figures::Choice),
    /// The pairs of programs behind the score `reach-pairs`
    #[command(subcommand)]
    Pairs(Pairs),
}

#[derive(Subcommand)]
enum Pairs {
    /// Run the programs of Python and JavaScript with their sinks recorded: are the labels true?
    Confirm {
        /// Only pairs whose name holds this, such as `python/guards/`
        part: Option<String>,
    },
    /// Write the two programs of a pair into a folder
    Write {
        /// Its name, such as `python/guards/int-conversion`
        name: String,
        folder: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let root = workspace::root();
    match Cli::parse().task {
        Task::Test { no_install } => test::run(&root, setup::Install::from_flag(no_install)),
        Task::Lint => test::lint(&root),
        Task::Tidy => rules::run(&root),
        Task::Codegen => codegen::run(&root),
        Task::Score(choice) => figures::run(&root, &choice, score::ALL),
        Task::Bench(choice) => figures::run(&root, &choice, bench::ALL),
        Task::Pairs(Pairs::Confirm { part }) => pairs::confirm::run(&root, part.as_deref()),
        Task::Pairs(Pairs::Write { name, folder }) => pairs::write(&root, &name, &folder),
    }
}
