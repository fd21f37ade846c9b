//! `cargo xtask edge`: the edge worker in workerd on this machine, beside a running server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;

use crate::child::{self, Running};
use crate::{say, tools, worker, workspace};

/// The edge's port on loopback.
const PORT: u16 = 8788;

/// Where the edge answers.
pub(crate) fn url() -> String {
    format!("http://127.0.0.1:{PORT}")
}

/// Builds the worker and runs it until interrupted.
pub(crate) fn run(data: &Path, server: &str) -> Result<()> {
    worker::build()?;
    tools::ensure_npm(&[tools::WORKERD])?;
    public_key(data)?;
    let keys = data.join("keys");
    let key = |file: &str| {
        let path = keys.join(file);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; start the server first with `cargo xtask run`", path.display())
        })?;
        anyhow::Ok(text.trim().to_owned())
    };
    let objects = data.join("edge");
    fs::create_dir_all(&objects)?;

    let interrupted = child::interrupt()?;
    let mut command = Command::new(tools::workerd());
    command
        .current_dir(workspace::root())
        .args(["serve", "edge/config.capnp", "config", "--directory-path"])
        .arg(format!("objects={}", objects.display()))
        .arg("--socket-addr")
        .arg(format!("http=127.0.0.1:{PORT}"))
        .env("TOKEN_PUBLIC_KEY", key("token.pub")?)
        .env("FEED_PUBLIC_KEY", key("feed.pub")?)
        .env("EDGE_PRIVATE_KEY", key("edge.key")?)
        .env("SERVER_URL", server);
    let mut workerd = [Running::start("workerd", &mut command)?];
    say::line(format!("the edge is at {}, its server at {server}; Ctrl-C ends it", url()));
    child::attend(&mut workerd, &interrupted)
}

/// The edge's public key; makes the pair where there is none, as the server makes its own:
/// `<data-dir>/keys/edge.key` and `edge.pub`, 32 bytes each as base64url.
pub(crate) fn public_key(data: &Path) -> Result<String> {
    let keys = data.join("keys");
    let public = keys.join("edge.pub");
    if let Ok(text) = fs::read_to_string(&public) {
        return Ok(text.trim().to_owned());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&keys)
        .with_context(|| format!("cannot make {}", keys.display()))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    let pair = SigningKey::from_bytes(&secret);
    let text = URL_SAFE_NO_PAD.encode(pair.verifying_key().as_bytes());
    write_new(&keys.join("edge.key"), &URL_SAFE_NO_PAD.encode(secret))?;
    write_new(&public, &text)?;
    Ok(text)
}

/// Writes a file that did not exist, for nobody else to read.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{text}")?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_pair_is_made_once_and_kept() {
        let data = std::env::temp_dir().join(format!("cordboard-xtask-edge-{}", std::process::id()));

        let (one, two) = (public_key(&data).unwrap(), public_key(&data).unwrap());
        let secret = fs::read_to_string(data.join("keys/edge.key")).unwrap();
        fs::remove_dir_all(&data).unwrap();

        assert_eq!(one, two);
        assert_eq!(URL_SAFE_NO_PAD.decode(one).unwrap().len(), 32);
        assert_eq!(URL_SAFE_NO_PAD.decode(secret.trim()).unwrap().len(), 32);
    }
}
