//! Methods of texts: known ones, and those that are partly the attacker's.

use solvent_finding::Transform;
use solvent_ir::Const;

use crate::call::Args;
use crate::label::{Link, Note};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, MAX_TEXT, Piece, V};

/// What a text needs to become markup.
const OF_MARKUP: [char; 3] = ['<', '>', '"'];
/// Places in a known text that are filled in one by one.
const MAX_REPLACED: usize = 4;

impl Machine<'_> {
    /// A text in which all that markup is made of was replaced, one after the other, is harmless in a page.
    pub(crate) fn escaped_piecemeal(&mut self, v: V, index: u32, frame: &Frame) -> V {
        let Some(kind) = self.m.kind("html-text") else {
            return v;
        };
        let (kinds, site, by) = (
            1 << kind.index(),
            self.site(frame, index),
            self.name("replace"),
        );
        self.w.store.map_each(v, &mut |store, mut label| {
            let gone: Vec<char> = store
                .chain(label.chain)
                .iter()
                .filter_map(|link| match link {
                    Link::Transform(Transform::Replace { from, to }) => {
                        let gone = from.chars().next()?;
                        (from.chars().count() == 1 && !to.contains(OF_MARKUP)).then_some(gone)
                    }
                    _ => None,
                })
                .collect();
            if label.kills & kinds == 0 && OF_MARKUP.iter().all(|c| gone.contains(c)) {
                label.kills |= kinds;
                let note = Note::Sanitized { site, by, kinds };
                label.notes = store.noted(label.notes, note);
            }
            label
        })
    }

    /// Kinds that a text cannot harm in which every `from` has become `to`.
    pub(crate) fn kinds_after_replacing(&self, from: &str, to: &str) -> u64 {
        let mut one = from.chars();
        let (Some(gone), None) = (one.next(), one.next()) else {
            return 0;
        };
        if !to.contains(gone) {
            return self.excluded(&[gone]);
        }
        // The quote ends, stands alone behind a backslash or between others, and begins again.
        let quoted = gone == '\'' && matches!(to, "'\\''" | "'\"'\"'");
        match self.m.kind("shell-command-in-single-quotes") {
            Some(kind) if quoted => 1 << kind.index(),
            _ => 0,
        }
    }

    pub(crate) fn text_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        text: &str,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let site = self.site(frame, index);
        let arg = |m: &Self, i: usize| {
            args.get(i, None)
                .and_then(|v| m.w.store.constant_str(v))
                .map(|n| m.text(n).to_string())
        };
        let out = match method {
            "strip" | "lstrip" | "rstrip" => {
                let set: Option<Vec<char>> = match args.pos.first() {
                    None => None,
                    Some(_) => Some(arg(self, 0)?.chars().collect()),
                };
                let hit = |c: char| match &set {
                    None => c.is_whitespace(),
                    Some(set) => set.contains(&c),
                };
                match method {
                    "strip" => text.trim_matches(hit).to_owned(),
                    "lstrip" => text.trim_start_matches(hit).to_owned(),
                    _ => text.trim_end_matches(hit).to_owned(),
                }
            }
            "lower" | "casefold" => text.to_lowercase(),
            "upper" => text.to_uppercase(),
            "title" | "capitalize" | "swapcase" => return None,
            "replace" if args.pos.len() == 2 && arg(self, 1).is_none() => {
                return self.filled_in(frame, index, text, &arg(self, 0)?, args.pos[1].0);
            }
            "replace" => {
                let (from, to) = (arg(self, 0)?, arg(self, 1)?);
                if from.is_empty() || args.pos.len() > 2 {
                    return None;
                }
                let out = text.replace(&from, &to);
                if out.len() > MAX_TEXT {
                    return None;
                }
                out
            }
            "removeprefix" => {
                let prefix = arg(self, 0)?;
                text.strip_prefix(prefix.as_str())
                    .unwrap_or(text)
                    .to_owned()
            }
            "removesuffix" => {
                let suffix = arg(self, 0)?;
                text.strip_suffix(suffix.as_str())
                    .unwrap_or(text)
                    .to_owned()
            }
            "startswith" | "endswith" => {
                let with = arg(self, 0)?;
                let yes = if method == "startswith" {
                    text.starts_with(&with)
                } else {
                    text.ends_with(&with)
                };
                return Some(self.w.store.boolean(Some(yes)));
            }
            "isdigit" | "isdecimal" | "isnumeric" => {
                let yes = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
                return text.is_ascii().then(|| self.w.store.boolean(Some(yes)));
            }
            "isalpha" => {
                let yes = !text.is_empty() && text.chars().all(char::is_alphabetic);
                return Some(self.w.store.boolean(Some(yes)));
            }
            "isalnum" => {
                let yes = !text.is_empty() && text.chars().all(char::is_alphanumeric);
                return Some(self.w.store.boolean(Some(yes)));
            }
            "find" | "index" => {
                let at = text.find(&arg(self, 0)?);
                let at = at.map_or(-1, |at| text[..at].chars().count() as i64);
                if at < 0 && method == "index" {
                    return None;
                }
                return Some(self.w.store.konst(Const::Int(at)));
            }
            "count" => {
                let what = arg(self, 0)?;
                if what.is_empty() {
                    return None;
                }
                return Some(
                    self.w
                        .store
                        .konst(Const::Int(text.matches(&what).count() as i64)),
                );
            }
            "split" => {
                let parts: Vec<String> = match args.pos.len() {
                    0 => text.split_whitespace().map(str::to_owned).collect(),
                    1 => {
                        let by = arg(self, 0)?;
                        if by.is_empty() {
                            return None;
                        }
                        text.split(&by).map(str::to_owned).collect()
                    }
                    _ => return None,
                };
                return Some(self.list_of_texts(parts));
            }
            "splitlines" => {
                return Some(self.list_of_texts(text.lines().map(str::to_owned).collect()));
            }
            "encode" | "decode" => text.to_owned(),
            "join" => return self.join_text(frame, index, &[Piece::Lit(self.name(text))], args),
            "format" => {
                let name = self.name(text);
                return Some(self.format_method(frame, index, &[Piece::Lit(name)], args));
            }
            "format_map" => {
                let name = self.name(text);
                let mut inner = Args::default();
                let v = args.get(0, None)?;
                for atom in self.w.store.atoms_of(v) {
                    if let Atom::Coll {
                        kind: CollKind::Dict,
                        kids,
                        rest,
                        ..
                    } = atom
                    {
                        for (key, v) in &*kids {
                            if let Const::Str(key) = key {
                                inner.named.push((*key, *v, None));
                            }
                        }
                        if rest != V::NEVER {
                            inner.keywords = Some(rest);
                        }
                    } else {
                        inner.keywords = Some(v);
                    }
                }
                return Some(self.format_method(frame, index, &[Piece::Lit(name)], &inner));
            }
            _ => return None,
        };
        let _ = site;
        let name = self.name(&out);
        Some(self.w.store.konst(Const::Str(name)))
    }

    /// A known text with parts of it replaced by one of which something is known.
    fn filled_in(
        &mut self,
        frame: &mut Frame,
        index: u32,
        text: &str,
        from: &str,
        to: V,
    ) -> Option<V> {
        if from.is_empty() || text.matches(from).count() > MAX_REPLACED {
            return None;
        }
        let site = self.site(frame, index);
        let to = self.stringify(frame, index, to);
        let to = self.pieces(to);
        let mut all: Vec<Vec<Piece>> = vec![Vec::new()];
        for (i, part) in text.split(from).enumerate() {
            if i > 0 {
                all = self.cross(all, to.clone());
            }
            let part = self.name(part);
            all = self.cross(all, vec![vec![Piece::Lit(part)]]);
        }
        Some(self.texts(all, site))
    }

    fn list_of_texts(&mut self, parts: Vec<String>) -> V {
        let mut kids = Vec::new();
        for (i, part) in parts.into_iter().enumerate() {
            let name = self.name(&part);
            let c = self.w.store.konst(Const::Str(name));
            kids.push((Const::Int(i as i64), c));
        }
        self.w.store.coll(CollKind::List, kids, V::NEVER, Ls::NONE)
    }

    /// Methods of texts that are partly the attacker's.
    pub(crate) fn parts_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let labelled = self.w.store.deep(v) != Ls::NONE;
        let is_text = matches!(self.w.store.only(v), Some(Atom::Text(_)));
        let separator = |m: &Self| match args.pos.first() {
            None => Some(None),
            Some((v, _)) => match m.w.store.constant(*v) {
                Some(Const::Str(name)) => Some(Some(m.text(*name).to_string())),
                Some(Const::None) => Some(None),
                _ => None,
            },
        };
        match method {
            "encode" | "decode" if labelled || is_text => Some(v),
            "format" if is_text => {
                let mut out = V::NEVER;
                for pieces in self.pieces(v) {
                    let one = self.format_method(frame, index, &pieces, args);
                    out = self.w.store.join(out, one);
                }
                Some(out)
            }
            "format" if labelled || !args.all().is_empty() => {
                let mut labels = self.w.store.deep(v);
                for v in args.all() {
                    let deep = self.w.store.deep(v);
                    labels = self.w.store.union(labels, deep);
                }
                (labels != Ls::NONE).then(|| self.w.store.data(labels))
            }
            "join" if is_text => {
                let pieces = self.pieces(v).into_iter().next()?;
                self.join_text(frame, index, &pieces, args)
            }
            "replace" if labelled => Some(self.replaced_text(frame, index, v, args)),
            "split" | "rsplit" | "partition" if labelled => {
                let separator = separator(self)?;
                let most = match method {
                    "partition" => Some(1),
                    _ => match args.get(1, None) {
                        None => None,
                        Some(v) => Some(self.small_int(v)?),
                    },
                };
                let pick = |m: &mut Self, i: i64| {
                    let raw = m.path_split(v, separator.as_deref(), i);
                    raw.unwrap_or_else(|| {
                        m.with_context(
                            v,
                            &Transform::Split {
                                separator: separator.clone(),
                                index: i,
                            },
                        )
                    })
                };
                match (method, most) {
                    ("partition", _) => {
                        let head = pick(self, 0);
                        let tail = pick(self, 1);
                        let middle = self.w.store.unknown();
                        let kids = vec![
                            (Const::Int(0), head),
                            (Const::Int(1), middle),
                            (Const::Int(2), tail),
                        ];
                        Some(self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE))
                    }
                    ("split", Some(1)) => {
                        let head = pick(self, 0);
                        let tail = pick(self, 1);
                        let kids = vec![(Const::Int(0), head), (Const::Int(1), tail)];
                        Some(self.w.store.coll(CollKind::List, kids, V::NEVER, Ls::NONE))
                    }
                    ("split", None) => {
                        let kids = (0..4).map(|i| (Const::Int(i), pick(self, i))).collect();
                        let rest = self.with_context(v, &Transform::Opaque("split".to_owned()));
                        Some(self.w.store.coll(CollKind::List, kids, rest, Ls::NONE))
                    }
                    _ => {
                        let rest = self.with_context(v, &Transform::Opaque("split".to_owned()));
                        Some(self.w.store.many(CollKind::List, rest))
                    }
                }
            }
            "lstrip" | "removeprefix" if labelled => {
                let mut out = self.with_context(v, &Transform::Strip);
                let slash = match args.get(0, None) {
                    Some(v) => self
                        .constant_texts(v)
                        .is_some_and(|t| t.iter().any(|t| t.contains('/'))),
                    None => false,
                };
                if slash && method == "lstrip" {
                    out = self.w.store.mark(out, crate::label::Marks::NOT_ABSOLUTE);
                }
                Some(out)
            }
            _ => None,
        }
    }

    /// A text in which a text is replaced by another.
    pub(crate) fn replaced_text(&mut self, frame: &mut Frame, index: u32, v: V, args: &Args) -> V {
        let from = args.get(0, None).and_then(|v| self.w.store.constant_str(v));
        let to = args.get(1, None).and_then(|v| self.w.store.constant_str(v));
        let transform = match (from, to) {
            (Some(from), Some(to)) => Transform::Replace {
                from: self.text(from).to_string(),
                to: self.text(to).to_string(),
            },
            _ => Transform::Opaque("replace".to_owned()),
        };
        let mut out = self.with_context(v, &transform);
        // A number says how many of them are replaced.
        if let (Transform::Replace { from, to }, None) = (&transform, args.get(2, None)) {
            let kinds = self.kinds_after_replacing(from, to);
            if kinds != 0 {
                let site = self.site(frame, index);
                let by = self.name("replace");
                let note = Note::Sanitized { site, by, kinds };
                out = self.w.store.clear(out, kinds, note);
            }
            out = self.escaped_piecemeal(out, index, frame);
        }
        if let Some(to) = args.get(1, None)
            && self.w.store.deep(to) != Ls::NONE
        {
            let more = self.derive(to, &Link::Value);
            out = self.w.store.join(out, more);
        }
        out
    }

    /// The target of a request taken apart at its question mark.
    fn path_split(&mut self, v: V, separator: Option<&str>, part: i64) -> Option<V> {
        if separator != Some("?") || part > 1 {
            return None;
        }
        if part == 0 {
            Some(v)
        } else {
            Some(self.derive(v, &Link::QueryPart))
        }
    }

    pub(crate) fn join_text(
        &mut self,
        frame: &mut Frame,
        index: u32,
        separator: &[Piece],
        args: &Args,
    ) -> Option<V> {
        let list = args.get(0, None)?;
        let site = self.site(frame, index);
        let Some(items) = self.exact_items(list) else {
            let element = self.element(frame, index, list);
            let labels = self.w.store.deep(element);
            let whole = self.w.store.deep(list);
            let mut labels = if labels == Ls::NONE { whole } else { labels };
            for more in Self::piece_labels(separator).collect::<Vec<_>>() {
                labels = self.w.store.union(labels, more);
            }
            if let Some(Atom::Coll { kids, .. }) = self.w.store.only(list).cloned()
                && let Some((_, first)) = kids.first()
                && let Some(name) = self.w.store.constant_str(*first)
            {
                // A list that grew in a loop after a constant beginning.
                let pieces = vec![Piece::Lit(name), Piece::Data(labels)];
                return Some(self.w.store.text(pieces, self.names));
            }
            return Some(self.w.store.data(labels));
        };
        let mut all: Vec<Vec<Piece>> = vec![Vec::new()];
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                all = self.cross(all, vec![separator.to_vec()]);
            }
            let text = self.stringify(frame, index, item);
            let pieces = self.pieces(text);
            all = self.cross(all, pieces);
        }
        Some(self.texts(all, site))
    }

    /// `"..{}..{name}".format(..)`.
    fn format_method(&mut self, frame: &mut Frame, index: u32, format: &[Piece], args: &Args) -> V {
        let site = self.site(frame, index);
        let mut all: Vec<Vec<Piece>> = vec![Vec::new()];
        let mut next = 0;
        for piece in format {
            let Piece::Lit(name) = piece else {
                all = self.cross(all, vec![vec![*piece]]);
                continue;
            };
            let text = self.text(*name).to_string();
            let mut literal = String::new();
            let mut chars = text.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '{' if chars.peek() == Some(&'{') => {
                        chars.next();
                        literal.push('{');
                    }
                    '}' => {
                        if chars.peek() == Some(&'}') {
                            chars.next();
                        }
                        literal.push('}');
                    }
                    '{' => {
                        let mut field = String::new();
                        let mut depth = 1;
                        for c in chars.by_ref() {
                            match c {
                                '{' => depth += 1,
                                '}' => depth -= 1,
                                _ => {}
                            }
                            if depth == 0 {
                                break;
                            }
                            field.push(c);
                        }
                        let lit = self.name(&std::mem::take(&mut literal));
                        all = self.cross(all, vec![vec![Piece::Lit(lit)]]);
                        let v = self.format_field(frame, index, &field, &mut next, args);
                        let more = self.pieces(v);
                        all = self.cross(all, more);
                    }
                    c => literal.push(c),
                }
            }
            let lit = self.name(&literal);
            all = self.cross(all, vec![vec![Piece::Lit(lit)]]);
        }
        self.sends_on(frame, index, &all);
        self.texts(all, site)
    }

    fn format_field(
        &mut self,
        frame: &mut Frame,
        index: u32,
        field: &str,
        next: &mut usize,
        args: &Args,
    ) -> V {
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (field, conversion) = field.split_once('!').unwrap_or((field, ""));
        if spec.ends_with(['d', 'x', 'X', 'o', 'b', 'f', 'e', 'g']) {
            *next += usize::from(field.is_empty());
            return self.w.store.unknown();
        }
        let end = field.find(['.', '[']).unwrap_or(field.len());
        let (head, path) = field.split_at(end);
        let mut v = if head.is_empty() {
            *next += 1;
            args.get(*next - 1, None)
        } else if let Ok(i) = head.parse::<usize>() {
            args.get(i, None)
        } else {
            let name = self.name(head);
            args.named
                .iter()
                .find(|(n, _, _)| *n == name)
                .map(|(_, v, _)| *v)
                .or(args.keywords)
        }
        .unwrap_or_else(|| self.w.store.unknown());
        let mut rest = path;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = self.name(&after[..end]);
                let site = self.site(frame, index);
                v = self.attr(frame, v, name, site);
                rest = &after[end..];
            } else if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').unwrap_or(after.len());
                let key = match after[..end].parse::<i64>() {
                    Ok(i) => Const::Int(i),
                    Err(_) => Const::Str(self.name(&after[..end])),
                };
                let key = self.w.store.konst(key);
                v = self.index(frame, index, v, key);
                rest = after.get(end + 1..).unwrap_or("");
            } else {
                break;
            }
        }
        if conversion == "r" {
            self.derive(v, &Link::Transform(Transform::Opaque("repr".to_owned())))
        } else {
            self.stringify(frame, index, v)
        }
    }
}
