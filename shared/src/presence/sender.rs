//! When the server pushes which part of the feed (`edge-protocol.md` section 6), for one edge.
//!
//! The first change goes at once, those that follow within a quarter of a second go together, and silence is
//! broken by a heartbeat. What was not acknowledged goes again; an edge that lost its place gets everything.

use super::log::{FeedLog, FeedPart, Step};
use crate::edge::FeedAnswer;
use crate::time::Millis;
use crate::version::FeedPosition;

/// Changes within this time of a frame wait for the next one, in milliseconds.
pub const WINDOW: u64 = 250;
/// Time between frames when nothing changes, in milliseconds.
pub const HEARTBEAT: u64 = 5_000;
/// Shortest pause after a failure, in milliseconds; doubles with each.
const PAUSE: u64 = 500;
/// Longest pause, in milliseconds: an edge that comes back is current within this time.
const LONGEST_PAUSE: u64 = 10_000;

/// What the edge is known to have, and when it is due next.
#[derive(Debug, Default)]
pub struct FeedSender {
    acknowledged: Option<(FeedPosition, Step)>,
    sent_at: Option<Millis>,
    failures: u32,
    pause_until: Option<Millis>,
}

/// A frame on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    to: FeedPosition,
    upto: Step,
}

impl FeedSender {
    /// When the next frame is due.
    pub fn due(&self, log: &FeedLog) -> Millis {
        let Some(sent_at) = self.sent_at else { return Millis::default() };
        let pause_until = self.pause_until.unwrap_or_default();
        let news = self.acknowledged.is_none_or(|(_, step)| step < log.last());
        (sent_at + if news { WINDOW } else { HEARTBEAT }).max(pause_until)
    }

    /// The next frame's content: everybody for an edge that is not known to have anything. `wall` is the time the
    /// frame tells, `now` a clock that nobody sets.
    pub fn next_part(&mut self, now: Millis, wall: Millis, log: &mut FeedLog) -> (FeedPart, Sent) {
        self.sent_at = Some(now);
        let part = match self.acknowledged {
            Some((position, step)) => log.since_step(wall, position, step),
            None => log.snapshot(wall),
        };
        let sent = Sent { to: part.range.position(), upto: part.upto };
        (part, sent)
    }

    /// The edge answered.
    pub fn answered(&mut self, sent: Sent, answer: FeedAnswer) {
        self.failures = 0;
        self.pause_until = None;
        self.acknowledged = match answer.cursor {
            Some(cursor) if cursor >= sent.to && cursor.epoch == sent.to.epoch => Some((sent.to, sent.upto)),
            // It lost what it had, or never had it.
            Some(_) | None => None,
        };
        if self.acknowledged.is_none() {
            self.pause_until = self.sent_at.map(|at| at + PAUSE);
        }
    }

    /// The edge did not answer. `chance` is random: edges and servers do not come back in step.
    pub fn failed(&mut self, now: Millis, chance: u8) {
        let longest = PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        // Between half of it and all of it.
        self.pause_until = Some(now + longest / 2 + longest / 2 * u64::from(chance) / 255);
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::tests::{at, log};
    use super::super::mirror::tests::{T, item};
    use super::*;
    use crate::id::AgentId;

    const ADA: AgentId = AgentId::demo(0x21);

    fn cursor(seq: u64) -> FeedAnswer {
        FeedAnswer { cursor: Some(at(seq)) }
    }

    /// A sender whose first frame was acknowledged at [`T`].
    fn started() -> (FeedLog, FeedSender) {
        let (mut log, mut sender) = (log(), FeedSender::default());
        let (_, sent) = sender.next_part(T, T, &mut log);
        sender.answered(sent, cursor(7));
        (log, sender)
    }

    #[test]
    fn it_begins_with_everybody_at_once() {
        let (mut log, mut sender) = (log(), FeedSender::default());

        assert!(sender.due(&log) <= T);
        let (part, _) = sender.next_part(T, T, &mut log);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (0, 7, 2));
    }

    #[test]
    fn the_first_change_goes_at_once_and_the_next_ones_together() {
        let (mut log, mut sender) = started();
        log.record(T + 1_000, at(8), item(ADA, 2, 8));
        assert!(sender.due(&log) <= T + 1_000);
        let (part, sent) = sender.next_part(T + 1_000, T + 1_000, &mut log);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (8, 8, 1));
        sender.answered(sent, cursor(8));

        log.record(T + 1_050, at(9), item(ADA, 3, 9));
        log.record(T + 1_100, at(10), item(ADA, 4, 10));
        assert_eq!(sender.due(&log), T + 1_250);
        let (part, _) = sender.next_part(T + 1_250, T + 1_250, &mut log);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (9, 10, 1), "the newest state is enough");
    }

    #[test]
    fn silence_is_broken_by_an_empty_frame() {
        let (mut log, mut sender) = started();

        assert_eq!(sender.due(&log), T + HEARTBEAT);
        let (part, _) = sender.next_part(T + HEARTBEAT, T + HEARTBEAT, &mut log);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (8, 7, 0));
        assert_eq!(part.range.as_of, T + HEARTBEAT);
    }

    #[test]
    fn what_was_not_acknowledged_goes_again_with_what_came_since() {
        let (mut log, mut sender) = started();
        log.record(T + 1_000, at(8), item(ADA, 2, 8));
        sender.next_part(T + 1_000, T + 1_000, &mut log);
        sender.failed(T + 1_100, 255);
        assert_eq!(sender.due(&log), T + 1_600);
        log.record(T + 1_200, at(9), item(AgentId::demo(0x22), 2, 9));

        let (part, sent) = sender.next_part(T + 1_600, T + 1_600, &mut log);
        assert_eq!((part.range.from, part.range.to, part.items.len()), (8, 9, 2));
        sender.answered(sent, cursor(9));
        assert_eq!(sender.due(&log), T + 1_600 + HEARTBEAT);
    }

    #[test]
    fn an_edge_that_lost_its_place_gets_everybody() {
        for answer in [FeedAnswer { cursor: None }, cursor(6)] {
            let (mut log, mut sender) = started();
            let (_, sent) = sender.next_part(T + HEARTBEAT, T + HEARTBEAT, &mut log);
            sender.answered(sent, answer);

            assert_eq!(sender.due(&log), T + HEARTBEAT + PAUSE, "not in a tight loop");
            let (part, _) = sender.next_part(T + HEARTBEAT + PAUSE, T + HEARTBEAT + PAUSE, &mut log);
            assert_eq!((part.range.from, part.items.len()), (0, 2));
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_an_answer() {
        let (mut log, mut sender) = started();
        let mut now = T;
        let mut longest = 0;
        for _ in 0..40 {
            now = now + 20_000;
            sender.next_part(now, now, &mut log);
            sender.failed(now, 255);
            let pause = sender.due(&log).since(now);
            assert!((PAUSE..=LONGEST_PAUSE).contains(&pause) && pause >= longest.min(PAUSE));
            longest = longest.max(pause);
        }
        assert_eq!(longest, LONGEST_PAUSE);
        let (_, sent) = sender.next_part(now, now, &mut log);
        sender.answered(sent, cursor(7));
        assert_eq!(sender.due(&log), now + HEARTBEAT);
    }
}
