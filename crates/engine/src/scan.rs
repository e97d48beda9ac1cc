//! From a tree to a scan report: walk, lower, link, search.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use rayon::prelude::*;
use solvent_base::{Digest, FilePath, Interner, Problem, ProblemKind, ReadError, Span, System};
use solvent_deploy::Reach as Reached;
use solvent_finding::{EntryPoint, Finding, Verdict};
use solvent_graph::SystemGraph;
use solvent_ir::{FunctionKind, Language, Unit};
use solvent_models::ModelSet;
use solvent_protocol::view::{
    Coverage, EntryPointView, FindingView, ReasonView, SCAN_SCHEMA, ScanReport, Subject, Tool,
    Unmeasured,
};

use solvent_taint::{FixedSink, Reach, Standing};

use crate::describe;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::system::{self, Joined};

/// A finished scan: the domain's own values for proving, and the report for everyone else.
pub struct Scan {
    pub findings: Vec<Finding>,
    pub entry_points: Vec<EntryPoint>,
    /// Sinks that were shown to get only constants.
    pub fixed_sinks: Vec<FixedSink>,
    /// The functions of each file that was analysed.
    pub functions: BTreeMap<FilePath, Vec<Span>>,
    /// Files of which part could not be read.
    pub broken: BTreeSet<FilePath>,
    pub report: ScanReport,
    /// Services, and how they are reached.
    pub system: Joined,
}

impl Scan {
    /// Whether deployment files say that only requests from inside reach the entry point.
    pub fn is_inside(&self, entry: &EntryPoint) -> bool {
        self.system.says() && self.system.reach_of(&self.entry_points, entry) == Reached::Internal
    }

    /// The finding as the report shows it.
    pub fn view_of(&self, finding: &Finding) -> Option<&FindingView> {
        let print = finding.fingerprint.0.hex();
        self.report
            .findings
            .iter()
            .find(|view| view.fingerprint == print)
    }
}

/// The files of one scan, kept for the next one: a file with the same path and bytes is not read again.
/// It holds one tree at a time, so a walk through a history costs the memory of one scan.
pub struct Lowered {
    names: Interner,
    units: HashMap<FilePath, (Digest, Unit)>,
}

impl Lowered {
    pub fn nothing() -> Self {
        Self {
            names: Interner::new(),
            units: HashMap::new(),
        }
    }
}

/// Extensions of languages that carry code but have no front end yet: a repository of only these must
/// not look clean.
const NOT_MODELLED: &[(&str, &str)] = &[
    ("kt", "Kotlin"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("cs", "C#"),
    ("rs", "Rust"),
    ("c", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
    ("scala", "Scala"),
    ("swift", "Swift"),
    ("pl", "Perl"),
    ("sh", "shell"),
    ("pyx", "Cython"),
    ("ex", "Elixir"),
    ("vue", "Vue"),
    ("jsp", "JSP"),
];

/// What is unmeasured when no file could be analysed.
pub(crate) const NO_FILES: &str = "the whole repository";
/// What is unmeasured when no entry point was found.
pub(crate) const NO_ENTRY_POINTS: &str = "reachability from outside";
/// What is unmeasured when a search is partial.
pub(crate) const SOME_PART: &str = "part of the analysis";
/// Begins what is unmeasured when findings are undecided.
pub(crate) const VERDICT_OF: &str = "the verdict of ";

/// The language of a file that carries code and has no front end yet.
pub(crate) fn not_modelled(path: &str) -> Option<&'static str> {
    let extension = path.rsplit_once('.')?.1;
    let known = NOT_MODELLED.iter().find(|(known, _)| *known == extension);
    known.map(|(_, language)| *language)
}

/// Scans the tree behind `system`. Never fails: what could not be read or finished is in the report's
/// `unmeasured`.
pub fn scan(repo: &Repo, system: &dyn System, progress: &dyn Progress) -> Scan {
    scan_after(repo, system, progress, &mut Lowered::nothing())
}

/// [`scan`], with what an earlier scan of a like tree read; leaves what this one read.
pub fn scan_after(
    repo: &Repo,
    system: &dyn System,
    progress: &dyn Progress,
    lowered: &mut Lowered,
) -> Scan {
    scan_looking(repo, system, progress, lowered, None)
}

/// Who looks at the graph of each language before it is let go.
pub(crate) trait Look {
    fn graph(&mut self, graph: &SystemGraph, names: &Interner);
    /// Whether [`Self::standings`] is asked for; that costs.
    fn asks_standings(&self) -> bool {
        false
    }
    /// What became of the functions of the graph that was seen last.
    fn standings(&mut self, _standings: Vec<Standing>) {}
}

/// [`scan_after`], with a look at the graph.
pub(crate) fn scan_looking(
    repo: &Repo,
    system: &dyn System,
    progress: &dyn Progress,
    lowered: &mut Lowered,
    mut look: Option<&mut dyn Look>,
) -> Scan {
    let started = Instant::now();
    let started_ms = system.now().0;
    progress.stage("walking the tree");
    let walk = system.walk();
    let mut problems = walk.problems;
    let mut not_modelled: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sources: Vec<FilePath> = Vec::new();
    let mut files_copied_in = 0;
    let mut settings: Vec<solvent_ir::Settings> = Vec::new();
    let mut rest: Vec<FilePath> = Vec::new();
    for file in &walk.files {
        files_copied_in += u64::from(solvent_lang::is_copied_in(&file.path));
        if solvent_lang::settings::is_settings(&file.path) {
            // What is not read is not known to whoever loads it.
            let cap = solvent_lang::settings::MAX_SETTINGS_BYTES;
            if let Ok(bytes) = system.read(&file.path, cap) {
                settings.extend(solvent_lang::settings::settings(&file.path, &bytes));
            }
        } else if solvent_lang::language_of(&file.path).is_some() {
            sources.push(file.path.clone());
        } else if file.path.extension().is_none() {
            if is_script(system, &file.path) {
                sources.push(file.path.clone());
            }
        } else if solvent_lang::view::language_of(&file.path, true, true).is_some()
            || solvent_lang::view::may_be_template(&file.path)
        {
            rest.push(file.path.clone());
        } else if let Some(language) = file
            .path
            .extension()
            .and_then(|e| NOT_MODELLED.iter().find(|(known, _)| *known == e))
            .map(|(_, language)| *language)
        {
            *not_modelled.entry(language).or_default() += 1;
        }
    }

    let code: BTreeSet<Language> = sources
        .iter()
        .filter_map(solvent_lang::language_of)
        .collect();
    let has = |language| code.contains(&language);
    let (python, javascript) = (has(Language::Python), has(Language::JavaScript));
    let rendered_by = |path: &FilePath, bytes: &[u8]| {
        solvent_lang::view::language_in(path, bytes, python, javascript)
    };
    // Pages in other folders are templates where their text says so.
    let by_text = |path: &FilePath| {
        solvent_lang::view::may_be_template(path)
            && solvent_lang::view::language_of(path, python, javascript).is_none()
    };
    rest.retain(|path| {
        solvent_lang::view::language_of(path, python, javascript).is_some()
            || ((python || javascript) && by_text(path) && {
                let cap = solvent_lang::view::MAX_VIEW_BYTES as u64;
                let text = system.read(path, cap);
                text.is_ok_and(|bytes| rendered_by(path, &bytes).is_some())
            })
    });
    sources.extend(rest);

    progress.stage(&format!("reading {} files", sources.len()));
    let Lowered {
        names,
        units: known,
    } = lowered;
    let names = &*names;
    let mut known = std::mem::take(known);
    let work: Vec<(&FilePath, Option<(Digest, Unit)>)> = sources
        .iter()
        .map(|path| (path, known.remove(path)))
        .collect();
    drop(known);
    let read: Vec<Result<Option<(Unit, Digest)>, Problem>> = work
        .into_par_iter()
        .map(|(path, known)| {
            let bytes = system
                .read(path, solvent_lang::MAX_SOURCE_BYTES)
                .map_err(|error| read_problem(path, &error))?;
            if solvent_lang::is_minified(path, &bytes) {
                return Ok(None);
            }
            let digest = Digest::of(&bytes);
            Ok(Some(match known {
                Some((same, unit)) if same == digest => (unit, digest),
                _ => match rendered_by(path, &bytes) {
                    Some(language) => {
                        let unit = solvent_lang::view::lower(path, &bytes, names, language);
                        (unit, digest)
                    }
                    None => (solvent_lang::lower(path, &bytes, names), digest),
                },
            }))
        })
        .collect();
    let mut units = Vec::with_capacity(read.len());
    let mut tree: Vec<Vec<u8>> = Vec::new();
    let mut digests: HashMap<FilePath, Digest> = HashMap::new();
    let mut functions: BTreeMap<FilePath, Vec<Span>> = BTreeMap::new();
    let mut broken: BTreeSet<FilePath> = BTreeSet::new();
    for (path, result) in sources.iter().zip(read) {
        match result {
            Ok(None) => files_copied_in += 1,
            Ok(Some((unit, digest))) => {
                if !unit.problems.is_empty() {
                    broken.insert(path.clone());
                }
                problems.extend(unit.problems.iter().cloned());
                tree.push(path.as_str().as_bytes().to_vec());
                tree.push(digest.as_bytes().to_vec());
                functions.insert(path.clone(), spans(&unit));
                digests.insert(path.clone(), digest);
                units.push(unit);
            }
            Err(problem) => {
                broken.insert(path.clone());
                problems.push(problem);
            }
        }
    }
    let files = walk.files.iter().map(|file| &file.path);
    for (unit, digest) in describe::descriptions(files, &units, system, names) {
        problems.extend(unit.problems.iter().cloned());
        tree.push(unit.path.as_str().as_bytes().to_vec());
        tree.push(digest.as_bytes().to_vec());
        units.push(unit);
    }
    let lines: u64 = units.iter().map(|u| u64::from(u.lines)).sum();
    let files_analysed = units.len() as u64;

    progress.stage(&format!("linking {files_analysed} files, {lines} lines"));
    let text = |path: &FilePath| {
        system
            .read(path, solvent_lang::MAX_SOURCE_BYTES)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let deployment = system::read(system, &walk.files);
    let environment = system::environment(&deployment, &sources);
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut reach: Option<Reach> = None;
    for (language, units) in solvent_graph::by_language(units) {
        let models = ModelSet::of(language);
        let mut graph =
            solvent_graph::build_set(units, &settings, models, names, environment.clone());
        if !deployment.services.is_empty() {
            imports.extend(graph.program.imports(names));
        }
        if let Some(look) = &mut look {
            look.graph(&graph, names);
        }
        progress.stage("following inputs to sinks");
        let limits = solvent_taint::Limits::STANDARD;
        let one = match look.as_mut().filter(|look| look.asks_standings()) {
            Some(look) => {
                let (one, standings) =
                    solvent_taint::reach_each(&mut graph, models, names, &text, &limits);
                look.standings(standings);
                one
            }
            None => solvent_taint::reach(&mut graph, models, names, &text, &limits),
        };
        reach = Some(match reach {
            Some(before) => before.and(one),
            None => one,
        });
        for unit in graph.program.units {
            if let Some(digest) = digests.remove(&unit.path) {
                lowered.units.insert(unit.path.clone(), (digest, unit));
            }
        }
    }
    let reach = reach.unwrap_or_default();
    problems.extend(reach.problems);

    let mut findings = reach.findings;
    let (joined, crossing) = system::join(
        deployment,
        &sources,
        &imports,
        &reach.entry_points,
        reach.sent,
        &findings,
    );
    findings.extend(crossing);
    let reach_of = |f: &Finding| {
        let entry = f.entry.as_ref();
        entry.map(|entry| joined.reach_of(&reach.entry_points, entry))
    };
    findings.sort_by_cached_key(|f| {
        (
            rank(&f.verdict),
            // What is known to be reached from inside only comes behind the rest.
            reach_of(f) == Some(Reached::Internal),
            std::cmp::Reverse(f.severity),
            // Of like severity, what input reaches comes first.
            !f.way.is_empty(),
            f.sink.location.clone(),
            f.fingerprint,
        )
    });
    let unmeasured = unmeasured(
        &problems,
        &not_modelled,
        files_analysed,
        reach.entry_points.len(),
        &findings,
    );
    let says = joined.says();
    let entry_views: Vec<EntryPointView> = reach
        .entry_points
        .iter()
        .enumerate()
        .map(|(at, entry)| with_exposure(entry.into(), &joined, says.then_some(at)))
        .collect();
    let key = |e: &EntryPointView| {
        (
            e.handler.clone(),
            e.route.clone(),
            e.place.path.clone(),
            e.place.line,
        )
    };
    let by_key: HashMap<_, usize> = entry_views.iter().map(key).zip(0..).collect();
    let finding_views: Vec<FindingView> = findings
        .iter()
        .map(|finding| {
            let mut view = FindingView::from(finding);
            // What constants cut may be cut by the deployment's settings: it is said which.
            let cut = |r: &ReasonView| {
                matches!(r.code.as_str(), "dead_branch" | "no_caller" | "dead_caller")
            };
            if view.verdict.word == "no_path" && view.verdict.reasons.iter().any(cut) {
                let sink = finding.sink.location.path.as_str();
                let more = system::rests_on(&joined, &environment, sink, &text);
                view.verdict.reasons.extend(more);
            }
            view.entry = view.entry.map(|entry| {
                let at = by_key.get(&key(&entry)).copied();
                with_exposure(entry, &joined, at.filter(|_| says))
            });
            view
        })
        .collect();
    let report = ScanReport {
        schema: SCAN_SCHEMA.to_owned(),
        tool: tool(),
        subject: Subject {
            name: repo.name(),
            revision: repo.revision.clone(),
            dirty: repo.dirty,
            tree: Digest::of_parts(tree.iter().map(Vec::as_slice)).to_string(),
        },
        started_ms,
        duration_ms: started.elapsed().as_millis() as u64,
        coverage: Coverage {
            files_seen: walk.files.len() as u64,
            files_analysed,
            files_not_modelled: not_modelled
                .iter()
                .map(|(l, n)| ((*l).to_owned(), *n))
                .collect(),
            files_copied_in,
            lines,
            functions: reach.stats.functions as u64,
            calls_resolved: reach.stats.call_edges as u64,
            calls_unresolved: reach.stats.boundaries as u64,
            constant_sinks: reach.stats.constant_sinks as u64,
        },
        entry_points: entry_views,
        findings: finding_views,
        unmeasured,
    };
    Scan {
        findings,
        entry_points: reach.entry_points,
        fixed_sinks: reach.fixed_sinks,
        functions,
        broken,
        report,
        system: joined,
    }
}

/// Largest file without an extension that is asked what starts it, in bytes.
const MAX_SCRIPT_BYTES: u64 = 256 << 10;

/// Whether a file without an extension begins with the line of an interpreter that is known.
fn is_script(system: &dyn System, path: &FilePath) -> bool {
    system
        .read(path, MAX_SCRIPT_BYTES)
        .is_ok_and(|bytes| solvent_lang::language_of_script(path, &bytes).is_some())
}

/// With who can reach it, and a login that a gateway asks for among the checks.
fn with_exposure(mut view: EntryPointView, joined: &Joined, at: Option<usize>) -> EntryPointView {
    let Some(at) = at else { return view };
    if let Some(exposed) = joined.exposed.get(at) {
        view.auth.extend(
            exposed
                .login
                .iter()
                .map(|login| format!("{login} at the gateway")),
        );
    }
    view.exposure = joined.view(at);
    view
}

/// The bytes of each `def` of a file.
fn spans(unit: &Unit) -> Vec<Span> {
    unit.functions
        .iter()
        .filter(|f| f.kind == FunctionKind::Def)
        .map(|f| f.span)
        .collect()
}

/// Name, version and model digest of this build.
pub fn tool() -> Tool {
    Tool {
        name: "solvent".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        models: ModelSet::builtin().version().to_string(),
    }
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Reachable { .. } => 0,
        Verdict::Undecided { .. } => 1,
        Verdict::NoPath { .. } => 2,
    }
}

pub(crate) fn read_problem(path: &FilePath, error: &ReadError) -> Problem {
    let (kind, message) = match error {
        ReadError::NotFound => (
            ProblemKind::Unreadable,
            "went away while it was read".to_owned(),
        ),
        ReadError::TooLarge(size) => (
            ProblemKind::TooLarge,
            format!(
                "has {} MiB, more than the cap of {} MiB for source files",
                size >> 20,
                solvent_lang::MAX_SOURCE_BYTES >> 20
            ),
        ),
        ReadError::Other(words) => (ProblemKind::Unreadable, words.clone()),
    };
    Problem {
        kind,
        path: Some(path.clone()),
        span: None,
        message,
    }
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn unmeasured(
    problems: &[Problem],
    not_modelled: &BTreeMap<&str, u64>,
    files_analysed: u64,
    entry_points: usize,
    findings: &[Finding],
) -> Vec<Unmeasured> {
    let mut out = Vec::new();
    if files_analysed == 0 {
        out.push(Unmeasured {
            what: NO_FILES.to_owned(),
            why: "no file in a modelled language (Python, JavaScript, TypeScript, Go, Java) could be read"
                .to_owned(),
        });
    } else if entry_points == 0 {
        out.push(Unmeasured {
            what: NO_ENTRY_POINTS.to_owned(),
            why: format!(
                "no entry point was found: a library has none, and an application on another framework than these \
                 is not measured: {}",
                listed(ModelSet::builtin().frameworks())
            ),
        });
    }
    for (language, count) in not_modelled {
        out.push(Unmeasured {
            what: format!(
                "{count} {language} file{}",
                if *count == 1 { "" } else { "s" }
            ),
            why: format!("{language} is not modelled yet"),
        });
    }
    let mut gaps: Vec<&Problem> = problems.iter().collect();
    gaps.sort();
    gaps.dedup();
    for problem in gaps {
        out.push(Unmeasured {
            what: problem
                .path
                .as_ref()
                .map_or_else(|| SOME_PART.to_owned(), |p| format!("file {p}")),
            why: problem.message.clone(),
        });
    }
    let undecided = findings
        .iter()
        .filter(|f| matches!(f.verdict, Verdict::Undecided { .. }))
        .count();
    out.extend(undecided_gap(undecided));
    out
}

/// What is not known about these findings.
pub(crate) fn undecided(findings: &[FindingView]) -> Option<Unmeasured> {
    undecided_gap(
        findings
            .iter()
            .filter(|f| f.verdict.word == "undecided")
            .count(),
    )
}

fn undecided_gap(undecided: usize) -> Option<Unmeasured> {
    (undecided > 0).then(|| Unmeasured {
        what: format!(
            "{VERDICT_OF}{undecided} finding{}",
            if undecided == 1 { "" } else { "s" }
        ),
        why: "the search could not finish; each finding names what stopped it".to_owned(),
    })
}
