//! Who hears whom.

use super::bench::{AGENT, Bench, CALLER, LEVEL, THIRD, params};
use crate::goertzel::{amplitude, decibels_above, dropouts, snr};
use crate::{Codec, Command, Event, Source};

/// Heard: this tone, near the level it was sent at, without the other one and without a hole.
#[track_caller]
pub(super) fn assert_hears(samples: &[i16], wanted: f64, other: f64) {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let level = amplitude(middle, wanted);
    assert!((LEVEL * 0.9..LEVEL * 1.1).contains(&level), "{wanted} Hz at {level}");
    assert!(decibels_above(middle, wanted, other) > 40.0, "{other} Hz at {}", amplitude(middle, other));
    assert!(snr(middle, wanted) > 30.0, "signal to noise {} dB", snr(middle, wanted));
    assert_eq!(dropouts(middle, wanted), 0);
}

#[track_caller]
pub(super) fn assert_silent(samples: &[i16]) {
    let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    assert!(loudest <= 8, "heard up to {loudest}");
}

#[test]
fn each_hears_the_other_and_not_itself() {
    use Codec::{Pcma, Pcmu};
    for codecs in [[Pcmu, Pcmu], [Pcma, Pcma], [Pcmu, Pcma], [Pcma, Pcmu]] {
        let mut bench = Bench::two_phones(codecs);
        bench.run(5_000);

        assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
        assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
        assert!(bench.has_event(&Event::FirstAudio { leg: CALLER }));
        assert_eq!(bench.events.len(), 2, "{:?}", bench.events);
    }
}

#[test]
fn the_same_codec_passes_through_untouched_and_numbers_run_on_over_their_wrap() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(2_000);

    let got = &bench.phones[&AGENT].got;
    for pair in got.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    assert!(got[0].marker && got[1..].iter().all(|got| !got.marker));
    // The tone repeats every second: what the caller said then is what the agent gets now.
    assert_eq!(got[20].payload, got[70].payload);
}

#[test]
fn a_closed_gate_lets_nothing_through_and_the_far_side_gets_silence_without_a_gap() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcma]);
    bench.run(1_000);
    bench.command(Command::Gate { leg: CALLER, open: false });
    bench.clear();
    bench.run(3_000);

    assert_silent(&bench.phones[&AGENT].heard());
    assert!((149..=151).contains(&bench.phones[&AGENT].got.len()), "{}", bench.phones[&AGENT].got.len());
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);

    bench.command(Command::Gate { leg: CALLER, open: true });
    bench.clear();
    bench.run(3_000);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
    let marked: Vec<_> = bench.phones[&AGENT].got.iter().filter(|got| got.marker).collect();
    assert_eq!(marked.len(), 1, "a marker where the voice comes back");
}

#[test]
fn the_stream_is_one_whatever_is_heard() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.add_phone(THIRD, Codec::Pcma, 600.0);
    bench.run(500);
    bench.command(Command::Hear { leg: AGENT, source: Source::Silence });
    bench.run(500);
    bench.command(Command::Hear { leg: AGENT, source: Source::Leg(THIRD) });
    bench.run(500);
    bench.command(Command::Hear { leg: AGENT, source: Source::Leg(CALLER) });
    bench.run(500);

    let got = &bench.phones[&AGENT].got;
    for pair in got.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        let time = u32::try_from(pair[1].ms - pair[0].ms).unwrap() * 8;
        assert!((160..=480).contains(&step) && step >= time, "{step} samples in {} ms", time / 8);
    }
    let heard = bench.phones[&AGENT].heard();
    assert!(decibels_above(&heard[9_000..11_000], 600.0, 440.0) > 40.0);
    assert!(decibels_above(&heard[13_000..15_000], 440.0, 600.0) > 40.0);
}

#[test]
fn a_source_that_stops_sending_is_filled_with_silence_and_taken_up_again() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(1_000);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.clear();
    bench.run(5_000);

    let filled = bench.phones[&AGENT].got.len();
    assert!((225..=235).contains(&filled), "{filled} packets in 5 s less 400 ms");
    assert_silent(&bench.phones[&AGENT].heard());
}

#[test]
fn a_removed_leg_is_heard_no_more_and_nothing_of_it_stays() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    bench.command(Command::Remove { leg: CALLER });
    bench.clear();
    bench.run(1_000);
    assert_silent(&bench.phones[&AGENT].heard());
    assert!(bench.phones[&CALLER].got.is_empty());

    bench.command(Command::Remove { leg: AGENT });
    assert_eq!(bench.core.leg_count(), 0);
    bench.core.assert_empty();
}

#[test]
fn a_phone_whose_sdp_says_nowhere_is_sent_to_once_it_was_heard() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    bench.command(Command::UpdateRtp { leg: CALLER, params: params("0.0.0.0:9".parse().unwrap(), Codec::Pcmu) });
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    bench.run(1_000);

    let got = bench.phones[&CALLER].got.len();
    assert!((46..=49).contains(&got), "{got} packets in 1 s less the first three frames");
}

#[test]
fn a_leg_without_parameters_sends_and_takes_nothing_until_it_has_them() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    bench.command(Command::Remove { leg: CALLER });
    bench.command(Command::AddRtp { leg: CALLER, params: None });
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    bench.run(500);
    assert!(bench.phones[&CALLER].got.is_empty());
    assert!(!bench.has_event(&Event::FirstAudio { leg: CALLER }));

    let params = params(bench.phones[&CALLER].address, Codec::Pcmu);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.run(500);
    assert!((24..=26).contains(&bench.phones[&CALLER].got.len()));
    assert!(bench.has_event(&Event::FirstAudio { leg: CALLER }));
}
