//! Single values about the database, and reading the log back.

use cordboard_shared::Millis;
use cordboard_shared::id::{AccountId, AgentId};
use sqlx::{Row as _, SqliteConnection};

use super::{EventRow, Store, StoreError, signed, unsigned};

/// Last sign of life of the process that had the database open.
pub(super) const ALIVE_AT: &str = "alive_at";
/// Rises when commits may have been lost: on a restore or a failover.
const EPOCH: &str = "epoch";

impl Store {
    /// A single value.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = $1").bind(key).fetch_optional(&self.read).await?)
    }

    /// Stores a single value.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let mut writer = self.write.acquire().await?;
        set(&mut writer, key, value).await
    }

    /// The database's epoch: 1 at first.
    pub async fn epoch(&self) -> Result<u32, StoreError> {
        Ok(self.meta(EPOCH).await?.and_then(|value| value.parse().ok()).unwrap_or(1))
    }

    /// The last sign of life that was stored.
    pub async fn alive_at(&self) -> Result<Option<Millis>, StoreError> {
        Ok(self.meta(ALIVE_AT).await?.and_then(|value| value.parse().ok()).map(Millis))
    }

    /// The events of an account after a place in its log, in order.
    #[tracing::instrument(name = "db.event.list", level = "debug", skip(self))]
    pub async fn events(&self, account: AccountId, after: u64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query("SELECT seq, at, agent, body FROM event WHERE account = $1 AND seq > $2 ORDER BY seq")
            .bind(account.0)
            .bind(signed(after))
            .fetch_all(&self.read)
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(EventRow {
                    account,
                    seq: unsigned(row.try_get("seq")?),
                    at: Millis(row.try_get("at")?),
                    agent: row.try_get::<Option<uuid::Uuid>, _>("agent")?.map(AgentId),
                    body: serde_json::from_str(row.try_get("body")?).map_err(StoreError::corrupt("event"))?,
                })
            })
            .collect()
    }
}

pub(super) async fn set(writer: &mut SqliteConnection, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(writer)
        .await?;
    Ok(())
}
