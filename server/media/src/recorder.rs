//! Records what one leg sends, as samples on the time line of the recording.
//!
//! A packet is placed by its timestamp relative to the first of its stream, and that by its arrival. What does not arrive
//! is silence. Samples are given out a little late, so that late packets still find their place.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::event::RecordEnd;
use crate::stream::samples_in;
use crate::{FRAME_SAMPLES, SAMPLE_RATE};

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
    pub(crate) leg: LegId,
    started: Instant,
    pieces: u32,
    /// Samples given out.
    given: u64,
    /// Samples after those, as far as known.
    pending: VecDeque<i16>,
    anchor: Option<Anchor>,
    longest: u64,
    silence: Option<u64>,
    /// Samples of silence at the end of what was given out.
    quiet: u64,
}

/// Ties the timestamps of one stream to the time line.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    epoch: u32,
    timestamp: u32,
    position: u64,
}

/// What a recorder has to give at a time.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) samples: Vec<i16>,
    pub(crate) end: Option<RecordEnd>,
}

impl Recorder {
    pub(crate) fn new(now: Instant, leg: LegId, max_ms: u32, silence_ms: Option<u32>) -> Self {
        let per_ms = u64::from(SAMPLE_RATE / 1_000);
        Self {
            leg,
            started: now,
            pieces: 0,
            given: 0,
            pending: VecDeque::new(),
            anchor: None,
            longest: u64::from(max_ms) * per_ms,
            silence: silence_ms.map(|ms| u64::from(ms) * per_ms),
            quiet: 0,
        }
    }

    /// When [`Self::give`] has something to give next.
    pub(crate) fn deadline(&self) -> Instant {
        let end = self.started + Duration::from_micros(self.longest * 1_000_000 / u64::from(SAMPLE_RATE));
        end.min(self.started + PIECE * (self.pieces + 1))
    }

    /// Its length so far in milliseconds.
    pub(crate) fn ms(&self) -> u32 {
        u32::try_from(self.given * 1_000 / u64::from(SAMPLE_RATE)).unwrap_or(u32::MAX)
    }

    /// Places the samples of a packet.
    pub(crate) fn push(&mut self, now: Instant, epoch: u32, timestamp: u32, samples: impl Iterator<Item = i16>) {
        let elapsed = self.elapsed(now);
        let placed = self.anchor.filter(|anchor| anchor.epoch == epoch).and_then(|anchor| {
            let after = i64::from(timestamp.wrapping_sub(anchor.timestamp).cast_signed());
            anchor.position.checked_add_signed(after).filter(|position| *position <= elapsed + MAX_AHEAD)
        });
        let position = match placed {
            Some(position) if position >= self.given => position,
            // A first packet, one of a clock that ran away, or one that comes after its time was given out.
            Some(_) | None => {
                let position = elapsed.max(self.given);
                self.anchor = Some(Anchor { epoch, timestamp, position });
                position
            }
        };
        for (at, sample) in (position.saturating_sub(self.given)..).zip(samples) {
            let Ok(at) = usize::try_from(at) else { return };
            if at >= self.pending.len() {
                self.pending.resize(at + 1, 0);
            }
            self.pending[at] = sample;
        }
    }

    /// The samples that are due, and the end if it is reached.
    pub(crate) fn give(&mut self, now: Instant) -> Piece {
        let elapsed = self.elapsed(now);
        while self.started + PIECE * (self.pieces + 1) <= now {
            self.pieces += 1;
        }
        if elapsed >= self.longest {
            return self.take_until(self.longest, Some(RecordEnd::MaxLength));
        }
        // Whole frames, since silence is measured in them.
        let frame = FRAME_SAMPLES as u64;
        self.take_until(elapsed.saturating_sub(HOLD) / frame * frame, None)
    }

    /// All samples up to now: the recording is over.
    pub(crate) fn finish(&mut self, now: Instant) -> Vec<i16> {
        let end = self.elapsed(now).min(self.longest);
        self.silence = None;
        self.take_until(end, None).samples
    }

    fn take_until(&mut self, end: u64, why: Option<RecordEnd>) -> Piece {
        let count = usize::try_from(end.saturating_sub(self.given)).unwrap_or(0);
        if self.pending.len() < count {
            self.pending.resize(count, 0);
        }
        let mut samples: Vec<i16> = self.pending.drain(..count).collect();
        let mut end = why;
        if let Some(limit) = self.silence {
            let mut at = 0;
            for frame in samples.chunks(FRAME_SAMPLES) {
                at += frame.len();
                self.quiet = if is_silent(frame) { self.quiet + frame.len() as u64 } else { 0 };
                if self.quiet >= limit {
                    end = Some(RecordEnd::Silence);
                    break;
                }
            }
            samples.truncate(at);
        }
        self.given += samples.len() as u64;
        Piece { samples, end }
    }

    fn elapsed(&self, now: Instant) -> u64 {
        u64::from(samples_in(now.saturating_duration_since(self.started)))
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
            let recorder = Recorder::new(start, LEG, max_ms, silence_ms);
            Self { start, recorder, samples: Vec::new(), end: None }
        }

        fn run_until(&mut self, ms: u64) {
            let now = self.start + Duration::from_millis(ms);
            while self.end.is_none() && self.recorder.deadline() <= now {
                let piece = self.recorder.give(self.recorder.deadline());
                self.samples.extend(piece.samples);
                self.end = piece.end;
            }
        }

        fn push(&mut self, ms: u64, timestamp: u32, samples: &[i16]) {
            self.run_until(ms);
            self.recorder.push(self.start + Duration::from_millis(ms), 1, timestamp, samples.iter().copied());
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
                assert!(tape.recorder.pending.len() < 8_000);
            }
            let heard = tape.samples.iter().filter(|sample| **sample == 1_000).count();
            assert!(heard * 10 > tape.samples.len() * 8, "rate {rate}: {heard} of {}", tape.samples.len());
        }
    }
}
