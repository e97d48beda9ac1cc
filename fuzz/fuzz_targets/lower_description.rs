//! Any bytes lower to well-formed IR as an API description, and printing it does not fail either.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::{FilePath, Interner};

fuzz_target!(|bytes: &[u8]| {
    let Some(path) = FilePath::new("specs/api.yml") else { return };
    let names = Interner::new();
    let unit = solvent_lang::lower_description(&path, bytes, &names);
    let faults = solvent_ir::check(&unit);
    assert!(faults.is_empty(), "{faults:#?}");
    let length = bytes.len() as u32;
    for inst in unit.functions.iter().flat_map(|function| &function.insts) {
        assert!(inst.span.end <= length, "a span ends behind the file");
    }
    solvent_ir::display(&unit, &names);
});
