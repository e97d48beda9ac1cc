//! What wrote the lines and changes, from git's own marks to the document's words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use solvent_change::git::Git;
use solvent_change::marks::Marks;
use solvent_change::{Change, Grade, History, ObjectId, Origin, Tally};
use solvent_protocol::debt::{
    Attribution, Authorship, AuthorshipMonth, CommitView, Counted, Figure, Introduced,
    MAX_EVIDENCE, Measured, Share, ToolShare, evidence,
};

/// Commits that one command line asks about.
const BATCH: usize = 500;

/// Longest subject that is shown, in bytes.
const MAX_SUBJECT: usize = 200;

pub fn attribution(origin: &Origin) -> Attribution {
    let (by, tool, how) = match origin {
        Origin::Detected(mark) => (
            "ai",
            Some(Marks::builtin().tool_name(&mark.tool).to_owned()),
            mark.grade.words(),
        ),
        Origin::Bot(name) => ("bot", Some(name.to_string()), "account of a bot"),
        Origin::Person => ("human", None, "line note"),
        Origin::Unknown => (
            "unknown",
            None,
            "no mark of a tool, which is not the mark of a person",
        ),
    };
    Attribution {
        by: by.to_owned(),
        tool,
        how: how.to_owned(),
    }
}

/// A figure with as many references as a figure carries.
pub fn counted(count: u64, references: impl IntoIterator<Item = String>) -> Figure {
    Figure {
        count,
        evidence: references.into_iter().take(MAX_EVIDENCE).collect(),
    }
}

fn share(tally: &Tally, of: &dyn Fn(&str) -> Vec<String>) -> Share {
    let total = tally.measured();
    let part = |n: u64| {
        if total == 0 {
            0.0
        } else {
            n as f64 / total as f64
        }
    };
    let (detected, unknown) = (tally.detected(), tally.unknown + tally.older);
    Share {
        detected: counted(detected, of("ai")),
        bots: counted(tally.bots(), of("bot")),
        human: counted(tally.person, of("human")),
        unknown: counted(unknown, of("unknown")),
        total: counted(total, of("")),
        low: part(detected),
        high: part(detected + unknown),
    }
}

/// References to changes by one class of origin; to all of them for the empty word.
fn references<'c>(changes: &[&'c Change], by: &str) -> Vec<String> {
    changes
        .iter()
        .filter(|c| by.is_empty() || attribution(&c.origin).by == by)
        .map(|c| evidence::commit(&c.id.hex()))
        .collect()
}

pub fn authorship(history: &History) -> Authorship {
    let changes: Vec<&Change> = history.changes.iter().filter(|c| !c.merge).collect();
    let mut tally = Tally::default();
    for change in &changes {
        tally.add(&change.origin, 1);
    }
    let newest: Vec<String> = history
        .months
        .last()
        .map(|m| evidence::month(&m.to_string()))
        .into_iter()
        .collect();
    let lines = &history.alive.lines;
    let lines_share = if lines.measured() == 0 {
        Measured::Unmeasured("no line of code could be asked about".to_owned())
    } else {
        // Lines are counted by the commits that wrote them, most of which are older than these months.
        Measured::Known(share(lines, &|by| match by {
            "ai" => references(&changes, "ai"),
            _ => newest.clone(),
        }))
    };
    Authorship {
        lines: lines_share,
        changes: Measured::Known(share(&tally, &|by| references(&changes, by))),
        tools: tools(history, &changes),
        months: history
            .months
            .iter()
            .map(|month| {
                let here: Vec<&Change> = changes.iter().copied().filter(|c| c.month == *month).collect();
                let mut tally = Tally::default();
                for change in &here {
                    tally.add(&change.origin, 1);
                }
                AuthorshipMonth {
                    month: month.to_string(),
                    changes: Measured::Known(share(&tally, &|by| references(&here, by))),
                }
            })
            .collect(),
        method: "line notes, then accounts of agents, trailers of sessions and co-authors, then sentences in \
                 messages; git blame for lines"
            .to_owned(),
        caveats: vec![
            "marks are claims: anyone who pushes can make them or leave them out".to_owned(),
            "a change without a mark is unknown, never taken for a person's".to_owned(),
            "a squashed merge often loses line notes".to_owned(),
        ],
    }
}

fn tools(history: &History, changes: &[&Change]) -> Vec<ToolShare> {
    let mut by_tool: BTreeMap<&str, BTreeMap<Grade, Vec<String>>> = BTreeMap::new();
    for change in changes {
        if let Origin::Detected(mark) = &change.origin {
            by_tool
                .entry(&mark.tool)
                .or_default()
                .entry(mark.grade)
                .or_default()
                .push(evidence::commit(&change.id.hex()));
        }
    }
    let lines = history.alive.lines.tools();
    let names: BTreeSet<&str> = by_tool
        .keys()
        .copied()
        .chain(lines.keys().map(AsRef::as_ref))
        .collect();
    let mut out: Vec<ToolShare> = names
        .into_iter()
        .map(|id| {
            let grades = by_tool.remove(id).unwrap_or_default();
            let all: Vec<String> = grades.values().flatten().cloned().collect();
            ToolShare {
                tool: Marks::builtin().tool_name(id).to_owned(),
                lines: Measured::Known(counted(
                    lines.get(id).copied().unwrap_or(0),
                    all.iter().cloned(),
                )),
                changes: counted(all.len() as u64, all.iter().cloned()),
                how: grades
                    .into_iter()
                    .map(|(grade, references)| Counted {
                        code: grade.words().replace([' ', '-'], "_"),
                        text: grade.words().to_owned(),
                        figure: counted(references.len() as u64, references),
                    })
                    .collect(),
            }
        })
        .collect();
    out.sort_by(|a, b| (b.changes.count, &a.tool).cmp(&(a.changes.count, &b.tool)));
    out
}

/// Time and first line of each commit, by full id; those that cannot be read are left away.
pub fn subjects(root: &Path, commits: &[ObjectId]) -> BTreeMap<String, (i64, String)> {
    let git = Git::at(root);
    let mut out = BTreeMap::new();
    for batch in commits.chunks(BATCH) {
        let mut args = vec![
            "log".to_owned(),
            "--no-walk=unsorted".to_owned(),
            "--format=%H%x09%ct%x09%s".to_owned(),
        ];
        args.extend(batch.iter().map(ObjectId::hex));
        let Ok(text) = git.text(&args) else { continue };
        for line in text.lines() {
            let mut cells = line.splitn(3, '\t');
            if let (Some(id), Some(time), Some(subject)) =
                (cells.next(), cells.next(), cells.next())
                && let Ok(seconds) = time.parse::<i64>()
            {
                let mut subject = subject.to_owned();
                let end = (0..=MAX_SUBJECT.min(subject.len()))
                    .rev()
                    .find(|at| subject.is_char_boundary(*at))
                    .unwrap_or(0);
                subject.truncate(end);
                out.insert(id.to_owned(), (seconds.saturating_mul(1000), subject));
            }
        }
    }
    out
}

/// Every commit that a figure or finding names, newest first.
pub fn commits(
    root: &Path,
    history: &History,
    introduced: &BTreeMap<String, Measured<Introduced>>,
) -> Vec<CommitView> {
    let mut known: BTreeMap<String, Attribution> = history
        .changes
        .iter()
        .map(|c| (c.id.hex(), attribution(&c.origin)))
        .collect();
    for one in introduced.values().filter_map(Measured::known) {
        known
            .entry(one.commit.clone())
            .or_insert_with(|| one.attribution.clone());
    }
    let ids: Vec<ObjectId> = known.keys().filter_map(|id| ObjectId::parse(id)).collect();
    let mut out: Vec<CommitView> = subjects(root, &ids)
        .into_iter()
        .filter_map(|(id, (when_ms, subject))| {
            Some(CommitView {
                attribution: known.get(&id)?.clone(),
                id,
                when_ms,
                subject,
            })
        })
        .collect();
    out.sort_by(|a, b| (b.when_ms, &a.id).cmp(&(a.when_ms, &b.id)));
    out
}
