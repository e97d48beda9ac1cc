//! From a number to what was counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use solvent_protocol::debt::{DebtReport, Figure, MAX_EVIDENCE, evidence};

use crate::sheet::escape::text;
use crate::words;

/// Every part of the page that can be pointed at, and the lists that were asked for so far.
pub struct Links<'a> {
    /// By position in the report's lists.
    pub findings: Vec<String>,
    pub commits: Vec<String>,
    pub months: Vec<String>,
    pub entries: Vec<String>,
    pub runs: Vec<String>,
    /// Reference to anchor and to its words.
    targets: BTreeMap<String, (String, String)>,
    lists: Vec<List<'a>>,
    known: BTreeMap<&'a [String], usize>,
}

/// Several numbers may stand for the same things: they share a list.
struct List<'a> {
    names: Vec<(String, Option<u64>)>,
    evidence: &'a [String],
}

impl<'a> Links<'a> {
    pub fn new(report: &'a DebtReport) -> Self {
        let mut used = BTreeSet::new();
        let mut targets = BTreeMap::new();
        let mut place = |prefix: &str, id: &str, reference: String, words: String| {
            let anchor = unused(&mut used, prefix, id);
            targets.entry(reference).or_insert((anchor.clone(), words));
            anchor
        };
        let findings = report
            .findings
            .iter()
            .map(|f| place("f", &f.id, evidence::finding(&f.id), f.id.clone()))
            .collect();
        let commits = report
            .commits
            .iter()
            .map(|c| {
                let short = words::short(&c.id);
                place("c", short, evidence::commit(&c.id), short.to_owned())
            })
            .collect();
        let months = report
            .months
            .iter()
            .map(|m| {
                place(
                    "m",
                    &m.month,
                    evidence::month(&m.month),
                    words::month(&m.month),
                )
            })
            .collect();
        let entries = report
            .entry_points
            .iter()
            .map(|e| place("p", &e.id, evidence::entry(&e.id), e.label.clone()))
            .collect();
        let runs = report
            .runs
            .iter()
            .map(|r| {
                let words = format!("{} ({})", r.tool, r.file);
                place("r", &r.id, evidence::run(&r.id), words)
            })
            .collect();
        Self {
            findings,
            commits,
            months,
            entries,
            runs,
            targets,
            lists: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The count as a link to what was counted. `what` is the figure's name, outside text or not.
    pub fn number(&mut self, what: &str, figure: &'a Figure) -> String {
        let shown = words::number(figure.count);
        if figure.count == 0 && figure.evidence.is_empty() {
            return format!("<span class=\"n0\">{shown}</span>");
        }
        self.shown(what, &shown, Some(figure.count), &figure.evidence)
    }

    /// Markup as a link to what it was computed from.
    pub fn derived(&mut self, what: &str, shown: &str, evidence: &'a [String]) -> String {
        self.shown(what, shown, None, evidence)
    }

    fn shown(
        &mut self,
        what: &str,
        shown: &str,
        count: Option<u64>,
        evidence: &'a [String],
    ) -> String {
        if let [one] = evidence
            && let Some((anchor, _)) = self.targets.get(one)
        {
            return format!("<a class=\"ev\" href=\"#{anchor}\">{shown}</a>");
        }
        let name = (what.to_owned(), count);
        if let Some(n) = self.known.get(evidence) {
            let list = &mut self.lists[*n - 1];
            if !list.names.contains(&name) {
                list.names.push(name);
            }
            return format!("<a class=\"ev\" href=\"#e-{n}\">{shown}</a>");
        }
        let n = self.lists.len() + 1;
        self.known.insert(evidence, n);
        self.lists.push(List {
            names: vec![name],
            evidence,
        });
        format!("<a class=\"ev\" id=\"b-{n}\" href=\"#e-{n}\">{shown}</a>")
    }

    /// A reference as a link with its own words, or as words when nothing on the page is meant.
    pub fn reference(&self, reference: &str) -> String {
        match self.targets.get(reference) {
            Some((anchor, words)) => {
                format!("<a class=\"id\" href=\"#{anchor}\">{}</a>", text(words))
            }
            None => {
                let words = reference
                    .strip_prefix("file:")
                    .or_else(|| reference.strip_prefix("commit:").map(words::short))
                    .unwrap_or(reference);
                format!("<span class=\"path\">{}</span>", text(words))
            }
        }
    }

    /// Where a reference points to on this page.
    pub fn anchor(&self, reference: &str) -> Option<&str> {
        self.targets
            .get(reference)
            .map(|(anchor, _)| anchor.as_str())
    }

    /// The lists themselves, for the end of the page: after this no number can be linked.
    pub fn lists(self, out: &mut String) {
        if self.lists.is_empty() {
            return;
        }
        out.push_str("<section class=\"lists\">\n<h2>What was counted</h2>\n<p>A list for every number that stands for more than one thing.</p>\n");
        for (n, list) in self.lists.iter().enumerate() {
            let n = n + 1;
            let _ = write!(out, "<div class=\"list\" id=\"e-{n}\"><h3>");
            for (i, (what, count)) in list.names.iter().enumerate() {
                let shown = count.map_or_else(String::new, |count| {
                    format!(" <b>{}</b>", words::number(count))
                });
                let what = text(what);
                let _ = match i {
                    0 => write!(out, "<a href=\"#b-{n}\">{what}</a>{shown}"),
                    _ => write!(out, ", {what}{shown}"),
                };
            }
            out.push_str("</h3>");
            if list.evidence.is_empty() {
                out.push_str("<p class=\"soft\">The report names nothing for this figure.</p>");
            } else {
                out.push_str("<ul class=\"refs\">");
                for reference in list.evidence.iter().take(MAX_EVIDENCE) {
                    let _ = write!(out, "<li>{}</li> ", self.reference(reference));
                }
                out.push_str("</ul>");
                let left = list.evidence.len().saturating_sub(MAX_EVIDENCE);
                if left > 0 {
                    let _ = write!(
                        out,
                        "<p class=\"soft\">and {} more that the report names.</p>",
                        words::number(left as u64)
                    );
                }
            }
            out.push_str("</div>\n");
        }
        out.push_str("</section>\n");
    }
}

/// A fragment name of letters, digits and dashes that nothing on the page has yet, whatever comes in.
fn unused(used: &mut BTreeSet<String>, prefix: &str, id: &str) -> String {
    let safe: String = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(64)
        .collect();
    let mut anchor = format!("{prefix}-{safe}");
    let mut n = used.len();
    while !used.insert(anchor.clone()) {
        n += 1;
        anchor = format!("{prefix}-{safe}-{n}");
    }
    anchor
}
