//! What a record changes. One function per kind of record, all inside the caller's transaction.

use solvent_protocol::record::{Answer, Body, Phase, Record};
use solvent_protocol::view::{
    FindingView, PROVE_SCHEMA, ProofView, ProveReport, REPLAY_SCHEMA, ReplayReport, SCAN_SCHEMA,
    ScanReport,
};
use sqlx::{Row as _, SqliteConnection};

use crate::source::Source;
use crate::sqlite::db;
use crate::{StoreError, decided, names};

/// Largest sealed report that is opened, in bytes.
pub(crate) const MAX_REPORT_BYTES: usize = 128 << 20;

/// Folds one record.
pub(crate) async fn fold(
    conn: &mut SqliteConnection,
    source: &dyn Source,
    record: &Record,
) -> Result<(), StoreError> {
    let mut notes = Vec::new();
    for (position, item) in record.body.outputs.iter().enumerate() {
        let known = [
            names::SCAN_REPORT,
            names::PROVE_REPORT,
            names::REPLAY_REPORT,
        ];
        let decision = decided::KINDS.contains(&item.name.as_str());
        if !known.contains(&item.name.as_str()) && !decision {
            continue;
        }
        let opened = source.object(item.commitment)?;
        let place = Place {
            record,
            position: position as i64,
        };
        let folded = match opened {
            Ok(bytes) if decision => decided::fold(conn, &place, &item.name, &bytes).await?,
            Ok(bytes) => report(conn, &place, &item.name, &bytes).await?,
            Err(why) => Err(why),
        };
        match folded {
            Ok(note) if note.is_empty() => {}
            Ok(note) => notes.push(note),
            Err(why) => gap(conn, &place, &item.name, &why).await?,
        }
    }
    run(conn, record).await?;
    line(conn, record, &notes).await
}

/// Where a report stands in the ledger.
pub(crate) struct Place<'a> {
    pub record: &'a Record,
    pub position: i64,
}

impl Place<'_> {
    pub fn idx(&self) -> i64 {
        self.record.seq as i64
    }
}

/// Folds one opened report. The inner error is what makes it unreadable, in words.
async fn report(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    name: &str,
    bytes: &[u8],
) -> Result<Result<String, String>, StoreError> {
    if bytes.len() > MAX_REPORT_BYTES {
        return Ok(Err(format!(
            "{} bytes are over the cap of {MAX_REPORT_BYTES}",
            bytes.len()
        )));
    }
    fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
    let unknown = |schema: &str| Ok(Err(format!("schema `{schema}` is not known here")));
    match name {
        names::SCAN_REPORT => match read::<ScanReport>(bytes) {
            Err(why) => Ok(Err(why)),
            Ok(report) if report.schema != SCAN_SCHEMA => unknown(&report.schema),
            Ok(report) => scan(conn, place, &report).await.map(Ok),
        },
        names::PROVE_REPORT => match read::<ProveReport>(bytes) {
            Err(why) => Ok(Err(why)),
            Ok(report) if report.schema != PROVE_SCHEMA => unknown(&report.schema),
            Ok(report) => prove(conn, place, &report).await.map(Ok),
        },
        _ => match read::<ReplayReport>(bytes) {
            Err(why) => Ok(Err(why)),
            Ok(report) if report.schema != REPLAY_SCHEMA => unknown(&report.schema),
            Ok(report) => replay(conn, place, &report).await.map(Ok),
        },
    }
}

async fn scan(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    report: &ScanReport,
) -> Result<String, StoreError> {
    let subject = &report.subject.name;
    let now = place.record.time_ms;
    keep(conn, place, "scan", &report.subject, report).await?;
    sqlx::query("UPDATE findings SET present = 2 WHERE subject = ?1 AND present = 1")
        .bind(subject)
        .execute(&mut *conn)
        .await
        .map_err(db("folding a scan"))?;
    let mut reachable = 0;
    for (position, finding) in report.findings.iter().enumerate() {
        reachable += u32::from(finding.verdict.word == "reachable");
        let key = Key {
            subject,
            fingerprint: &finding.fingerprint,
        };
        let before = sqlx::query(
            "SELECT verdict, present FROM findings WHERE subject = ?1 AND fingerprint = ?2",
        )
        .bind(subject)
        .bind(&finding.fingerprint)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db("folding a scan"))?;
        let what = match &before {
            None => Some("seen"),
            Some(row) if row.get::<i64, _>(1) == 0 => Some("returned"),
            Some(row) if row.get::<String, _>(0) != finding.verdict.word => Some("verdict"),
            Some(_) => None,
        };
        upsert(conn, &key, finding, position as i64, now).await?;
        decided::exposed(conn, &key, place, finding).await?;
        if let Some(what) = what {
            changed(conn, &key, place, what, &finding.verdict.word).await?;
        }
        mention(conn, &key, place).await?;
    }
    let gone = sqlx::query(
        "SELECT fingerprint, verdict FROM findings WHERE subject = ?1 AND present = 2 ORDER BY fingerprint",
    )
    .bind(subject)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("folding a scan"))?;
    for row in gone {
        let fingerprint: String = row.get(0);
        let verdict: String = row.get(1);
        changed(
            conn,
            &Key {
                subject,
                fingerprint: &fingerprint,
            },
            place,
            "absent",
            &verdict,
        )
        .await?;
    }
    sqlx::query("UPDATE findings SET present = 0 WHERE subject = ?1 AND present = 2")
        .bind(subject)
        .execute(&mut *conn)
        .await
        .map_err(db("folding a scan"))?;
    Ok(format!(
        "{} findings, {reachable} reachable",
        report.findings.len()
    ))
}

async fn prove(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    report: &ProveReport,
) -> Result<String, StoreError> {
    let subject = &report.subject.name;
    keep(conn, place, "prove", &report.subject, report).await?;
    let mut proven = 0;
    for proof in &report.proofs {
        proven += u32::from(proof.outcome == "proven");
        // Without an id an entry point was attacked whatever static analysis says: no finding to update.
        if proof.fingerprint.is_empty() {
            continue;
        }
        let key = Key {
            subject,
            fingerprint: &proof.fingerprint,
        };
        attempt(conn, &key, place, proof).await?;
    }
    Ok(format!("{proven} of {} proven", report.proofs.len()))
}

async fn attempt(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    proof: &ProofView,
) -> Result<(), StoreError> {
    let before: Option<String> =
        sqlx::query_scalar("SELECT outcome FROM findings WHERE subject = ?1 AND fingerprint = ?2")
            .bind(key.subject)
            .bind(key.fingerprint)
            .fetch_optional(&mut *conn)
            .await
            .map_err(db("folding a proof"))?;
    sqlx::query(
        "UPDATE findings SET outcome = ?3, proof = ?4 WHERE subject = ?1 AND fingerprint = ?2",
    )
    .bind(key.subject)
    .bind(key.fingerprint)
    .bind(&proof.outcome)
    .bind(json(proof)?)
    .execute(&mut *conn)
    .await
    .map_err(db("folding a proof"))?;
    if before.as_deref() != Some(proof.outcome.as_str()) {
        changed(conn, key, place, "outcome", &proof.outcome).await?;
    }
    decided::attacked(conn, key, place, proof).await?;
    if let Some(commitment) = &proof.capsule {
        sqlx::query("INSERT OR REPLACE INTO capsules VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .bind(commitment)
            .bind(key.subject)
            .bind(key.fingerprint)
            .bind(place.idx())
            .bind(&proof.tier)
            .bind(&proof.oracle)
            .execute(&mut *conn)
            .await
            .map_err(db("folding a capsule"))?;
    }
    mention(conn, key, place).await
}

async fn replay(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    report: &ReplayReport,
) -> Result<String, StoreError> {
    keep(conn, place, "replay", &report.subject, report).await?;
    let key = Key {
        subject: &report.subject.name,
        fingerprint: &report.fingerprint,
    };
    changed(conn, &key, place, "replay", &report.outcome).await?;
    if report.outcome == "proven" {
        let at = report.subject.revision.as_deref();
        decided::regressed(conn, &key, place, at).await?;
    }
    mention(conn, &key, place).await?;
    Ok(format!(
        "{}: {} of {} replays",
        report.outcome, report.replays_shown, report.replays_run
    ))
}

pub(crate) struct Key<'a> {
    pub subject: &'a str,
    pub fingerprint: &'a str,
}

async fn upsert(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    finding: &FindingView,
    position: i64,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO findings (subject, fingerprint, id, weakness, severity, verdict, outcome, present,
           position, first_seen_ms, last_seen_ms, finding, proof)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', 1, ?7, ?8, ?8, ?9, NULL)
         ON CONFLICT (subject, fingerprint) DO UPDATE SET
           id = ?3, weakness = ?4, severity = ?5, verdict = ?6, present = 1, position = ?7,
           last_seen_ms = ?8, finding = ?9",
    )
    .bind(key.subject)
    .bind(key.fingerprint)
    .bind(&finding.id)
    .bind(&finding.weakness)
    .bind(&finding.severity)
    .bind(&finding.verdict.word)
    .bind(position)
    .bind(now)
    .bind(json(finding)?)
    .execute(&mut *conn)
    .await
    .map_err(db("folding a finding"))?;
    Ok(())
}

async fn keep(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    kind: &str,
    subject: &solvent_protocol::view::Subject,
    report: &impl serde::Serialize,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO reports VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(place.idx())
        .bind(place.position)
        .bind(kind)
        .bind(&subject.name)
        .bind(&subject.revision)
        .bind(json(report)?)
        .execute(&mut *conn)
        .await
        .map_err(db("keeping a report"))?;
    Ok(())
}

pub(crate) async fn changed(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    what: &str,
    word: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO history VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(key.subject)
        .bind(key.fingerprint)
        .bind(place.idx())
        .bind(what)
        .bind(word)
        .execute(&mut *conn)
        .await
        .map_err(db("folding a change"))?;
    Ok(())
}

pub(crate) async fn mention(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR IGNORE INTO mentions VALUES (?1, ?2, ?3)")
        .bind(key.subject)
        .bind(key.fingerprint)
        .bind(place.idx())
        .execute(&mut *conn)
        .await
        .map_err(db("folding a mention"))?;
    Ok(())
}

async fn gap(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    name: &str,
    why: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO gaps VALUES (?1, ?2, ?3, ?4)")
        .bind(place.idx())
        .bind(place.position)
        .bind(format!("{name} of record {}", place.record.seq))
        .bind(why)
        .execute(&mut *conn)
        .await
        .map_err(db("folding a gap"))?;
    Ok(())
}

async fn run(conn: &mut SqliteConnection, record: &Record) -> Result<(), StoreError> {
    let index = record.seq as i64;
    match record.body.phase {
        Phase::Intent if record.expects_result() => {
            sqlx::query("INSERT INTO runs (intent, action, started_ms) VALUES (?1, ?2, ?3)")
                .bind(index)
                .bind(&record.body.action)
                .bind(record.time_ms)
                .execute(&mut *conn)
                .await
                .map_err(db("folding an intent"))?;
        }
        Phase::Intent => {}
        Phase::Result { intent, status } => {
            sqlx::query(
                "UPDATE runs SET result = ?2, ended_ms = ?3, status = ?4
                 WHERE intent = ?1 AND result IS NULL",
            )
            .bind(intent as i64)
            .bind(index)
            .bind(record.time_ms)
            .bind(status.word())
            .execute(&mut *conn)
            .await
            .map_err(db("folding a result"))?;
        }
    }
    Ok(())
}

async fn line(
    conn: &mut SqliteConnection,
    record: &Record,
    notes: &[String],
) -> Result<(), StoreError> {
    let body = &record.body;
    let (phase, intent, mut status) = match body.phase {
        Phase::Intent => ("intent", None, ""),
        Phase::Result { intent, status } => ("result", Some(intent as i64), status.word()),
    };
    let mut note = notes.join("; ");
    if let Some(decision) = &body.decision {
        if decision.answer == Answer::Refuse {
            status = "refused";
            note = refusal(decision.errors.as_slice(), decision.rules.as_slice());
        } else if note.is_empty() {
            note = format!("allowed by {}", decision.rules.join(", "));
        }
    }
    sqlx::query("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .bind(record.seq as i64)
        .bind(record.time_ms)
        .bind(actor(body))
        .bind(&body.action)
        .bind(&body.target)
        .bind(phase)
        .bind(status)
        .bind(note)
        .bind(intent)
        .execute(&mut *conn)
        .await
        .map_err(db("folding a record"))?;
    Ok(())
}

fn refusal(errors: &[String], rules: &[String]) -> String {
    match (errors.first(), rules) {
        (Some(error), _) => format!("refused, the policy could not be evaluated: {error}"),
        (None, []) => "refused, nothing permits it".to_owned(),
        (None, rules) => format!("refused by {}", rules.join(", ")),
    }
}

pub(crate) fn actor(body: &Body) -> String {
    let actor = &body.actor;
    match &actor.on_behalf_of {
        Some(person) => format!("{}:{} for {person}", actor.kind.word(), actor.id),
        None => format!("{}:{}", actor.kind.word(), actor.id),
    }
}

pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
