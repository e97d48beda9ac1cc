//! System Graph: symbols, calls with reasons, entry points, exposure.
//!
//! It does not know about verdicts, findings or proofs: it says what calls what, where outside
//! control begins, and what arrives at the sinks that the models name. Read [`build`] and
//! [`SystemGraph`], then [`link`] (units into one program), [`value`] and [`label`] (what is known of
//! a value), [`machine`] (the interpreter), [`world`] (what an evaluation leaves).

mod analyse;
mod answer;
mod apply;
mod arrive;
mod assign;
mod attr;
mod builtin;
mod call;
mod dispatch;
pub mod entry;
pub mod environment;
mod fact;
mod fill;
mod go;
mod hash;
mod java;
mod javascript;
mod join;
mod key;
pub mod label;
mod library;
pub mod link;
pub mod machine;
mod made;
mod make;
mod media;
mod named;
mod native;
mod operate;
mod ports;
mod protect;
mod python;
mod raise;
mod rebuild;
mod refine;
mod route;
mod scope;
pub mod send;
pub mod shape;
mod summary;
pub mod value;
mod view;
mod weak;
pub mod world;

pub use analyse::{
    CallEdge, Hook, Root, RootKind, SystemGraph, build, build_beside, build_set, build_within,
    by_language, edges_of, on_big_stack,
};
pub use entry::Entry;
pub use environment::Environment;
pub use link::{ClassId, FnId, Program, Site, UnitId};
pub use machine::{Limits, Machine};
pub use world::{CallTier, World};
