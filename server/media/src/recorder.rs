//! Records what legs send, as samples on the time line of the recording: one leg alone, or the two sides of a call.
//!
//! A packet is placed by its timestamp relative to the first of its stream, and that by its arrival. What does not arrive
//! is silence. Samples are given out a little late, so that late packets still find their place.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::event::RecordEnd;
use crate::stream::samples_in;
use crate::{FRAME_SAMPLES, SAMPLE_RATE, Side};

/// Samples are given out in pieces of this length.
const PIECE: Duration = Duration::from_millis(100);

/// A packet may be this late, in samples: 120 ms.
const HOLD: u64 = 960;

/// A stream that is this far (half a second) ahead of the clock is placed anew.
const MAX_AHEAD: u64 = SAMPLE_RATE as u64 / 2;

/// Below this mean square a frame counts as silent: about -44 dB below full scale, over the noise of a quiet line.
const SILENCE_POWER: i64 = 200 * 200;

#[derive(Debug)]
pub(crate) struct Recorder {
    tracks: Vec<Track>,
    started: Instant,
    /// Samples of time that were dealt with, pauses included.
    given: u64,
    /// Samples given out: the length of the recording.
    kept: u64,
    /// Where the last pause began, and where it ended: nothing said between is kept, however late it comes.
    pause: Option<Pause>,
    longest: u64,
    silence: Option<u64>,
    /// Samples of silence at the end of what was given out.
    quiet: u64,
}

/// One channel.
#[derive(Debug, Default)]
struct Track {
    leg: Option<LegId>,
    /// Samples after those that were dealt with, as far as known.
    pending: VecDeque<i16>,
    anchor: Option<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    from: u64,
    to: Option<u64>,
}

/// Ties the timestamps of one stream to the time line.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    epoch: u32,
    timestamp: u32,
    position: u64,
}

/// What a recorder has to give at a time.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// The channels take turns.
    pub(crate) samples: Vec<i16>,
    pub(crate) end: Option<RecordEnd>,
}

impl Recorder {
    /// Records what one leg sends, in one channel.
    pub(crate) fn of_leg(now: Instant, leg: LegId, max_ms: u32, silence_ms: Option<u32>) -> Self {
        Self::new(now, vec![Track { leg: Some(leg), ..Track::default() }], max_ms, silence_ms)
    }

    /// Records both sides of a call, each in its channel.
    pub(crate) fn of_call(now: Instant, left: Option<LegId>, right: Option<LegId>, max_ms: u32) -> Self {
        let track = |leg| Track { leg, ..Track::default() };
        Self::new(now, vec![track(left), track(right)], max_ms, None)
    }

    fn new(now: Instant, tracks: Vec<Track>, max_ms: u32, silence_ms: Option<u32>) -> Self {
        let per_ms = u64::from(SAMPLE_RATE / 1_000);
        Self {
            tracks,
            started: now,
            given: 0,
            kept: 0,
            pause: None,
            longest: u64::from(max_ms) * per_ms,
            silence: silence_ms.map(|ms| u64::from(ms) * per_ms),
            quiet: 0,
        }
    }

    /// The number of its channels.
    pub(crate) fn channels(&self) -> u8 {
        if self.tracks.len() == 1 { 1 } else { 2 }
    }

    /// The legs that are recorded.
    pub(crate) fn legs(&self) -> impl Iterator<Item = LegId> + '_ {
        self.tracks.iter().filter_map(|track| track.leg)
    }

    /// Puts another leg on a side. A recording of one leg has no sides.
    pub(crate) fn set_side(&mut self, side: Side, leg: Option<LegId>) {
        if let [left, right] = &mut self.tracks[..] {
            let track = match side {
                Side::Left => left,
                Side::Right => right,
            };
            track.leg = leg;
            track.anchor = None;
        }
    }

    /// A leg is gone: its channel is silent from now on.
    pub(crate) fn drop_leg(&mut self, leg: LegId) {
        for track in self.tracks.iter_mut().filter(|track| track.leg == Some(leg)) {
            track.leg = None;
        }
    }

    /// When [`Self::give`] has something to give next; `None` during a pause.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_paused() {
            return None;
        }
        let end = self.given + self.longest.saturating_sub(self.kept);
        // A piece of time is complete when no late packet is waited for any more; at least a frame of it.
        let due = (self.given + HOLD + FRAME_SAMPLES as u64).next_multiple_of(u64::from(samples_in(PIECE)));
        Some(self.started + Duration::from_micros(due.min(end) * 1_000_000 / u64::from(SAMPLE_RATE)))
    }

    /// Its length so far in milliseconds.
    pub(crate) fn ms(&self) -> u32 {
        u32::try_from(self.kept * 1_000 / u64::from(SAMPLE_RATE)).unwrap_or(u32::MAX)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pause.is_some_and(|pause| pause.to.is_none())
    }

    /// Gives out all that was said until now, and keeps nothing more.
    pub(crate) fn pause(&mut self, now: Instant) -> Vec<i16> {
        let samples = self.finish(now);
        self.pause = Some(Pause { from: self.given, to: None });
        samples
    }

    /// Keeps what is said from now on.
    pub(crate) fn resume(&mut self, now: Instant) {
        let now = self.elapsed(now);
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.to.is_none()) {
            pause.to = Some(now);
            self.given = now;
        }
    }

    /// Places the samples of a packet of this leg.
    pub(crate) fn push(&mut self, now: Instant, leg: LegId, epoch: u32, timestamp: u32, samples: &[i16]) {
        let elapsed = self.elapsed(now);
        let (given, pause) = (self.given, self.pause);
        for track in self.tracks.iter_mut().filter(|track| track.leg == Some(leg)) {
            track.push(elapsed, given, pause, (epoch, timestamp), samples);
        }
    }

    /// The samples that are due, and the end if it is reached.
    pub(crate) fn give(&mut self, now: Instant) -> Piece {
        if self.is_paused() {
            return Piece::default();
        }
        let elapsed = self.elapsed(now);
        let end = self.given + self.longest.saturating_sub(self.kept);
        if elapsed >= end {
            return self.take_until(end, Some(RecordEnd::MaxLength));
        }
        // Whole frames, since silence is measured in them.
        let frame = FRAME_SAMPLES as u64;
        let whole = elapsed.saturating_sub(HOLD).saturating_sub(self.given) / frame * frame;
        self.take_until(self.given + whole, None)
    }

    /// All samples up to now: the recording is over, or pauses.
    pub(crate) fn finish(&mut self, now: Instant) -> Vec<i16> {
        if self.is_paused() {
            return Vec::new();
        }
        let end = self.elapsed(now).min(self.given + self.longest.saturating_sub(self.kept));
        let silence = self.silence.take();
        let samples = self.take_until(end, None).samples;
        self.silence = silence;
        samples
    }

    fn take_until(&mut self, end: u64, why: Option<RecordEnd>) -> Piece {
        let count = usize::try_from(end.saturating_sub(self.given)).unwrap_or(0);
        let channels = self.tracks.len();
        let mut samples = vec![0; count * channels];
        for (channel, track) in self.tracks.iter_mut().enumerate() {
            let known = track.pending.len().min(count);
            for (place, sample) in
                samples[channel.min(count)..].iter_mut().step_by(channels).zip(track.pending.drain(..known))
            {
                *place = sample;
            }
        }
        let mut end = why;
        let mut taken = count;
        if let Some(limit) = self.silence {
            let mut at = 0;
            for frame in samples.chunks(FRAME_SAMPLES * channels) {
                let length = frame.len() / channels;
                at += length;
                self.quiet = if is_silent(frame) { self.quiet + length as u64 } else { 0 };
                if self.quiet >= limit {
                    end = Some(RecordEnd::Silence);
                    break;
                }
            }
            samples.truncate(at * channels);
            taken = at;
        }
        self.given += taken as u64;
        self.kept += taken as u64;
        Piece { samples, end }
    }

    fn elapsed(&self, now: Instant) -> u64 {
        let micros = now.saturating_duration_since(self.started).as_micros() * u128::from(SAMPLE_RATE) / 1_000_000;
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

impl Track {
    fn push(
        &mut self,
        elapsed: u64,
        given: u64,
        pause: Option<Pause>,
        (epoch, timestamp): (u32, u32),
        samples: &[i16],
    ) {
        let placed = self.anchor.filter(|anchor| anchor.epoch == epoch).and_then(|anchor| {
            let after = i64::from(timestamp.wrapping_sub(anchor.timestamp).cast_signed());
            anchor.position.checked_add_signed(after).filter(|position| *position <= elapsed + MAX_AHEAD)
        });
        if let Some(pause) = pause {
            let said = placed.unwrap_or(elapsed);
            // What arrives at a time was said in the frame before it.
            let end = pause.to.map_or(u64::MAX, |to| to + FRAME_SAMPLES as u64);
            if (pause.from..end).contains(&said) {
                // Said during the pause. Where it stands is remembered, so that what comes late after it is known, too.
                if placed.is_none() {
                    self.anchor = Some(Anchor { epoch, timestamp, position: elapsed });
                }
                return;
            }
        }
        let position = match placed {
            Some(position) if position >= given => position,
            // A first packet, one of a clock that ran away, or one that comes after its time was given out.
            Some(_) | None => {
                let position = elapsed.max(given);
                self.anchor = Some(Anchor { epoch, timestamp, position });
                position
            }
        };
        for (at, sample) in (position.saturating_sub(given)..).zip(samples) {
            let Ok(at) = usize::try_from(at) else { return };
            if at >= self.pending.len() {
                self.pending.resize(at + 1, 0);
            }
            self.pending[at] = *sample;
        }
    }
}

fn is_silent(frame: &[i16]) -> bool {
    let power: i64 = frame.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    power <= SILENCE_POWER * i64::try_from(frame.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::{dropouts, snr};
    use crate::tone::sine;

    const LEG: LegId = LegId::demo(1);

    struct Tape {
        start: Instant,
        recorder: Recorder,
        samples: Vec<i16>,
        end: Option<RecordEnd>,
    }

    impl Tape {
        fn new(max_ms: u32, silence_ms: Option<u32>) -> Self {
            let start = Instant::now();
            let recorder = Recorder::of_leg(start, LEG, max_ms, silence_ms);
            Self { start, recorder, samples: Vec::new(), end: None }
        }

        fn run_until(&mut self, ms: u64) {
            let now = self.start + Duration::from_millis(ms);
            while self.end.is_none()
                && let Some(at) = self.recorder.deadline().filter(|at| *at <= now)
            {
                let piece = self.recorder.give(at);
                self.samples.extend(piece.samples);
                self.end = piece.end;
            }
        }

        fn push(&mut self, ms: u64, timestamp: u32, samples: &[i16]) {
            self.run_until(ms);
            self.recorder.push(self.start + Duration::from_millis(ms), LEG, 1, timestamp, samples);
        }
    }

    #[test]
    fn late_and_swapped_packets_find_their_place() {
        let tone = sine(440.0, 2_000, 10_000.0);
        let mut tape = Tape::new(1_700, None);
        let mut arrivals: Vec<(u64, u32)> = (0..100_u32)
            .map(|index| (u64::from(index) * 20 + if index % 7 == 3 { 70 } else { 0 }, index * 160))
            .collect();
        arrivals.sort_unstable();
        for (ms, timestamp) in arrivals {
            let from = timestamp as usize;
            tape.push(ms, timestamp, &tone[from..from + 160]);
        }
        tape.run_until(3_000);

        assert_eq!(tape.samples.len(), 1_700 * 8);
        assert_eq!((tape.end, tape.recorder.ms()), (Some(RecordEnd::MaxLength), 1_700));
        assert_eq!(dropouts(&tape.samples, 440.0), 0);
        assert!(snr(&tape.samples, 440.0) > 40.0);
    }

    #[test]
    fn what_does_not_arrive_is_silence_of_the_right_length() {
        let tone = sine(440.0, 1_000, 10_000.0);
        let mut tape = Tape::new(60_000, None);
        tape.push(500, 77_000, &tone[..160]);
        tape.push(1_500, 85_000, &tone[..160]);
        tape.run_until(1_900);
        let rest = tape.recorder.finish(tape.start + Duration::from_secs(2));
        tape.samples.extend(rest);

        assert_eq!(tape.samples.len(), 16_000);
        assert!(tape.samples[..4_000].iter().all(|sample| *sample == 0));
        assert_eq!(tape.samples[4_000..4_160], tone[..160]);
        assert!(tape.samples[4_160..12_000].iter().all(|sample| *sample == 0));
        assert_eq!(tape.samples[12_000..12_160], tone[..160]);
    }

    #[test]
    fn silence_ends_it_and_speech_does_not() {
        let tone = sine(440.0, 20, 10_000.0);
        let mut tape = Tape::new(60_000, Some(1_000));
        for index in 0..100_u32 {
            tape.push(u64::from(index) * 20, index * 160, &tone);
        }
        assert_eq!(tape.end, None);
        tape.run_until(10_000);

        assert_eq!((tape.end, tape.recorder.ms()), (Some(RecordEnd::Silence), 3_000));
        assert_eq!(tape.samples.len(), 24_000);
    }

    #[test]
    fn clocks_that_run_fast_slow_or_wild_neither_lose_all_nor_fill_the_memory() {
        for rate in [150, 170, 1_000_000] {
            let mut tape = Tape::new(600_000, None);
            for index in 0..10_000_u32 {
                tape.push(u64::from(index) * 20, index.wrapping_mul(rate), &[1_000; 160]);
                assert!(tape.recorder.tracks[0].pending.len() < 8_000);
            }
            let heard = tape.samples.iter().filter(|sample| **sample == 1_000).count();
            assert!(heard * 10 > tape.samples.len() * 8, "rate {rate}: {heard} of {}", tape.samples.len());
        }
    }
}
