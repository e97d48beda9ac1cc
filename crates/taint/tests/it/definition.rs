//! The plain definition of reaching, on small generated programs: functions that pass their one
//! argument on. Input reaches the sink of a function if there is a chain of calls from the handler to
//! it that nothing cuts; written down here as a closure over edges, and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use solvent_finding::Verdict;

use crate::scan;

/// What stands between a function and the one it calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edge {
    Plain,
    /// `int(..)` around the argument.
    Number,
    /// Behind `if 1 > 2`.
    Dead,
    /// A constant is passed instead.
    Constant,
}

struct Program {
    /// Handler is function 0.
    calls: Vec<(usize, usize, Edge)>,
    functions: usize,
}

impl Program {
    fn text(&self) -> String {
        let mut out = String::from(
            "import os\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n",
        );
        for f in 0..self.functions {
            if f == 0 {
                out.push_str("@app.route(\"/\")\ndef f0():\n    x = request.args[\"q\"]\n");
            } else {
                let _ = write!(out, "def f{f}(x):\n    os.system(\"f{f} \" + x)\n");
            }
            for (from, to, edge) in &self.calls {
                if *from != f || *to == 0 {
                    continue;
                }
                let line = match edge {
                    Edge::Plain => format!("f{to}(x)"),
                    Edge::Number => format!("f{to}(str(int(x)))"),
                    Edge::Dead => format!("if 1 > 2:\n        f{to}(x)"),
                    Edge::Constant => format!("f{to}(\"c\")"),
                };
                let _ = writeln!(out, "    {line}");
            }
            out.push_str("    return \"\"\n\n");
        }
        out
    }

    /// Functions whose sink input reaches, by definition.
    fn reached(&self) -> BTreeSet<usize> {
        let mut out = BTreeSet::from([0]);
        loop {
            let before = out.len();
            for (from, to, edge) in &self.calls {
                if *edge == Edge::Plain && *to != 0 && out.contains(from) {
                    out.insert(*to);
                }
            }
            if out.len() == before {
                out.remove(&0);
                return out;
            }
        }
    }
}

/// A plain generator (xorshift, Marsaglia 2003): the same programs in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn reach_agrees_with_its_definition_on_generated_programs() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut some = 0;
    for round in 0..200 {
        let functions = 2 + dice.roll(5);
        let calls = (0..3 + dice.roll(9))
            .map(|_| {
                let edge = match dice.roll(6) {
                    0 => Edge::Number,
                    1 => Edge::Dead,
                    2 => Edge::Constant,
                    _ => Edge::Plain,
                };
                (
                    dice.roll(functions) * dice.roll(2),
                    dice.roll(functions),
                    edge,
                )
            })
            .collect();
        let program = Program { calls, functions };
        let text = program.text();
        let reach = scan(&BTreeMap::from([("app.py".to_owned(), text.clone())]));
        let found: BTreeSet<usize> = reach
            .findings
            .iter()
            .filter(|f| matches!(f.verdict, Verdict::Reachable { .. }))
            .filter_map(|f| f.sink.function.qualname.strip_prefix('f')?.parse().ok())
            .collect();
        some += found.len();
        assert_eq!(found, program.reached(), "round {round}:\n{text}");
        // Whatever is not reached says why: a sink with a parameter in it is never silent.
        for f in 1..functions {
            let constant_only = program
                .calls
                .iter()
                .any(|(_, to, e)| *to == f && *e == Edge::Constant);
            let said = reach
                .findings
                .iter()
                .any(|x| x.sink.function.qualname == format!("f{f}"));
            assert!(
                said || constant_only,
                "round {round}: nothing is said of f{f}\n{text}"
            );
        }
    }
    assert!(some > 100, "only {some} flows were generated");
}
