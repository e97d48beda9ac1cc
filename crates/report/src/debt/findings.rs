//! Every finding, grouped by what is known of it; what needs a person comes first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use solvent_protocol::debt::{DebtFinding, DebtReport, Introduced, Measured, ToolReport, evidence};

use super::link::Links;
use crate::sheet::escape::{sentence, text};
use crate::sheet::{reason, severity};
use crate::words;

/// What is known of a finding, in the order in which people act on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    Proven,
    Inconclusive,
    NotAttempted,
    Undecided,
    NotJudged,
    NotReproduced,
    NoPath,
    Accepted,
    Gone,
    Closed,
}

impl Group {
    pub const ALL: [Self; 10] = [
        Self::Proven,
        Self::Inconclusive,
        Self::NotAttempted,
        Self::Undecided,
        Self::NotJudged,
        Self::NotReproduced,
        Self::NoPath,
        Self::Accepted,
        Self::Gone,
        Self::Closed,
    ];

    /// A word that this program does not know counts as undecided and as open: unknown is never safe.
    pub fn of(finding: &DebtFinding) -> Self {
        match finding.state.word.as_str() {
            "closed" => return Self::Closed,
            "accepted" => return Self::Accepted,
            "gone" => return Self::Gone,
            _ => {}
        }
        let outcome = finding.proof.known().map(|p| p.outcome.as_str());
        match (outcome, finding.verdict.word.as_str()) {
            (Some("proven"), _) => Self::Proven,
            (_, "no_path") => Self::NoPath,
            (Some("not_reproduced"), _) => Self::NotReproduced,
            (Some("inconclusive"), _) => Self::Inconclusive,
            (_, "reachable") => Self::NotAttempted,
            (_, "not_judged") => Self::NotJudged,
            _ => Self::Undecided,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Inconclusive => "inconclusive",
            Self::NotAttempted => "reachable, not attacked",
            Self::Undecided => "undecided",
            Self::NotJudged => "not judged",
            Self::NotReproduced => "not reproduced",
            Self::NoPath => "no path",
            Self::Accepted => "accepted",
            Self::Gone => "no longer found",
            Self::Closed => "closed",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Inconclusive | Self::Undecided | Self::NotJudged => "unknown",
            Self::NotAttempted => "open",
            Self::NotReproduced | Self::NoPath | Self::Accepted | Self::Gone | Self::Closed => {
                "quiet"
            }
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Proven => {
                "The attack worked on the running application, and again in every replay."
            }
            Self::Inconclusive => "It was attacked, but not as planned.",
            Self::NotAttempted => {
                "An input that an attacker controls leads there; nobody attacked it."
            }
            Self::Undecided => "The search could not finish. It counts as open.",
            Self::NotJudged => {
                "Another tool reports it and nothing of ours judges it. It counts as open."
            }
            Self::NotReproduced => {
                "Everything was tried as planned and no effect was seen, which is not a proof of safety."
            }
            Self::NoPath => "The search finished: every way there is cut, for the reason given.",
            Self::Accepted => "A named person accepted the risk, with a reason and until a date.",
            Self::Gone => {
                "In an older revision, and not in the newest. No attack verified that, so they are not closed."
            }
            Self::Closed => "Closed by evidence.",
        }
    }
}

pub fn findings<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2>Findings</h2>\n");
    if report.findings.is_empty() {
        out.push_str("<p>None, as far as was measured.</p>\n");
        return;
    }
    for group in Group::ALL {
        let rows: Vec<(usize, &DebtFinding)> = report
            .findings
            .iter()
            .enumerate()
            .filter(|(_, f)| Group::of(f) == group)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "<h3 class=\"group\"><span class=\"tag {}\">{}</span> <b>{}</b></h3>\n<p class=\"soft\">{}</p>\n",
            group.class(),
            group.words(),
            words::number(rows.len() as u64),
            group.meaning(),
        );
        if matches!(group, Group::NotJudged | Group::NoPath) {
            bundles(out, &rows, links);
            continue;
        }
        out.push_str("<table class=\"table stack rows\">\n<thead><tr><th>Finding</th><th>What and where</th><th>What is known</th><th>Since</th></tr></thead>\n<tbody>\n");
        for (n, finding) in rows {
            row(out, finding, &links.findings[n], links);
        }
        out.push_str("</tbody>\n</table>\n");
    }
}

fn row(out: &mut String, f: &DebtFinding, anchor: &str, links: &Links<'_>) {
    let entry = f
        .entry
        .as_ref()
        .map_or_else(String::new, |entry| format!("{} → ", text(entry)));
    let _ = writeln!(
        out,
        "<tr id=\"{anchor}\"><td><a class=\"id\" href=\"#{anchor}\">{}</a><br>{}</td><td class=\"what\"><span class=\"title\">{}</span><br><span class=\"soft\">{}</span><br><span class=\"path\">{entry}{}</span></td><td class=\"what\">{}</td><td class=\"since\">{}</td></tr>",
        text(&f.id),
        severity(&f.severity),
        sentence(&f.title),
        weakness(f),
        text(&words::place(&f.place)),
        known(f),
        since(&f.introduced, links),
    );
}

/// Findings that say the same about different places, the largest bundle first: what scanners of patterns
/// report by the hundred.
fn bundles(out: &mut String, rows: &[(usize, &DebtFinding)], links: &Links<'_>) {
    let mut bundles: BTreeMap<_, Vec<(usize, &DebtFinding)>> = BTreeMap::new();
    for (n, f) in rows {
        let key = (
            f.title.as_str(),
            f.weakness.as_str(),
            f.severity.as_str(),
            known(f),
        );
        bundles.entry(key).or_default().push((*n, f));
    }
    let mut bundles: Vec<_> = bundles.into_iter().collect();
    bundles.sort_by_key(|((_, _, severity, _), members)| {
        (
            std::cmp::Reverse(words::severity_rank(severity)),
            std::cmp::Reverse(members.len()),
        )
    });
    for ((title, _, rank, known), members) in bundles {
        let Some((_, first)) = members.first() else {
            continue;
        };
        let _ = write!(
            out,
            "<div class=\"bundle\"><div class=\"labels\">{}<span>{}</span><span>{}</span></div>\n<h4>{}</h4>\n<p>{known}</p>\n<ul class=\"places\">\n",
            severity(rank),
            weakness(first),
            words::count(members.len() as u64, "place", "places"),
            sentence(title),
        );
        for (n, f) in members {
            let anchor = &links.findings[n];
            let since = match &f.introduced {
                Measured::Known(i) => format!(
                    "{}{} {} {}",
                    words::date(i.when_ms),
                    if i.or_earlier { " or earlier" } else { "" },
                    links.reference(&evidence::commit(&i.commit)),
                    by(&i.attribution),
                ),
                Measured::Unmeasured(why) => format!("since when is unknown: {}", sentence(why)),
            };
            let _ = writeln!(
                out,
                "<li id=\"{anchor}\"><a class=\"id\" href=\"#{anchor}\">{}</a> <span class=\"path\">{}</span> <span class=\"soft\">{since}</span></li>",
                text(&f.id),
                text(&words::place(&f.place)),
            );
        }
        out.push_str("</ul></div>\n");
    }
}

fn weakness(f: &DebtFinding) -> String {
    if f.weakness.is_empty() {
        "no weakness given".to_owned()
    } else {
        text(&words::weakness(&f.weakness))
    }
}

/// The strongest word on it, then who else reports it.
fn known(f: &DebtFinding) -> String {
    let mut lines = Vec::new();
    if !f.state.reason.is_empty() {
        let since = f
            .state
            .since_ms
            .map_or_else(String::new, |ms| format!(", {}", words::date(ms)));
        lines.push(format!("{}{since}", sentence(&f.state.reason)));
    }
    match &f.proof {
        Measured::Known(proof) => {
            let mut line = sentence(&proof.text);
            if proof.replays_run > 0 {
                let _ = write!(
                    line,
                    " <span class=\"soft\">{} of {} replays</span>",
                    proof.replays_shown, proof.replays_run
                );
            }
            lines.push(line);
        }
        Measured::Unmeasured(why) if f.verdict.word == "reachable" => {
            lines.push(format!(
                "<span class=\"soft\">not attacked: {}</span>",
                sentence(why)
            ));
        }
        Measured::Unmeasured(_) => {}
    }
    lines.extend(f.verdict.reasons.iter().map(reason));
    // Our own word alone needs no naming: the rule is the weakness.
    let ours_alone = f.reports.len() == 1 && f.reports.iter().all(|r| r.run.is_none());
    if !ours_alone {
        lines.extend(f.reports.iter().map(|r| reported(r, &f.weakness)));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("<br>")
}

fn reported(report: &ToolReport, weakness: &str) -> String {
    let mut line = format!("<span class=\"by\">{}", text(&report.tool));
    if !report.rule.is_empty() && report.rule != weakness {
        let _ = write!(line, " <code>{}</code>", text(&report.rule));
    }
    if let Some(why) = &report.joined_because {
        let _ = write!(line, ", joined: {}", sentence(why));
    }
    line + "</span>"
}

fn since(introduced: &Measured<Introduced>, links: &Links<'_>) -> String {
    match introduced {
        Measured::Known(i) => {
            let earlier = if i.or_earlier { " or earlier" } else { "" };
            format!(
                "<span class=\"nowrap\">{}</span>{earlier}<br>{}<br><span class=\"soft\">{}</span>",
                words::date(i.when_ms),
                links.reference(&evidence::commit(&i.commit)),
                by(&i.attribution),
            )
        }
        Measured::Unmeasured(why) => {
            format!("<span class=\"soft\">unknown: {}</span>", sentence(why))
        }
    }
}

/// `Claude Code (co-author trailer)`, `unknown`.
pub fn by(attribution: &solvent_protocol::debt::Attribution) -> String {
    let who = match attribution.by.as_str() {
        "ai" => attribution.tool.as_deref().unwrap_or("an AI tool"),
        "bot" => attribution.tool.as_deref().unwrap_or("other automation"),
        "human" => "noted as a person's",
        _ => return "written by unknown".to_owned(),
    };
    if attribution.how.is_empty() {
        text(who)
    } else {
        format!("{} ({})", text(who), text(&attribution.how))
    }
}
