//! Timer values of RFC 3261 §17.1.1.1 and appendix A, and the table that holds what is armed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Round-trip time estimate.
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest gap between repeats of a non-INVITE request or an INVITE response.
pub(crate) const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub(crate) const T4: Duration = Duration::from_secs(5);
/// 64*T1: how long anybody waits for anything (timers B, F, H, J, L, M).
pub(crate) const PATIENCE: Duration = Duration::from_secs(32);

/// The timers of the four machines, by the letters of the RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// INVITE request repeat.
    A,
    /// INVITE transaction time-out.
    B,
    /// Wait for repeats of a failure response.
    D,
    /// Non-INVITE request repeat.
    E,
    /// Non-INVITE transaction time-out.
    F,
    /// INVITE failure response repeat.
    G,
    /// Wait for the ACK to a failure response.
    H,
    /// Wait for repeats of that ACK.
    I,
    /// Wait for repeats of a non-INVITE request.
    J,
    /// Wait for repeats of a non-INVITE response.
    K,
    /// Wait for repeats of an accepted INVITE (RFC 6026).
    L,
    /// Wait for repeated or forked 2xx (RFC 6026).
    M,
}

/// Deadlines with their reasons: one per reason, ordered by time, then by the order in which they were armed.
#[derive(Debug)]
pub(crate) struct TimerTable<R> {
    by_deadline: BTreeMap<(Instant, u64), R>,
    by_reason: BTreeMap<R, (Instant, u64)>,
    armed: u64,
}

impl<R: Copy + Ord> TimerTable<R> {
    pub(crate) fn new() -> Self {
        Self { by_deadline: BTreeMap::new(), by_reason: BTreeMap::new(), armed: 0 }
    }

    /// Arms or moves the deadline of a reason.
    pub(crate) fn arm(&mut self, reason: R, deadline: Instant) {
        self.disarm(reason);
        self.armed += 1;
        self.by_deadline.insert((deadline, self.armed), reason);
        self.by_reason.insert(reason, (deadline, self.armed));
    }

    /// Takes a deadline out of the table at once: a cancelled timer must not stay until its time.
    pub(crate) fn disarm(&mut self, reason: R) {
        if let Some(key) = self.by_reason.remove(&reason) {
            self.by_deadline.remove(&key);
        }
    }

    /// Whether a reason has a deadline.
    pub(crate) fn is_armed(&self, reason: R) -> bool {
        self.by_reason.contains_key(&reason)
    }

    /// Takes the earliest reason whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<R> {
        let (&(deadline, _), &reason) = self.by_deadline.first_key_value()?;
        if deadline > now {
            return None;
        }
        self.disarm(reason);
        Some(reason)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.by_deadline.first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_deadline.len()
    }
}
