//! Lowering, as a whole.

mod description;
mod fixtures;
mod generated;
mod hostile;
mod library;
mod mutated;
mod views;

use solvent_base::{FilePath, Interner};
use solvent_ir::Unit;

/// Lowers text and holds the result to the definition of well-formed IR.
fn lowered(text: &[u8], names: &Interner) -> Unit {
    let path = FilePath::new("app/module.py").expect("a path");
    let unit = solvent_lang::lower(&path, text, names);
    let faults = solvent_ir::check(&unit);
    assert!(
        faults.is_empty(),
        "{faults:#?}\n{}",
        solvent_ir::display(&unit, names)
    );
    unit
}
