//! What a change touches: files, lines, and the files that judge changes.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::ChangeError;
use crate::git::{Budget, Ended, Git, GitError, Input, stream};
use crate::id::ObjectId;
use crate::patch::{FilePatch, Patch, PatchReader};
use crate::patches::DIFF_TREE;

/// Output of one comparison.
const MAX_OUTPUT: u64 = 2 << 30;

/// Files that are asked about again because something called them binary.
const MAX_HIDDEN: usize = 1_000;

/// Longest time for one comparison.
const TIME: Duration = Duration::from_secs(120);

/// A change from `base` to `head`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Affected {
    pub base: ObjectId,
    pub head: ObjectId,
    /// What head is compared with: where it left base's history. `None` when they have none in common; then
    /// everything is compared with base itself.
    pub merge_base: Option<ObjectId>,
    /// In path order.
    pub files: Vec<AffectedFile>,
    /// A file or hunk too many: files that are not listed may be touched.
    pub cut: bool,
}

/// One touched file. Paths are from the top of the repository, with replacement characters where they are
/// not UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AffectedFile {
    /// `None` when it is new.
    pub old: Option<String>,
    /// `None` when it went away.
    pub new: Option<String>,
    /// Removed or changed lines of the old file, first and last, from 1.
    pub old_lines: Vec<(u32, u32)>,
    /// Added or changed lines of the new file.
    pub new_lines: Vec<(u32, u32)>,
    /// Not text: its lines are not known.
    pub binary: bool,
    /// It judges changes, this one among them.
    pub judge: Option<Judge>,
}

/// Files that decide about changes. A change that touches one is judged by what base has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Judge {
    /// `solvent.toml`: how the target is built, started and logged into.
    Recipe,
    /// Files below `solvent-policy/`.
    Policy,
    /// What a forge or build service runs.
    Pipeline,
    /// Who has to be asked.
    Owners,
    /// What a scanner leaves out.
    Suppressions,
}

impl Affected {
    /// The kinds of judges that the change touches.
    pub fn judges(&self) -> Vec<Judge> {
        let mut judges: Vec<Judge> = self.files.iter().filter_map(|file| file.judge).collect();
        judges.sort();
        judges.dedup();
        judges
    }
}

/// Compares `head` with the place where it left `base`, as forges show a change request.
///
/// # Errors
///
/// When a commit is not there, files are missing in a partial clone, or the comparison takes more than
/// two minutes.
pub fn affected(root: &Path, base: &ObjectId, head: &ObjectId) -> Result<Affected, ChangeError> {
    let git = Git::at(root);
    for id in [base, head] {
        crate::revision::resolve(root, &id.hex())?;
    }
    let merge_base = match git.text(["merge-base", &base.hex(), &head.hex()]) {
        Ok(out) => out.lines().next().and_then(ObjectId::parse),
        // None in common is an exit code without a word.
        Err(GitError::Failed(words)) if words.is_empty() => None,
        Err(error) => return Err(error.into()),
    };
    let from = merge_base.unwrap_or(*base);
    let mut patches = compare(&git, &from, head, &[])?;
    // Attributes of the checkout can call its code binary, which would hide the lines.
    let hidden: Vec<Vec<u8>> = patches
        .iter()
        .flat_map(|patch| &patch.files)
        .filter(|file| file.binary)
        .flat_map(|file| [&file.new, &file.old].into_iter().flatten().cloned())
        .filter(|path| crate::code::is_code(&String::from_utf8_lossy(path)))
        .collect();
    if (1..=MAX_HIDDEN).contains(&hidden.len()) {
        let shown = compare(&git, &from, head, &hidden)?;
        let shown: Vec<FilePatch> = shown.into_iter().flat_map(|patch| patch.files).collect();
        for file in patches.iter_mut().flat_map(|patch| &mut patch.files) {
            let same = |other: &&FilePatch| other.old == file.old && other.new == file.new;
            if file.binary
                && let Some(text) = shown.iter().find(same)
            {
                *file = text.clone();
            }
        }
    }
    let mut affected = Affected {
        base: *base,
        head: *head,
        merge_base,
        files: Vec::new(),
        cut: false,
    };
    for patch in patches {
        affected.cut |= patch.cut;
        for file in patch.files {
            let text = |path: Option<Vec<u8>>| {
                path.map(|path| String::from_utf8_lossy(&path).into_owned())
            };
            let (old, new) = (text(file.old), text(file.new));
            let judge = [&new, &old].into_iter().flatten().find_map(|p| judge(p));
            let lines = |start: u32, count: u32| {
                (count > 0).then(|| (start, start.saturating_add(count - 1)))
            };
            affected.files.push(AffectedFile {
                old_lines: file
                    .hunks
                    .iter()
                    .filter_map(|h| lines(h.old_start, h.old_lines))
                    .collect(),
                new_lines: file
                    .hunks
                    .iter()
                    .filter_map(|h| lines(h.new_start, h.new_lines))
                    .collect(),
                binary: file.binary,
                judge,
                old,
                new,
            });
        }
    }
    affected.files.sort_by(|a, b| {
        let path = |f: &AffectedFile| f.new.clone().or_else(|| f.old.clone());
        path(a).cmp(&path(b)).then_with(|| a.cmp(b))
    });
    Ok(affected)
}

/// Compares two commits; with `text`, only these paths, and them as text whatever attributes say.
fn compare(
    git: &Git,
    from: &ObjectId,
    to: &ObjectId,
    text: &[Vec<u8>],
) -> Result<Vec<Patch>, ChangeError> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = git.command_on_objects(DIFF_TREE);
    command.args(["--no-relative", "--no-commit-id"]);
    if !text.is_empty() {
        command.arg("--text").env("GIT_LITERAL_PATHSPECS", "1");
    }
    command.args([from.hex(), to.hex()]).arg("--");
    // From the top, wherever the root is: `--` alone would be the folder it was asked in.
    let top = git.text(["rev-parse", "--show-cdup"])?;
    let top = top.trim_end_matches('\n');
    for path in text {
        let mut from_here = top.as_bytes().to_vec();
        from_here.extend_from_slice(path);
        command.arg(std::ffi::OsStr::from_bytes(&from_here));
    }
    let mut reader = PatchReader::new(|_: &[u8]| {});
    let budget = Budget {
        bytes: MAX_OUTPUT,
        until: Instant::now() + TIME,
    };
    let end = stream(command, Input::None, budget, &mut |bytes| {
        reader.push(bytes);
        ControlFlow::Continue(())
    })?;
    match end {
        Ended::Whole | Ended::Stopped => Ok(reader.finish()),
        Ended::Broken(error) => Err(error.into()),
    }
}

/// What a path judges. Case is not looked at: some file systems do not.
pub fn judge(path: &str) -> Option<Judge> {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let below = |folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
            || path.contains(&format!("/{folder}/"))
    };
    if name == "solvent.toml" {
        return Some(Judge::Recipe);
    }
    if below("solvent-policy") {
        return Some(Judge::Policy);
    }
    let pipeline_folders = [
        ".github/workflows",
        ".github/actions",
        ".gitlab/ci",
        ".circleci",
        ".buildkite",
        ".woodpecker",
        ".forgejo/workflows",
        ".gitea/workflows",
        ".azure-pipelines",
        ".tekton",
    ];
    let pipeline_names = [
        ".gitlab-ci.yml",
        ".gitlab-ci.yaml",
        "jenkinsfile",
        "azure-pipelines.yml",
        "azure-pipelines.yaml",
        "bitbucket-pipelines.yml",
        ".drone.yml",
        ".travis.yml",
        ".woodpecker.yml",
        ".woodpecker.yaml",
        "appveyor.yml",
        ".pre-commit-config.yaml",
        "cloudbuild.yaml",
    ];
    if pipeline_folders.iter().any(|folder| below(folder)) || pipeline_names.contains(&name) {
        return Some(Judge::Pipeline);
    }
    if name == "codeowners" {
        return Some(Judge::Owners);
    }
    crate::suppression::Suppressions::builtin()
        .file(name)
        .map(|_| Judge::Suppressions)
}
