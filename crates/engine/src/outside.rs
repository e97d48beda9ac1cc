//! What needs no repository: checking a copied ledger, writing a capsule for people.

use std::path::Path;

use solvent_ledger::{Ledger, TrustedKey, VerifyError};
use solvent_protocol::capsule::{self, Capsule};
use solvent_protocol::record::VerifyReport;

use crate::error::EngineError;

/// Checks a ledger folder, or a copy of one, with a key (and a checkpoint) from outside it.
pub fn verify(folder: &Path, key: &str, last: Option<&str>) -> Result<VerifyReport, EngineError> {
    let key = TrustedKey::parse(key).ok_or_else(|| {
        EngineError::usage(
            "this is not a ledger key",
            "give the key that `solvent init` or `solvent ledger head` printed",
        )
    })?;
    if !folder.is_dir() {
        return Err(EngineError::usage(
            format!("`{}` is not a folder", folder.display()),
            "give the ledger folder: `.solvent/ledger`, or a copy of it",
        ));
    }
    if last.is_none() && !Ledger::exists(folder) {
        return Err(EngineError::usage(
            format!("`{}` holds no ledger", folder.display()),
            "give the ledger folder: `.solvent/ledger`, or a copy of it",
        ));
    }
    solvent_ledger::verify(folder, &key, last.map(str::as_bytes)).map_err(|e| match e {
        VerifyError::Folder(_) => {
            EngineError::unfinished(e.to_string(), "give a ledger folder that you can read")
        }
        VerifyError::Outside(_) => EngineError::usage(
            e.to_string(),
            "give a checkpoint of this log, as `solvent ledger head` printed it",
        ),
    })
}

/// A capsule as a shell script of curl calls.
pub fn curl(opened: &Capsule) -> String {
    capsule::curl(opened)
}
