//! The durable log of an account.

use std::fmt::Write as _;

use cordboard_shared::Millis;
use cordboard_shared::id::{AccountId, AgentId};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{Store, StoreError, hex, signed, unsigned};

/// The format in which bodies are written now. Format 1 named its person in the column alone.
pub const EVENT_FORMAT: u32 = 2;

/// One event of an account's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Whose log.
    pub account: AccountId,
    /// Place in it, from 1.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// The person it is about.
    pub agent: Option<AgentId>,
    /// How the body is to be read.
    pub format: u32,
    /// What happened: JSON, as the engine writes it.
    pub body: String,
}

/// Which part of one person's history, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Historic {
    /// Whose.
    pub agent: AgentId,
    /// Not before.
    pub from: Option<Millis>,
    /// Not at or after.
    pub to: Option<Millis>,
    /// With smaller numbers than this.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// The events of an account after a place in its log, in order.
    #[tracing::instrument(name = "db.event.list", level = "debug", skip(self))]
    pub async fn events(&self, account: AccountId, after: u64) -> Result<Vec<EventRow>, StoreError> {
        self.events_in_chunks(account, after, usize::MAX, |chunk| std::future::ready(Ok(chunk)))
            .await
            .map(|chunks| chunks.into_iter().flatten().collect())
    }

    /// The events after a place, each chunk handed on as it comes, so that reading and understanding overlap.
    pub async fn events_in_chunks<T, E, F>(
        &self,
        account: AccountId,
        after: u64,
        chunk: usize,
        mut then: impl FnMut(Vec<EventRow>) -> F,
    ) -> Result<Vec<T>, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<T, E>>,
    {
        let mut rows =
            sqlx::query("SELECT seq, at, agent, format, body FROM event WHERE account = $1 AND seq > $2 ORDER BY seq")
                .bind(account.0)
                .bind(signed(after))
                .fetch(&self.read);
        let mut read = Vec::new();
        let mut done = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            read.push(event(account, &row)?);
            if read.len() >= chunk {
                done.push(then(std::mem::take(&mut read)).await?);
            }
        }
        if !read.is_empty() {
            done.push(then(read).await?);
        }
        Ok(done)
    }

    /// Number of the last event; 0 when there is none.
    pub async fn last_event(&self, account: AccountId) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM event WHERE account = $1")
            .bind(account.0)
            .fetch_one(&self.read)
            .await?;
        Ok(last.map_or(0, unsigned))
    }

    /// One person's events, newest first.
    #[tracing::instrument(name = "db.event.history", level = "debug", skip_all)]
    pub async fn history(&self, account: AccountId, which: Historic) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, agent, format, body FROM event
             WHERE account = $1 AND agent = $2 AND seq < $3 AND at >= $4 AND at < $5 ORDER BY seq DESC LIMIT $6",
        )
        .bind(account.0)
        .bind(which.agent.0)
        .bind(which.before.map_or(i64::MAX, signed))
        .bind(which.from.map_or(i64::MIN, |from| from.0))
        .bind(which.to.map_or(i64::MAX, |to| to.0))
        .bind(i64::from(which.limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| event(account, row)).collect()
    }
}

fn event(account: AccountId, row: &SqliteRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        account,
        seq: unsigned(row.try_get("seq")?),
        at: Millis(row.try_get("at")?),
        agent: row.try_get::<Option<uuid::Uuid>, _>("agent")?.map(AgentId),
        format: u32::try_from(row.try_get::<i64, _>("format")?).unwrap_or(u32::MAX),
        body: row.try_get("body")?,
    })
}

/// One statement, whatever the number of rows. The bodies are JSON already and are not built up a second time.
pub(super) async fn append(writer: &mut SqliteConnection, events: &[EventRow]) -> Result<(), StoreError> {
    let size: usize = events.iter().map(|row| row.body.len() + 128).sum();
    let mut rows = String::with_capacity(size);
    for row in events {
        rows.push(if rows.is_empty() { '[' } else { ',' });
        let agent = row.agent.map_or_else(|| "null".to_owned(), |agent| format!("\"{}\"", hex(agent.0)));
        let (account, EventRow { seq, at, format, body, .. }) = (hex(row.account.0), row);
        // Writing to a string does not fail.
        let _ = write!(rows, "[\"{account}\",{seq},{},{agent},{format},{body}]", at.0);
    }
    rows.push(']');
    sqlx::query(
        "INSERT INTO event (account, seq, at, agent, format, body)
         SELECT unhex(e.value->>0), e.value->>1, e.value->>2, unhex(e.value->>3), e.value->>4, e.value->5
         FROM json_each($1) e",
    )
    .bind(rows)
    .execute(writer)
    .await?;
    Ok(())
}
