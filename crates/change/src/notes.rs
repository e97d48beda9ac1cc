//! Line notes of a repository, found by commit.

use std::collections::HashMap;

use crate::error::Gap;
use crate::git::{Git, GitError};
use crate::id::ObjectId;
use crate::marks::Marks;
use crate::note::{LineNote, MAX_NOTE, agent_trace, git_ai};
use crate::objects::{Kind, Object, Objects};

/// Where tools keep line notes; those below `ai-remote/` were fetched and not merged yet.
const REFS: [&str; 3] = [
    "refs/notes/ai",
    "refs/notes/ai-remote/",
    "refs/notes/agent-trace",
];

/// Agent Trace records that are kept as a file.
const TRACES: &str = ".agent-trace/traces.jsonl";

/// Notes trees that are read.
const MAX_REFS: usize = 16;

/// Notes that are listed.
const MAX_NOTES: usize = 2_000_000;

/// Which notes are on which commit.
#[derive(Default)]
pub(crate) struct Notes {
    blobs: HashMap<ObjectId, Vec<(Sort, ObjectId)>>,
    traces: HashMap<String, LineNote>,
    pub(crate) gaps: Vec<Gap>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    GitAi,
    AgentTrace,
}

impl Notes {
    /// Lists the notes; none of them is read yet. `head` is where records kept as a file are looked for.
    pub(crate) fn list(
        git: &Git,
        head: &ObjectId,
        objects: &mut Objects,
    ) -> Result<Self, GitError> {
        let mut notes = Self::default();
        let mut args = vec!["for-each-ref", "--format=%(refname)"];
        args.extend(REFS);
        for name in git.text(args)?.lines().take(MAX_REFS) {
            let sort = if name.starts_with("refs/notes/agent-trace") {
                Sort::AgentTrace
            } else {
                Sort::GitAi
            };
            let listed = match git.output(["ls-tree", "-r", "-z", "--full-tree", name]) {
                Ok(listed) => listed,
                Err(error) => {
                    let what = format!("line notes in `{name}`");
                    notes.gaps.push(Gap::new(what, error.to_string()));
                    continue;
                }
            };
            for entry in listed.split(|b| *b == 0).take(MAX_NOTES) {
                if let Some((commit, blob)) = noted(entry) {
                    let list = notes.blobs.entry(commit).or_default();
                    if !list.contains(&(sort, blob)) && list.len() < MAX_REFS {
                        list.push((sort, blob));
                    }
                }
            }
        }
        notes.read_traces(git, head, objects)?;
        Ok(notes)
    }

    fn read_traces(
        &mut self,
        git: &Git,
        head: &ObjectId,
        objects: &mut Objects,
    ) -> Result<(), GitError> {
        let name = format!("{head}:{TRACES}");
        let blob = git.text([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &name,
        ]);
        let Some(blob) = blob.ok().and_then(|out| ObjectId::parse(out.trim())) else {
            return Ok(());
        };
        match objects.read(&blob, MAX_NOTE as u64)? {
            Object::Found {
                kind: Kind::Blob,
                bytes,
            } => {
                for (revision, note) in agent_trace(&bytes, Marks::builtin()) {
                    if let Some(revision) = revision {
                        self.traces
                            .entry(revision.to_ascii_lowercase())
                            .or_default()
                            .merge(note);
                    }
                }
            }
            Object::TooLarge(size) => self.gaps.push(Gap::new(
                format!("line notes in `{TRACES}`"),
                format!(
                    "it has {} MiB, more than the cap of {} MiB",
                    size >> 20,
                    MAX_NOTE >> 20
                ),
            )),
            Object::Missing | Object::Found { .. } => {}
        }
        Ok(())
    }

    /// How many commits have one.
    pub(crate) fn len(&self) -> usize {
        self.blobs.len() + self.traces.len()
    }

    /// What the notes on this commit say; `None` without a note that can be read.
    pub(crate) fn on(
        &mut self,
        commit: &ObjectId,
        objects: &mut Objects,
    ) -> Result<Option<LineNote>, GitError> {
        let marks = Marks::builtin();
        let mut all = LineNote::default();
        if let Some(note) = self.traces.get(&commit.hex()) {
            all.merge(note.clone());
        }
        for (sort, blob) in self.blobs.get(commit).map_or(&[][..], Vec::as_slice) {
            match objects.read(blob, MAX_NOTE as u64)? {
                Object::Found {
                    kind: Kind::Blob,
                    bytes,
                } => match sort {
                    Sort::GitAi => all.merge(git_ai(&bytes, marks).unwrap_or_default()),
                    Sort::AgentTrace => {
                        for (_, note) in agent_trace(&bytes, marks) {
                            all.merge(note);
                        }
                    }
                },
                Object::TooLarge(size) => self.gaps.push(Gap::new(
                    format!("the line note on commit {commit}"),
                    format!(
                        "it has {} MiB, more than the cap of {} MiB",
                        size >> 20,
                        MAX_NOTE >> 20
                    ),
                )),
                Object::Missing | Object::Found { .. } => {}
            }
        }
        Ok((!all.is_empty()).then_some(all))
    }
}

/// `100644 blob <blob>\tab/cd/ef...`: the path without slashes is the commit's name.
fn noted(entry: &[u8]) -> Option<(ObjectId, ObjectId)> {
    let text = std::str::from_utf8(entry).ok()?;
    let (head, path) = text.split_once('\t')?;
    let blob = ObjectId::parse(head.split(' ').nth(2)?)?;
    let commit = ObjectId::parse(&path.replace('/', ""))?;
    Some((commit, blob))
}
