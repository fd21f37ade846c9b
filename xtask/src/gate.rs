//! What a change has to pass: `check`, `test`, and, apart because its tool is slow to install, `audit`.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::panel::Flavor;
use crate::{css, panel, say, tools, worker, workspace};

/// The packages that only mean something as WebAssembly.
const WASM: [&str; 2] = [PANEL, "cordboard-edge"];
/// The panel; its library is the model, which is tested on the host.
const PANEL: &str = "cordboard-frontend";
/// cargo-deny's version.
const CARGO_DENY: &str = "0.20.2";

/// Formatting, lints and documentation with warnings denied, and the WebAssembly builds.
pub(crate) fn check() -> Result<()> {
    workspace::ensure_wasm_target()?;
    tools::ensure_debian(&tools::BUILD)?;
    say::step("formatting", || workspace::run(workspace::cargo().args(["fmt", "--all", "--check"])))?;
    say::step("lints of the host packages", || {
        workspace::run(host("clippy").args(["--all-targets", "--", "-D", "warnings"]))
    })?;
    say::step("lints of the WebAssembly packages", || {
        workspace::run(browser("clippy").args(["--", "-D", "warnings"]))
    })?;
    say::step("lints of the panel's model and its tests", || {
        let mut lints = workspace::cargo();
        workspace::run(lints.args(["clippy", "--package", PANEL, "--lib", "--tests", "--", "-D", "warnings"]))
    })?;
    say::step("documentation of the host packages", || {
        workspace::run(host("doc").args(["--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    say::step("documentation of the WebAssembly packages", || {
        workspace::run(browser("doc").args(["--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    panel::build(Flavor::Release)?;
    worker::build()
}

/// Everything: [`check`], the style sheet, all tests of all packages, and the journeys through the whole product.
pub(crate) fn test() -> Result<()> {
    let begun = Instant::now();
    tools::ensure_debian(&tools::JOURNEYS)?;
    tools::ensure_npm(&[tools::WORKERD, tools::AXE])?;
    check()?;
    css::compare()?;
    say::step("tests of the routines", || workspace::run(workspace::cargo().args(["test", "--package", "xtask"])))?;
    say::step("tests of the panel's model", || {
        workspace::run(workspace::cargo().args(["test", "--package", PANEL, "--lib"]))
    })?;
    // One selection of packages and targets for the server's binary and for all tests: another selection would unite
    // other features, and Cargo would compile the same crates twice.
    say::step("build the server and all tests", || workspace::run(host("build").args(["--bins", "--tests"])))?;
    say::step("tests and journeys", || workspace::run(host("test").arg("--no-fail-fast")))?;
    say::line(format!("all tests passed in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// Licenses, bans, sources, and advisories where their database can be fetched.
pub(crate) fn audit() -> Result<()> {
    let deny = tools::folder().join("cargo-deny").join("bin").join("cargo-deny");
    let version = workspace::read(Command::new(&deny).arg("--version")).unwrap_or_default();
    if !version.contains(CARGO_DENY) {
        say::step(&format!("install cargo-deny {CARGO_DENY} (several minutes)"), || {
            let root = tools::folder().join("cargo-deny");
            workspace::run(
                workspace::cargo()
                    .args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--target-dir"])
                    .arg(root.join("build"))
                    .arg("--root")
                    .arg(&root),
            )
        })?;
    }
    let deny = || {
        let mut command = Command::new(&deny);
        command.current_dir(workspace::root());
        command
    };
    say::step("bans, licenses and sources", || workspace::run(deny().args(["check", "bans", "licenses", "sources"])))?;
    match workspace::read(deny().args(["fetch", "db"])) {
        Ok(_) => say::step("advisories", || workspace::run(deny().args(["check", "--disable-fetch", "advisories"]))),
        Err(error) => {
            say::line("advisories: NOT checked, their database could not be fetched:");
            say::line(format!("    {error:#}"));
            Ok(())
        }
    }
}

/// A Cargo command over the packages that run on the host. `xtask` is apart: this very program is running, and it
/// was built on its own.
fn host(command: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args([command, "--workspace"]);
    for package in WASM.iter().chain(&["xtask"]).filter(|package| command != "clippy" || **package != "xtask") {
        cargo.args(["--exclude", package]);
    }
    cargo
}

/// A Cargo command over the packages that run in a browser or a worker.
fn browser(command: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.arg(command);
    for package in WASM {
        cargo.args(["--package", package]);
    }
    cargo.args(["--target", "wasm32-unknown-unknown"]);
    cargo
}
