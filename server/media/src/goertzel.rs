//! Measures single frequencies in recorded sound: the ears of the tests.
#![expect(clippy::cast_precision_loss, reason = "a count of samples, far below 2^52")]

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// The amplitude (0 to 32768) of the sine at `frequency` hertz in these samples, by a Hann-windowed Goertzel filter.
///
/// Right to a few per cent when there are at least four periods; neighbors closer than about `2 * 8000 / samples.len()`
/// hertz leak into it.
pub fn amplitude(samples: &[i16], frequency: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let count = samples.len() as f64;
    let omega = std::f64::consts::TAU * frequency / f64::from(SAMPLE_RATE);
    let coefficient = 2.0 * omega.cos();
    let (mut last, mut before, mut gain) = (0.0, 0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * (index as f64 + 0.5) / count).cos();
        gain += window;
        let next = f64::from(*sample) * window + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power.max(0.0).sqrt() / gain
}

/// How many decibels the tone at `wanted` hertz stands above the one at `other`.
pub fn decibels_above(samples: &[i16], wanted: f64, other: f64) -> f64 {
    20.0 * (amplitude(samples, wanted).max(0.1) / amplitude(samples, other).max(0.1)).log10()
}

/// Signal-to-noise ratio in decibels of a steady tone at `frequency` hertz: its power against all that is left without it.
pub fn snr(samples: &[i16], frequency: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let tone = amplitude(samples, frequency);
    let total = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    let signal = tone * tone / 2.0;
    10.0 * (signal.max(0.01) / (total - signal).max(0.01)).log10()
}

/// How many of the 20 ms windows hold the tone at less than half its median amplitude: drop-outs.
pub fn dropouts(samples: &[i16], frequency: f64) -> usize {
    let windows: Vec<f64> = samples.chunks_exact(FRAME_SAMPLES).map(|window| amplitude(window, frequency)).collect();
    let mut sorted = windows.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2).copied() else { return 0 };
    windows.iter().filter(|window| **window < median / 2.0).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::sine;

    #[test]
    fn finds_the_tone_that_is_there_and_no_other() {
        let samples = sine(440.0, 1_000, 16_384.0);

        assert!((amplitude(&samples, 440.0) - 16_384.0).abs() < 100.0);
        assert!(amplitude(&samples, 1_000.0) < 20.0);
        assert!(decibels_above(&samples, 440.0, 1_000.0) > 50.0);
        assert!(snr(&samples, 440.0) > 40.0);
        assert_eq!(dropouts(&samples, 440.0), 0);
    }

    #[test]
    fn counts_the_windows_without_the_tone() {
        let mut samples = sine(440.0, 1_000, 16_384.0);
        samples[1_600..1_920].fill(0);

        assert_eq!(dropouts(&samples, 440.0), 2);
        assert!(snr(&samples, 440.0) < 20.0);
        assert!(amplitude(&[], 440.0) == 0.0);
    }
}
