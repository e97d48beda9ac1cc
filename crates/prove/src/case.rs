//! Cases: what a campaign tries one after the other, from findings or from entry points alone.

use solvent_finding::{
    Carrier, Condition, EntryPoint, Finding, Fingerprint, Flow, Input, RouteSegment, StepKind,
    Template, Transform, Verdict, WeaknessId,
};

use crate::campaign::Attack;

/// Which payloads and oracles a weakness is tried with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Family {
    Command,
    Sql,
    Path,
}

impl Family {
    pub fn of(weakness: &WeaknessId) -> Option<Self> {
        match weakness.0.as_str() {
            "CWE-78" | "CWE-77" | "CWE-88" => Some(Self::Command),
            "CWE-89" | "CWE-564" => Some(Self::Sql),
            "CWE-22" | "CWE-23" | "CWE-36" | "CWE-73" | "CWE-98" => Some(Self::Path),
            _ => None,
        }
    }
}

/// One way from an input to the sink, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    pub input: Input,
    /// What is known to happen to the text; several guesses when nothing is known.
    pub transforms: Vec<Vec<Transform>>,
    pub conditions: Vec<Condition>,
    pub template: Template,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub fingerprint: Option<Fingerprint>,
    pub weakness: WeaknessId,
    pub title: String,
    /// `file:line`, or empty.
    pub sink: String,
    pub entry: Option<EntryPoint>,
    pub leads: Vec<Lead>,
    /// Why it is not tried at all.
    pub refused: Option<String>,
}

/// Leads of one case that are tried; more are variants of the same ones.
const MAX_LEADS: usize = 12;

pub(crate) fn cases(attack: &Attack<'_>) -> Vec<Case> {
    match attack {
        Attack::Findings(findings) => findings.iter().map(of_finding).collect(),
        Attack::IgnoreVerdicts {
            entries,
            weaknesses,
        } => entries
            .iter()
            .flat_map(|entry| {
                weaknesses
                    .iter()
                    .map(move |weakness| of_entry(entry, weakness))
            })
            .collect(),
    }
}

/// Whether the flow goes on in another service.
fn crosses(flow: &Flow) -> bool {
    flow.steps.iter().any(|step| step.kind == StepKind::Sent)
}

fn of_finding(finding: &Finding) -> Case {
    let location = &finding.sink.location;
    let refused = match (&finding.entry, &finding.verdict) {
        (None, _) => Some("no entry point leads to this sink".to_owned()),
        (_, Verdict::NoPath { .. }) => {
            Some("static analysis found no path from any input".to_owned())
        }
        // An unfinished search may still have flows; those are tried.
        (Some(_), _) if finding.flows.is_empty() => {
            Some("no flow from an input is known".to_owned())
        }
        _ if finding.flows.iter().all(crosses) => {
            Some("the flow leads through another service, and one is started at a time".to_owned())
        }
        _ => None,
    };
    let leads = finding
        .flows
        .iter()
        .take(MAX_LEADS)
        .map(|flow| {
            let mut transforms = vec![flow.transforms.clone()];
            // A decoder that static analysis overlooked.
            if flow
                .transforms
                .iter()
                .any(|t| matches!(t, Transform::Opaque(_)))
            {
                transforms.push(vec![Transform::UrlDecode]);
                transforms.push(vec![Transform::Base64Decode]);
            }
            // What it imagined, or what cannot be undone, must not keep the plain text from being tried.
            transforms.push(Vec::new());
            transforms.dedup();
            Lead {
                input: flow.input.clone(),
                transforms,
                conditions: flow.conditions.clone(),
                template: flow.template.clone(),
            }
        })
        .collect();
    Case {
        fingerprint: Some(finding.fingerprint),
        weakness: finding.weakness.clone(),
        title: finding.title.clone(),
        sink: format!("{}:{}", location.path, location.line),
        entry: finding.entry.clone(),
        leads,
        refused,
    }
}

/// Every input of the route, with nothing known about what happens to it.
fn of_entry(entry: &EntryPoint, weakness: &WeaknessId) -> Case {
    let mut inputs: Vec<Input> = entry
        .inputs
        .iter()
        .map(|(input, _)| input.clone())
        .collect();
    for segment in &entry.segments {
        if let RouteSegment::Param { name, .. } = segment {
            inputs.push(Input {
                carrier: Carrier::PathSegment,
                name: name.clone(),
            });
        }
    }
    // Where no input is known, what static analysis overlooked must be survived too.
    if inputs.is_empty() {
        inputs.push(Input {
            carrier: Carrier::RawQuery,
            name: String::new(),
        });
    }
    inputs.sort();
    inputs.dedup();
    let leads = inputs
        .into_iter()
        .filter(|input| input.carrier != Carrier::Session)
        .map(|input| {
            let mut transforms = vec![Vec::new()];
            // Headers and cookies cannot carry every byte, so programs often decode them.
            if matches!(
                input.carrier,
                Carrier::Header | Carrier::Cookie | Carrier::HeaderName
            ) {
                transforms.push(vec![Transform::UrlDecode]);
            }
            transforms.push(vec![Transform::Base64Decode]);
            Lead {
                input,
                transforms,
                conditions: Vec::new(),
                template: Template::default(),
            }
        })
        .collect();
    Case {
        fingerprint: None,
        weakness: weakness.clone(),
        title: format!("{} at {}", weakness.0, entry.label()),
        sink: String::new(),
        entry: Some(entry.clone()),
        leads,
        refused: None,
    }
}

/// `query parameter q`
pub(crate) fn words(input: &Input) -> String {
    let kind = match input.carrier {
        Carrier::Query => "query parameter",
        Carrier::Form => "form field",
        Carrier::Json => "JSON key",
        Carrier::PathSegment => "path segment",
        Carrier::Header => "header",
        Carrier::Cookie => "cookie",
        Carrier::QueryName => "the name of a query parameter",
        Carrier::FormName => "the name of a form field",
        Carrier::HeaderName => "the name of a header",
        Carrier::RawQuery => "the query string",
        Carrier::RawPath => "the path as sent",
        Carrier::RawBody => "the body",
        Carrier::FileContent => "the content of the uploaded file",
        Carrier::FileName => "the name of the uploaded file",
        Carrier::Session => "the session value",
        Carrier::Predictable => "a number that can be guessed",
        Carrier::ListedName => "the name of a file in a folder",
    };
    if input.name.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind} `{}`", input.name)
    }
}
