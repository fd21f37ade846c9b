//! `cargo xtask soak`: a load of whole calls on loopback for as long as one likes, which must leave nothing behind.

use anyhow::Result;

use crate::{run, say, tools, workspace};

/// Builds the release and runs the soak for so many minutes, half an hour unless said otherwise.
pub(crate) fn run(minutes: Option<f64>) -> Result<()> {
    tools::ensure_debian(&tools::BUILD)?;
    run::build()?;
    let soak = |arguments: &[&str]| {
        let mut command = workspace::cargo();
        command.args(["bench", "--quiet", "--package", "cordboard-e2e", "--bench", "soak"]).args(arguments);
        command
    };
    say::step("compile the soak (release)", || workspace::run(&mut soak(&["--no-run"])))?;
    let minutes = minutes.map(|minutes| minutes.to_string());
    let arguments: Vec<&str> = std::iter::once("--").chain(minutes.as_deref()).collect();
    workspace::run(&mut soak(&arguments))
}
