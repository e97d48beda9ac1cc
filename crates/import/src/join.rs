//! What is the same flaw, and why.
//!
//! Two reports are one flaw when they name the same weakness family in the same file, and the same line,
//! a line on the same flow, or lines a few apart in the same function. Different weaknesses are never
//! joined. Where it is not clear, two rows stay: a flaw counted twice costs a minute, one that hides behind
//! another costs the flaw.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Digest, FilePath};

use crate::weakness;

/// Lines between two reports of one flaw by different tools: one names the text that is built, the other the
/// call that uses it.
pub const NEAR_LINES: u32 = 3;

/// A region longer than this names a function or a file, not a statement.
const MAX_REGION: u32 = 30;

/// A finding of our own analysis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// What a person reads: the short id, or the call.
    pub label: String,
    /// CWE number.
    pub weakness: u32,
    pub path: FilePath,
    /// Of the sink, one-based.
    pub line: u32,
    /// Lines that its flows pass.
    pub flow: BTreeSet<(FilePath, u32)>,
}

/// A finding of another tool, at its place in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    pub tool: String,
    pub rule: String,
    /// CWE numbers as given.
    pub weaknesses: BTreeSet<u32>,
    pub path: FilePath,
    /// One-based, first and last.
    pub lines: Option<(u32, u32)>,
    /// The tool's own identity of the finding.
    pub fingerprint: Option<String>,
}

/// First and last line of the innermost function around a line; `None` when it is not known, which keeps
/// everything but the same line apart.
pub type Scope<'s> = dyn Fn(&FilePath, u32) -> Option<(u32, u32)> + 's;

/// How two reports are the same flaw. In falling order of what they show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// The sink's line lies in the reported region.
    SameLine,
    /// The reported line lies on the way from input to sink.
    OnFlow,
    /// So many lines apart in the same function.
    Near(u32),
}

impl How {
    pub fn code(self) -> &'static str {
        match self {
            Self::SameLine => "same_line",
            Self::OnFlow => "on_flow",
            Self::Near(_) => "near_line",
        }
    }

    /// In words, without a full stop.
    pub fn words(self) -> &'static str {
        match self {
            Self::SameLine => "same weakness at the same line",
            Self::OnFlow => "same weakness, and the line lies on the way from input to sink",
            Self::Near(_) => "same weakness a few lines apart in the same function",
        }
    }
}

/// What a spot was joined with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Join {
    pub with: Joined,
    pub how: How,
    /// In words, without a full stop.
    pub because: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Joined {
    /// Anchors, by index: all findings at that sink, one for each entry point.
    Anchors(Vec<usize>),
    /// An earlier spot, by index, that is joined with nothing itself.
    Spot(usize),
}

/// For each spot what it is the same flaw as, if anything.
pub fn join(anchors: &[Anchor], spots: &[Spot], scope: &Scope<'_>) -> Vec<Option<Join>> {
    let mut by_file: BTreeMap<&FilePath, Vec<usize>> = BTreeMap::new();
    for (i, anchor) in anchors.iter().enumerate() {
        let files: BTreeSet<&FilePath> = std::iter::once(&anchor.path)
            .chain(anchor.flow.iter().map(|(path, _)| path))
            .collect();
        for file in files {
            by_file.entry(file).or_default().push(i);
        }
    }
    let mut out: Vec<Option<Join>> = spots
        .iter()
        .map(|spot| {
            let here = by_file.get(&spot.path).map_or(&[][..], Vec::as_slice);
            to_anchors(anchors, here, spot, scope)
        })
        .collect();
    between(spots, scope, &mut out);
    out
}

fn region(spot: &Spot) -> Option<(u32, u32)> {
    let (first, last) = spot.lines?;
    Some((first, last.min(first.saturating_add(MAX_REGION))))
}

fn to_anchors(anchors: &[Anchor], here: &[usize], spot: &Spot, scope: &Scope<'_>) -> Option<Join> {
    let families = weakness::families(&spot.weaknesses);
    let (first, last) = region(spot)?;
    let alike: Vec<usize> = here
        .iter()
        .copied()
        .filter(|i| families.contains(&weakness::family(anchors[*i].weakness)))
        .collect();
    let joined = |with: Vec<usize>, how: How, because: String| {
        Some(Join {
            with: Joined::Anchors(with),
            how,
            because,
        })
    };
    let names = |with: &[usize]| {
        let first = with.first().map_or("", |i| anchors[*i].label.as_str());
        let class = with.first().map_or(0, |i| anchors[*i].weakness);
        (weakness::id(class), first.to_owned())
    };
    let at_line: Vec<usize> = alike
        .iter()
        .copied()
        .filter(|i| anchors[*i].path == spot.path && (first..=last).contains(&anchors[*i].line))
        .collect();
    if let Some(i) = at_line.first() {
        let (class, label) = names(&at_line);
        let because = format!(
            "same file, {class} in both, and the reported lines hold the sink at line {} ({label})",
            anchors[*i].line
        );
        return joined(at_line, How::SameLine, because);
    }
    let on_flow: Vec<usize> = alike
        .iter()
        .copied()
        .filter(|i| {
            (first..=last).any(|line| anchors[*i].flow.contains(&(spot.path.clone(), line)))
        })
        .collect();
    if let Some(i) = on_flow.first() {
        let (class, label) = names(&on_flow);
        let because = format!(
            "{class} in both, and line {first} lies on the way from the input to the sink at {}:{} ({label})",
            anchors[*i].path, anchors[*i].line
        );
        return joined(on_flow, How::OnFlow, because);
    }
    let around = scope(&spot.path, first)?;
    let distance = |line: u32| {
        if line < first {
            first - line
        } else {
            line.saturating_sub(last)
        }
    };
    let near: Vec<usize> = alike
        .iter()
        .copied()
        .filter(|i| {
            let anchor = &anchors[*i];
            anchor.path == spot.path
                && distance(anchor.line) <= NEAR_LINES
                && scope(&anchor.path, anchor.line) == Some(around)
        })
        .collect();
    let nearest = near.iter().map(|i| distance(anchors[*i].line)).min()?;
    let closest: Vec<usize> = near
        .into_iter()
        .filter(|i| distance(anchors[*i].line) == nearest)
        .collect();
    let lines: BTreeSet<u32> = closest.iter().map(|i| anchors[*i].line).collect();
    if lines.len() > 1 {
        // As far from one sink as from another: which one is meant is not known.
        return None;
    }
    let (class, label) = names(&closest);
    let because = format!(
        "same function, {class} in both, {nearest} line{} from the sink at line {} ({label})",
        if nearest == 1 { "" } else { "s" },
        lines.first().copied().unwrap_or_default(),
    );
    joined(closest, How::Near(nearest), because)
}

/// Joins spots without an anchor with each other: the head of a flaw is its first spot.
fn between(spots: &[Spot], scope: &Scope<'_>, out: &mut [Option<Join>]) {
    let mut order: Vec<usize> = (0..spots.len())
        .filter(|i| out[*i].is_none() && spots[*i].lines.is_some())
        .collect();
    order.sort_by_key(|i| (&spots[*i].path, spots[*i].lines, *i));
    // Heads of the current file, with the tools that already speak of each.
    let mut heads: Vec<(usize, BTreeSet<&str>)> = Vec::new();
    for i in order {
        let spot = &spots[i];
        let Some((first, last)) = region(spot) else {
            continue;
        };
        let families = weakness::families(&spot.weaknesses);
        heads.retain(|(head, _)| {
            spots[*head].path == spot.path
                && region(&spots[*head]).is_some_and(|(_, end)| end + NEAR_LINES >= first)
        });
        let mut best: Option<(How, usize)> = None;
        for (at, (head, tools)) in heads.iter().enumerate() {
            let other = &spots[*head];
            let again = (&other.tool, &other.rule, &other.lines, &other.weaknesses)
                == (&spot.tool, &spot.rule, &spot.lines, &spot.weaknesses);
            if !again && families.is_disjoint(&weakness::families(&other.weaknesses)) {
                continue;
            }
            let Some((other_first, other_last)) = region(other) else {
                continue;
            };
            let how = if again || (other_first <= last && first <= other_last) {
                How::SameLine
            } else if !tools.contains(spot.tool.as_str())
                && scope(&spot.path, first).is_some()
                && scope(&spot.path, first) == scope(&other.path, other_first)
            {
                How::Near(first.saturating_sub(other_last))
            } else {
                // A tool that reports two lines means two flaws.
                continue;
            };
            if best.is_none_or(|(known, _)| how < known) {
                best = Some((how, at));
            }
        }
        match best {
            Some((how, at)) => {
                let (head, tools) = &mut heads[at];
                tools.insert(&spot.tool);
                let other = &spots[*head];
                let shared = families
                    .intersection(&weakness::families(&other.weaknesses))
                    .next()
                    .map_or_else(|| format!("rule {}", spot.rule), |n| weakness::id(*n));
                let line = other.lines.map_or(0, |l| l.0);
                let because = match how {
                    How::Near(n) => format!(
                        "same function, {shared} in both, {n} line{} from what {} reports at line {line}",
                        if n == 1 { "" } else { "s" },
                        other.tool
                    ),
                    _ => format!(
                        "same file, {shared} in both, and {} reports the same line {line}",
                        other.tool
                    ),
                };
                out[i] = Some(Join {
                    with: Joined::Spot(*head),
                    how,
                    because,
                });
            }
            None => heads.push((i, BTreeSet::from([spot.tool.as_str()]))),
        }
    }
}

/// Identity of each spot across reports, in their order: the tool's own, else the rule, the file and the text
/// of the line; what is equal is numbered in file order. Survives lines that move.
pub fn identities(spots: &[Spot], text: &dyn Fn(&FilePath, u32) -> Option<String>) -> Vec<Digest> {
    let mut seen: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut order: Vec<usize> = (0..spots.len()).collect();
    order.sort_by_key(|i| (&spots[*i].path, spots[*i].lines, *i));
    let mut out = vec![Digest::of(b""); spots.len()];
    for i in order {
        let spot = &spots[i];
        let what = match (&spot.fingerprint, spot.lines) {
            (Some(theirs), _) => format!("theirs {theirs}"),
            (None, Some((first, _))) => match text(&spot.path, first) {
                Some(line) => format!(
                    "text {}",
                    line.split_whitespace().collect::<Vec<_>>().join(" ")
                ),
                None => format!("line {first}"),
            },
            (None, None) => "file".to_owned(),
        };
        let base = Digest::of_parts([
            b"solvent.import/v1".as_slice(),
            spot.tool.to_lowercase().as_bytes(),
            spot.rule.as_bytes(),
            spot.path.as_str().as_bytes(),
            what.as_bytes(),
        ]);
        let nth = seen.entry(base).or_default();
        out[i] = Digest::of_parts([base.as_bytes().as_slice(), &nth.to_be_bytes()]);
        *nth += 1;
    }
    out
}
