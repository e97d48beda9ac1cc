//! Paths of the machine a report was made on, and the paths of this tree that they mean.
//!
//! One prefix is taken off and one put in front for a whole run: the pair under which most of its paths
//! are files of the tree. A path that the pair does not explain is found by its end, when only one file
//! ends so.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::FilePath;

use crate::Run;

/// Most files of one name that vote for a path: ten thousand `__init__.py` are not a clue.
const MAX_VOTES: usize = 64;

/// Most files of one name among which a path is looked for by its end: a hundred thousand paths times a
/// thousand names are compared in seconds.
const MAX_NAMESAKES: usize = 1_000;

/// Where the files of a run are in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Path as reported to path in the tree.
    pub found: BTreeMap<String, FilePath>,
    /// Paths as reported that are no file of the tree, and why.
    pub lost: BTreeMap<String, String>,
    /// What was done, in words; empty when the paths are the tree's own.
    pub words: String,
}

/// Finds the files of `run` among the files of the tree.
pub fn layout(run: &Run, tree: &BTreeSet<FilePath>) -> Layout {
    let reported: BTreeSet<&str> = run
        .findings
        .iter()
        .map(|f| f.path.as_str())
        .chain(run.coverage.paths.iter().flatten().map(String::as_str))
        .chain(run.coverage.not_read.keys().map(String::as_str))
        .collect();
    let mut by_name: BTreeMap<&str, Vec<&FilePath>> = BTreeMap::new();
    for file in tree {
        by_name.entry(file.file_name()).or_default().push(file);
    }
    let parts: BTreeMap<&str, Vec<&str>> =
        reported.iter().map(|raw| (*raw, segments(raw))).collect();

    // Votes for (taken off, put in front).
    let mut votes: BTreeMap<(String, String), u64> = BTreeMap::new();
    for parts in parts.values() {
        for file in namesakes(&by_name, parts).iter().take(MAX_VOTES) {
            if let Some(pair) = pair(parts, file) {
                *votes.entry(pair).or_default() += 1;
            }
        }
    }
    let best = votes
        .into_iter()
        .min_by_key(|((off, front), votes)| {
            (
                std::cmp::Reverse(*votes),
                front.len(),
                off.len(),
                off.clone(),
            )
        })
        .map(|(pair, _)| pair);

    let mut layout = Layout {
        found: BTreeMap::new(),
        lost: BTreeMap::new(),
        words: String::new(),
    };
    let mut by_end = 0_u64;
    for (raw, parts) in &parts {
        let moved = best
            .as_ref()
            .and_then(|(off, front)| moved(parts, off, front));
        if let Some(file) = moved.and_then(|text| FilePath::new(&text))
            && tree.contains(&file)
        {
            layout.found.insert((*raw).to_owned(), file);
            continue;
        }
        let alike = namesakes(&by_name, parts);
        if alike.len() > MAX_NAMESAKES {
            let why = format!("{} files of this tree have that name", alike.len());
            layout.lost.insert((*raw).to_owned(), why);
            continue;
        }
        let ending: Vec<&FilePath> = alike
            .iter()
            .copied()
            .filter(|file| {
                let of_file: Vec<&str> = file.as_str().split('/').collect();
                parts.ends_with(&of_file) || of_file.ends_with(parts)
            })
            .collect();
        match ending.as_slice() {
            [] => {
                let why = "no file of this tree has that path".to_owned();
                layout.lost.insert((*raw).to_owned(), why);
            }
            [one] => {
                by_end += 1;
                layout.found.insert((*raw).to_owned(), (*one).clone());
            }
            more => {
                let why = format!("{} files of this tree end so", more.len());
                layout.lost.insert((*raw).to_owned(), why);
            }
        }
    }
    let mut words = Vec::new();
    if let Some((off, front)) = best {
        if !off.is_empty() {
            words
                .push("the leading folders of another machine were taken off its paths".to_owned());
        }
        if !front.is_empty() {
            words.push(format!("`{front}/` was put in front of its paths"));
        }
    }
    if by_end > 0 {
        words.push(format!("{by_end} paths were found by their end"));
    }
    layout.words = words.join("; ");
    layout
}

fn segments(raw: &str) -> Vec<&str> {
    raw.split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect()
}

fn namesakes<'t>(
    by_name: &'t BTreeMap<&str, Vec<&'t FilePath>>,
    parts: &[&str],
) -> &'t [&'t FilePath] {
    parts
        .last()
        .and_then(|name| by_name.get::<str>(name))
        .map_or(&[], Vec::as_slice)
}

/// What must be taken off and put in front of `parts` to give `file`; the common end is as long as it can be.
fn pair(parts: &[&str], file: &FilePath) -> Option<(String, String)> {
    let of_file: Vec<&str> = file.as_str().split('/').collect();
    let common = parts
        .iter()
        .rev()
        .zip(of_file.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (common > 0).then(|| {
        (
            parts[..parts.len() - common].join("/"),
            of_file[..of_file.len() - common].join("/"),
        )
    })
}

fn moved(parts: &[&str], off: &str, front: &str) -> Option<String> {
    let off = segments(off);
    let rest = parts.strip_prefix(off.as_slice())?;
    Some(if front.is_empty() {
        rest.join("/")
    } else {
        format!("{front}/{}", rest.join("/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candidate, Coverage, Ended};

    fn run(paths: &[&str]) -> Run {
        Run {
            tool: "t".to_owned(),
            version: None,
            format: "test",
            findings: paths
                .iter()
                .map(|p| Candidate {
                    rule: "R".to_owned(),
                    weaknesses: BTreeSet::new(),
                    path: (*p).to_owned(),
                    lines: None,
                    message: String::new(),
                    severity: None,
                    fingerprint: None,
                    suppressed: None,
                })
                .collect(),
            coverage: Coverage {
                ended: Ended::Whole,
                paths: None,
                not_read: BTreeMap::new(),
                rules: None,
            },
            hidden: None,
            gaps: Vec::new(),
        }
    }

    fn tree(files: &[&str]) -> BTreeSet<FilePath> {
        files.iter().filter_map(|f| FilePath::new(f)).collect()
    }

    fn at(layout: &Layout, raw: &str) -> Option<String> {
        layout.found.get(raw).map(ToString::to_string)
    }

    #[test]
    fn the_build_folder_of_another_machine_comes_off() {
        let tree = tree(&["app/views.py", "app/db.py", "lib/views.py"]);
        let layout = layout(
            &run(&["/builds/x/repo/app/views.py", "/builds/x/repo/app/db.py"]),
            &tree,
        );
        assert_eq!(
            at(&layout, "/builds/x/repo/app/views.py").as_deref(),
            Some("app/views.py")
        );
        assert!(layout.lost.is_empty());
    }

    #[test]
    fn a_run_in_a_subfolder_gets_its_folder_back() {
        let tree = tree(&["back/app/views.py", "back/app/db.py", "front/views.py"]);
        let layout = layout(&run(&["app/views.py", "./app/db.py"]), &tree);
        assert_eq!(
            at(&layout, "app/views.py").as_deref(),
            Some("back/app/views.py")
        );
        assert_eq!(
            at(&layout, "./app/db.py").as_deref(),
            Some("back/app/db.py")
        );
        assert!(layout.words.contains("`back/`"));
    }

    #[test]
    fn a_path_that_could_be_two_files_is_not_guessed() {
        let tree = tree(&["a/x/m.py", "b/x/m.py", "c/n.py"]);
        let layout = layout(&run(&["x/m.py", "c/n.py"]), &tree);
        assert_eq!(at(&layout, "x/m.py"), None);
        assert!(layout.lost["x/m.py"].contains("2 files"));
        assert_eq!(at(&layout, "c/n.py").as_deref(), Some("c/n.py"));
    }

    #[test]
    fn climbing_out_of_the_tree_finds_nothing() {
        let layout = layout(&run(&["../../etc/passwd", "C:/x/y.py"]), &tree(&["a.py"]));
        assert!(layout.found.is_empty());
        assert_eq!(layout.lost.len(), 2);
    }
}
