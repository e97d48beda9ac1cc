//! Uses: calls that are weak by themselves or by their constants, and what leads to them.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Digest;
use solvent_finding::{
    Assumption, EntryPoint, Finding, Fingerprint, Sink, SinkKind, Step, StepKind, Stop, Verdict,
    WeaknessId,
};
use solvent_graph::world::{Held, SinkRef, SummaryId, Use};
use solvent_graph::{CallTier, Root, RootKind, Site};
use solvent_models::{Judge, KindInfo, Shown, Weakness};

use crate::FixedSink;
use crate::judge::{View, severity};

/// Where a use was seen from one root.
struct Seen<'a> {
    root: &'a Root,
    summary: SummaryId,
    seen: Use,
}

impl View<'_> {
    /// Findings of uses, and which of them only ever get constants that do no harm.
    pub(crate) fn uses(&self, entries: &[EntryPoint]) -> (Vec<Finding>, Vec<FixedSink>) {
        let mut by_use: BTreeMap<SinkRef, Vec<Seen<'_>>> = BTreeMap::new();
        for root in self.roots {
            for id in &root.summaries {
                for (at, seen) in &self.world.summary(*id).used {
                    by_use.entry(*at).or_default().push(Seen {
                        root,
                        summary: *id,
                        seen: *seen,
                    });
                }
            }
        }
        let mut out = Vec::new();
        let mut fixed = Vec::new();
        for (at, best) in &self.world.uses {
            let member = self.models.get(at.member);
            let Some(row) = member.uses.get(at.row as usize) else {
                continue;
            };
            let seen = by_use.get(at).map_or(&[][..], Vec::as_slice);
            let of_flow = |w: &&Weakness| w.judged_by == Judge::Flow;
            for weakness in self.models.weaknesses_into(row.kind).filter(of_flow) {
                if *best == Held::No {
                    fixed.push(FixedSink {
                        weakness: WeaknessId(weakness.id.clone()),
                        callee: member.path.clone(),
                        location: self.tracer.location(at.site),
                    });
                    continue;
                }
                let info = self.models.kind_info(row.kind);
                out.extend(self.use_of(*at, *best, seen, info, weakness, entries));
            }
        }
        (out, fixed)
    }

    fn use_of(
        &self,
        at: SinkRef,
        best: Held,
        seen: &[Seen<'_>],
        info: &KindInfo,
        weakness: &Weakness,
        entries: &[EntryPoint],
    ) -> Option<Finding> {
        for held in [Held::Yes, Held::Unknown] {
            let mut through: Vec<&Seen<'_>> = seen.iter().filter(|s| s.seen.held == held).collect();
            // Entry points before hooks, which run around all of them, before what runs once at the start.
            through.sort_by_key(|s| match s.root.kind {
                RootKind::Entry(i) => (0, i),
                RootKind::Hook => (1, 0),
                RootKind::Body => (2, 0),
            });
            let Some(first) = through.first() else {
                continue;
            };
            let entry = match first.root.kind {
                RootKind::Entry(i) => entries.get(i),
                RootKind::Hook => self
                    .graph
                    .entries
                    .iter()
                    .position(|e| !e.route.is_empty())
                    .and_then(|i| entries.get(i)),
                RootKind::Body => None,
            };
            let others: BTreeSet<usize> = through
                .iter()
                .filter_map(|s| match s.root.kind {
                    RootKind::Entry(i) => Some(i),
                    _ => None,
                })
                .collect();
            let (way, mut assumed) = self.way(first, at.site, entry, others.len(), info);
            let verdict = if held == Held::Yes {
                if let Some(why) = entry.and_then(|e| e.assumed.clone()) {
                    assumed.push(Assumption::Registration { what: why });
                }
                assumed.sort();
                assumed.dedup();
                Verdict::Reachable { assumed }
            } else {
                Verdict::Undecided {
                    stops: vec![self.unknown_argument(at)],
                }
            };
            let made =
                self.use_finding(at, first.seen, info, weakness, entry.cloned(), way, verdict);
            return Some(made);
        }
        if !seen.is_empty() {
            // What runs gives it constants that do no harm; only who is not seen could give others.
            let stops = self.stops_of(at.site.function)?;
            let nothing = self.nothing(best);
            let verdict = Verdict::Undecided { stops };
            return Some(self.use_finding(at, nothing, info, weakness, None, Vec::new(), verdict));
        }
        let alone = self.graph.alone.get(&at.site.function).and_then(|id| {
            let used = &self.world.summary(*id).used;
            used.iter().find(|(one, _)| *one == at).map(|(_, u)| *u)
        });
        let known = alone.unwrap_or_else(|| self.nothing(best));
        let verdict = match (self.dead_branch(at.site), self.stops_of(at.site.function)) {
            (Some(reason), _) if alone.is_none() => Verdict::NoPath {
                reasons: vec![reason],
            },
            (_, Some(stops)) => Verdict::Undecided { stops },
            (_, None) => Verdict::NoPath {
                reasons: self.unreached(at.site.function),
            },
        };
        Some(self.use_finding(at, known, info, weakness, None, Vec::new(), verdict))
    }

    fn nothing(&self, held: Held) -> Use {
        Use {
            held,
            what: self.world.store.empty,
        }
    }

    fn unknown_argument(&self, at: SinkRef) -> Stop {
        let member = self.models.get(at.member);
        let row = member.uses.get(at.row as usize);
        let conditions = row.map_or(&[][..], |row| row.when.as_slice());
        // What is left out has a value that is known.
        let needed = conditions.iter().filter(|when| when.default.is_none());
        let mut asked: BTreeSet<String> = needed.map(|when| format!("`{}`", when.arg)).collect();
        if asked.is_empty() {
            asked = conditions
                .iter()
                .map(|when| format!("`{}`", when.arg))
                .collect();
        }
        let asked: Vec<String> = asked.into_iter().collect();
        Stop::UnknownArgument {
            location: self.tracer.location(at.site),
            what: format!(
                "what `{}` gets as {} is not known",
                member.path,
                asked.join(" and ")
            ),
        }
    }

    /// The calls from a root to a use, the nearest way.
    fn way(
        &self,
        seen: &Seen<'_>,
        site: Site,
        entry: Option<&EntryPoint>,
        others: usize,
        info: &KindInfo,
    ) -> (Vec<Step>, Vec<Assumption>) {
        let mut steps = Vec::new();
        let mut assumed = Vec::new();
        let first = seen.root.summaries.first().copied();
        let start = first.map(|id| self.world.summary(id).function);
        if let Some(f) = start {
            let begins = Site {
                function: f,
                inst: 0,
            };
            let (location, what) = match entry {
                Some(entry) => {
                    let more = match others.saturating_sub(1) {
                        0 => String::new(),
                        1 => ", and one entry point more".to_owned(),
                        n => format!(", and {n} entry points more"),
                    };
                    let what = format!("answers {}{more}", entry.label());
                    (entry.location.clone(), what)
                }
                None => {
                    let what = "runs when the program starts".to_owned();
                    (self.tracer.location(begins), what)
                }
            };
            let text = self.tracer.places.line(
                self.graph.program.path_of(f),
                self.graph.program.function(f).name_span,
            );
            steps.push(Step {
                kind: StepKind::Source,
                location,
                function: self.symbol(f),
                what,
                text,
            });
        }
        for (call, tier, to) in first.map_or_else(Vec::new, |id| self.calls_to(id, seen.summary)) {
            let callee = self.symbol(self.world.summary(to).function);
            if tier == CallTier::NameOnly {
                assumed.push(Assumption::NameOnlyCall {
                    name: callee.qualname.clone(),
                    location: self.tracer.location(call),
                });
            }
            if call.inst == u32::MAX {
                continue;
            }
            steps.push(Step {
                kind: StepKind::Call,
                location: self.tracer.location(call),
                function: self.symbol(call.function),
                what: format!("calls `{}`", callee.qualname),
                text: self.line(call, Shown::AsWritten),
            });
        }
        steps.push(Step {
            kind: StepKind::Sink,
            location: self.tracer.location(site),
            function: self.symbol(site.function),
            what: format!("is {}", info.words),
            text: self.line(site, info.shown),
        });
        (steps, assumed)
    }

    /// The shortest chain of calls between two summaries.
    fn calls_to(&self, from: SummaryId, to: SummaryId) -> Vec<(Site, CallTier, SummaryId)> {
        type Edge = (SummaryId, Site, CallTier);
        let mut came: BTreeMap<SummaryId, Option<Edge>> = BTreeMap::from([(from, None)]);
        let mut open = std::collections::VecDeque::from([from]);
        while let Some(id) = open.pop_front() {
            if id == to {
                break;
            }
            for (site, tier, next) in &self.world.summary(id).calls {
                if !came.contains_key(next) {
                    came.insert(*next, Some((id, *site, *tier)));
                    open.push_back(*next);
                }
            }
        }
        let mut out = Vec::new();
        let mut at = to;
        while let Some(Some((before, site, tier))) = came.get(&at) {
            out.push((*site, *tier, at));
            at = *before;
        }
        out.reverse();
        out
    }

    fn line(&self, site: Site, shown: Shown) -> String {
        let path = self.graph.program.path_of(site.function);
        let text = self.tracer.places.line(path, self.graph.program.span(site));
        match shown {
            Shown::AsWritten => text,
            Shown::Masked => masked(&text),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a finding has this many parts")]
    fn use_finding(
        &self,
        at: SinkRef,
        seen: Use,
        info: &KindInfo,
        weakness: &Weakness,
        entry: Option<EntryPoint>,
        way: Vec<Step>,
        verdict: Verdict,
    ) -> Finding {
        let member = self.models.get(at.member);
        let what = self.tracer.names.text(seen.what);
        let with = if what.is_empty() || info.shown == Shown::Masked {
            String::new()
        } else {
            format!(" with `{what}`")
        };
        Finding {
            fingerprint: Fingerprint(Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title: format!(
                "{}: {}{with} in {}",
                info.words,
                member.path,
                self.place_name(at.site)
            ),
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: member.path.clone(),
                location: self.tracer.location(at.site),
                function: self.symbol(at.site.function),
                text: self.line(at.site, info.shown),
            },
            entry,
            flows: Vec::new(),
            way,
            verdict,
        }
    }
}

/// A line of source text without what stands in its quotes.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in text.chars() {
        match quote {
            Some(open) => {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == open {
                    quote = None;
                    out.push('…');
                    out.push(c);
                }
            }
            None => {
                if matches!(c, '"' | '\'' | '`') {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    if quote.is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_line_keeps_its_shape_and_loses_what_is_quoted() {
        let line = r#"db.connect("root", 'p"w\'d', port=1)"#;
        assert_eq!(masked(line), r#"db.connect("…", '…', port=1)"#);
        assert_eq!(masked("key = \"never closed"), "key = \"…");
    }
}
