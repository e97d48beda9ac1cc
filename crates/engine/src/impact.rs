//! What a change touches: two revisions analysed whole and compared. It changes nothing and keeps no record.
//!
//! A change anywhere may alter a flow anywhere, so nothing is concluded from which files differ: both revisions are
//! answered in full, and what spares work is that an answer is remembered by everything that it rests on. Read
//! [`inputs`] (what that is), [`stamps`] (what need not be read again), [`known`] (answers), [`outline`] (which functions changed), [`compare`].

mod compare;
mod inputs;
mod known;
mod outline;
mod stamps;
mod watch;

pub use watch::Watch;

use std::collections::BTreeSet;
use std::time::Instant;

use solvent_base::{FilePath, System, Timestamp};
use solvent_change::{ChangeError, ObjectId, Tree, Trees};
use solvent_protocol::impact::{
    CHANGED_SCAN_SCHEMA, ChangedFiles, ChangedScan, FlowImpact, FunctionImpact, IMPACT_SCHEMA,
    ImpactReport, ProofImpact, Work,
};
use solvent_protocol::view::{FindingState, Unmeasured};

use crate::branch::short;
use crate::door::{Options, host_of};
use crate::error::EngineError;
use crate::gate;
use crate::progress::Progress;
use crate::reader::Reader;
use crate::repo::{Repo, git_out};
use crate::scan::{self, Lowered};
use compare::{Compared, Outlines};
use known::{By, Known, Memory};

/// Content of files that is held for both revisions: the text of a few million lines.
const KEPT_BYTES: usize = 256 << 20;

/// What `range` names: `BASE..HEAD`, where an absent end is the checkout's HEAD. What is compared with is what both
/// have in common, since what the base got since is nobody's change here.
pub fn impact(
    options: &Options,
    range: &str,
    progress: &dyn Progress,
) -> Result<ImpactReport, EngineError> {
    let began = Instant::now();
    let repo = Repo::open(&options.path, options.git)?;
    let (base, head) = ends(range)?;
    let (base, head) = (commit(&repo, base)?, commit(&repo, head)?);
    let base = fork(&repo, &base, &head)?;
    let changed = gate::changed(&repo, &base, &head)?;

    let memory = Memory::below(&options.cache);
    let trees = trees(&repo)?;
    let now = host_of(&repo, options)?.now();
    let (base_tree, head_tree) = (tree(&trees, &base, now)?, tree(&trees, &head, now)?);
    let mut lowered = Lowered::nothing();
    progress.stage(&format!("the base, {}", short(&base)));
    let (before, base_by) = at(&memory, &repo, &base, &base_tree, &mut lowered, progress);
    progress.stage(&format!("the head, {}", short(&head)));
    let (after, head_by) = at(&memory, &repo, &head, &head_tree, &mut lowered, progress);

    let differing = differing(&before, &after);
    let outlines = outlines(&differing, &base_tree, &head_tree);
    let mut compared = compare::compare(&before, &after, &outlines);
    let at_head = repo.revision.as_deref() == Some(head.as_str()) && !repo.dirty;
    let rev = (!at_head).then(|| short(&head));
    let proofs = proofs(options, &compared, [&before, &after], rev.as_deref())?;
    let (proofs, untouched) = proofs;
    compared.left.proofs = untouched;
    let unmeasured = unmeasured(&before, &after, &changed, &compared);
    Ok(ImpactReport {
        schema: IMPACT_SCHEMA.to_owned(),
        tool: scan::tool(),
        name: repo.name(),
        base,
        head,
        files: ChangedFiles {
            changed: changed.len() as u64,
            read: differing.len() as u64,
        },
        functions: functions(&outlines),
        entry_points: compared.entry_points,
        flows: compared.flows,
        proofs,
        left: compared.left,
        work: work(base_by, head_by),
        unmeasured,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The tree as it is, against a base: what is new, another or led through what changed. `None`: the base is where
/// this branch left the default branch, or HEAD where it did not leave it.
pub fn changed(
    options: &Options,
    base: Option<&str>,
    progress: &dyn Progress,
) -> Result<ChangedScan, EngineError> {
    let began = Instant::now();
    let repo = Repo::open(&options.path, options.git)?;
    let head = repo.revision.clone().ok_or_else(|| {
        EngineError::usage(
            "there is no commit to compare with",
            "commit something first, or leave `--changed` away",
        )
    })?;
    let (base, base_is) = match base {
        Some(name) => {
            let named = commit(&repo, name)?;
            let fork = fork(&repo, &named, &head)?;
            let words = if fork == named {
                name.to_owned()
            } else {
                format!("what `{name}` and HEAD have in common")
            };
            (fork, words)
        }
        None => default_base(&repo, &head)?,
    };
    let memory = Memory::below(&options.cache);
    let host = host_of(&repo, options)?;
    let mut lowered = Lowered::nothing();
    progress.stage(&format!("the base, {}", short(&base)));
    // What is remembered of the base is enough where nothing differs from it: git is not asked for its files.
    let name = tree_name(&repo, &base);
    let (before, base_by) = match name.as_deref().and_then(|name| memory.of_tree(name)) {
        Some(known) => (known, By::Remembered),
        None => {
            let trees = trees(&repo)?;
            let tree = tree(&trees, &base, host.now())?;
            memory.answer(&repo, &tree, name.as_deref(), &mut lowered, progress)
        }
    };
    progress.stage("the tree as it is");
    let (mut after, head_by) = memory.answer(&repo, &host, None, &mut lowered, progress);
    after.report.started_ms = host.now().0;
    after.report.subject.name = repo.name();
    after.report.subject.revision = Some(head);
    after.report.subject.dirty = repo.dirty;

    let differing = differing(&before, &after);
    let outlines = if differing.is_empty() {
        Outlines::default()
    } else {
        let trees = trees(&repo)?;
        outlines(&differing, &tree(&trees, &base, host.now())?, &host)
    };
    let Compared { flows, left, .. } = compare::compare(&before, &after, &outlines);
    let gone = flows
        .iter()
        .filter(|f| f.how == "gone" && f.finding.verdict.word != "no_path")
        .count() as u64;
    let how: Vec<FlowImpact> = flows.into_iter().filter(|f| f.how != "gone").collect();
    let mut report = after.report;
    report.findings = how.iter().map(|flow| flow.finding.clone()).collect();
    // The findings that are told are counted, not those that are left.
    let undecided = scan::undecided(&report.findings);
    report
        .unmeasured
        .retain(|gap| !gap.what.starts_with(scan::VERDICT_OF));
    report.unmeasured.extend(undecided);
    report.duration_ms = began.elapsed().as_millis() as u64;
    Ok(ChangedScan {
        schema: CHANGED_SCAN_SCHEMA.to_owned(),
        base,
        base_is,
        scan: report,
        how,
        gone,
        left,
        files: ChangedFiles {
            changed: differing.len() as u64,
            read: differing.len() as u64,
        },
        work: work(base_by, head_by),
    })
}

fn usage_of_range(range: &str) -> EngineError {
    EngineError::usage(
        format!("`{range}` is no range of commits"),
        "write `main..HEAD`, or a single commit that HEAD is compared with",
    )
}

fn ends(range: &str) -> Result<(&str, &str), EngineError> {
    let (base, head) = range
        .split_once("...")
        .or_else(|| range.split_once(".."))
        .unwrap_or((range, ""));
    if base.is_empty() || head.contains("..") {
        return Err(usage_of_range(range));
    }
    Ok((base, if head.is_empty() { "HEAD" } else { head }))
}

fn commit(repo: &Repo, name: &str) -> Result<String, EngineError> {
    if !repo.is_git {
        return Err(EngineError::usage(
            "what changed can only be told in a git repository",
            "run `git init` and commit",
        ));
    }
    repo.resolve(name).ok_or_else(|| {
        EngineError::usage(
            format!("no commit `{name}` in this repository"),
            "fetch it first; a shallow clone of a pipeline holds the newest commit only (`fetch-depth: 0`)",
        )
    })
}

/// What both have in common.
fn fork(repo: &Repo, base: &str, head: &str) -> Result<String, EngineError> {
    git_out(&repo.root, ["merge-base", base, head])
        .map(|out| out.trim().to_owned())
        .map_err(|_| {
            let (base, head) = (short(base), short(head));
            EngineError::usage(
                format!("{base} and {head} have no commit in common"),
                "fetch the whole history (`fetch-depth: 0`)",
            )
        })
}

/// Where this branch left the default branch; HEAD where it did not, or where there is no such branch.
fn default_base(repo: &Repo, head: &str) -> Result<(String, String), EngineError> {
    let remote = || {
        ["origin/HEAD", "origin/main", "origin/master"]
            .into_iter()
            .find_map(|name| Some((name.to_owned(), repo.resolve(name)?)))
    };
    let branch = match repo.base() {
        Ok(base) => Some((base.branch, base.commit)),
        Err(_) => remote(),
    };
    if let Some((name, tip)) = branch {
        // A branch without anything in common with it has not left it.
        let fork = fork(repo, &tip, head).unwrap_or_else(|_| head.to_owned());
        if fork != head {
            return Ok((fork, format!("where this branch left {name}")));
        }
    }
    Ok((head.to_owned(), "HEAD".to_owned()))
}

/// The folder of this root inside the repository, with a slash at its end; empty at the repository's root.
fn prefix(repo: &Repo) -> String {
    git_out(&repo.root, ["rev-parse", "--show-prefix"])
        .map(|out| out.trim_end_matches('\n').to_owned())
        .unwrap_or_default()
}

fn unread(error: &ChangeError) -> EngineError {
    EngineError::unfinished(format!("cannot read the history: {error}"), error.hint())
}

fn trees(repo: &Repo) -> Result<Trees, EngineError> {
    Trees::open(&repo.root, KEPT_BYTES).map_err(|error| unread(&error))
}

/// The files of a commit, which nobody checked out.
fn tree<'a>(trees: &'a Trees, commit: &str, now: Timestamp) -> Result<Tree<'a>, EngineError> {
    let id = ObjectId::parse(commit).ok_or_else(|| {
        let words = format!("`{commit}` is no name of a commit");
        EngineError::unfinished(words, "see whether `git fsck` finds the repository whole")
    })?;
    trees.at(&id, now).map_err(|error| unread(&error))
}

/// What names the files of a commit below this root; `None`: git does not say.
fn tree_name(repo: &Repo, commit: &str) -> Option<String> {
    let object = format!("{commit}^{{tree}}");
    let name = git_out(&repo.root, ["rev-parse", "--verify", "--quiet", &object]).ok()?;
    Some(format!("{}:{}", name.trim(), prefix(repo)))
}

/// The answer about a commit.
fn at(
    memory: &Memory,
    repo: &Repo,
    commit: &str,
    tree: &Tree<'_>,
    lowered: &mut Lowered,
    progress: &dyn Progress,
) -> (Known, By) {
    let name = tree_name(repo, commit);
    if let Some(known) = name.as_deref().and_then(|name| memory.of_tree(name)) {
        return (known, By::Remembered);
    }
    memory.answer(repo, tree, name.as_deref(), lowered, progress)
}

/// Paths of files that answers rest on and that are not the same in both.
fn differing(before: &Known, after: &Known) -> BTreeSet<String> {
    let paths = before.files.keys().chain(after.files.keys());
    paths
        .filter(|path| before.files.get(*path) != after.files.get(*path))
        .cloned()
        .collect()
}

fn outlines(differing: &BTreeSet<String>, before: &dyn System, after: &dyn System) -> Outlines {
    let mut out = Outlines::default();
    for text in differing {
        if let Some(path) = FilePath::new(text) {
            let read =
                |system: &dyn System| system.read(&path, solvent_lang::MAX_SOURCE_BYTES).ok();
            let (old, new) = (read(before), read(after));
            let pair = outline::outlines(&path, old.as_deref(), new.as_deref());
            out.files.insert(text.clone(), pair);
        }
    }
    out
}

fn functions(outlines: &Outlines) -> Vec<FunctionImpact> {
    outlines
        .files
        .values()
        .flat_map(|(before, after)| outline::became(before, after))
        .map(|became| FunctionImpact {
            how: became.how.to_owned(),
            name: became.name.to_owned(),
            place: became.place.clone(),
        })
        .collect()
}

fn work(base: By, head: By) -> Work {
    Work {
        base: base.word().to_owned(),
        head: head.word().to_owned(),
    }
}

/// Proofs about what is touched, and how many are not.
fn proofs(
    options: &Options,
    compared: &Compared,
    answers: [&Known; 2],
    rev: Option<&str>,
) -> Result<(Vec<ProofImpact>, u64), EngineError> {
    let mut reader = Reader::open(options)?;
    let proven = reader.view()?.proofs()?;
    let mut untouched = 0;
    let mut out = Vec::new();
    for state in proven {
        match because(&state, compared, answers) {
            None => untouched += 1,
            Some(because) => {
                let finding = &state.finding;
                let rev = rev.map(|rev| format!(" --rev {rev}")).unwrap_or_default();
                out.push(ProofImpact {
                    id: finding.id.clone(),
                    weakness: finding.weakness.clone(),
                    entry: finding
                        .entry
                        .as_ref()
                        .map(|e| e.label.clone())
                        .unwrap_or_default(),
                    state: state.lifecycle.state.clone(),
                    because,
                    replay: format!("solvent replay {}{rev}", finding.id),
                });
            }
        }
    }
    out.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((out, untouched))
}

/// Why a proof wants to be tried again, if it does.
fn because(state: &FindingState, compared: &Compared, answers: [&Known; 2]) -> Option<String> {
    let print = &state.finding.fingerprint;
    let flow = compared
        .flows
        .iter()
        .find(|flow| flow.finding.fingerprint == *print || flow.was.as_ref() == Some(print));
    if let Some(flow) = flow {
        return Some(match (flow.how.as_str(), flow.changes.as_slice()) {
            ("new", _) => "its flow is there again".to_owned(),
            ("gone", _) => "its flow is no longer seen, which closes nothing".to_owned(),
            ("touched", _) => format!("its flow goes through {}", flow.through.join(", ")),
            (_, changes) => format!("its flow has {}", changes.join(", ")),
        });
    }
    let is_known = answers.iter().any(|known| {
        let mut findings = known.report.findings.iter();
        findings.any(|finding| finding.fingerprint == *print)
    });
    let label = state.finding.entry.as_ref().map(|entry| &entry.label)?;
    let entry = compared
        .entry_points
        .iter()
        .find(|e| e.entry.label == *label);
    match entry {
        Some(entry) if entry.how == "gone" => Some(format!("{label} is gone")),
        Some(entry) if !entry.changes.is_empty() => {
            Some(format!("{label}: {}", entry.changes.join(", ")))
        }
        // Whatever its flow is, it begins there.
        Some(entry) if !is_known => Some(format!(
            "no flow is known for it, and {label} leads to {}",
            entry.through.join(", ")
        )),
        _ => None,
    }
}

/// What the answer does not know about the change.
fn unmeasured(
    before: &Known,
    after: &Known,
    changed: &BTreeSet<String>,
    compared: &Compared,
) -> Vec<Unmeasured> {
    let mut out = gate::gaps(&after.report, changed);
    // A search that is partial may have missed what the change touches, in either revision.
    let gaps = [before, after]
        .into_iter()
        .flat_map(|known| &known.report.unmeasured);
    for gap in gaps {
        let read = gap.what.strip_prefix("file ");
        let counts = match read {
            Some(path) => changed.contains(path),
            None => gap.what == scan::SOME_PART,
        };
        if counts && !out.contains(gap) {
            out.push(gap.clone());
        }
    }
    let open = compared.flows.iter().filter(|flow| flow.how != "gone");
    let findings: Vec<_> = open.map(|flow| flow.finding.clone()).collect();
    out.extend(scan::undecided(&findings));
    out
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_range_has_a_base_and_ends_at_head_unless_it_says_otherwise() {
        assert_eq!(ends("main..work").ok(), Some(("main", "work")));
        assert_eq!(ends("main...work").ok(), Some(("main", "work")));
        assert_eq!(ends("main..").ok(), Some(("main", "HEAD")));
        assert_eq!(ends("HEAD~3").ok(), Some(("HEAD~3", "HEAD")));
        for range in ["", "..", "..work", "a..b..c"] {
            assert!(ends(range).is_err(), "{range}");
        }
    }
}
