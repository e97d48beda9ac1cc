//! Real programs with pieces cut out, doubled and swapped: half of what a hostile repository holds. Whatever they
//! say, the IR is well formed, and nothing panics.

use std::path::Path;

use solvent_base::{FilePath, Interner};
use solvent_testkit::hostile::{Numbers, Tongue, mutated, programs};

/// Programs of each language that are tried; `SOLVENT_MUTATIONS` asks for more.
const TRIED: u64 = 1_500;

fn survives(tongue: Tongue, file: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let programs = programs(&fixtures, tongue);
    assert!(programs.len() > 5, "few programs of {tongue:?}");
    let tried = std::env::var("SOLVENT_MUTATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(TRIED);
    let path = FilePath::new(file).expect("a path");
    for seed in 0..tried {
        let text = mutated(&mut Numbers(seed), &programs);
        let names = Interner::new();
        let unit = solvent_lang::lower(&path, &text, &names);
        let faults = solvent_ir::check(&unit);
        assert!(
            faults.is_empty(),
            "program {seed}: {faults:#?}\n{}",
            String::from_utf8_lossy(&text)
        );
        for inst in unit.functions.iter().flat_map(|function| &function.insts) {
            assert!(inst.span.end as usize <= text.len(), "program {seed}");
        }
    }
}

#[test]
fn broken_python_becomes_well_formed_ir() {
    survives(Tongue::Python, "app/module.py");
}

#[test]
fn broken_javascript_becomes_well_formed_ir() {
    survives(Tongue::JavaScript, "app/module.tsx");
}

#[test]
fn broken_go_becomes_well_formed_ir() {
    survives(Tongue::Go, "app/module.go");
}

#[test]
fn deeply_nested_go_is_survived() {
    let n = 30_000;
    let texts = [
        format!("package a; var x = {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("package a; func f() {}", "{".repeat(n)),
        format!("package a; func f() {{ {}", "if a {".repeat(n)),
        format!("package a; func f() {{ {}", "if a {} else ".repeat(n)),
        format!("package a; var x = 1{}", "+1".repeat(n)),
        format!("package a; var x = a{}", ".b".repeat(n)),
        format!("package a; var x = a{}", "()".repeat(n)),
        format!("package a; var x = {}1", "!".repeat(n)),
        format!("package a; var x = {}", "func(){".repeat(n)),
        format!("package a; var x = {}", "[]T{{".repeat(n)),
        format!("package a; type T {}int", "*".repeat(n)),
        format!("package a; type T {}", "struct{a ".repeat(n)),
    ];
    let path = FilePath::new("app/module.go").expect("a path");
    for text in texts {
        let names = Interner::new();
        let unit = solvent_lang::lower(&path, text.as_bytes(), &names);
        assert!(!unit.functions.is_empty(), "{}", &text[..20]);
    }
}

#[test]
fn broken_java_becomes_well_formed_ir() {
    survives(Tongue::Java, "app/Module.java");
}

#[test]
fn deeply_nested_java_is_refused_or_survived() {
    let n = 30_000;
    let code = |text: String| format!("class A {{ void m() {{ {text} }} }}");
    let mut texts = vec![
        "(".repeat(n),
        "class A {".repeat(n),
        "class A { void m() { ".repeat(n),
        "@A(".repeat(n),
    ];
    for levels in [3_000, n] {
        texts.extend(
            [
                format!("x = {}1{};", "(".repeat(levels), ")".repeat(levels)),
                format!("x = {}1{};", "f(".repeat(levels), ")".repeat(levels)),
                format!("x = 1{};", "+1".repeat(levels)),
                format!("x = 1{};", "&&1".repeat(levels)),
                format!("x = a{};", ".b".repeat(levels)),
                format!("x = a{};", ".b()".repeat(levels)),
                format!("x = a{};", "[0]".repeat(levels)),
                format!("x = {}1;", "!".repeat(levels)),
                format!("x = {}1;", "a->".repeat(levels)),
                format!("x = {}1;", "a?b:".repeat(levels)),
                format!("x = {}1{};", "new A(".repeat(levels), ")".repeat(levels)),
                format!("x{};", "=x".repeat(levels)),
                format!("{};", "if(a)".repeat(levels)),
                format!("{};", "if(a){}else ".repeat(levels)),
                format!("{}{}", "{".repeat(levels), "}".repeat(levels)),
                format!("{};", "a:".repeat(levels)),
                format!("{}a{} b;", "A<".repeat(levels), ">".repeat(levels)),
                format!("int[] x = {}1{};", "{".repeat(levels), "}".repeat(levels)),
                "switch(a){case 1:".repeat(levels),
                "new A(){void m(){".repeat(levels),
                "try{".repeat(levels),
            ]
            .map(code),
        );
    }
    let path = FilePath::new("app/Module.java").expect("a path");
    for text in texts {
        let names = Interner::new();
        let unit = solvent_lang::lower(&path, text.as_bytes(), &names);
        assert!(!unit.functions.is_empty(), "{}", &text[..40]);
    }
}

#[test]
fn deeply_nested_javascript_is_refused_or_survived() {
    let n = 30_000;
    let texts = [
        format!("x = {}1{};", "(".repeat(n), ")".repeat(n)),
        "(".repeat(n),
        "[".repeat(n),
        "{".repeat(n),
        format!("x = {}1{};", "[".repeat(n), "]".repeat(n)),
        format!("x = {}1{};", "{a:".repeat(n), "}".repeat(n)),
        format!("x = {}1{};", "f(".repeat(n), ")".repeat(n)),
        format!("x = 1{};", "+1".repeat(n)),
        format!("x = 1{};", "**1".repeat(n)),
        format!("x = a{};", ".b".repeat(n)),
        format!("x = a{};", "()".repeat(n)),
        format!("x = a{};", "?.b".repeat(n)),
        format!("x = {}1;", "!".repeat(n)),
        format!("x = {}1;", "-".repeat(n)),
        format!("x = {}1;", "a=>".repeat(n)),
        format!("x = {}1;", "a?b:".repeat(n)),
        format!("x = {}1;", "await ".repeat(n)),
        format!("x = {}a;", "new ".repeat(n)),
        format!("x = 1{};", "&&1".repeat(n)),
        format!("x = {}1{};", "`${".repeat(n), "}`".repeat(n)),
        format!("{}x", "if(a)".repeat(n)),
        format!("{}x", "if(a){}else ".repeat(n)),
        format!("{}x", "a:".repeat(n)),
        "function f(){".repeat(n),
        "class A{m(){".repeat(n),
        format!("x{};", "=x".repeat(n)),
        format!("let {}a{} = b;", "[".repeat(n), "]".repeat(n)),
        format!("x = {}", "<a>".repeat(n)),
        format!("let x: {}a{};", "Array<".repeat(n), ">".repeat(n)),
        format!("x = {};", "/\"/;(".repeat(n)),
        format!("x = {}", "(\")\"+".repeat(n)),
    ];
    let path = FilePath::new("app/module.tsx").expect("a path");
    for text in texts {
        let names = Interner::new();
        let unit = solvent_lang::lower(&path, text.as_bytes(), &names);
        assert!(!unit.functions.is_empty(), "{}", &text[..20]);
    }
}
