//! The way to the disk: one ordered queue, batched by the time one commit takes.
//!
//! Gives the entries of the log their numbers. An entry that was refused leaves no gap: the numbers of those that stay
//! are given anew.

use std::pin::pin;
use std::time::{Duration, Instant};

use cordboard_routing::{Event, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::call::CallView;
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, CallId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::log;
use crate::clock::{Clock, SystemClock};
use crate::store::{Batch, CheckpointRow, EventRow, RecordingRow, SnapshotRow, Store, StoreError, TraceRow, Traced};

/// Most entries of one commit.
const BATCH: usize = 512;
/// Most inputs of the engine that wait for company.
const TRACE_BATCH: usize = 8 * BATCH;
/// Records that may wait for a database that does not answer.
const BACKLOG: usize = 16_384;
/// Wait before the next try of records that could not be written.
const RETRY: Duration = Duration::from_millis(250);
/// Tries at the end, before what could not be written is given up.
const LAST_TRIES: u32 = 4;
/// How long inputs of the engine may wait for company. Whatever follows from them takes them along at once.
const TRACE_WAIT: Duration = Duration::from_millis(250);
/// How long nothing must come before entries are sorted by their people, which a toggle would wait for.
const SORT_WAIT: Duration = Duration::from_millis(20);
/// How long inputs of the engine are kept, in milliseconds.
const TRACE_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// Time between two looks for inputs to forget, while there is nothing else to do.
const FORGET_EVERY: Duration = Duration::from_mins(10);
/// Inputs forgotten in one commit.
const FORGET_AT_ONCE: u32 = 2_000;

/// Something to be put on disk.
#[derive(Debug)]
pub(super) enum Entry {
    /// An entry of the log.
    Event {
        /// What it says.
        event: Box<Event>,
        /// When.
        at: Millis,
        /// Decided in this generation: its commit is reported, and its failure too. None is what the engine already
        /// obeys: kept until it is written.
        generation: Option<u64>,
    },
    /// A version of a call.
    Call(Box<CallView>),
    /// A version of a ledger entry.
    Decision(CallId, Box<Decision>),
    /// A recording.
    Recording(Box<RecordingRow>),
    /// Inputs of the engine, in their order.
    Trace(Vec<Fed>),
    /// The engine whole.
    Checkpoint(Box<CheckpointRow>),
    /// The lasting state.
    Snapshot(Box<SnapshotRow>),
    /// A sign of life.
    Alive(Millis),
    /// Somebody who wants to know when everything before is on disk.
    Settle(oneshot::Sender<()>),
}

/// An input of the engine.
#[derive(Debug)]
pub(super) struct Fed {
    /// Which run.
    pub(super) run: u64,
    /// Place in it.
    pub(super) n: u64,
    /// When.
    pub(super) at: Millis,
    /// What.
    pub(super) input: Box<Routing>,
}

/// What became of entries of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// On disk.
    Committed {
        /// Numbers of those that were to be reported, in their order.
        decided: Vec<u64>,
        /// Number of the last of all.
        last: u64,
    },
    /// Those to be reported are not on disk, and will not be: all that were decided before this report are dropped, and
    /// the generation rises by one.
    Failed,
    /// Inputs of the engine were lost: no replay can go past them.
    TraceLost,
}

/// Opens the queue after the last entry of the log. What becomes of entries is told on the second channel.
///
/// The task ends when the queue is closed and everything in it is written.
pub(super) fn open(
    store: Store,
    account: AccountId,
    last: u64,
) -> (mpsc::Sender<Entry>, mpsc::UnboundedReceiver<Written>, JoinHandle<()>) {
    let (entries, queue) = mpsc::channel(BACKLOG);
    let (written, reports) = mpsc::unbounded_channel();
    let journal = Journal {
        store,
        written,
        account,
        last,
        events: Vec::new(),
        reported: Vec::new(),
        trace: Vec::new(),
        traced_at: Instant::now(),
        batch: Batch { account, ..Batch::default() },
        settling: Vec::new(),
        generation: 0,
        failures: 0,
        closed: false,
        unsorted: true,
        forgot_at: Instant::now(),
    };
    let task = tokio::spawn(journal.run(queue));
    (entries, reports, task)
}

/// What is on its way to the disk.
struct Going {
    batch: Batch,
    /// Whether each of its entries of the log is reported.
    reported: Vec<bool>,
    settling: Vec<oneshot::Sender<()>>,
}

struct Journal {
    store: Store,
    written: mpsc::UnboundedSender<Written>,
    account: AccountId,
    /// Number of the last entry on disk.
    last: u64,
    /// Entries of the log to be written.
    events: Vec<EventRow>,
    /// Whether each of them is reported.
    reported: Vec<bool>,
    /// Inputs of the engine to be written.
    trace: Vec<TraceRow>,
    /// When the first of them came.
    traced_at: Instant,
    /// What else is to be written next. After a failure it keeps the records: nobody would repeat them. What is
    /// reported is tried once, since its callers are told.
    batch: Batch,
    /// Who wants to know when everything before is on disk.
    settling: Vec<oneshot::Sender<()>>,
    generation: u64,
    failures: u32,
    /// Nothing new comes.
    closed: bool,
    /// Whether entries may be on disk that are not sorted by their people yet.
    unsorted: bool,
    forgot_at: Instant,
}

impl Journal {
    async fn run(mut self, mut queue: mpsc::Receiver<Entry>) {
        let mut entries = Vec::with_capacity(BATCH);
        loop {
            // What came while the last commit ran is written at once, unless that failed.
            let mut idle = false;
            if !self.closed && (self.failures > 0 || !self.has_work()) {
                match timeout(self.patience(), queue.recv_many(&mut entries, BATCH)).await {
                    Ok(received) => self.take_in(received, &mut entries),
                    Err(_) => idle = true,
                }
            }
            if self.has_work() {
                match self.is_in_step().await {
                    Some(true) => self.write(&mut queue, &mut entries).await,
                    // Only a new start brings them together.
                    Some(false) => return,
                    None => self.failures += 1,
                }
            } else {
                self.failures = 0;
            }
            if idle && self.failures == 0 {
                self.tidy_up().await;
            }
            if self.closed && self.failures > LAST_TRIES {
                return tracing::error!(
                    calls = self.batch.calls.len(),
                    events = self.events.len(),
                    "records are given up: the database did not answer"
                );
            }
            if self.closed && self.failures > 0 {
                tokio::time::sleep(RETRY).await;
            } else if self.closed && !self.has_work() {
                return;
            }
        }
    }

    async fn write(&mut self, queue: &mut mpsc::Receiver<Entry>, entries: &mut Vec<Entry>) {
        let going = self.next();
        match self.commit(&going.batch, queue, entries).await {
            Ok(()) => self.committed(going),
            Err(error) => self.failed(going, &error),
        }
    }

    /// Puts a batch on disk and takes in more meanwhile, so that the next commit begins when this one has ended.
    async fn commit(
        &mut self,
        batch: &Batch,
        queue: &mut mpsc::Receiver<Entry>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let store = self.store.clone();
        let mut commit = pin!(store.commit(batch));
        loop {
            tokio::select! {
                biased;
                done = &mut commit => return done,
                received = queue.recv_many(entries, BATCH), if !self.closed => self.take_in(received, entries),
            }
        }
    }

    fn take_in(&mut self, received: usize, entries: &mut Vec<Entry>) {
        self.closed = received == 0;
        entries.drain(..).for_each(|entry| self.add(entry));
    }

    /// How long to wait for something new before there is something to do anyway.
    fn patience(&self) -> Duration {
        if self.failures > 0 {
            RETRY
        } else if !self.trace.is_empty() {
            TRACE_WAIT.saturating_sub(self.traced_at.elapsed())
        } else if self.unsorted {
            SORT_WAIT
        } else {
            FORGET_EVERY.saturating_sub(self.forgot_at.elapsed())
        }
    }

    fn add(&mut self, entry: Entry) {
        let batch = &mut self.batch;
        match entry {
            // Decided on facts that never reached the disk; its caller has been told.
            Entry::Event { generation: Some(decided), .. } if decided != self.generation => {}
            Entry::Event { event, at, generation } => match log::row(self.account, at, &event) {
                Ok(row) => {
                    self.events.push(row);
                    self.reported.push(generation.is_some());
                }
                Err(error) => tracing::error!(%error, "an entry of the log cannot be written as JSON"),
            },
            Entry::Call(call) => batch.calls.push(*call),
            Entry::Decision(call, decision) => batch.decisions.push((call, *decision)),
            Entry::Recording(row) => batch.recordings.push(*row),
            Entry::Trace(inputs) => inputs.into_iter().for_each(|fed| self.add_trace(fed)),
            Entry::Checkpoint(row) => batch.checkpoint = Some(*row),
            Entry::Snapshot(row) => batch.snapshot = Some(*row),
            Entry::Alive(at) => batch.alive_at = Some(at),
            Entry::Settle(reply) => self.settling.push(reply),
        }
        let batch = &mut self.batch;
        let records = batch.calls.len() + batch.decisions.len() + batch.recordings.len();
        if records > 2 * BACKLOG {
            tracing::error!("records are lost: the database has not answered for too long");
            batch.calls.drain(..batch.calls.len() / 2);
            batch.decisions.drain(..batch.decisions.len() / 2);
        }
        if self.trace.len() > 2 * BACKLOG {
            self.trace.clear();
            let _ = self.written.send(Written::TraceLost);
        }
    }

    fn add_trace(&mut self, Fed { run, n, at, input }: Fed) {
        let input = match &*input {
            // On disk already: what is obeyed comes from there.
            Routing::Obey { at, .. } => Ok(Traced::Event(at.seq)),
            input => serde_json::to_string(input).map(Traced::Input),
        };
        match input {
            Ok(input) => {
                if self.trace.is_empty() {
                    self.traced_at = Instant::now();
                }
                self.trace.push(TraceRow { run, n, at, input });
            }
            Err(error) => {
                tracing::error!(%error, "an input of the engine cannot be written as JSON");
                let _ = self.written.send(Written::TraceLost);
            }
        }
    }

    /// Whether anything is to be written now. What follows from an input never reaches the disk before it; entries of
    /// the log alone stay one statement.
    fn has_work(&self) -> bool {
        !self.events.is_empty() || self.is_trace_due()
    }

    fn is_trace_due(&self) -> bool {
        !self.settling.is_empty()
            || self.has_records()
            || (!self.trace.is_empty()
                && (self.closed || self.trace.len() >= TRACE_BATCH || self.traced_at.elapsed() >= TRACE_WAIT))
    }

    fn has_records(&self) -> bool {
        let batch = &self.batch;
        !(batch.calls.is_empty()
            && batch.decisions.is_empty()
            && batch.recordings.is_empty()
            && batch.checkpoint.is_none()
            && batch.snapshot.is_none()
            && batch.alive_at.is_none())
    }

    /// What goes to the disk next.
    fn next(&mut self) -> Going {
        let trace = if self.is_trace_due() { std::mem::take(&mut self.trace) } else { Vec::new() };
        let mut batch = std::mem::replace(&mut self.batch, Batch { account: self.account, ..Batch::default() });
        batch.trace = trace;
        batch.events = std::mem::take(&mut self.events);
        for (seq, row) in (self.last + 1..).zip(&mut batch.events) {
            row.seq = seq;
        }
        let (reported, settling) = (std::mem::take(&mut self.reported), std::mem::take(&mut self.settling));
        Going { batch, reported, settling }
    }

    fn committed(&mut self, going: Going) {
        if let Some(last) = going.batch.events.last().map(|row| row.seq) {
            let reported = going.batch.events.iter().zip(&going.reported).filter(|(_, reported)| **reported);
            let decided = reported.map(|(row, _)| row.seq).collect();
            self.last = last;
            self.unsorted = true;
            // Without a listener the server is stopping; the entries are on disk all the same.
            let _ = self.written.send(Written::Committed { decided, last });
        }
        for reply in going.settling {
            // Who does not wait any more need not know.
            let _ = reply.send(());
        }
        self.failures = 0;
    }

    fn failed(&mut self, going: Going, error: &StoreError) {
        if self.failures == 0 {
            tracing::error!(error = error as &dyn std::error::Error, "the database does not take writes");
        }
        self.failures += 1;
        let Going { batch: mut tried, reported, mut settling } = going;
        settling.append(&mut self.settling);
        self.settling = settling;
        // Back to where what waits is counted, in front of what has come since.
        tried.trace.append(&mut self.trace);
        self.trace = std::mem::take(&mut tried.trace);
        let refused = reported.contains(&true);
        let older = std::mem::take(&mut tried.events).into_iter().zip(reported);
        let newer = std::mem::take(&mut self.events).into_iter().zip(std::mem::take(&mut self.reported));
        // Newer ones were decided on facts that are not on disk, and their callers are told with the rest.
        let kept = older.chain(newer).filter(|(_, reported)| !(refused && *reported));
        (self.events, self.reported) = kept.unzip();
        let newer = std::mem::replace(&mut self.batch, tried);
        self.batch.calls.extend(newer.calls);
        self.batch.decisions.extend(newer.decisions);
        self.batch.recordings.extend(newer.recordings);
        self.batch.checkpoint = newer.checkpoint.or(self.batch.checkpoint.take());
        self.batch.snapshot = newer.snapshot.or(self.batch.snapshot.take());
        self.batch.alive_at = newer.alive_at.or(self.batch.alive_at);
        if refused {
            self.generation += 1;
            let _ = self.written.send(Written::Failed);
        }
    }

    /// Whether memory and disk agree; none when that cannot be told now. They may differ after a failure: a commit that
    /// failed and is there all the same has been refused to its callers.
    async fn is_in_step(&self) -> Option<bool> {
        if self.failures == 0 {
            return Some(true);
        }
        let last = self.store.last_event(self.account).await.ok()?;
        if last != self.last {
            tracing::error!(last, expected = self.last, "the log is not what was acknowledged; the server starts anew");
        }
        Some(last == self.last)
    }

    /// What can wait for a moment without anything else to do, in small portions.
    async fn tidy_up(&mut self) {
        if !self.unsorted {
            return self.forget().await;
        }
        self.unsorted = self.store.sort_events(self.account).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "entries of the log cannot be sorted by people");
            false
        });
    }

    /// Forgets old inputs, a few at a time.
    async fn forget(&mut self) {
        if self.forgot_at.elapsed() < FORGET_EVERY {
            return;
        }
        match self.store.forget_trace(self.account, SystemClock.now() - TRACE_KEPT_MS, FORGET_AT_ONCE).await {
            Ok(forgotten) if forgotten >= u64::from(FORGET_AT_ONCE) => {}
            Ok(_) => self.forgot_at = Instant::now(),
            Err(error) => {
                self.forgot_at = Instant::now();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old inputs of the engine cannot be forgotten"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
