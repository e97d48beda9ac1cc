//! Methods of texts: known ones, and those that are partly the attacker's.

use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::{Const, Op};
use solvent_models::pattern;

use crate::call::Args;
use crate::label::Note;
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Ls, MAX_TEXT, V};

impl Machine<'_> {
    /// A method of a known text with known arguments; positions count units of UTF-16, which for the texts
    /// that are computed here are characters.
    pub(super) fn text_javascript(
        &mut self,
        frame: &mut Frame,
        index: u32,
        text: &str,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let arg = |m: &Self, i: usize| {
            args.get(i, None)
                .and_then(|v| m.w.store.constant_str(v))
                .map(|n| m.text(n).to_string())
        };
        let int = |m: &Self, i: usize| args.get(i, None).and_then(|v| m.small_int(v));
        let chars: Vec<char> = text.chars().collect();
        let length = chars.len() as i64;
        let cut = |from: i64, to: i64| -> String {
            let clamp = |at: i64| usize::try_from(at.clamp(0, length)).unwrap_or(0);
            let (from, to) = (clamp(from), clamp(to));
            chars[from..to.max(from)].iter().collect()
        };
        let absent = |i: usize| args.pos.len() <= i;
        let out = match method {
            "charAt" | "at" => {
                let at = int(self, 0)?;
                let at = if at < 0 && method == "at" {
                    length + at
                } else {
                    at
                };
                cut(at, at + 1)
            }
            "slice" => {
                let from = if absent(0) { 0 } else { int(self, 0)? };
                let to = if absent(1) { length } else { int(self, 1)? };
                let place = |at: i64| if at < 0 { length + at } else { at };
                cut(place(from), place(to))
            }
            "substring" => {
                let from = int(self, 0)?;
                let to = if absent(1) { length } else { int(self, 1)? };
                cut(from.min(to), from.max(to))
            }
            "substr" => {
                let from = int(self, 0)?;
                let from = if from < 0 { length + from } else { from };
                let count = if absent(1) { length } else { int(self, 1)? };
                cut(from, from.max(0).saturating_add(count))
            }
            "replaceAll" | "replace" => {
                let (from, to) = (arg(self, 0)?, arg(self, 1)?);
                if to.contains('$') {
                    return None;
                }
                if method == "replaceAll" {
                    text.replace(&from, &to)
                } else {
                    text.replacen(&from, &to, 1)
                }
            }
            "concat" => {
                let mut out = text.to_owned();
                for i in 0..args.pos.len() {
                    out.push_str(&arg(self, i)?);
                }
                out
            }
            "repeat" => {
                let times = usize::try_from(int(self, 0)?).ok()?;
                if text.len().checked_mul(times)? > MAX_TEXT {
                    return None;
                }
                text.repeat(times)
            }
            "toString" | "valueOf" | "normalize" => text.to_owned(),
            "split" => {
                if args.pos.len() > 1 {
                    return None;
                }
                let parts: Vec<String> = match args.pos.first() {
                    None => vec![text.to_owned()],
                    Some(_) => {
                        let by = arg(self, 0)?;
                        if by.is_empty() {
                            chars.iter().map(char::to_string).collect()
                        } else {
                            text.split(&by).map(str::to_owned).collect()
                        }
                    }
                };
                let parts = parts
                    .iter()
                    .map(|part| {
                        let name = self.name(part);
                        self.w.store.konst(Const::Str(name))
                    })
                    .collect();
                return Some(self.list_of(parts, V::NEVER));
            }
            "includes" => {
                let yes = text.contains(&arg(self, 0)?);
                return Some(self.w.store.boolean(Some(yes)));
            }
            "charCodeAt" | "codePointAt" => {
                let at = usize::try_from(int(self, 0).unwrap_or(0)).ok()?;
                let code = i64::from(u32::from(*chars.get(at)?));
                return Some(self.w.store.konst(Const::Int(code)));
            }
            other => {
                // The same method by its name in Python.
                let name = match other {
                    "trim" => "strip",
                    "trimStart" | "trimLeft" => "lstrip",
                    "trimEnd" | "trimRight" => "rstrip",
                    "toLowerCase" | "toLocaleLowerCase" => "lower",
                    "toUpperCase" | "toLocaleUpperCase" => "upper",
                    "startsWith" => "startswith",
                    "endsWith" => "endswith",
                    "indexOf" | "search" => "find",
                    _ => return self.parts_of_constant(frame, index, text, method, args),
                };
                if args.pos.len() > 1 {
                    return None;
                }
                return self.text_method(frame, index, text, name, args);
            }
        };
        let name = self.name(&out);
        Some(self.w.store.konst(Const::Str(name)))
    }

    /// A method of a known text whose arguments are partly the attacker's.
    fn parts_of_constant(
        &mut self,
        frame: &mut Frame,
        index: u32,
        text: &str,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let name = self.name(text);
        let v = self.w.store.konst(Const::Str(name));
        self.parts_javascript(frame, index, v, method, args)
    }

    /// A value that was turned into text: no object any more.
    pub(crate) fn now_text(&mut self, v: V, site: crate::link::Site) -> V {
        let Some(kind) = self.m.kind("nosql-query") else {
            return v;
        };
        let kinds = 1 << kind.index();
        let by = self.name("being turned into text");
        let note = crate::label::Note::Sanitized { site, by, kinds };
        self.w.store.clear(v, kinds, note)
    }

    /// What the rows of texts say of methods that are computed here.
    pub(super) fn sinks_of_text(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        name: Name,
        args: &Args,
    ) {
        if self.w.store.deep(v) == Ls::NONE || args.pos.is_empty() {
            return;
        }
        let class = self.name("String");
        let models = self.m;
        let Some(id) = self.class_member(class, name) else {
            return;
        };
        let member = models.get(id);
        if !member.sinks.is_empty() {
            let ports = Ports {
                receiver: Some(v),
                args,
            };
            self.sinks(frame, index, id, member, &ports, false);
        }
    }

    /// Methods of texts that are partly the attacker's.
    pub(super) fn parts_javascript(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        match method {
            "toString" | "valueOf" | "normalize" | "toLocaleString" if args.pos.is_empty() => {
                let site = self.site(frame, index);
                Some(self.now_text(v, site))
            }
            "concat" => {
                let site = self.site(frame, index);
                let mut all = self.pieces(v);
                for (arg, _) in args.pos.clone() {
                    let text = self.stringify(frame, index, arg);
                    let more = self.pieces(text);
                    all = self.cross(all, more);
                }
                Some(self.texts(all, site))
            }
            "slice" | "substring" => {
                let bounds = [args.get(0, None), args.get(1, None), None];
                Some(self.slice(v, bounds))
            }
            "charAt" | "at" | "substr" | "padStart" | "padEnd" | "repeat" => {
                let labels = self.w.store.deep(v);
                let opaque = Transform::Opaque(method.to_owned());
                let mut out = self.with_context(v, &opaque);
                for arg in args.all() {
                    let more = self.w.store.deep(arg);
                    if more != Ls::NONE && method.starts_with("pad") {
                        let more = self.w.store.data(more);
                        out = self.w.store.join(out, more);
                    }
                }
                let _ = labels;
                Some(out)
            }
            // Numbers and truths.
            "indexOf" | "lastIndexOf" | "search" | "charCodeAt" | "codePointAt"
            | "localeCompare" => Some(self.w.store.unknown()),
            "split" => {
                if args.pos.len() > 1 {
                    let mut first = args.clone();
                    first.pos.truncate(1);
                    return self.parts_method(frame, index, v, "split", &first);
                }
                self.parts_method(frame, index, v, "split", args)
            }
            "replace" | "replaceAll" => {
                let callback = args.get(1, None)?;
                if self.is_callable(callback) {
                    let whole = self.with_context(v, &Transform::Opaque("match".to_owned()));
                    let got = self.call_value(frame, index, callback, &Args::of(&[whole]));
                    let mut rest = self.with_context(v, &Transform::Opaque("replace".to_owned()));
                    let new = got.ret.unwrap_or(rest);
                    let kinds = self.kinds_after_exchange(frame, args, new);
                    if kinds != 0 {
                        let site = self.site(frame, index);
                        let by = self.name("replace");
                        let note = Note::Sanitized { site, by, kinds };
                        rest = self.w.store.clear(rest, kinds, note);
                    }
                    let new = self.derive(new, &crate::label::Link::Value);
                    return Some(self.w.store.join(rest, new));
                }
                if let Some(out) = self.replaced_by_pattern(frame, index, v, args) {
                    return Some(out);
                }
                let mut said = args.clone();
                if method == "replace" {
                    // Only the first one.
                    let one = self.w.store.konst(Const::Int(1));
                    said.pos.truncate(2);
                    said.pos.push((one, None));
                }
                self.parts_method(frame, index, v, "replace", &said)
            }
            _ => None,
        }
    }

    /// `text.replace(/[^a-z]/g, "")`: harmless where neither what is left nor what is put in harms.
    fn replaced_by_pattern(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        args: &Args,
    ) -> Option<V> {
        let (regex, source) = *args.pos.first()?;
        let is_regex = |a: &Atom| matches!(a, Atom::LibObject { class, .. } if &*self.text(*class) == "RegExp");
        if !self.w.store.atoms(regex).any(is_regex) {
            return None;
        }
        let to = args.get(1, None)?;
        let everywhere = self.is_global(frame, source);
        let written = self.pattern_text(regex).zip(self.w.store.constant_str(to));
        let transform = match written {
            Some((from, to)) if everywhere && from.chars().count() == 1 => Transform::Replace {
                from,
                to: self.text(to).to_string(),
            },
            _ => Transform::Opaque("replace".to_owned()),
        };
        let mut out = self.with_context(v, &transform);
        if self.w.store.deep(to) != Ls::NONE {
            let more = self.derive(to, &crate::label::Link::Value);
            out = self.w.store.join(out, more);
        }
        let (Some(text), Some(to)) = (self.pattern_text(regex), self.w.store.constant_str(to))
        else {
            return Some(out);
        };
        if !everywhere {
            return Some(out);
        }
        out = self.escaped_piecemeal(out, index, frame);
        let to = self.text(to);
        let mut kinds = self.kinds_after_replacing(&text, &to);
        if let Some(left) = pattern::left_by_removing(&text) {
            let put_in: Vec<char> = to.chars().collect();
            kinds |= self.kinds_without(&[left]) & self.kinds_unharmed_by(&put_in);
        }
        if kinds != 0 {
            let site = self.site(frame, index);
            let by = self.name("replace");
            let note = Note::Sanitized { site, by, kinds };
            out = self.w.store.clear(out, kinds, note);
        }
        Some(out)
    }

    /// Whether a regular expression is written with the flag `g`.
    fn is_global(&self, frame: &Frame, source: Option<u32>) -> bool {
        let function = self.p.function(frame.f);
        match source.map(|at| &function.insts[at as usize].op) {
            Some(Op::Call { args, .. }) => args.get(1).is_some_and(|flags| {
                let flags = frame.vals[flags.value().0 as usize];
                let flags = self.w.store.constant_str(flags);
                flags.is_some_and(|flags| self.text(flags).contains('g'))
            }),
            _ => false,
        }
    }

    /// `text.replace(/[&<>]/g, (c) => entities[c])`: kinds that neither what is left nor what is put in harms.
    fn kinds_after_exchange(&mut self, frame: &Frame, args: &Args, put_in: V) -> u64 {
        let Some((regex, source)) = args.pos.first().copied() else {
            return 0;
        };
        let known = self.w.store.atoms(put_in).all(|a| match a {
            Atom::Const(_) => true,
            Atom::Data(labels) => *labels == Ls::NONE,
            _ => false,
        });
        let texts: Vec<String> = self
            .w
            .store
            .atoms(put_in)
            .filter_map(|a| match a {
                Atom::Const(Const::Str(text)) => Some(self.text(*text).to_string()),
                _ => None,
            })
            .collect();
        if !known || texts.is_empty() || !self.is_global(frame, source) {
            return 0;
        }
        let left = self
            .pattern_text(regex)
            .and_then(|text| pattern::left_by_removing(&text));
        let Some(left) = left else { return 0 };
        // An entity is no markup.
        let is_entity = |text: &String| text.starts_with('&') && text.ends_with(';');
        let chars: Vec<char> = texts
            .iter()
            .filter(|text| !is_entity(text))
            .flat_map(|text| text.chars())
            .collect();
        let kinds = self.kinds_without(&[left]) & self.kinds_unharmed_by(&chars);
        match texts.iter().any(is_entity) {
            // What an entity is made of harms elsewhere.
            true => self
                .m
                .kind("html-text")
                .map_or(0, |kind| kinds & (1 << kind.index())),
            false => kinds,
        }
    }

    /// Kinds for which none of these characters does harm.
    fn kinds_unharmed_by(&self, chars: &[char]) -> u64 {
        let kinds = self.m.kinds().iter();
        let unharmed = kinds.filter(|kind| {
            let harmful = &self.m.kind_info(*kind).harmful;
            !chars.iter().any(|c| harmful.contains(*c))
        });
        unharmed.fold(0, |sum, kind| sum | (1 << kind.index()))
    }
}
