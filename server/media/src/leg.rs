//! One leg: what it sends, what it hears, and the frames made for it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::dtmf::{DigitDetector, DigitFrame, DigitSender, DtmfEvent};
use crate::event::AudioStats;
use crate::packet::RtpPacket;
use crate::peer::Peer;
use crate::receive::Receiver;
use crate::source_lock::SourceLock;
use crate::stream::{OutStream, Slot};
use crate::tone::dtmf_tone;
use crate::{Clip, Codec, FRAME_SAMPLES, PlayId, RtpParams, SAMPLE_RATE, Source};

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
    pub(crate) finished: Option<PlayId>,
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
        match &mut line.agreed {
            Some((agreed, lock)) => {
                *agreed = format;
                lock.signal(params.remote);
            }
            None => line.agreed = Some((format, SourceLock::new(params.remote))),
        }
    }

    /// The leg this one listens to, if it listens to one.
    pub(crate) fn listens_to(&self) -> Option<LegId> {
        match self.source {
            Some(Source::Leg(leg)) => Some(leg),
            Some(Source::Silence | Source::Clip { .. } | Source::Loop { .. }) | None => None,
        }
    }

    pub(crate) fn hear(&mut self, now: Instant, source: Source) {
        self.source = Some(source);
        self.played = 0;
        self.out.interrupt();
        self.start_frames(now);
    }

    /// Begins to make frames if something is to be heard, can be sent and is not yet.
    pub(crate) fn start_frames(&mut self, now: Instant) {
        if !self.can_send() {
            self.next_frame = None;
            return;
        }
        self.next_frame = if self.is_dialing() {
            Some(self.after_last(now))
        } else if self.listens_to().is_some() {
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
    pub(crate) fn source_stopped(&mut self, now: Instant) {
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
            Line::Rtp(line) => line.agreed.as_ref().is_some_and(|(_, lock)| lock.destination().is_some()),
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

    /// What of another leg's packet is sent to this one.
    pub(crate) fn forward(&mut self, now: Instant, heard: &Heard) -> Option<Packet> {
        if !self.can_send() || self.is_dialing() {
            return None;
        }
        let encoded = self.format().and_then(|format| format.encode(&heard.content));
        let Some((payload_type, payload)) = encoded else {
            // A key press this leg cannot be told: a gap in its numbers would look like loss.
            self.out.interrupt();
            return None;
        };
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
            return Frame { packet: self.digit_frame(now), finished: None };
        }
        let Some(format) = self.format() else { return Frame::default() };
        let Some((codec, payload_type)) = format.audio.first().copied() else { return Frame::default() };
        let (samples, finished) = self.next_samples();
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
        Frame { packet: Some(Packet { slot, payload_type, payload }), finished }
    }

    /// The samples of the next frame (`None`: silence) and the play that ended before it.
    fn next_samples(&mut self) -> (Option<Box<[i16; FRAME_SAMPLES]>>, Option<PlayId>) {
        let mut frame = Box::new([0; FRAME_SAMPLES]);
        if !self.tones.is_empty() {
            for (sample, tone) in frame.iter_mut().zip(self.tones.drain(..FRAME_SAMPLES.min(self.tones.len()))) {
                *sample = tone;
            }
            return (Some(frame), None);
        }
        match &self.source {
            Some(Source::Clip { clip, play }) => {
                let rest = clip.samples().get(self.played..).unwrap_or_default();
                if rest.is_empty() {
                    let play = *play;
                    self.source = Some(Source::Silence);
                    return (None, Some(play));
                }
                let count = rest.len().min(FRAME_SAMPLES);
                frame[..count].copy_from_slice(&rest[..count]);
                self.played += count;
            }
            Some(Source::Loop { clip }) if !clip.samples().is_empty() => {
                self.played = copy_around(clip, self.played, &mut frame[..]);
            }
            Some(Source::Silence | Source::Leg(_) | Source::Loop { .. }) | None => return (None, None),
        }
        (Some(frame), None)
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
