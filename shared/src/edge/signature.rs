//! Ed25519 over what server and edge send each other (`wire.md` section 2), and the keys as settings carry them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{FeedFrame, FeedRange};
use crate::id::AccountId;
use crate::time::Millis;

/// Header with the name of the key that signed.
pub const ID_HEADER: &str = "x-edge-id";
/// Header with the sender's time, in milliseconds since the Unix epoch.
pub const TIME_HEADER: &str = "x-edge-time";
/// Header with the signature, base64url without padding.
pub const SIGNATURE_HEADER: &str = "x-edge-signature";
/// Name of the edge's key when its setting gives none.
pub const EDGE_KEY_ID: &str = "e1";
/// How far the sender's time may lie from the receiver's, in milliseconds.
pub const WINDOW: u64 = 60_000;

/// Why a signed message is refused. The sender is told no more than that it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A part is missing or unreadable.
    #[error("the signature or its time cannot be read")]
    Malformed,
    /// No key of that name.
    #[error("signed by an unknown key")]
    UnknownKey,
    /// Too old, or from the future.
    #[error("signed outside the permitted time")]
    OutsideWindow,
    /// The signature does not fit.
    #[error("wrong signature")]
    WrongSignature,
}

/// Public keys by name; two may be live while one is replaced.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(Vec<(String, VerifyingKey)>);

/// The setting is no list of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in base64url, or a list of <name>:<key>")]
pub struct ParseKeyError;

impl PublicKeys {
    /// Reads `<key>` or `<name>:<key>[,<name>:<key>]`, keys being 32 bytes in base64url; a key without a name gets `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self, ParseKeyError> {
        text.split(',')
            .map(|entry| {
                let (name, key) = entry.trim().split_once(':').unwrap_or((name, entry.trim()));
                let key = VerifyingKey::from_bytes(&key_bytes(key)?).map_err(|_| ParseKeyError)?;
                Ok((name.to_owned(), key))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// One key.
    pub fn of(name: &str, key: VerifyingKey) -> Self {
        Self(vec![(name.to_owned(), key)])
    }

    /// The key with this name.
    pub fn get(&self, name: &str) -> Option<&VerifyingKey> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, key)| key)
    }
}

/// Reads a private key: its 32 bytes in base64url.
pub fn parse_signing_key(text: &str) -> Result<SigningKey, ParseKeyError> {
    Ok(SigningKey::from_bytes(&key_bytes(text.trim())?))
}

/// A key's 32 bytes as settings carry them.
pub fn key_text(bytes: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key_bytes(text: &str) -> Result<[u8; 32], ParseKeyError> {
    // Padding is not ours, but tools that print keys add it.
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| ParseKeyError)?;
    bytes.try_into().map_err(|_| ParseKeyError)
}

/// What is signed of a request from edge to server: `method LF path?query LF time LF sha256(body)`.
fn request_text(method: &str, path_and_query: &str, time: Millis, body: &[u8]) -> String {
    format!("{method}\n{path_and_query}\n{}\n{}", time.0, hex_digest(body))
}

/// Signs a request; the value of [`SIGNATURE_HEADER`].
pub fn sign_request(key: &SigningKey, method: &str, path_and_query: &str, time: Millis, body: &[u8]) -> String {
    signature_text(key, &request_text(method, path_and_query, time, body))
}

/// The three headers of a signed request, as received.
#[derive(Clone, Copy, Debug)]
pub struct SignedHeaders<'h> {
    /// [`ID_HEADER`].
    pub id: &'h str,
    /// [`TIME_HEADER`].
    pub time: &'h str,
    /// [`SIGNATURE_HEADER`].
    pub signature: &'h str,
}

/// Checks a request from the edge: who signed, when, and that it arrived as it was sent.
pub fn verify_request(
    keys: &PublicKeys,
    headers: SignedHeaders<'_>,
    method: &str,
    path_and_query: &str,
    body: &[u8],
    now: Millis,
) -> Result<(), SignatureError> {
    let time = headers.time.parse().map(Millis).map_err(|_| SignatureError::Malformed)?;
    if now.0.abs_diff(time.0) > WINDOW {
        return Err(SignatureError::OutsideWindow);
    }
    let key = keys.get(headers.id).ok_or(SignatureError::UnknownKey)?;
    check(key, &request_text(method, path_and_query, time, body), headers.signature)
}

fn frame_text(account: AccountId, generation: u32, range: &FeedRange, items: &str) -> String {
    let FeedRange { epoch, bucket, from, to, as_of } = range;
    let items = hex_digest(items.as_bytes());
    format!("feed\n{account}\n{generation}\n{bucket}\n{epoch}\n{from}\n{to}\n{}\n{items}", as_of.0)
}

/// Makes a frame of the feed.
pub fn sign_frame(
    key: &SigningKey,
    account: AccountId,
    generation: u32,
    range: FeedRange,
    items: Box<RawValue>,
) -> FeedFrame {
    let sig = signature_text(key, &frame_text(account, generation, &range, items.get()));
    FeedFrame { account, generation, range, items, sig }
}

/// Checks who made a frame. One that is sent again later does no harm: items go by version, and time only by `as_of`.
pub fn verify_frame(keys: &PublicKeys, frame: &FeedFrame) -> Result<(), SignatureError> {
    let text = frame_text(frame.account, frame.generation, &frame.range, frame.items.get());
    // A frame does not name its key; there are at most two.
    let mut verdict = Err(SignatureError::UnknownKey);
    for (_, key) in &keys.0 {
        verdict = check(key, &text, &frame.sig);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

fn signature_text(key: &SigningKey, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes())
}

fn check(key: &VerifyingKey, text: &str, signature: &str) -> Result<(), SignatureError> {
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignatureError::Malformed)?;
    let signature = Signature::from_slice(&signature).map_err(|_| SignatureError::Malformed)?;
    key.verify_strict(text.as_bytes(), &signature).map_err(|_| SignatureError::WrongSignature)
}

fn hex_digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_249_931_204);

    fn edge() -> (SigningKey, PublicKeys) {
        let key = SigningKey::from_bytes(&[9; 32]);
        let public = PublicKeys::parse(&key_text(key.verifying_key().as_bytes()), "e1").unwrap();
        (key, public)
    }

    fn headers(signature: &str) -> SignedHeaders<'_> {
        SignedHeaders { id: "e1", time: "1795249931204", signature }
    }

    #[test]
    fn a_signed_request_holds_for_its_method_path_time_and_body_alone() {
        let (key, public) = edge();
        let signature = sign_request(&key, "GET", "/edge/changes?after=1.0.7", NOW, b"");
        let verify = |method: &str, path: &str, body: &[u8], now: Millis| {
            verify_request(&public, headers(&signature), method, path, body, now)
        };

        assert_eq!(verify("GET", "/edge/changes?after=1.0.7", b"", NOW), Ok(()));
        assert_eq!(verify("GET", "/edge/changes?after=1.0.7", b"", NOW + WINDOW), Ok(()));
        assert_eq!(verify("POST", "/edge/changes?after=1.0.7", b"", NOW), Err(SignatureError::WrongSignature));
        assert_eq!(verify("GET", "/edge/changes?after=1.0.8", b"", NOW), Err(SignatureError::WrongSignature));
        assert_eq!(verify("GET", "/edge/changes?after=1.0.7", b"x", NOW), Err(SignatureError::WrongSignature));
        assert_eq!(
            verify("GET", "/edge/changes?after=1.0.7", b"", NOW + WINDOW + 1),
            Err(SignatureError::OutsideWindow)
        );
        assert_eq!(
            verify("GET", "/edge/changes?after=1.0.7", b"", NOW - (WINDOW + 1)),
            Err(SignatureError::OutsideWindow)
        );
    }

    #[test]
    fn an_unknown_key_and_nonsense_are_refused() {
        let (key, public) = edge();
        let signature = sign_request(&key, "GET", "/", NOW, b"");
        let with =
            |id, time, signature| verify_request(&public, SignedHeaders { id, time, signature }, "GET", "/", b"", NOW);

        assert_eq!(with("e2", "1795249931204", &signature), Err(SignatureError::UnknownKey));
        assert_eq!(with("e1", "now", &signature), Err(SignatureError::Malformed));
        assert_eq!(with("e1", "1795249931204", "!"), Err(SignatureError::Malformed));
        assert_eq!(with("e1", "1795249931204", "AAAA"), Err(SignatureError::Malformed));
    }

    #[test]
    fn a_frame_is_signed_over_everything_in_it() {
        let (key, public) = edge();
        let range = FeedRange { epoch: 1, bucket: 0, from: 5, to: 6, as_of: NOW };
        let items = RawValue::from_string(r#"[ {"x": 1} ]"#.to_owned()).unwrap();
        let frame = sign_frame(&key, AccountId::demo(1), 1, range, items);

        let sent: FeedFrame = serde_json::from_str(&serde_json::to_string(&frame).unwrap()).unwrap();
        assert_eq!(verify_frame(&public, &sent), Ok(()));

        let mut other = sent.clone();
        other.account = AccountId::demo(2);
        assert_eq!(verify_frame(&public, &other), Err(SignatureError::WrongSignature));
        let mut other = sent.clone();
        other.range.to = 7;
        assert_eq!(verify_frame(&public, &other), Err(SignatureError::WrongSignature));
        let mut other = sent;
        other.items = RawValue::from_string(r#"[{"x":1}]"#.to_owned()).unwrap();
        assert_eq!(verify_frame(&public, &other), Err(SignatureError::WrongSignature));
    }

    #[test]
    fn two_keys_may_be_live_and_nonsense_is_no_key() {
        let one = key_text(SigningKey::from_bytes(&[1; 32]).verifying_key().as_bytes());
        let two = key_text(SigningKey::from_bytes(&[2; 32]).verifying_key().as_bytes());

        let keys = PublicKeys::parse(&format!("a:{one}, b:{two}"), "x").unwrap();
        assert!(keys.get("a").is_some() && keys.get("b").is_some() && keys.get("x").is_none());
        assert!(PublicKeys::parse(&format!("{one}="), "x").unwrap().get("x").is_some());
        for nonsense in ["", "a:", "!!", "AAAA", "a:AAAA"] {
            assert!(PublicKeys::parse(nonsense, "x").is_err(), "{nonsense}");
        }
    }
}
