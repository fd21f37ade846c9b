//! Changes of one person's record: role, sign-in name, mobile number, departments they manage.

use std::collections::BTreeSet;

use cordboard_shared::Millis;
use cordboard_shared::agent::AgentProfile;
use cordboard_shared::api::users::UserChanged;
use cordboard_shared::id::{AccountId, AgentId, DepartmentId};
use cordboard_shared::phone::E164;
use sqlx::{Connection as _, Row as _};

use super::{Store, StoreError, word};

/// A person's record after a change, and the change for the books.
#[derive(Debug)]
pub struct PersonChange<'a> {
    /// The person after it.
    pub profile: &'a AgentProfile,
    /// Their mobile number after it.
    pub mobile: Option<&'a E164>,
    /// The departments they manage after it.
    pub manages: &'a BTreeSet<DepartmentId>,
    /// Whether links sent to them so far are taken back.
    pub takes_links_back: bool,
    /// Who changed what, and when.
    pub record: &'a UserChanged,
}

impl Store {
    /// Changes a person's record and writes down who did it: both, or nothing. [`StoreError::Exists`] says that the
    /// sign-in name is somebody else's.
    #[tracing::instrument(name = "db.agent.update", level = "debug", skip_all)]
    pub async fn change_person(&self, account: AccountId, change: &PersonChange<'_>) -> Result<(), StoreError> {
        let PersonChange { profile, mobile, manages, takes_links_back, record } = change;
        let json = |error| StoreError::corrupt("agent_change")(error);
        let actor = serde_json::to_string(&record.actor).map_err(json)?;
        let changed = serde_json::to_string(&record.changed).map_err(json)?;

        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE agent SET email = $3, role = $4, mobile = $5, link_generation = link_generation + $6
             WHERE account = $1 AND id = $2",
        )
        .bind(account.0)
        .bind(profile.id.0)
        .bind(&profile.email)
        .bind(word(&profile.role))
        .bind(mobile.map(|mobile| mobile.as_str().to_owned()))
        .bind(i64::from(*takes_links_back))
        .execute(&mut *unit)
        .await?;
        sqlx::query("DELETE FROM manager WHERE account = $1 AND agent = $2")
            .bind(account.0)
            .bind(profile.id.0)
            .execute(&mut *unit)
            .await?;
        for department in *manages {
            sqlx::query("INSERT INTO manager (account, agent, department) VALUES ($1, $2, $3)")
                .bind(account.0)
                .bind(profile.id.0)
                .bind(department.0)
                .execute(&mut *unit)
                .await?;
        }
        sqlx::query(
            "INSERT INTO agent_change (account, agent, at, actor, request, changed) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(account.0)
        .bind(profile.id.0)
        .bind(record.at.0)
        .bind(actor)
        .bind(record.request.map(|request| request.to_string()))
        .bind(changed)
        .execute(&mut *unit)
        .await?;
        unit.commit().await?;
        Ok(())
    }

    /// Changes of a person's record, newest first.
    #[tracing::instrument(name = "db.agent_change.list", level = "debug", skip(self))]
    pub async fn person_changes(
        &self,
        account: AccountId,
        agent: AgentId,
        limit: u32,
    ) -> Result<Vec<UserChanged>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, actor, request, changed FROM agent_change
             WHERE account = $1 AND agent = $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(account.0)
        .bind(agent.0)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let json = |error| StoreError::corrupt("agent_change")(error);
        rows.iter()
            .map(|row| {
                let request: Option<String> = row.try_get("request")?;
                Ok(UserChanged {
                    agent,
                    at: Millis(row.try_get("at")?),
                    actor: serde_json::from_str(row.try_get("actor")?).map_err(json)?,
                    request: request.and_then(|text| text.parse().ok()),
                    changed: serde_json::from_str(row.try_get("changed")?).map_err(json)?,
                })
            })
            .collect()
    }
}
