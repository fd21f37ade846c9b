//! Free ports on loopback, and blocks of them for RTP, so that journeys and other programs do not meet.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

/// Blocks are taken from here; below the range the system gives to outgoing connections.
const BLOCKS: RangeInclusive<u16> = 11_000..=32_000;
/// A step between two programs' first tries, so that test programs at work at once start apart.
const SPREAD: u32 = 97;

/// Where the next block is looked for in this program.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is free on TCP and on UDP.
pub fn free() -> Result<u16> {
    for _ in 0..100 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free on TCP and UDP")
}

/// `count` free UDP ports in a row, the first one even; never the same block twice in one program.
pub fn block(count: u16) -> Result<RangeInclusive<u16>> {
    let room = BLOCKS.end() - BLOCKS.start() - count;
    let start = u16::try_from(std::process::id().wrapping_mul(SPREAD) % u32::from(room)).unwrap_or(0);
    for _ in 0..1_000 {
        let offset = start.wrapping_add(NEXT.fetch_add(count.next_multiple_of(2), Ordering::Relaxed)) % room;
        let first = (BLOCKS.start() + offset).next_multiple_of(2);
        let block = first..=first + count - 1;
        if block.clone().all(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return Ok(block);
        }
    }
    None.with_context(|| format!("no {count} free UDP ports in a row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap() {
        let (one, two) = (block(20).unwrap(), block(20).unwrap());

        assert!(one.start() % 2 == 0 && two.start() % 2 == 0);
        assert!(one.clone().all(|port| !two.contains(&port)), "{one:?} and {two:?}");
    }
}
