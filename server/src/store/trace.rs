//! What the engine was fed, in order, and the engine whole from time to time: enough to run it again.
//!
//! An input that is an event of the log is kept by its number alone.

use cordboard_shared::Millis;
use cordboard_shared::id::AccountId;
use sqlx::{Row as _, SqliteConnection};

use super::{EventRow, Store, StoreError, rows, signed, unsigned};

/// The format in which checkpoints are written now.
pub const CHECKPOINT_FORMAT: u32 = 1;

/// One input of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// Which run of the server.
    pub run: u64,
    /// Place in it, from 1.
    pub n: u64,
    /// When it was fed.
    pub at: Millis,
    /// What.
    pub input: Traced,
}

/// How an input is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// JSON, as the engine writes it.
    Input(String),
    /// The event of the log with this number.
    Event(u64),
}

/// The engine whole, before the input that follows `n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Which run of the server.
    pub run: u64,
    /// After so many inputs of it.
    pub n: u64,
    /// When.
    pub at: Millis,
    /// How the body is to be read.
    pub format: u32,
    /// JSON, as the engine writes it.
    pub body: String,
}

impl Store {
    /// Number of the last run; 0 when there was none.
    pub async fn last_run(&self, account: AccountId) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT max(run) FROM (SELECT max(run) AS run FROM trace WHERE account = $1
                                   UNION ALL SELECT max(run) FROM checkpoint WHERE account = $1)",
        )
        .bind(account.0)
        .fetch_one(&self.read)
        .await?;
        Ok(last.map_or(0, unsigned))
    }

    /// Where a replay of `from..to` begins: the newest checkpoint up to `from`, and the first of each run that began
    /// later and before `to`. Without their bodies.
    pub async fn checkpoints(
        &self,
        account: AccountId,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<(u64, u64, Millis)>, StoreError> {
        let rows = sqlx::query("SELECT run, n, at FROM checkpoint WHERE account = $1 AND at < $2 ORDER BY run, n")
            .bind(account.0)
            .bind(to.0)
            .fetch_all(&self.read)
            .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push((unsigned(row.try_get("run")?), unsigned(row.try_get("n")?), Millis(row.try_get("at")?)));
        }
        let first = all.iter().rposition(|(_, _, at)| *at <= from).unwrap_or(0);
        let mut starts: Vec<(u64, u64, Millis)> = Vec::new();
        for checkpoint in all.into_iter().skip(first) {
            if starts.last().is_none_or(|(run, ..)| *run != checkpoint.0) {
                starts.push(checkpoint);
            }
        }
        Ok(starts)
    }

    /// One checkpoint.
    pub async fn checkpoint(&self, account: AccountId, run: u64, n: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let row = sqlx::query("SELECT at, format, body FROM checkpoint WHERE account = $1 AND run = $2 AND n = $3")
            .bind(account.0)
            .bind(signed(run))
            .bind(signed(n))
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(CheckpointRow {
            run,
            n,
            at: Millis(row.try_get("at")?),
            format: u32::try_from(row.try_get::<i64, _>("format")?).unwrap_or(u32::MAX),
            body: row.try_get("body")?,
        }))
    }

    /// A page of a run after `n`: place, time, and the input or the event of the log it was. Events that were fed at one
    /// time are one of the `limit` rows, so that there may be more of them.
    pub async fn trace(
        &self,
        account: AccountId,
        run: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(TraceRow, Option<EventRow>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.n + coalesce(e.seq - t.seq, 0) AS n, t.at, coalesce(e.seq, t.seq) AS seq, t.body,
                    e.at AS event_at, e.agent, e.format, e.body AS event_body
             FROM (SELECT account, n, at, seq, body, many FROM trace
                   WHERE account = $1 AND run = $2 AND n > $3 ORDER BY n LIMIT $4) t
             LEFT JOIN event e ON e.account = t.account AND e.seq >= t.seq AND e.seq < t.seq + t.many
             ORDER BY t.n, e.seq",
        )
        .bind(account.0)
        .bind(signed(run))
        .bind(signed(after))
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let seq = row.try_get::<Option<i64>, _>("seq")?.map(unsigned);
            let input = match seq {
                Some(seq) => Traced::Event(seq),
                None => Traced::Input(row.try_get("body")?),
            };
            let event = match (seq, row.try_get::<Option<String>, _>("event_body")?) {
                (Some(seq), Some(body)) => Some(EventRow {
                    account,
                    seq,
                    at: Millis(row.try_get("event_at")?),
                    agent: row.try_get::<Option<uuid::Uuid>, _>("agent")?.map(cordboard_shared::id::AgentId),
                    format: u32::try_from(row.try_get::<i64, _>("format")?).unwrap_or(u32::MAX),
                    body,
                }),
                (Some(_), None) | (None, _) => None,
            };
            page.push((TraceRow { run, n: unsigned(row.try_get("n")?), at: Millis(row.try_get("at")?), input }, event));
        }
        Ok(page)
    }

    /// Forgets inputs from before a time, at most `most` of them, but none that a kept checkpoint needs. Says how many.
    pub async fn forget_trace(&self, account: AccountId, before: Millis, most: u32) -> Result<u64, StoreError> {
        let kept = sqlx::query(
            "SELECT run, n FROM checkpoint WHERE account = $1 AND at < $2 ORDER BY run DESC, n DESC LIMIT 1",
        )
        .bind(account.0)
        .bind(before.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(kept) = kept else { return Ok(0) };
        let (run, n): (i64, i64) = (kept.try_get("run")?, kept.try_get("n")?);
        let inputs = sqlx::query(
            "DELETE FROM trace WHERE account = $1 AND (run, n) IN
                 (SELECT run, n FROM trace WHERE account = $1 AND (run, n) <= ($2, $3) ORDER BY run, n LIMIT $4)",
        )
        .bind(account.0)
        .bind(run)
        .bind(n)
        .bind(i64::from(most))
        .execute(&mut *self.write.turn().await?)
        .await?
        .rows_affected();
        if inputs == 0 {
            sqlx::query("DELETE FROM checkpoint WHERE account = $1 AND (run, n) < ($2, $3)")
                .bind(account.0)
                .bind(run)
                .bind(n)
                .execute(&mut *self.write.turn().await?)
                .await?;
        }
        Ok(inputs)
    }
}

/// Whether this input stands in one row with the one before it: the next event of the log, fed at the same time.
fn goes_on(before: &TraceRow, next: &TraceRow) -> bool {
    let (Traced::Event(first), Traced::Event(second)) = (&before.input, &next.input) else { return false };
    (before.run, before.n + 1, before.at, first + 1) == (next.run, next.n, next.at, *second)
}

/// A row for each input, but one for events that were fed together. A replay begins after a checkpoint: so does a row.
pub(super) async fn append(
    writer: &mut SqliteConnection,
    account: AccountId,
    trace: &[TraceRow],
    checkpoint: Option<&CheckpointRow>,
) -> Result<(), StoreError> {
    let after = |row: &TraceRow| checkpoint.is_some_and(|it| (it.run, it.n) == (row.run, row.n));
    let together: Vec<&[TraceRow]> = trace.chunk_by(|before, next| goes_on(before, next) && !after(before)).collect();
    for together in together.chunks(rows::MOST) {
        let mut insert = rows::insert("INSERT INTO trace (account, run, n, at, seq, body, many)", 7, together.len());
        for (TraceRow { run, n, at, input }, many) in
            together.iter().filter_map(|rows| Some((rows.first()?, rows.len())))
        {
            let (seq, body) = match input {
                Traced::Event(seq) => (Some(signed(*seq)), None),
                Traced::Input(body) => (None, Some(body.as_str())),
            };
            insert = insert.bind(account.0).bind(signed(*run)).bind(signed(*n)).bind(at.0).bind(seq).bind(body);
            insert = insert.bind(i64::try_from(many).unwrap_or(i64::MAX));
        }
        insert.execute(&mut *writer).await?;
    }
    Ok(())
}

pub(super) async fn insert_checkpoint(
    writer: &mut SqliteConnection,
    account: AccountId,
    checkpoint: &CheckpointRow,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO checkpoint (account, run, n, at, format, body) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(account.0)
        .bind(signed(checkpoint.run))
        .bind(signed(checkpoint.n))
        .bind(checkpoint.at.0)
        .bind(i64::from(checkpoint.format))
        .bind(&checkpoint.body)
        .execute(writer)
        .await?;
    Ok(())
}
