//! The tables in SQLite. Async inside, synchronous outside: the runtime is this store's own.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use solvent_protocol::record::Record;
use solvent_protocol::view::{
    FindingList, LogReport, ProveReport, ScanReport, ShowReport, StatusReport,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteOwnedBuf, SqliteSynchronous};
use sqlx::{Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

use crate::source::{Source, SourceError};
use crate::{Change, Document, Filter, LogFilter, Store, StoreError, answer, fold, snapshot};

/// The tables, in steps. A database made by other steps is folded again, not migrated: it holds
/// nothing that the ledger does not.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_projections.sql"),
    include_str!("../migrations/0002_decisions.sql"),
];

/// Raised when the fold itself changes, so that rows of an older fold are not taken for current.
const FOLD_VERSION: i64 = 2;

/// Records folded in one transaction while catching up.
const CHUNK: u64 = 512;

/// Projections in one SQLite database.
pub struct SqliteStore {
    runtime: Runtime,
    conn: SqliteConnection,
    /// `None` in memory.
    path: Option<PathBuf>,
}

impl SqliteStore {
    /// Opens the database at `path` and brings it up to the ledger. Whatever is not exactly what this
    /// program would have written about this ledger is replaced.
    pub fn open(path: &Path, source: &dyn Source) -> Result<Self, StoreError> {
        let runtime = runtime()?;
        let usable = runtime.block_on(async {
            match connect(SqliteConnectOptions::new().filename(path)).await {
                Err(_) => None,
                Ok(mut conn) => match fits(&mut conn, source).await {
                    Ok(true) => Some(conn),
                    _ => {
                        let _ = conn.close().await;
                        None
                    }
                },
            }
        });
        let conn = match usable {
            Some(conn) => conn,
            None => {
                remove(path)?;
                runtime.block_on(fresh(Some(path), source))?
            }
        };
        let mut store = Self {
            runtime,
            conn,
            path: Some(path.to_owned()),
        };
        store.catch_up(source)?;
        Ok(store)
    }

    /// The tables for reading only: a copy of the database at `path` in memory, brought up to the
    /// ledger there. The file is neither locked nor changed, so whoever folds into it is not disturbed;
    /// where no whole copy can be had, everything is folded anew.
    pub fn read(path: &Path, source: &dyn Source) -> Result<Self, StoreError> {
        let runtime = runtime()?;
        let usable = runtime.block_on(async {
            let mut conn = memory().await.ok()?;
            let content = SqliteOwnedBuf::try_from(snapshot::take(path)?.as_slice()).ok()?;
            conn.deserialize(None, content, false).await.ok()?;
            matches!(fits(&mut conn, source).await, Ok(true)).then_some(conn)
        });
        let Some(conn) = usable else {
            return Self::in_memory(source);
        };
        let mut store = Self {
            runtime,
            conn,
            path: None,
        };
        store.catch_up(source)?;
        Ok(store)
    }

    /// The same tables without a file.
    pub fn in_memory(source: &dyn Source) -> Result<Self, StoreError> {
        let runtime = runtime()?;
        let conn = runtime.block_on(fresh(None, source))?;
        let mut store = Self {
            runtime,
            conn,
            path: None,
        };
        store.catch_up(source)?;
        Ok(store)
    }
}

impl Store for SqliteStore {
    fn apply(&mut self, source: &dyn Source, record: &Record) -> Result<(), StoreError> {
        self.runtime
            .block_on(apply(&mut self.conn, source, std::slice::from_ref(record)))
    }

    fn rebuild(&mut self, source: &dyn Source) -> Result<u64, StoreError> {
        let memory = self.runtime.block_on(fresh(None, source))?;
        let old = std::mem::replace(&mut self.conn, memory);
        // Closed before its file goes, so that it cannot touch the next one's.
        let _ = self.runtime.block_on(old.close());
        if let Some(path) = &self.path {
            remove(path)?;
            self.conn = self.runtime.block_on(fresh(Some(path), source))?;
        }
        self.catch_up(source)
    }

    fn catch_up(&mut self, source: &dyn Source) -> Result<u64, StoreError> {
        let Self { runtime, conn, .. } = self;
        let start = runtime.block_on(folded(conn))?;
        let end = source.size();
        let mut at = start;
        while at < end {
            let next = end.min(at + CHUNK);
            let mut chunk = Vec::new();
            source.records(at..next, &mut |record| {
                chunk.push(record);
                Ok::<(), SourceError>(())
            })?;
            runtime.block_on(apply(conn, source, &chunk))?;
            at = next;
        }
        Ok(end.saturating_sub(start))
    }

    fn folded(&mut self) -> Result<u64, StoreError> {
        self.runtime.block_on(folded(&mut self.conn))
    }

    fn status(&mut self, subject: Option<&str>) -> Result<StatusReport, StoreError> {
        self.runtime
            .block_on(answer::status(&mut self.conn, subject))
    }

    fn findings(&mut self, filter: &Filter) -> Result<FindingList, StoreError> {
        self.runtime
            .block_on(answer::findings(&mut self.conn, filter))
    }

    fn show(&mut self, subject: Option<&str>, id: &str) -> Result<ShowReport, StoreError> {
        self.runtime
            .block_on(answer::show(&mut self.conn, subject, id))
    }

    fn history(&mut self, subject: Option<&str>, id: &str) -> Result<Vec<Change>, StoreError> {
        self.runtime
            .block_on(answer::history(&mut self.conn, subject, id))
    }

    fn log(&mut self, filter: &LogFilter) -> Result<LogReport, StoreError> {
        self.runtime.block_on(answer::log(&mut self.conn, filter))
    }

    fn open_runs(&mut self) -> Result<Vec<u64>, StoreError> {
        self.runtime.block_on(answer::open_runs(&mut self.conn))
    }

    fn latest_scan(&mut self, subject: Option<&str>) -> Result<Option<ScanReport>, StoreError> {
        self.runtime
            .block_on(answer::latest_scan(&mut self.conn, subject))
    }

    fn latest_prove(&mut self, subject: Option<&str>) -> Result<Option<ProveReport>, StoreError> {
        self.runtime
            .block_on(answer::latest_prove(&mut self.conn, subject))
    }

    fn capsules(&mut self, fingerprint: &str) -> Result<Vec<String>, StoreError> {
        self.runtime
            .block_on(answer::capsules(&mut self.conn, fingerprint))
    }

    fn documents(&mut self, kind: &str, key: Option<&str>) -> Result<Vec<Document>, StoreError> {
        self.runtime
            .block_on(answer::documents(&mut self.conn, kind, key))
    }

    fn dump(&mut self) -> Result<String, StoreError> {
        self.runtime.block_on(dump(&mut self.conn))
    }
}

/// Names what was tried when the database failed.
pub(crate) fn db(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

fn runtime() -> Result<Runtime, StoreError> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(StoreError::Io)
}

async fn connect(options: SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    options
        // One file beside the ledger and no more; a crash costs a fold, not data.
        .journal_mode(SqliteJournalMode::Truncate)
        .synchronous(SqliteSynchronous::Normal)
        .disable_statement_logging()
        .connect()
        .await
}

async fn memory() -> Result<SqliteConnection, sqlx::Error> {
    connect(SqliteConnectOptions::new().in_memory(true)).await
}

/// Whether an existing database is whole, of this program's making, and about this ledger.
async fn fits(conn: &mut SqliteConnection, source: &dyn Source) -> Result<bool, StoreError> {
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *conn)
        .await
        .map_err(db("checking the file"))?;
    let known = meta(conn, "version").await? == Some(version())
        && meta(conn, "origin").await? == Some(source.origin());
    if check != "ok" || !known {
        return Ok(false);
    }
    let folded = folded(conn).await?;
    if folded > source.size() {
        return Ok(false);
    }
    // A ledger restored from a copy may have grown differently: the newest folded record must be
    // the ledger's, line for line.
    if let Some(last) = folded.checked_sub(1) {
        let mut digest = None;
        source.records(last..folded, &mut |record| {
            digest = fingerprint(&record);
            Ok(())
        })?;
        if digest.is_none() || digest != meta(conn, "last").await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fingerprint(record: &Record) -> Option<String> {
    record
        .to_bytes()
        .ok()
        .map(|bytes| solvent_base::Digest::of(&bytes).to_string())
}

fn version() -> String {
    let parts = MIGRATIONS.iter().map(|sql| sql.as_bytes());
    format!("{FOLD_VERSION} {}", solvent_base::Digest::of_parts(parts))
}

/// Empty tables in a file that is not there yet, or in memory.
async fn fresh(path: Option<&Path>, source: &dyn Source) -> Result<SqliteConnection, StoreError> {
    let mut conn = match path {
        None => memory().await,
        Some(path) => {
            // Findings are nobody else's business; SQLite would go by the umask.
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(StoreError::Io)?;
            connect(SqliteConnectOptions::new().filename(path)).await
        }
    }
    .map_err(db("opening the file"))?;
    tables(&mut conn, source).await?;
    Ok(conn)
}

async fn tables(conn: &mut SqliteConnection, source: &dyn Source) -> Result<(), StoreError> {
    let mut transaction = conn.begin().await.map_err(db("making the tables"))?;
    for migration in MIGRATIONS {
        sqlx::raw_sql(*migration)
            .execute(&mut *transaction)
            .await
            .map_err(db("making the tables"))?;
    }
    set_meta(&mut transaction, "version", &version()).await?;
    set_meta(&mut transaction, "origin", &source.origin()).await?;
    set_meta(&mut transaction, "folded", "0").await?;
    transaction.commit().await.map_err(db("making the tables"))
}

async fn apply(
    conn: &mut SqliteConnection,
    source: &dyn Source,
    records: &[Record],
) -> Result<(), StoreError> {
    let mut transaction = conn.begin().await.map_err(db("beginning"))?;
    let mut expected = folded(&mut transaction).await?;
    for record in records {
        if record.seq != expected {
            return Err(StoreError::OutOfOrder {
                expected,
                got: record.seq,
            });
        }
        fold::fold(&mut transaction, source, record).await?;
        expected += 1;
    }
    if let Some(last) = records.last() {
        set_meta(&mut transaction, "folded", &expected.to_string()).await?;
        set_meta(
            &mut transaction,
            "last",
            &fingerprint(last).unwrap_or_default(),
        )
        .await?;
    }
    transaction.commit().await.map_err(db("committing"))
}

async fn folded(conn: &mut SqliteConnection) -> Result<u64, StoreError> {
    let text = meta(conn, "folded").await?.unwrap_or_default();
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("folded is `{text}`")))
}

async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
        .bind(key)
        .fetch_optional(conn)
        .await
        .map_err(db("reading the file's own notes"))
}

async fn set_meta(conn: &mut SqliteConnection, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
        .bind(key)
        .bind(value)
        .execute(conn)
        .await
        .map_err(db("writing the file's own notes"))?;
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let mut rollback: PathBuf = path.to_owned();
    rollback.as_mut_os_string().push("-journal");
    for file in [path, &rollback] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Io(error));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn dump(conn: &mut SqliteConnection) -> Result<String, StoreError> {
    let reading = db("dumping");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            .fetch_all(&mut *conn)
            .await
            .map_err(&reading)?;
    let mut out = String::new();
    for table in tables {
        out.push_str(&format!("[{table}]\n"));
        // The name comes from the schema above; every table's first columns are its key.
        let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM \"{table}\""));
        let rows = sqlx::query(sql)
            .fetch_all(&mut *conn)
            .await
            .map_err(&reading)?;
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let cells: Vec<String> = row
                    .columns()
                    .iter()
                    .map(|column| {
                        let at = column.ordinal();
                        row.try_get::<Option<String>, _>(at)
                            .or_else(|_| {
                                row.try_get::<Option<i64>, _>(at)
                                    .map(|n| n.map(|n| n.to_string()))
                            })
                            .map_or_else(|error| error.to_string(), |cell| format!("{cell:?}"))
                    })
                    .collect();
                cells.join("|")
            })
            .collect();
        lines.sort();
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
    Ok(out)
}
