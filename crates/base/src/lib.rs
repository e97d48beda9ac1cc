//! Files, spans, ids, digests, and the only trait through which the world is reached.
//!
//! It does not know about languages, findings or commands. Read [`System`] first: pure crates see the
//! world only through it. Then [`path`], [`text`] (spans and lines), [`digest`], [`intern`], [`problem`].

pub mod digest;
pub mod intern;
pub mod path;
pub mod problem;
pub mod system;
pub mod text;

pub use digest::Digest;
pub use intern::{Interner, Name};
pub use path::FilePath;
pub use problem::{Problem, ProblemKind};
pub use system::{FileEntry, ReadError, System, Timestamp, Walk};
pub use text::{LineColumn, LineIndex, Location, Span};
