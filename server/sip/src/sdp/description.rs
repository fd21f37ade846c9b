//! The parts of a session description that telephony uses; the rest is passed over when read.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::SdpError;

/// Which way media flows, from the describing side's view (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Only from the describing side.
    SendOnly,
    /// Only to the describing side.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same seen from the other side; the widest answer to it (RFC 3264 §6.1).
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    /// Whether the describing side sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describing side wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// A `c=` line. A name instead of an address is kept, but nothing is sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    Address(IpAddr),
    /// A host name, as written after the address type.
    Name(String),
}

impl Connection {
    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

/// One m-line with its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …
    pub kind: String,
    /// 0 refuses it.
    pub port: u16,
    /// `RTP/AVP` …
    pub protocol: String,
    /// Payload types or other formats, preferred first.
    pub formats: Vec<String>,
    /// Its own `c=` line.
    pub connection: Option<Connection>,
    /// `a=` lines as written, without direction.
    pub attributes: Vec<String>,
    /// Its own direction attribute.
    pub direction: Option<Direction>,
}

impl Media {
    /// What `a=rtpmap` says of a payload type, as in `telephone-event/8000`.
    pub fn rtpmap(&self, payload_type: u8) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| {
            let (number, encoding) = attribute.strip_prefix("rtpmap:")?.split_once(' ')?;
            (number.parse() == Ok(payload_type)).then_some(encoding.trim())
        })
    }
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// Session id of `o=`.
    pub session_id: u64,
    /// Version of `o=`; rises with each change.
    pub version: u64,
    /// The address in `o=`, as written after the address type.
    pub origin: String,
    /// The `c=` line of the session.
    pub connection: Option<Connection>,
    /// The direction of all m-lines that do not say theirs.
    pub direction: Option<Direction>,
    /// `a=` lines of the session as written, without direction.
    pub attributes: Vec<String>,
    /// The m-lines in order; answers keep it.
    pub media: Vec<Media>,
}

impl SessionDescription {
    /// Reads a description. Line ends may be LF alone; unknown lines are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        super::parse::parse(bytes)
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// The direction of an m-line; `sendrecv` if nothing is said.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or(Direction::SendRecv)
    }

    /// The connection of an m-line.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }
}

impl FromStr for SessionDescription {
    type Err = SdpError;

    fn from_str(text: &str) -> Result<Self, SdpError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no=- {} {} IN {} {}\r\n", self.session_id, self.version, kind(&self.origin), self.origin)?;
        f.write_str("s=-\r\n")?;
        write_connection(f, self.connection.as_ref())?;
        f.write_str("t=0 0\r\n")?;
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        for attribute in &self.attributes {
            write!(f, "a={attribute}\r\n")?;
        }
        for media in &self.media {
            write!(f, "m={} {} {} {}\r\n", media.kind, media.port, media.protocol, media.formats.join(" "))?;
            write_connection(f, media.connection.as_ref())?;
            for attribute in &media.attributes {
                write!(f, "a={attribute}\r\n")?;
            }
            if let Some(direction) = media.direction {
                write!(f, "a={}\r\n", direction.name())?;
            }
        }
        Ok(())
    }
}

fn write_connection(f: &mut fmt::Formatter<'_>, connection: Option<&Connection>) -> fmt::Result {
    match connection {
        Some(Connection::Address(IpAddr::V4(ip))) => write!(f, "c=IN IP4 {ip}\r\n"),
        Some(Connection::Address(IpAddr::V6(ip))) => write!(f, "c=IN IP6 {ip}\r\n"),
        Some(Connection::Name(name)) => write!(f, "c=IN IP4 {name}\r\n"),
        None => Ok(()),
    }
}

fn kind(address: &str) -> &'static str {
    if address.contains(':') { "IP6" } else { "IP4" }
}
