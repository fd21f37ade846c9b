//! Three who talk, and prompts over a call.

use std::sync::Arc;

use super::bench::{AGENT, Bench, CALLER, LEVEL, THIRD};
use super::bridge::assert_silent;
use crate::goertzel::{amplitude, dropouts};
use crate::tone::sine;
use crate::{Clip, Codec, Command, Event, PlayId, Source};

fn three(codecs: [Codec; 3]) -> Bench {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, codecs[0], 440.0);
    bench.add_phone(AGENT, codecs[1], 1_000.0);
    bench.add_phone(THIRD, codecs[2], 600.0);
    let all = vec![CALLER, AGENT, THIRD];
    for leg in [CALLER, AGENT, THIRD] {
        bench.command(Command::Hear { leg, source: Source::Mix(all.clone()) });
        // Half as loud, so that two of them fit.
        bench.phones.get_mut(&leg).unwrap().level = LEVEL / 2.0;
    }
    bench.run(500);
    bench.clear();
    bench
}

#[test]
fn three_hear_each_other_and_nobody_hears_himself() {
    let mut bench = three([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    bench.run(4_000);

    for (leg, own, others) in
        [(CALLER, 440.0, [1_000.0, 600.0]), (AGENT, 1_000.0, [440.0, 600.0]), (THIRD, 600.0, [440.0, 1_000.0])]
    {
        let heard = bench.phones[&leg].heard();
        assert!((199..=201).contains(&(heard.len() / 160)), "{} frames", heard.len() / 160);
        for other in others {
            let level = amplitude(&heard, other);
            assert!((LEVEL * 0.45..LEVEL * 0.55).contains(&level), "{other} Hz at {level}");
        }
        assert!(amplitude(&heard, own) < 60.0, "{own} Hz of its own at {}", amplitude(&heard, own));
        let got = &bench.phones[&leg].got;
        assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
        assert!(got.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(160)));
    }
}

#[test]
fn one_who_leaves_is_heard_no_more_and_the_others_go_on() {
    let mut bench = three([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    bench.command(Command::Gate { leg: AGENT, open: false });
    bench.run(200);
    bench.clear();
    bench.run(2_000);
    let heard = bench.phones[&CALLER].heard();
    assert!(amplitude(&heard, 1_000.0) < 20.0 && amplitude(&heard, 600.0) > 7_000.0);
    assert_eq!(dropouts(&heard, 600.0), 0);

    bench.command(Command::Remove { leg: THIRD });
    bench.clear();
    bench.run(1_000);
    assert_silent(&bench.phones[&CALLER].heard());
    bench.command(Command::Remove { leg: CALLER });
    bench.command(Command::Remove { leg: AGENT });
    bench.core.assert_empty();
}

#[test]
fn loud_voices_are_clipped_and_not_folded_over() {
    let mut bench = three([Codec::Pcmu, Codec::Pcmu, Codec::Pcmu]);
    for phone in bench.phones.values_mut() {
        (phone.tone, phone.level) = (Some(500.0), 30_000.0);
    }
    bench.run(200);
    bench.clear();
    bench.run(1_000);

    let heard = bench.phones[&CALLER].heard();
    assert!(amplitude(&heard, 500.0) > 28_000.0, "{}", amplitude(&heard, 500.0));
}

#[test]
fn a_prompt_over_a_call_is_heard_by_whom_it_is_for_without_stopping_the_talk() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcma]);
    for phone in bench.phones.values_mut() {
        phone.level = LEVEL / 2.0;
    }
    bench.run(1_000);
    bench.clear();
    let clip = Arc::new(Clip::new(sine(1_700.0, 1_000, LEVEL / 2.0)));
    bench.command(Command::PlayOver { leg: CALLER, clip, play: PlayId(3) });
    bench.run(1_020);
    assert!(bench.has_event(&Event::PlayFinished { leg: CALLER, play: PlayId(3) }));
    let (caller, agent) = (bench.phones[&CALLER].heard(), bench.phones[&AGENT].heard());
    bench.clear();
    bench.run(2_000);

    assert!(amplitude(&caller[..7_900], 1_700.0) > 7_000.0 && amplitude(&caller[800..], 1_000.0) > 7_000.0);
    assert!(amplitude(&agent, 1_700.0) < 20.0);
    assert_eq!(dropouts(&agent, 440.0), 0);
    let after = bench.phones[&CALLER].heard();
    assert!(amplitude(&after[1_600..], 1_700.0) < 20.0);
    assert_eq!(dropouts(&after[1_600..], 1_000.0), 0);
}

#[test]
fn a_prompt_over_music_and_one_that_is_stopped() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let music = Arc::new(Clip::new(sine(600.0, 1_000, 8_000.0)));
    bench.command(Command::Hear { leg: CALLER, source: Source::Loop { clip: music } });
    bench.run(200);
    bench.clear();
    let clip = Arc::new(Clip::new(sine(1_700.0, 500, 8_000.0)));
    bench.command(Command::PlayOver { leg: CALLER, clip: Arc::clone(&clip), play: PlayId(1) });
    bench.run(1_000);
    assert!(bench.has_event(&Event::PlayFinished { leg: CALLER, play: PlayId(1) }));
    let heard = bench.phones[&CALLER].heard();
    assert!(amplitude(&heard[..3_900], 1_700.0) > 7_000.0 && amplitude(&heard[4_200..], 1_700.0) < 20.0);
    assert_eq!(dropouts(&heard[4_800..], 600.0), 0);

    bench.command(Command::PlayOver { leg: CALLER, clip, play: PlayId(2) });
    bench.run(100);
    bench.command(Command::StopPlayOver { leg: CALLER });
    bench.clear();
    bench.run(1_000);
    assert!(amplitude(&bench.phones[&CALLER].heard(), 1_700.0) < 20.0);
    assert!(!bench.has_event(&Event::PlayFinished { leg: CALLER, play: PlayId(2) }));
}

#[test]
fn keys_go_through_a_mix_once() {
    let mut bench = three([Codec::Pcmu, Codec::Pcmu, Codec::Pcmu]);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    for (index, duration) in [160_u16, 320, 480, 640, 640, 640].into_iter().enumerate() {
        bench.press(CALLER, 5, duration, index > 2);
        bench.run(20);
    }
    bench.run(1_000);

    let told = bench.events.iter().filter(|(_, event)| matches!(event, Event::Digit { digit: '5', .. })).count();
    assert_eq!(told, 1);
    for leg in [AGENT, THIRD] {
        let got = &bench.phones[&leg].got;
        let starts = got.iter().filter(|got| got.payload_type == 101 && got.marker).count();
        assert_eq!(starts, 1);
        assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    }
}

#[test]
fn a_call_is_heard_well_through_loss_jitter_and_swapped_packets() {
    let mut bench = three([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    bench.phones.get_mut(&THIRD).unwrap().tone = None;
    bench.network = Some(super::bench::Network::new(5, 30, 9));
    bench.run(2_000);
    bench.clear();
    bench.run(10_000);

    let heard = bench.phones[&AGENT].heard();
    // Playing a little slower or faster turns the phase: what counts is each stretch of it.
    let mut levels: Vec<f64> = heard.chunks_exact(800).map(|piece| amplitude(piece, 440.0)).collect();
    levels.sort_by(f64::total_cmp);
    assert!(levels[levels.len() / 10] > LEVEL * 0.4, "440 Hz at {levels:?}");
    assert!(dropouts(&heard, 440.0) <= 5, "{} drop-outs of {}", dropouts(&heard, 440.0), heard.len() / 160);
}
