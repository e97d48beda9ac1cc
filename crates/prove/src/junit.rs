//! Test reports in JUnit's XML, as pytest writes them.
//!
//! A report is written by a process in which the target's code ran, so it is hostile input, and it is only
//! ever compared with another report of the same kind.

use std::collections::BTreeMap;
use std::fmt;

/// Bytes of one report. A hundred thousand tests with their names and no output fit.
pub const MAX_BYTES: usize = 16 << 20;
/// Tests of one report.
pub const MAX_CASES: usize = 100_000;
/// Characters of one test's name that are kept.
const MAX_NAME: usize = 300;

/// How one test ended. A test that is reported twice counts as the worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ended {
    Passed,
    Skipped,
    Failed,
    /// It could not be run: its module was not imported, or a fixture failed.
    Error,
}

impl Ended {
    /// After the test's name: `is skipped`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passes",
            Self::Skipped => "is skipped",
            Self::Failed => "fails",
            Self::Error => "cannot be run",
        }
    }
}

/// Tests by name, `tests.test_admin::test_import`.
pub type Report = BTreeMap<String, Ended>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JunitError {
    TooLarge { bytes: usize },
    NotXml(String),
    NotAReport,
}

impl fmt::Display for JunitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "the test report has {bytes} bytes, at most {MAX_BYTES} are read"
                )
            }
            Self::NotXml(why) => write!(f, "the test report is not XML: {why}"),
            Self::NotAReport => f.write_str("the test report holds no test suite"),
        }
    }
}

impl std::error::Error for JunitError {}

/// Reads a report. Document type declarations, and with them entities, are refused.
///
/// # Errors
///
/// When it is over the cap, not XML, or holds no `testsuite`.
pub fn parse(bytes: &[u8]) -> Result<Report, JunitError> {
    if bytes.len() > MAX_BYTES {
        return Err(JunitError::TooLarge { bytes: bytes.len() });
    }
    let text = String::from_utf8_lossy(bytes);
    let options = roxmltree::ParsingOptions {
        allow_dtd: false,
        // Seven nodes a test: itself, its outcome, texts around.
        nodes_limit: 7 * MAX_CASES as u32,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(&text, options)
        .map_err(|error| JunitError::NotXml(error.to_string()))?;
    let root = document.root_element();
    if !matches!(root.tag_name().name(), "testsuites" | "testsuite") {
        return Err(JunitError::NotAReport);
    }
    let mut report = Report::new();
    for case in root
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .take(MAX_CASES)
    {
        let class = case.attribute("classname").unwrap_or_default();
        let name = case.attribute("name").unwrap_or_default();
        // A module that cannot be imported is reported under its own name.
        let full = if class.is_empty() {
            name.to_owned()
        } else {
            format!("{class}::{name}")
        };
        let full: String = full
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_NAME)
            .collect();
        let ended = case
            .children()
            .filter_map(|child| match child.tag_name().name() {
                "skipped" => Some(Ended::Skipped),
                "failure" => Some(Ended::Failed),
                "error" => Some(Ended::Error),
                _ => None,
            })
            .max()
            .unwrap_or(Ended::Passed);
        let known = report.entry(full).or_insert(ended);
        *known = (*known).max(ended);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_end_is_read_and_the_worse_of_two_counts() {
        let report = parse(
            br#"<?xml version="1.0"?><testsuites><testsuite name="pytest">
            <testcase classname="tests.test_a" name="test_x[1]" time="0.1"/>
            <testcase classname="tests.test_a" name="test_y"><skipped message="later"/></testcase>
            <testcase classname="tests.test_a" name="test_z"><failure message="m">text</failure></testcase>
            <testcase classname="tests.test_a" name="test_x[1]"><error message="teardown"/></testcase>
            <testcase classname="" name="tests.test_b"><error message="collection failure"/></testcase>
            </testsuite></testsuites>"#,
        )
        .expect("reads");
        assert_eq!(report["tests.test_a::test_x[1]"], Ended::Error);
        assert_eq!(report["tests.test_a::test_y"], Ended::Skipped);
        assert_eq!(report["tests.test_a::test_z"], Ended::Failed);
        assert_eq!(report["tests.test_b"], Ended::Error);
    }

    #[test]
    fn entities_cuts_and_other_documents_are_refused() {
        let bomb =
            br#"<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;"/></testsuite>"#;
        assert!(matches!(parse(bomb), Err(JunitError::NotXml(_))));
        assert_eq!(parse(b"<html/>"), Err(JunitError::NotAReport));
        let whole = br#"<testsuite><testcase name="a"/></testsuite>"#;
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err());
        }
        assert!(matches!(
            parse(&vec![b' '; MAX_BYTES + 1]),
            Err(JunitError::TooLarge { .. })
        ));
    }
}
