//! Every id is its own type, so that an agent cannot be passed where a call is wanted.
//!
//! Ids are UUIDs; new ones are version 7 and sort by the time they were made. A [`CallId`] prints as the
//! 26 characters of a ULID, which people can read out and paste.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Millis;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id from the time it is made at and ten random bytes.
            pub fn new(now: Millis, random: [u8; 10]) -> Self {
                Self(uuid_v7(now, random))
            }

            /// The id with the given last four hexadecimal digits in the range the demo company uses.
            pub const fn demo(last: u16) -> Self {
                Self(Uuid::from_u128(0x5f0c_0000_0000_4000_8000_0000_0000_0000 | last as u128))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

uuid_ids! {
    /// A company: the tenant everything else belongs to.
    AccountId,
    /// A person with a login who may also be rung; one id for the user and the agent.
    AgentId,
    /// A group of agents with a ring strategy.
    DepartmentId,
    /// A telephone number of the account.
    NumberId,
    /// A call flow.
    FlowId,
    /// A SIP trunk.
    TrunkId,
    /// One leg of a call: the caller's, an agent's browser, a desk phone.
    LegId,
    /// One call offered to one agent.
    OfferId,
    /// A voicemail message or a call recording.
    RecordingId,
    /// A file of the audio library.
    AudioId,
    /// A conversion of an audio file that runs or has run.
    AudioJobId,
    /// A signed-in panel.
    SessionId,
    /// An API token (`tid` in its payload).
    TokenId,
    /// An emergency route.
    EmergencyId,
    /// A text message.
    MessageId,
    /// A request, as named in `instance` of an error and in the `Request-Id` header.
    RequestId,
}

/// A call, one id over all its legs. Text form: the 26 Crockford base-32 characters of a ULID, which sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub Uuid);

impl CallId {
    /// A new id from the time it is made at and ten random bytes.
    pub fn new(now: Millis, random: [u8; 10]) -> Self {
        Self(uuid_v7(now, random))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ulid::Ulid(self.0.as_u128()), f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

impl FromStr for CallId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ulid::Ulid::from_string(text).map(|ulid| Self(Uuid::from_u128(ulid.0)))
    }
}

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn uuid_v7(now: Millis, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_sort_by_time_as_text_and_round_trip() {
        let early = CallId::new(Millis(1_000), [0xff; 10]);
        let late = CallId::new(Millis(2_000), [0; 10]);

        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().len(), 26);
        assert_eq!(early.to_string().parse::<CallId>().unwrap(), early);
    }

    #[test]
    fn demo_ids_are_the_fixed_ones() {
        assert_eq!(AgentId::demo(0x21).to_string(), "5f0c0000-0000-4000-8000-000000000021");
    }
}
