//! Rows of the audio library.

use cordboard_shared::Millis;
use cordboard_shared::agent::Actor;
use cordboard_shared::api::audio::AudioSource;
use cordboard_shared::id::{AccountId, AudioId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

use super::setting::insert_change;
use super::{SettingChange, Store, StoreError, signed, unsigned};

/// A file of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioRow {
    /// Its id, and with `.wav` its name in the folder.
    pub id: AudioId,
    /// Its name for people.
    pub name: String,
    /// Length in milliseconds.
    pub ms: u32,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Where it came from.
    pub source: AudioSource,
    /// When it was made.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
}

impl Store {
    /// All files, by name.
    #[tracing::instrument(name = "db.audio.list", level = "debug", skip_all)]
    pub async fn audio_files(&self, account: AccountId) -> Result<Vec<AudioRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, ms, bytes, sha256, source, at, actor FROM audio WHERE account = $1 ORDER BY name, id",
        )
        .bind(account.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(file).collect()
    }

    /// One file.
    #[tracing::instrument(name = "db.audio.find", level = "debug", skip_all)]
    pub async fn audio_file(&self, account: AccountId, id: AudioId) -> Result<Option<AudioRow>, StoreError> {
        let row = sqlx::query(
            "SELECT id, name, ms, bytes, sha256, source, at, actor FROM audio WHERE account = $1 AND id = $2",
        )
        .bind(account.0)
        .bind(id.0)
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(file).transpose()
    }

    /// Enters a file, with a line of the record.
    #[tracing::instrument(name = "db.audio.insert", level = "debug", skip_all)]
    pub async fn insert_audio(
        &self,
        account: AccountId,
        row: &AudioRow,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let source = serde_json::to_string(&row.source).map_err(StoreError::corrupt("audio"))?;
        let actor = serde_json::to_string(&row.actor).map_err(StoreError::corrupt("audio"))?;
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO audio (id, account, name, ms, bytes, sha256, source, at, actor)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.id.0)
        .bind(account.0)
        .bind(&row.name)
        .bind(row.ms)
        .bind(signed(row.bytes))
        .bind(&row.sha256)
        .bind(source)
        .bind(row.at.0)
        .bind(actor)
        .execute(&mut *unit)
        .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Takes a file out, with a line of the record.
    #[tracing::instrument(name = "db.audio.delete", level = "debug", skip_all)]
    pub async fn delete_audio(
        &self,
        account: AccountId,
        id: AudioId,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM audio WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(id.0)
            .execute(&mut *unit)
            .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }
}

fn file(row: &SqliteRow) -> Result<AudioRow, StoreError> {
    let parsed = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    Ok(AudioRow {
        id: AudioId(row.try_get("id")?),
        name: row.try_get("name")?,
        ms: row.try_get("ms")?,
        bytes: unsigned(row.try_get("bytes")?),
        sha256: row.try_get("sha256")?,
        source: serde_json::from_str(&parsed("source")?).map_err(StoreError::corrupt("audio"))?,
        at: Millis(row.try_get("at")?),
        actor: serde_json::from_str(&parsed("actor")?).map_err(StoreError::corrupt("audio"))?,
    })
}
