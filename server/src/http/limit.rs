//! Rate limits (`availability-and-panel.md` section 6.6): a token bucket per caller and kind of request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderName, HeaderValue};
use cordboard_shared::api::limits::LimitView;
use cordboard_shared::id::AgentId;
use cordboard_shared::{Millis, ProblemCode};
use uuid::Uuid;

use super::ApiError;
use crate::config::Limits;

/// Buckets kept before full ones are dropped: full buckets say nothing that is not the default.
const MOST: usize = 16_384;
/// One request, in the thousandths a bucket counts in.
const WHOLE: i64 = 1_000;

/// What is counted, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Writes of one token or sign-in.
    Writes(Uuid),
    /// Reads of single things.
    Reads(Uuid),
    /// Reads of lists.
    Lists(Uuid),
    /// Changes of one person's presence.
    Changes(AgentId),
    /// Wrong passwords from one address.
    PasswordsFrom(IpAddr),
    /// Wrong passwords for one email.
    PasswordsFor(String),
    /// Links opened from one address.
    LinksFrom(IpAddr),
}

impl Key {
    /// Whether it keeps somebody from guessing, which no setting switches off.
    fn guards_passwords(&self) -> bool {
        match self {
            Self::PasswordsFrom(_) | Self::PasswordsFor(_) | Self::LinksFrom(_) => true,
            Self::Writes(_) | Self::Reads(_) | Self::Lists(_) | Self::Changes(_) => false,
        }
    }
}

/// How much of a bucket is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    name: &'static str,
    /// 0 when limits are off.
    per_minute: u32,
    remaining: i64,
    /// Seconds until the bucket is full again.
    reset: i64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request that may still be made.
    level: i64,
    at: Millis,
}

#[derive(Clone, Copy)]
struct Rule {
    name: &'static str,
    per_minute: u32,
    burst: u32,
}

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<HashMap<Key, Bucket>>);

impl Limiter {
    /// Takes one request out of the bucket, or refuses it.
    pub(super) fn take(&self, key: Key, limits: &Limits, now: Millis) -> Result<Left, ApiError> {
        let rule = rule(&key, limits);
        if limits.off && !key.guards_passwords() {
            return Ok(Left { name: rule.name, per_minute: 0, remaining: 0, reset: 0 });
        }
        let flapping = matches!(key, Key::Changes(_));
        self.spend(key, rule, now).map_err(|wait| {
            let code = if flapping { ProblemCode::PresenceFlapping } else { ProblemCode::RateLimited };
            let detail = format!("Too many requests of this kind. Nothing was changed; try again in {wait} s.");
            let left = Left { name: rule.name, per_minute: rule.per_minute, remaining: 0, reset: wait };
            ApiError::new(code, detail).with("retry_after", wait).with_headers(left.headers())
        })
    }

    /// Puts a request back that turned out to change nothing.
    pub(super) fn put_back(&self, key: &Key) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(key) {
            bucket.level += WHOLE;
        }
    }

    /// What is left, without taking anything; nothing when limits are off.
    pub(super) fn look(&self, key: &Key, limits: &Limits, now: Millis) -> Option<LimitView> {
        if limits.off {
            return None;
        }
        let rule = rule(key, limits);
        let full = i64::from(rule.burst) * WHOLE;
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let level = buckets.get(key).map_or(full, |bucket| level(bucket, rule, now));
        Some(LimitView {
            name: rule.name.to_owned(),
            per_minute: rule.per_minute,
            burst: rule.burst,
            remaining: u32::try_from(level / WHOLE).unwrap_or_default(),
            reset: u32::try_from(reset(full - level, rule)).unwrap_or_default(),
        })
    }

    /// The error is the wait in seconds.
    fn spend(&self, key: Key, rule: Rule, now: Millis) -> Result<Left, i64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            // A bucket untouched for a minute is full under every rule whose burst is a minute's worth or less.
            buckets.retain(|_, bucket| now.since(bucket.at) < 60_000);
        }
        let full = i64::from(rule.burst) * WHOLE;
        let bucket = buckets.entry(key).or_insert(Bucket { level: full, at: now });
        let level = level(bucket, rule, now);
        bucket.at = now;
        bucket.level = level;
        let rate = i64::from(rule.per_minute);
        if level < WHOLE {
            // Thousandths grow by rate × WHOLE / 60 a second.
            return Err(((WHOLE - level) * 60).div_euclid(rate * WHOLE) + 1);
        }
        bucket.level -= WHOLE;
        let missing = full - bucket.level;
        Ok(Left {
            name: rule.name,
            per_minute: rule.per_minute,
            remaining: bucket.level / WHOLE,
            reset: reset(missing, rule),
        })
    }
}

impl Left {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Self { name, per_minute, remaining, reset } = self;
        if *per_minute == 0 {
            return Vec::new();
        }
        [
            (HeaderName::from_static("ratelimit-policy"), format!("\"{name}\";q={per_minute};w=60")),
            (HeaderName::from_static("ratelimit"), format!("\"{name}\";r={remaining};t={reset}")),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)))
        .collect()
    }
}

/// Seconds until so many thousandths have grown again.
fn reset(missing: i64, rule: Rule) -> i64 {
    let rate = i64::from(rule.per_minute) * WHOLE;
    (missing * 60 + rate - 1) / rate
}

fn level(bucket: &Bucket, rule: Rule, now: Millis) -> i64 {
    let elapsed = i64::try_from(now.since(bucket.at)).unwrap_or(i64::MAX);
    let grown = elapsed.saturating_mul(i64::from(rule.per_minute) * WHOLE) / 60_000;
    bucket.level.saturating_add(grown).min(i64::from(rule.burst) * WHOLE)
}

fn rule(key: &Key, limits: &Limits) -> Rule {
    match key {
        Key::Writes(_) => Rule { name: "writes", per_minute: limits.writes_per_minute, burst: limits.writes_burst },
        Key::Reads(_) => Rule { name: "reads", per_minute: limits.reads_per_minute, burst: limits.reads_per_minute },
        Key::Lists(_) => Rule { name: "lists", per_minute: limits.lists_per_minute, burst: limits.lists_per_minute },
        Key::Changes(_) => Rule { name: "changes", per_minute: limits.changes_per_minute, burst: limits.changes_burst },
        Key::LinksFrom(_) => {
            Rule { name: "links", per_minute: limits.writes_per_minute, burst: limits.writes_per_minute }
        }
        Key::PasswordsFrom(_) | Key::PasswordsFor(_) => Rule {
            name: "passwords",
            per_minute: limits.wrong_passwords_per_minute,
            burst: limits.wrong_passwords_per_minute,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    fn writes() -> Key {
        Key::Writes(Uuid::nil())
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limiter = Limiter::default();
        let limits = Limits::default();
        let passed = (0..100).filter(|_| limiter.take(writes(), &limits, START).is_ok()).count();
        assert_eq!(passed, 20);

        // 120 a minute are two a second.
        let later = START + 1_000;
        let passed = (0..100).filter(|_| limiter.take(writes(), &limits, later).is_ok()).count();
        assert_eq!(passed, 2);
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_others_are_not_touched() {
        let limiter = Limiter::default();
        let limits = Limits { writes_per_minute: 6, writes_burst: 1, ..Limits::default() };
        let left = limiter.take(writes(), &limits, START).unwrap();
        assert_eq!(left.headers()[1].1, "\"writes\";r=0;t=10");

        let refused = limiter.take(writes(), &limits, START).unwrap_err();

        assert_eq!(refused.problem().code(), Some(ProblemCode::RateLimited));
        assert!(refused.problem().more["retry_after"].as_i64().unwrap() >= 10);
        assert!(limiter.take(Key::Writes(Uuid::max()), &limits, START).is_ok());
        assert!(limiter.take(writes(), &limits, START + 11_000).is_ok());
    }

    #[test]
    fn looking_takes_nothing_and_off_is_off_but_for_guesses() {
        let limiter = Limiter::default();
        let limits = Limits { writes_burst: 2, ..Limits::default() };
        limiter.take(writes(), &limits, START).unwrap();
        for _ in 0..2 {
            let seen = limiter.look(&writes(), &limits, START).unwrap();
            assert_eq!((seen.name.as_str(), seen.remaining, seen.burst, seen.reset), ("writes", 1, 2, 1));
        }

        let off = Limits { off: true, wrong_passwords_per_minute: 1, ..limits };
        for _ in 0..100 {
            assert!(limiter.take(writes(), &off, START).unwrap().headers().is_empty());
        }
        assert!(limiter.look(&writes(), &off, START).is_none());
        let guesses = Key::PasswordsFor("a@b.example".to_owned());
        limiter.take(guesses.clone(), &off, START).unwrap();
        assert!(limiter.take(guesses, &off, START).is_err());
    }

    #[test]
    fn what_changed_nothing_is_put_back() {
        let limiter = Limiter::default();
        let limits = Limits { changes_burst: 1, ..Limits::default() };
        let key = Key::Changes(AgentId::demo(1));
        limiter.take(key.clone(), &limits, START).unwrap();
        assert!(limiter.take(key.clone(), &limits, START).is_err());

        limiter.put_back(&key);

        assert!(limiter.take(key.clone(), &limits, START).is_ok());
        let refused = limiter.take(key, &limits, START).unwrap_err();
        assert_eq!(refused.problem().code(), Some(ProblemCode::PresenceFlapping));
    }
}
