//! The append: everything that happened at once, in one commit.
//!
//! Each kind of row is one statement, whatever the number of rows: a statement per row costs half the rate. What comes
//! by the thousand each second (events, trace) is bound value by value, the rest is a JSON array. Events alone are one
//! statement that commits by itself, which is the path of a toggle.

use std::collections::BTreeMap;

use cordboard_shared::Version;
use cordboard_shared::call::CallView;
use cordboard_shared::id::{AccountId, CallId};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use super::{Batch, RecordingRow, Store, StoreError, Traced, decision, event, hex, meta, rows, snapshot, trace, word};

impl Store {
    /// Stores the batch: all of it is on disk when this answers, or nothing of it.
    #[tracing::instrument(name = "db.batch.commit", level = "debug", skip_all, fields(events = batch.events.len()))]
    pub async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let owned = !(batch.calls.is_empty()
            && batch.decisions.is_empty()
            && batch.recordings.is_empty()
            && batch.trace.is_empty()
            && batch.checkpoint.is_none()
            && batch.snapshot.is_none());
        if batch.events.is_empty() && !owned && batch.alive_at.is_none() {
            return Ok(());
        }
        if batch.events.len() <= rows::MOST && !owned && batch.alive_at.is_none() {
            let mut writer = self.write.turn().await?;
            return event::append(&mut writer, &batch.events).await;
        }
        if owned && batch.account == AccountId::default() {
            return Err(StoreError::NoAccount);
        }

        // A deferred transaction that reads first can fail at once although nobody holds the lock for long.
        let mut writer = self.write.turn().await?;
        let mut unit = writer.begin_with("BEGIN IMMEDIATE").await?;
        if !batch.events.is_empty() {
            event::append(&mut unit, &batch.events).await?;
        }
        if !batch.calls.is_empty() {
            upsert_calls(&mut unit, batch.account, &batch.calls).await?;
        }
        if !batch.decisions.is_empty() {
            upsert_decisions(&mut unit, batch).await?;
        }
        if !batch.recordings.is_empty() {
            upsert_recordings(&mut unit, batch.account, &batch.recordings).await?;
        }
        if !batch.trace.is_empty() {
            trace::append(&mut unit, batch.account, &batch.trace, batch.checkpoint.as_ref()).await?;
            if batch.trace.iter().any(|row| matches!(row.input, Traced::Event(_))) {
                event::sort(&mut unit, batch.account).await?;
            }
        }
        if let Some(checkpoint) = &batch.checkpoint {
            trace::insert_checkpoint(&mut unit, batch.account, checkpoint).await?;
        }
        if let Some(snapshot) = &batch.snapshot {
            snapshot::replace(&mut unit, batch.account, snapshot).await?;
        }
        if let Some(at) = batch.alive_at {
            meta::set(&mut unit, meta::ALIVE_AT, &at.0.to_string()).await?;
        }
        unit.commit().await?;
        Ok(())
    }
}

async fn upsert_calls(writer: &mut SqliteConnection, account: AccountId, calls: &[CallView]) -> Result<(), StoreError> {
    // A call that changed twice in one batch is written once: other databases refuse to touch a row twice.
    let mut newest: BTreeMap<CallId, (Version, &CallView)> = BTreeMap::new();
    for call in calls {
        let version = version_of(call);
        let entry = newest.entry(call.uid).or_insert((version, call));
        if version >= entry.0 {
            *entry = (version, call);
        }
    }
    let rows = newest
        .values()
        .map(|(version, call)| {
            let body = serde_json::to_value(call).map_err(StoreError::corrupt("call"))?;
            Ok(json!([
                hex(call.uid.0),
                call.started_at.0,
                word(&call.state),
                call.agent.map(|agent| hex(agent.0)),
                call.department.map(|department| hex(department.0)),
                version.epoch,
                version.rev,
                body
            ]))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    sqlx::query(
        "INSERT INTO call (uid, account, started_at, state, agent, department, epoch, rev, body)
         SELECT unhex(c.value->>0), $2, c.value->>1, c.value->>2, unhex(c.value->>3), unhex(c.value->>4),
                c.value->>5, c.value->>6, c.value->7
         FROM json_each($1) c WHERE true
         ON CONFLICT (uid) DO UPDATE SET
             started_at = excluded.started_at, state = excluded.state, agent = excluded.agent,
             department = excluded.department, epoch = excluded.epoch, rev = excluded.rev, body = excluded.body
         WHERE (excluded.epoch, excluded.rev) >= (call.epoch, call.rev) AND call.account = excluded.account",
    )
    .bind(Value::Array(rows).to_string())
    .bind(account.0)
    .execute(writer)
    .await?;
    Ok(())
}

async fn upsert_decisions(writer: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    // The last of a step wins, each is written once.
    let mut newest = BTreeMap::new();
    let mut members = std::collections::BTreeSet::new();
    for (call, decision) in &batch.decisions {
        members.extend(decision.members.iter().map(|member| (*call, member.agent)));
        newest.insert((*call, decision.step), decision);
    }
    let rows = newest
        .iter()
        .map(|((call, step), decision)| Ok(json!([hex(call.0), step, decision::pack(decision)])))
        .collect::<Result<Vec<_>, StoreError>>()?;
    sqlx::query(
        "INSERT INTO decision (account, call, step, body)
         SELECT $2, unhex(d.value->>0), d.value->>1, d.value->2 FROM json_each($1) d WHERE true
         ON CONFLICT (call, step) DO UPDATE SET body = excluded.body",
    )
    .bind(Value::Array(rows).to_string())
    .bind(batch.account.0)
    .execute(&mut *writer)
    .await?;
    let members: Vec<Value> = members.iter().map(|(call, agent)| json!([hex(call.0), hex(agent.0)])).collect();
    sqlx::query(
        "INSERT INTO call_member (call, agent)
         SELECT unhex(m.value->>0), unhex(m.value->>1) FROM json_each($1) m WHERE true
         ON CONFLICT (call, agent) DO NOTHING",
    )
    .bind(Value::Array(members).to_string())
    .execute(writer)
    .await?;
    Ok(())
}

async fn upsert_recordings(
    writer: &mut SqliteConnection,
    account: AccountId,
    recordings: &[RecordingRow],
) -> Result<(), StoreError> {
    let newest: BTreeMap<_, _> = recordings.iter().map(|row| (row.id, row)).collect();
    let rows: Vec<Value> = newest
        .values()
        .map(|row| {
            json!([
                hex(row.id.0),
                hex(row.call.0),
                word(&row.kind),
                row.mailbox,
                row.path,
                row.ms,
                row.bytes,
                row.sha256,
                row.at.0
            ])
        })
        .collect();
    sqlx::query(
        "INSERT INTO recording (id, account, call, kind, mailbox, path, ms, bytes, sha256, at)
         SELECT unhex(r.value->>0), $2, unhex(r.value->>1), r.value->>2, r.value->>3, r.value->>4, r.value->>5,
                r.value->>6, r.value->>7, r.value->>8
         FROM json_each($1) r WHERE true
         ON CONFLICT (id) DO UPDATE SET
             call = excluded.call, kind = excluded.kind, mailbox = excluded.mailbox, path = excluded.path,
             ms = excluded.ms, bytes = excluded.bytes, sha256 = excluded.sha256, at = excluded.at",
    )
    .bind(Value::Array(rows).to_string())
    .bind(account.0)
    .execute(writer)
    .await?;
    Ok(())
}

/// The record's version; a plain number counts as a revision of epoch 0.
fn version_of(call: &CallView) -> Version {
    call.version.parse().unwrap_or_else(|_| Version { epoch: 0, rev: call.version.parse().unwrap_or_default() })
}
