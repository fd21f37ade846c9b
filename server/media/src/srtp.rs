//! SRTP (RFC 3711, RFC 7714): for phone legs with the keys of an SDP `a=crypto` line (RFC 4568), for browser legs with those
//! of their DTLS handshake.

mod context;
mod sdes;

use std::fmt;

pub(crate) use self::context::SrtpSession;
pub use self::sdes::{Crypto, CryptoError};

/// How packets are encrypted and authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SrtpSuite {
    /// AES in counter mode, HMAC-SHA1 with a tag of 80 bits: what every phone knows (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// The same with a tag of 32 bits on sound; control packets keep their 80 (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// AES-GCM with a tag of 128 bits (RFC 7714 §14.2).
    AeadAes128Gcm,
}

impl SrtpSuite {
    /// All of them, the one every phone knows first.
    pub const ALL: [Self; 3] = [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm];

    /// The name in `a=crypto` lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
        }
    }

    /// Bytes of the salt that follows the master key of 16 bytes.
    pub const fn salt_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm => 12,
        }
    }
}

/// A master key of 16 bytes and its salt. Printing it prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    /// The key.
    pub(crate) key: [u8; 16],
    /// The salt; AES-GCM uses the first 12 bytes.
    pub(crate) salt: [u8; 14],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// The keys of a phone leg, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpParams {
    /// Both ways are encrypted alike.
    pub suite: SrtpSuite,
    /// The key of our `a=crypto` line: what we send is encrypted with it.
    pub local: MasterKey,
    /// The key of the far side's line.
    pub remote: MasterKey,
}
