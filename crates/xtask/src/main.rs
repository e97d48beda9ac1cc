//! Development tasks: `cargo xtask test | lint | tidy | codegen | score | bench`.
//!
//! It does not know about findings or proofs: scores and benches run the released program as a user
//! would and read its JSON. Read [`rules`] for what keeps the rooms apart, [`test`] for what a fresh
//! machine goes through, [`score`] and [`bench`] for the figures.

mod bench;
mod codegen;
mod cost;
mod figures;
mod outside;
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
    }
}
