//! The folder that an auditor opens, `solvent.evidence/v1`: what is said, and where it can be seen.
//!
//! A [`Fact`] is a value and the place it was taken from: a field of a signed record, or a field of a
//! sealed report that the folder holds opened, with the salt under which a record commits to it. A
//! checker resolves each place and compares, so nothing has to be believed. Sentences around the facts
//! (titles, leads, what is unknown) are the writer's; they are bound like every file of the folder,
//! through the manifest whose commitment the export's own record names.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::{self, Commitment, Fault, Phase, Record};
use crate::view::{FindingView, ProofView, Subject, TargetView, Tool, Unmeasured};

/// The only schema this reader knows.
pub const EVIDENCE_SCHEMA: &str = "solvent.evidence/v1";
/// The schema of [`EvidenceCheck`] as JSON.
pub const CHECK_SCHEMA: &str = "solvent.evidence-check/v1";
/// The schema of [`FindingExcerpt`].
pub const EXCERPT_SCHEMA: &str = "solvent.finding-excerpt/v1";

/// Bytes of an `evidence.json` that are read.
pub const MAX_EVIDENCE_BYTES: u64 = 16 << 20;

/// The item of the export's result record: the commitment of the folder's manifest.
pub const MANIFEST_ITEM: &str = "evidence-manifest";
/// The action's word in the export's records.
pub const EXPORT_ACTION: &str = "evidence";

/// File names in the folder.
pub mod file {
    pub const PAGE: &str = "index.html";
    pub const EVIDENCE: &str = "evidence.json";
    pub const README: &str = "README.txt";
    pub const CHECKER: &str = "check.py";
    pub const KEY: &str = "key.pub";
    pub const CHECKPOINT: &str = "checkpoint";
    pub const PATCH: &str = "patch.diff";
    /// `sha256  name` lines, sorted by name, of every file that was there before the export's result was
    /// recorded.
    pub const MANIFEST: &str = "manifest.sha256";
    /// 64 hexadecimal digits: the salt of the manifest's commitment.
    pub const MANIFEST_SALT: &str = "manifest.salt";

    /// `records/00000012.json`: the canonical bytes of one record.
    pub fn record(index: u64) -> String {
        format!("records/{index:08}.json")
    }

    /// `proofs/00000012.tlog-proof`
    pub fn proof(index: u64) -> String {
        format!("proofs/{index:08}.tlog-proof")
    }

    /// `objects/<64 digits>`: the content that the commitment of these digits names.
    pub fn object(digits: &str) -> String {
        format!("objects/{digits}")
    }

    /// `objects/<64 digits>.salt`: 64 hexadecimal digits.
    pub fn salt(digits: &str) -> String {
        format!("objects/{digits}.salt")
    }
}

/// Everything that the folder says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub schema: String,
    pub about: About,
    /// Name of the log, the first line of its checkpoints.
    pub log: String,
    /// When the folder was made, milliseconds since 1970 (UTC).
    pub made_ms: i64,
    /// Name and version of the program that wrote it.
    pub made_by: String,
    /// The records in the folder, by index; the export's own result is the one that is missing here,
    /// since it names this file.
    pub records: Vec<RecordLine>,
    /// Every object that these records name, opened or not.
    pub objects: Vec<ObjectLine>,
    /// In the order of the page.
    pub sections: Vec<Section>,
    pub approvals: Vec<ApprovalLine>,
    /// Texts of opened objects that are files of their own.
    pub excerpts: Vec<Excerpt>,
    /// What nothing in this folder says.
    pub unknown: Vec<Unmeasured>,
}

/// What the folder is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub kind: Kind,
    pub id: String,
    pub title: String,
    /// Name of the repository.
    pub subject: String,
    /// The state on one line, in the product's words: `proven`, `merged and verified`.
    pub standing: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Finding,
    Change,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Change => "change",
        }
    }
}

/// A record as a line. Everything but `why` repeats the record and is compared with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    pub index: u64,
    pub time_ms: i64,
    /// `human:ana`, `agent:fixer for ana`
    pub actor: String,
    pub action: String,
    pub target: String,
    /// `intent`, `refused`, or a result's status: `done`, `partial`, `failed`, `cancelled`, `unknown`.
    pub phase: String,
    /// Why it is in the folder.
    pub why: String,
}

impl RecordLine {
    pub fn of(record: &Record, why: &str) -> Self {
        let body = &record.body;
        let actor = &body.actor;
        let name = format!("{}:{}", actor.kind.word(), actor.id);
        Self {
            index: record.seq,
            time_ms: record.time_ms,
            actor: match &actor.on_behalf_of {
                Some(person) => format!("{name} for {person}"),
                None => name,
            },
            action: body.action.clone(),
            target: body.target.clone(),
            phase: match &body.phase {
                Phase::Result { status, .. } => status.word(),
                Phase::Intent => match &body.decision {
                    Some(decision) if decision.answer == record::Answer::Refuse => "refused",
                    _ => "intent",
                },
            }
            .to_owned(),
            why: why.to_owned(),
        }
    }
}

/// A sealed object that a record of the folder names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectLine {
    pub commitment: Commitment,
    /// Index of the first record of the folder that names it.
    pub record: u64,
    pub name: String,
    pub state: ObjectState,
    /// Why it is open or not.
    pub why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// Its content and salt are in `objects/`.
    Opened,
    /// Kept back: only its commitment is here.
    Sealed,
    /// Could not be opened when the folder was made.
    Unreadable,
}

impl ObjectState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Sealed => "sealed",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One question of the page and what is known about it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// `found`, `reached`, `proven`, `fix`, `verified`, `authorized`, `merged`
    pub id: String,
    /// The question, as a heading.
    pub title: String,
    pub answer: Answer,
    /// The answer in the product's words: `reachable`, `proven`, `2 approvals`.
    pub word: String,
    /// One or two sentences.
    pub lead: String,
    pub facts: Vec<Fact>,
}

/// Three values, as everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Yes,
    No,
    Unmeasured,
}

/// A value and where it can be seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub label: String,
    /// Text, an integer or a truth value; exactly what stands at the place.
    pub value: Value,
    pub at: Place,
}

/// Where a value stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// A record of the folder, and a JSON pointer (RFC 6901) into it.
    Record { index: u64, pointer: String },
    /// An opened object that is JSON, and a JSON pointer into it.
    Object {
        commitment: Commitment,
        pointer: String,
    },
}

/// A person's signature over the change, as files that `ssh-keygen -Y verify` takes:
///
/// ```text
/// ssh-keygen -Y verify -f SIGNER -I PERSON -n solvent-approval -s SIGNATURE < STATEMENT
/// ```
///
/// The object is a `solvent.signed-approval/v1`; the files repeat its `statement`, `signature` and `key`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalLine {
    /// The identity in `signer`.
    pub person: String,
    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub key: String,
    /// `shown | not_shown | simulated`
    pub presence: String,
    /// The opened object that holds all of it.
    pub commitment: Commitment,
    /// `approvals/1.statement`: the signed bytes.
    pub statement: String,
    /// `approvals/1.sig`: the signature in armour.
    pub signature: String,
    /// `approvals/1.signer`: one line as `allowed_signers` wants it, see [`signer_line`].
    pub signer: String,
}

/// Namespace of approvals' signatures.
pub const APPROVAL_NAMESPACE: &str = "solvent-approval";

/// The one line of `signer`.
pub fn signer_line(person: &str, key: &str) -> String {
    format!("{person} namespaces=\"{APPROVAL_NAMESPACE}\" {key}\n")
}

/// A text of an opened object as a file of its own: the patch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excerpt {
    pub file: String,
    pub commitment: Commitment,
    /// JSON pointer into the object.
    pub pointer: String,
}

/// What of a campaign concerns one finding, sealed beside the whole report so that it can be shown
/// without the rest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FindingExcerpt {
    pub schema: String,
    pub tool: Tool,
    pub subject: Subject,
    pub target: TargetView,
    pub finding: FindingView,
    pub proof: ProofView,
    /// See [`crate::view::ProveReport::luck_log2`].
    pub luck_log2: Option<i32>,
}

/// What checking a folder found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceCheck {
    pub schema: String,
    pub log: String,
    /// Size of the log at the folder's checkpoint, zero when that cannot be read.
    pub log_size: u64,
    pub about: Option<About>,
    pub files: u64,
    pub records: u64,
    pub opened: u64,
    pub sealed: u64,
    pub facts: u64,
    pub approvals: u64,
    /// Approvals whose signature this program cannot check, by the key's sort.
    pub unchecked: Vec<String>,
    pub faults: Vec<Fault>,
}

impl EvidenceCheck {
    /// Whether everything is as it was signed.
    pub fn sound(&self) -> bool {
        self.faults.is_empty()
    }
}
