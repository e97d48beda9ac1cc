//! Chains of handlers: what stands behind one that never hands the request on is not reached.

use solvent_ir::{self as ir, Op, ParamKind};
use solvent_models::{ArgSelector, EntryRow, EntryShape, PortRoot};

use crate::entry::{Bound, Entry};
use crate::library::Ports;
use crate::link::FnId;
use crate::machine::Machine;
use crate::media::precedes;
use crate::shape::successors;
use crate::value::{Atom, V};

/// Parameters of a handler that is given what hands the request on: request, answer, the next one.
const WITH_NEXT: usize = 3;

impl Machine<'_> {
    pub(crate) fn has_handler(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).any(|a| match a {
                Atom::Fn { .. }
                | Atom::Method { .. }
                | Atom::Partial { .. }
                | Atom::Class { .. }
                | Atom::Object { .. } => true,
                Atom::LibObject { class, .. } => *class == self.n.bound,
                _ => false,
            })
    }

    /// Whether a value is a library's, or nothing is known of it.
    pub(crate) fn is_of_library(&self, v: V) -> bool {
        let foreign = |atom: &Atom| {
            matches!(
                atom,
                Atom::Lib(_) | Atom::LibObject { .. } | Atom::Member { .. } | Atom::Data(_)
            )
        };
        self.w.store.atoms(v).any(foreign)
    }

    /// The handlers of a registration, up to the first that never hands the request on.
    pub(crate) fn chain_of(&mut self, row: &EntryRow, ports: &Ports<'_>) -> Option<V> {
        let port = row.handler.as_ref()?;
        let first = match (&port.root, port.path.is_empty()) {
            (PortRoot::Arg(ArgSelector::From(first)), true) => *first as usize,
            (PortRoot::Arg(ArgSelector::All), true) => 0,
            _ => return self.port_plain(port, ports),
        };
        if ports.args.spread.is_some() {
            return self.port_plain(port, ports);
        }
        let mut out = V::NEVER;
        for (v, _) in ports.args.pos.iter().skip(first) {
            let each = match self.exact_items(*v) {
                Some(items) => items,
                None => vec![*v],
            };
            for v in each {
                out = self.w.store.join(out, v);
                if self.ends_chain(row, v) {
                    return Some(out);
                }
            }
        }
        (out != V::NEVER).then_some(out)
    }

    /// Whether a handler never hands the request on.
    fn ends_chain(&self, row: &EntryRow, v: V) -> bool {
        let Some(Atom::Fn { function, .. }) = self.w.store.only(v) else {
            return false;
        };
        match row.params.len() {
            WITH_NEXT => self.never_goes_on(*function, WITH_NEXT - 1),
            1 if self.is_go() => self.always_aborts(*function),
            _ => false,
        }
    }

    /// Whether a handler may hand the request on to others behind it.
    pub(crate) fn hands_on(&self, entry: &Entry) -> bool {
        if !self.is_javascript() {
            return true;
        }
        let is_next = |class: &String| class.ends_with("Next") || class.ends_with("NextFunction");
        match (
            entry.params.iter().position(is_next),
            self.w.store.only(entry.value),
        ) {
            (None, _) => false,
            (Some(at), Some(Atom::Fn { function, .. })) => !self.never_goes_on(*function, at),
            (Some(_), _) => true,
        }
    }

    /// Whether a function has no use for the parameter at that place, by which the next handler is called.
    fn never_goes_on(&self, f: FnId, at: usize) -> bool {
        let function = self.p.function(f);
        let params: Vec<(usize, &ir::Param)> = function
            .params
            .iter()
            .enumerate()
            .filter(|(_, p)| p.kind != ParamKind::Receiver)
            .collect();
        if params.len() > at + 1 || params.iter().any(|(_, p)| p.kind != ParamKind::Ordinary) {
            return false;
        }
        let arguments = |inst: &ir::Inst| match &inst.op {
            Op::Global(name) => &*self.text(*name) == "arguments",
            Op::Import { member, .. } => {
                member.is_some_and(|name| &*self.text(name) == "arguments")
            }
            Op::Unknown(what) => what.contains("arguments"),
            _ => false,
        };
        if function.insts.iter().any(arguments) {
            return false;
        }
        let Some((next, _)) = params.get(at) else {
            return true;
        };
        let param = function
            .insts
            .iter()
            .position(|inst| matches!(inst.op, Op::Param(i) if i as usize == *next));
        param.is_none_or(|param| {
            let param = ir::Value(param as u32);
            let mut used = false;
            for inst in &function.insts {
                inst.op.for_each_operand(&mut |v| used |= v == param);
            }
            let ends = |block: &ir::BlockData| block.terminator.operand() == Some(param);
            !used && !function.blocks.iter().any(ends)
        })
    }

    /// Whether every way through a function leads through an `Abort` of its first parameter.
    fn always_aborts(&self, f: FnId) -> bool {
        let function = self.p.function(f);
        let aborts = |block: &ir::BlockData| {
            let insts = block.start as usize..block.end as usize;
            function.insts[insts].iter().any(|inst| match &inst.op {
                Op::Call { callee, .. } => match function.op(*callee) {
                    Op::Attr { base, name } => {
                        self.text(*name).starts_with("Abort")
                            && matches!(function.op(Self::base(function, *base)), Op::Param(_))
                    }
                    _ => false,
                },
                _ => false,
            })
        };
        let mut seen = vec![false; function.blocks.len()];
        let mut open = vec![0_u32];
        while let Some(at) = open.pop() {
            let block = &function.blocks[at as usize];
            if std::mem::replace(&mut seen[at as usize], true) || aborts(block) {
                continue;
            }
            if matches!(block.terminator, ir::Terminator::Return(_)) {
                return false;
            }
            open.extend(successors(function, at));
        }
        function.blocks.iter().any(aborts)
    }

    /// Whether a registration stands behind one on the same holder that answers every request.
    pub(super) fn stands_behind(&self, bounds: &[Bound], bound: &Bound) -> bool {
        let [receiver] = bound.registration.receivers[..] else {
            return false;
        };
        let at = bound.registration.site;
        bounds.iter().any(|closer| {
            let registration = &closer.registration;
            let everywhere = registration
                .routes
                .iter()
                .all(|route| matches!(route.as_str(), "" | "/" | "*"));
            let takes_all = |row: &EntryRow| {
                let all = PortRoot::Arg(ArgSelector::All);
                row.shape == EntryShape::Registrar
                    && row.handler.as_ref().is_some_and(|port| port.root == all)
                    && row
                        .route
                        .as_ref()
                        .is_some_and(|port| port.root != PortRoot::Receiver)
            };
            everywhere
                && registration.assumed.is_none()
                && registration.receivers == [receiver]
                && registration.site.function == at.function
                && registration.site.inst != at.inst
                && self
                    .row(closer)
                    .is_some_and(|row| takes_all(row) && self.ends_chain(row, closer.handler))
                && precedes(
                    self.p.function(at.function),
                    registration.site.inst,
                    at.inst,
                )
        })
    }
}
