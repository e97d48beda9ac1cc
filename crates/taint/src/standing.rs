//! Of each function: what runs it, or why nothing does.
//!
//! Callers are closed here in the same sense as for findings: a function that is called unreachable and runs
//! all the same would make a false `no_path` of every sink in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use solvent_finding::{Assumption, Stop, Verdict};
use solvent_graph::FnId;
use solvent_ir::FunctionKind;

use crate::judge::View;

/// A function and whether anything runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub function: FnId,
    /// `reachable` from an entry point, a hook or what runs when the program starts.
    pub verdict: Verdict,
}

impl View<'_> {
    /// All functions but bodies of classes and comprehensions, which are the function's around them.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let functions: Vec<FnId> = self
            .graph
            .program
            .functions()
            .filter(|f| self.owner(*f) == *f)
            .collect();
        let reached: BTreeSet<FnId> = self
            .reached
            .iter()
            .map(|f| self.owner(*f))
            .chain(functions.iter().copied().filter(|f| self.is_body(*f)))
            .collect();
        let callees = self.callees();
        let taken = self.taken(&reached, &callees);
        let open = self.opened(&functions, &callees);
        let whole = self.whole_stops();
        let standing = |f: FnId| {
            if reached.contains(&f) {
                let assumed = Vec::new();
                return Verdict::Reachable { assumed };
            }
            if let Some(assumed) = taken.get(&f) {
                let assumed = vec![assumed.clone()];
                return Verdict::Reachable { assumed };
            }
            let stops = open
                .get(&f)
                .map_or_else(|| whole.clone(), |stop| vec![stop.clone()]);
            if stops.is_empty() {
                let reasons = self.unreached(f);
                return Verdict::NoPath { reasons };
            }
            Verdict::Undecided { stops }
        };
        functions
            .iter()
            .map(|function| Standing {
                function: *function,
                verdict: standing(*function),
            })
            .collect()
    }

    fn is_body(&self, f: FnId) -> bool {
        self.graph.program.function(f).kind == FunctionKind::Module
    }

    /// What each function calls.
    fn callees(&self) -> BTreeMap<FnId, BTreeSet<FnId>> {
        let mut out: BTreeMap<FnId, BTreeSet<FnId>> = BTreeMap::new();
        for (callee, callers) in &self.callers {
            for caller in callers {
                let callees = out.entry(self.owner(*caller)).or_default();
                callees.insert(self.owner(*callee));
            }
        }
        out
    }

    /// Functions that run if what runs hands them to something that calls them, and what they call.
    fn taken(
        &self,
        reached: &BTreeSet<FnId>,
        callees: &BTreeMap<FnId, BTreeSet<FnId>>,
    ) -> BTreeMap<FnId, Assumption> {
        let mut handed: BTreeMap<FnId, Vec<(FnId, Assumption)>> = BTreeMap::new();
        for (f, places) in &self.world.escapes {
            for (site, what) in places {
                // One of many methods of a name may be meant by a call: that says nothing of any of them.
                if self.world.meant.contains(&(*f, *site)) {
                    continue;
                }
                let assumed = Assumption::Handed {
                    to: what.clone(),
                    location: self.tracer.location(*site),
                };
                let here = handed.entry(self.owner(site.function)).or_default();
                here.push((self.owner(*f), assumed));
            }
        }
        let mut out: BTreeMap<FnId, Assumption> = BTreeMap::new();
        let mut queue: VecDeque<FnId> = reached.iter().copied().collect();
        while let Some(f) = queue.pop_front() {
            let mut next: Vec<(FnId, Assumption)> = handed.get(&f).cloned().unwrap_or_default();
            if let Some(assumed) = out.get(&f) {
                let called = callees.get(&f).into_iter().flatten();
                next.extend(called.map(|callee| (*callee, assumed.clone())));
            }
            for (f, assumed) in next {
                if !reached.contains(&f) && !out.contains_key(&f) {
                    out.insert(f, assumed);
                    queue.push_back(f);
                }
            }
        }
        out
    }

    /// Functions whose callers are not all known, themselves or those of a caller, each with the stop of the
    /// nearest one.
    fn opened(
        &self,
        functions: &[FnId],
        callees: &BTreeMap<FnId, BTreeSet<FnId>>,
    ) -> BTreeMap<FnId, Stop> {
        let mut out: BTreeMap<FnId, Stop> = BTreeMap::new();
        let mut queue: VecDeque<FnId> = VecDeque::new();
        for f in functions {
            if let Some(stop) = self.own_stops(*f).into_iter().next() {
                out.insert(*f, stop);
                queue.push_back(*f);
            }
        }
        while let Some(f) = queue.pop_front() {
            let Some(stop) = out.get(&f).cloned() else {
                continue;
            };
            for callee in callees.get(&f).into_iter().flatten() {
                if !out.contains_key(callee) {
                    out.insert(*callee, stop.clone());
                    queue.push_back(*callee);
                }
            }
        }
        out
    }
}
