//! Versions and positions, as strings in bodies, headers and `ETag`s (`wire.md` section 1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The version of one agent's facts: `"<epoch>.<rev>"`. A higher epoch wins over any revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Rises only when a restore or failover may have lost commits.
    pub epoch: u32,
    /// Rises by one with each change of this agent.
    pub rev: u64,
}

/// A position in an account's change feed: `"<epoch>.<bucket>.<feed_seq>"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition {
    /// As in [`Version`].
    pub epoch: u32,
    /// The part of the account's agents; one bucket, `0`, for now.
    pub bucket: u32,
    /// Number of the last change included.
    pub seq: u64,
}

/// The text is no version or position.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version")]
pub struct ParseVersionError;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.rev)
    }
}

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.epoch, self.bucket, self.seq)
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, rev) = text.split_once('.').ok_or(ParseVersionError)?;
        Ok(Self { epoch: number(epoch)?, rev: number(rev)? })
    }
}

impl FromStr for FeedPosition {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(ParseVersionError);
        let position = Self { epoch: number(next()?)?, bucket: number(next()?)?, seq: number(next()?)? };
        if parts.next().is_some() { Err(ParseVersionError) } else { Ok(position) }
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, ParseVersionError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseVersionError);
    }
    text.parse().map_err(|_| ParseVersionError)
}

macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

serde_as_text!(Version, FeedPosition);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_beats_a_revision() {
        assert!("2.1".parse::<Version>().unwrap() > "1.999".parse::<Version>().unwrap());
    }

    #[test]
    fn nonsense_is_no_version() {
        for text in ["", "1", "1.", ".1", "1.x", "+1.2", "1.2.3"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert_eq!("1.0.88121".parse::<FeedPosition>().unwrap().seq, 88_121);
        assert!("1.0".parse::<FeedPosition>().is_err());
    }
}
