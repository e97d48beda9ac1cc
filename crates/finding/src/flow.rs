//! How input gets to a sink, in enough detail to build a request for it.

use solvent_base::Location;

use crate::entry::{Input, Symbol};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StepKind {
    Source,
    /// Assignment or expression inside one function.
    Local,
    /// Into a callee.
    Call,
    /// Back to a caller.
    Return,
    /// Through a library call by a model's step.
    Library,
    /// In a request to another service.
    Sent,
    Sink,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub kind: StepKind,
    pub location: Location,
    pub function: Symbol,
    /// Words for a person: `passes value to find_user(name)`.
    pub what: String,
    /// The one line of source text, trimmed, at most 200 bytes.
    pub text: String,
}

/// What happened to the input's text on the way, in order, so that a payload can be shaped to survive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transform {
    Prefix(String),
    Suffix(String),
    /// Python slice of the text, negative counts from the end.
    Slice {
        lower: Option<i64>,
        upper: Option<i64>,
    },
    /// `split(separator)[index]`; whitespace when the separator is `None`.
    Split {
        separator: Option<String>,
        index: i64,
    },
    Replace {
        from: String,
        to: String,
    },
    Strip,
    Lower,
    Upper,
    UrlDecode,
    UrlEncode,
    Base64Decode,
    Base64Encode,
    HtmlEscape,
    Json,
    /// A model's step that changes the text in a way that is not described.
    Opaque(String),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Comparison {
    Equals,
    NotEquals,
    Contains,
    StartsWith,
    EndsWith,
    /// Present at all, or truthy.
    Present,
    Absent,
    /// A full match of this regular expression.
    Matches,
    /// Text of digits.
    Digits,
}

/// Something that must hold for control to get to the sink, about one input of the request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Condition {
    pub input: Input,
    pub comparison: Comparison,
    /// Empty for `Present`, `Absent`, `Digits`.
    pub value: String,
}

/// One piece of the text at the sink.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    Literal(String),
    /// The attacker's text, after the flow's transforms.
    Input,
    /// Text of unknown content.
    Other,
}

/// The text that arrives at the sink, as far as it is known: `SELECT * FROM t WHERE n = '` + input + `'`.
/// Empty when nothing is known. For a list of arguments each element is its own template, in order,
/// separated by the single part `Literal("\0")`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Template {
    pub parts: Vec<Part>,
}

/// Ordered steps from one input to the sink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    pub input: Input,
    pub steps: Vec<Step>,
    pub transforms: Vec<Transform>,
    pub conditions: Vec<Condition>,
    pub template: Template,
}
