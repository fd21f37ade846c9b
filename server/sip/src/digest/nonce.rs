//! Nonces that carry their own expiry, signed, so that a challenge costs no memory; and how often each was used.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::{hex, same};

/// How long a nonce may be used.
const LIFE: Duration = Duration::from_mins(5);
/// Nonces whose uses are remembered: only those that a right password came with.
const MOST: usize = 16_384;

/// What is to be thought of a nonce that came with a right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Ours, young, and used this time only.
    Fresh,
    /// Ours, but too old, or used so before: a new one will do.
    Stale,
    /// Not ours.
    Forged,
}

/// The nonces of one endpoint.
#[derive(Debug)]
pub(crate) struct Nonces {
    secret: [u8; 32],
    start: Option<Instant>,
    next: u64,
    /// By number, so by age: the highest count seen, and which of the 64 below it were seen.
    used: BTreeMap<u64, (u32, u64)>,
    /// Those up to here are forgotten, and therefore stale.
    forgotten: u64,
}

impl Nonces {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret, start: None, next: 0, used: BTreeMap::new(), forgotten: 0 }
    }

    /// A fresh one.
    pub(crate) fn make(&mut self, now: Instant) -> String {
        self.next += 1;
        let expiry = self.seconds(now) + LIFE.as_secs();
        self.sign(self.next, expiry)
    }

    /// Judges a nonce and notes this use of it. Ask only once the password is known to be right.
    pub(crate) fn spend(&mut self, now: Instant, nonce: &str, count: u32) -> Freshness {
        let number = |from: usize, to: usize| u64::from_str_radix(nonce.get(from..to)?, 16).ok();
        let (Some(id), Some(expiry)) = (number(0, 16), number(16, 32)) else { return Freshness::Forged };
        if !same(self.sign(id, expiry).as_bytes(), nonce.as_bytes()) {
            return Freshness::Forged;
        }
        if self.seconds(now) >= expiry || id <= self.forgotten || !self.count(id, count) {
            return Freshness::Stale;
        }
        Freshness::Fresh
    }

    /// Says whether this count was not seen before. Requests may overtake each other, by 64 at most.
    fn count(&mut self, id: u64, count: u32) -> bool {
        if !self.used.contains_key(&id)
            && self.used.len() >= MOST
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = oldest;
        }
        let (highest, seen) = self.used.entry(id).or_default();
        if count > *highest {
            let ahead = count - *highest;
            *seen = seen.checked_shl(ahead).unwrap_or(0) | 1;
            *highest = count;
            return true;
        }
        let bit = 1_u64.checked_shl(*highest - count).unwrap_or(0);
        let fresh = count > 0 && bit != 0 && *seen & bit == 0;
        *seen |= bit;
        fresh
    }

    fn sign(&self, id: u64, expiry: u64) -> String {
        // The secret on both sides of a text of fixed length leaves nothing to extend.
        let mac = Sha256::new().chain_update(self.secret).chain_update(id.to_be_bytes());
        let mac = mac.chain_update(expiry.to_be_bytes()).chain_update(self.secret).finalize();
        format!("{id:016x}{expiry:016x}{}", hex(mac.get(..16).unwrap_or_default()))
    }

    fn seconds(&mut self, now: Instant) -> u64 {
        now.saturating_duration_since(*self.start.get_or_insert(now)).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_taken_once_within_five_minutes() {
        let now = Instant::now();
        let mut nonces = Nonces::new([7; 32]);
        let nonce = nonces.make(now);
        let mut spend = |after: u64, count| nonces.spend(now + Duration::from_secs(after), &nonce, count);
        assert_eq!(spend(0, 1), Freshness::Fresh);
        assert_eq!(spend(0, 1), Freshness::Stale, "a replay");
        assert_eq!(spend(1, 3), Freshness::Fresh);
        assert_eq!(spend(1, 2), Freshness::Fresh, "it was overtaken");
        assert_eq!(spend(1, 2), Freshness::Stale);
        assert_eq!(spend(1, 0), Freshness::Stale);
        assert_eq!(spend(2, 100), Freshness::Fresh);
        assert_eq!(spend(2, 4), Freshness::Stale, "too far behind to know");
        assert_eq!(spend(300, 101), Freshness::Stale, "too old");
    }

    #[test]
    fn a_nonce_of_another_is_forged() {
        let now = Instant::now();
        let (mut ours, mut theirs) = (Nonces::new([7; 32]), Nonces::new([8; 32]));
        assert_eq!(ours.spend(now, &theirs.make(now), 1), Freshness::Forged);
        let mut longer = ours.make(now);
        longer.replace_range(31..32, "f");
        assert_eq!(ours.spend(now, &longer, 1), Freshness::Forged, "its expiry was changed");
        assert_eq!(ours.spend(now, "é", 1), Freshness::Forged);
    }

    #[test]
    fn the_table_is_bounded_and_what_it_forgets_is_stale() {
        let now = Instant::now();
        let mut nonces = Nonces::new([7; 32]);
        let first = nonces.make(now);
        nonces.spend(now, &first, 1);
        for _ in 0..MOST {
            let nonce = nonces.make(now);
            assert_eq!(nonces.spend(now, &nonce, 1), Freshness::Fresh);
        }
        assert_eq!(nonces.used.len(), MOST);
        assert_eq!(nonces.spend(now, &first, 2), Freshness::Stale);
    }
}
