//! `solvent impact` and `solvent scan --changed`: what a change touches, and nothing else.

use std::path::PathBuf;

use clap::Args;
use solvent_engine::{EngineError, Progress, repo::Git};
use solvent_report::text;

use crate::args::Where;
use crate::commands::{git, options, scan_exit, to_json};
use crate::exit::Exit;
use crate::out::{Done, width};
use crate::remedy::append;

#[derive(Args, Debug)]
pub struct ScanArgs {
    #[command(flatten)]
    pub place: Where,
    /// Only findings that are new, changed or touched against BASE (where this branch left the default branch,
    /// unless said; HEAD, where it did not leave it); makes no record
    #[arg(
        long,
        value_name = "BASE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "no_git"
    )]
    pub changed: Option<String>,
}

#[derive(Args, Debug)]
pub struct ImpactArgs {
    /// Two commits, `main..HEAD`: what is compared with is what both have in common. One commit: HEAD against it
    #[arg(value_name = "BASE..HEAD")]
    pub range: String,
    /// Add a Markdown summary to this file, as `$GITHUB_STEP_SUMMARY` wants it
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Folder of the repository
    #[arg(long = "repo", default_value = ".", value_name = "PATH")]
    pub path: PathBuf,
}

pub fn impact(args: &ImpactArgs, progress: &dyn Progress) -> Result<Done, EngineError> {
    let options = options(&args.path, Git::Required)?;
    let report = solvent_engine::impact::impact(&options, &args.range, progress)?;
    if let Some(path) = &args.summary {
        append(path, &text::impact_markdown(&report))?;
    }
    let gaps = if report.unmeasured.is_empty() {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    let opens = report
        .flows
        .iter()
        .any(solvent_protocol::impact::FlowImpact::opens);
    Ok(Done {
        exit: if opens {
            gaps.and(Exit::Findings)
        } else {
            gaps
        },
        human: text::impact(&report, width()).ansi(),
        json: to_json(&report)?,
    })
}

pub fn changed(args: &ScanArgs, base: &str, progress: &dyn Progress) -> Result<Done, EngineError> {
    let options = options(&args.place.path, git(args.place.no_git))?;
    let base = (!base.is_empty()).then_some(base);
    let report = solvent_engine::impact::changed(&options, base, progress)?;
    Ok(Done {
        exit: scan_exit(&report.scan),
        human: text::changed_scan(&report, width()).ansi(),
        json: to_json(&report)?,
    })
}
