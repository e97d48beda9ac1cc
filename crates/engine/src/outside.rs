//! What needs no repository: checking a copied ledger, writing a capsule for people, fetching a package.

use std::path::Path;

use solvent_govern::signature::{self, Key};
use solvent_ledger::{Ledger, Signature, Signed, TrustedKey, VerifyError};
use solvent_protocol::approval::{ApprovalStatement, Presence};
use solvent_protocol::capsule::{self, Capsule};
use solvent_protocol::evidence::{EvidenceCheck, file};
use solvent_protocol::record::VerifyReport;

use solvent_sandbox::{Launcher, NativeSandbox};

use crate::error::EngineError;
use crate::progress::Progress;
use crate::prove::show;

/// Writes the source of a released package (its name and version on the index) into the empty folder `into`.
/// What the package's build runs is run in the sandbox.
pub fn fetch_package(
    name: &str,
    version: &str,
    into: &Path,
    cache: &Path,
    launcher: Launcher,
    progress: &dyn Progress,
) -> Result<(), EngineError> {
    let sandbox = NativeSandbox::new(launcher);
    solvent_prove::fetch_source(name, version, into, cache, &sandbox, &mut |event| {
        show(progress, event);
    })
    .map_err(|e| EngineError::unfinished(e.to_string(), "`solvent doctor` says what is missing"))
}

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

/// Checks a folder for auditors with a key from outside it.
pub fn check_evidence(folder: &Path, key: &str) -> Result<EvidenceCheck, EngineError> {
    let key = TrustedKey::parse(key).ok_or_else(|| {
        EngineError::usage(
            "this is not a ledger key",
            "give the key that `solvent init` or `solvent ledger head` printed",
        )
    })?;
    if !folder.join(file::EVIDENCE).is_file() && !folder.join(file::MANIFEST).is_file() {
        return Err(EngineError::usage(
            format!("`{}` is not an evidence folder", folder.display()),
            "give the folder that `solvent evidence` wrote, or a copy of it",
        ));
    }
    solvent_ledger::check_evidence(folder, &key, &judge).map_err(|e| {
        EngineError::unfinished(e.to_string(), "give an evidence folder that you can read")
    })
}

/// Whether an approval's signature is that of the named key over the shown statement.
fn judge(signed: &Signed<'_>) -> Signature {
    let key = match Key::parse(signed.key) {
        Ok(key) => key,
        Err(what) => return Signature::Bad(what),
    };
    if key.fingerprint() != signed.line.key {
        return Signature::Bad("the key is not the one that evidence.json names".to_owned());
    }
    match ApprovalStatement::parse(signed.statement) {
        Ok(statement) if statement.approver == signed.line.person => {}
        Ok(_) => return Signature::Bad("the statement is of another person".to_owned()),
        Err(error) => return Signature::Bad(error.to_string()),
    }
    match signature::verify(signed.statement, signed.signature, &key) {
        Err(error) => Signature::Bad(error.to_string()),
        // What a demo's key shows is told as simulated, whatever the signature could show.
        Ok(Presence::NotShown) if signed.line.presence == "shown" => {
            Signature::Bad("it says that presence was shown, the signature does not".to_owned())
        }
        Ok(_) => Signature::Good,
    }
}

/// A capsule as a shell script of curl calls.
pub fn curl(opened: &Capsule) -> String {
    capsule::curl(opened)
}
