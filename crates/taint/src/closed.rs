//! Nothing arrives at a sink: why, and when that cannot be said.

use crate::judge::View;
use crate::trace::words;
use solvent_base::Location;
use solvent_finding::{NoPathReason, Stop, Verdict};
use solvent_graph::label::Origin;
use solvent_graph::shape::successors;
use solvent_graph::world::{SinkRef, SummaryId, Touch};
use solvent_graph::{FnId, RootKind, Site};
use solvent_ir::{FunctionKind, Terminator};
use std::collections::BTreeSet;

/// Callers that are looked at before the search is cut.
const MAX_CALLERS: usize = 2000;

impl View<'_> {
    /// Why nothing arrives at a sink; `None` when it only gets constants.
    pub(crate) fn closed(
        &self,
        sink: SinkRef,
        harmless: BTreeSet<NoPathReason>,
    ) -> Option<Verdict> {
        let f = sink.site.function;
        let alone = self.graph.alone.get(&f).map(|id| self.world.summary(*id));
        let alone_touch = alone.and_then(|s| {
            s.touched
                .iter()
                .find(|(at, _)| *at == sink)
                .map(|(_, touch)| *touch)
        });
        if let Some(what) = self.world.unread.get(&sink) {
            let labelled = self.outside.get(&sink) == Some(&Touch::Labelled);
            return labelled.then(|| Verdict::Undecided {
                stops: vec![Stop::DynamicBoundary {
                    location: self.tracer.location(sink.site),
                    what: format!("it is handed to {what}"),
                }],
            });
        }
        if let Some(stop) = self.left_by_request(sink) {
            return Some(Verdict::Undecided { stops: vec![stop] });
        }
        if !harmless.is_empty() {
            // What one caller makes harmless says nothing of callers that are not seen.
            if alone_touch == Some(Touch::Labelled)
                && let Some(stops) = self.stops_of(f)
            {
                return Some(Verdict::Undecided { stops });
            }
            return Some(Verdict::NoPath {
                reasons: harmless.into_iter().collect(),
            });
        }
        if let Some(touch) = self.outside.get(&sink).or_else(|| self.inside.get(&sink)) {
            let worst = (*touch).max(self.inside.get(&sink).copied().unwrap_or(Touch::Constant));
            if worst == Touch::Constant && alone_touch != Some(Touch::Labelled) {
                return None;
            }
            if !self.world.limits_hit.is_empty() && worst != Touch::Constant {
                let stops = self
                    .world
                    .limits_hit
                    .iter()
                    .map(|w| Stop::Limit { what: w.clone() })
                    .collect();
                return Some(Verdict::Undecided { stops });
            }
            // Without a parameter in it, the value does not depend on who else may call.
            if alone_touch == Some(Touch::Labelled)
                && let Some(stops) = self.stops_of(f)
            {
                return Some(Verdict::Undecided { stops });
            }
            return Some(Verdict::NoPath {
                reasons: vec![NoPathReason::NotFromInput],
            });
        }
        if alone_touch == Some(Touch::Constant) {
            return None;
        }
        if self.reached.contains(&f) || alone.is_some() && alone_touch.is_none() {
            // The function runs, but control does not get to the sink.
            if let Some(reason) = self.dead_branch(sink.site) {
                return Some(Verdict::NoPath {
                    reasons: vec![reason],
                });
            }
        }
        if let Some(stops) = self.stops_of(f) {
            if alone_touch == Some(Touch::Plain) && self.world.limits_hit.is_empty() {
                return Some(Verdict::NoPath {
                    reasons: vec![NoPathReason::NotFromInput],
                });
            }
            return Some(Verdict::Undecided { stops });
        }
        let function = self.graph.program.function(f);
        if matches!(
            function.kind,
            FunctionKind::Module | FunctionKind::ClassBody
        ) {
            return Some(Verdict::NoPath {
                reasons: vec![NoPathReason::NotFromInput],
            });
        }
        Some(Verdict::NoPath {
            reasons: self.unreached(f),
        })
    }

    /// Why nothing leads to a function, where every caller is known.
    pub(crate) fn unreached(&self, f: FnId) -> Vec<NoPathReason> {
        let owner = self.owner(f);
        let callers: Vec<FnId> = self
            .callers
            .get(&owner)
            .into_iter()
            .flatten()
            .copied()
            .filter(|c| self.owner(*c) != owner)
            .collect();
        let cut = self
            .world
            .dead_calls
            .iter()
            .filter(|(_, callee)| *callee == owner)
            .find_map(|(site, _)| self.dead_branch(*site));
        let idle: Vec<NoPathReason> = self
            .world
            .idle_calls
            .iter()
            .filter(|(_, callee)| *callee == owner)
            .map(|(site, callee)| NoPathReason::NeverRun {
                location: self.tracer.location(*site),
                function: self.symbol(*callee),
            })
            .take(8)
            .collect();
        if callers.is_empty() && !idle.is_empty() {
            idle
        } else if let (true, Some(cut)) = (callers.is_empty(), cut) {
            vec![cut]
        } else if callers.is_empty() {
            vec![NoPathReason::NoCaller {
                function: self.symbol(owner),
            }]
        } else {
            let mut out: Vec<NoPathReason> = callers
                .into_iter()
                .map(|caller| NoPathReason::DeadCaller {
                    function: self.symbol(owner),
                    caller: self.symbol(caller),
                })
                .collect();
            out.sort();
            out.truncate(8);
            out
        }
    }

    /// Whether the place stands in a template that nothing is seen to render, and in no macro that others call:
    /// whatever does is no part of this program, or not modelled.
    pub(crate) fn is_idle_view(&self, f: FnId) -> bool {
        let idle = |f: FnId| {
            !self.callers.contains_key(&f)
                && !self.world.escapes.contains_key(&f)
                && !self.from_outside.contains(&f)
        };
        let view = self.graph.program.view_of(f);
        view.is_some_and(|view| idle(view) && idle(self.owner(f)))
    }

    /// The function whose call runs this one: a comprehension belongs to the function around it.
    pub(crate) fn owner(&self, mut f: FnId) -> FnId {
        let program = &self.graph.program;
        for _ in 0..32 {
            let function = program.function(f);
            match (function.kind, function.parent) {
                (FunctionKind::Comprehension | FunctionKind::ClassBody, Some(parent)) => {
                    f = program.fn_id(program.unit_of(f), parent);
                }
                _ => break,
            }
        }
        f
    }

    /// What keeps the search for callers from being finished.
    pub(crate) fn stops_of(&self, f: FnId) -> Option<Vec<Stop>> {
        let mut stops: BTreeSet<Stop> = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![self.owner(f)];
        while let Some(f) = open.pop() {
            if seen.len() > MAX_CALLERS {
                let what = format!("more than {MAX_CALLERS} functions lead there");
                stops.insert(Stop::Limit { what });
                break;
            }
            if !seen.insert(f) {
                continue;
            }
            stops.extend(self.own_stops(f));
            for caller in self.callers.get(&f).into_iter().flatten() {
                open.push(self.owner(*caller));
            }
        }
        if stops.is_empty() {
            stops.extend(self.whole_stops());
        }
        (!stops.is_empty()).then(|| stops.into_iter().take(6).collect())
    }

    /// Who may call this very function without being seen.
    pub(crate) fn own_stops(&self, f: FnId) -> BTreeSet<Stop> {
        let mut stops: BTreeSet<Stop> = BTreeSet::new();
        for (site, what) in self.world.escapes.get(&f).into_iter().flatten() {
            stops.insert(Stop::DynamicBoundary {
                location: self.tracer.location(*site),
                what: format!("`{}` is handed to {what}", self.symbol(f).qualname),
            });
        }
        if self.world.unsettled.contains(&f) {
            let what = format!("a loop in `{}` did not settle", self.symbol(f).qualname);
            stops.insert(Stop::Limit { what });
        }
        stops.extend(self.inherited(f));
        stops
    }

    /// What keeps every search for callers from being finished.
    pub(crate) fn whole_stops(&self) -> Vec<Stop> {
        if let Some(path) = &self.unreadable {
            return vec![Stop::Unreadable { path: path.clone() }];
        }
        let limits = &self.world.limits_hit;
        let all = || limits.iter().map(|w| Stop::Limit { what: w.clone() });
        if self.graph.alone.is_empty() {
            all().collect()
        } else {
            Vec::new()
        }
    }

    /// Where a request leaves what the sink gets in code that starts with the program: a worker's queue, a
    /// goroutine's channel, a list that a timer reads.
    fn left_by_request(&self, sink: SinkRef) -> Option<Stop> {
        let started = self.roots.iter().filter(|r| r.kind == RootKind::Body);
        let hits = started.flat_map(|r| &r.hits).filter(|h| h.sink == sink);
        hits.into_iter().find_map(|hit| {
            let deep = self.world.store.deep(hit.value);
            let labels = self.world.store.labels(deep);
            labels.iter().find_map(|label| match label.origin {
                // Nothing else brings input to these.
                Origin::Input(id) if !self.world.store.input(id).carrier.is_no_request() => {
                    Some(Stop::Stored {
                        input: words(&self.tracer.input(self.world.store.input(id))),
                    })
                }
                _ => None,
            })
        })
    }

    /// A method that a base class from outside the tree may call.
    pub(crate) fn inherited(&self, f: FnId) -> Option<Stop> {
        let program = &self.graph.program;
        let function = program.function(f);
        let class = program.class_id(program.unit_of(f), function.class?);
        if self.world.unused.contains(&class) {
            return None;
        }
        let bases = self.world.outside_bases(class, self.tracer.names);
        let base = bases.first()?;
        let by_tests = |base: &String| {
            let id = self.models.member_id(base);
            id.is_some_and(|id| self.models.get(id).tests)
        };
        if self.from_outside.contains(&f) || bases.iter().any(by_tests) {
            return None;
        }
        let location: Location = self
            .tracer
            .places
            .location(program.path_of(f), function.name_span);
        Some(Stop::DynamicBoundary {
            location,
            what: format!("`{base}` may call `{}`", self.symbol(f).qualname),
        })
    }

    /// The constant branch that keeps control from a place.
    pub(crate) fn dead_branch(&self, site: Site) -> Option<NoPathReason> {
        let program = &self.graph.program;
        let function = program.function(site.function);
        let block = function
            .blocks
            .iter()
            .position(|b| (b.start..b.end).contains(&site.inst))? as u32;
        let mut cuts: BTreeSet<(u32, u32)> = BTreeSet::new();
        let mut stops: BTreeSet<(u32, u32)> = BTreeSet::new();
        let ids: Vec<SummaryId> = self
            .roots
            .iter()
            .flat_map(|r| r.summaries.iter().copied())
            .filter(|id| self.world.summary(*id).function == site.function)
            .chain(self.graph.alone.get(&site.function).copied())
            .collect();
        for id in ids {
            let summary = self.world.summary(id);
            let behind = |(at, inst): &(u32, u32)| *at == block && *inst < site.inst;
            let live = summary.live.get(block as usize).copied().unwrap_or(false);
            if live && !summary.stopped.iter().any(behind) {
                return None;
            }
            cuts.extend(summary.cut.iter().copied());
            stops.extend(summary.stopped.iter().copied());
        }
        let path = program.path_of(site.function);
        for (branch, cut) in cuts {
            let mut seen = BTreeSet::new();
            let mut open = vec![cut];
            while let Some(at) = open.pop() {
                if !seen.insert(at) {
                    continue;
                }
                open.extend(successors(function, at));
            }
            if !seen.contains(&block) {
                continue;
            }
            let Terminator::Branch { condition, .. } = &function.blocks[branch as usize].terminator
            else {
                continue;
            };
            let at = Site {
                function: site.function,
                inst: condition.0,
            };
            return Some(NoPathReason::DeadBranch {
                location: self.tracer.location(at),
                condition: self.tracer.places.quote(path, program.span(at)),
            });
        }
        for (at, inst) in stops {
            let mut seen = BTreeSet::new();
            let mut open = vec![at];
            while let Some(at) = open.pop() {
                if seen.insert(at) {
                    open.extend(successors(function, at));
                }
            }
            if seen.contains(&block) {
                let at = Site {
                    function: site.function,
                    inst,
                };
                return Some(NoPathReason::NeverPassed {
                    location: self.tracer.location(at),
                    what: self.tracer.places.quote(path, program.span(at)),
                });
            }
        }
        None
    }
}
