//! Two answers, compared: entry points and findings that are new, gone, another, or led through what changed.
//!
//! Lines and columns are no part of what is compared: what only moved is as it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;
use solvent_protocol::impact::{EntryImpact, FlowImpact, Left};
use solvent_protocol::view::{EntryPointView, ExposureView, FindingView, Place, ScanReport};

use super::known::{Calls, Known};
use super::outline::Outline;

/// Changed functions that are named for one flow or entry point.
const NAMED: usize = 8;

/// What changed in the files of both revisions, by path.
#[derive(Default)]
pub struct Outlines {
    pub files: BTreeMap<String, (Outline, Outline)>,
}

impl Outlines {
    fn after(&self, place: &Place) -> Option<&str> {
        let (_, after) = self.files.get(&place.path)?;
        after.changed_at(place.line, place.column)
    }
}

/// Everything that differs, and how much does not.
pub struct Compared {
    pub entry_points: Vec<EntryImpact>,
    pub flows: Vec<FlowImpact>,
    pub left: Left,
}

pub fn compare(before: &Known, after: &Known, outlines: &Outlines) -> Compared {
    let mut left = Left::default();
    let flows = flows(&before.report, &after.report, outlines, &mut left);
    let entry_points = entry_points(before, after, outlines, &flows, &mut left);
    Compared {
        entry_points,
        flows,
        left,
    }
}

fn order(how: &str) -> u8 {
    match how {
        "new" => 0,
        "changed" => 1,
        "touched" => 2,
        _ => 3,
    }
}

/// Without lines and columns.
fn still(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("line");
                fields.remove("column");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

fn value(of: &impl serde::Serialize) -> Value {
    still(serde_json::to_value(of).unwrap_or_default())
}

/// A finding in parts that are compared each by itself, with the words for a part that differs.
fn parts(finding: &FindingView) -> Vec<(&'static str, Value)> {
    let flows = &finding.flows;
    let of_flows = |part: fn(&solvent_protocol::view::FlowView) -> Value| -> Value {
        flows.iter().map(part).collect::<Vec<_>>().into()
    };
    let entry = finding.entry.as_ref().map(|e| {
        // What else it reads is the entry point's own, and so is how far it is known who can reach it: of a flow
        // it counts whether somebody outside may.
        let is_open = e.exposure.as_ref().is_none_or(ExposureView::is_open);
        serde_json::json!([
            e.label,
            e.framework,
            e.methods,
            e.handler,
            e.auth,
            e.assumed,
            is_open
        ])
    });
    vec![
        (
            "another reason for the verdict",
            value(&finding.verdict.reasons),
        ),
        ("another input", of_flows(|f| value(&f.input))),
        ("another way", of_flows(|f| value(&f.steps))),
        ("another way", value(&finding.way)),
        ("other conditions", of_flows(|f| value(&f.conditions))),
        ("another text at the sink", of_flows(|f| value(&f.template))),
        ("another sink", value(&finding.sink)),
        ("another entry point", value(&entry)),
        (
            "told otherwise",
            value(&(&finding.weakness, &finding.severity, &finding.title)),
        ),
    ]
}

fn differences(before: &FindingView, after: &FindingView) -> Vec<String> {
    // Everything else follows from it.
    if before.verdict.word != after.verdict.word {
        return vec!["another verdict".to_owned()];
    }
    let mut out: Vec<String> = Vec::new();
    for ((words, old), (_, new)) in parts(before).into_iter().zip(parts(after)) {
        if old != new && !out.iter().any(|w| w == words) {
            out.push(words.to_owned());
        }
    }
    out
}

/// What makes a finding the same flaw after its file moved.
fn moved_key(finding: &FindingView) -> (String, String, String) {
    let entry = finding.entry.as_ref().map(|e| e.label.clone());
    (
        finding.weakness.clone(),
        entry.unwrap_or_default(),
        finding.sink.text.clone(),
    )
}

/// What makes findings ones of the same sink, whatever leads there.
fn sink_key(finding: &FindingView) -> [&str; 4] {
    let sink = &finding.sink;
    [&finding.weakness, &sink.kind, &sink.function, &sink.text]
}

fn through(finding: &FindingView, outlines: &Outlines) -> Vec<String> {
    let steps = finding.flows.iter().flat_map(|flow| &flow.steps);
    let places = steps
        .chain(&finding.way)
        .map(|step| &step.place)
        .chain([&finding.sink.place])
        .chain(finding.entry.as_ref().map(|entry| &entry.place))
        // A reason for a verdict may rest upon what is no step of a way.
        .chain(
            finding
                .verdict
                .reasons
                .iter()
                .filter_map(|r| r.place.as_ref()),
        );
    let mut out: Vec<String> = Vec::new();
    for name in places.filter_map(|place| outlines.after(place)) {
        if out.len() < NAMED && !out.iter().any(|n| n == name) {
            out.push(name.to_owned());
        }
    }
    out
}

fn flows(
    before: &ScanReport,
    after: &ScanReport,
    outlines: &Outlines,
    left: &mut Left,
) -> Vec<FlowImpact> {
    // Several findings may share a print: one call may do harm in two ways, or stand twice on one line.
    fn print(finding: &FindingView) -> (&str, &str) {
        (&finding.fingerprint, &finding.sink.kind)
    }
    let mut old: BTreeMap<(&str, &str), VecDeque<&FindingView>> = BTreeMap::new();
    for finding in &before.findings {
        old.entry(print(finding)).or_default().push_back(finding);
    }
    let mut pairs: Vec<(&FindingView, Option<&FindingView>)> = after
        .findings
        .iter()
        .map(|finding| {
            let same = old.get_mut(&print(finding));
            (finding, same.and_then(VecDeque::pop_front))
        })
        .collect();
    let mut gone: Vec<&FindingView> = before
        .findings
        .iter()
        .filter(|f| {
            old.get(&print(f))
                .is_some_and(|rest| rest.iter().any(|r| std::ptr::eq(*r, *f)))
        })
        .collect();
    for (finding, same) in &mut pairs {
        if same.is_none() {
            let key = moved_key(finding);
            let at = gone.iter().position(|f| moved_key(f) == key);
            *same = at.map(|at| gone.remove(at));
        }
    }
    // What nothing leads to stands for all ways that lead there in the other revision.
    let mut stood_for: Vec<&FindingView> = Vec::new();
    for (finding, same) in &mut pairs {
        if same.is_none() {
            let key = sink_key(finding);
            let like = |f: &&&FindingView| {
                sink_key(f) == key && (f.entry.is_none() || finding.entry.is_none())
            };
            *same = gone.iter().find(like).copied();
            stood_for.extend(*same);
        }
    }
    gone.retain(|f| !stood_for.iter().any(|other| std::ptr::eq(*f, *other)));
    let mut out: Vec<FlowImpact> = Vec::new();
    for (finding, same) in pairs {
        let through = through(finding, outlines);
        let (how, changes) = match same {
            None => ("new", Vec::new()),
            Some(earlier) => {
                let mut changes = differences(earlier, finding);
                if earlier.fingerprint != finding.fingerprint && changes.is_empty() {
                    changes.push("another print".to_owned());
                }
                match (changes.is_empty(), through.is_empty()) {
                    (false, _) => ("changed", changes),
                    (true, false) => ("touched", changes),
                    (true, true) => {
                        match finding.verdict.word.as_str() {
                            "reachable" => left.reachable += 1,
                            "undecided" => left.undecided += 1,
                            _ => left.no_path += 1,
                        }
                        continue;
                    }
                }
            }
        };
        let other = same.filter(|earlier| earlier.verdict.word != finding.verdict.word);
        let moved = same.filter(|earlier| earlier.fingerprint != finding.fingerprint);
        out.push(FlowImpact {
            how: how.to_owned(),
            finding: finding.clone(),
            before: other.map(|earlier| earlier.verdict.clone()),
            was: moved.map(|earlier| earlier.fingerprint.clone()),
            changes,
            through,
        });
    }
    out.extend(gone.into_iter().map(|finding| FlowImpact {
        how: "gone".to_owned(),
        finding: finding.clone(),
        before: None,
        was: None,
        changes: Vec::new(),
        through: Vec::new(),
    }));
    out.sort_by_key(|flow| order(&flow.how));
    out
}

type EntryKey<'a> = (&'a str, &'a str, &'a str);

fn full_key(e: &EntryPointView) -> EntryKey<'_> {
    (&e.label, &e.handler, &e.place.path)
}

/// Pairs what is left of both sides by a weaker key.
fn pair_by<'a, K: PartialEq>(
    new: &mut Vec<&'a EntryPointView>,
    gone: &mut Vec<&'a EntryPointView>,
    pairs: &mut Vec<(&'a EntryPointView, &'a EntryPointView)>,
    key: impl Fn(&'a EntryPointView) -> K,
) {
    new.retain(|entry| {
        let wanted = key(entry);
        match gone.iter().position(|old| key(old) == wanted) {
            Some(at) => {
                pairs.push((gone.remove(at), *entry));
                false
            }
            None => true,
        }
    });
}

fn entry_points(
    before: &Known,
    after: &Known,
    outlines: &Outlines,
    flows: &[FlowImpact],
    left: &mut Left,
) -> Vec<EntryImpact> {
    let mut new: Vec<&EntryPointView> = after.report.entry_points.iter().collect();
    let mut gone: Vec<&EntryPointView> = before.report.entry_points.iter().collect();
    let mut pairs = Vec::new();
    pair_by(&mut new, &mut gone, &mut pairs, full_key);
    // The same route with another handler, then the same handler on another route.
    pair_by(&mut new, &mut gone, &mut pairs, |e| {
        (&e.label, &e.framework)
    });
    let has_name = |e: &&EntryPointView| !e.handler.ends_with('>');
    let (mut named, nameless): (Vec<_>, Vec<_>) = new.into_iter().partition(has_name);
    pair_by(&mut named, &mut gone, &mut pairs, |e| {
        (&e.handler, &e.place.path)
    });
    let new = named.into_iter().chain(nameless);

    let leads = Leads::of(after, outlines, true);
    let led = Leads::of(before, outlines, false);
    let impact = |how: &str, entry: &EntryPointView, changes, through| EntryImpact {
        how: how.to_owned(),
        entry: entry.clone(),
        changes,
        through,
    };
    let mut out: Vec<EntryImpact> = new
        .map(|entry| impact("new", entry, Vec::new(), leads.from(entry)))
        .collect();
    for (old, entry) in pairs {
        let changes = entry_changes(old, entry);
        let mut through = leads.from(entry);
        // What evaluation from the entry point found is on the ways of its flows.
        let of_flows = flows
            .iter()
            .filter(|flow| flow.how != "gone")
            .filter(|flow| flow.finding.entry.as_ref().map(full_key) == Some(full_key(entry)))
            .flat_map(|flow| flow.through.clone());
        for name in led.from(old).into_iter().chain(of_flows) {
            if through.len() < NAMED && !through.contains(&name) {
                through.push(name);
            }
        }
        match (changes.is_empty(), through.is_empty()) {
            (false, _) => out.push(impact("changed", entry, changes, through)),
            (true, false) => out.push(impact("touched", entry, changes, through)),
            (true, true) => left.entry_points += 1,
        }
    }
    out.extend(
        gone.into_iter()
            .map(|entry| impact("gone", entry, Vec::new(), Vec::new())),
    );
    let place = |e: &EntryImpact| (e.entry.place.path.clone(), e.entry.place.line);
    out.sort_by_cached_key(|e| (order(&e.how), place(e), e.entry.label.clone()));
    out
}

fn entry_changes(old: &EntryPointView, new: &EntryPointView) -> Vec<String> {
    let mut out = Vec::new();
    let mut lists = |of: &str, old: &[String], new: &[String]| {
        let missing = |from: &[String], to: &[String]| -> Vec<String> {
            from.iter().filter(|x| !to.contains(x)).cloned().collect()
        };
        for (list, what) in [(missing(old, new), "gone"), (missing(new, old), "new")] {
            for item in list {
                out.push(format!("{of} `{item}` is {what}"));
            }
        }
    };
    lists("the check", &old.auth, &new.auth);
    lists("the method", &old.methods, &new.methods);
    lists("the input", &old.inputs, &new.inputs);
    let mut differs = |what: &str, old: &str, new: &str| {
        if old != new {
            let said = |text: &str| match text {
                "" => "nothing".to_owned(),
                text => format!("`{text}`"),
            };
            out.push(format!("{what} was {}, is {}", said(old), said(new)));
        }
    };
    let reach = |e: &EntryPointView| e.exposure.as_ref().map(|x| x.reach.clone());
    let (was, is) = (reach(old), reach(new));
    differs(
        "its exposure",
        was.as_deref().unwrap_or("unknown"),
        is.as_deref().unwrap_or("unknown"),
    );
    differs("its route", &old.route, &new.route);
    differs("its handler", &old.handler, &new.handler);
    differs("its framework", &old.framework, &new.framework);
    let assumed = |e: &EntryPointView| e.assumed.clone().unwrap_or_default();
    differs("what is taken for granted", &assumed(old), &assumed(new));
    let callers = |e: &EntryPointView| e.exposure.as_ref().map(|x| x.callers.clone());
    if callers(old) != callers(new) {
        out.push("other services call it".to_owned());
    }
    out
}

/// Which changed functions control comes to from where.
struct Leads<'a> {
    calls: &'a Calls,
    next: BTreeMap<u32, Vec<u32>>,
    /// By number.
    changed: BTreeMap<u32, &'a str>,
    numbers: BTreeMap<(&'a str, u32), Vec<(u32, &'a str)>>,
}

impl<'a> Leads<'a> {
    fn of(known: &'a Known, outlines: &'a Outlines, is_after: bool) -> Self {
        let calls = &known.calls;
        let mut changed = BTreeMap::new();
        let mut numbers: BTreeMap<(&str, u32), Vec<(u32, &str)>> = BTreeMap::new();
        let mut number = 0;
        for (path, functions) in &calls.functions {
            let outline = outlines.files.get(path);
            for (line, column, name) in functions {
                numbers
                    .entry((path, *line))
                    .or_default()
                    .push((number, name));
                let at = outline.and_then(|(before, after)| {
                    let outline = if is_after { after } else { before };
                    outline.changed_at(*line, *column)
                });
                if let Some(name) = at {
                    changed.insert(number, name);
                }
                number += 1;
            }
        }
        let mut next: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        if !changed.is_empty() {
            for (caller, callee) in &calls.edges {
                next.entry(*caller).or_default().push(*callee);
            }
        }
        Self {
            calls,
            next,
            changed,
            numbers,
        }
    }

    /// The first function of a file stands for a handler that is no function of the program.
    fn number(&self, entry: &EntryPointView) -> Option<u32> {
        let path = entry.place.path.as_str();
        let here = self.numbers.get(&(path, entry.place.line));
        let named = here.and_then(|all| all.iter().find(|(_, name)| *name == entry.handler));
        if let Some((number, _)) = named {
            return Some(*number);
        }
        let (first, _) = self.calls.functions.get_key_value(path)?;
        let here = self.numbers.range((first.as_str(), 0)..).next()?;
        here.1.first().map(|(number, _)| *number)
    }

    fn from(&self, entry: &EntryPointView) -> Vec<String> {
        if self.changed.is_empty() {
            return Vec::new();
        }
        let Some(start) = self.number(entry) else {
            return Vec::new();
        };
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        let mut out = Vec::new();
        while let Some(at) = queue.pop_front() {
            if let Some(name) = self.changed.get(&at)
                && !out.iter().any(|n| n == name)
            {
                out.push((*name).to_owned());
                if out.len() == NAMED {
                    break;
                }
            }
            for callee in self.next.get(&at).into_iter().flatten() {
                if seen.insert(*callee) {
                    queue.push_back(*callee);
                }
            }
        }
        out
    }
}
