//! The record as it is read: no lock is taken and nothing is written, so a campaign that runs meanwhile
//! is neither waited for nor disturbed. Optionally as it stood at an earlier moment: state is a fold over
//! the ledger, so the first records give the state of then.

use chrono::{DateTime, NaiveDate};
use solvent_base::System as _;
use solvent_host::Host;
use solvent_ledger::{History, Ledger, LedgerError};
use solvent_protocol::view::LedgerHead;
use solvent_store::{Nothing, SqliteStore, Until};

use crate::door::{Options, host_of, ledger_error};
use crate::error::EngineError;
use crate::read::{Moment, View, store_error};
use crate::repo::{Repo, STATE_FOLDER};

const DAY_MS: i64 = 86_400_000;

/// One repository's record, open for reading.
pub struct Reader {
    pub(crate) repo: Repo,
    host: Host,
    history: Option<History>,
    store: SqliteStore,
    as_of: Option<AsOf>,
}

/// The moment that a reader answers about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsOf {
    /// Milliseconds since 1970 (UTC), inclusive.
    pub instant_ms: i64,
    /// The first so many records.
    pub head: LedgerHead,
    /// Records that there are now.
    pub of: u64,
}

impl Reader {
    /// The record as it is now. A repository without a ledger is read as one in which nothing happened.
    pub fn open(options: &Options) -> Result<Self, EngineError> {
        let (repo, host, history) = parts(options)?;
        let store = match &history {
            Some(history) => SqliteStore::read(
                &repo.root.join(STATE_FOLDER).join("projections.sqlite"),
                history,
            ),
            None => SqliteStore::in_memory(&Nothing),
        }
        .map_err(|e| store_error(&e))?;
        Ok(Self {
            repo,
            host,
            history,
            store,
            as_of: None,
        })
    }

    /// The record as it stood at `date`: an RFC 3339 time, or a day, whose end (UTC) is meant.
    pub fn as_of(options: &Options, date: &str) -> Result<Self, EngineError> {
        let instant_ms = instant(date)?;
        let (repo, host, history) = parts(options)?;
        let history = history.ok_or_else(no_record)?;
        let now = host.now().0;
        // Today has begun, though its end is to come.
        let begins_ms = instant_ms - day(date).map_or(0, |_| DAY_MS - 1);
        if begins_ms > now {
            return Err(EngineError::usage(
                format!("`{date}` is still to come"),
                "leave `--as-of` away for the record as it is now",
            ));
        }
        let size = history.size_at(instant_ms).map_err(|e| ledger_error(&e))?;
        if size == 0 {
            let first = match history.record(0) {
                Ok(record) => format!("the first record is of {}", utc(record.time_ms)),
                Err(_) => "there is no record yet".to_owned(),
            };
            return Err(EngineError::usage(
                format!("nothing was recorded by {date}: {first}"),
                "give a later date",
            ));
        }
        let root = history.root_at(size).map_err(|e| ledger_error(&e))?;
        let store = SqliteStore::in_memory(&Until {
            source: &history,
            size,
        })
        .map_err(|e| store_error(&e))?;
        let as_of = AsOf {
            instant_ms,
            head: LedgerHead {
                size,
                root: root.to_string(),
            },
            of: history.size(),
        };
        Ok(Self {
            repo,
            host,
            history: Some(history),
            store,
            as_of: Some(as_of),
        })
    }

    /// The moment that is answered about, when it is not now.
    pub fn moment(&self) -> Option<&AsOf> {
        self.as_of.as_ref()
    }

    /// The signed history; `None` where nothing was ever recorded.
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The key and the newest signed checkpoint, to keep elsewhere, with what the checkpoint says.
    pub fn signed(&self) -> Result<(LedgerHead, String, String), EngineError> {
        let history = self.history.as_ref().ok_or_else(no_record)?;
        let head = history.head().map_err(|e| ledger_error(&e))?;
        Ok((
            LedgerHead {
                size: head.size,
                root: head.root.to_string(),
            },
            history.trusted_key().text().to_owned(),
            history.checkpoint(),
        ))
    }

    pub fn view(&mut self) -> Result<View<'_>, EngineError> {
        let head = match (&self.as_of, &self.history) {
            (Some(as_of), _) => Some(as_of.head.clone()),
            (None, Some(history)) => {
                let head = history.head().map_err(|e| ledger_error(&e))?;
                Some(LedgerHead {
                    size: head.size,
                    root: head.root.to_string(),
                })
            }
            (None, None) => None,
        };
        Ok(View {
            head,
            repo: &self.repo,
            store: &mut self.store,
            asked_ms: self
                .as_of
                .as_ref()
                .map_or_else(|| self.host.now().0, |as_of| as_of.instant_ms),
            moment: if self.as_of.is_some() {
                Moment::Then
            } else {
                Moment::Now
            },
        })
    }
}

fn no_record() -> EngineError {
    EngineError::usage("nothing was recorded here yet", "run `solvent init` first")
}

fn parts(options: &Options) -> Result<(Repo, Host, Option<History>), EngineError> {
    let repo = Repo::open(&options.path, options.git)?;
    let host = host_of(&repo, options)?;
    let folder = repo.root.join(STATE_FOLDER).join("ledger");
    if !Ledger::exists(&folder) {
        return Ok((repo, host, None));
    }
    match History::open(&folder) {
        Ok(history) => Ok((repo, host, Some(history))),
        Err(LedgerError::Absent(_)) => Ok((repo, host, None)),
        Err(error) => Err(ledger_error(&error)),
    }
}

/// Milliseconds since 1970 (UTC) of an RFC 3339 time, or of the last millisecond of a day.
pub fn instant(text: &str) -> Result<i64, EngineError> {
    if let Some(day) = day(text) {
        return day
            .succ_opt()
            .and_then(|next| next.and_hms_opt(0, 0, 0))
            .map(|midnight| midnight.and_utc().timestamp_millis() - 1)
            .ok_or_else(|| not_a_date(text));
    }
    // Every instant within the last millisecond that is named counts.
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_millis())
        .map_err(|_| not_a_date(text))
}

fn day(text: &str) -> Option<NaiveDate> {
    let plain = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    plain
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn not_a_date(text: &str) -> EngineError {
    EngineError::usage(
        format!("`{text}` is not a date"),
        "write a day, `2026-11-25` (its end in UTC is meant), or a time, `2026-11-25T14:30:00Z`",
    )
}

/// `2026-11-25T14:30:00.000Z`
pub fn utc(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms since 1970"),
        |time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::{instant, utc};
    use crate::error::Failure;

    #[test]
    fn a_day_means_its_end_and_a_time_means_itself() {
        let shown = |text| instant(text).map(utc).unwrap_or_default();
        assert_eq!(shown("2026-02-28"), "2026-02-28T23:59:59.999Z");
        assert_eq!(shown("2026-02-28T10:00:00Z"), "2026-02-28T10:00:00.000Z");
        assert_eq!(
            shown("2026-02-28T10:00:00.25+01:00"),
            "2026-02-28T09:00:00.250Z"
        );
        assert_eq!(shown("1969-12-31"), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn anything_else_is_refused_with_the_way_to_write_it() {
        for text in [
            "",
            "yesterday",
            "2026-2-3",
            "2026-02-30",
            "2026-02-28T10:00",
            "28.02.2026",
            "2026-02-28T25:00:00Z",
            "+026-02-28",
            "2026-02-28 ",
            "20260228",
            "-1",
            "１２３４-02-28",
        ] {
            let error = instant(text).err();
            assert!(
                error
                    .as_ref()
                    .is_some_and(|e| e.failure == Failure::Usage && e.hint.contains("2026-11-25")),
                "{text}: {error:?}"
            );
        }
    }
}
