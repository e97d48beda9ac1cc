//! Findings that one change cures.

use std::collections::BTreeMap;

use solvent_finding::{Finding, Flow, Sink, WeaknessId};

/// Findings that share one sink call: one root cause, one change request.
#[derive(Clone, Debug)]
pub struct RootCause<'a> {
    pub weakness: &'a WeaknessId,
    pub sink: &'a Sink,
    /// At least one, in the order given.
    pub findings: Vec<&'a Finding>,
}

impl RootCause<'_> {
    /// Every flow to the sink.
    pub(crate) fn flows(&self) -> Vec<&Flow> {
        self.findings.iter().flat_map(|f| &f.flows).collect()
    }
}

/// Groups findings by weakness, file and place of the sink call; in the order of their first finding. A call that
/// both reads and writes a file is one sink.
pub fn root_causes(findings: &[Finding]) -> Vec<RootCause<'_>> {
    let mut at: BTreeMap<_, usize> = BTreeMap::new();
    let mut out: Vec<RootCause<'_>> = Vec::new();
    for finding in findings {
        let location = &finding.sink.location;
        let key = (
            &finding.weakness,
            &location.path,
            location.span.start,
            location.span.end,
        );
        match at.get(&key) {
            Some(i) => out[*i].findings.push(finding),
            None => {
                at.insert(key, out.len());
                out.push(RootCause {
                    weakness: &finding.weakness,
                    sink: &finding.sink,
                    findings: vec![finding],
                });
            }
        }
    }
    out
}
