//! `solvent debt`: one command, no configuration, no attack.

use std::path::PathBuf;

use clap::Args;
use solvent_engine::debt::MAX_MONTHS;
use solvent_engine::{Answer, Command, DebtRequest, EngineError, Progress};
use solvent_protocol::debt::DebtReport;
use solvent_report::text;

use crate::args::{Common, Where};
use crate::commands::{actor, git, open, to_json, unexpected, write};
use crate::exit::Exit;
use crate::out::{Done, width};

#[derive(Args, Debug)]
pub struct DebtArgs {
    #[command(flatten)]
    pub place: Where,
    /// Report of another tool: SARIF 2.1.0, or the JSON of bandit or semgrep; may be repeated
    #[arg(long = "sarif", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// Write the page here
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Months of history to scan; 0 looks at the tree as it is alone
    #[arg(long, value_name = "N", default_value_t = MAX_MONTHS,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_MONTHS)))]
    pub months: u32,
    /// Stop looking back after this many seconds; months that do not fit are unmeasured
    #[arg(long, value_name = "N", default_value_t = 240)]
    pub max_seconds: u64,
}

pub fn debt(
    args: &DebtArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open(&args.place.path, git(args.place.no_git))?;
    let command = Command::Debt(DebtRequest {
        reports: args.reports.clone(),
        months: args.months,
        max_seconds: args.max_seconds,
    });
    let Answer::Debt(report) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    let mut human = text::debt(&report, width()).ansi();
    if let Some(path) = &args.html {
        write(path, solvent_report::debt::page(&report).as_bytes())?;
        human.push_str(&format!("\nWrote {}\n", path.display()));
    }
    Ok(Done {
        exit: exit(&report),
        human,
        json: to_json(&*report)?,
    })
}

/// Anything that is reachable or proven is over policy; anything that is not known is a gap.
fn exit(report: &DebtReport) -> Exit {
    let open = report
        .findings
        .iter()
        .filter(|f| f.state.word == "open")
        .any(|f| {
            f.verdict.word == "reachable" || f.proof.known().is_some_and(|p| p.outcome == "proven")
        });
    let gaps = if report.unmeasured.is_empty() {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    if open { gaps.and(Exit::Findings) } else { gaps }
}
