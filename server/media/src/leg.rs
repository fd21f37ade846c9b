//! One leg: what it sends, what it hears, and the frames made for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::decode::{Block, Decoder};
use crate::dtmf::{DigitDetector, DigitFrame, DigitSender, DtmfEvent};
use crate::event::AudioStats;
use crate::jitter::JitterBuffer;
use crate::packet::RtpPacket;
use crate::peer::Peer;
use crate::receive::Receiver;
use crate::source_lock::SourceLock;
use crate::stream::{OutStream, Slot};
use crate::tone::dtmf_tone;
use crate::{Clip, Codec, FRAME_SAMPLES, Flow, PlayId, RtpParams, SAMPLE_RATE, Source};

/// One frame of what is made here.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// One frame in the units of timestamps.
const FRAME_TIME: u32 = 160;

/// A source that sends nothing for this long is filled up with silence.
const PATIENCE: Duration = Duration::from_millis(400);

/// Frames later than this are left out instead of being sent in a burst.
const MAX_LATE: Duration = Duration::from_millis(200);

/// Key tones waiting to be sent: half a minute; what is beyond is dropped.
const MAX_TONES: usize = 30 * SAMPLE_RATE as usize;

/// How the far side is reached.
#[derive(Debug)]
pub(crate) enum Line {
    Rtp(RtpLine),
    Peer(Box<Peer>),
}

/// A phone: plain RTP.
#[derive(Debug)]
pub(crate) struct RtpLine {
    pub(crate) ssrc: u32,
    /// What was negotiated and whom we listen to; nothing before the answer.
    pub(crate) agreed: Option<(Format, SourceLock)>,
    pub(crate) flow: Flow,
}

/// The payload types of one leg.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// Codecs both sides know, the preferred one first.
    pub(crate) audio: Vec<(Codec, u8)>,
    pub(crate) dtmf: Option<u8>,
}

/// What arrived from a leg and goes to those who listen.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) leg: LegId,
    pub(crate) position: crate::receive::Position,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Audio(Codec, Arc<[u8]>),
    Dtmf(DtmfEvent),
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
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    heard_audio: bool,
    receiver: Receiver,
    detector: DigitDetector,
    detector_epoch: u32,
    source: Option<Source>,
    /// Samples of the clip that were sent.
    played: usize,
    over: Option<Over>,
    /// What waits of those who are mixed for this leg.
    mixed: BTreeMap<LegId, JitterBuffer>,
    /// Makes samples of what this leg sends, while somebody wants samples.
    decoder: Option<Box<Decoder>>,
    digits: DigitSender,
    /// Keys on their way as sound.
    tones: VecDeque<i16>,
    out: OutStream,
    /// When the next frame is made; `None` while nobody has said what to hear or nothing can be sent.
    next_frame: Option<Instant>,
}

impl Leg {
    pub(crate) fn new(id: LegId, line: Line, out: OutStream) -> Self {
        let gate_open = matches!(line, Line::Rtp(_));
        Self {
            id,
            line,
            gate_open,
            sent: 0,
            refused: 0,
            heard_audio: false,
            receiver: Receiver::default(),
            detector: DigitDetector::default(),
            detector_epoch: 0,
            source: None,
            played: 0,
            over: None,
            mixed: BTreeMap::new(),
            decoder: None,
            digits: DigitSender::default(),
            tones: VecDeque::new(),
            out,
            next_frame: None,
        }
    }

    /// A browser connected anew: its stream has new identifiers and may begin where it likes.
    pub(crate) fn replace_line(&mut self, line: Line, out: OutStream) {
        self.line = line;
        self.out = out;
        self.next_frame = None;
    }

    pub(crate) fn set_rtp(&mut self, params: RtpParams) {
        let Line::Rtp(line) = &mut self.line else { return };
        let format = Format { audio: vec![(params.codec, params.payload_type)], dtmf: params.dtmf };
        line.flow = params.flow;
        match &mut line.agreed {
            Some((agreed, lock)) => {
                *agreed = format;
                lock.signal(params.remote);
            }
            None => line.agreed = Some((format, SourceLock::new(params.remote))),
        }
    }

    /// The legs this one listens to.
    pub(crate) fn listens_to(&self) -> &[LegId] {
        match &self.source {
            Some(Source::Leg(leg)) => std::slice::from_ref(leg),
            Some(Source::Mix(legs)) => legs,
            Some(Source::Silence | Source::Clip { .. } | Source::Loop { .. }) | None => &[],
        }
    }

    /// Whether what other legs send is mixed for this one, instead of being passed on packet by packet.
    pub(crate) fn mixes(&self) -> bool {
        match self.source {
            Some(Source::Mix(_)) => true,
            Some(Source::Leg(_)) => self.over.is_some(),
            Some(Source::Silence | Source::Clip { .. } | Source::Loop { .. }) | None => false,
        }
    }

    pub(crate) fn hear(&mut self, now: Instant, mut source: Source) {
        if let Source::Mix(legs) = &mut source {
            legs.retain(|leg| *leg != self.id);
        }
        self.source = Some(source);
        self.played = 0;
        let Self { mixed, source, .. } = self;
        mixed.retain(|leg, _| matches!(source, Some(Source::Mix(legs)) if legs.contains(leg)));
        self.out.interrupt();
        self.start_frames(now);
    }

    /// Plays a clip on top of what is heard.
    pub(crate) fn play_over(&mut self, now: Instant, over: Option<(Arc<Clip>, PlayId)>) {
        let before = self.mixes();
        self.over = over.map(|(clip, play)| Over { clip, play, played: 0 });
        if self.source.is_none() {
            self.source = Some(Source::Silence);
        }
        if before != self.mixes() {
            self.mixed.clear();
            self.out.interrupt();
            self.start_frames(now);
        } else if self.next_frame.is_none() {
            self.start_frames(now);
        }
    }

    /// Samples of another leg that are mixed for this one.
    pub(crate) fn mix_in(&mut self, from: LegId, blocks: &[Block]) {
        let buffer = self.mixed.entry(from).or_default();
        for block in blocks {
            buffer.push(block);
        }
    }

    /// What this leg sent, as samples; nothing before the packets are in order.
    pub(crate) fn decode(&mut self, heard: &Heard, out: &mut Vec<Block>) {
        let decoder = self.decoder.get_or_insert_default();
        match &heard.content {
            Content::Audio(codec, payload) => decoder.audio(heard.position, heard.timestamp, *codec, payload, out),
            Content::Dtmf(_) => decoder.other(heard.position, heard.timestamp, out),
        }
    }

    /// Nobody wants samples of this leg any more.
    pub(crate) fn stop_decoding(&mut self) {
        self.decoder = None;
    }

    /// Begins to make frames if something is to be heard, can be sent and is not yet.
    pub(crate) fn start_frames(&mut self, now: Instant) {
        if !self.can_send() {
            self.next_frame = None;
            return;
        }
        self.next_frame = if self.is_dialing() {
            Some(self.after_last(now))
        } else if matches!(self.source, Some(Source::Leg(_))) && !self.mixes() {
            Some(now + PATIENCE)
        } else {
            self.source.is_some().then(|| self.after_last(now))
        };
    }

    /// Now, or when the frame sent last has had its 20 ms.
    fn after_last(&self, now: Instant) -> Instant {
        self.out.last_sent().map_or(now, |last| now.max(last + FRAME))
    }

    /// Whether digits are being sent, in place of what is heard.
    fn is_dialing(&self) -> bool {
        !self.digits.is_idle() || !self.tones.is_empty()
    }

    /// Whom this leg listens to fell silent, by its gate or its end: silence follows at once instead of after a while.
    pub(crate) fn source_stopped(&mut self, now: Instant, source: LegId) {
        self.mixed.remove(&source);
        if self.mixes() {
            return;
        }
        self.out.interrupt();
        if self.next_frame.is_some() {
            self.next_frame = Some(self.after_last(now));
        }
    }

    pub(crate) fn send_digits(&mut self, now: Instant, digits: &str) {
        if !self.can_send() {
            return;
        }
        let was_dialing = self.is_dialing();
        if self.format().is_some_and(|format| format.dtmf.is_some()) {
            self.digits.push(digits);
        } else if self.tones.len() < MAX_TONES {
            // A far side that knows no events hears the keys as tones.
            self.tones.extend(digits.chars().filter_map(dtmf_tone).flatten());
        }
        if !was_dialing {
            self.out.interrupt();
            self.start_frames(now);
        }
    }

    pub(crate) fn next_frame(&self) -> Option<Instant> {
        self.next_frame
    }

    pub(crate) fn can_send(&self) -> bool {
        match &self.line {
            Line::Rtp(line) => {
                line.flow.sends() && line.agreed.as_ref().is_some_and(|(_, lock)| lock.destination().is_some())
            }
            Line::Peer(peer) => peer.can_send(),
        }
    }

    fn format(&self) -> Option<&Format> {
        match &self.line {
            Line::Rtp(line) => line.agreed.as_ref().map(|(format, _)| format),
            Line::Peer(peer) => Some(peer.format()),
        }
    }

    /// Takes a datagram of a phone. `None` when it is not accepted.
    pub(crate) fn receive_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Heard> {
        let Line::Rtp(line) = &mut self.line else { return None };
        let packet = RtpPacket::parse(bytes);
        let accepted = line.agreed.as_mut().zip(packet).is_some_and(|((format, lock), packet)| {
            format.content(packet.payload_type, packet.payload).is_some() && lock.accept(from, &packet)
        });
        if !accepted {
            self.refused += 1;
            return None;
        }
        self.receive(now, &packet?)
    }

    /// Takes a packet that is known to come from the far side.
    pub(crate) fn receive(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Option<Heard> {
        let content = self.format().and_then(|format| format.content(packet.payload_type, packet.payload));
        let position = content
            .is_some()
            .then(|| self.receiver.accept(now, packet.ssrc, packet.sequence, packet.timestamp))
            .flatten();
        let (Some(content), Some(position)) = (content, position) else {
            self.refused += 1;
            return None;
        };
        Some(Heard { leg: self.id, position, timestamp: packet.timestamp, marker: packet.marker, content })
    }

    /// Whether this is the first audio packet ever.
    pub(crate) fn is_first_audio(&mut self, heard: &Heard) -> bool {
        let first = matches!(heard.content, Content::Audio(..)) && !self.heard_audio;
        self.heard_audio |= first;
        first
    }

    /// The key of a press that was not counted before.
    pub(crate) fn detect_digit(&mut self, heard: &Heard) -> Option<char> {
        let Content::Dtmf(event) = heard.content else { return None };
        if self.detector_epoch != heard.position.epoch {
            self.detector_epoch = heard.position.epoch;
            self.detector.reset();
        }
        self.detector.accept(heard.timestamp, event)
    }

    /// What of another leg's packet is sent to this one, and the key it tells of for the first time.
    pub(crate) fn forward(&mut self, now: Instant, heard: &Heard, digit: Option<char>) -> Option<Packet> {
        if !self.can_send() {
            return None;
        }
        let told = !self.mixes() && self.format().is_some_and(|format| format.dtmf.is_some());
        if matches!(heard.content, Content::Dtmf(_)) && !told {
            // The events cannot be passed on among mixed sound, nor to one who knows none: the key is pressed anew.
            if let Some(digit) = digit {
                self.send_digits(now, digit.encode_utf8(&mut [0; 4]));
            }
            return None;
        }
        if self.mixes() || self.is_dialing() {
            return None;
        }
        let (payload_type, payload) = self.format().and_then(|format| format.encode(&heard.content))?;
        let samples = match &heard.content {
            Content::Audio(_, payload) => u32::try_from(payload.len()).unwrap_or(0),
            Content::Dtmf(_) => FRAME_TIME,
        };
        let slot = self.out.passed(now, heard.leg, heard.position, heard.timestamp, samples, heard.marker)?;
        self.next_frame = Some(now + PATIENCE);
        Some(Packet { slot, payload_type, payload })
    }

    /// Makes the frame that is due.
    pub(crate) fn frame(&mut self, now: Instant) -> Frame {
        let Some(due) = self.next_frame.filter(|due| *due <= now) else { return Frame::default() };
        if !self.can_send() {
            self.next_frame = None;
            return Frame::default();
        }
        // Drift-free: the next frame follows from when this one was due, not from when we came to make it.
        let late = now.saturating_duration_since(due) > MAX_LATE;
        if late {
            self.out.interrupt();
        }
        self.next_frame = Some(if late { now + FRAME } else { due + FRAME });
        if !self.digits.is_idle() {
            return Frame { packet: self.digit_frame(now), finished: Vec::new() };
        }
        let Some(format) = self.format() else { return Frame::default() };
        let Some((codec, payload_type)) = format.audio.first().copied() else { return Frame::default() };
        let mut finished = Vec::new();
        let dialed = !self.tones.is_empty();
        let samples = self.next_samples(&mut finished);
        if samples.is_none() && self.source.is_none() {
            // The last key was sent, and nobody has said what to hear.
            self.next_frame = None;
            return Frame::default();
        }
        let payload: Arc<[u8]> = samples.map_or_else(
            || Arc::from([codec.silence(); FRAME_SAMPLES]),
            |samples| samples.iter().map(|sample| codec.encode(*sample)).collect(),
        );
        let slot = self.out.own(now, FRAME_TIME);
        let over = !finished.is_empty() || dialed && self.tones.is_empty();
        if over && matches!(self.source, Some(Source::Leg(_))) && !self.mixes() {
            // Nothing is heard instead of the other leg or over it any more: its packets are passed on again.
            self.mixed.clear();
            self.out.interrupt();
            self.start_frames(now);
        }
        Frame { packet: Some(Packet { slot, payload_type, payload }), finished }
    }

    /// The samples of the next frame (`None`: silence), and the plays that ended before it.
    fn next_samples(&mut self, finished: &mut Vec<PlayId>) -> Option<[i16; FRAME_SAMPLES]> {
        let mut frame = [0; FRAME_SAMPLES];
        if !self.tones.is_empty() {
            for (sample, tone) in frame.iter_mut().zip(self.tones.drain(..FRAME_SAMPLES.min(self.tones.len()))) {
                *sample = tone;
            }
            return Some(frame);
        }
        let mut sounds = self.source_samples(&mut frame, finished);
        if let Some(over) = &mut self.over {
            let rest = over.clip.samples().get(over.played..).unwrap_or_default();
            for (sample, more) in frame.iter_mut().zip(rest) {
                *sample = sample.saturating_add(*more);
            }
            over.played += FRAME_SAMPLES;
            sounds = true;
            if over.played >= over.clip.samples().len() {
                finished.push(over.play);
                self.over = None;
            }
        }
        sounds.then_some(frame)
    }

    /// What the source gives to a frame. `false`: silence.
    fn source_samples(&mut self, frame: &mut [i16; FRAME_SAMPLES], finished: &mut Vec<PlayId>) -> bool {
        let mixes = self.mixes();
        match &self.source {
            Some(Source::Clip { clip, play }) => {
                let rest = clip.samples().get(self.played..).unwrap_or_default();
                if rest.is_empty() {
                    finished.push(*play);
                    self.source = Some(Source::Silence);
                    return false;
                }
                let count = rest.len().min(FRAME_SAMPLES);
                frame[..count].copy_from_slice(&rest[..count]);
                self.played += count;
                true
            }
            Some(Source::Loop { clip }) if !clip.samples().is_empty() => {
                self.played = copy_around(clip, self.played, &mut frame[..]);
                true
            }
            Some(Source::Mix(_) | Source::Leg(_)) if mixes => mix(&mut self.mixed, frame),
            Some(Source::Silence | Source::Leg(_) | Source::Mix(_) | Source::Loop { .. }) | None => false,
        }
    }

    fn digit_frame(&mut self, now: Instant) -> Option<Packet> {
        let frame = self.digits.next_frame();
        if self.digits.is_idle() {
            // What is heard goes on after the pause.
            self.start_frames(now + FRAME);
        }
        let payload_type = self.format()?.dtmf;
        let (Some(payload_type), Some(frame)) = (payload_type, frame) else {
            self.digits.clear();
            return None;
        };
        let (slot, event) = match frame {
            DigitFrame::Begin(event) => {
                self.out.interrupt();
                (self.out.own(now, FRAME_TIME), event)
            }
            DigitFrame::Continue(event) => (self.out.repeat(), event),
            DigitFrame::Pause => {
                self.out.interrupt();
                return None;
            }
        };
        Some(Packet { slot, payload_type, payload: Arc::from(event.to_bytes()) })
    }

    pub(crate) fn stats(&self) -> AudioStats {
        AudioStats {
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            refused: self.refused,
            sent: self.sent,
            jitter_us: self.receiver.jitter_us(),
        }
    }
}

impl Format {
    /// What a payload holds; `None` for a payload type that was not agreed on.
    fn content(&self, payload_type: u8, payload: &[u8]) -> Option<Content> {
        if let Some((codec, _)) = self.audio.iter().find(|(_, known)| *known == payload_type) {
            return Some(Content::Audio(*codec, Arc::from(payload)));
        }
        if self.dtmf == Some(payload_type) {
            return DtmfEvent::parse(payload).map(Content::Dtmf);
        }
        None
    }

    /// The same in a payload type of this leg.
    fn encode(&self, content: &Content) -> Option<(u8, Arc<[u8]>)> {
        match content {
            Content::Audio(codec, payload) => {
                if let Some((_, payload_type)) = self.audio.iter().find(|(known, _)| known == codec) {
                    return Some((*payload_type, Arc::clone(payload)));
                }
                let (other, payload_type) = self.audio.first()?;
                Some((*payload_type, Arc::from(codec.transcode(*other, payload))))
            }
            Content::Dtmf(event) => Some((self.dtmf?, Arc::from(event.to_bytes()))),
        }
    }
}

/// Copies from a clip that starts again at its end; gives the position after.
fn copy_around(clip: &Clip, from: usize, to: &mut [i16]) -> usize {
    let samples = clip.samples();
    let mut at = from % samples.len();
    for sample in to {
        *sample = samples[at];
        at = (at + 1) % samples.len();
    }
    at
}

/// Adds up the next frame of all that wait, without folding over. `false` when there is nothing.
fn mix(mixed: &mut BTreeMap<LegId, JitterBuffer>, frame: &mut [i16; FRAME_SAMPLES]) -> bool {
    let mut sums = [0_i32; FRAME_SAMPLES];
    let mut sounds = false;
    for buffer in mixed.values_mut() {
        let mut one = [0; FRAME_SAMPLES];
        sounds |= buffer.pull(&mut one);
        for (sum, sample) in sums.iter_mut().zip(one) {
            *sum += i32::from(sample);
        }
    }
    for (sample, sum) in frame.iter_mut().zip(sums) {
        *sample = i16::try_from(sum).unwrap_or(if sum < 0 { i16::MIN } else { i16::MAX });
    }
    sounds || frame.iter().any(|sample| *sample != 0)
}
