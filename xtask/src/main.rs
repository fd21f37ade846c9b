//! Every routine of the project in one place: `cargo xtask <routine>`. Nothing else needs to be learned or installed first.

mod bench;
mod bindgen;
mod child;
mod css;
mod edge;
mod fuzz;
mod gate;
mod page;
mod panel;
mod port;
mod run;
mod say;
mod site;
mod soak;
mod split;
mod tools;
mod worker;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Build all, start the server with the demo company, and say where it is and who may sign in
    Run {
        /// The folder of the database, keys and recordings
        #[arg(long, default_value = "data")]
        data_dir: PathBuf,
    },
    /// Build the edge worker and run it in workerd beside a running server
    Edge {
        /// The server's folder of the database, keys and recordings
        #[arg(long, default_value = "data")]
        data_dir: PathBuf,
        /// The server's address
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        server: String,
    },
    /// Run everything that tests the project: check, unit tests, and the journeys through browser, phone and edge
    Test,
    /// Build the server's release binary with the panel inside
    Build,
    /// Formatting, lints, documentation and WebAssembly builds, with warnings denied
    Check,
    /// Licenses, bans, sources and advisories of the dependencies
    Audit,
    /// Measure on this machine, with release builds, and print the figures beside their goals
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Place, hold, transfer and end calls on loopback while one is held; exits with 1 when something grew or stuck
    Soak {
        /// Minutes, 30 unless said otherwise; 0.5 at least
        minutes: Option<f64>,
    },
    /// Throw hostile bytes at the SIP parsers for so many seconds in all
    Fuzz {
        /// Shared by the targets
        seconds: u64,
    },
    /// Build the web panel into target/spa
    Panel {
        /// Quick build with names and checks, for work on the panel
        #[arg(long)]
        dev: bool,
    },
    /// Build the edge worker into edge/build
    Worker,
    /// Generate the panel's style sheet from its sources
    Css,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Decisions, toggles, restarts and rings
    Engine {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only these parts: engine, toggle, http, ring, restart
        parts: Vec<String>,
    },
    /// Whole calls through the server, beside Kamailio where that is installed
    Calls {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Calls a second (1 to 1,000)
        #[arg(long, default_value_t = 500)]
        rate: u32,
        /// For so many seconds (1 to 120)
        #[arg(long, default_value_t = 20)]
        seconds: u32,
    },
    /// Relaying, transcoding and connecting the sound of calls
    Media {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only the runs whose name has these words, as in: browser "200 calls"
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<()> {
    match Arguments::parse().routine {
        Routine::Run { data_dir } => run::run(&workspace::root().join(data_dir)),
        Routine::Edge { data_dir, server } => edge::run(&workspace::root().join(data_dir), &server),
        Routine::Test => gate::test(),
        Routine::Build => {
            let binary = run::build()?;
            say::line(format!("built {}", binary.display()));
            Ok(())
        }
        Routine::Check => gate::check(),
        Routine::Audit => gate::audit(),
        Routine::Bench { what: Bench::Engine { json, parts } } => bench::engine(&parts, json),
        Routine::Bench { what: Bench::Calls { json, rate, seconds } } => bench::calls(rate, seconds, json),
        Routine::Soak { minutes } => soak::run(minutes),
        Routine::Fuzz { seconds } => fuzz::run(seconds),
        Routine::Bench { what: Bench::Media { json, words } } => bench::media(&words, json),
        Routine::Panel { dev: true } => panel::build(panel::Flavor::Dev),
        Routine::Panel { dev: false } => panel::build(panel::Flavor::Release),
        Routine::Worker => worker::build(),
        Routine::Css => css::generate(),
    }
}
