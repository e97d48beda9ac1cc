//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::remedy::{
    AcceptArgs, ApproveArgs, ChangeArgs, ExplainArgs, ExportArgs, FixArgs, GateArgs, ProposeArgs,
    RejectArgs, ReviewProofArgs, StageArgs,
};

/// Finds what an attacker can reach in your code, proves it in a sandbox, and keeps the evidence
#[derive(Parser, Debug)]
#[command(
    name = "solvent",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Cmd,
}

#[derive(Args, Debug, Clone)]
pub struct Common {
    /// Print one JSON document with a versioned schema instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Who is acting: `human:NAME` or `agent:NAME` (an agent is held to less)
    #[arg(long, global = true, value_name = "KIND:NAME", env = "SOLVENT_ACTOR")]
    pub actor: Option<String>,
}

/// The repository a command works on.
#[derive(Args, Debug, Clone)]
pub struct Where {
    /// Folder of the repository
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Take a folder that is not a git repository as it is
    #[arg(long)]
    pub no_git: bool,
}

/// The moment that an answer is about.
#[derive(Args, Debug, Clone)]
pub struct Then {
    /// Answer as the record stood at this time (RFC 3339), or at the end of this day (UTC)
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
}

#[derive(Args, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub then: Then,
}

#[derive(Subcommand, Debug)]
pub enum Cmd {
    /// See the whole loop on a small shop that is made for it
    Demo(DemoArgs),
    /// Prepare this repository: state folder, ledger, a first solvent.toml
    Init(InitArgs),
    /// Say what this machine can prove, and what not
    Doctor,
    /// Work out which inputs reach dangerous places
    Scan(crate::impact::ScanArgs),
    /// What calls what, and where outside control begins
    Graph(crate::graph::GraphArgs),
    /// What a change touches: entry points, flows, and proofs that want to be tried again
    Impact(crate::impact::ImpactArgs),
    /// Stay warm, and say after each edit what became of entry points and flows
    Watch(Where),
    /// The debt of this repository on one page: findings of all tools, what is shown, how it grew
    Debt(crate::debt::DebtArgs),
    /// Attack the running application in a sandbox, and keep what is proven
    Prove(ProveArgs),
    /// Run a capsule again, on this tree or on another revision
    Replay(ReplayArgs),
    /// The funnel: found, reachable, proven, unmeasured
    Status(StatusArgs),
    /// List findings, the ones to act on first
    Findings(FindingsArgs),
    /// One finding on one screen: flow, proof, reproducer
    Show(ShowArgs),
    /// What was done, by whom
    Log(LogArgs),
    /// Write a page or a SARIF file for others
    Report(ReportArgs),
    /// Make a patch for a proven finding and try it against the same attack
    Fix(FixArgs),
    /// Try a patch from any tool, agent or person the same way
    Propose(ProposeArgs),
    /// List changes, the newest first
    Changes(Where),
    /// One change on one screen: patch, flow, proof, verification, risk
    Review(ChangeArgs),
    /// Take a verified patch out
    Export(ExportArgs),
    /// Approve a change, signed with your SSH key
    Approve(ApproveArgs),
    /// Stop a change
    Reject(RejectArgs),
    /// Merge an approved change and try the attack on the merged revision
    Merge(ChangeArgs),
    /// Say whether something may be done to a change, and what would make it pass
    Explain(ExplainArgs),
    /// Show or set how far this repository has come: observe, prove, remediate
    Stage(StageArgs),
    /// Say whether a proof convinces you
    ReviewProof(ReviewProofArgs),
    /// Keep the risk of a finding for a time
    Accept(AcceptArgs),
    /// For pipelines: does this change bring a new flaw?
    Gate(GateArgs),
    /// Write a folder for auditors about a finding or a change, or check one
    Evidence(EvidenceArgs),
    /// Check or rebuild the record
    Ledger(LedgerArgs),
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where to make the shop and its evidence
    #[arg(long, default_value = "solvent-demo")]
    pub dir: PathBuf,
    /// The repaired twin instead: nothing may be reachable, nothing proven
    #[arg(long)]
    pub fixed: bool,
}

#[derive(Args, Debug)]
pub struct InitArgs {
    #[command(flatten)]
    pub place: Where,
}

#[derive(Args, Debug)]
pub struct ProveArgs {
    #[command(flatten)]
    pub place: Where,
    /// Only this finding (its id, or the start of it); may be repeated
    #[arg(long = "finding", value_name = "ID")]
    pub findings: Vec<String>,
    /// What to attack
    #[arg(long, value_enum, default_value_t = AttackArg::Reachable)]
    pub attack: AttackArg,
    /// With `--attack everything`: only routes that contain this text; may be repeated
    #[arg(long = "route", value_name = "TEXT")]
    pub routes: Vec<String>,
    /// Stop after this many seconds; what was not attacked by then is unmeasured
    #[arg(long, default_value_t = 3_600, value_name = "N")]
    pub max_seconds: u64,
    /// Give up on one finding after this many requests
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub max_requests: u32,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttackArg {
    /// Findings that are reachable or undecided
    Reachable,
    /// Every input of every route with every payload, whatever static analysis says
    Everything,
}

#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// A capsule file, or the id of a proven finding
    #[arg(required_unless_present = "all")]
    pub capsule: Option<String>,
    /// Every capsule that is known here
    #[arg(long, conflicts_with = "capsule")]
    pub all: bool,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// Another revision of this repository
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
}

#[derive(Args, Debug, Clone)]
pub struct ReplayWhere {
    /// Folder of the repository
    #[arg(long = "repo", default_value = ".", value_name = "PATH")]
    pub path: PathBuf,
    /// Take a folder that is not a git repository as it is
    #[arg(long)]
    pub no_git: bool,
}

impl ReplayWhere {
    pub fn as_place(&self) -> Where {
        Where {
            path: self.path.clone(),
            no_git: self.no_git,
        }
    }
}

#[derive(Args, Debug)]
pub struct FindingsArgs {
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub then: Then,
    /// Also those that nothing can reach
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The finding's id, or the start of it
    pub finding: String,
    #[command(flatten)]
    pub place: ReplayWhere,
    #[command(flatten)]
    pub then: Then,
    /// Open the sealed capsule and show the reproducer; the access is recorded
    #[arg(long, conflicts_with = "as_of")]
    pub open: bool,
    /// Write the opened capsule to this file
    #[arg(long, value_name = "FILE", requires = "open")]
    pub save: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct LogArgs {
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub then: Then,
    /// The newest this many records
    #[arg(long, default_value_t = 50)]
    pub last: usize,
}

#[derive(Args, Debug)]
pub struct ReportArgs {
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub then: Then,
    /// One self-contained page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EvidenceArgs {
    /// Id of a finding or of a change, or the start of it
    #[arg(required = true)]
    pub id: Option<String>,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// A folder that does not exist yet
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<EvidenceCmd>,
}

#[derive(Subcommand, Debug)]
pub enum EvidenceCmd {
    /// Check a folder, or a copy of one, offline
    Check {
        /// The folder
        dir: PathBuf,
        /// The trusted key, as `solvent init` printed it (text or file)
        #[arg(long)]
        key: String,
    },
}

#[derive(Args, Debug)]
pub struct LedgerArgs {
    #[command(subcommand)]
    pub command: LedgerCmd,
}

#[derive(Subcommand, Debug)]
pub enum LedgerCmd {
    /// Check a ledger folder, or a copy of one, offline
    Verify {
        /// The ledger folder
        dir: PathBuf,
        /// The trusted key, as `solvent init` printed it (text or file)
        #[arg(long)]
        key: String,
        /// The last checkpoint known from outside the folder
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Rebuild the projections from the ledger
    Rebuild(Where),
    /// Print the trusted key and the newest checkpoint, to keep elsewhere
    Head(Where),
}
