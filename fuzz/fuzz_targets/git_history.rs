//! Any bytes of a commit object, a list of commits, a line note, blame's and diff's output are read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::Timestamp;
use solvent_change::blame::BlameReader;
use solvent_change::marks::Marks;
use solvent_change::patch::PatchReader;
use solvent_change::{Authorship, ObjectId, note, read_steps};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    match choice % 5 {
        0 => {
            let said = Authorship::read(rest);
            assert!(said.marks.is_sorted_by_key(|mark| mark.grade));
        }
        1 => {
            let Some(head) = rest.get(..40).and_then(ObjectId::parse_bytes) else {
                return;
            };
            let steps = read_steps(&rest[40..], &head, Timestamp(1_700_000_000_000));
            assert!(steps.is_sorted_by_key(|step| step.time));
        }
        2 => {
            let marks = Marks::builtin();
            if let Some(note) = note::git_ai(rest, marks) {
                let _ = note.line("a.py", 1);
            }
            let _ = note::agent_trace(rest, marks);
        }
        3 => {
            // Where the pieces are cut makes no difference.
            let (mut whole, mut cut) = (BlameReader::default(), BlameReader::default());
            whole.push(rest);
            rest.iter().for_each(|byte| cut.push(&[*byte]));
            assert_eq!(whole.finish(), cut.finish());
        }
        _ => {
            let (mut whole, mut cut) = (PatchReader::new(|_: &[u8]| {}), PatchReader::new(|_: &[u8]| {}));
            whole.push(rest);
            rest.iter().for_each(|byte| cut.push(&[*byte]));
            assert_eq!(whole.finish(), cut.finish());
        }
    }
});
