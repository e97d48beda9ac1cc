//! When the silence of a newer report closes what an older one said.
//!
//! Only a run that finished, that looked at that file, and that had that rule in force, says something by
//! not saying it. Everything else leaves the finding open: an import that shrank is not evidence.

use std::collections::BTreeSet;

use solvent_base::{Digest, FilePath};

use crate::place::Layout;
use crate::{Ended, Run};

/// What an older report said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Earlier {
    pub tool: String,
    pub rule: String,
    pub path: FilePath,
    pub identity: Digest,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// A run of today reports it too.
    Reported,
    /// The run with this index proved that it looked and did not see it; in words.
    Closed { run: usize, because: String },
    /// Nothing closes it; in words, with what would.
    Open { why: String },
}

/// Whether the runs of today close `earlier`. `present` are the identities of what they report; `tree` the
/// files of today.
pub fn closing(
    earlier: &Earlier,
    runs: &[(&Run, &Layout)],
    present: &BTreeSet<Digest>,
    tree: &BTreeSet<FilePath>,
) -> Closing {
    if present.contains(&earlier.identity) {
        return Closing::Reported;
    }
    let mut why = format!("no report of {} was given this time", earlier.tool);
    for (i, (run, layout)) in runs.iter().enumerate() {
        if !run.tool.eq_ignore_ascii_case(&earlier.tool) {
            continue;
        }
        match looked(earlier, run, layout, tree) {
            Ok(because) => return Closing::Closed { run: i, because },
            Err(reason) => why = reason,
        }
    }
    Closing::Open { why }
}

fn looked(
    earlier: &Earlier,
    run: &Run,
    layout: &Layout,
    tree: &BTreeSet<FilePath>,
) -> Result<String, String> {
    let (tool, rule, path) = (&run.tool, &earlier.rule, &earlier.path);
    match &run.coverage.ended {
        Ended::Whole => {}
        Ended::Failed(words) => return Err(format!("the run of {tool} did not finish: {words}")),
        Ended::Unsaid(words) => return Err(format!("{words} ({tool})")),
    }
    let listed = run
        .coverage
        .rules
        .as_ref()
        .is_some_and(|r| r.contains(rule));
    if !listed && !run.findings.iter().any(|f| f.rule == *rule) {
        return Err(format!(
            "the report of {tool} does not prove that rule {rule} was in force"
        ));
    }
    let is_it = |raw: &String| layout.found.get(raw) == Some(path);
    if run.coverage.not_read.keys().any(is_it) {
        return Err(format!("{tool} could not read {path}"));
    }
    if !tree.contains(path) {
        return Ok(format!(
            "{path} is no longer in the tree, and {tool} finished with rule {rule} in force"
        ));
    }
    let covered = run.coverage.paths.iter().flatten().any(is_it);
    if covered {
        Ok(format!(
            "{tool} finished, looked at {path} with rule {rule} in force, and did not report it again"
        ))
    } else {
        Err(format!(
            "the report of {tool} does not prove that it looked at {path}"
        ))
    }
}
