//! Encrypted audio whose keys stand in the description (RFC 4568). What a line says is for those to know who encrypt.

use super::description::{Media, SessionDescription};

/// Gives our `a=crypto` line in answer to theirs, preferred first; `None` when none of them can be used. Values of the
/// attribute, both.
pub type AnswerKeys<'a> = &'a mut dyn FnMut(&[&str]) -> Option<String>;

/// Which audio of an offer is taken.
pub enum Secrecy<'a> {
    /// In the clear alone.
    Plain,
    /// Whichever the offer names first.
    Either(AnswerKeys<'a>),
    /// Encrypted alone.
    Required(AnswerKeys<'a>),
}

impl Secrecy<'_> {
    pub(super) fn takes(&self, media: &Media) -> bool {
        match self {
            Self::Plain => !media.is_secure(),
            Self::Either(_) => true,
            Self::Required(_) => media.is_secure(),
        }
    }

    /// Our line in answer to those of an m-line.
    pub(super) fn keys(&mut self, media: &Media) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Either(keys) | Self::Required(keys) => keys(&media.crypto().collect::<Vec<_>>()),
        }
    }
}

impl Media {
    /// The values of its `a=crypto` lines, preferred first.
    pub fn crypto(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter_map(|attribute| attribute.strip_prefix("crypto:"))
    }

    /// RFC 4568 §3.2: keys in a description are those of the secure profiles; elsewhere they mean nothing.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.protocol.as_str(), "RTP/SAVP" | "RTP/SAVPF")
    }

    /// RFC 3264 §5.1: an m-line with port 0 is not offered at all; only RTP is spoken on telephone legs.
    pub(super) fn is_telephone_audio(&self) -> bool {
        let plain = matches!(self.protocol.as_str(), "RTP/AVP" | "RTP/AVPF");
        self.kind == "audio" && self.port != 0 && (plain || self.is_secure())
    }
}

/// The values of the `a=crypto` lines of the audio that an answer accepts; one, if the answer is right.
pub fn accepted_keys(answer: &SessionDescription) -> Vec<&str> {
    let audio = answer.media.iter().find(|media| media.is_telephone_audio() && media.is_secure());
    audio.into_iter().flat_map(Media::crypto).collect()
}
