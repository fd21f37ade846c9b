//! Links that act for one person without a sign-in: account, person and generation under a keyed hash.
//!
//! Nothing is stored but the person's generation; raising it takes back every link before. The key is derived from the
//! one that signs API tokens and good for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_shared::id::{AccountId, AgentId};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::keys::Keys;

/// What the key is derived for.
const PURPOSE: &[u8] = b"cordboard opt-out link 1";
/// Account, person and generation, in bytes.
const CLAIMS: usize = 16 + 16 + 4;
/// Bytes of the hash that a link carries: nobody guesses 128 bits.
const TAG: usize = 16;

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkClaims {
    /// The account.
    pub(super) account: AccountId,
    /// For whom it acts.
    pub(super) agent: AgentId,
    /// The generation it was made in.
    pub(super) generation: u32,
}

impl LinkClaims {
    /// The last part of the link: 70 characters, which leaves a text message room for words.
    pub(super) fn sign(&self, keys: &Keys) -> String {
        let claims = self.bytes();
        let tag = mac(keys, &claims).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([claims.as_slice(), &tag[..TAG]].concat())
    }

    /// Reads a link; none unless it is whole and ours.
    pub(super) fn verify(text: &str, keys: &Keys) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == CLAIMS + TAG)?;
        let (claims, tag) = bytes.split_at(CLAIMS);
        mac(keys, claims).verify_truncated_left(tag).ok()?;
        Some(Self {
            account: AccountId(Uuid::from_slice(&claims[..16]).ok()?),
            agent: AgentId(Uuid::from_slice(&claims[16..32]).ok()?),
            generation: u32::from_be_bytes(claims[32..].try_into().ok()?),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        [self.account.0.as_bytes().as_slice(), self.agent.0.as_bytes(), &self.generation.to_be_bytes()].concat()
    }
}

fn mac(keys: &Keys, claims: &[u8]) -> Hmac<Sha256> {
    let derived = keyed(keys.token.signing.as_bytes()).chain_update(PURPOSE).finalize().into_bytes();
    keyed(&derived).chain_update(claims)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of this hash may have any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> LinkClaims {
        LinkClaims { account: AccountId::demo(1), agent: AgentId::demo(0x21), generation: 1 }
    }

    #[test]
    fn a_link_is_ours_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let link = claims().sign(&keys);

        assert_eq!(link.len(), 70);
        assert_eq!(LinkClaims::verify(&link, &keys), Some(claims()));
        let others = [LinkClaims { generation: 2, ..claims() }, LinkClaims { agent: AgentId::demo(0x22), ..claims() }];
        assert!(others.iter().all(|other| other.sign(&keys) != link));
        for at in 0..link.len() {
            let mut bytes = link.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(LinkClaims::verify(&changed, &keys), Some(claims()), "{at}");
        }
        for wrong in ["", "x", &link[1..], &format!("{link}A"), &"A".repeat(70), &"A".repeat(100_000)] {
            assert_eq!(LinkClaims::verify(wrong, &keys), None, "{wrong:.20}");
        }

        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(LinkClaims::verify(&link, &Keys::open(elsewhere.path()).unwrap()), None);
    }
}
