//! Where things are: the workspace's folders, Cargo's target folder, and how Cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The folder for what the routines make and the server reads. A fixed place: the server embeds `target/spa`,
/// also when Cargo's own target folder is elsewhere.
pub(crate) fn output() -> PathBuf {
    root().join("target")
}

/// The folder Cargo builds into, which `CARGO_TARGET_DIR` may move.
pub(crate) fn cargo_target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => output(),
    }
}

/// A call of the Cargo that started this program, from the workspace's root.
///
/// The variables `cargo run` sets for this program would change the fingerprint of build scripts
/// that look at them, so they are not handed on.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end; anything but exit code 0 is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs a command quietly and gives back what it wrote; a failure shows what it complained about.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Adds the `wasm32-unknown-unknown` target to the toolchain where it is missing.
///
/// `rust-toolchain.toml` names it, and rustup then installs it by itself; this covers toolchains
/// that were put there without it.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    let libraries = read(cargo_rustc().args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").current_dir(root()).args(["target", "add", "wasm32-unknown-unknown"])).context(
        "the Rust target wasm32-unknown-unknown is missing; install it with `rustup target add wasm32-unknown-unknown`",
    )
}

fn cargo_rustc() -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(root());
    command
}

fn show(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}
