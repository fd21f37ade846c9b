//! What is recorded, and for how long.

use super::bench::{AGENT, Bench, CALLER, THIRD};
use super::bridge::{assert_hears, assert_silent};
use crate::{Codec, Command, Event, LegId, RecordEnd, RecordingId};

const RECORDING: RecordingId = RecordingId::demo(9);

fn record(leg: LegId, max_ms: u32, silence_ms: Option<u32>) -> Command {
    Command::Record { leg, recording: RECORDING, max_ms, silence_ms }
}

fn finished(bench: &Bench) -> Vec<(u64, u32, RecordEnd)> {
    bench
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::RecordFinished { recording: RECORDING, ms, why } => Some((*at, *ms, *why)),
            _ => None,
        })
        .collect()
}

#[test]
fn it_holds_what_the_leg_says_and_nothing_of_what_it_hears() {
    let mut bench = Bench::two_phones([Codec::Pcma, Codec::Pcmu]);
    bench.run(1_000);
    bench.command(record(CALLER, 60_000, None));
    bench.run(4_000);
    bench.command(Command::StopRecord { recording: RECORDING });
    bench.run(1_000);

    assert_eq!(finished(&bench), [(5_000, 4_000, RecordEnd::Stopped)]);
    assert_eq!(bench.recorded.len(), 32_000);
    assert_hears(&bench.recorded, 440.0, 1_000.0);
}

#[test]
fn it_ends_at_its_longest_length() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(record(CALLER, 2_345, None));
    bench.run(10_000);

    assert_eq!(finished(&bench), [(2_345, 2_345, RecordEnd::MaxLength)]);
    assert_eq!(bench.recorded.len(), 2_345 * 8);
}

#[test]
fn it_ends_after_silence() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(record(CALLER, 60_000, Some(2_000)));
    bench.run(3_000);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.run(10_000);

    let [(_, ms, RecordEnd::Silence)] = finished(&bench)[..] else { panic!("{:?}", bench.events) };
    assert!((4_960..=5_040).contains(&ms), "{ms} ms");
}

#[test]
fn it_ends_with_its_leg_and_keeps_what_was_said() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(record(CALLER, 60_000, None));
    bench.run(1_500);
    bench.command(Command::Remove { leg: CALLER });

    assert_eq!(finished(&bench), [(1_500, 1_500, RecordEnd::LegGone)]);
    assert_eq!(bench.recorded.len(), 12_000);
    bench.command(Command::Remove { leg: AGENT });
    bench.core.assert_empty();
}

#[test]
fn a_closed_gate_is_recorded_as_silence() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(Command::Gate { leg: CALLER, open: false });
    bench.command(record(CALLER, 3_000, None));
    bench.run(4_000);

    assert_eq!(bench.recorded.len(), 24_000);
    assert_silent(&bench.recorded);
}

#[test]
fn a_leg_that_is_not_there_is_told_at_once() {
    let mut bench = Bench::new();
    bench.command(record(THIRD, 3_000, None));

    assert_eq!(finished(&bench), [(0, 0, RecordEnd::LegGone)]);
}
