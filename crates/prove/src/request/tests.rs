use super::*;
use crate::value::room;
use solvent_base::{FilePath, Location, Span};
use solvent_finding::{EntryKind, Symbol};

fn entry(methods: &[&str], route: &[RouteSegment], inputs: &[(Carrier, &str)]) -> EntryPoint {
    EntryPoint {
        kind: EntryKind::Http,
        framework: "flask".into(),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        route: "/x".into(),
        segments: route.to_vec(),
        handler: Symbol {
            module: "app".into(),
            qualname: "x".into(),
        },
        location: Location {
            path: FilePath::new("app.py").expect("a path"),
            span: Span::default(),
            line: 1,
            column: 1,
        },
        inputs: inputs
            .iter()
            .map(|(carrier, name)| {
                (
                    Input {
                        carrier: carrier.clone(),
                        name: (*name).to_owned(),
                    },
                    Vec::new(),
                )
            })
            .collect(),
        auth: Vec::new(),
        assumed: None,
    }
}

fn first(
    entry: &EntryPoint,
    carrier: Carrier,
    name: &str,
    conditions: &[Condition],
) -> Option<Step> {
    let input = Input {
        carrier,
        name: name.to_owned(),
    };
    let way = ways(&input.carrier).first()?;
    let wish = Wish {
        entry,
        input: &input,
        conditions,
        way,
    };
    candidates(&wish).first().map(Draft::render)
}

fn text(raw: &Raw) -> String {
    String::from_utf8_lossy(&raw.0).into_owned()
}

fn literal(text: &str) -> RouteSegment {
    RouteSegment::Literal(text.to_owned())
}

fn param(name: &str, converter: &str) -> RouteSegment {
    RouteSegment::Param {
        name: name.into(),
        converter: converter.into(),
    }
}

#[test]
fn every_field_of_the_body_gets_a_value() {
    let entry = entry(
        &["GET", "POST"],
        &[literal("/login")],
        &[(Carrier::Form, "username"), (Carrier::Form, "password")],
    );
    let step = first(&entry, Carrier::Form, "username", &[]).expect("a request");
    assert_eq!(step.method, "POST");
    assert_eq!(
        text(&step.body),
        "password=Passw0rd1&username={{payload_form}}"
    );
}

#[test]
fn a_repetition_of_the_attacked_field_gets_the_payload_too() {
    let entry = entry(
        &["POST"],
        &[literal("/p")],
        &[
            (Carrier::Form, "password"),
            (Carrier::Form, "password_again"),
        ],
    );
    let input = Input {
        carrier: Carrier::Form,
        name: "password".into(),
    };
    let wish = Wish {
        entry: &entry,
        input: &input,
        conditions: &[],
        way: "payload_form",
    };
    let bodies: Vec<String> = candidates(&wish)
        .iter()
        .map(|d| text(&d.render().body))
        .collect();
    assert!(
        bodies.contains(&"password={{payload_form}}&password_again={{payload_form}}".to_owned())
    );
}

#[test]
fn a_number_converter_cannot_be_attacked_and_others_are_filled() {
    let entry = entry(
        &["GET"],
        &[
            literal("/u/"),
            param("id", "int"),
            literal("/"),
            param("name", "path"),
            literal(".txt"),
        ],
        &[],
    );
    assert_eq!(first(&entry, Carrier::PathSegment, "id", &[]), None);
    let step = first(&entry, Carrier::PathSegment, "name", &[]).expect("a request");
    assert_eq!(text(&step.target), "/u/1/{{payload_percent}}.txt");
}

#[test]
fn hand_written_dispatch_takes_its_path_from_conditions() {
    let entry = entry(
        &["GET"],
        &[],
        &[(Carrier::Query, "id"), (Carrier::Query, "v")],
    );
    let raw = Input {
        carrier: Carrier::RawPath,
        name: String::new(),
    };
    let absent = Input {
        carrier: Carrier::Query,
        name: "v".into(),
    };
    let conditions = [
        Condition {
            input: raw,
            comparison: Comparison::Equals,
            value: "/login".into(),
        },
        Condition {
            input: absent,
            comparison: Comparison::Absent,
            value: String::new(),
        },
    ];
    let step = first(&entry, Carrier::Query, "id", &conditions).expect("a request");
    assert_eq!(text(&step.target), "/login?id={{payload_percent}}");
}

#[test]
fn nested_json_is_built_from_dotted_keys() {
    let entry = entry(
        &["POST"],
        &[literal("/j")],
        &[
            (Carrier::Json, "a.b"),
            (Carrier::Json, "a.c"),
            (Carrier::Json, "d"),
        ],
    );
    let step = first(&entry, Carrier::Json, "a.b", &[]).expect("a request");
    assert_eq!(
        text(&step.body),
        r#"{"a":{"b":"{{payload_json}}","c":"a1"},"d":"a1"}"#
    );
}

#[test]
fn an_input_that_must_equal_a_constant_leaves_no_room() {
    let input = Input {
        carrier: Carrier::Query,
        name: "q".into(),
    };
    let fixed = Condition {
        input: input.clone(),
        comparison: Comparison::Equals,
        value: "x".into(),
    };
    assert_eq!(room(&input, &[fixed]), None);
}

fn guessed(methods: &[&str], carrier: Carrier, constants: &[&str]) -> Vec<Step> {
    let input = Input {
        carrier: carrier.clone(),
        name: String::new(),
    };
    let mut entry = entry(
        methods,
        &[RouteSegment::Literal("/x".into())],
        &[(carrier, "")],
    );
    entry.inputs[0].1 = constants.iter().map(|text| (*text).to_owned()).collect();
    let wish = Wish {
        entry: &entry,
        input: &input,
        conditions: &[],
        way: ways(&input.carrier)[0],
    };
    candidates(&wish).iter().map(Draft::render).collect()
}

#[test]
fn a_field_whose_name_is_attacked_takes_the_values_that_the_program_spells() {
    let steps = guessed(&["POST"], Carrier::FormName, &["admin", "x y"]);
    let bodies: Vec<String> = steps.iter().map(|step| text(&step.body)).collect();
    assert_eq!(
        bodies,
        [
            "{{payload_form}}=admin",
            "{{payload_form}}=x+y",
            "{{payload_form}}=a1"
        ]
    );
}

#[test]
fn a_query_string_that_is_searched_for_a_name_begins_with_it() {
    let steps = guessed(&["GET"], Carrier::RawQuery, &["file=", "zip"]);
    let targets: Vec<String> = steps.iter().map(|step| text(&step.target)).collect();
    assert_eq!(
        targets,
        [
            "/x?file={{payload}}",
            "/x?zip={{payload}}",
            "/x?{{payload}}"
        ]
    );
}

#[test]
fn a_parameter_of_unknown_name_takes_the_names_that_the_program_spells() {
    let steps = guessed(&["GET"], Carrier::Query, &["page"]);
    let targets: Vec<String> = steps.iter().map(|step| text(&step.target)).collect();
    assert_eq!(
        targets,
        ["/x?page={{payload_percent}}", "/x?a1={{payload_percent}}"]
    );
}

#[test]
fn a_body_goes_with_get_only_where_no_other_method_is_known() {
    let methods = |known: &[&str]| -> Vec<String> {
        guessed(known, Carrier::FormName, &[])
            .into_iter()
            .map(|step| step.method)
            .collect()
    };
    assert_eq!(methods(&["GET"]), ["GET"]);
    assert_eq!(methods(&["GET", "POST"]), ["POST", "GET"]);
}
