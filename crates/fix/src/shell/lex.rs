//! A command as a shell reads it (POSIX, section 2): words with holes, and what only a shell can do.

use crate::pieces::{Text, Unit};
use crate::python::Bit;

#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    pub words: Vec<Word>,
    /// What needs a shell, in words; empty when a list of arguments is the same.
    pub special: Vec<String>,
    pub output: Output,
    pub errors: Errors,
    /// Where holes stand.
    pub holes: Vec<Place>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Word {
    pub bits: Vec<Bit>,
    /// It begins a command: first of all, or behind `|`, `;`, `&&`.
    pub leads: Leads,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Leads {
    Command,
    #[default]
    No,
}

/// Where a hole stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub hole: usize,
    pub unit: usize,
    pub quote: Quote,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quote {
    Bare,
    Single,
    Double,
    /// `$( )`, backquotes, a comment.
    Inner,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Output {
    #[default]
    Same,
    Null,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Errors {
    #[default]
    Same,
    Null,
    Output,
}

struct Reader<'t, 'w> {
    text: &'t Text<'w>,
    out: Command,
    word: Option<Word>,
    lead: bool,
}

pub(crate) fn lex(text: &Text<'_>) -> Command {
    let mut reader = Reader {
        text,
        out: Command::default(),
        word: None,
        lead: true,
    };
    reader.run();
    reader.out
}

impl Reader<'_, '_> {
    fn at(&self, at: usize) -> Option<char> {
        match self.text.units.get(at) {
            Some(Unit::Char { c, .. }) => Some(*c),
            _ => None,
        }
    }

    fn word(&mut self) -> &mut Word {
        let lead = self.lead;
        self.word.get_or_insert_with(|| Word {
            bits: Vec::new(),
            leads: if lead { Leads::Command } else { Leads::No },
        })
    }

    fn push(&mut self, c: char) {
        let word = self.word();
        match word.bits.last_mut() {
            Some(Bit::Text(text)) => text.push(c),
            _ => word.bits.push(Bit::Text(c.to_string())),
        }
    }

    fn hole(&mut self, hole: usize, unit: usize, quote: Quote) {
        self.word().bits.push(Bit::Hole(hole));
        self.out.holes.push(Place { hole, unit, quote });
    }

    fn end(&mut self) {
        if let Some(word) = self.word.take() {
            // `NAME=value command`
            if word.leads == Leads::Command
                && let Some(Bit::Text(text)) = word.bits.first()
                && let Some((name, _)) = text.split_once('=')
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            {
                self.special("an environment variable before the command");
                self.out.words.push(word);
                return;
            }
            self.lead = false;
            self.out.words.push(word);
        }
    }

    fn special(&mut self, what: &str) {
        if !self.out.special.iter().any(|s| s == what) {
            self.out.special.push(what.to_owned());
        }
    }

    fn run(&mut self) {
        let units = &self.text.units;
        let mut at = 0;
        while at < units.len() {
            let c = match units[at] {
                Unit::Hole(hole) => {
                    self.hole(hole, at, Quote::Bare);
                    at += 1;
                    continue;
                }
                Unit::Char { c, .. } => c,
            };
            match c {
                ' ' | '\t' => self.end(),
                '\'' => {
                    self.word();
                    at += 1;
                    while at < units.len() {
                        match units[at] {
                            Unit::Char { c: '\'', .. } => break,
                            Unit::Char { c, .. } => self.push(c),
                            Unit::Hole(hole) => self.hole(hole, at, Quote::Single),
                        }
                        at += 1;
                    }
                    if at == units.len() {
                        self.special("a quote that is not closed");
                    }
                }
                '"' => {
                    self.word();
                    at = self.double(at + 1);
                }
                '\\' => match self.at(at + 1) {
                    Some('\n') => at += 1,
                    Some(next) => {
                        self.push(next);
                        at += 1;
                    }
                    None => self.special("a backslash before a value"),
                },
                '\n' | ';' | '|' | '&' | '(' | ')' => {
                    if c == '&' && self.rest(at).starts_with("&>/dev/null") && self.word.is_none() {
                        self.out.output = Output::Null;
                        self.out.errors = Errors::Null;
                        at += "&>/dev/null".len();
                        continue;
                    }
                    self.end();
                    let trailing = c == '\n'
                        && units[at..]
                            .iter()
                            .all(|u| matches!(u, Unit::Char { c, .. } if c.is_whitespace()));
                    if !trailing {
                        self.special(match c {
                            '|' => "a pipe",
                            '&' => "`&`",
                            _ => "several commands",
                        });
                        self.lead = true;
                    }
                }
                '>' | '<' => {
                    if let Some(length) = self.redirect(at) {
                        at += length;
                        continue;
                    }
                    self.end();
                    self.special("a redirection");
                }
                '$' | '`' => {
                    self.special("a variable or a command in the command");
                    self.push(c);
                    // Quoting inside is another matter: nothing there is changed.
                    if c == '`' || self.at(at + 1) == Some('(') {
                        at = self.inner(at, c);
                    }
                }
                '*' | '?' | '[' | '{' => {
                    self.special("a pattern of file names");
                    self.push(c);
                }
                '~' if self.word.is_none() => {
                    self.special("`~`");
                    self.push(c);
                }
                '#' if self.word.is_none() => {
                    self.special("a comment");
                    self.push(c);
                }
                c => self.push(c),
            }
            at += 1;
        }
        self.end();
    }

    fn rest(&self, at: usize) -> String {
        self.text.units[at..]
            .iter()
            .map_while(|u| match u {
                Unit::Char { c, .. } => Some(*c),
                Unit::Hole(_) => None,
            })
            .take(16)
            .collect()
    }

    /// A redirection that has a word in Python; its length from `at` on.
    fn redirect(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let number = match &self.word {
            Some(word) => match word.bits.as_slice() {
                [Bit::Text(text)] if text == "1" || text == "2" => Some(text.clone()),
                _ => None,
            },
            None => Some("1".to_owned()),
        }?;
        let errors = number == "2";
        for form in [">&1", "> /dev/null", ">/dev/null"] {
            if !rest.starts_with(form) {
                continue;
            }
            let next = rest[form.len()..].chars().next();
            if next.is_some_and(|c| !c.is_whitespace()) {
                return None;
            }
            match (form, errors) {
                (">&1", true) => {
                    self.out.errors = if self.out.output == Output::Null {
                        Errors::Null
                    } else {
                        Errors::Output
                    };
                }
                (">&1", false) => return None,
                // Errors sent to the old output stay there.
                (_, false) if self.out.errors == Errors::Output => return None,
                (_, false) => self.out.output = Output::Null,
                (_, true) => self.out.errors = Errors::Null,
            }
            self.word = None;
            return Some(form.len());
        }
        None
    }

    /// Inside double quotes; the place of the closing one.
    fn double(&mut self, from: usize) -> usize {
        let units = &self.text.units;
        let mut at = from;
        while at < units.len() {
            match units[at] {
                Unit::Char { c: '"', .. } => return at,
                Unit::Char { c: '\\', .. } => match self.at(at + 1) {
                    Some(next @ ('"' | '\\' | '$' | '`')) => {
                        self.push(next);
                        at += 1;
                    }
                    _ => self.push('\\'),
                },
                Unit::Char { c, .. } => {
                    self.push(c);
                    if matches!(c, '$' | '`') {
                        self.special("a variable or a command in the command");
                        if c == '`' || self.at(at + 1) == Some('(') {
                            at = self.inner(at, c);
                        }
                    }
                }
                Unit::Hole(hole) => self.hole(hole, at, Quote::Double),
            }
            at += 1;
        }
        self.special("a quote that is not closed");
        at
    }

    /// `$( )` or backquotes: holes in it are noted, not read. The place of its end.
    fn inner(&mut self, from: usize, open: char) -> usize {
        let close = if open == '`' { '`' } else { ')' };
        let units = &self.text.units;
        let mut at = from + 1;
        while at < units.len() {
            match units[at] {
                Unit::Char { c, .. } => {
                    self.push(c);
                    if c == close {
                        return at;
                    }
                }
                Unit::Hole(hole) => self.hole(hole, at, Quote::Inner),
            }
            at += 1;
        }
        at
    }
}

/// The name of the program in a word, without its folder.
pub(crate) fn program(word: &Word) -> Option<&str> {
    match word.bits.as_slice() {
        [Bit::Text(text)] => text.rsplit('/').next(),
        _ => None,
    }
}
