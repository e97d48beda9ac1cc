use solvent_protocol::debt::Measured;
use solvent_protocol::view::FindingList;
use solvent_report::text::{Page, debt, findings, log, prove, replay, scan, show, status};
use solvent_report::visible::{columns, is_hidden};

use crate::{debt_sample, sample};

const CURL: &str =
    "curl -sS -G 'http://127.0.0.1:8080/search' \\\n  --data-urlencode \"q=' OR 1=1 -- \"";

fn pages(width: usize) -> Vec<(&'static str, Page)> {
    let full = sample::full();
    vec![
        ("status", status(&sample::status(), width)),
        ("findings", findings(&sample::list(), width)),
        ("scan", scan(&full.scan, width)),
        (
            "prove",
            prove(full.prove.as_ref().expect("the sample was attacked"), width),
        ),
        ("replay", replay(&sample::replay(), width)),
        (
            "show_proven",
            show(&sample::show("4f0c2b7a11", None), " --repo shop", width),
        ),
        (
            "show_opened",
            show(&sample::show("b81d90e4c2", Some(CURL)), "", width),
        ),
        (
            "show_undecided",
            show(&sample::show("c2f4416b09", None), "", width),
        ),
        ("log", log(&sample::log(), width)),
        ("debt", debt(&debt_sample::debt(), width)),
        ("debt_unmeasured", debt(&debt_sample::unmeasured(), width)),
    ]
}

#[test]
fn pages_read_well_at_eighty_and_sixty_columns() {
    for width in [80, 60] {
        for (name, page) in pages(width) {
            insta::assert_snapshot!(format!("{name}_{width}"), page.plain());
        }
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80, 100, 120] {
        for (name, page) in pages(width) {
            // A command is never wrapped: it is there to be pasted.
            for line in page.plain().lines().filter(|line| !CURL.contains(line)) {
                assert!(columns(line) <= width, "{name} at {width}: {line}");
            }
        }
    }
}

#[test]
fn a_finding_fits_one_screen_of_100_by_50() {
    let mut long = sample::show("4f0c2b7a11", Some(CURL));
    let step = long.state.finding.flows[0].steps[1].clone();
    long.state.finding.flows[0]
        .steps
        .splice(1..1, std::iter::repeat_n(step, 200));
    if let Some(proof) = long.state.proof.as_mut() {
        proof.evidence = (0..50).map(|n| format!("evidence {n}")).collect();
    }
    let page = show(&long, "", 100);
    assert!(page.height() <= 50, "{}", page.plain());
    assert!(page.plain().contains("more"), "what was left out is said");
}

#[test]
fn colour_changes_no_text() {
    for (name, page) in pages(80) {
        let bare =
            page.ansi()
                .split("\x1b[")
                .enumerate()
                .fold(String::new(), |mut text, (n, piece)| {
                    text.push_str(if n == 0 {
                        piece
                    } else {
                        piece.split_once('m').map_or(piece, |(_, rest)| rest)
                    });
                    text
                });
        assert_eq!(bare, page.plain(), "{name}");
    }
}

#[test]
fn outside_text_cannot_steer_the_terminal() {
    let hostile = sample::poisoned("\x1b]0;owned\x07\u{202e}\u{9b}2J\r\n\u{200b}");
    for page in [
        scan(&hostile.scan, 80),
        prove(hostile.prove.as_ref().expect("the sample was attacked"), 80),
        status(&hostile.status, 80),
        debt(
            &debt_sample::poisoned("\x1b]0;owned\x07\u{202e}\u{9b}2J\r\n\u{200b}"),
            80,
        ),
    ] {
        let text = page.plain();
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
        assert!(text.contains("\\u{202e}"), "{text}");
    }
}

#[test]
fn what_is_unmeasured_is_said_even_when_nothing_was_found() {
    let mut report = sample::full().scan;
    report.findings.clear();
    let text = scan(&report, 80).plain();
    assert!(text.contains("no findings"));
    assert!(text.contains("unmeasured"));
    assert!(text.contains("JavaScript is not modelled yet"));
}

#[test]
fn what_is_closed_or_accepted_stands_apart_from_what_is_proven() {
    let mut list = sample::list();
    let page_with = |list: &mut FindingList, state: &str, expires_ms| {
        let proven = list
            .findings
            .iter_mut()
            .find(|s| s.finding.id == "4f0c2b7a11")
            .expect("the proven one");
        proven.lifecycle.state = state.to_owned();
        proven.lifecycle.why = "in these words".to_owned();
        proven.lifecycle.expires_ms = expires_ms;
        findings(list, 80).plain()
    };
    let before = page_with(&mut list, "open", None);
    assert!(before.starts_with("proven  2\n"), "{before}");
    let page = page_with(&mut list, "closed", None);
    assert!(
        page.starts_with("proven  1\n") && page.contains("closed  1\n"),
        "{page}"
    );
    assert!(page.contains("closed: in these words"), "{page}");
    let page = page_with(&mut list, "accepted", Some(1_800_000_000_000));
    assert!(
        page.starts_with("proven  1\n") && page.contains("accepted  1\n"),
        "{page}"
    );
    assert!(
        page.contains("accepted, until 2027-01-15 08:00: in these words"),
        "{page}"
    );
}

#[test]
fn a_debt_without_silencing_comments_or_a_page_promises_neither() {
    let mut report = debt_sample::debt();
    let Measured::Known(silent) = &mut report.process.suppressions else {
        panic!("the sample has suppressions");
    };
    silent.now.count = 0;
    silent.kinds.clear();
    silent.lines = 1_713;
    let shown = debt(&report, 80).plain();
    assert!(shown.contains("0 in 1,713 lines\n"), "{shown}");
    assert!(shown.contains("more, which the page of `--html FILE` lists"));
}
