//! The object's SQLite tables: one row per person, and what is known about the copy as a whole.
//!
//! Everything is stored as text: the runtime hands SQL integers on as JavaScript numbers, which end at 2^53.

use std::collections::BTreeMap;

use cordboard_shared::id::{AccountId, AgentId};
use cordboard_shared::presence::mirror::{Applied, Forget, Mark, Mirror, Row};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use worker::{Result, SqlStorage, SqlStorageValue};

/// The tables. No method awaits, so what one call writes is one commit.
#[derive(Debug)]
pub(super) struct Rows {
    sql: SqlStorage,
}

#[derive(Deserialize)]
struct StoredRow {
    id: String,
    mark: String,
    body: String,
}

#[derive(Deserialize)]
struct StoredMark {
    id: String,
    mark: String,
}

#[derive(Deserialize)]
struct StoredValue {
    value: String,
}

impl Rows {
    /// Makes the tables where they are missing.
    pub(super) fn open(sql: SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS agent (id TEXT PRIMARY KEY, mark TEXT NOT NULL, body TEXT NOT NULL)",
            None,
        )?;
        sql.exec("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)", None)?;
        Ok(Self { sql })
    }

    /// The account this object was made for; the first caller's, kept from then on.
    pub(super) fn account(&self, first: AccountId) -> Result<AccountId> {
        if let Some(account) = self.meta("account")? {
            return Ok(account);
        }
        self.set_meta("account", &first)?;
        Ok(first)
    }

    /// What is known about the copy.
    pub(super) fn mirror(&self) -> Result<Mirror> {
        Ok(self.meta("mirror")?.unwrap_or_default())
    }

    /// One person's row.
    pub(super) fn row(&self, agent: AgentId) -> Result<Option<Row>> {
        let query = "SELECT id, mark, body FROM agent WHERE id = ?";
        let rows: Vec<StoredRow> = self.sql.exec(query, vec![agent.to_string().into()])?.to_array()?;
        rows.into_iter()
            .next()
            .map(|row| {
                let mark = serde_json::from_str(&row.mark)?;
                Ok(Row { agent: row.id.parse().map_err(|_| "a row's id is no UUID")?, mark, body: row.body })
            })
            .transpose()
    }

    /// The marks of these people's rows.
    pub(super) fn marks(&self, agents: impl Iterator<Item = AgentId>) -> Result<BTreeMap<AgentId, Mark>> {
        let ids = serde_json::to_string(&agents.collect::<Vec<_>>())?;
        let query = "SELECT id, mark FROM agent WHERE id IN (SELECT value FROM json_each(?))";
        let rows: Vec<StoredMark> = self.sql.exec(query, vec![ids.into()])?.to_array()?;
        rows.iter()
            .map(|row| {
                let id = row.id.parse().map_err(|_| "a row's id is no UUID")?;
                Ok((id, serde_json::from_str(&row.mark)?))
            })
            .collect()
    }

    /// Stores one person's row.
    pub(super) fn put(&self, row: &Row) -> Result<()> {
        let mark = serde_json::to_string(&row.mark)?;
        let values = vec![row.agent.to_string().into(), mark.into(), SqlStorageValue::String(row.body.clone())];
        self.sql.exec("INSERT OR REPLACE INTO agent (id, mark, body) VALUES (?, ?, ?)", values)?;
        Ok(())
    }

    /// Stores what a part of the feed changed.
    pub(super) fn apply(&self, mirror: &Mirror, applied: &Applied) -> Result<()> {
        match &applied.forget {
            Forget::Nothing => {}
            Forget::Everything => {
                self.sql.exec("DELETE FROM agent", None)?;
            }
            Forget::NotNamed { named, upto } => {
                let named = serde_json::to_string(named)?;
                let upto = SqlStorageValue::String(upto.to_string());
                self.sql.exec(
                    "DELETE FROM agent WHERE id NOT IN (SELECT value FROM json_each(?))
                     AND CAST(mark ->> '$.seq' AS INTEGER) <= CAST(? AS INTEGER)",
                    vec![named.into(), upto],
                )?;
            }
        }
        for row in &applied.rows {
            self.put(row)?;
        }
        self.set_meta("mirror", mirror)
    }

    fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let query = "SELECT value FROM meta WHERE name = ?";
        let values: Vec<StoredValue> = self.sql.exec(query, vec![name.into()])?.to_array()?;
        Ok(values.first().map(|stored| serde_json::from_str(&stored.value)).transpose()?)
    }

    fn set_meta(&self, name: &str, value: &impl serde::Serialize) -> Result<()> {
        let value = serde_json::to_string(value)?;
        self.sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", vec![name.into(), value.into()])?;
        Ok(())
    }
}
