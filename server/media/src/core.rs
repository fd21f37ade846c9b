//! The media core: legs, who hears whom, and what is recorded.

mod commands;
mod peers;
mod phones;
mod records;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cordboard_shared::id::{LegId, RecordingId};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::decode::Block;
use crate::demux::Demux;
use crate::dtls::{self, Fingerprint, Identity};
use crate::leg::{Component, Content, GuardOutput, Heard, Leg, Line, Packet, REPORT_INTERVAL};
use crate::peer::{PeerFactory, PeerOutput};
use crate::recorder::Recorder;
use crate::stream::OutStream;
use crate::table::Table;
use crate::timer::Timers;
use crate::{Command, Event, Output, rtcp, watch};

/// How often a leg's counters are told, and its reports sent.
const STATS_INTERVAL: Duration = REPORT_INTERVAL;

/// What a core has to know from the start.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// The addresses browsers are told to send to, all of them reaching the one `WebRTC` socket.
    pub candidates: Vec<SocketAddr>,
    /// What browsers are answered with.
    pub browser_codecs: BrowserCodecs,
    /// After this long without any packet a phone leg is told to be lost.
    pub media_timeout: Duration,
    /// Seeds stream identifiers, first sequence numbers and timestamps. Fresh randomness in the product.
    pub seed: [u8; 32],
}

impl CoreConfig {
    /// [`Self::media_timeout`] of the product: when the news comes. How long it may go on is for those who hear it to say.
    pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(10);
}

/// Which codecs browsers are answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BrowserCodecs {
    /// G.711 alone: passed on to phones as it is.
    #[default]
    G711,
    /// Opus where the browser offers it: bears loss on bad networks at home, and is transcoded towards phones.
    Opus,
}

/// Why a core cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The cryptography refused.
    #[error("no DTLS certificate could be made")]
    Certificate,
}

/// What goes into a core.
#[derive(Debug, PartialEq)]
pub enum Input<'a> {
    /// A datagram from the `WebRTC` socket.
    WebRtc {
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// A datagram from the RTP socket of a phone leg.
    Rtp {
        /// Whose socket.
        leg: LegId,
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// A datagram from the RTCP socket of a phone leg.
    Rtcp {
        /// Whose socket.
        leg: LegId,
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// Something to do.
    Command(Command),
    /// The deadline given by [`Output::Timeout`] is reached.
    Timeout,
}

/// Why the core wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Wake {
    /// A browser connection has something to do.
    Peer(LegId),
    /// A handshake of a phone has something to do.
    Dtls(LegId),
    /// The next 20 ms of what a leg hears.
    Frame(LegId),
    /// A piece of a recording is due.
    Recorder(RecordingId),
    /// The counters of a leg are due.
    Stats(LegId),
    /// All legs are looked at.
    Watch,
}

/// Carries the audio of all calls. Knows no socket, no clock and no file.
pub struct MediaCore {
    random: ChaCha12Rng,
    peers: PeerFactory,
    identity: Identity,
    demux: Demux,
    legs: Table<LegId, Leg>,
    /// Who listens to a leg.
    listeners: Table<LegId, BTreeSet<LegId>>,
    recorders: BTreeMap<RecordingId, Recorder>,
    /// Which recordings a leg has.
    taps: BTreeMap<LegId, BTreeSet<RecordingId>>,
    timers: Timers<Wake>,
    /// Packets that arrived and were not yet passed on.
    heard: VecDeque<Heard>,
    /// Room for the samples of a packet, and for those who listen to it.
    blocks: Vec<Block>,
    listening: Vec<LegId>,
    peer_outputs: Vec<PeerOutput>,
    guard_outputs: Vec<GuardOutput>,
    outputs: VecDeque<Output>,
    media_timeout: Duration,
}

impl MediaCore {
    /// A core without legs.
    pub fn new(config: CoreConfig) -> Result<Self, CoreError> {
        Ok(Self {
            random: ChaCha12Rng::from_seed(config.seed),
            peers: PeerFactory::new(config.candidates, config.browser_codecs).ok_or(CoreError::Certificate)?,
            identity: Identity::generate().ok_or(CoreError::Certificate)?,
            demux: Demux::default(),
            legs: Table::default(),
            listeners: Table::default(),
            recorders: BTreeMap::new(),
            taps: BTreeMap::new(),
            timers: Timers::new(),
            heard: VecDeque::new(),
            blocks: Vec::new(),
            listening: Vec::new(),
            peer_outputs: Vec::new(),
            guard_outputs: Vec::new(),
            outputs: VecDeque::new(),
            media_timeout: config.media_timeout,
        })
    }

    /// Takes one input. [`Self::poll_output`] must then be called until it gives [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::WebRtc { from, bytes } => self.receive_webrtc(now, from, bytes),
            Input::Rtp { leg, from, bytes } => self.receive_rtp(now, leg, from, bytes),
            Input::Rtcp { leg, from, bytes } if dtls::is_dtls(bytes) => {
                self.receive_dtls(now, leg, Component::Rtcp, from, bytes);
            }
            Input::Rtcp { leg, from, bytes } => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.receive_rtcp(now, from, bytes);
                }
            }
            Input::Command(command) => self.command(now, command),
            Input::Timeout => self.timeout(now),
        }
        while let Some(heard) = self.heard.pop_front() {
            self.pass_on(now, &heard);
        }
    }

    /// The next thing to do; [`Output::Timeout`] when there is nothing for now.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// The certificate that phones are to expect of us: what our descriptions name (RFC 8122).
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// All legs, of both kinds, in the order of their ids.
    pub fn legs(&self) -> Vec<LegId> {
        let mut legs: Vec<LegId> = self.legs.keys().copied().collect();
        legs.sort_unstable();
        legs
    }

    /// The number of legs, of both kinds.
    pub fn leg_count(&self) -> usize {
        self.legs.len()
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(wake) = self.timers.pop_due(now) {
            match wake {
                Wake::Peer(leg) => self.with_peer(now, leg, |peer, out| peer.timeout(now, out)),
                Wake::Dtls(leg) => self.with_phone(now, leg, |line, out| line.dtls_timeout(now, out)),
                Wake::Frame(leg) => self.make_frame(now, leg),
                Wake::Recorder(recording) => self.give_recorded(now, recording),
                Wake::Watch => self.look(now),
                Wake::Stats(leg) => {
                    self.tell_stats(leg);
                    self.report(now, leg, false);
                    self.timers.set(Wake::Stats(leg), Some(now + STATS_INTERVAL));
                }
            }
        }
    }

    fn receive_rtp(&mut self, now: Instant, leg: LegId, from: SocketAddr, bytes: &[u8]) {
        if dtls::is_dtls(bytes) {
            return self.receive_dtls(now, leg, Component::Rtp, from, bytes);
        }
        let Some(found) = self.legs.get_mut(&leg) else { return };
        if rtcp::is_rtcp(bytes) {
            found.receive_rtcp(now, from, bytes);
            return;
        }
        let heard = found.receive_rtp(now, from, bytes);
        if let Some(heard) = heard {
            // Its address may only now be known.
            if found.next_frame().is_none() {
                found.start_frames(now);
                self.timers.set(Wake::Frame(leg), found.next_frame());
            }
            self.heard.push_back(heard);
        }
    }

    /// A packet of a leg goes to its listeners and recorders.
    fn pass_on(&mut self, now: Instant, heard: &Heard) {
        let Some(leg) = self.legs.get_mut(&heard.leg) else { return };
        if leg.note(now, heard) {
            self.outputs.push_back(Output::Event(Event::MediaBack { leg: heard.leg }));
        }
        if leg.is_first_audio(heard) {
            self.outputs.push_back(Output::Event(Event::FirstAudio { leg: heard.leg }));
        }
        // Detected behind a closed gate too, so that opening it in the middle of a press does not count half of it.
        let digit = leg.detect_digit(heard);
        if !leg.gate_open {
            return;
        }
        if let Some(digit) = digit {
            self.outputs.push_back(Output::Event(Event::Digit { leg: heard.leg, digit }));
        }
        if leg.keeps_digits && matches!(heard.content, Content::Dtmf(_)) {
            return;
        }
        let mut listeners = std::mem::take(&mut self.listening);
        listeners.extend(self.listeners.get(&heard.leg).into_iter().flatten());
        self.pass_samples(now, heard, &listeners);
        for listener in listeners.drain(..) {
            let Some(leg) = self.legs.get_mut(&listener) else { continue };
            let packet = leg.forward(now, heard, digit);
            self.timers.by(Wake::Frame(listener), leg.next_frame());
            if let Some(packet) = packet {
                self.send(now, listener, &packet);
            }
        }
        self.listening = listeners;
    }

    /// What a leg sent goes as samples to those who need samples: recorders, mixers and other codecs.
    fn pass_samples(&mut self, now: Instant, heard: &Heard, listeners: &[LegId]) {
        let wanted = match &heard.content {
            Content::Audio(codec, _) => {
                let wants = |listener: &LegId| self.legs.get(listener).is_some_and(|leg| leg.wants_samples(*codec));
                self.taps.contains_key(&heard.leg) || listeners.iter().any(wants)
            }
            // No sound, but a number in the stream.
            Content::Dtmf(_) | Content::Noise(_) => self.legs.get(&heard.leg).is_some_and(Leg::is_decoding),
        };
        let Some(leg) = self.legs.get_mut(&heard.leg) else { return };
        if !wanted {
            leg.stop_decoding();
            return;
        }
        let mut blocks = std::mem::take(&mut self.blocks);
        leg.decode(now, heard, &mut blocks);
        for recording in self.taps.get(&heard.leg).into_iter().flatten() {
            if let Some(recorder) = self.recorders.get_mut(recording) {
                for block in &blocks {
                    recorder.push(now, heard.leg, block.epoch, block.timestamp, &block.samples);
                }
            }
        }
        let Content::Audio(codec, _) = heard.content else {
            blocks.clear();
            self.blocks = blocks;
            return;
        };
        let mut packets = Vec::new();
        for &listener in listeners {
            let Some(leg) = self.legs.get_mut(&listener) else { continue };
            if leg.mixes() {
                leg.mix_in(heard.leg, &blocks);
            } else if leg.wants_samples(codec) {
                leg.transcode(now, heard.leg, &blocks, &mut packets);
                self.timers.by(Wake::Frame(listener), leg.next_frame());
                for packet in packets.drain(..) {
                    self.send(now, listener, &packet);
                }
            }
        }
        blocks.clear();
        self.blocks = blocks;
    }

    /// Looks at all legs, and tells what changed.
    fn look(&mut self, now: Instant) {
        let mut events = Vec::new();
        for (id, leg) in &mut self.legs {
            leg.look(now, self.listeners.contains_key(id), self.media_timeout, &mut events);
        }
        self.outputs.extend(events.into_iter().map(Output::Event));
        self.timers.set(Wake::Watch, (!self.legs.is_empty()).then(|| now + watch::INTERVAL));
    }

    /// Sends a far side our report; the last one says goodbye.
    fn report(&mut self, now: Instant, leg: LegId, goodbye: bool) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        let Some((to, bytes)) = found.report(now, goodbye) else { return };
        self.outputs.push_back(match &found.line {
            Line::Rtp(line) if line.is_mux() => Output::Rtp { leg, to, bytes },
            Line::Rtp(_) => Output::Rtcp { leg, to, bytes },
            Line::Peer(_) => Output::WebRtc { to, bytes },
        });
    }

    fn make_frame(&mut self, now: Instant, leg: LegId) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        let frame = found.frame(now);
        self.timers.set(Wake::Frame(leg), found.next_frame());
        if let Some(packet) = frame.packet {
            self.send(now, leg, &packet);
        }
        for play in frame.finished {
            self.outputs.push_back(Output::Event(Event::PlayFinished { leg, play }));
        }
    }

    fn send(&mut self, now: Instant, leg: LegId, packet: &Packet) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        found.sent += 1;
        match &mut found.line {
            Line::Rtp(line) => {
                if let Some((to, bytes)) = line.seal(packet.slot, packet.payload_type, &packet.payload) {
                    self.outputs.push_back(Output::Rtp { leg, to, bytes });
                }
            }
            Line::Peer(peer) => match peer.seal(packet) {
                Some((to, bytes)) => self.outputs.push_back(Output::WebRtc { to, bytes }),
                None => self.with_peer(now, leg, |peer, out| peer.send(now, packet, out)),
            },
        }
    }

    fn tell_stats(&mut self, leg: LegId) {
        if let Some(found) = self.legs.get(&leg) {
            self.outputs.push_back(Output::Event(Event::Stats { leg, stats: found.stats() }));
        }
    }

    fn new_stream(&mut self) -> OutStream {
        let sequence = self.random.next_u32();
        OutStream::new((sequence >> 16) as u16, self.random.next_u32())
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl MediaCore {
    fn stats(&self, leg: LegId) -> crate::AudioStats {
        self.legs[&leg].stats()
    }

    /// Nothing is left of any leg.
    fn assert_empty(&self) {
        assert!(self.legs.is_empty() && self.listeners.is_empty() && self.recorders.is_empty());
        assert!(self.taps.is_empty() && self.heard.is_empty());
        assert!(self.timers.is_empty() && self.demux.is_empty());
    }
}
