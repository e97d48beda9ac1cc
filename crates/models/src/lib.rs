//! Parses and checks the data: library models, weaknesses and the closed list of kinds.
//!
//! It does not know about source text, functions of an analysed program, or requests: it answers what
//! a dotted path means. Read [`ModelSet`] first (what can be asked), then [`row`] (the answers),
//! [`port`] (places in a call), [`kind`] (the labels). [`toml_row`] and [`suggest`] read any data file with
//! the place of every complaint; other rooms read theirs with them. The files themselves are in `models/` and
//! `weaknesses/`; how to write one is in CONTRIBUTING.md.

pub mod backtracking;
pub mod kind;
pub mod pattern;
pub mod port;
mod read;
pub mod regex;
pub mod row;
mod set;
pub mod suggest;
pub mod toml_row;

pub use kind::{Kind, KindSet, SourceKind};
pub use port::{ArgSelector, Port, PortRoot, PortStep};
pub use row::{
    ByName, Callback, Converter, Effect, EntryRow, EntryShape, Filling, Given, Guard, GuardSense,
    Harmful, How, Interpreter, Judge, KindInfo, Literal, Member, Mutation, RouteSyntax,
    SecretNames, Shown, SinkRow, Slowness, Source, SourceShape, StepRow, Test, Truth, TypeRef,
    UseRow, View, Weakness, When,
};
pub use set::{MemberId, ModelSet};
