//! DTLS of phone legs: the handshake that gives a leg the keys of its SRTP (RFC 5763, RFC 5764).
//!
//! Browser legs do not pass here: str0m has a DTLS of its own. That one knows no RSA, which is what many phones and
//! switches sign with.

mod fingerprint;
mod handshake;

use std::sync::Arc;

pub use self::fingerprint::{Fingerprint, FingerprintError};
pub(crate) use self::handshake::{Handshake, Identity, Outcome};

/// Who begins the handshake (`a=setup`, RFC 4145 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DtlsRole {
    /// We do: `active`.
    Client,
    /// The far side does: we are `passive`.
    Server,
}

/// What a phone leg that is encrypted by DTLS has to know of the far side, from its SDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsParams {
    /// Its `a=fingerprint` lines: its certificate must be one of these (RFC 8122 §5).
    pub fingerprints: Arc<[Fingerprint]>,
    /// Our part in the handshake.
    pub role: DtlsRole,
    /// Counts the associations of the leg: with another number a new handshake is made, with the same the keys stay.
    pub association: u64,
}

/// Why a leg that must be encrypted is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecureFailure {
    /// The certificate of the far side is none of those its SDP names (RFC 5763 §5).
    Fingerprint,
    /// The handshake did not come to an end in time, or ended without keys that can be used.
    Handshake,
}

/// Whether a datagram is one of DTLS (RFC 7983 §7).
pub(crate) fn is_dtls(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(20..=63))
}
