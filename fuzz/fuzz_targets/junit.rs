//! Any test report is read or refused, without panic, and every test has a name of bounded length.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = solvent_prove::junit::parse(bytes) {
        assert!(report.len() <= solvent_prove::junit::MAX_CASES);
        assert!(report.keys().all(|name| name.chars().count() <= 300));
    }
});
