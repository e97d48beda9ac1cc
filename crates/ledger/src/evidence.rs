//! What a reader with a key can find out from an evidence folder, offline.
//!
//! Nothing in the folder is believed. The checkpoint must be signed by the reader's key and each record
//! must lead to it; each opened object must be what a record commits to; each fact must stand where
//! `evidence.json` says; and the manifest over all files must be what the export's own record commits to,
//! so that no file can be changed, added or left out, not even with a manifest made anew. The same rules
//! are in `check.py`, which shares no code with this.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use solvent_base::Digest;
use solvent_protocol::evidence::{
    About, ApprovalLine, CHECK_SCHEMA, EVIDENCE_SCHEMA, EXPORT_ACTION, Evidence, EvidenceCheck,
    MANIFEST_ITEM, MAX_EVIDENCE_BYTES, ObjectState, Place, RecordLine, file, signer_line,
};
use solvent_protocol::record::{
    Commitment, Fault, FaultKind, MAX_RECORD_BYTES, Phase, Record, Status,
};

use crate::disk::read_capped;
use crate::note::{MAX_NOTE_BYTES, TrustedKey};
use crate::object::{self, MAX_OBJECT_BYTES};
use crate::slice::{MAX_PROOF_BYTES, check_proof};
use crate::verify::VerifyError;

/// Files of one folder.
const MAX_FILES: usize = 20_000;
/// Bytes of a manifest: a line per file.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of a patch, a statement or a signature.
const MAX_TEXT_BYTES: u64 = 4 << 20;
/// Faults that are listed.
const MAX_FAULTS: usize = 200;

/// An approval's signature, as far as this machine can check it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signature {
    Good,
    /// What is wrong.
    Bad(String),
    /// The sort of key that nobody here can check.
    Unchecked(String),
}

/// What is signed, by what.
pub struct Signed<'a> {
    pub line: &'a ApprovalLine,
    pub statement: &'a [u8],
    /// In armour.
    pub signature: &'a str,
    /// In OpenSSH's form.
    pub key: &'a str,
}

/// Checks the folder with a key from elsewhere. `signature` judges one approval.
pub fn check_evidence(
    folder: &Path,
    key: &TrustedKey,
    signature: &dyn Fn(&Signed<'_>) -> Signature,
) -> Result<EvidenceCheck, VerifyError> {
    fs::read_dir(folder).map_err(VerifyError::Folder)?;
    let mut check = Check {
        folder,
        report: EvidenceCheck {
            schema: CHECK_SCHEMA.to_owned(),
            log: key.origin().to_owned(),
            log_size: 0,
            about: None,
            files: 0,
            records: 0,
            opened: 0,
            sealed: 0,
            facts: 0,
            approvals: 0,
            unchecked: Vec::new(),
            faults: Vec::new(),
        },
    };
    let files = check.walk();
    check.report.files = files.len() as u64;
    check.key(key);
    let records = check.records(key, &files);
    let listed = check.manifest(&files, &records);
    check.bound(&records, &listed);
    if let Some(evidence) = check.evidence() {
        check.about(&evidence.about);
        check.lines(&evidence, &records);
        let opened = check.objects(&evidence, &records, &files);
        check.facts(&evidence, &records, &opened);
        check.excerpts(&evidence, &opened);
        check.approvals(&evidence, &opened, &files, signature);
        if evidence.log != key.origin() {
            check.fault(
                FaultKind::Statement,
                file::EVIDENCE,
                "names another log than the key's",
            );
        }
    }
    Ok(check.report)
}

/// Records of the folder by index, with their bytes as JSON.
type Records = BTreeMap<u64, (Record, Value)>;

struct Check<'a> {
    folder: &'a Path,
    report: EvidenceCheck,
}

impl Check<'_> {
    fn fault(&mut self, kind: FaultKind, place: impl Into<String>, message: impl Into<String>) {
        if self.report.faults.len() < MAX_FAULTS {
            self.report.faults.push(Fault {
                kind,
                place: place.into(),
                message: message.into(),
            });
        }
    }

    fn read(&mut self, name: &str, cap: u64) -> Option<Vec<u8>> {
        match read_capped(&self.folder.join(name), cap) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let what = match error.kind() {
                    std::io::ErrorKind::NotFound => "is not there".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                self.fault(FaultKind::Missing, name, what);
                None
            }
        }
    }

    /// Names of all files, at most one folder deep.
    fn walk(&mut self) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        let mut folders = vec![String::new()];
        while let Some(prefix) = folders.pop() {
            let Ok(entries) = fs::read_dir(self.folder.join(&prefix)) else {
                self.fault(FaultKind::Missing, prefix, "cannot be listed");
                continue;
            };
            for entry in entries {
                let Ok(entry) = entry else {
                    self.fault(FaultKind::Missing, &prefix, "cannot be listed");
                    break;
                };
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|name| plain(name)) else {
                    let shown = format!("{prefix}{}", name.to_string_lossy());
                    self.fault(FaultKind::Stray, shown, "has no plain name");
                    continue;
                };
                let name = format!("{prefix}{name}");
                match entry.file_type() {
                    Ok(sort) if sort.is_file() => {
                        files.insert(name);
                    }
                    Ok(sort) if sort.is_dir() && prefix.is_empty() => {
                        folders.push(format!("{name}/"));
                    }
                    _ => self.fault(FaultKind::Stray, name, "is neither file nor folder"),
                }
                if files.len() > MAX_FILES {
                    self.fault(FaultKind::Stray, ".", format!("over {MAX_FILES} files"));
                    return files;
                }
            }
        }
        files
    }

    fn key(&mut self, key: &TrustedKey) {
        if let Some(held) = self.read(file::KEY, MAX_NOTE_BYTES)
            && held != format!("{}\n", key.text()).as_bytes()
        {
            self.fault(
                FaultKind::Key,
                file::KEY,
                "is not the key that was given from outside",
            );
        }
    }

    /// The records that lead to the checkpoint.
    fn records(&mut self, key: &TrustedKey, files: &BTreeSet<String>) -> Records {
        let mut records = Records::new();
        let checkpoint = self.read(file::CHECKPOINT, MAX_NOTE_BYTES);
        if let Some(note) = &checkpoint {
            match key.open(note) {
                Ok(head) => self.report.log_size = head.size,
                Err(what) => self.fault(FaultKind::Signature, file::CHECKPOINT, what),
            }
        }
        for name in files.iter().filter(|name| name.starts_with("records/")) {
            let index = number(name, "records/", ".json").filter(|&i| file::record(i) == *name);
            let Some(index) = index else {
                self.fault(FaultKind::Stray, name, "is not named as a record");
                continue;
            };
            let proof = file::proof(index);
            let Some(bytes) = self.read(name, MAX_RECORD_BYTES as u64) else {
                continue;
            };
            let parsed = match Record::from_bytes(&bytes) {
                Ok(record) => record,
                Err(error) => {
                    self.fault(FaultKind::Record, name, error.to_string());
                    continue;
                }
            };
            if parsed.seq != index {
                self.fault(
                    FaultKind::Order,
                    name,
                    format!("carries number {}", parsed.seq),
                );
            }
            let Some(text) = self.read(&proof, MAX_PROOF_BYTES) else {
                continue;
            };
            match check_proof(key, &bytes, &text) {
                Err(what) => {
                    self.fault(FaultKind::Root, proof, what);
                    continue;
                }
                Ok(shown) => {
                    if shown.index != index {
                        self.fault(
                            FaultKind::Order,
                            proof,
                            format!("is the proof of record {}", shown.index),
                        );
                        continue;
                    }
                    if checkpoint.as_ref() != Some(&shown.checkpoint) {
                        self.fault(FaultKind::Root, proof, "leads to another checkpoint");
                        continue;
                    }
                }
            }
            if let Ok(value) = serde_json::from_slice(&bytes) {
                records.insert(index, (parsed, value));
            }
        }
        for name in files.iter().filter(|name| name.starts_with("proofs/")) {
            let index = number(name, "proofs/", ".tlog-proof").filter(|&i| file::proof(i) == *name);
            if index.is_none_or(|index| !files.contains(&file::record(index))) {
                self.fault(FaultKind::Stray, name, "is the proof of no record here");
            }
        }
        for (record, _) in records.values() {
            if let Phase::Result { intent, .. } = record.body.phase
                && !records.contains_key(&intent)
            {
                let place = file::record(record.seq);
                self.report.faults.push(Fault {
                    kind: FaultKind::Pairing,
                    place,
                    message: format!("answers record {intent}, which is not here"),
                });
            }
        }
        self.report.records = records.len() as u64;
        records
    }

    /// Compares every listed file, and returns the manifest's bytes and names.
    fn manifest(
        &mut self,
        files: &BTreeSet<String>,
        records: &Records,
    ) -> Option<(Vec<u8>, BTreeSet<String>)> {
        let bytes = self.read(file::MANIFEST, MAX_MANIFEST_BYTES)?;
        let Some(lines) = manifest_lines(&bytes) else {
            self.fault(
                FaultKind::Manifest,
                file::MANIFEST,
                "is not a sorted list of digests and names",
            );
            return None;
        };
        for (name, digest) in &lines {
            if let Some(content) = self.read(name, MAX_OBJECT_BYTES)
                && Digest::of(&content) != *digest
            {
                self.fault(FaultKind::Manifest, name, "is not the file that was listed");
            }
        }
        // What was written after the manifest shows its truth by itself.
        let alone: BTreeSet<String> = [file::MANIFEST, file::MANIFEST_SALT, file::CHECKPOINT]
            .into_iter()
            .map(str::to_owned)
            .chain(records.keys().map(|&index| file::proof(index)))
            .collect();
        for name in files {
            if !lines.contains_key(name)
                && !alone.contains(name)
                && export(records, &lines).is_none_or(|index| file::record(index) != *name)
            {
                self.fault(
                    FaultKind::Stray,
                    name,
                    "is not in the manifest and shows nothing by itself",
                );
            }
        }
        Some((bytes, lines.into_keys().collect()))
    }

    /// The manifest is what the export's own result commits to.
    fn bound(&mut self, records: &Records, listed: &Option<(Vec<u8>, BTreeSet<String>)>) {
        let salt = self.read(file::MANIFEST_SALT, 128);
        let (Some((manifest, names)), Some(salt)) = (listed, salt) else {
            return;
        };
        let Some(salt) = salt_of(&salt) else {
            self.fault(FaultKind::Manifest, file::MANIFEST_SALT, "is not a salt");
            return;
        };
        let commitment = object::commit(&salt, manifest);
        let unlisted: Vec<&Record> = records
            .values()
            .map(|(record, _)| record)
            .filter(|record| !names.contains(&file::record(record.seq)))
            .collect();
        let [result] = unlisted.as_slice() else {
            self.fault(
                FaultKind::Manifest,
                file::MANIFEST,
                format!(
                    "{} records are not listed; one, the export's result, must not be",
                    unlisted.len()
                ),
            );
            return;
        };
        let body = &result.body;
        let named = body
            .outputs
            .iter()
            .any(|item| item.name == MANIFEST_ITEM && item.commitment == commitment);
        let done = matches!(
            body.phase,
            Phase::Result {
                status: Status::Done,
                ..
            }
        );
        if body.action != EXPORT_ACTION || !done || !named {
            self.fault(
                FaultKind::Manifest,
                file::MANIFEST,
                format!(
                    "is not the manifest that record {} committed to",
                    result.seq
                ),
            );
        }
    }

    fn evidence(&mut self) -> Option<Evidence> {
        let bytes = self.read(file::EVIDENCE, MAX_EVIDENCE_BYTES)?;
        match serde_json::from_slice::<Evidence>(&bytes) {
            Ok(evidence) if evidence.schema == EVIDENCE_SCHEMA => Some(evidence),
            Ok(evidence) => {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("schema `{}` is not known here", evidence.schema),
                );
                None
            }
            Err(error) => {
                self.fault(FaultKind::Statement, file::EVIDENCE, error.to_string());
                None
            }
        }
    }

    fn about(&mut self, about: &About) {
        self.report.about = Some(about.clone());
    }

    /// Each record is told as it is, and none is left out but the export's result.
    fn lines(&mut self, evidence: &Evidence, records: &Records) {
        let mut told = BTreeSet::new();
        for line in &evidence.records {
            told.insert(line.index);
            let held = records
                .get(&line.index)
                .map(|(record, _)| RecordLine::of(record, &line.why));
            if held.as_ref() != Some(line) {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("what it says of record {} is not so", line.index),
                );
            }
        }
        let untold: Vec<u64> = records
            .values()
            .map(|(record, _)| record)
            .filter(|record| !told.contains(&record.seq) && !is_export(record))
            .map(|record| record.seq)
            .collect();
        if told.len() != evidence.records.len() || !untold.is_empty() {
            self.fault(
                FaultKind::Statement,
                file::EVIDENCE,
                "does not tell each record once",
            );
        }
    }

    /// The opened objects that are what the records commit to, as JSON where they are that.
    fn objects(
        &mut self,
        evidence: &Evidence,
        records: &Records,
        files: &BTreeSet<String>,
    ) -> BTreeMap<Commitment, Value> {
        let mut opened = BTreeMap::new();
        let mut known = BTreeSet::new();
        let mut expected = BTreeSet::new();
        for line in &evidence.objects {
            let digits = line.commitment.0.hex();
            let named = records.get(&line.record).is_some_and(|(record, _)| {
                let body = &record.body;
                body.inputs
                    .iter()
                    .chain(&body.outputs)
                    .any(|item| item.commitment == line.commitment && item.name == line.name)
            });
            if !named {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!(
                        "record {} names no `{}` {digits:.12}",
                        line.record, line.name
                    ),
                );
            }
            if !known.insert(line.commitment) {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("tells object {digits:.12} twice"),
                );
            }
            if line.state != ObjectState::Opened {
                self.report.sealed += 1;
                continue;
            }
            self.report.opened += 1;
            let (content, salt) = (file::object(&digits), file::salt(&digits));
            expected.extend([content.clone(), salt.clone()]);
            let held = self.read(&content, MAX_OBJECT_BYTES);
            let salted = self.read(&salt, 128).as_deref().and_then(salt_of);
            let (Some(held), Some(salted)) = (held, salted) else {
                self.fault(FaultKind::Object, content, "cannot be compared");
                continue;
            };
            if object::commit(&salted, &held) != line.commitment {
                self.fault(
                    FaultKind::Object,
                    content,
                    "is not what the record commits to",
                );
                continue;
            }
            if let Ok(value) = serde_json::from_slice(&held) {
                opened.insert(line.commitment, value);
            }
        }
        for name in files.iter().filter(|name| name.starts_with("objects/")) {
            if !expected.contains(name) {
                self.fault(FaultKind::Stray, name, "is not told in evidence.json");
            }
        }
        let untold = records
            .values()
            .map(|(record, _)| record)
            .filter(|record| !is_export(record))
            .flat_map(|record| record.body.inputs.iter().chain(&record.body.outputs))
            .filter(|item| !known.contains(&item.commitment))
            .count();
        if untold > 0 {
            self.fault(
                FaultKind::Statement,
                file::EVIDENCE,
                format!("{untold} objects that its records name are not told"),
            );
        }
        opened
    }

    fn facts(
        &mut self,
        evidence: &Evidence,
        records: &Records,
        opened: &BTreeMap<Commitment, Value>,
    ) {
        for fact in evidence.sections.iter().flat_map(|section| &section.facts) {
            self.report.facts += 1;
            let (root, pointer) = match &fact.at {
                Place::Record { index, pointer } => {
                    (records.get(index).map(|(_, value)| value), pointer)
                }
                Place::Object {
                    commitment,
                    pointer,
                } => (opened.get(commitment), pointer),
            };
            let held = root.and_then(|root| root.pointer(pointer));
            if !plain_value(&fact.value) || held != Some(&fact.value) {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("`{}` is not what stands at {pointer}", fact.label),
                );
            }
        }
    }

    fn excerpts(&mut self, evidence: &Evidence, opened: &BTreeMap<Commitment, Value>) {
        for excerpt in &evidence.excerpts {
            let text = opened
                .get(&excerpt.commitment)
                .and_then(|root| root.pointer(&excerpt.pointer))
                .and_then(Value::as_str);
            let held = self.read(&excerpt.file, MAX_TEXT_BYTES);
            if held.is_some() && held.as_deref() != text.map(str::as_bytes) {
                self.fault(
                    FaultKind::Statement,
                    &excerpt.file,
                    format!("is not the text at {} of its object", excerpt.pointer),
                );
            }
        }
    }

    fn approvals(
        &mut self,
        evidence: &Evidence,
        opened: &BTreeMap<Commitment, Value>,
        files: &BTreeSet<String>,
        signature: &dyn Fn(&Signed<'_>) -> Signature,
    ) {
        let mut told = BTreeSet::new();
        for line in &evidence.approvals {
            self.report.approvals += 1;
            let at = |pointer: &str| {
                opened
                    .get(&line.commitment)
                    .and_then(|root| root.pointer(pointer))
                    .and_then(Value::as_str)
            };
            let sealed = [
                at("/statement"),
                at("/signature"),
                at("/key"),
                at("/presence"),
            ];
            let [Some(statement), Some(armour), Some(key), Some(presence)] = sealed else {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("the approval of {} is not opened", line.person),
                );
                continue;
            };
            let wanted = [
                (&line.statement, statement.to_owned()),
                (&line.signature, armour.to_owned()),
                (&line.signer, signer_line(&line.person, key)),
            ];
            for (name, text) in wanted {
                told.insert(name.clone());
                if self
                    .read(name, MAX_TEXT_BYTES)
                    .is_some_and(|held| held != text.as_bytes())
                {
                    self.fault(
                        FaultKind::Statement,
                        name,
                        "is not that of the sealed approval",
                    );
                }
            }
            if presence != line.presence {
                self.fault(
                    FaultKind::Statement,
                    file::EVIDENCE,
                    format!("what it says of the presence of {} is not so", line.person),
                );
            }
            let judged = signature(&Signed {
                line,
                statement: statement.as_bytes(),
                signature: armour,
                key,
            });
            match judged {
                Signature::Good => {}
                Signature::Bad(what) => self.fault(FaultKind::Signature, &line.signature, what),
                Signature::Unchecked(sort) => self.report.unchecked.push(sort),
            }
        }
        for name in files.iter().filter(|name| name.starts_with("approvals/")) {
            if !told.contains(name) {
                self.fault(FaultKind::Stray, name, "is not told in evidence.json");
            }
        }
    }
}

/// The one record that the manifest cannot list, because it commits to it.
fn export(records: &Records, lines: &BTreeMap<String, Digest>) -> Option<u64> {
    records
        .values()
        .map(|(record, _)| record)
        .find(|record| is_export(record) && !lines.contains_key(&file::record(record.seq)))
        .map(|record| record.seq)
}

fn is_export(record: &Record) -> bool {
    record.body.action == EXPORT_ACTION
        && record
            .body
            .outputs
            .iter()
            .any(|item| item.name == MANIFEST_ITEM)
}

/// Names that mean the same to every program and file system.
fn plain(name: &str) -> bool {
    !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn number(name: &str, before: &str, after: &str) -> Option<u64> {
    name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// 64 lower-case digits and a line end.
fn salt_of(text: &[u8]) -> Option<[u8; 32]> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let digest = Digest::parse(digits)?;
    (digest.hex() == digits).then_some(*digest.as_bytes())
}

/// Digests by name; `None` unless every line is `<64 digits>  <name>`, sorted, each name once.
fn manifest_lines(bytes: &[u8]) -> Option<BTreeMap<String, Digest>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let mut lines = BTreeMap::new();
    let mut last = String::new();
    for line in text.split('\n') {
        let (digits, name) = line.split_once("  ")?;
        let digest = Digest::parse(digits)?;
        let safe = name.split('/').count() <= 2
            && name.split('/').all(plain)
            && name.split('/').all(|part| !part.is_empty());
        if digest.hex() != digits || !safe || name <= last.as_str() {
            return None;
        }
        last = name.to_owned();
        lines.insert(name.to_owned(), digest);
    }
    Some(lines)
}

fn plain_value(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}
