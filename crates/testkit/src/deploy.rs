//! Pairs of deployments of the same program, below `fixtures/deploy-pairs`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::page::{Case, parse};

/// What a report says of the line that is asked about; the strongest finding counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Said {
    /// Reached from outside, by anybody.
    Public,
    /// Reached from outside, behind a login.
    BehindLogin,
    /// Reached by a request; from where is not known.
    Unknown,
    /// Reached from inside only.
    Internal,
    Undecided,
    NoPath,
    Nothing,
}

impl Said {
    const ALL: [(&'static str, Self); 7] = [
        ("public", Self::Public),
        ("behind-login", Self::BehindLogin),
        ("unknown", Self::Unknown),
        ("internal", Self::Internal),
        ("undecided", Self::Undecided),
        ("no-path", Self::NoPath),
        ("nothing", Self::Nothing),
    ];

    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, said)| *said == self)
            .map_or("", |(word, _)| word)
    }

    /// What a scan report (as JSON) says of one line.
    pub fn of(report: &Value, path: &str, line: usize) -> Self {
        let findings = report.pointer("/findings").and_then(Value::as_array);
        let at = |finding: &&Value| {
            finding.pointer("/sink/place/path").and_then(Value::as_str) == Some(path)
                && finding.pointer("/sink/place/line").and_then(Value::as_u64) == Some(line as u64)
        };
        let said = |finding: &Value| {
            match finding.pointer("/verdict/word").and_then(Value::as_str) {
                Some("reachable") => {}
                Some("undecided") => return Self::Undecided,
                Some("no_path") => return Self::NoPath,
                _ => return Self::Nothing,
            }
            let login = finding
                .pointer("/entry/auth")
                .and_then(Value::as_array)
                .is_some_and(|auth| !auth.is_empty());
            let reach = finding
                .pointer("/entry/exposure/reach")
                .and_then(Value::as_str);
            match (reach, login) {
                (Some("public"), false) => Self::Public,
                (Some("public"), true) => Self::BehindLogin,
                (Some("internal"), _) => Self::Internal,
                _ => Self::Unknown,
            }
        };
        findings
            .into_iter()
            .flatten()
            .filter(at)
            .map(said)
            .min()
            .unwrap_or(Self::Nothing)
    }
}

/// One deployment of a pair's program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployed {
    /// What must be said of the sink.
    pub label: Said,
    /// Paths and texts.
    pub files: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Pair {
    /// `ports/published-or-not`.
    pub name: String,
    pub members: [Deployed; 2],
    /// Path and one-based line of the sink.
    pub sink: (String, usize),
    /// Whether the flow leads through two services.
    pub crosses: bool,
}

/// Every pair of every page, in order of their names.
pub fn read(root: &Path) -> Result<Vec<Pair>, String> {
    let folder = root.join("fixtures/deploy-pairs");
    let entries = fs::read_dir(&folder)
        .map_err(|error| format!("cannot list `{}`: {error}", folder.display()))?;
    let mut pairs = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.extension().is_none_or(|extension| extension != "md") || stem == "README" {
            continue;
        }
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        for case in &parse(&stem, &text)?.cases {
            pairs.push(pair(&stem, case)?);
        }
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pairs)
}

/// Files that are the program itself and must be the same in both members.
fn is_source(path: &str) -> bool {
    ["py", "js", "ts", "go", "java"]
        .iter()
        .any(|ending| path.rsplit('.').next() == Some(*ending))
}

fn pair(page: &str, case: &Case) -> Result<Pair, String> {
    let name = format!("{page}/{}", case.title);
    let mut both = Vec::new();
    let mut own: Vec<Deployed> = Vec::new();
    for block in &case.blocks {
        let at = format!("{page}:{}: {name}", block.line);
        let (folder, path) = block
            .path
            .as_deref()
            .and_then(|path| path.split_once('/'))
            .ok_or_else(|| format!("{at}: a block without a member"))?;
        let file = (path.to_owned(), block.text.clone());
        if folder == "both" {
            both.push(file);
            continue;
        }
        if is_source(path) {
            return Err(format!(
                "{at}: source text differs, which is not the deployment's doing"
            ));
        }
        let label = Said::ALL
            .iter()
            .find(|(word, _)| *word == folder)
            .map(|(_, said)| *said)
            .ok_or_else(|| format!("{at}: no member is called `{folder}`"))?;
        match own.iter_mut().find(|member| member.label == label) {
            Some(member) => member.files.push(file),
            None => own.push(Deployed {
                label,
                files: vec![file],
            }),
        }
    }
    let mut sinks = Vec::new();
    for (path, text) in &both {
        for (line, text) in (1..).zip(text.lines()) {
            if text.contains(" sink: ") {
                sinks.push((path.clone(), line));
            }
        }
    }
    let [sink] = <[_; 1]>::try_from(sinks)
        .map_err(|found| format!("{name}: {} lines are marked as the sink", found.len()))?;
    own.sort_by_key(|member| member.label);
    for member in &mut own {
        member.files.extend(both.iter().cloned());
    }
    let members = <[Deployed; 2]>::try_from(own)
        .map_err(|own| format!("{name}: {} members, which must be two", own.len()))?;
    Ok(Pair {
        crosses: page == "flows",
        name,
        members,
        sink,
    })
}

impl Deployed {
    /// Writes the tree below `folder`, which is emptied.
    pub fn lay_out(&self, folder: &Path) -> Result<(), String> {
        let _ = fs::remove_dir_all(folder);
        for (path, text) in &self.files {
            let to = folder.join(path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)
                    .map_err(|error| format!("{}: {error}", parent.display()))?;
            }
            fs::write(&to, text).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_finding_at_the_line_counts() {
        let finding = |line: u32, word: &str, reach: &str| {
            serde_json::json!({
                "sink": { "place": { "path": "a.py", "line": line } },
                "verdict": { "word": word },
                "entry": { "auth": [], "exposure": { "reach": reach } },
            })
        };
        let report = serde_json::json!({ "findings": [
            finding(2, "reachable", "public"),
            finding(3, "no_path", "public"),
            finding(3, "reachable", "internal"),
        ] });
        assert_eq!(Said::of(&report, "a.py", 3), Said::Internal);
        assert_eq!(Said::of(&report, "a.py", 2), Said::Public);
        assert_eq!(Said::of(&report, "a.py", 4), Said::Nothing);
    }

    #[test]
    fn members_may_not_differ_in_source_text() {
        let page = |own: &str| {
            format!(
                "## one\n\n```python both/a.py\nf()  # sink: sql\n```\n```x public/{own}\nx\n```\n```x internal/b.yml\n```\n"
            )
        };
        let read = |own: &str| parse("p", &page(own)).and_then(|page| pair("p", &page.cases[0]));
        assert!(read("c.yml").is_ok());
        assert!(read("c.py").is_err());
    }
}
