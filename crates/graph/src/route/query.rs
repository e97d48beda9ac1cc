//! Functions behind a language of queries: one route takes them all, and says by what it is sent which of them are
//! called with which arguments.

use solvent_ir::{Arg, Const, Function, Op, Value};
use solvent_models::RouteSyntax;

use crate::call::Args;
use crate::entry::Entry;
use crate::label::Note;
use crate::link::Site;
use crate::machine::Machine;
use crate::world::Base;

/// Libraries whose entry points are fields of a schema.
const LIBRARIES: [&str; 3] = ["graphene", "strawberry", "ariadne"];
/// What the route of a schema is called.
const NAMED: &str = "graphql";
/// Types of a schema whose values are no text (GraphQL, October 2021, 3.5 Scalars; and those of the libraries).
const CHECKED: [&str; 9] = [
    "Int", "Float", "Boolean", "Date", "DateTime", "Time", "Decimal", "UUID", "BigInt",
];

impl Machine<'_> {
    pub(crate) fn is_behind_queries(&self, entry: &Entry) -> bool {
        LIBRARIES.contains(&entry.framework.as_str())
    }

    /// Gives fields of a schema the route that is called as its language is: of the texts of the program that read like
    /// one the shortest, of those with a slash in front before the others.
    pub(super) fn put_behind_queries(&self, out: &mut [Entry]) {
        if !out.iter().any(|entry| self.is_behind_queries(entry)) {
            return;
        }
        let insts = self.p.units.iter().flat_map(|unit| &unit.functions);
        let texts = insts
            .flat_map(|function| &function.insts)
            .filter_map(|inst| match &inst.op {
                Op::Const(Const::Str(text)) => Some(self.text(*text).to_string()),
                _ => None,
            });
        let reads_like_one = |text: &String| {
            let last = text.trim_end_matches('/').rsplit('/').next();
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            last.is_some_and(|last| last.eq_ignore_ascii_case(NAMED)) && text.chars().all(plain)
        };
        let found = texts
            .filter(reads_like_one)
            .min_by_key(|text| (!text.starts_with('/'), text.len(), text.clone()));
        let Some(found) = found else { return };
        let route = match found.starts_with('/') {
            true => found,
            false => format!("/{found}"),
        };
        for entry in out.iter_mut().filter(|entry| entry.route.is_empty()) {
            if LIBRARIES.contains(&entry.framework.as_str()) {
                entry.route.clone_from(&route);
                entry.segments = super::text::segments(&route, RouteSyntax::Brace).0;
            }
        }
    }

    /// Arguments that the schema declares to be no text harm nobody.
    pub(crate) fn checked_by_schema(&mut self, entry: &Entry, args: &mut Args) {
        let declared = self.declared_arguments(entry);
        let site = Site {
            function: entry.function,
            inst: u32::MAX,
        };
        let by = self.name("its declared type");
        let kinds = self.m.kinds().0 & !self.m.of_numbers().0;
        for (name, v, _) in &mut args.named {
            if declared.contains(&self.text(*name).to_string()) {
                let note = Note::Sanitized { site, by, kinds };
                *v = self.w.store.clear(*v, kinds, note);
            }
        }
    }

    /// Names of arguments whose declared type is a checked one: of a field `name = Field(T, id=Int())` those of
    /// `resolve_name`, of a mutation those of its inner class.
    fn declared_arguments(&self, entry: &Entry) -> Vec<String> {
        let mut out = Vec::new();
        let Some(class) = entry.class else { return out };
        let own = self.text(self.p.function(entry.function).name).to_string();
        let field = own.strip_prefix("resolve_");
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            let unit = self.p.class_unit(c);
            let body = self.p.function(self.p.fn_id(unit, self.p.class(c).body));
            for inst in &body.insts {
                let Op::StoreName { name, value, .. } = &inst.op else {
                    continue;
                };
                let name = self.text(*name).to_string();
                match (field, body.op(*value)) {
                    (Some(field), Op::Call { args, .. }) if field == name => {
                        for arg in args {
                            if let Arg::Named(name, value) = arg
                                && self.is_checked(body, *value, 0)
                            {
                                out.push(self.text(*name).to_string());
                            }
                        }
                    }
                    (None, Op::Class(inner))
                        if matches!(&*name, "Arguments" | "Input" | "Meta") =>
                    {
                        let inner = self.p.class_id(unit, *inner);
                        let body = self
                            .p
                            .function(self.p.fn_id(unit, self.p.class(inner).body));
                        for inst in &body.insts {
                            if let Op::StoreName { name, value, .. } = &inst.op
                                && self.is_checked(body, *value, 0)
                            {
                                out.push(self.text(*name).to_string());
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        out
    }

    /// `Int`, `Int(required=True)`, `NonNull(Int)`, `Argument(Int)`.
    fn is_checked(&self, function: &Function, value: Value, depth: u32) -> bool {
        let name = match function.op(value) {
            Op::Call { callee, args } => {
                let first = args.first().map(Arg::value);
                return self.is_checked(function, *callee, depth)
                    || (depth < 3
                        && self.is_wrapping(function, *callee)
                        && first.is_some_and(|v| self.is_checked(function, v, depth + 1)));
            }
            Op::Attr { name, .. } | Op::Global(name) | Op::Captured { name, .. } => *name,
            Op::Import { member, module, .. } => member.unwrap_or(*module),
            _ => return false,
        };
        CHECKED.contains(&&*self.text(name))
    }

    fn is_wrapping(&self, function: &Function, callee: Value) -> bool {
        let name = match function.op(callee) {
            Op::Attr { name, .. } | Op::Global(name) | Op::Captured { name, .. } => *name,
            Op::Import { member, module, .. } => member.unwrap_or(*module),
            _ => return false,
        };
        matches!(&*self.text(name), "NonNull" | "Argument")
    }
}
