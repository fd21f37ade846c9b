//! Deadlines with their reasons, the earliest first.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::time::Instant;

use crate::table::Table;

/// At most one deadline for each key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: Table<K, Instant>,
}

impl<K: Ord + Copy + Hash> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { by_time: BTreeSet::new(), by_key: Table::default() }
    }

    /// Sets, moves or (with `None`) takes away the deadline of a key.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// Sees to it that the deadline of a key is no later than this. An earlier one stays: who is woken too early looks again.
    /// Deadlines that move away with each packet cost next to nothing that way.
    pub(crate) fn by(&mut self, key: K, at: Option<Instant>) {
        if let Some(at) = at
            && self.by_key.get(&key).is_none_or(|before| at < *before)
        {
            self.set(key, Some(at));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is reached.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.by_time.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_that_moves_away_stays_and_one_that_comes_nearer_moves() {
        let start = Instant::now();
        let at = |ms| Some(start + Duration::from_millis(ms));
        let mut timers = Timers::new();
        timers.by('a', at(20));
        timers.by('a', at(30));
        timers.by('a', None);
        assert_eq!(timers.next(), at(20));
        timers.by('a', at(10));
        assert_eq!(timers.next(), at(10));
    }

    #[test]
    fn gives_the_earliest_first_and_forgets_what_was_moved() {
        let start = Instant::now();
        let at = |ms| Some(start + Duration::from_millis(ms));
        let mut timers = Timers::new();
        timers.set('a', at(30));
        timers.set('b', at(20));
        timers.set('a', at(10));
        timers.set('c', at(5));
        timers.set('c', None);

        assert_eq!(timers.next(), at(10));
        assert_eq!(timers.pop_due(start), None);
        let now = start + Duration::from_millis(20);
        assert_eq!([timers.pop_due(now), timers.pop_due(now), timers.pop_due(now)], [Some('a'), Some('b'), None]);
        assert!(timers.is_empty());
    }
}
