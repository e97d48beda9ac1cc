//! What went wrong while a pure function still returned a value.

use crate::{FilePath, Span};

/// What kind of gap a problem leaves in an answer. Every one of them is *unmeasured* to a reader,
/// never clean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProblemKind {
    /// The file could not be read.
    Unreadable,
    /// The file is larger than the cap for its language.
    TooLarge,
    /// Bytes that are not text in the declared encoding.
    Encoding,
    /// Part of the file is not valid in its language; what could be read was read.
    Syntax,
    /// A link that leads out of the tree or in a circle.
    Link,
    /// A construct that is read but not modelled.
    Unmodelled,
    /// A search limit was reached; the answer is partial.
    Limit,
    /// The data (models, weaknesses, configuration) is not what it should be.
    Data,
}

/// One gap: what, where, in words. Messages are lower case, without a full stop, input in backticks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    pub kind: ProblemKind,
    pub path: Option<FilePath>,
    pub span: Option<Span>,
    pub message: String,
}
