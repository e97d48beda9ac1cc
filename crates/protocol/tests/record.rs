//! One record, one sequence of bytes; anything else is refused and nothing panics.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

use proptest::prelude::*;
use solvent_base::Digest;
use solvent_protocol::record::canonical::{self, Json, MAX_DEPTH, MAX_SAFE};
use solvent_protocol::record::{
    Actor, ActorKind, Answer, Body, Commitment, DecisionNote, Item, Link, MAX_RECORD_BYTES, Phase,
    Record, RecordError, Status,
};

fn sample() -> Record {
    Record {
        seq: 7,
        time_ms: 1_790_000_000_000,
        clock_ms: None,
        body: Body {
            actor: Actor {
                id: "run-3".to_owned(),
                kind: ActorKind::Agent,
                on_behalf_of: Some("ana".to_owned()),
            },
            action: "scan".to_owned(),
            target: "repository shop".to_owned(),
            phase: Phase::Result {
                intent: 6,
                status: Status::Done,
            },
            inputs: Vec::new(),
            outputs: vec![Item {
                commitment: Commitment(Digest::of(b"x")),
                name: "scan-report".to_owned(),
            }],
            decision: None,
            links: vec![Link {
                rel: "run".to_owned(),
                to: "a\"b\\\u{7f}\u{1f}é😀".to_owned(),
            }],
        },
    }
}

/// Bytes that are hashed live for ever: this text must never change.
#[test]
fn the_bytes_of_a_record_are_these_and_stay_so() {
    let expected = concat!(
        r#"{"action":"scan","actor":{"id":"run-3","kind":"agent","on_behalf_of":"ana"},"intent":6,"#,
        r#""links":[{"rel":"run","to":"a\"b\\"#,
        "\u{7f}",
        r"\u001fé😀",
        r#""}],"outputs":[{"commitment":"hmac-sha256:"#,
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        r#"","name":"scan-report"}],"phase":"result","seq":7,"status":"done","#,
        r#""target":"repository shop","time_ms":1790000000000,"v":1}"#,
    );
    assert_eq!(
        String::from_utf8(sample().to_bytes().unwrap()).unwrap(),
        expected
    );
}

#[test]
fn other_spellings_of_the_same_record_are_refused() {
    let bytes = String::from_utf8(sample().to_bytes().unwrap()).unwrap();
    let spoiled = [
        bytes.replace("\"seq\":7", "\"seq\": 7"),
        bytes.replace("\"seq\":7", "\"seq\":7.0"),
        bytes.replace("\"seq\":7", "\"seq\":7e0"),
        bytes.replace("\"seq\":7", "\"seq\":7,\"seq\":7"),
        bytes.replace("\"seq\":7", "\"seq\":07"),
        bytes.replace("\"seq\":7", "\"seq\":9007199254740993"),
        bytes.replace("\"seq\":7", "\"seq\":6"),
        bytes.replace("\"v\":1", "\"v\":1,\"w\":1"),
        bytes.replace("\"v\":1", "\"v\":2"),
        bytes.replace("\"action\":\"scan\"", "\"action\":\"\\u0073can\""),
        bytes.replace("\"action\":\"scan\"", "\"action\":\"\""),
        bytes.replace(r#""action":"scan","actor":"#, r#""actor":"#),
        bytes.replace("hmac-sha256:2d", "hmac-sha256:2D"),
        bytes.replace("hmac-sha256:2d", "sha256:2d"),
        bytes.replace("\"status\":\"done\",", ""),
        bytes.replace("\"intent\":6,", "\"intent\":6,\"inputs\":[],"),
        bytes.replace("\"intent\":6", "\"intent\":7"),
        format!("{bytes} "),
        format!("\u{feff}{bytes}"),
        "[".repeat(60_000),
        "{\"actor\":".repeat(7_000),
        String::new(),
    ];
    for text in &spoiled {
        assert_ne!(*text, bytes);
        assert!(Record::from_bytes(text.as_bytes()).is_err(), "{text:.80}");
    }
    let huge = vec![b' '; MAX_RECORD_BYTES + 1];
    assert_eq!(
        Record::from_bytes(&huge),
        Err(RecordError::TooLarge(MAX_RECORD_BYTES + 1))
    );
}

/// The example of RFC 8785, section 3.2.3, without its fraction.
#[test]
fn keys_are_ordered_by_utf_16_units() {
    let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    let canonical = canonical::encode(&canonical::parse(text.as_bytes(), 1_000).unwrap());
    let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
    assert_eq!(String::from_utf8(canonical).unwrap(), expected);
}

#[test]
fn ambiguous_json_is_refused_where_it_stands() {
    let cases = [
        (r#"{"a":1,"a":2}"#, 7, "repeated key"),
        (r#"{"a":1,"\u0061":2}"#, 7, "repeated key"),
        ("1.5", 0, "only integers are allowed"),
        ("1e3", 0, "only integers are allowed"),
        ("-0", 0, "negative zero"),
        ("01", 0, "number with a leading zero"),
        ("9007199254740992", 0, "integer beyond 2^53 - 1"),
        ("-99999999999999999999", 0, "integer beyond 2^53 - 1"),
        (r#""\ud800""#, 7, "lone surrogate"),
        (r#""\ud800\u0041""#, 13, "lone surrogate"),
        (r#""\udc00""#, 7, "lone surrogate"),
        ("\"a\nb\"", 2, "control character in a string"),
        ("[1,]", 3, "not a JSON value"),
        ("{} {}", 3, "text after the value"),
        ("nul", 0, "not a JSON value"),
        ("\"abc", 4, "string without an end"),
        ("\"\\u12", 3, "string without an end"),
        ("", 0, "not a JSON value"),
    ];
    for (text, at, what) in cases {
        let error = canonical::parse(text.as_bytes(), 1_000).unwrap_err();
        assert_eq!((error.at, error.what), (at, what), "{text}");
    }
    assert_eq!(
        canonical::parse(b"\"\xff\"", 10).unwrap_err().what,
        "input is not UTF-8"
    );
    assert_eq!(
        canonical::parse(b"123456", 5).unwrap_err().what,
        "input is over the size cap"
    );
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(canonical::parse(nested(MAX_DEPTH).as_bytes(), 1_000).is_ok());
    let deep = canonical::parse(nested(500_000).as_bytes(), 2_000_000).unwrap_err();
    assert_eq!(deep.what, "nested too deeply");
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-MAX_SAFE..=MAX_SAFE).prop_map(Json::Int),
        any::<String>().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Json::Map(map.into_iter().collect())),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| format!("w{}", text.chars().take(40).collect::<String>()))
}

fn record() -> impl Strategy<Value = Record> {
    let item = || {
        (any::<[u8; 32]>(), word()).prop_map(|(bytes, name)| Item {
            commitment: Commitment(Digest::from_bytes(bytes)),
            name,
        })
    };
    let items = || prop::collection::vec(item(), 0..3);
    let links = prop::collection::vec(
        (word(), any::<String>()).prop_map(|(rel, to)| Link { rel, to }),
        0..3,
    );
    let decision = prop::option::of(
        (
            any::<bool>(),
            prop::collection::vec(word(), 0..3),
            prop::collection::vec(word(), 0..3),
        )
            .prop_map(|(allow, rules, errors)| DecisionNote {
                answer: if allow { Answer::Allow } else { Answer::Refuse },
                errors,
                policy: "sha256:0".to_owned(),
                rules,
            }),
    );
    let actor = (word(), prop::option::of(word())).prop_map(|(id, on_behalf_of)| Actor {
        id,
        kind: ActorKind::Worker,
        on_behalf_of,
    });
    let numbers = (
        1..MAX_SAFE as u64,
        -MAX_SAFE..MAX_SAFE,
        prop::option::of(-5_i64..5),
    );
    (
        numbers,
        actor,
        word(),
        any::<String>(),
        prop::option::of(any::<u64>()),
        items(),
        items(),
        decision,
        links,
    )
        .prop_map(
            |(numbers, actor, action, target, result, inputs, outputs, decision, links)| {
                let (seq, time_ms, clock_ms) = numbers;
                let phase = match result {
                    None => Phase::Intent,
                    Some(n) => Phase::Result {
                        intent: n % seq,
                        status: Status::Partial,
                    },
                };
                Record {
                    seq,
                    time_ms,
                    clock_ms,
                    body: Body {
                        actor,
                        action,
                        target,
                        phase,
                        inputs,
                        outputs,
                        decision,
                        links,
                    },
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_reads_back_and_its_bytes_are_the_canonical_ones(record in record()) {
        let bytes = record.to_bytes().unwrap();
        prop_assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
        let plain = canonical::encode(&canonical::parse(&bytes, MAX_RECORD_BYTES).unwrap());
        prop_assert_eq!(plain, bytes);
    }

    #[test]
    fn canonical_text_is_a_fixed_point_and_is_what_others_read(value in json()) {
        let bytes = canonical::encode(&value);
        let again = canonical::parse(&bytes, 1 << 20).unwrap();
        prop_assert_eq!(canonical::encode(&again), bytes.clone());
        let other: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let theirs = serde_json::to_vec_pretty(&other).unwrap();
        prop_assert_eq!(canonical::encode(&canonical::parse(&theirs, 1 << 20).unwrap()), bytes);
    }

    #[test]
    fn a_changed_byte_is_never_the_same_record(record in record(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let bytes = record.to_bytes().unwrap();
        let mut changed = bytes.clone();
        let at = at.index(bytes.len());
        changed[at] ^= 1_u8 << bit;
        // Another record may come out; the same one never does, and nothing panics.
        prop_assert_ne!(Record::from_bytes(&changed).ok(), Some(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = canonical::parse(&bytes, 200);
        let _ = Record::from_bytes(&bytes);
    }
}
