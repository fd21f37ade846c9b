//! Opening the database: settings, read back; migrations.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::sign_in::KnownTokens;
use super::signal::Signal;
use super::writer::Writer;
use super::{Store, StoreError};

/// How long a writer waits for another process; then its caller is told, within two seconds.
const BUSY: Duration = Duration::from_millis(1_500);
/// How long a query waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(2);
/// Connections that read.
const READERS: u32 = 4;

impl Store {
    /// Opens or creates the database file, brings it up to date and checks that it keeps what it acknowledges.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: path.into(), source };
        // Made by us first: SQLite gives its journal the mode of the file, and nobody else may read either.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);

        // The writer's connection is taken out of its pool once the database is up to date.
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE);
        let pool = pool.connect_with(options.clone()).await.map_err(|error| failed(error.into()))?;
        check_settings(&mut *pool.acquire().await?).await?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        let write = pool.acquire().await?.detach();

        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE)
            // A file does not hang up: the question would cost each use a way to the connection's thread and back.
            .test_before_acquire(false)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|error| failed(error.into()))?;
        check_settings(&mut *read.acquire().await?).await?;
        let signal = Signal::open(path).map_err(|error| failed(error.into()))?;
        Ok(Self { write: Arc::new(Writer::new(write)), read, tokens: Arc::new(KnownTokens::new(signal)) })
    }

    /// Closes every connection after what runs has ended.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

async fn check_settings(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let integer = [("synchronous", "2"), ("foreign_keys", "1"), ("busy_timeout", "1500")];
    for (setting, wanted) in integer {
        let found: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA {setting}"))).fetch_one(&mut *connection).await?;
        if found.to_string() != wanted {
            return Err(StoreError::Unsafe { setting, wanted, found: found.to_string() });
        }
    }
    let found: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    if found != "wal" {
        return Err(StoreError::Unsafe { setting: "journal_mode", wanted: "wal", found });
    }
    Ok(())
}
