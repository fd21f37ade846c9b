//! The sound of a browser, beside the library: with the keys of its handshake, packets are opened and sealed here. A packet
//! costs the library several walks through all that a connection could have; here it costs its cipher.
//!
//! The library keeps ICE and DTLS, and so who the browser is and at which address. What it would report of a stream that it
//! does not see is not sent: reports are made here.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::rtp::Extension;

use crate::leg::Packet;
use crate::packet::RtpPacket;
use crate::receive::Receiver;
use crate::reports::{Remote, Reporter, Reports};
use crate::rtcp;
use crate::srtp::SrtpSession;

/// The protection of one connection and what was counted on it.
pub(crate) struct Direct {
    srtp: SrtpSession,
    /// Where the library sends to, and as which stream; looked up on one packet of its own when that may have changed.
    way: Option<(SocketAddr, u32)>,
    /// Our stream, once it is known.
    ssrc: Option<u32>,
    reports: Reports,
}

/// What the answer says of the stream.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// What we are called in reports.
    name: String,
    /// The number under which the browser says how loud its packets are.
    level: Option<u8>,
}

impl Announced {
    pub(super) fn read(answer: &str) -> Self {
        let mut announced = Self::default();
        for line in answer.lines().map(str::trim_end) {
            if let Some((_, name)) = line.strip_prefix("a=ssrc:").and_then(|ssrc| ssrc.split_once(" cname:")) {
                name.clone_into(&mut announced.name);
            }
            if let Some((id, uri)) = line.strip_prefix("a=extmap:").and_then(|map| map.split_once(' '))
                && uri == Extension::AudioLevel.as_uri()
            {
                announced.level = id.split('/').next().and_then(|id| id.parse().ok());
            }
        }
        announced
    }
}

impl Direct {
    pub(super) fn new(now: Instant, srtp: SrtpSession) -> Self {
        Self { srtp, way: None, ssrc: None, reports: Reports::new(now) }
    }

    /// Whether the library is known to send to this address.
    pub(super) fn sends_to(&self, address: SocketAddr) -> bool {
        self.way.is_some_and(|(to, _)| to == address)
    }

    /// The library may send elsewhere from now on.
    pub(super) fn look_again(&mut self) {
        self.way = None;
    }

    /// Learns from a datagram of the library. `false` when it must not be sent: a report on what the library does not see.
    pub(super) fn saw(&mut self, to: SocketAddr, bytes: &[u8]) -> bool {
        if rtcp::is_rtcp(bytes) {
            return false;
        }
        if is_rtp(bytes)
            && let Some(ssrc) = bytes.get(8..).and_then(<[u8]>::first_chunk)
        {
            let ssrc = u32::from_be_bytes(*ssrc);
            (self.way, self.ssrc) = (Some((to, ssrc)), Some(ssrc));
        }
        true
    }

    /// A packet of the browser, and how loud it says it is in decibels below the loudest. `None` when it is not authentic.
    pub(super) fn open<'a>(
        &mut self,
        now: Instant,
        announced: &Announced,
        bytes: &[u8],
        room: &'a mut Vec<u8>,
    ) -> Option<(RtpPacket<'a>, Option<i8>)> {
        let plain = self.srtp.unprotect(now, bytes, room)?;
        let level = announced.level.and_then(|id| level(plain, id));
        RtpPacket::parse(plain).map(|packet| (packet, level))
    }

    /// A datagram of this packet, and where it goes. `None` when the library has to send it.
    pub(super) fn seal(&mut self, packet: &Packet, clock_factor: u32) -> Option<(SocketAddr, Vec<u8>)> {
        let (to, ssrc) = self.way?;
        let mut bytes = packet.slot.packet(ssrc, packet.payload_type, &packet.payload, clock_factor).to_bytes();
        self.srtp.protect(&mut bytes, packet.slot.sequence)?;
        Some((to, bytes))
    }

    /// Counts a packet that was sent, by whomever.
    pub(super) fn count(&mut self, packet: &Packet, clock_factor: u32) {
        self.reports.count(packet.slot.timestamp.wrapping_mul(clock_factor), &packet.payload);
    }

    /// Takes the browser's report. `false` when it is not authentic or malformed.
    pub(super) fn take_report(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let ours = self.ssrc.unwrap_or(0);
        let told = self.srtp.unprotect_rtcp(bytes).and_then(|plain| rtcp::parse(&plain, ours));
        let Some(told) = told else { return false };
        self.reports.take(now, &told);
        true
    }

    /// Our report and where it goes. `None` while nothing was sent.
    pub(super) fn report(
        &mut self,
        now: Instant,
        announced: &Announced,
        receiver: &mut Receiver,
        clock_factor: u32,
        goodbye: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let (to, ssrc) = self.way?;
        let by = Reporter { ssrc, name: &announced.name, clock_factor };
        let mut bytes = self.reports.make(now, by, receiver, goodbye);
        self.srtp.protect_rtcp(&mut bytes)?;
        Some((to, bytes))
    }

    /// What the browser has reported.
    pub(super) fn remote(&self) -> Remote {
        self.reports.remote()
    }
}

/// Whether a datagram is RTP or RTCP, among those on one port (RFC 7983 §7).
pub(super) fn is_media(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 6 == 2)
}

fn is_rtp(bytes: &[u8]) -> bool {
    is_media(bytes) && !rtcp::is_rtcp(bytes)
}

/// How loud a packet says it is (RFC 6464 §3) under this number, in a header extension of short elements (RFC 8285 §4.2).
fn level(bytes: &[u8], id: u8) -> Option<i8> {
    if bytes.first()? & 0x10 == 0 {
        return None;
    }
    let at = 12 + usize::from(bytes[0] & 0x0f) * 4;
    let [0xbe, 0xde, high, low] = *bytes.get(at..)?.first_chunk()? else { return None };
    let mut rest = bytes.get(at + 4..)?.get(..usize::from(u16::from_be_bytes([high, low])) * 4)?;
    while let Some((head, more)) = rest.split_first() {
        if *head == 0 {
            rest = more;
            continue;
        }
        let (value, more) = more.split_at_checked(usize::from(head & 0x0f) + 1)?;
        if head >> 4 == id {
            return i8::try_from(value.first()? & 0x7f).ok().map(|down| -down);
        }
        rest = more;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_loud_a_packet_says_it_is_is_found_among_other_extensions() {
        let mut bytes = vec![0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        // A padding byte, the name of the medium (4, three bytes), the level (1, one byte), padding.
        bytes.extend([0xbe, 0xde, 0, 2, 0, 0x42, b'a', b'b', b'c', 0x10, 0xad, 0]);
        bytes.extend([0xff; 160]);

        assert_eq!((level(&bytes, 1), level(&bytes, 2)), (Some(-45), None));
        bytes[0] = 0x80;
        assert_eq!(level(&bytes, 1), None, "without an extension");
        for end in 0..bytes.len() {
            bytes[0] = 0x9f;
            level(&bytes[..end], 1);
        }
    }
}
