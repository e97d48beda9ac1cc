//! Which commit introduced a line.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::ChangeError;
use crate::git::{Budget, Ended, Git, GitError, Input, stream};
use crate::id::ObjectId;
use crate::lines::Lines;
use crate::objects::{Kind, Object, Objects};
use crate::patch::unquote;

/// Programs at a time.
const WORKERS: usize = 2;

/// Ranges that go on one command line; a file with more is blamed as a whole.
const MAX_RANGES: usize = 500;

/// Output of one program. A line takes its text and about fifty bytes.
const MAX_OUTPUT: u64 = 256 << 20;

/// Commits that one list of ignored revisions may name: more than fit a pipe's buffer would have to be
/// fed to every program.
const MAX_IGNORED: usize = 1_000;

/// The list of reformatting commits that forges and people use by custom.
pub const IGNORED_FILE: &str = ".git-blame-ignore-revs";

/// One line and where it is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlamedLine {
    /// In the revision that was asked about, from 1.
    pub line: u32,
    pub commit: ObjectId,
    /// Where it stood in that commit.
    pub then_line: u32,
    /// Under which path, in git's bytes.
    pub then_path: Vec<u8>,
    /// The search ended at this commit: the line is from it or from before.
    pub boundary: bool,
}

/// A range of lines, both included, from 1.
pub type LineRange = (u32, u32);

/// A place that is asked about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// From the root that is asked with.
    pub path: String,
    /// From 1.
    pub line: u32,
}

/// How long a search may take.
#[derive(Clone, Copy, Debug)]
pub struct BlameLimits {
    /// For one file.
    pub file: Duration,
    /// For all together.
    pub all: Duration,
}

impl BlameLimits {
    /// Half a minute a file, a minute in all.
    pub const STANDARD: Self = Self {
        file: Duration::from_secs(30),
        all: Duration::from_secs(60),
    };
}

/// Who introduced these lines of one file; moves inside the file and changes of white space alone are
/// looked through, and so are the commits that [`IGNORED_FILE`] of that revision lists when all of them
/// are whole names of commits. Empty `ranges` ask about every line.
///
/// # Errors
///
/// When the revision or path does not exist there, or git failed or took longer than half a minute.
pub fn blame(
    root: &std::path::Path,
    revision: &ObjectId,
    path: &str,
    ranges: &[LineRange],
) -> Result<Vec<BlamedLine>, ChangeError> {
    let git = Git::at(root);
    let ignored = ignored(&git, revision)?;
    let job = Job {
        path: path.as_bytes().to_vec(),
        ranges: ranges.to_vec(),
    };
    let until = Instant::now() + BlameLimits::STANDARD.file;
    Ok(one(&git, revision, None, &job, &ignored, until)?)
}

/// The commit that introduced each place, by blame. Places of one file are asked together, files two at a
/// time. What could not be found out in time has the reason.
///
/// # Errors
///
/// When the revision's own list of ignored commits cannot be looked for.
pub fn introduced(
    root: &std::path::Path,
    revision: &ObjectId,
    places: &[Place],
    limits: &BlameLimits,
) -> Result<BTreeMap<Place, Result<BlamedLine, GitError>>, ChangeError> {
    let git = Git::at(root);
    let ignored = ignored(&git, revision)?;
    let mut files: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for place in places {
        files.entry(&place.path).or_default().push(place.line);
    }
    let jobs: Vec<Job> = files
        .iter()
        .map(|(path, lines)| Job {
            path: path.as_bytes().to_vec(),
            ranges: ranges(lines),
        })
        .collect();
    let answers = many(&git, revision, None, &jobs, &ignored, limits);
    let mut found = BTreeMap::new();
    for ((path, lines), answer) in files.iter().zip(answers) {
        let known: HashMap<u32, BlamedLine> = match &answer {
            Ok(lines) => lines.iter().map(|l| (l.line, l.clone())).collect(),
            Err(_) => HashMap::new(),
        };
        for line in lines {
            let place = Place {
                path: (*path).to_owned(),
                line: *line,
            };
            let result = match (&answer, known.get(line)) {
                (_, Some(line)) => Ok(line.clone()),
                (Err(error), None) => Err(error.clone()),
                (Ok(_), None) => Err(GitError::Unexpected("no answer for a line".to_owned())),
            };
            found.insert(place, result);
        }
    }
    Ok(found)
}

/// Lines as ranges, in order, neighbours together.
pub(crate) fn ranges(lines: &[u32]) -> Vec<LineRange> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines.dedup();
    let mut ranges: Vec<LineRange> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(line) => *last = line,
            _ => ranges.push((line, line)),
        }
    }
    ranges
}

type Answer = Result<Vec<BlamedLine>, GitError>;

pub(crate) struct Job {
    pub(crate) path: Vec<u8>,
    pub(crate) ranges: Vec<LineRange>,
}

/// All jobs in their order, each with its answer.
pub(crate) fn many(
    git: &Git,
    revision: &ObjectId,
    since: Option<&ObjectId>,
    jobs: &[Job],
    ignored: &[ObjectId],
    limits: &BlameLimits,
) -> Vec<Answer> {
    let all = Instant::now() + limits.all;
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<Answer>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(jobs.len()) {
            scope.spawn(|| {
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    let now = Instant::now();
                    let answer = if now < all {
                        let until = all.min(now + limits.file);
                        one(git, revision, since, job, ignored, until)
                    } else {
                        Err(GitError::OutOfTime(limits.all))
                    };
                    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers[at] = Some(answer);
                }
            });
        }
    });
    answers
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_iter()
        .map(|answer| answer.unwrap_or(Err(GitError::OutOfTime(limits.all))))
        .collect()
}

fn one(
    git: &Git,
    revision: &ObjectId,
    since: Option<&ObjectId>,
    job: &Job,
    ignored: &[ObjectId],
    until: Instant,
) -> Result<Vec<BlamedLine>, GitError> {
    use std::os::unix::ffi::OsStrExt as _;
    // `-M` finds lines that moved inside the file. Without `--no-textconv` blame runs the converter that
    // the repository's attributes and configuration name.
    let mut command = git.command_on_objects(["blame", "--no-textconv", "--porcelain", "-w", "-M"]);
    // The configuration may name any file, which need not be there.
    command.arg("--no-ignore-revs-file");
    let mut input = Input::None;
    if !ignored.is_empty() {
        command.arg("--ignore-revs-file=/dev/stdin");
        let list: String = ignored.iter().map(|id| format!("{id}\n")).collect();
        input = Input::Bytes(list.into_bytes());
    }
    if job.ranges.len() <= MAX_RANGES {
        for (first, last) in &job.ranges {
            command.arg(format!("-L{first},{last}"));
        }
    }
    match since {
        Some(since) => command.arg(format!("{since}..{revision}")),
        None => command.arg(revision.hex()),
    };
    command
        .arg("--")
        .arg(std::ffi::OsStr::from_bytes(&job.path));
    let mut reader = BlameReader::default();
    let budget = Budget {
        bytes: MAX_OUTPUT,
        until,
    };
    let end = stream(command, input, budget, &mut |bytes| {
        reader.push(bytes);
        ControlFlow::Continue(())
    })?;
    match end {
        Ended::Whole | Ended::Stopped => Ok(reader.finish()),
        // One line beyond the end must not cost the answers for the others.
        Ended::Broken(GitError::Failed(words))
            if words.contains(" has only ") && !job.ranges.is_empty() =>
        {
            let whole = Job {
                path: job.path.clone(),
                ranges: Vec::new(),
            };
            one(git, revision, since, &whole, ignored, until)
        }
        Ended::Broken(error) => Err(error),
    }
}

/// Commits that blame looks through: those of [`IGNORED_FILE`] in `revision`, when every line is a whole
/// name, a comment or empty, and every name is a commit that is there. A broken list would make blame fail.
pub(crate) fn ignored(git: &Git, revision: &ObjectId) -> Result<Vec<ObjectId>, GitError> {
    let name = format!("{revision}:{IGNORED_FILE}");
    let blob = git.text([
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &name,
    ]);
    let Some(blob) = blob.ok().and_then(|out| ObjectId::parse(out.trim())) else {
        return Ok(Vec::new());
    };
    let mut objects = Objects::open(git)?;
    let Object::Found {
        kind: Kind::Blob,
        bytes,
    } = objects.read(&blob, 256 << 10)?
    else {
        return Ok(Vec::new());
    };
    let mut ids = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let Some(id) = ObjectId::parse(line) else {
            return Ok(Vec::new());
        };
        let commit = matches!(
            objects.read(&id, 0)?,
            Object::TooLarge(_)
                | Object::Found {
                    kind: Kind::Commit,
                    ..
                }
        );
        if !commit || ids.len() == MAX_IGNORED {
            return Ok(Vec::new());
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Reads what `git blame --porcelain` prints, piece by piece.
#[derive(Default)]
pub struct BlameReader {
    lines: Lines,
    state: State,
}

#[derive(Default)]
struct State {
    found: Vec<BlamedLine>,
    /// The header that was read last, until the line's text comes.
    open: Option<(ObjectId, u32, u32)>,
    about: HashMap<ObjectId, About>,
}

#[derive(Default)]
struct About {
    path: Vec<u8>,
    boundary: bool,
}

impl BlameReader {
    pub fn push(&mut self, bytes: &[u8]) {
        let state = &mut self.state;
        self.lines.push(bytes, &mut |line| state.line(line));
    }

    /// Every line whose text was seen.
    pub fn finish(mut self) -> Vec<BlamedLine> {
        let state = &mut self.state;
        self.lines.finish(&mut |line| state.line(line));
        self.state.found
    }
}

impl State {
    fn line(&mut self, line: &[u8]) {
        if line.first() == Some(&b'\t') {
            if let Some((commit, then_line, line)) = self.open.take() {
                let about = self.about.entry(commit).or_default();
                self.found.push(BlamedLine {
                    line,
                    commit,
                    then_line,
                    then_path: about.path.clone(),
                    boundary: about.boundary,
                });
            }
            return;
        }
        if let Some((commit, ..)) = self.open {
            let about = self.about.entry(commit).or_default();
            if let Some(name) = line.strip_prefix(b"filename ") {
                about.path = unquote(name);
            } else if line == b"boundary" {
                about.boundary = true;
            }
            return;
        }
        let mut words = line.split(|b| *b == b' ');
        let commit = words.next().and_then(ObjectId::parse_bytes);
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u32>().ok();
        if let (Some(commit), Some(then), Some(now)) = (commit, number(), number()) {
            self.open = Some((commit, then, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_their_commit_and_their_old_place() {
        let a = "a".repeat(40);
        let b = "b".repeat(40);
        let text = format!(
            "{a} 3 1 2\nauthor x\nsummary filename fake\nboundary\nfilename \"o\\\"ld.py\"\n\tfilename x\n\
             {a} 4 2\n\tboundary\n{b} 9 3 1\nauthor y\nfilename new.py\n\t\n"
        );
        for piece in [1, 5, 4_096] {
            let mut reader = BlameReader::default();
            for piece in text.as_bytes().chunks(piece) {
                reader.push(piece);
            }
            let lines = reader.finish();
            let short: Vec<_> = lines
                .iter()
                .map(|l| (l.line, l.then_line, l.then_path.as_slice(), l.boundary))
                .collect();
            assert_eq!(
                short,
                [
                    (1, 3, &b"o\"ld.py"[..], true),
                    (2, 4, b"o\"ld.py", true),
                    (3, 9, b"new.py", false),
                ]
            );
        }
    }

    #[test]
    fn neighbours_are_asked_together() {
        assert_eq!(ranges(&[7, 3, 4, 4, 9, 8]), [(3, 4), (7, 9)]);
        assert_eq!(ranges(&[u32::MAX, 0]), [(0, 0), (u32::MAX, u32::MAX)]);
    }
}
