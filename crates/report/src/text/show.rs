//! One finding on one screen of 100 by 50.

use solvent_protocol::view::{FlowView, ProofView, ShowReport, StepView};

use super::findings::{severity_style, style_of, why};
use super::{LABEL, Page, Style};
use crate::words::{self, Standing};

/// Steps of a flow that are shown; of a longer one the first and last halves.
const MAX_STEPS: usize = 8;
/// Lines of evidence that are shown.
const MAX_EVIDENCE: usize = 6;

/// Flow, proof and reproducer. `place` is what a next step needs behind it to be typed here: ` --repo shop`.
pub fn show(report: &ShowReport, place: &str, width: usize) -> Page {
    let mut page = Page::new(width);
    let state = &report.state;
    let finding = &state.finding;
    let standing = Standing::of_state(state);
    page.line(
        2,
        [
            (Style::Key, &finding.id),
            (Style::Plain, "  "),
            (style_of(standing), standing.words()),
            (Style::Plain, "  "),
            (severity_style(&finding.severity), &finding.severity),
            (
                Style::Plain,
                &format!("  {}", words::weakness(&finding.weakness)),
            ),
        ],
    );
    page.line(0, [(Style::Strong, &finding.title)]);
    if !state.present && standing != Standing::Closed {
        page.line(
            0,
            [(
                Style::Warn,
                "absent from the newest scan, which does not close it",
            )],
        );
    }
    let lifecycle = &state.lifecycle;
    if !matches!(lifecycle.state.as_str(), "" | "open") {
        let style = match lifecycle.state.as_str() {
            "closed" => Style::Good,
            "accepted" => Style::Warn,
            _ => Style::Bad,
        };
        page.paragraph(2, style, &words::decided(lifecycle));
    }
    page.blank();
    match &finding.entry {
        Some(entry) => {
            let auth = if entry.auth.is_empty() {
                "no login check recognised".to_owned()
            } else {
                format!("behind {}", entry.auth.join(", "))
            };
            let rest = format!(
                "  {} in {}, {auth}",
                words::place(&entry.place),
                entry.handler
            );
            page.field(
                "entry",
                &[(Style::Strong, &entry.label), (Style::Plain, &rest)],
            );
        }
        None => page.field("entry", &[(Style::Plain, words::without_entry(finding))]),
    }
    if let Some(exposure) = finding.entry.as_ref().and_then(|e| e.exposure.as_ref()) {
        let place = exposure
            .place
            .as_ref()
            .map(words::place)
            .unwrap_or_default();
        let rest = format!("  {}, {place}", exposure.why);
        page.field(
            "reached",
            &[(Style::Strong, &exposure.reach), (Style::Plain, &rest)],
        );
        for caller in &exposure.callers {
            page.paragraph(LABEL, Style::Dim, &format!("from {caller}"));
        }
    }
    let rest = format!(
        "  {} in {}",
        words::place(&finding.sink.place),
        finding.sink.function
    );
    page.field(
        "sink",
        &[(Style::Strong, &finding.sink.callee), (Style::Plain, &rest)],
    );
    page.cut(LABEL, Style::Dim, &finding.sink.text);
    page.field(
        "verdict",
        &[(Style::Plain, &finding.verdict.word.replace('_', " "))],
    );
    for reason in &finding.verdict.reasons {
        page.line(
            LABEL + 2,
            [
                (Style::Plain, " ".repeat(LABEL).as_str()),
                (Style::Dim, "- "),
                (Style::Plain, &why(reason)),
            ],
        );
    }
    if finding.verdict.word == "undecided" {
        for words in words::what_settles([finding]) {
            page.field("known by", &[(Style::Plain, words)]);
        }
    }
    if let Some(flow) = finding.flows.first() {
        page.blank();
        show_flow(&mut page, flow, finding.flows.len() - 1);
    }
    if !finding.way.is_empty() {
        page.blank();
        page.field("way", &[(Style::Plain, "how control gets there")]);
        show_steps(&mut page, &finding.way);
    }
    page.blank();
    match &state.proof {
        Some(proof) => show_proof(&mut page, proof),
        None => page.field("proof", &[(Style::Plain, "never attacked")]),
    }
    if let Some(curl) = &report.curl {
        page.blank();
        page.field(
            "replay",
            &[(
                Style::Plain,
                "against a target of your own that listens where the command says:",
            )],
        );
        for line in curl.lines() {
            page.verbatim(line);
        }
    } else if state.proof.as_ref().is_some_and(|p| p.capsule.is_some()) {
        page.blank();
        let open = format!("solvent show {} --open{place}", finding.id);
        page.field(
            "replay",
            &[(
                Style::Plain,
                "sealed, because it is a working exploit; this opens it, on the record:",
            )],
        );
        page.paragraph(LABEL, Style::Strong, &open);
    }
    let records: Vec<String> = report.records.iter().map(|n| format!("#{n}")).collect();
    if !records.is_empty() {
        page.blank();
        page.field("records", &[(Style::Dim, &records.join(" "))]);
    }
    page
}

fn show_flow(page: &mut Page, flow: &FlowView, others: usize) {
    let more = if others == 0 {
        String::new()
    } else {
        format!(
            ", and {} to the same sink",
            words::count(others as u64, "input", "inputs")
        )
    };
    page.field(
        "flow",
        &[(Style::Strong, &flow.input), (Style::Plain, &more)],
    );
    show_steps(page, &flow.steps);
    if let Some(template) = &flow.template {
        page.field("arrives", &[(Style::Plain, template)]);
    }
    for condition in &flow.conditions {
        page.field("if", &[(Style::Plain, condition)]);
    }
}

fn show_steps(page: &mut Page, steps: &[StepView]) {
    let elided = steps.len().saturating_sub(MAX_STEPS);
    let head = if elided > 0 {
        MAX_STEPS / 2
    } else {
        steps.len()
    };
    for (n, step) in steps.iter().enumerate() {
        if elided > 0 && n == head {
            page.paragraph(
                LABEL,
                Style::Dim,
                &format!("… {} more …", words::count(elided as u64, "step", "steps")),
            );
        }
        if n < head || n >= head + elided {
            show_step(page, n + 1, step);
        }
    }
}

fn show_step(page: &mut Page, n: usize, step: &StepView) {
    let number = format!("{n:>7}  ");
    page.line(
        LABEL,
        [
            (Style::Dim, &number),
            (Style::Plain, " "),
            (Style::Key, &words::place(&step.place)),
            (Style::Plain, "  "),
            (Style::Plain, &step.what),
        ],
    );
    if !step.text.is_empty() {
        page.cut(LABEL + 2, Style::Dim, &step.text);
    }
}

fn show_proof(page: &mut Page, proof: &ProofView) {
    let style = match proof.outcome.as_str() {
        "proven" => Style::Bad,
        "inconclusive" => Style::Warn,
        _ => Style::Plain,
    };
    let mut rest = String::new();
    if !proof.tier.is_empty() {
        rest.push_str(&format!(" {}", proof.tier));
    }
    if proof.replays_run > 0 {
        rest.push_str(&format!(
            ", shown in {} of {} replays on fresh instances",
            proof.replays_shown, proof.replays_run
        ));
    }
    page.field(
        "proof",
        &[
            (style, &proof.outcome.replace('_', " ")),
            (Style::Plain, &rest),
        ],
    );
    if !proof.effect.is_empty() {
        page.field("effect", &[(Style::Strong, &proof.effect)]);
    }
    if !proof.oracle.is_empty() {
        page.field("oracle", &[(Style::Plain, &proof.oracle)]);
    }
    if !proof.input.is_empty() {
        page.field("through", &[(Style::Plain, &proof.input)]);
    }
    if !proof.reason.is_empty() {
        page.field("reason", &[(Style::Warn, &proof.reason)]);
    }
    for evidence in proof.evidence.iter().take(MAX_EVIDENCE) {
        page.line(
            LABEL + 2,
            [
                (Style::Plain, " ".repeat(LABEL).as_str()),
                (Style::Dim, "- "),
                (Style::Plain, evidence),
            ],
        );
    }
    if let Some(more) = proof
        .evidence
        .len()
        .checked_sub(MAX_EVIDENCE)
        .filter(|n| *n > 0)
    {
        page.paragraph(LABEL, Style::Dim, &format!("… {more} more in the report"));
    }
    page.field(
        "cost",
        &[(Style::Plain, &cost(proof.requests, proof.seconds))],
    );
}

/// `118 requests, 5.9 s`, a line of its own wherever it stands: it differs from run to run.
pub(super) fn cost(requests: u64, seconds: f64) -> String {
    let requests = words::count(requests, "request", "requests");
    if seconds.is_finite() && seconds >= 0.0 {
        let ms = (seconds * 1_000.0).round().min(1e15) as u64;
        format!("{requests}, {}", words::duration(ms))
    } else {
        requests
    }
}
