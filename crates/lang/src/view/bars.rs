//! Handlebars and Mustache: `{{x}}` is escaped, `{{{x}}}` and `{{&x}}` are not.

use super::LOCALS;
use super::draft::Draft;
use super::expression::quoted;

/// Deepest nesting of sections.
const MAX_NESTING: usize = 32;

pub(super) fn read(text: &str, engine: &str) -> Option<Draft> {
    let mut writer = Writer {
        draft: Draft::begin(),
        engine,
        contexts: vec![LOCALS.to_owned()],
        names: Vec::new(),
        open: Vec::new(),
        count: 0,
    };
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find("{{") {
        let start = at + found;
        let escaped = start > 0 && text.as_bytes().get(start - 1) == Some(&b'\\');
        let raw = text.get(start..)?.starts_with("{{{");
        let (inner, mark) = match (raw, text.get(start..)?.starts_with("{{!--")) {
            (_, true) => (start + 5, "--}}"),
            (true, _) => (start + 3, "}}}"),
            _ => (start + 2, "}}"),
        };
        let length = text.get(inner..)?.find(mark)?;
        at = inner + length + mark.len();
        if escaped || mark == "--}}" {
            continue;
        }
        let code = text.get(inner..inner + length)?;
        let code = code.trim_matches('~').trim();
        let place = start;
        match (raw, code.chars().next()) {
            (_, None | Some('!' | '=')) => {}
            (true, _) => writer.output(code, place, "output"),
            (_, Some('&')) => writer.output(code.get(1..)?.trim(), place, "output"),
            (_, Some('>')) => writer.partial(code.get(1..)?.trim(), place),
            (_, Some('#')) => writer.section(code.get(1..)?.trim_start_matches(['>', '*']), place),
            (_, Some('^')) if code.len() > 1 => {
                writer.begin("if", place);
                writer.open.push(Open::Same);
            }
            (_, Some('^')) => {}
            (_, Some('/')) => writer.close(place)?,
            _ if code == "else" || code.starts_with("else ") => {}
            _ => writer.output(code, place, "escaped"),
        }
        if writer.open.len() > MAX_NESTING {
            return None;
        }
    }
    if !writer.open.is_empty() {
        return None;
    }
    let mut draft = writer.draft;
    draft.end(text.len());
    Some(draft)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// The names inside are those outside.
    Same,
    /// The names inside are those of an element first.
    Inner,
}

struct Writer<'a> {
    draft: Draft,
    engine: &'a str,
    /// Where names are looked for, the innermost last.
    contexts: Vec<String>,
    /// Parameters of blocks (`as |item|`).
    names: Vec<(String, String)>,
    open: Vec<Open>,
    count: u32,
}

impl Writer<'_> {
    fn output(&mut self, code: &str, at: usize, how: &str) {
        let value = self.call(code);
        let text = format!("{}.{how}({value});\n", self.engine);
        self.draft.say(&text, at);
    }

    fn begin(&mut self, word: &str, at: usize) {
        let text = format!("{word} ({}.plain()) {{\n", self.engine);
        self.draft.say(&text, at);
    }

    /// A name, or a helper with its arguments.
    fn call(&mut self, code: &str) -> String {
        let words = words(code);
        match &words[..] {
            [] => format!("{}.plain()", self.engine),
            [one] => self.value(one),
            [helper, rest @ ..] => {
                let all: Vec<String> = rest.iter().map(|word| self.argument(word)).collect();
                let helper: String = helper.chars().filter(|c| c.is_alphanumeric()).collect();
                format!("{}.helpers.h_{helper}({})", self.engine, all.join(", "))
            }
        }
    }

    fn argument(&mut self, word: &str) -> String {
        match word.split_once('=') {
            Some((name, value)) if !name.contains(['"', '\'', '(']) => self.value(value),
            _ => self.value(word),
        }
    }

    fn value(&mut self, word: &str) -> String {
        if let Some(inner) = word.strip_prefix('(').and_then(|w| w.strip_suffix(')')) {
            // Nesting of helpers is bounded by the length that brackets take.
            return match inner.matches('(').count() {
                0..=16 => self.call(inner),
                _ => format!("{}.plain()", self.engine),
            };
        }
        let unquoted = |q: char| word.strip_prefix(q).and_then(|w| w.strip_suffix(q));
        if let Some(text) = unquoted('"').or_else(|| unquoted('\'')) {
            return quoted(text);
        }
        if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '@'))
            || matches!(word, "true" | "false" | "null" | "undefined")
        {
            return format!("{}.plain()", self.engine);
        }
        self.path(word)
    }

    fn path(&self, word: &str) -> String {
        let mut up = 0;
        let mut rest = word;
        while let Some(after) = rest.strip_prefix("../") {
            up += 1;
            rest = after;
        }
        let rest = rest.strip_prefix("./").unwrap_or(rest);
        let parts: Vec<&str> = rest
            .split(['.', '/'])
            .map(|part| part.trim_matches(['[', ']']))
            .filter(|part| !part.is_empty())
            .collect();
        let visible = self.contexts.len().saturating_sub(up).max(1);
        let contexts = self.contexts.get(..visible).unwrap_or_default();
        let inner = contexts.last().map_or(LOCALS, String::as_str);
        let below = |base: &str, parts: &[&str]| {
            parts.iter().fold(base.to_owned(), |base, part| {
                format!("{base}[{}]", quoted(part))
            })
        };
        match parts.split_first() {
            None => inner.to_owned(),
            Some((&"this", rest)) => below(inner, rest),
            Some((first, rest)) => {
                if let Some((_, value)) = self.names.iter().rev().find(|(name, _)| name == first) {
                    return below(value, rest);
                }
                // Mustache looks outside for what the element does not have.
                let all: Vec<String> = contexts
                    .iter()
                    .rev()
                    .take(4)
                    .map(|context| below(context, &parts))
                    .collect();
                format!("({})", all.join(" || "))
            }
        }
    }

    fn section(&mut self, code: &str, at: usize) {
        let (code, names) = match code.split_once(" as |") {
            Some((code, names)) => (code, names.trim_end_matches('|').trim()),
            None => (code, ""),
        };
        let (word, rest) = match code.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (code, ""),
        };
        match (word, rest) {
            ("if" | "unless", _) => {
                self.begin("if", at);
                self.open.push(Open::Same);
            }
            ("each" | "with", _) | (_, "") => {
                let subject = if rest.is_empty() { word } else { rest };
                let value = self.call(subject);
                self.count += 1;
                let context = format!("c_{}", self.count);
                // A section of Mustache is a list, an object or a truth.
                let text = match word {
                    "with" => format!("for (const {context} of [{value}]) {{\n"),
                    "each" => format!("for (const {context} of Object.values({value})) {{\n"),
                    _ => format!("for (const {context} of [].concat({value})) {{\n"),
                };
                self.draft.say(&text, at);
                if let Some(name) = names.split_whitespace().next() {
                    self.names.push((name.to_owned(), context.clone()));
                }
                self.contexts.push(context);
                self.open.push(Open::Inner);
            }
            // A helper of the program decides what becomes of the block.
            _ => {
                let value = self.call(code);
                self.draft.say(&format!("{value};\n"), at);
                self.begin("if", at);
                self.open.push(Open::Same);
            }
        }
    }

    fn close(&mut self, at: usize) -> Option<()> {
        if self.open.pop()? == Open::Inner {
            let context = self.contexts.pop();
            self.names
                .retain(|(_, value)| Some(value) != context.as_ref());
        }
        self.draft.say("}\n", at);
        Some(())
    }

    fn partial(&mut self, code: &str, at: usize) {
        let words = words(code);
        let Some((name, rest)) = words.split_first() else {
            return;
        };
        let context = self.contexts.last().cloned().unwrap_or_default();
        let mut base = context;
        let mut more: Vec<String> = Vec::new();
        for word in rest {
            match word.split_once('=') {
                Some((key, value)) => {
                    let value = self.value(value);
                    more.push(format!("{}: {value}", quoted(key)));
                }
                None => base = self.value(word),
            }
        }
        let name = name.trim_matches(['"', '\'']);
        let text = match name.starts_with('(') {
            // Which one is decided while the page is rendered.
            true => format!("{}.unread({base});\n", self.engine),
            false => format!(
                "{}.include({base}, {}, {{{}}});\n",
                self.engine,
                quoted(name),
                more.join(", ")
            ),
        };
        self.draft.say(&text, at);
    }
}

/// Words apart by spaces, with texts and brackets kept whole.
fn words(code: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut depth = 0_i32;
    for c in code.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if matches!(c, '(' | '[') => depth += 1,
            None if matches!(c, ')' | ']') => depth -= 1,
            None if c.is_whitespace() && depth <= 0 => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            None => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}
