//! Any approval, event or signature is read or refused; what is read survives writing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_govern::signature::{Key, SoftwareKey, verify};
use solvent_protocol::adoption::AdoptionKind;
use solvent_protocol::approval::{ApprovalStatement, SignedApproval};
use solvent_protocol::change::EventKind;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = ApprovalStatement::parse(bytes) {
        assert_eq!(statement.to_bytes().as_deref(), Ok(bytes), "two spellings of one statement");
        let _ = ApprovalStatement::shown(bytes);
    }
    if let Ok(approval) = SignedApproval::parse(bytes) {
        let again = approval.to_json().and_then(|json| SignedApproval::parse(&json));
        assert!(again.is_ok_and(|again| again == approval), "an approval changed by being written");
    }
    if let Ok(event) = EventKind::parse(bytes) {
        let again = event.to_json().and_then(|json| EventKind::parse(&json));
        assert!(again.is_ok_and(|again| again == event), "an event changed by being written");
    }
    if let Ok(event) = AdoptionKind::parse(bytes) {
        let again = event.to_json().and_then(|json| AdoptionKind::parse(&json));
        assert!(again.is_ok_and(|again| again == event), "an event changed by being written");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(key) = Key::parse(text) {
            assert!(Key::parse(&key.text()).is_ok_and(|again| again == key), "a key changed by being written");
        }
        let _ = SoftwareKey::parse(text);
        let own = SoftwareKey::from_seed(&[7; 32]);
        assert!(verify(b"never signed", text, &own.public()).is_err(), "a signature nobody made");
    }
});
