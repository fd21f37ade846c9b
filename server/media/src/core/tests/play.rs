//! Clips, loops, digits and their pace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bench::{AGENT, Bench, CALLER, THIRD, config, params};
use super::bridge::assert_silent;
use crate::core::{Input, MediaCore};
use crate::dtmf::DtmfEvent;
use crate::goertzel::{amplitude, dropouts};
use crate::packet::RtpPacket;
use crate::tone::{beep, sine};
use crate::{Clip, Codec, Command, Event, Output, PlayId, Source};

#[test]
fn a_clip_is_played_once_from_its_start_and_its_end_is_told_on_time() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcma]);
    bench.run(1_000);
    bench.clear();
    bench.command(Command::Hear { leg: AGENT, source: Source::Clip { clip: Arc::new(beep()), play: PlayId(7) } });
    bench.run(2_000);

    let told: Vec<_> = bench.events.iter().filter(|(_, event)| matches!(event, Event::PlayFinished { .. })).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, Event::PlayFinished { leg: AGENT, play: PlayId(7) });
    assert!((1_400..=1_420).contains(&told[0].0), "at {} ms", told[0].0);
    let heard = bench.phones[&AGENT].heard();
    assert!(amplitude(&heard[..3_200], 1_000.0) > 7_500.0);
    assert_silent(&heard[3_200..]);
}

#[test]
fn a_clip_that_is_replaced_does_not_end() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(Command::Hear { leg: AGENT, source: Source::Clip { clip: Arc::new(beep()), play: PlayId(1) } });
    bench.run(200);
    bench.command(Command::Hear { leg: AGENT, source: Source::Leg(CALLER) });
    bench.run(1_000);

    assert!(!bench.has_event(&Event::PlayFinished { leg: AGENT, play: PlayId(1) }));
}

#[test]
fn a_loop_goes_on_without_a_seam() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    // 130 ms hold a whole number of periods, but no whole number of frames.
    let clip = Arc::new(Clip::new(sine(1_000.0, 130, 8_000.0)));
    bench.command(Command::Hear { leg: AGENT, source: Source::Loop { clip } });
    bench.clear();
    bench.run(5_000);

    let heard = bench.phones[&AGENT].heard();
    assert_eq!(dropouts(&heard[800..], 1_000.0), 0);
    assert!((amplitude(&heard[800..], 1_000.0) - 8_000.0).abs() < 200.0);
}

#[test]
fn an_empty_clip_ends_at_once_and_an_empty_loop_is_silence() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let clip = Arc::new(Clip::new(Vec::new()));
    bench.command(Command::Hear { leg: AGENT, source: Source::Clip { clip: Arc::clone(&clip), play: PlayId(1) } });
    bench.command(Command::Hear { leg: CALLER, source: Source::Loop { clip } });
    bench.clear();
    bench.run(1_000);

    assert!(bench.has_event(&Event::PlayFinished { leg: AGENT, play: PlayId(1) }));
    assert_silent(&bench.phones[&CALLER].heard());
}

#[test]
fn an_hour_of_music_keeps_its_pace_to_the_frame() {
    let mut core = MediaCore::new(config()).unwrap();
    let start = Instant::now();
    let to = "198.51.100.1:4000".parse().unwrap();
    let add = Command::AddRtp { leg: THIRD, params: Some(params(to, Codec::Pcma)) };
    core.handle_input(start, Input::Command(add));
    let clip = Arc::new(Clip::new(sine(440.0, 970, 8_000.0)));
    core.handle_input(start, Input::Command(Command::Hear { leg: THIRD, source: Source::Loop { clip } }));
    let (mut packets, mut now) = (0_u32, start);
    let mut stamps = Vec::new();
    while packets < 50 * 3_600 {
        match core.poll_output() {
            Output::Rtp { bytes, .. } => {
                let due = start + Duration::from_millis(20) * packets;
                assert!(now - due <= Duration::from_millis(7), "packet {packets}");
                packets += 1;
                stamps.push(u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
            }
            Output::Timeout(Some(at)) => {
                // The thread comes late by a few milliseconds, each time by another few.
                now = at.max(now) + Duration::from_micros(u64::from(packets % 7) * 1_000);
                core.handle_input(now, Input::Timeout);
            }
            Output::Event(_) | Output::Rtcp { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(stamps.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 160));
}

#[test]
fn a_thread_that_slept_does_not_send_a_burst() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(Command::Hear { leg: AGENT, source: Source::Silence });
    bench.run(500);
    bench.clear();
    bench.now += Duration::from_secs(5);
    bench.input(Input::Timeout);

    let got = &bench.phones[&AGENT].got;
    assert_eq!(got.len(), 1);
    assert!(got[0].marker, "a gap is a new talk spurt");
}

#[test]
fn digits_sent_are_events_with_one_timestamp_and_three_ends() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(1_000);
    bench.clear();
    bench.command(Command::SendDigits { leg: AGENT, digits: "1#".into() });
    bench.run(2_000);

    let got = &bench.phones[&AGENT].got;
    let keys: Vec<_> = got.iter().filter(|got| got.payload_type == 101).collect();
    assert_eq!(keys.len(), 22);
    for (press, event) in [(&keys[..11], 1), (&keys[11..], 11)] {
        assert!(press[0].marker && press[1..].iter().all(|got| !got.marker));
        assert!(press.iter().all(|got| got.timestamp == press[0].timestamp));
        let ends = press.iter().filter_map(|got| DtmfEvent::parse(&got.payload)).filter(|event| event.end).count();
        assert_eq!((ends, press[0].payload[0]), (3, event));
    }
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)), "no number is missing");
    let after: Vec<_> = got.iter().filter(|got| got.payload_type == 0 && got.ms > 1_700).collect();
    assert!(after.len() > 60, "the caller is heard again");
    assert_eq!(bench.events, [], "what we send is not what we hear");
}

#[test]
fn digits_pass_to_the_other_leg_under_its_payload_type_and_are_told_once() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let mut other = params(bench.phones[&AGENT].address, Codec::Pcmu);
    other.dtmf = Some(96);
    bench.command(Command::UpdateRtp { leg: AGENT, params: other });
    bench.run(500);
    bench.clear();
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    for (index, duration) in [160_u16, 320, 480, 640, 640, 640].into_iter().enumerate() {
        let phone = bench.phones.get_mut(&CALLER).unwrap();
        let event = DtmfEvent { event: 5, end: index > 2, duration };
        let (from, bytes) = (phone.address, phone.packet(101, &event.to_bytes()));
        bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });
        bench.run(20);
    }

    assert_eq!(
        bench.events.iter().map(|(_, event)| event).collect::<Vec<_>>(),
        [&Event::Digit { leg: CALLER, digit: '5' }]
    );
    let keys: Vec<_> = bench.phones[&AGENT].got.iter().filter(|got| got.payload_type == 96).collect();
    assert_eq!(keys.len(), 6);
    assert!(keys.iter().all(|got| got.timestamp == keys[0].timestamp));
    assert_eq!(keys[5].payload[..2], [5, 0x8a]);
}

#[test]
fn digits_that_are_kept_are_told_and_reach_no_listener() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    for (keep, passed) in [(true, 0), (false, 1)] {
        bench.command(Command::KeepDigits { leg: CALLER, keep });
        bench.clear();
        let phone = bench.phones.get_mut(&CALLER).unwrap();
        let (from, bytes) = (phone.address, phone.packet(101, &[5, 0x0a, 0, 160]));
        bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });
        let digits = bench.events.iter().filter(|(_, event)| matches!(event, Event::Digit { digit: '5', .. })).count();
        let got = bench.phones[&AGENT].got.iter().filter(|got| got.payload_type == 101).count();
        assert_eq!((digits, got), (1, passed), "keep: {keep}");
        bench.run(500);
    }
}

#[test]
fn the_same_key_counts_again_in_a_new_stream_whatever_its_timestamp() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    for (ssrc, timestamp) in [(1, 5_000), (2, 5_000), (3, 4_000)] {
        let payload = &[5, 0x8a, 2, 128];
        let packet = RtpPacket { marker: true, payload_type: 101, sequence: 7, timestamp, ssrc, payload };
        let from = bench.phones[&CALLER].address;
        bench.input(Input::Rtp { leg: CALLER, from, bytes: &packet.to_bytes() });
    }

    let digits = bench.events.iter().filter(|(_, event)| matches!(event, Event::Digit { digit: '5', .. })).count();
    assert_eq!(digits, 3);
}

#[test]
fn a_key_that_cannot_be_told_is_heard_and_leaves_no_hole_in_the_numbers() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let mut deaf = params(bench.phones[&AGENT].address, Codec::Pcmu);
    deaf.dtmf = None;
    bench.command(Command::UpdateRtp { leg: AGENT, params: deaf });
    bench.run(500);
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    let (from, bytes) = (phone.address, phone.packet(101, &[5, 0x8a, 2, 128]));
    bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });
    bench.run(500);

    let got = &bench.phones[&AGENT].got;
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert!((49..=53).contains(&got.len()), "{} packets", got.len());
    let heard = bench.phones[&AGENT].heard();
    assert!(heard.chunks(160).any(|frame| amplitude(frame, 770.0) > 5_000.0 && amplitude(frame, 1_336.0) > 5_000.0));
}

#[test]
fn digits_are_heard_as_tones_where_events_were_not_agreed_on() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let mut deaf = params(bench.phones[&AGENT].address, Codec::Pcmu);
    deaf.dtmf = None;
    bench.command(Command::UpdateRtp { leg: AGENT, params: deaf });
    bench.run(500);
    bench.clear();
    bench.command(Command::SendDigits { leg: AGENT, digits: "5".into() });
    bench.run(1_000);

    let got = &bench.phones[&AGENT].got;
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let heard = bench.phones[&AGENT].heard();
    assert!(amplitude(&heard[160..960], 770.0) > 5_000.0 && amplitude(&heard[160..960], 1_336.0) > 5_000.0);
    assert!(amplitude(&heard[..1_600], 440.0) < 500.0, "the key replaces the voice");
    assert!(amplitude(&heard[2_400..], 440.0) > 10_000.0, "and the voice comes back");
}

#[test]
fn digits_of_a_closed_gate_reach_nobody() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    bench.command(Command::Gate { leg: CALLER, open: false });
    bench.clear();
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    let (from, bytes) = (phone.address, phone.packet(101, &[5, 0x8a, 2, 128]));
    bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });

    assert_eq!(bench.events, []);
    assert!(bench.phones[&AGENT].got.iter().all(|got| got.payload_type != 101));
}
