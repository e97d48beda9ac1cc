//! Turns a flow into a proof, or says what stopped it.
//!
//! It does not know how flows are found, how proofs are recorded or shown, or how a sandbox is built.
//! Read [`campaign`] (what is asked and answered), then [`recipe`] and [`prepare`] (how a target gets to
//! run), `request` and `payload` (what is sent), `oracle` (what counts), `probe` (the search), `verify`
//! (three fresh instances, by a verifier that shares no state with the search).
//!
//! A patch is verified by [`gauntlet`]: `family` (the whole payload family, with `variation`), `behaviour`
//! (`harmless` and `harvest` look around, `script` runs and compares), `suite` and [`junit`] (the application's tests), `scope`
//! (what is touched).
//!
//! ```text
//! prepare(&Recipe, tree: &Path, cache: &Path, &dyn Sandbox, OnProgress) -> Result<Prepared, PrepareError>
//! prove(&Attack, &Prepared, &dyn Sandbox, &Options, OnProgress) -> Campaign
//! replay(&Capsule, &Prepared, &dyn Sandbox, &Options, OnProgress) -> ReplayResult
//! verify_patch(&Job, &dyn Sandbox, &Options, OnProgress) -> Gauntlet
//! ```
//!
//! Promises, named where they are kept:
//! - *fresh token*: every request carries its own unguessable token from the operating system;
//! - *control*: no effect counts unless the benign twin, sent before and after, shows none;
//! - *no echo*: nothing that was in a request is evidence;
//! - *three of three*: `proven` needs the effect in each of three fresh instances.

mod aim;
mod attempt;
mod behaviour;
pub mod body;
pub mod campaign;
mod case;
mod exec;
mod family;
pub mod gauntlet;
mod harmless;
mod harvest;
mod html;
pub mod http;
pub mod infer;
pub mod interpreter;
pub mod junit;
mod login;
mod mask;
mod oracle;
mod payload;
mod pip;
pub mod prepare;
mod probe;
pub mod recipe;
mod request;
mod run;
mod scope;
mod script;
mod shape;
mod source;
mod suite;
mod target;
mod token;
mod tree;
mod value;
mod variation;
mod verify;

pub use campaign::{
    Attack, Campaign, CaseResult, Exchange, OnProgress, Options, Progress, Proof, ReplayResult,
};
pub use gauntlet::{Check, CheckName, CheckResult, Gauntlet, GauntletVerdict, Job, verify_patch};
pub use infer::{AppHint, infer};
pub use prepare::{Places, PrepareError, Prepared, prepare};
pub use recipe::{Recipe, RecipeError};
pub use run::{prove, replay};
pub use source::fetch_source;
