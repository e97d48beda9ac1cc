//! Pug, once Jade: indentation makes blocks, `!=` and `!{..}` write unescaped. <https://pugjs.org/language>

use super::LOCALS;
use super::draft::Draft;
use super::expression::quoted;

/// Tags inside tags on one line (`li: a: b`), and text in text.
const MAX_DEPTH: u32 = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Ends with a brace.
    Braces,
    /// Lines of text, in which expressions stand.
    Text,
    /// Lines of code.
    Code,
    Comment,
}

pub(super) fn read(text: &str, engine: &str) -> Option<Draft> {
    let mixins = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("mixin "))
        .map(|rest| identifier(rest.trim_start()).to_owned())
        .collect();
    let mut reader = Reader {
        text,
        draft: Draft::begin(),
        engine,
        mixins,
        open: Vec::new(),
        next: 0,
    };
    while reader.next < text.len() {
        reader.line()?;
    }
    while let Some((_, block)) = reader.open.pop() {
        reader.close(block, text.len());
    }
    reader.draft.end(text.len());
    Some(reader.draft)
}

struct Reader<'a> {
    text: &'a str,
    draft: Draft,
    engine: &'a str,
    /// Mixins that this file defines.
    mixins: Vec<String>,
    open: Vec<(usize, Block)>,
    /// Where the next line begins.
    next: usize,
}

impl<'a> Reader<'a> {
    fn close(&mut self, block: Block, at: usize) {
        if block == Block::Braces {
            self.draft.put("}\n", at);
        }
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.find('\n').map_or(self.text.len(), |i| from + i)
    }

    fn line(&mut self) -> Option<()> {
        let start = self.next;
        let end = self.line_end(start);
        self.next = end + 1;
        let line = self.text.get(start..end)?.trim_end_matches('\r');
        let content = line.trim_start();
        if content.is_empty() {
            return Some(());
        }
        let indent = line.len() - content.len();
        while let Some(&(outer, block)) = self.open.last() {
            if outer < indent {
                break;
            }
            self.open.pop();
            self.close(block, start);
        }
        let at = start + indent;
        match self.open.last() {
            Some((_, Block::Comment)) => Some(()),
            Some((_, Block::Text)) => self.text_at(content, at, 0),
            Some((_, Block::Code)) => {
                self.draft.put(content, at);
                self.draft.put("\n", at);
                Some(())
            }
            _ => self.content(content, at, indent, 0),
        }
    }

    /// Whether the lines below this one stand deeper.
    fn has_children(&self, indent: usize) -> bool {
        let rest = self.text.get(self.next..).unwrap_or_default();
        rest.lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.len() - line.trim_start().len() > indent)
    }

    fn begin(&mut self, head: &str, at: usize, indent: usize) {
        self.draft.put(head, at);
        self.draft.put(" {\n", at);
        match self.has_children(indent) {
            true => self.open.push((indent, Block::Braces)),
            false => self.draft.put("}\n", at),
        }
    }

    fn call(&mut self, how: &str, expression: &str, at: usize) {
        let expression = expression.trim().trim_end_matches(';');
        if expression.is_empty() {
            return;
        }
        self.draft.put(&format!("{}.{how}(", self.engine), at);
        self.draft.put(expression, at);
        self.draft.put("\n);\n", at);
    }

    fn content(&mut self, code: &'a str, at: usize, indent: usize, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let word = identifier(code);
        let rest = code.get(word.len()..)?;
        // `if` as a word of the language, not the beginning of a tag's name.
        let said = rest.trim();
        let is_word = rest.is_empty() || rest.starts_with([' ', '\t']);
        if code.starts_with("//") {
            self.open.push((indent, Block::Comment));
            return Some(());
        }
        if let Some(text) = code.strip_prefix('|') {
            return self.text_at(text, at + 1, depth);
        }
        if code.starts_with('<') {
            return self.text_at(code, at, depth);
        }
        if let Some(expression) = code.strip_prefix("!=") {
            self.call("output", expression, at);
            return Some(());
        }
        if let Some(expression) = code.strip_prefix('=') {
            self.call("escaped", expression, at);
            return Some(());
        }
        if let Some(statement) = code.strip_prefix('-') {
            self.statement(statement.trim(), at, indent);
            return Some(());
        }
        if let Some(call) = code.strip_prefix('+') {
            self.mixin_call(call, at);
            return Some(());
        }
        if code.starts_with(':') {
            // Text for a filter, which has no expressions.
            self.open.push((indent, Block::Comment));
            return Some(());
        }
        match word {
            "doctype" | "yield" if is_word => {}
            "extends" | "include" if is_word || rest.starts_with(':') => {
                let name = said.rsplit(' ').next().unwrap_or_default();
                let text = format!("{}.include({LOCALS}, {});\n", self.engine, quoted(name));
                self.draft.put(&text, at);
            }
            "block" | "append" | "prepend" if is_word => {}
            "mixin" if is_word => {
                let name = identifier(said);
                let parameters = said.get(name.len()..)?.trim();
                let parameters = match parameters.is_empty() {
                    true => "()",
                    false => parameters,
                };
                let head = format!("function mixin_{} {parameters}", plain(name));
                self.begin(&head, at, indent);
            }
            "if" if is_word => self.begin(&format!("if ({said})"), at, indent),
            "unless" if is_word => self.begin(&format!("if (!({said}))"), at, indent),
            "while" if is_word => self.begin(&format!("while ({said})"), at, indent),
            "else" if is_word => {
                let head = match said.strip_prefix("if ") {
                    Some(condition) => format!("else if ({condition})"),
                    None => "else".to_owned(),
                };
                self.begin(&head, at, indent);
            }
            "each" | "for" if is_word && said.contains(" in ") => {
                let (targets, list) = said.split_once(" in ")?;
                let names: Vec<&str> = targets.split(',').map(str::trim).collect();
                let head = match &names[..] {
                    [one] => format!("for (const {one} of Object.values({list}))"),
                    [one, key] => {
                        format!("for (const [{key}, {one}] of Object.entries({list}))")
                    }
                    _ => return None,
                };
                self.begin(&head, at, indent);
            }
            "case" if is_word => self.begin("", at, indent),
            "when" | "default" if is_word || rest.starts_with(':') => {
                let head = format!("if ({}.plain())", self.engine);
                if let Some((_, inner)) = rest.split_once(": ") {
                    let offset = code.len() - inner.len();
                    return self.content(inner, at + offset, indent, depth + 1);
                }
                self.begin(&head, at, indent);
            }
            _ => return self.tag(code, at, indent, depth),
        }
        Some(())
    }

    fn statement(&mut self, code: &str, at: usize, indent: usize) {
        if code.is_empty() {
            self.open.push((indent, Block::Code));
            return;
        }
        self.draft.put(code, at);
        if self.has_children(indent) && !code.ends_with(['{', '}']) {
            self.draft.put(" {\n", at);
            self.open.push((indent, Block::Braces));
        } else {
            self.draft.put("\n", at);
        }
    }

    fn mixin_call(&mut self, code: &str, at: usize) {
        let name = identifier(code);
        let rest = code.get(name.len()..).unwrap_or_default();
        let arguments = match rest.starts_with('(') {
            true => closing(rest, '(', ')')
                .and_then(|end| rest.get(1..end))
                .unwrap_or_default(),
            false => "",
        };
        let text = match self.mixins.iter().any(|known| known == name) {
            true => format!("mixin_{}(", plain(name)),
            // It is defined in a file that this one includes, or is made from a name.
            false => format!("{}.unread(", self.engine),
        };
        self.draft.put(&text, at);
        self.draft.put(arguments, at);
        self.draft.put(");\n", at);
    }

    fn tag(&mut self, code: &'a str, at: usize, indent: usize, depth: u32) -> Option<()> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '#' | '-' | '_' | ':');
        let mut end = 0;
        if code.starts_with("#{") {
            end = closing(code.get(1..)?, '{', '}')? + 2;
        }
        let begins = end;
        for (i, c) in code.char_indices().skip_while(|(i, _)| *i < begins) {
            let next = code.get(i + c.len_utf8()..)?.chars().next();
            let ends = match c {
                // `a: b`, and a dot at the end of the line.
                ':' | '.' => next.is_none_or(|n| n.is_whitespace()),
                '#' => matches!(next, Some('{' | '[')),
                c => !is_part(c),
            };
            if ends {
                break;
            }
            end = i + c.len_utf8();
        }
        if end == 0 {
            // Text that is no tag, as it stands after an inline one.
            return self.text_at(code, at, depth);
        }
        let mut here = at + end;
        loop {
            let rest = self.text.get(here..)?;
            if rest.starts_with('(') {
                let close = closing(rest, '(', ')')?;
                self.attributes(rest.get(1..close)?, here + 1);
                here += close + 1;
            } else if let Some(after) = rest.strip_prefix("&attributes") {
                let close = closing(after, '(', ')')?;
                // Names and values are escaped as others are.
                here += "&attributes".len() + close + 1;
            } else {
                break;
            }
        }
        let line_end = self.line_end(here);
        self.next = self.next.max(line_end + 1);
        // An inline tag ends where the text around it does.
        let limit = match depth {
            0 => line_end,
            _ => line_end.min(at + code.len()).max(here),
        };
        let rest = self.text.get(here..limit)?.trim_end();
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        if let Some(expression) = rest.strip_prefix("!=") {
            self.call("output", expression, here);
        } else if let Some(expression) = rest.strip_prefix('=') {
            self.call("escaped", expression, here);
        } else if let Some(inner) = rest.strip_prefix(':') {
            let offset = rest.len() - inner.trim_start().len();
            return self.content(inner.trim_start(), here + offset, indent, depth + 1);
        } else if rest == "." {
            self.open.push((indent, Block::Text));
        } else if !rest.is_empty() {
            return self.text_at(rest, here, depth);
        }
        Some(())
    }

    /// Attributes whose values are written as they are: `name!=value`.
    fn attributes(&mut self, list: &str, at: usize) {
        let mut rest = list;
        while let Some(found) = rest.find("!=") {
            let before = rest.get(..found).unwrap_or_default();
            let after = rest.get(found + 2..).unwrap_or_default();
            let named = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '\''))
                && quotes_are_even(before);
            if !named || after.starts_with('=') {
                rest = after;
                continue;
            }
            let end = value_end(after);
            let offset = list.len() - after.len();
            let value = after.get(..end).unwrap_or_default();
            self.call("output", value, at + offset);
            rest = after.get(end..).unwrap_or_default();
        }
    }

    /// Text in which `!{..}` stands for an expression that is not escaped.
    fn text_at(&mut self, text: &'a str, at: usize, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut from = 0;
        while let Some(found) = text.get(from..)?.find(['!', '#']) {
            let start = from + found;
            from = start + 1;
            let escaped = start > 0 && text.as_bytes().get(start - 1) == Some(&b'\\');
            let mark = text.get(start..start + 2).unwrap_or_default();
            if escaped {
                continue;
            }
            match mark {
                "!{" | "#{" => {
                    let inner = text.get(start + 1..)?;
                    let Some(close) = closing(inner, '{', '}') else {
                        continue;
                    };
                    let how = if mark == "!{" { "output" } else { "escaped" };
                    let expression = inner.get(1..close)?;
                    self.call(how, expression, at + start + 2);
                    from = start + 1 + close;
                }
                "#[" => {
                    let inner = text.get(start + 1..)?;
                    let Some(close) = closing(inner, '[', ']') else {
                        continue;
                    };
                    let next = self.next;
                    self.content(inner.get(1..close)?, at + start + 2, usize::MAX, depth + 1)?;
                    self.next = next;
                    from = start + 1 + close;
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn identifier(code: &str) -> &str {
    let end = code
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
        .unwrap_or(code.len());
    code.get(..end).unwrap_or_default()
}

/// A mixin's name as one of the language's.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn quotes_are_even(text: &str) -> bool {
    let even = |quote: char| text.matches(quote).count().is_multiple_of(2);
    even('"') && even('\'')
}

/// Where the bracket at the beginning closes; texts are left aside.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_u32;
    let mut quote: Option<char> = None;
    let mut before = ' ';
    for (i, c) in text.char_indices() {
        match quote {
            Some(q) if c == q && before != '\\' => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') && !before.is_alphanumeric() => quote = Some(c),
            None if c == open => depth += 1,
            None if c == close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i);
                }
            }
            None => {}
        }
        before = c;
    }
    None
}

/// Where the value of an attribute ends: at a comma, or at a space behind which another attribute begins.
fn value_end(text: &str) -> usize {
    let mut depth = 0_i32;
    let mut quote: Option<char> = None;
    for (i, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => continue,
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if matches!(c, '(' | '[' | '{') => depth += 1,
            None if matches!(c, ')' | ']' | '}') => depth -= 1,
            None if c == ',' && depth <= 0 => return i,
            None if c.is_whitespace() && depth <= 0 => {
                let rest = text.get(i..).unwrap_or_default().trim_start();
                let name = identifier(rest);
                let after = rest.get(name.len()..).unwrap_or_default();
                let another = !name.is_empty()
                    && (after.starts_with('=') && !after.starts_with("==")
                        || after.starts_with("!=") && !after.starts_with("!=="));
                if another {
                    return i;
                }
            }
            None => {}
        }
    }
    text.len()
}
