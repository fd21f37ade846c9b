//! The codecs of a leg; G.711, the two of the telephone network, and the way from one to the other.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bit fields of a byte, cut out by masks; constant functions have no fallible conversions, and the tests go \
              through every byte and every sample"
)]

/// A codec of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law: North America, Japan, and what browsers name first.
    Pcmu,
    /// G.711 A-law: the rest of the world.
    Pcma,
    /// Opus (RFC 6716, RFC 7587), used at telephone bandwidth: bears loss, costs a hundred times as much.
    Opus,
}

impl Codec {
    /// The name in `a=rtpmap` lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Opus => "opus",
        }
    }

    /// The payload type RFC 3551 §6 gives it for good; Opus has the one most senders give it.
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::Opus => 111,
        }
    }

    /// How much faster its RTP clock runs than the samples here (RFC 7587 §4.1: Opus always counts 48 kHz).
    pub(crate) const fn clock_factor(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 1,
            Self::Opus => 6,
        }
    }

    /// As a codec of one byte a sample, if it is one.
    pub const fn g711(self) -> Option<G711> {
        match self {
            Self::Pcmu => Some(G711::Mu),
            Self::Pcma => Some(G711::A),
            Self::Opus => None,
        }
    }
}

/// A codec of the telephone network: 8 kHz, one byte a sample (ITU-T G.711, RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum G711 {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

impl G711 {
    /// The byte that stands for silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    /// One byte to one sample.
    pub const fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => FROM_MU_LAW[byte as usize],
            Self::A => FROM_A_LAW[byte as usize],
        }
    }

    /// One sample to one byte.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => mu_law(sample),
            Self::A => a_law(sample),
        }
    }

    /// Decodes a payload.
    pub fn decode_all(self, payload: &[u8]) -> impl Iterator<Item = i16> + '_ {
        payload.iter().map(move |byte| self.decode(*byte))
    }

    /// Encodes samples.
    pub fn encode_all(self, samples: &[i16]) -> Vec<u8> {
        samples.iter().map(|sample| self.encode(*sample)).collect()
    }

    /// A payload of this codec as one of `other`.
    pub fn transcode(self, other: Self, payload: &[u8]) -> Vec<u8> {
        let table = match (self, other) {
            (Self::Mu, Self::A) => &MU_TO_A,
            (Self::A, Self::Mu) => &A_TO_MU,
            (Self::Mu, Self::Mu) | (Self::A, Self::A) => return payload.to_vec(),
        };
        payload.iter().map(|byte| table[usize::from(*byte)]).collect()
    }
}

static FROM_MU_LAW: [i16; 256] = decode_table(G711::Mu);
static FROM_A_LAW: [i16; 256] = decode_table(G711::A);
static MU_TO_A: [u8; 256] = transcode_table(G711::Mu);
static A_TO_MU: [u8; 256] = transcode_table(G711::A);

/// The bias that makes the µ-law segments powers of two.
const BIAS: i32 = 0x84;
const CLIP: i32 = 0x7fff - BIAS;

const fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let mut magnitude = (sample as i32).abs();
    if magnitude > CLIP {
        magnitude = CLIP;
    }
    magnitude += BIAS;
    // The bias sets bit 7 at least, so there are at most 24 leading zeros; the clip keeps bit 15 free.
    let segment = 24 - magnitude.leading_zeros() as i32;
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !((sign | (segment << 4) | mantissa) as u8)
}

const fn a_law(sample: i16) -> u8 {
    // A-law is symmetric about -0.5: the complement of a negative sample is its mirror.
    let (sign, magnitude) = if sample < 0 { (0, !(sample as i32)) } else { (0x80, sample as i32) };
    let magnitude = magnitude >> 4;
    let byte = if magnitude < 16 {
        magnitude
    } else {
        let segment = 28 - (magnitude as u32).leading_zeros() as i32;
        let mantissa = (magnitude >> (segment - 1)) & 0x0f;
        (segment << 4) | mantissa
    };
    (sign | byte) as u8 ^ 0x55
}

const fn from_mu_law(byte: u8) -> i16 {
    let byte = !byte as i32;
    let magnitude = ((((byte & 0x0f) << 3) + BIAS) << ((byte & 0x70) >> 4)) - BIAS;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

const fn from_a_law(byte: u8) -> i16 {
    let byte = (byte ^ 0x55) as i32;
    let mantissa = (byte & 0x0f) << 4;
    let segment = (byte & 0x70) >> 4;
    let magnitude = if segment == 0 { mantissa + 8 } else { (mantissa + 0x108) << (segment - 1) };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

const fn decode_table(codec: G711) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match codec {
            G711::Mu => from_mu_law(byte as u8),
            G711::A => from_a_law(byte as u8),
        };
        byte += 1;
    }
    table
}

const fn transcode_table(from: G711) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match from {
            G711::Mu => a_law(from_mu_law(byte as u8)),
            G711::A => mu_law(from_a_law(byte as u8)),
        };
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_g711() {
        assert_eq!(G711::Mu.decode(0x00), -32_124);
        assert_eq!(G711::Mu.decode(0x80), 32_124);
        assert_eq!(G711::Mu.decode(0xff), 0);
        assert_eq!(G711::Mu.encode(0), 0xff);
        assert_eq!(G711::Mu.encode(i16::MAX), 0x80);
        assert_eq!(G711::Mu.encode(i16::MIN), 0x00);
        assert_eq!(G711::A.decode(0xd5), 8);
        assert_eq!(G711::A.decode(0x55), -8);
        assert_eq!(G711::A.decode(0xaa), 32_256);
        assert_eq!(G711::A.encode(0), 0xd5);
        assert_eq!(G711::A.encode(i16::MAX), 0xaa);
        assert_eq!(G711::A.encode(i16::MIN), 0x2a);
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for codec in [G711::Mu, G711::A] {
            for byte in 0..=255_u8 {
                // µ-law has a second zero, which no encoder makes.
                let expected = if codec == G711::Mu && byte == 0x7f { 0xff } else { byte };
                assert_eq!(codec.encode(codec.decode(byte)), expected, "{codec:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn every_sample_stays_within_its_quantization_step() {
        for codec in [G711::Mu, G711::A] {
            for sample in i16::MIN..=i16::MAX {
                let error = (i32::from(sample) - i32::from(codec.decode(codec.encode(sample)))).abs();
                let step = (i32::from(sample).abs() / 16).max(16);
                assert!(error <= step, "{codec:?} {sample}: off by {error}");
            }
        }
    }

    #[test]
    fn transcoding_is_decoding_and_encoding() {
        let payload: Vec<u8> = (0..=255).collect();
        let samples: Vec<i16> = G711::Mu.decode_all(&payload).collect();

        assert_eq!(G711::Mu.transcode(G711::A, &payload), G711::A.encode_all(&samples));
        assert_eq!(G711::A.transcode(G711::A, &payload), payload);
    }
}
