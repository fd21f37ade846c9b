//! The figures of the engine and of what stands around it: prints one JSON document. `cargo xtask bench engine` builds
//! this, runs it, and shows the table.
//!
//! Everything runs on loopback, with bounded load, and ends by itself.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]
#![expect(clippy::unnecessary_wraps, reason = "every section is measured by one signature")]

mod engine;
mod http;
mod peer;
mod process;
mod restart;
mod ring;
mod server;
mod table;
mod toggle;
#[path = "../../routing/benches/world.rs"]
mod world;

use std::time::Instant;

use anyhow::Result;

use self::table::{Figure, Section, Times, note, runtime};

impl Times {
    /// Measures one thing.
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let value = act();
        self.add(begun.elapsed());
        value
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
    table::print(&sections)
}
