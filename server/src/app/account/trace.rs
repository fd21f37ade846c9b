//! The trace of the engine's inputs, its checkpoints, and snapshots of the lasting state.

use cordboard_routing::{Durable, Input as Routing};
use cordboard_shared::Millis;

use super::Account;
use crate::app::journal::{Entry, Fed};
use crate::store::{CHECKPOINT_FORMAT, CheckpointRow, SNAPSHOT_FORMAT, SnapshotRow};

/// Inputs between two checkpoints.
const CHECKPOINT_EVERY: u64 = 10_000;
/// Longest time between two checkpoints of a run in which anything happens, in milliseconds: what is forgotten is
/// forgotten up to a checkpoint.
const CHECKPOINT_AFTER_MS: u64 = 24 * 3_600_000;
/// Entries of the log between two snapshots.
const SNAPSHOT_EVERY: u64 = 10_000;
/// Shortest time between two snapshots, in milliseconds: under a flood of changes they must not take the disk's time.
const SNAPSHOT_REST_MS: u64 = 1_000;

/// Where the trace of this run stands.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::app) struct Tracer {
    /// Number of the run.
    pub(in crate::app) run: u64,
    /// Inputs so far.
    pub(in crate::app) n: u64,
    /// Inputs up to the last checkpoint.
    pub(in crate::app) checkpoint: u64,
    /// When that was.
    pub(in crate::app) checkpoint_at: Millis,
    /// An input was lost: a new run begins at the next quiet point.
    pub(in crate::app) is_broken: bool,
}

impl Account {
    /// Writes down what the engine was fed.
    pub(super) fn trace(&mut self, at: Millis, input: Box<Routing>) {
        if self.tracer.is_broken {
            return;
        }
        self.tracer.n += 1;
        self.traced.push(Fed { run: self.tracer.run, n: self.tracer.n, at, input });
    }

    /// Sends what was fed to the journal: together, and before anything that follows from it.
    pub(super) fn flush_trace(&mut self) {
        if !self.traced.is_empty() && self.journal.try_send(Entry::Trace(std::mem::take(&mut self.traced))).is_err() {
            self.trace_lost();
        }
    }

    /// Inputs were lost: replays end here, and can begin again at a new start.
    pub(super) fn trace_lost(&mut self) {
        if !self.tracer.is_broken {
            tracing::warn!(run = self.tracer.run, "inputs of the engine are lost; replays begin anew");
        }
        self.tracer.is_broken = true;
    }

    /// Called between two inputs, when the trace tells of all the engine has taken in.
    pub(super) fn keep_checkpoints(&mut self, now: Millis) {
        let Tracer { n, checkpoint, checkpoint_at, is_broken, .. } = self.tracer;
        let due = n.saturating_sub(checkpoint) >= CHECKPOINT_EVERY
            || (n > checkpoint && now.since(checkpoint_at) >= CHECKPOINT_AFTER_MS);
        if !(due || is_broken) || self.journal.capacity() * 2 < self.journal.max_capacity() {
            return;
        }
        self.flush_trace();
        if self.tracer.is_broken {
            self.tracer = Tracer { run: self.tracer.run + 1, ..Tracer::default() };
        }
        self.tracer.checkpoint = self.tracer.n;
        self.tracer.checkpoint_at = now;
        let Tracer { run, n, .. } = self.tracer;
        let engine = self.center.engine().clone();
        self.write_later(now, move || {
            let body = serde_json::to_string(&engine)?;
            Ok(Entry::Checkpoint(Box::new(CheckpointRow { run, n, at: now, format: CHECKPOINT_FORMAT, body })))
        });
    }

    /// Called when entries have come onto the disk.
    pub(super) fn keep_snapshots(&mut self) {
        let now = self.clock.now();
        let changes = &mut self.changes;
        let behind = changes.last.saturating_sub(changes.snapshot);
        if behind < SNAPSHOT_EVERY || now.since(changes.snapshot_at) < SNAPSHOT_REST_MS {
            return;
        }
        changes.snapshot = changes.last;
        changes.snapshot_at = now;
        let durable = self.center.engine().durable();
        self.write_later(now, move || snapshot(&durable, now));
    }

    /// At the end, so that the next start has nothing to fold.
    pub(super) fn last_snapshot(&mut self) {
        if self.changes.last > self.changes.snapshot {
            let now = self.clock.now();
            let durable = self.center.engine().durable();
            self.write_later(now, move || snapshot(&durable, now));
        }
    }

    /// Something large is made on a thread of its own and joins the journal behind all that was sent before. The
    /// journal does not end before it.
    fn write_later(&self, at: Millis, make: impl FnOnce() -> serde_json::Result<Entry> + Send + 'static) {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || match make() {
            Ok(entry) => {
                if journal.blocking_send(entry).is_err() {
                    tracing::warn!(%at, "the journal has ended before a snapshot could be written");
                }
            }
            Err(error) => tracing::error!(%error, "the account's state cannot be written as JSON"),
        });
    }
}

fn snapshot(durable: &Durable, at: Millis) -> serde_json::Result<Entry> {
    let (seq, body) = (durable.position.seq, serde_json::to_string(durable)?);
    Ok(Entry::Snapshot(Box::new(SnapshotRow { seq, at, format: SNAPSHOT_FORMAT, body })))
}
