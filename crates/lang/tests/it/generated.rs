//! Generated programs: whatever they say, the IR is well formed.

use proptest::prelude::*;
use solvent_base::Interner;

use crate::lowered;

/// Statements as a tree; rendering indents them.
#[derive(Clone, Debug)]
enum Piece {
    Line(String),
    Block(String, Vec<Piece>),
    /// Blocks that belong together: `if` and `else`, `try` and its clauses.
    Chain(Vec<(String, Vec<Piece>)>),
}

fn render(pieces: &[Piece], indent: usize, out: &mut String) {
    let margin = "    ".repeat(indent);
    if pieces.is_empty() {
        out.push_str(&format!("{margin}pass\n"));
    }
    for piece in pieces {
        match piece {
            Piece::Line(line) => out.push_str(&format!("{margin}{line}\n")),
            Piece::Block(head, body) => {
                out.push_str(&format!("{margin}{head}:\n"));
                render(body, indent + 1, out);
            }
            Piece::Chain(parts) => {
                for (head, body) in parts {
                    out.push_str(&format!("{margin}{head}:\n"));
                    render(body, indent + 1, out);
                }
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a", "b", "c", "d", "self", "x.y", "a.b.c", "a[b]", "d['k']", "a[1].b",
    ])
    .prop_map(str::to_owned)
}

fn variable() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        name(),
        Just("1".to_owned()),
        Just("'text'".to_owned()),
        Just("None".to_owned()),
        Just("[]".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let e = inner.clone();
        prop_oneof![
            (e.clone(), e.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (e.clone(), e.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (e.clone(), e.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (e.clone(), e.clone(), e.clone()).prop_map(|(a, b, c)| format!("({a} < {b} <= {c})")),
            (e.clone(), e.clone(), e.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (name(), e.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (name(), e.clone(), e.clone()).prop_map(|(f, a, b)| format!("{f}({a}, *{b}, k={a})")),
            e.clone().prop_map(|a| format!("(not {a})")),
            e.clone()
                .prop_map(|a| format!("f'{{{}}} x {{b!r:>{{a}}}}'", a.replace('\'', "\""))),
            (variable(), e.clone()).prop_map(|(v, a)| format!("({v} := {a})")),
            (variable(), e.clone(), e.clone())
                .prop_map(|(v, a, b)| format!("[{a} for {v} in {b} if {v} and {a}]")),
            (variable(), e.clone(), e.clone())
                .prop_map(|(v, a, b)| format!("{{{v}: {a} for {v} in {b} for d in {v}}}")),
            (variable(), e.clone()).prop_map(|(v, a)| format!("any(({v} := i) for i in {a})")),
            (variable(), e.clone()).prop_map(|(v, a)| format!("(lambda {v}, *r: {a})")),
            e.clone().prop_map(|a| format!("(yield {a})")),
            (e.clone(), e.clone()).prop_map(|(a, b)| format!("{{{a}: {b}, **{a}}}")),
            (e.clone(), e.clone()).prop_map(|(a, b)| format!("[{a}, *{b}][1:{a}]")),
        ]
    })
}

fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("_".to_owned()),
        variable(),
        Just("1".to_owned()),
        Just("None".to_owned()),
        Just("x.y".to_owned()),
    ];
    leaf.prop_recursive(3, 10, 3, |p| {
        prop_oneof![
            (p.clone(), p.clone()).prop_map(|(a, b)| format!("[{a}, *rest, {b}]")),
            (p.clone(), p.clone()).prop_map(|(a, b)| format!("({a}, {b})")),
            p.clone().prop_map(|a| format!("{{'k': {a}, **others}}")),
            (p.clone(), p.clone()).prop_map(|(a, b)| format!("C({a}, attr={b})")),
            (p.clone(), variable()).prop_map(|(a, v)| format!("({a}) as {v}")),
            p.prop_map(|a| format!("(1 | {a} | 'z')")),
        ]
    })
}

fn simple() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (name(), expression()).prop_map(|(n, e)| format!("{n} = {e}")),
        1 => (variable(), variable(), expression()).prop_map(|(a, b, e)| format!("{a}, *{b} = {e}")),
        1 => (name(), expression()).prop_map(|(n, e)| format!("{n} += {e}")),
        2 => (name(), expression()).prop_map(|(n, e)| format!("{n}.append({e})")),
        2 => expression(),
        1 => expression().prop_map(|e| format!("return {e}")),
        1 => expression().prop_map(|e| format!("raise {e}")),
        1 => expression().prop_map(|e| format!("assert {e}, {e}")),
        1 => name().prop_map(|n| format!("del {n}")),
        1 => variable().prop_map(|n| format!("global {n}")),
        1 => variable().prop_map(|n| format!("nonlocal {n}")),
        1 => Just("break".to_owned()),
        1 => Just("continue".to_owned()),
        1 => Just("import os.path, sys as c".to_owned()),
        1 => Just("from .m import n as d, o".to_owned()),
    ]
}

fn body() -> impl Strategy<Value = Vec<Piece>> {
    let line = simple().prop_map(Piece::Line);
    let piece = line.prop_recursive(4, 40, 5, |inner| {
        let body = prop::collection::vec(inner, 0..5);
        let b = body.clone();
        prop_oneof![
            (expression(), b.clone()).prop_map(|(e, b)| Piece::Block(format!("while {e}"), b)),
            (name(), expression(), b.clone(), b.clone()).prop_map(|(n, e, b, o)| {
                Piece::Chain(vec![(format!("for {n} in {e}"), b), ("else".into(), o)])
            }),
            (expression(), expression(), b.clone(), b.clone(), b.clone()).prop_map(
                |(e, f, x, y, z)| Piece::Chain(vec![
                    (format!("if {e}"), x),
                    (format!("elif {f}"), y),
                    ("else".into(), z),
                ])
            ),
            (b.clone(), b.clone(), b.clone(), b.clone(), b.clone()).prop_map(|(t, h, i, o, f)| {
                Piece::Chain(vec![
                    ("try".into(), t),
                    ("except (A, B) as a".into(), h),
                    ("except".into(), i),
                    ("else".into(), o),
                    ("finally".into(), f),
                ])
            }),
            (b.clone(), b.clone()).prop_map(|(t, f)| {
                Piece::Chain(vec![("try".into(), t), ("finally".into(), f)])
            }),
            (expression(), b.clone())
                .prop_map(|(e, b)| Piece::Block(format!("with {e} as a, suppress(E)"), b)),
            b.clone()
                .prop_map(|b| Piece::Block("@d.e\ndef f(a, *r, b=c, **k)".into(), b)),
            b.clone()
                .prop_map(|b| Piece::Block("async def b(self, /, c: d = 1)".into(), b)),
            b.clone()
                .prop_map(|b| Piece::Block("class c(a.b, metaclass=d)".into(), b)),
            (expression(), pattern(), pattern(), b.clone(), b).prop_map(|(e, p, q, x, y)| {
                Piece::Block(
                    format!("match {e}"),
                    vec![
                        Piece::Block(format!("case {p}"), x),
                        Piece::Block(format!("case {q} if a"), y),
                    ],
                )
            }),
        ]
    });
    prop::collection::vec(piece, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn generated_programs_lower_to_well_formed_ir(body in body()) {
        let mut text = String::new();
        render(&body, 0, &mut text);
        text.push_str("def g(a, b):\n");
        render(&body, 1, &mut text);
        // A decorator stands on a line of its own.
        let text = text.replace("@d.e\ndef", "def");
        lowered(text.as_bytes(), &Interner::new());
    }

    #[test]
    fn any_text_gives_a_unit(text in "[a-c=:()\\[\\]{}'\"#.,*@\\\\ \t\n\r0-1if]{0,200}") {
        lowered(text.as_bytes(), &Interner::new());
    }

    #[test]
    fn any_bytes_give_a_unit(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        lowered(&bytes, &Interner::new());
    }

    #[test]
    fn lowering_twice_gives_the_same_ir(body in body()) {
        let mut text = String::new();
        render(&body, 0, &mut text);
        let text = text.replace("@d.e\ndef", "def");
        let print = || {
            let names = Interner::new();
            solvent_ir::display(&lowered(text.as_bytes(), &names), &names)
        };
        prop_assert_eq!(print(), print());
    }
}
