//! Whatever the text and wherever the finding points, fixers answer, and their patches fit.

use proptest::prelude::*;
use solvent_base::{FilePath, LineIndex, Location, Span};
use solvent_finding::{
    Carrier, EntryKind, EntryPoint, Finding, Fingerprint, Flow, Input, Part, RouteSegment,
    Severity, Sink, SinkKind, Symbol, Template, Verdict, WeaknessId,
};
use solvent_fix::{FileEdit, propose, regression_test, root_causes};

use crate::{Files, with_sources};

/// Pieces of programs, so that the texts are often nearly valid.
const WORDS: [&str; 48] = [
    "execute(",
    "os.system(",
    "open(",
    ")",
    "(",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "f\"",
    "f'",
    "\"\"\"",
    "%s",
    "%(x)s",
    "%",
    " + ",
    " % ",
    ".format(",
    "x",
    "y",
    "query",
    " = ",
    " += ",
    "\n",
    "\n    ",
    "def f(x):\n    ",
    "if x:\n    ",
    "for x in y:\n    ",
    "return ",
    ", ",
    ",",
    "shell=True",
    "os.path.join(",
    "Path(",
    " / ",
    "import os\n",
    "from flask import request\n",
    "é",
    "\\",
    "\\'",
    "{x}",
    "{{",
    "SELECT * FROM t WHERE a = '",
    "ls -l ",
    "lambda: ",
    "# c\n",
];

fn finding(weakness: &str, text: &str, span: Span, callee: &str, kind: &str) -> Finding {
    let path = FilePath::new("app.py").expect("a path");
    let function = Symbol {
        module: "app".into(),
        qualname: "f".into(),
    };
    let location: Location = LineIndex::new(text).location(&path, span);
    let input = Input {
        carrier: Carrier::Query,
        name: "x".into(),
    };
    Finding {
        fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
        weakness: WeaknessId(weakness.into()),
        severity: Severity::High,
        title: String::new(),
        sink: Sink {
            kind: SinkKind(kind.into()),
            callee: callee.into(),
            location: location.clone(),
            function: function.clone(),
            text: String::new(),
        },
        entry: Some(EntryPoint {
            kind: EntryKind::Http,
            framework: "flask".into(),
            methods: vec!["GET".into()],
            route: "/".into(),
            segments: vec![RouteSegment::Literal("/".into())],
            handler: function,
            location,
            inputs: Vec::new(),
            auth: Vec::new(),
            assumed: None,
        }),
        way: Vec::new(),
        flows: vec![Flow {
            input,
            steps: Vec::new(),
            transforms: Vec::new(),
            conditions: Vec::new(),
            template: Template {
                parts: vec![Part::Literal("a = '".into()), Part::Input],
            },
        }],
        verdict: Verdict::Reachable {
            assumed: Vec::new(),
        },
    }
}

/// Edits are in order, inside the text, and everything outside of them is kept.
fn fits(edit: &FileEdit, before: &str) -> Result<(), TestCaseError> {
    let after = edit
        .apply(before)
        .map_err(|m| TestCaseError::fail(m.words()))?;
    let mut kept = String::new();
    let mut done = 0;
    for e in &edit.edits {
        prop_assert!(e.start as usize >= done, "edits overlap");
        kept.push_str(&before[done..e.start as usize]);
        kept.push_str(&e.text);
        done = e.end as usize;
    }
    kept.push_str(&before[done..]);
    prop_assert_eq!(after, kept);
    Ok(())
}

/// Spans of everything that looks like a call, which is where findings point.
fn calls(text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    for (start, _) in text.match_indices(['e', 'o', 'P', 'f']) {
        let mut depth = 0_i32;
        for (at, c) in text[start..].char_indices() {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth <= 0 {
                        if depth == 0 {
                            out.push(Span {
                                start: start as u32,
                                end: (start + at + 1) as u32,
                            });
                        }
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    out
}

const SINKS: [(&str, &str, &str); 6] = [
    ("CWE-89", "sqlite3.Cursor.execute", "sql-text"),
    ("CWE-89", "sqlalchemy.text", "sql-text"),
    ("CWE-78", "os.system", "shell-command"),
    ("CWE-78", "subprocess.run", "argv"),
    ("CWE-22", "builtins.open", "file-path-read"),
    ("CWE-22", "pathlib.Path.read_text", "file-path-write"),
];

fn check(text: &str, spans: &[Span]) -> Result<(), TestCaseError> {
    let mut files = Files::new();
    files.insert("app.py".into(), text.to_owned());
    files.insert(
        "conftest.py".into(),
        "import pytest\n\n@pytest.fixture\ndef client():\n    pass\n".into(),
    );
    for span in spans {
        for (weakness, callee, kind) in SINKS {
            let found = [finding(weakness, text, *span, callee, kind)];
            for cause in root_causes(&found) {
                let proposal = with_sources(&files, |s| propose(&cause, s));
                prop_assert!(!proposal.patches.is_empty() || !proposal.refused.is_empty());
                for patch in &proposal.patches {
                    for file in &patch.files {
                        let before = files.get(file.path.as_str()).cloned().unwrap_or_default();
                        fits(file, &before)?;
                    }
                    if let Some(test) =
                        with_sources(&files, |s| regression_test(&found[0], patch, s))
                    {
                        let before = files.get(test.path.as_str()).cloned().unwrap_or_default();
                        fits(&test, &before)?;
                    }
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_place_is_answered(text in "\\PC{0,80}", start in 0_u32..100, length in 0_u32..100) {
        check(&text, &[Span { start, end: start + length }])?;
    }

    #[test]
    fn pieces_of_programs_are_answered(words in proptest::collection::vec(0..WORDS.len(), 0..40)) {
        let text: String = words.iter().map(|w| WORDS[*w]).collect();
        check(&text, &calls(&text))?;
    }

    #[test]
    fn statements_with_pieces_in_them_are_answered(
        words in proptest::collection::vec(0..WORDS.len(), 0..12),
        call in proptest::sample::select(vec!["c.execute", "os.system", "open", "subprocess.run"]),
    ) {
        let inner: String = words.iter().map(|w| WORDS[*w]).filter(|w| !w.contains('\n')).collect();
        let text = format!("import os\n\ndef f(x, y):\n    {call}({inner})\n");
        let start = text.find(call).expect("the call") as u32;
        let end = text.len() as u32 - 1;
        check(&text, &[Span { start, end }])?;
    }
}

#[test]
fn a_file_of_another_encoding_or_with_errors_is_left_alone() {
    for text in [
        "# coding: latin-1\nopen(x + '\u{e9}')\n",
        "def f(:\n    open(x)\n",
        "open(x)",
    ] {
        let start = text.find("open").expect("a call") as u32;
        let end = text.rfind(')').expect("a call") as u32 + 1;
        let mut files = Files::new();
        files.insert("app.py".into(), text.to_owned());
        let found = [finding(
            "CWE-22",
            text,
            Span { start, end },
            "builtins.open",
            "file-path-read",
        )];
        let causes = root_causes(&found);
        let proposal = with_sources(&files, |s| propose(&causes[0], s));
        if text == "open(x)" {
            assert!(!proposal.patches.is_empty());
        } else {
            assert!(proposal.patches.is_empty(), "{text}");
            assert!(!proposal.refused.is_empty(), "{text}");
        }
    }
}

#[test]
fn deep_nesting_is_refused_in_words() {
    let text = format!("open({}x{})", "-(".repeat(150), ")".repeat(150));
    let end = text.len() as u32;
    let mut files = Files::new();
    files.insert("app.py".into(), text.clone());
    let found = [finding(
        "CWE-22",
        &text,
        Span { start: 0, end },
        "builtins.open",
        "file-path-read",
    )];
    let causes = root_causes(&found);
    with_sources(&files, |s| propose(&causes[0], s));
    let long = format!("open('a' {})", "+ x ".repeat(2000));
    let end = long.len() as u32;
    files.insert("app.py".into(), long.clone());
    let found = [finding(
        "CWE-22",
        &long,
        Span { start: 0, end },
        "builtins.open",
        "file-path-read",
    )];
    let causes = root_causes(&found);
    let proposal = with_sources(&files, |s| propose(&causes[0], s));
    assert!(proposal.patches.is_empty());
    assert!(proposal.refused[0].to_string().contains("nested"));
}
