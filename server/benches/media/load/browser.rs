//! A browser as far as media goes: a str0m peer with a socket of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use mio::net::UdpSocket;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub(crate) struct Browser {
    rtc: Rtc,
    local: SocketAddr,
    /// Whom it listens to.
    server: Option<SocketAddr>,
    connected: bool,
    mid: Option<Mid>,
    pending: Option<SdpPendingOffer>,
    deadline: Instant,
}

impl Browser {
    pub(crate) fn new(local: SocketAddr) -> Result<Self> {
        let now = Instant::now();
        let config = RtcConfig::new()
            .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_pcmu(true, false);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        Ok(Self { rtc, local, server: None, connected: false, mid: None, pending: None, deadline: now })
    }

    pub(crate) fn offer(&mut self) -> Result<String> {
        let mut change = self.rtc.sdp_api();
        self.mid = Some(change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        let (offer, pending) = change.apply().context("nothing to offer")?;
        self.pending = Some(pending);
        Ok(offer.to_sdp_string())
    }

    pub(crate) fn answer(&mut self, sdp: &str, server: SocketAddr) -> Result<()> {
        let pending = self.pending.take().context("answered twice")?;
        self.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(sdp)?)?;
        (self.server, self.deadline) = (Some(server), Instant::now());
        Ok(())
    }

    /// ICE and DTLS are done.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is due by the clock.
    pub(crate) fn tick(&mut self, now: Instant, socket: &UdpSocket) {
        if self.deadline <= now && self.rtc.handle_input(Input::Timeout(now)).is_ok() {
            self.drain(socket);
        }
    }

    /// Sends a frame. `false` while it cannot.
    pub(crate) fn speak(&mut self, now: Instant, count: u32, payload: Vec<u8>, socket: &UdpSocket) -> bool {
        let Some(mid) = self.mid else { return false };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return false };
        stream.write_rtp(RtpWrite::new(0.into(), u64::from(count).into(), count.wrapping_mul(160), now, payload));
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            return false;
        }
        self.drain(socket);
        true
    }

    /// Takes a datagram; the payloads that came of it.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], socket: &UdpSocket) -> Vec<Vec<u8>> {
        if Some(from) != self.server {
            return Vec::new();
        }
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else { return Vec::new() };
        if self.rtc.handle_input(Input::Receive(now, receive)).is_err() {
            return Vec::new();
        }
        self.drain(socket)
    }

    fn drain(&mut self, socket: &UdpSocket) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.deadline = at;
                    return payloads;
                }
                // What the system does not take is lost, as on any network.
                Ok(Output::Transmit(transmit)) => drop(socket.send_to(&transmit.contents, transmit.destination)),
                Ok(Output::Event(Event::RtpPacket(packet))) => payloads.push(packet.payload.to_vec()),
                Ok(Output::Event(Event::Connected)) => self.connected = true,
                Ok(Output::Event(_)) => {}
                Err(_) => return payloads,
            }
        }
    }
}
