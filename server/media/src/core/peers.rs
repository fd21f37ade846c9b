//! Browser legs: their datagrams, offers and what their connections give out.

use std::net::SocketAddr;
use std::time::Instant;

use cordboard_shared::id::LegId;

use super::{MediaCore, Wake};
use crate::leg::{Leg, Line};
use crate::packet::RtpPacket;
use crate::peer::{Peer, PeerError, PeerOutput, Received};
use crate::{Event, Output};

impl MediaCore {
    pub(super) fn receive_webrtc(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Some(leg) = self.demux.leg_of(from, bytes) else { return };
        let Self { legs, heard, .. } = self;
        if legs.get_mut(&leg).is_some_and(|found| found.receive_media(now, from, bytes, heard)) {
            return;
        }
        let mut received = Received::Refused;
        self.with_peer(now, leg, |peer, out| received = peer.receive(now, from, bytes, out));
        match received {
            Received::Taken => self.demux.learn(leg, from),
            Received::Refused => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.refused += 1;
                }
            }
        }
    }

    pub(super) fn peer_offer(&mut self, now: Instant, leg: LegId, sdp: &str) {
        let answer = match self.legs.get_mut(&leg).map(|leg| &mut leg.line) {
            Some(Line::Peer(peer)) if peer.is_same_connection(sdp) => {
                let answer = peer.renegotiate(now, sdp, &mut self.peer_outputs);
                self.after_peer(now, leg);
                answer
            }
            Some(Line::Peer(_)) | None => self.connect_peer(now, leg, sdp),
            Some(Line::Rtp(_)) => Err(PeerError::Sdp("the leg is a phone".into())),
        };
        if let Some(Line::Peer(peer)) = self.legs.get_mut(&leg).map(|leg| &mut leg.line)
            && let Some(ufrag) = peer.ufrag()
        {
            self.demux.name(leg, ufrag);
        }
        let event = match answer {
            Ok(sdp) => Event::PeerAnswer { leg, sdp },
            Err(error) => Event::PeerFailed { leg, error: error.to_string() },
        };
        self.outputs.push_back(Output::Event(event));
    }

    /// A new browser connection, for a new leg or in place of the old one.
    fn connect_peer(&mut self, now: Instant, leg: LegId, sdp: &str) -> Result<String, PeerError> {
        let mut outputs = Vec::new();
        let (peer, answer) = self.peers.accept(now, sdp, &mut outputs)?;
        let line = Line::Peer(Box::new(peer));
        let stream = self.new_stream();
        if self.legs.contains_key(&leg) {
            self.with_peer(now, leg, Peer::close);
            self.demux.forget(leg);
        }
        if let Some(found) = self.legs.get_mut(&leg) {
            found.replace_line(line, stream);
            self.timers.set(Wake::Frame(leg), None);
        } else {
            self.insert(now, Leg::new(leg, line, stream));
        }
        self.peer_outputs.append(&mut outputs);
        self.after_peer(now, leg);
        Ok(answer)
    }

    /// Does something with the peer of a leg, and what follows from it.
    pub(super) fn with_peer(&mut self, now: Instant, leg: LegId, act: impl FnOnce(&mut Peer, &mut Vec<PeerOutput>)) {
        let Some(Line::Peer(peer)) = self.legs.get_mut(&leg).map(|leg| &mut leg.line) else { return };
        act(peer, &mut self.peer_outputs);
        self.after_peer(now, leg);
    }

    fn after_peer(&mut self, now: Instant, leg: LegId) {
        let mut outputs = std::mem::take(&mut self.peer_outputs);
        for output in outputs.drain(..) {
            match output {
                PeerOutput::Transmit(to, bytes) => self.outputs.push_back(Output::WebRtc { to, bytes }),
                PeerOutput::Packet(packet) => self.receive_srtp(now, leg, &packet),
                PeerOutput::Connected => {
                    self.outputs.push_back(Output::Event(Event::PeerConnected { leg }));
                    if let Some(found) = self.legs.get_mut(&leg) {
                        found.start_frames(now);
                        self.timers.set(Wake::Frame(leg), found.next_frame());
                    }
                }
                PeerOutput::Lost => self.outputs.push_back(Output::Event(Event::PeerLost { leg })),
            }
        }
        self.peer_outputs = outputs;
        if let Some(Line::Peer(peer)) = self.legs.get(&leg).map(|leg| &leg.line) {
            self.timers.by(Wake::Peer(leg), peer.deadline());
        }
    }

    fn receive_srtp(&mut self, now: Instant, leg: LegId, packet: &str0m::rtp::RtpPacket) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        found.level = packet.header.ext_vals.audio_level;
        let packet = RtpPacket {
            marker: packet.header.marker,
            payload_type: *packet.header.payload_type,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: *packet.header.ssrc,
            payload: &packet.payload,
        };
        if let Some(heard) = found.receive(now, &packet) {
            self.heard.push_back(heard);
        }
    }
}
