//! The lasting state at a start: the newest snapshot that can be read, and the entries of the log after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use cordboard_routing::{Durable, Engine, Event, Output};
use cordboard_shared::agent::AgentFacts;
use cordboard_shared::id::{AccountId, AgentId};
use cordboard_shared::{FeedPosition, Millis};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::passed::passed;
use crate::app::{facts, log};
use crate::directory::Directory;
use crate::store::{Batch, CHECKPOINT_FORMAT, CheckpointRow, EventRow, Historic, SNAPSHOT_FORMAT, Store};

/// Entries of the log that are read and understood together.
const CHUNK: usize = 32_768;

/// Chunks that may be understood before they are folded.
const AHEAD: usize = 2;

/// A chunk of entries being understood.
type Understood = JoinHandle<anyhow::Result<Vec<(u64, Event)>>>;

/// What was loaded.
pub(super) struct Loaded {
    /// The engine on the lasting state; it has nothing more to say.
    pub(super) engine: Engine,
    pub(super) epoch: u32,
    /// Number of the last entry of the log.
    pub(super) last: u64,
    /// Number of the last entry in the snapshot on disk.
    pub(super) snapshot: u64,
}

/// The engine on the lasting state. What a first start or the end of the last run asks for is entered into the log.
pub(super) async fn load(store: &Store, directory: &Directory, now: Millis, seed: u64) -> anyhow::Result<Loaded> {
    let epoch = store.epoch().await?;
    let mut durable = snapshot(store, directory).await?.unwrap_or_default();
    let snapshot = durable.position.seq;
    fold_rest(store, directory.account, epoch, CHUNK, &mut durable).await?;
    durable.position.epoch = epoch;

    let account = directory.account;
    let mut last = durable.position.seq;
    let mut events = Vec::new();
    let known = known(store, account, &durable, now).await?;
    let first = first_events(&durable, directory, now, epoch).into_iter().map(|event| (now, event));
    for (at, event) in passed(&durable, &known, now, epoch).into_iter().chain(first) {
        last += 1;
        events.push(EventRow { seq: last, ..log::row(account, at, &event)? });
        durable.fold(&event, FeedPosition { epoch, bucket: 0, seq: last });
    }
    let mut engine = Engine::start(now, seed, durable);
    // Who was waiting keeps the place for a redial, and who did not come back in time has lost it.
    loop {
        let output = engine.poll_output();
        if let Output::Remember(event) = output {
            last += 1;
            events.push(EventRow { seq: last, ..log::row(account, now, &event)? });
        } else if let Output::Timeout(_) = output {
            break;
        }
    }
    for rows in events.chunks(CHUNK) {
        store.commit(&Batch { account, events: rows.to_vec(), ..Batch::default() }).await?;
    }
    Ok(Loaded { engine, epoch, last, snapshot })
}

async fn snapshot(store: &Store, directory: &Directory) -> anyhow::Result<Option<Durable>> {
    let Some(row) = store.snapshot(directory.account).await? else { return Ok(None) };
    if row.format != SNAPSHOT_FORMAT {
        tracing::info!(format = row.format, "the snapshot has another format; the log is folded from its beginning");
        return Ok(None);
    }
    // Not fatal: the log has everything.
    let read = tokio::task::spawn_blocking(move || serde_json::from_str::<Durable>(&row.body)).await?;
    Ok(read.inspect_err(|error| tracing::error!(%error, "the snapshot cannot be read; the log is folded instead")).ok())
}

/// Rows are read by the database's thread, understood by others, and folded here in their order.
async fn fold_rest(
    store: &Store,
    account: AccountId,
    epoch: u32,
    chunk: usize,
    durable: &mut Durable,
) -> anyhow::Result<()> {
    let after = durable.position.seq;
    let (understood, mut chunks) = mpsc::channel::<Understood>(AHEAD);
    let reading = store.events_to_fold(account, after, chunk, move |rows| {
        let understood = understood.clone();
        async move {
            let chunk = tokio::task::spawn_blocking(move || log::read_stretch(&rows));
            understood.send(chunk).await.context("the fold has ended")
        }
    });
    // Owns its end of the channel: when it fails, reading ends too.
    let folding = async move {
        while let Some(chunk) = chunks.recv().await {
            for (seq, event) in chunk.await?? {
                durable.fold(&event, FeedPosition { epoch, bucket: 0, seq });
            }
        }
        anyhow::Ok(())
    };
    let (read, folded) = tokio::join!(reading, folding);
    folded?;
    read?;
    Ok(())
}

/// The policy of a company that has none yet, and the facts of people the log does not name.
fn first_events(durable: &Durable, directory: &Directory, now: Millis, epoch: u32) -> Vec<Event> {
    let mut events = Vec::new();
    if durable.policy.version == 0 {
        events.push(Event::PolicySet { policy: Box::new(directory.first_policy()) });
    }
    for agent in directory.agents.keys().filter(|agent| !durable.facts.contains_key(agent)) {
        events.push(Event::FactsSet {
            agent: *agent,
            facts: Arc::new(facts::initial(now, epoch)),
            changed: Vec::new(),
            note: None,
            request: None,
            by: None,
        });
    }
    events
}

/// When the last entry about each of these people was written: those for whom time may have done something since.
async fn known(
    store: &Store,
    account: AccountId,
    durable: &Durable,
    now: Millis,
) -> anyhow::Result<BTreeMap<AgentId, Millis>> {
    let mut known = BTreeMap::new();
    for agent in durable.facts.iter().filter(|(_, facts)| may_have_passed(facts, now)).map(|(agent, _)| *agent) {
        let last = Historic { agent, from: None, to: None, before: None, limit: 1 };
        if let Some(row) = store.history(account, last).await?.first() {
            known.insert(agent, row.at);
        }
    }
    Ok(known)
}

fn may_have_passed(facts: &AgentFacts, now: Millis) -> bool {
    let blocks = [&facts.pause, &facts.dnd, &facts.work_anyway].into_iter().flatten().filter_map(|block| block.until);
    facts.slots.is_some() || blocks.chain(facts.toggle.until).any(|until| until <= now)
}

/// The engine whole, where the trace of this run begins.
pub(super) fn checkpoint(engine: &Engine, run: u64, at: Millis) -> anyhow::Result<CheckpointRow> {
    let body = serde_json::to_string(engine).context("cannot write the engine as JSON")?;
    Ok(CheckpointRow { run, n: 0, at, format: CHECKPOINT_FORMAT, body })
}

#[cfg(test)]
mod tests;
