//! Any recipe is read or refused, and its shown text does not depend on how often it is read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let first = solvent_prove::recipe::parse(bytes);
    let second = solvent_prove::recipe::parse(bytes);
    match (first, second) {
        (Ok(a), Ok(b)) => assert_eq!(format!("{a:?}"), format!("{b:?}")),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        _ => panic!("the same bytes were read once and refused once"),
    }
});
