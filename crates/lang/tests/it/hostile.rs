//! Input that wants to break the reader.

use solvent_base::{FilePath, Interner, ProblemKind};
use solvent_ir::{FunctionKind, Op, Unit};
use solvent_lang::MAX_SOURCE_BYTES;

use crate::lowered;

fn lower(text: impl AsRef<[u8]>) -> Unit {
    lowered(text.as_ref(), &Interner::new())
}

fn kinds(unit: &Unit) -> Vec<ProblemKind> {
    unit.problems.iter().map(|problem| problem.kind).collect()
}

#[test]
fn functions_in_functions_are_read_to_a_depth_and_then_refused() {
    let nested = |n: usize| {
        [
            ("a.js", format!("x = {}1;\n", "a => ".repeat(n))),
            (
                "a.go",
                format!(
                    "package a\nvar x = {}1{}\n",
                    "func(a int) { f(".repeat(n),
                    ") }".repeat(n)
                ),
            ),
            (
                "A.java",
                format!("class A {{ F x = {}1; }}\n", "a -> ".repeat(n)),
            ),
        ]
    };
    for (name, text) in nested(5_000) {
        let path = FilePath::new(name).expect("a path");
        let unit = solvent_lang::lower(&path, text.as_bytes(), &Interner::new());
        assert_eq!(kinds(&unit), [ProblemKind::Limit], "{name}");
        assert_eq!(unit.functions.len(), 1, "{name}");
    }
    for (name, text) in nested(500) {
        let path = FilePath::new(name).expect("a path");
        let unit = solvent_lang::lower(&path, text.as_bytes(), &Interner::new());
        assert_eq!(kinds(&unit), [], "{name}");
        assert!(unit.functions.len() > 500, "{name}");
    }
}

#[test]
fn deep_nesting_is_refused_or_survived() {
    let n = 100_000;
    let texts = [
        format!("x = {}1{}\n", "(".repeat(n), ")".repeat(n)),
        "(".repeat(n),
        "[".repeat(n),
        format!("x = {}1{}\n", "{1:".repeat(n), "}".repeat(n)),
        format!("x = {}1{}\n", "f(".repeat(n), ")".repeat(n)),
        format!("x = {}1{}\n", "a[".repeat(n), "]".repeat(n)),
        format!("x = 1{}\n", "+1".repeat(n)),
        format!("x = 1{}\n", "**1".repeat(n)),
        format!("x = a{}\n", ".b".repeat(n)),
        format!("x = a{}\n", "()".repeat(n)),
        format!("x = a{}\n", "[0]".repeat(n)),
        format!("x = {}1\n", "not ".repeat(n)),
        format!("x = {}1\n", "-".repeat(n)),
        format!("x = {}1\n", "lambda: ".repeat(n)),
        format!("x = {}1\n", "1 if 1 else ".repeat(n)),
        format!("x = {}1\n", "await ".repeat(n)),
        format!("x = 1{}\n", " < 1".repeat(n)),
        format!("x = 1{}\n", " and 1".repeat(n)),
        format!("x = {}1{}\n", "f\"{".repeat(n), "}\"".repeat(n)),
        format!(
            "match x:\n case {}y{}: pass\n",
            "(".repeat(n),
            ")".repeat(n)
        ),
        format!("match x:\n case {}y: pass\n", "y|".repeat(n)),
        format!("{}x\n", "if a: ".repeat(n)),
        format!("{}x\n", "class A: ".repeat(n)),
        format!("{}x\n", "else: ".repeat(n)),
        format!("{}x\n", "@".repeat(n)),
        format!("x{}\n", "=x".repeat(n)),
        format!("{}x\n", "*".repeat(n)),
        format!("del {}x\n", "(".repeat(n)),
        format!("x: {}1\n", "x:".repeat(n)),
        format!("print {}\n", "`".repeat(n)),
    ];
    for text in texts {
        let unit = lower(&text);
        assert!(!unit.functions.is_empty(), "{}", &text[..20]);
    }
}

#[test]
fn deeply_indented_blocks_are_survived() {
    for opener in [
        "if a:",
        "def f():",
        "class A:",
        "for x in y:",
        "try:",
        "with a:",
        "while a:",
    ] {
        let mut text = String::new();
        for depth in 0..600 {
            text.push_str(&" ".repeat(depth));
            text.push_str(opener);
            text.push('\n');
        }
        text.push_str(&" ".repeat(600));
        text.push_str("pass\n");
        lower(&text);
    }
}

#[test]
fn nested_finally_does_not_multiply() {
    let mut text = String::from("def f():\n");
    for depth in 1..60 {
        let indent = " ".repeat(depth);
        text.push_str(&format!(
            "{indent}try:\n{indent} return g()\n{indent}finally:\n"
        ));
    }
    text.push_str(&format!("{}h()\n", " ".repeat(60)));
    let unit = lower(&text);
    let blocks: usize = unit.functions.iter().map(|f| f.blocks.len()).sum();
    assert!(blocks < 20_000, "{blocks} blocks");
}

#[test]
fn an_expression_as_deep_as_the_limit_is_read() {
    // 9,000 additions: below the limit of operators, above what a thread's stack takes.
    let text = format!("x = a{}\n", " + a".repeat(9_000));
    let unit = lower(&text);
    assert_eq!(kinds(&unit), []);
    let additions = unit.functions[0]
        .insts
        .iter()
        .filter(|i| matches!(i.op, Op::Binary { .. }))
        .count();
    assert_eq!(additions, 9_000);
    lower(format!("x = {}1\n", "not ".repeat(9_000)));
    lower(format!("x = {}1\n", "1 if 1 else ".repeat(4_000)));
    lower(format!("x = {}1\n", "lambda: ".repeat(4_000)));
}

#[test]
fn long_files_of_branches_do_not_take_quadratic_time() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for i in 0..2_000 {
        let _ = writeln!(text, "v{i} = {i}");
    }
    for i in 0..10_000 {
        let _ = writeln!(text, "if c:\n    x = {i}");
    }
    for i in 0..2_000 {
        let _ = writeln!(text, "print(v{i})");
    }
    let unit = lower(&text);
    let phis = unit.functions[0]
        .insts
        .iter()
        .filter(|i| matches!(i.op, Op::Phi(_)))
        .count();
    assert!(phis <= 10_000, "{phis} phis for one variable that changes");
}

#[test]
fn more_variables_and_branches_than_can_be_followed_are_a_problem() {
    use std::fmt::Write as _;
    // Every variable changes in every branch and is read behind all of them.
    let mut text = String::from("def f(c):\n try:\n");
    for i in 0..2_000 {
        let _ = writeln!(text, "  v{i} = g()");
    }
    text.push_str(" except E:\n");
    for i in 0..2_000 {
        let _ = writeln!(text, "  g(v{i})");
    }
    let unit = lower(&text);
    assert_eq!(kinds(&unit), [ProblemKind::Limit]);
}

#[test]
fn files_over_the_cap_are_refused_and_say_how_large_they_are() {
    let text = vec![b'#'; MAX_SOURCE_BYTES as usize + 1];
    let unit = lower(&text);
    assert_eq!(kinds(&unit), [ProblemKind::TooLarge]);
    assert!(unit.problems[0].message.contains(&text.len().to_string()));
    assert_eq!(unit.functions.len(), 1);
    assert_eq!(unit.functions[0].kind, FunctionKind::Module);
}

#[test]
fn bytes_that_are_not_python_give_a_unit_and_problems() {
    for text in [
        b"\0\0\0".as_slice(),
        b"x = 1\0\ny = 2\n",
        b"\xff\xfe\x00x",
        b"\x7fELF\x02\x01\x01",
        b"def (:\n  ]]] lambda\n\tx\n y",
        b"'''",
        b"f'{",
        b"f'{x!",
        b"\\",
        b"\r\r\r\n\n\r",
        b"\x0c\x0b",
        b"if x\n  y = \n else z:\n",
        b"match x:\n case",
        b"try:\n",
        b"class",
        b"import",
        b"from . import",
        b"@",
        b"return\nyield\nawait x\nbreak\ncontinue\nnonlocal a\nglobal b\n",
        b"x = [i for i in\n",
        b"def f(a, a, *, **k, b=1, /): pass",
        b"a, *b, *c = d\n*x\ndel *x\n(yield) = 3\n",
    ] {
        let unit = lower(text);
        assert!(!unit.functions.is_empty());
    }
}

#[test]
fn what_can_be_read_of_a_broken_file_is_read() {
    let unit = lower(
        "def good():\n    return 1\n\ndef bad(:\n    x = = 2\n\ndef also_good():\n    pass\n",
    );
    let names = unit.functions.len();
    assert!(names >= 3, "{names} functions");
    assert!(kinds(&unit).contains(&ProblemKind::Syntax));
    let message = &unit.problems[0].message;
    assert!(
        message.chars().next().is_some_and(|c| !c.is_uppercase()),
        "{message}"
    );
}

#[test]
fn syntax_errors_are_listed_up_to_a_point() {
    let unit = lower("x = = 1\n".repeat(500));
    assert!(unit.problems.len() <= 17, "{}", unit.problems.len());
    assert!(
        unit.problems
            .last()
            .is_some_and(|p| p.message.contains("more syntax errors"))
    );
}

#[test]
fn python_2_is_read_in_part() {
    let names = Interner::new();
    let text = b"import os\nprint \"a\" % os.getcwd()\ntry:\n    f()\nexcept Exception, e:\n    raise E, e\nexec \"x\"\nx = `y`\ndef g(a):\n    return os.system(a)\n";
    let unit = lowered(text, &names);
    assert!(kinds(&unit).contains(&ProblemKind::Syntax));
    assert!(unit.functions.iter().any(|f| &*names.text(f.name) == "g"));
}

#[test]
fn lines_are_counted_physically() {
    assert_eq!(lower("").lines, 0);
    assert_eq!(lower("x").lines, 1);
    assert_eq!(lower("x\n").lines, 1);
    assert_eq!(lower("x\r\ny").lines, 2);
}

#[test]
fn spans_are_exact_in_the_bytes_of_the_file() {
    let texts: [&[u8]; 5] = [
        b"a = 1\ntarget(a)\n",
        b"\xef\xbb\xbfa = 1\r\ntarget(a)\r\n",
        "s = 'äöü €'\n\ttarget = 1\ntarget(s)\n".as_bytes(),
        b"# coding: latin-1\ns = '\xe4\xf6\xfc'\ntarget(s)\n",
        b"s = '\xff\xff'; target(s)\n",
    ];
    for text in texts {
        let unit = lower(text);
        let call = unit.functions[0]
            .insts
            .iter()
            .find(|inst| matches!(inst.op, Op::Call { .. }))
            .expect("a call");
        let bytes = &text[call.span.start as usize..call.span.end as usize];
        assert!(
            bytes.starts_with(b"target(") && bytes.ends_with(b")"),
            "{bytes:?}"
        );
    }
}

#[test]
fn module_names_come_from_paths() {
    for (path, module) in [
        ("shop/views.py", "shop.views"),
        ("shop/__init__.py", "shop"),
        ("setup.py", "setup"),
        ("__init__.py", "__init__"),
        ("tools/run.pyw", "tools.run"),
    ] {
        let names = Interner::new();
        let unit = solvent_lang::lower(&FilePath::new(path).expect("a path"), b"", &names);
        assert_eq!(&*names.text(unit.module), module);
    }
}

#[test]
fn code_that_a_repository_carries_along_is_no_source_of_its_own() {
    let reads = |path: &str| {
        let path = FilePath::new(path).expect("a path");
        solvent_lang::language_of(&path).is_some()
    };
    for copied in [
        "app/static/vendor/editor/main.js",
        "static/jquery.min.js",
        "bower_components/a/a.js",
        "vendor/github.com/a/b/c.go",
    ] {
        assert!(!reads(copied), "{copied}");
    }
    for own in [
        "vendor.js",
        "app/vendors/list.js",
        "vendor/models.py",
        "cmd/vendor.go",
        "min/app.js",
    ] {
        assert!(reads(own), "{own}");
    }
}

#[test]
fn a_minified_script_is_told_from_one_with_a_long_line() {
    let path = FilePath::new("static/app.js").expect("a path");
    let minified = "var a=1;".repeat(2_000);
    assert!(solvent_lang::is_minified(&path, minified.as_bytes()));
    let data = format!(
        "{}\nconst table = \"{}\";\n",
        "f();\n".repeat(100),
        "x".repeat(20_000)
    );
    assert!(!solvent_lang::is_minified(&path, data.as_bytes()));
    assert!(!solvent_lang::is_minified(&path, b"f()"));
    let other = FilePath::new("static/app.py").expect("a path");
    assert!(!solvent_lang::is_minified(&other, minified.as_bytes()));
}
