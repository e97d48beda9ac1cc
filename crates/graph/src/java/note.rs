//! Which annotations stand over a class or a method, by their names.

use std::sync::Arc;

use solvent_base::Name;
use solvent_ir::{self as ir, Arg, Op};

use crate::link::{ClassId, FnId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, V};
use crate::world::Base;

/// What the annotations of a class say.
#[derive(Debug)]
pub(crate) struct ClassNotes {
    /// The last parts of their names.
    names: Vec<String>,
    /// Whether one says that its methods answer with something that is no page.
    produces_other: bool,
}

impl Machine<'_> {
    /// Read once for each class, which may have many methods.
    fn notes_over(&self, class: ClassId) -> Arc<ClassNotes> {
        if let Some(known) = self.w.notes.borrow().get(&class) {
            return known.clone();
        }
        let notes = Arc::new(ClassNotes {
            names: self.class_notes(class),
            produces_other: self.class_produces_other(class),
        });
        self.w.notes.borrow_mut().insert(class, notes.clone());
        notes
    }

    /// Whether what the method returns is the answer itself, and may be a page.
    pub(crate) fn answers_itself(&self, f: FnId) -> bool {
        let function = self.p.function(f);
        let (Some(parent), Some(class)) = (function.parent, self.class_of(f)) else {
            return false;
        };
        let outer = self.p.function(self.p.fn_id(self.p.unit_of(f), parent));
        let over: Vec<String> = function
            .decorators
            .iter()
            .filter_map(|note| self.note_name(outer, *note))
            .collect();
        let says = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
        let whole = self.notes_over(class);
        // What a resource of JAX-RS gives always is.
        let resource = over
            .iter()
            .any(|name| ["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&name.as_str()));
        (says(&over, "ResponseBody")
            || says(&whole.names, "RestController")
            || says(&whole.names, "ResponseBody")
            || resource)
            && !function
                .decorators
                .iter()
                .any(|note| self.produces_other(outer, *note))
            && !whole.produces_other
            && !self.gives_object(outer, function)
    }

    /// Whether the type that is written for what a function gives is one of the program or a container: it becomes JSON.
    fn gives_object(&self, outer: &ir::Function, function: &ir::Function) -> bool {
        let Some(written) = function.returns else {
            return false;
        };
        let name = match outer.op(written) {
            // A class of the same file.
            Op::Class(_) | Op::Global(_) | Op::Captured { .. } => return true,
            Op::Import { member, module, .. } => member.unwrap_or(*module),
            _ => return false,
        };
        let text = self.text(name).to_string();
        let last = text.rsplit('.').next().unwrap_or_default();
        let own = || {
            (0..self.p.class_count())
                .map(ClassId)
                .any(|class| &*self.text(self.p.class(class).name) == last)
        };
        const WRAPPING: [&str; 9] = [
            "List",
            "Map",
            "Set",
            "Collection",
            "ResponseEntity",
            "HttpEntity",
            "Mono",
            "Flux",
            "Optional",
        ];
        WRAPPING.contains(&last) || super::native::is_number(last) || (last != "String" && own())
    }

    fn class_produces_other(&self, class: ClassId) -> bool {
        let unit = self.p.class_unit(class);
        let body = self
            .p
            .function(self.p.fn_id(unit, self.p.class(class).body));
        let mut notes = body.insts.iter().enumerate().filter_map(|(at, inst)| {
            let value = ir::Value(at as u32);
            matches!(inst.op, Op::Call { .. }).then_some(value)
        });
        notes.any(|note| {
            self.note_name(body, note).as_deref() == Some("Produces")
                && self.produces_other(body, note)
        })
    }

    /// Whether a reader of objects is of a class of the program's own that says which classes it reads: one that writes
    /// `resolveClass`, as `java.io.ObjectInputStream` asks of whoever wants to choose.
    pub(crate) fn chooses_classes(&self, receiver: V) -> bool {
        let mut atoms = self.w.store.atoms(receiver).peekable();
        let chooses = |atom: &Atom| match atom {
            Atom::Object { class, .. } => self
                .methods_in(*class)
                .into_iter()
                .any(|(name, _)| &*self.text(name) == "resolveClass"),
            _ => false,
        };
        atoms.peek().is_some() && atoms.all(chooses)
    }

    /// Whether nothing but its name is asked of the file that is made there: nothing is opened.
    pub(crate) fn asks_only_name(&self, frame: &Frame, index: u32) -> bool {
        let function = self.p.function(frame.f);
        let made = match function.insts.get(index as usize).map(|inst| &inst.op) {
            Some(Op::Call { .. }) => ir::Value(index),
            _ => return false,
        };
        let mut asked = false;
        for inst in &function.insts {
            let mut used = false;
            inst.op.for_each_operand(&mut |v| used |= v == made);
            match &inst.op {
                Op::Attr { base, name } if *base == made && &*self.text(*name) == "getName" => {
                    asked = true;
                }
                Op::After { object, .. } if *object == made => {}
                _ if used => return false,
                _ => {}
            }
        }
        let leaves = |block: &ir::BlockData| block.terminator.operand() == Some(made);
        asked && !function.blocks.iter().any(leaves)
    }

    /// Whether a mapping says that it answers with something that is no page.
    fn produces_other(&self, outer: &ir::Function, note: ir::Value) -> bool {
        let Op::Call { args, .. } = outer.op(note) else {
            return false;
        };
        let alone = self.note_name(outer, note).as_deref() == Some("Produces");
        let is_other = |value: ir::Value| match outer.op(value) {
            Op::Const(ir::Const::Str(text)) => !self.text(*text).contains("html"),
            Op::Attr { name, .. } => !self.text(*name).contains("HTML"),
            _ => false,
        };
        args.iter().enumerate().any(|(at, arg)| {
            let value = match arg {
                Arg::Named(name, value) if &*self.text(*name) == "produces" => *value,
                // `@Produces(..)`, whose class comes first.
                Arg::Positional(value) if alone && at == 1 => *value,
                _ => return false,
            };
            match outer.op(value) {
                Op::Sequence { items, .. } => items.iter().all(|item| match item {
                    ir::Item::One(one) => is_other(*one),
                    ir::Item::Spread(_) => false,
                }),
                _ => is_other(value),
            }
        })
    }

    /// Whether a field is written as a number or what is parsed like one.
    pub(crate) fn is_number_field(&self, class: ClassId, name: Name) -> bool {
        self.order_of(class).iter().copied().any(|base| {
            let Base::Own(c) = base else { return false };
            let unit = self.p.class_unit(c);
            let body = self.p.function(self.p.fn_id(unit, self.p.class(c).body));
            body.insts.iter().any(|inst| {
                let Op::StoreName {
                    name: stored,
                    value,
                    ..
                } = &inst.op
                else {
                    return false;
                };
                let Op::Call { args, .. } = body.op(*value) else {
                    return false;
                };
                let written = match args.first().map(|arg| body.op(arg.value())) {
                    Some(Op::Import { module, member, .. }) => member.unwrap_or(*module),
                    _ => return false,
                };
                let text = self.text(written);
                let last = text.rsplit('.').next().unwrap_or_default();
                *stored == name && super::native::is_number(last)
            })
        })
    }

    /// Names of the annotations of a class.
    fn class_notes(&self, class: ClassId) -> Vec<String> {
        let unit = self.p.class_unit(class);
        let body = self
            .p
            .function(self.p.fn_id(unit, self.p.class(class).body));
        let stored = body.insts.iter().find_map(|inst| match inst.op {
            Op::StoreName { name, value, .. } if &*self.text(name) == "<annotations>" => {
                Some(value)
            }
            _ => None,
        });
        let Some(Op::Sequence { items, .. }) = stored.map(|value| body.op(value)) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item {
                ir::Item::One(note) | ir::Item::Spread(note) => self.note_name(body, *note),
            })
            .collect()
    }

    /// The last part of an annotation's name.
    fn note_name(&self, function: &ir::Function, note: ir::Value) -> Option<String> {
        let Op::Call { args, .. } = function.op(note) else {
            return None;
        };
        let name = match function.op(args.first()?.value()) {
            Op::Import { member, module, .. } => member.unwrap_or(*module),
            Op::Attr { name, .. } | Op::Global(name) | Op::Captured { name, .. } => *name,
            _ => return Some(String::new()),
        };
        let text = self.text(name);
        Some(text.rsplit('.').next().unwrap_or_default().to_owned())
    }

    /// Whether a framework that looks for annotated classes finds this one: it, or a class of its family, has an
    /// annotation. Which one does not matter: annotations may stand for others.
    pub(crate) fn may_be_found(&self, class: ClassId) -> bool {
        let annotated = |class: ClassId| !self.notes_over(class).names.is_empty();
        if annotated(class) {
            return true;
        }
        let related = |other: ClassId| {
            let order = self.order_of(other);
            order.contains(&Base::Own(class)) || self.order_of(class).contains(&Base::Own(other))
        };
        (0..self.p.class_count())
            .map(ClassId)
            .any(|other| other != class && related(other))
    }
}
