//! The server's Ed25519 key pairs: `token` signs API tokens, `feed` signs pushes to the edge.
//!
//! Made at the first start, kept in `<data-dir>/keys` (folder 700, files 600): `<name>.key` holds the private and
//! `<name>.pub` the public half, 32 bytes each as base64url.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::clock;

/// Name of the key that signs API tokens.
pub const TOKEN_KEY_ID: &str = "t1";
/// Name of the key that signs pushes to the edge.
pub const FEED_KEY_ID: &str = "f1";

/// A named key pair.
pub struct KeyPair {
    /// Its `kid`.
    pub id: &'static str,
    /// The private half.
    pub signing: SigningKey,
    /// The public half.
    pub verifying: VerifyingKey,
}

/// Both key pairs.
#[derive(Debug)]
pub struct Keys {
    /// Signs API tokens.
    pub token: KeyPair,
    /// Signs pushes to the edge.
    pub feed: KeyPair,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot read or write the key {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no key.
    #[error("{} holds no key of 32 bytes in base64url", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl Keys {
    /// Reads the keys of a data folder; makes those that are not there.
    pub fn open(data_dir: &Path) -> Result<Self, KeyError> {
        let dir = data_dir.join("keys");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|source| KeyError::Io { path: dir.clone(), source })?;
        Ok(Self { token: KeyPair::open(&dir, "token", TOKEN_KEY_ID)?, feed: KeyPair::open(&dir, "feed", FEED_KEY_ID)? })
    }

    /// The public key that checks tokens signed under this name.
    pub fn token_key(&self, id: &str) -> Option<&VerifyingKey> {
        (id == self.token.id).then_some(&self.token.verifying)
    }
}

impl KeyPair {
    /// A key pair from its private half.
    pub fn new(id: &'static str, signing: SigningKey) -> Self {
        Self { id, verifying: signing.verifying_key(), signing }
    }

    /// The public half as base64url, as the edge is given it.
    pub fn public_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.verifying.as_bytes())
    }

    fn open(dir: &Path, name: &str, id: &'static str) -> Result<Self, KeyError> {
        let path = dir.join(format!("{name}.key"));
        let failed = |source| KeyError::Io { path: path.clone(), source };
        let signing = match fs::read_to_string(&path) {
            Ok(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                SigningKey::from_bytes(&bytes.ok_or_else(|| KeyError::Malformed { path: path.clone() })?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let signing = SigningKey::from_bytes(&clock::random());
                write_new(&path, &URL_SAFE_NO_PAD.encode(signing.as_bytes())).map_err(failed)?;
                signing
            }
            Err(error) => return Err(failed(error)),
        };
        let pair = Self::new(id, signing);
        let public = dir.join(format!("{name}.pub"));
        if !public.exists() {
            write_new(&public, &pair.public_text()).map_err(|source| KeyError::Io { path: public, source })?;
        }
        Ok(pair)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.id)
    }
}

/// Writes a file that did not exist, for nobody else to read, and has it on disk.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();

        let first = Keys::open(dir.path()).unwrap();
        let second = Keys::open(dir.path()).unwrap();

        assert_eq!(first.token.signing.as_bytes(), second.token.signing.as_bytes());
        assert_ne!(first.token.signing.as_bytes(), first.feed.signing.as_bytes());
        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("keys"), 0o700);
        assert_eq!(mode("keys/token.key"), 0o600);
        assert!(!format!("{first:?}").contains(&URL_SAFE_NO_PAD.encode(first.token.signing.as_bytes())));
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join("keys/token.key"), "short").unwrap();

        assert!(matches!(Keys::open(dir.path()), Err(KeyError::Malformed { .. })));
        assert_eq!(fs::read_to_string(dir.path().join("keys/token.key")).unwrap(), "short");
    }
}
