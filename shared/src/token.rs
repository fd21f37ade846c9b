//! Access tokens `ccp1.<payload>.<signature>` (`wire.md` section 2): signed by the server, checked by server and edge.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AgentId, TokenId};
use crate::time::Millis;

/// First part of every token.
const PREFIX: &str = "ccp1";
/// Longest token that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Its own id.
    pub tid: TokenId,
    /// The account it belongs to.
    pub acct: AccountId,
    /// The person it acts for.
    pub sub: AgentId,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Issued at, in seconds since the epoch.
    pub iat: i64,
    /// Ends at, in seconds since the epoch.
    pub exp: i64,
    /// Which key signed it.
    pub kid: String,
    /// Generation of the account's tokens.
    pub tg: u32,
}

impl TokenClaims {
    /// Whether it may do this.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}

/// Why a token is refused. The caller is told no more than that it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not of the form `ccp1.….…`.
    #[error("not a token of this form")]
    Malformed,
    /// No key of that name.
    #[error("signed by an unknown key")]
    UnknownKey,
    /// The signature is wrong.
    #[error("wrong signature")]
    WrongSignature,
    /// Past its end.
    #[error("expired")]
    Expired,
}

/// Makes a token.
pub fn sign(claims: &TokenClaims, key: &SigningKey) -> String {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
    let signed = format!("{PREFIX}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
    format!("{signed}.{signature}")
}

/// Checks form, signature and end of a token. Revocation is the server's business.
pub fn verify<'k>(
    token: &str,
    key_for: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
    now: Millis,
) -> Result<TokenClaims, TokenError> {
    if token.len() > LONGEST {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let payload = signed.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')).ok_or(TokenError::Malformed)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
    let claims: TokenClaims = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    let signature = Signature::from_slice(&signature).map_err(|_| TokenError::Malformed)?;
    let key = key_for(&claims.kid).ok_or(TokenError::UnknownKey)?;
    key.verify(signed.as_bytes(), &signature).map_err(|_| TokenError::WrongSignature)?;
    if now.0 / 1_000 >= claims.exp {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}

impl fmt::Display for TokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {}", self.tid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> TokenClaims {
        TokenClaims {
            tid: TokenId::demo(1),
            acct: AccountId::demo(2),
            sub: AgentId::demo(0x21),
            scopes: vec!["presence:read".to_owned()],
            iat: 0,
            exp: 100,
            kid: "t1".to_owned(),
            tg: 1,
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_ends() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key();
        let token = sign(&claims(), &key);

        assert_eq!(verify(&token, |_| Some(&public), Millis(99_000)), Ok(claims()));
        assert_eq!(verify(&token, |_| Some(&public), Millis(100_000)), Err(TokenError::Expired));
        assert_eq!(verify(&token, |_| None, Millis(0)), Err(TokenError::UnknownKey));
    }

    #[test]
    fn a_changed_payload_a_foreign_key_and_nonsense_are_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key();
        let foreign = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let token = sign(&claims(), &key);
        let mut other = claims();
        other.sub = AgentId::demo(0x22);
        let other = sign(&other, &key);
        let (_, signature) = token.rsplit_once('.').unwrap();
        let (swapped, _) = other.rsplit_once('.').unwrap();

        assert_eq!(verify(&token, |_| Some(&foreign), Millis(0)), Err(TokenError::WrongSignature));
        assert_eq!(
            verify(&format!("{swapped}.{signature}"), |_| Some(&public), Millis(0)),
            Err(TokenError::WrongSignature)
        );
        for nonsense in ["", "ccp1", "ccp1..", "ccp2.a.b", "ccp1.!.!", &"x".repeat(10_000)] {
            assert_eq!(verify(nonsense, |_| Some(&public), Millis(0)), Err(TokenError::Malformed), "{nonsense}");
        }
    }
}
