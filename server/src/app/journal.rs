//! The way to the disk: one ordered queue, batched by the time one commit takes.

use std::time::Duration;

use cordboard_shared::Millis;
use cordboard_shared::call::CallView;
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, CallId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::store::{Batch, EventRow, RecordingRow, Store, StoreError};

/// Most entries of one commit.
const BATCH: usize = 512;
/// Records that may wait for a database that does not answer.
const BACKLOG: usize = 16_384;
/// Wait before the next try of records that could not be written.
const RETRY: Duration = Duration::from_millis(250);
/// Tries at the end, before what could not be written is given up.
const LAST_TRIES: u32 = 4;

/// Something to be put on disk.
#[derive(Debug)]
pub(super) enum Entry {
    /// A fact, decided in this generation; its commit is reported.
    Event(EventRow, u64),
    /// A version of a call.
    Call(Box<CallView>),
    /// A version of a ledger entry.
    Decision(CallId, Box<Decision>),
    /// A recording.
    Recording(Box<RecordingRow>),
    /// A sign of life.
    Alive(Millis),
}

/// What became of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Every fact up to this number is on disk.
    UpTo(u64),
    /// The facts from this number on are not, and will not be: all that were decided before this report are dropped,
    /// and the generation rises by one.
    Failed(u64),
}

/// Opens the queue. Facts are reported on the second channel in their order.
///
/// The task ends when the queue is closed and everything in it is written.
pub(super) fn open(
    store: Store,
    account: AccountId,
) -> (mpsc::Sender<Entry>, mpsc::UnboundedReceiver<Written>, JoinHandle<()>) {
    let (entries, queue) = mpsc::channel(BACKLOG);
    let (written, reports) = mpsc::unbounded_channel();
    let batch = Batch { account, ..Batch::default() };
    let journal = Journal { store, written, batch, generation: 0, failures: 0 };
    let task = tokio::spawn(journal.run(queue));
    (entries, reports, task)
}

struct Journal {
    store: Store,
    written: mpsc::UnboundedSender<Written>,
    /// What is to be written next. After a failure it keeps the records: nobody would repeat them. Facts are tried once,
    /// since their callers are told.
    batch: Batch,
    generation: u64,
    failures: u32,
}

impl Journal {
    async fn run(mut self, mut queue: mpsc::Receiver<Entry>) {
        let mut entries = Vec::with_capacity(BATCH);
        loop {
            let received = if self.failures == 0 {
                Some(queue.recv_many(&mut entries, BATCH).await)
            } else {
                timeout(RETRY, queue.recv_many(&mut entries, BATCH)).await.ok()
            };
            let closed = received == Some(0);
            for entry in entries.drain(..) {
                self.add(entry);
            }
            self.write().await;
            if closed && (self.failures == 0 || self.failures > LAST_TRIES) {
                if self.failures > 0 {
                    tracing::error!(
                        calls = self.batch.calls.len(),
                        "records are given up: the database did not answer"
                    );
                }
                return;
            }
            if closed {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        let batch = &mut self.batch;
        match entry {
            Entry::Event(row, decided) if decided == self.generation => batch.events.push(row),
            // Decided on facts that never reached the disk; its caller has been told.
            Entry::Event(..) => {}
            Entry::Call(call) => batch.calls.push(*call),
            Entry::Decision(call, decision) => batch.decisions.push((call, *decision)),
            Entry::Recording(row) => batch.recordings.push(*row),
            Entry::Alive(at) => batch.alive_at = Some(at),
        }
        let records = batch.calls.len() + batch.decisions.len() + batch.recordings.len();
        if records > 2 * BACKLOG {
            tracing::error!("records are lost: the database has not answered for too long");
            batch.calls.drain(..batch.calls.len() / 2);
            batch.decisions.drain(..batch.decisions.len() / 2);
        }
    }

    async fn write(&mut self) {
        let batch = &self.batch;
        let empty = batch.events.is_empty()
            && batch.calls.is_empty()
            && batch.decisions.is_empty()
            && batch.recordings.is_empty()
            && batch.alive_at.is_none();
        if empty {
            self.failures = 0;
            return;
        }
        match self.store.commit(&self.batch).await {
            Ok(()) => {
                if let Some(last) = self.batch.events.last() {
                    // Without a listener the server is stopping; the facts are on disk all the same.
                    let _ = self.written.send(Written::UpTo(last.seq));
                }
                self.batch = Batch { account: self.batch.account, ..Batch::default() };
                self.failures = 0;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &StoreError) {
        if self.failures == 0 {
            tracing::error!(error = error as &dyn std::error::Error, "the database does not take writes");
        }
        self.failures += 1;
        self.batch.alive_at = None;
        if let Some(first) = self.batch.events.first().map(|row| row.seq) {
            self.batch.events.clear();
            self.generation += 1;
            let _ = self.written.send(Written::Failed(first));
        }
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::id::AgentId;
    use serde_json::json;

    use super::*;

    /// A database that another process has locked: no commit goes through until it lets go.
    #[tokio::test]
    async fn a_fact_is_refused_and_a_record_waits_while_the_database_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sqlite");
        let store = Store::open(&path).await.unwrap();
        let keys = std::sync::Arc::new(crate::keys::Keys::open(folder.path()).unwrap());
        crate::demo::fill(&store, &keys, folder.path(), Millis(1), 0).await.unwrap();
        let account = store.directory().await.unwrap().account;
        let (entries, mut written, task) = open(store.clone(), account);

        let lock = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        let mut holder = lock.acquire().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *holder).await.unwrap();
        entries.send(Entry::Decision(call_id(), Box::new(decision()))).await.unwrap();
        entries.send(Entry::Event(row(account, 1), 0)).await.unwrap();
        assert_eq!(written.recv().await, Some(Written::Failed(1)));
        entries.send(Entry::Event(row(account, 2), 0)).await.unwrap();

        sqlx::query("ROLLBACK").execute(&mut *holder).await.unwrap();
        entries.send(Entry::Event(row(account, 1), 1)).await.unwrap();

        assert_eq!(written.recv().await, Some(Written::UpTo(1)));
        drop(entries);
        task.await.unwrap();
        let seqs: Vec<_> = store.events(account, 0).await.unwrap().into_iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [1], "what was decided on refused facts is not written");
        assert_eq!(store.decisions(account, call_id()).await.unwrap().len(), 1, "the record waited and was written");
    }

    fn call_id() -> CallId {
        CallId::new(Millis(5), [1; 10])
    }

    fn row(account: AccountId, seq: u64) -> EventRow {
        EventRow { account, seq, at: Millis(1), agent: Some(AgentId::demo(0x21)), body: json!({}) }
    }

    fn decision() -> Decision {
        Decision {
            step: 1,
            at: Millis(5),
            row: 1,
            department: None,
            strategy: "serial".into(),
            policy_version: "1".to_owned(),
            state_version: "1.0.1".to_owned(),
            refused: None,
            slots: 0,
            members: Vec::new(),
            then: cordboard_shared::decision::Then::Wait,
        }
    }
}
