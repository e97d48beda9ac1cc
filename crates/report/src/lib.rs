//! Output formats, each one handler of protocol messages.
//!
//! It does not know how a finding came to be, where a ledger lies or what a terminal can do; it gets
//! finished views and gives text. Everything in a view may have been written by an attacker (paths,
//! source lines, parameter names, answers of a target), so every format makes outside text visible and
//! escapes it. [`html`] and [`debt`] are the pages for people, printed on the [`sheet`] that all
//! pages share, [`sarif`] the file for other tools, [`text`] the words of the command line, [`evidence`] the
//! folder for auditors; [`visible`] and [`words`] are shared by all.

pub mod debt;
pub mod evidence;
pub mod graph;
pub mod html;
pub mod sarif;
pub mod sheet;
pub mod text;
pub mod visible;
pub mod words;

use solvent_protocol::view::FullReport;

/// A format in which a whole report leaves the program.
pub trait Handler {
    /// What people type: `html`.
    fn name(&self) -> &'static str;
    fn media_type(&self) -> &'static str;
    /// Without a dot.
    fn extension(&self) -> &'static str;
    /// The same report gives the same bytes.
    fn render(&self, report: &FullReport) -> String;
}

/// Every format, by name.
pub fn handlers() -> [&'static dyn Handler; 2] {
    [&html::Html, &sarif::Sarif]
}
