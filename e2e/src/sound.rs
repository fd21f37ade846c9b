//! Sound as samples: made as tones, written and read as WAV, and coded as G.711 for SIPp.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of samples and amplitudes of sound are far within all these types"
)]

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Of a part that is looked for, so much is compared, in seconds.
const LIKENESS: f64 = 0.200;

/// Bytes of a WAV file before its samples.
const WAV_HEAD: usize = 44;

/// How much sound a WAV file holds so far that is still being written: its head does not tell yet.
pub fn written(path: &Path) -> Result<Duration> {
    let mut head = [0; WAV_HEAD];
    let mut file = File::open(path)?;
    file.read_exact(&mut head).context("the recording has not begun")?;
    let rate = u32::from_le_bytes([head[28], head[29], head[30], head[31]]);
    ensure!(rate > 0, "{} has no rate", path.display());
    let length = file.metadata()?.len() - WAV_HEAD as u64;
    Ok(Duration::from_secs_f64(length as f64 / f64::from(rate)))
}

/// Samples of one channel.
#[derive(Debug, Clone)]
pub struct Sound {
    /// Samples per second.
    pub rate: u32,
    /// Samples between -1 and 1.
    pub samples: Vec<f32>,
}

impl Sound {
    /// A sine of `hertz`, at `amplitude` of full scale.
    pub fn tone(rate: u32, hertz: f64, amplitude: f64, length: Duration) -> Self {
        let count = (length.as_secs_f64() * f64::from(rate)) as usize;
        let step = TAU * hertz / f64::from(rate);
        let samples = (0..count).map(|index| ((index as f64 * step).sin() * amplitude) as f32).collect();
        Self { rate, samples }
    }

    /// Reads a WAV file; of several channels the first.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_channel(path, 0)
    }

    /// Reads one channel of a WAV file of 16-bit samples.
    pub fn read_channel(path: &Path, channel: usize) -> Result<Self> {
        let mut reader = hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let spec = reader.spec();
        ensure!(channel < usize::from(spec.channels), "{} has {} channels", path.display(), spec.channels);
        let mut samples = Vec::new();
        for sample in reader.samples::<i16>().skip(channel).step_by(usize::from(spec.channels)) {
            samples.push(f32::from(sample?) / 32_768.0);
        }
        Ok(Self { rate: spec.sample_rate, samples })
    }

    /// Writes a WAV file of 16-bit samples.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_channels(path, 1)
    }

    /// Writes a WAV file of 16-bit samples, the same on so many channels.
    pub fn write_channels(&self, path: &Path, channels: u16) -> Result<()> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for sample in &self.samples {
            for _ in 0..channels {
                writer.write_sample(linear(*sample))?;
            }
        }
        writer.finalize()?;
        Ok(())
    }

    /// Its last part.
    #[must_use]
    pub fn last(&self, length: Duration) -> Self {
        let count = (length.as_secs_f64() * f64::from(self.rate)) as usize;
        let from = self.samples.len().saturating_sub(count);
        Self { rate: self.rate, samples: self.samples[from..].to_vec() }
    }

    /// Writes bare µ-law (ITU-T G.711), one byte a sample, as SIPp streams it.
    pub fn write_ulaw(&self, path: &Path) -> Result<()> {
        let bytes: Vec<u8> = self.samples.iter().map(|sample| ulaw(*sample)).collect();
        fs::write(path, bytes)?;
        Ok(())
    }

    /// How much a part is in it: the highest correlation over all places, 1 when it is there as it is. Compared are the
    /// loudest 200 ms of the part.
    pub fn likeness(&self, part: &Self) -> f64 {
        let window = ((f64::from(part.rate) * LIKENESS) as usize).max(1);
        let stretches = part.samples.windows(window).step_by(80);
        let Some(loudest) = stretches.max_by(|one, other| energy(one).total_cmp(&energy(other))) else { return 0.0 };
        let of_part = energy(loudest);
        let mut best = 0.0_f64;
        let mut here = energy(self.samples.get(..window).unwrap_or_default());
        for (index, stretch) in self.samples.windows(window).enumerate() {
            if here > of_part / 100.0 {
                let product: f32 = stretch.iter().zip(loudest).map(|(one, other)| one * other).sum();
                best = best.max(f64::from(product) / (here * of_part).sqrt());
            }
            let next = self.samples.get(index + window).copied().unwrap_or_default();
            here += f64::from(next) * f64::from(next) - f64::from(stretch[0]) * f64::from(stretch[0]);
        }
        best
    }

    /// How long it plays.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate))
    }
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum()
}

fn linear(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32_767.0) as i16
}

/// A sample as ITU-T G.711, µ-law.
pub fn ulaw(sample: f32) -> u8 {
    compress(linear(sample))
}

/// The sample of a byte of ITU-T G.711, µ-law.
pub fn from_ulaw(byte: u8) -> f32 {
    let byte = !byte;
    let magnitude = (((f32::from(byte & 0x0f) * 8.0) + 132.0) * f32::from(1_u16 << ((byte >> 4) & 7))) - 132.0;
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    sign * magnitude / 32_768.0
}

/// Sign, 3 bits of segment, 4 bits within it, all inverted.
fn compress(sample: i16) -> u8 {
    const BIAS: i32 = 132;
    const CLIP: i32 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let segment = (magnitude >> 7).ilog2().min(7) as u8;
    let step = ((magnitude >> (segment + 3)) & 0x0f) as u8;
    !(sign | (segment << 4) | step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_has_its_known_values() {
        assert_eq!(compress(0), 0xff);
        assert_eq!(compress(-1), 0x7f);
        assert_eq!(compress(32_767), 0x80);
        assert_eq!(compress(-32_768), 0x00);
    }

    #[test]
    fn g711_comes_back_close_to_what_it_was() {
        for sample in [-0.9, -0.5, -0.01, 0.0, 0.003, 0.25, 0.99] {
            let back = from_ulaw(ulaw(sample));
            assert!((back - sample).abs() <= sample.abs() / 20.0 + 0.001, "{sample} became {back}");
        }
    }

    #[test]
    fn a_part_is_found_where_it_is_and_another_is_not() {
        let noise = |seed: u32| -> Vec<f32> {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f64::from(state >> 8) / f64::from(1_u32 << 24) - 0.5) as f32
            };
            (0..4_000).map(|_| next()).collect()
        };
        let part = Sound { rate: 8_000, samples: noise(1) };
        let coded = part.samples.iter().map(|sample| from_ulaw(ulaw(sample * 0.5))).collect();
        let heard = Sound { rate: 8_000, samples: [noise(2), coded, noise(3)].concat() };

        assert!(heard.likeness(&part) > 0.95, "{}", heard.likeness(&part));
        assert!(heard.likeness(&Sound { rate: 8_000, samples: noise(4) }) < 0.3);
        assert!(Sound { rate: 8_000, samples: Vec::new() }.likeness(&part).abs() < 1e-6);
    }

    #[test]
    fn a_written_sound_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tone.wav");
        let tone = Sound::tone(8_000, 440.0, 0.5, Duration::from_millis(100));

        tone.write(&path).unwrap();
        let read = Sound::read(&path).unwrap();

        assert_eq!((read.rate, read.samples.len(), read.length()), (8_000, 800, Duration::from_millis(100)));
        assert!(tone.samples.iter().zip(&read.samples).all(|(one, other)| (one - other).abs() < 0.001));
    }
}
