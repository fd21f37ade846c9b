//! Hides what was lost: the last pitch period goes on and fades, in the manner of ITU-T G.711 Appendix I.

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// The shortest and the longest pitch period, in samples: 200 and 66 Hz.
const PITCH: std::ops::RangeInclusive<usize> = 40..=120;

/// What is compared to find the pitch: 20 ms.
const COMPARED: usize = 160;

/// What is remembered: enough to compare over the longest period.
const HISTORY: usize = COMPARED + 120;

/// The sound goes on unchanged for 10 ms, then fades and is gone after 60 ms.
const STEADY: usize = 80;
const GONE: usize = 480;

/// Old and new sound overlap for 4 ms where they meet.
const OVERLAP: usize = 32;

/// Remembers what was heard and makes up what was not.
#[derive(Debug)]
pub(crate) struct Concealer {
    history: [i16; HISTORY],
    /// Samples made up in a row, and the period they repeat.
    made_up: usize,
    period: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self { history: [0; HISTORY], made_up: 0, period: *PITCH.end() }
    }
}

impl Concealer {
    /// Takes in samples that arrived; their beginning is blended with what was made up before them.
    pub(crate) fn heard(&mut self, samples: &mut [i16]) {
        if self.made_up > 0 {
            let mut tail = [0; OVERLAP];
            self.make_up(&mut tail);
            for (index, (sample, made_up)) in samples.iter_mut().zip(tail).enumerate() {
                *sample = blend(made_up, *sample, index, OVERLAP);
            }
            self.made_up = 0;
        }
        self.remember(samples);
    }

    /// Makes up the samples that did not arrive.
    pub(crate) fn missing(&mut self, samples: &mut [i16]) {
        if self.made_up == 0 {
            self.period = self.pitch();
        }
        self.make_up(samples);
        self.made_up += samples.len();
    }

    /// Nothing of what was heard before goes on: a new stream.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The history stays as it is while samples are made up, so that the same period is repeated.
    fn make_up(&self, samples: &mut [i16]) {
        let last = &self.history[HISTORY - self.period..];
        for (index, sample) in (self.made_up..).zip(samples) {
            let plain = last[index % self.period];
            // Where the period starts over, its end is blended with what stood before its beginning.
            let quarter = self.period / 4;
            let into = index % self.period;
            let smooth = match (into + quarter).checked_sub(self.period) {
                Some(at) => blend(plain, self.history[HISTORY - 2 * self.period + into], at, quarter),
                None => plain,
            };
            *sample = faded(smooth, index);
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = samples.len().min(HISTORY);
        self.history.copy_within(kept.., 0);
        self.history[HISTORY - kept..].copy_from_slice(&samples[samples.len() - kept..]);
    }

    /// The period at which the last 20 ms resemble what was before them most.
    fn pitch(&self) -> usize {
        let recent = &self.history[HISTORY - COMPARED..];
        let likeness = |period: usize| {
            let before = &self.history[HISTORY - COMPARED - period..HISTORY - period];
            let (mut product, mut energy) = (0.0_f64, 1.0_f64);
            for (now, then) in recent.iter().zip(before) {
                product += f64::from(*now) * f64::from(*then);
                energy += f64::from(*then) * f64::from(*then);
            }
            product / energy.sqrt()
        };
        PITCH
            .map(|period| (period, likeness(period)))
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map_or(*PITCH.end(), |(period, _)| period)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "lengths of some hundred samples, and a mean of two samples is one"
)]
fn blend(from: i16, to: i16, at: usize, length: usize) -> i16 {
    let (at, length) = (at as i32, length as i32);
    ((i32::from(from) * (length - at) + i32::from(to) * at) / length) as i16
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a sample made quieter is one")]
fn faded(sample: i16, index: usize) -> i16 {
    if index < STEADY {
        sample
    } else if index >= GONE {
        0
    } else {
        (i32::from(sample) * (GONE - index) as i32 / (GONE - STEADY) as i32) as i16
    }
}

const _: () = assert!(GONE == SAMPLE_RATE as usize * 60 / 1_000 && COMPARED == FRAME_SAMPLES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::{amplitude, snr};
    use crate::tone::sine;

    #[test]
    fn a_lost_frame_is_hardly_heard() {
        for frequency in [120.0, 440.0, 1_000.0] {
            let mut samples = sine(frequency, 1_000, 10_000.0);
            let mut concealer = Concealer::default();
            for (index, frame) in samples.chunks_mut(160).enumerate() {
                if index % 10 == 7 { concealer.missing(frame) } else { concealer.heard(frame) }
            }

            let level = amplitude(&samples, frequency);
            assert!(level > 9_000.0, "{frequency} Hz at {level}");
            assert!(snr(&samples, frequency) > 15.0, "{frequency} Hz: {} dB", snr(&samples, frequency));
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_within_60_ms() {
        let mut samples = sine(440.0, 200, 10_000.0);
        let mut concealer = Concealer::default();
        concealer.heard(&mut samples);
        let mut lost = [1; 800];
        for frame in lost.chunks_mut(160) {
            concealer.missing(frame);
        }

        assert!(amplitude(&lost[..160], 440.0) > 8_000.0);
        assert!(lost[480..].iter().all(|sample| *sample == 0));
        let worst = lost.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
        assert!(worst < 6_000, "a click of {worst}");
    }

    #[test]
    fn silence_stays_silence() {
        let mut concealer = Concealer::default();
        let mut frame = [7; 160];
        concealer.missing(&mut frame);

        assert_eq!(frame, [0; 160]);
    }
}
