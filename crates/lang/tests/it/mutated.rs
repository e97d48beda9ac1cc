//! Real programs with pieces cut out, doubled and swapped: half of what a hostile repository holds. Whatever they
//! say, the IR is well formed, and nothing panics.

use std::path::Path;

use solvent_base::{FilePath, Interner};

/// Programs of each language that are tried; `SOLVENT_MUTATIONS` asks for more.
const TRIED: u64 = 1_500;

/// Numbers that are the same in every run: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators" (OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}

/// The programs on the pages of a language.
fn programs(language: &str) -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(language);
    let mut out = Vec::new();
    for folder in ["lowering", "flows"] {
        let Ok(read) = std::fs::read_dir(fixtures.join(folder)) else {
            continue;
        };
        let mut pages: Vec<_> = read.filter_map(|e| Some(e.ok()?.path())).collect();
        pages.sort();
        for page in pages {
            let name = page.to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&page).expect("a page");
            let page = solvent_testkit::parse(&name, &text).expect("a page that parses");
            for case in &page.cases {
                out.extend(case.files(language).map(|b| b.text.clone().into_bytes()));
            }
        }
    }
    out
}

fn mutated(numbers: &mut Numbers, programs: &[Vec<u8>]) -> Vec<u8> {
    let mut text = programs[numbers.below(programs.len())].clone();
    for _ in 0..=numbers.below(6) {
        let (a, b) = (numbers.below(text.len() + 1), numbers.below(text.len() + 1));
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 60));
        let piece = text[from..to].to_vec();
        match numbers.below(5) {
            0 => {
                text.drain(from..to);
            }
            1 => {
                let at = numbers.below(text.len() + 1);
                text.splice(at..at, piece);
            }
            2 => {
                let other = &programs[numbers.below(programs.len())];
                let start = numbers.below(other.len() + 1);
                let end = (start + numbers.below(80)).min(other.len());
                text.splice(from..to, other[start..end].iter().copied());
            }
            3 => {
                const SIGNS: [&str; 16] = [
                    "(", ")", "{", "}", "[", "]", ";", ",", "=>", "...", "`", "\"", "\\", "\u{0}",
                    "\u{ff}", "\n",
                ];
                let sign = SIGNS[numbers.below(SIGNS.len())];
                text.splice(from..from, sign.bytes());
            }
            _ => text.truncate(to),
        }
    }
    text
}

fn survives(language: &str, file: &str) {
    let programs = programs(language);
    assert!(programs.len() > 5, "few programs of {language}");
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
    survives("python", "app/module.py");
}

#[test]
fn broken_javascript_becomes_well_formed_ir() {
    survives("javascript", "app/module.tsx");
}

#[test]
fn broken_go_becomes_well_formed_ir() {
    survives("go", "app/module.go");
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
    survives("java", "app/Module.java");
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
