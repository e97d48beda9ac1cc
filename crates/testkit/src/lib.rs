//! Fixture runner, in-memory System, one conformance suite per trait; development only.
//!
//! It does not know about what is under test: a fixture is a page of cases, and the test says how a
//! case is answered. Read [`page`] for the form of a fixture, [`memory`] for the in-memory
//! [`solvent_base::System`], [`conformance`] for what every `System` must do, [`hostile`] for trees that want to break
//! a reader.

pub mod conformance;
pub mod deploy;
pub mod hostile;
pub mod memory;
pub mod page;

pub use memory::Memory;
pub use page::{Block, Case, Page, Pin, PinKind, parse, run};
