//! Single values about the database.

use cordboard_shared::Millis;
use sqlx::SqliteConnection;

use super::{Store, StoreError};

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
        let mut writer = self.write.turn().await?;
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
}

pub(super) async fn set(writer: &mut SqliteConnection, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(writer)
        .await?;
    Ok(())
}
