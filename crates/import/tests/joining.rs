//! Which reports are one flaw, and which stay two.

use std::collections::BTreeSet;

use solvent_base::FilePath;
use solvent_import::join::{How, Joined, NEAR_LINES, Spot, identities};
use solvent_import::{Anchor, join};

fn file(path: &str) -> FilePath {
    FilePath::new(path).expect("a path")
}

fn anchor(weakness: u32, line: u32, flow: &[u32]) -> Anchor {
    Anchor {
        label: format!("own{line}"),
        weakness,
        path: file("app.py"),
        line,
        flow: flow.iter().map(|l| (file("app.py"), *l)).collect(),
    }
}

fn spot(tool: &str, weaknesses: &[u32], lines: (u32, u32)) -> Spot {
    Spot {
        tool: tool.to_owned(),
        rule: format!("{tool}-rule"),
        weaknesses: weaknesses.iter().copied().collect(),
        path: file("app.py"),
        lines: Some(lines),
        fingerprint: None,
    }
}

/// Functions of ten lines: 1 to 10, 11 to 20, ...
fn tens(_: &FilePath, line: u32) -> Option<(u32, u32)> {
    let first = (line - 1) / 10 * 10 + 1;
    Some((first, first + 9))
}

fn how(anchors: &[Anchor], spots: &[Spot]) -> Vec<Option<How>> {
    join(anchors, spots, &tens)
        .into_iter()
        .map(|j| j.map(|j| j.how))
        .collect()
}

#[test]
fn the_sink_line_and_a_line_of_the_flow_join() {
    let anchors = [anchor(89, 18, &[12, 15, 18])];
    let spots = [
        spot("bandit", &[89], (18, 18)),
        spot("bandit", &[89], (12, 12)),
        spot("semgrep", &[564], (16, 19)),
    ];
    assert_eq!(
        how(&anchors, &spots),
        [Some(How::SameLine), Some(How::OnFlow), Some(How::SameLine)]
    );
}

#[test]
fn different_weaknesses_are_never_joined() {
    let anchors = [anchor(89, 18, &[12])];
    let spots = [
        spot("a", &[78], (18, 18)),
        spot("b", &[], (18, 18)),
        spot("c", &[20, 74], (18, 18)),
        spot("d", &[79], (12, 12)),
    ];
    assert_eq!(how(&anchors, &spots), [None, None, None, None]);
}

#[test]
fn a_few_lines_apart_join_only_inside_one_function() {
    let anchors = [anchor(89, 12, &[])];
    let spots = [
        spot("a", &[89], (14, 14)),
        spot("a", &[89], (10, 10)),
        spot("a", &[89], (17, 17)),
    ];
    assert_eq!(how(&anchors, &spots), [Some(How::Near(2)), None, None]);
}

#[test]
fn between_two_sinks_nothing_is_guessed() {
    let anchors = [anchor(89, 12, &[]), anchor(89, 16, &[])];
    assert_eq!(how(&anchors, &[spot("a", &[89], (14, 14))]), [None]);
    assert_eq!(
        how(&anchors, &[spot("a", &[89], (15, 15))]),
        [Some(How::Near(1))]
    );
}

#[test]
fn all_entry_points_of_one_sink_are_named() {
    let anchors = [
        anchor(89, 12, &[]),
        anchor(89, 12, &[]),
        anchor(78, 12, &[]),
    ];
    let joined = join(&anchors, &[spot("a", &[89], (12, 12))], &tens);
    let with = &joined[0].as_ref().expect("joined").with;
    assert_eq!(*with, Joined::Anchors(vec![0, 1]));
}

#[test]
fn tools_join_with_each_other_where_we_have_nothing() {
    let spots = [
        spot("bandit", &[79], (12, 12)),
        spot("semgrep", &[79], (12, 13)),
        spot("semgrep", &[79], (15, 15)),
        spot("bandit", &[79], (14, 14)),
        spot("codeql", &[502], (12, 12)),
    ];
    let joined = join(&[], &spots, &tens);
    assert_eq!(joined[0], None);
    assert_eq!(joined[1].as_ref().map(|j| &j.with), Some(&Joined::Spot(0)));
    assert_eq!(joined[3], None, "one tool, two lines: two flaws");
    assert_eq!(
        joined[2].as_ref().map(|j| (&j.with, j.how)),
        Some((&Joined::Spot(3), How::Near(1)))
    );
    assert_eq!(joined[4], None);
    assert!(
        joined[1]
            .as_ref()
            .is_some_and(|j| j.because.contains("CWE-79") && j.because.contains("bandit"))
    );
}

#[test]
fn the_same_result_in_two_reports_is_one_even_without_a_weakness() {
    let spots = [
        spot("bandit", &[], (5, 5)),
        spot("bandit", &[], (5, 5)),
        spot("other", &[], (5, 5)),
    ];
    let joined = join(&[], &spots, &tens);
    assert_eq!(joined[1].as_ref().map(|j| &j.with), Some(&Joined::Spot(0)));
    assert_eq!(joined[2], None);
}

#[test]
fn identity_survives_lines_that_move_and_tells_twins_apart() {
    const BEFORE: [&str; 4] = ["", "x = run(a)", "", "x = run(a)"];
    const AFTER: [&str; 6] = ["", "", "", "x  =  run(a)", "# between", "x = run(a)"];
    let of = |text: &'static [&'static str], lines: &[u32]| {
        let spots: Vec<Spot> = lines.iter().map(|l| spot("t", &[78], (*l, *l))).collect();
        identities(&spots, &|_, line| {
            text.get(line as usize - 1).map(|t| (*t).to_owned())
        })
    };
    let (old, new) = (of(&BEFORE, &[2, 4]), of(&AFTER, &[4, 6]));
    assert_eq!(old, new);
    assert_ne!(old[0], old[1]);
}

proptest::proptest! {
    #[test]
    fn joining_never_crosses_weaknesses_and_always_says_why(
        own in proptest::collection::vec((0_usize..4, 1_u32..60), 0..8),
        theirs in proptest::collection::vec((0_usize..3, 0_usize..4, 1_u32..60, 0_u32..4), 0..14),
    ) {
        const CLASSES: [u32; 4] = [89, 78, 79, 22];
        const TOOLS: [&str; 3] = ["a", "b", "c"];
        let anchors: Vec<Anchor> = own.iter().map(|(c, l)| anchor(CLASSES[*c], *l, &[])).collect();
        let spots: Vec<Spot> = theirs
            .iter()
            .map(|(t, c, l, n)| spot(TOOLS[*t], &[CLASSES[*c]], (*l, l + n)))
            .collect();
        let joined = join(&anchors, &spots, &tens);
        for (spot, join) in spots.iter().zip(&joined) {
            let Some(join) = join else { continue };
            proptest::prop_assert!(!join.because.is_empty());
            match &join.with {
                Joined::Anchors(with) => for i in with {
                    proptest::prop_assert!(spot.weaknesses.contains(&anchors[*i].weakness));
                    let (first, last) = spot.lines.expect("lines");
                    let line = anchors[*i].line;
                    proptest::prop_assert!(line + NEAR_LINES >= first && line <= last + NEAR_LINES);
                },
                Joined::Spot(head) => {
                    proptest::prop_assert_eq!(&spot.weaknesses, &spots[*head].weaknesses);
                    proptest::prop_assert!(joined[*head].is_none(), "a head is joined with nothing");
                }
            }
        }
        let kinds: BTreeSet<usize> = joined.iter().flatten().filter_map(|j| match j.with {
            Joined::Spot(head) => Some(head), Joined::Anchors(_) => None,
        }).collect();
        for head in kinds {
            proptest::prop_assert!(joined[head].is_none());
        }
    }
}
