//! The keys of one phone leg's encrypted sound: made, offered, chosen and kept (RFC 4568, RFC 8842).

use std::fmt;
use std::net::SocketAddr;

use cordboard_media::Security;
use cordboard_media::dtls::Fingerprint;
use cordboard_media::srtp::{Crypto, SrtpParams, SrtpSuite};
use cordboard_shared::telephony::Encryption;
use cordboard_sip::sdp::{Keying, Protection};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use super::handshake::Handshake;

/// What our offers name, preferred first: what every phone knows.
const OFFERED: [SrtpSuite; 2] = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32];

/// The keys of one leg. Printing them prints nothing.
pub(super) struct Keys {
    random: ChaCha12Rng,
    /// Our lines of the last offer of ours that is not agreed on yet.
    offered: Vec<Crypto>,
    /// Our line and theirs, once they are agreed on.
    agreed: Option<(Crypto, Crypto)>,
    handshake: Handshake,
}

impl Keys {
    /// Keys that all follow from a secret, which is used for nothing else.
    pub(super) fn new(secret: [u8; 32], fingerprint: Option<Fingerprint>) -> Self {
        let mut random = ChaCha12Rng::from_seed(secret);
        let handshake = Handshake::new(fingerprint, &mut random);
        Self { random, offered: Vec::new(), agreed: None, handshake }
    }

    /// What an offer of ours says. Whatever was agreed on before is offered again.
    pub(super) fn offer(&mut self, before: Option<Protection>, wanted: Encryption) -> Option<Keying> {
        let protection = before.unwrap_or(match wanted {
            Encryption::Off => Protection::Clear,
            Encryption::Required => Protection::Sdes,
            Encryption::Dtls => Protection::Dtls,
        });
        match protection {
            Protection::Clear => None,
            Protection::Sdes => Some(Keying::Sdes(self.offer_lines())),
            Protection::Dtls => self.handshake.offer().map(Keying::Dtls),
        }
    }

    /// Takes what the answer to an offer of ours says; `remote` is where its packets go.
    pub(super) fn accept(&mut self, answered: &Keying, remote: SocketAddr) -> Option<()> {
        match answered {
            Keying::Sdes(lines) => self.accept_line(lines),
            Keying::Dtls(theirs) => self.handshake.accept(theirs, remote, &mut self.random),
        }
    }

    /// Answers what an offer of theirs says.
    pub(super) fn answer(&mut self, offered: &Keying, wanted: Encryption, remote: SocketAddr) -> Option<Keying> {
        match offered {
            Keying::Sdes(_) if wanted == Encryption::Dtls => None,
            Keying::Sdes(lines) => self.answer_line(lines).map(|line| Keying::Sdes(vec![line])),
            Keying::Dtls(theirs) => self.handshake.answer(theirs, remote, &mut self.random).map(Keying::Dtls),
        }
    }

    /// What the media leg is told of what was agreed on. `None` while nothing is.
    pub(super) fn protect(&self, protection: Protection) -> Option<Security> {
        Some(match protection {
            Protection::Clear => Security::Clear,
            Protection::Sdes => Security::Sdes(self.agreed()?),
            Protection::Dtls => Security::Dtls(self.handshake.agreed()?),
        })
    }

    /// The values of `a=crypto` for an offer of ours. What was agreed on stays: its packets are counted on, and a new key
    /// would have to be made out from the old one by whoever is still sent packets.
    fn offer_lines(&mut self) -> Vec<String> {
        self.offered = match &self.agreed {
            Some((ours, _)) => vec![*ours],
            None => (1..).zip(OFFERED).map(|(tag, suite)| Crypto::generate(tag, suite, &mut self.random)).collect(),
        };
        self.offered.iter().map(Crypto::to_value).collect()
    }

    /// Takes the line of the answer to an offer of ours. RFC 4568 §5.1.3: it must be one that was offered.
    fn accept_line(&mut self, answered: &[impl AsRef<str>]) -> Option<()> {
        let [theirs] = answered else { return None };
        let theirs = Crypto::parse(theirs.as_ref()).ok()?;
        let ours = self.offered.iter().find(|ours| ours.tag == theirs.tag && ours.suite == theirs.suite)?;
        self.agreed = Some((*ours, theirs));
        Some(())
    }

    /// Chooses from the lines of an offer of theirs, and gives ours. While their key stays, ours does. With a new one a
    /// new device may have come in, which counts packets from zero: then ours is new, too (RFC 4568 §6.4).
    fn answer_line(&mut self, offered: &[impl AsRef<str>]) -> Option<String> {
        let lines: Vec<_> = offered.iter().filter_map(|line| Crypto::parse(line.as_ref()).ok()).collect();
        let known = self.agreed.and_then(|(ours, before)| {
            let same = |line: &&Crypto| line.suite == before.suite && line.key == before.key;
            lines.iter().find(same).map(|theirs| (Crypto { tag: theirs.tag, ..ours }, *theirs))
        });
        let chosen = if let Some(known) = known {
            known
        } else {
            let theirs = *lines.first()?;
            (Crypto::generate(theirs.tag, theirs.suite, &mut self.random), theirs)
        };
        self.agreed = Some(chosen);
        Some(chosen.0.to_value())
    }

    /// What the sound is encrypted with, once that is agreed on.
    fn agreed(&self) -> Option<SrtpParams> {
        self.agreed.map(|(ours, theirs)| SrtpParams { suite: ours.suite, local: ours.key, remote: theirs.key })
    }

    /// The sound goes in the clear from now on: what comes after begins with new keys.
    pub(super) fn forget(&mut self) {
        self.agreed = None;
        self.handshake.forget();
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "7 AES_CM_128_HMAC_SHA1_32 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
    const OTHER: &str = "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20";

    #[test]
    fn an_answer_takes_the_first_line_it_can_and_keeps_its_key_while_theirs_stays() {
        let mut keys = Keys::new([1; 32], None);
        assert_eq!(keys.answer_line(&["1 F8_128_HMAC_SHA1_80 inline:x"]), None);
        let first = keys.answer_line(&["1 F8_128_HMAC_SHA1_80 inline:x", ONE, OTHER]).unwrap();
        assert!(first.starts_with("7 AES_CM_128_HMAC_SHA1_32 inline:"), "{first}");
        let params = keys.agreed().unwrap();
        assert_ne!(params.local, params.remote);

        let again = keys.answer_line(&[&ONE.replacen('7', "2", 1)]).unwrap();
        assert_eq!(again, first.replacen('7', "2", 1), "the same key under the tag of the new offer");
        assert_eq!(keys.agreed(), Some(params));

        let renewed = keys.answer_line(&[OTHER]).unwrap();
        assert_ne!(renewed[2..], again[2..], "a new device may count from zero");
        assert_ne!(keys.agreed().unwrap().remote, params.remote);
    }

    #[test]
    fn an_offer_names_both_suites_once_and_keeps_what_was_chosen() {
        let mut keys = Keys::new([2; 32], None);
        let lines = keys.offer_lines();
        assert!(
            lines[0].starts_with("1 AES_CM_128_HMAC_SHA1_80 ") && lines[1].starts_with("2 AES_CM_128_HMAC_SHA1_32 ")
        );
        assert_eq!(keys.accept_line(&[OTHER]), None, "this suite has another tag");
        assert_eq!(keys.accept_line(&[""; 0]), None);
        assert_eq!(keys.agreed(), None);
        keys.accept_line(&[&OTHER.replacen('1', "2", 1)]).unwrap();
        assert_eq!(keys.agreed().unwrap().suite, SrtpSuite::AesCm128HmacSha1_32);
        assert_eq!(keys.offer_lines(), [lines[1].clone()]);
        assert_eq!(Keys::new([3; 32], None).offer_lines().len(), 2);
        assert_ne!(Keys::new([3; 32], None).offer_lines(), lines);
    }
}
