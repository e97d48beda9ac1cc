use super::*;

fn capsule() -> Capsule {
    Capsule {
        schema: SCHEMA.to_owned(),
        fingerprint: "ab".repeat(32),
        weakness: "CWE-78".to_owned(),
        title: "query parameter q reaches a shell".to_owned(),
        sink: "app.py:3".to_owned(),
        target: Target {
            digest: "sha256:00".to_owned(),
            recipe_digest: "sha256:11".to_owned(),
            recipe: String::new(),
        },
        role: "anonymous".to_owned(),
        tier: "P0".to_owned(),
        login: None,
        steps: vec![Step {
            method: "GET".to_owned(),
            target: Raw::text("/run?q={{payload}}"),
            headers: vec![(Raw::text("Host"), Raw::text("{{host}}"))],
            body: Raw::default(),
            captures: Vec::new(),
        }],
        payloads: Payloads {
            twin: vec![Value {
                name: "payload".to_owned(),
                text: Raw::text("{{token}}"),
                encode: vec![Encode::Percent],
            }],
            attack: vec![Value {
                name: "payload".to_owned(),
                text: Raw::text("';{{canary}};'"),
                encode: vec![Encode::Percent],
            }],
            zero: Vec::new(),
        },
        oracle: Oracle::CanaryProgram,
        expect: "the canary program runs".to_owned(),
        twin_status: 200,
        limits: Vec::new(),
    }
}

#[test]
fn a_capsule_survives_its_own_text_form() {
    let capsule = capsule();
    assert_eq!(parse(render(&capsule).as_bytes()), Ok(capsule));
}

#[test]
fn a_capsule_cut_anywhere_is_an_error_and_never_a_panic() {
    let text = render(&capsule());
    for end in 0..text.trim_end().len() {
        assert!(parse(&text.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn an_unknown_schema_or_field_is_refused_by_name() {
    let text = render(&capsule());
    let other = text.replace("solvent.capsule/v1", "solvent.capsule/v9");
    assert!(matches!(
        parse(other.as_bytes()),
        Err(CapsuleError::UnknownSchema { found }) if found == "solvent.capsule/v9"
    ));
    let extra = text.replacen("\"role\"", "\"rolle\"", 1);
    let message = parse(extra.as_bytes()).map_err(|e| e.to_string());
    assert!(message.is_err_and(|m| m.contains("rolle")));
}

#[test]
fn a_capsule_that_asks_for_what_nothing_fills_is_refused() {
    let mut wrong = capsule();
    wrong.steps[0].target = Raw::text("/run?q={{nothing}}");
    assert!(matches!(check(&wrong), Err(CapsuleError::Invalid { .. })));
    let mut secret = capsule();
    secret.steps[0].body = Raw::text("{{secret}}");
    assert!(matches!(check(&secret), Err(CapsuleError::Invalid { .. })));
}

#[test]
fn a_twin_with_other_names_than_its_attack_is_refused() {
    let mut wrong = capsule();
    wrong.payloads.twin.clear();
    assert!(matches!(check(&wrong), Err(CapsuleError::Invalid { .. })));
}

#[test]
fn bytes_that_are_no_text_survive() {
    let mut capsule = capsule();
    capsule.steps[0].body = Raw(vec![0xff, 0, 0x85]);
    assert_eq!(parse(render(&capsule).as_bytes()), Ok(capsule));
}

#[test]
fn braces_that_are_no_placeholder_stay_as_they_are() {
    let out = fill(b"{{ x }} {{a}} {{", |name| {
        Some(name.to_uppercase().into_bytes())
    });
    assert_eq!(out, Ok(b"{{ x }} A {{".to_vec()));
}

#[test]
fn the_curl_form_keeps_a_quote_in_a_payload_inside_its_word() {
    let script = curl(&capsule());
    assert!(
        script.contains("payload='%27%3B'\"$canary\"'%3B%27'"),
        "{script}"
    );
    assert!(script.contains("--path-as-is"));
}

#[test]
fn no_line_break_of_a_title_leaves_its_comment() {
    let mut capsule = capsule();
    capsule.title = "x\nrm -rf /".to_owned();
    assert!(!curl(&capsule).lines().any(|line| line.starts_with("rm ")));
}
