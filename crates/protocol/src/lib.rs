//! Versioned records that leave the process; the only serialised types of our own.
//!
//! It does not know how records are stored, signed or shown. Every document carries `schema`, for
//! example `solvent.scan/v1`; a field is never reused for another meaning, and a reader refuses a
//! schema it does not know. [`view`] is what people and programs read, [`capsule`] the reproducer
//! file, [`remediation`] a patch and what is decided about it, [`change`] what happens to it, [`approval`] what
//! a person signs, [`adoption`] how far a repository has come, [`evidence`] the folder for auditors, [`record`]
//! the ledger's entries, [`debt`] the figures on one repository, [`graph`] what calls what, [`impact`] what a
//! change touches.

pub mod adoption;
pub mod approval;
pub mod capsule;
pub mod change;
pub mod debt;
pub mod evidence;
pub mod graph;
pub mod impact;
pub mod record;
pub mod remediation;
pub mod view;
pub mod watch;
