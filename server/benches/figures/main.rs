//! The figures of the engine and of what stands around it: prints one JSON document. `cargo xtask bench engine` builds
//! this, runs it, and shows the table.
//!
//! Everything runs on loopback, with bounded load, and ends by itself.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]
#![expect(clippy::unnecessary_wraps, reason = "every section is measured by one signature")]

mod engine;
mod http;
mod restart;
mod ring;
mod server;
mod toggle;
#[path = "../../routing/benches/world.rs"]
mod world;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figure {
    /// What was measured.
    what: String,
    /// Per second, where that means something.
    rate: Option<f64>,
    /// Percentiles, in microseconds.
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
    max_us: Option<f64>,
    /// How many were measured.
    samples: usize,
    /// The goal in words, where there is one.
    goal: Option<&'static str>,
    /// Whether it was reached.
    reached: Option<bool>,
}

/// A part of the table.
#[derive(Debug, Serialize)]
struct Section {
    name: &'static str,
    figures: Vec<Figure>,
    /// What the reader must know about them.
    notes: Vec<String>,
}

/// Times of one kind of thing.
#[derive(Debug, Default)]
struct Times(Vec<u64>);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Measures one thing.
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let value = act();
        self.add(begun.elapsed());
        value
    }

    /// The line of the table; `rate` is per second of what was done.
    fn figure(mut self, what: impl Into<String>, rate: Option<f64>) -> Figure {
        self.0.sort_unstable();
        let samples = self.0.len();
        // The smallest value that so many per thousand do not exceed.
        let at = |thousandths: usize| {
            let place = (samples * thousandths).div_ceil(1_000).max(1) - 1;
            self.0.get(place.min(samples.saturating_sub(1))).map(|nanos| *nanos as f64 / 1_000.0)
        };
        Figure {
            what: what.into(),
            rate,
            p50_us: at(500),
            p99_us: at(990),
            p999_us: at(999),
            max_us: at(1_000),
            samples,
            goal: None,
            reached: None,
        }
    }
}

impl Figure {
    fn goal(mut self, goal: &'static str, reached: impl FnOnce(&Self) -> bool) -> Self {
        self.reached = Some(reached(&self));
        self.goal = Some(goal);
        self
    }

    fn p99_within(&self, limit_us: f64) -> bool {
        self.p99_us.is_some_and(|p99| p99 <= limit_us)
    }
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let mut sections = Vec::new();
    for (name, measure) in [
        ("engine", engine::measure as fn() -> Result<Section>),
        ("toggle", toggle::measure),
        ("http", http::measure),
        ("ring", ring::measure),
        ("restart", restart::measure),
    ] {
        if is_wanted(name) {
            note(&format!("measuring: {name}"))?;
            sections.push(measure()?);
        }
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &serde_json::json!({ "sections": sections }))?;
    writeln!(out)?;
    Ok(())
}

/// Tells the person who waits what is being done.
fn note(text: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "    {text}")?;
    Ok(())
}

/// A runtime as the server has it.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
