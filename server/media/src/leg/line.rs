//! How the far side of a leg is reached, and what is spoken with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guard::{Component, DtlsGuard, Guard, GuardOutput};
use crate::dtls::Identity;
use crate::dtmf::DtmfEvent;
use crate::packet::RtpPacket;
use crate::peer::Peer;
use crate::receive::Receiver;
use crate::reports::{Remote, Reporter, Reports};
use crate::rtcp;
use crate::source_lock::SourceLock;
use crate::stream::Slot;
use crate::{Codec, Flow, RtcpTo, RtpParams, Security};

/// The payload type of comfort noise at 8 kHz (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

/// The longest first flight that is kept for a description.
const MAX_EARLY: usize = 1_500;

/// How the far side is reached.
#[derive(Debug)]
pub(crate) enum Line {
    Rtp(Box<RtpLine>),
    Peer(Box<Peer>),
}

/// The payload types of one leg.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// Codecs both sides know, the preferred one first. Opus stands alone: its clock is another.
    pub(crate) audio: Vec<(Codec, u8)>,
    pub(crate) dtmf: Option<u8>,
    /// The payload type of comfort noise that is understood.
    pub(crate) noise: Option<u8>,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Audio(Codec, Arc<[u8]>),
    /// Durations in samples of 8 kHz.
    Dtmf(DtmfEvent),
    /// Comfort noise so many decibels below the loudest (RFC 3389 §3.1).
    Noise(u8),
}

/// A phone: RTP, plain or encrypted.
#[derive(Debug)]
pub(crate) struct RtpLine {
    ssrc: u32,
    /// What we are called in reports.
    name: String,
    /// What was negotiated and whom we listen to; nothing before the answer.
    agreed: Option<(Format, SourceLock)>,
    flow: Flow,
    rtcp: RtcpTo,
    /// Where the far side's reports come from.
    rtcp_from: Option<SocketAddr>,
    guard: Guard,
    /// The far side's first flight, when it came before its description.
    early: Option<(Component, SocketAddr, Vec<u8>)>,
    reports: Reports,
}

impl RtpLine {
    pub(crate) fn new(now: Instant, ssrc: u32, name: String) -> Self {
        Self {
            ssrc,
            name,
            agreed: None,
            flow: Flow::Both,
            rtcp: RtcpTo::NextPort,
            rtcp_from: None,
            guard: Guard::Clear,
            early: None,
            reports: Reports::new(now),
        }
    }

    pub(crate) fn set(&mut self, now: Instant, params: &RtpParams, identity: &Identity, out: &mut Vec<GuardOutput>) {
        let g711 = params.codec.g711().is_some();
        let format = Format {
            audio: vec![(params.codec, params.payload_type)],
            dtmf: params.dtmf,
            noise: g711.then_some(COMFORT_NOISE),
        };
        match &mut self.agreed {
            Some((agreed, lock)) => {
                *agreed = format;
                lock.signal(params.remote);
            }
            None => self.agreed = Some((format, SourceLock::new(params.remote))),
        }
        self.flow = params.flow;
        if self.rtcp != params.rtcp {
            (self.rtcp, self.rtcp_from) = (params.rtcp, None);
        }
        match &params.security {
            Security::Clear => self.guard = Guard::Clear,
            Security::Sdes(keys) => self.guard.set_keys(*keys),
            Security::Dtls(dtls) => {
                if self.guard.dtls().is_none_or(|before| !before.is_of(dtls)) {
                    self.guard = Guard::Dtls(Box::new(DtlsGuard::new(identity, dtls.clone())));
                }
            }
        }
        if let Some(dtls) = self.guard.dtls() {
            dtls.signal(now, identity, (params.remote, params.rtcp), out);
        }
        if let Some((component, from, bytes)) = self.early.take() {
            self.take_dtls(now, component, from, &bytes, out);
        }
    }

    /// Takes a datagram of a handshake. `false` when it is not from the far side.
    pub(crate) fn take_dtls(
        &mut self,
        now: Instant,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<GuardOutput>,
    ) -> bool {
        let Some((_, lock)) = &self.agreed else {
            // Its first flight may overtake the answer that names its certificate.
            if bytes.len() <= MAX_EARLY {
                self.early = Some((component, from, bytes.to_vec()));
            }
            return bytes.len() <= MAX_EARLY;
        };
        let signalled = match component {
            Component::Rtp => lock.destination(),
            Component::Rtcp => None,
        };
        self.guard.dtls().is_some_and(|dtls| dtls.receive(now, component, (from, signalled), bytes, out))
    }

    /// Sends flights of a handshake again when that is due.
    pub(crate) fn dtls_timeout(&mut self, now: Instant, out: &mut Vec<GuardOutput>) {
        if let Some(dtls) = self.guard.dtls() {
            dtls.timeout(now, out);
        }
    }

    /// When [`Self::dtls_timeout`] is due.
    pub(crate) fn dtls_deadline(&mut self) -> Option<Instant> {
        self.guard.dtls().and_then(|dtls| dtls.deadline())
    }

    pub(crate) fn format(&self) -> Option<&Format> {
        self.agreed.as_ref().map(|(format, _)| format)
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// Where audio goes, if it goes anywhere.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        let sends = self.flow.sends() && self.guard.is_open();
        self.agreed.as_ref().filter(|_| sends).and_then(|(_, lock)| lock.destination())
    }

    /// The packet in a datagram, if it comes from the far side. `room` is where it is decrypted to.
    pub(crate) fn accept<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &'a [u8],
        room: &'a mut Vec<u8>,
    ) -> Option<RtpPacket<'a>> {
        let bytes = match self.guard.rtp().ok()? {
            Some(session) => session.unprotect(now, bytes, room)?,
            None => bytes,
        };
        let packet = RtpPacket::parse(bytes)?;
        let (format, lock) = self.agreed.as_mut()?;
        (format.knows(packet.payload_type) && lock.accept(from, &packet)).then_some(packet)
    }

    /// A datagram of this packet, and where it goes.
    pub(crate) fn seal(&mut self, slot: Slot, payload_type: u8, payload: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let to = self.destination()?;
        let factor = self.format().map_or(1, Format::clock_factor);
        let packet = slot.packet(self.ssrc, payload_type, payload, factor);
        let mut bytes = packet.to_bytes();
        if let Some(session) = self.guard.rtp().ok()? {
            session.protect(&mut bytes, slot.sequence)?;
        }
        self.reports.count(packet.timestamp, payload);
        Some((to, bytes))
    }

    /// Takes a report of the far side. `false` when it is not from there or malformed.
    pub(crate) fn take_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        // The same host as the audio: its port may be any, behind a NAT.
        let audio = self.agreed.as_ref().and_then(|(_, lock)| lock.destination());
        if audio.is_none_or(|audio| audio.ip() != from.ip())
            && !matches!(self.rtcp, RtcpTo::Address(at) if at.ip() == from.ip())
        {
            return false;
        }
        let plain = match self.guard.rtcp() {
            Ok(Some(session)) => session.unprotect_rtcp(bytes),
            Ok(None) => Some(bytes.to_vec()),
            Err(_) => None,
        };
        let Some(told) = plain.and_then(|plain| rtcp::parse(&plain, self.ssrc)) else { return false };
        if self.rtcp != RtcpTo::Mux {
            self.rtcp_from = Some(from);
        }
        self.reports.take(now, &told);
        true
    }

    /// Our report and where it goes. `None` while nothing is agreed on.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        receiver: &mut Receiver,
        goodbye: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let (format, lock) = self.agreed.as_ref()?;
        let clock_factor = format.clock_factor();
        let audio = lock.destination()?;
        let to = match self.rtcp {
            RtcpTo::Mux => audio,
            RtcpTo::Address(at) => self.rtcp_from.unwrap_or(at),
            RtcpTo::NextPort => self.rtcp_from.unwrap_or(SocketAddr::new(audio.ip(), audio.port().checked_add(1)?)),
        };
        let by = Reporter { ssrc: self.ssrc, name: &self.name, clock_factor };
        let mut bytes = self.reports.make(now, by, receiver, goodbye);
        if let Some(session) = self.guard.rtcp().ok()? {
            session.protect_rtcp(&mut bytes)?;
        }
        Some((to, bytes))
    }

    /// Whether reports go the way of the audio.
    pub(crate) fn is_mux(&self) -> bool {
        self.rtcp == RtcpTo::Mux
    }
}

impl Line {
    /// What the far side reports of what is sent to it.
    pub(crate) fn remote(&self) -> Remote {
        match self {
            Self::Rtp(line) => line.reports.remote(),
            Self::Peer(peer) => peer.remote(),
        }
    }
}

impl Format {
    /// How much faster the clock of its timestamps runs than 8 kHz.
    pub(crate) fn clock_factor(&self) -> u32 {
        self.audio.first().map_or(1, |(codec, _)| codec.clock_factor())
    }

    fn knows(&self, payload_type: u8) -> bool {
        self.audio.iter().any(|(_, known)| *known == payload_type)
            || self.dtmf == Some(payload_type)
            || self.noise == Some(payload_type)
    }

    /// What a payload holds; `None` for a payload type that was not agreed on.
    pub(crate) fn content(&self, payload_type: u8, payload: &[u8]) -> Option<Content> {
        if let Some((codec, _)) = self.audio.iter().find(|(_, known)| *known == payload_type) {
            return Some(Content::Audio(*codec, Arc::from(payload)));
        }
        if self.dtmf == Some(payload_type) {
            let event = DtmfEvent::parse(payload)?;
            let factor = u16::try_from(self.clock_factor()).unwrap_or(1);
            return Some(Content::Dtmf(DtmfEvent { duration: event.duration / factor, ..event }));
        }
        if self.noise == Some(payload_type) {
            return payload.first().map(|level| Content::Noise(level & 0x7f));
        }
        None
    }

    /// Whether a packet of this codec can be passed on as it is, or by a table.
    pub(crate) fn takes(&self, codec: Codec) -> bool {
        self.audio.iter().any(|(known, _)| *known == codec || known.g711().is_some() && codec.g711().is_some())
    }

    /// The same in a payload type of this leg, if that needs no samples.
    pub(crate) fn encode(&self, content: &Content) -> Option<(u8, Arc<[u8]>)> {
        match content {
            Content::Audio(codec, payload) => {
                if let Some((_, payload_type)) = self.audio.iter().find(|(known, _)| known == codec) {
                    return Some((*payload_type, Arc::clone(payload)));
                }
                let (other, payload_type) = self.audio.first()?;
                Some((*payload_type, Arc::from(codec.g711()?.transcode(other.g711()?, payload))))
            }
            Content::Dtmf(event) => Some((self.dtmf?, self.event(*event))),
            Content::Noise(_) => None,
        }
    }

    /// The payload of an event, its duration by the clock of this leg.
    pub(crate) fn event(&self, event: DtmfEvent) -> Arc<[u8]> {
        let factor = u16::try_from(self.clock_factor()).unwrap_or(1);
        Arc::from(DtmfEvent { duration: event.duration.saturating_mul(factor), ..event }.to_bytes())
    }
}

/// How often reports are sent (RFC 3550 §6.2: at least five seconds apart).
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(5);
