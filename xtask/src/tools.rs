//! Tools the routines need beyond Cargo: installed by the ordinary package managers, in exact versions where
//! they come from npm, under `target/tools`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::{say, workspace};

/// An npm package in the exact version the project was tried with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Npm {
    name: &'static str,
    version: &'static str,
}

/// The worker runtime: a plain binary that runs without Node.
pub(crate) const WORKERD: Npm = Npm { name: WORKERD_PACKAGE, version: "1.20261117.1" };
/// Accessibility checks for the journeys.
pub(crate) const AXE: Npm = Npm { name: "axe-core", version: "4.14.1" };
/// What generates the panel's style sheet.
pub(crate) const STYLE: [Npm; 3] = [
    Npm { name: "tailwindcss", version: "4.3.5" },
    Npm { name: "@tailwindcss/cli", version: "4.3.5" },
    Npm { name: "daisyui", version: "5.8.1" },
];

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
const WORKERD_PACKAGE: &str = "@cloudflare/workerd-linux-arm64";
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
const WORKERD_PACKAGE: &str = "@cloudflare/workerd-darwin-arm64";
#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
const WORKERD_PACKAGE: &str = "@cloudflare/workerd-darwin-64";
#[cfg(not(any(all(target_os = "linux", target_arch = "aarch64"), target_os = "macos")))]
const WORKERD_PACKAGE: &str = "@cloudflare/workerd-linux-64";

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Debian {
    /// Names the program may have; the first found counts.
    pub(crate) programs: &'static [&'static str],
    /// The package that brings the first of them.
    pub(crate) package: &'static str,
}

/// What compiling the server needs.
pub(crate) const BUILD: [Debian; 2] = [
    Debian { programs: &["cc", "gcc", "clang"], package: "build-essential" },
    Debian { programs: &["cmake"], package: "cmake" },
];
/// What the journeys need.
pub(crate) const JOURNEYS: [Debian; 5] = [
    Debian { programs: &["chromium", "chromium-browser", "google-chrome"], package: "chromium" },
    Debian { programs: &["sipp"], package: "sip-tester" },
    Debian { programs: &["baresip"], package: "baresip-core" },
    Debian { programs: &["kamailio"], package: "kamailio" },
    Debian { programs: &["linphonec"], package: "linphone-cli" },
];
/// What installs npm packages.
pub(crate) const NPM: [Debian; 1] = [Debian { programs: &["npm"], package: "npm" }];

/// Where npm packages and Cargo's tools are put.
pub(crate) fn folder() -> PathBuf {
    workspace::output().join("tools")
}

/// The folder of npm packages.
pub(crate) fn node_modules() -> PathBuf {
    folder().join("node_modules")
}

/// The workerd binary.
pub(crate) fn workerd() -> PathBuf {
    node_modules().join(WORKERD.name).join("bin/workerd")
}

/// Installs the npm packages that are missing or have another version.
pub(crate) fn ensure_npm(packages: &[Npm]) -> Result<()> {
    let missing: Vec<String> = packages
        .iter()
        .filter(|package| installed_version(&node_modules().join(package.name)).as_deref() != Some(package.version))
        .map(|package| format!("{}@{}", package.name, package.version))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure_debian(&NPM)?;
    say::step(&format!("install {} with npm", missing.join(", ")), || {
        std::fs::create_dir_all(folder())?;
        workspace::run(
            Command::new("npm")
                .args(["install", "--save-exact", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"])
                .args(["--loglevel", "error", "--prefix"])
                .arg(folder())
                .args(&missing),
        )
    })
}

fn installed_version(package: &Path) -> Option<String> {
    let text = std::fs::read_to_string(package.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    json.get("version")?.as_str().map(str::to_owned)
}

/// Installs the Debian packages of missing programs where it may, else says what to install and how.
pub(crate) fn ensure_debian(wanted: &[Debian]) -> Result<()> {
    let missing = missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let by_hand =
        format!("missing: {packages}; install with `sudo apt-get install -y --no-install-recommends {packages}`");
    if find("apt-get").is_none() {
        bail!("{by_hand} (Debian's names; use those of your system)");
    }
    let Some(become_root) = root_prefix() else { bail!("{by_hand}") };
    say::step(&format!("install {packages} with apt-get"), || {
        workspace::run(&mut apt(become_root, &["update", "-qq"]))?;
        let mut install = apt(become_root, &["install", "-y", "-qq", "--no-install-recommends"]);
        workspace::run(install.args(&missing))
    })?;
    if self::missing(wanted).is_empty() { Ok(()) } else { bail!("{by_hand}") }
}

fn missing(wanted: &[Debian]) -> Vec<&'static str> {
    wanted
        .iter()
        .filter(|tool| !tool.programs.iter().any(|name| find(name).is_some()))
        .map(|tool| tool.package)
        .collect()
}

/// What to write before a command so that root runs it: nothing for root, sudo where it asks no password.
fn root_prefix() -> Option<&'static [&'static str]> {
    if rustix::process::geteuid().is_root() {
        return Some(&[]);
    }
    let quiet = Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}

fn apt(become_root: &[&str], arguments: &[&str]) -> Command {
    let words: Vec<&str> = become_root
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .chain(arguments.iter().copied())
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

/// A program's place on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_that_are_not_there_are_missing() {
        let tools = [
            Debian { programs: &["no-such-program", "sh"], package: "dash" },
            Debian { programs: &["no-such-program"], package: "nothing" },
        ];

        assert_eq!(missing(&tools), ["nothing"]);
    }
}
