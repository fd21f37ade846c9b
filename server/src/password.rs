//! Passwords: argon2id, checked in constant work for known and unknown people alike.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::clock;

/// Longest password that is looked at, in bytes: hashing a megabyte is a gift to an attacker.
const LONGEST: usize = 1_024;
/// Characters that are not taken for one another when read aloud or typed.
const READABLE: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Memory 19 MiB, two passes, one lane: the OWASP minimum for argon2id.
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// The PHC text of a password under a fresh salt. Takes tens of milliseconds: not for an async thread.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(&clock::random::<16>())?;
    Ok(hasher().hash_password(password.as_bytes(), &salt)?.to_string())
}

/// Whether the password is the one; without a stored one the same work is done and the answer is no.
/// Takes tens of milliseconds: not for an async thread.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    // Of a random password nobody knows, made with the parameters above.
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$yD0u8Zk2l1y2bq0M3m2eOQm2h1Xq0m1bqv0d0p8m3kE";

    let Ok(hash) = PasswordHash::new(stored.unwrap_or(NOBODY)) else { return false };
    let fits = password.len() <= LONGEST;
    let candidate = if fits { password.as_bytes() } else { b"" };
    let right = hasher().verify_password(candidate, &hash).is_ok();
    right && fits && stored.is_some()
}

/// A password of 12 random characters in three groups (59 bits), to be read from a screen and typed.
pub fn generate() -> String {
    let mut password = String::with_capacity(14);
    while password.len() < 14 {
        if matches!(password.len(), 4 | 9) {
            password.push('-');
        }
        // Rejection keeps every character equally likely: 248 is the largest multiple of 31 in a byte.
        let [byte] = clock::random::<1>();
        if byte < 248 {
            password.push(char::from(READABLE[usize::from(byte) % READABLE.len()]));
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let stored = hash("correct horse").unwrap();

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse", Some(&stored)));
        assert!(!verify("correct horses", Some(&stored)));
        assert!(!verify("", Some(&stored)));
        assert!(!verify("correct horse", None));
        assert!(!verify(&"x".repeat(2_000), Some(&stored)));
        assert!(!verify("x", Some("not a hash")));
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        // The stand-in must parse, or an unknown email would answer at once.
        let start = std::time::Instant::now();
        verify("x", None);

        assert!(start.elapsed().as_micros() > 1_000);
    }

    #[test]
    fn generated_passwords_can_be_read_aloud() {
        let password = generate();

        assert_eq!(password.len(), 14);
        assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
        assert_ne!(password, generate());
    }
}
