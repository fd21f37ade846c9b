//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for telephone audio.

mod description;
mod negotiate;
mod parse;
mod secure;
#[cfg(test)]
mod tests;

pub use description::{Connection, Direction, Media, SessionDescription};
pub use negotiate::{AudioCodec, NegotiatedAudio, OfferTerms, accept_answer, answer, answer_by, offer, offer_by};
pub use secure::{AnswerKeys, DtlsDescription, Keying, Protection, Secrecy, Setup, accepted_keys};

/// The longest description that is read, in bytes.
pub const MAX_SDP_BYTES: usize = 16 * 1024;
/// The most m-lines in one description.
pub const MAX_MEDIA: usize = 16;

/// Why a description is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`MAX_SDP_BYTES`], or more than [`MAX_MEDIA`] m-lines.
    #[error("session description too large")]
    TooLarge,
    /// A line that cannot be read.
    #[error("malformed session description line {0}")]
    Line(usize),
    /// No m-line for audio over RTP with a port.
    #[error("session description without audio")]
    NoAudio,
    /// Nothing but formats this server does not speak: the caller answers 488.
    #[error("no common audio codec")]
    NoCommonCodec,
    /// No keys that can be used, or none where audio must be encrypted: the caller answers 488.
    #[error("no audio that is encrypted as it must be")]
    NotEncrypted,
    /// The audio has no connection address.
    #[error("audio without a connection address")]
    NoAddress,
}
