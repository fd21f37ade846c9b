//! The lines of the table that `cargo xtask bench` prints, and how they are made of times.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// Per second, where that means something.
    pub(crate) rate: Option<f64>,
    /// Percentiles, in microseconds.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    /// How many were measured.
    pub(crate) samples: usize,
    /// The goal in words, where there is one.
    pub(crate) goal: Option<String>,
    /// Whether it was reached.
    pub(crate) reached: Option<bool>,
}

/// A part of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) figures: Vec<Figure>,
    /// What the reader must know about them.
    pub(crate) notes: Vec<String>,
}

/// Times of one kind of thing.
#[derive(Debug, Default)]
pub(crate) struct Times(pub(crate) Vec<u64>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The line of the table; `rate` is per second of what was done.
    pub(crate) fn figure(mut self, what: impl Into<String>, rate: Option<f64>) -> Figure {
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
    pub(crate) fn goal(mut self, goal: impl Into<String>, reached: impl FnOnce(&Self) -> bool) -> Self {
        self.reached = Some(reached(&self));
        self.goal = Some(goal.into());
        self
    }

    pub(crate) fn p99_within(&self, limit_us: f64) -> bool {
        self.p99_us.is_some_and(|p99| p99 <= limit_us)
    }
}

/// Prints the document that `cargo xtask bench` reads.
pub(crate) fn print(sections: &[Section]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &serde_json::json!({ "sections": sections }))?;
    writeln!(out)?;
    Ok(())
}

/// Tells the person who waits what is being done.
pub(crate) fn note(text: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "    {text}")?;
    Ok(())
}

/// A runtime as the server has it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
