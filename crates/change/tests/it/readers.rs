//! The readers of git's output take any bytes. The fuzz target `git_history` goes on where this stops.

use proptest::prelude::*;
use solvent_base::Timestamp;
use solvent_change::blame::BlameReader;
use solvent_change::marks::Marks;
use solvent_change::patch::PatchReader;
use solvent_change::{Authorship, ObjectId, note, read_steps};

/// Pieces that mean something to one reader or another, in any order, and bytes that mean nothing.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            &b"1111111111111111111111111111111111111111"[..],
            b"2222222222222222222222222222222222222222",
            b"diff --git a/x b/x\n",
            b"diff --git \"a/\\303\\n\" b/y\n",
            b"@@ -1,4294967295 +1,2 @@\n",
            b"@@ -1 +0,0 @@",
            b"rename from \"",
            b"deleted file mode 1\n",
            b"author ",
            b"<noreply@anthropic.com>",
            b"\nCo-authored-by: Claude ",
            b"\nAssisted-by: \xe2\x84\xaa",
            b"filename \"\\",
            b"18446744073709551616 ",
            b"\n---\n{\"prompts\":{}}",
            b"\n  s_1::t_2 1-4294967295,",
            b"{\"files\":[{\"path\":\"a\",\"conversations\":[",
            b"\t",
            b" ",
            b"\n",
            b"+",
            b"-",
            b"\\",
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_read_and_cuts_make_no_difference(bytes in text(), size in 1_usize..9) {
        let (mut whole, mut cut) = (BlameReader::default(), BlameReader::default());
        whole.push(&bytes);
        bytes.chunks(size).for_each(|piece| cut.push(piece));
        prop_assert_eq!(whole.finish(), cut.finish());

        let (mut whole, mut cut) = (PatchReader::new(|_: &[u8]| {}), PatchReader::new(|_: &[u8]| {}));
        whole.push(&bytes);
        bytes.chunks(size).for_each(|piece| cut.push(piece));
        prop_assert_eq!(whole.finish(), cut.finish());

        let said = Authorship::read(&bytes);
        prop_assert!(said.marks.is_sorted_by_key(|mark| mark.grade));

        let head = ObjectId::parse(&"1".repeat(40)).unwrap();
        let steps = read_steps(&bytes, &head, Timestamp(1_700_000_000_000));
        prop_assert!(steps.is_sorted_by_key(|step| step.time));

        let marks = Marks::builtin();
        if let Some(note) = note::git_ai(&bytes, marks) {
            note.line("a", u32::MAX);
        }
        note::agent_trace(&bytes, marks);
    }
}
