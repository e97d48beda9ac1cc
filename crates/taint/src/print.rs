//! Fingerprints: the same flaw has the same one after lines moved or a folder was put in front.

use std::collections::BTreeMap;

use solvent_base::Digest;
use solvent_finding::{Finding, Fingerprint};
use solvent_graph::{SystemGraph, World};

/// Gives every finding its fingerprint. Findings that agree in everything that a fingerprint is made
/// of are told apart by their order in the text.
pub(crate) fn number(findings: &mut [Finding], _world: &World, _graph: &SystemGraph) {
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by_key(|i| findings[*i].sink.location.clone());
    let mut seen: BTreeMap<Digest, BTreeMap<(String, u32), u32>> = BTreeMap::new();
    for i in order {
        let finding = &mut findings[i];
        let entry = match &finding.entry {
            Some(entry) => format!("{} {}", entry.methods.join(","), entry.route),
            None => String::new(),
        };
        let handler = finding
            .entry
            .as_ref()
            .map(|e| e.handler.qualname.clone())
            .unwrap_or_default();
        // The last component of the module: a folder in front changes only the others.
        let module = finding
            .sink
            .function
            .module
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        let text: String = finding
            .sink
            .text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let parts = [
            finding.weakness.0.as_str(),
            entry.as_str(),
            handler.as_str(),
            finding.sink.callee.as_str(),
            module.as_str(),
            finding.sink.function.qualname.as_str(),
            text.as_str(),
        ];
        let base = Digest::of_parts(parts.iter().map(|p| p.as_bytes()));
        let at = seen.entry(base).or_default();
        let next = at.len() as u32;
        let place = (
            finding.sink.location.path.to_string(),
            finding.sink.location.span.start,
        );
        let ordinal = *at.entry(place).or_insert(next);
        finding.fingerprint = Fingerprint(Digest::of_parts([
            base.as_bytes().as_slice(),
            &ordinal.to_be_bytes(),
        ]));
    }
}
