//! Wall-clock time as all tiers record it.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the Unix epoch, UTC. In JSON an RFC 3339 string with three decimals and `Z`.
///
/// Also the clock of the pure cores that run in the browser, where `std::time::Instant` cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// The time between an earlier instant and this one; zero when the clock went backwards.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl Add<u64> for Millis {
    type Output = Self;

    /// This instant moved forward by `millis` milliseconds.
    fn add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

impl Sub<u64> for Millis {
    type Output = Self;

    /// This instant moved back by `millis` milliseconds.
    fn sub(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000) else {
            return write!(f, "{}ms", self.0);
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

/// The text is no RFC 3339 date and time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time")]
pub struct ParseTimeError;

impl std::str::FromStr for Millis {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ParseTimeError)?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000_000).map(Self).map_err(|_| ParseTimeError)
    }
}

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_three_decimals_and_z_and_reads_any_offset() {
        let at = Millis(1_795_249_931_204);
        let text = at.to_string();

        assert_eq!(text.parse::<Millis>().unwrap(), at);
        assert_eq!(&text[19..], ".204Z");
        assert_eq!("1970-01-01T01:00:00+01:00".parse::<Millis>().unwrap(), Millis(0));
        assert!("yesterday".parse::<Millis>().is_err());
    }
}
