//! Versions of objects, and what branches teach about them.

use solvent_base::{Name, Span};
use solvent_ir::{Arg, Block, Const, FunctionKind, Item, Op, Scope, Terminator, Value};

use crate::lower::{Code, Lower};
use crate::scope::{Home, ScopeId, bind};

/// How many versions, places or operands are followed from one value. Chains of this length do not
/// occur outside generated code; cutting one loses an alias, nothing else.
const REACH: usize = 16;

/// Values looked at for one condition.
const OPERANDS: usize = 64;

/// Which truth of an operand of a short-circuit operator is its result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decides {
    WhenTrue,
    WhenFalse,
}

impl<B: Code> Lower<'_, '_, '_, B> {
    /// `new` is what has become of the object `old`: rebinds every variable that holds it and writes
    /// it back to where it was read from.
    pub fn rebind(&mut self, old: Value, new: Value, span: Span) {
        self.rebind_within(old, new, span, REACH);
    }

    fn rebind_within(&mut self, old: Value, new: Value, span: Span, reach: usize) {
        let Some(reach) = reach.checked_sub(1) else {
            return;
        };
        self.superseded.insert(old.0, new);
        let mut variables = self.bound_to(old);
        let (source, moved) = self.provenance(old);
        if moved {
            // In a loop each variable has its own phi; those that are assigned in one place only are
            // still known to be the same object.
            let mut version = Some(source);
            for _ in 0..REACH {
                let Some(value) = version else { break };
                for variable in self.b.holders(value) {
                    if self.is_stable(variable)
                        && !variables.contains(&variable)
                        && self.b.read(variable).is_some()
                    {
                        variables.push(variable);
                    }
                }
                version = self.superseded.get(&value.0).copied();
            }
        }
        for variable in variables {
            self.bind_version(variable, new, span);
        }
        self.write_back(source, moved, new, span, reach);
    }

    /// `moved` says that the object was read in some earlier turn of a loop, so that the operands of
    /// that read may not be known here.
    fn write_back(&mut self, origin: Value, moved: bool, new: Value, span: Span, reach: usize) {
        match *self.b.op(origin) {
            Op::Attr { base, name } => {
                let base = self.b.resolve(base);
                if !self.is_rooted(base) {
                    if name == self.file.well_known.prototype
                        || self.is_class_by_name(base)
                        || self.is_definition(base)
                        // What a function gave may be what others have too.
                        || (B::KEEPS_IN_DEFINITIONS
                            && matches!(self.b.op(base), Op::Call { .. }))
                    {
                        // What a function object keeps is not in a version of it.
                        let value = new;
                        self.b.emit(Op::SetAttr { base, name, value }, span);
                    }
                    return;
                }
                let Some(base) = self.current_version(base, moved) else {
                    return;
                };
                let next = self.b.emit(
                    Op::SetAttr {
                        base,
                        name,
                        value: new,
                    },
                    span,
                );
                self.rebind_within(base, next, span, reach);
            }
            Op::Index { base, key } => {
                let base = self.b.resolve(base);
                if !self.is_rooted(base) {
                    return;
                }
                let Some(base) = self.current_version(base, moved) else {
                    return;
                };
                let key = match self.b.op(self.b.resolve(key)).clone() {
                    _ if !moved => self.b.resolve(key),
                    Op::Const(constant) => self.constant(constant, span),
                    _ => self.unknown("key of an earlier read", span),
                };
                let next = self.b.emit(
                    Op::SetIndex {
                        base,
                        key,
                        value: new,
                    },
                    span,
                );
                self.rebind_within(base, next, span, reach);
            }
            // What `d.setdefault(k, [])` returns is in `d` under that key.
            Op::Call { .. } => {
                let Some((base, key)) = self.entry_by_default(origin) else {
                    return;
                };
                if !self.is_rooted(base) {
                    return;
                }
                let Some(base) = self.current_version(base, moved) else {
                    return;
                };
                let key = if moved {
                    self.unknown("key of an earlier read", span)
                } else {
                    key
                };
                let next = self.b.emit(
                    Op::SetIndex {
                        base,
                        key,
                        value: new,
                    },
                    span,
                );
                self.rebind_within(base, next, span, reach);
            }
            Op::Element(base) if self.is_write(new) => {
                let base = self.b.resolve(base);
                if !self.is_rooted(base) {
                    return;
                }
                let Some(base) = self.current_version(base, moved) else {
                    return;
                };
                let key = self.unknown("position of an element", span);
                let next = self.b.emit(
                    Op::SetIndex {
                        base,
                        key,
                        value: new,
                    },
                    span,
                );
                self.rebind_within(base, next, span, reach);
            }
            Op::Captured { function, name } => {
                let scope = if function == self.index {
                    Scope::Own
                } else {
                    Scope::Enclosing(function)
                };
                self.b.emit(
                    Op::StoreName {
                        scope,
                        name,
                        value: new,
                    },
                    span,
                );
            }
            Op::Global(name) => {
                let stored = self.kind == FunctionKind::Module
                    && self.file.scopes.home(self.scope, name) == Home::Local;
                if !stored && (self.is_module_variable(name) || self.is_imported(name)) {
                    self.b.emit(
                        Op::StoreName {
                            scope: Scope::Module,
                            name,
                            value: new,
                        },
                        span,
                    );
                }
            }
            _ => {}
        }
    }

    /// The dictionary and key of a call of `setdefault`.
    fn entry_by_default(&self, call: Value) -> Option<(Value, Value)> {
        let Op::Call { callee, args } = self.b.op(call) else {
            return None;
        };
        let Op::Attr { base, name } = *self.b.op(self.b.resolve(*callee)) else {
            return None;
        };
        let Some(Arg::Positional(key)) = args.first() else {
            return None;
        };
        (name == self.file.well_known.setdefault)
            .then(|| (self.b.resolve(base), self.b.resolve(*key)))
    }

    /// Whether the version `new` comes from a write into the object, or from a method of it whose result
    /// nobody asked for: then its purpose is what it does. `x = element.get()` is taken to only look.
    fn is_write(&self, new: Value) -> bool {
        let Op::After { call, object } = *self.b.op(new) else {
            return true;
        };
        let Op::Call { callee, .. } = self.b.op(call) else {
            return false;
        };
        match *self.b.op(self.b.resolve(*callee)) {
            Op::Attr { base, .. } => {
                self.discarded == Some(call) && self.origin(base) == self.origin(object)
            }
            _ => false,
        }
    }

    /// The object's first version in this function.
    pub fn origin(&self, value: Value) -> Value {
        self.b.first(value)
    }

    /// The object's first version, looked for through the phis of variables that are assigned in one
    /// place; whether that was necessary.
    fn provenance(&self, value: Value) -> (Value, bool) {
        let mut origin = self.origin(value);
        let mut moved = false;
        for _ in 0..REACH {
            if !matches!(self.b.op(origin), Op::Phi(_)) {
                break;
            }
            match self
                .single_assignment(origin)
                .map(|first| self.origin(first))
            {
                Some(first) if first != origin => {
                    origin = first;
                    moved = true;
                }
                _ => break,
            }
        }
        (origin, moved)
    }

    /// Variables that hold exactly `value` here.
    fn bound_to(&mut self, value: Value) -> Vec<Name> {
        let returned = self.file.well_known.returned;
        let mut variables = self.b.holders(value);
        variables.retain(|&v| v != returned && self.b.read(v) == Some(value));
        variables
    }

    /// Whether a variable is only ever bound to versions of one object.
    pub fn is_stable(&self, variable: Name) -> bool {
        let flags = self.flags(variable);
        flags & bind::VARIABLE != 0 && flags & bind::REASSIGNED == 0
    }

    /// What the variables that hold a phi were assigned, if they are assigned in one place.
    fn single_assignment(&self, phi: Value) -> Option<Value> {
        self.b.holders(phi).into_iter().find_map(|variable| {
            if !self.is_stable(variable) {
                return None;
            }
            self.assigned
                .get(&variable)
                .map(|&value| self.b.resolve(value))
        })
    }

    /// The version of `value` that is current here. `None` if only `value` itself is known, and
    /// `moved` says that it may not be.
    fn current_version(&mut self, value: Value, moved: bool) -> Option<Value> {
        for variable in self.b.holders(value) {
            if let Some(current) = self.b.read(variable)
                && (current == value || self.is_stable(variable))
            {
                return Some(current);
            }
        }
        let here = self.b.here();
        let mut current = value;
        for _ in 0..REACH {
            match self.superseded.get(&current.0) {
                Some(&newer) if self.b.block_of(newer) == here => current = newer,
                _ => break,
            }
        }
        (!moved || current != value).then_some(current)
    }

    /// Whether `value` is a class that keeps what is written into its fields.
    fn is_class_by_name(&self, value: Value) -> bool {
        B::KEEPS_IN_CLASSES
            && match *self.b.op(value) {
                Op::Global(_) => true,
                // The streams of the process change nothing that matters.
                Op::Import { member, .. } => {
                    member.is_none_or(|name| &*self.file.names.text(name) != "System")
                }
                _ => false,
            }
    }

    /// Whether `value` is a class or a module of the program, or of a library: what is written into its attributes
    /// others find there.
    fn is_definition(&self, value: Value) -> bool {
        B::KEEPS_IN_DEFINITIONS
            && match *self.b.op(value) {
                Op::Global(name) => !self.is_builtin(name) && !self.is_module_variable(name),
                Op::Import { .. } | Op::Class(_) => true,
                Op::Attr { base, .. } => {
                    matches!(self.b.op(self.b.resolve(base)), Op::Import { .. })
                }
                _ => false,
            }
    }

    /// Whether a name of the module is what another file has, bound by an import.
    fn is_imported(&self, name: Name) -> bool {
        B::KEEPS_IN_DEFINITIONS
            && self.file.scopes.flags(ScopeId(0), name) & bind::IMPORTED != 0
            && !self.is_module_variable(name)
    }

    /// Whether a method is called for what it does on an object that a class or a module has, or that is imported.
    fn is_kept_in_definition(&self, call: Value, receiver: Value) -> bool {
        let kept = match *self.b.op(self.origin(receiver)) {
            Op::Attr { base, .. } => self.is_definition(self.b.resolve(base)),
            Op::Global(name) => self.is_imported(name),
            _ => false,
        };
        if !kept {
            return false;
        }
        let Op::Call { callee, .. } = self.b.op(call) else {
            return false;
        };
        let method = match *self.b.op(self.b.resolve(*callee)) {
            Op::Attr { name, .. } => name,
            _ => return false,
        };
        self.discarded == Some(call) || method == self.file.well_known.setdefault
    }

    /// Whether a write into `value` can be seen again through a variable.
    fn is_rooted(&mut self, value: Value) -> bool {
        let mut value = value;
        for _ in 0..REACH {
            let origin = self.origin(value);
            if matches!(
                self.b.op(origin),
                Op::Import { .. } | Op::ImportAll { .. } | Op::Function(_) | Op::Class(_)
            ) {
                // Calls into a module or class are not writes into it.
                return false;
            }
            if !self.bound_to(value).is_empty() {
                return true;
            }
            if let Op::Attr { base, .. } = *self.b.op(origin)
                && self.is_class_by_name(self.b.resolve(base))
            {
                return true;
            }
            if origin != value && !self.bound_to(origin).is_empty() {
                return true;
            }
            match *self.b.op(origin) {
                Op::Attr { base, .. } | Op::Index { base, .. } => value = self.b.resolve(base),
                Op::Call { .. } => match self.entry_by_default(origin) {
                    Some((base, _)) => value = base,
                    None => {
                        // An earlier version of something a variable still holds.
                        return self
                            .b
                            .holders(origin)
                            .into_iter()
                            .any(|v| self.is_stable(v));
                    }
                },
                Op::Captured { .. } => return true,
                Op::Global(name) => return self.is_module_variable(name),
                Op::Param(_) => return true,
                Op::Phi(_) => return !self.b.holders(origin).is_empty(),
                _ => {
                    // An earlier version of something a variable still holds.
                    let holders = self.b.holders(origin);
                    return holders.iter().any(|&v| self.is_stable(v));
                }
            }
        }
        false
    }

    /// Whether calls may change `value`: not if it plainly is a number, text, or a definition.
    fn may_change(&self, value: Value) -> bool {
        let origin = self.origin(value);
        match self.b.op(origin) {
            Op::Const(_)
            | Op::Format(_)
            | Op::Compare { .. }
            | Op::Unary { .. }
            | Op::Function(_)
            | Op::Class(_)
            | Op::Import { .. }
            | Op::ImportAll { .. }
            | Op::Unknown(_) => false,
            Op::Global(name) => self.is_module_variable(*name),
            Op::Binary { left, right, .. } => ![left, right].into_iter().any(|operand| {
                matches!(
                    self.b.op(self.origin(*operand)),
                    Op::Const(Const::Str(_) | Const::Int(_) | Const::Float(_) | Const::Bytes(_))
                        | Op::Format(_)
                )
            }),
            Op::Call { callee, .. } => !matches!(
                self.b.op(self.b.resolve(*callee)),
                Op::Global(name)
                    if self.file.builtins.immutable.contains(name) && self.is_builtin(*name)
            ),
            _ => true,
        }
    }

    /// After a call: its receiver and the variables among its arguments may have changed.
    pub fn after_call(&mut self, call: Value, receiver: Option<Value>, args: &[Arg], span: Span) {
        let callee = match self.b.op(call) {
            Op::Call { callee, .. } => self.b.resolve(*callee),
            _ => return,
        };
        if let Op::Global(name) = *self.b.op(callee)
            && self.file.builtins.harmless.contains(&name)
            && self.is_builtin(name)
        {
            return;
        }
        let mut done: Vec<Value> = Vec::new();
        if let Some(receiver) = receiver {
            let receiver = self.b.resolve(receiver);
            if (self.may_change(receiver) && self.is_rooted(receiver))
                || self.is_kept_in_definition(call, receiver)
            {
                done.push(receiver);
                self.after(call, receiver, span);
            } else if let Some(this) = self.behind_super(receiver, span) {
                done.push(this);
                self.after(call, this, span);
            }
        }
        for arg in args {
            let value = self.b.resolve(arg.value());
            if done.contains(&value) || !self.may_change(value) {
                continue;
            }
            let held = match *self.b.op(value) {
                Op::Captured { .. } => true,
                Op::Global(name) => self.is_module_variable(name),
                _ => !self.bound_to(value).is_empty(),
            };
            if held {
                done.push(value);
                self.after(call, value, span);
            }
        }
    }

    fn after(&mut self, call: Value, object: Value, span: Span) {
        let object = self.current_version(object, false).unwrap_or(object);
        let new = self.b.emit(Op::After { call, object }, span);
        self.rebind(object, new, span);
    }

    /// `super().m()` runs on the first parameter.
    fn behind_super(&mut self, receiver: Value, span: Span) -> Option<Value> {
        let Op::Call { callee, .. } = self.b.op(receiver) else {
            return None;
        };
        let Op::Global(name) = *self.b.op(self.b.resolve(*callee)) else {
            return None;
        };
        if name != self.file.well_known.super_ || !self.is_builtin(name) {
            return None;
        }
        let first = self.first_parameter?;
        match self.file.scopes.home(self.scope, first) {
            Home::Local => self.b.read(first),
            Home::Cell => Some(self.read_name(first, span)),
            _ => None,
        }
    }

    // Branches.

    /// Ends the block by a branch on `condition`, with what each way teaches about variables.
    pub fn branch(&mut self, condition: Value, then: Block, otherwise: Block, span: Span) {
        let condition = self.b.resolve(condition);
        let variables = self.refined_by(condition);
        if variables.is_empty() {
            self.b.terminate(Terminator::Branch {
                condition,
                then,
                otherwise,
            });
            return;
        }
        let (on_true, on_false) = (self.b.block(), self.b.block());
        self.b.terminate(Terminator::Branch {
            condition,
            then: on_true,
            otherwise: on_false,
        });
        for (edge, holds, target) in [(on_true, true, then), (on_false, false, otherwise)] {
            self.b.seal(edge);
            self.b.start(edge);
            self.refine(&variables, condition, holds, span);
            self.b.jump(target);
        }
    }

    /// Rebinds `variables` to what is known of them when `condition` was `holds`.
    pub fn refine(&mut self, variables: &[Name], condition: Value, holds: bool, span: Span) {
        let mut done: Vec<(Value, Value)> = Vec::new();
        for &variable in variables {
            let Some(value) = self.b.read(variable) else {
                continue;
            };
            let refined = match done.iter().find(|&&(old, _)| old == value) {
                Some(&(_, refined)) => refined,
                None => {
                    let refined = self.b.emit(
                        Op::Refine {
                            value,
                            condition,
                            holds,
                        },
                        span,
                    );
                    done.push((value, refined));
                    refined
                }
            };
            // Knowledge is not a new state: nothing is stored where others could see it.
            self.b.write(variable, refined);
        }
    }

    /// `value` with what branches have taught about it since, if a variable holds it.
    pub fn newest(&mut self, value: Value) -> Value {
        let value = self.b.resolve(value);
        for variable in self.b.holders(value) {
            let Some(current) = self.b.read(variable) else {
                continue;
            };
            let mut version = current;
            while let Op::Refine { value, .. } = *self.b.op(version) {
                version = self.b.resolve(value);
            }
            if version == value {
                return current;
            }
        }
        value
    }

    /// Variables whose value takes part in `condition`.
    pub fn refined_by(&mut self, condition: Value) -> Vec<Name> {
        let mut operands = vec![condition];
        let mut next = 0;
        while next < operands.len() && operands.len() < OPERANDS {
            let value = operands[next];
            next += 1;
            let mut push = |value: &Value| operands.push(self.b.resolve(*value));
            match self.b.op(value) {
                Op::Compare { left, right, .. } => {
                    push(left);
                    push(right);
                }
                Op::Call { callee, args } => {
                    if let Op::Attr { base, .. } = self.b.op(self.b.resolve(*callee)) {
                        push(base);
                    }
                    args.iter().for_each(|arg| push(&arg.value()));
                }
                Op::Attr { base, .. } | Op::Slice { base, .. } => push(base),
                Op::Index { base, key } => {
                    push(base);
                    push(key);
                }
                Op::Unary { operand, .. } => push(operand),
                Op::Binary { left, right, .. } => {
                    push(left);
                    push(right);
                }
                Op::Sequence { items, .. } => items.iter().for_each(|item| match item {
                    Item::One(value) | Item::Spread(value) => push(value),
                }),
                _ => {}
            }
        }
        let mut variables: Vec<Name> = Vec::new();
        for operand in operands {
            let mut version = Some(operand);
            for _ in 0..REACH {
                let Some(value) = version else { break };
                if !matches!(
                    self.b.op(self.origin(value)),
                    Op::Const(_) | Op::Function(_) | Op::Class(_) | Op::Import { .. }
                ) {
                    for variable in self.bound_to(value) {
                        if !variables.contains(&variable) {
                            variables.push(variable);
                        }
                    }
                }
                version = self.superseded.get(&value.0).copied();
            }
        }
        variables
    }

    /// Branches on `condition`; the deciding way leads to `join` with `result`, the other goes on here.
    pub fn short_circuit(
        &mut self,
        condition: Value,
        result: Value,
        decides: Decides,
        join: Block,
        span: Span,
    ) -> (Block, Value) {
        let condition = self.b.resolve(condition);
        let variables = self.refined_by(condition);
        let (on_true, on_false) = (self.b.block(), self.b.block());
        self.b.terminate(Terminator::Branch {
            condition,
            then: on_true,
            otherwise: on_false,
        });
        self.b.seal(on_true);
        self.b.seal(on_false);
        let (decided, other, holds) = match decides {
            Decides::WhenTrue => (on_true, on_false, true),
            Decides::WhenFalse => (on_false, on_true, false),
        };
        self.b.start(decided);
        self.refine(&variables, condition, holds, span);
        // A variable that is its own condition is known better on this way.
        let result = self.b.resolve(result);
        let refined = variables.iter().find_map(|&variable| {
            let value = self.b.read(variable)?;
            match *self.b.op(value) {
                Op::Refine { value: inner, .. } if self.b.resolve(inner) == result => Some(value),
                _ => None,
            }
        });
        let outcome = (self.b.here(), refined.unwrap_or(result));
        self.b.jump(join);
        self.b.start(other);
        self.refine(&variables, condition, !holds, span);
        outcome
    }

    // Writing into objects.

    pub fn set_attr(&mut self, base: Value, attr: &str, value: Value, span: Span) {
        let base = self.b.resolve(base);
        let name = self.name(attr);
        let new = self.b.emit(Op::SetAttr { base, name, value }, span);
        self.rebind(base, new, span);
    }

    pub fn set_index(&mut self, base: Value, key: Value, value: Value, span: Span) {
        let base = self.b.resolve(base);
        let new = self.b.emit(Op::SetIndex { base, key, value }, span);
        self.rebind(base, new, span);
    }
}
