//! Settings of the company that are not the routing policy: telephony, phone passwords, numbers; and who changed what.

use std::collections::BTreeMap;

use cordboard_shared::Millis;
use cordboard_shared::agent::Actor;
use cordboard_shared::department::Number;
use cordboard_shared::id::{AccountId, AgentId};
use cordboard_shared::telephony::Telephony;
use serde_json::Value;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::{SipUser, Store, StoreError, signed};

/// A line of the record of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChange {
    /// When.
    pub at: Millis,
    /// `telephony`, `phone`, `flow`, `number`, `audio`.
    pub kind: &'static str,
    /// Which one of its kind.
    pub subject: String,
    /// What was done.
    pub what: &'static str,
    /// By whom.
    pub actor: Actor,
    /// What it was set to; without secrets.
    pub body: Value,
}

impl Store {
    /// The telephony settings; those of a company that has never set any are the defaults.
    #[tracing::instrument(name = "db.telephony.load", level = "debug", skip_all)]
    pub async fn telephony(&self, account: AccountId) -> Result<Telephony, StoreError> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM telephony WHERE account = $1")
            .bind(account.0)
            .fetch_optional(&self.read)
            .await?;
        let settings =
            body.map(|body| serde_json::from_str(&body).map_err(StoreError::corrupt("telephony"))).transpose()?;
        let trunks = self.bodies("SELECT body FROM trunk WHERE account = $1 ORDER BY position", account.0).await?;
        Ok(Telephony { trunks, ..settings.unwrap_or_default() })
    }

    /// Sets them, with a line of the record; phones that stand in them no longer lose their password.
    #[tracing::instrument(name = "db.telephony.save", level = "debug", skip_all)]
    pub async fn set_telephony(
        &self,
        account: AccountId,
        telephony: &Telephony,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        write_telephony(&mut unit, account, telephony).await?;
        let usernames: Vec<_> = telephony.phones.iter().map(|phone| phone.username.as_str()).collect();
        let usernames = serde_json::to_string(&usernames).map_err(StoreError::corrupt("telephony"))?;
        sqlx::query("DELETE FROM sip_user WHERE account = $1 AND username NOT IN (SELECT value FROM json_each($2))")
            .bind(account.0)
            .bind(usernames)
            .execute(&mut *unit)
            .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Desk phones with their secrets, by name.
    #[tracing::instrument(name = "db.sip_user.list", level = "debug", skip_all)]
    pub async fn sip_users(&self, account: AccountId) -> Result<BTreeMap<String, SipUser>, StoreError> {
        let rows = sqlx::query(
            "SELECT username, agent, realm, ha1_sha256, ha1_md5 FROM sip_user WHERE account = $1 ORDER BY username",
        )
        .bind(account.0)
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let username: String = row.try_get("username")?;
                let user = SipUser {
                    username: username.clone(),
                    agent: AgentId(row.try_get("agent")?),
                    realm: row.try_get("realm")?,
                    ha1_sha256: row.try_get("ha1_sha256")?,
                    ha1_md5: row.try_get("ha1_md5")?,
                };
                Ok((username, user))
            })
            .collect()
    }

    /// Gives a desk phone its password, with a line of the record.
    #[tracing::instrument(name = "db.sip_user.save", level = "debug", skip_all)]
    pub async fn set_sip_user(
        &self,
        account: AccountId,
        user: &SipUser,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        write_sip_user(&mut unit, account, user).await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Changes a number, with a line of the record.
    #[tracing::instrument(name = "db.number.save", level = "debug", skip_all)]
    pub async fn set_number(
        &self,
        account: AccountId,
        number: &Number,
        change: &SettingChange,
    ) -> Result<(), StoreError> {
        let body = serde_json::to_string(number).map_err(StoreError::corrupt("number"))?;
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE number SET body = $1 WHERE account = $2 AND id = $3")
            .bind(body)
            .bind(account.0)
            .bind(number.id.0)
            .execute(&mut *unit)
            .await?;
        insert_change(&mut unit, account, change).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Who made the last change of a kind, and when.
    #[tracing::instrument(name = "db.setting_change.last", level = "debug", skip_all)]
    pub async fn last_change(
        &self,
        account: AccountId,
        kind: &str,
        subject: &str,
    ) -> Result<Option<(Millis, Actor)>, StoreError> {
        let row = sqlx::query(
            "SELECT at, actor FROM setting_change WHERE account = $1 AND kind = $2 AND subject = $3
             ORDER BY n DESC LIMIT 1",
        )
        .bind(account.0)
        .bind(kind)
        .bind(subject)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            let actor: String = row.try_get("actor")?;
            let actor = serde_json::from_str(&actor).map_err(StoreError::corrupt("setting_change"))?;
            Ok((Millis(row.try_get("at")?), actor))
        })
        .transpose()
    }
}

pub(super) async fn write_telephony(
    writer: &mut SqliteConnection,
    account: AccountId,
    telephony: &Telephony,
) -> Result<(), StoreError> {
    // Trunks stand in rows of their own.
    let settings = Telephony { trunks: Vec::new(), ..telephony.clone() };
    let body = serde_json::to_string(&settings).map_err(StoreError::corrupt("telephony"))?;
    sqlx::query("DELETE FROM trunk WHERE account = $1").bind(account.0).execute(&mut *writer).await?;
    for (position, trunk) in (1_i64..).zip(&telephony.trunks) {
        sqlx::query("INSERT INTO trunk (id, account, position, body) VALUES ($1, $2, $3, $4)")
            .bind(trunk.id.0)
            .bind(account.0)
            .bind(position)
            .bind(serde_json::to_string(trunk).map_err(StoreError::corrupt("trunk"))?)
            .execute(&mut *writer)
            .await?;
    }
    sqlx::query(
        "INSERT INTO telephony (account, version, body) VALUES ($1, $2, $3)
         ON CONFLICT (account) DO UPDATE SET version = excluded.version, body = excluded.body",
    )
    .bind(account.0)
    .bind(signed(telephony.version))
    .bind(body)
    .execute(writer)
    .await?;
    Ok(())
}

pub(super) async fn write_sip_user(
    writer: &mut SqliteConnection,
    account: AccountId,
    user: &SipUser,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sip_user (username, account, agent, realm, ha1_sha256, ha1_md5) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (username) DO UPDATE SET agent = excluded.agent, realm = excluded.realm,
             ha1_sha256 = excluded.ha1_sha256, ha1_md5 = excluded.ha1_md5
         WHERE sip_user.account = excluded.account",
    )
    .bind(&user.username)
    .bind(account.0)
    .bind(user.agent.0)
    .bind(&user.realm)
    .bind(&user.ha1_sha256)
    .bind(&user.ha1_md5)
    .execute(writer)
    .await?;
    Ok(())
}

pub(super) async fn insert_change(
    writer: &mut SqliteConnection,
    account: AccountId,
    change: &SettingChange,
) -> Result<(), StoreError> {
    let actor = serde_json::to_string(&change.actor).map_err(StoreError::corrupt("setting_change"))?;
    sqlx::query(
        "INSERT INTO setting_change (account, at, kind, subject, what, actor, body) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(account.0)
    .bind(change.at.0)
    .bind(change.kind)
    .bind(&change.subject)
    .bind(change.what)
    .bind(actor)
    .bind(change.body.to_string())
    .execute(writer)
    .await?;
    Ok(())
}
