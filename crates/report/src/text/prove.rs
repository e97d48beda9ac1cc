//! What a campaign of attacks says when it ends, and a replay.

use solvent_protocol::view::{ProofView, ProveReport, ReplayReport, TargetView};

use super::show::cost;
use super::{Page, Style};
use crate::words;

/// The target and its limits, then every attempt, proven first, then the bound on luck.
pub fn prove(report: &ProveReport, width: usize) -> Page {
    let mut page = Page::new(width);
    page.line(2, [(Style::Strong, &words::subject(&report.subject))]);
    target(&mut page, &report.target);
    for outcome in ["proven", "inconclusive", "not_reproduced"] {
        group(
            &mut page,
            outcome,
            report
                .proofs
                .iter()
                .filter(|p| p.outcome == outcome)
                .collect(),
        );
    }
    let known = ["proven", "inconclusive", "not_reproduced"];
    group(
        &mut page,
        "other",
        report
            .proofs
            .iter()
            .filter(|p| !known.contains(&p.outcome.as_str()))
            .collect(),
    );
    if report.proofs.is_empty() {
        page.blank();
        page.line(0, [(Style::Plain, "nothing was attacked")]);
    }
    page.blank();
    let requests = report.proofs.iter().map(|p| p.requests).sum();
    let total = format!(
        "{}, {}",
        words::count(requests, "request", "requests"),
        words::duration(report.duration_ms)
    );
    page.field("in all", &[(Style::Plain, &total)]);
    if let Some(luck) = report.luck_log2 {
        let luck = format!(
            "chance that any proof here holds by luck: {}",
            words::luck(luck)
        );
        page.field("luck", &[(Style::Plain, &luck)]);
    }
    page.unmeasured(&report.unmeasured);
    page
}

/// One capsule on one tree.
pub fn replay(report: &ReplayReport, width: usize) -> Page {
    let mut page = Page::new(width);
    page.line(2, [(Style::Strong, &words::subject(&report.subject))]);
    target(&mut page, &report.target);
    page.blank();
    let (style, words_for) = match report.outcome.as_str() {
        "proven" => (Style::Bad, "the effect happened again"),
        "not_reproduced" => (Style::Good, "the effect did not happen"),
        _ => (Style::Warn, "it could not be tried as recorded"),
    };
    let head = format!(
        ": {words_for}, {} of {} replays on fresh instances",
        report.replays_shown, report.replays_run
    );
    page.field(
        "replay",
        &[
            (style, &report.outcome.replace('_', " ")),
            (Style::Plain, &head),
        ],
    );
    if !report.reason.is_empty() {
        page.field("reason", &[(Style::Warn, &report.reason)]);
    }
    let rest = format!("{}, {}", words::weakness(&report.weakness), report.oracle);
    page.field("capsule", &[(Style::Plain, &rest)]);
    let total = cost(report.requests, report.seconds);
    page.field("in all", &[(Style::Plain, &total)]);
    page
}

fn target(page: &mut Page, target: &TargetView) {
    let recipe = format!("{} ({})", target.recipe, target.origin);
    page.field("target", &[(Style::Plain, &recipe)]);
    let ready = format!(
        "prepared in {}, answers after {}",
        words::duration(target.prepare_ms),
        words::duration(target.start_ms)
    );
    page.field("", &[(Style::Dim, &ready)]);
    let place = [target.interpreter.as_str(), target.sandbox.as_str()]
        .into_iter()
        .filter(|s| !s.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    if !place.is_empty() {
        page.field("", &[(Style::Dim, &place)]);
    }
    for limit in &target.limits {
        page.field("limit", &[(Style::Plain, limit)]);
    }
}

fn group(page: &mut Page, outcome: &str, proofs: Vec<&ProofView>) {
    if proofs.is_empty() {
        return;
    }
    page.blank();
    let style = match outcome {
        "proven" => Style::Bad,
        "inconclusive" => Style::Warn,
        _ => Style::Plain,
    };
    let n = words::number(proofs.len() as u64);
    page.line(
        0,
        [
            (style, &outcome.replace('_', " ")),
            (Style::Plain, "  "),
            (Style::Dim, &n),
        ],
    );
    for proof in proofs {
        let id = if proof.id.is_empty() {
            "-"
        } else {
            proof.id.as_str()
        };
        let rest = format!("{}  {}", words::weakness(&proof.weakness), proof.entry);
        page.line(
            14,
            [
                (Style::Key, &format!("  {id:<10}  ")),
                (Style::Plain, &rest),
            ],
        );
        if !proof.effect.is_empty() {
            page.paragraph(14, Style::Strong, &proof.effect);
        }
        if !proof.reason.is_empty() {
            page.paragraph(14, Style::Warn, &proof.reason);
        }
        let mut how = Vec::new();
        if !proof.input.is_empty() {
            how.push(proof.input.clone());
        }
        if !proof.oracle.is_empty() {
            how.push(format!("{} {}", proof.tier, proof.oracle));
        }
        if proof.replays_run > 0 {
            how.push(format!(
                "{} of {} replays",
                proof.replays_shown, proof.replays_run
            ));
        }
        if !how.is_empty() {
            page.paragraph(14, Style::Dim, &how.join(", "));
        }
        page.paragraph(14, Style::Dim, &cost(proof.requests, proof.seconds));
    }
}
