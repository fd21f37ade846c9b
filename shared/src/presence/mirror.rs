//! The edge's copy of an account's presence: what a frame, a pull or an applied toggle changes in it.
//!
//! Items are absolute states and go by their mark, so loss, repetition and disorder cannot bring an older one
//! back. The cursor moves only when nothing is missing, and the lease only with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::LEASE;
use crate::agent::Presence;
use crate::edge::{FeedItem, FeedRange};
use crate::id::AgentId;
use crate::time::Millis;
use crate::version::{FeedPosition, Version};

/// How long one comparison of clocks is trusted, in milliseconds.
const OFFSET_GOOD_FOR: u64 = 10 * 60_000;
/// Largest distance of the clocks at which a push may renew the lease, in milliseconds.
const MAX_OFFSET: i64 = 2_000;

/// The order of two states of one person: the facts' version, then the feed's number, then the server's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Version of the facts.
    pub version: Version,
    /// Number in the feed; 0 when it came as an answer to a toggle.
    pub seq: u64,
    /// The server's time when it was true.
    pub as_of: Millis,
}

/// One person's newest known state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub agent: AgentId,
    /// How new.
    pub mark: Mark,
    /// The body of `GET …/presence`.
    pub body: String,
}

/// The distance of the server's clock from this one: at most this much ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Offset {
    seen_at: Millis,
    ms: i64,
}

/// What is known about the copy as a whole; kept beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Contiguous up to here; none before the first complete state.
    pub cursor: Option<FeedPosition>,
    /// By this clock, the latest time at which the copy was complete.
    pub complete_at: Option<Millis>,
    /// The same by the server's clock; a pull asks for what changed since.
    #[serde(default)]
    pub server_time: Millis,
    offset: Option<Offset>,
}

/// How items reached the copy, which decides what they say about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Asked for at this time of the own clock.
    Pulled {
        /// Taken before the request was sent.
        asked_at: Millis,
    },
    /// Sent by the server unasked.
    Pushed {
        /// The own clock at arrival.
        at: Millis,
    },
}

/// What is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows to remove, before anything is stored.
    pub forget: Forget,
    /// Rows to store.
    pub rows: Vec<Row>,
    /// Whether something is missing that only a pull can bring.
    pub pull: bool,
}

/// Rows that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Forget {
    /// None.
    #[default]
    Nothing,
    /// All: they are of an older epoch.
    Everything,
    /// Those that a complete state does not name, unless they are newer than it.
    NotNamed {
        /// People in the complete state.
        named: BTreeSet<AgentId>,
        /// Number of the last change in it.
        upto: u64,
    },
}

impl Mirror {
    /// Takes part of the feed. `mark_of` gives the mark of a stored row.
    pub fn apply(
        &mut self,
        arrival: Arrival,
        range: &FeedRange,
        items: &[FeedItem],
        mark_of: impl Fn(AgentId) -> Option<Mark>,
    ) -> Applied {
        let complete = range.from == 0;
        let known = self.cursor.map(|cursor| cursor.epoch);
        if known.is_some_and(|epoch| range.epoch < epoch) {
            return Applied::default();
        }
        let risen = known.is_some_and(|epoch| range.epoch > epoch);
        if risen {
            *self = Self { offset: self.offset, ..Self::default() };
        }
        let rows = newest(items, |agent| if risen { None } else { mark_of(agent) });
        let contiguous = complete || self.cursor.is_some_and(|cursor| range.from <= cursor.seq.saturating_add(1));
        if contiguous {
            let position = range.position();
            self.cursor = Some(self.cursor.map_or(position, |cursor| cursor.max(position)));
        }
        self.note_time(arrival, range.as_of, contiguous);
        let forget = if risen {
            Forget::Everything
        } else if complete {
            Forget::NotNamed { named: items.iter().map(|item| item.agent).collect(), upto: range.to }
        } else {
            Forget::Nothing
        };
        Applied { forget, rows, pull: !contiguous }
    }

    /// Takes the answer to an applied toggle, which saves the reader the wait for the push.
    pub fn apply_written(&self, presence: &Presence, mark_of: Option<Mark>) -> Option<Row> {
        let mark = Mark { version: presence.version, seq: 0, as_of: presence.obeyed_at };
        let behind = self.cursor.is_some_and(|cursor| presence.version.epoch < cursor.epoch);
        if behind || mark_of.is_some_and(|held| held.version >= mark.version) {
            return None;
        }
        let body = serde_json::to_string(presence).ok()?;
        Some(Row { agent: presence.uuid, mark, body })
    }

    /// How old the copy may be, in milliseconds; none when it was never complete.
    pub fn age(&self, now: Millis) -> Option<u64> {
        self.complete_at.map(|at| now.since(at))
    }

    /// Whether the copy may be given out as it is, to somebody who takes at most `bound` milliseconds of age.
    pub fn holds(&self, now: Millis, bound: u64) -> bool {
        // A clock that was set back says nothing about age.
        let ahead = self.complete_at.is_some_and(|at| at > now);
        !ahead && self.age(now).is_some_and(|age| age <= bound.min(LEASE))
    }

    fn note_time(&mut self, arrival: Arrival, as_of: Millis, contiguous: bool) {
        let complete_at = match arrival {
            Arrival::Pulled { asked_at } => {
                self.offset = Some(Offset { seen_at: asked_at, ms: as_of.0.saturating_sub(asked_at.0) });
                Some(asked_at)
            }
            Arrival::Pushed { at } => self
                .offset
                .filter(|offset| at.since(offset.seen_at) <= OFFSET_GOOD_FOR && offset.ms.abs() <= MAX_OFFSET)
                .map(|offset| Millis(as_of.0.saturating_sub(offset.ms)).min(at)),
        };
        if contiguous {
            self.complete_at = self.complete_at.max(complete_at);
            self.server_time = self.server_time.max(as_of);
        }
    }
}

/// The newest item of each person that is newer than what is stored.
fn newest(items: &[FeedItem], mark_of: impl Fn(AgentId) -> Option<Mark>) -> Vec<Row> {
    let mut rows = BTreeMap::<AgentId, Row>::new();
    for item in items {
        let mark = Mark { version: item.version, seq: item.seq, as_of: item.as_of };
        let held = rows.get(&item.agent).map(|row| row.mark).or_else(|| mark_of(item.agent));
        if held.is_none_or(|held| held < mark) {
            let body = item.presence.get().to_owned();
            rows.insert(item.agent, Row { agent: item.agent, mark, body });
        }
    }
    rows.into_values().collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::value::RawValue;

    pub(crate) const T: Millis = Millis(1_000_000);
    const ADA: AgentId = AgentId::demo(0x21);
    const BO: AgentId = AgentId::demo(0x22);

    pub(crate) fn item(agent: AgentId, rev: u64, seq: u64) -> FeedItem {
        let presence = RawValue::from_string(format!(r#"{{"rev":{rev},"seq":{seq}}}"#)).unwrap();
        FeedItem {
            agent,
            version: Version { epoch: 1, rev },
            seq,
            as_of: Millis(i64::try_from(seq).unwrap()),
            presence,
        }
    }

    pub(crate) fn range(from: u64, to: u64, as_of: Millis) -> FeedRange {
        FeedRange { epoch: 1, bucket: 0, from, to, as_of }
    }

    /// The copy with its rows, as the object keeps them.
    #[derive(Default)]
    struct Copy {
        mirror: Mirror,
        rows: BTreeMap<AgentId, Row>,
    }

    impl Copy {
        fn apply(&mut self, arrival: Arrival, range: &FeedRange, items: &[FeedItem]) -> bool {
            let applied = self.mirror.apply(arrival, range, items, |agent| self.rows.get(&agent).map(|row| row.mark));
            match applied.forget {
                Forget::Nothing => {}
                Forget::Everything => self.rows.clear(),
                Forget::NotNamed { named, upto } => {
                    self.rows.retain(|agent, row| named.contains(agent) || row.mark.seq > upto);
                }
            }
            self.rows.extend(applied.rows.into_iter().map(|row| (row.agent, row)));
            applied.pull
        }

        fn push(&mut self, at: Millis, from: u64, to: u64, items: &[FeedItem]) -> bool {
            self.apply(Arrival::Pushed { at }, &range(from, to, at), items)
        }

        fn snapshot(&mut self, at: Millis, to: u64, items: &[FeedItem]) {
            let pull = self.apply(Arrival::Pulled { asked_at: at }, &range(0, to, at), items);
            assert!(!pull);
        }

        fn seq(&self) -> Option<u64> {
            self.mirror.cursor.map(|cursor| cursor.seq)
        }

        fn body(&self, agent: AgentId) -> &str {
            self.rows.get(&agent).map_or("", |row| &row.body)
        }
    }

    #[test]
    fn a_snapshot_fills_it_and_a_contiguous_push_moves_it() {
        let mut copy = Copy::default();
        assert!(!copy.mirror.holds(T, LEASE));

        copy.snapshot(T, 7, &[item(ADA, 1, 3), item(BO, 4, 7)]);
        assert_eq!(copy.seq(), Some(7));
        assert!(copy.mirror.holds(T + LEASE, LEASE));
        assert!(!copy.mirror.holds(T + LEASE + 1, LEASE));

        assert!(!copy.push(T + 9_000, 8, 9, &[item(ADA, 2, 9)]));
        assert_eq!(copy.seq(), Some(9));
        assert_eq!(copy.body(ADA), r#"{"rev":2,"seq":9}"#);
        assert!(copy.mirror.holds(T + 19_000, LEASE));
    }

    #[test]
    fn a_heartbeat_renews_the_lease_and_nothing_else() {
        let mut copy = Copy::default();
        copy.snapshot(T, 7, &[item(ADA, 1, 3)]);

        assert!(!copy.push(T + 5_000, 8, 7, &[]));
        assert_eq!(copy.seq(), Some(7));
        assert!(copy.mirror.holds(T + 15_000, LEASE));
    }

    #[test]
    fn a_gap_is_applied_by_version_but_neither_cursor_nor_lease_move() {
        let mut copy = Copy::default();
        copy.snapshot(T, 7, &[item(ADA, 1, 3), item(BO, 1, 7)]);

        assert!(copy.push(T + 5_000, 9, 9, &[item(ADA, 3, 9)]), "asks for a pull");
        assert_eq!(copy.seq(), Some(7));
        assert_eq!(copy.body(ADA), r#"{"rev":3,"seq":9}"#);
        assert!(!copy.mirror.holds(T + 11_000, LEASE));

        let pulled = Arrival::Pulled { asked_at: T + 11_000 };
        assert!(!copy.apply(pulled, &range(8, 9, T), &[item(BO, 2, 8), item(ADA, 3, 9)]));
        assert_eq!(copy.seq(), Some(9));
        assert_eq!(copy.body(BO), r#"{"rev":2,"seq":8}"#);
    }

    #[test]
    fn repetition_and_disorder_never_bring_an_older_state_back() {
        let mut copy = Copy::default();
        copy.snapshot(T, 7, &[item(ADA, 5, 7)]);

        assert!(!copy.push(T, 3, 4, &[item(ADA, 4, 4)]));
        assert_eq!(copy.seq(), Some(7));
        assert_eq!(copy.body(ADA), r#"{"rev":5,"seq":7}"#);
        // The same facts with a newer verdict: the higher number wins.
        copy.push(T, 8, 8, &[item(ADA, 5, 8)]);
        assert_eq!(copy.body(ADA), r#"{"rev":5,"seq":8}"#);
    }

    #[test]
    fn any_order_of_frames_ends_in_the_same_rows() {
        let frames = [(8, 8, item(ADA, 2, 8)), (9, 9, item(BO, 2, 9)), (10, 10, item(ADA, 3, 10))];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut copy = Copy::default();
            copy.snapshot(T, 7, &[item(ADA, 1, 3), item(BO, 1, 7)]);
            for index in order {
                let (from, to, item) = &frames[index];
                copy.push(T, *from, *to, std::slice::from_ref(item));
            }
            assert_eq!(copy.body(ADA), r#"{"rev":3,"seq":10}"#, "{order:?}");
            assert_eq!(copy.body(BO), r#"{"rev":2,"seq":9}"#, "{order:?}");
            assert_eq!(copy.seq() == Some(10), order == [0, 1, 2], "{order:?}");
        }
    }

    #[test]
    fn a_higher_epoch_drops_everything_and_a_lower_one_is_ignored() {
        let mut copy = Copy::default();
        copy.snapshot(T, 70, &[item(ADA, 50, 70), item(BO, 50, 69)]);

        let risen = FeedRange { epoch: 2, ..range(5, 5, T) };
        let mut newer = item(ADA, 1, 5);
        newer.version.epoch = 2;
        assert!(copy.apply(Arrival::Pushed { at: T }, &risen, &[newer.clone()]), "asks for a snapshot");
        assert_eq!(copy.seq(), None);
        assert_eq!(copy.body(BO), "");
        assert!(!copy.mirror.holds(T, LEASE));

        copy.apply(Arrival::Pushed { at: T }, &FeedRange { epoch: 2, ..range(0, 5, T) }, &[newer]);
        assert_eq!(copy.seq(), Some(5));
        assert!(!copy.push(T, 71, 71, &[item(BO, 51, 71)]), "epoch 1 again");
        assert_eq!(copy.body(BO), "");
        assert_eq!(copy.seq(), Some(5));
    }

    #[test]
    fn a_snapshot_forgets_who_is_gone_but_not_who_came_after_it() {
        let mut copy = Copy::default();
        copy.snapshot(T, 7, &[item(ADA, 1, 3)]);
        copy.push(T, 8, 8, &[item(BO, 1, 8)]);

        copy.snapshot(T, 7, &[]);
        assert_eq!(copy.body(ADA), "");
        assert_eq!(copy.body(BO), r#"{"rev":1,"seq":8}"#);
        assert_eq!(copy.seq(), Some(8), "the cursor never goes back");
    }

    #[test]
    fn a_push_renews_the_lease_only_while_the_clocks_are_known_to_agree() {
        let filled = |as_of: Millis| {
            let mut copy = Copy::default();
            copy.apply(Arrival::Pulled { asked_at: T }, &range(0, 7, as_of), &[]);
            copy
        };
        let renewed_at = |copy: &mut Copy, at: Millis, as_of: Millis| {
            copy.apply(Arrival::Pushed { at }, &range(8, 7, as_of), &[]);
            copy.mirror.complete_at
        };

        // The server's clock is at most 500 ms ahead: what it calls T + 6,000 is here T + 5,500 at the earliest.
        assert_eq!(renewed_at(&mut filled(T + 500), T + 6_000, T + 6_000), Some(T + 5_500));
        assert_eq!(renewed_at(&mut filled(T - 900), T + 5_000, T + 5_000), Some(T + 5_000), "never in the future");
        assert_eq!(renewed_at(&mut filled(T + 2_001), T + 6_000, T + 6_000), Some(T));
        let late = T + OFFSET_GOOD_FOR + 1;
        assert_eq!(renewed_at(&mut filled(T), late, late), Some(T));

        let mut unknown = Copy::default();
        unknown.push(T, 0, 7, &[item(ADA, 1, 7)]);
        assert_eq!((unknown.seq(), unknown.mirror.complete_at), (Some(7), None), "state, but no word about its age");
    }
}
