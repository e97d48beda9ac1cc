//! A change request, what it was put through, and what was decided about it.

use solvent_protocol::remediation::{
    ApprovalNote, ChangeList, ChangeRequest, ChangeState, CheckView, MergeReport, ReviewReport,
    RiskView, Verification,
};
use solvent_protocol::view::FindingState;

use super::{LABEL, Page, Style};
use crate::words;

/// Lines of a patch that a review shows; the whole of it is one command away.
const MAX_DIFF_LINES: usize = 60;
/// Lines of detail below a check.
const MAX_DETAIL: usize = 3;

/// The answer of `fix` and `propose`: what was made and whether it held.
pub fn change(request: &ChangeRequest, width: usize) -> Page {
    let mut page = Page::new(width);
    head(&mut page, request);
    page.blank();
    verification(&mut page, &request.verification);
    page.blank();
    risk(&mut page, &request.risk);
    page.blank();
    diff(&mut page, request);
    page
}

/// What an approver decides from: why, what, how it was verified, what could go wrong.
pub fn review(report: &ReviewReport, width: usize) -> Page {
    let mut page = Page::new(width);
    let state = &report.state;
    let request = &state.request;
    head(&mut page, request);
    for finding in &report.findings {
        page.blank();
        show_finding(&mut page, finding);
    }
    page.blank();
    diff(&mut page, request);
    page.blank();
    verification(&mut page, &request.verification);
    page.blank();
    risk(&mut page, &request.risk);
    page.field("undo", &[(Style::Plain, &request.rollback)]);
    for note in &request.notes {
        page.field("look at", &[(Style::Warn, note)]);
    }
    page.blank();
    standing(&mut page, state);
    page
}

/// Every change, newest first.
pub fn changes(list: &ChangeList, width: usize) -> Page {
    let mut page = Page::new(width);
    if list.changes.is_empty() {
        page.line(0, [(Style::Plain, "no change was proposed yet")]);
        return page;
    }
    for state in &list.changes {
        let request = &state.request;
        page.line(
            2,
            [
                (Style::Key, &request.id),
                (Style::Plain, "  "),
                (status_style(&state.status), &state.status.replace('_', " ")),
                (Style::Plain, &format!("  risk {}  ", request.risk.class)),
                (Style::Plain, &request.title),
            ],
        );
        let by = format!(
            "by {} for {}, {} of {} approvals",
            request.by, request.author, state.counted, state.needed
        );
        page.paragraph(12, Style::Dim, &by);
        if !request.verification.reason.is_empty() {
            page.paragraph(12, Style::Warn, &request.verification.reason);
        }
    }
    page
}

/// What a merge did, and what the attack did on the merged revision.
pub fn merge(report: &MergeReport, width: usize) -> Page {
    let mut page = Page::new(width);
    let style = match report.outcome.as_str() {
        "closed" => Style::Good,
        "reopened" => Style::Bad,
        _ => Style::Warn,
    };
    page.line(
        2,
        [
            (Style::Key, &report.change),
            (Style::Plain, "  "),
            (style, &report.outcome),
            (Style::Plain, &format!("  on {}", report.branch)),
        ],
    );
    page.field("merged", &[(Style::Plain, &short(&report.merged))]);
    page.field(
        "tree",
        &[(
            Style::Plain,
            &format!("{}, the approved one", short(&report.tree)),
        )],
    );
    approvals(&mut page, &report.approvals);
    for replay in &report.replays {
        let words = format!(
            "{}: the attack worked in {} of {} fresh instances",
            replay.outcome.replace('_', " "),
            replay.replays_shown,
            replay.replays_run
        );
        page.field("replay", &[(Style::Plain, &words)]);
        if !replay.reason.is_empty() {
            page.paragraph(LABEL, Style::Dim, &replay.reason);
        }
    }
    if !report.reason.is_empty() {
        page.field("why", &[(Style::Warn, &report.reason)]);
    }
    page
}

/// What a change repaired, in three lines, and with what words an agent was told that it may not approve.
pub fn repaired(request: &ChangeRequest, refusal: Option<&str>, width: usize) -> Page {
    let mut page = Page::new(width);
    page.field("flaw", &[(Style::Plain, &request.title)]);
    let fixed = format!(
        "{} ({}) in {}: +{} -{}, {} requests tried on it",
        request.by,
        request.origin,
        request.files.first().map_or("", |f| f.path.as_str()),
        request.files.iter().map(|f| f.added).sum::<u32>(),
        request.files.iter().map(|f| f.removed).sum::<u32>(),
        request.verification.requests,
    );
    page.field("fixed", &[(Style::Plain, &fixed)]);
    if let Some(refusal) = refusal {
        page.field("refused", &[(Style::Warn, refusal)]);
    }
    page
}

fn head(page: &mut Page, request: &ChangeRequest) {
    let verdict = request.verification.verdict.as_str();
    page.line(
        2,
        [
            (Style::Key, &request.id),
            (Style::Plain, "  "),
            (status_style(verdict), verdict),
            (Style::Plain, "  "),
            (Style::Strong, &request.title),
        ],
    );
    page.blank();
    page.field("does", &[(Style::Plain, &request.summary)]);
    page.field(
        "by",
        &[(
            Style::Plain,
            &format!(
                "{} ({}), answered for by {}",
                request.by, request.origin, request.author
            ),
        )],
    );
    page.field(
        "upon",
        &[(
            Style::Plain,
            &format!(
                "{} -> {}, {}",
                short(&request.base),
                short(&request.head),
                request.disposition.replace('_', " ")
            ),
        )],
    );
}

fn show_finding(page: &mut Page, state: &FindingState) {
    let finding = &state.finding;
    page.field(
        "flaw",
        &[
            (Style::Key, &finding.id),
            (Style::Plain, &format!("  {}, ", finding.severity)),
            (Style::Plain, &finding.title),
        ],
    );
    if let Some(entry) = &finding.entry {
        page.field("entry", &[(Style::Plain, &entry.label)]);
    }
    if let Some(flow) = finding.flows.first() {
        let first = flow.steps.first().map(|s| words::place(&s.place));
        let last = flow.steps.last().map(|s| words::place(&s.place));
        let path = format!(
            "{}: {} -> {} in {} steps",
            flow.input,
            first.unwrap_or_default(),
            last.unwrap_or_default(),
            flow.steps.len()
        );
        page.field("flow", &[(Style::Plain, &path)]);
    }
    if let Some(proof) = &state.proof {
        let words = format!(
            "{} {}, {} of {} replays",
            proof.effect, proof.tier, proof.replays_shown, proof.replays_run
        );
        page.field("proof", &[(Style::Strong, &words)]);
    }
}

fn verification(page: &mut Page, verification: &Verification) {
    let verdict = verification.verdict.as_str();
    page.field(
        "tried",
        &[
            (status_style(verdict), verdict),
            (
                Style::Plain,
                &format!(
                    ": {}",
                    if verification.reason.is_empty() {
                        "the same attack fails, what worked still works"
                    } else {
                        &verification.reason
                    }
                ),
            ),
        ],
    );
    for check in &verification.checks {
        show_check(page, check);
    }
    page.field(
        "cost",
        &[(
            Style::Plain,
            &super::show::cost(verification.requests, verification.seconds),
        )],
    );
}

fn show_check(page: &mut Page, check: &CheckView) {
    let (mark, style) = match check.result.as_str() {
        "passed" => ("yes", Style::Good),
        "failed" => ("NO ", Style::Bad),
        _ => ("?  ", Style::Warn),
    };
    let name = check.name.replace('_', " ");
    let rest = if check.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", check.reason)
    };
    page.line(
        LABEL + 5,
        [
            (Style::Plain, " ".repeat(LABEL).as_str()),
            (style, mark),
            (Style::Plain, "  "),
            (Style::Plain, &name),
            (Style::Dim, &rest),
        ],
    );
    for line in check.detail.iter().take(MAX_DETAIL) {
        page.paragraph(LABEL + 5, Style::Dim, line);
    }
    if let Some(more) = check
        .detail
        .len()
        .checked_sub(MAX_DETAIL)
        .filter(|n| *n > 0)
    {
        page.paragraph(LABEL + 5, Style::Dim, &format!("… {more} more with --json"));
    }
}

fn risk(page: &mut Page, risk: &RiskView) {
    let style = match risk.class.as_str() {
        "low" => Style::Good,
        "medium" => Style::Warn,
        _ => Style::Bad,
    };
    page.field(
        "risk",
        &[
            (style, &risk.class),
            (Style::Plain, &format!("  {}", risk.reasons.join("; "))),
        ],
    );
}

/// Where the change stands, and what it wants.
fn standing(page: &mut Page, state: &ChangeState) {
    page.field(
        "stands",
        &[
            (status_style(&state.status), &state.status.replace('_', " ")),
            (
                Style::Plain,
                &format!(", {} of {} approvals", state.counted, state.needed),
            ),
        ],
    );
    approvals(page, &state.approvals);
    for missing in &state.missing {
        page.field("missing", &[(Style::Warn, missing)]);
    }
    if let Some(rejection) = &state.rejection {
        page.field(
            "rejected",
            &[(
                Style::Bad,
                &format!("by {}: {}", rejection.by, rejection.reason),
            )],
        );
    }
    if let Some(merge) = &state.merge {
        let words = format!(
            "{} as {}: {}",
            merge.branch,
            short(&merge.merged),
            merge.outcome
        );
        page.field("merged", &[(Style::Plain, &words)]);
    }
    let records: Vec<String> = state.records.iter().map(|n| format!("#{n}")).collect();
    page.field("records", &[(Style::Dim, &records.join(" "))]);
}

fn approvals(page: &mut Page, approvals: &[ApprovalNote]) {
    for approval in approvals {
        let words = format!(
            "{} with {}, presence {}",
            approval.by,
            approval.key,
            approval.presence.replace('_', " ")
        );
        match &approval.void {
            None => page.field("approved", &[(Style::Good, &words)]),
            Some(why) => page.field(
                "void",
                &[(Style::Warn, &words), (Style::Warn, &format!(": {why}"))],
            ),
        }
    }
}

fn diff(page: &mut Page, request: &ChangeRequest) {
    for file in &request.files {
        let words = format!(
            "{} {}  +{} -{}",
            file.how, file.path, file.added, file.removed
        );
        page.field("patch", &[(Style::Strong, &words)]);
    }
    let lines: Vec<&str> = request.diff.lines().collect();
    for line in lines.iter().take(MAX_DIFF_LINES) {
        let style = match line.as_bytes().first() {
            Some(b'+') if !line.starts_with("+++") => Style::Good,
            Some(b'-') if !line.starts_with("---") => Style::Bad,
            Some(b'@') => Style::Key,
            _ => Style::Dim,
        };
        page.paragraph(2, style, line);
    }
    if let Some(more) = lines.len().checked_sub(MAX_DIFF_LINES).filter(|n| *n > 0) {
        let words = format!("… {more} more lines: solvent export {}", request.id);
        page.paragraph(2, Style::Warn, &words);
    }
}

pub(super) fn status_style(word: &str) -> Style {
    match word {
        "verified" | "approved" | "closed" | "merged" => Style::Good,
        "rejected" | "rejected_by_checks" | "reopened" => Style::Bad,
        _ => Style::Warn,
    }
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}
