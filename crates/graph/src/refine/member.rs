//! Membership asked by a call: `allowed.includes(x)`, `allowed.contains(x)`, and what a text does not contain.

use solvent_base::Name;
use solvent_ir::{self as ir, Arg, Const, Op};
use solvent_models::GuardSense;

use super::Says;
use crate::label::Marks;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Ls, V};

impl Machine<'_> {
    /// What a call says that asks whether one thing is in another.
    #[expect(clippy::too_many_arguments, reason = "a call and where it stands")]
    pub(super) fn says_membership(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        value: ir::Value,
        callee: ir::Value,
        args: &[Arg],
        sense: GuardSense,
        out: &mut Vec<Says>,
    ) {
        let Op::Attr { base, name } = *function.op(callee) else {
            return;
        };
        let Some((container, element)) = self.asks_whether_in(frame, base, name, args) else {
            return;
        };
        let all = frame.vals[container.0 as usize];
        match sense {
            GuardSense::True
                if self.is_collection(all, 0)
                    && self.w.store.deep(all) == Ls::NONE
                    && self.derives(frame, function, element, value, 0).is_some() =>
            {
                let by = self.name("membership in a list of allowed values");
                out.push(Says::Harmless {
                    kinds: u64::MAX,
                    by,
                    normal: None,
                });
            }
            GuardSense::False => {
                if let Some((whole, _)) = self.derives(frame, function, container, value, 0) {
                    let part = frame.vals[element.0 as usize];
                    self.says_lacking(part, whole, out);
                }
            }
            _ => {}
        }
    }

    /// What is found under a key of a map of the program's own is there for keys that the program has written.
    pub(super) fn says_key(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        value: ir::Value,
        map: ir::Value,
        key: ir::Value,
        out: &mut Vec<Says>,
    ) {
        let all = frame.vals[map.0 as usize];
        if self.is_collection(all, 0)
            && self.w.store.deep(all) == Ls::NONE
            && self.derives(frame, function, key, value, 0).is_some()
        {
            let by = self.name("membership in a list of allowed values");
            let kinds = u64::MAX;
            let normal = None;
            out.push(Says::Harmless { kinds, by, normal });
        }
    }

    /// The container and the element of a call that asks whether one is in the other.
    fn asks_whether_in(
        &self,
        frame: &Frame,
        base: ir::Value,
        name: Name,
        args: &[Arg],
    ) -> Option<(ir::Value, ir::Value)> {
        let name = self.text(name);
        let at = |i: usize| args.get(i).map(Arg::value);
        let library = |path: &str| {
            let v = frame.vals[base.0 as usize];
            matches!(self.w.store.only(v), Some(Atom::Lib(have)) if &*self.text(*have) == path)
        };
        if self.is_javascript() {
            return match &*name {
                "hasOwn" if library("Object") => Some((at(0)?, at(1)?)),
                "includes" | "has" | "hasOwnProperty" => Some((base, at(0)?)),
                _ => None,
            };
        }
        if self.is_java() {
            return match &*name {
                "contains" | "containsKey" => Some((base, at(0)?)),
                _ => None,
            };
        }
        if self.is_go() {
            let known = library("slices") || library("strings");
            return (known && &*name == "Contains").then(|| Some((at(0)?, at(1)?)))?;
        }
        None
    }

    /// Whether a value is a list, set or mapping.
    pub(super) fn is_collection(&self, v: V, depth: u32) -> bool {
        v != V::NEVER
            && depth < 4
            && self.w.store.atoms(v).all(|atom| match atom {
                Atom::Coll { .. } | Atom::Const(Const::Str(_)) => true,
                Atom::LibObject { data, .. } => self.is_collection(*data, depth + 1),
                _ => false,
            })
    }

    /// What it says of a text that it does not contain one of these.
    pub(super) fn says_lacking(&mut self, part: V, whole: bool, out: &mut Vec<Says>) {
        let Some(texts) = self.constant_texts(part) else {
            return;
        };
        let mut marks = 0;
        if texts
            .iter()
            .all(|t| !t.is_empty() && "../".starts_with(t.as_str()) || t == "..")
        {
            marks |= Marks::NO_CLIMB;
        }
        if texts.iter().all(|t| t == "/") {
            marks |= Marks::NO_CLIMB | Marks::NOT_ABSOLUTE;
        }
        if whole && texts.iter().all(|t| t == "\\") {
            marks |= Marks::NO_BACKSLASH;
        }
        if marks != 0 {
            out.push(Says::Marked(marks));
        }
        let mut one = texts.first().map(|t| t.chars()).into_iter().flatten();
        if let (true, [_], Some(c), None) = (whole, &texts[..], one.next(), one.next()) {
            let kinds = self.excluded(&[c]);
            if kinds != 0 {
                let by = self.name("a check for one character");
                out.push(Says::Harmless {
                    kinds,
                    by,
                    normal: None,
                });
            }
        }
    }
}
