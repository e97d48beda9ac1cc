//! The deployment files of a tree in memory, and places in them.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::FilePath;

/// A line of a deployment file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark {
    pub path: FilePath,
    /// One-based.
    pub line: u32,
}

/// Texts of the files that were asked for, and the names of all files.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub texts: BTreeMap<FilePath, String>,
    pub names: BTreeSet<FilePath>,
}

impl Tree {
    pub fn text(&self, path: &str) -> Option<&str> {
        let path = FilePath::new(path)?;
        self.texts.get(&path).map(String::as_str)
    }

    pub fn has(&self, path: &str) -> bool {
        FilePath::new(path).is_some_and(|path| self.names.contains(&path))
    }

    /// Whether any file lies below the folder; the root, `""`, always does.
    pub fn has_folder(&self, folder: &str) -> bool {
        if folder.is_empty() {
            return true;
        }
        let prefix = format!("{folder}/");
        FilePath::new(folder).is_some_and(|start| {
            self.names
                .range(start..)
                .take_while(|path| path.as_str().starts_with(folder))
                .any(|path| path.as_str().starts_with(&prefix))
        })
    }
}

/// `rest` seen from `folder`, `..` resolved; `None` when it leaves the root or is absolute.
pub(crate) fn joined(folder: &str, rest: &str) -> Option<String> {
    if rest.starts_with('/') || rest.starts_with('~') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether the path is the folder or lies below it.
pub(crate) fn below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

pub(crate) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_joined_below_the_root_or_not_at_all() {
        assert_eq!(joined("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(joined("", "./").as_deref(), Some(""));
        assert_eq!(joined("a", "../../etc"), None);
        assert_eq!(joined("a", "/etc"), None);
        assert!(below("a/b.py", "a") && !below("ab.py", "a"));
    }
}
