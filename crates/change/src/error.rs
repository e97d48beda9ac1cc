//! What keeps a question about a history from being answered at all.

use std::fmt;

use crate::git::GitError;

/// A question that got no answer. What got a part of one has gaps instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// The folder is no git repository, or an empty one.
    NoCommit(String),
    /// No commit of this name.
    NoSuchRevision(String),
    Git(GitError),
}

impl ChangeError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoCommit(_) => "commit something first",
            Self::NoSuchRevision(_) => {
                "see `git log --oneline`; a shallow clone lacks older commits"
            }
            Self::Git(error) => error.hint(),
        }
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommit(words) => write!(f, "no commit to start from: {words}"),
            Self::NoSuchRevision(name) => write!(f, "no commit `{name}` in this repository"),
            Self::Git(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Git(error) => Some(error),
            Self::NoCommit(_) | Self::NoSuchRevision(_) => None,
        }
    }
}

impl From<GitError> for ChangeError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

/// Something that was not measured, and why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Gap {
    pub what: String,
    pub why: String,
}

impl Gap {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}
