//! Who hears whom: each party sends a tone of its own, and a recording must hold the other's and not its own.
//!
//! A tone's level is taken by the Goertzel algorithm over windows of 200 ms with a Hann weighting; drop-outs by
//! plain windows of 20 ms, which is one packet.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of samples and amplitudes of sound are far within all these types"
)]

use std::f64::consts::TAU;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::sound::Sound;

/// A level may be this far from what was sent, in dB.
const LEVEL_TOLERANCE: f64 = 3.0;
/// The own tone must be this far below the expected one, in dB.
const OWN_BELOW: f64 = 40.0;
/// The least that has to be heard to judge, in seconds.
const LEAST: f64 = 1.5;
/// One packet's samples, in parts of a second.
const PACKET: f64 = 0.020;
/// The window for levels, in seconds.
const WINDOW: f64 = 0.200;

/// What a recording must hold.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The far side's tone, in hertz.
    pub hears: f64,
    /// The near side's own tone, in hertz, which must not come back.
    pub not: f64,
    /// The far side's amplitude, of full scale.
    pub amplitude: f64,
}

/// What was found in a recording.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// The expected tone against what was sent, in dB.
    pub level_db: f64,
    /// The own tone against the expected one, in dB.
    pub own_db: f64,
    /// 20 ms windows in which the expected tone has less than half of its usual amplitude.
    pub dropouts: usize,
    /// Windows looked at.
    pub windows: usize,
}

/// Measures a recording, from the first to the last quarter of the time in which the expected tone is there.
pub fn measure(sound: &Sound, expected: Expected) -> Result<Report> {
    let heard = middle(sound, expected.hears)?;
    let level = level(heard, sound.rate, expected.hears);
    let own = self::level(heard, sound.rate, expected.not);
    let packets = packets(heard, sound.rate, expected.hears);
    let usual = median(&packets);
    Ok(Report {
        level_db: decibel(level / expected.amplitude),
        own_db: decibel(own / level),
        dropouts: packets.iter().filter(|amplitude| **amplitude < usual / 2.0).count(),
        windows: packets.len(),
    })
}

/// Measures a recording and fails unless the expected tone is there at its level, without drop-outs, and the own is not.
pub fn judge(sound: &Sound, expected: Expected) -> Result<Report> {
    let report = measure(sound, expected)?;
    let hears = expected.hears;
    ensure!(
        report.level_db.abs() <= LEVEL_TOLERANCE,
        "{hears} Hz is {:.1} dB from what was sent: {report:?}",
        report.level_db
    );
    ensure!(report.own_db <= -OWN_BELOW, "the own {} Hz is heard at {:.1} dB: {report:?}", expected.not, report.own_db);
    ensure!(report.dropouts == 0, "{hears} Hz drops out: {report:?}");
    Ok(report)
}

/// The longest time for which a tone is not heard between its first and its last packet.
pub fn longest_gap(sound: &Sound, hertz: f64) -> Duration {
    let packets = packets(&sound.samples, sound.rate, hertz);
    let loudest = packets.iter().copied().fold(0.0, f64::max);
    let (mut gap, mut longest, mut begun) = (0_u32, 0, false);
    for amplitude in packets {
        if amplitude > loudest / 4.0 {
            longest = if begun { longest.max(gap) } else { 0 };
            (gap, begun) = (0, true);
        } else {
            gap += 1;
        }
    }
    Duration::from_secs_f64(f64::from(longest) * PACKET)
}

/// The amplitude of one frequency in some samples, of full scale (Goertzel's algorithm, Hann weighting).
pub fn amplitude(samples: &[f32], rate: u32, hertz: f64) -> f64 {
    let count = samples.len() as f64;
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let weight = 0.5 - 0.5 * (TAU * index as f64 / count).cos();
        let next = f64::from(*sample) * weight + coefficient * one - two;
        (two, one) = (one, next);
    }
    let power = one * one + two * two - coefficient * one * two;
    // The Hann weighting has a mean of one half.
    power.max(0.0).sqrt() * 4.0 / count
}

/// The stretch in which a tone is heard, without its first and last quarter.
fn middle(sound: &Sound, hertz: f64) -> Result<&[f32]> {
    let packets = packets(&sound.samples, sound.rate, hertz);
    let loudest = packets.iter().copied().fold(0.0, f64::max);
    let there = |amplitude: &f64| *amplitude > loudest / 4.0;
    let (Some(first), Some(last)) = (packets.iter().position(there), packets.iter().rposition(there)) else {
        bail!("the recording is empty");
    };
    ensure!(loudest > 0.005, "{hertz} Hz is not heard at all in {:.1} s", sound.length().as_secs_f64());
    let packet = packet_samples(sound.rate);
    let quarter = (last - first) / 4;
    let heard = &sound.samples[(first + quarter) * packet..(last - quarter) * packet];
    let seconds = heard.len() as f64 / f64::from(sound.rate);
    ensure!(seconds >= LEAST, "only {seconds:.1} s of {hertz} Hz to judge");
    Ok(heard)
}

fn level(samples: &[f32], rate: u32, hertz: f64) -> f64 {
    let window = (f64::from(rate) * WINDOW) as usize;
    let levels: Vec<f64> = samples.chunks_exact(window).map(|chunk| amplitude(chunk, rate, hertz)).collect();
    median(&levels)
}

fn packets(samples: &[f32], rate: u32, hertz: f64) -> Vec<f64> {
    samples.chunks_exact(packet_samples(rate)).map(|chunk| amplitude(chunk, rate, hertz)).collect()
}

fn packet_samples(rate: u32) -> usize {
    (f64::from(rate) * PACKET) as usize
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn decibel(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

/// The length of tone a party should play so that it does not end within a journey.
pub const LONG: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Expected = Expected { hears: 440.0, not: 1_000.0, amplitude: 0.5 };

    fn call(expected: f64, own: f64) -> Sound {
        let silence = Sound { rate: 8_000, samples: vec![0.0; 4_000] };
        let length = Duration::from_secs(6);
        let mut mixed = Sound::tone(8_000, 440.0, expected, length);
        for (sample, own) in mixed.samples.iter_mut().zip(Sound::tone(8_000, 1_000.0, own, length).samples) {
            *sample += own;
        }
        Sound { rate: 8_000, samples: [silence.samples.clone(), mixed.samples, silence.samples].concat() }
    }

    #[test]
    fn a_clean_call_passes_with_silence_around_it() {
        let report = judge(&call(0.5, 0.0), WANTED).unwrap();

        assert!(report.level_db.abs() < 0.2, "{report:?}");
        assert!(report.own_db < -80.0, "{report:?}");
        assert!(report.windows > 100, "{report:?}");
    }

    #[test]
    fn an_echo_of_the_own_tone_is_noticed() {
        let error = judge(&call(0.5, 0.01), WANTED).unwrap_err();

        assert!(error.to_string().contains("own 1000 Hz"), "{error}");
    }

    #[test]
    fn a_muted_leg_is_noticed() {
        assert!(judge(&call(0.0, 0.5), WANTED).is_err());
        assert!(judge(&call(0.0, 0.0), WANTED).is_err());
    }

    #[test]
    fn a_wrong_level_is_noticed() {
        assert!(judge(&call(0.25, 0.0), WANTED).unwrap_err().to_string().contains("dB from what was sent"));
    }

    #[test]
    fn a_gap_is_measured_and_silence_around_the_call_is_none() {
        let mut sound = call(0.5, 0.0);
        assert_eq!(longest_gap(&sound, 440.0), Duration::ZERO);

        sound.samples[20_000..28_000].fill(0.0);

        assert_eq!(longest_gap(&sound, 440.0), Duration::from_secs(1));
    }

    #[test]
    fn one_lost_packet_is_noticed() {
        let mut sound = call(0.5, 0.0);
        sound.samples[24_000..24_160].fill(0.0);

        assert!(judge(&sound, WANTED).unwrap_err().to_string().contains("drops out"));
    }
}
