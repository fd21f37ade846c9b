//! Where a message came from or goes to: transport and remote address.
//!
//! Only UDP is carried today; the other kinds are named so that nothing above has to change when they come.

use std::net::SocketAddr;

/// A transport protocol below SIP (RFC 3261 §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams: SIP repeats what is lost.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what is lost (RFC 3261 §17: timers A, E, G and the linger timers depend on
    /// it).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The name in a Via header field.
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// One direction to the far side: what a reply or an in-dialog request is sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The far side's address.
    pub remote: SocketAddr,
}

impl Flow {
    /// A flow over UDP.
    pub fn udp(remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, remote }
    }
}
