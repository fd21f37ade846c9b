//! Opus at telephone bandwidth: the library is run at 8 kHz, so that nothing is resampled towards G.711.

use opus::{Application, Bitrate, Channels};

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// The longest packet: 120 ms (RFC 6716 §2.1.4).
const LONGEST: usize = 6 * FRAME_SAMPLES;

/// What fits one frame at any rate used here.
const MAX_PACKET: usize = 400;

/// Bits per second of what is sent: clear speech at narrow band with little effort, or with room for error correction.
const BITRATE: i32 = 20_000;

/// Little effort, made good by bits: from 2 on, the library weighs several ways to quantize a frame, the better part of its
/// work.
const COMPLEXITY: i32 = 1;

/// Middle effort, where packets are lost: with less, a tone is not recovered well.
const COMPLEXITY_CORRECTED: i32 = 5;

/// The least loss that the encoder is told to expect where there is any, so that it puts its correction in.
const LEAST_LOSS_PERCENT: i32 = 10;

/// Each packet carries a rough copy of the one before while the far side reports loss. To make it is nearly as much work as
/// the packet, so it is not made for nothing.
#[derive(Debug)]
pub(crate) struct Encoder {
    inner: opus::Encoder,
    expected_loss_percent: i32,
}

impl Encoder {
    /// `None` when the library has no memory.
    pub(crate) fn new() -> Option<Self> {
        let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip).ok()?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE)).ok()?;
        encoder.set_complexity(COMPLEXITY).ok()?;
        encoder.set_inband_fec(true).ok()?;
        encoder.set_packet_loss_perc(0).ok()?;
        Some(Self { inner: encoder, expected_loss_percent: 0 })
    }

    /// Takes the far side's last report: so many of 256 packets were lost.
    fn expect_loss(&mut self, of_256: u8) -> opus::Result<()> {
        let percent = if of_256 == 0 { 0 } else { (i32::from(of_256) * 100 / 256).max(LEAST_LOSS_PERCENT) };
        if percent != self.expected_loss_percent {
            self.inner.set_complexity(if percent == 0 { COMPLEXITY } else { COMPLEXITY_CORRECTED })?;
            self.inner.set_packet_loss_perc(percent)?;
            self.expected_loss_percent = percent;
        }
        Ok(())
    }

    /// One frame of 20 ms, for somebody who has reported that so many of 256 packets were lost of late.
    pub(crate) fn encode(&mut self, frame: &[i16; FRAME_SAMPLES], lost_of_256: u8) -> Option<std::sync::Arc<[u8]>> {
        self.expect_loss(lost_of_256).ok()?;
        let mut packet = [0; MAX_PACKET];
        let length = self.inner.encode(frame, &mut packet).ok()?;
        packet.get(..length).map(std::sync::Arc::from)
    }
}

#[derive(Debug)]
pub(crate) struct Decoder(opus::Decoder);

impl Decoder {
    /// `None` when the library has no memory.
    pub(crate) fn new() -> Option<Self> {
        opus::Decoder::new(SAMPLE_RATE, Channels::Mono).ok().map(Self)
    }

    /// The samples of a packet, mixed to one channel whatever it has.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Option<Vec<i16>> {
        let mut samples = [0; LONGEST];
        let length = self.0.decode(packet, &mut samples, false).ok()?;
        samples.get(..length).map(<[i16]>::to_vec)
    }

    /// Fills in for lost samples before `next`, which has a rough copy of its predecessor in it (RFC 6716 §2.1.7);
    /// what was lost before that is made up.
    pub(crate) fn conceal(&mut self, lost: usize, next: &[u8]) -> Vec<i16> {
        // The library conceals in steps of 2.5 ms.
        let step = FRAME_SAMPLES / 8;
        let lost = (lost / step * step).min(LONGEST);
        let copied = opus::packet::get_nb_samples(next, SAMPLE_RATE).unwrap_or(0).min(lost);
        let mut samples = vec![0; lost];
        let (made_up, recovered) = samples.split_at_mut(lost - copied);
        for piece in made_up.chunks_mut(FRAME_SAMPLES) {
            // What fails stays silence.
            if self.0.decode(&[], piece, false).is_err() {
                piece.fill(0);
            }
        }
        if !recovered.is_empty() && self.0.decode(next, recovered, true).is_err() {
            recovered.fill(0);
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::amplitude;
    use crate::tone::sine;

    #[test]
    fn a_tone_survives_and_so_it_does_with_every_tenth_packet_lost() {
        for lossy in [false, true] {
            let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
            let packets: Vec<_> = sine(440.0, 4_000, 10_000.0)
                .chunks_exact(FRAME_SAMPLES)
                .map(|frame| encoder.encode(frame.try_into().unwrap(), if lossy { 26 } else { 0 }).unwrap())
                .collect();
            let mut heard = Vec::new();
            for (index, packet) in packets.iter().enumerate() {
                if lossy && index % 10 == 5 {
                    continue;
                }
                if lossy && index % 10 == 6 {
                    heard.extend(decoder.conceal(FRAME_SAMPLES, packet));
                }
                heard.extend(decoder.decode(packet).unwrap());
            }

            assert_eq!(heard.len(), 32_000);
            // What is made up may turn the phase: each stretch counts. A pure tone is what the codec recovers worst.
            let mut levels: Vec<f64> = heard[4_000..].chunks(400).map(|piece| amplitude(piece, 440.0)).collect();
            levels.sort_by(f64::total_cmp);
            let (median, low) = (levels[levels.len() / 2], levels[levels.len() / 5]);
            assert!(
                if lossy { median > 5_000.0 && low > 1_000.0 } else { median > 9_000.0 && low > 8_000.0 },
                "{levels:?}"
            );
            let bytes: usize = packets.iter().map(|packet| packet.len()).sum();
            assert!(bytes < 16_000, "{bytes} bytes in 4 s");
        }
    }

    #[test]
    fn noise_is_refused_or_decoded_but_never_harmful() {
        let mut decoder = Decoder::new().unwrap();
        for length in 0..300_usize {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from((at * 151 + length * 31) % 251).unwrap()).collect();
            if let Some(samples) = decoder.decode(&bytes) {
                assert!(samples.len() <= LONGEST);
            }
            assert!(decoder.conceal(length * 7, &bytes).len() <= LONGEST);
        }
    }
}
