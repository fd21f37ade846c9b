//! Sockets of media: the one of the browsers, and pairs from a range for the phones.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

/// A burst of a thousand calls fits in; the system may grant less.
const WEBRTC_BUFFER: usize = 4 << 20;

/// Some seconds of one call.
const RTP_BUFFER: usize = 256 << 10;

/// The RTP socket of a phone leg and the RTCP socket next to it (RFC 3550 §11).
#[derive(Debug)]
pub(super) struct RtpSockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) port: u16,
}

/// Gives out pairs of ports, each after all the others, so that a late packet of an ended call meets nobody.
#[derive(Debug)]
pub(super) struct PortRange {
    ip: IpAddr,
    /// The first even port and the number of pairs.
    first: u16,
    pairs: u16,
    next: u16,
}

impl PortRange {
    pub(super) fn new(ip: IpAddr, ports: &RangeInclusive<u16>) -> Self {
        let first = ports.start().saturating_add(ports.start() % 2);
        let pairs = (u32::from(*ports.end()) + 1).saturating_sub(u32::from(first)) / 2;
        Self { ip, first, pairs: u16::try_from(pairs).unwrap_or(u16::MAX), next: 0 }
    }

    /// Binds the next pair that is free.
    pub(super) fn open(&mut self) -> io::Result<RtpSockets> {
        let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the range of RTP ports has no pair of ports");
        for _ in 0..self.pairs {
            let port = self.first + self.next * 2;
            self.next = (self.next + 1) % self.pairs;
            let bound = bind(SocketAddr::new(self.ip, port), RTP_BUFFER).and_then(|rtp| {
                let rtcp = bind(SocketAddr::new(self.ip, port + 1), RTP_BUFFER)?;
                Ok(RtpSockets { rtp, rtcp, port })
            });
            match bound {
                Ok(sockets) => return Ok(sockets),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The socket of all browser legs.
pub(super) fn bind_webrtc(address: SocketAddr) -> io::Result<UdpSocket> {
    bind(address, WEBRTC_BUFFER)
}

fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Smaller buffers than wished for are no reason to fail.
    let granted = socket.set_recv_buffer_size(buffer).and_then(|()| socket.set_send_buffer_size(buffer));
    if let Err(error) = granted {
        tracing::debug!(%error, %address, "socket buffers stay as they are");
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// The addresses browsers are told to send to.
pub(super) fn candidates(bound: SocketAddr, external: Option<IpAddr>) -> Vec<SocketAddr> {
    let mut ips = Vec::from_iter(external);
    if !bound.ip().is_unspecified() {
        ips.push(bound.ip());
    } else if external.is_none() {
        ips.extend(own_ip(bound.ip()));
        // For a browser on this machine, when it has no network.
        ips.push(match bound.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for ip in ips {
        let address = SocketAddr::new(ip, bound.port());
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// The address phones are told to send to.
pub(super) fn advertised(bound: IpAddr, external: Option<IpAddr>) -> IpAddr {
    match external {
        Some(external) => external,
        None if bound.is_unspecified() => own_ip(bound).unwrap_or(Ipv4Addr::LOCALHOST.into()),
        None => bound,
    }
}

/// The address of this machine from which the internet is reached. Connecting a UDP socket sends nothing: the system
/// only looks up the route to an address kept for documentation.
fn own_ip(family: IpAddr) -> Option<IpAddr> {
    let (any, far): (SocketAddr, SocketAddr) = match family {
        IpAddr::V4(_) => ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 9).into()),
        IpAddr::V6(_) => {
            ((Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into())
        }
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn pairs_begin_even_and_none_is_given_twice_in_a_row() {
        let mut range = PortRange::new(LOCAL, &(29_001..=29_007));
        let one = range.open().unwrap();
        let port = one.port;
        drop(one);
        let other = range.open().unwrap();

        assert!(port.is_multiple_of(2) && port >= 29_002);
        assert_ne!(port, other.port);
        assert_eq!(other.rtcp.local_addr().unwrap().port(), other.port + 1);
    }

    #[test]
    fn an_exhausted_and_an_empty_range_say_so() {
        let mut range = PortRange::new(LOCAL, &(29_010..=29_013));
        let held = (range.open().unwrap(), range.open().unwrap());
        assert_eq!(range.open().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(held);
        assert!(range.open().is_ok());
        for ports in [29_011..=29_011, 5..=5, u16::MAX..=u16::MAX] {
            assert!(PortRange::new(LOCAL, &ports).open().is_err());
        }
    }

    #[test]
    fn candidates_are_the_addresses_others_can_use() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let external = Some("203.0.113.9".parse().unwrap());

        assert_eq!(candidates(at("127.0.0.1:8082"), None), [at("127.0.0.1:8082")]);
        assert_eq!(candidates(at("10.0.0.5:8082"), external), [at("203.0.113.9:8082"), at("10.0.0.5:8082")]);
        assert_eq!(candidates(at("0.0.0.0:8082"), external), [at("203.0.113.9:8082")]);
        assert!(candidates(at("0.0.0.0:8082"), None).contains(&at("127.0.0.1:8082")));
        assert_eq!(advertised(LOCAL, None), LOCAL);
        assert_eq!(Some(advertised(LOCAL, external)), external);
    }
}
