//! Texts: known ones, those that are partly the attacker's, and those under construction.

use solvent_finding::Transform;
use solvent_ir::{BinaryOp, Const};

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

impl Machine<'_> {
    /// The value as text, as `+` makes it.
    pub(super) fn joined(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        // An array of characters is the text that they make.
        if let Some(items) = self.exact_items(v) {
            return self.concatenated(frame, index, &items, None);
        }
        if self.is_container(v) {
            return self.element(frame, index, v);
        }
        let v = self.object_data(v);
        let v = self.stringify(frame, index, v);
        if let Some(constants) = self.w.store.constants(v) {
            let mut out = V::NEVER;
            for c in constants {
                let one = match self.const_text(&c) {
                    Some(text) => self.w.store.konst(Const::Str(text)),
                    None => self.w.store.unknown(),
                };
                out = self.w.store.join(out, one);
            }
            return out;
        }
        v
    }

    pub(super) fn concatenated(
        &mut self,
        frame: &mut Frame,
        index: u32,
        items: &[V],
        separator: Option<V>,
    ) -> V {
        let site = self.site(frame, index);
        let empty = self.w.store.empty;
        let mut out = self.w.store.konst(Const::Str(empty));
        for (i, item) in items.iter().enumerate() {
            if i > 0
                && let Some(separator) = separator
            {
                out = self.binary(frame, BinaryOp::Add, out, separator, site);
            }
            out = self.binary(frame, BinaryOp::Add, out, *item, site);
        }
        out
    }

    /// The elements, or any of them, standing for all.
    pub(super) fn items_or_element(&mut self, frame: &mut Frame, index: u32, v: V) -> Vec<V> {
        match self.exact_items(v) {
            Some(items) => items,
            None => vec![self.element(frame, index, v)],
        }
    }

    /// `String.format`: directives in order, `%2$s` by number; what is formatted as a number is one.
    pub(super) fn formatted(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Option<V> {
        let mut given: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
        // A locale may come first.
        if given.len() > 1 && self.w.store.constant_str(given[0]).is_none() {
            let text = given.get(1).and_then(|v| self.w.store.constant_str(*v));
            if text.is_some() {
                given.remove(0);
            }
        }
        let format = given.first().copied()?;
        let Some(pattern) = self.w.store.constant_str(format) else {
            let mut labels = Ls::NONE;
            for v in given {
                let deep = self.w.store.deep(v);
                labels = self.w.store.union(labels, deep);
            }
            return Some(self.w.store.data(labels));
        };
        let pattern = self.text(pattern).to_string();
        let mut values: Vec<V> = given[1..].to_vec();
        if let [only] = values[..]
            && let Some(items) = self.exact_items(only)
        {
            values = items;
        }
        let mut parts: Vec<V> = Vec::new();
        let mut literal = String::new();
        let mut next = 0;
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            let mut digits = String::new();
            let mut at = None;
            let mut kind = None;
            for c in rest.by_ref() {
                match c {
                    '0'..='9' => digits.push(c),
                    '$' => {
                        at = digits.parse::<usize>().ok();
                        digits.clear();
                    }
                    c if c.is_alphabetic() || c == '%' => {
                        kind = Some(c);
                        break;
                    }
                    _ => {}
                }
            }
            match kind {
                Some('%') => literal.push('%'),
                Some('n') => literal.push('\n'),
                Some(kind) => {
                    if !literal.is_empty() {
                        let name = self.name(&std::mem::take(&mut literal));
                        parts.push(self.w.store.konst(Const::Str(name)));
                    }
                    let place = at.map_or(next, |at| at.saturating_sub(1));
                    if at.is_none() {
                        next += 1;
                    }
                    let value = values.get(place).copied();
                    parts.push(match value {
                        Some(v) if matches!(kind, 's' | 'S' | 'c') => v,
                        Some(v) if self.w.store.constants(v).is_some() => v,
                        _ => self.w.store.unknown(),
                    });
                }
                None => {}
            }
        }
        if !literal.is_empty() {
            let name = self.name(&literal);
            parts.push(self.w.store.konst(Const::Str(name)));
        }
        Some(self.concatenated(frame, index, &parts, None))
    }

    /// Methods of a known text with known arguments.
    pub(super) fn known_text(&mut self, text: &str, method: &str, args: &Args) -> Option<V> {
        let arg = |m: &Self, i: usize| {
            let c = args
                .get(i, None)
                .and_then(|v| m.w.store.constant(v).cloned())?;
            m.const_text(&c).map(|n| m.text(n).to_string())
        };
        let int = |m: &Self, i: usize| {
            args.get(i, None)
                .and_then(|v| m.small_int(v))
                .and_then(|i| usize::try_from(i).ok())
        };
        // Positions count units of UTF-16, which for the texts that are computed here are characters.
        let chars: Vec<char> = text.chars().collect();
        let place = |at: Option<usize>| {
            let int = at.and_then(|at| i64::try_from(text.get(..at)?.chars().count()).ok());
            Const::Int(int.unwrap_or(-1))
        };
        let count = args.pos.len();
        let out = match (method, count) {
            ("charAt", 1) => chars.get(int(self, 0)?)?.to_string(),
            ("substring" | "subSequence", _) => {
                let from = int(self, 0)?;
                let to = if count > 1 {
                    int(self, 1)?
                } else {
                    chars.len()
                };
                chars.get(from..to)?.iter().collect()
            }
            ("concat", 1) => format!("{text}{}", arg(self, 0)?),
            ("trim" | "strip", 0) => text.trim().to_owned(),
            ("toLowerCase", 0) => text.to_lowercase(),
            ("toUpperCase", 0) => text.to_uppercase(),
            ("toString" | "intern", 0) => text.to_owned(),
            ("replace", 2) => text.replace(&arg(self, 0)?, &arg(self, 1)?),
            ("repeat", 1) if text.len() * int(self, 0)? < 4_096 => text.repeat(int(self, 0)?),
            ("length", 0) => {
                return Some(self.w.store.konst(Const::Int(chars.len() as i64)));
            }
            ("isEmpty", 0) => return Some(self.w.store.boolean(Some(text.is_empty()))),
            ("isBlank", 0) => return Some(self.w.store.boolean(Some(text.trim().is_empty()))),
            ("startsWith", 1) => {
                let yes = text.starts_with(&arg(self, 0)?);
                return Some(self.w.store.boolean(Some(yes)));
            }
            ("endsWith", 1) => {
                let yes = text.ends_with(&arg(self, 0)?);
                return Some(self.w.store.boolean(Some(yes)));
            }
            ("equalsIgnoreCase", 1) => {
                let yes = text.to_lowercase() == arg(self, 0)?.to_lowercase();
                return Some(self.w.store.boolean(Some(yes)));
            }
            ("indexOf", 1) => {
                let c = place(text.find(&arg(self, 0)?));
                return Some(self.w.store.konst(c));
            }
            ("lastIndexOf", 1) => {
                let c = place(text.rfind(&arg(self, 0)?));
                return Some(self.w.store.konst(c));
            }
            ("toCharArray" | "chars", 0) if chars.len() <= 16 => {
                let items = chars.iter().map(char::to_string).collect();
                return Some(self.list_of_known(items));
            }
            ("split", 1) => {
                let by = arg(self, 0)?;
                let plain = by
                    .chars()
                    .all(|c| c.is_alphanumeric() || " ,;:_-/=@#&".contains(c));
                if !plain || by.is_empty() {
                    return None;
                }
                let mut parts: Vec<String> = text.split(&by).map(str::to_owned).collect();
                while parts.len() > 1 && parts.last().is_some_and(String::is_empty) {
                    parts.pop();
                }
                return Some(self.list_of_known(parts));
            }
            _ => return None,
        };
        let name = self.name(&out);
        Some(self.w.store.konst(Const::Str(name)))
    }

    fn list_of_known(&mut self, parts: Vec<String>) -> V {
        let items = parts
            .iter()
            .map(|part| {
                let name = self.name(part);
                self.w.store.konst(Const::Str(name))
            })
            .collect();
        self.list_of(items, V::NEVER)
    }

    /// Methods of texts that keep what they do not know.
    pub(super) fn partly_known_text(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let site = self.site(frame, index);
        Some(match (method, args.pos.len()) {
            ("concat", 1) => {
                let other = args.get(0, None)?;
                self.binary(frame, BinaryOp::Add, v, other, site)
            }
            ("toString" | "intern" | "stripIndent", 0) => v,
            ("substring" | "subSequence", 1 | 2) => {
                self.slice(v, [args.get(0, None), args.get(1, None), None])
            }
            ("charAt", 1) | ("toCharArray" | "chars" | "getBytes", 0) | ("getBytes", 1) => {
                if method == "getBytes" {
                    return Some(v);
                }
                let one = self.with_opaque(v, method);
                if method == "charAt" {
                    one
                } else {
                    self.w.store.many(CollKind::List, one)
                }
            }
            ("replace", 2) if self.w.store.deep(v) != crate::value::Ls::NONE => {
                self.replaced_text(frame, index, v, args)
            }
            ("split" | "lines", _) => {
                let one = self.with_opaque(v, "split");
                self.w.store.many(CollKind::List, one)
            }
            (
                "length"
                | "indexOf"
                | "lastIndexOf"
                | "hashCode"
                | "compareTo"
                | "isEmpty"
                | "isBlank"
                | "codePointAt"
                | "equalsIgnoreCase"
                | "compareToIgnoreCase",
                _,
            ) => self.w.store.unknown(),
            _ => return None,
        })
    }

    fn with_opaque(&mut self, v: V, what: &str) -> V {
        let transform = Transform::Opaque(what.to_owned());
        self.derive(v, &crate::label::Link::Transform(transform))
    }

    /// Methods of texts under construction.
    pub(super) fn builder_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        data: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let site = self.site(frame, index);
        let first = args.get(0, None);
        let now = match (method, args.pos.len()) {
            ("append" | "appendCodePoint", 1) => {
                let more = self.joined(frame, index, first?);
                self.binary(frame, BinaryOp::Add, data, more, site)
            }
            ("append", _) => {
                let more = self.derive(first?, &crate::label::Link::Value);
                self.binary(frame, BinaryOp::Add, data, more, site)
            }
            ("insert", 2) => {
                let more = args.get(1, None)?;
                let more = self.joined(frame, index, more);
                if self.small_int(first?) == Some(0) {
                    self.binary(frame, BinaryOp::Add, more, data, site)
                } else {
                    let both = self.binary(frame, BinaryOp::Add, data, more, site);
                    self.with_opaque(both, "insert")
                }
            }
            ("setLength", 1) if self.small_int(first?) == Some(0) => {
                let empty = self.w.store.empty;
                self.w.store.konst(Const::Str(empty))
            }
            ("delete", 2) => {
                let whole = self.small_int(first?) == Some(0)
                    && args
                        .get(1, None)
                        .is_some_and(|v| self.small_int(v).is_none_or(|n| n > 999));
                if whole {
                    let empty = self.w.store.empty;
                    self.w.store.konst(Const::Str(empty))
                } else {
                    self.edited(data, "delete")
                }
            }
            ("replace", 3) => {
                let more = args.get(2, None)?;
                let both = self.binary(frame, BinaryOp::Add, data, more, site);
                self.edited(both, "replace")
            }
            ("reverse" | "deleteCharAt" | "setCharAt" | "setLength", _) => {
                self.edited(data, method)
            }
            ("toString", 0) => return Some(Out::ret(data)),
            _ => {
                let v = match self.w.store.constant_str(data) {
                    Some(text) => {
                        let text = self.text(text).to_string();
                        self.known_text(&text, method, args)
                    }
                    None => None,
                };
                let v = match v {
                    Some(v) => v,
                    None => self.partly_known_text(frame, index, data, method, args)?,
                };
                return Some(Out::ret(v));
            }
        };
        let after = self.object_of_library("java.lang.StringBuilder", now);
        Some(Out {
            ret: Some(after),
            afters: Vec::new(),
            receiver: Some(after),
        })
    }

    fn edited(&mut self, data: V, what: &str) -> V {
        if self.w.store.deep(data) == Ls::NONE {
            self.w.store.unknown()
        } else {
            self.with_opaque(data, what)
        }
    }

    pub(super) fn is_text_atom(atom: &Atom) -> bool {
        matches!(
            atom,
            Atom::Const(Const::Str(_)) | Atom::Text(_) | Atom::Data(_)
        )
    }
}
