//! How an account is connected to the telephone network: outgoing calls, desk phones, mobiles, recordings.
//!
//! One document with a version, like the routing policy: a change is a new version of all of it.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TrunkId};
use crate::phone::E164;

/// The telephony settings of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telephony {
    /// Rises with each change.
    pub version: u64,
    /// The trunks: whom calls are taken from.
    #[serde(default)]
    pub trunks: Vec<Trunk>,
    /// Trunks calls go out by, in the order they are tried.
    #[serde(default)]
    pub outbound: Vec<OutboundTrunk>,
    /// What is asked of trunks that calls come by; those not named have the defaults.
    #[serde(default)]
    pub inbound: Vec<InboundTrunk>,
    /// Desk phones that may register.
    #[serde(default)]
    pub phones: Vec<Phone>,
    /// Mobiles calls may be forwarded to.
    #[serde(default)]
    pub mobiles: Vec<Mobile>,
    /// What may go out.
    #[serde(default)]
    pub guard: Guard,
    /// Whether callers may dial `number,extension`.
    #[serde(default)]
    pub direct_dialing: bool,
    /// What a call may be filed under.
    #[serde(default)]
    pub dispositions: Vec<String>,
    /// Said to both sides before a conversation is recorded; none is the language's `recorded` prompt.
    #[serde(default)]
    pub recording_announcement: Option<String>,
    /// A leg that is silent (not a single packet) for so long ends its call, in seconds (10 to 600); a held leg does not
    /// count.
    #[serde(default = "silence_seconds")]
    pub silence_seconds: u32,
    /// Private networks (as in `10.1.0.0/16` or `127.0.0.1`) that webhooks of flows may be in, and be asked over plain
    /// HTTP; none at first: a webhook is asked over HTTPS, at a public address.
    #[serde(default)]
    pub webhook_networks: Vec<String>,
    /// What browsers speak.
    #[serde(default)]
    pub browser_codec: SoundCodec,
    /// What trunks and desk phones may speak: with Opus it is taken from those who like it best, and offered after G.711.
    #[serde(default)]
    pub phone_codec: SoundCodec,
    /// Further header fields of an INVITE that go from one leg of a call to the other, such as `X-Customer-Id`: names that
    /// begin with `X-`, at most 16.
    #[serde(default)]
    pub relay_headers: Vec<String>,
}

impl Default for Telephony {
    fn default() -> Self {
        Self {
            version: 1,
            trunks: Vec::new(),
            outbound: Vec::new(),
            inbound: Vec::new(),
            phones: Vec::new(),
            mobiles: Vec::new(),
            guard: Guard::default(),
            direct_dialing: false,
            dispositions: Vec::new(),
            recording_announcement: None,
            silence_seconds: silence_seconds(),
            webhook_networks: Vec::new(),
            browser_codec: SoundCodec::G711,
            phone_codec: SoundCodec::G711,
            relay_headers: Vec::new(),
        }
    }
}

fn silence_seconds() -> u32 {
    30
}

/// A codec of browsers, trunks and phones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoundCodec {
    /// G.711, the telephone network's: passes through unchanged.
    #[default]
    G711,
    /// Opus (RFC 6716): bears bad networks, and is transcoded where the other side has G.711.
    Opus,
}

/// Whether the sound of a trunk's or phone's calls is encrypted (SRTP), and where the keys come from.
///
/// Encrypted sound that the far side offers is taken in any case. Keys in SDP (SDES, RFC 4568) stand in SIP: whoever can
/// read that can listen, so they are worth something over TLS alone. Those of a handshake (DTLS-SRTP, RFC 5764) are seen
/// by nobody; only who can change SIP can come between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// What we offer is in the clear (`RTP/AVP`).
    #[default]
    Off,
    /// What we offer is encrypted alone, with keys in SDP (`RTP/SAVP`), and an offer in the clear is refused with 488.
    Required,
    /// What we offer is encrypted alone, with keys of a handshake (`UDP/TLS/RTP/SAVP`), and any other offer is refused
    /// with 488.
    Dtls,
}

/// A SIP trunk of the account: a carrier, or a switch of one's own, that calls come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its id.
    pub id: TrunkId,
    /// Its name.
    pub name: String,
    /// Addresses and networks (as in `203.0.113.7` or `198.51.100.0/24`) calls are taken from; none when its password alone
    /// tells who it is.
    pub addresses: Vec<String>,
    /// What it must prove (digest, RFC 3261 §22). With addresses both must fit.
    #[serde(default)]
    pub credentials: Option<TrunkCredentials>,
    /// Calls at once (1 to 10,000); one more is answered by 486.
    pub max_calls: u32,
    /// Requests a second that are taken (1 to 10,000); more are answered by 503, and the trunk is never banned.
    #[serde(default = "requests_per_second")]
    pub requests_per_second: u32,
}

/// What a trunk may send a second unless somebody says otherwise.
pub const REQUESTS_PER_SECOND: u32 = 500;

fn requests_per_second() -> u32 {
    REQUESTS_PER_SECOND
}

/// What is asked of a trunk that calls come by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundTrunk {
    /// The trunk.
    pub trunk: TrunkId,
    /// Whether its calls must be encrypted.
    #[serde(default)]
    pub encryption: Encryption,
}

/// A way out of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundTrunk {
    /// The trunk it belongs to.
    pub trunk: TrunkId,
    /// Where INVITEs are sent, in the order they are tried: `host:port`, with `;transport=tcp` or `;transport=tls`.
    pub targets: Vec<String>,
    /// Sign-in at the far side: in answer to 401 and 407, and for the registration.
    #[serde(default)]
    pub credentials: Option<TrunkCredentials>,
    /// Where to register; none for trunks that know our address.
    #[serde(default)]
    pub registrar: Option<String>,
    /// How often OPTIONS asks whether the far side is there, in seconds (10 to 600); 0 never.
    #[serde(default = "options_seconds")]
    pub options_seconds: u32,
    /// Whether calls by it are encrypted.
    #[serde(default)]
    pub encryption: Encryption,
}

fn options_seconds() -> u32 {
    30
}

/// Sign-in at a trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkCredentials {
    /// The user.
    pub username: String,
    /// The password; empty in answers, and empty in a change keeps the one that is there.
    #[serde(default)]
    pub password: String,
}

/// A desk phone's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The user part it registers with, as in `1001`.
    pub username: String,
    /// Whose it is.
    pub agent: AgentId,
    /// Whether calls ring it.
    #[serde(default = "yes")]
    pub rings: bool,
    /// Whether its calls are encrypted, both ways.
    #[serde(default)]
    pub encryption: Encryption,
}

/// A mobile calls are forwarded to: they ring it as a device of the person, under the rules of the path they came by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mobile {
    /// Whose it is.
    pub agent: AgentId,
    /// Its number.
    pub number: E164,
    /// Whether calls ring it.
    #[serde(default = "yes")]
    pub rings: bool,
}

fn yes() -> bool {
    true
}

/// What may go out. Everything is closed at first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Numbers that may be called begin with one of these, such as `+44`; none at first.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Numbers that may not, although a prefix above allows them, such as `+44909`.
    #[serde(default)]
    pub closed: Vec<String>,
    /// Outgoing calls at once (1 to 1,000).
    pub calls: u32,
    /// Outgoing calls a minute (1 to 1,000).
    pub per_minute: u32,
    /// Longest outgoing call, in minutes (1 to 1,440).
    pub minutes: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { prefixes: Vec::new(), closed: Vec::new(), calls: 10, per_minute: 30, minutes: 120 }
    }
}

impl Telephony {
    /// Whether calls that come by this trunk must be encrypted.
    pub fn inbound_encryption(&self, trunk: TrunkId) -> Encryption {
        self.inbound.iter().find(|it| it.trunk == trunk).map(|it| it.encryption).unwrap_or_default()
    }

    /// Whether calls of the phone with this user name must be encrypted.
    pub fn phone_encryption(&self, username: &str) -> Encryption {
        self.phones.iter().find(|it| it.username == username).map(|it| it.encryption).unwrap_or_default()
    }
}

impl Guard {
    /// Whether this number may be called at all.
    pub fn allows(&self, number: &E164) -> bool {
        let begins = |prefix: &String| !prefix.is_empty() && number.as_str().starts_with(prefix.as_str());
        self.prefixes.iter().any(begins) && !self.closed.iter().any(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_out_until_a_prefix_is_opened() {
        let number: E164 = "+442079460100".parse().unwrap();
        let mut guard = Guard::default();
        assert!(!guard.allows(&number));

        guard.prefixes = vec!["+44".to_owned(), String::new()];
        assert!(guard.allows(&number));
        assert!(!guard.allows(&"+12025550100".parse().unwrap()), "an empty prefix opens nothing");

        guard.closed = vec!["+44207946".to_owned()];
        assert!(!guard.allows(&number));
    }
}
