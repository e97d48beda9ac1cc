//! In which order flows and findings are told, and which are left out.

use std::collections::BTreeSet;

use solvent_finding::{Finding, Flow, MAX_FLOWS, Symbol};

/// Where a method stands among those that a route answers: the plainest names the route.
pub(super) fn plainness(method: &str) -> usize {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let known = METHODS.iter().position(|m| *m == method);
    known.unwrap_or(METHODS.len())
}

/// The best flows, with one of every input before a second one of any.
pub(super) fn each_input_first(flows: Vec<Flow>) -> Vec<Flow> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let (mut first, more): (Vec<Flow>, Vec<Flow>) = flows
        .into_iter()
        .partition(|flow| seen.insert(flow.input.name.clone()));
    first.extend(more);
    first.truncate(MAX_FLOWS);
    first
}

/// Without findings that only ask whether a file is there, unless there is nothing worse about the
/// path: one root cause, one finding. What nothing reaches is not worth a word either.
pub(super) fn without_presence(mut findings: Vec<Finding>) -> Vec<Finding> {
    const ASKS: [&str; 7] = [
        "exists", "lexists", "isfile", "isdir", "is_file", "is_dir", "stat",
    ];
    let asks = |f: &Finding| ASKS.contains(&f.sink.callee.rsplit('.').next().unwrap_or_default());
    let key = |f: &Finding| {
        let entry = f.entry.as_ref()?;
        let flow = f.flows.first()?;
        Some((
            f.weakness.clone(),
            entry.handler.clone(),
            entry.route.clone(),
            flow.input.clone(),
        ))
    };
    let worse: BTreeSet<_> = findings
        .iter()
        .filter(|f| !asks(f))
        .filter_map(key)
        .collect();
    findings.retain(|f| !asks(f) || key(f).is_some_and(|key| !worse.contains(&key)));
    findings
}

/// A library's function or class, by its dotted path.
pub(super) fn library_symbol(path: &str) -> Symbol {
    let (module, qualname) = path.rsplit_once('.').unwrap_or(("", path));
    Symbol {
        module: module.to_owned(),
        qualname: qualname.to_owned(),
    }
}
