//! OpenAPI files whose operations name functions (`operationId: shop.views.search`), lowered as a module that binds
//! each of them: `openapi.operation(method, route, function, inputs, checks)`.
//!
//! What reads such a file is a library's affair: a model says what `openapi.operation` and the inputs are.

mod yaml;

use solvent_base::{FilePath, Interner, Name, Problem, ProblemKind, Span};
use solvent_ir::{
    Arg, BlockData, Const, Entry, Inst, Item, Language, Op, SequenceKind, Terminator, Unit, Value,
};

use crate::lower::{Names, begun};
use yaml::{Map, Node};

/// Largest file that is read, in bytes; the largest public descriptions have some ten.
pub const MAX_DESCRIPTION_BYTES: u64 = 16 << 20;
/// Operations of one file that are bound.
const MAX_OPERATIONS: usize = 5_000;
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Whether a file may be such a description, by its name and its beginning.
pub fn is_description(path: &FilePath, bytes: &[u8]) -> bool {
    let known = matches!(path.extension(), Some("yaml" | "yml" | "json"));
    let head = &bytes[..bytes.len().min(4096)];
    let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
    known && (has(b"openapi") || has(b"swagger"))
}

/// Lowers a description to a module of Python.
pub fn lower_description(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    let mut names = Names::new(interner);
    let module = path.as_str().replace('/', ".");
    let mut unit = begun(path, &[], Language::Python, &module, &mut names);
    unit.lines = u32::try_from(bytes.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX);
    let problem = |kind, message: String| Problem {
        kind,
        path: Some(path.clone()),
        span: None,
        message,
    };
    if bytes.len() as u64 > MAX_DESCRIPTION_BYTES {
        let message = format!("more than the {MAX_DESCRIPTION_BYTES} bytes that are read");
        unit.problems.push(problem(ProblemKind::TooLarge, message));
        return unit;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        let message = "not UTF-8, as YAML and JSON are".to_owned();
        unit.problems.push(problem(ProblemKind::Encoding, message));
        return unit;
    };
    let document = match yaml::read(text) {
        Ok(document) => document,
        Err(message) => {
            unit.problems.push(problem(ProblemKind::Syntax, message));
            return unit;
        }
    };
    let mut body = Body {
        names: interner,
        insts: Vec::new(),
        span: Span::default(),
    };
    let operations = operations(&document);
    if operations.len() > MAX_OPERATIONS {
        let message = format!("more than {MAX_OPERATIONS} operations; the first are read");
        unit.problems.push(problem(ProblemKind::Limit, message));
    }
    for operation in operations.iter().take(MAX_OPERATIONS) {
        body.bind(operation);
    }
    if let Some(module) = unit.functions.first_mut() {
        let end = body.insts.len() as u32;
        module.insts = body.insts;
        module.blocks = vec![BlockData {
            start: 0,
            end,
            terminator: Terminator::Return(None),
            handlers: Vec::new(),
        }];
    }
    unit
}

struct Operation<'d> {
    method: String,
    route: String,
    /// Module and member.
    function: (String, String),
    /// Arguments by name, and what makes them.
    inputs: Vec<(&'d str, Input)>,
    checks: Vec<&'d str>,
    span: Span,
}

/// The member of `openapi` that stands for an argument.
#[derive(Clone, Copy)]
enum Input {
    Query,
    Form,
    File,
    Body,
    /// What has no text, or does not come from the request.
    Plain,
}

impl Input {
    fn member(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Form => "form",
            Self::File => "file",
            Self::Body => "body",
            Self::Plain => "plain",
        }
    }
}

fn operations(document: &Node) -> Vec<Operation<'_>> {
    let mut out = Vec::new();
    let Some(paths) = document.get("paths").and_then(Node::map) else {
        return out;
    };
    let base = base_of(document);
    let secured = document.get("security");
    for (route, item) in paths {
        let Some(methods) = item.map() else { continue };
        let shared = item.get("parameters");
        for (method, operation) in methods {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let Some(id) = operation.get("operationId") else {
                continue;
            };
            let controller = ["x-openapi-router-controller", "x-swagger-router-controller"]
                .iter()
                .find_map(|key| operation.get(key).or_else(|| item.get(key)))
                .and_then(Node::text);
            let Some(function) = id.text().and_then(|id| function_of(id, controller)) else {
                continue;
            };
            let mut inputs = Vec::new();
            let mut route = format!("{base}{route}");
            for list in [shared, operation.get("parameters")].into_iter().flatten() {
                for parameter in list.items() {
                    add_parameter(document, parameter, &mut inputs, &mut route);
                }
            }
            add_body(document, operation, &mut inputs);
            let checks: Vec<&str> = operation
                .get("security")
                .or(secured)
                .map(|list| {
                    let names = list.items().iter().filter_map(Node::map);
                    names.flat_map(Map::iter).map(|(k, _)| k.as_str()).collect()
                })
                .unwrap_or_default();
            if !checks.is_empty() {
                for name in ["user", "token_info"] {
                    inputs.push((name, Input::Plain));
                }
            }
            out.push(Operation {
                method: method.to_uppercase(),
                route,
                function,
                inputs,
                checks,
                span: id.span,
            });
        }
    }
    out
}

/// The path in front of all routes.
fn base_of(document: &Node) -> String {
    let written = document.get("basePath").and_then(Node::text);
    let server = document
        .get("servers")
        .and_then(|servers| servers.items().first())
        .and_then(|server| server.get("url"))
        .and_then(Node::text);
    let path = match (written, server) {
        (Some(path), _) => path,
        (None, Some(url)) => match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => url,
        },
        (None, None) => "",
    };
    let path = path.trim_end_matches('/');
    if path.is_empty() || path.contains('{') {
        String::new()
    } else {
        format!("/{}", path.trim_start_matches('/'))
    }
}

fn function_of(id: &str, controller: Option<&str>) -> Option<(String, String)> {
    let fits = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let full = match controller {
        Some(controller) => format!("{controller}.{id}"),
        None => id.to_owned(),
    };
    let (module, member) = full.rsplit_once('.')?;
    (fits(module) && fits(member)).then(|| (module.to_owned(), member.to_owned()))
}

/// `$ref: '#/components/parameters/limit'`, within the same file.
fn resolved<'d>(document: &'d Node, node: &'d Node) -> &'d Node {
    let Some(path) = node
        .get("$ref")
        .and_then(Node::text)
        .and_then(|text| text.strip_prefix("#/"))
    else {
        return node;
    };
    path.split('/')
        .try_fold(document, |at, key| at.get(key))
        .unwrap_or(node)
}

fn is_plain(schema: &Node) -> bool {
    matches!(
        schema.get("type").and_then(Node::text),
        Some("integer" | "number" | "boolean")
    )
}

fn add_parameter<'d>(
    document: &'d Node,
    parameter: &'d Node,
    inputs: &mut Vec<(&'d str, Input)>,
    route: &mut String,
) {
    let parameter = resolved(document, parameter);
    let text = |key: &str| parameter.get(key).and_then(Node::text);
    let (Some(name), Some(place)) = (text("name"), text("in")) else {
        return;
    };
    let schema = parameter
        .get("schema")
        .map_or(parameter, |s| resolved(document, s));
    let input = match place {
        _ if place != "path" && is_plain(schema) => Input::Plain,
        "query" => Input::Query,
        "formData" if text("type") == Some("file") => Input::File,
        "formData" => Input::Form,
        "body" => Input::Body,
        "path" => {
            // How the segment is read decides what it may hold.
            let format = schema.get("format").and_then(Node::text);
            let word = match (schema.get("type").and_then(Node::text), format) {
                (_, Some("path")) => "path",
                (Some("integer"), _) => "int",
                (Some("number"), _) => "float",
                _ => return,
            };
            *route = route.replace(&format!("{{{name}}}"), &format!("{{{name}:{word}}}"));
            return;
        }
        _ => return,
    };
    inputs.push((name, input));
}

fn add_body<'d>(document: &'d Node, operation: &'d Node, inputs: &mut Vec<(&'d str, Input)>) {
    let Some(body) = operation.get("requestBody") else {
        return;
    };
    let body = resolved(document, body);
    let name = body
        .get("x-body-name")
        .and_then(Node::text)
        .unwrap_or("body");
    inputs.push((name, Input::Body));
    let content = body.get("content").and_then(Node::map);
    for (kind, media) in content.into_iter().flat_map(Map::iter) {
        if !kind.contains("form") {
            continue;
        }
        let schema = media.get("schema").map(|s| resolved(document, s));
        let fields = schema.and_then(|s| s.get("properties")).and_then(Node::map);
        for (field, schema) in fields.into_iter().flat_map(Map::iter) {
            let schema = resolved(document, schema);
            let is_file = schema.get("format").and_then(Node::text) == Some("binary");
            let input = match (is_plain(schema), is_file) {
                (true, _) => Input::Plain,
                (_, true) => Input::File,
                _ => Input::Form,
            };
            inputs.push((field, input));
        }
    }
}

struct Body<'i> {
    names: &'i Interner,
    insts: Vec<Inst>,
    span: Span,
}

impl Body<'_> {
    fn put(&mut self, op: Op) -> Value {
        let at = Value(self.insts.len() as u32);
        let span = self.span;
        self.insts.push(Inst { op, span });
        at
    }

    fn name(&self, text: &str) -> Name {
        self.names.name(text)
    }

    fn text(&mut self, text: &str) -> Value {
        let name = self.name(text);
        self.put(Op::Const(Const::Str(name)))
    }

    fn member(&mut self, module: &str, member: &str) -> Value {
        let (module, member) = (self.name(module), self.name(member));
        self.put(Op::Import {
            module,
            member: Some(member),
            level: 0,
        })
    }

    fn bind(&mut self, operation: &Operation<'_>) {
        self.span = operation.span;
        let method = self.text(&operation.method);
        let route = self.text(&operation.route);
        let function = self.member(&operation.function.0, &operation.function.1);
        let mut entries = Vec::new();
        for (name, input) in &operation.inputs {
            let key = self.text(name);
            let callee = self.member("openapi", input.member());
            let value = self.put(Op::Call {
                callee,
                args: vec![Arg::Positional(key)],
            });
            entries.push(Entry::Pair(key, value));
        }
        let inputs = self.put(Op::Dict(entries));
        let checks: Vec<Item> = operation
            .checks
            .iter()
            .map(|name| Item::One(self.text(name)))
            .collect();
        let checks = self.put(Op::Sequence {
            kind: SequenceKind::List,
            items: checks,
        });
        let callee = self.member("openapi", "operation");
        let args = [method, route, function, inputs, checks]
            .into_iter()
            .map(Arg::Positional)
            .collect();
        self.put(Op::Call { callee, args });
    }
}
