//! The keys in memory: pure, bounded per caller and in all, oldest out first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use cordboard_shared::Millis;
use uuid::Uuid;

use super::KEPT_MS;
use crate::store::{KeptAnswer, KeyRow};

/// Most answers of one caller.
const MOST: usize = 10_000;
/// Most bytes of answers of one caller.
const MOST_BYTES: usize = 16 << 20;
/// Most bytes of answers of all callers.
const MOST_BYTES_IN_ALL: usize = 64 << 20;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the request may be carried out, and the key is held from now on.
    New,
    /// It was answered.
    Answered(Arc<KeptAnswer>),
    /// It is being carried out.
    Running,
    /// It was being carried out when the server stopped.
    Unknown,
    /// It was used for another request.
    Other,
}

#[derive(Debug)]
enum State {
    Running,
    Unknown,
    Answered(Arc<KeptAnswer>),
}

#[derive(Debug)]
struct Entry {
    fingerprint: [u8; 32],
    at: Millis,
    state: State,
}

#[derive(Debug, Default)]
struct OfCaller {
    entries: HashMap<String, Entry>,
    /// Keys that are not running, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Kept {
    callers: HashMap<Uuid, OfCaller>,
    bytes: usize,
    unwritten: Vec<KeyRow>,
    /// Dropped here and still on disk.
    gone: Vec<(Uuid, String)>,
}

impl Kept {
    /// Looks a key up, and holds a new one.
    pub(super) fn begin(&mut self, caller: Uuid, key: &str, fingerprint: [u8; 32], now: Millis) -> Found {
        self.forget_old(caller, now);
        let of = self.callers.entry(caller).or_default();
        match of.entries.get(key) {
            Some(entry) if entry.fingerprint != fingerprint => Found::Other,
            Some(Entry { state: State::Running, .. }) => Found::Running,
            Some(Entry { state: State::Unknown, .. }) => Found::Unknown,
            Some(Entry { state: State::Answered(answer), .. }) => Found::Answered(answer.clone()),
            None => {
                of.entries.insert(key.to_owned(), Entry { fingerprint, at: now, state: State::Running });
                Found::New
            }
        }
    }

    /// Keeps the answer of a running key; a row is to be written. True when it is the first one that is.
    pub(super) fn end(&mut self, caller: Uuid, key: &str, answer: KeptAnswer, row: Option<KeyRow>) -> bool {
        let of = self.callers.entry(caller).or_default();
        let Some(entry) = of.entries.get_mut(key) else { return false };
        let bytes = size(key, Some(&answer));
        entry.state = State::Answered(Arc::new(answer));
        of.order.push_back(key.to_owned());
        of.bytes += bytes;
        self.bytes += bytes;
        let first = self.unwritten.is_empty() && self.gone.is_empty() && row.is_some();
        self.unwritten.extend(row);
        self.keep_bounds(caller);
        first
    }

    /// Lets go of a running key.
    pub(super) fn release(&mut self, caller: Uuid, key: &str) {
        if let Some(of) = self.callers.get_mut(&caller)
            && matches!(of.entries.get(key), Some(Entry { state: State::Running, .. }))
        {
            of.entries.remove(key);
        }
    }

    /// Enters a key as the disk has it.
    pub(super) fn restore(&mut self, row: KeyRow) {
        let KeyRow { principal, key, fingerprint, at, answer } = row;
        let of = self.callers.entry(principal).or_default();
        if of.entries.contains_key(&key) {
            return;
        }
        let bytes = size(&key, answer.as_ref());
        let state = answer.map_or(State::Unknown, |answer| State::Answered(Arc::new(answer)));
        of.order.push_back(key.clone());
        of.entries.insert(key, Entry { fingerprint, at, state });
        of.bytes += bytes;
        self.bytes += bytes;
        self.keep_bounds(principal);
    }

    /// What is to be written and to be deleted.
    pub(super) fn take_unwritten(&mut self) -> (Vec<KeyRow>, Vec<(Uuid, String)>) {
        (std::mem::take(&mut self.unwritten), std::mem::take(&mut self.gone))
    }

    /// It could not be written.
    pub(super) fn put_back(&mut self, mut rows: Vec<KeyRow>, mut gone: Vec<(Uuid, String)>) {
        rows.append(&mut self.unwritten);
        gone.append(&mut self.gone);
        (self.unwritten, self.gone) = (rows, gone);
    }

    /// It never could.
    pub(super) fn give_up(&mut self) {
        tracing::warn!(keys = self.unwritten.len(), "keys of requests are not on disk: the database does not answer");
        self.unwritten.clear();
        self.gone.clear();
    }

    fn forget_old(&mut self, caller: Uuid, now: Millis) {
        let Some(of) = self.callers.get(&caller) else { return };
        let old = |key: &String| of.entries.get(key).is_some_and(|entry| now.since(entry.at) >= KEPT_MS);
        for _ in 0..of.order.iter().take_while(|key| old(key)).count() {
            self.drop_oldest(caller);
        }
    }

    fn keep_bounds(&mut self, caller: Uuid) {
        while self.callers.get(&caller).is_some_and(|of| of.order.len() > MOST || of.bytes > MOST_BYTES) {
            self.drop_oldest(caller);
        }
        while self.bytes > MOST_BYTES_IN_ALL {
            let largest = self.callers.iter().max_by_key(|(_, of)| of.bytes).map(|(caller, _)| *caller);
            let Some(largest) = largest else { return };
            self.drop_oldest(largest);
        }
    }

    fn drop_oldest(&mut self, caller: Uuid) {
        let Some(of) = self.callers.get_mut(&caller) else { return };
        let Some(key) = of.order.pop_front() else { return };
        if let Some(entry) = of.entries.remove(&key) {
            let answer = match &entry.state {
                State::Answered(answer) => Some(&**answer),
                State::Running | State::Unknown => None,
            };
            let bytes = size(&key, answer);
            of.bytes = of.bytes.saturating_sub(bytes);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        if of.entries.is_empty() {
            self.callers.remove(&caller);
        }
        self.gone.push((caller, key));
    }
}

/// Bytes a key takes, near enough.
fn size(key: &str, answer: Option<&KeptAnswer>) -> usize {
    256 + 2 * key.len() + answer.map_or(0, |answer| answer.body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BO: Uuid = Uuid::from_u128(2);
    const NOW: Millis = Millis(1_000_000);

    fn answer(bytes: usize) -> KeptAnswer {
        KeptAnswer { status: 200, headers: Vec::new(), body: "x".repeat(bytes) }
    }

    #[test]
    fn a_key_runs_once_and_is_answered_from_then_on() {
        let mut kept = Kept::default();
        assert_eq!(kept.begin(ADA, "k", [1; 32], NOW), Found::New);
        assert_eq!(kept.begin(ADA, "k", [1; 32], NOW), Found::Running);
        assert_eq!(kept.begin(ADA, "k", [2; 32], NOW), Found::Other);
        assert_eq!(kept.begin(BO, "k", [2; 32], NOW), Found::New, "keys are each caller's own");

        kept.end(ADA, "k", answer(3), None);

        assert!(matches!(kept.begin(ADA, "k", [1; 32], NOW), Found::Answered(_)));
        assert_eq!(kept.begin(ADA, "k", [2; 32], NOW), Found::Other);
        assert_eq!(kept.begin(ADA, "k", [2; 32], NOW + KEPT_MS), Found::New, "after a day it is forgotten");
    }

    #[test]
    fn work_that_came_to_nothing_may_be_tried_again() {
        let mut kept = Kept::default();
        kept.begin(ADA, "k", [1; 32], NOW);

        kept.release(ADA, "k");

        assert_eq!(kept.begin(ADA, "k", [1; 32], NOW), Found::New);
    }

    #[test]
    fn a_key_that_was_running_at_a_crash_is_not_run_again() {
        let mut kept = Kept::default();
        let row = KeyRow { principal: ADA, key: "k".to_owned(), fingerprint: [1; 32], at: NOW, answer: None };
        kept.restore(row.clone());
        kept.restore(KeyRow { key: "done".to_owned(), answer: Some(answer(1)), ..row });

        assert_eq!(kept.begin(ADA, "k", [1; 32], NOW), Found::Unknown);
        assert!(matches!(kept.begin(ADA, "done", [1; 32], NOW), Found::Answered(_)));
    }

    #[test]
    fn memory_is_bounded_and_what_is_dropped_leaves_the_disk_too() {
        let mut kept = Kept::default();
        let put = |kept: &mut Kept, caller, key: String, bytes| {
            kept.begin(caller, &key, [1; 32], NOW);
            kept.end(caller, &key, answer(bytes), None);
        };
        for n in 0..=MOST {
            put(&mut kept, ADA, format!("k{n}"), 10);
        }
        assert_eq!(kept.begin(ADA, "k0", [9; 32], NOW), Found::New);
        assert_eq!(kept.begin(ADA, "k1", [9; 32], NOW), Found::Other);
        assert_eq!(kept.take_unwritten().1, [(ADA, "k0".to_owned())]);

        for caller in 10..20_u128 {
            for n in 0..20 {
                put(&mut kept, Uuid::from_u128(caller), format!("k{n}"), 1 << 20);
            }
        }
        assert!(kept.bytes <= MOST_BYTES_IN_ALL, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.callers.values().map(|of| of.bytes).sum::<usize>());
    }

    #[test]
    fn keys_that_could_not_be_written_are_written_later() {
        let mut kept = Kept::default();
        let row = |key: &str| KeyRow {
            principal: ADA,
            key: key.to_owned(),
            fingerprint: [1; 32],
            at: NOW,
            answer: Some(answer(1)),
        };
        kept.begin(ADA, "a", [1; 32], NOW);
        assert!(kept.end(ADA, "a", answer(1), Some(row("a"))), "the first one starts the writer");
        kept.begin(ADA, "b", [1; 32], NOW);
        assert!(!kept.end(ADA, "b", answer(1), Some(row("b"))));

        let (rows, gone) = kept.take_unwritten();
        kept.put_back(rows, gone);

        let keys: Vec<_> = kept.take_unwritten().0.into_iter().map(|row| row.key).collect();
        assert_eq!(keys, ["a", "b"]);
    }
}
