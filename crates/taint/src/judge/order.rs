//! In which order flows and findings are told, and which are left out.

use std::collections::BTreeSet;

use solvent_finding::{Carrier, Finding, Flow, Input, MAX_FLOWS, Symbol};

/// Where a method stands among those that a route answers: the plainest names the route.
pub(super) fn plainness(method: &str) -> usize {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let known = METHODS.iter().position(|m| *m == method);
    known.unwrap_or(METHODS.len())
}

/// The best flows, with one of every input before a second one of any. Where there are more than are told, one of
/// every carrier is among them: any header may be all that a list of best ones holds.
pub(super) fn each_input_first(flows: Vec<Flow>) -> Vec<Flow> {
    let mut seen: BTreeSet<(Option<Carrier>, String)> = BTreeSet::new();
    let (mut first, more): (Vec<Flow>, Vec<Flow>) = flows.into_iter().partition(|flow| {
        let Input { carrier, name } = &flow.input;
        let unnamed = name.is_empty().then(|| carrier.clone());
        seen.insert((unnamed, name.clone()))
    });
    first.extend(more);
    let mut carriers: BTreeSet<Carrier> = BTreeSet::new();
    let opens: Vec<bool> = first
        .iter()
        .map(|flow| carriers.insert(flow.input.carrier.clone()))
        .collect();
    let mut room = MAX_FLOWS.saturating_sub(carriers.len());
    let mut out = Vec::new();
    for (flow, opens) in first.into_iter().zip(opens) {
        if !opens && room == 0 {
            continue;
        }
        room -= usize::from(!opens);
        out.push(flow);
    }
    out.truncate(MAX_FLOWS);
    out
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
