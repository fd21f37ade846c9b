//! What a leg hears: packets passed on, frames made, keys sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use super::{Content, Frame, Heard, Leg, Over, Packet};
use crate::decode::Block;
use crate::dtmf::DigitFrame;
use crate::jitter::JitterBuffer;
use crate::tone::dtmf_tone;
use crate::{Clip, Codec, FRAME_SAMPLES, PlayId, SAMPLE_RATE, Source};

/// One frame of what is made here.
const FRAME: Duration = Duration::from_millis(20);

/// One frame in the units of timestamps.
const FRAME_TIME: u32 = 160;

/// A source that sends nothing for this long is filled up with silence.
const PATIENCE: Duration = Duration::from_millis(400);

/// Frames later than this are left out instead of being sent in a burst.
const MAX_LATE: Duration = Duration::from_millis(200);

/// Key tones waiting to be sent: half a minute; what is beyond is dropped.
const MAX_TONES: usize = 30 * SAMPLE_RATE as usize;

impl Leg {
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
        (self.transcoder, self.comfort) = (None, None);
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

    /// Whether samples of a leg with this codec are needed for this one: packets cannot be passed on.
    pub(crate) fn wants_samples(&self, codec: Codec) -> bool {
        self.mixes() || self.format().is_some_and(|format| !format.takes(codec))
    }

    /// What of another leg's packet is sent to this one as it is, and the key it tells of for the first time.
    pub(crate) fn forward(&mut self, now: Instant, heard: &Heard, digit: Option<char>) -> Option<Packet> {
        if !self.can_send() {
            return None;
        }
        let mixes = self.mixes();
        let samples = match &heard.content {
            Content::Audio(codec, payload) => {
                self.comfort = None;
                if mixes || self.is_dialing() || self.wants_samples(*codec) {
                    return None;
                }
                match codec.g711() {
                    Some(_) => u32::try_from(payload.len()).unwrap_or(0),
                    None => FRAME_TIME,
                }
            }
            Content::Dtmf(_) => {
                let told = !mixes && self.format().is_some_and(|format| format.dtmf.is_some());
                if !told {
                    // The events cannot be passed on among mixed sound, nor to one who knows none: the key is pressed anew.
                    if let Some(digit) = digit {
                        self.send_digits(now, digit.encode_utf8(&mut [0; 4]));
                    }
                    return None;
                }
                if self.is_dialing() {
                    return None;
                }
                FRAME_TIME
            }
            Content::Noise(level) => {
                // Its silence is described once; until it speaks again, noise is made here.
                if !mixes && !self.is_dialing() && self.comfort.replace(*level).is_none() {
                    self.out.interrupt();
                    self.next_frame = Some(self.after_last(now));
                }
                return None;
            }
        };
        let (payload_type, payload) = self.format().and_then(|format| format.encode(&heard.content))?;
        let slot = self.out.passed(now, heard.leg, heard.position, samples, heard.marker)?;
        self.next_frame = Some(now + PATIENCE);
        Some(Packet { slot, payload_type, payload })
    }

    /// What of another leg's samples is sent to this one in its own codec.
    pub(crate) fn transcode(&mut self, now: Instant, from: LegId, blocks: &[Block], out: &mut Vec<Packet>) {
        if !self.can_send() || self.is_dialing() {
            return;
        }
        let Some((codec, payload_type)) = self.format().and_then(|format| format.audio.first().copied()) else {
            return;
        };
        let mut transcoder = self.transcoder.take().unwrap_or_default();
        let lost = self.line.remote().fraction;
        for block in blocks {
            transcoder.push(block, |position, frame| {
                let Some(payload) = self.encoder.encode(codec, frame, lost) else { return };
                if let Some(slot) = self.out.passed(now, from, position, FRAME_TIME, false) {
                    self.next_frame = Some(now + PATIENCE);
                    out.push(Packet { slot, payload_type, payload });
                }
            });
        }
        self.transcoder = Some(transcoder);
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
        let lost = self.line.remote().fraction;
        let payload = self.encoder.encode(codec, &samples.unwrap_or([0; FRAME_SAMPLES]), lost);
        let slot = self.out.own(now, FRAME_TIME);
        let over = !finished.is_empty() || dialed && self.tones.is_empty();
        if over && matches!(self.source, Some(Source::Leg(_))) && !self.mixes() {
            // Nothing is heard instead of the other leg or over it any more: its packets are passed on again.
            self.mixed.clear();
            self.out.interrupt();
            self.start_frames(now);
        }
        Frame { packet: payload.map(|payload| Packet { slot, payload_type, payload }), finished }
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
            Some(Source::Leg(_)) => self.comfort.is_some_and(|level| {
                add_noise(&mut self.noise, level, frame);
                true
            }),
            Some(Source::Silence | Source::Mix(_) | Source::Loop { .. }) | None => false,
        }
    }

    fn digit_frame(&mut self, now: Instant) -> Option<Packet> {
        let frame = self.digits.next_frame();
        if self.digits.is_idle() {
            // What is heard goes on after the pause.
            self.start_frames(now + FRAME);
        }
        let payload_type = self.format().and_then(|format| format.dtmf);
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
        Some(Packet { slot, payload_type, payload: self.format()?.event(event) })
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

/// White noise of a comfort noise packet: its power lies `level` decibels below that of the loudest square wave.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the cast saturates")]
fn add_noise(state: &mut u32, level: u8, frame: &mut [i16; FRAME_SAMPLES]) {
    // Evenly spread between two bounds, the power is a third of theirs squared.
    let bound = 32_767.0 * 3.0_f32.sqrt() * 10.0_f32.powf(-f32::from(level.max(20)) / 20.0);
    for sample in frame {
        // xorshift: noise is all it is for.
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *sample = (bound * (*state as f32 / u32::MAX as f32 * 2.0 - 1.0)) as i16;
    }
}
