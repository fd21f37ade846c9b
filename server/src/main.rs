//! `cordboard`: arguments in, exit code out.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use cordboard_server::clock::{Clock as _, SystemClock};
use cordboard_server::config::{Cli, Command, Config};
use cordboard_server::keys::Keys;
use cordboard_server::store::Store;
use cordboard_server::{demo, telemetry};

/// Requests and packets are many small pieces of memory that come and go on every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Version => {
            version();
            Ok(())
        }
        Command::Serve(options) => match Config::load(*options) {
            Ok(config) => {
                telemetry::start_logs(config.log_format);
                cordboard_server::run(config).await
            }
            Err(error) => Err(error.into()),
        },
        Command::Demo(options) => match Config::load(*options) {
            Ok(config) => {
                telemetry::start_logs(config.log_format);
                found_demo(&config).await
            }
            Err(error) => Err(error.into()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// `cordboard demo`: fills an empty data folder and stops.
async fn found_demo(config: &Config) -> anyhow::Result<()> {
    cordboard_server::config::create_data_dir(&config.data_dir)?;
    let keys = Arc::new(Keys::open(&config.data_dir)?);
    let store = Store::open(&config.database_path()).await?;
    demo::fill(&store, &keys, &config.data_dir, (config.http, config.sip), SystemClock.now(), config.demo_history)
        .await?;
    demo::write_demo_json(&config.data_dir, config.http, config.sip).context("cannot write demo.json")?;
    store.close().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the version is this command's output")]
fn version() {
    println!("cordboard {}", env!("CARGO_PKG_VERSION"));
}

#[expect(clippy::print_stderr, reason = "before and after the logs there is only the terminal")]
fn complain(error: &anyhow::Error) {
    eprintln!("cordboard: {error:#}");
}
