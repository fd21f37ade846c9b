//! What the media thread costs and how long it holds packets up: prints one JSON document. `cargo xtask bench media` builds
//! this, runs it, and shows the table.
//!
//! The thread is the product's own, with its sockets; phones and browsers are played by this program on the loopback.
//! Bounded in number and time, and it ends by itself.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

mod load;
mod proc;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use cordboard_media::{BrowserCodecs, Codec};
use serde::Serialize;

use crate::load::{Kind, Load};

/// Each run is measured for this long, after a second to settle.
const MEASURED: Duration = Duration::from_secs(6);

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    rate: Option<f64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
    max_us: Option<f64>,
    samples: usize,
    goal: Option<&'static str>,
    reached: Option<bool>,
}

/// A part of the table.
#[derive(Debug, Serialize)]
struct Section {
    name: String,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

/// One run: who calls whom, how many calls, and what is aimed at.
struct Run {
    name: &'static str,
    kinds: [Kind; 2],
    codecs: BrowserCodecs,
    calls: usize,
    /// Microseconds of CPU a packet, in words and as a number.
    goal: Option<(&'static str, f64)>,
}

/// In the order of the table.
const RUNS: [Run; 6] = [
    Run {
        name: "G.711 relay, phone to phone",
        kinds: [Kind::Phone(Codec::Pcmu), Kind::Phone(Codec::Pcmu)],
        codecs: BrowserCodecs::G711,
        calls: 50,
        goal: Some(("≤ 15.3 µs (rtpengine)", 15.3)),
    },
    Run {
        name: "G.711 relay, phone to phone",
        kinds: [Kind::Phone(Codec::Pcmu), Kind::Phone(Codec::Pcmu)],
        codecs: BrowserCodecs::G711,
        calls: 200,
        goal: Some(("≤ 13.1 µs (rtpengine)", 13.1)),
    },
    Run {
        name: "browser to phone, G.711",
        kinds: [Kind::Browser, Kind::Phone(Codec::Pcmu)],
        codecs: BrowserCodecs::G711,
        calls: 50,
        goal: Some(("≤ 19.4 µs (0.4 × Janus)", 19.4)),
    },
    Run {
        name: "browser to phone, G.711",
        kinds: [Kind::Browser, Kind::Phone(Codec::Pcmu)],
        codecs: BrowserCodecs::G711,
        calls: 200,
        goal: Some(("≤ 14.5 µs (rtpengine)", 14.5)),
    },
    Run {
        name: "phone to phone, PCMU to PCMA",
        kinds: [Kind::Phone(Codec::Pcmu), Kind::Phone(Codec::Pcma)],
        codecs: BrowserCodecs::G711,
        calls: 50,
        goal: None,
    },
    Run {
        name: "phone to phone, Opus to PCMU",
        kinds: [Kind::Phone(Codec::Opus), Kind::Phone(Codec::Pcmu)],
        codecs: BrowserCodecs::G711,
        calls: 20,
        goal: Some(("≤ 41.6 µs: 240 calls a core", 41.6)),
    },
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut sections = Vec::new();
    for run in &RUNS {
        let label = format!("{}, {} calls", run.name, run.calls);
        if !wanted.is_empty() && !wanted.iter().all(|word| label.contains(word.as_str())) {
            continue;
        }
        writeln!(std::io::stderr().lock(), "    measuring: {label}")?;
        sections.push(measure(run)?);
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &serde_json::json!({ "sections": sections }))?;
    writeln!(out)?;
    Ok(())
}

fn measure(run: &Run) -> Result<Section> {
    let before = proc::resident_bytes()?;
    let mut load = Load::start(run.kinds, run.codecs, run.calls)?;
    let connected = load.connect()?;
    load.talk(Duration::from_secs(1))?;
    let held = proc::resident_bytes()?.saturating_sub(before);
    load.forget();
    let cpu = load.cpu()?;
    load.talk(MEASURED)?;
    let cpu = load.cpu()?.saturating_sub(cpu);
    let (sent, got, delays) = load.end();

    let per_packet = cpu.as_nanos() as f64 / 1_000.0 / got.max(1) as f64;
    let calls_a_core = 10_000.0 / per_packet;
    let mut figures = vec![Figure {
        p50_us: Some(per_packet),
        rate: Some(got as f64 / MEASURED.as_secs_f64()),
        goal: run.goal.map(|(words, _)| words),
        reached: run.goal.map(|(_, limit)| per_packet <= limit),
        ..figure("CPU a packet (mean)", Vec::new())
    }];
    figures.push(Figure { rate: Some(calls_a_core), ..figure("calls a core", Vec::new()) });
    if !delays.is_empty() {
        figures.push(figure("added delay", delays));
    }
    if !connected.is_empty() {
        let connect = figure("ICE and DTLS connected", connected);
        let reached = connect.p50_us.map(|p50| p50 <= 15_000.0);
        figures.push(Figure { goal: Some("p50 ≤ 15 ms"), reached, ..connect });
    }
    let lost = sent.saturating_sub(got);
    let notes = vec![
        format!("{lost} of {sent} packets lost (those on their way at the end are counted)"),
        format!("{} kB resident a call, the far ends in this process included", held / 1_000 / run.calls as u64),
    ];
    Ok(Section { name: format!("{}, {} calls", run.name, run.calls), figures, notes })
}

/// A line of these times, in microseconds.
fn figure(what: &str, mut micros: Vec<f64>) -> Figure {
    micros.sort_by(f64::total_cmp);
    let samples = micros.len();
    let at = |thousandths: usize| {
        let place = (samples * thousandths).div_ceil(1_000).max(1) - 1;
        micros.get(place.min(samples.saturating_sub(1))).copied()
    };
    Figure {
        what: what.to_owned(),
        rate: None,
        p50_us: at(500),
        p99_us: at(990),
        p999_us: at(999),
        max_us: at(1_000),
        samples,
        goal: None,
        reached: None,
    }
}
