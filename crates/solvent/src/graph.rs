//! `solvent graph`: questions to the System Graph, and the graph for other programs.

use std::path::PathBuf;

use clap::Args;
use solvent_engine::{EngineError, Progress};
use solvent_protocol::graph::GraphReport;
use solvent_report::graph::services::named;
use solvent_report::graph::{Question, answer, dot, graphml, svg, text};

use crate::args::Where;
use crate::commands::{git, options, to_json, write};
use crate::exit::Exit;
use crate::out::{Done, width};

#[derive(Args, Debug)]
pub struct GraphArgs {
    #[command(flatten)]
    pub place: Where,
    /// What leads to this function: its name, `Class.method`, `module:Class.method`, or a library's: `os.system`
    #[arg(long, value_name = "FUNCTION", group = "question")]
    pub callers: Option<String>,
    /// What this function leads to
    #[arg(long, value_name = "FUNCTION", group = "question")]
    pub calls: Option<String>,
    /// Entry points without a login check that is recognised
    #[arg(long, group = "question")]
    pub without_login: bool,
    /// Entry points that somebody outside may reach without a login, with the reason
    #[arg(long, group = "question")]
    pub exposed: bool,
    /// What runs, how it is reached, and what leads from one service to another
    #[arg(long, group = "question")]
    pub services: bool,
    /// Who reaches this service, and what it reaches
    #[arg(long, value_name = "NAME", group = "question")]
    pub service: Option<String>,
    /// Functions that nothing runs, and those of which that is not known, with the reason
    #[arg(long, group = "question")]
    pub functions: bool,
    /// What lockfiles pin: name, version, ecosystem
    #[arg(long, group = "question")]
    pub components: bool,
    /// Draw it, or what answers the question, in Graphviz's language
    #[arg(long, value_name = "FILE")]
    pub dot: Option<PathBuf>,
    /// Write it, or what answers the question, as GraphML
    #[arg(long, value_name = "FILE")]
    pub graphml: Option<PathBuf>,
    /// Draw the services as a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

pub fn graph(args: &GraphArgs, progress: &dyn Progress) -> Result<Done, EngineError> {
    let options = options(&args.place.path, git(args.place.no_git))?;
    let report = solvent_engine::graph::graph(&options, progress)?;
    let question = match (&args.callers, &args.calls) {
        (Some(name), _) => Question::CallersOf(name),
        (_, Some(name)) => Question::CalledFrom(name),
        _ if args.without_login => Question::WithoutLogin,
        _ if args.exposed => Question::Exposed,
        _ if args.services => Question::Services,
        _ if args.functions => Question::Functions,
        _ if args.components => Question::Components,
        _ if args.service.is_some() => {
            Question::Service(args.service.as_deref().unwrap_or_default())
        }
        _ => Question::Overview,
    };
    if let (Some(name), _) | (_, Some(name)) = (&args.callers, &args.calls)
        && report.named(name).is_empty()
        && (args.callers.is_none() || report.calling(name).is_empty())
    {
        return Err(EngineError::usage(
            format!("no function is called `{name}`"),
            "give its name, `Class.method` or `module:Class.method`; `solvent graph --json` lists all",
        ));
    }
    if let Question::Service(name) = question
        && named(&report, name).is_empty()
    {
        return Err(EngineError::usage(
            format!("no service is called `{name}`"),
            "`solvent graph --services` lists all",
        ));
    }
    let mut human = text(&report, question, width()).ansi();
    for (path, content) in [
        (&args.dot, dot as fn(&GraphReport, Question<'_>) -> String),
        (&args.graphml, graphml),
        (&args.svg, svg),
    ] {
        if let Some(path) = path {
            write(path, content(&report, question).as_bytes())?;
            human.push_str(&format!("\nwritten to {}\n", path.display()));
        }
    }
    let mut json = to_json(&report)?;
    json["answer"] = to_json(&answer(&report, question))?;
    Ok(Done {
        exit: if report.unmeasured.is_empty() {
            Exit::Clean
        } else {
            Exit::Unmeasured
        },
        human,
        json,
    })
}
