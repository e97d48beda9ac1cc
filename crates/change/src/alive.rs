//! The lines of HEAD: who or what wrote them, and which of them tell a scanner to look away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use solvent_base::System as _;
use solvent_base::system::is_own_page;

use crate::blame::{self, BlameLimits, Job};
use crate::code;
use crate::error::Gap;
use crate::history::{Meta, Reading};
use crate::marks::Marks;
use crate::origin::{Origin, Tally};
use crate::replay::{OLDER, Owner, Replay};
use crate::suppression::{Counts, Suppressions};
use crate::tree::Trees;

/// Content that is kept while it is read once.
const KEPT: usize = 1 << 20;

/// Bytes at the start of a file in which a zero byte means that it is not text, as git looks.
const BINARY_WINDOW: usize = 8_000;

/// What HEAD's code is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Alive {
    /// Files of code.
    pub files: u64,
    /// Their lines by origin.
    pub lines: Tally,
    /// Comments that silence scanners.
    pub suppressions: Counts,
    /// Files that do.
    pub ignore_files: Vec<IgnoreFile>,
}

/// A file that tells a scanner what to leave out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IgnoreFile {
    /// The row of `signals/suppressions.toml`.
    pub tool: Arc<str>,
    pub path: String,
    /// Lines that are neither empty nor a comment.
    pub lines: u64,
}

/// What one landing wrote, when that does not depend on the line.
enum Landing<'a> {
    One(&'a Origin),
    /// Depends on the line, by its note.
    Noted(&'a Meta),
    /// A merge of commits that differ: blame has to tell.
    Several,
    /// An end of a shallow clone.
    End,
}

pub(crate) fn measure(
    reading: &Reading<'_>,
    replay: Option<Replay>,
    from: u32,
    gaps: &mut Vec<Gap>,
) -> Alive {
    let mut alive = Alive::default();
    if Instant::now() >= reading.until {
        gaps.push(Gap::new(
            "the lines of HEAD",
            "they were not reached in time",
        ));
        return alive;
    }
    let suppressions = Suppressions::builtin();
    let opened = Trees::open(reading.git.root(), KEPT);
    let tree = match &opened {
        Ok(trees) => trees.at(&reading.head, reading.now),
        Err(error) => Err(error.clone()),
    };
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => {
            gaps.push(Gap::new("the lines of HEAD", error.to_string()));
            return alive;
        }
    };
    let landings = landings(reading);
    let mut replay = replay;
    let mut pending: Vec<(Vec<u8>, Vec<u32>)> = Vec::new();
    let (mut unread, mut uncounted) = (0_u64, 0_u64);
    let mut late = 0_u64;
    for file in tree.walk().files {
        let path = &file.path;
        if let Some(tool) = suppressions.file(path.file_name())
            && let Ok(bytes) = tree.read(path, code::MAX_BYTES)
        {
            alive.ignore_files.push(IgnoreFile {
                tool,
                path: path.to_string(),
                lines: rules(&bytes),
            });
        }
        if !code::is_code(path.as_str()) {
            continue;
        }
        if Instant::now() >= reading.until {
            late += 1;
            continue;
        }
        let Ok(bytes) = tree.read(path, code::MAX_BYTES) else {
            unread += 1;
            continue;
        };
        if bytes[..bytes.len().min(BINARY_WINDOW)].contains(&0) || is_own_page(&bytes) {
            continue;
        }
        alive.files += 1;
        suppressions.text(&bytes, &mut alive.suppressions);
        let ends = bytes.iter().filter(|b| **b == b'\n').count();
        let lines = ends + usize::from(bytes.last().is_some_and(|b| *b != b'\n'));
        let owners = replay
            .as_mut()
            .and_then(|replay| replay.owners(path.as_str().as_bytes(), lines));
        let Some(owners) = owners else {
            alive.lines.unmeasured += lines as u64;
            uncounted += u64::from(replay.is_some());
            continue;
        };
        let mut several = Vec::new();
        for (number, owner) in (1..).zip(&owners) {
            count(
                reading,
                &landings,
                replay.as_ref(),
                owner,
                &mut alive.lines,
                || {
                    several.push(number);
                },
            );
        }
        if !several.is_empty() {
            pending.push((path.as_str().as_bytes().to_vec(), several));
        }
    }
    for (count, what) in [
        (unread, "could not be read or have more than 4 MiB"),
        (uncounted, "have patches that could not be read"),
        (late, "were not reached in time"),
    ] {
        if count > 0 {
            gaps.push(Gap::new(
                "who wrote part of the lines of HEAD",
                format!("{count} files of code {what}"),
            ));
        }
    }
    if !pending.is_empty() {
        ask(reading, pending, from, &mut alive.lines, gaps);
    }
    alive.ignore_files.sort();
    alive
}

/// Lines of an ignore file that say something.
fn rules(bytes: &[u8]) -> u64 {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .count() as u64
}

/// By position on the default branch.
fn landings<'a>(reading: &'a Reading<'_>) -> HashMap<u32, Landing<'a>> {
    let mut brought: HashMap<u32, Vec<&Meta>> = HashMap::new();
    let shape = &reading.shape;
    for (node, meta) in &reading.metas {
        let at = &shape.nodes[*node as usize];
        if at.parents.len() < 2 {
            brought.entry(at.landed).or_default().push(meta);
        }
    }
    let mut landings = HashMap::new();
    for (position, node) in (0..).zip(&shape.line) {
        let Some(meta) = reading.metas.get(node) else {
            continue;
        };
        let at = &shape.nodes[*node as usize];
        let landing = if reading.ends.contains(&at.id) {
            Landing::End
        } else if at.parents.len() < 2 {
            match &meta.note {
                Some(_) => Landing::Noted(meta),
                None => Landing::One(&meta.origin),
            }
        } else {
            match brought.get(&position).map_or(&[][..], Vec::as_slice) {
                [] => Landing::One(&Origin::Unknown),
                [first, rest @ ..] => {
                    let alike = first.note.is_none()
                        && rest
                            .iter()
                            .all(|m| m.note.is_none() && alike(&m.origin, &first.origin));
                    if alike {
                        Landing::One(&first.origin)
                    } else {
                        Landing::Several
                    }
                }
            }
        };
        landings.insert(position, landing);
    }
    landings
}

/// Whether a tally counts them together.
fn alike(a: &Origin, b: &Origin) -> bool {
    match (a, b) {
        (Origin::Detected(a), Origin::Detected(b)) => a.tool == b.tool && a.grade == b.grade,
        (a, b) => a == b,
    }
}

fn count(
    reading: &Reading<'_>,
    landings: &HashMap<u32, Landing<'_>>,
    replay: Option<&Replay>,
    owner: &Owner,
    lines: &mut Tally,
    mut several: impl FnMut(),
) {
    if owner.patch == OLDER {
        if reading.ends.is_empty() {
            lines.older += 1;
        } else {
            // Before the end of a shallow clone: of any age.
            lines.unmeasured += 1;
        }
        return;
    }
    match landings.get(&owner.patch) {
        Some(Landing::One(origin)) => lines.add(origin, 1),
        Some(Landing::Noted(meta)) => {
            let path = replay
                .and_then(|r| r.paths.get(owner.path as usize))
                .map_or(&[][..], Vec::as_slice);
            let path = format!("{}{}", reading.prefix, String::from_utf8_lossy(path));
            let origin = meta
                .note
                .as_ref()
                .map_or(Origin::Unknown, |note| note.line(&path, owner.line));
            lines.add(&origin, 1);
        }
        Some(Landing::Several) => several(),
        Some(Landing::End) | None => lines.unmeasured += 1,
    }
}

/// Lines that came with a merge of commits that differ, by blame as far as the time reaches.
fn ask(
    reading: &Reading<'_>,
    pending: Vec<(Vec<u8>, Vec<u32>)>,
    from: u32,
    lines: &mut Tally,
    gaps: &mut Vec<Gap>,
) {
    let shape = &reading.shape;
    let since = from
        .checked_sub(1)
        .and_then(|before| shape.line.get(before as usize))
        .map(|node| shape.nodes[*node as usize].id);
    let jobs: Vec<Job> = pending
        .iter()
        .map(|(path, lines)| Job {
            path: path.clone(),
            ranges: blame::ranges(lines),
        })
        .collect();
    let limits = BlameLimits {
        file: Duration::from_secs(20),
        all: reading.until.saturating_duration_since(Instant::now()),
    };
    let answers = blame::many(
        reading.git,
        &reading.head,
        since.as_ref(),
        &jobs,
        &[],
        &limits,
    );
    let (mut files, mut why) = (0_u64, None);
    for ((_, wanted), answer) in pending.iter().zip(answers) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                lines.unmeasured += wanted.len() as u64;
                files += 1;
                why = Some(error);
                continue;
            }
        };
        let known: HashMap<u32, _> = answer.iter().map(|line| (line.line, line)).collect();
        for number in wanted {
            let Some(line) = known.get(number) else {
                lines.unmeasured += 1;
                continue;
            };
            let node = shape.find(&line.commit);
            match node.and_then(|node| reading.metas.get(&node)) {
                Some(meta) => match &meta.note {
                    Some(note) => {
                        let path = String::from_utf8_lossy(&line.then_path);
                        lines.add(&note.line(&path, line.then_line), 1);
                    }
                    None => lines.add(&meta.origin, 1),
                },
                None if node.is_some_and(|n| shape.time(n) < Marks::builtin().earliest) => {
                    lines.older += 1;
                }
                None => lines.unmeasured += 1,
            }
        }
    }
    if let Some(error) = why {
        gaps.push(Gap::new(
            "who wrote part of the lines of HEAD",
            format!("{files} files have lines from merges of several authors: {error}"),
        ));
    }
}
