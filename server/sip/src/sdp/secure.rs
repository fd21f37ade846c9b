//! Encrypted audio: by keys that stand in the description (RFC 4568), or by a handshake whose certificates it names
//! (RFC 5763). What a line says is for those to know who encrypt.

use std::net::SocketAddr;

use super::description::{Media, SessionDescription};

/// How the packets of an m-line are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Clear,
    /// By keys in the descriptions (`RTP/SAVP`, RFC 4568).
    Sdes,
    /// By keys of a DTLS handshake (`UDP/TLS/RTP/SAVP`, RFC 5764).
    Dtls,
}

/// What a description says of the keys of an m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keying {
    /// Values of `a=crypto`, preferred first. An answer has one.
    Sdes(Vec<String>),
    /// Whose certificate to expect.
    Dtls(DtlsDescription),
}

/// What a description says of a DTLS handshake (RFC 8842 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsDescription {
    /// Values of `a=fingerprint` (RFC 8122 §5), as in `sha-256 4A:AD:…`.
    pub fingerprints: Vec<String>,
    /// Who begins.
    pub setup: Setup,
    /// The value of `a=tls-id`: with another one, the association is another (RFC 8842 §4).
    pub tls_id: Option<String>,
}

/// Who begins a handshake, as the describing side sees it (`a=setup`, RFC 4145 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The describing side.
    Active,
    /// The other side.
    Passive,
    /// Whichever the answer says.
    Actpass,
    /// Nobody for now.
    Holdconn,
}

/// Gives our keys in answer to theirs, which come from that address; `None` when they cannot be used.
pub type AnswerKeys<'a> = &'a mut dyn FnMut(&Keying, SocketAddr) -> Option<Keying>;

/// Which audio of an offer is taken.
pub enum Secrecy<'a> {
    /// In the clear alone.
    Plain,
    /// Whichever the offer names first.
    Either(AnswerKeys<'a>),
    /// Encrypted alone.
    Required(AnswerKeys<'a>),
}

impl Secrecy<'_> {
    pub(super) fn takes(&self, media: &Media) -> bool {
        match self {
            Self::Plain => !media.is_secure(),
            Self::Either(_) => true,
            Self::Required(_) => media.is_secure(),
        }
    }

    /// Our keys in answer to those of an m-line.
    pub(super) fn keys(&mut self, theirs: &Keying, remote: SocketAddr) -> Option<Keying> {
        match self {
            Self::Plain => None,
            Self::Either(keys) | Self::Required(keys) => keys(theirs, remote),
        }
    }
}

impl Setup {
    const ALL: [Self; 4] = [Self::Active, Self::Passive, Self::Actpass, Self::Holdconn];

    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
            Self::Holdconn => "holdconn",
        }
    }
}

impl Keying {
    /// How packets are protected by it.
    pub fn protection(&self) -> Protection {
        match self {
            Self::Sdes(_) => Protection::Sdes,
            Self::Dtls(_) => Protection::Dtls,
        }
    }

    /// The profile of m-lines with it.
    pub(super) fn profile(&self) -> &'static str {
        match self {
            Self::Sdes(_) => "RTP/SAVP",
            Self::Dtls(_) => "UDP/TLS/RTP/SAVP",
        }
    }

    /// The attributes that say it.
    pub(super) fn attributes(&self) -> Vec<String> {
        match self {
            Self::Sdes(lines) => lines.iter().map(|line| format!("crypto:{line}")).collect(),
            Self::Dtls(dtls) => {
                let mut all: Vec<_> = dtls.fingerprints.iter().map(|value| format!("fingerprint:{value}")).collect();
                all.push(format!("setup:{}", dtls.setup.name()));
                all.extend(dtls.tls_id.iter().map(|id| format!("tls-id:{id}")));
                all
            }
        }
    }
}

impl Media {
    /// The values of its `a=crypto` lines, preferred first.
    pub fn crypto(&self) -> impl Iterator<Item = &str> {
        self.values("crypto:")
    }

    /// Whether control packets may go with the sound (RFC 5761 §5.1.1).
    pub fn is_mux(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.trim() == "rtcp-mux")
    }

    /// RFC 4568 §3.2: keys in a description are those of the secure profiles; elsewhere they mean nothing.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.protocol.as_str(), "RTP/SAVP" | "RTP/SAVPF") || self.is_by_handshake()
    }

    fn is_by_handshake(&self) -> bool {
        matches!(self.protocol.as_str(), "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF")
    }

    /// RFC 3264 §5.1: an m-line with port 0 is not offered at all; only RTP is spoken on telephone legs.
    pub(super) fn is_telephone_audio(&self) -> bool {
        let plain = matches!(self.protocol.as_str(), "RTP/AVP" | "RTP/AVPF");
        self.kind == "audio" && self.port != 0 && (plain || self.is_secure())
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.attributes, name)
    }
}

impl SessionDescription {
    /// What it says of the keys of an m-line; nothing when that is in the clear. What the m-line does not say, the session
    /// may (RFC 8122 §5, RFC 4145 §4).
    pub fn keying_of(&self, media: &Media) -> Option<Keying> {
        if !media.is_secure() {
            return None;
        }
        let mut fingerprints = all_of(&media.attributes, "fingerprint:");
        if fingerprints.is_empty() {
            fingerprints = all_of(&self.attributes, "fingerprint:");
        }
        // Before RFC 5764 had its profile some said `RTP/SAVP` for both.
        let by_handshake = media.is_by_handshake() || (!fingerprints.is_empty() && media.crypto().next().is_none());
        if !by_handshake {
            return Some(Keying::Sdes(media.crypto().map(str::to_owned).collect()));
        }
        let first = |name| values(&media.attributes, name).chain(values(&self.attributes, name)).next();
        let setup = first("setup:").and_then(|name| Setup::ALL.into_iter().find(|known| known.name() == name));
        // RFC 4145 §4: the default is active in an offer. In an answer of DTLS it must be said (RFC 5763 §5).
        let setup = setup.unwrap_or(Setup::Active);
        let tls_id = first("tls-id:").map(str::to_owned);
        Some(Keying::Dtls(DtlsDescription { fingerprints, setup, tls_id }))
    }

    /// How packets of an m-line are protected.
    pub(super) fn protection_of(&self, media: &Media) -> Protection {
        self.keying_of(media).map_or(Protection::Clear, |keying| keying.protection())
    }
}

fn values<'a>(attributes: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter_map(move |attribute| attribute.strip_prefix(name)).map(str::trim)
}

fn all_of(attributes: &[String], name: &str) -> Vec<String> {
    values(attributes, name).map(str::to_owned).collect()
}

/// The keys of the audio that an answer accepts; nothing when it is in the clear.
pub fn accepted_keys(answer: &SessionDescription) -> Option<Keying> {
    answer.media.iter().find(|media| media.is_telephone_audio()).and_then(|media| answer.keying_of(media))
}
