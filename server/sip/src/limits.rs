//! What one source may cost: requests per second before anybody parses them, and passwords tried.
//!
//! Nothing is counted before the application has said which trunks there are: until then nobody can be told from a
//! stranger. Trunks are bounded by their own rate and get 503 above it; they are never silenced.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Datagrams a stranger may send in a burst, and per second after it.
const STRANGER: Rate = Rate { burst: 120, per_second: 30 };
/// The same for an address phones have registered from: an office sends from one.
const REGISTERED: Rate = Rate { burst: 1_200, per_second: 300 };
/// Sources remembered; a table that is full is begun anew, with the one before it kept behind it.
const MOST_SOURCES: usize = 8_192;
/// How long a table is filled at most.
const TABLE_TIME: Duration = Duration::from_mins(1);
/// Wrong passwords before one has to wait.
const FREE_TRIES: u32 = 3;
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Wrong passwords within [`FAILURE_TIME`] after which a source hears nothing.
const MOST_FAILURES: u32 = 10;
/// How long it hears nothing, and how long a failure counts.
const FAILURE_TIME: Duration = Duration::from_mins(5);
/// Failures remembered.
const MOST_FAILED: usize = 4_096;

/// A token bucket's measure.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    per_second: u32,
}

/// A token bucket, in thousandths of a token.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u64,
    at: Instant,
}

impl Bucket {
    fn full(now: Instant, rate: Rate) -> Self {
        Self { tokens: u64::from(rate.burst) * 1_000, at: now }
    }

    fn take(&mut self, now: Instant, rate: Rate) -> bool {
        let passed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        // A thousandth per millisecond for each token per second.
        let gained = passed.saturating_mul(u64::from(rate.per_second));
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(u64::from(rate.burst) * 1_000);
            self.at = now;
        }
        let enough = self.tokens >= 1_000;
        self.tokens -= if enough { 1_000 } else { 0 };
        enough
    }
}

/// Wrong passwords of one source.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// What is known of each source.
#[derive(Debug)]
pub(crate) struct Sources {
    now: BTreeMap<IpAddr, Bucket>,
    before: BTreeMap<IpAddr, Bucket>,
    begun: Option<Instant>,
    trunks: BTreeMap<String, Bucket>,
    /// By source, and by source and name: one wrong phone does not lock out its neighbors.
    failures: BTreeMap<(IpAddr, Option<String>), Failures>,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            now: BTreeMap::new(),
            before: BTreeMap::new(),
            begun: None,
            trunks: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Whether something of a source that is no trunk is to be looked at.
    pub(crate) fn admit(&mut self, now: Instant, source: IpAddr, registered: bool) -> bool {
        let source = prefix(source);
        let rate = if registered { REGISTERED } else { STRANGER };
        if !registered && self.is_silenced(now, source) {
            return false;
        }
        let old = self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= TABLE_TIME);
        if old || self.now.len() >= MOST_SOURCES {
            self.before = std::mem::take(&mut self.now);
            self.begun = Some(now);
        }
        let known = self.before.remove(&source);
        self.now.entry(source).or_insert_with(|| known.unwrap_or_else(|| Bucket::full(now, rate))).take(now, rate)
    }

    /// Whether a trunk is within its rate; 0 means that it has none.
    pub(crate) fn admit_trunk(&mut self, now: Instant, trunk: &str, per_second: u32) -> bool {
        if per_second == 0 {
            return true;
        }
        let rate = Rate { burst: per_second, per_second };
        if !self.trunks.contains_key(trunk) {
            self.trunks.insert(trunk.to_owned(), Bucket::full(now, rate));
        }
        self.trunks.get_mut(trunk).is_none_or(|bucket| bucket.take(now, rate))
    }

    /// Forgets trunks that are gone.
    pub(crate) fn keep_trunks(&mut self, stays: impl Fn(&str) -> bool) {
        self.trunks.retain(|trunk, _| stays(trunk));
    }

    /// Whether this source may try a password for this name now.
    pub(crate) fn may_try(&self, now: Instant, source: IpAddr, username: &str) -> bool {
        let Some(failures) = self.failures.get(&key(source, username)) else { return true };
        let wait = match failures.count.checked_sub(FREE_TRIES) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1_u64.checked_shl(over).unwrap_or(u64::MAX)).min(LONGEST_WAIT),
        };
        now.saturating_duration_since(failures.last) >= wait
    }

    pub(crate) fn failed(&mut self, now: Instant, source: IpAddr, username: &str) {
        for key in [(prefix(source), None), key(source, username)] {
            if self.failures.len() >= MOST_FAILED && !self.failures.contains_key(&key) {
                self.forget_failures(now);
            }
            let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
            if now.saturating_duration_since(failures.last) >= FAILURE_TIME {
                failures.count = 0;
            }
            failures.count += 1;
            failures.last = now;
        }
    }

    pub(crate) fn succeeded(&mut self, source: IpAddr, username: &str) {
        self.failures.remove(&key(source, username));
    }

    /// Whether a source has tried too many passwords.
    fn is_silenced(&self, now: Instant, source: IpAddr) -> bool {
        self.failures.get(&(source, None)).is_some_and(|failures| {
            failures.count >= MOST_FAILURES && now.saturating_duration_since(failures.last) < FAILURE_TIME
        })
    }

    /// Makes room: the old ones go, or if all are young, the oldest half.
    fn forget_failures(&mut self, now: Instant) {
        self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) < FAILURE_TIME);
        if self.failures.len() >= MOST_FAILED {
            let mut ages: Vec<_> = self.failures.values().map(|failures| failures.last).collect();
            ages.sort_unstable();
            if let Some(&middle) = ages.get(ages.len() / 2) {
                self.failures.retain(|_, failures| failures.last > middle);
            }
        }
    }
}

fn key(source: IpAddr, username: &str) -> (IpAddr, Option<String>) {
    (prefix(source), Some(username.chars().take(64).collect()))
}

/// Who has one IPv6 address has 2^64 of them.
fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_flood_passes_at_its_rate_and_others_are_not_touched() {
        let start = Instant::now();
        let mut sources = Sources::new();
        let passed = (0..20_000_u64)
            .filter(|number| sources.admit(start + Duration::from_millis(number / 2), HERE, false))
            .count();
        assert!((400..=430).contains(&passed), "120 and 30 a second for ten seconds: {passed}");
        assert!(sources.admit(start, "192.0.2.2".parse().unwrap(), false));
    }

    #[test]
    fn the_tables_are_bounded() {
        let start = Instant::now();
        let mut sources = Sources::new();
        for number in 0..100_000_u32 {
            let source = IpAddr::from(std::net::Ipv4Addr::from(number));
            sources.admit(start, source, false);
            sources.failed(start + Duration::from_millis(number.into()), source, "ada");
        }
        assert!(sources.now.len() + sources.before.len() <= 2 * MOST_SOURCES);
        assert!(sources.failures.len() <= MOST_FAILED);
    }

    #[test]
    fn one_ipv6_customer_is_one_source() {
        let start = Instant::now();
        let mut sources = Sources::new();
        let passed = (0..1_000_u16)
            .filter(|&number| sources.admit(start, Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, number).into(), false))
            .count();
        assert_eq!(passed, 120);
    }

    #[test]
    fn guessing_gets_slower_and_then_hears_nothing() {
        let start = Instant::now();
        let mut sources = Sources::new();
        for _ in 0..3 {
            assert!(sources.may_try(start, HERE, "ada"));
            sources.failed(start, HERE, "ada");
        }
        assert!(!sources.may_try(start, HERE, "ada"));
        assert!(sources.may_try(start, HERE, "bo"), "another phone of the same office");
        assert!(sources.may_try(start + Duration::from_secs(1), HERE, "ada"));
        for _ in 0..7 {
            assert!(sources.admit(start, HERE, false));
            sources.failed(start, HERE, "bo");
        }
        assert!(!sources.admit(start, HERE, false), "ten wrong passwords");
        assert!(sources.admit(start, HERE, true), "phones that have registered from there go on");
        assert!(sources.admit(start + FAILURE_TIME, HERE, false));
    }

    #[test]
    fn a_trunk_is_shed_above_its_rate_and_taken_within_it() {
        let start = Instant::now();
        let mut sources = Sources::new();
        let taken =
            (0..1_000_u64).filter(|it| sources.admit_trunk(start + Duration::from_millis(*it), "t", 10)).count();
        assert!((19..=20).contains(&taken), "{taken}");
        assert!((0..1_000).all(|_| sources.admit_trunk(start, "free", 0)));
    }
}
