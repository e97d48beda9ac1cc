//! Results that depend on what a method is called on: what is not in a mapping, and parts of holders of routes.

use solvent_models::{Callback, Member, PortRoot};

use crate::call::Args;
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Piece, V};

impl Machine<'_> {
    pub(crate) fn literal(&self, pieces: &[Piece]) -> Option<String> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Lit(name) => out.push_str(&self.text(*name)),
                Piece::Data(_) => return None,
            }
        }
        Some(out)
    }

    /// `d.get(k)` gives nothing where the key is not there.
    pub(super) fn or_nothing(
        &mut self,
        v: V,
        member: &Member,
        receiver: Option<V>,
        args: &Args,
    ) -> V {
        let (Some(receiver), Some(key)) = (receiver, args.get(0, None)) else {
            return v;
        };
        if member.path != "builtins.dict.get"
            || args.count() > 1
            || self.w.store.constant(key).is_some()
        {
            return v;
        }
        let is_dict = |a: &Atom| matches!(a, Atom::Coll { .. });
        if !self.w.store.atoms(receiver).any(is_dict) {
            return v;
        }
        let none = self.w.store.none();
        self.w.store.join(v, none)
    }

    /// Calls a function with what the call itself gives: `router.Route("/api", func(r chi.Router) { .. })`.
    pub(super) fn hand_result(
        &mut self,
        frame: &mut Frame,
        index: u32,
        callback: &Callback,
        ports: &Ports<'_>,
        result: V,
    ) {
        let mut slot = Some(&mut *frame);
        let Some(function) = self.port(&mut slot, index, &callback.function, ports) else {
            return;
        };
        let mut inner = Args::default();
        for port in &callback.args {
            let v = match port.root {
                PortRoot::Return => Some(result),
                _ => self.port(&mut slot, index, port, ports),
            };
            let v = v.unwrap_or_else(|| self.w.store.unknown());
            inner.pos.push((v, None));
        }
        if self.is_function(function) {
            let _ = self.call_value(frame, index, function, &inner);
        }
    }

    /// A part of a holder of routes was made where the holder was.
    pub(crate) fn as_part(&mut self, v: V, member: &Member, receiver: Option<V>) -> V {
        let is_part =
            |row: &solvent_models::EntryRow| row.shape == solvent_models::EntryShape::Part;
        if !member.entry_points.iter().any(is_part) {
            return v;
        }
        let made = receiver.and_then(|receiver| {
            self.w.store.atoms(receiver).find_map(|a| match a {
                Atom::LibObject { attrs, .. } => {
                    attrs.iter().find(|(n, _)| *n == self.n.site).copied()
                }
                _ => None,
            })
        });
        match (made, self.w.store.only(v).cloned()) {
            (Some(made), Some(Atom::LibObject { class, attrs, data })) => {
                let mut attrs = attrs.to_vec();
                attrs.push(made);
                let attrs = attrs.into();
                self.w.store.one(Atom::LibObject { class, attrs, data })
            }
            _ => v,
        }
    }
}

/// Whether a callback is called with what the call gives.
pub(super) fn gets_result(callback: &Callback) -> bool {
    callback
        .args
        .iter()
        .any(|port| port.root == PortRoot::Return)
}
