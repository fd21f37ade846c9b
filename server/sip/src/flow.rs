//! Where a message came from or goes to: transport, remote address, and the connection if there is one.

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

    /// The value of a `transport` URI parameter; UDP is what its absence means.
    pub fn uri_param(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Tcp => Some("tcp"),
            Self::Tls => Some("tls"),
        }
    }

    /// The port that is meant when none is written (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// One connection of the shell, by a number the shell chose; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// Where bytes are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A datagram, from the socket of the address's family.
    Udp(SocketAddr),
    /// A TCP connection to this address: the one that is there or being made, else a new one.
    Tcp(SocketAddr),
    /// The same inside TLS.
    Tls {
        /// The address.
        address: SocketAddr,
        /// The name the certificate must bear; without one its address.
        server_name: Option<String>,
    },
    /// A connection that is open.
    Flow(FlowId),
}

impl Target {
    /// The address that is meant, but for a connection: that has its own.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp(address) | Self::Tcp(address) | Self::Tls { address, .. } => Some(*address),
            Self::Flow(_) => None,
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

/// A TLS server name, kept once by the endpoint, so that a flow stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(pub(crate) u32);

/// One direction to the far side: what a reply or an in-dialog request is sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The far side's address; once the connection is gone, where a new one is made to.
    pub remote: SocketAddr,
    /// The connection.
    pub stream: Option<FlowId>,
    /// The name a new TLS connection asks for.
    pub(crate) name: Option<NameId>,
}

impl Flow {
    /// A flow over UDP.
    pub fn udp(remote: SocketAddr) -> Self {
        Self::to(Transport::Udp, remote)
    }

    /// A flow that no connection stands for yet.
    pub(crate) fn to(transport: Transport, remote: SocketAddr) -> Self {
        Self { transport, remote, stream: None, name: None }
    }

    /// The flow to another address of the same far side: a Contact, or a Route.
    ///
    /// A connection that is there is used again if it leads to the same machine (RFC 5923 in spirit); a name that was
    /// verified is verified again.
    pub(crate) fn toward(self, transport: Option<Transport>, remote: SocketAddr) -> Self {
        let transport = transport.unwrap_or(self.transport);
        let stream = self.stream.filter(|_| transport == self.transport && remote.ip() == self.remote.ip());
        let name = self.name.filter(|_| transport == Transport::Tls);
        Self { transport, remote, stream, name }
    }

    /// A flow over a connection.
    pub(crate) fn stream(transport: Transport, remote: SocketAddr, stream: FlowId) -> Self {
        Self { transport, remote, stream: Some(stream), name: None }
    }
}

/// The addresses that Via and Contact name: one per transport and address family that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddresses {
    first: SocketAddr,
    by_transport: [[Option<SocketAddr>; 2]; 3],
}

impl LocalAddresses {
    /// Listening on UDP alone.
    pub fn udp(address: SocketAddr) -> Self {
        Self::only(Transport::Udp, address)
    }

    /// Listening on one transport alone.
    pub fn only(transport: Transport, address: SocketAddr) -> Self {
        Self { first: address, by_transport: [[None; 2]; 3] }.with(transport, address)
    }

    /// Listening there too.
    #[must_use]
    pub fn with(mut self, transport: Transport, address: SocketAddr) -> Self {
        self.by_transport[Self::row(transport)][usize::from(address.is_ipv6())] = Some(address);
        self
    }

    /// The address to name to this far side: of its family if there is one.
    pub fn toward(&self, transport: Transport, remote: SocketAddr) -> SocketAddr {
        let same = usize::from(remote.is_ipv6());
        let row = self.by_transport[Self::row(transport)];
        // Without a listener of that transport answers still come back on the connection itself.
        let any = || self.by_transport.iter().find_map(|row| row[same]).unwrap_or(self.first);
        row[same].or(row[1 - same]).unwrap_or_else(any)
    }

    /// Whether this transport is listened on.
    pub fn serves(&self, transport: Transport) -> bool {
        self.by_transport[Self::row(transport)].iter().any(Option::is_some)
    }

    fn row(transport: Transport) -> usize {
        match transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
        }
    }
}

impl From<SocketAddr> for LocalAddresses {
    fn from(address: SocketAddr) -> Self {
        Self::udp(address)
    }
}
