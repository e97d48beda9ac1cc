//! Any text is a regular expression or is not understood; what is said to take long has a text that shows it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_models::backtracking::{Growth, growth};
use solvent_models::pattern::Anchoring;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for anchoring in [Anchoring::Search, Anchoring::Start, Anchoring::Full] {
        match growth(text, anchoring) {
            Growth::Exponential(attack) | Growth::Polynomial(attack) => {
                assert!(!attack.again.is_empty(), "nothing is repeated");
            }
            Growth::Plain | Growth::Unknown(_) => {}
        }
    }
});
