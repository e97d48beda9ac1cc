//! Lowers source text to IR; never fails, returns a unit and problems.
//!
//! It does not know about libraries, frameworks or weaknesses, nor about any other file. Read
//! [`lower`] first; one module per language turns its parser's tree into [`solvent_ir`], and `ssa`
//! builds the static single assignment form for all of them. [`syntax`] is the tree itself, for whoever edits
//! source text; [`settings`] reads files of constants that programs load.

mod blocks;
mod description;
mod go;
mod java;
mod javascript;
mod lower;
mod mapper;
mod parse;
mod python;
mod scope;
pub mod settings;
mod source;
mod ssa;
mod state;
pub mod syntax;
pub mod view;
mod ways;

use solvent_base::{FilePath, Interner};
use solvent_ir::{Language, Unit};

pub use description::{MAX_DESCRIPTION_BYTES, is_description, lower_description};

/// Largest source file that is read, in bytes. A tree costs up to 40 bytes per byte of dense source
/// (`a` on each line) and the IR as much again, so 8 MiB stay below 1 GiB; the largest generated
/// modules on PyPI have 5 MiB.
pub const MAX_SOURCE_BYTES: u64 = 8 << 20;

/// Syntax errors that are listed one by one; the rest are counted.
const LISTED_ERRORS: usize = 16;

fn is_script(path: &str) -> bool {
    [".js", ".mjs", ".cjs"].iter().any(|e| path.ends_with(e))
}

/// Other people's code that a repository carries along, as package managers and bundlers leave it: no part of what
/// its owners wrote, and a single editor or parser outweighs all of that. Such files are counted, not read.
pub fn is_copied_in(path: &FilePath) -> bool {
    let path = path.as_str();
    let is_script = is_script(path);
    if !is_script && !path.ends_with(".go") {
        return false;
    }
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    folders.split('/').any(|folder| {
        folder == "vendor" || (is_script && matches!(folder, "bower_components" | "jspm_packages"))
    }) || (is_script && name.contains(".min."))
}

/// A script that a program wrote with everything on a few lines: what it was made from is read where it lies.
/// Lines of more than 500 bytes on average, in at least 8 KiB, are not written by hand.
pub fn is_minified(path: &FilePath, bytes: &[u8]) -> bool {
    const BYTES: usize = 8 << 10;
    const BYTES_A_LINE: usize = 500;
    let lines = || 1 + bytes.iter().filter(|b| **b == b'\n').count();
    bytes.len() >= BYTES && is_script(path.as_str()) && bytes.len() / lines() > BYTES_A_LINE
}

/// The language of a file by its name, if it is one that can be lowered.
pub fn language_of(path: &FilePath) -> Option<Language> {
    if is_copied_in(path) {
        return None;
    }
    match path.extension()? {
        "py" | "pyw" => Some(Language::Python),
        "js" | "mjs" | "cjs" | "jsx" | "tsx" | "mts" | "cts" => Some(Language::JavaScript),
        "go" => Some(Language::Go),
        "java" => Some(Language::Java),
        // Declarations carry no code.
        "ts" if !path.as_str().ends_with(".d.ts") => Some(Language::JavaScript),
        _ => None,
    }
}

/// The language of a file without an extension by its first line, where that starts an interpreter.
pub fn language_of_script(path: &FilePath, bytes: &[u8]) -> Option<Language> {
    if path.extension().is_some() {
        return None;
    }
    let line = bytes.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(256))?).ok()?;
    let command = line.strip_prefix("#!")?;
    let program = command
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .find(|word| *word != "env" && !word.starts_with('-'))?;
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "node" | "nodejs" | "bun" => Some(Language::JavaScript),
        "python" => Some(Language::Python),
        _ => None,
    }
}

/// Lowers one file. What could not be read is in the unit's problems; a file larger than
/// [`MAX_SOURCE_BYTES`] or nested too deeply gives a unit with an empty module body.
pub fn lower(path: &FilePath, bytes: &[u8], names: &Interner) -> Unit {
    match language_of(path).or_else(|| language_of_script(path, bytes)) {
        Some(Language::JavaScript) => javascript::lower(path, bytes, names),
        Some(Language::Go) => go::lower(path, bytes, names),
        Some(Language::Java) => java::lower(path, bytes, names),
        _ => python::lower(path, bytes, names),
    }
}
