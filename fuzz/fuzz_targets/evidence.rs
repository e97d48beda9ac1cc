//! Any proof, checkpoint and list of evidence is read or refused; none of random bytes is believed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_ledger::{TrustedKey, check_proof};
use solvent_protocol::evidence::Evidence;

/// The key of RFC 8032, 7.1, test 1, as a verifier's key of the log `example.com/log`.
const KEY: &str = "example.com/log+cc714670+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Evidence>(bytes);
    let _ = TrustedKey::parse(&String::from_utf8_lossy(bytes));
    let key = TrustedKey::parse(KEY).expect("a key");
    assert!(key.open(bytes).is_err());
    assert!(check_proof(&key, bytes, bytes).is_err());
});
