//! A piece of sound in memory: prompts, tones, music.

use crate::SAMPLE_RATE;

/// Sound as it is played: 8 kHz mono.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    samples: Vec<i16>,
}

/// Why bytes are not a clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// Not a WAV file that can be read.
    #[error("not a readable WAV file")]
    Wav(#[from] hound::Error),
    /// A WAV file of another kind than the product's own.
    #[error("wants 8000 Hz, 1 channel, 16 bit integers, has {rate} Hz, {channels} channels, {bits} bit")]
    Format {
        /// Its samples per second.
        rate: u32,
        /// Its channels.
        channels: u16,
        /// Its bits per sample.
        bits: u16,
    },
}

impl Clip {
    /// A clip of these samples.
    pub fn new(samples: Vec<i16>) -> Self {
        Self { samples }
    }

    /// A clip from the bytes of a WAV file: 8 kHz, mono, 16 bit.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, ClipError> {
        let mut reader = hound::WavReader::new(bytes)?;
        let spec = reader.spec();
        let right = spec.sample_rate == SAMPLE_RATE
            && spec.channels == 1
            && spec.bits_per_sample == 16
            && spec.sample_format == hound::SampleFormat::Int;
        if !right {
            return Err(ClipError::Format {
                rate: spec.sample_rate,
                channels: spec.channels,
                bits: spec.bits_per_sample,
            });
        }
        let samples = reader.samples::<i16>().collect::<Result<_, _>>()?;
        Ok(Self { samples })
    }

    /// Its samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Its length in milliseconds, rounded down.
    pub fn ms(&self) -> u64 {
        self.samples.len() as u64 * 1_000 / u64::from(SAMPLE_RATE)
    }
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clip({} ms)", self.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn reads_its_own_kind_of_wav() {
        let clip = Clip::from_wav(&wav(8_000, &[1, -2, 3, -4, 5, 6, 7, 8])).unwrap();

        assert_eq!(clip.samples(), [1, -2, 3, -4, 5, 6, 7, 8]);
        assert_eq!(clip.ms(), 1);
    }

    #[test]
    fn refuses_other_rates_and_garbage() {
        assert!(matches!(Clip::from_wav(&wav(16_000, &[0; 4])), Err(ClipError::Format { rate: 16_000, .. })));
        assert!(matches!(Clip::from_wav(b"RIFFnonsense"), Err(ClipError::Wav(_))));
    }
}
