//! The account and its policy: read whole at start, written whole when a company is founded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_shared::agent::AgentProfile;
use cordboard_shared::id::{AccountId, AgentId, DepartmentId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use uuid::Uuid;

use super::setting::{write_sip_user, write_telephony};
use super::{Store, StoreError, TokenRow, from_word, signed, unsigned, word};
use crate::directory::Directory;

/// A company with its people, before anybody has worked there.
#[derive(Debug)]
pub struct NewAccount {
    /// Its policy; people without their passwords.
    pub directory: Directory,
    /// Passwords of the people.
    pub people: Vec<NewPerson>,
    /// API tokens.
    pub tokens: Vec<TokenRow>,
    /// Desk phones.
    pub sip_users: Vec<SipUser>,
}

/// A person with their password.
pub struct NewPerson {
    /// Who.
    pub profile: AgentProfile,
    /// argon2id in PHC form.
    pub password: String,
}

/// A desk phone.
pub struct SipUser {
    /// User part of its address.
    pub username: String,
    /// Whose.
    pub agent: AgentId,
    /// Digest realm.
    pub realm: String,
    /// SHA-256 of `username:realm:password`, in hexadecimal (RFC 8760).
    pub ha1_sha256: String,
    /// MD5 of the same; none for phones founded by an earlier version.
    pub ha1_md5: Option<String>,
}

impl std::fmt::Debug for NewPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewPerson({})", self.profile.id)
    }
}

impl std::fmt::Debug for SipUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SipUser({})", self.username)
    }
}

impl Store {
    /// The account in this database, under the policy it was founded with; an empty one when there is none yet.
    #[tracing::instrument(name = "db.account.load", level = "debug", skip_all)]
    pub async fn directory(&self) -> Result<Directory, StoreError> {
        let row = sqlx::query("SELECT id, name, zone, language, policy_version FROM account ORDER BY id LIMIT 1")
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(Directory::default()) };
        let id: Uuid = row.try_get("id")?;
        let directory = Directory {
            account: AccountId(id),
            name: row.try_get("name")?,
            zone: row.try_get("zone")?,
            language: row.try_get("language")?,
            policy_version: unsigned(row.try_get("policy_version")?),
            agents: self.people(id).await?.into_iter().map(|person| (person.id, person)).collect(),
            departments: self.bodies("SELECT body FROM department WHERE account = $1 ORDER BY position", id).await?,
            numbers: self.bodies("SELECT body FROM number WHERE account = $1 ORDER BY position", id).await?,
            flows: self.bodies("SELECT body FROM flow WHERE account = $1 ORDER BY position", id).await?,
            mailboxes: self.bodies("SELECT body FROM mailbox WHERE account = $1 ORDER BY position", id).await?,
            managers: self.managers(id).await?,
            policy: Arc::default(),
            telephony: Arc::new(self.telephony(AccountId(id)).await?),
            phone_users: Arc::default(),
        };
        let policy = Arc::new(directory.first_policy());
        Ok(directory.under(policy))
    }

    async fn people(&self, account: Uuid) -> Result<Vec<AgentProfile>, StoreError> {
        let rows = sqlx::query("SELECT id, name, email, role, extension FROM agent WHERE account = $1 ORDER BY id")
            .bind(account)
            .fetch_all(&self.read)
            .await?;
        rows.into_iter()
            .map(|row| {
                let extension: Option<String> = row.try_get("extension")?;
                Ok(AgentProfile {
                    id: AgentId(row.try_get("id")?),
                    name: row.try_get("name")?,
                    email: row.try_get("email")?,
                    role: from_word(row.try_get("role")?, "agent")?,
                    extension: extension
                        .map(|text| text.parse())
                        .transpose()
                        .map_err(|error| StoreError::Corrupt { what: "agent", source: Box::new(error) })?,
                })
            })
            .collect()
    }

    async fn managers(&self, account: Uuid) -> Result<BTreeMap<AgentId, BTreeSet<DepartmentId>>, StoreError> {
        let rows = sqlx::query("SELECT agent, department FROM manager WHERE account = $1 ORDER BY agent, department")
            .bind(account)
            .fetch_all(&self.read)
            .await?;
        let mut managers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for row in rows {
            let department = DepartmentId(row.try_get("department")?);
            managers.entry(AgentId(row.try_get("agent")?)).or_default().insert(department);
        }
        Ok(managers)
    }

    pub(super) async fn bodies<T: DeserializeOwned>(
        &self,
        query: &'static str,
        account: Uuid,
    ) -> Result<Vec<T>, StoreError> {
        let bodies: Vec<String> = sqlx::query_scalar(query).bind(account).fetch_all(&self.read).await?;
        bodies.iter().map(|body| serde_json::from_str(body).map_err(StoreError::corrupt("policy"))).collect()
    }

    /// Founds a company: all of it, or nothing.
    pub async fn create_account(&self, new: &NewAccount) -> Result<(), StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        insert_account(&mut unit, &new.directory).await?;
        for person in &new.people {
            insert_person(&mut unit, new.directory.account, person).await?;
        }
        insert_policy(&mut unit, &new.directory).await?;
        for token in &new.tokens {
            insert_token(&mut unit, token).await?;
        }
        write_telephony(&mut unit, new.directory.account, &new.directory.telephony).await?;
        for user in &new.sip_users {
            write_sip_user(&mut unit, new.directory.account, user).await?;
        }
        unit.commit().await?;
        Ok(())
    }
}

async fn insert_account(writer: &mut SqliteConnection, directory: &Directory) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO account (id, name, zone, language, policy_version, token_generation)
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(directory.account.0)
    .bind(&directory.name)
    .bind(&directory.zone)
    .bind(&directory.language)
    .bind(signed(directory.policy_version))
    .execute(writer)
    .await?;
    Ok(())
}

async fn insert_person(
    writer: &mut SqliteConnection,
    account: AccountId,
    person: &NewPerson,
) -> Result<(), StoreError> {
    let profile = &person.profile;
    sqlx::query(
        "INSERT INTO agent (id, account, name, email, role, extension, password) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(profile.id.0)
    .bind(account.0)
    .bind(&profile.name)
    .bind(profile.email.to_lowercase())
    .bind(word(&profile.role))
    .bind(profile.extension.as_ref().map(|extension| extension.as_str().to_owned()))
    .bind(&person.password)
    .execute(writer)
    .await?;
    Ok(())
}

async fn insert_policy(writer: &mut SqliteConnection, directory: &Directory) -> Result<(), StoreError> {
    let account = directory.account.0;
    for (position, department) in (1_i64..).zip(&directory.departments) {
        sqlx::query("INSERT INTO department (id, account, slug, position, body) VALUES ($1, $2, $3, $4, $5)")
            .bind(department.id.0)
            .bind(account)
            .bind(&department.slug)
            .bind(position)
            .bind(json(department)?)
            .execute(&mut *writer)
            .await?;
    }
    for (agent, departments) in &directory.managers {
        for department in departments {
            sqlx::query("INSERT INTO manager (account, agent, department) VALUES ($1, $2, $3)")
                .bind(account)
                .bind(agent.0)
                .bind(department.0)
                .execute(&mut *writer)
                .await?;
        }
    }
    for (position, number) in (1_i64..).zip(&directory.numbers) {
        sqlx::query("INSERT INTO number (id, account, number, position, body) VALUES ($1, $2, $3, $4, $5)")
            .bind(number.id.0)
            .bind(account)
            .bind(number.number.as_str())
            .bind(position)
            .bind(json(number)?)
            .execute(&mut *writer)
            .await?;
    }
    for (position, flow) in (1_i64..).zip(&directory.flows) {
        sqlx::query("INSERT INTO flow (id, account, slug, position, body) VALUES ($1, $2, $3, $4, $5)")
            .bind(flow.id.0)
            .bind(account)
            .bind(&flow.slug)
            .bind(position)
            .bind(json(flow)?)
            .execute(&mut *writer)
            .await?;
    }
    for (position, mailbox) in (1_i64..).zip(&directory.mailboxes) {
        sqlx::query("INSERT INTO mailbox (account, name, position, body) VALUES ($1, $2, $3, $4)")
            .bind(account)
            .bind(&mailbox.name)
            .bind(position)
            .bind(json(mailbox)?)
            .execute(&mut *writer)
            .await?;
    }
    Ok(())
}

pub(super) async fn insert_token(writer: &mut SqliteConnection, token: &TokenRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO token (id, account, agent, session, name, secret, created_at, expires_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(token.id.0)
    .bind(token.account.0)
    .bind(token.agent.0)
    .bind(token.session.map(|session| session.0))
    .bind(&token.name)
    .bind(token.secret.as_slice())
    .bind(token.created_at.0)
    .bind(token.expires_at.0)
    .bind(token.revoked_at.map(|at| at.0))
    .execute(writer)
    .await?;
    Ok(())
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::corrupt("policy"))
}
