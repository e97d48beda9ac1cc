//! Any bytes as a file of settings, and as statements of a mapper: nothing is known of them, or keys and values are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::FilePath;
use solvent_lang::settings::settings;

fuzz_target!(|bytes: &[u8]| {
    let (Some(path), Some(mapper)) = (FilePath::new("a.properties"), FilePath::new("mapper/a.xml"))
    else {
        return;
    };
    if let Some(read) = settings(&path, bytes) {
        // Escapes are taken away and never added: `\n` is the shortest of them.
        let long: usize = read.values.iter().map(|(k, v)| k.len() + v.len()).sum();
        assert!(long <= bytes.len() * 3);
    }
    if let Some(read) = settings(&mapper, bytes) {
        assert!(read.values.values().all(|text| text.contains("${")));
    }
});
