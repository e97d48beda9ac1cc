//! Listeners of events: what `on` keeps is called by `emit` of the same name, wherever that stands.

use solvent_base::Name;

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, V};
use crate::world::Place;

/// Classes whose instances keep listeners.
const EMITTERS: [&str; 4] = ["events.EventEmitter", "events", "events()", "EventTarget"];
/// Name under which all listeners are kept, for events whose name is not known.
const ALL: &str = "<all>";
/// Name under which listeners are kept whose event is not known.
const ANY: &str = "<any>";

impl Machine<'_> {
    /// `bus.on(event, listener)` and `bus.emit(event, ..)`.
    pub(super) fn event_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let keeps = matches!(
            method,
            "on" | "once"
                | "addListener"
                | "prependListener"
                | "prependOnceListener"
                | "addEventListener"
        );
        let emits = matches!(method, "emit" | "dispatchEvent");
        if !(keeps || emits) || !self.is_emitter(receiver) {
            return None;
        }
        let this = self.w.store.one(receiver.clone());
        let event = args.get(0, None)?;
        let name = self.w.store.constant_str(event);
        if keeps {
            let listener = args.get(1, None)?;
            let site = self.site(frame, index);
            let own = name.unwrap_or_else(|| self.name(ANY));
            for event in [own, self.name(ALL)] {
                let place = self.listeners_of(event);
                frame.effects.push((place, site, listener));
                if frame.vals.is_empty() || self.p.is_body(frame.f) {
                    self.w.write_weak(place, site, listener);
                }
            }
            return Some(Out::ret(this));
        }
        let known = if method == "emit" { name } else { None };
        let events = match known {
            Some(event) => vec![event, self.name(ANY)],
            None => vec![self.name(ALL)],
        };
        let mut inner = args.clone();
        // The event's name may be one of arguments that are spread, and then there is none to take away.
        if method == "emit" && !inner.pos.is_empty() {
            inner.pos.remove(0);
        }
        for event in events {
            let place = self.listeners_of(event);
            if let Some(listeners) = self.w.read(place) {
                self.call_listeners(frame, index, listeners, &inner);
            }
        }
        Some(Out::ret(self.w.store.unknown()))
    }

    fn call_listeners(&mut self, frame: &mut Frame, index: u32, listeners: V, args: &Args) {
        for listener in self.w.store.atoms_of(listeners) {
            let listener = self.w.store.one(listener);
            self.call_value(frame, index, listener, args);
        }
    }

    fn listeners_of(&self, event: Name) -> Place {
        Place::LibKey(self.name("<listeners>"), event)
    }

    fn is_emitter(&self, receiver: &Atom) -> bool {
        let known = |path: Name| EMITTERS.contains(&&*self.text(path));
        match receiver {
            Atom::LibObject { class, .. } => known(*class),
            Atom::Object { class, .. } => self.lib_bases(*class).into_iter().any(known),
            _ => false,
        }
    }
}
