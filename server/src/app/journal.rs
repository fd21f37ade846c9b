//! The way to the disk: one ordered queue, batched by the time one commit takes.

use cordboard_shared::Millis;
use cordboard_shared::call::CallView;
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, CallId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use crate::store::{Batch, EventRow, RecordingRow, Store};

/// Most entries of one commit.
const BATCH: usize = 512;
/// Records that may wait for a database that does not answer.
const BACKLOG: usize = 16_384;
/// Wait before the next try of records that could not be written.
const RETRY: Duration = Duration::from_millis(250);

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
    let task = tokio::spawn(run(store, account, queue, written));
    (entries, reports, task)
}

async fn run(
    store: Store,
    account: AccountId,
    mut queue: mpsc::Receiver<Entry>,
    written: mpsc::UnboundedSender<Written>,
) {
    let mut entries = Vec::with_capacity(BATCH);
    let mut generation = 0;
    while queue.recv_many(&mut entries, BATCH).await > 0 {
        let mut batch = Batch { account, ..Batch::default() };
        for entry in entries.drain(..) {
            match entry {
                Entry::Event(row, decided) if decided == generation => batch.events.push(row),
                // Decided on facts that never reached the disk; its caller has been told.
                Entry::Event(..) => {}
                Entry::Call(call) => batch.calls.push(*call),
                Entry::Decision(call, decision) => batch.decisions.push((call, *decision)),
                Entry::Recording(row) => batch.recordings.push(*row),
                Entry::Alive(at) => batch.alive_at = Some(at),
            }
        }
        write(&store, batch, &written, &mut generation).await;
    }
}

/// Writes a batch. Facts are tried once: their callers are told. Records of calls are tried until they are written,
/// since nobody would repeat them.
async fn write(store: &Store, mut batch: Batch, written: &mpsc::UnboundedSender<Written>, generation: &mut u64) {
    let mut complained = false;
    loop {
        let facts = batch.events.first().zip(batch.events.last()).map(|(first, last)| (first.seq, last.seq));
        let Err(error) = store.commit(&batch).await else {
            if let Some((_, last)) = facts {
                // Without a listener the server is stopping; the facts are on disk all the same.
                let _ = written.send(Written::UpTo(last));
            }
            return;
        };
        if !complained {
            complained = true;
            tracing::error!(error = &error as &dyn std::error::Error, "the database does not take writes");
        }
        if let Some((first, _)) = facts {
            batch.events.clear();
            *generation += 1;
            let _ = written.send(Written::Failed(first));
        }
        if batch.calls.is_empty() && batch.decisions.is_empty() && batch.recordings.is_empty() {
            return;
        }
        sleep(RETRY).await;
    }
}
