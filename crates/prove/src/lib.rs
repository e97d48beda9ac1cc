//! Turns a flow into a proof, or says what stopped it.
//!
//! It does not know how flows are found, how proofs are recorded or shown, or how a sandbox is built.
//! Read [`campaign`] (what is asked and answered), then [`recipe`] and [`prepare`] (how a target gets to
//! run), `request` and `payload` (what is sent), `oracle` (what counts), `probe` (the search), `verify`
//! (three fresh instances, by a verifier that shares no state with the search).
//!
//! Promises, named where they are kept:
//! - *fresh token*: every request carries its own unguessable token from the operating system;
//! - *control*: no effect counts unless the benign twin, sent before and after, shows none;
//! - *no echo*: nothing that was in a request is evidence;
//! - *three of three*: `proven` needs the effect in each of three fresh instances.

pub mod campaign;
pub mod http;
pub mod infer;
pub mod interpreter;
mod pip;
pub mod prepare;
pub mod recipe;
mod tree;

pub use campaign::{
    Attack, Campaign, CaseResult, Exchange, OnProgress, Options, Progress, Proof, ReplayResult,
};
pub use infer::{AppHint, infer};
pub use prepare::{Places, PrepareError, Prepared, prepare};
pub use recipe::{Recipe, RecipeError};
