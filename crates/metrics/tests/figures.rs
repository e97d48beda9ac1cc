//! Figures by hand, and what must hold for all of them.

use std::collections::BTreeSet;

use solvent_metrics::funnel::{Attacked, Before, Compared};
use solvent_metrics::{
    Seen, Snapshot, collapse, exposure, flaw_rates, forecast, funnel, months, needs_attention,
};
use solvent_protocol::debt::{
    Attribution, DebtEntryPoint, DebtFinding, DebtProof, DebtState, Figure, Introduced, Measured,
    Month, Share, ToolReport,
};
use solvent_protocol::view::{Place, VerdictView};

fn place(line: u32) -> Place {
    Place {
        path: "app.py".to_owned(),
        line,
        column: 1,
    }
}

fn report(tool: &str, joined: Option<&str>) -> ToolReport {
    ToolReport {
        tool: tool.to_owned(),
        rule: "R".to_owned(),
        run: (tool != "solvent").then(|| format!("{tool}-1")),
        place: place(1),
        joined_because: joined.map(|_| "because".to_owned()),
        joined_how: joined.map(str::to_owned),
        identity: None,
        suppressed: None,
    }
}

/// A finding with this verdict, reported by these tools; the second and later ones joined at the same line.
fn finding(id: &str, verdict: &str, tools: &[&str]) -> DebtFinding {
    DebtFinding {
        id: id.to_owned(),
        fingerprint: id.repeat(32),
        weakness: "CWE-89".to_owned(),
        severity: "high".to_owned(),
        title: String::new(),
        place: place(1),
        entry: None,
        reports: tools
            .iter()
            .enumerate()
            .map(|(i, tool)| report(tool, (i > 0).then_some("same_line")))
            .collect(),
        verdict: VerdictView {
            word: verdict.to_owned(),
            reasons: Vec::new(),
        },
        proof: Measured::Unmeasured("not attacked".to_owned()),
        state: state("open", ""),
        introduced: Measured::Unmeasured("no git".to_owned()),
    }
}

fn state(word: &str, code: &str) -> DebtState {
    DebtState {
        word: word.to_owned(),
        code: code.to_owned(),
        reason: String::new(),
        since_ms: None,
        evidence: Vec::new(),
    }
}

fn proof(outcome: &str) -> Measured<DebtProof> {
    Measured::Known(DebtProof {
        outcome: outcome.to_owned(),
        text: String::new(),
        replays_shown: 0,
        replays_run: 0,
        capsule: None,
    })
}

fn ids(figure: &Figure) -> Vec<&str> {
    figure
        .evidence
        .iter()
        .map(|e| e.split_once(':').expect("a reference").1)
        .collect()
}

const NOTHING_BEFORE: Before = Before {
    attacked: Attacked::Never,
    compared: Compared::Nothing,
};

fn pile() -> Vec<DebtFinding> {
    let mut accepted = finding("e", "reachable", &["solvent", "bandit"]);
    accepted.state = state("accepted", "accepted");
    let mut covered = finding("f", "not_judged", &["semgrep"]);
    covered.state = state("closed", "covered_by_import");
    vec![
        finding("a", "reachable", &["solvent", "bandit", "semgrep"]),
        finding("b", "no_path", &["solvent", "bandit", "bandit"]),
        finding("c", "undecided", &["solvent", "bandit"]),
        finding("d", "not_judged", &["bandit", "semgrep"]),
        accepted,
        covered,
        finding("g", "no_path", &["solvent"]),
    ]
}

#[test]
fn a_pile_collapses_by_evidence_only_and_adds_up() {
    let collapse = collapse(&pile());
    let collapse = collapse.known().expect("known");
    assert_eq!(collapse.imported.count, 2 + 2 + 1 + 2 + 1 + 1);
    assert_eq!(ids(&collapse.remaining), ["a", "c", "d"]);
    assert_eq!(ids(&collapse.undecided), ["c"]);
    assert_eq!(ids(&collapse.not_judged), ["d"]);
    let removed: Vec<(&str, u64)> = collapse
        .removed
        .iter()
        .map(|c| (c.code.as_str(), c.figure.count))
        .collect();
    assert_eq!(
        removed,
        [
            ("joined", 2),
            ("no_path", 2),
            ("accepted", 1),
            ("covered_by_import", 1)
        ]
    );
}

#[test]
fn without_another_tool_there_is_nothing_to_collapse() {
    assert!(
        collapse(&[finding("a", "reachable", &["solvent"])])
            .why()
            .is_some()
    );
}

#[test]
fn a_proven_finding_remains_whatever_the_search_said() {
    let mut proven = finding("a", "no_path", &["solvent", "bandit"]);
    proven.proof = proof("proven");
    assert!(needs_attention(&proven));
    let collapse = collapse(&[proven]);
    assert_eq!(collapse.known().map(|c| c.remaining.count), Some(1));
}

#[test]
fn the_funnel_parts_what_it_counts() {
    let funnel = funnel(&pile(), NOTHING_BEFORE);
    assert_eq!(ids(&funnel.own), ["a", "b", "c", "e", "g"]);
    assert_eq!(funnel.distinct.count, 7);
    assert_eq!(ids(&funnel.joined), ["a", "b", "c", "d", "e"]);
    assert_eq!(ids(&funnel.attention), ["a", "c", "d"]);
    let tools: Vec<(&str, u64)> = funnel
        .imported
        .iter()
        .map(|i| (i.tool.as_str(), i.findings.count))
        .collect();
    assert_eq!(tools, [("bandit", 6), ("semgrep", 3)]);
    assert!(
        funnel
            .proven
            .why()
            .is_some_and(|w| w.contains("solvent prove"))
    );
    assert_eq!(ids(&funnel.not_attempted), ["a", "c"]);
    assert_eq!(ids(&funnel.not_judged_open), ["d"]);
    let closed = funnel.closed.known().expect("two are closed");
    assert_eq!(ids(&closed.total), ["e", "f"]);
}

#[test]
fn nothing_closed_is_a_zero_only_when_there_was_something_to_compare_with() {
    let pile = [finding("a", "reachable", &["solvent"])];
    assert!(funnel(&pile, NOTHING_BEFORE).closed.why().is_some());
    let compared = Before {
        compared: Compared::Yes,
        ..NOTHING_BEFORE
    };
    assert_eq!(
        funnel(&pile, compared)
            .closed
            .known()
            .map(|c| c.total.count),
        Some(0)
    );
}

fn entry(id: &str, exposure: &str, attacked: Measured<u64>) -> DebtEntryPoint {
    DebtEntryPoint {
        id: id.to_owned(),
        label: format!("GET /{id}"),
        place: place(1),
        exposure: exposure.to_owned(),
        exposure_reason: String::new(),
        findings: Vec::new(),
        attacked,
    }
}

#[test]
fn exposure_counts_unknown_as_public_and_leaves_the_unmeasured_out_of_the_measured() {
    let entries = [
        entry("a", "public", Measured::Known(1)),
        entry("b", "unknown", Measured::Known(0)),
        entry(
            "c",
            "public",
            Measured::Unmeasured("two findings were not attacked".to_owned()),
        ),
        entry("d", "internal", Measured::Known(2)),
    ];
    let exposure_known = exposure(&entries, Attacked::Yes);
    let known = exposure_known.known().expect("known");
    assert_eq!(ids(&known.public), ["a", "b", "c"]);
    assert_eq!(ids(&known.measured), ["a", "b"]);
    assert_eq!(ids(&known.open_proof), ["a"]);
    assert!(exposure(&entries, Attacked::Never).why().is_some());
}

const DAY: i64 = 86_400_000;

fn seen(month: &str, day: i64, open: &[&str], critical: &[&str]) -> Snapshot {
    let set = |ids: &[&str]| ids.iter().map(|i| (*i).to_owned()).collect::<BTreeSet<_>>();
    Snapshot {
        month: month.to_owned(),
        seen: Measured::Known(Seen {
            revision: "r".to_owned(),
            committed_ms: day * DAY,
            lines: 10,
            open: set(open),
            critical: set(critical),
        }),
    }
}

fn gap(month: &str) -> Snapshot {
    Snapshot {
        month: month.to_owned(),
        seen: Measured::Unmeasured("no commit".to_owned()),
    }
}

fn flows(month: &Month) -> (Option<u64>, Option<u64>) {
    let scan = month.scan.known().expect("scanned");
    (
        scan.inflow.known().map(|f| f.count),
        scan.outflow.known().map(|f| f.count),
    )
}

#[test]
fn months_flow_into_each_other_and_a_hole_is_a_hole() {
    let months = months(&[
        seen("2026-01", 30, &["a", "b"], &["a"]),
        seen("2026-02", 58, &["a", "c", "d"], &["a", "c"]),
        gap("2026-03"),
        seen("2026-04", 119, &["c"], &["c"]),
        seen("2026-05", 150, &["a", "c"], &["a", "c"]),
        seen("2026-06", 180, &[], &[]),
    ]);
    assert_eq!(flows(&months[0]), (None, None));
    assert_eq!(flows(&months[1]), (Some(2), Some(1)));
    assert!(months[2].scan.why().is_some());
    assert_eq!(flows(&months[3]), (None, None));
    assert_eq!(flows(&months[4]), (Some(1), Some(0)));
    assert_eq!(flows(&months[5]), (Some(0), Some(2)));
    let age = |i: usize| {
        let scan = months[i].scan.known().expect("scanned");
        scan.oldest_open_critical.as_ref().map(|a| {
            (
                a.days,
                a.at_least,
                ids(&Figure {
                    count: 0,
                    evidence: a.evidence.clone(),
                })
                .join(" "),
            )
        })
    };
    assert_eq!(age(0), Some((0, true, "a".to_owned())));
    assert_eq!(age(1), Some((28, true, "a".to_owned())));
    assert_eq!(age(3), Some((61, false, "c".to_owned())));
    assert_eq!(
        age(4),
        Some((92, false, "c".to_owned())),
        "a came back: its age begins anew"
    );
    assert_eq!(age(5), None);
}

#[test]
fn a_forecast_needs_months_and_begins_at_the_newest_backlog() {
    let few = months(&[
        seen("2026-01", 30, &["a"], &[]),
        seen("2026-02", 58, &["a"], &[]),
    ]);
    assert!(forecast(&few).why().is_some_and(|w| w.contains('3')));
    let open: Vec<String> = (0..40).map(|i| format!("f{i}")).collect();
    let up_to = |n: usize| open[..n].iter().map(String::as_str).collect::<Vec<_>>();
    let months = months(&[
        seen("2026-09", 30, &up_to(10), &[]),
        seen("2026-10", 60, &up_to(20), &[]),
        seen("2026-11", 90, &up_to(30), &[]),
        seen("2026-12", 120, &up_to(40), &[]),
    ]);
    let forecast = forecast(&months);
    let forecast = forecast.known().expect("four months");
    assert_eq!(forecast.months[0].month, "2027-01");
    // Thirty came in three months: about ten more each month, a little less for the unknown outflow.
    assert!((48..=51).contains(&forecast.months[0].median));
    let widths: Vec<u64> = forecast.months.iter().map(|m| m.high - m.low).collect();
    assert!(widths.is_sorted() && widths[0] > 0);
    assert_eq!(forecast.evidence.len(), 3);
}

fn share(detected: u64, unknown: u64) -> Share {
    let figure = |count| Figure {
        count,
        evidence: Vec::new(),
    };
    Share {
        detected: figure(detected),
        bots: figure(0),
        human: figure(0),
        unknown: figure(unknown),
        total: figure(detected + unknown),
        low: 0.0,
        high: 1.0,
    }
}

fn brought(id: &str, by: &str, or_earlier: bool) -> DebtFinding {
    let mut finding = finding(id, "reachable", &["solvent"]);
    finding.introduced = Measured::Known(Introduced {
        commit: "c".to_owned(),
        when_ms: 0,
        or_earlier,
        attribution: Attribution {
            by: by.to_owned(),
            tool: None,
            how: String::new(),
        },
    });
    finding
}

#[test]
fn rates_have_their_denominators_and_their_interval() {
    let mut gone = brought("z", "ai", false);
    gone.verdict.word = "no_path".to_owned();
    let mut old = brought("o", "ai", false);
    if let Measured::Known(introduced) = &mut old.introduced {
        introduced.commit = "before these months".to_owned();
    }
    let findings = [
        brought("a", "ai", false),
        brought("b", "unknown", false),
        brought("c", "bot", false),
        brought("d", "ai", true),
        finding("e", "reachable", &["solvent"]),
        finding("f", "not_judged", &["bandit"]),
        gone,
        old,
    ];
    let rates = flaw_rates(&findings, &share(50, 400), &|commit| commit == "c");
    assert_eq!(
        (ids(&rates.ai.flaws), rates.ai.changes.count),
        (vec!["a"], 50)
    );
    assert_eq!(
        (ids(&rates.rest.flaws), rates.rest.changes.count),
        (vec!["b", "c"], 400)
    );
    assert_eq!(ids(&rates.unattributed), ["d", "e", "o"]);
    // One flaw in fifty changes: 2 in a hundred, Garwood's 0.0253 and 5.5716 times two.
    let interval = rates.ai.per_hundred.known().expect("changes");
    assert!((interval.value - 2.0).abs() < 1e-9);
    assert!((interval.low - 0.0506).abs() < 1e-3 && (interval.high - 11.1433).abs() < 1e-3);
    let none = flaw_rates(&findings, &share(0, 3), &|_| true);
    assert!(none.ai.per_hundred.why().is_some());
}

proptest::proptest! {
    #[test]
    fn nothing_leaves_the_pile_without_evidence(
        rows in proptest::collection::vec((0_usize..4, 0_usize..4, 0_usize..3, 0_usize..4), 1..40)
    ) {
        const VERDICTS: [&str; 4] = ["reachable", "no_path", "undecided", "not_judged"];
        const STATES: [(&str, &str); 4] =
            [("open", ""), ("accepted", "accepted"), ("closed", "covered_by_import"), ("gone", "gone_from_source")];
        const TOOLS: [&[&str]; 3] = [&["solvent", "bandit"], &["bandit", "semgrep", "bandit"], &["solvent"]];
        const OUTCOMES: [&str; 3] = ["proven", "not_reproduced", "inconclusive"];
        let findings: Vec<DebtFinding> = rows
            .iter()
            .enumerate()
            .map(|(i, (verdict, word, tools, outcome))| {
                let mut f = finding(&format!("f{i}"), VERDICTS[*verdict], TOOLS[*tools]);
                f.state = state(STATES[*word].0, STATES[*word].1);
                if let Some(outcome) = OUTCOMES.get(*outcome) {
                    f.proof = proof(outcome);
                }
                f
            })
            .collect();
        let funnel = funnel(&findings, NOTHING_BEFORE);
        let by_verdict = funnel.reachable.count + funnel.undecided.count + funnel.no_path.count + funnel.not_judged.count;
        proptest::prop_assert_eq!(by_verdict, funnel.distinct.count);
        let quiet = findings.iter().filter(|f| f.state.word == "open" && !needs_attention(f)).count() as u64;
        let shut = funnel.closed.known().map_or(0, |c| c.total.count);
        proptest::prop_assert_eq!(
            funnel.attention.count + quiet + funnel.gone.count + shut,
            funnel.distinct.count
        );
        let attacked = solvent_metrics::funnel(&findings, Before { attacked: Attacked::Yes, ..NOTHING_BEFORE });
        let parts = [&attacked.inconclusive, &attacked.not_reproduced, &attacked.not_attempted, &attacked.not_judged_open];
        let proven = attacked.proven.known().map_or(0, |p| p.count);
        proptest::prop_assert_eq!(
            parts.iter().map(|p| p.count).sum::<u64>() + proven,
            attacked.attention.count
        );
        let collapse = collapse(&findings);
        let Some(collapse) = collapse.known() else { return Ok(()) };
        let out: u64 = collapse.removed.iter().map(|c| c.figure.count).sum();
        proptest::prop_assert_eq!(collapse.remaining.count + out, collapse.imported.count);
        let remaining: BTreeSet<&str> = ids(&collapse.remaining).into_iter().collect();
        for f in findings.iter().filter(|f| f.reports.iter().any(|r| r.run.is_some())) {
            let shown_harmless = f.state.word != "open" || f.verdict.word == "no_path";
            let proven = f.proof.known().is_some_and(|p| p.outcome == "proven") && f.state.word == "open";
            proptest::prop_assert_eq!(remaining.contains(f.id.as_str()), !shown_harmless || proven);
        }
    }
}
