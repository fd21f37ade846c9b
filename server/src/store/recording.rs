//! Reading the recordings' rows. The files are beside the database.

use cordboard_shared::Millis;
use cordboard_shared::id::{AccountId, CallId, RecordingId};
use sqlx::Row as _;

use super::{RecordingRow, Store, StoreError, from_word, unsigned};

impl Store {
    /// One recording.
    pub async fn recording(&self, account: AccountId, id: RecordingId) -> Result<Option<RecordingRow>, StoreError> {
        let row = sqlx::query(
            "SELECT id, call, kind, mailbox, path, ms, bytes, sha256, at FROM recording WHERE account = $1 AND id = $2",
        )
        .bind(account.0)
        .bind(id.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(RecordingRow {
            id: RecordingId(row.try_get("id")?),
            call: CallId(row.try_get("call")?),
            kind: from_word(row.try_get("kind")?, "recording")?,
            mailbox: row.try_get("mailbox")?,
            path: row.try_get("path")?,
            ms: u32::try_from(row.try_get::<i64, _>("ms")?).unwrap_or(u32::MAX),
            bytes: unsigned(row.try_get("bytes")?),
            sha256: row.try_get("sha256")?,
            at: Millis(row.try_get("at")?),
        }))
    }

    /// Files of every recording that has a row; any other file was left by a crash.
    pub async fn recording_paths(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT path FROM recording ORDER BY path").fetch_all(&self.read).await?)
    }
}
