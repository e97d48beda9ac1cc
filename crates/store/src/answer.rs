//! Questions, answered from the tables.

use solvent_protocol::view::{
    FINDINGS_SCHEMA, FindingList, FindingState, LOG_SCHEMA, LogEntry, LogReport, ProveReport,
    SHOW_SCHEMA, STATUS_SCHEMA, ScanReport, ShowReport, StatusReport, Unmeasured,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::sqlite::db;
use crate::{Change, Document, Filter, LogFilter, Presence, StoreError};

pub(crate) async fn status(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<StatusReport, StoreError> {
    let mut report = StatusReport {
        schema: STATUS_SCHEMA.to_owned(),
        ..StatusReport::default()
    };
    for row in sqlx::query("SELECT what, why FROM gaps ORDER BY idx, position")
        .fetch_all(&mut *conn)
        .await
        .map_err(db("reading the gaps"))?
    {
        report.unmeasured.push(Unmeasured {
            what: row.get(0),
            why: row.get(1),
        });
    }
    let Some((scan, scanned_ms)) = latest::<ScanReport>(conn, "scan", subject).await? else {
        return Ok(report);
    };
    report.scanned_ms = Some(scanned_ms);
    report.entry_points = scan.entry_points.len() as u64;
    report.unmeasured.extend(scan.unmeasured);
    let name = scan.subject.name.clone();
    report.subject = Some(scan.subject);
    if let Some((prove, proved_ms)) = latest::<ProveReport>(conn, "prove", Some(&name)).await? {
        report.proved_ms = Some(proved_ms);
        report.unmeasured.extend(prove.unmeasured);
    }
    let rows = sqlx::query(
        // What is closed counts as closed, also before the next scan sees that it is gone.
        "SELECT verdict, outcome, COUNT(*) FROM findings WHERE subject = ?1 AND present = 1
           AND coalesce(json_extract(lifecycle, '$.state'), '') != 'closed'
         GROUP BY verdict, outcome",
    )
    .bind(&name)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("counting findings"))?;
    for row in rows {
        let (verdict, outcome): (String, String) = (row.get(0), row.get(1));
        let count = row.get::<i64, _>(2) as u64;
        report.found += count;
        match verdict.as_str() {
            "reachable" => report.reachable += count,
            "undecided" => report.undecided += count,
            _ => report.no_path += count,
        }
        match outcome.as_str() {
            "proven" => report.proven += count,
            "not_reproduced" => report.not_reproduced += count,
            "inconclusive" => report.inconclusive += count,
            _ if verdict != "no_path" => report.not_attempted += count,
            _ => {}
        }
    }
    let rows = sqlx::query(
        "SELECT json_extract(lifecycle, '$.state'), COUNT(*) FROM findings
         WHERE subject = ?1 AND lifecycle IS NOT NULL GROUP BY 1",
    )
    .bind(&name)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("counting decisions"))?;
    for row in rows {
        let count = row.get::<i64, _>(1) as u64;
        match row.get::<Option<&str>, _>(0) {
            Some("closed") => report.closed = count,
            Some("accepted") => report.accepted = count,
            Some("reopened") => report.reopened = count,
            _ => {}
        }
    }
    Ok(report)
}

pub(crate) async fn findings(
    conn: &mut SqliteConnection,
    filter: &Filter,
) -> Result<FindingList, StoreError> {
    let mut list = FindingList {
        schema: FINDINGS_SCHEMA.to_owned(),
        findings: Vec::new(),
    };
    let Some(subject) = subject_name(conn, filter.subject.as_deref()).await? else {
        return Ok(list);
    };
    let severities: &[&str] = match filter.severity.as_deref() {
        Some("critical") => &["critical"],
        Some("high") => &["critical", "high"],
        Some("medium") => &["critical", "high", "medium"],
        _ => &["critical", "high", "medium", "low"],
    };
    let outcome = filter.outcome.as_deref().map(|word| match word {
        "not_attempted" => "",
        word => word,
    });
    let rows = sqlx::query(
        "SELECT finding, proof, first_seen_ms, last_seen_ms, present, lifecycle, severity FROM findings
         WHERE subject = ?1 AND (?2 IS NULL OR weakness = ?2) AND (?3 IS NULL OR verdict = ?3)
           AND (?4 IS NULL OR outcome = ?4) AND (?5 OR present = 1)
         ORDER BY present DESC, position, fingerprint",
    )
    .bind(&subject)
    .bind(&filter.weakness)
    .bind(&filter.verdict)
    .bind(outcome)
    .bind(filter.presence == Presence::Ever)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("listing findings"))?;
    for row in rows {
        if severities.contains(&row.get::<String, _>(6).as_str()) {
            list.findings.push(state(&row)?);
        }
    }
    Ok(list)
}

pub(crate) async fn show(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
    id: &str,
) -> Result<ShowReport, StoreError> {
    let (subject, fingerprint) = identify(conn, subject, id).await?;
    let row = sqlx::query(
        "SELECT finding, proof, first_seen_ms, last_seen_ms, present, lifecycle FROM findings
         WHERE subject = ?1 AND fingerprint = ?2",
    )
    .bind(&subject)
    .bind(&fingerprint)
    .fetch_one(&mut *conn)
    .await
    .map_err(db("reading a finding"))?;
    let records: Vec<i64> = sqlx::query_scalar(
        "SELECT idx FROM mentions WHERE subject = ?1 AND fingerprint = ?2 ORDER BY idx",
    )
    .bind(&subject)
    .bind(&fingerprint)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("reading a finding"))?;
    Ok(ShowReport {
        schema: SHOW_SCHEMA.to_owned(),
        state: state(&row)?,
        curl: None,
        records: records.into_iter().map(|index| index as u64).collect(),
    })
}

pub(crate) async fn history(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
    id: &str,
) -> Result<Vec<Change>, StoreError> {
    let (subject, fingerprint) = identify(conn, subject, id).await?;
    let rows = sqlx::query(
        "SELECT h.idx, l.time_ms, h.what, h.word FROM history h JOIN log l ON l.idx = h.idx
         WHERE h.subject = ?1 AND h.fingerprint = ?2 ORDER BY h.idx, h.what",
    )
    .bind(&subject)
    .bind(&fingerprint)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("reading a finding's history"))?;
    Ok(rows
        .iter()
        .map(|row| Change {
            index: row.get::<i64, _>(0) as u64,
            time_ms: row.get(1),
            what: row.get(2),
            word: row.get(3),
        })
        .collect())
}

pub(crate) async fn log(
    conn: &mut SqliteConnection,
    filter: &LogFilter,
) -> Result<LogReport, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM (
           SELECT idx, time_ms, actor, action, target, phase, status, note FROM log
           WHERE idx >= ?1 AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR actor = ?3)
           ORDER BY idx DESC LIMIT ?4)
         ORDER BY idx",
    )
    .bind(filter.from.min(i64::MAX as u64) as i64)
    .bind(&filter.action)
    .bind(&filter.actor)
    .bind(filter.last.min(i64::MAX as u64) as i64)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("listing records"))?;
    let entries = rows
        .iter()
        .map(|row| LogEntry {
            index: row.get::<i64, _>(0) as u64,
            time_ms: row.get(1),
            actor: row.get(2),
            action: row.get(3),
            target: row.get(4),
            phase: row.get(5),
            status: row.get(6),
            note: row.get(7),
        })
        .collect();
    Ok(LogReport {
        schema: LOG_SCHEMA.to_owned(),
        entries,
    })
}

pub(crate) async fn capsules(
    conn: &mut SqliteConnection,
    fingerprint: &str,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT commitment FROM capsules WHERE fingerprint = ?1 ORDER BY idx, commitment",
    )
    .bind(fingerprint)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("listing capsules"))
}

pub(crate) async fn documents(
    conn: &mut SqliteConnection,
    kind: &str,
    key: Option<&str>,
) -> Result<Vec<Document>, StoreError> {
    let rows = sqlx::query(
        "SELECT idx, time_ms, actor, body FROM documents
         WHERE kind = ?1 AND (?2 IS NULL OR key = ?2) ORDER BY idx, position",
    )
    .bind(kind)
    .bind(key)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("listing decisions"))?;
    Ok(rows
        .iter()
        .map(|row| Document {
            index: row.get::<i64, _>(0) as u64,
            time_ms: row.get(1),
            actor: row.get(2),
            body: row.get(3),
        })
        .collect())
}

pub(crate) async fn open_runs(conn: &mut SqliteConnection) -> Result<Vec<u64>, StoreError> {
    let rows: Vec<i64> =
        sqlx::query_scalar("SELECT intent FROM runs WHERE result IS NULL ORDER BY intent")
            .fetch_all(&mut *conn)
            .await
            .map_err(db("listing open runs"))?;
    Ok(rows.into_iter().map(|index| index as u64).collect())
}

pub(crate) async fn latest_scan(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<Option<ScanReport>, StoreError> {
    Ok(latest(conn, "scan", subject)
        .await?
        .map(|(report, _)| report))
}

pub(crate) async fn latest_prove(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<Option<ProveReport>, StoreError> {
    let Some(subject) = subject_name(conn, subject).await? else {
        return Ok(None);
    };
    Ok(latest(conn, "prove", Some(&subject))
        .await?
        .map(|(report, _)| report))
}

/// The newest report of a kind and the time of its record.
async fn latest<T: serde::de::DeserializeOwned>(
    conn: &mut SqliteConnection,
    kind: &str,
    subject: Option<&str>,
) -> Result<Option<(T, i64)>, StoreError> {
    let row = sqlx::query(
        "SELECT r.body, l.time_ms FROM reports r JOIN log l ON l.idx = r.idx
         WHERE r.kind = ?1 AND (?2 IS NULL OR r.subject = ?2)
         ORDER BY r.idx DESC, r.position DESC LIMIT 1",
    )
    .bind(kind)
    .bind(subject)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db("reading a report"))?;
    row.map(|row| Ok((from_json(row.get(0))?, row.get(1))))
        .transpose()
}

async fn subject_name(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<Option<String>, StoreError> {
    if let Some(subject) = subject {
        return Ok(Some(subject.to_owned()));
    }
    sqlx::query_scalar("SELECT subject FROM reports WHERE kind = 'scan' ORDER BY idx DESC LIMIT 1")
        .fetch_optional(&mut *conn)
        .await
        .map_err(db("reading the newest scan"))
}

/// Subject and whole fingerprint of the one finding that `id` begins.
async fn identify(
    conn: &mut SqliteConnection,
    subject: Option<&str>,
    id: &str,
) -> Result<(String, String), StoreError> {
    let missing = || StoreError::NoFinding(id.to_owned());
    let id = id.to_ascii_lowercase();
    // Digits only, so nothing in it is a wildcard.
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let subject = subject_name(conn, subject).await?.ok_or_else(missing)?;
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT fingerprint FROM findings WHERE subject = ?1 AND fingerprint LIKE ?2 || '%'
         ORDER BY fingerprint LIMIT 5",
    )
    .bind(&subject)
    .bind(&id)
    .fetch_all(&mut *conn)
    .await
    .map_err(db("looking for a finding"))?;
    match found.as_slice() {
        [] => Err(missing()),
        [fingerprint] => Ok((subject, fingerprint.clone())),
        several => Err(StoreError::Ambiguous {
            found: several
                .iter()
                .map(|text| text.chars().take(16).collect())
                .collect(),
            id,
        }),
    }
}

fn state(row: &SqliteRow) -> Result<FindingState, StoreError> {
    Ok(FindingState {
        finding: from_json(row.get(0))?,
        proof: row.get::<Option<&str>, _>(1).map(from_json).transpose()?,
        first_seen_ms: row.get(2),
        last_seen_ms: row.get(3),
        present: row.get::<i64, _>(4) == 1,
        lifecycle: row
            .get::<Option<&str>, _>(5)
            .map(from_json)
            .transpose()?
            .unwrap_or_default(),
    })
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
