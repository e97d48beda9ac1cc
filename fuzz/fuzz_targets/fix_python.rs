//! Whatever the text and wherever the finding points, fixers answer, and what they propose fits the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::{FilePath, LineIndex, Span};
use solvent_finding::{
    Finding, Fingerprint, Severity, Sink, SinkKind, Symbol, Verdict, WeaknessId,
};
use solvent_fix::{Sources, propose, root_causes};

const SINKS: [(&str, &str, &str); 4] = [
    ("CWE-89", "sqlite3.Cursor.execute", "sql-text"),
    ("CWE-89", "sqlalchemy.text", "sql-text"),
    ("CWE-78", "os.system", "shell-command"),
    ("CWE-22", "builtins.open", "file-path-read"),
];

fuzz_target!(|input: (u16, u16, u8, String)| {
    let (start, length, which, text) = input;
    let Some(path) = FilePath::new("app.py") else { return };
    let (weakness, callee, kind) = SINKS[usize::from(which) % SINKS.len()];
    let span = Span {
        start: u32::from(start),
        end: u32::from(start) + u32::from(length),
    };
    let finding = Finding {
        fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
        weakness: WeaknessId(weakness.into()),
        severity: Severity::High,
        title: String::new(),
        sink: Sink {
            kind: SinkKind(kind.into()),
            callee: callee.into(),
            location: LineIndex::new(&text).location(&path, span),
            function: Symbol {
                module: "app".into(),
                qualname: "f".into(),
            },
            text: String::new(),
        },
        entry: None,
        flows: Vec::new(),
        way: Vec::new(),
        verdict: Verdict::Reachable {
            assumed: Vec::new(),
        },
    };
    let files = [path];
    let read = |_: &FilePath| Some(text.clone());
    let sources = Sources {
        files: &files,
        text: &read,
    };
    let findings = [finding];
    for cause in root_causes(&findings) {
        for patch in propose(&cause, &sources).patches {
            for file in patch.files {
                assert!(file.apply(&text).is_ok(), "edits do not fit");
            }
        }
    }
});
