//! Requests from one service to another, and the findings that go on there.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Digest, FilePath, Location, Span};
use solvent_deploy::{bind, cross};
use solvent_finding::{
    Carried, Carrier, Comparison, Condition, EntryKind, EntryPoint, Finding, Fingerprint, Flow,
    Input, Landing, Part, RouteSegment, Sent, Severity, Sink, SinkKind, Step, StepKind, Symbol,
    Template, Verdict, WeaknessId,
};

use crate::read;

fn at(path: &str) -> Location {
    Location {
        path: FilePath::new(path).expect("a path"),
        span: Span::default(),
        line: 3,
        column: 1,
    }
}

fn symbol(name: &str) -> Symbol {
    Symbol {
        module: name.to_owned(),
        qualname: "handler".to_owned(),
    }
}

fn input(carrier: Carrier, name: &str) -> Input {
    Input {
        carrier,
        name: name.to_owned(),
    }
}

fn entry(path: &str, segments: Vec<RouteSegment>) -> EntryPoint {
    let route = segments
        .iter()
        .map(|segment| match segment {
            RouteSegment::Literal(text) => text.clone(),
            RouteSegment::Param { name, .. } => format!("<{name}>"),
        })
        .collect();
    EntryPoint {
        kind: EntryKind::Http,
        framework: "flask".to_owned(),
        methods: vec!["GET".to_owned()],
        route,
        segments,
        handler: symbol(path),
        location: at(path),
        inputs: Vec::new(),
        auth: Vec::new(),
        assumed: None,
    }
}

fn flow(input: Input, kind: StepKind, conditions: Vec<Condition>) -> Flow {
    Flow {
        input,
        steps: vec![Step {
            kind,
            location: at("web/app.py"),
            function: symbol("web"),
            what: String::new(),
            text: String::new(),
        }],
        transforms: Vec::new(),
        conditions,
        template: Template::default(),
    }
}

struct Case {
    url: Vec<Part>,
    landing: Landing,
    harmless: Vec<String>,
    fixed: Vec<(Input, String)>,
    kind: &'static str,
    route: Vec<RouteSegment>,
    read: Input,
    conditions: Vec<Condition>,
}

impl Case {
    /// `http://orders:8000/search?q={input}`, where `q` becomes SQL.
    fn usual() -> Self {
        Self {
            url: vec![
                Part::Literal("http://orders:8000/search?q=".to_owned()),
                Part::Input,
            ],
            landing: Landing::Url(1),
            harmless: Vec::new(),
            fixed: Vec::new(),
            kind: "sql-text",
            route: vec![RouteSegment::Literal("/search".to_owned())],
            read: input(Carrier::Query, "q"),
            conditions: Vec::new(),
        }
    }

    /// Titles of the findings that the request makes.
    fn crossing(self) -> Vec<String> {
        let deployment = read(&[(
            "compose.yaml",
            "services:\n  web: {build: ./web}\n  orders: {build: ./orders}\n",
        )]);
        let files = ["orders/app.py", "web/app.py"].map(str::to_owned);
        let bound = bind::bind(&deployment, &files, &BTreeMap::new(), &BTreeSet::new());
        let caller = entry(
            "web/app.py",
            vec![RouteSegment::Literal("/find".to_owned())],
        );
        let callee = entry("orders/app.py", self.route);
        let finding = Finding {
            fingerprint: Fingerprint(Digest::of(b"one")),
            weakness: WeaknessId("CWE-0".to_owned()),
            severity: Severity::High,
            title: "query parameter `q` reaches the sink".to_owned(),
            sink: Sink {
                kind: SinkKind(self.kind.to_owned()),
                callee: "sink".to_owned(),
                location: at("orders/app.py"),
                function: symbol("orders"),
                text: String::new(),
            },
            entry: Some(callee.clone()),
            flows: vec![flow(self.read, StepKind::Sink, self.conditions)],
            way: Vec::new(),
            verdict: Verdict::Reachable {
                assumed: Vec::new(),
            },
        };
        let sent = vec![Sent {
            entry: Some(caller.clone()),
            location: at("web/app.py"),
            function: symbol("web"),
            callee: "requests.get".to_owned(),
            method: Some("GET".to_owned()),
            url: self.url,
            carried: vec![Carried {
                landing: self.landing,
                flow: flow(input(Carrier::Query, "term"), StepKind::Sent, Vec::new()),
                harmless: self.harmless,
                assumed: Vec::new(),
            }],
            fixed: self.fixed,
        }];
        let entries = vec![caller, callee];
        let calls = cross::calls(&deployment, &bound, &sent, &entries);
        cross::crossing(&deployment, &calls, &sent, &entries, &[finding])
            .into_iter()
            .map(|finding| finding.title)
            .collect()
    }
}

#[test]
fn an_input_in_the_url_is_the_receivers() {
    assert_eq!(
        Case::usual().crossing(),
        ["query parameter `term` reaches the sink in service `orders`"]
    );
    let path = Case {
        url: vec![
            Part::Literal("http://orders/items/".to_owned()),
            Part::Input,
        ],
        route: vec![
            RouteSegment::Literal("/items/".to_owned()),
            RouteSegment::Param {
                name: "id".to_owned(),
                converter: "string".to_owned(),
            },
        ],
        read: input(Carrier::PathSegment, "id"),
        ..Case::usual()
    };
    assert_eq!(path.crossing().len(), 1);
}

#[test]
fn another_host_path_field_or_kind_makes_no_finding() {
    let url = |text: &str| Case {
        url: vec![Part::Literal(text.to_owned()), Part::Input],
        ..Case::usual()
    };
    for other in [
        "http://elsewhere:8000/search?q=",
        "http://orders:8000/other?q=",
        "http://orders:8000/search?other=",
        "http://orders-",
    ] {
        assert_eq!(url(other).crossing(), Vec::<String>::new(), "{other}");
    }
    let cleaned = Case {
        harmless: vec!["sql-text".to_owned()],
        ..Case::usual()
    };
    assert_eq!(cleaned.crossing(), Vec::<String>::new());
    // The answer of an inner service goes to the caller, not to a browser.
    let page = Case {
        kind: "html-text",
        ..Case::usual()
    };
    assert_eq!(page.crossing(), Vec::<String>::new());
}

#[test]
fn what_is_always_sent_the_same_decides_what_the_receiver_asks() {
    let asks = |sent: &str| Case {
        fixed: vec![(input(Carrier::Query, "mode"), sent.to_owned())],
        conditions: vec![Condition {
            input: input(Carrier::Query, "mode"),
            comparison: Comparison::Equals,
            value: "raw".to_owned(),
        }],
        ..Case::usual()
    };
    assert_eq!(asks("raw").crossing().len(), 1);
    assert_eq!(asks("plain").crossing(), Vec::<String>::new());
}
