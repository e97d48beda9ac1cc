//! Lowers source text to IR; never fails, returns a unit and problems.
//!
//! It does not know about libraries, frameworks or weaknesses, nor about any other file. Read
//! [`lower`] first; one module per language turns its parser's tree into [`solvent_ir`], and `ssa`
//! builds the static single assignment form for all of them. [`syntax`] is the tree itself, for whoever edits
//! source text.

mod python;
mod source;
mod ssa;
pub mod syntax;

use solvent_base::{FilePath, Interner};
use solvent_ir::{Language, Unit};

/// Largest source file that is read, in bytes. A tree costs up to 40 bytes per byte of dense source
/// (`a` on each line) and the IR as much again, so 8 MiB stay below 1 GiB; the largest generated
/// modules on PyPI have 5 MiB.
pub const MAX_SOURCE_BYTES: u64 = 8 << 20;

/// The language of a file by its name, if it is one that can be lowered.
pub fn language_of(path: &FilePath) -> Option<Language> {
    match path.extension()? {
        "py" | "pyw" => Some(Language::Python),
        _ => None,
    }
}

/// Lowers one file. What could not be read is in the unit's problems; a file larger than
/// [`MAX_SOURCE_BYTES`] or nested too deeply gives a unit with an empty module body.
pub fn lower(path: &FilePath, bytes: &[u8], names: &Interner) -> Unit {
    python::lower(path, bytes, names)
}
