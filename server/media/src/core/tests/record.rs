//! What is recorded, and for how long.

use super::bench::{AGENT, Bench, CALLER, THIRD};
use super::bridge::{assert_hears, assert_silent};
use crate::core::Input;
use crate::goertzel::{amplitude, dropouts};
use crate::tone::sine;
use crate::{Codec, Command, Event, G711, LegId, RecordEnd, RecordingId, Side};

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

/// The two channels of what was recorded.
fn channels(bench: &Bench) -> (Vec<i16>, Vec<i16>) {
    bench.recorded.chunks(2).map(|pair| (pair[0], pair[1])).unzip()
}

fn record_call(max_ms: u32) -> Command {
    Command::RecordCall { recording: RECORDING, left: Some(CALLER), right: Some(AGENT), max_ms }
}

#[test]
fn a_call_is_recorded_in_two_channels_of_one_length() {
    let mut bench = Bench::two_phones([Codec::Pcma, Codec::Pcmu]);
    bench.run(500);
    bench.command(record_call(60_000));
    bench.run(4_000);
    bench.command(Command::StopRecord { recording: RECORDING });

    assert_eq!(finished(&bench), [(4_500, 4_000, RecordEnd::Stopped)]);
    let (left, right) = channels(&bench);
    assert_eq!((left.len(), right.len()), (32_000, 32_000));
    assert_hears(&left, 440.0, 1_000.0);
    assert_hears(&right, 1_000.0, 440.0);
}

#[test]
fn nothing_of_a_pause_is_kept_and_the_rest_joins() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    bench.command(record_call(60_000));
    bench.run(2_000);
    bench.command(Command::PauseRecord { recording: RECORDING });
    bench.command(Command::PauseRecord { recording: RECORDING });
    for phone in bench.phones.values_mut() {
        phone.tone = Some(1_700.0);
    }
    bench.run(3_000);
    for (phone, tone) in bench.phones.values_mut().zip([440.0, 1_000.0]) {
        phone.tone = Some(tone);
    }
    bench.command(Command::ResumeRecord { recording: RECORDING });
    bench.run(2_000);
    bench.command(Command::StopRecord { recording: RECORDING });

    assert_eq!(finished(&bench), [(7_500, 4_000, RecordEnd::Stopped)]);
    let told: Vec<_> = bench.events.iter().map(|(_, event)| event).collect();
    assert_eq!(
        told.iter().filter(|event| ***event == Event::RecordPaused { recording: RECORDING, ms: 2_000 }).count(),
        1
    );
    assert!(bench.has_event(&Event::RecordResumed { recording: RECORDING, ms: 2_000 }));
    for (channel, tone) in [channels(&bench).0, channels(&bench).1].iter().zip([440.0, 1_000.0]) {
        assert_eq!(channel.len(), 32_000);
        for piece in channel.chunks(1_600) {
            assert!(amplitude(piece, 1_700.0) < 200.0, "{} of what was said in the pause", amplitude(piece, 1_700.0));
        }
        assert!(dropouts(channel, tone) <= 2, "a seam of {} frames", dropouts(channel, tone));
    }
}

#[test]
fn what_was_said_in_a_pause_and_comes_late_is_not_kept() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    bench.command(record_call(60_000));
    bench.run(1_000);
    bench.command(Command::PauseRecord { recording: RECORDING });
    bench.run(1_000);
    // Three packets of the pause are still on their way.
    let late: Vec<Vec<u8>> = (0..3)
        .map(|_| {
            let phone = bench.phones.get_mut(&CALLER).unwrap();
            let bytes = phone.packet(0, &G711::Mu.encode_all(&sine(1_700.0, 20, 16_000.0)));
            phone.timestamp = phone.timestamp.wrapping_add(160);
            bytes
        })
        .collect();
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.run(60);
    bench.command(Command::ResumeRecord { recording: RECORDING });
    for bytes in &late {
        let from = bench.phones[&CALLER].address;
        bench.input(Input::Rtp { leg: CALLER, from, bytes });
    }
    bench.run(1_000);
    bench.command(Command::StopRecord { recording: RECORDING });

    let (left, _) = channels(&bench);
    assert!(left.chunks(160).all(|frame| amplitude(frame, 1_700.0) < 1_000.0));
}

#[test]
fn a_transfer_moves_a_side_and_the_recording_goes_on_without_the_old_one() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.add_phone(THIRD, Codec::Pcma, 600.0);
    bench.run(500);
    bench.command(record_call(60_000));
    bench.run(2_000);
    bench.command(Command::RecordSide { recording: RECORDING, side: Side::Right, leg: Some(THIRD) });
    bench.command(Command::Remove { leg: AGENT });
    bench.run(2_000);
    bench.command(Command::Remove { leg: THIRD });
    bench.run(1_000);
    bench.command(Command::Remove { leg: CALLER });

    assert_eq!(finished(&bench), [(5_500, 5_000, RecordEnd::LegGone)]);
    let (left, right) = channels(&bench);
    assert_hears(&left, 440.0, 1_000.0);
    assert_eq!(right.len(), 40_000);
    assert!(amplitude(&right[..15_000], 1_000.0) > 14_000.0 && amplitude(&right[..15_000], 600.0) < 100.0);
    assert!(amplitude(&right[17_000..31_000], 600.0) > 14_000.0 && amplitude(&right[17_000..31_000], 1_000.0) < 100.0);
    assert_silent(&right[33_600..]);
    bench.core.assert_empty();
}

#[test]
fn the_longest_length_does_not_count_the_pause() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(record_call(2_000));
    bench.run(1_500);
    bench.command(Command::PauseRecord { recording: RECORDING });
    bench.run(10_000);
    bench.command(Command::ResumeRecord { recording: RECORDING });
    bench.run(1_000);

    assert_eq!(finished(&bench), [(12_000, 2_000, RecordEnd::MaxLength)]);
    assert_eq!(bench.recorded.len(), 32_000);
}
