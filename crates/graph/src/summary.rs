//! Summaries: computed once per shape of arguments, and taken over by callers.

use std::collections::BTreeSet;
use std::rc::Rc;

use solvent_base::Name;
use solvent_finding::Carrier;
use solvent_ir::{self as ir, Op, Scope};

use crate::call::{MAX_HITS, MAX_RECURSION, SMALL};
use crate::hash::IdMap;
use crate::label::{InputId, InputShape, Origin};
use crate::link::{FnId, Site};
use crate::machine::{Follow, Frame, Machine, Stores};
use crate::rebuild::Filling;
use crate::value::{Atom, EnvId, Ls, V};
use crate::world::{CallTier, Fact, Freshness, Hit, Key, Place, Summary, SummaryId};

/// Effects of what it calls that a function hands on.
const MAX_EFFECTS: usize = 400;

/// Calls that are followed from one to the next to see whether an answer is still right; beyond, it is computed.
const MAX_ASKED: u32 = 1000;

impl Machine<'_> {
    /// Inputs of known name among the values of an evaluated function: a request must fill them even where
    /// they come to no harm.
    fn inputs_read(&self, frame: &Frame) -> Vec<InputId> {
        self.inputs_in(&frame.vals)
    }

    /// Inputs of known name in these values.
    pub(crate) fn inputs_in(&self, values: &[V]) -> Vec<InputId> {
        let sets: BTreeSet<Ls> = values.iter().map(|v| self.w.store.deep(*v)).collect();
        let inputs: BTreeSet<InputId> = sets
            .into_iter()
            .flat_map(|set| self.w.store.labels(set))
            // What another request had stored is no input of this one.
            .filter(|label| !self.w.store.was_stored(label.notes))
            .filter_map(|label| match label.origin {
                Origin::Input(id) => Some(id),
                _ => None,
            })
            .filter(|id| {
                let key = self.w.store.input(*id);
                let of_query = key.carrier == Carrier::Query && key.inner.is_empty();
                key.name != self.w.store.empty
                    && (key.shape == InputShape::Whole
                        || (key.shape == InputShape::Tree && of_query))
            })
            .collect();
        inputs.into_iter().collect()
    }

    /// The summary of a function for these arguments, computed once per shape of arguments.
    pub(crate) fn summarize(&mut self, f: FnId, env: EnvId, args: Vec<V>) -> (SummaryId, Vec<Ls>) {
        let mut holes = Vec::new();
        let seen = self.w.contexts[f.0 as usize];
        if self.loading > 0 {
            self.w.at_start.insert(f);
        }
        // A small function is cheaper to evaluate again than its constants are to lose: a wrapper
        // around the request reads another field for each name that it is given.
        let limit = match (self.follow, self.p.function(f).insts.len()) {
            (_, 0..=SMALL) => 4096,
            // Each turn of a loop that registers is one.
            _ if self.unrolling > 0 => 256,
            (Follow::Calls, _) => self.limits.contexts / 4,
            (Follow::Flows, _) => self.limits.contexts,
        };
        let punched = self.punched(f, env, &args, &mut holes);
        // What was computed for the very arguments serves, however many there are by now.
        let key = match self.w.memo.contains_key(&punched) || seen < limit {
            true => punched,
            false => {
                let args: Vec<V> = args
                    .into_iter()
                    .map(|v| self.simplified(v, seen, limit))
                    .collect();
                holes.clear();
                self.punched(f, env, &args, &mut holes)
            }
        };
        if let Some(&id) = self.w.memo.get(&key) {
            self.refresh(id, 0);
            let known = &self.w.summaries[id.0 as usize];
            let open = match known.running {
                true => Some(id),
                false => known
                    .waits_for
                    .filter(|outer| self.w.summaries[outer.0 as usize].running),
            };
            if let Some(open) = open {
                let open = &mut self.w.summaries[open.0 as usize];
                open.recursive = true;
                if let Some((_, low)) = self.w.stack.last_mut() {
                    *low = (*low).min(open.level);
                }
            }
            return (id, holes);
        }
        self.w.contexts[f.0 as usize] += 1;
        let id = SummaryId(self.w.summaries.len() as u32);
        let level = self.w.stack.len() as u32;
        let summary = Summary::begun(key.clone(), level);
        self.w.summaries.push(summary);
        self.w.memo.insert(key, id);
        self.compute(id);
        (id, holes)
    }

    /// The arguments and the closure without the labels in them, which go to `holes`.
    fn punched(&mut self, f: FnId, env: EnvId, args: &[V], holes: &mut Vec<Ls>) -> Key {
        let args = args.iter().map(|v| self.w.store.punch(*v, holes)).collect();
        (f, self.punch_env(env, holes), args)
    }

    /// An argument of a function that was given many different ones, `seen`, already.
    fn simplified(&mut self, v: V, seen: u32, limit: u32) -> V {
        // What differs is often deep inside an argument, an option of an option; a plain text says more.
        let plain = |a: &Atom| matches!(a, Atom::Const(ir::Const::Str(_)));
        if seen < limit * 2 && self.w.store.only(v).is_some_and(plain) {
            return v;
        }
        if seen < limit * 3 {
            return self.w.store.without_constants(v);
        }
        let keep = self.w.store.atoms(v).all(|a| {
            matches!(
                a,
                Atom::Lib(_) | Atom::Fn { .. } | Atom::Class { .. } | Atom::Module(_)
            )
        });
        if keep && seen < limit * 16 {
            return v;
        }
        let labels = self.w.store.deep(v);
        self.w.store.data(labels)
    }

    /// Sees to it that a summary is what its function gives now.
    fn refresh(&mut self, id: SummaryId, nested: u32) {
        let known = &mut self.w.summaries[id.0 as usize];
        if known.running {
            return;
        }
        match known.state {
            Freshness::Fresh => {}
            // In a circle everybody's answer rests on everybody's.
            Freshness::Doubtful if known.waits_for.is_none() && nested < MAX_ASKED => {
                known.state = Freshness::Asking;
                let computed = known.computed;
                let calls = std::mem::take(&mut known.calls);
                let changed = calls.iter().any(|(_, _, to)| {
                    self.refresh(*to, nested + 1);
                    let callee = self.w.summary(*to);
                    callee.running || callee.changed > computed
                });
                let known = &mut self.w.summaries[id.0 as usize];
                // Asked for once more on the way, it was evaluated then.
                if known.state != Freshness::Asking {
                    return;
                }
                known.calls = calls;
                match changed {
                    true => self.evaluate_again(id),
                    false => known.state = Freshness::Fresh,
                }
            }
            Freshness::Doubtful | Freshness::Asking | Freshness::Stale => self.evaluate_again(id),
        }
    }

    /// Computes a summary anew.
    fn evaluate_again(&mut self, id: SummaryId) {
        let key = self.w.summaries[id.0 as usize].key.clone();
        let again = Summary::begun(key, self.w.stack.len() as u32);
        let before = std::mem::replace(&mut self.w.summaries[id.0 as usize], again);
        self.compute(id);
        let now = &mut self.w.summaries[id.0 as usize];
        if now.tells_the_same_as(&before) {
            now.changed = before.changed;
        }
    }

    /// Evaluates the function of a summary that was begun, and fills it in.
    fn compute(&mut self, id: SummaryId) {
        let key = self.w.summaries[id.0 as usize].key.clone();
        let (f, env, args) = (key.0, key.1, key.2.to_vec());
        let level = self.w.stack.len() as u32;
        self.w.stack.push((id, level));
        self.w.depth += 1;
        let first_read = self.w.read_log.len();
        for _ in 0..MAX_RECURSION {
            let mark = self.w.memo_log.len();
            let frame = self.run(f, env, args.clone());
            let afters = self.final_versions(&frame, &args);
            let old = &self.w.summaries[id.0 as usize];
            let recursive = old.recursive;
            let (old_ret, old_raised) = (old.ret, old.raised);
            let endless = recursive && frame.ret == V::NEVER && old_ret == V::NEVER;
            let ret = if endless {
                // Every way out leads through itself: what follows a call is looked at all the same.
                self.w.store.unknown()
            } else if recursive {
                self.w.store.join(old_ret, frame.ret)
            } else {
                frame.ret
            };
            // Only the outermost function of a circle goes round again, else rounds would multiply.
            let outermost = self.w.stack.last().is_none_or(|(_, low)| *low >= level);
            let settled = !recursive || ret == old_ret || !outermost;
            let raised = match recursive {
                true => self.w.store.join(old_raised, frame.raised),
                false => frame.raised,
            };
            let inputs = match self.follow {
                Follow::Flows => self.inputs_read(&frame),
                Follow::Calls => Vec::new(),
            };
            let summary = &mut self.w.summaries[id.0 as usize];
            summary.inputs = inputs;
            summary.ret = ret;
            summary.raised = raised;
            summary.afters = afters;
            summary.hits = frame.hits;
            summary.hits.truncate(MAX_HITS);
            summary.effects = frame.effects;
            summary.touched = frame.touched.into_iter().collect();
            summary.used = frame.used.into_iter().collect();
            summary.calls = frame.calls;
            summary.live = frame.live.into_boxed_slice();
            summary.stopped = frame.stopped;
            summary.cut = frame.cut;
            summary.vouches = frame.vouched;
            summary.returned = frame.returned.into_boxed_slice();
            summary.recursive = false;
            if settled {
                break;
            }
            // What was computed inside saw only the last round's answer.
            for key in self.w.memo_log.split_off(mark) {
                self.w.memo.remove(&key);
            }
        }
        self.w.depth -= 1;
        let mut reads = self.w.read_log.split_off(first_read);
        reads.sort_unstable();
        reads.dedup();
        let low = self.w.stack.pop().map_or(level, |(_, low)| low);
        let waits_for = match low < level {
            true => self.w.stack.get(low as usize).map(|(outer, _)| *outer),
            false => None,
        };
        if let Some((_, outer)) = self.w.stack.last_mut() {
            *outer = (*outer).min(low);
        }
        let summary = &mut self.w.summaries[id.0 as usize];
        self.w.computed += 1;
        summary.computed = self.w.computed;
        summary.changed = self.w.computed;
        summary.running = false;
        summary.reads = reads.into();
        summary.waits_for = waits_for;
        if waits_for.is_some() {
            self.w.memo_log.push(key);
        }
    }

    pub(crate) fn punch_env(&mut self, env: EnvId, holes: &mut Vec<Ls>) -> EnvId {
        if env == EnvId::EMPTY || env == EnvId::SAME {
            return EnvId::EMPTY;
        }
        let cells = self.w.store.env(env).to_vec();
        if cells.iter().all(|(_, v)| self.w.store.deep(*v) == Ls::NONE) {
            return env;
        }
        let cells = cells
            .into_iter()
            .map(|(k, v)| (k, self.w.store.punch(v, holes)))
            .collect();
        self.w.store.closure(cells)
    }

    /// What the caller takes over from a summary: edges, hits, effects.
    pub(crate) fn absorb(
        &mut self,
        frame: &mut Frame,
        id: SummaryId,
        filling: &mut Filling<'_>,
        site: Site,
        tier: CallTier,
    ) {
        let edge = (site, tier, id);
        // Those of one place stand together.
        let mut here = frame
            .calls
            .iter()
            .rev()
            .take_while(|(at, _, _)| *at == site);
        if !here.any(|known| *known == edge) {
            frame.calls.push(edge);
        }
        let (hits, effects) = {
            let s = self.w.summary(id);
            if s.running {
                return;
            }
            let hits = match self.follow {
                Follow::Flows => s.hits.clone(),
                Follow::Calls => Vec::new(),
            };
            (hits, s.effects.clone())
        };
        let here = self.facts_here(frame);
        for hit in hits {
            let value = self.w.store.fill(hit.value, filling);
            if self.w.store.deep(value) == Ls::NONE && hit.sink.sent().is_none() {
                continue;
            }
            let mut facts: Vec<Fact> = here.clone();
            for fact in &*hit.facts {
                let labels = self.w.store.fill_labels(fact.labels, filling);
                if labels != Ls::NONE && facts.len() < 32 {
                    let fact = Fact {
                        labels,
                        ..fact.clone()
                    };
                    if !facts.contains(&fact) {
                        facts.push(fact);
                    }
                }
            }
            let hit = Hit {
                value,
                facts: facts.into(),
                ..hit
            };
            self.push_hit(frame, hit);
        }
        for (place, site, v) in effects {
            let v = self.w.store.fill(v, filling);
            let effect = (place, site, v);
            // The cell of this very activation is written by a function inside it.
            if let Place::Cell(owner, name) = place
                && owner == frame.f
            {
                self.keep_in_frame(frame, name, v);
                if !self.p.shape(owner).crowded {
                    continue;
                }
            }
            if let Place::Global(unit, name) = place
                && unit == frame.unit
                && self.p.is_body(frame.f)
            {
                self.changed_by_call(frame, name, v);
            }
            if frame.has_effect(&effect) {
                continue;
            }
            if frame.effects.len() < MAX_EFFECTS {
                frame.effects.push(effect);
            } else if self.follow == Follow::Flows {
                let what = format!("more than {MAX_EFFECTS} effects of one function");
                match self.w.store.deep(v) {
                    Ls::NONE => self.w.notices.insert(what),
                    _ => self.w.limits_hit.insert(what),
                };
            }
        }
    }

    /// What a function of the module leaves in a variable, where the module's body goes on with it: a table that
    /// decorators fill is not empty below.
    fn changed_by_call(&mut self, frame: &mut Frame, name: Name, v: V) {
        let holders = self.holders_of(frame.f);
        for at in holders.get(&name).into_iter().flatten() {
            let held = frame.vals[*at as usize];
            if held != V::NEVER {
                frame.vals[*at as usize] = self.w.store.join(held, v);
            }
        }
    }

    /// What a body stores, by name.
    pub(crate) fn stores_of(&mut self, body: FnId) -> Stores {
        if let Some(known) = self.stores.get(&body) {
            return Rc::clone(known);
        }
        let mut out: IdMap<Name, Vec<(u32, ir::Value)>> = IdMap::default();
        for (i, inst) in self.p.function(body).insts.iter().enumerate() {
            if let Op::StoreName {
                scope: Scope::Module,
                name,
                value,
            } = &inst.op
            {
                out.entry(*name).or_default().push((i as u32, *value));
            }
        }
        let out = Rc::new(out);
        self.stores.insert(body, Rc::clone(&out));
        out
    }

    /// The values of a body that are versions of what it stores, by name.
    fn holders_of(&mut self, body: FnId) -> Rc<IdMap<Name, Vec<u32>>> {
        if let Some(known) = self.holders.get(&body) {
            return Rc::clone(known);
        }
        let function = self.p.function(body);
        // The first version of each value.
        let mut first: Vec<u32> = Vec::with_capacity(function.insts.len());
        for (i, inst) in function.insts.iter().enumerate() {
            let of = match &inst.op {
                Op::Refine { value, .. } | Op::After { object: value, .. } => value.0,
                _ => i as u32,
            };
            // What comes from behind is a version of nothing here.
            first.push(first.get(of as usize).copied().unwrap_or(i as u32));
        }
        let mut named: IdMap<u32, BTreeSet<Name>> = IdMap::default();
        for (name, stored) in self.stores_of(body).iter() {
            for (inst, value) in stored {
                for at in [*inst, value.0, first[value.0 as usize]] {
                    named.entry(at).or_default().insert(*name);
                }
            }
        }
        let mut out: IdMap<Name, Vec<u32>> = IdMap::default();
        for (i, of) in first.iter().enumerate() {
            let own = named.get(&(i as u32)).into_iter().flatten();
            let names: BTreeSet<Name> = own
                .chain(named.get(of).into_iter().flatten())
                .copied()
                .collect();
            for name in names {
                out.entry(name).or_default().push(i as u32);
            }
        }
        let out = Rc::new(out);
        self.holders.insert(body, Rc::clone(&out));
        out
    }

    pub(crate) fn push_hit(&mut self, frame: &mut Frame, hit: Hit) {
        if self.follow == Follow::Calls {
            return;
        }
        if frame.hits.len() >= MAX_HITS {
            self.w
                .limits_hit
                .insert(format!("more than {MAX_HITS} flows through one function"));
            return;
        }
        if !frame.hits.contains(&hit) {
            frame.hits.push(hit);
        }
    }

    pub(crate) fn facts_here(&self, frame: &Frame) -> Vec<Fact> {
        frame.facts[frame.block as usize]
            .iter()
            .flatten()
            .map(|id| frame.fact_table[*id as usize].clone())
            .collect()
    }

    /// Stores the effects of a root's summary.
    pub fn apply_effects_at_root(&mut self, id: SummaryId) {
        let effects = self.w.summary(id).effects.clone();
        for (place, site, v) in effects {
            let v = self.of_requests(v);
            self.w.write_weak(place, site, v);
        }
    }

    /// The value with those labels only that mean the same to everybody.
    pub(crate) fn of_requests(&mut self, v: V) -> V {
        self.w.store.map_labels(v, &mut |store, set| {
            let kept: Vec<_> = store
                .labels(set)
                .iter()
                .copied()
                .filter(|l| matches!(l.origin, Origin::Input(_) | Origin::Local))
                .collect();
            store.set(kept)
        })
    }

    /// What functions inside did to the object that a parameter is: its variable is a cell then.
    fn changed_inside(&mut self, frame: &Frame, param: usize, arg: V) -> Option<V> {
        let name = self.p.function(frame.f).params.get(param)?.name;
        if !self.p.shape(frame.f).given_inside.contains(&name) {
            return None;
        }
        let held = frame.cells.get(&name).copied()?;
        let mut all: Vec<Atom> = self.w.store.atoms_of(held);
        all.retain(|atom| {
            matches!(
                atom,
                Atom::Coll { .. } | Atom::Object { .. } | Atom::LibObject { .. }
            )
        });
        let objects = self.w.store.bounded_value(all);
        let v = self.w.store.join(arg, objects);
        (objects != V::NEVER && v != arg).then_some(v)
    }

    /// The last version of each parameter on the ways out.
    pub(crate) fn final_versions(&mut self, frame: &Frame, args: &[V]) -> Box<[Option<V>]> {
        let p = self.p;
        let (shape, function) = (p.shape(frame.f), p.function(frame.f));
        if shape.versions.is_empty() && shape.given_inside.is_empty() {
            return Box::default();
        }
        let mut out = Vec::with_capacity(args.len());
        for (param, arg) in args.iter().enumerate() {
            if let Some(v) = self.changed_inside(frame, param, *arg) {
                out.push(Some(v));
                continue;
            }
            let param = param as u32;
            if !shape.changes(param) {
                out.push(None);
                continue;
            }
            let mut seen = vec![false; frame.live.len()];
            let mut open = frame.returning.clone();
            let mut v = V::NEVER;
            while let Some(block) = open.pop() {
                if std::mem::replace(&mut seen[block as usize], true) {
                    continue;
                }
                if let Some(value) = shape.version(param, block) {
                    let one = frame.vals[value as usize];
                    v = self.w.store.join(v, one);
                    continue;
                }
                if block == 0 {
                    v = self.w.store.join(v, *arg);
                }
                let from = shape.before(block);
                open.extend(from.filter(|from| frame.went(function, *from, block)));
            }
            out.push((v != *arg && v != V::NEVER).then_some(v));
        }
        out.into()
    }
}
