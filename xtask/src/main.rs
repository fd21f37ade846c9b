//! Every routine of the project in one place: `cargo xtask <routine>`. Nothing else needs to be learned or installed first.

mod page;
mod panel;
mod say;
mod site;
mod worker;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's routines")]
struct Arguments {
    #[command(subcommand)]
    routine: Routine,
}

#[derive(Debug, Subcommand)]
enum Routine {
    /// Build the web panel into target/spa
    Panel {
        /// Quick build with names and checks, for work on the panel
        #[arg(long)]
        dev: bool,
    },
    /// Build the edge worker into edge/build
    Worker,
}

fn main() -> Result<()> {
    match Arguments::parse().routine {
        Routine::Panel { dev: true } => panel::build(panel::Flavor::Dev),
        Routine::Panel { dev: false } => panel::build(panel::Flavor::Release),
        Routine::Worker => worker::build(),
    }
}
