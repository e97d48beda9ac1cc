//! Which records belong to the matter, and which of their objects may be opened.
//!
//! Opened is what concerns this matter alone and holds no working attack. A whole scan or campaign also
//! lists other flaws, so it stays sealed where an excerpt of it was sealed beside it; capsules always do.

use std::collections::{BTreeMap, BTreeSet};

use solvent_ledger::LedgerError;
use solvent_protocol::evidence::{EXPORT_ACTION, Kind, MANIFEST_ITEM, ObjectLine, ObjectState};
use solvent_protocol::record::{Commitment, Phase, Record};
use solvent_protocol::remediation::ChangeRequest;
use solvent_protocol::view::FindingState;
use solvent_store::{Store as _, StoreError, names};

use super::{Gathered, OpenedObject};
use crate::door::{Engine, ledger_error};
use crate::error::EngineError;
use crate::read::store_error;

/// The matter: a finding with the changes that are about it, or a change with its findings.
pub(crate) struct Matter {
    pub kind: Kind,
    pub id: String,
    pub subject: String,
    pub findings: Vec<FindingState>,
    /// Newest last.
    pub changes: Vec<ChangeRequest>,
    /// Records that the projections connect with it.
    pub mentioned: BTreeSet<u64>,
}

/// Finds out what `id` is. A change and a finding are both named by the start of a digest; a finding
/// is looked for first.
pub(crate) fn about(engine: &mut Engine, id: &str) -> Result<Matter, EngineError> {
    let subject = engine.repo.name();
    let requests = requests(engine)?;
    match engine.store.show(Some(&subject), id) {
        Ok(shown) => {
            let fingerprint = shown.state.finding.fingerprint.clone();
            let changes: Vec<ChangeRequest> = requests
                .into_iter()
                .filter(|c| c.findings.iter().any(|f| f.fingerprint == fingerprint))
                .collect();
            Ok(Matter {
                kind: Kind::Finding,
                id: shown.state.finding.id.clone(),
                subject,
                mentioned: shown.records.iter().copied().collect(),
                findings: vec![shown.state],
                changes,
            })
        }
        Err(error @ StoreError::NoFinding(_)) => {
            let matching: Vec<&ChangeRequest> = requests
                .iter()
                .filter(|c| id.len() >= 4 && c.id.starts_with(id))
                .collect();
            let Some(change) = matching.last() else {
                return Err(EngineError::usage(
                    format!("neither a finding nor a change is called `{id}`"),
                    "see `solvent findings --all` and `solvent changes`",
                ));
            };
            if matching.iter().any(|c| c.id != change.id) {
                return Err(store_error(&error));
            }
            let mut findings = Vec::new();
            let mut mentioned = BTreeSet::new();
            for finding in &change.findings {
                let shown = engine
                    .store
                    .show(Some(&subject), &finding.fingerprint)
                    .map_err(|e| store_error(&e))?;
                mentioned.extend(shown.records);
                findings.push(shown.state);
            }
            Ok(Matter {
                kind: Kind::Change,
                id: change.id.clone(),
                subject,
                findings,
                changes: matching.into_iter().cloned().collect(),
                mentioned,
            })
        }
        Err(error) => Err(store_error(&error)),
    }
}

fn requests(engine: &mut Engine) -> Result<Vec<ChangeRequest>, EngineError> {
    let documents = engine
        .store
        .documents(names::CHANGE_REQUEST, None)
        .map_err(|e| store_error(&e))?;
    Ok(documents
        .iter()
        .filter_map(|d| serde_json::from_str(&d.body).ok())
        .collect())
}

/// Records of the matter, with what may be opened of them.
pub(crate) fn gather(engine: &mut Engine, matter: &Matter) -> Result<Gathered, EngineError> {
    let mut why: BTreeMap<u64, String> = BTreeMap::new();
    let mut scans = Vec::new();
    let mut answers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut asked: BTreeMap<u64, u64> = BTreeMap::new();
    let documented = documented(engine, matter)?;
    let ids: Vec<&str> = matter
        .findings
        .iter()
        .map(|f| f.finding.id.as_str())
        .chain(matter.changes.iter().map(|c| c.id.as_str()))
        .collect();
    let size = engine.ledger.size();
    for record in engine.ledger.entries(0..size) {
        let record = record.map_err(|e| ledger_error(&e))?;
        let body = &record.body;
        if let Phase::Result { intent, .. } = body.phase {
            answers.insert(intent, record.seq);
            asked.insert(record.seq, intent);
        }
        if body.action == EXPORT_ACTION && record.seq + 1 != size {
            continue;
        }
        if record.seq + 1 == size {
            why.insert(record.seq, "asks for this folder".to_owned());
        } else if let Some(words) = documented.get(&record.seq) {
            why.insert(record.seq, words.clone());
        } else if matter.mentioned.contains(&record.seq) {
            if body.action == "scan" {
                scans.push(record.seq);
            } else {
                why.insert(record.seq, format!("its {} concerns this", body.action));
            }
        } else if ids
            .iter()
            .any(|id| names_it(&body.target, id) || body.links.iter().any(|link| link.to == *id))
        {
            why.insert(record.seq, format!("{} of this", body.action));
        }
    }
    // A flaw may be seen by a thousand scans: the first and the newest say what matters.
    if let (Some(&first), Some(&last)) = (scans.first(), scans.last()) {
        why.insert(last, "the newest scan that shows it".to_owned());
        why.insert(first, "the first scan that shows it".to_owned());
    }
    for index in why.keys().copied().collect::<Vec<_>>() {
        if let Some(&intent) = asked.get(&index) {
            why.entry(intent)
                .or_insert_with(|| format!("is answered by record {index}"));
        }
        if let Some(&result) = answers.get(&index) {
            why.entry(result)
                .or_insert_with(|| format!("answers record {index}"));
        }
    }
    let mut records = BTreeMap::new();
    for &index in why.keys() {
        let record = engine.ledger.record(index).map_err(|e| ledger_error(&e))?;
        records.insert(index, record);
    }
    let (objects, opened) = objects(engine, matter, &records)?;
    Ok(Gathered {
        records,
        why,
        objects,
        opened,
    })
}

/// Records whose documents are about the matter's changes and findings.
fn documented(engine: &mut Engine, matter: &Matter) -> Result<BTreeMap<u64, String>, EngineError> {
    let mut keys = Vec::new();
    for change in &matter.changes {
        keys.push((
            names::CHANGE_REQUEST,
            change.id.clone(),
            "proposes the change",
        ));
        keys.push((names::APPROVAL, change.id.clone(), "approves the change"));
        keys.push((names::REJECTION, change.id.clone(), "rejects the change"));
        keys.push((names::MERGE_REPORT, change.id.clone(), "merges the change"));
    }
    for state in &matter.findings {
        let print = state.finding.fingerprint.clone();
        keys.push((names::ACCEPTANCE, print, "accepts the risk"));
        if let Some(capsule) = state.proof.as_ref().and_then(|p| p.capsule.clone()) {
            keys.push((names::ADOPTION_EVENT, capsule, "reviews the proof"));
        }
    }
    let mut found = BTreeMap::new();
    for (kind, key, words) in keys {
        for document in engine
            .store
            .documents(kind, Some(&key))
            .map_err(|e| store_error(&e))?
        {
            found.insert(document.index, words.to_owned());
        }
    }
    Ok(found)
}

/// Whether `id` stands in `text` as a word of its own.
fn names_it(text: &str, id: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == id)
}

type Opening = (Vec<ObjectLine>, BTreeMap<Commitment, OpenedObject>);

fn objects(
    engine: &Engine,
    matter: &Matter,
    records: &BTreeMap<u64, Record>,
) -> Result<Opening, EngineError> {
    let items = || {
        records.iter().flat_map(|(index, record)| {
            let body = &record.body;
            body.inputs
                .iter()
                .chain(&body.outputs)
                .map(move |item| (*index, item))
        })
    };
    let wanted: Vec<String> = matter
        .findings
        .iter()
        .map(|f| format!("{}{}", names::EXCERPT, f.finding.id))
        .collect();
    let excerpted: BTreeSet<u64> = items()
        .filter(|(_, item)| wanted.contains(&item.name))
        .map(|(index, _)| index)
        .collect();
    let last = |name: &str| {
        items()
            .filter(|(_, item)| item.name == name)
            .map(|(i, _)| i)
            .max()
    };
    let (newest_scan, newest_prove) = (last(names::SCAN_REPORT), last(names::PROVE_REPORT));
    let mut lines: Vec<ObjectLine> = Vec::new();
    let mut opened = BTreeMap::new();
    for (index, item) in items() {
        if lines.iter().any(|line| line.commitment == item.commitment) {
            continue;
        }
        let name = item.name.as_str();
        let judged: Result<&str, &str> = if wanted.iter().any(|w| w == name) {
            Ok("what the campaign says of this finding alone")
        } else if name.starts_with(names::EXCERPT) {
            Err("is about another finding")
        } else if name.starts_with(names::CAPSULE) {
            Err("a working attack; only its commitment is shared")
        } else if name == names::SCAN_REPORT || name == names::PROVE_REPORT {
            let newest = [newest_scan, newest_prove].contains(&Some(index));
            if excerpted.is_empty() && newest {
                Ok("no excerpt was sealed; it lists other findings as well")
            } else {
                Err("lists other findings as well")
            }
        } else if name == names::REPLAY_ALL_REPORT || name == names::GATE_REPORT {
            Err("lists other findings as well")
        } else if name == MANIFEST_ITEM {
            Err("belongs to another export")
        } else if [
            names::REPLAY_REPORT,
            names::CHANGE_REQUEST,
            names::CHANGE_EVENT,
            names::APPROVAL,
            names::REJECTION,
            names::MERGE_REPORT,
            names::ACCEPTANCE,
            names::ADOPTION_EVENT,
            names::CHANGE_EVENT,
        ]
        .contains(&name)
        {
            Ok("is about this")
        } else {
            Err("is not known to be safe to share")
        };
        let (state, why) = match judged {
            Err(why) => (ObjectState::Sealed, why.to_owned()),
            Ok(why) => match engine.ledger.history().open_object(item.commitment) {
                Ok(object) => {
                    opened.insert(
                        item.commitment,
                        OpenedObject {
                            name: item.name.clone(),
                            record: index,
                            salt: object.salt,
                            value: serde_json::from_slice(&object.content).unwrap_or_default(),
                            content: object.content,
                        },
                    );
                    (ObjectState::Opened, why.to_owned())
                }
                Err(
                    error @ (LedgerError::NoObject(_)
                    | LedgerError::NoObjectKey(_)
                    | LedgerError::BrokenObject(_)),
                ) => (ObjectState::Unreadable, error.to_string()),
                Err(error) => return Err(ledger_error(&error)),
            },
        };
        lines.push(ObjectLine {
            commitment: item.commitment,
            record: index,
            name: item.name.clone(),
            state,
            why,
        });
    }
    Ok((lines, opened))
}
