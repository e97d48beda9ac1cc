//! A repository's history: what changed in the last months, and who or what wrote it.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use solvent_base::Timestamp;

use crate::alive::{self, Alive};
use crate::commit::{self, Person, RawCommit};
use crate::error::{ChangeError, Gap};
use crate::git::{Budget, Ended, Git, GitError, Input, stream};
use crate::id::ObjectId;
use crate::line::{Clocks, Shape};
use crate::lines::Lines;
use crate::marks::Marks;
use crate::month::Month;
use crate::note::LineNote;
use crate::notes::Notes;
use crate::objects::{Kind, Object, Objects};
use crate::origin::{Mark, Origin};
use crate::patches::{self, Comparison, Shown};
use crate::replay::{Base, Replay};
use crate::review::{Merger, Reviews, Route, same};
use crate::suppression::Counts;

/// Bytes of one commit object that are read: signatures and messages of any use are far below.
const MAX_COMMIT: u64 = 16 << 20;

/// Bytes of the list of a shallow clone's ends.
const MAX_SHALLOW: u64 = 64 << 20;

/// Part of the time that commits and their patches may take.
const PATCHES_SHARE: f64 = 0.7;

/// What a reading may take, and when it is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The present: months are counted back from it, and later commits have a wrong clock.
    pub now: Timestamp,
    /// Full months before the current one.
    pub months: u32,
    /// Changes that are looked at, the latest first.
    pub changes: usize,
    /// For everything together.
    pub time: Duration,
}

impl Limits {
    /// Twelve months, 200,000 changes, a hundred seconds.
    pub fn standard(now: Timestamp) -> Self {
        Self {
            now,
            months: 12,
            changes: 200_000,
            time: Duration::from_secs(100),
        }
    }
}

/// What a history says. Persons are in it as classes only.
#[derive(Debug)]
pub struct History {
    /// Nothing in an empty repository.
    pub head: Option<ObjectId>,
    /// All commits that HEAD reaches in this clone.
    pub commits: u64,
    /// The months looked at, the current one last.
    pub months: Vec<Month>,
    /// What the default branch (the first parents of HEAD) went through, oldest first.
    pub line: Vec<Step>,
    /// Commits that landed on it in these months, in the order of landing.
    pub changes: Vec<Change>,
    /// Lines of HEAD.
    pub alive: Alive,
    pub clocks: Clocks,
    /// Commits with line notes.
    pub noted: u64,
    /// The oldest commits of the clone have parents that it lacks.
    pub shallow: bool,
    pub gaps: Vec<Gap>,
}

/// One commit of the default branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub id: ObjectId,
    /// Made to never decrease along the line.
    pub time: Timestamp,
    /// An end of a shallow clone: what came before is not here.
    pub end: bool,
}

/// One commit that landed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub id: ObjectId,
    /// When it came onto the default branch.
    pub landed: Timestamp,
    pub month: Month,
    /// Brings other commits in, and is no change by itself.
    pub merge: bool,
    /// How it came there, for commits of the default branch itself.
    pub route: Option<Route>,
    pub origin: Origin,
    /// Every mark, strongest first.
    pub marks: Vec<Mark>,
    /// `None` for a merge, for an end of a shallow clone, and when objects are missing.
    pub size: Option<Size>,
}

/// What a change did to code.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Size {
    pub files: u64,
    pub added: u64,
    pub deleted: u64,
    /// Added lines by origin, which line notes tell apart inside one change.
    pub origins: crate::origin::Tally,
    /// Suppressions in added lines.
    pub suppressions: Counts,
}

/// What is known of one commit inside this crate.
pub(crate) struct Meta {
    pub(crate) author: Person,
    pub(crate) merger: Person,
    pub(crate) origin: Origin,
    pub(crate) marks: Vec<Mark>,
    pub(crate) note: Option<LineNote>,
    sign: Option<std::sync::Arc<str>>,
    /// Id of the change of Solvent's that its message names.
    recorded: Option<std::sync::Arc<str>>,
    forge: bool,
    bot: bool,
}

/// Everything that was read, for the parts that count it.
pub(crate) struct Reading<'a> {
    pub(crate) git: &'a Git,
    pub(crate) head: ObjectId,
    /// Path of the root in its repository, with a slash at the end, or empty.
    pub(crate) prefix: String,
    pub(crate) shape: Shape,
    /// By position in the shape.
    pub(crate) metas: HashMap<u32, Meta>,
    pub(crate) ends: Vec<ObjectId>,
    pub(crate) now: Timestamp,
    /// Commits and patches are read until here, so that time is left for the files of HEAD.
    pub(crate) patches_until: Instant,
    pub(crate) until: Instant,
}

/// Reads the history of the repository at `root`, which may be a folder inside it.
///
/// # Errors
///
/// When git is not there or HEAD's commits cannot be listed. An empty repository is an empty history.
pub fn history(root: &Path, limits: &Limits) -> Result<History, ChangeError> {
    let git = Git::at(root);
    let started = Instant::now();
    let until = started + limits.time;
    let last = Month::of(limits.now);
    let back = i32::try_from(limits.months).unwrap_or(1_200).min(1_200);
    let months: Vec<Month> = (0..=back).map(|n| last.plus(n - back)).collect();
    let mut history = History {
        head: None,
        commits: 0,
        line: Vec::new(),
        changes: Vec::new(),
        alive: Alive::default(),
        clocks: Clocks::default(),
        noted: 0,
        shallow: false,
        gaps: Vec::new(),
        months,
    };
    let Some(head) = head(&git)? else {
        history
            .gaps
            .push(Gap::new("the history", "the repository has no commit"));
        return Ok(history);
    };
    history.head = Some(head);
    let prefix = git.text(["rev-parse", "--show-prefix"])?;
    let ends = ends(&git, &mut history.gaps);
    history.shallow = !ends.is_empty();
    doubtful(&git, &mut history.gaps);
    let shape = shape(&git, &head, limits.now, until, &mut history.gaps)?;
    history.commits = shape.nodes.iter().filter(|n| n.seen).count() as u64;
    history.clocks = shape.clocks;
    history.line = steps(&shape, &ends);
    let mut reading = Reading {
        git: &git,
        head,
        prefix: prefix.trim_end_matches('\n').to_owned(),
        shape,
        metas: HashMap::new(),
        ends,
        now: limits.now,
        patches_until: started + limits.time.mul_f64(PATCHES_SHARE),
        until,
    };
    reading.fill(&mut history, limits)?;
    history.gaps.sort();
    history.gaps.dedup();
    Ok(history)
}

/// The default branch alone, without looking into any commit.
pub(crate) fn line(root: &Path, limits: &Limits) -> Result<Vec<Step>, ChangeError> {
    let git = Git::at(root);
    let Some(head) = head(&git)? else {
        return Ok(Vec::new());
    };
    let mut gaps = Vec::new();
    let ends = ends(&git, &mut gaps);
    let until = Instant::now() + limits.time;
    let shape = shape(&git, &head, limits.now, until, &mut gaps)?;
    Ok(steps(&shape, &ends))
}

/// The default branch as `git rev-list --parents --timestamp HEAD` lists its commits. Any bytes are read;
/// lines that are not of that form are passed over.
pub fn read_steps(listed: &[u8], head: &ObjectId, now: Timestamp) -> Vec<Step> {
    let mut shape = Shape::default();
    for line in listed.split(|b| *b == b'\n') {
        shape.push(line);
    }
    shape.settle(head, now);
    steps(&shape, &[])
}

fn steps(shape: &Shape, ends: &[ObjectId]) -> Vec<Step> {
    shape
        .line
        .iter()
        .zip(&shape.times)
        .map(|(node, time)| {
            let id = shape.nodes[*node as usize].id;
            Step {
                id,
                time: Timestamp(time.saturating_mul(1000)),
                end: ends.contains(&id),
            }
        })
        .collect()
}

/// The commit that HEAD names; `None` in an empty repository.
pub(crate) fn head(git: &Git) -> Result<Option<ObjectId>, ChangeError> {
    match git.text(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]) {
        Ok(out) => Ok(ObjectId::parse(out.trim())),
        // With `--quiet` a name without a commit is no words.
        Err(GitError::Failed(words)) if words.is_empty() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The commits at which a shallow clone ends.
fn ends(git: &Git, gaps: &mut Vec<Gap>) -> Vec<ObjectId> {
    let shallow = git.text(["rev-parse", "--is-shallow-repository"]);
    if !shallow.is_ok_and(|out| out.trim() == "true") {
        return Vec::new();
    }
    gaps.push(Gap::new(
        "changes before the clone's oldest commits",
        "the clone is shallow; run `git fetch --unshallow`",
    ));
    let Ok(path) = git.text(["rev-parse", "--git-path", "shallow"]) else {
        return Vec::new();
    };
    let path = git.root().join(path.trim_end_matches('\n'));
    let readable = std::fs::symlink_metadata(&path)
        .is_ok_and(|file| file.is_file() && file.len() <= MAX_SHALLOW);
    let text = if readable {
        std::fs::read(&path).unwrap_or_default()
    } else {
        Vec::new()
    };
    text.split(|b| *b == b'\n')
        .filter_map(ObjectId::parse_bytes)
        .collect()
}

/// What a repository has that could tell another history than its commits.
fn doubtful(git: &Git, gaps: &mut Vec<Gap>) {
    if crate::tree::partial(git) {
        gaps.push(Gap::new(
            "changes whose files are not in this clone",
            "the clone is partial and nothing is fetched; clone without a filter to measure them",
        ));
    }
    let replaced = git.text(["for-each-ref", "--count=1", "refs/replace/"]);
    if replaced.is_ok_and(|out| !out.trim().is_empty()) {
        gaps.push(Gap::new(
            "replaced objects (`refs/replace`)",
            "they are not followed: the commits themselves are read",
        ));
    }
    // Asked for by its own name git answers with the empty file that every call is given instead.
    let grafts = git.text(["rev-parse", "--git-common-dir"]);
    let grafts = grafts.map(|path| {
        git.root()
            .join(path.trim_end_matches('\n'))
            .join("info/grafts")
    });
    if grafts.is_ok_and(|path| path.symlink_metadata().is_ok()) {
        gaps.push(Gap::new(
            "grafted parents (`info/grafts`)",
            "they are not followed: the commits themselves are read",
        ));
    }
}

fn shape(
    git: &Git,
    head: &ObjectId,
    now: Timestamp,
    until: Instant,
    gaps: &mut Vec<Gap>,
) -> Result<Shape, ChangeError> {
    let mut shape = Shape::default();
    let mut lines = Lines::default();
    let command = git.command(["rev-list", "--parents", "--timestamp", &head.hex(), "--"]);
    let budget = Budget {
        bytes: u64::MAX,
        until,
    };
    let end = stream(command, Input::None, budget, &mut |bytes| {
        lines.push(bytes, &mut |line| shape.push(line));
        if shape.cut {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    })?;
    match end {
        Ended::Whole => {}
        Ended::Stopped => gaps.push(Gap::new(
            "older commits",
            format!("there are more than {}", crate::line::MAX_COMMITS),
        )),
        // A broken repository still has what was listed before.
        Ended::Broken(error) if shape.nodes.iter().any(|n| n.seen) => {
            gaps.push(Gap::new("part of the commits", error.to_string()));
        }
        Ended::Broken(error) => return Err(error.into()),
    }
    shape.settle(head, now);
    Ok(shape)
}

impl Reading<'_> {
    fn fill(&mut self, history: &mut History, limits: &Limits) -> Result<(), ChangeError> {
        let first = history.months.first().map_or(limits.now, |m| m.start());
        let position = |time: Timestamp| {
            let seconds = time.0.div_euclid(1000);
            self.shape.times.partition_point(|t| *t < seconds) as u32
        };
        let window = position(first);
        let marked = position(Marks::builtin().earliest);
        // The latest landings, as many as the limit allows.
        let mut wanted: Vec<u32> = (0..self.shape.nodes.len() as u32)
            .filter(|n| {
                let node = &self.shape.nodes[*n as usize];
                node.seen && node.landed != u32::MAX && node.landed >= window.min(marked)
            })
            .collect();
        // In the order of landing, what a merge brings before the merge, older before newer.
        let on_line: HashMap<u32, u32> =
            (0..).zip(&self.shape.line).map(|(p, n)| (*n, p)).collect();
        wanted.sort_by_key(|n| {
            let node = &self.shape.nodes[*n as usize];
            (node.landed, on_line.contains_key(n), std::cmp::Reverse(*n))
        });
        let mut from = marked;
        if wanted.len() > limits.changes {
            wanted.drain(..wanted.len() - limits.changes);
            // Only whole landings: a merge without all of its commits would be judged by a part.
            let cut = wanted
                .first()
                .map_or(0, |n| self.shape.nodes[*n as usize].landed + 1);
            wanted.retain(|n| self.shape.nodes[*n as usize].landed >= cut);
            from = from.max(cut);
            history.gaps.push(Gap::new(
                "older changes",
                format!("only the latest {} are looked at", limits.changes),
            ));
        }
        self.read_commits(&wanted, history)?;
        let (comparisons, shown) = self.compare(&wanted, window, from);
        let mut patches: HashMap<ObjectId, Shown> = HashMap::new();
        for (comparison, shown) in comparisons.iter().zip(shown) {
            patches.insert(comparison.commit, shown);
        }
        let replay = self.replay(from, &patches, &mut history.gaps);
        for node in &wanted {
            if self.shape.nodes[*node as usize].landed >= window {
                let position = on_line.get(node).copied();
                history
                    .changes
                    .push(self.change(*node, position, &wanted, &patches));
            }
        }
        let failed = history
            .changes
            .iter()
            .filter(|c| !c.merge && c.size.is_none() && !self.ends.contains(&c.id))
            .count();
        if failed > 0 {
            let why = patches.values().find_map(|shown| match shown {
                Shown::Failed(words) => Some(words.clone()),
                Shown::NotReached(error) => Some(error.to_string()),
                Shown::Patch { .. } => None,
            });
            history.gaps.push(Gap::new(
                format!("the size of {failed} changes"),
                why.unwrap_or_else(|| "their patches were not read".to_owned()),
            ));
        }
        drop(patches);
        history.alive = alive::measure(self, replay, from, &mut history.gaps);
        Ok(())
    }

    fn read_commits(&mut self, wanted: &[u32], history: &mut History) -> Result<(), ChangeError> {
        let mut objects = Objects::open(self.git)?;
        let mut notes = Notes::list(self.git, &self.head, &mut objects)?;
        history.noted = notes.len() as u64;
        if history.noted == 0 {
            history.gaps.push(Gap::new(
                "line notes",
                "this clone has none; if your tools write them, run `git fetch origin refs/notes/ai:refs/notes/ai`",
            ));
        }
        let (mut missing, mut large, mut late) = (0_u64, 0_u64, 0_u64);
        for node in wanted {
            if Instant::now() >= self.patches_until {
                late += 1;
                continue;
            }
            let id = self.shape.nodes[*node as usize].id;
            match objects.read(&id, MAX_COMMIT)? {
                Object::Found {
                    kind: Kind::Commit,
                    bytes,
                } => {
                    let raw = commit::read(&bytes);
                    let note = notes.on(&id, &mut objects)?;
                    self.metas.insert(*node, meta(raw, note));
                }
                Object::TooLarge(_) => large += 1,
                Object::Missing | Object::Found { .. } => missing += 1,
            }
        }
        for (count, why) in [
            (missing, "they are not in this clone"),
            (large, "each has more than 16 MiB"),
            (late, "time ran out"),
        ] {
            if count > 0 {
                history
                    .gaps
                    .push(Gap::new(format!("who wrote {count} commits"), why));
            }
        }
        history.gaps.append(&mut notes.gaps);
        Ok(())
    }

    /// Patches of the default branch from position `from` on, which the replay needs, and of the other
    /// changes that landed from position `window` on.
    fn compare(&self, wanted: &[u32], window: u32, from: u32) -> (Vec<Comparison>, Vec<Shown>) {
        let parent = |node: &crate::line::Node| {
            node.parents
                .first()
                .map(|p| self.shape.nodes[*p as usize].id)
        };
        let start = window.min(from) as usize;
        let mut all: Vec<Comparison> = Vec::new();
        for node in self.shape.line.get(start..).unwrap_or_default() {
            let node = &self.shape.nodes[*node as usize];
            all.push(Comparison {
                commit: node.id,
                parent: parent(node),
            });
        }
        let on_line: std::collections::HashSet<u32> = self.shape.line.iter().copied().collect();
        for position in wanted {
            let node = &self.shape.nodes[*position as usize];
            if !on_line.contains(position) && node.parents.len() < 2 && node.landed >= window {
                all.push(Comparison {
                    commit: node.id,
                    parent: parent(node),
                });
            }
        }
        // An end of a shallow clone compares with nothing: all of its files would look new.
        all.retain(|c| !self.ends.contains(&c.commit));
        let shown = patches::compare(self.git, &all, self.patches_until);
        (all, shown)
    }

    fn replay(
        &self,
        from: u32,
        patches: &HashMap<ObjectId, Shown>,
        gaps: &mut Vec<Gap>,
    ) -> Option<Replay> {
        let base = if from == 0 && self.ends.is_empty() {
            Base::Nothing
        } else {
            Base::Something
        };
        let mut replay = Replay::over(base);
        for (position, node) in (0..).zip(&self.shape.line).skip(from as usize) {
            let node = &self.shape.nodes[*node as usize];
            match patches.get(&node.id) {
                Some(Shown::Patch { patch, .. }) => replay.apply(position, patch),
                Some(Shown::Failed(_)) => {
                    let parent = node
                        .parents
                        .first()
                        .map(|p| self.shape.nodes[*p as usize].id);
                    for path in touched(self.git, &node.id, parent.as_ref())? {
                        replay.lose(&path);
                    }
                }
                Some(Shown::NotReached(error)) => {
                    gaps.push(Gap::new("who wrote the lines of HEAD", error.to_string()));
                    return None;
                }
                // An end of a shallow clone: everything before is as unknown as what it brings.
                None => {}
            }
        }
        Some(replay)
    }

    fn change(
        &self,
        node: u32,
        position: Option<u32>,
        wanted: &[u32],
        patches: &HashMap<ObjectId, Shown>,
    ) -> Change {
        let at = &self.shape.nodes[node as usize];
        let landed = self.shape.time(node);
        let meta = self.metas.get(&node);
        let merge = at.parents.len() > 1;
        let size = match patches.get(&at.id) {
            Some(Shown::Patch {
                patch,
                suppressions,
            }) if !merge && !patch.cut => Some(self.size(meta, patch, suppressions)),
            _ => None,
        };
        let route = match (position, meta) {
            (Some(_), _) if self.ends.contains(&at.id) => None,
            (Some(position), Some(meta)) => Some(self.route(at, position, meta, wanted)),
            _ => None,
        };
        Change {
            id: at.id,
            landed,
            month: Month::of(landed),
            merge,
            route,
            origin: meta.map_or(Origin::Unknown, |m| m.origin.clone()),
            marks: meta.map_or_else(Vec::new, |m| m.marks.clone()),
            size,
        }
    }

    fn size(&self, meta: Option<&Meta>, patch: &crate::patch::Patch, found: &Counts) -> Size {
        let mut size = Size {
            files: patch.files.len() as u64,
            added: patch.added,
            deleted: patch.deleted,
            suppressions: found.clone(),
            ..Size::default()
        };
        match meta.map(|meta| (meta, &meta.note)) {
            Some((_, Some(note))) => {
                for file in &patch.files {
                    let path = file.new.as_deref().unwrap_or_default();
                    let path = format!("{}{}", self.prefix, String::from_utf8_lossy(path));
                    for hunk in &file.hunks {
                        for line in hunk.new_start..hunk.new_start.saturating_add(hunk.new_lines) {
                            size.origins.add(&note.line(&path, line), 1);
                        }
                    }
                }
            }
            Some((meta, None)) => size.origins.add(&meta.origin, patch.added),
            None => size.origins.unmeasured += patch.added,
        }
        size
    }

    fn route(&self, at: &crate::line::Node, position: u32, meta: &Meta, wanted: &[u32]) -> Route {
        if at.parents.is_empty() {
            return Route::Root;
        }
        if at.parents.len() > 1 {
            if let Some(change) = &meta.recorded {
                return Route::Merge(Merger::Recorded(change.clone()));
            }
            // `wanted` is in the order of landing.
            let start = wanted.partition_point(|n| self.shape.nodes[*n as usize].landed < position);
            let mut brought = wanted[start..]
                .iter()
                .take_while(|n| self.shape.nodes[**n as usize].landed == position)
                .filter(|n| {
                    let node = &self.shape.nodes[**n as usize];
                    node.id != at.id && node.parents.len() < 2
                })
                .peekable();
            if brought.peek().is_none() {
                return Route::Merge(Merger::Unknown);
            }
            let mut merger = Merger::OnlyAuthor;
            for node in brought {
                match self.metas.get(node) {
                    Some(brought) if same(&brought.author, &meta.merger) => {}
                    Some(_) => merger = Merger::Another,
                    None => return Route::Merge(Merger::Unknown),
                }
            }
            return Route::Merge(merger);
        }
        if let Some(sign) = &meta.sign {
            Route::Request(sign.clone())
        } else if meta.forge {
            Route::Forge
        } else if meta.bot {
            Route::DirectByBot
        } else {
            Route::Direct
        }
    }
}

fn meta(raw: RawCommit, note: Option<LineNote>) -> Meta {
    let marks_table = Marks::builtin();
    let reviews = Reviews::builtin();
    let mut marks = marks_table.marks(&raw);
    let mut origin = marks_table.origin(&raw);
    if let Some(note) = &note {
        if let Some(mark) = note.mark() {
            marks.insert(0, mark.clone());
            origin = Origin::Detected(mark.clone());
        } else if note.only_person() {
            origin = Origin::Person;
        }
    }
    Meta {
        bot: marks_table.bot(&raw.author).is_some(),
        sign: reviews.sign(&raw.message),
        recorded: reviews.recorded(&raw.message),
        forge: reviews.forge(&raw.committer),
        merger: reviews.merger(&raw).clone(),
        author: raw.author,
        origin,
        marks,
        note,
    }
}

/// Paths that a commit touched, without reading any file; `None` when even that fails.
fn touched(git: &Git, commit: &ObjectId, parent: Option<&ObjectId>) -> Option<Vec<Vec<u8>>> {
    let mut command = git.command_on_objects([
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-commit-id",
        "--no-renames",
        "--relative",
        "--root",
    ]);
    if let Some(parent) = parent {
        command.arg(parent.hex());
    }
    command.arg(commit.hex());
    let out = crate::git::output(command).ok()?;
    Some(
        out.split(|b| *b == 0)
            .filter(|path| !path.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
    )
}

/// What each commit says of who wrote it; commits that are not there are left away.
///
/// # Errors
///
/// When git fails.
pub fn origins(
    root: &Path,
    commits: &[ObjectId],
) -> Result<HashMap<ObjectId, Authorship>, ChangeError> {
    let git = Git::at(root);
    let mut found = HashMap::new();
    let Some(head) = head(&git)? else {
        return Ok(found);
    };
    let mut objects = Objects::open(&git)?;
    let mut notes = Notes::list(&git, &head, &mut objects)?;
    for id in commits {
        if let Object::Found {
            kind: Kind::Commit,
            bytes,
        } = objects.read(id, MAX_COMMIT)?
        {
            let note = notes.on(id, &mut objects)?;
            let meta = meta(commit::read(&bytes), note);
            found.insert(
                *id,
                Authorship {
                    origin: meta.origin,
                    marks: meta.marks,
                    note: meta.note,
                },
            );
        }
    }
    Ok(found)
}

/// What one commit says of who wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorship {
    /// Of the commit as a whole.
    pub origin: Origin,
    /// Every mark, strongest first.
    pub marks: Vec<Mark>,
    /// What line notes say about its lines.
    pub note: Option<LineNote>,
}

impl Authorship {
    /// What the bytes of a commit object say by themselves, without line notes. Any bytes are read.
    pub fn read(commit: &[u8]) -> Self {
        let meta = meta(commit::read(commit), None);
        Self {
            origin: meta.origin,
            marks: meta.marks,
            note: None,
        }
    }

    /// Of one line, by its place in this commit, from the top of the repository. Where there is a line
    /// note it alone decides: what it does not name was not tracked.
    pub fn line(&self, path: &str, line: u32) -> Origin {
        match &self.note {
            Some(note) => note.line(path, line),
            None => self.origin.clone(),
        }
    }
}
