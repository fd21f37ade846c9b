//! The panel's style sheet: generated from the class names in its sources by Tailwind, and committed, so that
//! building needs no npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{say, tools, workspace};

/// Writes the style sheet anew.
pub(crate) fn generate() -> Result<()> {
    tools::ensure_npm(&tools::STYLE)?;
    say::step("generate the style sheet", || write(&committed()))
}

/// Fails when the committed style sheet is not what the sources give.
pub(crate) fn compare() -> Result<()> {
    tools::ensure_npm(&tools::STYLE)?;
    say::step("compare the style sheet with its sources", || {
        let fresh = workspace::output().join("style.fresh.css");
        write(&fresh)?;
        if fs::read(&fresh)? != fs::read(committed())? {
            bail!("frontend/style.gen.css is older than the sources; write it with `cargo xtask css` and commit it");
        }
        Ok(())
    })
}

fn committed() -> PathBuf {
    workspace::root().join("frontend/style.gen.css")
}

fn write(output: &Path) -> Result<()> {
    fs::create_dir_all(workspace::output())?;
    workspace::run(
        Command::new(tools::node_modules().join(".bin/tailwindcss"))
            .current_dir(workspace::root().join("frontend"))
            // The input imports `tailwindcss` and `daisyui` by name; they are not beside it.
            .env("NODE_PATH", tools::node_modules())
            .args(["--minify", "--input", "style.css", "--output"])
            .arg(output),
    )
}
