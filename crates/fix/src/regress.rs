//! A test for the application's own suite that fails without the patch.
//!
//! It follows a test that calls the same route already (its fixture, its login, its other fields) and changes
//! one value. The value is harmless before and after the patch:
//!
//! - SQL: a text with one quote. Before, the statement does not parse and the request fails; after, it is
//!   answered as the same text without the quote is.
//! - path: the way out of every folder and back to a file that the test itself made in a temporary folder.
//!   Before, its content is answered, or it is written; after, it is not.
//! - command: a text with one quote. Before, the shell stops at a quote that is not closed; after, the text
//!   arrives as one argument. No character of it starts anything.
//!
//! Where the application catches its own errors and answers as before, the first kind passes without the
//! patch too: whoever adds the test runs it on both revisions and says so.

use solvent_base::FilePath;
use solvent_finding::{Carrier, Comparison, EntryPoint, Finding, Flow, Part, RouteSegment};
use solvent_lang::syntax::{Arg, Expr, ExprKind, Function, Passing, Stmt, StmtKind};

use crate::pieces::literal_text;
use crate::python;
use crate::source::{File, Sources, World};
use crate::{Base, Edit, FileEdit, Patch};

/// Test files that are looked at.
const MAX_FILES: usize = 400;

/// A request as an existing test makes it.
struct Model<'w> {
    file: &'w File,
    /// `client`, `admin`, `self.client`.
    receiver: String,
    /// Parameters that the test takes: fixtures.
    fixtures: Vec<String>,
    /// The class of a `unittest` suite, and where a method may be added.
    class: Option<(&'w Stmt, u32)>,
    args: &'w [Arg],
    /// The path as written.
    path: String,
    /// The receiver is a name of the test's own file.
    own: bool,
}

/// A test that fails on the base and passes with the patch, where the application has tests that show how
/// its client is made; `None` otherwise.
pub fn regression_test(
    finding: &Finding,
    patch: &Patch,
    sources: &Sources<'_>,
) -> Option<FileEdit> {
    let entry = finding.entry.as_ref()?;
    let flow = finding.flows.first()?;
    if !matches!(entry.framework.as_str(), "flask" | "quart") || entry.route.is_empty() {
        return None;
    }
    let world = World::new(sources);
    let tests: Vec<&FilePath> = sources
        .files
        .iter()
        .filter(|p| is_test(p))
        .take(MAX_FILES)
        .collect();
    if tests.is_empty() {
        return None;
    }
    let method = entry
        .methods
        .iter()
        .find(|m| *m != "HEAD" && *m != "OPTIONS")?
        .to_lowercase();
    let model = tests
        .iter()
        .filter_map(|p| world.file(p).ok())
        .find_map(|file| model_in(file, entry, &method))
        .or_else(|| {
            // Nothing is known of a login that is needed.
            if entry.auth.is_empty() {
                tests
                    .iter()
                    .filter_map(|p| world.file(p).ok())
                    .find_map(client_fixture)
            } else {
                None
            }
        })?;
    let writer = Writer {
        finding,
        entry,
        flow,
        method,
        model: &model,
        raises: patch
            .files
            .iter()
            .flat_map(|f| &f.edits)
            .any(|e| e.text.contains("raise ")),
    };
    let body = match finding.weakness.0.as_str() {
        "CWE-89" => writer.sql(),
        "CWE-22" => writer.path(),
        "CWE-78" => writer.command(),
        _ => None,
    }?;
    place(&world, &model, &tests, &body)
}

fn is_test(path: &FilePath) -> bool {
    let name = path.file_name();
    path.extension() == Some("py")
        && (name.starts_with("test_")
            || name.ends_with("_test.py")
            || name == "tests.py"
            || name == "conftest.py")
}

/// A test function, with what it needs.
struct Body {
    name: String,
    fixtures: Vec<String>,
    imports: Vec<&'static str>,
    /// Lines of the body, indented by four where nested.
    lines: Vec<String>,
}

struct Writer<'a, 'w> {
    finding: &'a Finding,
    entry: &'a EntryPoint,
    flow: &'a Flow,
    method: String,
    model: &'a Model<'w>,
    raises: bool,
}

impl Writer<'_, '_> {
    fn handler(&self) -> String {
        let name = self
            .entry
            .handler
            .qualname
            .trim_end_matches(".get")
            .trim_end_matches(".post");
        let last = name.rsplit('.').next().unwrap_or("request");
        let mut out = String::new();
        for (at, c) in last.chars().enumerate() {
            if c.is_uppercase() && at > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    }

    /// The quote that is open where the input stands.
    fn open_quote(&self) -> Option<char> {
        let mut open = None;
        for part in &self.flow.template.parts {
            match part {
                Part::Input => return open,
                Part::Other => {}
                Part::Literal(text) => {
                    for c in text.chars() {
                        match open {
                            None if matches!(c, '\'' | '"') => open = Some(c),
                            Some(q) if q == c => open = None,
                            _ => {}
                        }
                    }
                }
            }
        }
        None
    }

    /// Text that the program puts behind the input.
    fn suffix(&self) -> String {
        let parts = &self.flow.template.parts;
        let at = parts.iter().position(|p| *p == Part::Input);
        match at.and_then(|at| parts.get(at + 1)) {
            Some(Part::Literal(text)) if !text.contains('/') => text.clone(),
            _ => String::new(),
        }
    }

    /// The call with `value` (source text) as the input.
    fn call(&self, value: &str) -> Option<String> {
        let input = &self.flow.input;
        let mut url = self.url(value)?;
        let mut query: Vec<(String, String)> = Vec::new();
        let mut data: Vec<(String, String)> = Vec::new();
        let mut json: Vec<(String, String)> = Vec::new();
        let mut rest: Vec<String> = Vec::new();
        // What the existing test sends beside.
        if let Some((_, old)) = self.model.path.split_once('?') {
            for pair in old.split('&') {
                let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
                query.push((k.to_owned(), python::string(v, '"')));
            }
        }
        for arg in self.model.args.iter().skip(1) {
            let Passing::Keyword(name) = &arg.passing else {
                return None;
            };
            let into = match &**name {
                "query_string" => &mut query,
                "data" => &mut data,
                "json" => &mut json,
                _ => {
                    rest.push(self.model.file.slice(arg.span).to_owned());
                    continue;
                }
            };
            let ExprKind::Dict(items) = &arg.value.kind else {
                return None;
            };
            for (key, item) in items {
                let key = literal_text(self.model.file, key.as_ref()?)?;
                // A value of the test's own variables is not ours to copy.
                let text = literal_text(self.model.file, item);
                let source = match (&item.kind, text) {
                    (_, Some(text)) => python::string(&text, '"'),
                    (ExprKind::Number | ExprKind::True | ExprKind::False, _) => {
                        self.model.file.slice(item.span).to_owned()
                    }
                    _ => return None,
                };
                into.push((key, source));
            }
        }
        for condition in &self.flow.conditions {
            let wanted = match condition.comparison {
                Comparison::Equals | Comparison::Contains | Comparison::StartsWith => {
                    python::string(&condition.value, '"')
                }
                Comparison::Present => "\"x\"".to_owned(),
                Comparison::Digits => "\"1\"".to_owned(),
                _ => continue,
            };
            if condition.input == *input {
                if condition.comparison == Comparison::Present {
                    continue;
                }
                return None;
            }
            let into = match condition.input.carrier {
                Carrier::Query => &mut query,
                Carrier::Form => &mut data,
                Carrier::Json => &mut json,
                _ => continue,
            };
            if !into.iter().any(|(k, _)| *k == condition.input.name) {
                into.push((condition.input.name.clone(), wanted));
            }
        }
        let into = match input.carrier {
            Carrier::Query => Some(&mut query),
            Carrier::Form => Some(&mut data),
            Carrier::Json => Some(&mut json),
            Carrier::PathSegment => None,
            _ => return None,
        };
        if let Some(into) = into {
            match into.iter_mut().find(|(k, _)| *k == input.name) {
                Some((_, have)) => value.clone_into(have),
                None => into.push((input.name.clone(), value.to_owned())),
            }
        }
        let dict = |items: &[(String, String)]| {
            let items: Vec<String> = items
                .iter()
                .map(|(k, v)| format!("{}: {v}", python::string(k, '"')))
                .collect();
            format!("{{{}}}", items.join(", "))
        };
        if !query.is_empty() {
            url.push_str(&format!(", query_string={}", dict(&query)));
        }
        if !data.is_empty() {
            url.push_str(&format!(", data={}", dict(&data)));
        }
        if !json.is_empty() {
            url.push_str(&format!(", json={}", dict(&json)));
        }
        for more in rest {
            url.push_str(", ");
            url.push_str(&more);
        }
        Some(format!("{}.{}({url})", self.model.receiver, self.method))
    }

    /// Source of the path, the input in its place if it is a part of it.
    fn url(&self, value: &str) -> Option<String> {
        let old = self.model.path.split('?').next().unwrap_or_default();
        let found = fill(&self.entry.segments, old).unwrap_or_default();
        let mut parts: Vec<String> = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        for segment in &self.entry.segments {
            match segment {
                RouteSegment::Literal(literal) => text.push_str(literal),
                RouteSegment::Param { name, converter } => {
                    let is_input = self.flow.input.carrier == Carrier::PathSegment
                        && self.flow.input.name == *name;
                    if is_input {
                        if converter != "path" && self.finding.weakness.0 == "CWE-22" {
                            return None;
                        }
                        parts.push(python::string(&text, '"'));
                        text.clear();
                        parts.push(value.to_owned());
                    } else {
                        match found.get(at) {
                            Some(value) => text.push_str(value),
                            None => text.push('1'),
                        }
                    }
                    at += 1;
                }
            }
        }
        if !text.is_empty() || parts.is_empty() {
            parts.push(python::string(&text, '"'));
        }
        Some(parts.join(" + "))
    }

    fn body(&self, what: &str, imports: Vec<&'static str>, lines: Vec<String>) -> Body {
        Body {
            name: format!("test_{}_{what}", self.handler()),
            fixtures: self.model.fixtures.clone(),
            imports,
            lines,
        }
    }

    fn is_pytest(&self) -> bool {
        self.model.class.is_none()
    }

    /// So that an error is an answer and not an exception in the test.
    fn quiet(&self) -> String {
        format!(
            "{}.application.config[\"PROPAGATE_EXCEPTIONS\"] = False",
            self.model.receiver
        )
    }

    fn sql(&self) -> Option<Body> {
        let (plain, quoted) = match self.open_quote() {
            Some('"') => ("no such name", "no such \"name"),
            Some(_) => ("no such name", "no such na'me"),
            None => ("0", "0'"),
        };
        let source = |t: &str| python::string(t, '"');
        Some(self.body(
            "takes_a_quote_as_text",
            Vec::new(),
            vec![
                self.quiet(),
                format!("plain = {}", self.call(&source(plain))?),
                format!("quoted = {}", self.call(&source(quoted))?),
                if self.is_pytest() {
                    "assert quoted.status_code == plain.status_code".to_owned()
                } else {
                    "self.assertEqual(quoted.status_code, plain.status_code)".to_owned()
                },
            ],
        ))
    }

    fn path(&self) -> Option<Body> {
        if !self.is_pytest() {
            return None;
        }
        let writes = self.finding.sink.kind.0 == "file-path-write";
        let suffix = self.suffix();
        let mut lines = Vec::new();
        if self.raises {
            lines.push(self.quiet());
        }
        let file = python::string(&format!("outside{suffix}"), '"');
        lines.push(format!("outside = tmp_path / {file}"));
        if !writes {
            lines.push("outside.write_text(\"from another folder\")".to_owned());
        }
        // Up to the root of all folders and down again.
        let cut = if suffix.is_empty() {
            "str(outside)[1:]".to_owned()
        } else {
            format!("str(outside)[1:-{}]", suffix.chars().count())
        };
        lines.push(format!("name = \"../\" * 20 + {cut}"));
        if writes {
            lines.push(self.call("name")?);
            lines.push("assert not outside.exists()".to_owned());
        } else {
            lines.push(format!("answer = {}", self.call("name")?));
            lines.push(
                "assert \"from another folder\" not in answer.get_data(as_text=True)".to_owned(),
            );
        }
        let mut body = self.body("stays_in_its_folder", Vec::new(), lines);
        body.fixtures.push("tmp_path".to_owned());
        Some(body)
    }

    fn command(&self) -> Option<Body> {
        if !self.is_pytest() {
            return None;
        }
        let value = match self.open_quote() {
            Some('"') => "'one \"value'",
            _ => "\"one va'lue\"",
        };
        let callee = self.finding.sink.callee.as_str();
        let mut lines = vec![
            format!("value = {value}"),
            "started = []".to_owned(),
            String::new(),
            "class Recorder(subprocess.Popen):".to_owned(),
            "    def __init__(self, args, *rest, **options):".to_owned(),
            "        started.append(args)".to_owned(),
            "        super().__init__(args, *rest, **options)".to_owned(),
            String::new(),
            "monkeypatch.setattr(subprocess, \"Popen\", Recorder)".to_owned(),
        ];
        let mut imports = vec!["shlex", "subprocess"];
        if callee == "os.system" {
            imports.insert(0, "os");
            lines.push(
                "monkeypatch.setattr(os, \"system\", lambda command: started.append(command) or 0)"
                    .to_owned(),
            );
        }
        lines.push(self.quiet());
        lines.push(self.call("value")?);
        lines.push(
            "words = [w for a in started for w in (shlex.split(a) if isinstance(a, str) else a)]"
                .to_owned(),
        );
        lines.push("assert any(value in word for word in words)".to_owned());
        let mut body = self.body("passes_one_argument", imports, lines);
        body.fixtures.push("monkeypatch".to_owned());
        Some(body)
    }
}

/// Values of the parameters in `path`, in order, when it is of this route.
fn fill(segments: &[RouteSegment], path: &str) -> Option<Vec<String>> {
    let mut rest = path;
    let mut out = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        match segment {
            RouteSegment::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
            RouteSegment::Param { converter, .. } => {
                let end = match segments.get(at + 1) {
                    Some(RouteSegment::Literal(next)) => rest.find(next.as_str())?,
                    _ => rest.len(),
                };
                let value = &rest[..end];
                if value.is_empty() || (converter != "path" && value.contains('/')) {
                    return None;
                }
                out.push(value.to_owned());
                rest = &rest[end..];
            }
        }
    }
    (rest.is_empty() || rest == "/").then_some(out)
}

/// A call of the entry's route in a test.
fn model_in<'w>(file: &'w File, entry: &EntryPoint, method: &str) -> Option<Model<'w>> {
    for stmt in &file.module.body {
        match &stmt.kind {
            StmtKind::Function(f) if f.name.starts_with("test") => {
                if let Some(model) = model_of(file, f, None, entry, method) {
                    return Some(model);
                }
            }
            StmtKind::Class { body, .. } => {
                for inner in body {
                    if let StmtKind::Function(f) = &inner.kind
                        && f.name.starts_with("test")
                    {
                        let end = body.last().map_or(stmt.span.end, |s| s.span.end);
                        if let Some(model) = model_of(file, f, Some((stmt, end)), entry, method) {
                            return Some(model);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    None
}

fn model_of<'w>(
    file: &'w File,
    function: &'w Function,
    class: Option<(&'w Stmt, u32)>,
    entry: &EntryPoint,
    method: &str,
) -> Option<Model<'w>> {
    let mut found: Option<(&Expr, &[Arg], String)> = None;
    for stmt in &function.body {
        stmt.walk(&mut |s| {
            for e in s.expressions() {
                e.walk(&mut |e| {
                    if found.is_some() {
                        return;
                    }
                    let ExprKind::Call { func, args, .. } = &e.kind else {
                        return;
                    };
                    let ExprKind::Attribute { value, name, .. } = &func.kind else {
                        return;
                    };
                    if name != method {
                        return;
                    }
                    let Some(first) = args.first() else { return };
                    let Some(path) = literal_text(file, &first.value) else {
                        return;
                    };
                    let bare = path.split('?').next().unwrap_or_default();
                    if fill(&entry.segments, bare).is_some() {
                        found = Some((value, args, path));
                    }
                });
            }
        });
    }
    let (receiver, args, path) = found?;
    let receiver = receiver.dotted()?;
    let root = receiver.split('.').next().unwrap_or_default().to_owned();
    let fixtures: Vec<String> = function
        .params
        .iter()
        .filter(|p| p.name == root && root != "self")
        .map(|p| p.name.clone())
        .collect();
    let mut own = false;
    if root == "self" {
        class?;
    } else if fixtures.is_empty() {
        // A client of the module.
        own = file.module.body.iter().any(|s| {
            matches!(&s.kind, StmtKind::Assign { targets, .. } if targets.iter().any(|t| t.dotted().as_deref() == Some(&*root)))
        });
        if !own {
            return None;
        }
    }
    Some(Model {
        file,
        receiver,
        fixtures,
        class: class.filter(|_| root == "self"),
        args,
        path,
        own,
    })
}

/// A `client` fixture, for a route that no test calls.
fn client_fixture(file: &File) -> Option<Model<'_>> {
    for stmt in &file.module.body {
        let StmtKind::Function(f) = &stmt.kind else {
            continue;
        };
        let is_fixture = f.decorators.iter().any(|d| {
            file.slice(d.span)
                .split('(')
                .next()
                .is_some_and(|n| n.rsplit('.').next() == Some("fixture"))
        });
        if is_fixture
            && matches!(&*f.name, "client" | "test_client")
            && file.path.file_name() == "conftest.py"
        {
            return Some(Model {
                file,
                receiver: f.name.clone(),
                fixtures: vec![f.name.clone()],
                class: None,
                args: &[],
                path: String::new(),
                own: false,
            });
        }
    }
    None
}

/// The test in its file: a method beside the others, the model's own file, or `test_regressions.py`.
fn place(
    world: &World<'_>,
    model: &Model<'_>,
    tests: &[&FilePath],
    body: &Body,
) -> Option<FileEdit> {
    let file = model.file;
    let newline = file.newline();
    if let Some((class, end)) = model.class {
        let StmtKind::Class { body: members, .. } = &class.kind else {
            return None;
        };
        let first = members.first()?;
        let indent = file.indent(first.span.start).to_owned();
        let unit = file.indent_unit();
        let mut text = format!("{newline}{newline}{indent}def {}(self):", body.name);
        for line in &body.lines {
            text.push_str(&format!("{newline}{indent}{unit}{line}"));
        }
        return Some(FileEdit {
            path: file.path.clone(),
            base: Base::Existing,
            edits: vec![Edit {
                start: end,
                end,
                text,
            }],
        });
    }
    let folder = file.path.parent();
    let name = if folder.is_empty() {
        "test_regressions.py".to_owned()
    } else {
        format!("{folder}/test_regressions.py")
    };
    let wanted = FilePath::new(&name)?;
    let existing = if model.own {
        Some(file.path.clone())
    } else {
        tests.iter().find(|p| ***p == wanted).map(|p| (*p).clone())
    };
    let mut function = String::new();
    function.push_str(&format!("def {}({}):", body.name, body.fixtures.join(", ")));
    for line in &body.lines {
        function.push_str(newline);
        if !line.is_empty() {
            function.push_str("    ");
            function.push_str(line);
        }
    }
    function.push_str(newline);
    match existing {
        None => {
            let imports: String = body
                .imports
                .iter()
                .map(|i| format!("import {i}{newline}"))
                .collect();
            let gap = if imports.is_empty() {
                String::new()
            } else {
                format!("{newline}{newline}")
            };
            Some(FileEdit {
                path: wanted,
                base: Base::New,
                edits: vec![Edit {
                    start: 0,
                    end: 0,
                    text: format!("{imports}{gap}{function}"),
                }],
            })
        }
        Some(path) => {
            let target = world.file(&path).ok()?;
            // The same test is there already.
            if target.text.contains(&format!("def {}(", body.name)) {
                return None;
            }
            let mut edits = crate::edit::Edits::default();
            let imports: std::collections::BTreeSet<crate::imports::Import> = body
                .imports
                .iter()
                .map(|module| crate::imports::Import { module, name: None })
                .collect();
            crate::imports::add(target, &imports, &mut edits);
            let end = target.text.len() as u32;
            let gap = if target.text.ends_with('\n') || target.text.is_empty() {
                format!("{newline}{newline}")
            } else {
                format!("{newline}{newline}{newline}")
            };
            edits.insert(end, format!("{gap}{function}"));
            Some(FileEdit {
                path,
                base: Base::Existing,
                edits: edits.finish()?,
            })
        }
    }
}
