//! Classes of which nobody is seen to make an object.
//!
//! A class is made where it is spoken of: by its name, or by a text that is its name. What the methods of a class speak
//! of counts only once that class is made itself. A class that a decorator or a library's class may register counts as
//! made. This errs to "made": what is left was put there for somebody else, or is found in ways that no text tells.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Interner, Name};
use solvent_ir::{Class, ClassIndex, Const, Function, FunctionKind, Op, Unit, Value};

use crate::hash::IdSet;
use crate::link::{ClassId, Program, UnitId};

/// Bases that register nothing.
const PLAIN: [&str; 6] = ["object", "ABC", "Generic", "Protocol", "Exception", "Enum"];
/// Longest text that may be the name of a class, with its module.
const MAX_NAME: usize = 200;

/// What some code speaks of.
#[derive(Default)]
struct Spoken {
    names: BTreeSet<Name>,
    classes: BTreeSet<ClassId>,
}

pub(crate) fn never_made(p: &Program, names: &Interner) -> IdSet<ClassId> {
    let mut by_name: BTreeMap<Name, Vec<ClassId>> = BTreeMap::new();
    let mut texts: BTreeMap<String, Name> = BTreeMap::new();
    let mut all: Vec<ClassId> = Vec::new();
    for (at, unit) in p.units.iter().enumerate() {
        for (i, class) in unit.classes.iter().enumerate() {
            let id = p.class_id(UnitId(at as u32), ClassIndex(i as u32));
            by_name.entry(class.name).or_default().push(id);
            texts.insert(names.text(class.name).to_string(), class.name);
            all.push(id);
        }
    }
    let mut open = Spoken::default();
    let mut of_class: BTreeMap<ClassId, Spoken> = BTreeMap::new();
    for (at, unit) in p.units.iter().enumerate() {
        let at = UnitId(at as u32);
        for (i, class) in unit.classes.iter().enumerate() {
            let id = p.class_id(at, ClassIndex(i as u32));
            if !class.decorators.is_empty() || is_registered(unit, class, &texts, names) {
                open.classes.insert(id);
            }
            let parent = &unit.functions[class.parent.0 as usize];
            let bases = class.bases.iter().filter_map(|v| name_of(parent.op(*v)));
            of_class.entry(id).or_default().names.extend(bases);
        }
        let mut bases: BTreeMap<u32, BTreeSet<Value>> = BTreeMap::new();
        for class in &unit.classes {
            bases
                .entry(class.parent.0)
                .or_default()
                .extend(&class.bases);
        }
        for (i, function) in unit.functions.iter().enumerate() {
            let bases = bases.remove(&(i as u32)).unwrap_or_default();
            let spoken = match owner(unit, function) {
                Some(class) => of_class.entry(p.class_id(at, class)).or_default(),
                None => &mut open,
            };
            let class_id = |class| p.class_id(at, class);
            listen(function, &bases, &class_id, &texts, names, spoken);
        }
    }
    let mut made: BTreeSet<ClassId> = BTreeSet::new();
    let mut todo = vec![open];
    while let Some(spoken) = todo.pop() {
        let named = spoken.names.iter().filter_map(|name| by_name.get(name));
        for id in named.flatten().chain(&spoken.classes) {
            if made.insert(*id) {
                todo.extend(of_class.remove(id));
            }
        }
    }
    all.into_iter().filter(|id| !made.contains(id)).collect()
}

/// The class whose method a function is, or stands in. The body of a class runs when its module is loaded.
fn owner(unit: &Unit, function: &Function) -> Option<ClassIndex> {
    let mut at = function;
    for _ in 0..64 {
        if at.kind == FunctionKind::ClassBody {
            return None;
        }
        if at.class.is_some() {
            return at.class;
        }
        at = unit.functions.get(at.parent?.0 as usize)?;
    }
    None
}

/// Whether a base is none of the program's, and may keep a list of what is derived from it.
fn is_registered(
    unit: &Unit,
    class: &Class,
    texts: &BTreeMap<String, Name>,
    names: &Interner,
) -> bool {
    let parent = &unit.functions[class.parent.0 as usize];
    class.bases.iter().any(|v| match name_of(parent.op(*v)) {
        Some(name) => {
            let text = names.text(name).to_string();
            !PLAIN.contains(&text.as_str()) && !texts.contains_key(&text)
        }
        None => !matches!(parent.op(*v), Op::Class(_)),
    })
}

fn name_of(op: &Op) -> Option<Name> {
    match op {
        Op::Global(name) | Op::Attr { name, .. } | Op::Captured { name, .. } => Some(*name),
        Op::Import { module, member, .. } => Some(member.unwrap_or(*module)),
        _ => None,
    }
}

/// What a function speaks of, but where it only says what a class is derived from or called.
fn listen(
    function: &Function,
    bases: &BTreeSet<Value>,
    class_id: &dyn Fn(ClassIndex) -> ClassId,
    texts: &BTreeMap<String, Name>,
    names: &Interner,
    spoken: &mut Spoken,
) {
    let mut class_of = |v: Value| {
        if let Op::Class(class) = function.op(v) {
            spoken.classes.insert(class_id(*class));
        }
    };
    for inst in &function.insts {
        if !matches!(inst.op, Op::StoreName { .. } | Op::Class(_)) {
            inst.op.for_each_operand(&mut class_of);
        }
    }
    for block in &function.blocks {
        if let Some(v) = block.terminator.operand() {
            class_of(v);
        }
    }
    for (i, inst) in function.insts.iter().enumerate() {
        match &inst.op {
            Op::Const(Const::Str(text)) => {
                let text = names.text(*text);
                let last = text.rsplit(['.', ':']).next().unwrap_or_default();
                if text.len() <= MAX_NAME
                    && let Some(name) = texts.get(last)
                {
                    spoken.names.insert(*name);
                }
            }
            // An import may be for others to import it from here.
            Op::Import { .. } => spoken.names.extend(name_of(&inst.op)),
            op if !bases.contains(&Value(i as u32)) => spoken.names.extend(name_of(op)),
            _ => {}
        }
    }
}
