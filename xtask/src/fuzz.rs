//! Fuzzing of what reads bytes from outside. Under cargo-fuzz where that is installed; else the same functions over
//! mutations of the kept corpus, which any compiler can do.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::{say, workspace};

/// The crate with targets, by its folder.
const FOLDER: &str = "server/sip/fuzz";
/// Its targets; each has a kept corpus of its name.
const TARGETS: [&str; 4] = ["message", "sdp", "header", "stream"];
/// What the built-in mutations are told how long to run.
const SECONDS: &str = "CORDBOARD_FUZZ_SECONDS";

/// Runs each target for its share of the time.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let share = (seconds / TARGETS.len() as u64).max(1);
    if is_installed() {
        return TARGETS.iter().try_for_each(|target| say::step(&format!("fuzz {target}"), || guided(target, share)));
    }
    say::line(
        "cargo-fuzz is not here: it needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`. Running the \
         built-in mutations of the kept corpus instead, which see no coverage.",
    );
    let mut tests = workspace::cargo();
    tests.args(["test", "--package", "cordboard-sip", "--test", "fuzz", "mutations"]).env(SECONDS, share.to_string());
    say::step("mutations of the corpus", || workspace::run(&mut tests))
}

fn is_installed() -> bool {
    let asked = nightly().args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// One target under cargo-fuzz. What it finds is in `artifacts`; put it into the corpus, where the tests replay it.
fn guided(target: &str, seconds: u64) -> Result<()> {
    // cargo-fuzz writes into the first folder it is given: the kept corpus is never that one.
    let found = workspace::output().join("fuzz").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let kept = workspace::root().join(FOLDER).join("corpus").join(target);
    let mut fuzz = nightly();
    fuzz.args(["fuzz", "run", "--fuzz-dir"]).arg(Path::new(FOLDER)).arg(target).arg(found).arg(kept);
    workspace::run(fuzz.arg("--").arg(format!("-max_total_time={seconds}")).args(["-timeout=5", "-rss_limit_mb=2048"]))
}

fn nightly() -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(workspace::root()).args(["run", "nightly", "cargo"]);
    command
}
