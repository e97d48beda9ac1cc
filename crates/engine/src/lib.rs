//! The loop, and the one door.
//!
//! It does not know about arguments, colours or exit codes; those are the binary's. Every command that
//! changes or attacks anything goes through [`Engine::submit`]: decide, record the intent, act, record
//! the result, fold the records into the projections. Read [`command`] (what can be asked), [`door`]
//! (the one door), then [`repo`] (what is looked at), [`scan`], [`prove`], [`impact`] (what a change touches), [`read`] (answers that change nothing),
//! [`reader`] (the same without the writer's lock, now or as of an earlier moment).

mod branch;
pub mod command;
pub mod debt;
mod decision;
mod describe;
pub mod door;
pub mod error;
pub mod evidence;
mod gate;
mod governance;
pub mod graph;
pub mod impact;
mod merge;
pub mod outside;
pub mod progress;
pub mod prove;
pub mod read;
pub mod reader;
pub mod remedy;
pub mod repo;
mod reproof;
pub mod scan;
mod system;

pub use command::{Actor, ActorKind, Answer, Command, Created};
pub use debt::DebtRequest;
pub use door::{Engine, Options};
pub use prove::FirstRecipe;
/// What policy decides about, for callers that explain.
pub use solvent_govern as govern;

pub use error::{EngineError, Failure};
pub use outside::{check_evidence, curl, fetch_package, verify};
pub use progress::{Progress, Quiet};
pub use read::View;
pub use reader::{AsOf, Reader, instant};
