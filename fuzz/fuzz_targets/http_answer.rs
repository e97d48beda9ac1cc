//! Any answer of a target is read or refused, and no body grows over its cap.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_prove::http::{MAX_BODY, ToHead, parse_answer};

fuzz_target!(|bytes: &[u8]| {
    for to_head in [ToHead::No, ToHead::Yes] {
        let Ok(answer) = parse_answer(bytes, to_head) else { continue };
        assert!((100..=999).contains(&answer.status));
        assert!(answer.body.len() <= MAX_BODY);
        assert!(answer.body.len() <= bytes.len(), "a body of more than was sent");
    }
});
