//! What a program tells that is its own business: errors as they came, its insides, passwords that it keeps.
//!
//! What is told is read backwards from answers, in the functions that answer and in those whose results they tell: a
//! value is followed through texts, tables, lists and calls that are known to pass on what they get, by name. Whatever
//! is not understood ends the search, so that it errs to silence.

use std::collections::{BTreeMap, BTreeSet};

use solvent_finding::{EntryPoint, Finding};
use solvent_graph::world::SummaryId;
use solvent_graph::{FnId, RootKind, Site};
use solvent_ir::{self as ir, Arg, Const, FormatPart, Function, Item, Language, Op, Terminator};
use solvent_models::{Judge, Weakness};

use crate::judge::View;

/// Errors that anything may have raised, the libraries of databases among it: their text speaks of the inside. Others
/// are a program's own words for its visitors.
const BROAD: [&str; 15] = [
    "Exception",
    "BaseException",
    "Throwable",
    "Error",
    "SQLException",
    "SQLAlchemyError",
    "DatabaseError",
    "OperationalError",
    "ProgrammingError",
    "InternalError",
    "DataAccessException",
    "PersistenceException",
    "HibernateException",
    "PyMongoError",
    "OSError",
];
/// Calls that give what they get in another form.
const PASSING: [&str; 36] = [
    "str",
    "repr",
    "format",
    "dict",
    "list",
    "tuple",
    "join",
    "dumps",
    "jsonify",
    "json",
    "make_response",
    "Response",
    "JsonResponse",
    "JSONResponse",
    "ORJSONResponse",
    "HTMLResponse",
    "PlainTextResponse",
    "HttpResponse",
    "HttpResponseServerError",
    "HttpResponseBadRequest",
    "escape",
    "encode",
    "decode",
    "strip",
    "stringify",
    "String",
    "toString",
    "getMessage",
    "getLocalizedMessage",
    "valueOf",
    "body",
    "ok",
    "badRequest",
    "ResponseEntity",
    "append",
    "text",
];
/// Calls that give the way by which an error came.
const TRACES: [&str; 8] = [
    "format_exc",
    "format_exception",
    "format_tb",
    "format_stack",
    "getStackTrace",
    "getStackTraceAsString",
    "getFullStackTrace",
    "format_list",
];
/// Methods that write an answer, and what they are called on.
const WRITING: [&str; 9] = [
    "send", "json", "jsonp", "end", "write", "print", "println", "finish", "append",
];
const WRITTEN_TO: [&str; 8] = [
    "res",
    "response",
    "reply",
    "resp",
    "wfile",
    "getWriter",
    "getOutputStream",
    "out",
];
/// What answers with an error when it is raised or called.
const ANSWERING_ERRORS: [&str; 3] = ["HTTPException", "ResponseStatusException", "abort"];
/// Names under which passwords are kept.
const PASSWORDS: [&str; 9] = [
    "password",
    "password_hash",
    "passwordhash",
    "hashed_password",
    "hashedpassword",
    "pw_hash",
    "passwd",
    "encrypted_password",
    "password_digest",
];
/// Names of what visitors send: a password in it is their own.
const SENT: [&str; 16] = [
    "request",
    "req",
    "form",
    "body",
    "data",
    "args",
    "params",
    "payload",
    "query",
    "input",
    "dto",
    "credentials",
    "values",
    "json",
    "GET",
    "POST",
];
/// Longest chain of functions whose results are followed.
const MAX_CALLS: u32 = 4;
/// Values that are looked at for one answer.
const MAX_VALUES: usize = 400;

/// What is told, by the name of its kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Error,
    Inside,
    Password,
}

impl What {
    fn kind(self) -> &'static str {
        match self {
            Self::Error => "told-error",
            Self::Inside => "told-inside",
            Self::Password => "told-password",
        }
    }
}

/// A search for what one answer tells.
struct Search {
    calls: BTreeMap<Site, BTreeSet<FnId>>,
    seen: BTreeSet<(FnId, u32)>,
    found: BTreeSet<(Site, What)>,
    /// Who answers: what its parameters hold was sent.
    handler: FnId,
}

impl View<'_> {
    /// Findings of weaknesses that are judged by what answers tell.
    pub(crate) fn told(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        let of_answers = |w: &&Weakness| w.judged_by == Judge::Answer;
        let weaknesses: Vec<&Weakness> =
            self.models.weaknesses().iter().filter(of_answers).collect();
        if weaknesses.is_empty() || self.graph.program.language == Language::Go {
            return Vec::new();
        }
        let mut all: BTreeMap<(Site, What), (SummaryId, BTreeSet<usize>)> = BTreeMap::new();
        for root in self.roots {
            let RootKind::Entry(i) = root.kind else {
                continue;
            };
            let (Some(entry), Some(first)) = (self.graph.entries.get(i), root.summaries.first())
            else {
                continue;
            };
            if entry.library.is_some() {
                continue;
            }
            let mut search = Search {
                calls: BTreeMap::new(),
                seen: BTreeSet::new(),
                found: BTreeSet::new(),
                handler: entry.function,
            };
            let mut functions: BTreeSet<FnId> = BTreeSet::new();
            for id in &root.summaries {
                let summary = self.world.summary(*id);
                functions.insert(summary.function);
                for (site, _, to) in &summary.calls {
                    let to = self.world.summary(*to).function;
                    search.calls.entry(*site).or_default().insert(to);
                }
            }
            if self.graph.program.language != Language::JavaScript {
                self.returned(&mut search, entry.function, 0);
            }
            for f in functions {
                self.written(&mut search, f);
            }
            for found in search.found {
                let (_, through) = all
                    .entry(found)
                    .or_insert_with(|| (*first, BTreeSet::new()));
                through.insert(i);
            }
        }
        let mut out = Vec::new();
        for ((site, what), (_, through)) in &all {
            for weakness in &weaknesses {
                out.extend(self.told_finding(weakness, *site, *what, through, entries));
            }
        }
        out
    }

    /// What a function gives back tells.
    fn returned(&self, search: &mut Search, f: FnId, depth: u32) {
        let function = self.graph.program.function(f);
        for block in &function.blocks {
            if let Terminator::Return(Some(value)) = block.terminator {
                self.tells(search, f, value, depth);
            }
        }
    }

    /// What a function writes into an answer tells.
    fn written(&self, search: &mut Search, f: FnId) {
        let function = self.graph.program.function(f);
        for inst in &function.insts {
            match &inst.op {
                Op::Call { callee, args } => {
                    let called = self.name_of(function, *callee).unwrap_or_default();
                    if ANSWERING_ERRORS.contains(&called.as_str()) {
                        for arg in args {
                            self.tells(search, f, arg.value(), 0);
                        }
                    }
                    let Op::Attr { base, name } = function.op(*callee) else {
                        continue;
                    };
                    if WRITING.contains(&&*self.tracer.names.text(*name))
                        && self.is_answer(function, *base, 0)
                    {
                        for arg in args {
                            self.tells(search, f, arg.value(), 0);
                        }
                    }
                }
                // `ctx.body = x`
                Op::SetAttr { base, name, value } => {
                    let context = matches!(
                        self.name_of(function, *base).as_deref(),
                        Some("ctx" | "context")
                    );
                    if context && &*self.tracer.names.text(*name) == "body" {
                        self.tells(search, f, *value, 0);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether something is called like an answer, or was made from one: `res.status(500)`.
    fn is_answer(&self, function: &Function, value: ir::Value, depth: u32) -> bool {
        if let Some(name) = self.name_of(function, value) {
            return WRITTEN_TO.contains(&name.as_str());
        }
        match function.op(strip(function, value)) {
            Op::Call { callee, .. } if depth < 4 => match function.op(*callee) {
                Op::Attr { base, name } => {
                    WRITTEN_TO.contains(&&*self.tracer.names.text(*name))
                        || self.is_answer(function, *base, depth + 1)
                }
                _ => false,
            },
            // Where ways meet it is the same answer.
            Op::Phi(inputs) if depth < 4 => inputs
                .iter()
                .any(|(_, v)| self.is_answer(function, *v, depth + 1)),
            _ => false,
        }
    }

    /// The name by which a value is read.
    fn name_of(&self, function: &Function, value: ir::Value) -> Option<String> {
        let name = match function.op(strip(function, value)) {
            Op::Param(at) => function.params.get(*at as usize)?.name,
            Op::Attr { name, .. } | Op::Global(name) => *name,
            Op::Captured { name, .. } => *name,
            Op::Import { member, module, .. } => member.unwrap_or(*module),
            _ => return None,
        };
        let text = self.tracer.names.text(name).to_string();
        let last = text.rsplit('.').next().unwrap_or_default();
        Some(last.split('·').next().unwrap_or_default().to_owned())
    }

    /// Notes what a value of a function tells.
    fn tells(&self, search: &mut Search, f: FnId, value: ir::Value, depth: u32) {
        if search.seen.len() > MAX_VALUES || !search.seen.insert((f, value.0)) {
            return;
        }
        let function = self.graph.program.function(f);
        let site = Site {
            function: f,
            inst: value.0,
        };
        let mut follow: Vec<ir::Value> = Vec::new();
        match function.op(value) {
            Op::Caught(class)
                if self.graph.program.language != Language::JavaScript
                    && class.is_none_or(|class| self.is_broad(function, class, 0)) =>
            {
                search.found.insert((site, What::Error));
            }
            Op::Call { callee, args } => {
                let name = self.name_of(function, *callee).unwrap_or_default();
                if TRACES.contains(&name.as_str()) {
                    search.found.insert((site, What::Inside));
                } else if let Some(callees) = search.calls.get(&site).cloned()
                    && !callees.is_empty()
                {
                    if depth < MAX_CALLS {
                        for callee in callees {
                            self.returned(search, callee, depth + 1);
                        }
                    }
                } else if PASSING.contains(&name.as_str()) {
                    follow.extend(args.iter().map(Arg::value));
                    if let Op::Attr { base, .. } = function.op(*callee) {
                        follow.push(*base);
                    }
                }
            }
            Op::Attr { base, name } => {
                let name = self.tracer.names.text(*name).to_string();
                let of = self.name_of(function, *base).unwrap_or_default();
                match (name.as_str(), of.as_str()) {
                    ("environ", "os") | ("env", "process") => {
                        search.found.insert((site, What::Inside));
                    }
                    ("SECRET_KEY" | "secret_key", _) => {
                        search.found.insert((site, What::Inside));
                    }
                    ("stack", _) if self.graph.program.language == Language::JavaScript => {
                        search.found.insert((site, What::Inside));
                    }
                    _ if self.is_kept_password(search, f, *base, &name, &of) => {
                        search.found.insert((site, What::Password));
                    }
                    _ => {}
                }
            }
            Op::Index { base, key } => {
                let secret = matches!(
                    function.op(*key),
                    Op::Const(Const::Str(key)) if &*self.tracer.names.text(*key) == "SECRET_KEY"
                );
                let of = self.name_of(function, *base).unwrap_or_default();
                if secret && matches!(of.as_str(), "config" | "environ" | "settings") {
                    search.found.insert((site, What::Inside));
                }
            }
            Op::Format(parts) => follow.extend(parts.iter().filter_map(|part| match part {
                FormatPart::Value { value, .. } => Some(*value),
                FormatPart::Literal(_) => None,
            })),
            Op::Sequence { items, .. } => follow.extend(items.iter().map(|item| match item {
                Item::One(value) | Item::Spread(value) => *value,
            })),
            Op::Dict(entries) => {
                for entry in entries {
                    match entry {
                        ir::Entry::Pair(_, value) | ir::Entry::Spread(value) => follow.push(*value),
                    }
                }
            }
            Op::Binary { left, right, .. } => follow.extend([*left, *right]),
            Op::Phi(inputs) => follow.extend(inputs.iter().map(|(_, value)| *value)),
            Op::Refine { value, .. } | Op::Await(value) | Op::Element(value) => follow.push(*value),
            Op::Slice { base, .. } => follow.push(*base),
            Op::SetIndex { base, value, .. } => follow.extend([*base, *value]),
            Op::After { object, call } => {
                follow.push(*object);
                if let Op::Call { callee, args } = function.op(*call)
                    && matches!(
                        self.name_of(function, *callee).as_deref(),
                        Some("append" | "update" | "put" | "add" | "push" | "extend")
                    )
                {
                    follow.extend(args.iter().map(Arg::value));
                }
            }
            _ => {}
        }
        for value in follow {
            self.tells(search, f, value, depth);
        }
    }

    /// Whether an attribute is a password that the program keeps: not one of what was sent.
    fn is_kept_password(
        &self,
        search: &Search,
        f: FnId,
        base: ir::Value,
        name: &str,
        of: &str,
    ) -> bool {
        let function = self.graph.program.function(f);
        // What a handler is called with was sent.
        let given =
            f == search.handler && matches!(function.op(strip(function, base)), Op::Param(_));
        PASSWORDS.contains(&name.to_lowercase().as_str()) && !SENT.contains(&of) && !given
    }

    fn is_broad(&self, function: &Function, class: ir::Value, depth: u32) -> bool {
        if depth > 3 {
            return false;
        }
        match function.op(class) {
            Op::Sequence { items, .. } => items.iter().any(|item| match item {
                Item::One(one) | Item::Spread(one) => self.is_broad(function, *one, depth + 1),
            }),
            _ => self
                .name_of(function, class)
                .is_some_and(|name| BROAD.contains(&name.as_str())),
        }
    }

    fn told_finding(
        &self,
        weakness: &Weakness,
        site: Site,
        what: What,
        through: &BTreeSet<usize>,
        entries: &[EntryPoint],
    ) -> Option<Finding> {
        let kind = self.models.kind(what.kind())?;
        if !weakness.into.contains(kind) {
            return None;
        }
        let info = self.models.kind_info(kind);
        let entry = through.iter().find_map(|i| entries.get(*i))?;
        let more = match through.len().saturating_sub(1) {
            0 => String::new(),
            1 => ", and one entry point more".to_owned(),
            n => format!(", and {n} entry points more"),
        };
        let title = format!("{} in {}", info.words, self.place_name(site));
        Some(self.found_at((weakness, info), site, title, entry, &more))
    }
}

/// A value without what only says that something was checked or done with it.
pub(crate) fn strip(function: &Function, mut value: ir::Value) -> ir::Value {
    while let Op::Refine { value: inner, .. } | Op::Await(inner) | Op::After { object: inner, .. } =
        function.op(value)
    {
        value = *inner;
    }
    value
}
