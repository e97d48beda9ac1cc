use std::collections::BTreeSet;

use solvent_protocol::debt::{DebtReport, Figure, MAX_EVIDENCE, Measured, evidence};
use solvent_report::debt::page;
use solvent_report::visible::is_hidden;

use crate::debt_sample::{debt, poisoned, unmeasured};
use crate::html::{check, whole};

#[test]
fn the_page_of_the_sample() {
    insta::assert_snapshot!("debt_page", without_style(&page(&debt())));
}

#[test]
fn the_page_of_which_nothing_is_known() {
    insta::assert_snapshot!("debt_unmeasured_page", without_style(&page(&unmeasured())));
}

fn without_style(page: &str) -> String {
    // The style has its own file; what is pinned is the document.
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, body) = rest.split_once("</style>").expect("its end");
    format!("{head}<style></style>{body}")
}

#[test]
fn every_link_leads_to_one_place_on_the_page() {
    for report in [debt(), unmeasured(), poisoned("\"'> x")] {
        let page = page(&report);
        whole(&page);
        assert_eq!(report.findings.is_empty(), !page.contains("href=\"#f-"));
    }
}

#[test]
fn every_figure_opens_what_it_counts() {
    let report = debt();
    let page = page(&report);
    for figure in [
        &report.funnel.attention,
        &report.funnel.own,
        &report.funnel.distinct,
        report.funnel.proven.known().expect("it was attacked"),
    ] {
        // The list that holds exactly these findings.
        let list = page
            .split("<div class=\"list\"")
            .find(|list| {
                let list = list.split("</div>").next().unwrap_or_default();
                list.matches("<li>").count() == figure.evidence.len()
                    && figure.evidence.iter().all(|reference| {
                        let id = reference.trim_start_matches("finding:");
                        list.contains(&format!("href=\"#f-{id}\""))
                    })
            })
            .expect("a list for the figure");
        let shown = format!("<b>{}</b>", figure.count);
        assert!(list.contains(&shown), "{shown} in {list:.200}");
    }
}

#[test]
fn a_figure_over_more_than_can_be_listed_says_how_much_is_left_out() {
    let mut report = debt();
    report.funnel.attention = Figure {
        count: 5_000,
        evidence: (0..5_000)
            .map(|n| evidence::file(&format!("a/{n}.py")))
            .collect(),
    };
    let page = page(&report);
    assert!(page.contains(">5,000</a>"));
    assert!(page.contains("and 3,000 more that the report names"));
    assert!(page.contains(&format!("a/{}.py", MAX_EVIDENCE - 1)));
    assert!(!page.contains(&format!("a/{MAX_EVIDENCE}.py")));
}

#[test]
fn a_figure_without_evidence_says_so() {
    let mut report = debt();
    report.funnel.attention.evidence.clear();
    assert!(page(&report).contains("The report names nothing for this figure."));
}

#[test]
fn collapse_and_exposure_stand_apart_and_undecided_counts_as_remaining() {
    let page = page(&debt());
    let collapse = page.find("<h3>Collapse</h3>").expect("a card");
    let exposure = page.find("<h3>Exposure</h3>").expect("a card");
    assert!(collapse < exposure);
    assert!(page[collapse..exposure].contains("Undecided counts as remaining"));
}

#[test]
fn what_is_not_known_is_never_a_zero() {
    let page = page(&unmeasured());
    for card in ["Proven exploitable", "Collapse", "Exposure"] {
        let (_, rest) = page
            .split_once(&format!("<h3>{card}</h3>"))
            .expect("a card");
        let (card, _) = rest.split_once("</div>").expect("its end");
        assert!(card.contains("unmeasured") && !card.contains('0'), "{card}");
    }
    assert!(page.contains("none is proven and none is ruled out"));
    let mut report = debt();
    report
        .months
        .iter_mut()
        .for_each(|m| m.scan = Measured::Unmeasured("time ran out".to_owned()));
    let page = solvent_report::debt::page(&report);
    check(&page);
    assert!(page.contains("the past: time ran out"));
    assert!(
        !page.contains("class=\"line-open\" d"),
        "nothing is drawn of what is not known"
    );
}

#[test]
fn a_month_that_was_not_scanned_breaks_the_line() {
    let page = page(&debt());
    let (_, rest) = page
        .split_once("class=\"line-open\" d=\"M")
        .expect("the legend");
    let (_, rest) = rest
        .split_once("class=\"line-open\" d=\"")
        .expect("the line");
    let (line, _) = rest.split_once('"').expect("its end");
    assert_eq!(line.matches('M').count(), 2, "{line}");
    assert_eq!(line.matches('L').count(), 9, "{line}");
}

#[test]
fn a_month_that_was_scanned_is_never_hatched() {
    let report = debt();
    let page = page(&report);
    let missing = report.months.iter().filter(|m| m.scan.known().is_none());
    let missing = missing.count();
    let moved = |m: &solvent_protocol::debt::Month| {
        m.scan.known().is_some_and(|s| s.inflow.known().is_none())
    };
    let unknown = report.months.iter().filter(|m| moved(m)).count();
    assert!(missing > 0 && unknown > 0, "the sample has both");
    for (drawing, marks) in [("open", 0), ("flow", unknown), ("age", 0)] {
        let (_, rest) = page
            .split_once(&format!("aria-labelledby=\"{drawing}-t"))
            .expect("a drawing");
        let (plot, _) = rest.split_once("<a href").expect("its end");
        assert_eq!(plot.matches("s-unknown").count(), missing, "{drawing}");
        assert_eq!(plot.matches(">?</text>").count(), marks, "{drawing}");
    }
}

#[test]
fn a_month_without_changes_has_no_share() {
    let mut report = debt();
    let Measured::Known(authorship) = &mut report.authorship else {
        panic!("the sample has an authorship");
    };
    let Measured::Known(share) = &mut authorship.months[9].changes else {
        panic!("the sample has a share");
    };
    for figure in [
        &mut share.detected,
        &mut share.bots,
        &mut share.unknown,
        &mut share.total,
    ] {
        *figure = Figure::default();
    }
    (share.low, share.high) = (0.0, 0.0);
    let page = page(&report);
    assert!(page.contains("Sep 2026: no changes") && !page.contains("Sep 2026: 0%"));
}

#[test]
fn overlapping_intervals_show_no_difference() {
    let mut report = debt();
    assert!(page(&report).contains("a difference is not shown"));
    let Measured::Known(rates) = &mut report.flaw_rates else {
        panic!("the sample has rates");
    };
    let Measured::Known(ai) = &mut rates.ai.per_hundred else {
        panic!("the sample has an interval");
    };
    ai.low = 3.0;
    ai.high = 9.0;
    assert!(page(&report).contains("the rate is higher where a tool left its mark"));
}

#[test]
fn hostile_text_stays_text() {
    let tails = [
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "</style></title></code></pre><iframe src=//x>",
        "<!-- -->]]><svg onload=alert(1)>",
        "`<b onclick=x>`",
        "javascript:alert(1)",
        "\u{202e}\u{2066}\u{200b}\u{0}\u{1b}[31m\r\n\t\u{e0041}",
        "\u{1}\" style=\"position:fixed",
    ];
    for tail in tails {
        let page = page(&poisoned(tail));
        check(&page);
        assert!(
            page.chars().all(|c| c == '\n' || !is_hidden(c)),
            "hidden character for {tail:?}"
        );
    }
}

#[test]
fn noise_in_every_field_makes_no_element() {
    let alphabet: Vec<char> =
        "<>\"'&`/=!-{}[]();:\\ \n\0\u{1b}\u{9b}\u{202e}\u{2028}aSsCcRrIiPpTtoOnN1é日"
            .chars()
            .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..40 {
        let mut tail = String::new();
        for _ in 0..24 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            tail.push(alphabet[(state % alphabet.len() as u64) as usize]);
        }
        check(&page(&poisoned(&tail)));
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    for report in [debt(), unmeasured()] {
        let page = page(&report);
        for word in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            "http://",
            "https://",
            "url(http",
            "@import",
            "javascript:",
            "data:",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn every_drawing_has_words() {
    let page = page(&debt());
    for plot in page.split("<svg class=\"plot\"").skip(1) {
        let plot = plot.split("</svg>").next().unwrap_or_default();
        assert!(
            plot.starts_with(" aria-hidden")
                || (plot.contains("<title id=") && plot.contains("<desc id=")),
            "{plot:.120}"
        );
    }
}

#[test]
fn figures_that_make_no_sense_break_nothing() {
    for n in [0, 1, u64::MAX] {
        let mut report = debt();
        let mut value = serde_json::to_value(&report).expect("it is JSON");
        counts(&mut value, n);
        report = serde_json::from_value(value).expect("only counts changed");
        for fraction in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            spoil(&mut report, fraction);
            let page = page(&report);
            whole(&page);
            assert!(
                !page.contains("NaN") && !page.contains("inf%"),
                "{fraction}"
            );
            let _ = solvent_report::text::debt(&report, 60).plain();
        }
    }
}

/// Sets every count of the report.
fn counts(value: &mut serde_json::Value, n: u64) {
    match value {
        serde_json::Value::Number(old) if old.is_u64() && old.as_u64() < Some(1_000_000) => {
            *value = n.min(u64::from(u32::MAX)).into()
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|v| counts(v, n)),
        serde_json::Value::Object(fields) => fields.iter_mut().for_each(|(key, v)| {
            if ["count", "days", "median", "low", "high"].contains(&key.as_str()) && v.is_u64() {
                *v = n.into();
            } else {
                counts(v, n);
            }
        }),
        _ => {}
    }
}

fn spoil(report: &mut DebtReport, fraction: f64) {
    if let Measured::Known(authorship) = &mut report.authorship {
        for share in [&mut authorship.lines, &mut authorship.changes] {
            if let Measured::Known(share) = share {
                share.low = fraction;
                share.high = fraction;
            }
        }
    }
    if let Measured::Known(rates) = &mut report.flaw_rates
        && let Measured::Known(interval) = &mut rates.ai.per_hundred
    {
        interval.low = fraction;
        interval.value = fraction;
        interval.high = fraction;
    }
}

#[test]
fn ids_that_are_not_unique_still_have_one_place_each() {
    let mut report = debt();
    for finding in &mut report.findings {
        finding.id = "same".to_owned();
    }
    for commit in &mut report.commits {
        commit.id.clear();
    }
    let page = page(&report);
    whole(&page);
    let ids: BTreeSet<&str> = page
        .split(" id=\"f-")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(ids.len(), report.findings.len());
}

/// A scanner of patterns reports thousands of places. What repeats is said once: under 700 bytes a place, so
/// that a browser opens the page at once.
#[test]
fn five_thousand_findings_are_a_page_that_opens() {
    let mut report = debt();
    let pattern = report.findings.last().expect("a finding").clone();
    report.findings.extend((0..5_000_u32).map(|n| {
        let mut finding = pattern.clone();
        finding.id = format!("{n:010x}");
        finding.place.line = n;
        finding
    }));
    report.funnel.not_judged.evidence = report
        .findings
        .iter()
        .map(|f| evidence::finding(&f.id))
        .collect();
    let page = page(&report);
    assert!(page.len() < 3_500_000, "{}", page.len());
    assert_eq!(page.matches("<code>innerHTML</code></h4>").count(), 1);
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(&debt()), page(&debt()));
}
