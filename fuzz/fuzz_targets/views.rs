//! Any bytes are a template of any syntax, and what it becomes is well-formed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::{FilePath, Interner};

const NAMES: [&str; 6] = [
    "views/a.ejs",
    "views/a.pug",
    "views/a.njk",
    "views/a.hbs",
    "views/a.html",
    "templates/a.html",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let Some(path) = FilePath::new(NAMES[usize::from(*first) % NAMES.len()]) else { return };
    let Some(language) = solvent_lang::view::language_of(&path, true, true) else { return };
    let names = Interner::new();
    let unit = solvent_lang::view::lower(&path, text, &names, language);
    let faults = solvent_ir::check(&unit);
    assert!(faults.is_empty(), "{faults:#?}");
    let length = text.len() as u32;
    for inst in unit.functions.iter().flat_map(|function| &function.insts) {
        assert!(inst.span.end <= length, "a span ends behind the file");
    }
});
