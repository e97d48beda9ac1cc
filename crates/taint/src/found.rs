//! Findings that are no flow of an input: something is at a place, and an entry point leads there.

use std::collections::BTreeMap;

use solvent_finding::{
    EntryPoint, Finding, Fingerprint, Sink, SinkKind, Step, StepKind, Verdict, WeaknessId,
};
use solvent_graph::{RootKind, Site};
use solvent_ir::{Function, Value};
use solvent_models::{Judge, KindInfo, Weakness};

use crate::judge::{View, severity};

impl View<'_> {
    /// Findings of weaknesses judged so, at the instructions of which `sees` tells a name: each once, through the first
    /// entry point that leads there.
    pub(crate) fn seen_in_handlers(
        &self,
        judge: Judge,
        entries: &[EntryPoint],
        sees: impl Fn(&EntryPoint, &Function, Value) -> Option<String>,
        told: impl Fn(&Weakness, Site, &str, &EntryPoint) -> Option<Finding>,
    ) -> Vec<Finding> {
        let judged = |weakness: &&Weakness| weakness.judged_by == judge;
        let weaknesses: Vec<&Weakness> = self.models.weaknesses().iter().filter(judged).collect();
        if weaknesses.is_empty() {
            return Vec::new();
        }
        let mut found: BTreeMap<Site, (String, &EntryPoint)> = BTreeMap::new();
        for root in self.roots {
            let RootKind::Entry(i) = root.kind else {
                continue;
            };
            let Some(entry) = entries.get(i) else {
                continue;
            };
            for id in &root.summaries {
                let f = self.world.summary(*id).function;
                let function = self.graph.program.function(f);
                for inst in 0..function.insts.len() as u32 {
                    if let Some(name) = sees(entry, function, Value(inst)) {
                        let site = Site { function: f, inst };
                        found.entry(site).or_insert((name, entry));
                    }
                }
            }
        }
        let each = found.iter().flat_map(|(site, (name, entry))| {
            let of = weaknesses.iter();
            of.map(move |weakness| (*weakness, *site, name, *entry))
        });
        each.filter_map(|(weakness, site, name, entry)| told(weakness, site, name, entry))
            .collect()
    }

    /// What is at a place of the program, through an entry point: `answers` is added to what is said of that.
    pub(crate) fn found_at(
        &self,
        (weakness, info): (&Weakness, &KindInfo),
        site: Site,
        title: String,
        entry: &EntryPoint,
        answers: &str,
    ) -> Finding {
        let path = self.graph.program.path_of(site.function);
        let text = self.tracer.places.line(path, self.graph.program.span(site));
        let location = self.tracer.location(site);
        let function = self.symbol(site.function);
        Finding {
            fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title,
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: entry.framework.clone(),
                location: location.clone(),
                function: function.clone(),
                text: text.clone(),
            },
            entry: Some(entry.clone()),
            flows: Vec::new(),
            way: vec![
                Step {
                    kind: StepKind::Source,
                    location: entry.location.clone(),
                    function: entry.handler.clone(),
                    what: format!("answers {}{answers}", entry.label()),
                    text: String::new(),
                },
                Step {
                    kind: StepKind::Sink,
                    location,
                    function,
                    what: format!("is {}", info.words),
                    text,
                },
            ],
            verdict: Verdict::Reachable {
                assumed: Vec::new(),
            },
        }
    }
}
