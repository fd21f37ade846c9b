//! The server's side of the feed: everybody's newest presence, and what a mirror at some position lacks.
//!
//! Items are absolute states, so the newest of each person is all there is to keep: memory is bounded by the
//! account's people, and a mirror may be any time behind.

use std::collections::BTreeMap;

use crate::edge::{FeedItem, FeedRange};
use crate::id::AgentId;
use crate::time::Millis;
use crate::version::FeedPosition;

/// Counts the changes of one [`FeedLog`], verdicts that move no feed number included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u64);

/// Everybody's newest presence.
#[derive(Debug)]
pub struct FeedLog {
    head: FeedPosition,
    last: Step,
    as_of: Millis,
    newest: BTreeMap<AgentId, (Step, FeedItem)>,
}

/// Part of the feed.
#[derive(Clone, Debug)]
pub struct FeedPart {
    /// What it covers.
    pub range: FeedRange,
    /// Its items, in the order of their change.
    pub items: Vec<FeedItem>,
    /// The last change in it.
    pub upto: Step,
}

/// The mirror cannot be brought up by changes: it needs a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl FeedLog {
    /// A log that knows nobody yet, at a position of the feed.
    pub fn new(head: FeedPosition) -> Self {
        Self { head, last: Step::default(), as_of: Millis::default(), newest: BTreeMap::new() }
    }

    /// Where the feed stands.
    pub fn head(&self) -> FeedPosition {
        self.head
    }

    /// The last change so far.
    pub fn last(&self) -> Step {
        self.last
    }

    /// Enters one person's newest state. Its time is the time of entry, so that no mirror that was complete before
    /// can have it.
    pub fn record(&mut self, now: Millis, at: FeedPosition, mut item: FeedItem) {
        self.head = self.head.max(at);
        self.last = Step(self.last.0.saturating_add(1));
        item.as_of = self.tick(now);
        self.newest.insert(item.agent, (self.last, item));
    }

    /// Everybody, for a mirror that knows nothing.
    pub fn snapshot(&mut self, now: Millis) -> FeedPart {
        self.part(now, 0, |_, _| true)
    }

    /// What a mirror at `after` lacks that was complete at `since` of this clock, at most `limit` items.
    pub fn changes(&mut self, now: Millis, after: FeedPosition, since: Millis, limit: usize) -> Result<FeedPart, Gone> {
        let head = self.head;
        if (after.epoch, after.bucket) != (head.epoch, head.bucket) || after.seq > head.seq {
            return Err(Gone);
        }
        let from = after.seq.saturating_add(1);
        let part = self.part(now, from, |_, item| item.seq > after.seq || item.as_of >= since);
        if part.items.len() > limit { Err(Gone) } else { Ok(part) }
    }

    /// What changed after `step`, for a mirror that is at `after` and has all up to that step.
    pub fn since_step(&mut self, now: Millis, after: FeedPosition, step: Step) -> FeedPart {
        self.part(now, after.seq.saturating_add(1), |changed, _| changed > step)
    }

    fn part(&mut self, now: Millis, from: u64, wanted: impl Fn(Step, &FeedItem) -> bool) -> FeedPart {
        let as_of = self.tick(now);
        let mut found: Vec<_> = self.newest.values().filter(|(step, item)| wanted(*step, item)).collect();
        found.sort_by_key(|(step, _)| *step);
        let FeedPosition { epoch, bucket, seq: to } = self.head;
        FeedPart {
            range: FeedRange { epoch, bucket, from, to, as_of },
            items: found.into_iter().map(|(_, item)| item.clone()).collect(),
            upto: self.last,
        }
    }

    /// Time as the feed tells it: it never goes back, also when the clock is set.
    fn tick(&mut self, now: Millis) -> Millis {
        self.as_of = self.as_of.max(now);
        self.as_of
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::mirror::tests::{T, item};
    use super::*;

    const ADA: AgentId = AgentId::demo(0x21);
    const BO: AgentId = AgentId::demo(0x22);

    pub(crate) fn at(seq: u64) -> FeedPosition {
        FeedPosition { epoch: 1, bucket: 0, seq }
    }

    /// Ada's change is number 3, Bo's number 7.
    pub(crate) fn log() -> FeedLog {
        let mut log = FeedLog::new(at(7));
        log.record(T, at(3), item(ADA, 1, 3));
        log.record(T, at(7), item(BO, 1, 7));
        log
    }

    fn agents(part: &FeedPart) -> Vec<(AgentId, u64)> {
        part.items.iter().map(|item| (item.agent, item.version.rev)).collect()
    }

    #[test]
    fn a_mirror_gets_what_came_after_it_and_only_the_newest() {
        let mut log = log();
        log.record(T + 10, at(8), item(ADA, 2, 8));
        log.record(T + 20, at(9), item(ADA, 3, 9));

        let part = log.changes(T + 30, at(7), T + 5, 256).unwrap();

        assert_eq!(agents(&part), [(ADA, 3)]);
        assert_eq!(part.range, FeedRange { epoch: 1, bucket: 0, from: 8, to: 9, as_of: T + 30 });
        assert_eq!(agents(&log.changes(T + 40, at(9), T + 30, 256).unwrap()), []);
    }

    #[test]
    fn a_verdict_that_moves_no_number_is_found_by_its_time() {
        let mut log = log();
        log.record(T + 10, at(3), item(ADA, 1, 3));

        assert_eq!(agents(&log.changes(T + 20, at(7), T + 5, 256).unwrap()), [(ADA, 1)]);
        assert_eq!(agents(&log.changes(T + 20, at(7), T + 11, 256).unwrap()), []);
    }

    #[test]
    fn after_a_restart_everybody_is_new_to_a_mirror_that_was_complete_before() {
        let mut log = log();

        assert_eq!(agents(&log.changes(T + 1, at(7), T - 60_000, 256).unwrap()), [(ADA, 1), (BO, 1)]);
    }

    #[test]
    fn another_epoch_a_position_ahead_and_too_much_need_a_snapshot() {
        let mut log = log();

        assert_eq!(log.changes(T, FeedPosition { epoch: 2, ..at(7) }, T, 256).unwrap_err(), Gone);
        assert_eq!(log.changes(T, at(8), T, 256).unwrap_err(), Gone);
        assert_eq!(log.changes(T, at(0), T, 1).unwrap_err(), Gone);
        let part = log.snapshot(T);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (0, 7, 2));
    }

    #[test]
    fn its_time_never_goes_back() {
        let mut log = log();

        log.record(T - 5_000, at(8), item(ADA, 2, 8));
        assert_eq!(agents(&log.changes(T - 4_000, at(8), T, 256).unwrap()), [(BO, 1), (ADA, 2)]);
        assert_eq!(log.snapshot(T - 4_000).range.as_of, T);
    }
}
