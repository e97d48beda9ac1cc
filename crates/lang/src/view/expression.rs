//! Expressions of the Jinja family: read, and written as JavaScript or Python.

use solvent_ir::Language;

use super::LOCALS;

/// Deepest expression that is read.
const MAX_DEPTH: u32 = 48;
/// Longest chain of attributes, calls and filters, or of alternatives.
const MAX_CHAIN: u32 = 40;

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Ex {
    Text(String),
    /// Numbers, truths, and what compares values.
    Plain,
    Name(String),
    Member(Box<Ex>, String),
    Index(Box<Ex>, Box<Ex>),
    Call(Box<Ex>, Vec<(Option<String>, Ex)>),
    Filter(Box<Ex>, String, Vec<Ex>),
    Join(Vec<Ex>),
    /// One of two.
    Either(Box<Ex>, Box<Ex>),
    List(Vec<Ex>),
    Dict(Vec<(Ex, Ex)>),
}

/// The whole text as one expression.
pub(super) fn parse(text: &str) -> Option<Ex> {
    let mut reader = Reader::new(text);
    let ex = reader.choice(0)?;
    reader.space();
    reader.rest().is_empty().then_some(ex)
}

/// Where the expression at the beginning of the text ends, and the expression.
pub(super) fn parse_front(text: &str) -> Option<(Ex, &str)> {
    let mut reader = Reader::new(text);
    let ex = reader.choice(0)?;
    reader.space();
    Some((ex, reader.rest()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, mark: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        self.space();
        let Some(after) = self.rest().strip_prefix(word) else {
            return false;
        };
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn name(&mut self) -> Option<String> {
        self.space();
        let rest = self.rest();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let name = rest.get(..end)?;
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += end;
        Some(name.to_owned())
    }

    fn choice(&mut self, depth: u32) -> Option<Ex> {
        if depth > MAX_DEPTH {
            return None;
        }
        let ex = self.either(depth + 1)?;
        if self.word("if") {
            let _condition = self.either(depth + 1)?;
            let other = match self.word("else") {
                true => self.choice(depth + 1)?,
                false => Ex::Plain,
            };
            return Some(Ex::Either(Box::new(ex), Box::new(other)));
        }
        if self.eat("?") {
            let first = self.choice(depth + 1)?;
            if !self.eat(":") {
                return None;
            }
            let other = self.choice(depth + 1)?;
            return Some(Ex::Either(Box::new(first), Box::new(other)));
        }
        Some(ex)
    }

    fn either(&mut self, depth: u32) -> Option<Ex> {
        let mut ex = self.compared(depth)?;
        for _ in 0..MAX_CHAIN {
            let joins = self.word("or") || self.word("and") || self.eat("||") || self.eat("&&");
            if !joins {
                return Some(ex);
            }
            let other = self.compared(depth)?;
            ex = Ex::Either(Box::new(ex), Box::new(other));
        }
        None
    }

    fn compared(&mut self, depth: u32) -> Option<Ex> {
        if self.word("not") || (!self.rest().trim_start().starts_with("!=") && self.eat("!")) {
            self.compared(depth + 1)?;
            return Some(Ex::Plain);
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let mut ex = self.sum(depth + 1)?;
        loop {
            if self.word("is") {
                let _ = self.word("not");
                self.name()?;
                if self.rest().trim_start().starts_with('(') {
                    self.eat("(");
                    self.arguments(depth + 1)?;
                }
                ex = Ex::Plain;
                continue;
            }
            let marks = ["===", "!==", "==", "!=", "<=", ">=", "<", ">"];
            let negated = self.word("not");
            let found = marks.iter().any(|mark| self.eat(mark)) || self.word("in");
            if !found {
                return (!negated).then_some(ex);
            }
            self.sum(depth + 1)?;
            ex = Ex::Plain;
        }
    }

    fn sum(&mut self, depth: u32) -> Option<Ex> {
        let first = self.unary(depth + 1)?;
        let mut all = vec![first];
        loop {
            if self.eat("~") || self.eat("+") {
                all.push(self.unary(depth + 1)?);
                continue;
            }
            let marks = ["**", "*", "//", "/", "-"];
            // `%}` and `-%}` end a tag, which is cut off before.
            if marks.iter().any(|mark| self.eat(mark)) || self.eat("%") {
                self.unary(depth + 1)?;
                all = vec![Ex::Plain];
                continue;
            }
            break;
        }
        match all.len() {
            1 => all.pop(),
            _ => Some(Ex::Join(all)),
        }
    }

    fn unary(&mut self, depth: u32) -> Option<Ex> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.eat("-") || self.eat("+") {
            self.unary(depth + 1)?;
            return Some(Ex::Plain);
        }
        let mut ex = self.primary(depth + 1)?;
        for _ in 0..MAX_CHAIN {
            if self.rest().starts_with('.') {
                self.at += 1;
                let name = match self.name() {
                    Some(name) => name,
                    // Django's `items.0`.
                    None => {
                        let rest = self.rest();
                        let end = rest
                            .find(|c: char| !c.is_ascii_digit())
                            .unwrap_or(rest.len());
                        if end == 0 {
                            return None;
                        }
                        self.at += end;
                        ex = Ex::Index(Box::new(ex), Box::new(Ex::Plain));
                        continue;
                    }
                };
                ex = Ex::Member(Box::new(ex), name);
            } else if self.rest().starts_with('[') {
                self.at += 1;
                let key = match self.rest().trim_start().starts_with(':') {
                    true => Ex::Plain,
                    false => self.choice(depth + 1)?,
                };
                if self.eat(":") {
                    if !self.rest().trim_start().starts_with(']') {
                        self.choice(depth + 1)?;
                    }
                    ex = Ex::Filter(Box::new(ex), "slice".to_owned(), Vec::new());
                } else {
                    ex = Ex::Index(Box::new(ex), Box::new(key));
                }
                if !self.eat("]") {
                    return None;
                }
            } else if self.rest().starts_with('(') {
                self.at += 1;
                let arguments = self.arguments(depth + 1)?;
                ex = Ex::Call(Box::new(ex), arguments);
            } else if self.rest().trim_start().starts_with('|')
                && !self.rest().trim_start().starts_with("||")
            {
                self.eat("|");
                let mut name = self.name()?;
                while self.rest().starts_with('.') {
                    self.at += 1;
                    name = self.name()?;
                }
                let mut arguments = Vec::new();
                if self.rest().starts_with('(') {
                    self.at += 1;
                    arguments = self
                        .arguments(depth + 1)?
                        .into_iter()
                        .map(|a| a.1)
                        .collect();
                } else if self.rest().starts_with(':') {
                    self.at += 1;
                    arguments.push(self.primary(depth + 1)?);
                }
                ex = Ex::Filter(Box::new(ex), name, arguments);
            } else {
                return Some(ex);
            }
        }
        None
    }

    /// What follows an opening bracket of a call, and the closing one.
    fn arguments(&mut self, depth: u32) -> Option<Vec<(Option<String>, Ex)>> {
        let mut out = Vec::new();
        loop {
            if self.eat(")") {
                return Some(out);
            }
            let before = self.at;
            let name = self.name().filter(|_| {
                let rest = self.rest().trim_start();
                rest.starts_with('=') && !rest.starts_with("==")
            });
            match &name {
                Some(_) => {
                    self.eat("=");
                }
                None => self.at = before,
            }
            let _ = self.eat("**") || self.eat("*");
            let value = self.choice(depth + 1)?;
            out.push((name, value));
            if !self.eat(",") && !self.rest().trim_start().starts_with(')') {
                return None;
            }
        }
    }

    fn primary(&mut self, depth: u32) -> Option<Ex> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.rest().chars().next()? {
            quote @ ('"' | '\'' | '`') => {
                self.at += 1;
                let mut out = String::new();
                let mut chars = self.rest().char_indices();
                while let Some((i, c)) = chars.next() {
                    if c == quote {
                        self.at += i + 1;
                        return Some(Ex::Text(out));
                    }
                    if c == '\\' {
                        out.extend(chars.next().map(|(_, c)| c));
                    } else {
                        out.push(c);
                    }
                }
                None
            }
            '0'..='9' => {
                let rest = self.rest();
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_')))
                    .unwrap_or(rest.len());
                self.at += end;
                Some(Ex::Plain)
            }
            '(' => {
                self.at += 1;
                let all = self.items(")", depth + 1)?;
                match <[Ex; 1]>::try_from(all) {
                    Ok([one]) => Some(one),
                    Err(all) => Some(Ex::List(all)),
                }
            }
            '[' => {
                self.at += 1;
                Some(Ex::List(self.items("]", depth + 1)?))
            }
            '{' => {
                self.at += 1;
                let mut out = Vec::new();
                loop {
                    if self.eat("}") {
                        return Some(Ex::Dict(out));
                    }
                    let key = match self.choice(depth + 1)? {
                        // In JavaScript's engines a bare word is the key itself.
                        Ex::Name(name) => Ex::Text(name),
                        other => other,
                    };
                    if !self.eat(":") {
                        return None;
                    }
                    out.push((key, self.choice(depth + 1)?));
                    if !self.eat(",") && !self.rest().trim_start().starts_with('}') {
                        return None;
                    }
                }
            }
            _ => {
                let name = self.name()?;
                Some(match name.as_str() {
                    "true" | "false" | "none" | "null" | "True" | "False" | "None"
                    | "undefined" => Ex::Plain,
                    _ => Ex::Name(name),
                })
            }
        }
    }

    fn items(&mut self, end: &str, depth: u32) -> Option<Vec<Ex>> {
        let mut out = Vec::new();
        loop {
            if self.eat(end) {
                return Some(out);
            }
            out.push(self.choice(depth)?);
            if !self.eat(",") && !self.rest().trim_start().starts_with(end) {
                return None;
            }
        }
    }
}

/// A template, or a macro of one, under a name of its own.
pub(super) struct Imported {
    pub name: String,
    /// The template's name, as it is printed.
    pub template: String,
    /// Empty for the template itself.
    pub of: String,
}

/// How names are written: those that the template binds, and all others.
pub(super) struct Printer<'a> {
    pub language: Language,
    pub engine: &'a str,
    pub bound: &'a dyn Fn(&str) -> bool,
    /// What stands for a name under which another template, or a macro of one, was imported.
    pub foreign: &'a dyn Fn(&str) -> Option<&'a Imported>,
}

impl Printer<'_> {
    fn imported(&self, base: &Ex) -> Option<&Imported> {
        match base {
            Ex::Name(name) => (self.foreign)(name).filter(|imported| imported.of.is_empty()),
            _ => None,
        }
    }

    /// A call of a macro that stands in another template.
    fn macro_call(&self, imported: &Imported, name: &str, arguments: &str) -> String {
        if name.is_empty() {
            return format!("{}.unread({arguments})", self.engine);
        }
        let comma = if arguments.is_empty() { "" } else { ", " };
        format!(
            "{}.macro({}, {}{comma}{arguments})",
            self.engine,
            imported.template,
            quoted(&variable(name))
        )
    }

    fn python(&self) -> bool {
        self.language == Language::Python
    }

    pub fn print(&self, ex: &Ex) -> String {
        let engine = self.engine;
        match ex {
            Ex::Text(text) => quoted(text),
            Ex::Plain => format!("{engine}.plain()"),
            Ex::Name(name) if (self.bound)(name) => variable(name),
            Ex::Name(name) if self.python() => format!("{LOCALS}[{}]", quoted(name)),
            Ex::Name(name) => format!("{LOCALS}.{name}"),
            Ex::Member(base, name) if self.python() => {
                format!("{engine}.get({}, {})", self.print(base), quoted(name))
            }
            Ex::Member(base, name) => format!("{}.{name}", self.print(base)),
            Ex::Index(base, key) => format!("{}[{}]", self.print(base), self.print(key)),
            Ex::Call(callee, arguments) => {
                let mut all: Vec<String> = Vec::new();
                for (name, value) in arguments {
                    let value = self.print(value);
                    all.push(match name {
                        Some(name) if self.python() => format!("{}={value}", variable(name)),
                        _ => value,
                    });
                }
                let all = all.join(", ");
                let imported = match &**callee {
                    Ex::Name(name) => (self.foreign)(name).map(|i| (i, i.of.as_str())),
                    Ex::Member(base, name) => self.imported(base).map(|i| (i, name.as_str())),
                    _ => None,
                };
                match (imported, &**callee) {
                    (Some((imported, name)), _) => self.macro_call(imported, name, &all),
                    (None, Ex::Member(base, name)) => format!("{}.{name}({all})", self.print(base)),
                    (None, other) => format!("{}({all})", self.print(other)),
                }
            }
            Ex::Filter(base, name, _) if is_safe(name) => self.print(base),
            Ex::Filter(base, name, arguments) => {
                let mut all = vec![self.print(base)];
                all.extend(arguments.iter().map(|a| self.print(a)));
                format!("{engine}.filters.{name}({})", all.join(", "))
            }
            Ex::Join(all) => {
                let all: Vec<String> = all.iter().map(|e| self.print(e)).collect();
                format!("(\"\" + {})", all.join(" + "))
            }
            Ex::Either(a, b) => {
                let word = if self.python() { "or" } else { "||" };
                format!("({} {word} {})", self.print(a), self.print(b))
            }
            Ex::List(all) => {
                let all: Vec<String> = all.iter().map(|e| self.print(e)).collect();
                format!("[{}]", all.join(", "))
            }
            Ex::Dict(all) => {
                let mut out: Vec<String> = Vec::new();
                for (key, value) in all {
                    let key = match key {
                        Ex::Text(text) => quoted(text),
                        other if self.python() => self.print(other),
                        other => format!("[{}]", self.print(other)),
                    };
                    out.push(format!("{key}: {}", self.print(value)));
                }
                format!("({{{}}})", out.join(", "))
            }
        }
    }
}

pub(super) fn is_safe(filter: &str) -> bool {
    matches!(filter, "safe" | "raw" | "mark_safe")
}

/// Whether something in the expression was declared to need no escaping.
pub(super) fn has_safe(ex: &Ex) -> bool {
    match ex {
        Ex::Filter(base, name, _) => is_safe(name) || has_safe(base),
        Ex::Either(a, b) => has_safe(a) || has_safe(b),
        Ex::Join(all) => all.iter().any(has_safe),
        _ => false,
    }
}

/// A name that the template binds, which no word of the language is.
pub(super) fn variable(name: &str) -> String {
    format!("v_{}", name.replace('$', "_"))
}

/// A literal text in both languages.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
