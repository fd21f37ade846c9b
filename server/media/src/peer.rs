//! A browser leg: one `str0m::Rtc` in RTP mode, ICE-lite, telephone events and G.711, or Opus where that is wished for.
//!
//! All its mutations go through [`Peer::step`], so that none is made without what it produced being drained.
//! A panic inside the library ends this peer alone. Once it is connected its sound goes beside the library (`direct`).

mod direct;
mod handshake;

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{Codec as RtcCodec, FormatParams};
use str0m::media::{Frequency, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpWrite};
use str0m::{Candidate, IceConnectionState, Rtc, RtcConfig, RtcError};

use self::direct::{Announced, Direct, is_media};
use crate::Codec;
use crate::core::BrowserCodecs;
use crate::leg::{Format, Packet};
use crate::packet::RtpPacket;
use crate::receive::Receiver;
use crate::reports::Remote;
use crate::rtcp;

/// Longer offers are not read.
const MAX_SDP: usize = 64 * 1024;

/// So many errors in one drain are one too many.
const MAX_ERRORS: u32 = 8;

/// What all peers have in common.
pub(crate) struct PeerFactory {
    provider: Arc<CryptoProvider>,
    /// One certificate for all: a browser checks it against its answer only.
    certificate: DtlsCert,
    candidates: Vec<SocketAddr>,
    codecs: BrowserCodecs,
}

/// Why an offer could not be answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error("the offer has {0} bytes, more than {MAX_SDP}")]
    TooLong(usize),
    #[error("the offer is not SDP: {0}")]
    Sdp(String),
    #[error("the offer cannot be accepted: {0}")]
    Offer(#[from] RtcError),
    #[error("no common audio codec: opus, PCMU and PCMA are spoken")]
    Codec,
    #[error("the peer connection failed inside")]
    Broken,
}

/// What a peer gives out.
#[derive(Debug)]
pub(crate) enum PeerOutput {
    Transmit(SocketAddr, Vec<u8>),
    Packet(Box<str0m::rtp::RtpPacket>),
    Connected,
    Lost,
}

pub(crate) struct Peer {
    /// `None` after a panic: what is left of it is not to be trusted.
    rtc: Option<Rtc>,
    candidates: Vec<SocketAddr>,
    mid: Option<Mid>,
    format: Format,
    sending: bool,
    secured: bool,
    up: bool,
    /// The certificate of the other side, as its offer names it.
    fingerprint: Option<String>,
    deadline: Option<Instant>,
    started: Instant,
    announced: Announced,
    /// The sound, once there are keys for it.
    direct: Option<Box<Direct>>,
}

/// What media of a browser turned out to be.
pub(crate) enum Opened<'a> {
    /// A packet, and how loud it says it is in decibels below the loudest.
    Sound(RtpPacket<'a>, Option<i8>),
    /// A report, which was taken.
    Report,
    /// From elsewhere, not authentic, or a repeat.
    Refused,
}

impl PeerFactory {
    /// `None` when no certificate can be made.
    pub(crate) fn new(candidates: Vec<SocketAddr>, codecs: BrowserCodecs) -> Option<Self> {
        let provider = handshake::provider();
        let certificate = provider.dtls_provider.generate_certificate()?;
        Some(Self { provider: Arc::new(provider), certificate, candidates, codecs })
    }

    /// What new peers are answered with from now on.
    pub(crate) fn set_codecs(&mut self, codecs: BrowserCodecs) {
        self.codecs = codecs;
    }

    /// A peer from the first offer, with the answer to it.
    pub(crate) fn accept(
        &self,
        now: Instant,
        sdp: &str,
        out: &mut Vec<PeerOutput>,
    ) -> Result<(Peer, String), PeerError> {
        let config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.provider))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .clear_extension_map()
            .set_extension(1, Extension::AudioLevel)
            .set_extension(4, Extension::RtpMid);
        // One clock on one stream: with Opus, keys are counted at 48 kHz too.
        let opus = self.codecs == BrowserCodecs::Opus && offers_opus(sdp);
        let mut config = if opus {
            config.enable_opus(true, false)
        } else {
            config.enable_pcmu(true, false).enable_pcma(true, false)
        };
        let clock = if opus { Frequency::FORTY_EIGHT_KHZ } else { Frequency::EIGHT_KHZ };
        let keys = FormatParams::parse_line("0-15");
        config.codec_config().add_config(101.into(), None, RtcCodec::Tele, clock, None, keys);
        let mut rtc = config.build(now);
        for candidate in &self.candidates {
            if let Ok(candidate) = Candidate::host(*candidate, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut peer = Peer {
            rtc: Some(rtc),
            candidates: self.candidates.clone(),
            mid: None,
            format: Format::default(),
            sending: false,
            secured: false,
            up: false,
            fingerprint: fingerprint(sdp),
            deadline: None,
            started: now,
            announced: Announced::default(),
            direct: None,
        };
        let answer = peer.renegotiate(now, sdp, out)?;
        Ok((peer, answer))
    }
}

impl Peer {
    /// Answers a further offer of the same browser connection.
    pub(crate) fn renegotiate(
        &mut self,
        now: Instant,
        sdp: &str,
        out: &mut Vec<PeerOutput>,
    ) -> Result<String, PeerError> {
        if sdp.len() > MAX_SDP {
            return Err(PeerError::TooLong(sdp.len()));
        }
        let answer = self
            .step(out, |rtc| {
                rtc.handle_input(str0m::Input::Timeout(now))?;
                Ok(SdpOffer::from_sdp_string(sdp)
                    .map_err(|error| PeerError::Sdp(error.to_string()))
                    .and_then(|offer| Ok(rtc.sdp_api().accept_offer(offer)?.to_sdp_string())))
            })
            .ok_or(PeerError::Broken)??;
        self.mid = audio_mid(&answer);
        self.announced = Announced::read(&answer);
        if let Some(direct) = &mut self.direct {
            direct.look_again();
        }
        self.refresh();
        if self.format.audio.is_empty() {
            return Err(PeerError::Codec);
        }
        Ok(answer)
    }

    /// Whether this offer comes from the same browser connection: its certificate is the same.
    pub(crate) fn is_same_connection(&self, sdp: &str) -> bool {
        self.rtc.as_ref().is_some_and(Rtc::is_alive) && self.fingerprint == fingerprint(sdp)
    }

    pub(crate) fn add_candidate(&mut self, candidate: &str, out: &mut Vec<PeerOutput>) {
        let line = candidate.trim();
        let line = line.strip_prefix("a=").unwrap_or(line);
        let line = line.strip_prefix("candidate:").unwrap_or(line);
        self.step(out, |rtc| {
            if let Ok(candidate) = Candidate::from_sdp_string(&format!("candidate:{line}")) {
                rtc.add_remote_candidate(candidate);
            }
            Ok(())
        });
    }

    /// Our part of the ICE user name, by which its checks are told from others'.
    pub(crate) fn ufrag(&mut self) -> Option<String> {
        self.rtc.as_mut().map(|rtc| rtc.direct_api().local_ice_credentials().ufrag)
    }

    /// Takes a datagram, if it proves to be from the browser: a check with the right password, or from an address that passed one.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<PeerOutput>,
    ) -> Received {
        let Some(to) = self.candidate_for(from) else { return Received::Refused };
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, bytes) else { return Received::Refused };
        let input = str0m::Input::Receive(now, receive);
        let accepted = self.step(out, |rtc| {
            if !rtc.accepts(&input) {
                return Ok(false);
            }
            rtc.handle_input(input)?;
            Ok(true)
        });
        if let Some(direct) = self.direct.as_mut().filter(|direct| !direct.sends_to(from)) {
            // A check from elsewhere may make that the way.
            direct.look_again();
        }
        if accepted == Some(true) { Received::Taken } else { Received::Refused }
    }

    /// Opens a datagram beside the library. `None` when it is the library's to take.
    pub(crate) fn open<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        room: &'a mut Vec<u8>,
    ) -> Option<Opened<'a>> {
        let direct = self.direct.as_ref().filter(|_| is_media(bytes))?;
        // The library says who may send.
        let accepted = direct.sends_to(from) || self.accepts(now, from, bytes);
        let direct = self.direct.as_mut()?;
        Some(if !accepted {
            Opened::Refused
        } else if rtcp::is_rtcp(bytes) {
            if direct.take_report(now, bytes) { Opened::Report } else { Opened::Refused }
        } else {
            let opened = direct.open(now, &self.announced, bytes, room);
            opened.map_or(Opened::Refused, |(packet, level)| Opened::Sound(packet, level))
        })
    }

    fn accepts(&self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        let received = self.candidate_for(from).and_then(|to| Receive::new(Protocol::Udp, from, to, bytes).ok());
        let accepts = |receive| self.rtc.as_ref().is_some_and(|rtc| rtc.accepts(&str0m::Input::Receive(now, receive)));
        received.is_some_and(accepts)
    }

    /// A datagram of a packet and where it goes, beside the library. `None` when [`Self::send`] has to do it.
    pub(crate) fn seal(&mut self, packet: &Packet) -> Option<(SocketAddr, Vec<u8>)> {
        let direct = self.direct.as_mut()?;
        let sealed = direct.seal(packet, self.format.clock_factor())?;
        direct.count(packet, self.format.clock_factor());
        Some(sealed)
    }

    /// Our report to the browser, where the library makes none.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        receiver: &mut Receiver,
        goodbye: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let factor = self.format.clock_factor();
        self.direct.as_mut()?.report(now, &self.announced, receiver, factor, goodbye)
    }

    /// What the browser has reported.
    pub(crate) fn remote(&self) -> Remote {
        self.direct.as_ref().map_or_else(Remote::default, |direct| direct.remote())
    }

    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        self.step(out, |rtc| rtc.handle_input(str0m::Input::Timeout(now)));
    }

    /// Sends a packet by the library, if the stream for it is there.
    pub(crate) fn send(&mut self, now: Instant, packet: &Packet, out: &mut Vec<PeerOutput>) {
        let Some(mid) = self.mid else { return };
        if let Some(direct) = &mut self.direct {
            direct.count(packet, self.format.clock_factor());
        }
        let write = RtpWrite::new(
            packet.payload_type.into(),
            packet.slot.sequence.into(),
            packet.slot.timestamp.wrapping_mul(self.format.clock_factor()),
            now,
            Arc::clone(&packet.payload),
        )
        .marker(packet.slot.marker);
        self.step(out, |rtc| {
            if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
                stream.write_rtp(write);
            }
            rtc.handle_input(str0m::Input::Timeout(now))
        });
    }

    /// Says goodbye, so that the browser knows at once.
    pub(crate) fn close(&mut self, out: &mut Vec<PeerOutput>) {
        self.step(out, Rtc::close);
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    pub(crate) fn can_send(&self) -> bool {
        self.up && self.sending
    }

    /// When [`Self::timeout`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// One mutation and the whole drain after it. `None` when it failed.
    fn step<T>(
        &mut self,
        out: &mut Vec<PeerOutput>,
        mutate: impl FnOnce(&mut Rtc) -> Result<T, RtcError>,
    ) -> Option<T> {
        let rtc = self.rtc.as_mut()?;
        let mut secured = self.secured;
        let up_before = self.up;
        let mut up = self.up;
        let mut moved = false;
        let before = out.len();
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            let result = mutate(rtc);
            let mut errors = 0;
            let deadline = loop {
                match rtc.poll_output() {
                    Ok(str0m::Output::Timeout(at)) => break Some(at),
                    Ok(str0m::Output::Transmit(transmit)) => {
                        out.push(PeerOutput::Transmit(transmit.destination, transmit.contents.into()));
                    }
                    Ok(str0m::Output::Event(event)) => match event {
                        str0m::Event::Connected => (secured, up) = (true, true),
                        str0m::Event::IceConnectionStateChange(state) => {
                            moved = true;
                            match state {
                                IceConnectionState::Disconnected => up = false,
                                IceConnectionState::Connected | IceConnectionState::Completed => up = secured,
                                IceConnectionState::New | IceConnectionState::Checking => {}
                            }
                        }
                        str0m::Event::RtpPacket(packet) => out.push(PeerOutput::Packet(Box::new(packet))),
                        // The end shows in `is_alive`; statistics, data channels and video are not used here.
                        _ => {}
                    },
                    // What it says next tells whether it goes on; one that only fails is given up.
                    Err(_) if rtc.is_alive() && errors < MAX_ERRORS => errors += 1,
                    Err(_) => {
                        rtc.disconnect();
                        break None;
                    }
                }
            };
            let alive = rtc.is_alive();
            (result.ok(), deadline.filter(|_| alive), alive)
        }));
        // Taken in any case: what a panic left behind must not become another peer's.
        let agreed = handshake::agreed();
        let result = if let Ok((result, deadline, alive)) = stepped {
            if let Some(session) = agreed {
                self.direct = Some(Box::new(Direct::new(self.started, session)));
            }
            self.secured = secured;
            self.deadline = deadline;
            self.up = up && alive;
            self.go_beside(alive, moved, before, out);
            result
        } else {
            self.direct = None;
            self.rtc = None;
            self.deadline = None;
            self.up = false;
            None
        };
        match (up_before, self.up) {
            (false, true) => {
                self.refresh();
                out.push(PeerOutput::Connected);
            }
            (true, false) => out.push(PeerOutput::Lost),
            (true, true) | (false, false) => {}
        }
        result
    }

    /// Looks at what the library sends, from here in `out` on.
    fn go_beside(&mut self, alive: bool, moved: bool, from: usize, out: &mut Vec<PeerOutput>) {
        if !alive {
            self.direct = None;
        }
        let Some(direct) = &mut self.direct else { return };
        if moved {
            direct.look_again();
        }
        let mut at = 0;
        out.retain(|output| {
            at += 1;
            match output {
                PeerOutput::Transmit(to, bytes) if at > from => direct.saw(*to, bytes),
                PeerOutput::Transmit(..) | PeerOutput::Packet(_) | PeerOutput::Connected | PeerOutput::Lost => true,
            }
        });
    }

    /// Reads what was negotiated. The payload types are the browser's: its 126 may be our 101.
    fn refresh(&mut self) {
        let (Some(rtc), Some(mid)) = (&self.rtc, self.mid) else { return };
        let Some(media) = rtc.media(mid) else { return };
        self.sending = media.direction().is_sending();
        self.format = Format::default();
        for payload_type in media.remote_pts() {
            let Some(params) = rtc.codec_config().find(|params| params.pt() == *payload_type) else { continue };
            let spec = params.spec();
            if spec.codec == RtcCodec::PCMU {
                self.format.audio.push((Codec::Pcmu, **payload_type));
            } else if spec.codec == RtcCodec::PCMA {
                self.format.audio.push((Codec::Pcma, **payload_type));
            } else if spec.codec == RtcCodec::Opus {
                self.format.audio.push((Codec::Opus, **payload_type));
            } else if spec.codec == RtcCodec::Tele {
                // Only that of our clock was answered.
                self.format.dtmf = Some(**payload_type);
            }
        }
    }

    /// Which of our addresses a datagram from there came to. One socket serves them all, so it does not say.
    fn candidate_for(&self, from: SocketAddr) -> Option<SocketAddr> {
        let family = || self.candidates.iter().filter(|candidate| candidate.is_ipv4() == from.is_ipv4());
        let near = |candidate: &&SocketAddr| candidate.ip().is_loopback() == from.ip().is_loopback();
        family().find(near).or_else(|| family().next()).copied()
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// It belongs to this peer.
    Taken,
    /// It does not, or it is malformed.
    Refused,
}

/// The first certificate fingerprint of an SDP, in one spelling.
fn fingerprint(sdp: &str) -> Option<String> {
    sdp.lines().find_map(|line| line.trim().strip_prefix("a=fingerprint:")).map(str::to_ascii_lowercase)
}

/// Whether a browser speaks Opus, as all of them must (RFC 7874 §3).
fn offers_opus(sdp: &str) -> bool {
    sdp.lines()
        .filter_map(|line| line.trim().strip_prefix("a=rtpmap:"))
        .any(|map| map.split_once(' ').is_some_and(|(_, codec)| codec.to_ascii_lowercase().starts_with("opus/48000")))
}

/// The name of the audio m-line that an answer accepts.
fn audio_mid(answer: &str) -> Option<Mid> {
    let audio =
        answer.split("\nm=").skip(1).find(|line| line.starts_with("audio ") && !line.starts_with("audio 0 "))?;
    audio.lines().find_map(|line| line.trim().strip_prefix("a=mid:")).map(Mid::from)
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("up", &self.up).field("format", &self.format).finish_non_exhaustive()
    }
}
