//! Sounds that are computed instead of shipped: beep, ringback, music on hold.
#![expect(clippy::cast_precision_loss, reason = "a count of samples, far below 2^52")]

use std::f64::consts::TAU;

use crate::{Clip, SAMPLE_RATE};

/// Which network's ringback a caller hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ringback {
    /// 400 + 450 Hz, 0.4 s on, 0.2 s off, 0.4 s on, 2 s off (ITU-T E.180: United Kingdom, India, Ireland).
    Uk,
    /// 440 + 480 Hz, 2 s on, 4 s off (North America).
    Us,
    /// 425 Hz, 1 s on, 4 s off (most of Europe).
    Europe,
}

/// A sine of `frequency` hertz and this amplitude.
pub fn sine(frequency: f64, ms: u32, amplitude: f64) -> Vec<i16> {
    chord(&[frequency], ms, amplitude)
}

/// The tone after which a message is spoken: 1 kHz, 400 ms.
pub fn beep() -> Clip {
    Clip::new(faded(sine(1_000.0, 400, 8_000.0)))
}

/// One cycle of the tone a caller hears while the other end rings; made to be looped.
pub fn ringback(network: Ringback) -> Clip {
    let (frequencies, cadence): (&[f64], &[(u32, u32)]) = match network {
        Ringback::Uk => (&[400.0, 450.0], &[(400, 200), (400, 2_000)]),
        Ringback::Us => (&[440.0, 480.0], &[(2_000, 4_000)]),
        Ringback::Europe => (&[425.0], &[(1_000, 4_000)]),
    };
    let mut samples = Vec::new();
    for (on, off) in cadence {
        samples.extend(faded(chord(frequencies, *on, 3_000.0)));
        samples.resize(samples.len() + samples_in(*off), 0);
    }
    Clip::new(samples)
}

/// Eight seconds of quiet chords with a broken chord above, made to be looped without a seam.
pub fn hold_music() -> Clip {
    // C major 7, A minor 7, F major 7, G 6, in hertz.
    const CHORDS: [[f64; 4]; 4] = [
        [130.81, 196.00, 246.94, 329.63],
        [110.00, 196.00, 261.63, 329.63],
        [174.61, 220.00, 261.63, 329.63],
        [146.83, 196.00, 246.94, 329.63],
    ];
    const BAR: usize = 2 * SAMPLE_RATE as usize;
    const LENGTH: usize = CHORDS.len() * BAR;

    let mut mix = vec![0.0; LENGTH];
    for (bar, notes) in CHORDS.iter().enumerate() {
        for frequency in notes {
            // Longer than its bar: the end of each chord sounds into the next one, and of the last into the first.
            add(&mut mix, bar * BAR, BAR + BAR / 3, |time| {
                let rise = (time / 0.4).min(1.0);
                let fall = ((2.66 - time) / 0.66).clamp(0.0, 1.0);
                rise * rise * fall * (voice(frequency * time) * 0.5)
            });
        }
        for (step, note) in [0, 1, 2, 3, 2, 1, 3, 2].into_iter().enumerate() {
            add(&mut mix, bar * BAR + step * BAR / 8, BAR, |time| {
                let strike = (time / 0.01).min(1.0) * (-4.0 * time).exp();
                strike * voice(notes[note] * 2.0 * time) * 0.7
            });
        }
    }
    let peak = mix.iter().fold(0.0_f64, |peak, sample| peak.max(sample.abs()));
    Clip::new(mix.into_iter().map(|sample| to_sample(sample / peak * 4_500.0)).collect())
}

/// A key as the tones of its row and column (ITU-T Q.23), 120 ms and as long a pause; `None` when it is no key.
pub fn dtmf_tone(key: char) -> Option<Vec<i16>> {
    const ROWS: [(&str, f64); 4] = [("123A", 697.0), ("456B", 770.0), ("789C", 852.0), ("*0#D", 941.0)];
    const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let key = key.to_ascii_uppercase();
    let (row, column) = ROWS.iter().find_map(|(keys, row)| Some((*row, keys.find(key)?)))?;
    let mut samples = faded(chord(&[row, COLUMNS[column]], 120, 12_000.0));
    samples.resize(samples.len() * 2, 0);
    Some(samples)
}

/// A sine with two soft overtones; `turns` counts periods.
fn voice(turns: f64) -> f64 {
    let angle = TAU * turns;
    angle.sin() + 0.25 * (2.0 * angle).sin() + 0.06 * (3.0 * angle).sin()
}

/// Adds a note of `length` samples at `start`, around the end of the loop if need be.
fn add(mix: &mut [f64], start: usize, length: usize, note: impl Fn(f64) -> f64) {
    let loop_length = mix.len();
    for index in 0..length {
        mix[(start + index) % loop_length] += note(index as f64 / f64::from(SAMPLE_RATE));
    }
}

/// Sines of equal strength that together reach at most this amplitude.
fn chord(frequencies: &[f64], ms: u32, amplitude: f64) -> Vec<i16> {
    let each = amplitude / frequencies.len() as f64;
    (0..samples_in(ms))
        .map(|index| {
            let time = index as f64 / f64::from(SAMPLE_RATE);
            to_sample(frequencies.iter().map(|frequency| each * (TAU * frequency * time).sin()).sum())
        })
        .collect()
}

/// Takes the click off both ends: 5 ms.
fn faded(mut samples: Vec<i16>) -> Vec<i16> {
    let ramp = samples_in(5).min(samples.len() / 2);
    let last = samples.len().saturating_sub(1);
    for index in 0..ramp {
        let gain = index as f64 / ramp as f64;
        samples[index] = to_sample(f64::from(samples[index]) * gain);
        samples[last - index] = to_sample(f64::from(samples[last - index]) * gain);
    }
    samples
}

fn samples_in(ms: u32) -> usize {
    (ms * (SAMPLE_RATE / 1_000)) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float to integer saturates, which is what is wanted")]
fn to_sample(value: f64) -> i16 {
    value.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::amplitude;

    #[test]
    fn the_beep_is_one_kilohertz_for_400_ms() {
        let beep = beep();

        assert_eq!(beep.ms(), 400);
        assert!(amplitude(beep.samples(), 1_000.0) > 7_500.0);
    }

    #[test]
    fn ringback_follows_its_cadence() {
        let clip = ringback(Ringback::Uk);

        assert_eq!(clip.ms(), 3_000);
        assert!(amplitude(&clip.samples()[..3_200], 400.0) > 1_200.0);
        assert!(clip.samples()[3_200..4_800].iter().all(|sample| *sample == 0));
        assert!(amplitude(&clip.samples()[4_800..8_000], 450.0) > 1_200.0);
        assert!(clip.samples()[8_000..].iter().all(|sample| *sample == 0));
        assert_eq!(ringback(Ringback::Us).ms(), 6_000);
        assert_eq!(ringback(Ringback::Europe).ms(), 5_000);
    }

    #[test]
    fn a_key_is_two_tones_and_a_pause() {
        let five = dtmf_tone('5').unwrap();

        assert_eq!(five.len(), 1_920);
        assert!(amplitude(&five[..960], 770.0) > 5_000.0 && amplitude(&five[..960], 1_336.0) > 5_000.0);
        assert!(amplitude(&five[..960], 697.0) < 500.0 && amplitude(&five[..960], 1_209.0) < 500.0);
        assert!(five[960..].iter().all(|sample| *sample == 0));
        assert_eq!(dtmf_tone('d'), dtmf_tone('D'));
        assert_eq!((dtmf_tone('x'), dtmf_tone('\u{e9}')), (None, None));
    }

    #[test]
    fn hold_music_is_quiet_sounds_all_the_time_and_loops_without_a_click() {
        let clip = hold_music();
        let samples = clip.samples();

        assert_eq!(clip.ms(), 8_000);
        assert!(samples.iter().all(|sample| sample.unsigned_abs() <= 4_500));
        for second in samples.chunks(8_000) {
            let power = second.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / second.len() as f64;
            assert!(power.sqrt() > 300.0, "a second of near silence: {}", power.sqrt());
        }
        let largest_step = samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        let seam = (i32::from(samples[0]) - i32::from(samples[samples.len() - 1])).abs();
        assert!(seam <= largest_step.unwrap());
    }
}
