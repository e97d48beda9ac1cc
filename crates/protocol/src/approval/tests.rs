#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

use proptest::prelude::*;

use super::*;

fn statement() -> ApprovalStatement {
    ApprovalStatement {
        verdict: Verdict::Approve,
        change: "c-7f3a".to_owned(),
        approver: "ben@example.org".to_owned(),
        risk: RiskClass::Medium,
        revision: Revision {
            base: "a".repeat(40),
            head: "b".repeat(40),
            tree: "c".repeat(64),
            diff: Digest::of(b"diff"),
        },
        policy: Digest::of(b"policy"),
        expires_ms: 1_795_919_652_000,
    }
}

fn signed() -> SignedApproval {
    SignedApproval {
        statement: statement(),
        key: "ssh-ed25519 AAAA".to_owned(),
        signature: "-----BEGIN SSH SIGNATURE-----\n".to_owned(),
        presence: Presence::NotShown,
    }
}

#[test]
fn the_longest_statement_is_under_the_cap() {
    let mut long = statement();
    long.change = "c".repeat(MAX_ID_BYTES);
    long.approver = "a".repeat(MAX_ID_BYTES);
    for id in [
        &mut long.revision.base,
        &mut long.revision.head,
        &mut long.revision.tree,
    ] {
        *id = "a".repeat(64);
    }
    long.expires_ms = crate::record::canonical::MAX_SAFE;
    let bytes = long.to_bytes().unwrap();
    assert!(bytes.len() < MAX_STATEMENT_BYTES, "{}", bytes.len());
    assert_eq!(ApprovalStatement::parse(&bytes), Ok(long));
}

#[test]
fn a_person_reads_every_field_that_is_signed() {
    let bytes = statement().to_bytes().unwrap();
    let shown = ApprovalStatement::shown(&bytes).unwrap();
    for part in [
        "ben@example.org approves change c-7f3a, risk medium, until 2026-11-29 02:34 UTC",
        &"a".repeat(40),
        &"b".repeat(40),
        &"c".repeat(64),
        &Digest::of(b"diff").to_string(),
        &Digest::of(b"policy").to_string(),
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(ApprovalStatement::shown(b"approve everything").is_err());
}

#[test]
fn another_spelling_of_a_statement_is_refused() {
    let text = String::from_utf8(statement().to_bytes().unwrap()).unwrap();
    let hex = Digest::of(b"diff").hex();
    for other in [
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}note: please\n"),
        text.replace('\n', "\r\n"),
        text.replace("expires_ms: ", "expires_ms: +"),
        text.replace("expires_ms: ", "expires_ms: 0"),
        text.replace(&hex, &hex.to_uppercase()),
        text.replace(&format!("sha256:{hex}"), &hex),
        text.replace("risk: medium", "risk: Medium"),
        text.replace("change: c-7f3a", "change: c-7f3a\u{202e}"),
        text.replace("change: c-7f3a\n", ""),
        text.replace("verdict: approve", "verdict: reject"),
        text.replace("/v1", "/v2"),
    ] {
        assert_ne!(other, text);
        assert!(
            ApprovalStatement::parse(other.as_bytes()).is_err(),
            "{other}"
        );
    }
}

#[test]
fn names_that_could_deceive_are_not_signed() {
    for name in [
        "",
        "a b",
        "a\nrisk: low",
        "аna",
        "a\u{202e}",
        &"a".repeat(129),
        "a/b",
    ] {
        let mut it = statement();
        it.approver = name.to_owned();
        assert!(it.to_bytes().is_err(), "{name:?}");
    }
}

#[test]
fn a_signed_approval_survives_writing_and_unknown_fields_do_not() {
    let bytes = signed().to_json().unwrap();
    assert_eq!(SignedApproval::parse(&bytes), Ok(signed()));
    let canonical = crate::record::canonical::parse(&bytes, MAX_SIGNED_BYTES)
        .map(|value| crate::record::canonical::encode(&value));
    assert_eq!(canonical, Ok(bytes.clone()));
    let text = String::from_utf8(bytes).unwrap();
    for broken in [
        text.replacen('{', "{\"approved\":true,", 1),
        text.replace("signed-approval/v1", "signed-approval/v2"),
        text.replace("not_shown", "touched"),
        text.replace("ssh-ed25519 AAAA", "ssh-ed25519 \\u202eAAAA"),
        format!("{text}{text}"),
    ] {
        assert_ne!(broken, text);
        assert!(
            SignedApproval::parse(broken.as_bytes()).is_err(),
            "{broken}"
        );
    }
    let mut large = signed();
    large.key = "a".repeat(MAX_KEY_BYTES + 1);
    assert!(large.to_json().is_err());
    assert!(matches!(
        SignedApproval::parse(&vec![b' '; MAX_SIGNED_BYTES + 1]),
        Err(ApprovalError::TooLarge(..))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_parses_is_what_was_written(bytes in prop::collection::vec(any::<u8>(), 0..1_200)) {
        if let Ok(statement) = ApprovalStatement::parse(&bytes) {
            prop_assert_eq!(statement.to_bytes().unwrap(), bytes.clone());
        }
        let _ = SignedApproval::parse(&bytes);
    }

    #[test]
    fn one_changed_byte_is_another_statement_or_none(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = statement().to_bytes().unwrap();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] = byte;
        if changed != bytes {
            prop_assert_ne!(ApprovalStatement::parse(&changed), Ok(statement()));
        }
    }
}
