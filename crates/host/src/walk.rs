//! Which files an analysis sees.

use std::path::Path;

use ignore::WalkBuilder;
use solvent_base::{FileEntry, FilePath, Problem, ProblemKind, Walk};

/// Folders that hold other people's code or generated files, whatever version control says.
const SKIPPED: [&str; 8] = [
    ".git", ".hg", ".svn", ".solvent", "node_modules", "__pycache__", "site-packages", ".tox",
];

/// Regular files in path order. Ignored files, hidden folders and virtual environments are left out;
/// links are not followed, and reported when they lead out of the tree or nowhere.
pub fn walk(root: &Path) -> Walk {
    let mut out = Walk::default();
    let walker = WalkBuilder::new(root)
        .hidden(false)
        .follow_links(false)
        .require_git(false)
        .parents(false)
        .git_global(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(|entry| {
            let skipped = entry.file_name().to_str().is_some_and(|name| SKIPPED.contains(&name));
            let is_folder = entry.file_type().is_some_and(|t| t.is_dir());
            !(is_folder && (skipped || entry.path().join("pyvenv.cfg").is_file()))
        })
        .build();
    for entry in walker {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                out.problems.push(problem(ProblemKind::Unreadable, None, error.to_string()));
                continue;
            }
        };
        let Ok(relative) = entry.path().strip_prefix(root) else { continue };
        if relative.as_os_str().is_empty() {
            continue;
        }
        let Some(path) = relative.to_str().and_then(FilePath::new) else {
            out.problems.push(problem(
                ProblemKind::Unreadable,
                None,
                format!("`{}` has a name that is not UTF-8", relative.to_string_lossy()),
            ));
            continue;
        };
        let Some(kind) = entry.file_type() else { continue };
        if kind.is_symlink() {
            if let Some(message) = link_problem(root, entry.path()) {
                out.problems.push(problem(ProblemKind::Link, Some(path), message));
            }
        } else if kind.is_file() {
            let size = entry.metadata().map_or(0, |m| m.len());
            out.files.push(FileEntry { path, size });
        }
    }
    out.files.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

/// What is wrong with a link, if anything: one that stays in the tree points at something that is
/// walked under its own name.
fn link_problem(root: &Path, link: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    match link.canonicalize() {
        Err(error) => Some(format!("is a link that cannot be followed: {error}")),
        Ok(target) if !target.starts_with(&root) => {
            Some("is a link out of the tree and was not followed".to_owned())
        }
        Ok(target) if link.starts_with(&target) => {
            Some("is a link in a circle and was not followed".to_owned())
        }
        Ok(_) => None,
    }
}

fn problem(kind: ProblemKind, path: Option<FilePath>, message: String) -> Problem {
    Problem { kind, path, span: None, message }
}
