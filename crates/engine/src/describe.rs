//! API descriptions that bind a program's functions, read where a library of the program serves them.

use solvent_base::{Digest, FilePath, Interner, System};
use solvent_ir::{Language, Op, Unit};

/// Libraries that serve what an OpenAPI file names.
const SERVED_BY: [&str; 1] = ["connexion"];

/// The descriptions among `files`, lowered; none where no module imports a library that serves them.
pub fn descriptions<'f>(
    files: impl Iterator<Item = &'f FilePath>,
    units: &[Unit],
    system: &dyn System,
    names: &Interner,
) -> Vec<(Unit, Digest)> {
    if !units.iter().any(|unit| imports_one(unit, names)) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for path in files {
        if !matches!(path.extension(), Some("yaml" | "yml" | "json")) {
            continue;
        }
        let Ok(bytes) = system.read(path, solvent_lang::MAX_DESCRIPTION_BYTES) else {
            continue;
        };
        if solvent_lang::is_description(path, &bytes) {
            let unit = solvent_lang::lower_description(path, &bytes, names);
            out.push((unit, Digest::of(&bytes)));
        }
    }
    out
}

fn imports_one(unit: &Unit, names: &Interner) -> bool {
    let is_served = |text: &str| {
        let top = text.split('.').next().unwrap_or_default();
        SERVED_BY.contains(&top)
    };
    unit.language == Language::Python
        && unit.functions.iter().any(|function| {
            function.insts.iter().any(|inst| match inst.op {
                Op::Import {
                    module, level: 0, ..
                } => is_served(&names.text(module)),
                _ => false,
            })
        })
}
