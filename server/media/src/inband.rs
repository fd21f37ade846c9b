//! Hears keys as tones (ITU-T Q.23, Q.24), for phones that send no telephone events.

#![expect(clippy::cast_precision_loss, reason = "counts of samples in a block")]

/// Samples that are looked at together, every half of them: 25.6 ms, at which the eight frequencies are well apart.
const BLOCK: usize = 205;
const STEP: usize = 102;

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The weakest tone that counts: an amplitude of about 250, -42 dB below full scale.
const WEAKEST: f32 = 250.0 * 250.0 * (BLOCK * BLOCK) as f32 / 4.0;

/// How much of all sound the two tones must be: speech never is.
const PURE: f32 = 0.8;

/// How much stronger one of the two may be: 9 dB (Q.24 allows 4 to 8).
const TWIST: f32 = 8.0;

/// How much stronger a tone must be than the others of its group: 8 dB.
const APART: f32 = 6.3;

#[derive(Debug, Default)]
pub(crate) struct ToneDetector {
    samples: Vec<i16>,
    /// The key of the last look, and whether it was told.
    last: Option<char>,
    told: Option<char>,
    /// Looks without the told key.
    released: u8,
}

impl ToneDetector {
    /// Listens to the next samples; gives a key when it is first sure of it.
    pub(crate) fn hear(&mut self, samples: impl IntoIterator<Item = i16>) -> Option<char> {
        self.samples.extend(samples);
        let mut found = None;
        while let Some(block) = self.samples.first_chunk::<BLOCK>() {
            let key = key_in(block);
            self.samples.drain(..STEP);
            if key.is_some() && key == self.told {
                self.released = 0;
            } else if self.told.is_some() {
                // A short drop-out in a held key is no second press.
                self.released += 1;
                if self.released >= 2 {
                    (self.told, self.released) = (None, 0);
                }
            }
            if self.told.is_none() && key.is_some() && key == self.last {
                (self.told, self.released) = (key, 0);
                found = key;
            }
            self.last = key;
        }
        found
    }
}

fn key_in(block: &[i16; BLOCK]) -> Option<char> {
    let all: f32 = block.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    let least = WEAKEST * 2.0 * 2.0 / BLOCK as f32;
    if all < least {
        return None;
    }
    let (row, low) = strongest(block, &ROWS)?;
    let (column, high) = strongest(block, &COLUMNS)?;
    let pure = (low + high) * 2.0 / BLOCK as f32 >= PURE * all;
    let even = low <= high * TWIST && high <= low * TWIST;
    (low >= WEAKEST && high >= WEAKEST && pure && even).then_some(KEYS[row][column])
}

/// The one of four frequencies that stands out, and its power.
fn strongest(block: &[i16; BLOCK], frequencies: &[f32; 4]) -> Option<(usize, f32)> {
    let powers = frequencies.map(|frequency| power(block, frequency));
    let (best, most) = powers.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let apart = powers.iter().enumerate().all(|(index, power)| index == best || power * APART < most);
    apart.then_some((best, most))
}

fn power(block: &[i16; BLOCK], frequency: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * frequency / crate::SAMPLE_RATE as f32).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in block {
        let next = f32::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    last * last + before * before - coefficient * last * before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{dtmf_tone, hold_music, sine};

    fn heard(samples: &[i16]) -> String {
        let mut detector = ToneDetector::default();
        samples.chunks(160).filter_map(|frame| detector.hear(frame.iter().copied())).collect()
    }

    #[test]
    fn every_key_is_heard_once_loud_or_faint() {
        let keys = "1234567890*#ABCD1155";
        let samples: Vec<i16> = keys.chars().filter_map(dtmf_tone).flatten().collect();
        for divisor in [1, 4, 16] {
            let quieter: Vec<i16> = samples.iter().map(|sample| sample / divisor).collect();
            assert_eq!(heard(&quieter), keys, "a {divisor}th");
        }
    }

    #[test]
    fn a_short_key_counts_and_a_long_one_counts_once() {
        let long: Vec<i16> = sine(770.0, 3_000, 6_000.0)
            .iter()
            .zip(sine(1_336.0, 3_000, 6_000.0))
            .map(|(one, other)| one + other)
            .collect();
        let mut samples = vec![0; 800];
        samples.extend(&long[..480]);
        samples.extend([0; 800]);
        assert_eq!(heard(&samples), "5", "60 ms");
        assert_eq!(heard(&long), "5", "three seconds");
    }

    #[test]
    fn music_speech_like_sounds_and_single_tones_are_no_keys() {
        assert_eq!(heard(hold_music().samples()), "");
        for frequency in [440.0, 697.0, 770.0, 1_000.0, 1_336.0] {
            assert_eq!(heard(&sine(frequency, 1_000, 16_000.0)), "", "{frequency} Hz");
        }
        // A vowel: a pitch of 120 Hz and its overtones, strongest at 700 and 1200 Hz.
        let mut vowel = vec![0.0_f64; 16_000];
        for overtone in 1..=25 {
            let frequency = 120.0 * f64::from(overtone);
            let level = 3_000.0 / (1.0 + ((frequency - 700.0) / 150.0).powi(2))
                + 2_000.0 / (1.0 + ((frequency - 1_200.0) / 150.0).powi(2));
            for (index, sample) in vowel.iter_mut().enumerate() {
                *sample += level * (std::f64::consts::TAU * frequency * index as f64 / 8_000.0).sin();
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        let vowel: Vec<i16> = vowel.into_iter().map(|sample| sample as i16).collect();
        assert_eq!(heard(&vowel), "");
    }
}
