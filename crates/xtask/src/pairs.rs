//! Pairs of small programs with the same sink, below `fixtures/reach-pairs`: what a page says, as files.
//!
//! [`read`] gives the pairs of all pages; [`confirm`] runs those of Python and JavaScript.

pub mod confirm;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use solvent_testkit::{Case, parse};

/// Folders of the corpus, which are the languages, and what a file of each ends in.
pub const LANGUAGES: [(&str, &str); 4] = [
    ("python", "py"),
    ("javascript", "js"),
    ("go", "go"),
    ("java", "java"),
];

/// One of a pair's two programs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// `reachable`, `unreachable`, or behind a login `open`, `guarded`.
    pub name: String,
    /// Paths and texts.
    pub files: Vec<(String, String)>,
    pub sink: Sink,
}

/// The line that is asked about, which ends in `sink: KIND`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sink {
    pub path: String,
    /// One-based.
    pub line: usize,
    pub kind: String,
}

#[derive(Clone, Debug)]
pub struct Pair {
    /// `python/guards/int-conversion`.
    pub name: String,
    pub language: &'static str,
    /// The one that is attacked without further ado first: `reachable` or `open`.
    pub members: [Member; 2],
    /// What a request needs beyond a harmful value: `with NAME=VALUE`, `send VALUE`.
    pub attack: Vec<String>,
}

impl Pair {
    /// Whether both members are reachable, one of them behind a login.
    pub fn is_login(&self) -> bool {
        self.members[0].name == "open"
    }
}

impl Member {
    /// Writes the program below `folder`, which is emptied.
    pub fn lay_out(&self, folder: &Path) -> Result<(), String> {
        let _ = fs::remove_dir_all(folder);
        for (path, text) in &self.files {
            let to = folder.join(path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)
                    .map_err(|error| format!("{}: {error}", parent.display()))?;
            }
            fs::write(&to, text).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        Ok(())
    }
}

/// Every pair of every page, in order of their names.
pub fn read(root: &Path) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    for (language, _) in LANGUAGES {
        let folder = root.join("fixtures/reach-pairs").join(language);
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("cannot list `{}`: {error}", folder.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let page = format!("{language}/{stem}");
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            for case in &parse(&page, &text)?.cases {
                pairs.push(pair(language, &page, case)?);
            }
        }
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pairs)
}

/// Lays both programs of a pair out below `folder`, to be looked at.
#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn write(root: &Path, name: &str, folder: &Path) -> ExitCode {
    let written = read(root).and_then(|pairs| {
        let pair = pairs.into_iter().find(|pair| pair.name == name);
        let pair = pair.ok_or_else(|| format!("no pair is called `{name}`"))?;
        pair.members
            .iter()
            .try_for_each(|member| member.lay_out(&folder.join(&member.name)))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}

fn pair(language: &'static str, page: &str, case: &Case) -> Result<Pair, String> {
    let name = format!("{page}/{}", case.title);
    let mut attack = Vec::new();
    let mut both = Vec::new();
    let mut own: [Vec<(String, String)>; 2] = [Vec::new(), Vec::new()];
    let mut login = false;
    for block in &case.blocks {
        if block.language == "attack" {
            attack.extend(block.text.lines().map(str::to_owned));
            continue;
        }
        let at = || format!("{page}:{}: {name}", block.line);
        let (folder, path) = block
            .path
            .as_deref()
            .and_then(|path| path.split_once('/'))
            .ok_or_else(|| format!("{}: a block without a member", at()))?;
        let file = (path.to_owned(), block.text.clone());
        match folder {
            "both" => both.push(file),
            "reachable" => own[0].push(file),
            "unreachable" => own[1].push(file),
            "open" | "guarded" => {
                login = true;
                own[usize::from(folder == "guarded")].push(file);
            }
            other => return Err(format!("{}: no member is called `{other}`", at())),
        }
    }
    let names = if login {
        ["open", "guarded"]
    } else {
        ["reachable", "unreachable"]
    };
    let [first, second] = own.map(|mut files| {
        files.extend(both.iter().cloned());
        files
    });
    let member = |word: &str, files: Vec<(String, String)>| {
        let sink = sink(&files).map_err(|why| format!("{name}, {word}: {why}"))?;
        Ok::<Member, String>(Member {
            name: word.to_owned(),
            files,
            sink,
        })
    };
    let members = [member(names[0], first)?, member(names[1], second)?];
    if members[0].files == members[1].files {
        return Err(format!("{name}: both members are the same"));
    }
    Ok(Pair {
        name,
        language,
        members,
        attack,
    })
}

fn sink(files: &[(String, String)]) -> Result<Sink, String> {
    let mut found = Vec::new();
    for (path, text) in files {
        for (line, text) in (1..).zip(text.lines()) {
            if let Some((_, kind)) = text.split_once(" sink: ") {
                found.push(Sink {
                    path: path.clone(),
                    line,
                    kind: kind.trim().to_owned(),
                });
            }
        }
    }
    match <[Sink; 1]>::try_from(found) {
        Ok([sink]) if ["sql", "shell", "path", "html", "code"].contains(&sink.kind.as_str()) => {
            Ok(sink)
        }
        Ok([sink]) => Err(format!("no kind of sink is called `{}`", sink.kind)),
        Err(found) => Err(format!("{} lines are marked as the sink", found.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_corpus_is_well_formed() {
        let pairs = read(&crate::workspace::root()).unwrap_or_else(|error| panic!("{error}"));
        assert!(pairs.len() >= 200, "only {} pairs", pairs.len());
        for pair in pairs {
            let [first, second] = &pair.members;
            assert_eq!(first.sink.kind, second.sink.kind, "{}", pair.name);
        }
    }

    #[test]
    fn a_block_belongs_to_the_members_that_its_folder_names() {
        let page = parse(
            "p",
            "## one\n\n```python both/a.py\nf()  # sink: sql\n```\n```python reachable/b.py\nx\n```\n\
             ```python unreachable/b.py\ny\n```\n```attack\nwith a=1\n```\n",
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let pair = pair("python", "p", &page.cases[0]).unwrap_or_else(|error| panic!("{error}"));
        let paths: Vec<_> = pair.members[1].files.iter().map(|(p, _)| p).collect();
        assert_eq!(paths, ["b.py", "a.py"]);
        assert_eq!(pair.members[1].sink.line, 1);
        assert_eq!(pair.attack, ["with a=1"]);
    }

    #[test]
    fn a_program_with_two_sinks_or_none_is_refused() {
        let files = |text: &str| vec![("a.py".to_owned(), text.to_owned())];
        assert!(sink(&files("f()\n")).is_err());
        assert!(sink(&files("f()  # sink: sql\ng()  # sink: sql\n")).is_err());
        assert!(sink(&files("f()  # sink: other\n")).is_err());
        assert!(sink(&files("f()  # sink: html\n")).is_ok());
    }
}
