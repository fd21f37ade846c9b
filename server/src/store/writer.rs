//! The one connection that writes, and whose turn it is.

use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::timeout;

use super::StoreError;

/// How long somebody waits for their turn. A toggle must be refused within two seconds when the disk is stuck.
const WAIT: Duration = Duration::from_secs(2);

/// The connection. Not a pool of one: a pool asks a connection that comes back whether it lives, which is a way to its
/// thread and back between any two commits.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Option<SqliteConnection>>);

impl Writer {
    /// Owns the connection.
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self(Mutex::new(Some(connection)))
    }

    /// Waits for the connection; those who wait get it in their order.
    pub(super) async fn turn(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        let late = |_| StoreError::Unavailable(sqlx::Error::PoolTimedOut);
        let guard = timeout(WAIT, self.0.lock()).await.map_err(late)?;
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| StoreError::Unavailable(sqlx::Error::PoolClosed))
    }

    /// Closes the connection after what runs has ended.
    pub(super) async fn close(&self) {
        let connection = self.0.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database was not closed cleanly");
        }
    }
}
