//! Comments that tell a scanner to look away.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

const TABLE: &str = include_str!("../../../signals/suppressions.toml");

/// Bytes of one line that are looked at.
const MAX_LINE: usize = 2_048;

/// What a suppression silences.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Security rules by name, or all rules of a security scanner.
    Security,
    /// All rules of a tool that has security rules among others.
    Everything,
}

/// How many suppressions, by the rows of `signals/suppressions.toml`.
pub type Counts = BTreeMap<(Scope, Arc<str>), u64>;

/// The table, ready to look.
#[derive(Debug)]
pub struct Suppressions {
    words: Regex,
    comments: Vec<(Arc<str>, Scope, Regex)>,
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    comment: Vec<Comment>,
    file: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    id: Arc<str>,
    word: String,
    pattern: String,
    scope: Scope,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct File {
    id: Arc<str>,
    names: Vec<String>,
}

impl Suppressions {
    /// The table this build came with.
    pub fn builtin() -> &'static Self {
        static TABLE_READ: OnceLock<Suppressions> = OnceLock::new();
        TABLE_READ.get_or_init(|| match Suppressions::parse(TABLE) {
            Ok(table) => table,
            Err(words) => {
                panic!("`signals/suppressions.toml` is broken, which its test finds: {words}")
            }
        })
    }

    /// Reads a table of that form.
    ///
    /// # Errors
    ///
    /// In words, when a key is unknown or a pattern is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .case_insensitive(true)
                .size_limit(1 << 20)
                .build()
                .map_err(|e| e.to_string())
        };
        let words: Vec<String> = table
            .comment
            .iter()
            .map(|comment| regex::escape(&comment.word))
            .collect();
        let comments = table
            .comment
            .iter()
            .map(|c| Ok((c.id.clone(), c.scope, build(&c.pattern)?)))
            .collect::<Result<_, String>>()?;
        Ok(Self {
            words: build(&words.join("|"))?,
            comments,
            files: table.file,
        })
    }

    /// Adds what one line says. Several rows may match it; a scanner's own is counted once each.
    pub fn line(&self, line: &[u8], counts: &mut Counts) {
        let line = &line[..line.len().min(MAX_LINE)];
        if !self.words.is_match(line) {
            return;
        }
        for (id, scope, pattern) in &self.comments {
            if pattern.is_match(line) {
                *counts.entry((*scope, id.clone())).or_default() += 1;
            }
        }
    }

    /// The same for every line of a file.
    pub fn text(&self, text: &[u8], counts: &mut Counts) {
        // Almost no file has any: one search over the whole finds that out fastest.
        let Some(first) = self.words.find(text) else {
            return;
        };
        let start = text[..first.start()]
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        for line in text[start..].split(|b| *b == b'\n') {
            self.line(line.strip_suffix(b"\r").unwrap_or(line), counts);
        }
    }

    /// The tool whose ignore file has this name.
    pub fn file(&self, name: &str) -> Option<Arc<str>> {
        self.files
            .iter()
            .find(|file| file.names.iter().any(|known| known == name))
            .map(|file| file.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let mut counts = Counts::new();
        Suppressions::builtin().line(line.as_bytes(), &mut counts);
        counts.keys().map(|(_, id)| id.to_string()).collect()
    }

    #[test]
    fn security_suppressions_are_known_by_their_comments() {
        for (line, ids) in [
            ("x = 1  # nosec", &["nosec"][..]),
            ("x = 1  #nosec B608 - why", &["nosec"]),
            ("q()  # noqa: S608", &["ruff"]),
            ("q()  # noqa: E501, S608", &["ruff"]),
            ("q()  # noqa", &["noqa"]),
            ("q()  # NOQA # why", &["noqa"]),
            ("f()  # nosemgrep: python.lang.x", &["semgrep"]),
            (
                "// eslint-disable-next-line security/detect-eval",
                &["eslint"],
            ),
            ("/* eslint-disable no-unused-vars, no-eval */", &["eslint"]),
            ("/* eslint-disable */", &["eslint-all"]),
            ("x := y //nolint:errcheck,gosec // why", &["gosec"]),
            ("x := y //nolint", &["golangci-all"]),
            ("x := y // #nosec G104", &["nosec"]),
            ("int x; // NOSONAR", &["sonar"]),
            ("x  # lgtm[py/sql-injection]", &["lgtm"]),
            ("x  // codeql[js/xss]", &["codeql"]),
            ("x  # snyk:ignore", &["snyk"]),
            (
                "password = \"x\"  # pragma: allowlist secret",
                &["detect-secrets"],
            ),
        ] {
            assert_eq!(found(line), ids, "{line}");
        }
    }

    #[test]
    fn other_comments_are_no_suppressions() {
        for line in [
            "x = 1  # type: ignore",
            "x = 1  # noqa: E501",
            "x = 1  # noqa: SIM102",
            "# pragma: no cover",
            "// eslint-disable-next-line no-unused-vars",
            "x := y //nolint:errcheck",
            "nosec = True",
            "LGTM, ship it",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn a_whole_text_gives_what_its_lines_give() {
        let text = "a\nb # nosec\n".repeat(50) + "c # noqa\r\nd # nosec";
        let mut counts = Counts::new();
        Suppressions::builtin().text(text.as_bytes(), &mut counts);
        let counts: Vec<u64> = counts.into_values().collect();
        assert_eq!(counts, [51, 1]);
    }
}
