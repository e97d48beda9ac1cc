//! Any capsule is read or refused; what is read survives writing, and renders.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_protocol::capsule::{curl, fill, parse, placeholders, render};

fuzz_target!(|bytes: &[u8]| {
    let _ = placeholders(bytes);
    let _ = fill(bytes, |name| (name.len() % 2 == 0).then(|| name.as_bytes().to_vec()));
    let Ok(capsule) = parse(bytes) else { return };
    let _ = curl(&capsule);
    let again = parse(render(&capsule).as_bytes());
    assert!(again.is_ok_and(|again| again == capsule), "a capsule changed by being written");
});
