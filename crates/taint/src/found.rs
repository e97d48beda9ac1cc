//! Findings that are no flow of an input: something is at a place, and an entry point leads there.

use solvent_finding::{
    EntryPoint, Finding, Fingerprint, Sink, SinkKind, Step, StepKind, Verdict, WeaknessId,
};
use solvent_graph::Site;
use solvent_models::{KindInfo, Weakness};

use crate::judge::{View, severity};

impl View<'_> {
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
