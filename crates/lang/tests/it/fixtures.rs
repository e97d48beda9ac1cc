//! Pages in `fixtures/<language>/lowering`: source text and the IR it becomes.

use std::fmt::Write as _;
use std::path::Path;

use solvent_base::{FilePath, Interner};

#[test]
fn pages_show_what_each_construct_becomes() {
    show("python", "case.py");
}

#[test]
fn pages_show_what_each_construct_of_javascript_becomes() {
    show("javascript", "case.ts");
}

#[test]
fn pages_show_what_each_construct_of_go_becomes() {
    show("go", "case.go");
}

#[test]
fn pages_show_what_each_construct_of_java_becomes() {
    show("java", "Case.java");
}

fn show(language: &str, unnamed: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let folder = fixtures.join(language).join("lowering");
    solvent_testkit::run(&folder, "ir", |case| {
        let mut out = String::new();
        for file in case.files(language) {
            let name = file.path.as_deref().unwrap_or(unnamed);
            let path = FilePath::new(name).expect("a path in the info string");
            let names = Interner::new();
            let unit = solvent_lang::lower(&path, file.text.as_bytes(), &names);
            let faults = solvent_ir::check(&unit);
            assert!(faults.is_empty(), "{}: {faults:#?}", case.title);
            out.push_str(&solvent_ir::display(&unit, &names));
            for problem in &unit.problems {
                let span = problem
                    .span
                    .map_or(String::new(), |s| format!("{}..{} ", s.start, s.end));
                let _ = writeln!(out, "{:?}: {span}{}", problem.kind, problem.message);
            }
        }
        out
    });
}
