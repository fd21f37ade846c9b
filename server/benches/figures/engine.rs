//! The decision itself, in memory: arrival to offer, with the ledger entry that gives each member a reason.

use std::time::{Duration, Instant};

use anyhow::Result;
use cordboard_shared::department::Strategy;

use crate::world::{Spread, World};
use crate::{Figure, Section, Times};

/// Decisions before the measurement, and in it.
const WARM_UP: usize = 2_000;
const MEASURED: usize = 100_000;
/// No world is measured for longer.
const LONGEST: Duration = Duration::from_secs(12);

pub(crate) fn measure() -> Result<Section> {
    let mut figures = Vec::new();
    for (people, spread, words) in [
        (100, Spread::Even, "100 people, 1 in each of 100 departments"),
        (1_000, Spread::Even, "1,000 people, 10 in each"),
        (1_000, Spread::Overlapping(25), "1,000 people, 25 in each, most in two or three"),
        (10_000, Spread::Even, "10,000 people, 100 in each"),
    ] {
        for strategy in [Strategy::Serial, Strategy::Balanced] {
            let (decision, cycles) = one(people, spread, strategy);
            let what = format!("{words}, {}: arrival to offer", strategy.as_str());
            let per_second = 1_000_000_000.0 * decision.0.len() as f64 / decision.0.iter().sum::<u64>() as f64;
            let figure = decision.figure(what, Some(per_second));
            figures.push(with_goal(figure, people));
            let cycle = Times::default().figure(format!("{words}, {}: whole calls", strategy.as_str()), Some(cycles));
            figures.push(cycle);
        }
    }
    Ok(Section {
        name: "Decision in memory, one core, ledger on".to_owned(),
        figures,
        notes: vec![
            "half of the people are in a call; each decision ranks all members of its department and writes a reason for each".to_owned(),
            "a whole call is: arrival, decision, confirmation, answer, end, line free".to_owned(),
            "in this table's memory only: nothing is written to disk".to_owned(),
        ],
    })
}

fn with_goal(figure: Figure, people: u16) -> Figure {
    match people {
        1_000 => figure.goal("p99 ≤ 50 µs and ≥ 50,000/s", |it| it.p99_within(50.0) && it.rate >= Some(50_000.0)),
        10_000 => figure.goal("p99 ≤ 500 µs", |it| it.p99_within(500.0)),
        _ => figure,
    }
}

/// Decisions one after the other; and whole calls a second, all steps counted.
fn one(people: u16, spread: Spread, strategy: Strategy) -> (Times, f64) {
    let mut world = World::new(people, spread, strategy);
    let mut times = Times::default();
    let mut begun = Instant::now();
    let mut calls = 0;
    for number in 0..WARM_UP + MEASURED {
        if number == WARM_UP {
            times = Times::default();
            (begun, calls) = (Instant::now(), 0);
        }
        let department = world.free();
        let arrival = world.arrival(department);
        let (offer, call, _) = times.measure(|| world.decide(arrival));
        world.answer(offer, call, department);
        calls += 1;
        if number > WARM_UP && begun.elapsed() > LONGEST {
            break;
        }
    }
    (times, f64::from(calls) / begun.elapsed().as_secs_f64())
}
