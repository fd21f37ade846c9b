//! Where the built product and the tools of the journeys are. What is missing is named, with the command that makes it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The server's binary, built beside this test by the same Cargo profile.
pub fn cordboard() -> Result<PathBuf> {
    let test = env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test has no target folder")?;
    let binary = folder.join("cordboard");
    ensure!(binary.is_file(), "{} is missing; build it with `cargo build -p cordboard-server`", binary.display());
    let panel = root().join("target/spa/index.html");
    ensure!(panel.is_file(), "{} is missing; build the panel with `cargo xtask panel`", panel.display());
    Ok(binary)
}

/// The worker runtime.
pub fn workerd() -> Result<PathBuf> {
    let modules = root().join("target/tools/node_modules/@cloudflare");
    let found = ["workerd-linux-64", "workerd-linux-arm64", "workerd-darwin-arm64", "workerd-darwin-64"]
        .iter()
        .map(|package| modules.join(package).join("bin/workerd"))
        .find(|binary| binary.is_file());
    found.with_context(|| format!("workerd is missing in {}; `cargo xtask test` installs it", modules.display()))
}

/// The worker's configuration, with the built worker beside it.
pub fn edge_config() -> Result<PathBuf> {
    let shim = root().join("edge/build/shim.js");
    ensure!(shim.is_file(), "{} is missing; build the worker with `cargo xtask worker`", shim.display());
    Ok(root().join("edge/config.capnp"))
}

/// The accessibility checker's script.
pub fn axe() -> Result<PathBuf> {
    let script = root().join("target/tools/node_modules/axe-core/axe.min.js");
    ensure!(script.is_file(), "{} is missing; `cargo xtask test` installs it", script.display());
    Ok(script)
}

/// The browser.
pub fn chromium() -> Result<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome"], "chromium")
}

/// The scripted SIP peer.
pub fn sipp() -> Result<PathBuf> {
    program(&["sipp"], "sip-tester")
}

/// The telephone.
pub fn baresip() -> Result<PathBuf> {
    program(&["baresip"], "baresip-core")
}

/// Another make of telephone.
pub fn linphone() -> Result<PathBuf> {
    program(&["linphonec"], "linphone-cli")
}

/// A SIP proxy.
pub fn kamailio() -> Result<PathBuf> {
    program(&["kamailio"], "kamailio")
}

fn program(names: &[&str], package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Proxies are for administrators, and lie where not every path looks.
    let folders: Vec<PathBuf> = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|place| place.is_file())
        .with_context(|| format!("{} is missing; install it with `sudo apt-get install -y {package}`", names[0]))
}
