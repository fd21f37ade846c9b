//! Free ports on loopback: the usual one, or the next that nobody uses.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

use anyhow::{Context, Result};

/// How many ports after the usual one are tried.
const TRIES: u16 = 50;

/// Where `trunk serve` serves the panel: kept free for it, also when the server has to look for another port.
pub(crate) const TRUNK: u16 = 8_081;

/// What a port is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// HTTP.
    Tcp,
    /// WebRTC.
    Udp,
    /// SIP, which is one port number on both.
    Both,
}

/// The usual port, or the next free one.
pub(crate) fn free(usual: u16, wanted: Use) -> Result<u16> {
    (usual..usual.saturating_add(TRIES))
        .find(|port| *port != TRUNK && is_free(*port, wanted))
        .with_context(|| format!("no free port from {usual} to {}", usual.saturating_add(TRIES - 1)))
}

/// A block of `count` ports for RTP, from `usual` in steps of the block's size.
pub(crate) fn free_block(usual: u16, count: u16) -> Result<RangeInclusive<u16>> {
    (usual..=65_535 - count)
        .step_by(usize::from(count))
        .map(|first| first..=first + count - 1)
        .find(|block| block.clone().all(|port| is_free(port, Use::Udp)))
        .with_context(|| format!("no {count} free UDP ports in a row from {usual}"))
}

fn is_free(port: u16, wanted: Use) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    match wanted {
        Use::Tcp => TcpListener::bind(address).is_ok(),
        Use::Udp => UdpSocket::bind(address).is_ok(),
        Use::Both => TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_passed_over() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();

        let other = free(port, Use::Both).unwrap();

        assert!(other > port);
    }

    #[test]
    fn the_port_of_trunk_is_left_to_it() {
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, TRUNK - 1));

        let other = free(TRUNK - 1, Use::Tcp).unwrap();

        assert!(other > TRUNK);
    }

    #[test]
    fn a_block_holds_no_busy_port() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();

        let block = free_block(port.saturating_sub(3), 8).unwrap();

        assert!(!block.contains(&port));
        assert_eq!(block.count(), 8);
    }
}
