//! Notes that say which lines a tool wrote: the git-ai standard (`authorship/3.0.0`, refs/notes/ai) and
//! Agent Trace (0.1.0, refs/notes/agent-trace and `.agent-trace/traces.jsonl`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::marks::{Marks, short};
use crate::origin::{Grade, Mark, Origin};
use crate::patch::unquote;

/// Largest note that is read. One of a commit of 10,000 files with five ranges each has half of it.
pub const MAX_NOTE: usize = 4 << 20;

/// Ranges of one note that are kept.
const MAX_RANGES: usize = 200_000;

/// What notes say about the lines of one commit, by the paths that they had in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LineNote {
    files: BTreeMap<String, Vec<Claim>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Claim {
    first: u32,
    last: u32,
    origin: Origin,
}

impl LineNote {
    /// Says nothing about any line.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What it says about one line, counted from 1. Lines that it does not name were not tracked.
    pub fn line(&self, path: &str, line: u32) -> Origin {
        let claims = self.files.get(path).map_or(&[][..], Vec::as_slice);
        let mut found = Origin::Unknown;
        for claim in claims {
            if (claim.first..=claim.last).contains(&line) {
                if claim.origin.is_detected() {
                    return claim.origin.clone();
                }
                found = claim.origin.clone();
            }
        }
        found
    }

    /// The first mark of a tool in it.
    pub fn mark(&self) -> Option<&Mark> {
        self.claims().find_map(|claim| match &claim.origin {
            Origin::Detected(mark) => Some(mark),
            _ => None,
        })
    }

    /// It names lines, and all of them as a person's.
    pub fn only_person(&self) -> bool {
        !self.is_empty() && self.claims().all(|claim| claim.origin == Origin::Person)
    }

    fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.files.values().flatten()
    }

    fn push(&mut self, path: &str, first: u32, last: u32, origin: &Origin) {
        if first == 0 || last < first {
            return;
        }
        self.files.entry(path.to_owned()).or_default().push(Claim {
            first,
            last,
            origin: origin.clone(),
        });
    }

    /// Adds what another note on the same commit says.
    pub fn merge(&mut self, other: Self) {
        for (path, claims) in other.files {
            self.files.entry(path).or_default().extend(claims);
        }
    }
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    prompts: BTreeMap<String, Session>,
    #[serde(default)]
    sessions: BTreeMap<String, Session>,
}

#[derive(Deserialize, Default)]
struct Session {
    #[serde(default)]
    agent_id: AgentId,
}

#[derive(Deserialize, Default)]
struct AgentId {
    #[serde(default)]
    tool: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
}

/// Reads a note of the git-ai standard; `None` when it is none.
pub fn git_ai(bytes: &[u8], marks: &Marks) -> Option<LineNote> {
    if bytes.len() > MAX_NOTE {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, json) = match text.strip_prefix("---\n") {
        Some(json) => ("", json),
        None => text.split_once("\n---\n")?,
    };
    let metadata: Metadata = serde_json::from_str(json).ok()?;
    let mut note = LineNote::default();
    let mut path = None;
    let mut ranges = 0;
    for line in head.lines() {
        let Some(entry) = line.strip_prefix("  ") else {
            path = (!line.is_empty()).then(|| {
                let name = unquote(line.as_bytes());
                String::from_utf8_lossy(&name).into_owned()
            });
            continue;
        };
        let (Some(path), Some((key, list))) = (&path, entry.split_once(' ')) else {
            continue;
        };
        let origin = keyed(key, &metadata, marks);
        for range in list.split(',') {
            ranges += 1;
            if ranges > MAX_RANGES {
                return Some(note);
            }
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            if let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse()) {
                note.push(path, first, last, &origin);
            }
        }
    }
    Some(note)
}

/// `s_<14 hex>::t_<14 hex>` is a session, `h_<14 hex>` a known person, bare hexadecimal digits a prompt.
fn keyed(key: &str, metadata: &Metadata, marks: &Marks) -> Origin {
    if key.starts_with("h_") {
        return Origin::Person;
    }
    let session = key.split("::").next().unwrap_or(key);
    let known = metadata
        .sessions
        .get(session)
        .or_else(|| metadata.prompts.get(session));
    let bare = (7..=16).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_hexdigit());
    if known.is_none() && !key.starts_with("s_") && !bare {
        return Origin::Unknown;
    }
    let (tool, model, id) = known.map_or(("", "", ""), |s| {
        (
            s.agent_id.tool.as_str(),
            s.agent_id.model.as_str(),
            s.agent_id.id.as_str(),
        )
    });
    Origin::Detected(Mark {
        grade: Grade::LineNote,
        tool: marks.noted(tool),
        how: "line note of the git-ai standard".to_owned(),
        model: named(model),
        session: named(id),
    })
}

fn named(text: &str) -> Option<String> {
    let text = short(text);
    (!text.is_empty() && text != "unknown").then_some(text)
}

#[derive(Deserialize)]
struct Trace {
    #[serde(default)]
    vcs: Option<Vcs>,
    #[serde(default)]
    tool: Option<TraceTool>,
    #[serde(default)]
    files: Vec<TraceFile>,
}

#[derive(Deserialize)]
struct Vcs {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    revision: String,
}

#[derive(Deserialize)]
struct TraceTool {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct TraceFile {
    path: String,
    #[serde(default)]
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Conversation {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    contributor: Option<Contributor>,
    #[serde(default)]
    ranges: Vec<TraceRange>,
}

#[derive(Deserialize)]
struct TraceRange {
    start_line: u32,
    end_line: u32,
    #[serde(default)]
    contributor: Option<Contributor>,
}

#[derive(Deserialize)]
struct Contributor {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    model_id: Option<String>,
}

/// Reads Agent Trace records, one a line or one over several lines. Each comes with the revision that it
/// names, if it names one of git's.
pub fn agent_trace(bytes: &[u8], marks: &Marks) -> Vec<(Option<String>, LineNote)> {
    if bytes.len() > MAX_NOTE {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut ranges = 0;
    let records = serde_json::Deserializer::from_slice(bytes).into_iter::<Trace>();
    // A record that is not one ends the reading: what follows has no certain start.
    for trace in records.map_while(Result::ok) {
        let mut note = LineNote::default();
        let tool = trace.tool.map(|tool| tool.name).unwrap_or_default();
        for file in &trace.files {
            for talk in &file.conversations {
                for range in &talk.ranges {
                    ranges += 1;
                    if ranges > MAX_RANGES {
                        return found;
                    }
                    let Some(by) = range.contributor.as_ref().or(talk.contributor.as_ref()) else {
                        continue;
                    };
                    let origin = match by.kind.as_str() {
                        // What a tool and a person wrote together is what a tool took part in.
                        "ai" | "mixed" => Origin::Detected(Mark {
                            grade: Grade::LineNote,
                            tool: marks.noted(&tool),
                            how: "line note of Agent Trace".to_owned(),
                            model: by.model_id.as_deref().and_then(named),
                            session: talk.url.as_deref().and_then(named),
                        }),
                        "human" => Origin::Person,
                        _ => continue,
                    };
                    note.push(&file.path, range.start_line, range.end_line, &origin);
                }
            }
        }
        let revision = trace
            .vcs
            .filter(|vcs| vcs.kind == "git")
            .map(|vcs| vcs.revision);
        found.push((revision, note));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "src/a.py\n  s_00000000000001::t_00000000000002 1-3,7\n  h_00000000000003 4\n\
        \"odd name.py\"\n  0123456789abcdef 2\n---\n{\"schema_version\":\"authorship/3.0.0\",\"prompts\":{\
        \"0123456789abcdef\":{\"agent_id\":{\"tool\":\"newtool\",\"id\":\"x\",\"model\":\"unknown\"}}},\
        \"sessions\":{\"s_00000000000001\":{\"agent_id\":{\"tool\":\"claude\",\"id\":\"y\",\"model\":\"m-1\"},\
        \"human_author\":\"A B <a@b>\"}}}";

    fn tool(origin: &Origin) -> Option<(&str, Option<&str>)> {
        match origin {
            Origin::Detected(mark) => Some((&mark.tool, mark.model.as_deref())),
            _ => None,
        }
    }

    #[test]
    fn a_note_names_lines_and_leaves_the_others_open() {
        let note = git_ai(NOTE.as_bytes(), Marks::builtin()).unwrap();
        assert_eq!(
            tool(&note.line("src/a.py", 3)),
            Some(("claude-code", Some("m-1")))
        );
        assert_eq!(note.line("src/a.py", 4), Origin::Person);
        assert_eq!(note.line("src/a.py", 5), Origin::Unknown);
        assert_eq!(note.line("src/b.py", 1), Origin::Unknown);
        assert_eq!(tool(&note.line("odd name.py", 2)), Some(("newtool", None)));
        assert!(!format!("{note:?}").contains("A B"), "a person's name");
    }

    #[test]
    fn what_is_no_note_says_nothing() {
        let marks = Marks::builtin();
        for text in ["", "reviewed by someone", "a.py\n  s_1 1\n---\nnot json"] {
            assert_eq!(git_ai(text.as_bytes(), marks), None, "{text}");
        }
        let ranges = git_ai(b"a.py\n  s_1 0-5,9-3,x,4294967296,7\n---\n{}", marks).unwrap();
        assert_eq!(ranges.files["a.py"].len(), 1);
        assert!(agent_trace(b"[1,2", marks).is_empty());
    }

    #[test]
    fn traces_name_their_revision() {
        let text = r#"{"version":"0.1.0","vcs":{"type":"git","revision":"ab12"},"tool":{"name":"cursor"},
            "files":[{"path":"a.py","conversations":[{"contributor":{"type":"ai","model_id":"x/y"},
            "ranges":[{"start_line":1,"end_line":2},{"start_line":5,"end_line":5,"contributor":{"type":"human"}},
            {"start_line":6,"end_line":6,"contributor":{"type":"unknown"}}]}]}]}
            {"version":"0.1.0","files":[]}"#;
        let traces = agent_trace(text.as_bytes(), Marks::builtin());
        assert_eq!(traces.len(), 2);
        let (revision, note) = &traces[0];
        assert_eq!(revision.as_deref(), Some("ab12"));
        assert_eq!(tool(&note.line("a.py", 2)), Some(("cursor", Some("x/y"))));
        assert_eq!(note.line("a.py", 5), Origin::Person);
        assert_eq!(note.line("a.py", 6), Origin::Unknown);
    }
}
