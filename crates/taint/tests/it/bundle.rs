//! Functions around more variables than closures bring along, and trees that want to break the search.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use solvent_finding::{Finding, Verdict};
use solvent_graph::shape::MAX_CELLS;
use solvent_testkit::hostile::{Tongue, tree};

use crate::scan;

/// Variables, each shared by a function of its own.
fn shared(count: usize) -> String {
    let mut out = String::new();
    for i in 0..count {
        let _ = writeln!(out, "var v{i} = {{}};\nfunction f{i}() {{ return v{i}; }}");
    }
    out
}

fn findings(text: String) -> Vec<Finding> {
    scan(&BTreeMap::from([("app.js".to_owned(), text)])).findings
}

/// The verdict on the call of this name.
fn of<'f>(findings: &'f [Finding], callee: &str) -> Option<&'f Verdict> {
    let found = findings.iter().find(|f| f.sink.callee.ends_with(callee));
    found.map(|f| &f.verdict)
}

fn application(body: &str) -> String {
    format!(
        "const express = require('express');\nconst cp = require('child_process');\nconst app = express();\n{body}"
    )
}

/// A file in one function around all of it, as bundlers write it.
fn bundle(variables: usize) -> Vec<Finding> {
    let shared = shared(variables);
    findings(application(&format!(
        "(function () {{\n{shared}
var kept;
var fixed = 'ls';
function keep(x) {{ kept = x; }}
function fix() {{ fixed = 'ls -l'; }}
function run(command) {{ cp.exec(command); }}
function use() {{ cp.execSync(kept); }}
function list() {{ cp.execFile(fixed); }}
app.get('/run', function (req, res) {{ run(req.query.a); res.end(); }});
app.get('/keep', function (req, res) {{ keep(req.query.b); use(); res.end(); }});
app.get('/list', function (req, res) {{ fix(); list(); res.end(); }});
}})();\n"
    )))
}

#[test]
fn a_crowded_function_is_followed_as_others_are() {
    for variables in [3, MAX_CELLS + 20] {
        let found = bundle(variables);
        let run = of(&found, "exec");
        assert!(
            matches!(run, Some(Verdict::Reachable { .. })),
            "{variables}: {run:?}"
        );
        // What one function leaves and another finds may be assumed, or not decided.
        let kept = of(&found, "execSync");
        assert!(
            matches!(
                kept,
                Some(Verdict::Reachable { .. } | Verdict::Undecided { .. })
            ),
            "{variables}: {kept:?}"
        );
        let fixed = of(&found, "execFile");
        assert!(
            !matches!(fixed, Some(Verdict::Reachable { .. })),
            "{variables}: {fixed:?}"
        );
    }
}

#[test]
fn what_a_crowded_handler_hands_on_inside_is_never_lost() {
    for variables in [3, MAX_CELLS + 20] {
        let shared = shared(variables);
        let found = findings(application(&format!(
            "app.get('/own', function (req, res) {{\n{shared}
var first = req.query.a;
var second, third, fourth;
function one() {{ second = first; }}
function two() {{ third = second; }}
function three() {{ fourth = third; }}
function use() {{ cp.exec(fourth); }}
one(); two(); three(); use(); res.end();
}});\n"
        )));
        let verdict = of(&found, "exec");
        assert!(
            matches!(
                verdict,
                Some(Verdict::Reachable { .. } | Verdict::Undecided { .. })
            ),
            "{variables}: {verdict:?}"
        );
    }
}

#[test]
fn hostile_trees_end_within_the_steps_that_their_size_allows() {
    for tongue in Tongue::ALL {
        for tree in tree::all(tongue, 120) {
            let files: BTreeMap<String, String> = tree
                .files
                .iter()
                .map(|(name, text)| (name.clone(), String::from_utf8_lossy(text).into_owned()))
                .collect();
            let reach = scan(&files);
            assert!(
                reach.stats.steps < 3_000_000,
                "{tongue:?}, {}: {} steps",
                tree.name,
                reach.stats.steps
            );
        }
    }
}

/// What differs between calls of a large function is often deep inside an option; the plain text beside it decides.
#[test]
fn a_plain_text_is_not_lost_among_many_options() {
    let mut long = String::new();
    for i in 0..80 {
        let _ = writeln!(long, "  let o{i} = options.o{i} || {i};");
    }
    let mut others = String::new();
    for i in 0..6 {
        let _ = writeln!(
            others,
            "function other{i}(server) {{ return files(server.folder, {{ o{i}: () => server.o{i} }}); }}\nother{i}({{ folder: '/srv', o{i}: {i} }});"
        );
    }
    let found = findings(application(&format!(
        "const fs = require('fs');
const path = require('path');
function local(folder, uri) {{
  const p = path.normalize(path.join(folder, uri));
  if (p.startsWith(folder)) return p;
}}
function files(folder, options) {{
{long}
  const lookup = local.bind(0, folder);
  return function (req, res, next) {{
    const found = lookup(req.url);
    if (!found) return next();
    fs.createReadStream(found).pipe(res);
  }};
}}
{others}
function start(server) {{
  app.use(files('/', {{ o1: () => server.headers }}));
}}
start({{ headers: {{}} }});
"
    )));
    let read = of(&found, "createReadStream");
    assert!(matches!(read, Some(Verdict::Reachable { .. })), "{read:?}");
}
