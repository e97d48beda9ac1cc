//! Files of other tools: read within a cap, refused with words, never half.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use solvent_base::Digest;
use solvent_import::{MAX_BYTES, Refusal, Run};

use crate::error::EngineError;
use crate::progress::Progress;

/// Most reports of one command. Each costs up to half a gigabyte while it is read.
const MAX_REPORTS: usize = 50;

/// One report of another tool.
pub struct Reported {
    /// Name of the file, never its path.
    pub file: String,
    /// Of its bytes.
    pub digest: Digest,
    pub runs: Result<Vec<Run>, Refusal>,
}

/// Reads reports. A file that is not there is a mistake of the caller; one whose content cannot be trusted is
/// a gap, because a tool that crashed must not hide what the others say.
pub fn read(paths: &[PathBuf], progress: &dyn Progress) -> Result<Vec<Reported>, EngineError> {
    if paths.len() > MAX_REPORTS {
        return Err(EngineError::usage(
            format!(
                "{} reports were given, more than the {MAX_REPORTS} that are read",
                paths.len()
            ),
            "give one report for each tool",
        ));
    }
    paths
        .iter()
        .map(|path| {
            let file = path.file_name().map_or_else(
                || "report".to_owned(),
                |name| name.to_string_lossy().chars().take(100).collect(),
            );
            progress.stage(&format!("reading {file}"));
            let bytes = bytes(path)?;
            Ok(Reported {
                file,
                digest: Digest::of(&bytes),
                runs: solvent_import::read(&bytes),
            })
        })
        .collect()
}

/// Why the reports that were given bring no finding: those that could not be read, by name, else that they hold
/// none. Nothing when none was given.
pub fn without_findings(reported: &[Reported]) -> Option<String> {
    let refused: Vec<(&Reported, &Refusal)> = reported
        .iter()
        .filter_map(|report| Some((report, report.runs.as_ref().err()?)))
        .collect();
    match &refused[..] {
        [] if reported.is_empty() => None,
        [] => {
            let holds = if reported.len() == 1 { "holds" } else { "hold" };
            Some(format!("{} {holds} no finding", named(reported)))
        }
        [(report, refusal)] => Some(format!(
            "{} could not be read: {}; {}",
            named([*report]),
            refusal.why,
            refusal.next
        )),
        _ => Some(format!(
            "{} could not be read",
            named(refused.iter().map(|(report, _)| *report))
        )),
    }
}

fn named<'a>(reports: impl IntoIterator<Item = &'a Reported>) -> String {
    let names: Vec<String> = reports
        .into_iter()
        .map(|report| format!("`{}`", report.file))
        .collect();
    let word = if names.len() == 1 {
        "report"
    } else {
        "reports"
    };
    format!("the {word} {}", names.join(", "))
}

fn bytes(path: &Path) -> Result<Vec<u8>, EngineError> {
    let failed = |e: std::io::Error| {
        EngineError::usage(
            format!("cannot read the report `{}`: {e}", path.display()),
            "give the SARIF or JSON file that the other tool wrote",
        )
    };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(EngineError::usage(
            format!("the report `{}` is not a file", path.display()),
            "give the SARIF or JSON file that the other tool wrote",
        ));
    }
    let mut out = Vec::new();
    // One byte over the cap is enough for the reader to refuse it with words.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut out))
        .map_err(failed)?;
    Ok(out)
}
