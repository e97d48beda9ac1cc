//! Any policy folder is read, or refused with words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_govern::Governance;

fuzz_target!(|texts: (String, String, String)| {
    let (people, settings, rules) = texts;
    let files = [
        ("solvent-policy/people.toml".to_owned(), people),
        ("solvent-policy/governance.toml".to_owned(), settings),
        ("solvent-policy/rules.cedar".to_owned(), rules),
    ];
    if let Err(problems) = Governance::read("base", &files) {
        assert!(problems.iter().all(|problem| !problem.message.is_empty()), "refused without a word");
    }
});
