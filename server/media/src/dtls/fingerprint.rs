//! The `a=fingerprint` attribute of SDP (RFC 8122 §5): which certificate belongs to a description.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of a certificate. RFC 8122 §5 wants this hash of everybody; lines of other hashes are passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Why a line cannot be used. Another one of the description may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Another hash than SHA-256.
    #[error("a fingerprint by another hash than sha-256")]
    Hash,
    /// Not 32 bytes in hexadecimal with colons between.
    #[error("not a fingerprint")]
    Malformed,
}

impl Fingerprint {
    /// That of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(bytes)
    }
}

/// Reads the value of the attribute: what stands after `a=fingerprint:`. Case does not count, though RFC 8122 §5 has
/// upper case alone.
impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(value: &str) -> Result<Self, FingerprintError> {
        let (hash, digits) = value.trim().split_once(' ').ok_or(FingerprintError::Malformed)?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return Err(FingerprintError::Hash);
        }
        let mut bytes = [0; 32];
        let mut pairs = digits.trim().split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|it| it.is_ascii_hexdigit()));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(FingerprintError::Malformed)?;
        }
        if pairs.next().is_some() {
            return Err(FingerprintError::Malformed);
        }
        Ok(Self(bytes))
    }
}

/// The value of the attribute.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes are any: that they are read and written alike is what counts.
    const LINE: &str =
        "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";

    #[test]
    fn a_line_is_read_in_either_case_and_written_in_upper_case() {
        let read: Fingerprint = LINE.parse().unwrap();
        assert_eq!(read.to_string(), LINE);
        assert_eq!(LINE.to_ascii_lowercase().parse(), Ok(read));
        assert_eq!(LINE.replace("sha-256 12", "SHA-256  12").parse(), Ok(read));
        assert_ne!(LINE.replace("12:DF", "12:DE").parse(), Ok(read));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (line, why) in [
            (LINE.replace("sha-256", "sha-1"), FingerprintError::Hash),
            (LINE.replace("sha-256 ", "sha-256"), FingerprintError::Malformed),
            (LINE.replace(":AD", ""), FingerprintError::Malformed),
            (format!("{LINE}:00"), FingerprintError::Malformed),
            (LINE.replace("12:", "+2:"), FingerprintError::Malformed),
            (String::new(), FingerprintError::Malformed),
        ] {
            assert_eq!(line.parse::<Fingerprint>(), Err(why), "{line}");
        }
    }

    #[test]
    fn it_is_the_sha_256_of_the_certificate() {
        // FIPS 180-4, the digest of "abc".
        let wanted =
            "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
        assert_eq!(Fingerprint::of(b"abc").to_string(), wanted);
    }
}
