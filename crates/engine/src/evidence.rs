//! The folder for auditors: choosing records, opening what may be shared, writing and binding it.
//!
//! Order of an export: its intent is durable; the folder is written beside its place, with a manifest
//! over every file; the manifest is sealed and named by the export's result; then the result, the
//! proofs and the checkpoint are added and the folder takes its place. So the signed history itself
//! says which bytes were handed out, and an export that was cut short leaves no folder that looks whole.

mod choose;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use solvent_base::{Digest, System as _};
use solvent_ledger::slice;
use solvent_protocol::evidence::{
    EVIDENCE_SCHEMA, Evidence, Kind, MANIFEST_ITEM, ObjectLine, ObjectState, RecordLine, file,
    signer_line,
};
use solvent_protocol::record::{Commitment, Record, Status};
use solvent_report::evidence as render;

use crate::command::{Answer, EvidenceRequest};
use crate::door::{Acted, Engine, ledger_error};
use crate::error::EngineError;
use crate::scan;

/// What was written, and how to check it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceWritten {
    pub folder: PathBuf,
    pub kind: Kind,
    pub id: String,
    pub standing: String,
    pub files: u64,
    pub records: u64,
    pub opened: u64,
    pub sealed: u64,
    /// Things that nothing in the folder says.
    pub unknown: Vec<String>,
    /// As verifiers take it.
    pub key: String,
    part: PathBuf,
    indexes: BTreeSet<u64>,
    manifest: Commitment,
}

/// Records and opened objects that an export is made of.
pub(crate) struct Gathered {
    pub records: BTreeMap<u64, Record>,
    /// Why each record is there.
    pub why: BTreeMap<u64, String>,
    pub objects: Vec<ObjectLine>,
    pub opened: BTreeMap<Commitment, OpenedObject>,
}

pub(crate) struct OpenedObject {
    pub name: String,
    pub record: u64,
    pub salt: [u8; 32],
    pub content: Vec<u8>,
    /// The content, if it is JSON.
    pub value: serde_json::Value,
}

/// Writes the folder beside its place and seals the manifest.
pub(crate) fn write(engine: &mut Engine, request: &EvidenceRequest) -> Result<Acted, EngineError> {
    let part = free(&request.out)?;
    let about = choose::about(engine, &request.id)?;
    let gathered = choose::gather(engine, &about)?;
    let told = tell::tell(&about, &gathered);
    let tool = scan::tool();
    let evidence = Evidence {
        schema: EVIDENCE_SCHEMA.to_owned(),
        about: told.about,
        log: engine.ledger.trusted_key().origin().to_owned(),
        made_ms: engine.host.now().0,
        made_by: format!("{} {}", tool.name, tool.version),
        records: gathered
            .records
            .iter()
            .map(|(index, record)| {
                RecordLine::of(record, gathered.why.get(index).map_or("", String::as_str))
            })
            .collect(),
        objects: gathered.objects.clone(),
        sections: told.sections,
        approvals: told.approvals,
        excerpts: told.excerpts,
        unknown: told.unknown,
    };
    let files = files(engine, &evidence, &gathered)?;
    let manifest: String = files
        .iter()
        .map(|(name, content)| format!("{}  {name}\n", Digest::of(content).hex()))
        .collect();
    for (name, content) in &files {
        put(&part, name, content)?;
    }
    put(&part, file::MANIFEST, manifest.as_bytes())?;
    let item = engine.seal_bytes(MANIFEST_ITEM, manifest.as_bytes())?;
    let count = |state| evidence.objects.iter().filter(|o| o.state == state).count() as u64;
    let written = EvidenceWritten {
        folder: request.out.clone(),
        kind: evidence.about.kind,
        id: evidence.about.id.clone(),
        standing: evidence.about.standing.clone(),
        files: files.len() as u64,
        records: evidence.records.len() as u64 + 1,
        opened: count(ObjectState::Opened),
        sealed: count(ObjectState::Sealed) + count(ObjectState::Unreadable),
        unknown: evidence.unknown.iter().map(|u| u.what.clone()).collect(),
        key: engine.ledger.trusted_key().text().to_owned(),
        part,
        indexes: gathered.records.keys().copied().collect(),
        manifest: item.commitment,
    };
    Ok(Acted {
        answer: Answer::Evidence(Box::new(written)),
        status: Status::Done,
        outputs: vec![item],
        links: Vec::new(),
    })
}

/// Adds the export's own result, the proofs and the checkpoint, and puts the folder in its place. Any
/// other answer has nothing to finish.
pub(crate) fn finish(engine: &Engine, mut answer: Answer) -> Result<Answer, EngineError> {
    let Answer::Evidence(written) = &mut answer else {
        return Ok(answer);
    };
    let history = engine.ledger.history();
    let result = history.size().saturating_sub(1);
    written.indexes.insert(result);
    let cut = slice(history, &written.indexes).map_err(|e| ledger_error(&e))?;
    for sliced in &cut.records {
        put(
            &written.part,
            &file::proof(sliced.index),
            sliced.proof.as_bytes(),
        )?;
        if sliced.index == result {
            put(&written.part, &file::record(result), &sliced.bytes)?;
        }
    }
    let opened = history
        .open_object(written.manifest)
        .map_err(|e| ledger_error(&e))?;
    put(&written.part, file::MANIFEST_SALT, &salt_line(&opened.salt))?;
    put(&written.part, file::CHECKPOINT, cut.checkpoint.as_bytes())?;
    if written.folder.exists() {
        // An empty folder was there, or nothing could have been written beside it.
        fs::remove_dir(&written.folder).map_err(|e| failed(&written.folder, &e))?;
    }
    fs::rename(&written.part, &written.folder).map_err(|e| failed(&written.folder, &e))?;
    written.files += cut.records.len() as u64 + 4;
    Ok(answer)
}

/// Everything that the manifest lists.
fn files(
    engine: &Engine,
    evidence: &Evidence,
    gathered: &Gathered,
) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let defect = |e: String| EngineError::unfinished(e, "this is a defect");
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut json = serde_json::to_vec_pretty(evidence).map_err(|e| defect(e.to_string()))?;
    json.push(b'\n');
    files.insert(file::EVIDENCE.to_owned(), json);
    files.insert(
        file::README.to_owned(),
        render::readme(evidence).into_bytes(),
    );
    files.insert(
        file::CHECKER.to_owned(),
        render::CHECKER.as_bytes().to_vec(),
    );
    files.insert(
        file::KEY.to_owned(),
        format!("{}\n", engine.ledger.trusted_key().text()).into_bytes(),
    );
    for (index, record) in &gathered.records {
        let bytes = record.to_bytes().map_err(|e| defect(e.to_string()))?;
        files.insert(file::record(*index), bytes);
    }
    for (commitment, object) in &gathered.opened {
        let digits = commitment.0.hex();
        files.insert(file::object(&digits), object.content.clone());
        files.insert(file::salt(&digits), salt_line(&object.salt));
    }
    let text = |commitment: &Commitment, pointer: &str| {
        gathered
            .opened
            .get(commitment)
            .and_then(|object| object.value.pointer(pointer))
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| defect(format!("no text at {pointer}")))
    };
    for excerpt in &evidence.excerpts {
        let content = text(&excerpt.commitment, &excerpt.pointer)?;
        files.insert(excerpt.file.clone(), content.into_bytes());
    }
    let patch = files
        .get(file::PATCH)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    files.insert(
        file::PAGE.to_owned(),
        render::page(evidence, patch.as_deref()).into_bytes(),
    );
    for line in &evidence.approvals {
        let key = text(&line.commitment, "/key")?;
        for (name, content) in [
            (&line.statement, text(&line.commitment, "/statement")?),
            (&line.signature, text(&line.commitment, "/signature")?),
            (&line.signer, signer_line(&line.person, &key)),
        ] {
            files.insert(name.clone(), content.into_bytes());
        }
    }
    Ok(files)
}

fn salt_line(salt: &[u8; 32]) -> Vec<u8> {
    format!("{}\n", solvent_base::digest::hex(salt)).into_bytes()
}

/// The folder to write in, beside the place that must be free.
fn free(out: &Path) -> Result<PathBuf, EngineError> {
    let taken = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    if taken {
        return Err(EngineError::usage(
            format!("`{}` is there already", out.display()),
            "give a folder that does not exist yet with `--out`",
        ));
    }
    let name = out
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| {
            EngineError::usage(
                format!("`{}` names no folder", out.display()),
                "give a folder that does not exist yet with `--out`",
            )
        })?;
    let part = out.with_file_name(format!(".{name}.part"));
    if part.exists() {
        // What an export that was cut short left.
        fs::remove_dir_all(&part).map_err(|e| failed(&part, &e))?;
    }
    fs::create_dir_all(&part).map_err(|e| failed(&part, &e))?;
    Ok(part)
}

fn put(folder: &Path, name: &str, content: &[u8]) -> Result<(), EngineError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
    }
    fs::write(&path, content).map_err(|e| failed(&path, &e))
}

fn failed(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::unfinished(
        format!("cannot write `{}`: {error}", path.display()),
        "is the folder there, and the disk not full?",
    )
}
