//! Any body is opened or stays as it is, within the cap, and the same way twice.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let once = solvent_prove::body::opened(bytes);
    assert_eq!(once, solvent_prove::body::opened(bytes));
    assert!(once.len() as u64 <= solvent_prove::body::MAX_UNPACKED + (16 << 20));
});
