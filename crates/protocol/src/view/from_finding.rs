//! From the domain's nouns to what is shown. The only place that chooses the words for them.

use solvent_base::Location;
use solvent_finding::{
    Assumption, Carrier, Comparison, Condition, EntryPoint, Finding, Flow, Input, NoPathReason,
    Part, Severity, Step, StepKind, Stop, Symbol, Template, Verdict,
};

use super::{
    EntryPointView, FindingView, FlowView, Place, ReasonView, SinkView, StepView, VerdictView,
};

impl From<&Location> for Place {
    fn from(location: &Location) -> Self {
        Self {
            path: location.path.to_string(),
            line: location.line,
            column: location.column,
        }
    }
}

/// `module:qualname`, or the module alone for its body.
pub fn symbol_text(symbol: &Symbol) -> String {
    if symbol.qualname.is_empty() {
        symbol.module.clone()
    } else {
        format!("{}:{}", symbol.module, symbol.qualname)
    }
}

/// `query parameter q`, `the raw request body`.
pub fn input_text(input: &Input) -> String {
    let name = &input.name;
    match input.carrier {
        Carrier::Query => format!("query parameter {name}"),
        Carrier::Form => format!("form field {name}"),
        Carrier::Json => format!("JSON key {name}"),
        Carrier::PathSegment => format!("path segment {name}"),
        Carrier::Header => format!("header {name}"),
        Carrier::Cookie => format!("cookie {name}"),
        Carrier::QueryName => "the name of a query parameter".to_owned(),
        Carrier::FormName => "the name of a form field".to_owned(),
        Carrier::HeaderName => "the name of a header".to_owned(),
        Carrier::RawQuery => "the raw query string".to_owned(),
        Carrier::RawPath => "the raw request path".to_owned(),
        Carrier::RawBody => "the raw request body".to_owned(),
        Carrier::FileContent => format!("content of uploaded file {name}"),
        Carrier::FileName => format!("name of uploaded file {name}"),
        Carrier::Session => format!("session value {name}"),
        Carrier::Predictable => "a number that can be guessed".to_owned(),
        Carrier::ListedName => "the name of a file in a folder".to_owned(),
    }
}

/// The template with `{input}` and `{...}`; `None` when nothing is known.
pub fn template_text(template: &Template) -> Option<String> {
    if template.parts.is_empty() {
        return None;
    }
    Some(
        template
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) if text == "\0" => " | ",
                Part::Literal(text) => text.as_str(),
                Part::Input => "{input}",
                Part::Other => "{...}",
            })
            .collect(),
    )
}

fn condition_text(condition: &Condition) -> String {
    let input = input_text(&condition.input);
    let value = &condition.value;
    match condition.comparison {
        Comparison::Equals => format!("{input} equals `{value}`"),
        Comparison::NotEquals => format!("{input} differs from `{value}`"),
        Comparison::Contains => format!("{input} contains `{value}`"),
        Comparison::StartsWith => format!("{input} starts with `{value}`"),
        Comparison::EndsWith => format!("{input} ends with `{value}`"),
        Comparison::Present => format!("{input} is present"),
        Comparison::Absent => format!("{input} is absent"),
        Comparison::Matches => format!("{input} matches `{value}`"),
        Comparison::Digits => format!("{input} is made of digits"),
    }
}

impl From<&EntryPoint> for EntryPointView {
    fn from(entry: &EntryPoint) -> Self {
        Self {
            label: entry.label(),
            framework: entry.framework.clone(),
            methods: entry.methods.clone(),
            route: entry.route.clone(),
            handler: symbol_text(&entry.handler),
            place: (&entry.location).into(),
            inputs: entry
                .inputs
                .iter()
                .map(|(input, _)| input_text(input))
                .collect(),
            auth: entry.auth.clone(),
            assumed: entry.assumed.clone(),
            exposure: None,
        }
    }
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> Self {
        let kind = match step.kind {
            StepKind::Source => "source",
            StepKind::Local => "local",
            StepKind::Call => "call",
            StepKind::Return => "return",
            StepKind::Library => "library",
            StepKind::Sent => "sent",
            StepKind::Sink => "sink",
        };
        Self {
            kind: kind.to_owned(),
            place: (&step.location).into(),
            function: symbol_text(&step.function),
            what: step.what.clone(),
            text: step.text.clone(),
        }
    }
}

impl From<&Flow> for FlowView {
    fn from(flow: &Flow) -> Self {
        Self {
            input: input_text(&flow.input),
            steps: flow.steps.iter().map(Into::into).collect(),
            conditions: flow.conditions.iter().map(condition_text).collect(),
            template: template_text(&flow.template),
        }
    }
}

impl From<&Verdict> for VerdictView {
    fn from(verdict: &Verdict) -> Self {
        let reasons = match verdict {
            Verdict::Reachable { assumed } => assumed.iter().map(Into::into).collect(),
            Verdict::NoPath { reasons } => reasons.iter().map(Into::into).collect(),
            Verdict::Undecided { stops } => stops.iter().map(Into::into).collect(),
        };
        Self {
            word: verdict.word().to_owned(),
            reasons,
        }
    }
}

fn reason(code: &str, text: String, place: Option<&Location>) -> ReasonView {
    ReasonView {
        code: code.to_owned(),
        text,
        place: place.map(Into::into),
    }
}

impl From<&Assumption> for ReasonView {
    fn from(assumption: &Assumption) -> Self {
        match assumption {
            Assumption::NameOnlyCall { name, location } => reason(
                "name_only_call",
                format!("`{name}` is matched by name, the receiver's type is not known"),
                Some(location),
            ),
            Assumption::Registration { what } => reason("registration", what.clone(), None),
            Assumption::Widened { location } => reason(
                "widened",
                "a container was too deep or too wide to follow key by key".to_owned(),
                Some(location),
            ),
            Assumption::Handed { to, location } => reason(
                "handed",
                format!("it is handed to {to}, which is taken to call it"),
                Some(location),
            ),
            Assumption::UnmodelledCall { name, location } => reason(
                "unmodelled_call",
                format!("`{name}` is not modelled and is taken to pass its arguments on"),
                Some(location),
            ),
        }
    }
}

impl From<&NoPathReason> for ReasonView {
    fn from(why: &NoPathReason) -> Self {
        match why {
            NoPathReason::NoCaller { function } => reason(
                "no_caller",
                format!(
                    "no route and no caller leads to `{}`",
                    symbol_text(function)
                ),
                None,
            ),
            NoPathReason::DeadCaller { function, caller } => reason(
                "dead_caller",
                format!(
                    "`{}` is called only by `{}`, which nothing leads to",
                    symbol_text(function),
                    symbol_text(caller)
                ),
                None,
            ),
            NoPathReason::DeadBranch {
                location,
                condition,
            } => reason(
                "dead_branch",
                format!("the branch on `{condition}` is never taken"),
                Some(location),
            ),
            NoPathReason::NeverPassed { location, what } => reason(
                "never_passed",
                format!("control does not get past `{what}`"),
                Some(location),
            ),
            NoPathReason::NeverRun { location, function } => reason(
                "never_run",
                format!(
                    "`{}` is called here, but what it makes is never run",
                    symbol_text(function)
                ),
                Some(location),
            ),
            NoPathReason::Sanitized { location, by } => reason(
                "sanitized",
                format!("`{by}` makes the input harmless here"),
                Some(location),
            ),
            NoPathReason::Guarded { location, by } => reason(
                "guarded",
                format!("`{by}` lets only harmless values pass"),
                Some(location),
            ),
            NoPathReason::NotFromInput => reason(
                "not_from_input",
                "the value does not come from any input".to_owned(),
                None,
            ),
            NoPathReason::Position { what } => reason("position", what.clone(), None),
        }
    }
}

impl From<&Stop> for ReasonView {
    fn from(stop: &Stop) -> Self {
        match stop {
            Stop::DynamicBoundary { location, what } => {
                reason("dynamic_boundary", what.clone(), Some(location))
            }
            Stop::UnknownArgument { location, what } => {
                reason("unknown_argument", what.clone(), Some(location))
            }
            Stop::NoCheckSeen { location, what } => {
                reason("no_check_seen", what.clone(), Some(location))
            }
            Stop::Limit { what } => reason("limit", what.clone(), None),
            Stop::Unreadable { path } => reason(
                "unreadable",
                format!("`{path}` could not be read whole"),
                None,
            ),
            Stop::NoSourceModel { framework } => reason(
                "no_source_model",
                format!("routes of `{framework}` were found, but none of its sources is modelled"),
                None,
            ),
            Stop::Stored { input } => reason(
                "stored",
                format!(
                    "a request leaves {input} where code that starts with the program finds it; whether that runs \
                     afterwards is not known"
                ),
                None,
            ),
        }
    }
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        let severity = match finding.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        Self {
            id: finding.fingerprint.short(),
            fingerprint: finding.fingerprint.0.hex(),
            weakness: finding.weakness.0.clone(),
            severity: severity.to_owned(),
            title: finding.title.clone(),
            sink: SinkView {
                kind: finding.sink.kind.0.clone(),
                callee: finding.sink.callee.clone(),
                place: (&finding.sink.location).into(),
                function: symbol_text(&finding.sink.function),
                text: finding.sink.text.clone(),
            },
            entry: finding.entry.as_ref().map(Into::into),
            verdict: (&finding.verdict).into(),
            flows: finding.flows.iter().map(Into::into).collect(),
            way: finding.way.iter().map(Into::into).collect(),
        }
    }
}
