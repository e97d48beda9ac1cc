//! Where holes stand in a statement: in a literal, where a value goes, or where none can.
//!
//! The rules are those that SQLite, PostgreSQL and MySQL have in common; what one of them reads otherwise
//! (a backslash in a literal) makes a hole unbindable rather than bound wrongly.

use crate::pieces::{Text, Unit};
use crate::python::Bit;

/// A hole, or a literal with holes in it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Units, the quotes included.
    pub first: usize,
    pub last: usize,
    pub bits: Vec<Bit>,
    pub place: Place,
    /// Placeholders of the driver that stand before it.
    pub bound_before: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Inside `'...'`.
    Literal,
    /// Inside `"..."` where a value can stand: a literal in SQLite and MySQL, a name elsewhere.
    DoubleQuoted,
    /// Bare, where a value can stand.
    Value,
    /// Bare, after `LIMIT` or `OFFSET`.
    Count,
    /// Bare and alone in `IN ( )`.
    List,
    /// Where a value cannot stand; in words.
    No(String),
}

/// A statement's slots, and what else matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lexed {
    pub slots: Vec<Slot>,
    /// `?` or `%s` outside of literals.
    pub positional: usize,
    /// `:name` or `%(name)s` outside of literals.
    pub named: usize,
    /// Units where a placeholder of the driver begins.
    pub placeholders: Vec<usize>,
    /// A semicolon with more than white space after it.
    pub several: bool,
    /// The text ends inside a literal or comment.
    pub open_end: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Last {
    Start,
    Word(String),
    Sign(char),
    Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Frame {
    In,
    Values,
    Columns,
    Function,
    Group,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Code,
    Single,
    Double,
    Back,
    Line,
    Block,
}

/// Words after which a bracket opens a group and not arguments.
const KEYWORDS: [&str; 38] = [
    "and",
    "or",
    "not",
    "where",
    "on",
    "select",
    "from",
    "join",
    "in",
    "exists",
    "as",
    "having",
    "union",
    "all",
    "any",
    "some",
    "set",
    "by",
    "when",
    "then",
    "else",
    "case",
    "with",
    "over",
    "using",
    "like",
    "between",
    "limit",
    "offset",
    "distinct",
    "returning",
    "is",
    "values",
    "into",
    "table",
    "filter",
    "except",
    "intersect",
];

struct Reader<'t, 'w> {
    text: &'t Text<'w>,
    out: Lexed,
    last: Last,
    /// Word before the last one.
    word: String,
    clause: String,
    frames: Vec<Frame>,
    /// `INSERT INTO` was read, `VALUES` not yet.
    inserting: bool,
    between: bool,
    values: bool,
}

pub(crate) fn lex(text: &Text<'_>) -> Lexed {
    let mut reader = Reader {
        text,
        out: Lexed::default(),
        last: Last::Start,
        word: String::new(),
        clause: String::new(),
        frames: Vec::new(),
        inserting: false,
        between: false,
        values: false,
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

    fn run(&mut self) {
        let units = &self.text.units;
        let mut mode = Mode::Code;
        let mut open = 0_usize;
        let mut bits: Vec<Bit> = Vec::new();
        let mut has_hole = false;
        let mut at = 0;
        while at < units.len() {
            match (mode, units[at]) {
                (Mode::Code, Unit::Hole(hole)) => {
                    let place = self.bare(at);
                    self.slot(at, at, vec![Bit::Hole(hole)], place);
                    self.last = Last::Value;
                }
                (Mode::Code, Unit::Char { c, .. }) => match c {
                    '\'' | '"' | '`' => {
                        mode = match c {
                            '\'' => Mode::Single,
                            '"' => Mode::Double,
                            _ => Mode::Back,
                        };
                        open = at;
                        bits.clear();
                        has_hole = false;
                    }
                    '-' if self.at(at + 1) == Some('-') => mode = Mode::Line,
                    '/' if self.at(at + 1) == Some('*') => mode = Mode::Block,
                    c if c.is_whitespace() => {}
                    c if c.is_alphabetic() || c == '_' => {
                        let mut end = at;
                        let mut word = String::new();
                        while let Some(c) = self.at(end)
                            && (c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
                        {
                            word.extend(c.to_lowercase());
                            end += 1;
                        }
                        // `N'...'` and `E'...'` are literals.
                        let prefix = word.len() == 1 && self.at(end) == Some('\'');
                        if !prefix {
                            self.read_word(word);
                        } else {
                            self.last = Last::Word(format!("{word}'"));
                        }
                        at = end;
                        continue;
                    }
                    c if c.is_ascii_digit() => {
                        while self
                            .at(at + 1)
                            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
                        {
                            at += 1;
                        }
                        self.last = Last::Value;
                    }
                    c => at = self.sign(at, c),
                },
                (Mode::Single, Unit::Char { c: '\'', .. }) => {
                    if self.at(at + 1) == Some('\'') {
                        bits_push(&mut bits, '\'');
                        at += 1;
                    } else {
                        if has_hole {
                            let place = self.quoted(&bits);
                            self.slot(open, at, bits.clone(), place);
                        }
                        self.last = Last::Value;
                        mode = Mode::Code;
                    }
                }
                (Mode::Double, Unit::Char { c: '"', .. }) => {
                    if self.at(at + 1) == Some('"') {
                        bits_push(&mut bits, '"');
                        at += 1;
                    } else {
                        if has_hole {
                            let place = match self.bare(open) {
                                Place::Value | Place::Count | Place::List => Place::DoubleQuoted,
                                _ => Place::No("a quoted name".to_owned()),
                            };
                            self.slot(open, at, bits.clone(), place);
                        }
                        self.last = Last::Value;
                        mode = Mode::Code;
                    }
                }
                (Mode::Back, Unit::Char { c: '`', .. }) => {
                    if has_hole {
                        self.slot(
                            open,
                            at,
                            bits.clone(),
                            Place::No("a quoted name".to_owned()),
                        );
                    }
                    self.last = Last::Value;
                    mode = Mode::Code;
                }
                (Mode::Single | Mode::Double | Mode::Back, Unit::Char { c, .. }) => {
                    bits_push(&mut bits, c);
                }
                (Mode::Single | Mode::Double | Mode::Back, Unit::Hole(hole)) => {
                    bits.push(Bit::Hole(hole));
                    has_hole = true;
                }
                (Mode::Line, Unit::Char { c: '\n', .. }) => mode = Mode::Code,
                (Mode::Block, Unit::Char { c: '*', .. }) if self.at(at + 1) == Some('/') => {
                    at += 1;
                    mode = Mode::Code;
                }
                (Mode::Line | Mode::Block, Unit::Hole(hole)) => {
                    self.slot(
                        at,
                        at,
                        vec![Bit::Hole(hole)],
                        Place::No("a comment".to_owned()),
                    );
                }
                (Mode::Line | Mode::Block, Unit::Char { .. }) => {}
            }
            at += 1;
        }
        if has_hole && matches!(mode, Mode::Single | Mode::Double | Mode::Back) {
            let end = units.len() - 1;
            self.slot(
                open,
                end,
                bits,
                Place::No("a literal that is not closed".to_owned()),
            );
        }
        self.out.open_end = !matches!(mode, Mode::Code | Mode::Line);
    }

    fn slot(&mut self, first: usize, last: usize, bits: Vec<Bit>, place: Place) {
        self.out.slots.push(Slot {
            first,
            last,
            bits,
            place,
            bound_before: self.out.positional,
        });
    }

    fn read_word(&mut self, word: String) {
        match &*word {
            "select" | "from" | "where" | "set" | "having" | "returning" | "join" | "update" => {
                self.clause = word.clone();
                self.between = false;
                if word == "set" || word == "select" {
                    self.inserting = false;
                }
            }
            "by" => self.clause = format!("{} by", self.word),
            "into" => {
                self.clause = "into".to_owned();
                self.inserting = true;
            }
            "values" => {
                self.clause = "values".to_owned();
                self.inserting = false;
                self.values = true;
            }
            "limit" | "offset" | "table" => self.clause = word.clone(),
            "between" => self.between = true,
            "or" => self.between = false,
            _ => {}
        }
        self.word.clone_from(&word);
        self.last = Last::Word(word);
    }

    fn sign(&mut self, at: usize, c: char) -> usize {
        let mut end = at;
        match c {
            '(' => {
                let frame = match &self.last {
                    Last::Word(w) if w == "in" => Frame::In,
                    Last::Word(w) if w == "values" => Frame::Values,
                    Last::Sign(',') if self.clause == "values" && self.frames.is_empty() => {
                        Frame::Values
                    }
                    Last::Word(_) | Last::Value if self.inserting => Frame::Columns,
                    Last::Word(w) if !KEYWORDS.contains(&w.as_str()) => Frame::Function,
                    _ => Frame::Group,
                };
                self.frames.push(frame);
                self.last = Last::Sign('(');
            }
            ')' => {
                self.frames.pop();
                self.last = Last::Value;
            }
            '?' => {
                self.out.positional += 1;
                self.out.placeholders.push(at);
                self.last = Last::Value;
            }
            '%' if self.at(at + 1) == Some('s') => {
                self.out.positional += 1;
                self.out.placeholders.push(at);
                end += 1;
                self.last = Last::Value;
            }
            '%' if self.at(at + 1) == Some('(') => {
                self.out.named += 1;
                self.out.placeholders.push(at);
                while self.at(end + 1).is_some_and(|c| c != ')') {
                    end += 1;
                }
                end += 2;
                self.last = Last::Value;
            }
            ':' if self.at(at + 1) == Some(':') => {
                end += 1;
                self.last = Last::Sign(':');
            }
            ':' if self
                .at(at + 1)
                .is_some_and(|c| c.is_alphabetic() || c == '_') =>
            {
                self.out.named += 1;
                while self
                    .at(end + 1)
                    .is_some_and(|c| c.is_alphanumeric() || c == '_')
                {
                    end += 1;
                }
                self.last = Last::Value;
            }
            ';' => {
                let more = self.text.units[at + 1..].iter().any(|u| match u {
                    Unit::Char { c, .. } => !c.is_whitespace() && *c != ';',
                    Unit::Hole(_) => true,
                });
                self.out.several |= more;
                self.last = Last::Start;
                self.clause.clear();
                self.frames.clear();
            }
            '*' => {
                // `SELECT *` and `count(*)` are no products.
                let all = matches!(&self.last, Last::Word(w) if w == "select" || w == "distinct")
                    || matches!(self.last, Last::Sign('(' | ',' | '.') | Last::Start);
                self.last = if all { Last::Value } else { Last::Sign('*') };
            }
            c => self.last = Last::Sign(c),
        }
        end
    }

    /// A literal with a hole in it.
    fn quoted(&self, bits: &[Bit]) -> Place {
        if let Last::Word(w) = &self.last {
            if matches!(w.as_str(), "date" | "timestamp" | "time" | "interval") {
                return Place::No(format!("a typed literal after {}", w.to_uppercase()));
            }
            if w.ends_with('\'') {
                return Place::No("a literal with a prefix".to_owned());
            }
        }
        // Only some databases read `\'` as a quote.
        let backslash = bits
            .iter()
            .any(|b| matches!(b, Bit::Text(t) if t.contains('\\')));
        if backslash {
            return Place::No("a literal with a backslash".to_owned());
        }
        Place::Literal
    }

    /// What can stand at a bare place.
    fn bare(&self, at: usize) -> Place {
        let touches = |c: Option<char>| {
            c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | '#'))
        };
        let before = at.checked_sub(1);
        let glued = before
            .is_some_and(|b| touches(self.at(b)) || matches!(self.text.units[b], Unit::Hole(_)));
        let quoted = matches!(self.text.units[at], Unit::Char { .. });
        let glued_after = !quoted
            && (touches(self.at(at + 1))
                || self.at(at + 1) == Some('(')
                || matches!(self.text.units.get(at + 1), Some(Unit::Hole(_))));
        if glued || glued_after {
            return Place::No("a part of a name or number".to_owned());
        }
        let frame = self.frames.last().copied();
        let clause = || match self.clause.as_str() {
            "" => "the statement itself".to_owned(),
            "values" => "the list of values".to_owned(),
            clause => format!("the {} clause", clause.to_uppercase()),
        };
        match &self.last {
            Last::Sign('=' | '<' | '>' | '+' | '-' | '*' | '/' | '|' | '%' | '!' | '~') => {
                Place::Value
            }
            Last::Sign('(') | Last::Sign(',') => match frame {
                Some(Frame::In) => {
                    let alone = self.last == Last::Sign('(')
                        && self.text.units[at + 1..]
                            .iter()
                            .find_map(|u| match u {
                                Unit::Char { c, .. } if c.is_whitespace() => None,
                                Unit::Char { c, .. } => Some(*c == ')'),
                                Unit::Hole(_) => Some(false),
                            })
                            .unwrap_or(false);
                    if alone { Place::List } else { Place::Value }
                }
                Some(Frame::Values | Frame::Function) => Place::Value,
                Some(Frame::Columns) => Place::No("the list of columns".to_owned()),
                Some(Frame::Group) => Place::No(clause()),
                None => match self.clause.as_str() {
                    "limit" => Place::Count,
                    _ => Place::No(clause()),
                },
            },
            Last::Word(word) => match word.as_str() {
                "like" | "ilike" | "glob" | "regexp" | "rlike" | "then" | "else" | "escape"
                | "match" | "between" | "when" => Place::Value,
                "and" if self.between => Place::Value,
                "limit" | "offset" | "top" => Place::Count,
                _ => Place::No(clause()),
            },
            _ => Place::No(clause()),
        }
    }
}

fn bits_push(bits: &mut Vec<Bit>, c: char) {
    match bits.last_mut() {
        Some(Bit::Text(text)) => text.push(c),
        _ => bits.push(Bit::Text(c.to_string())),
    }
}
