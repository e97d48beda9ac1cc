//! Proposes patches with a disposition.
//!
//! It does not know whether a patch works: that is shown by running the application with it (`prove`), and
//! it decides nothing (`govern`). A patch is byte ranges over the text as it is, never a reprint of the file.
//!
//! Read [`propose`] and [`Patch`]; [`root_causes`] says what one change cures. `source` and `scope` look at
//! the program, `pieces` takes a text apart into literals and holes, and one module per weakness (`sql`,
//! `shell`, `path`) puts the holes where they do no harm. [`regression_test`] writes a test for the
//! application's own suite.

mod cause;
mod draft;
mod edit;
mod imports;
mod path;
mod pieces;
mod python;
mod regress;
mod scope;
mod shell;
mod source;
mod sql;

use std::fmt;

use solvent_base::FilePath;

pub use cause::{RootCause, root_causes};
pub use edit::{Base, Edit, FileEdit, Misfit};
pub use regress::regression_test;
pub use source::Sources;

use source::World;

/// What may be done with a patch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Disposition {
    /// The same for every innocent input; nothing was assumed.
    Mechanical,
    /// Something was assumed or changes for some innocent input; `notes` say what.
    NeedsReview,
}

impl Disposition {
    /// The word of the glossary.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mechanical => "mechanical",
            Self::NeedsReview => "needs_review",
        }
    }
}

/// A change that should cure one root cause. Nothing is shown yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patch {
    /// `bound-parameters`.
    pub fixer: &'static str,
    pub disposition: Disposition,
    /// By path; at least one.
    pub files: Vec<FileEdit>,
    /// One sentence, lower case, without full stop.
    pub summary: String,
    /// How to undo it, one sentence.
    pub rollback: String,
    /// What a reviewer should check, one sentence each.
    pub notes: Vec<String>,
}

/// Why a fixer proposes nothing, for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoPatch {
    /// No fixer knows this weakness.
    NoFixer { weakness: String },
    /// A file on the way cannot be read or edited.
    Unreadable { path: FilePath, why: String },
    /// The text does not have the call where the finding says.
    Moved { path: FilePath, line: u32 },
    /// The input is the whole command.
    WholeCommand,
    /// The input names the program.
    Program,
    /// The input is a part of the statement where no value can stand.
    NotAValue { source: String, place: String },
    /// The whole statement comes from the request.
    WholeStatement,
    /// It is not known how the driver writes parameters.
    UnknownDriver,
    /// The driver takes no parameters here.
    NoParameters { callee: String },
    /// The way of the value could not be followed, or the place not be changed.
    NotFollowed { what: String, line: u32 },
}

impl fmt::Display for NoPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFixer { weakness } => write!(
                f,
                "no fixer for {weakness}; propose a patch of your own, it is verified the same way"
            ),
            Self::Unreadable { path, why } => write!(f, "`{path}` cannot be edited: {why}"),
            Self::Moved { path, line } => write!(
                f,
                "`{path}` line {line} is not the call that was found; scan this revision again"
            ),
            Self::WholeCommand => f.write_str(
                "the whole command comes from the request, so no quoting makes it safe; decide which commands \
                 may be run and look the request's word up in that list",
            ),
            Self::Program => f.write_str(
                "the program to run comes from the request; decide which programs may be run and look the \
                 request's word up in that list",
            ),
            Self::NotAValue { source, place } => write!(
                f,
                "`{source}` is part of {place}, where a parameter cannot stand; decide which names are allowed \
                 and look the request's word up in that list"
            ),
            Self::WholeStatement => f.write_str(
                "the whole statement comes from the request; decide which statements may be run and name them",
            ),
            Self::UnknownDriver => f.write_str(
                "the database driver is not known, so neither is how it writes parameters; use bound \
                 parameters by hand",
            ),
            Self::NoParameters { callee } => write!(
                f,
                "`{callee}` takes no parameters; split the script and bind the values in a single statement"
            ),
            Self::NotFollowed { what, line } => {
                write!(f, "{what} (line {line}); change it by hand")
            }
        }
    }
}

/// The answer for one root cause: patches, best first, and why there are not more.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Proposal {
    pub patches: Vec<Patch>,
    /// Not empty when there is no patch.
    pub refused: Vec<NoPatch>,
}

/// Knows one way to cure one weakness.
pub trait Fixer {
    /// `bound-parameters`; also the value of [`Patch::fixer`].
    fn name(&self) -> &'static str;
    /// `CWE-89`.
    fn weakness(&self) -> &'static str;
    /// Never fails, never panics, whatever the sources hold.
    fn propose(&self, cause: &RootCause<'_>, sources: &Sources<'_>) -> Proposal;
}

struct BoundParameters;
struct ArgumentList;
struct ResolvedPath;

impl Fixer for BoundParameters {
    fn name(&self) -> &'static str {
        "bound-parameters"
    }
    fn weakness(&self) -> &'static str {
        "CWE-89"
    }
    fn propose(&self, cause: &RootCause<'_>, sources: &Sources<'_>) -> Proposal {
        sql::propose(&World::new(sources), cause)
    }
}

impl Fixer for ArgumentList {
    fn name(&self) -> &'static str {
        "argument-list"
    }
    fn weakness(&self) -> &'static str {
        "CWE-78"
    }
    fn propose(&self, cause: &RootCause<'_>, sources: &Sources<'_>) -> Proposal {
        shell::propose(&World::new(sources), cause)
    }
}

impl Fixer for ResolvedPath {
    fn name(&self) -> &'static str {
        "resolved-path"
    }
    fn weakness(&self) -> &'static str {
        "CWE-22"
    }
    fn propose(&self, cause: &RootCause<'_>, sources: &Sources<'_>) -> Proposal {
        path::propose(&World::new(sources), cause)
    }
}

/// Every fixer.
pub fn fixers() -> [&'static dyn Fixer; 3] {
    [&BoundParameters, &ArgumentList, &ResolvedPath]
}

/// What the fixers of the cause's weakness propose. Every patch applies to the sources as they are, and its
/// result parses.
pub fn propose(cause: &RootCause<'_>, sources: &Sources<'_>) -> Proposal {
    let mut out = Proposal::default();
    for fixer in fixers() {
        if fixer.weakness() != cause.weakness.0 {
            continue;
        }
        let proposal = fixer.propose(cause, sources);
        for patch in proposal.patches {
            match draft::check(&patch, sources) {
                Ok(()) if out.patches.iter().any(|p| p.files == patch.files) => {}
                Ok(()) => out.patches.push(patch),
                Err(why) => out.refused.push(why),
            }
        }
        out.refused.extend(proposal.refused);
    }
    if out.patches.is_empty() && out.refused.is_empty() {
        out.refused.push(NoPatch::NoFixer {
            weakness: cause.weakness.0.clone(),
        });
    }
    out
}
