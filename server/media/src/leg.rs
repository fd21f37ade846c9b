//! One leg: what comes from it, and what is known of it. What it hears is next door.

mod guard;
mod hear;
mod line;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

pub(crate) use self::guard::{Component, GuardOutput};
pub(crate) use self::line::{Content, Format, Line, REPORT_INTERVAL, RtpLine};
use crate::decode::{Block, Decoder};
use crate::dtls::Identity;
use crate::dtmf::{DigitDetector, DigitSender};
use crate::event::AudioStats;
use crate::inband::ToneDetector;
use crate::jitter::JitterBuffer;
use crate::packet::RtpPacket;
use crate::peer::Opened;
use crate::receive::{Position, Receiver};
use crate::stream::{OutStream, Slot};
use crate::transcode::{FrameEncoder, Transcoder};
use crate::watch::{Look, Watch};
use crate::{Clip, Event, PlayId, RtpParams, Source};

/// Samples that are nearer to nothing than this are silence: the smallest step of G.711.
const NOTHING: u16 = 8;

/// A browser that says this level, in decibels below the loudest, or a lower one gives nothing (RFC 6464 §3).
const QUIET: i8 = -78;

/// What arrived from a leg and goes to those who listen.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) leg: LegId,
    pub(crate) position: Position,
    pub(crate) marker: bool,
    pub(crate) content: Content,
}

/// A packet to be sent to a leg.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) slot: Slot,
    pub(crate) payload_type: u8,
    pub(crate) payload: Arc<[u8]>,
}

/// What came of one frame.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) packet: Option<Packet>,
    pub(crate) finished: Vec<PlayId>,
}

/// A clip that is played on top.
#[derive(Debug)]
struct Over {
    clip: Arc<Clip>,
    play: PlayId,
    played: usize,
}

#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) line: Line,
    pub(crate) gate_open: bool,
    /// Its keys are told and not passed on.
    pub(crate) keeps_digits: bool,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    /// How loud a browser says its packet in hand is, in decibels below the loudest.
    pub(crate) level: Option<i8>,
    heard_audio: bool,
    receiver: Receiver,
    watch: Watch,
    detector: DigitDetector,
    detector_epoch: u32,
    /// Listens for keys as tones, where no events were agreed on.
    tone_detector: Option<Box<ToneDetector>>,
    source: Option<Source>,
    /// Samples of the clip that were sent.
    played: usize,
    over: Option<Over>,
    /// What waits of those who are mixed for this leg.
    mixed: BTreeMap<LegId, JitterBuffer>,
    /// Makes samples of what this leg sends, while somebody wants samples.
    decoder: Option<Box<Decoder>>,
    /// Makes frames of another leg's samples, where its packets cannot be passed on.
    transcoder: Option<Box<Transcoder>>,
    encoder: FrameEncoder,
    /// The noise that stands for the silence of the leg that is heard, and the state of its randomness.
    comfort: Option<u8>,
    noise: u32,
    digits: DigitSender,
    /// Keys on their way as sound.
    tones: VecDeque<i16>,
    out: OutStream,
    /// When the next frame is made; `None` while nobody has said what to hear or nothing can be sent.
    next_frame: Option<Instant>,
    /// Where packets are decrypted.
    room: Vec<u8>,
}

impl Leg {
    pub(crate) fn new(id: LegId, line: Line, out: OutStream) -> Self {
        let gate_open = matches!(line, Line::Rtp(_));
        Self {
            id,
            line,
            gate_open,
            keeps_digits: false,
            sent: 0,
            refused: 0,
            level: None,
            heard_audio: false,
            receiver: Receiver::default(),
            watch: Watch::default(),
            detector: DigitDetector::default(),
            detector_epoch: 0,
            tone_detector: None,
            source: None,
            played: 0,
            over: None,
            mixed: BTreeMap::new(),
            decoder: None,
            transcoder: None,
            encoder: FrameEncoder::default(),
            comfort: None,
            noise: 1,
            digits: DigitSender::default(),
            tones: VecDeque::new(),
            out,
            next_frame: None,
            room: Vec::new(),
        }
    }

    /// A browser connected anew: its stream has new identifiers and may begin where it likes.
    pub(crate) fn replace_line(&mut self, line: Line, out: OutStream) {
        self.line = line;
        self.out = out;
        self.next_frame = None;
    }

    pub(crate) fn set_rtp(
        &mut self,
        now: Instant,
        params: &RtpParams,
        identity: &Identity,
        out: &mut Vec<GuardOutput>,
    ) {
        let Line::Rtp(line) = &mut self.line else { return };
        line.set(now, params, identity, out);
        let tones = params.dtmf.is_none() && params.codec.g711().is_some();
        self.tone_detector = if tones { self.tone_detector.take().or_else(|| Some(Box::default())) } else { None };
    }

    pub(crate) fn can_send(&self) -> bool {
        match &self.line {
            Line::Rtp(line) => line.destination().is_some(),
            Line::Peer(peer) => peer.can_send(),
        }
    }

    fn format(&self) -> Option<&Format> {
        match &self.line {
            Line::Rtp(line) => line.format(),
            Line::Peer(peer) => Some(peer.format()),
        }
    }

    /// Takes a datagram of a phone. `None` when it is not accepted.
    pub(crate) fn receive_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Heard> {
        let Line::Rtp(line) = &mut self.line else { return None };
        let mut room = std::mem::take(&mut self.room);
        let heard = if let Some(packet) = line.accept(now, from, bytes, &mut room) {
            self.receive(now, &packet)
        } else {
            self.refused += 1;
            None
        };
        self.room = room;
        heard
    }

    /// Takes a datagram of a browser whose media is opened here. `false` when it is the library's to take.
    pub(crate) fn receive_media(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        heard: &mut VecDeque<Heard>,
    ) -> bool {
        let Line::Peer(peer) = &mut self.line else { return false };
        let mut room = std::mem::take(&mut self.room);
        let opened = peer.open(now, from, bytes, &mut room);
        let taken = opened.is_some();
        match opened {
            Some(Opened::Sound(packet, level)) => {
                self.level = level;
                heard.extend(self.receive(now, &packet));
            }
            Some(Opened::Refused) => self.refused += 1,
            Some(Opened::Report) | None => {}
        }
        self.room = room;
        taken
    }

    /// Takes a control packet of a phone.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Line::Rtp(line) = &mut self.line else { return };
        if !line.take_rtcp(now, from, bytes) {
            self.refused += 1;
        }
    }

    /// Our report to the far side.
    pub(crate) fn report(&mut self, now: Instant, goodbye: bool) -> Option<(SocketAddr, Vec<u8>)> {
        match &mut self.line {
            Line::Rtp(line) => line.report(now, &mut self.receiver, goodbye),
            Line::Peer(peer) => peer.report(now, &mut self.receiver, goodbye),
        }
    }

    /// Takes a packet that is known to come from the far side.
    pub(crate) fn receive(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Option<Heard> {
        let format = self.format();
        let factor = format.map_or(1, Format::clock_factor);
        let content = format.and_then(|format| format.content(packet.payload_type, packet.payload));
        let position = content
            .is_some()
            .then(|| self.receiver.accept(now, packet.ssrc, packet.sequence, packet.timestamp, factor))
            .flatten();
        let (Some(content), Some(position)) = (content, position) else {
            self.refused += 1;
            return None;
        };
        Some(Heard { leg: self.id, position, marker: packet.marker, content })
    }

    /// Notes that a packet came: `true` when the leg had been lost.
    pub(crate) fn note(&mut self, now: Instant, heard: &Heard) -> bool {
        if self.watch.listens()
            && let Content::Audio(codec, payload) = &heard.content
            && matches!(self.line, Line::Peer(_))
        {
            match (codec.g711(), self.level.take()) {
                (Some(codec), _) => {
                    let loud = payload.iter().any(|byte| codec.decode(*byte).unsigned_abs() > NOTHING);
                    self.watch.sound(now, Some(loud));
                }
                (None, Some(level)) => self.watch.sound(now, Some(level > QUIET)),
                // Where it is made into samples, they tell; where it is passed on as it is, nobody knows.
                (None, None) if self.decoder.is_none() => self.watch.sound(now, None),
                (None, None) => {}
            }
        }
        self.watch.packet(now)
    }

    /// Looks at how what comes from the leg is; `joined` tells whether somebody listens.
    pub(crate) fn look(&mut self, now: Instant, joined: bool, timeout: Duration, out: &mut Vec<Event>) {
        let (browser, flows) = match &self.line {
            Line::Rtp(line) => (false, line.format().is_some() && line.flow().receives()),
            Line::Peer(_) => (true, true),
        };
        let look = Look {
            browser,
            expected: flows && self.source.is_some(),
            joined: joined && self.gate_open,
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            jitter_us: self.receiver.jitter_us(),
            remote_lost: self.line.remote().fraction,
        };
        self.watch.look(now, self.id, look, timeout, out);
    }

    /// Whether this is the first audio packet ever.
    pub(crate) fn is_first_audio(&mut self, heard: &Heard) -> bool {
        let first = matches!(heard.content, Content::Audio(..)) && !self.heard_audio;
        self.heard_audio |= first;
        first
    }

    /// The key of a press that was not counted before.
    pub(crate) fn detect_digit(&mut self, heard: &Heard) -> Option<char> {
        match &heard.content {
            Content::Dtmf(event) => {
                if self.detector_epoch != heard.position.epoch {
                    self.detector_epoch = heard.position.epoch;
                    self.detector.reset();
                }
                self.detector.accept(heard.position.timestamp, *event)
            }
            Content::Audio(codec, payload) => {
                let detector = self.tone_detector.as_mut()?;
                detector.hear(codec.g711()?.decode_all(payload))
            }
            Content::Noise(_) => None,
        }
    }

    /// What this leg sent, as samples; nothing before the packets are in order.
    pub(crate) fn decode(&mut self, now: Instant, heard: &Heard, out: &mut Vec<Block>) {
        let decoder = self.decoder.get_or_insert_default();
        match &heard.content {
            Content::Audio(codec, payload) => decoder.audio(heard.position, *codec, payload, out),
            Content::Dtmf(_) | Content::Noise(_) => decoder.other(heard.position, out),
        }
        if self.watch.listens() && !out.is_empty() {
            let loud = out.iter().any(|block| block.samples.iter().any(|sample| sample.unsigned_abs() > NOTHING));
            self.watch.sound(now, Some(loud));
        }
    }

    /// Whether what this leg sends is made into samples at the moment.
    pub(crate) fn is_decoding(&self) -> bool {
        self.decoder.is_some()
    }

    /// Nobody wants samples of this leg any more.
    pub(crate) fn stop_decoding(&mut self) {
        self.decoder = None;
    }

    pub(crate) fn stats(&self) -> AudioStats {
        let remote = self.line.remote();
        AudioStats {
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            refused: self.refused,
            sent: self.sent,
            jitter_us: self.receiver.jitter_us(),
            remote_lost: remote.lost,
            rtt_us: remote.round_trip,
        }
    }
}
