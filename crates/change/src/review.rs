//! How a commit came onto the default branch, as far as it shows.

use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::commit::{Person, RawCommit, trailers};

const TABLE: &str = include_str!("../../../signals/reviews.toml");

/// Lines of a message that are looked at.
const MAX_LINES: usize = 2_000;

/// Trailer of a merge that Solvent made, as [`trailers`] spells keys.
const CHANGE: &str = "solvent-change";

/// Letters of the id of a change.
const MAX_ID: usize = 64;

/// The way one commit of the default branch came there. Git keeps no record of it: these are signs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Route {
    /// The first commit of a history.
    Root,
    Merge(Merger),
    /// One commit with the number or trailer of a change request, by the row of `signals/reviews.toml`.
    Request(Arc<str>),
    /// Committed by the forge itself, without a number: a merge button, or an edit in the browser.
    Forge,
    /// No sign of a change request.
    Direct,
    /// The same, by a bot: releases, translations.
    DirectByBot,
}

/// Who made a merge commit, compared with who wrote what it brings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Merger {
    /// The author of all of it, nobody else.
    OnlyAuthor,
    /// Somebody else, or one of several authors.
    Another,
    /// Solvent made it for somebody, as the trailer `Solvent-Change` says: git names the program on both sides,
    /// and the record of that change knows the people.
    Recorded(Arc<str>),
    /// What it brings is not in this clone, or is nothing.
    Unknown,
}

pub(crate) struct Reviews {
    forges: Vec<String>,
    signs: Vec<(Arc<str>, Option<Regex>, Option<Regex>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    forges: Vec<String>,
    sign: Vec<Sign>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    id: Arc<str>,
    subject: Option<String>,
    line: Option<String>,
}

impl Reviews {
    pub(crate) fn builtin() -> &'static Self {
        static READ: OnceLock<Reviews> = OnceLock::new();
        READ.get_or_init(|| match Reviews::parse(TABLE) {
            Ok(table) => table,
            Err(words) => panic!("`signals/reviews.toml` is broken, which its test finds: {words}"),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let build = |pattern: Option<String>| {
            pattern
                .map(|p| {
                    RegexBuilder::new(&p)
                        .case_insensitive(true)
                        .size_limit(1 << 20)
                        .build()
                        .map_err(|e| e.to_string())
                })
                .transpose()
        };
        let signs = table
            .sign
            .into_iter()
            .map(|s| Ok((s.id, build(s.subject)?, build(s.line)?)))
            .collect::<Result<_, String>>()?;
        Ok(Self {
            forges: table.forges,
            signs,
        })
    }

    pub(crate) fn forge(&self, person: &Person) -> bool {
        let mail = person.mail.to_lowercase();
        self.forges.contains(&mail)
    }

    /// The sign of a change request in a message.
    pub(crate) fn sign(&self, message: &str) -> Option<Arc<str>> {
        let mut lines = message.lines().take(MAX_LINES);
        let subject = lines.next().unwrap_or_default();
        let by_subject = self
            .signs
            .iter()
            .find(|(_, pattern, _)| pattern.as_ref().is_some_and(|p| p.is_match(subject)));
        if let Some((id, ..)) = by_subject {
            return Some(id.clone());
        }
        lines.find_map(|line| {
            self.signs
                .iter()
                .find(|(_, _, pattern)| pattern.as_ref().is_some_and(|p| p.is_match(line)))
                .map(|(id, ..)| id.clone())
        })
    }

    /// Id of the change that a merge names as Solvent's.
    pub(crate) fn recorded(&self, message: &str) -> Option<Arc<str>> {
        trailers(message)
            .into_iter()
            .rfind(|(key, value)| {
                key == CHANGE
                    && value.len() <= MAX_ID
                    && value.bytes().all(|b| b.is_ascii_hexdigit())
            })
            .map(|(_, id)| id.into())
    }

    /// Who pressed the button: behind a forge's committer it is the author of the merge commit.
    pub(crate) fn merger<'a>(&self, merge: &'a RawCommit) -> &'a Person {
        if self.forge(&merge.committer) {
            &merge.author
        } else {
            &merge.committer
        }
    }
}

/// People have several addresses, and forges give them more: the same name is the same person here.
pub(crate) fn same(a: &Person, b: &Person) -> bool {
    let equal = |a: &str, b: &str| !a.is_empty() && a.to_lowercase() == b.to_lowercase();
    equal(&a.mail, &b.mail) || equal(&a.name, &b.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_requests_leave_a_number_or_a_trailer() {
        let sign = |text: &str| Reviews::builtin().sign(text).map(|id| id.to_string());
        for (text, id) in [
            ("Add a page (#123)", "github"),
            ("Add a page (!7)\n", "gitlab"),
            ("Add\n\nSee merge request group/sub/proj!12", "gitlab"),
            (
                "Add\n\nChange-Id: I0123456789abcdef0123456789abcdef01234567",
                "gerrit",
            ),
            ("Add\n\nDifferential Revision: https://x/D1", "phabricator"),
            ("Merged PR 5: add", "azure-devops"),
        ] {
            assert_eq!(sign(text).as_deref(), Some(id), "{text}");
        }
        for text in [
            "Fix #123",
            "Fix (#12) and go on",
            "Fixed #4 -- done",
            "",
            "x\n\n(#123)",
        ] {
            assert_eq!(sign(text), None, "{text}");
        }
    }
}
