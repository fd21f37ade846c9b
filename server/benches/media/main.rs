//! What the media thread costs and how long it holds packets up: prints one JSON document. `cargo xtask bench media` builds
//! this, runs it, and shows the table.
//!
//! The thread is the product's own, with its sockets, in a process of its own; phones and browsers are played by this program
//! on the loopback. Where rtpengine is installed it carries the same calls in the same minutes.
//! Bounded in number and time, and it ends by itself.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

mod bridge;
mod load;
#[path = "../figures/table.rs"]
#[expect(dead_code, reason = "other benches use more of it")]
mod table;

use std::time::Duration;

use anyhow::Result;
use cordboard_media::Codec;

use crate::bridge::By;
use crate::load::{Kind, Load};
use crate::table::{Figure, Section, Times, note};

/// What the product carries calls with, as what peers do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each run is measured for this long, after a second to settle.
const MEASURED: Duration = Duration::from_secs(6);
/// How long the last packets may take.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// Packets a second of one call.
const PACKETS: f64 = 100.0;

/// One run: who calls whom, how many calls, and what is aimed at.
struct Run {
    name: &'static str,
    kinds: [Kind; 2],
    calls: usize,
    goal: Goal,
}

/// What the processor time of a packet is held against.
#[derive(Clone, Copy)]
enum Goal {
    /// A peer in the same run; where it is not installed, its figure from a quiet hour of another day.
    Rtpengine {
        otherwise: f64,
    },
    /// So many calls a core.
    Calls(f64),
    None,
}

const PHONES: [Kind; 2] = [Kind::Phone(Codec::Pcmu), Kind::Phone(Codec::Pcmu)];
const BROWSER_TO_PHONE: [Kind; 2] = [Kind::Browser, Kind::Phone(Codec::Pcmu)];

/// In the order of the table.
const RUNS: [Run; 6] = [
    Run {
        name: "browser to phone, G.711",
        kinds: BROWSER_TO_PHONE,
        calls: 50,
        goal: Goal::Rtpengine { otherwise: 20.0 },
    },
    Run {
        name: "browser to phone, G.711",
        kinds: BROWSER_TO_PHONE,
        calls: 200,
        goal: Goal::Rtpengine { otherwise: 14.5 },
    },
    Run { name: "phone to phone, G.711", kinds: PHONES, calls: 50, goal: Goal::Rtpengine { otherwise: 15.3 } },
    Run { name: "phone to phone, G.711", kinds: PHONES, calls: 200, goal: Goal::Rtpengine { otherwise: 13.1 } },
    Run {
        name: "phone to phone, PCMU to PCMA",
        kinds: [Kind::Phone(Codec::Pcmu), Kind::Phone(Codec::Pcma)],
        calls: 50,
        goal: Goal::None,
    },
    Run {
        name: "phone to phone, Opus to PCMU",
        kinds: [Kind::Phone(Codec::Opus), Kind::Phone(Codec::Pcmu)],
        calls: 20,
        goal: Goal::Calls(240.0),
    },
];

/// What one run found.
struct Found {
    /// Microseconds of processor time.
    per_packet: f64,
    /// Packets a second.
    rate: f64,
    sent: u64,
    got: u64,
    delay: Figure,
    connected: Option<Figure>,
    /// Kilobytes of each call after the first, and of the process with that one.
    memory: [f64; 2],
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == bridge::SERVE) {
        return bridge::serve();
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let mut sections = Vec::new();
    for run in &RUNS {
        let name = format!("{}, {} calls", run.name, run.calls);
        if wanted.iter().all(|word| name.contains(word.as_str())) {
            sections.push(section(run, name));
        }
    }
    table::print(&sections)
}

/// A part of the table; what fails is said in it, and the others go on.
fn section(run: &Run, name: String) -> Section {
    match compared(run, &name) {
        Ok((figures, notes)) => Section { name, figures, notes },
        Err(error) => Section { name, figures: Vec::new(), notes: vec![format!("failed: {error:#}")] },
    }
}

fn compared(run: &Run, name: &str) -> Result<(Vec<Figure>, Vec<String>)> {
    let peer = match run.goal {
        Goal::Rtpengine { .. } if bridge::has_rtpengine() => Some(measure(run, By::Rtpengine, name)?),
        Goal::Rtpengine { .. } | Goal::Calls(_) | Goal::None => None,
    };
    let bare = if run.kinds == PHONES { Some(measure(run, By::Nobody, name)?) } else { None };
    let ours = measure(run, By::Ours, name)?;

    let calls_a_core = |found: &Found| 1_000_000.0 / PACKETS / found.per_packet;
    let mean = |what: &str, found: &Found| Figure {
        p50_us: Some(found.per_packet),
        rate: Some(found.rate),
        ..Times::default().figure(what, None)
    };
    let mut cost = mean("CPU a packet (mean)", &ours);
    match (run.goal, &peer) {
        (Goal::Rtpengine { .. }, Some(peer)) => {
            let goal = format!("≤ 1.0 × rtpengine in this run ({:.1} µs)", peer.per_packet);
            cost = cost.goal(goal, |_| ours.per_packet <= peer.per_packet);
        }
        (Goal::Rtpengine { otherwise }, None) => {
            let goal = format!("≤ {otherwise:.1} µs (rtpengine of another day; not installed here)");
            cost = cost.goal(goal, |_| ours.per_packet <= otherwise);
        }
        (Goal::Calls(_) | Goal::None, _) => {}
    }
    let per_core = Figure { rate: Some(calls_a_core(&ours)), ..Times::default().figure("calls a core", None) };
    let least = match run.goal {
        Goal::Rtpengine { .. } => Some(700.0),
        Goal::Calls(least) => Some(least),
        Goal::None => None,
    };
    let per_core = match least {
        Some(least) => per_core.goal(format!("≥ {least:.0}"), |_| calls_a_core(&ours) >= least),
        None => per_core,
    };
    let mut figures = vec![cost, per_core];
    let mut notes = vec![format!("{} of {} packets lost", ours.sent.saturating_sub(ours.got), ours.sent)];
    let [per_call, one] = ours.memory;
    notes.push(format!("{per_call:.0} kB of memory a further call, {:.1} MB with one", one / 1_000.0));
    if let Some(peer) = peer {
        notes.push(format!("{:.2} × the processor time of rtpengine", ours.per_packet / peer.per_packet));
        let [per_call, one] = peer.memory;
        notes.push(format!(
            "rtpengine: {:.0} calls a core, {} of {} packets lost, {per_call:.0} kB a further call, {:.1} MB with one",
            calls_a_core(&peer),
            peer.sent.saturating_sub(peer.got),
            peer.sent,
            one / 1_000.0
        ));
        let limits =
            [(peer.delay.p50_us, 1.2), (peer.delay.p99_us, 2.0)].map(|(time, factor)| time.unwrap_or(0.0) * factor);
        let delay = ours.delay.goal("p50 ≤ 1.2 ×, p99 ≤ 2 × rtpengine", |it| {
            it.p50_us.is_some_and(|p50| p50 <= limits[0]) && it.p99_within(limits[1])
        });
        figures.push(delay);
        figures.push(Figure { what: "delay by rtpengine".to_owned(), ..peer.delay });
        figures.extend(peer.connected.map(|it| Figure { what: "connected by rtpengine".to_owned(), ..it }));
    } else if ours.delay.samples > 0 {
        figures.push(ours.delay);
    }
    if let Some(bare) = bare {
        figures.push(Figure { what: "delay with nobody between".to_owned(), ..bare.delay });
    }
    if let Some(connected) = ours.connected {
        let reached = |it: &Figure| it.p50_us.is_some_and(|p50| p50 <= 15_000.0);
        figures.push(connected.goal("p50 ≤ 15 ms", reached));
    }
    Ok((figures, notes))
}

fn measure(run: &Run, by: By, name: &str) -> Result<Found> {
    let who = match by {
        By::Ours => "the media thread",
        By::Rtpengine => "rtpengine",
        By::Nobody => "nobody between",
    };
    let mut load = Load::start(by, run.kinds)?;
    // The first call brings in what all of them share.
    load.connect(run.kinds, 1)?;
    load.talk(Duration::from_millis(200))?;
    let one = load.bridge.memory()? as f64 / 1_000.0;
    let connected = load.connect(run.kinds, run.calls - 1)?;
    load.talk(Duration::from_secs(1))?;
    load.listen(AFTERWARDS)?;
    load.take_counted();
    let cpu = load.bridge.cpu()?;
    load.talk(MEASURED)?;
    let cpu = load.bridge.cpu()?.saturating_sub(cpu);
    let memory = load.bridge.memory()? as f64 / 1_000.0;
    load.listen(AFTERWARDS)?;
    let counted = load.take_counted();

    let per_packet = cpu.as_nanos() as f64 / 1_000.0 / counted.got.max(1) as f64;
    let delay = Times(counted.delays).figure("delay", None);
    note(&format!(
        "{name}: {who}: {per_packet:.1} µs a packet, {} of {} lost, delay p50 {:.0} µs, p99 {:.0} µs",
        counted.sent.saturating_sub(counted.got),
        counted.sent,
        delay.p50_us.unwrap_or(0.0),
        delay.p99_us.unwrap_or(0.0)
    ))?;
    Ok(Found {
        per_packet,
        rate: counted.got as f64 / MEASURED.as_secs_f64(),
        sent: counted.sent,
        got: counted.got,
        delay,
        connected: (!connected.is_empty()).then(|| Times(connected).figure("ICE and DTLS connected", None)),
        memory: [(memory - one) / (run.calls - 1) as f64, one],
    })
}
