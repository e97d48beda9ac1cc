//! xAST: small programs in pairs, one where the source reaches the sink and one where it does not.
//!
//! The suite's specification names the source (the parameter `taint_src` of the function under test) and the
//! sink (the shell command inside `taint_sink`). Its cases call that function from their main block with a
//! text; here the main block becomes a route and the text a query parameter, so that the suite's source is
//! a source of ours. Nothing else of a case is changed. Each case is scanned alone.
//!
//! The suite asks where data goes, not what it does there. Its sink takes any value (`taint_sink(o)` calls
//! `os.system(str(o))`), its sources are numbers and truths as often as texts, it has cases of its own for what becomes
//! a number on the way (its items of types and casts), and its evaluation of static tools names a source and a sink
//! but nothing that makes a value harmless. To us a number is harmless to a shell, and said to be: `no_path`, because a
//! step made the input harmless. Here such a finding is a flow, since the value arrives; `by_value` counts the cases
//! that this decides. A check in front of the sink is none: it says that the value does not arrive. What a comparison
//! gives stays none as well: the suite labels those by how the comparison comes out, `x < y` where it is true and
//! `x == y` where it is false apart, which no flow of data decides.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};
use crate::score::{Halves, copy_tree, targets::note};

/// One language of the suite.
struct Language {
    name: &'static str,
    /// Below the corpus.
    folder: &'static str,
    extension: &'static str,
    /// Folders whose files every case may use.
    shared: &'static [&'static str],
    /// What the suite's sinks are.
    weaknesses: &'static [&'static str],
    /// A file of a case, its source made a request's.
    splice: fn(&str) -> String,
}

const LANGUAGES: [Language; 4] = [
    Language {
        name: "python",
        folder: "sast-python3/case",
        extension: "py",
        shared: &[],
        weaknesses: &["CWE-78"],
        splice: python,
    },
    Language {
        name: "javascript",
        folder: "sast-js/case",
        extension: "js",
        shared: &[],
        weaknesses: &["CWE-78"],
        splice: javascript,
    },
    Language {
        name: "go",
        folder: "sast-go/cases",
        extension: "go",
        shared: &[],
        weaknesses: &["CWE-78"],
        splice: go,
    },
    Language {
        name: "java",
        folder: "sast-java/src/main/java/com/sast/astbenchmark",
        extension: "java",
        shared: &["model", "common", "service"],
        weaknesses: &["CWE-78", "CWE-89", "CWE-918"],
        splice: java,
    },
];

pub fn run(place: &Place) -> Result<Figures, String> {
    let corpus = place.corpus("xast")?;
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    for language in &LANGUAGES {
        let root = corpus.join(language.folder);
        let mut halves = Halves::default();
        let (mut undecided, mut disputed, mut by_value) = (0.0, 0.0, 0.0);
        for (name, files) in cases(&root, language.extension)? {
            let folder = place.scratch.join(language.name);
            let _ = fs::remove_dir_all(&folder);
            for shared in language.shared {
                copy_tree(&root.join(shared), &folder.join(shared), &|_| true)?;
            }
            let Some(flows) = lay_out(&root, &name, &files, &folder, language)? else {
                continue;
            };
            // The name says it too; where both differ, the label counts and the case is named.
            if suffix(&name).is_some_and(|says| says != flows) {
                disputed += 1.0;
                note(&format!(
                    "{name}: its label says {flows}, its name does not"
                ));
            }
            let (report, _) = json(&program, &["scan", "--no-git", &folder.to_string_lossy()])?;
            let findings: Vec<&Value> = items(&report, "/findings")
                .iter()
                .filter(|finding| language.weaknesses.contains(&text(finding, "/weakness")))
                .collect();
            let words: Vec<&str> = findings
                .iter()
                .map(|finding| text(finding, "/verdict/word"))
                .collect();
            let reachable = words.contains(&"reachable");
            let found = reachable || findings.iter().any(|finding| arrives(finding));
            by_value += f64::from(u8::from(found && !reachable));
            if !found && words.contains(&"undecided") {
                undecided += 1.0;
            }
            if found != flows && Halves::is_even(&name) {
                let said = words.first().unwrap_or(&"nothing");
                note(&format!("{name}: labelled {flows}, came out {said}"));
            }
            halves.count(&name, flows, found);
        }
        let cases = halves.cases();
        halves.write(&format!("{}_", language.name), &mut figures);
        figures.insert(format!("{}_cases", language.name), cases);
        figures.insert(
            format!("{}_undecided_share", language.name),
            rounded(undecided / cases.max(1.0)),
        );
        figures.insert(format!("{}_labels_at_odds", language.name), disputed);
        figures.insert(format!("{}_by_value", language.name), by_value);
    }
    Ok(figures)
}

/// Whether the input arrives at the sink, as something that does no harm there.
fn arrives(finding: &Value) -> bool {
    let reasons = items(finding, "/verdict/reasons");
    text(finding, "/verdict/word") == "no_path"
        && !reasons.is_empty()
        && reasons
            .iter()
            .all(|reason| text(reason, "/code") == "sanitized")
}

/// The files of each case, relative to `root`. A case of several files is a folder with its name.
fn cases(root: &Path, extension: &str) -> Result<BTreeMap<String, Vec<PathBuf>>, String> {
    let mut out: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("cannot list `{}`: {error}", folder.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            if path.extension().is_none_or(|e| e != extension) {
                continue;
            }
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let case = relative
                .ancestors()
                .skip(1)
                .filter(|above| suffix(&above.to_string_lossy()).is_some())
                .last()
                .unwrap_or(&relative);
            out.entry(case.to_string_lossy().into_owned())
                .or_default()
                .push(relative.clone());
        }
    }
    Ok(out)
}

/// What the end of a case's name says of it: `_001_T`, `_002_F.py`.
fn suffix(name: &str) -> Option<bool> {
    let name = name.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    let (rest, letter) = stem.rsplit_once('_')?;
    let numbered = rest.rsplit('_').next()?;
    if numbered.is_empty() || !numbered.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match letter {
        "T" => Some(true),
        "F" => Some(false),
        _ => None,
    }
}

/// Writes the case into `folder` and gives its label, where it has one.
fn lay_out(
    root: &Path,
    name: &str,
    files: &[PathBuf],
    folder: &Path,
    language: &Language,
) -> Result<Option<bool>, String> {
    let case = Path::new(name);
    let base = if case.extension().is_some() {
        case.parent().unwrap_or(Path::new(""))
    } else {
        case
    };
    let mut label = None;
    for file in files {
        let from = root.join(file);
        let source = fs::read_to_string(&from)
            .map_err(|error| format!("cannot read `{}`: {error}", from.display()))?;
        label = label.or(said(&source));
        let to = folder.join(file.strip_prefix(base).unwrap_or(file));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        fs::write(&to, (language.splice)(&source))
            .map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(label)
}

/// `real case = true` in the head of a file.
fn said(source: &str) -> Option<bool> {
    let line = source.lines().find(|line| line.contains("real case"))?;
    match line.split('=').nth(1)?.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The main block becomes a route. `taint_src` is a query parameter wherever a case makes it up.
fn python(source: &str) -> String {
    let mut out = String::new();
    let (mut asks, mut routed) = (false, false);
    for line in source.lines() {
        let made_up = line.trim_start().trim_start_matches('_');
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.starts_with("if __name__") {
            out.push_str(
                "app = Flask(__name__)\n\n\n@app.route(\"/case\")\ndef case_of_the_suite():\n",
            );
            routed = true;
            continue;
        }
        let assigned = made_up
            .strip_prefix("taint_src")
            .filter(|rest| rest.trim_start().starts_with([':', '=']))
            .filter(|rest| !rest.trim_start().starts_with("=="))
            .and_then(|rest| rest.split_once('='));
        match assigned {
            Some((_, value)) if routed || indent.is_empty() => {
                let asked = "request.args[\"taint_src\"]";
                let name = &line[indent.len()..line.len() - made_up.len()];
                let value = match ["\"taint_src_value\"", "'taint_src_value'"]
                    .iter()
                    .find(|text| value.contains(**text))
                {
                    Some(text) => value.trim().replace(text, asked),
                    None => asked.to_owned(),
                };
                out.push_str(&format!("{indent}{name}taint_src = {value}\n"));
                asks = true;
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    if routed {
        out.push_str("    return \"\"\n");
    }
    if asks || routed {
        out.insert_str(0, "from flask import Flask, request\n");
    }
    out
}

/// What a case does when it is started becomes a route: from the line on that makes `taint_src` up, or the last
/// call. A source that a module exports is the request of the framework itself, which is no one's in particular.
fn javascript(source: &str) -> String {
    let is_source = |line: &str| {
        let name = ["const ", "let ", "var "]
            .iter()
            .find_map(|word| line.strip_prefix(word));
        name.is_some_and(|rest| {
            rest.strip_prefix("taint_src")
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        })
    };
    let is_call = |line: &str| {
        let name = line.split('(').next().unwrap_or_default();
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
        line.contains('(') && !name.is_empty() && name.chars().all(word)
    };
    let lines: Vec<&str> = source.lines().collect();
    let made_up = lines.iter().position(|line| is_source(line));
    let exported = made_up.is_some_and(|at| {
        let exports = |line: &&str| line.starts_with("export ") || line.contains("module.exports");
        lines[at..].iter().any(exports)
    });
    let route = if exported {
        None
    } else {
        made_up.or_else(|| lines.iter().rposition(|line| is_call(line)))
    };
    let mut out = String::from("const suite_web = require(\"express\");\n");
    for (i, line) in lines.iter().enumerate() {
        if route == Some(i) {
            out.push_str("suite_web().get(\"/case\", (suite_request, suite_response) => {\n");
        }
        if made_up == Some(i) {
            let name = line.split('=').next().unwrap_or_default().trim_end();
            let from = if exported {
                "suite_web.request"
            } else {
                "suite_request"
            };
            out.push_str(&format!("{name} = {from}.query.taint_src;\n"));
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    if route.is_some() {
        out.push_str("suite_response.end();\n});\n");
    }
    out
}

/// What `main` does becomes a handler; what it makes up as `__taint_src` is a query parameter.
fn go(source: &str) -> String {
    let asked = "suite_request.URL.Query().Get(\"taint_src\")";
    let mut out = String::new();
    let mut inside = false;
    for line in source.lines() {
        let trimmed = line.trim_start();
        let assigned = ["__taint_src :=", "__taint_src ="]
            .iter()
            .any(|start| trimmed.starts_with(start) && !trimmed.starts_with("__taint_src =="));
        if line.starts_with("func main()") {
            inside = true;
            out.push_str("func main() {\n\tsuite_http.HandleFunc(\"/case\", suite_case)\n}\n\n");
            out.push_str(
                "func suite_case(suite_answer suite_http.ResponseWriter, suite_request *suite_http.Request) {\n",
            );
            // The rest of a body that stands on one line.
            if let Some((_, rest)) = line.split_once('{') {
                out.push_str(rest);
                out.push('\n');
            }
        } else if inside && assigned {
            let sign = if trimmed.contains(":=") { ":=" } else { "=" };
            out.push_str(&format!("\t__taint_src {sign} {asked}\n"));
        } else {
            inside &= !line.starts_with('}');
            out.push_str(line);
            out.push('\n');
            if line.starts_with("package ") {
                out.push_str("import suite_http \"net/http\"\n");
            }
        }
    }
    out
}

/// The cases are controllers already, and their parameters the source, numbers among them. Ours is text only, so
/// that the type of such a parameter is made one.
fn java(source: &str) -> String {
    const NUMBERS: [&str; 14] = [
        "int", "long", "short", "byte", "double", "float", "boolean", "Integer", "Long", "Short",
        "Byte", "Double", "Float", "Boolean",
    ];
    let mut out = String::new();
    for line in source.lines() {
        let mut line = line.to_owned();
        for annotation in ["@PathVariable", "@RequestParam", "@RequestBody"] {
            let Some(at) = line.find(annotation) else {
                continue;
            };
            let behind = at + annotation.len();
            let arguments = match line[behind..].starts_with('(') {
                true => line[behind..].find(')').map_or(0, |end| end + 1),
                false => 0,
            };
            let start = behind + arguments;
            let start = start + (line[start..].len() - line[start..].trim_start().len());
            let word = line[start..].split(' ').next().unwrap_or_default();
            if NUMBERS.contains(&word) {
                line.replace_range(start..start + word.len(), "String");
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{arrives, go, java, javascript, python, said, suffix};

    #[test]
    fn a_number_made_of_the_input_arrives_and_what_a_check_stops_does_not() {
        let finding = |word: &str, codes: &[&str]| {
            let reasons: Vec<_> = codes
                .iter()
                .map(|code| serde_json::json!({ "code": code }))
                .collect();
            serde_json::json!({ "verdict": { "word": word, "reasons": reasons } })
        };
        assert!(arrives(&finding("no_path", &["sanitized"])));
        assert!(!arrives(&finding("no_path", &["sanitized", "guarded"])));
        assert!(!arrives(&finding("no_path", &[])));
        assert!(!arrives(&finding("undecided", &[])));
    }

    #[test]
    fn what_main_does_becomes_a_handler() {
        let case = "package main\n\nfunc main() {\n    __taint_src := \"taint_src_value\"\n    f(__taint_src)\n}\n";
        let spliced = go(case);
        assert!(spliced.contains(
            "\t__taint_src := suite_request.URL.Query().Get(\"taint_src\")\n    f(__taint_src)\n}\n"
        ));
        assert!(spliced.contains("\nfunc suite_case(suite_answer suite_http.ResponseWriter,"));
    }

    #[test]
    fn a_controllers_number_becomes_text() {
        assert_eq!(
            java("void a(@PathVariable(\"b\") int cmd) {\n    int x = 1;"),
            "void a(@PathVariable(\"b\") String cmd) {\n    int x = 1;\n"
        );
        assert_eq!(
            java("void a(@RequestParam String cmd)"),
            "void a(@RequestParam String cmd)\n"
        );
    }

    #[test]
    fn what_a_script_does_last_becomes_a_route() {
        let case = "function f(a) {\n  sink(a);\n}\n\nconst taint_src = \"taint_src_value\";\n\nf(taint_src);\n";
        assert_eq!(
            javascript(case),
            "const suite_web = require(\"express\");\nfunction f(a) {\n  sink(a);\n}\n\nsuite_web().get(\"/case\", (suite_request, suite_response) => {\nconst taint_src = suite_request.query.taint_src;\n\nf(taint_src);\nsuite_response.end();\n});\n"
        );
        let other = javascript("let taint_src = \"x\";\nexport const a = taint_src;\n");
        assert!(other.ends_with(
            "let taint_src = suite_web.request.query.taint_src;\nexport const a = taint_src;\n"
        ));
    }

    #[test]
    fn a_main_block_becomes_a_route_with_the_source_as_its_parameter() {
        let case = "# real case = true\ndef f(taint_src):\n    taint_sink(taint_src)\n\nif __name__ == \"__main__\":\n    taint_src = \"taint_src_value\"\n    f(taint_src)\n";
        assert_eq!(said(case), Some(true));
        assert_eq!(
            python(case),
            "from flask import Flask, request\n# real case = true\ndef f(taint_src):\n    taint_sink(taint_src)\n\napp = Flask(__name__)\n\n\n@app.route(\"/case\")\ndef case_of_the_suite():\n    taint_src = request.args[\"taint_src\"]\n    f(taint_src)\n    return \"\"\n"
        );
        let wrapped =
            python("if __name__ == '__main__':\n    taint_src: str = Box('taint_src_value')\n");
        assert!(wrapped.contains("    taint_src = Box(request.args[\"taint_src\"])\n"));
        let other = python("taint_src = 7\nexported = taint_src\n");
        assert!(other.contains("\ntaint_src = request.args[\"taint_src\"]\nexported"));
    }

    #[test]
    fn names_say_what_is_true_of_a_case() {
        assert_eq!(suffix("a/b/alias_001_T.py"), Some(true));
        assert_eq!(suffix("a/cross_file_010_F"), Some(false));
        assert_eq!(suffix("a/cross_file_010_F_a.py"), None);
        assert_eq!(suffix("a/case"), None);
    }
}
