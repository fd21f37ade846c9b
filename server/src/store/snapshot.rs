//! The lasting state of an account at some place of its log.

use cordboard_shared::Millis;
use cordboard_shared::id::AccountId;
use sqlx::{Row as _, SqliteConnection};

use super::{Store, StoreError, signed, unsigned};

/// The format in which snapshots are written now.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// A snapshot. Who cannot read its format throws it away and folds the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Number of the last event in it.
    pub seq: u64,
    /// When it was taken.
    pub at: Millis,
    /// How the body is to be read.
    pub format: u32,
    /// JSON, as the engine writes it.
    pub body: String,
}

impl Store {
    /// The newest snapshot of an account.
    #[tracing::instrument(name = "db.snapshot.load", level = "debug", skip_all)]
    pub async fn snapshot(&self, account: AccountId) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query("SELECT seq, at, format, body FROM snapshot WHERE account = $1")
            .bind(account.0)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SnapshotRow {
            seq: unsigned(row.try_get("seq")?),
            at: Millis(row.try_get("at")?),
            format: u32::try_from(row.try_get::<i64, _>("format")?).unwrap_or(u32::MAX),
            body: row.try_get("body")?,
        }))
    }
}

pub(super) async fn replace(
    writer: &mut SqliteConnection,
    account: AccountId,
    snapshot: &SnapshotRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO snapshot (account, seq, at, format, body) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account) DO UPDATE SET
             seq = excluded.seq, at = excluded.at, format = excluded.format, body = excluded.body
         WHERE excluded.seq >= snapshot.seq",
    )
    .bind(account.0)
    .bind(signed(snapshot.seq))
    .bind(snapshot.at.0)
    .bind(i64::from(snapshot.format))
    .bind(&snapshot.body)
    .execute(writer)
    .await?;
    Ok(())
}
