//! Git history: diffs, blame, who or what wrote a line.
//!
//! It does not know about findings, policies or reports. It runs the command line program git on a
//! repository that may be hostile and answers from what git stores; what git does not store, or this clone
//! lacks, is named as a [`Gap`]. Marks of coding tools are claims that anyone who can push can make or
//! leave out: an origin is detected or unknown, never "a person" because nothing was found. Persons are
//! compared inside this crate and leave it as classes only.
//!
//! Read [`history()`] first (what changed in the last months, by whom or what), then [`origin`] (the
//! answer's nouns) and [`marks`] (the tables in `signals/`). [`revisions_at`] and [`Trees`] give the past to a
//! scan, [`introduced`] gives a finding's commit, [`affected()`] gives a change's files and lines. [`git`]
//! is the only place that runs anything.

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")
)]

pub mod affected;
mod alive;
pub mod blame;
pub mod code;
mod commit;
mod error;
pub mod figures;
pub mod git;
mod history;
mod id;
mod line;
mod lines;
pub mod marks;
mod month;
pub mod note;
mod notes;
mod objects;
pub mod origin;
pub mod patch;
mod patches;
mod replay;
mod review;
mod revision;
pub mod suppression;
mod tree;

pub use affected::{Affected, AffectedFile, Judge, affected};
pub use alive::{Alive, IgnoreFile};
pub use blame::{BlameLimits, BlamedLine, LineRange, Place, blame, introduced};
pub use error::{ChangeError, Gap};
pub use figures::{Landings, MonthFigures};
pub use history::{Authorship, Change, History, Limits, Size, Step, history, origins, read_steps};
pub use id::ObjectId;
pub use line::Clocks;
pub use month::Month;
pub use origin::{Grade, Mark, Origin, Range, Tally};
pub use review::{Merger, Route};
pub use revision::{At, MonthEnd, is_dirty, resolve, revisions_at};
pub use tree::{Tree, Trees};
