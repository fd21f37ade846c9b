//! G.711: the two codecs of the telephone network, and the way from one to the other.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bit fields of a byte, cut out by masks; constant functions have no fallible conversions, and the tests go \
              through every byte and every sample"
)]

/// A codec of a leg. Both are 8 kHz, one byte a sample (ITU-T G.711, RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// µ-law: North America, Japan, and what browsers name first.
    Pcmu,
    /// A-law: the rest of the world.
    Pcma,
}

impl Codec {
    /// The name in `a=rtpmap` lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The payload type RFC 3551 §6 gives it for good.
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The byte that stands for silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// One byte to one sample.
    pub const fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Pcmu => FROM_MU_LAW[byte as usize],
            Self::Pcma => FROM_A_LAW[byte as usize],
        }
    }

    /// One sample to one byte.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => mu_law(sample),
            Self::Pcma => a_law(sample),
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
            (Self::Pcmu, Self::Pcma) => &MU_TO_A,
            (Self::Pcma, Self::Pcmu) => &A_TO_MU,
            (Self::Pcmu, Self::Pcmu) | (Self::Pcma, Self::Pcma) => return payload.to_vec(),
        };
        payload.iter().map(|byte| table[usize::from(*byte)]).collect()
    }
}

static FROM_MU_LAW: [i16; 256] = decode_table(Codec::Pcmu);
static FROM_A_LAW: [i16; 256] = decode_table(Codec::Pcma);
static MU_TO_A: [u8; 256] = transcode_table(Codec::Pcmu);
static A_TO_MU: [u8; 256] = transcode_table(Codec::Pcma);

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

const fn decode_table(codec: Codec) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match codec {
            Codec::Pcmu => from_mu_law(byte as u8),
            Codec::Pcma => from_a_law(byte as u8),
        };
        byte += 1;
    }
    table
}

const fn transcode_table(from: Codec) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match from {
            Codec::Pcmu => a_law(from_mu_law(byte as u8)),
            Codec::Pcma => mu_law(from_a_law(byte as u8)),
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
        assert_eq!(Codec::Pcmu.decode(0x00), -32_124);
        assert_eq!(Codec::Pcmu.decode(0x80), 32_124);
        assert_eq!(Codec::Pcmu.decode(0xff), 0);
        assert_eq!(Codec::Pcmu.encode(0), 0xff);
        assert_eq!(Codec::Pcmu.encode(i16::MAX), 0x80);
        assert_eq!(Codec::Pcmu.encode(i16::MIN), 0x00);
        assert_eq!(Codec::Pcma.decode(0xd5), 8);
        assert_eq!(Codec::Pcma.decode(0x55), -8);
        assert_eq!(Codec::Pcma.decode(0xaa), 32_256);
        assert_eq!(Codec::Pcma.encode(0), 0xd5);
        assert_eq!(Codec::Pcma.encode(i16::MAX), 0xaa);
        assert_eq!(Codec::Pcma.encode(i16::MIN), 0x2a);
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for byte in 0..=255_u8 {
                // µ-law has a second zero, which no encoder makes.
                let expected = if codec == Codec::Pcmu && byte == 0x7f { 0xff } else { byte };
                assert_eq!(codec.encode(codec.decode(byte)), expected, "{codec:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn every_sample_stays_within_its_quantization_step() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
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
        let samples: Vec<i16> = Codec::Pcmu.decode_all(&payload).collect();

        assert_eq!(Codec::Pcmu.transcode(Codec::Pcma, &payload), Codec::Pcma.encode_all(&samples));
        assert_eq!(Codec::Pcma.transcode(Codec::Pcma, &payload), payload);
    }
}
