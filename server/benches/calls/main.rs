//! What a whole call costs: from a trunk by routing, ledger and record to a person's desk phone and back. Prints one JSON
//! document; `cargo xtask bench calls` builds this, runs it, and shows the table.
//!
//! The server is the product's binary with a database on disk. Callers and phones are this program, on the loopback.
//! Bounded in rate and time, and it ends by itself.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

mod kamailio;
mod load;
mod office;
#[path = "../figures/process.rs"]
mod process;
#[path = "../figures/table.rs"]
mod table;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::kamailio::Kamailio;
use crate::load::{Load, Outcome, Way};
use crate::office::{DEPARTMENTS, Office, TRUNKS, desks, number, trunk_ip};
use crate::table::{Figure, Section, Times, note};

/// The most that may be asked for.
const MOST_A_SECOND: u32 = 1_000;
const MOST_SECONDS: u64 = 120;
/// Before the measurement, at the same rate.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long the peer is measured.
const PEER: Duration = Duration::from_secs(8);
/// How long people talk.
const TALK: Duration = Duration::from_millis(200);
/// Calls that are up at once while memory is looked at, each for so long.
const HELD: u32 = 200;
const HELD_FOR: Duration = Duration::from_secs(5);
/// When memory is looked at: all of them are up by then, and none is over.
const LOOKED_AT: Duration = Duration::from_secs(4);
/// How long the last calls may take to leave the server's tables.
const DRAIN: Duration = Duration::from_mins(1);
/// The peer's cost of a call at 500 a second on a quiet machine, in microseconds.
const KAMAILIO_US: f64 = 435.0;

fn main() -> Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().map_or(500, |rate| u32::try_from(*rate).unwrap_or(MOST_A_SECOND));
    let seconds = numbers.get(1).copied().unwrap_or(20);
    ensure!((1..=MOST_A_SECOND).contains(&rate), "from 1 to {MOST_A_SECOND} calls a second");
    ensure!((1..=MOST_SECONDS).contains(&seconds), "for 1 to {MOST_SECONDS} seconds");
    let folder = tempfile::tempdir()?;

    let mut sections = Vec::new();
    let mut peer_us = None;
    if kamailio::is_installed() {
        note("measuring: Kamailio")?;
        let (section, per_call) = peer(folder.path(), rate)?;
        sections.push(section);
        peer_us = Some(per_call);
    }
    note("measuring: the server")?;
    sections.insert(0, server(folder.path(), rate, Duration::from_secs(seconds), peer_us)?);
    table::print(&sections)
}

/// The peer under the same load.
fn peer(folder: &std::path::Path, rate: u32) -> Result<(Section, f64)> {
    let relay = Kamailio::start(folder)?;
    let desks = desks();
    let mut load = Load::open(&[trunk_ip(0), trunk_ip(1)], &desks, None)?;
    let ways = (0..desks.len()).map(|index| {
        Ok(Way { caller: index % usize::from(TRUNKS), to: relay.sip, uri: format!("sip:{}", load.phone(index)?) })
    });
    let ways: Vec<Way> = ways.collect::<Result<_>>()?;
    load.run(&ways, rate, WARM_UP, TALK)?;
    let cpu = relay.cpu()?;
    let outcome = load.run(&ways, rate, PEER, TALK)?;
    let per_call = micros(relay.cpu()?.saturating_sub(cpu)) / outcome.completed.max(1) as f64;
    relay.stop()?;
    let name = format!("Kamailio, stateful relay with record-route, {rate} calls a second");
    let notes = vec![story(&outcome), "it relays: no back-to-back dialogs, no people, no database".to_owned()];
    let mut figures = vec![mean("processor time a call (mean)", per_call, outcome.completed)];
    figures.extend(times(outcome));
    Ok((Section { name, figures, notes }, per_call))
}

/// The server, in the same minutes.
fn server(folder: &std::path::Path, rate: u32, span: Duration, peer_us: Option<f64>) -> Result<Section> {
    let office = Office::open(&folder.join("data"))?;
    let trunks: Vec<_> = (0..TRUNKS).map(trunk_ip).collect();
    let mut load = Load::open(&trunks, &desks(), Some(office.sip))?;
    let way = |department| Way {
        caller: usize::from(department) % usize::from(TRUNKS),
        to: office.sip,
        uri: format!("sip:{}@{}", number(department), office.sip),
    };
    let ways: Vec<Way> = (0..DEPARTMENTS).map(way).collect();
    let warm = load.run(&ways, rate, WARM_UP, TALK)?;
    ensure!(warm.completed > 0, "no call was completed: {:?}", warm.failed);

    let cpu = office.process().cpu()?;
    let outcome = load.run(&ways, rate, span, TALK)?;
    let cpu = micros(office.process().cpu()?.saturating_sub(cpu));
    let per_call = cpu / outcome.completed.max(1) as f64;
    let completed = outcome.completed;
    drain(&office)?;

    // The pools have grown by now: what more is in use belongs to the calls that are up.
    let before = office.resident()?;
    let up = std::thread::scope(|scope| -> Result<u64> {
        let holding = scope.spawn(|| load.run(&ways, HELD, Duration::from_secs(1), HELD_FOR));
        std::thread::sleep(LOOKED_AT);
        let resident = office.resident();
        let held = holding.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        ensure!(held.completed == usize::try_from(HELD)?, "not all of the {HELD} calls were held: {:?}", held.failed);
        resident
    })?;
    let kilobytes = up.saturating_sub(before) / 1_000 / u64::from(HELD);
    drain(&office)?;
    let records = office.close()?;
    let wanted = warm.completed + completed + usize::try_from(HELD)?;

    let peer = peer_us.unwrap_or(KAMAILIO_US);
    let goal = if peer_us.is_some() {
        format!("≤ 2 × Kamailio in this run ({:.2} ms)", peer / 1_000.0)
    } else {
        format!("≤ 2 × Kamailio on a quiet machine ({:.2} ms; not installed here)", peer / 1_000.0)
    };
    let mut figures = vec![
        Figure {
            rate: Some(completed as f64 / span.as_secs_f64()),
            ..mean("processor time a call (mean)", per_call, completed)
        }
        .goal(goal, |it| it.p50_us.is_some_and(|mean| mean <= 2.0 * peer)),
    ];
    let notes = vec![
        story(&outcome),
        format!(
            "{:.2} × the processor time of Kamailio; {:.0} % of a core",
            per_call / peer,
            cpu / micros(span) * 100.0
        ),
        format!("{records} of {wanted} calls are on disk as ended calls with the person who took them"),
        format!("{kilobytes} kB resident a call that is up, at {HELD} calls, both legs with their ports open"),
        format!(
            "{DEPARTMENTS} departments of ten people with a desk phone each, {TRUNKS} trunks; phones answer as soon as they ring, \
             callers hang up after {} ms; sound is not part of it",
            TALK.as_millis()
        ),
        "SQLite on disk, WAL, synchronous=FULL; ledger, record and trace of every call are written".to_owned(),
        "callers and phones share the machine's cores with the server".to_owned(),
    ];
    let mut measured = times(outcome);
    if let Some(ringing) = measured.first_mut() {
        ringing.reached = Some(ringing.p99_within(50_000.0));
        ringing.goal = Some("p99 < 50 ms".to_owned());
    }
    figures.append(&mut measured);
    Ok(Section {
        name: format!("Whole calls through the server, {rate} a second for {} s", span.as_secs()),
        figures,
        notes,
    })
}

/// Waits until no call is left in the server.
fn drain(office: &Office) -> Result<()> {
    let begun = Instant::now();
    while office.active()? > 0.0 {
        ensure!(begun.elapsed() < DRAIN, "{} calls do not end", office.active()?);
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn times(outcome: Outcome) -> Vec<Figure> {
    vec![outcome.ringing.figure("post-dial delay: INVITE to 180", None), outcome.answered.figure("INVITE to 200", None)]
}

fn mean(what: &str, micros: f64, samples: usize) -> Figure {
    Figure { p50_us: Some(micros), samples, ..Times::default().figure(what, None) }
}

fn story(outcome: &Outcome) -> String {
    let Outcome { placed, completed, failed, repeated, .. } = outcome;
    let failed_in_all: usize = failed.values().sum();
    let why = if failed.is_empty() { String::new() } else { format!(" {failed:?}") };
    format!("{placed} calls placed, {completed} completed, {failed_in_all} failed{why}; {repeated} requests sent again")
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}
