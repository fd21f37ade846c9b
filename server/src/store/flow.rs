//! Drafts and published versions of call flows.

use cordboard_shared::Millis;
use cordboard_shared::agent::Actor;
use cordboard_shared::flow::Flow;
use cordboard_shared::id::{AccountId, FlowId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

use super::setting::insert_change;
use super::{SettingChange, Store, StoreError, signed, unsigned};

/// Versions that are listed at most.
const MOST_VERSIONS: i64 = 200;

/// A flow being edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// The flow.
    pub flow: Flow,
    /// Rises with each save.
    pub revision: u64,
    /// The version it was begun from.
    pub based_on: Option<u32>,
    /// When it was saved last.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowVersionRow {
    /// The flow as it was published; its version is the row's.
    pub flow: Flow,
    /// When.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
    /// What was said about it.
    pub note: Option<String>,
    /// The version it restores, if it does.
    pub restores: Option<u32>,
}

impl Store {
    /// All drafts, in the order they were made.
    #[tracing::instrument(name = "db.flow_draft.list", level = "debug", skip_all)]
    pub async fn flow_drafts(&self, account: AccountId) -> Result<Vec<DraftRow>, StoreError> {
        let rows =
            sqlx::query("SELECT revision, based_on, at, actor, body FROM flow_draft WHERE account = $1 ORDER BY id")
                .bind(account.0)
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(draft).collect()
    }

    /// The draft of a flow.
    #[tracing::instrument(name = "db.flow_draft.find", level = "debug", skip_all)]
    pub async fn flow_draft(&self, account: AccountId, id: FlowId) -> Result<Option<DraftRow>, StoreError> {
        let row =
            sqlx::query("SELECT revision, based_on, at, actor, body FROM flow_draft WHERE account = $1 AND id = $2")
                .bind(account.0)
                .bind(id.0)
                .fetch_optional(&self.read)
                .await?;
        row.as_ref().map(draft).transpose()
    }

    /// Saves a draft.
    #[tracing::instrument(name = "db.flow_draft.save", level = "debug", skip_all)]
    pub async fn save_flow_draft(&self, account: AccountId, row: &DraftRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO flow_draft (id, account, slug, revision, based_on, at, actor, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, revision = excluded.revision,
                 based_on = excluded.based_on, at = excluded.at, actor = excluded.actor, body = excluded.body",
        )
        .bind(row.flow.id.0)
        .bind(account.0)
        .bind(&row.flow.slug)
        .bind(signed(row.revision))
        .bind(row.based_on)
        .bind(row.at.0)
        .bind(json(&row.actor)?)
        .bind(json(&row.flow)?)
        .execute(&mut *self.write.turn().await?)
        .await?;
        Ok(())
    }

    /// Throws a draft away.
    #[tracing::instrument(name = "db.flow_draft.delete", level = "debug", skip_all)]
    pub async fn delete_flow_draft(&self, account: AccountId, id: FlowId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM flow_draft WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(id.0)
            .execute(&mut *self.write.turn().await?)
            .await?;
        Ok(())
    }

    /// Makes a version the live one: the row of the version, the live flow, no draft any more, and a line of the record.
    /// The version before it, if it has no row yet, gets one: it can be restored, too.
    #[tracing::instrument(name = "db.flow.publish", level = "debug", skip_all)]
    pub async fn publish_flow(
        &self,
        account: AccountId,
        row: &FlowVersionRow,
        before: Option<&Flow>,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        let first = before.map(|flow| FlowVersionRow {
            flow: flow.clone(),
            at: row.at,
            actor: Actor::system(),
            note: None,
            restores: None,
        });
        for version in first.iter().chain([row]) {
            sqlx::query(
                "INSERT INTO flow_version (id, version, account, at, actor, note, restores, body)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id, version) DO NOTHING",
            )
            .bind(version.flow.id.0)
            .bind(version.flow.version)
            .bind(account.0)
            .bind(version.at.0)
            .bind(json(&version.actor)?)
            .bind(&version.note)
            .bind(version.restores)
            .bind(json(&version.flow)?)
            .execute(&mut *unit)
            .await?;
        }
        sqlx::query(
            "INSERT INTO flow (id, account, slug, position, body)
             VALUES ($1, $2, $3, (SELECT coalesce(max(position), 0) + 1 FROM flow WHERE account = $2), $4)
             ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, body = excluded.body",
        )
        .bind(row.flow.id.0)
        .bind(account.0)
        .bind(&row.flow.slug)
        .bind(json(&row.flow)?)
        .execute(&mut *unit)
        .await?;
        sqlx::query("DELETE FROM flow_draft WHERE account = $1 AND id = $2")
            .bind(account.0)
            .bind(row.flow.id.0)
            .execute(&mut *unit)
            .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Changes the live flow without a new version: switched off or on again.
    #[tracing::instrument(name = "db.flow.save", level = "debug", skip_all)]
    pub async fn set_flow(&self, account: AccountId, flow: &Flow, change: &SettingChange) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE flow SET body = $1 WHERE account = $2 AND id = $3")
            .bind(json(flow)?)
            .bind(account.0)
            .bind(flow.id.0)
            .execute(&mut *unit)
            .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Published versions of a flow, newest first.
    #[tracing::instrument(name = "db.flow_version.list", level = "debug", skip_all)]
    pub async fn flow_versions(&self, account: AccountId, id: FlowId) -> Result<Vec<FlowVersionRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, actor, note, restores, body FROM flow_version WHERE account = $1 AND id = $2
             ORDER BY version DESC LIMIT $3",
        )
        .bind(account.0)
        .bind(id.0)
        .bind(MOST_VERSIONS)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(version).collect()
    }

    /// One published version of a flow.
    #[tracing::instrument(name = "db.flow_version.find", level = "debug", skip_all)]
    pub async fn flow_version(
        &self,
        account: AccountId,
        id: FlowId,
        number: u32,
    ) -> Result<Option<FlowVersionRow>, StoreError> {
        let row = sqlx::query(
            "SELECT at, actor, note, restores, body FROM flow_version
             WHERE account = $1 AND id = $2 AND version = $3",
        )
        .bind(account.0)
        .bind(id.0)
        .bind(number)
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(version).transpose()
    }
}

fn draft(row: &SqliteRow) -> Result<DraftRow, StoreError> {
    Ok(DraftRow {
        flow: parse(row, "body")?,
        revision: unsigned(row.try_get("revision")?),
        based_on: row.try_get("based_on")?,
        at: Millis(row.try_get("at")?),
        actor: parse(row, "actor")?,
    })
}

fn version(row: &SqliteRow) -> Result<FlowVersionRow, StoreError> {
    Ok(FlowVersionRow {
        flow: parse(row, "body")?,
        at: Millis(row.try_get("at")?),
        actor: parse(row, "actor")?,
        note: row.try_get("note")?,
        restores: row.try_get("restores")?,
    })
}

fn parse<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(StoreError::corrupt("flow"))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::corrupt("flow"))
}
