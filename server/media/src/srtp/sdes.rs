//! The `a=crypto` attribute of SDP (RFC 4568 §9.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::rand_core::RngCore;

use super::{MasterKey, SrtpSuite};

/// One `a=crypto` line: a key that its sender encrypts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crypto {
    /// Tells the lines of one offer apart; the answer repeats the one it chose.
    pub tag: u32,
    /// How packets are encrypted.
    pub suite: SrtpSuite,
    /// The sender's key.
    pub key: MasterKey,
}

/// Why a line cannot be used. The next one of the offer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// It does not follow the grammar.
    #[error("not an a=crypto line")]
    Malformed,
    /// A suite that is not spoken here.
    #[error("an unknown crypto suite")]
    Suite,
    /// A key of the wrong length.
    #[error("the key has the wrong length")]
    Key,
    /// Several keys, or a parameter that changes what is sent.
    #[error("an unsupported key or session parameter")]
    Parameter,
}

impl Crypto {
    /// A line with a fresh key.
    pub fn generate(tag: u32, suite: SrtpSuite, random: &mut impl RngCore) -> Self {
        let mut key = MasterKey { key: [0; 16], salt: [0; 14] };
        random.fill_bytes(&mut key.key);
        random.fill_bytes(&mut key.salt[..suite.salt_length()]);
        Self { tag, suite, key }
    }

    /// Reads the value of the attribute: what stands after `a=crypto:`.
    pub fn parse(value: &str) -> Result<Self, CryptoError> {
        let mut words = value.split_ascii_whitespace();
        let (Some(tag), Some(suite), Some(keys)) = (words.next(), words.next(), words.next()) else {
            return Err(CryptoError::Malformed);
        };
        // RFC 4568 §9.1: tag = 1*9DIGIT
        if tag.len() > 9 || !tag.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CryptoError::Malformed);
        }
        let tag = tag.parse().map_err(|_| CryptoError::Malformed)?;
        let suite = SrtpSuite::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(suite));
        let suite = suite.ok_or(CryptoError::Suite)?;
        if keys.contains(';') || !words.all(is_harmless) {
            return Err(CryptoError::Parameter);
        }
        let inline = keys.strip_prefix("inline:").ok_or(CryptoError::Malformed)?;
        let mut parts = inline.split('|');
        let bytes = STANDARD.decode(parts.next().unwrap_or_default()).map_err(|_| CryptoError::Malformed)?;
        // A lifetime is met by no call that a person makes; a master key identifier would lengthen each packet.
        if parts.any(|part| part.contains(':')) {
            return Err(CryptoError::Parameter);
        }
        let (key, rest) = bytes.split_first_chunk::<16>().ok_or(CryptoError::Key)?;
        if rest.len() != suite.salt_length() {
            return Err(CryptoError::Key);
        }
        let mut salt = [0; 14];
        salt[..rest.len()].copy_from_slice(rest);
        Ok(Self { tag, suite, key: MasterKey { key: *key, salt } })
    }

    /// The value of the attribute.
    pub fn to_value(&self) -> String {
        let mut bytes = self.key.key.to_vec();
        bytes.extend(&self.key.salt[..self.suite.salt_length()]);
        format!("{} {} inline:{}", self.tag, self.suite.name(), STANDARD.encode(bytes))
    }
}

/// RFC 4568 §6.3: these leave the packets as they are; all others are refused as unknown mandatory parameters.
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with("WSH=") || parameter.starts_with('-') && !parameter.starts_with("-KDR")
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 4568 §10.2.2 and §5.1
        let line = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20";
        let crypto = Crypto::parse(line).unwrap();

        assert_eq!((crypto.tag, crypto.suite), (1, SrtpSuite::AesCm128HmacSha1_80));
        assert_eq!(crypto.key.key[..4], [0x3d, 0x2d, 0x6e, 0x40]);
        assert_eq!(crypto.to_value(), line.trim_end_matches("|2^20"));
    }

    #[test]
    fn a_generated_line_reads_back_and_prints_no_key() {
        let mut random = ChaCha12Rng::from_seed([3; 32]);
        for suite in SrtpSuite::ALL {
            let crypto = Crypto::generate(2, suite, &mut random);

            assert_eq!(Crypto::parse(&crypto.to_value()), Ok(crypto));
            assert!(!format!("{crypto:?}").contains(&format!("{}", crypto.key.key[0])));
            assert_ne!(Crypto::generate(2, suite, &mut random), crypto);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        const KEY: &str = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
        for (line, why) in [
            (String::new(), CryptoError::Malformed),
            ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), CryptoError::Malformed),
            (format!("x AES_CM_128_HMAC_SHA1_80 {KEY}"), CryptoError::Malformed),
            (format!("1234567890 AES_CM_128_HMAC_SHA1_80 {KEY}"), CryptoError::Malformed),
            (format!("1 F8_128_HMAC_SHA1_80 {KEY}"), CryptoError::Suite),
            (format!("1 AEAD_AES_128_GCM {KEY}"), CryptoError::Key),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:%%%".to_owned(), CryptoError::Malformed),
            (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|1:4"), CryptoError::Parameter),
            (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY};{KEY}"), CryptoError::Parameter),
            (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"), CryptoError::Parameter),
        ] {
            assert_eq!(Crypto::parse(&line), Err(why), "{line}");
        }
        assert!(Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} WSH=64")).is_ok());
    }
}
