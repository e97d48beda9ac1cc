//! One finding: what it is, what was proven, how input gets there, how to try it.

use std::fmt::Write as _;

use solvent_protocol::view::{FindingState, FlowView, ProofView, StepView};

use crate::sheet::escape::{anchor, sentence, text};
use crate::sheet::{self, reason, severity, standing};
use crate::words::{self, Standing};

pub fn finding(out: &mut String, state: &FindingState) {
    let f = &state.finding;
    let now = Standing::of_state(state);
    let _ = write!(
        out,
        "<article class=\"finding {}\" id=\"{}\">\n<header>\n<div class=\"labels\">{}{}<span>{}</span><span class=\"id\">{}</span></div>\n<h3>{}</h3>\n</header>\n",
        sheet::standing_class(now),
        anchor(&f.id),
        standing(now),
        severity(&f.severity),
        text(&words::weakness(&f.weakness)),
        text(&f.id),
        sentence(&f.title),
    );
    out.push_str("<dl class=\"pairs\">\n");
    let mut pair = |label: &str, value: String| {
        let _ = writeln!(out, "<dt>{label}</dt><dd>{value}</dd>");
    };
    if matches!(now, Standing::Accepted | Standing::Closed) {
        pair("Decided", text(&words::decided(&state.lifecycle)));
    } else if !state.present {
        pair(
            "Present",
            "absent from the newest scan, which does not close it".to_owned(),
        );
    }
    match &f.entry {
        Some(entry) => {
            let guard = if entry.auth.is_empty() {
                "no login check recognised".to_owned()
            } else {
                format!("behind {}", text(&entry.auth.join(", ")))
            };
            pair(
                "Entry",
                format!(
                    "<b>{}</b>, {guard} <span class=\"path soft\">{}</span>",
                    text(&entry.label),
                    text(&words::place(&entry.place))
                ),
            );
        }
        None => pair("Entry", text(words::without_entry(f))),
    }
    pair(
        "Sink",
        format!(
            "<code>{}</code> in <code>{}</code> <span class=\"path soft\">{}</span>",
            text(&f.sink.callee),
            text(&f.sink.function),
            text(&words::place(&f.sink.place))
        ),
    );
    let reasons: Vec<String> = f.verdict.reasons.iter().map(reason).collect();
    let mut verdict = text(&f.verdict.word.replace('_', " "));
    if !reasons.is_empty() {
        let joiner = if f.verdict.word == "reachable" {
            ", taking for granted: "
        } else {
            ": "
        };
        verdict.push_str(joiner);
        verdict.push_str(&reasons.join("; "));
    }
    pair("Verdict", verdict);
    if f.verdict.word == "undecided" {
        pair("Known by", text(&words::what_settles([f]).join("; or ")));
    }
    pair(
        "Seen",
        format!(
            "first {} UTC, last {} UTC",
            words::time(state.first_seen_ms),
            words::time(state.last_seen_ms)
        ),
    );
    out.push_str("</dl>\n");
    proof(out, state.proof.as_ref());
    for (n, one) in f.flows.iter().enumerate() {
        flow(out, one, n, f.flows.len());
    }
    if !f.way.is_empty() {
        out.push_str("<h4>How control gets there</h4>\n");
        steps(out, &f.way);
    } else if f.flows.is_empty() {
        let _ = write!(
            out,
            "<h4>At the sink</h4>\n<code class=\"line\">{}</code>\n",
            text(&f.sink.text)
        );
    }
    if state.proof.as_ref().is_some_and(|p| p.capsule.is_some()) {
        let _ = write!(
            out,
            "<h4>Reproducer</h4>\n<p>Sealed, because it is a working exploit. Who may open it does so on the record:</p>\n<pre>solvent show {} --open</pre>\n",
            text(&f.id)
        );
    }
    out.push_str("</article>\n");
}

fn proof(out: &mut String, proof: Option<&ProofView>) {
    let Some(p) = proof else {
        out.push_str("<div class=\"proof\"><h4>Proof</h4><p>Never attacked.</p></div>\n");
        return;
    };
    let (class, title) = match p.outcome.as_str() {
        "proven" => ("proven", "What happened"),
        "not_reproduced" => ("quiet", "Attacked, not reproduced"),
        _ => ("unknown", "Attacked, inconclusive"),
    };
    let _ = write!(out, "<div class=\"proof {class}\">\n<h4>{title}</h4>\n");
    let words_for = if p.effect.is_empty() {
        &p.reason
    } else {
        &p.effect
    };
    if !words_for.is_empty() {
        let _ = writeln!(out, "<p class=\"effect\">{}</p>", sentence(words_for));
    }
    if !p.evidence.is_empty() {
        out.push_str("<ul>\n");
        for evidence in &p.evidence {
            let _ = writeln!(out, "<li>{}</li>", sentence(evidence));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<dl class=\"pairs\">\n");
    let mut pair = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "<dt>{label}</dt><dd>{value}</dd>");
        }
    };
    pair("Through", text(&p.input));
    if !p.oracle.is_empty() {
        pair(
            "Oracle",
            format!(
                "<b>{}</b>: {}",
                text(&p.oracle),
                text(&words::oracle(&p.oracle))
            ),
        );
    }
    if p.replays_run > 0 {
        pair(
            "Replays",
            format!(
                "{} {} of {} on fresh instances",
                ticks(p.replays_shown, p.replays_run),
                p.replays_shown,
                p.replays_run
            ),
        );
    }
    if !p.tier.is_empty() && p.outcome == "proven" {
        pair(
            "Tier",
            format!("<b>{}</b>: {}", text(&p.tier), words::tier(&p.tier)),
        );
    }
    if !p.effect.is_empty() {
        pair("Reason", sentence(&p.reason));
    }
    let seconds = if p.seconds.is_finite() {
        words::duration((p.seconds.max(0.0) * 1_000.0) as u64)
    } else {
        "unknown time".to_owned()
    };
    pair(
        "Cost",
        format!(
            "{}, {seconds}",
            words::count(p.requests, "request", "requests")
        ),
    );
    if let Some(capsule) = &p.capsule {
        pair("Capsule", sheet::digest(capsule));
    }
    out.push_str("</dl>\n</div>\n");
}

/// One mark a replay; of many only the figures are given.
fn ticks(shown: u32, run: u32) -> String {
    if run > 12 {
        return String::new();
    }
    let mut out = "<span class=\"ticks\" aria-hidden=\"true\">".to_owned();
    for n in 0..run {
        let class = if n < shown { "yes" } else { "no" };
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 10 10\"><circle class=\"{class}\" cx=\"5\" cy=\"5\" r=\"4\"/></svg>"
        );
    }
    out + "</span>"
}

fn flow(out: &mut String, flow: &FlowView, n: usize, of: usize) {
    let title = if of > 1 {
        format!("Flow {} of {of}: ", n + 1)
    } else {
        "Flow: ".to_owned()
    };
    let _ = writeln!(out, "<h4>{title}{}</h4>", text(&flow.input));
    steps(out, &flow.steps);
    if let Some(template) = &flow.template {
        let shown = text(template).replace("{input}", "<mark>{input}</mark>");
        let _ = write!(
            out,
            "<h4>What arrives at the sink</h4>\n<code class=\"line\">{shown}</code>\n"
        );
    }
    if !flow.conditions.is_empty() {
        let conditions: Vec<String> = flow.conditions.iter().map(|c| sentence(c)).collect();
        let _ = writeln!(
            out,
            "<p class=\"soft\">Only if {}.</p>",
            conditions.join(", and ")
        );
    }
}

fn steps(out: &mut String, steps: &[StepView]) {
    out.push_str("<ol class=\"flow\">\n");
    for step in steps {
        let class = if step.kind == "sink" {
            " class=\"sink\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<li{class}><div class=\"what\"><span>{}</span><span class=\"path\">{}</span></div>",
            sentence(&step.what),
            text(&words::place(&step.place)),
        );
        if !step.text.is_empty() {
            let _ = write!(out, "<code class=\"line\">{}</code>", text(&step.text));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
}
