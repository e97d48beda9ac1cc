//! Labels: where a value comes from, what happened to it, and for which kinds it is harmless.

use solvent_base::Name;
use solvent_finding::{Carrier, Transform};

use crate::link::Site;

/// How inputs lie inside a labelled value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum InputShape {
    /// The value is the input.
    Whole,
    /// A mapping from input names to inputs; the flag says whether its keys are attacker's too.
    Map,
    /// A mapping whose values are inputs that may be nested themselves.
    Trees,
    /// Nested mappings and lists; names are dotted.
    Tree,
}

/// An interned request input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InputId(pub u32);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InputKey {
    pub carrier: Carrier,
    /// Empty while the name is not known.
    pub name: Name,
    /// Inner keys of a tree, from the outside in.
    pub inner: Vec<Name>,
    pub shape: InputShape,
}

/// What a label stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// Part of a request.
    Input(InputId),
    /// The labels in hole `k` of the arguments that a summary was computed for.
    Hole(u16),
    /// A parameter of a function that is looked at without callers.
    Param(u16),
    /// The request method: no text of the attacker, but what it is compared with decides which
    /// methods get on.
    Method,
    /// Command line, environment or the like: outside the program, not an outside entry.
    Local,
}

/// One step in the life of a label's text; accesses wait here until a hole is filled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    Transform(Transform),
    /// Reads the value under a constant key.
    Key(Name),
    /// Any element of a sequence, any value of a mapping.
    Value,
    /// Any key of a mapping; also what iterating one gives.
    Keys,
    /// `a=1&b=2` becomes a mapping.
    ParseQuery,
    /// JSON text becomes a tree.
    ParseJson,
    /// The query of a URL or request target.
    QueryPart,
    /// A `Cookie` header becomes a mapping.
    ParseCookie,
}

/// Facts about a label's text that a guard established and a sink may ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Marks(pub u16);

impl Marks {
    /// Contains no `..` (or no `../`).
    pub const NO_CLIMB: u16 = 1;
    /// Does not begin with a separator.
    pub const NOT_ABSOLUTE: u16 = 2;
    /// `.` and `..` are resolved, and links followed.
    pub const NORMAL: u16 = 4;
    /// Put into a path by a function that lets an absolute part drop what stands before it.
    pub const JOINED: u16 = 16;
    /// Stands alone as an element of an argument list.
    pub const OWN_ARGUMENT: u16 = 8;

    /// Begins with a slash.
    pub const FROM_ROOT: u16 = 32;
    /// Does not begin with two slashes.
    pub const NO_AUTHORITY: u16 = 64;
    /// Contains no backslash.
    pub const NO_BACKSLASH: u16 = 128;
    /// What a browser takes for a path of the same site (WHATWG URL, "relative slash state").
    pub const SAME_SITE: u16 = Self::FROM_ROOT | Self::NO_AUTHORITY | Self::NO_BACKSLASH;

    /// Begins with a single quote; ends with one; has none between the two.
    pub const SINGLE_BEGINS: u16 = 256;
    pub const SINGLE_ENDS: u16 = 512;
    pub const SINGLE_NOT_INSIDE: u16 = 1024;
    /// The same of double quotes.
    pub const DOUBLE_BEGINS: u16 = 2048;
    pub const DOUBLE_ENDS: u16 = 4096;
    pub const DOUBLE_NOT_INSIDE: u16 = 8192;
    /// One text in quotes and nothing else, as programs write it: without a quote inside nothing ends it early, not even
    /// behind a backslash.
    pub const QUOTED: [u16; 2] = [
        Self::SINGLE_BEGINS | Self::SINGLE_ENDS | Self::SINGLE_NOT_INSIDE,
        Self::DOUBLE_BEGINS | Self::DOUBLE_ENDS | Self::DOUBLE_NOT_INSIDE,
    ];

    /// Was decoded: what had become harmless before need not be so any more.
    pub const DECODED: u16 = 16384;

    pub fn has(self, mark: u16) -> bool {
        self.0 & mark == mark
    }
}

/// Interned ids; 0 is the empty one of each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ChainId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TraceId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NoteSet(pub u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    pub origin: Origin,
    /// Kinds for which the text is harmless, a bit per kind.
    pub kills: u64,
    pub marks: Marks,
    pub chain: ChainId,
    /// How it got here; no part of the label's identity.
    pub trace: TraceId,
    /// Assumptions, and what made it harmless; no part of the label's identity.
    pub notes: NoteSet,
}

impl Label {
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            kills: 0,
            marks: Marks::default(),
            chain: ChainId::default(),
            trace: TraceId::default(),
            notes: NoteSet::default(),
        }
    }

    /// What two labels must share to be one.
    pub fn identity(&self) -> (Origin, u64, Marks, ChainId) {
        (self.origin, self.kills, self.marks, self.chain)
    }
}

/// Something to be said about a label: why it is taken for granted, or why it is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Note {
    NameOnlyCall {
        site: Site,
        name: Name,
    },
    UnmodelledCall {
        site: Site,
        name: Name,
    },
    Widened {
        site: Site,
    },
    /// Sanitized for the kinds in the mask by the named thing.
    Sanitized {
        site: Site,
        by: Name,
        kinds: u64,
    },
    Guarded {
        site: Site,
        by: Name,
        kinds: u64,
    },
    /// A text in quotes and nothing else, after this much had happened to it.
    Quoted {
        chain: ChainId,
    },
    /// Kept in memory by one request, used by another.
    Stored {
        site: Site,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TraceKind {
    Source,
    Local,
    Call,
    Return,
    Library,
}

/// One hop; `parent` is the hop before, 0 is the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hop {
    pub parent: TraceId,
    pub kind: TraceKind,
    pub site: Site,
    pub what: Name,
}
