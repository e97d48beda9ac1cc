//! A value that a page shows at many places is one finding, which names them all.

use std::collections::BTreeMap;

use solvent_finding::{Carrier, Finding, Step, StepKind, Verdict};

use crate::judge::View;

/// Further places that are told one by one.
const MAX_PLACES: usize = 32;
/// How members end that put a value into a page as it is; what a template says leads to one of them.
const OUTPUT: &str = ".output";

/// What tells two findings of one page apart: weakness, way in, page, expression, and the ways to the page.
type Key = (String, String, String, String, Vec<Way>);
type Way = (Carrier, String, String, Vec<(String, u32, String)>);

impl View<'_> {
    /// The findings, with those joined that are about one expression in one page, reached in the same ways: the first
    /// stays, and its best flow names the other places in front of its sink.
    pub(crate) fn one_per_page(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut first: BTreeMap<Key, usize> = BTreeMap::new();
        let mut further: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
        let mut out: Vec<Finding> = Vec::new();
        let mut all = findings;
        all.sort_by(|a, b| a.sink.location.cmp(&b.sink.location));
        for finding in all {
            let Some(key) = self.key(&finding) else {
                out.push(finding);
                continue;
            };
            let Some(at) = first.get(&key) else {
                first.insert(key, out.len());
                out.push(finding);
                continue;
            };
            if out[*at].sink.location != finding.sink.location {
                further.entry(*at).or_default().push(Step {
                    kind: StepKind::Local,
                    location: finding.sink.location,
                    function: finding.sink.function,
                    what: "is put into the page here, too".to_owned(),
                    text: finding.sink.text,
                });
            }
        }
        for (at, mut steps) in further {
            let finding = &mut out[at];
            let count = steps.len();
            let places = if count == 1 { "place" } else { "places" };
            finding.title = format!("{}, and at {count} more {places}", finding.title);
            steps.truncate(MAX_PLACES);
            if let Some(flow) = finding.flows.first_mut() {
                let end = flow.steps.len().saturating_sub(1);
                flow.steps.splice(end..end, steps);
            }
        }
        out
    }

    fn key(&self, finding: &Finding) -> Option<Key> {
        let shown = finding.sink.callee.ends_with(OUTPUT)
            && matches!(finding.verdict, Verdict::Reachable { .. })
            && !finding.flows.is_empty();
        let entry = finding.entry.as_ref().filter(|_| shown)?;
        let location = &finding.sink.location;
        let ways = finding.flows.iter().map(|flow| {
            let before = flow.steps.len().saturating_sub(1);
            let steps = flow.steps[..before].iter().map(|step| {
                let path = step.location.path.as_str().to_owned();
                (path, step.location.span.start, step.what.clone())
            });
            let template = format!("{:?}", flow.template);
            let input = &flow.input;
            (
                input.carrier.clone(),
                input.name.clone(),
                template,
                steps.collect(),
            )
        });
        Some((
            finding.weakness.0.clone(),
            format!("{} {:?}", entry.label(), entry.handler),
            location.path.as_str().to_owned(),
            self.tracer.places.quote(&location.path, location.span),
            ways.collect(),
        ))
    }
}
