//! From found to closed.

use std::collections::BTreeMap;

use solvent_protocol::debt::{
    Closed, Counted, DebtFinding, Figure, Funnel, Imported, Measured, evidence,
};

use crate::{figure, of};

/// Name of our own tool in [`ToolReport::tool`](solvent_protocol::debt::ToolReport).
pub const OWN: &str = "solvent";

/// What was done before this run, which decides what a zero means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Before {
    /// A campaign of attacks is recorded.
    pub attacked: Attacked,
    /// There was an earlier time to compare with: an older debt report, or a scanned month.
    pub compared: Compared,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attacked {
    Yes,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compared {
    Yes,
    Nothing,
}

/// Open and not shown to be without a path, or proven: what a person has to look at.
pub fn needs_attention(finding: &DebtFinding) -> bool {
    finding.state.word == "open" && (finding.verdict.word != "no_path" || is_proven(finding))
}

pub(crate) fn is_proven(finding: &DebtFinding) -> bool {
    outcome(finding) == Some("proven")
}

pub(crate) fn outcome(finding: &DebtFinding) -> Option<&str> {
    finding.proof.known().map(|p| p.outcome.as_str())
}

/// Whether another tool reports it.
pub(crate) fn is_imported(finding: &DebtFinding) -> bool {
    finding.reports.iter().any(|r| r.run.is_some())
}

/// The funnel of these findings.
pub fn funnel(findings: &[DebtFinding], before: Before) -> Funnel {
    let attention = || findings.iter().filter(|f| needs_attention(f));
    let word = |word: &'static str| of(findings.iter().filter(move |f| f.verdict.word == word));
    let with_outcome =
        |word: &'static str| of(attention().filter(move |f| outcome(f) == Some(word)));
    let judged = |f: &DebtFinding| matches!(f.verdict.word.as_str(), "reachable" | "undecided");
    let not_attacked = || attention().filter(|f| outcome(f).is_none());
    let mut tools: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in findings {
        for report in finding.reports.iter().filter(|r| r.run.is_some()) {
            tools
                .entry(&report.tool)
                .or_default()
                .push(evidence::finding(&finding.id));
        }
    }
    Funnel {
        own: of(findings
            .iter()
            .filter(|f| f.reports.iter().any(|r| r.run.is_none()))),
        imported: tools
            .into_iter()
            .map(|(tool, references)| Imported {
                tool: tool.to_owned(),
                findings: figure(references),
            })
            .collect(),
        joined: of(findings.iter().filter(|f| first_reason(f).is_some())),
        joined_because: by(findings.iter().filter_map(|f| {
            let (code, text) = first_reason(f)?;
            Some((code, text, f))
        })),
        distinct: of(findings),
        reachable: word("reachable"),
        undecided: word("undecided"),
        no_path: word("no_path"),
        not_judged: word("not_judged"),
        attention: of(attention()),
        proven: match before.attacked {
            Attacked::Yes => Measured::Known(with_outcome("proven")),
            Attacked::Never => {
                Measured::Unmeasured("nothing was attacked; run `solvent prove`".to_owned())
            }
        },
        not_reproduced: with_outcome("not_reproduced"),
        inconclusive: with_outcome("inconclusive"),
        not_attempted: of(not_attacked().filter(|f| judged(f))),
        not_judged_open: of(not_attacked().filter(|f| !judged(f))),
        gone: of(findings.iter().filter(|f| f.state.word == "gone")),
        closed: closed(findings, before.compared),
    }
}

fn closed(findings: &[DebtFinding], compared: Compared) -> Measured<Closed> {
    let ended: Vec<&DebtFinding> = findings
        .iter()
        .filter(|f| matches!(f.state.word.as_str(), "closed" | "accepted"))
        .collect();
    if ended.is_empty() && compared == Compared::Nothing {
        return Measured::Unmeasured(
            "there is no earlier look to compare with; the next run has one".to_owned(),
        );
    }
    let by = by(ended
        .iter()
        .map(|f| (f.state.code.as_str(), state_words(&f.state.code), *f)));
    Measured::Known(Closed {
        total: of(ended),
        by,
    })
}

fn state_words(code: &str) -> &'static str {
    match code {
        "accepted" => "a person accepted the risk, with a reason and an end",
        "verified_fix" => "the same attack failed on the merged revision",
        "covered_by_import" => {
            "the tool that reported it finished, looked at the file under the same rule, and no longer reports it"
        }
        _ => "closed by evidence",
    }
}

/// Why the second report was taken for the same flaw: code and words without the place.
fn first_reason(finding: &DebtFinding) -> Option<(&str, &'static str)> {
    finding
        .reports
        .iter()
        .find_map(|r| r.joined_because.as_ref().and(r.joined_how.as_deref()))
        .map(|code| (code, join_words(code)))
}

fn join_words(code: &str) -> &'static str {
    match code {
        "same_line" => "same weakness at the same line",
        "on_flow" => "same weakness, and the line lies on the way from input to sink",
        "near_line" => "same weakness a few lines apart in the same function",
        _ => "the same flaw",
    }
}

/// Counts by code, most first, then by code.
pub(crate) fn by<'f>(
    items: impl IntoIterator<Item = (&'f str, &'static str, &'f DebtFinding)>,
) -> Vec<Counted> {
    let mut groups: BTreeMap<&str, (&'static str, Vec<&DebtFinding>)> = BTreeMap::new();
    for (code, text, finding) in items {
        groups
            .entry(code)
            .or_insert((text, Vec::new()))
            .1
            .push(finding);
    }
    let mut out: Vec<Counted> = groups
        .into_iter()
        .map(|(code, (text, findings))| Counted {
            code: code.to_owned(),
            text: text.to_owned(),
            figure: of(findings),
        })
        .collect();
    sort(&mut out);
    out
}

pub(crate) fn sort(counted: &mut [Counted]) {
    let count = |f: &Figure| std::cmp::Reverse(f.count);
    counted.sort_by(|a, b| (count(&a.figure), &a.code).cmp(&(count(&b.figure), &b.code)));
}
