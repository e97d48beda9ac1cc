//! The family of Jinja: Jinja2, Nunjucks, Swig, Twig, and what Django's templates share with them.

use solvent_ir::Language;

use super::LOCALS;
use super::draft::Draft;
use super::expression::{Ex, Imported, Printer, has_safe, parse, parse_front, quoted, variable};

/// Tags that stand for nothing that an input passes.
const SILENT: [&str; 22] = [
    "csrf_token",
    "load",
    "spaceless",
    "endspaceless",
    "comment",
    "endcomment",
    "now",
    "cycle",
    "url",
    "static",
    "trans",
    "filter",
    "endfilter",
    "endtrans",
    "get_messages",
    "parent",
    "break",
    "continue",
    "debug",
    "flush",
    "language",
    "endlanguage",
];

/// Deepest nesting of blocks; Python itself takes 20 loops and 100 levels.
const MAX_NESTING: usize = 18;

pub(super) fn read(text: &str, engine: &str, language: Language) -> Option<Draft> {
    let python = language == Language::Python;
    let draft = match python {
        true => Draft::begin_python(engine),
        false => Draft::begin(),
    };
    let mut writer = Writer {
        draft,
        engine,
        language,
        scopes: vec![Vec::new()],
        foreign: Vec::new(),
        open: Vec::new(),
        escaping: vec![Escaping::AsConfigured],
        lost: false,
        loads: python && text.contains("{% load "),
    };
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('{') {
        let start = at + found;
        let (end_mark, kind) = match text.as_bytes().get(start + 1) {
            Some(b'{') => ("}}", b'{'),
            Some(b'%') => ("%}", b'%'),
            Some(b'#') => ("#}", b'#'),
            _ => {
                at = start + 1;
                continue;
            }
        };
        let inner = start + 2;
        let Some(length) = end_of(text.get(inner..)?, end_mark) else {
            writer.lost = true;
            break;
        };
        at = inner + length + 2;
        let mut code = text.get(inner..inner + length)?;
        let mut place = inner;
        if let Some(rest) = code.strip_prefix(['-', '+', '~']) {
            code = rest;
            place += 1;
        }
        let code = code.strip_suffix(['-', '+', '~']).unwrap_or(code);
        let place = place + (code.len() - code.trim_start().len());
        let code = code.trim();
        match kind {
            b'{' => writer.output(code, place),
            b'%' => {
                let name = code.split_whitespace().next().unwrap_or_default();
                if matches!(name, "raw" | "verbatim") {
                    at = after_raw(text, at, name)?;
                } else {
                    writer.tag(name, code, place);
                }
            }
            _ => {}
        }
        if writer.draft.depth > MAX_NESTING || writer.open.len() > MAX_NESTING {
            return None;
        }
    }
    if writer.lost || !writer.open.is_empty() {
        return None;
    }
    let mut draft = writer.draft;
    if !python {
        draft.end(text.len());
    }
    Some(draft)
}

/// Length of what stands before the end mark, texts left aside.
fn end_of(text: &str, mark: &str) -> Option<usize> {
    if mark == "#}" {
        return text.find(mark);
    }
    let mut quote: Option<char> = None;
    for (i, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if text.get(i..)?.starts_with(mark) => return Some(i),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
    }
    // A single quote in a comment or a word.
    text.find(mark)
}

fn after_raw(text: &str, from: usize, name: &str) -> Option<usize> {
    let rest = text.get(from..)?;
    let mut at = 0;
    while let Some(found) = rest.get(at..)?.find("{%") {
        let start = at + found + 2;
        let tag = rest.get(start..)?;
        let end = tag.find("%}")?;
        if tag.get(..end)?.trim_matches(['-', '+', ' ']) == format!("end{name}") {
            return Some(from + start + end + 2);
        }
        at = start;
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escaping {
    AsConfigured,
    On,
    Off,
}

struct Writer<'a> {
    draft: Draft,
    engine: &'a str,
    language: Language,
    /// Names that the template binds, by the blocks around.
    scopes: Vec<Vec<String>>,
    /// Other templates, and macros of theirs.
    foreign: Vec<Imported>,
    /// Tags that are open.
    open: Vec<&'static str>,
    escaping: Vec<Escaping>,
    /// Something could not be read at all.
    lost: bool,
    /// Whether tags come from a library of Django's, which gets what is written behind them and escapes what they give.
    loads: bool,
}

impl Writer<'_> {
    fn python(&self) -> bool {
        self.language == Language::Python
    }

    fn print(&self, ex: &Ex) -> String {
        let bound = |name: &str| self.scopes.iter().flatten().any(|n| n == name);
        let foreign = |name: &str| self.foreign.iter().rev().find(|i| i.name == name);
        Printer {
            language: self.language,
            engine: self.engine,
            bound: &bound,
            foreign: &foreign,
        }
        .print(ex)
    }

    fn statement(&mut self, text: &str, at: usize) {
        match self.python() {
            true => self.draft.line(text, at),
            false => {
                self.draft.say(text, at);
                self.draft.say(";\n", at);
            }
        }
    }

    /// What is not understood may do anything with what the page is rendered with.
    fn unread(&mut self, at: usize) {
        let text = format!("{}.unread({LOCALS})", self.engine);
        self.statement(&text, at);
    }

    fn begin(&mut self, head: &str, at: usize) {
        match self.python() {
            true => {
                self.draft.line(&format!("{head}:"), at);
                self.draft.depth += 1;
                self.draft.line("pass", at);
            }
            false => self.draft.say(&format!("{head} {{\n"), at),
        }
    }

    fn finish(&mut self, at: usize) {
        match self.python() {
            true => self.draft.depth = self.draft.depth.saturating_sub(1),
            false => self.draft.say("}\n", at),
        }
    }

    fn bind(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.to_owned());
        }
    }

    fn output(&mut self, code: &str, at: usize) {
        let Some(ex) = parse(code) else {
            if !code.is_empty() {
                self.unread(at);
            }
            return;
        };
        let name = match (has_safe(&ex), self.escaping.last()) {
            (true, _) | (_, Some(Escaping::Off)) => "output",
            (_, Some(Escaping::On)) => "markup",
            _ => "escaped",
        };
        let text = format!("{}.{name}({})", self.engine, self.print(&ex));
        self.statement(&text, at);
    }

    fn expression(&mut self, code: &str, at: usize) -> String {
        match parse(code) {
            Some(ex) => self.print(&ex),
            None => {
                self.unread(at);
                format!("{}.plain()", self.engine)
            }
        }
    }

    fn tag(&mut self, name: &str, code: &str, at: usize) {
        let rest = code.get(name.len()..).unwrap_or_default().trim();
        match name {
            "if" | "unless" | "ifequal" | "ifnotequal" | "ifchanged" => {
                let condition = match name {
                    "if" => self.expression(rest, at),
                    _ => format!("{}.plain()", self.engine),
                };
                let head = match self.python() {
                    true => format!("if {condition}"),
                    false => format!("if ({condition})"),
                };
                self.begin(&head, at);
                self.open.push("if");
            }
            "elif" | "elseif" | "elsif" | "else" => match self.open.last() {
                Some(&"if") => {
                    let more = name == "else" && rest.is_empty();
                    let condition = match more {
                        true => String::new(),
                        false => self.expression(rest.trim_start_matches("if "), at),
                    };
                    let head = match (self.python(), more) {
                        (true, true) => "else".to_owned(),
                        (true, false) => format!("elif {condition}"),
                        (false, true) => "else".to_owned(),
                        (false, false) => format!("else if ({condition})"),
                    };
                    self.finish(at);
                    self.begin(&head, at);
                }
                // What stands for a loop without turns.
                Some(&"for") => {}
                _ => self.lost = true,
            },
            "for" | "asyncEach" | "asyncAll" => self.for_loop(rest, at),
            "empty" => {}
            "set" | "assign" => self.set(rest, at),
            "do" | "call" | "print" => self.call(name, rest, at),
            "with" => self.with(rest, at),
            "macro" => self.macro_begin(rest, at),
            "block" => self.open_plain("block"),
            "blocktrans" | "blocktranslate" => self.open_plain("blocktrans"),
            "autoescape" => {
                let off = matches!(rest, "false" | "off" | "False");
                self.escaping
                    .push(if off { Escaping::Off } else { Escaping::On });
                self.open_plain("autoescape");
            }
            "extends" | "include" => self.include(rest, at),
            "import" | "from" => self.import(name, rest),
            "endif" | "endunless" | "endifequal" | "endifnotequal" | "endifchanged" => {
                self.close("if", at);
            }
            "endfor" | "endeach" | "endall" => self.close("for", at),
            "endset" => self.close("set", at),
            "endcall" => self.close("call", at),
            "endwith" => self.close("with", at),
            "endmacro" => self.close("macro", at),
            "endblock" => self.close("block", at),
            "endblocktrans" | "endblocktranslate" => self.close("blocktrans", at),
            "endautoescape" => {
                self.escaping.pop();
                self.close("autoescape", at);
            }
            name if SILENT.contains(&name) => {}
            _ if self.loads => self.custom(rest, at),
            _ => self.unread(at),
        }
    }

    /// A tag of a library of the program's own: what it is given may come to anything.
    fn custom(&mut self, rest: &str, at: usize) {
        let given: Vec<String> = rest
            .split_whitespace()
            .map(|word| word.split_once('=').map_or(word, |(_, value)| value))
            .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            .filter_map(parse)
            .map(|ex| self.print(&ex))
            .collect();
        if !given.is_empty() {
            let text = format!("{}.unread({})", self.engine, given.join(", "));
            self.statement(&text, at);
        }
    }

    /// A block that is written out where it stands.
    fn open_plain(&mut self, name: &'static str) {
        self.open.push(name);
        self.scopes.push(Vec::new());
    }

    fn close(&mut self, name: &'static str, at: usize) {
        match self.open.pop() {
            Some(open) if open == name => {}
            _ => {
                self.lost = true;
                return;
            }
        }
        match name {
            "if" => self.finish(at),
            "for" | "macro" => {
                self.scopes.pop();
                self.finish(at);
            }
            "set" => {}
            _ => {
                // What a block of text sets may be read below it.
                let inner = self.scopes.pop().unwrap_or_default();
                if let (true, Some(scope)) = (name != "with", self.scopes.last_mut()) {
                    scope.extend(inner);
                }
            }
        }
    }

    fn for_loop(&mut self, rest: &str, at: usize) {
        let Some((targets, list)) = rest.split_once(" in ") else {
            self.lost = true;
            return;
        };
        let names: Vec<&str> = targets.split(',').map(str::trim).collect();
        let named = names
            .iter()
            .all(|n| !n.is_empty() && n.chars().all(|c| c.is_alphanumeric() || c == '_'));
        let list = match parse_front(list.trim()) {
            // What follows is `if ..`, `recursive`, `reversed`.
            Some((Ex::Either(first, _), _)) => self.print(&first),
            Some((ex, _)) => self.print(&ex),
            None => {
                self.unread(at);
                format!("{}.plain()", self.engine)
            }
        };
        if !named {
            self.unread(at);
        }
        let names: Vec<&str> = if named { names } else { vec!["unread"] };
        let all: Vec<String> = names.iter().map(|n| variable(n)).collect();
        let head = match (self.python(), &all[..]) {
            (true, all) => format!("for {} in {list}", all.join(", ")),
            (false, [one]) => format!("for (const {one} of {list})"),
            (false, all) => format!("for (const [{}] of Object.entries({list}))", all.join(", ")),
        };
        self.begin(&head, at);
        self.open.push("for");
        self.scopes.push(Vec::new());
        for name in names {
            self.bind(name);
        }
    }

    fn set(&mut self, rest: &str, at: usize) {
        let Some((targets, value)) = rest.split_once('=') else {
            // The text of a block, which was written out as it is.
            self.open.push("set");
            return;
        };
        let value = self.expression(value.trim(), at);
        for name in targets.split(',').map(str::trim) {
            if !name.chars().all(|c| c.is_alphanumeric() || c == '_') || name.is_empty() {
                // `ns.x = ..`
                self.unread(at);
                continue;
            }
            let text = match self.python() {
                true => format!("{} = {value}", variable(name)),
                false => format!("var {} = {value}", variable(name)),
            };
            self.statement(&text, at);
            self.bind(name);
        }
    }

    fn call(&mut self, name: &str, rest: &str, at: usize) {
        let rest = match rest.starts_with('(') {
            // `{% call(item) list(items) %}`
            true => rest.split_once(')').map_or("", |(_, rest)| rest).trim(),
            false => rest,
        };
        let text = self.expression(rest, at);
        self.statement(&text, at);
        if name == "call" {
            self.open_plain("call");
        }
    }

    fn with(&mut self, rest: &str, at: usize) {
        self.open_plain("with");
        let mut rest = rest;
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim().trim_start_matches(',').trim();
            let Some((ex, left)) = parse_front(after.trim_start()) else {
                self.unread(at);
                return;
            };
            let value = self.print(&ex);
            let text = match self.python() {
                true => format!("{} = {value}", variable(name)),
                false => format!("var {} = {value}", variable(name)),
            };
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                self.unread(at);
                return;
            }
            self.statement(&text, at);
            self.bind(name);
            rest = left;
        }
    }

    fn macro_begin(&mut self, rest: &str, at: usize) {
        let Some((name, parameters)) = rest.split_once('(') else {
            self.lost = true;
            return;
        };
        let name = name.trim();
        let names: Vec<&str> = parameters
            .rsplit_once(')')
            .map_or(parameters, |(inner, _)| inner)
            .split(',')
            .map(|p| p.split('=').next().unwrap_or_default().trim())
            .filter(|p| !p.is_empty())
            .collect();
        let plain = |n: &&str| n.chars().all(|c| c.is_alphanumeric() || c == '_');
        if name.is_empty() || !plain(&name) || !names.iter().all(plain) {
            self.lost = true;
            return;
        }
        self.bind(name);
        let all: Vec<String> = names.iter().map(|n| variable(n)).collect();
        let head = match self.python() {
            true => {
                let all: Vec<String> = all.iter().map(|n| format!("{n}=None")).collect();
                format!("def {}({})", variable(name), all.join(", "))
            }
            false => format!("function {}({})", variable(name), all.join(", ")),
        };
        self.begin(&head, at);
        self.open.push("macro");
        self.scopes.push(Vec::new());
        for name in names {
            self.bind(name);
        }
    }

    fn include(&mut self, rest: &str, at: usize) {
        let Some((ex, options)) = parse_front(rest) else {
            self.unread(at);
            return;
        };
        let names = match ex {
            Ex::List(all) => all,
            Ex::Either(a, b) => vec![*a, *b],
            one => vec![one],
        };
        let mut more = String::new();
        // `{% include "x" with {a: b} %}` and `with a=b`.
        if let Some(given) = options.strip_prefix("with ") {
            let given = given
                .trim_end_matches("only")
                .trim_end_matches("context")
                .trim();
            if given.starts_with('{') {
                more = format!(", {}", self.expression(given, at));
            } else if !given.is_empty() && given != "without" {
                let mut pairs = Vec::new();
                let mut rest = given;
                while let Some((name, after)) = rest.split_once('=') {
                    let Some((ex, left)) = parse_front(after.trim_start()) else {
                        self.unread(at);
                        break;
                    };
                    pairs.push(format!("{}: {}", quoted(name.trim()), self.print(&ex)));
                    rest = left;
                }
                if !pairs.is_empty() {
                    more = format!(", {{{}}}", pairs.join(", "));
                }
            }
        }
        // What the template itself has bound is seen there too.
        if more.is_empty() {
            let bound: Vec<String> = self
                .scopes
                .iter()
                .flatten()
                .filter(|name| self.foreign.iter().all(|i| i.name != **name))
                .map(|name| format!("{}: {}", quoted(name), variable(name)))
                .collect();
            if !bound.is_empty() {
                more = format!(", {{{}}}", bound.join(", "));
            }
        }
        for name in names {
            let name = self.print(&name);
            let text = format!("{}.include({LOCALS}, {name}{more})", self.engine);
            self.statement(&text, at);
        }
    }

    /// Macros that another template defines.
    fn import(&mut self, name: &str, rest: &str) {
        let Some((ex, rest)) = parse_front(rest) else {
            // What is called under such a name is not known.
            self.lost = true;
            return;
        };
        let template = self.print(&ex);
        let rest = rest.trim_start();
        let names = match name {
            "import" => rest.strip_prefix("as "),
            _ => rest.strip_prefix("import "),
        };
        for one in names.unwrap_or_default().split(',') {
            let mut words = one.split_whitespace();
            let Some(first) = words.next() else { continue };
            let other = match words.next() {
                Some("as") => words.next(),
                _ => None,
            };
            let of = if name == "import" { "" } else { first };
            self.foreign.push(Imported {
                name: other.unwrap_or(first).to_owned(),
                template: template.clone(),
                of: of.to_owned(),
            });
        }
    }
}
