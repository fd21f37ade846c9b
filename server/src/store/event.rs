//! The durable log of an account.

use std::collections::VecDeque;

use cordboard_shared::Millis;
use cordboard_shared::id::{AccountId, AgentId};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::{Store, StoreError, rows, signed, unsigned};

/// The format in which bodies are written now. Format 1 named its person in the column alone.
pub const EVENT_FORMAT: u32 = 2;
/// Entries whose person is noted in one go: about a millisecond of the disk's time.
const SORTED_AT_ONCE: i64 = 512;

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
        let rows =
            sqlx::query("SELECT seq, at, agent, format, body FROM event WHERE account = $1 AND seq > $2 ORDER BY seq")
                .bind(account.0)
                .bind(signed(after))
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(|row| event(account, row)).collect()
    }

    /// What the fold of the log after a place needs, in order and in chunks that are handed on as they come, so that
    /// reading and understanding overlap. An entry about a person holds all of their facts: of each person the last one
    /// is enough, and the others are not even read.
    pub async fn events_to_fold<T, E, F>(
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
        let mut people = VecDeque::from(self.last_of_each_person(account, after).await?);
        let mut rows = sqlx::query(
            "SELECT seq, at, agent, format, body FROM event INDEXED BY event_of_nobody
             WHERE account = $1 AND agent IS NULL AND seq > $2 ORDER BY seq",
        )
        .bind(account.0)
        .bind(signed(after))
        .fetch(&self.read);
        let mut read = Vec::new();
        let mut done = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            let row = event(account, &row)?;
            while let Some(before) = people.pop_front_if(|person| person.seq < row.seq) {
                read.push(before);
            }
            read.push(row);
            if read.len() >= chunk {
                done.push(then(std::mem::take(&mut read)).await?);
            }
        }
        read.extend(people);
        if !read.is_empty() {
            done.push(then(read).await?);
        }
        Ok(done)
    }

    /// The last event about each person, in order, if it lies after this place. Looks up person after person, not entry
    /// after entry.
    async fn last_of_each_person(&self, account: AccountId, after: u64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "WITH RECURSIVE sorted (seq) AS (
                 SELECT coalesce((SELECT seq FROM event_sorted WHERE account = $1), 0)
             ), person (agent) AS (
                 SELECT min(agent) FROM event_of_person WHERE account = $1
                 UNION ALL
                 SELECT (SELECT min(agent) FROM event_of_person WHERE account = $1 AND agent > person.agent)
                 FROM person WHERE person.agent IS NOT NULL
             ), found (agent, seq) AS (
                 SELECT agent, (SELECT max(seq) FROM event_of_person WHERE account = $1 AND agent = person.agent)
                 FROM person WHERE person.agent IS NOT NULL
                 UNION ALL
                 SELECT agent, max(seq) FROM event
                 WHERE account = $1 AND seq > max((SELECT seq FROM sorted), $2) AND agent IS NOT NULL GROUP BY agent
             ), newest (seq) AS (
                 SELECT max(seq) FROM found GROUP BY agent
             )
             SELECT e.seq, e.at, e.agent, e.format, e.body
             FROM newest CROSS JOIN event e ON e.account = $1 AND e.seq = newest.seq
             WHERE newest.seq > $2 ORDER BY e.seq",
        )
        .bind(account.0)
        .bind(signed(after))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| event(account, row)).collect()
    }

    /// Number of the last event; 0 when there is none.
    pub async fn last_event(&self, account: AccountId) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM event WHERE account = $1")
            .bind(account.0)
            .fetch_one(&self.read)
            .await?;
        Ok(last.map_or(0, unsigned))
    }

    /// Notes whose some more entries are. True while others are left.
    #[tracing::instrument(name = "db.event.sort", level = "debug", skip(self))]
    pub async fn sort_events(&self, account: AccountId) -> Result<bool, StoreError> {
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        let left = sort(&mut unit, account).await?;
        unit.commit().await?;
        Ok(left)
    }

    /// One person's events, newest first.
    #[tracing::instrument(name = "db.event.history", level = "debug", skip_all)]
    pub async fn history(&self, account: AccountId, which: Historic) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.seq AS seq, e.at AS at, e.agent AS agent, e.format AS format, e.body AS body
             FROM event_of_person p CROSS JOIN event e ON e.account = p.account AND e.seq = p.seq
             WHERE p.account = $1 AND p.agent = $2 AND p.seq < $3 AND e.at >= $4 AND e.at < $5
             UNION ALL
             SELECT seq, at, agent, format, body FROM event
             WHERE account = $1 AND agent = $2 AND seq < $3 AND at >= $4 AND at < $5
                 AND seq > coalesce((SELECT seq FROM event_sorted WHERE account = $1), 0)
             ORDER BY seq DESC LIMIT $6",
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

/// Notes whose the next entries are, after those noted already, and says whether some are left. Not with each commit:
/// one page for each person would go with it. Not all at once after a flood: a toggle would wait for that.
pub(super) async fn sort(writer: &mut SqliteConnection, account: AccountId) -> Result<bool, StoreError> {
    sqlx::query(
        "INSERT INTO event_of_person (account, agent, seq)
         WITH done (seq) AS (SELECT coalesce((SELECT seq FROM event_sorted WHERE account = $1), 0))
         SELECT e.account, e.agent, e.seq FROM done CROSS JOIN event e
         WHERE e.account = $1 AND e.agent IS NOT NULL AND e.seq > done.seq AND e.seq <= done.seq + $2
         ORDER BY e.agent, e.seq",
    )
    .bind(account.0)
    .bind(SORTED_AT_ONCE)
    .execute(&mut *writer)
    .await?;
    let left: Option<bool> = sqlx::query_scalar(
        "WITH done (seq) AS (SELECT coalesce((SELECT seq FROM event_sorted WHERE account = $1), 0)),
              last (seq) AS (SELECT max(seq) FROM event WHERE account = $1)
         INSERT INTO event_sorted (account, seq)
         SELECT $1, min(last.seq, done.seq + $2) FROM done CROSS JOIN last WHERE last.seq > done.seq
         ON CONFLICT (account) DO UPDATE SET seq = excluded.seq
         RETURNING seq < (SELECT max(seq) FROM event WHERE account = $1)",
    )
    .bind(account.0)
    .bind(SORTED_AT_ONCE)
    .fetch_optional(writer)
    .await?;
    Ok(left.unwrap_or(false))
}

/// One statement, whatever the number of rows.
pub(super) async fn append(writer: &mut SqliteConnection, events: &[EventRow]) -> Result<(), StoreError> {
    for events in events.chunks(rows::MOST) {
        let mut insert = rows::insert("INSERT INTO event (account, seq, at, agent, format, body)", 6, events.len());
        for EventRow { account, seq, at, agent, format, body } in events {
            insert = insert
                .bind(account.0)
                .bind(signed(*seq))
                .bind(at.0)
                .bind(agent.map(|agent| agent.0))
                .bind(i64::from(*format))
                .bind(body.as_str());
        }
        insert.execute(&mut *writer).await?;
    }
    Ok(())
}
