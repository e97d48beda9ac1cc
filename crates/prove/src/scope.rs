//! What a patch touches: the flow of the root cause, imports and helpers of those files, and new tests. Nothing
//! else, and never what judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner};
use solvent_ir::FunctionKind;

use crate::gauntlet::{Check, CheckName, CheckResult, Job};
use crate::suite::{Role, role};
use crate::tree::{self, Entry, Listing};

/// Bytes of a source file that are compared by function.
const MAX_SOURCE: usize = 4 << 20;

pub(crate) fn check(job: &Job<'_>) -> Check {
    let mut check = Check::new(CheckName::Scope, CheckResult::Passed);
    let list = |root: &Path| tree::list(root, job.cache);
    let (base, patched) = match (list(job.base_tree), list(job.patched_tree)) {
        (Ok(base), Ok(patched)) => (base, patched),
        (Err(error), _) | (_, Err(error)) => {
            check.result = CheckResult::Unmeasured(format!("a tree cannot be read: {error}"));
            return check;
        }
    };
    let changes = changes(job, &base, &patched);
    if changes.is_empty() {
        check.result = CheckResult::Failed("the patch changes nothing".to_owned());
        return check;
    }
    let mut flow = Flow::of(job);
    flow.read(job.patched_tree);
    let mut complaints = Vec::new();
    for change in &changes {
        complaints.extend(one(&flow, change, &changes, &mut check.detail));
    }
    if let Some(first) = complaints.first() {
        check.result = CheckResult::Failed(first.clone());
        check.detail.extend(complaints.iter().take(20).cloned());
    }
    check
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Added,
    Changed,
    Deleted,
}

impl Kind {
    fn verb(self) -> &'static str {
        match self {
            Self::Added => "adds",
            Self::Changed => "changes",
            Self::Deleted => "deletes",
        }
    }
}

#[derive(Debug)]
struct Change {
    path: PathBuf,
    kind: Kind,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn changes(job: &Job<'_>, base: &Listing, patched: &Listing) -> Vec<Change> {
    let content = |root: &Path, path: &Path, listing: &Listing| -> Option<Vec<u8>> {
        match listing.files.get(path)? {
            Entry::File { executable } => {
                let mut bytes = fs::read(root.join(path)).ok()?;
                // A mode is a change as well.
                if *executable {
                    bytes.extend_from_slice(b"\0executable");
                }
                Some(bytes)
            }
            Entry::Link(to) => Some(format!("\0link {}", to.display()).into_bytes()),
            Entry::Folder => None,
        }
    };
    let paths: BTreeSet<&PathBuf> = base.files.keys().chain(patched.files.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let before = content(job.base_tree, path, base);
            let after = content(job.patched_tree, path, patched);
            let kind = match (&before, &after) {
                (None, None) => return None,
                (None, Some(_)) => Kind::Added,
                (Some(_), None) => Kind::Deleted,
                (Some(a), Some(b)) if a == b => return None,
                (Some(_), Some(_)) => Kind::Changed,
            };
            Some(Change {
                path: path.clone(),
                kind,
                before: before.unwrap_or_default(),
                after: after.unwrap_or_default(),
            })
        })
        .collect()
}

/// Files and functions that the flows of the root cause go through.
struct Flow {
    functions: BTreeSet<(String, String)>,
    files: BTreeSet<String>,
    /// Text of those functions in the patched tree, which may use new helpers of any of the files.
    users: String,
}

impl Flow {
    fn of(job: &Job<'_>) -> Self {
        let mut functions = BTreeSet::new();
        for finding in job.findings {
            let sink = &finding.sink;
            functions.insert((
                sink.location.path.as_str().to_owned(),
                sink.function.qualname.clone(),
            ));
            for step in finding.flows.iter().flat_map(|flow| &flow.steps) {
                functions.insert((
                    step.location.path.as_str().to_owned(),
                    step.function.qualname.clone(),
                ));
            }
        }
        let files = functions.iter().map(|(file, _)| file.clone()).collect();
        Self {
            functions,
            files,
            users: String::new(),
        }
    }

    fn read(&mut self, tree: &Path) {
        for file in &self.files {
            let path = tree.join(file);
            let plain = fs::symlink_metadata(&path)
                .is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_SOURCE as u64);
            if !plain {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
            self.users.push_str(&self.used_in(file, &text));
        }
    }

    /// The text of one file's functions that are on a flow.
    fn used_in(&self, file: &str, text: &str) -> String {
        let mut out = String::new();
        for (name, body) in Parts::of(Path::new(file), text).functions {
            if self.holds(file, &name) {
                out.push_str(&body);
                out.push('\n');
            }
        }
        out
    }

    /// Whether a function is on a flow, or stands inside one that is.
    fn holds(&self, file: &str, qualname: &str) -> bool {
        self.functions.iter().any(|(path, name)| {
            path == file
                && (name == qualname
                    || qualname
                        .strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.starts_with(".<locals>.") && !name.is_empty()))
        })
    }
}

/// What is wrong with one changed file.
fn one(flow: &Flow, change: &Change, all: &[Change], detail: &mut Vec<String>) -> Vec<String> {
    let shown = change.path.to_string_lossy().into_owned();
    let verb = change.kind.verb();
    if let Some(what) = judge_of(&change.path) {
        return vec![format!("{verb} `{shown}`, which is {what}")];
    }
    if let Some(role) = role(&change.path) {
        return tests(change, role, &shown);
    }
    if is_prose(&change.path) {
        detail.push(format!("{verb} `{shown}`, which is documentation"));
        return Vec::new();
    }
    let python = change.path.extension().is_some_and(|e| e == "py");
    match change.kind {
        Kind::Changed if python && flow.files.contains(&shown) => in_source(flow, change, &shown),
        Kind::Added if python && imported(change, all, flow) => {
            detail.push(format!("adds `{shown}`, which the flow imports"));
            Vec::new()
        }
        _ => vec![format!("{verb} `{shown}`, which is not on the flow")],
    }
}

/// What a file decides that a patch has no say in.
fn judge_of(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    let name = path.file_name()?.to_string_lossy();
    let first = path.components().next()?.as_os_str().to_string_lossy();
    if name == "solvent.toml" || matches!(&*first, "solvent-policy" | ".solvent") {
        return Some("how changes are judged");
    }
    let ci = matches!(
        &*first,
        ".github" | ".gitlab" | ".circleci" | ".buildkite" | ".woodpecker" | ".gitea" | ".forgejo"
    ) || matches!(
        &*text,
        ".gitlab-ci.yml"
            | ".travis.yml"
            | "Jenkinsfile"
            | "azure-pipelines.yml"
            | "bitbucket-pipelines.yml"
            | ".drone.yml"
            | ".pre-commit-config.yaml"
            | "CODEOWNERS"
            | "appveyor.yml"
    );
    if ci {
        return Some("how changes are built and checked");
    }
    let dependencies = matches!(
        &*name,
        "Pipfile"
            | "Pipfile.lock"
            | "poetry.lock"
            | "uv.lock"
            | "pdm.lock"
            | "pyproject.toml"
            | "setup.py"
            | "setup.cfg"
            | "MANIFEST.in"
            | "package.json"
            | "package-lock.json"
            | "yarn.lock"
            | "environment.yml"
    ) || name.ends_with(".txt") && name.contains("requirements")
        || text.starts_with("requirements/");
    dependencies.then_some("what the application depends on")
}

fn is_prose(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let kind = name.ends_with(".md") || name.ends_with(".rst");
    let known = [
        "readme",
        "changelog",
        "changes",
        "history",
        "news",
        "security",
    ];
    kind && (known.iter().any(|word| name.starts_with(word)) || path.starts_with("docs"))
}

/// Whether a new module is named by an import that the patch adds to a file of the flow.
fn imported(change: &Change, all: &[Change], flow: &Flow) -> bool {
    let stem = change
        .path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    all.iter()
        .filter(|other| flow.files.contains(&*other.path.to_string_lossy()))
        .any(|other| {
            let text = String::from_utf8_lossy(&other.after);
            let parts = Parts::of(&other.path, &text);
            parts
                .rest
                .iter()
                .any(|statement| is_import(statement) && has_word(statement, &stem))
        })
}

/// Tests may be added; those that are there stay as they are.
fn tests(change: &Change, role: Role, shown: &str) -> Vec<String> {
    match (change.kind, role) {
        (Kind::Deleted, _) => vec![format!("deletes tests: `{shown}`")],
        (Kind::Added, Role::Test) => Vec::new(),
        (_, Role::Judge) => vec![format!(
            "{} `{shown}`, which decides how tests run",
            change.kind.verb()
        )],
        (Kind::Changed, Role::Test) => {
            if change.path.extension().is_none_or(|e| e != "py") {
                return vec![format!("changes what tests read: `{shown}`")];
            }
            let before = Parts::of(&change.path, &String::from_utf8_lossy(&change.before));
            let after = Parts::of(&change.path, &String::from_utf8_lossy(&change.after));
            let mut complaints = Vec::new();
            for (name, text) in &before.functions {
                match after.functions.get(name) {
                    None => complaints.push(format!("deletes tests: `{name}` in `{shown}`")),
                    Some(now) if now != text => {
                        complaints.push(format!(
                            "changes tests that are there: `{name}` in `{shown}`"
                        ));
                    }
                    Some(_) => {}
                }
            }
            for statement in before.rest.iter().filter(|s| !is_import(s)) {
                if !after.rest.contains(statement) {
                    complaints.push(format!("changes what tests in `{shown}` rest on"));
                }
            }
            for statement in after.rest.iter().filter(|s| !before.rest.contains(s)) {
                if ["pytestmark", "skip", "collect_ignore", "__test__"]
                    .iter()
                    .any(|word| statement.contains(word))
                {
                    complaints.push(format!("switches tests in `{shown}` off"));
                }
            }
            complaints
        }
    }
}

/// A file of the flow: its functions on the flow, new helpers of those, imports, and new names.
fn in_source(flow: &Flow, change: &Change, shown: &str) -> Vec<String> {
    let (before_text, after_text) = (
        String::from_utf8_lossy(&change.before).into_owned(),
        String::from_utf8_lossy(&change.after).into_owned(),
    );
    let before = Parts::of(&change.path, &before_text);
    let after = Parts::of(&change.path, &after_text);
    let mut complaints = Vec::new();
    for (name, text) in &before.functions {
        let same = after.functions.get(name) == Some(text);
        if same || flow.holds(shown, name) {
            continue;
        }
        complaints.push(match after.functions.get(name) {
            None => format!("removes `{name}` from `{shown}`, which is not on the flow"),
            Some(_) => format!("changes `{name}` in `{shown}`, which is not on the flow"),
        });
    }
    // Text that may use new helpers: functions of the flow, then whatever they use.
    let mut users = flow.users.clone();
    let mut new: BTreeMap<String, String> = after
        .functions
        .iter()
        .filter(|(name, _)| !before.functions.contains_key(*name) && !flow.holds(shown, name))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let fresh: Vec<&String> = after
        .rest
        .iter()
        .filter(|statement| !before.rest.contains(statement))
        .collect();
    for statement in &fresh {
        if let Some(name) = bound(statement)
            && has_word(&users, &name)
        {
            users.push('\n');
            users.push_str(statement);
        }
    }
    loop {
        let used: Vec<String> = new
            .keys()
            .filter(|name| {
                // A method comes with its class.
                let outer = name.split('.').next().unwrap_or(name);
                has_word(&users, outer)
            })
            .cloned()
            .collect();
        if used.is_empty() {
            break;
        }
        for name in used {
            if let Some(text) = new.remove(&name) {
                users.push('\n');
                users.push_str(&text);
            }
        }
    }
    for name in new.keys() {
        complaints.push(format!(
            "adds `{name}` to `{shown}`, which nothing on the flow uses"
        ));
    }
    for statement in before.rest.iter().filter(|s| !after.rest.contains(s)) {
        if !is_import(statement) && !is_remark(statement) {
            complaints.push(format!(
                "changes `{}` in `{shown}`, which is outside the functions of the flow",
                first_line(statement)
            ));
        }
    }
    let known = before.names();
    for statement in fresh {
        if is_import(statement) || is_remark(statement) {
            continue;
        }
        match bound(statement) {
            Some(name) if known.contains(&name) => complaints.push(format!(
                "binds `{name}` in `{shown}` anew, which is outside the functions of the flow"
            )),
            Some(_) => {}
            None => complaints.push(format!(
                "adds `{}` to `{shown}`, which is outside the functions of the flow",
                first_line(statement)
            )),
        }
    }
    complaints
}

/// A source file taken apart.
struct Parts {
    /// Outermost functions and methods by qualified name, with their decorators.
    functions: BTreeMap<String, String>,
    /// Statements outside functions, white space at their ends taken off.
    rest: Vec<String>,
}

impl Parts {
    fn of(path: &Path, text: &str) -> Self {
        let mut parts = Self {
            functions: BTreeMap::new(),
            rest: Vec::new(),
        };
        let Some(file) =
            FilePath::new(&path.to_string_lossy()).filter(|_| text.len() <= MAX_SOURCE)
        else {
            parts.rest = statements(text);
            return parts;
        };
        let names = Interner::new();
        let unit = solvent_lang::lower(&file, text.as_bytes(), &names);
        let mut covered: Vec<(usize, usize)> = Vec::new();
        let mut spans: Vec<(usize, usize, String)> = unit
            .functions
            .iter()
            .filter(|function| function.kind == FunctionKind::Def)
            .map(|function| {
                (
                    function.span.start as usize,
                    function.span.end as usize,
                    names.text(function.qualname).to_string(),
                )
            })
            .collect();
        // Outermost first.
        spans.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for (start, end, name) in spans {
            if covered
                .iter()
                .any(|(from, to)| start >= *from && end <= *to)
            {
                continue;
            }
            let Some(body) = text.get(start..end) else {
                continue;
            };
            covered.push((start, end));
            // One name defined twice: the second is another function.
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            let key = if *count == 1 {
                name
            } else {
                format!("{name}#{count}")
            };
            parts.functions.insert(key, body.trim_end().to_owned());
        }
        let mut rest = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end) in covered {
            rest.push_str(text.get(at..start).unwrap_or_default());
            at = end;
        }
        rest.push_str(text.get(at..).unwrap_or_default());
        parts.rest = statements(&rest);
        parts
    }

    /// Names bound outside functions, and functions.
    fn names(&self) -> BTreeSet<String> {
        let imports = self.rest.iter().filter(|s| is_import(s)).flat_map(|s| {
            s.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        self.rest
            .iter()
            .filter_map(|statement| bound(statement))
            .chain(self.functions.keys().cloned())
            .chain(imports)
            .collect()
    }
}

/// Lines joined while a bracket or a string of three quotes is open. Comments end nothing.
fn statements(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = String::new();
    let mut depth = 0_i64;
    let mut quotes: Option<&str> = None;
    for line in text.lines() {
        if line.trim().is_empty() && open.is_empty() {
            continue;
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line.trim_end());
        let mut rest = line;
        while !rest.is_empty() {
            if let Some(mark) = quotes {
                match rest.find(mark) {
                    Some(at) => {
                        rest = &rest[at + 3..];
                        quotes = None;
                    }
                    None => break,
                }
                continue;
            }
            if let Some(mark) = ["\"\"\"", "'''"]
                .into_iter()
                .find(|mark| rest.starts_with(mark))
            {
                quotes = Some(mark);
                rest = &rest[3..];
                continue;
            }
            let mut chars = rest.chars();
            match chars.next() {
                Some('#') => break,
                Some(quote @ ('"' | '\'')) => {
                    let mut escaped = false;
                    for c in chars.by_ref() {
                        match c {
                            _ if escaped => escaped = false,
                            '\\' => escaped = true,
                            c if c == quote => break,
                            _ => {}
                        }
                    }
                }
                Some('(' | '[' | '{') => depth += 1,
                Some(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            rest = chars.as_str();
        }
        if depth <= 0 && quotes.is_none() {
            depth = 0;
            out.push(std::mem::take(&mut open));
        }
    }
    if !open.is_empty() {
        out.push(open);
    }
    out
}

fn is_import(statement: &str) -> bool {
    let text = statement.trim_start();
    text.starts_with("import ") || text.starts_with("from ") && text.contains(" import")
}

/// A comment or a text that stands alone, which does nothing.
fn is_remark(statement: &str) -> bool {
    let text = statement.trim();
    text.starts_with('#')
        || text == "pass"
        || ["\"\"\"", "'''"]
            .iter()
            .any(|mark| text.len() >= 6 && text.starts_with(mark) && text.ends_with(mark))
        || text.len() >= 2
            && !text[1..text.len() - 1].contains('"')
            && text.starts_with('"')
            && text.ends_with('"')
}

/// The one name that a statement binds: `NAME = ..`, `class Name..`, or a class's own attribute.
fn bound(statement: &str) -> Option<String> {
    let text = statement.trim_start();
    if let Some(rest) = text.strip_prefix("class ") {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        return Some(name);
    }
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let rest = text[name.len()..].trim_start();
    let assigns = rest.starts_with('=') && !rest.starts_with("==");
    let annotated = rest.starts_with(':') && rest.contains('=');
    let is_keyword = matches!(
        name.as_str(),
        "else" | "try" | "finally" | "if" | "for" | "with"
    );
    (!name.is_empty() && !is_keyword && (assigns || annotated)).then_some(name)
}

fn has_word(text: &str, word: &str) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            edge(text[..at].chars().next_back()) && edge(text[at + word.len()..].chars().next())
        })
}

fn first_line(statement: &str) -> String {
    let line = statement.lines().next().unwrap_or_default().trim();
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        Flow {
            functions: [("a.py".to_owned(), "search".to_owned())].into(),
            files: ["a.py".to_owned()].into(),
            users: String::new(),
        }
    }

    const BASE: &str = "import os\n\nLIMIT = 3\n\ndef search(q):\n    return run(q)\n\ndef other():\n    return 1\n";

    fn complaints(path: &str, before: &str, after: &str) -> Vec<String> {
        let change = Change {
            path: PathBuf::from(path),
            kind: Kind::Changed,
            before: before.as_bytes().to_vec(),
            after: after.as_bytes().to_vec(),
        };
        match role(&change.path) {
            Some(role) => tests(&change, role, path),
            None => {
                let mut flow = flow();
                flow.users = flow.used_in(path, after);
                in_source(&flow, &change, path)
            }
        }
    }

    #[test]
    fn a_repair_with_an_import_a_constant_and_a_helper_is_in_scope() {
        let after = BASE
            .replace("import os", "import os\nimport re\n\nWORD = re.compile(\"[a-z]+\")\n\nclass Bad(ValueError):\n    \"\"\"No.\"\"\"\n\ndef clean(q):\n    return WORD.match(q)\n")
            .replace("    return run(q)", "    if not clean(q):\n        raise Bad(q)\n    return run(q)");
        assert_eq!(complaints("a.py", BASE, &after), [""; 0]);
    }

    #[test]
    fn what_is_not_on_the_flow_is_named() {
        let says = |after: String| complaints("a.py", BASE, &after).join("; ");
        assert!(says(BASE.replace("return 1", "return 2")).contains("`other`"));
        assert!(says(BASE.replace("LIMIT = 3", "LIMIT = 4")).contains("LIMIT"));
        assert!(says(format!("{BASE}\nLIMIT = 9\n")).contains("anew"));
        assert!(
            says(format!("{BASE}\ndef door():\n    return 1\n"))
                .contains("nothing on the flow uses")
        );
        assert!(says(format!("{BASE}\nos.environ.clear()\n")).contains("outside the functions"));
    }

    #[test]
    fn tests_may_be_added_and_nothing_else() {
        let before = "import a\n\ndef test_x():\n    assert a.x() == 1\n";
        let says = |after: &str| complaints("tests/test_a.py", before, after).join("; ");
        assert_eq!(
            says(&format!(
                "import pytest\n{before}\ndef test_y():\n    assert True\n"
            )),
            ""
        );
        assert!(says("import a\n").contains("deletes tests"));
        assert!(says(&before.replace("== 1", "is not None")).contains("changes tests"));
        assert!(
            says(&before.replace("def test_x", "@pytest.mark.skip\ndef test_x"))
                .contains("changes tests")
        );
        assert!(says(&format!("{before}\npytestmark = pytest.mark.skip\n")).contains("off"));
    }

    #[test]
    fn judges_are_told_from_sources() {
        for path in [
            "solvent.toml",
            ".github/workflows/ci.yml",
            "requirements.txt",
            "poetry.lock",
        ] {
            assert!(judge_of(Path::new(path)).is_some(), "{path}");
        }
        assert!(judge_of(Path::new("shop/settings.py")).is_none());
    }
}
