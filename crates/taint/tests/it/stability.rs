//! What must not change when the same program is looked at in another way.

use std::collections::BTreeMap;

use solvent_finding::Verdict;

use crate::scan;

const APP: &str = r#"
import os
from flask import Flask, request
from helper import run

app = Flask(__name__)

@app.route("/a")
def a():
    run(request.args["x"])
    return "ok"
"#;

const HELPER: &str = "import os\n\ndef run(command):\n    os.system(\"echo \" + command)\n";

fn files(prefix: &str, app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (format!("{prefix}app.py"), app.to_owned()),
        (format!("{prefix}helper.py"), HELPER.to_owned()),
    ])
}

fn prints(files: &BTreeMap<String, String>) -> Vec<String> {
    scan(files)
        .findings
        .iter()
        .map(|f| f.fingerprint.0.hex())
        .collect()
}

#[test]
fn a_fingerprint_survives_lines_that_move_and_a_folder_in_front() {
    let plain = prints(&files("", APP));
    assert_eq!(plain.len(), 1);
    assert_eq!(plain, prints(&files("repo/", APP)));
    assert_eq!(plain, prints(&files("", &format!("# one\n# two\n\n{APP}"))));
    assert_ne!(plain, prints(&files("", &APP.replace("/a", "/b"))));
}

#[test]
fn two_runs_say_the_same() {
    let one = scan(&files("", APP));
    let two = scan(&files("", APP));
    assert_eq!(format!("{:?}", one.findings), format!("{:?}", two.findings));
}

#[test]
fn an_unreadable_file_leaves_the_question_of_callers_open() {
    let mut all = BTreeMap::from([("helper.py".to_owned(), HELPER.to_owned())]);
    let closed = scan(&all);
    assert!(matches!(closed.findings[0].verdict, Verdict::NoPath { .. }));
    all.insert(
        "broken.py".to_owned(),
        "def f(:\n    import helper\n".to_owned(),
    );
    let open = scan(&all);
    assert!(matches!(
        open.findings[0].verdict,
        Verdict::Undecided { .. }
    ));
}

#[test]
fn hostile_programs_end() {
    let nested = format!("x = {}1{}\n", "(".repeat(300), ")".repeat(300));
    let recursion = "def f(x, n):\n    return f(x + str(n), n + 1) + f([x], n)\n\nf('a', 0)\n";
    let mutual = "def a(x):\n    return b([x])\n\ndef b(x):\n    return a({'k': x})\n\na(a)\n";
    let classes = "class A(B): pass\nclass B(A): pass\nA().x.y.z()\n";
    let own = "class A:\n    def f(self):\n        self.a = self\n        self.b = [self]\n        return self.f()\nA().f()\n";
    for text in [nested.as_str(), recursion, mutual, classes, own] {
        let all = BTreeMap::from([("m.py".to_owned(), text.to_owned())]);
        let _ = scan(&all);
    }
    let imports = BTreeMap::from([
        (
            "a.py".to_owned(),
            "from b import *\nfrom a import *\nx()\n".to_owned(),
        ),
        (
            "b.py".to_owned(),
            "from a import *\nimport a, b\na.b.a.b.y()\n".to_owned(),
        ),
    ]);
    let _ = scan(&imports);
}

/// Of a place that many functions write only the sum is kept: no writer may be lost in it, whichever comes last.
#[test]
fn who_writes_among_many_is_not_lost() {
    let writers = |one: &str, at: usize| {
        let mut text = String::from(
            "import os\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\nclass Shop:\n    name = 'shop'\n\n\nshop = Shop()\n",
        );
        for n in 0..100 {
            let value = if n == at { one } else { "'plain'" };
            text.push_str(&format!(
                "\n\n@app.route('/w{n}')\ndef w{n}():\n    shop.word = {value}\n    return 'ok'\n"
            ));
        }
        text.push_str(
            "\n\n@app.route('/run')\ndef run():\n    os.system('echo ' + shop.word)\n    return 'ok'\n",
        );
        BTreeMap::from([("app.py".to_owned(), text)])
    };
    for at in [0, 50, 99] {
        let found = scan(&writers("request.args['word']", at)).findings;
        assert_eq!(found.len(), 1, "written at {at}: {found:?}");
        assert!(
            !matches!(found[0].verdict, Verdict::NoPath { .. }),
            "written at {at}: {:?}",
            found[0].verdict
        );
    }
    let harmless = scan(&writers("'other'", 0)).findings;
    let open = |f: &solvent_finding::Finding| matches!(f.verdict, Verdict::Reachable { .. });
    assert!(!harmless.iter().any(open), "{harmless:?}");
}
