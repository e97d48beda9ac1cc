//! Literate fixtures in Markdown.
//!
//! ````markdown
//! # Title of the page
//!
//! ## A case, in words
//!
//! Prose says why.
//!
//! ```python app/views.py
//! render(name)  # expect: source
//! ```
//!
//! ```flow
//! the rendered answer
//! ```
//! ````
//!
//! A heading opens a case, a fenced block is a file (its info string is a language and, optionally, a
//! path), and a comment `# expect: …`, `# missing: …` or `# spurious: …` pins a fact to its line. Answers
//! are rewritten when `SOLVENT_BLESS` is `1`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One fixture file.
#[derive(Clone, Debug)]
pub struct Page {
    /// As shown in messages.
    pub name: String,
    pub cases: Vec<Case>,
    text: String,
}

/// A heading and what follows until the next one. Headings without a block are not cases.
#[derive(Clone, Debug)]
pub struct Case {
    pub title: String,
    /// Line of the heading, one-based; 1 if the page begins without one.
    pub line: u32,
    pub blocks: Vec<Block>,
    /// Byte offset in the page where the case ends.
    end: usize,
}

/// A fenced code block.
#[derive(Clone, Debug)]
pub struct Block {
    /// First word of the info string.
    pub language: String,
    /// Rest of the info string.
    pub path: Option<String>,
    /// Content, with its last line break.
    pub text: String,
    /// Line of the first line of content in the page, one-based.
    pub line: u32,
    /// Byte range of the content in the page.
    range: std::ops::Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PinKind {
    /// Must be found.
    Expect,
    /// Should be found but is not yet: fails the day it is.
    Missing,
    /// Is found but should not be: fails the day it no longer is.
    Spurious,
}

/// A fact pinned to a line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pin {
    /// One-based, in the block.
    pub line: u32,
    pub kind: PinKind,
    /// Text after the colon, trimmed.
    pub fact: String,
}

impl Case {
    /// The first block in that language.
    pub fn block(&self, language: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.language == language)
    }

    /// All blocks in that language.
    pub fn files<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks
            .iter()
            .filter(move |block| block.language == language)
    }
}

impl Block {
    /// The facts pinned in this block. A comment may pin several: `# expect: a, spurious: b`.
    pub fn pins(&self) -> Vec<Pin> {
        let mut pins = Vec::new();
        for (line, text) in (1..).zip(self.text.lines()) {
            let Some((_, comment)) = text.split_once('#') else {
                continue;
            };
            let mut kind = None;
            for part in comment.split([',', '#']) {
                let part = part.trim();
                let (word, rest) = part.split_once(':').unwrap_or(("", part));
                let fact = match word.trim() {
                    "expect" => {
                        kind = Some(PinKind::Expect);
                        rest
                    }
                    "missing" => {
                        kind = Some(PinKind::Missing);
                        rest
                    }
                    "spurious" => {
                        kind = Some(PinKind::Spurious);
                        rest
                    }
                    // Further facts of the same kind.
                    _ => part,
                };
                if let Some(kind) = kind
                    && !fact.trim().is_empty()
                {
                    pins.push(Pin {
                        line,
                        kind,
                        fact: fact.trim().to_owned(),
                    });
                }
            }
        }
        pins
    }
}

/// Reads a page; says what is wrong with its form.
pub fn parse(name: &str, text: &str) -> Result<Page, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut current = Case {
        title: name.to_owned(),
        line: 1,
        blocks: Vec::new(),
        end: 0,
    };
    let mut open: Option<(String, Block)> = None;
    let mut offset = 0;
    for (number, line) in (1_u32..).zip(text.split_inclusive('\n')) {
        let start = offset;
        offset += line.len();
        let content = line.trim_end();
        if let Some((fence, block)) = &mut open {
            if content.trim_start() == fence {
                block.range.end = start;
                block.text = text[block.range.clone()].to_owned();
                if let Some((_, block)) = open.take() {
                    current.blocks.push(block);
                }
            }
            continue;
        }
        let ticks = content.bytes().take_while(|&b| b == b'`').count();
        if ticks >= 3 {
            let info = content[ticks..].trim();
            let (language, path) = info.split_once(' ').unwrap_or((info, ""));
            let path = Some(path.trim())
                .filter(|p| !p.is_empty())
                .map(str::to_owned);
            let block = Block {
                language: language.to_owned(),
                path,
                text: String::new(),
                line: number + 1,
                range: offset..offset,
            };
            open = Some((content[..ticks].to_owned(), block));
        } else if let Some(title) = heading(content) {
            current.end = start;
            let next = Case {
                title: title.into(),
                line: number,
                blocks: Vec::new(),
                end: 0,
            };
            let done = std::mem::replace(&mut current, next);
            if !done.blocks.is_empty() {
                cases.push(done);
            }
        }
    }
    if let Some((_, block)) = open {
        return Err(format!(
            "{name}:{}: code block is not closed",
            block.line - 1
        ));
    }
    current.end = text.len();
    if !current.blocks.is_empty() {
        cases.push(current);
    }
    if let Some(case) = cases.iter().enumerate().find_map(|(i, case)| {
        cases[..i]
            .iter()
            .any(|earlier| earlier.title == case.title)
            .then_some(case)
    }) {
        return Err(format!(
            "{name}:{}: a second case named `{}`",
            case.line, case.title
        ));
    }
    Ok(Page {
        name: name.to_owned(),
        cases,
        text: text.to_owned(),
    })
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' ')).then(|| rest.trim())
}

/// Runs every case of every page below `folder`: `answer` gives the text that the block in language
/// `language` must hold. With `SOLVENT_BLESS=1` the pages are rewritten instead.
///
/// # Panics
///
/// When an answer differs, a page is malformed, or there is no page at all: a suite that ran nothing
/// has not passed.
pub fn run(folder: &Path, language: &str, mut answer: impl FnMut(&Case) -> String) {
    let mut paths = Vec::new();
    collect(folder, &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no fixture below `{}`", folder.display());
    let bless = std::env::var("SOLVENT_BLESS").is_ok_and(|value| value == "1");
    let mut failures = String::new();
    for path in paths {
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .display()
            .to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => panic!("{name}: {error}"),
        };
        let page = match parse(&name, &text) {
            Ok(page) => page,
            Err(error) => panic!("{error}"),
        };
        let answers: Vec<String> = page.cases.iter().map(&mut answer).collect();
        if bless {
            let blessed = page.with_answers(language, &answers);
            if blessed != text
                && let Err(error) = std::fs::write(&path, blessed)
            {
                panic!("{name}: {error}");
            }
            continue;
        }
        for (case, answer) in page.cases.iter().zip(&answers) {
            let expected = case.block(language).map(|block| block.text.as_str());
            if expected.map(str::trim_end) != Some(answer.trim_end()) {
                let _ = writeln!(failures, "{name}:{}: {}", case.line, case.title);
                failures.push_str(&difference(expected.unwrap_or(""), answer));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{failures}\nrun again with SOLVENT_BLESS=1 to accept the new answers, then read the diff"
    );
}

impl Page {
    /// The page with its answers replaced; a case without one gets it at its end.
    fn with_answers(&self, language: &str, answers: &[String]) -> String {
        let mut text = self.text.clone();
        for (case, answer) in self.cases.iter().zip(answers).rev() {
            let answer = format!("{}\n", answer.trim_end());
            match case.block(language) {
                Some(block) => text.replace_range(block.range.clone(), &answer),
                None => {
                    let body = text[..case.end].trim_end().len();
                    let block = format!("\n\n```{language}\n{answer}```\n");
                    let last = text[case.end..].is_empty();
                    let tail = if last { "" } else { "\n" };
                    text.replace_range(body..case.end, &format!("{block}{tail}"));
                }
            }
        }
        text
    }
}

/// Lines that differ, in order, by the longest common subsequence.
fn difference(expected: &str, actual: &str) -> String {
    let old: Vec<&str> = expected.lines().collect();
    let new: Vec<&str> = actual.lines().collect();
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = String::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            i += 1;
            j += 1;
        } else if j < new.len() && (i == old.len() || common[i][j + 1] >= common[i + 1][j]) {
            let _ = writeln!(out, "  + {}", new[j]);
            j += 1;
        } else {
            let _ = writeln!(out, "  - {}", old[i]);
            i += 1;
        }
    }
    out
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\nProse.\n\n## First\n\n```python a.py\nx = 1  # expect: source\n\
                        y = 2  # spurious: sink, missing: flow\n```\n\n```ir\nold\n```\n\n## Second\n\n\
                        ```python\nz\n```\n";

    fn page() -> Page {
        parse("page.md", PAGE).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_heading_is_a_case_and_a_fence_is_a_file() {
        let page = page();
        let titles: Vec<_> = page.cases.iter().map(|case| case.title.as_str()).collect();
        assert_eq!(titles, ["First", "Second"]);
        let block = page.cases[0].block("python");
        assert_eq!(block.and_then(|b| b.path.as_deref()), Some("a.py"));
        assert_eq!(block.map(|b| b.line), Some(8));
    }

    #[test]
    fn comments_pin_facts_to_lines() {
        let pins = page().cases[0].blocks[0].pins();
        let pin = |line, kind, fact: &str| Pin {
            line,
            kind,
            fact: fact.into(),
        };
        assert_eq!(
            pins,
            [
                pin(1, PinKind::Expect, "source"),
                pin(2, PinKind::Spurious, "sink"),
                pin(2, PinKind::Missing, "flow"),
            ]
        );
    }

    #[test]
    fn blessing_replaces_old_answers_and_adds_missing_ones() {
        let blessed = page().with_answers("ir", &["new".into(), "added".into()]);
        assert!(blessed.contains("```ir\nnew\n```\n\n## Second"));
        assert!(blessed.ends_with("```python\nz\n```\n\n```ir\nadded\n```\n"));
        assert!(!blessed.contains("old"));
    }

    #[test]
    fn an_open_fence_and_a_repeated_title_are_refused() {
        assert!(parse("p", "# A\n```python\nx\n").is_err());
        assert!(parse("p", "# A\n```x\n```\n# A\n```x\n```\n").is_err());
    }

    #[test]
    fn a_difference_names_the_lines() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "  + x\n  - b\n");
    }
}
