//! What decisions change about findings: closed by a verified merge, accepted for a time, reopened.
//!
//! A finding is closed by evidence only. Acceptances end by the clock, which a fold does not read: whoever
//! asks compares `expires_ms` with the time of asking.

use serde::de::DeserializeOwned;
use solvent_protocol::adoption::AdoptionKind;
use solvent_protocol::remediation::{
    ACCEPTANCE_SCHEMA, Acceptance, CHANGE_SCHEMA, ChangeRequest, GATE_SCHEMA, GateReport,
    Lifecycle, MERGE_SCHEMA, MergeReport, REJECTION_SCHEMA, REPLAY_ALL_SCHEMA, Rejection,
    ReplayAllReport, exposure, proof_words,
};
use solvent_protocol::view::{FindingView, ProofView};
use sqlx::{Row as _, SqliteConnection};

use crate::fold::{Key, MAX_REPORT_BYTES, Place, actor, changed, json, mention};
use crate::sqlite::db;
use crate::{StoreError, names};

/// Outputs that are kept as documents.
pub(crate) const KINDS: [&str; 9] = [
    names::CHANGE_REQUEST,
    names::CHANGE_EVENT,
    names::APPROVAL,
    names::REJECTION,
    names::MERGE_REPORT,
    names::ACCEPTANCE,
    names::ADOPTION_EVENT,
    names::REPLAY_ALL_REPORT,
    names::GATE_REPORT,
];

/// Folds one document. The inner error is what makes it unreadable, in words; the inner value is a line
/// for the log.
pub(crate) async fn fold(
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
    let folded = match name {
        names::CHANGE_REQUEST => match read::<ChangeRequest>(bytes, CHANGE_SCHEMA) {
            Err(why) => Err(why),
            Ok(change) => {
                for finding in &change.findings {
                    let key = Key {
                        subject: &change.subject.name,
                        fingerprint: &finding.fingerprint,
                    };
                    changed(conn, &key, place, "patch", &change.verification.verdict).await?;
                    mention(conn, &key, place).await?;
                }
                let note = format!("change {}: {}", change.id, change.verification.verdict);
                Ok((change.id, note))
            }
        },
        // Judged by whoever folds the events of a change; here it only has to name one.
        names::CHANGE_EVENT | names::APPROVAL => link(place, "change")
            .map(|change| (change.to_owned(), String::new()))
            .ok_or_else(|| "an event names no change".to_owned()),
        names::REJECTION => read::<Rejection>(bytes, REJECTION_SCHEMA)
            .map(|r| (r.change.clone(), format!("change {} rejected", r.change))),
        names::MERGE_REPORT => match read::<MergeReport>(bytes, MERGE_SCHEMA) {
            Err(why) => Err(why),
            Ok(report) => {
                merged(conn, place, &report).await?;
                let note = format!("change {}: {}", report.change, report.outcome);
                Ok((report.change, note))
            }
        },
        names::ACCEPTANCE => match read::<Acceptance>(bytes, ACCEPTANCE_SCHEMA) {
            Err(why) => Err(why),
            Ok(acceptance) => {
                accepted(conn, place, &acceptance).await?;
                let note = format!("risk of {} accepted", acceptance.finding);
                Ok((acceptance.fingerprint, note))
            }
        },
        // Folded by whoever asks how far a repository has come.
        names::ADOPTION_EVENT => AdoptionKind::parse(bytes).map(|kind| match kind {
            AdoptionKind::ProofReviewed { proof, .. } => (proof, String::new()),
            AdoptionKind::StageSet { stage, .. } => {
                (String::new(), format!("stage {}", stage.word()))
            }
        }),
        names::REPLAY_ALL_REPORT => match read::<ReplayAllReport>(bytes, REPLAY_ALL_SCHEMA) {
            Err(why) => Err(why),
            Ok(report) => {
                let mut shown = 0;
                for result in &report.results {
                    let key = Key {
                        subject: &report.subject.name,
                        fingerprint: &result.fingerprint,
                    };
                    changed(conn, &key, place, "replay", &result.outcome).await?;
                    mention(conn, &key, place).await?;
                    if result.outcome == "proven" {
                        shown += 1;
                        let at = report.subject.revision.as_deref();
                        regressed(conn, &key, place, at).await?;
                    }
                }
                let note = format!("{shown} of {} attacks still work", report.results.len());
                Ok((report.subject.revision.unwrap_or_default(), note))
            }
        },
        _ => read::<GateReport>(bytes, GATE_SCHEMA)
            .map(|r| (r.base, format!("gate: {}, {} new", r.answer, r.new.len()))),
    };
    match folded {
        Err(why) => Ok(Err(why)),
        Ok((key, note)) => {
            sqlx::query("INSERT INTO documents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
                .bind(place.idx())
                .bind(place.position)
                .bind(name)
                .bind(key)
                .bind(place.record.time_ms)
                .bind(actor(&place.record.body))
                .bind(String::from_utf8_lossy(bytes).as_ref())
                .execute(&mut *conn)
                .await
                .map_err(db("keeping a decision"))?;
            Ok(Ok(note))
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8], schema: &str) -> Result<T, String> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if head.schema != schema {
        return Err(format!("schema `{}` is not known here", head.schema));
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// What a link of the record points to.
fn link<'a>(place: &Place<'a>, rel: &str) -> Option<&'a str> {
    let links = &place.record.body.links;
    links.iter().find(|l| l.rel == rel).map(|l| l.to.as_str())
}

async fn merged(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    report: &MergeReport,
) -> Result<(), StoreError> {
    for replay in &report.replays {
        let key = Key {
            subject: &report.subject.name,
            fingerprint: &replay.fingerprint,
        };
        changed(conn, &key, place, "merged", &replay.outcome).await?;
        mention(conn, &key, place).await?;
        let short: String = report.merged.chars().take(12).collect();
        let lifecycle = match replay.outcome.as_str() {
            "not_reproduced" => Lifecycle {
                state: "closed".to_owned(),
                since_ms: place.record.time_ms,
                change: Some(report.change.clone()),
                why: format!("the same attack fails on the merged revision {short}"),
                expires_ms: None,
            },
            "proven" => Lifecycle {
                state: "reopened".to_owned(),
                since_ms: place.record.time_ms,
                change: Some(report.change.clone()),
                why: format!("the attack still works on the merged revision {short}"),
                expires_ms: None,
            },
            // Nothing was shown either way, so nothing changes.
            _ => continue,
        };
        set(conn, &key, &lifecycle).await?;
    }
    Ok(())
}

async fn accepted(
    conn: &mut SqliteConnection,
    place: &Place<'_>,
    acceptance: &Acceptance,
) -> Result<(), StoreError> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT subject FROM findings WHERE fingerprint = ?1 ORDER BY subject")
            .bind(&acceptance.fingerprint)
            .fetch_all(&mut *conn)
            .await
            .map_err(db("folding an acceptance"))?;
    for subject in rows {
        let key = Key {
            subject: &subject,
            fingerprint: &acceptance.fingerprint,
        };
        let lifecycle = Lifecycle {
            state: "accepted".to_owned(),
            since_ms: place.record.time_ms,
            change: None,
            why: format!(
                "accepted by {} for {}: {}",
                acceptance.accepted_by, acceptance.owner, acceptance.reason
            ),
            expires_ms: Some(acceptance.expires_ms),
        };
        set(conn, &key, &lifecycle).await?;
        sqlx::query("UPDATE findings SET acceptance = ?3 WHERE subject = ?1 AND fingerprint = ?2")
            .bind(key.subject)
            .bind(key.fingerprint)
            .bind(json(acceptance)?)
            .execute(&mut *conn)
            .await
            .map_err(db("folding an acceptance"))?;
        changed(conn, &key, place, "accepted", &acceptance.accepted_by).await?;
        mention(conn, &key, place).await?;
    }
    Ok(())
}

/// A scan shows the finding: an acceptance holds for the exposure it was given for.
pub(crate) async fn exposed(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    finding: &FindingView,
) -> Result<(), StoreError> {
    let Some(acceptance) = acceptance(conn, key).await? else {
        return Ok(());
    };
    let now = exposure(finding);
    if now == acceptance.exposure {
        return Ok(());
    }
    let why = format!(
        "the accepted exposure was \"{}\", it is \"{now}\" now",
        acceptance.exposure
    );
    reopen(conn, key, place, why).await
}

/// An attack on the finding: a proof reopens what was closed, and what was accepted without that proof.
pub(crate) async fn attacked(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    proof: &ProofView,
) -> Result<(), StoreError> {
    if proof.outcome != "proven" {
        return Ok(());
    }
    if let Some(acceptance) = acceptance(conn, key).await? {
        let now = proof_words(Some(proof));
        if now == acceptance.proof {
            return Ok(());
        }
        let why = format!("a new proof since it was accepted: {now}");
        return reopen(conn, key, place, why).await;
    }
    regressed(conn, key, place, None).await
}

/// An attack worked: if the flaw was closed, it is open again.
pub(crate) async fn regressed(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    revision: Option<&str>,
) -> Result<(), StoreError> {
    if state(conn, key).await?.as_deref() != Some("closed") {
        return Ok(());
    }
    let why = match revision {
        Some(revision) => format!(
            "the attack works again on {}",
            revision.chars().take(12).collect::<String>()
        ),
        None => "the attack works again".to_owned(),
    };
    reopen(conn, key, place, why).await
}

async fn reopen(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    place: &Place<'_>,
    why: String,
) -> Result<(), StoreError> {
    let lifecycle = Lifecycle {
        state: "reopened".to_owned(),
        since_ms: place.record.time_ms,
        change: None,
        why,
        expires_ms: None,
    };
    set(conn, key, &lifecycle).await?;
    sqlx::query("UPDATE findings SET acceptance = NULL WHERE subject = ?1 AND fingerprint = ?2")
        .bind(key.subject)
        .bind(key.fingerprint)
        .execute(&mut *conn)
        .await
        .map_err(db("reopening a finding"))?;
    changed(conn, key, place, "reopened", "reopened").await
}

async fn state(conn: &mut SqliteConnection, key: &Key<'_>) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT json_extract(lifecycle, '$.state') FROM findings WHERE subject = ?1 AND fingerprint = ?2",
    )
    .bind(key.subject)
    .bind(key.fingerprint)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db("reading a finding's state"))?;
    Ok(row.and_then(|row| row.get::<Option<String>, _>(0)))
}

/// The acceptance in force, as far as the records say.
async fn acceptance(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
) -> Result<Option<Acceptance>, StoreError> {
    let row =
        sqlx::query("SELECT acceptance FROM findings WHERE subject = ?1 AND fingerprint = ?2")
            .bind(key.subject)
            .bind(key.fingerprint)
            .fetch_optional(&mut *conn)
            .await
            .map_err(db("reading an acceptance"))?;
    let text = row.and_then(|row| row.get::<Option<String>, _>(0));
    text.map(|text| {
        serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(error.to_string()))
    })
    .transpose()
}

async fn set(
    conn: &mut SqliteConnection,
    key: &Key<'_>,
    lifecycle: &Lifecycle,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE findings SET lifecycle = ?3 WHERE subject = ?1 AND fingerprint = ?2")
        .bind(key.subject)
        .bind(key.fingerprint)
        .bind(json(lifecycle)?)
        .execute(&mut *conn)
        .await
        .map_err(db("setting a finding's state"))?;
    Ok(())
}
