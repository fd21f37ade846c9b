//! Each codec towards each other one, on good networks and bad ones; keys and silences between them.

use super::bench::{AGENT, Bench, CALLER, LEVEL, Network, config, params};
use crate::core::{BrowserCodecs, CoreConfig, Input};
use crate::dtmf::DtmfEvent;
use crate::goertzel::{amplitude, decibels_above, dropouts};
use crate::rtcp;
use crate::tone::dtmf_tone;
use crate::{Codec, Command, Event, RtpParams};

const ALL: [Codec; 3] = [Codec::Pcmu, Codec::Pcma, Codec::Opus];

fn pairs() -> impl Iterator<Item = [Codec; 2]> {
    ALL.into_iter().flat_map(|one| ALL.map(|other| [one, other]))
}

#[track_caller]
fn assert_tone(samples: &[i16], wanted: f64, other: f64, what: &str) {
    let middle = &samples[samples.len() / 8..];
    let mut levels: Vec<f64> = middle.chunks_exact(800).map(|piece| amplitude(piece, wanted)).collect();
    levels.sort_by(f64::total_cmp);
    let (low, half) = (levels[levels.len() / 10], levels[levels.len() / 2]);
    assert!((LEVEL * 0.8..LEVEL * 1.2).contains(&half), "{what}: {wanted} Hz at {half}");
    assert!(low > LEVEL * 0.5, "{what}: {wanted} Hz down to {low}");
    assert!(decibels_above(middle, wanted, other) > 30.0, "{what}: {other} Hz at {}", amplitude(middle, other));
}

#[test]
fn each_codec_is_heard_in_each_other_one() {
    for codecs in pairs() {
        let mut bench = Bench::two_phones(codecs);
        bench.run(500);
        bench.clear();
        bench.run(4_000);

        for (leg, wanted, other) in [(CALLER, 1_000.0, 440.0), (AGENT, 440.0, 1_000.0)] {
            let phone = &bench.phones[&leg];
            let heard = phone.heard();
            assert!((198..=201).contains(&phone.got.len()), "{codecs:?}: {} packets", phone.got.len());
            assert_tone(&heard, wanted, other, &format!("{codecs:?}"));
            // An Opus decoder that begins in the middle needs some frames.
            assert_eq!(dropouts(&heard[1_600..], wanted), 0, "{codecs:?}");
            for pair in phone.got.windows(2) {
                assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
                let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
                assert_eq!(step, 160 * phone.codec.clock_factor(), "{codecs:?}");
            }
        }
    }
}

#[test]
fn each_pair_bears_five_percent_loss_jitter_and_swapped_packets() {
    for codecs in pairs() {
        let mut bench = Bench::two_phones(codecs);
        bench.network = Some(Network::new(5, 35, 11));
        bench.run(1_000);
        bench.clear();
        bench.run(10_000);

        let lossy = codecs.map(|codec| codec.g711().is_some()) == [true; 2];
        for (leg, wanted, other) in [(CALLER, 1_000.0, 440.0), (AGENT, 440.0, 1_000.0)] {
            let phone = &bench.phones[&leg];
            if lossy || codecs[0] == codecs[1] {
                // Passed on: what is missing is for the phone to conceal, and shows in the numbers.
                let missing = 500 - phone.got.len();
                assert!((5..=45).contains(&missing), "{codecs:?}: {missing} packets missing");
                continue;
            }
            let heard = phone.heard();
            assert!(phone.got.len() >= 495, "{codecs:?}: {} packets, the lost ones made up for", phone.got.len());
            assert_tone(&heard, wanted, other, &format!("{codecs:?}"));
            assert!(dropouts(&heard, wanted) <= 20, "{codecs:?}: {} drop-outs", dropouts(&heard, wanted));
        }
    }
}

#[test]
fn the_same_codec_is_passed_on_to_the_bit() {
    for codec in ALL {
        let mut bench = Bench::two_phones([codec; 2]);
        bench.run(2_000);

        let said = &bench.phones[&CALLER].said;
        let got = &bench.phones[&AGENT].got;
        assert!(got.len() >= 99);
        for (said, got) in said.iter().rev().zip(got.iter().rev()) {
            assert_eq!(said[..], got.payload[..], "{codec:?}");
        }
    }
}

#[test]
fn a_browser_with_opus_talks_to_every_phone_with_keys_both_ways() {
    for codec in ALL {
        let mut bench = Bench::with(CoreConfig { browser_codecs: BrowserCodecs::Opus, ..config() });
        bench.add_phone(CALLER, codec, 440.0);
        bench.add_browser(AGENT, &[Codec::Pcmu, Codec::Pcma], 1_000.0);
        bench.join(CALLER, AGENT);
        bench.run(500);
        bench.clear();
        bench.run(3_000);
        assert_tone(&bench.phones[&CALLER].heard(), 1_000.0, 440.0, "the phone");
        assert_tone(&bench.browsers[&AGENT].heard, 440.0, 1_000.0, "the browser");

        bench.browsers.get_mut(&AGENT).unwrap().tone = None;
        for (index, duration) in [960_u16, 1_920, 2_880, 2_880, 2_880].into_iter().enumerate() {
            let event = DtmfEvent { event: 9, end: index > 1, duration };
            let now = bench.now;
            let browser = bench.browsers.get_mut(&AGENT).unwrap();
            browser.write(now, 110, &event.to_bytes(), index == 0);
            let (from, sent) = (browser.address, browser.drain());
            for bytes in sent {
                bench.input(Input::WebRtc { from, bytes: &bytes });
            }
            bench.run(20);
        }
        bench.command(Command::SendDigits { leg: AGENT, digits: "4".into() });
        bench.run(1_000);

        let told = bench.events.iter().filter(|(_, event)| matches!(event, Event::Digit { digit: '9', .. })).count();
        assert_eq!(told, 1, "{codec:?}");
        let events: Vec<DtmfEvent> = bench.phones[&CALLER]
            .got
            .iter()
            .filter(|got| got.payload_type == 101)
            .map(|got| DtmfEvent::parse(&got.payload).unwrap())
            .collect();
        assert_eq!(events.len(), 5, "{codec:?}");
        assert_eq!(u32::from(events[4].duration), 480 * codec.clock_factor(), "{codec:?}");
        let keys = &bench.browsers[&AGENT].keys;
        assert_eq!((keys.len(), keys[10].event, keys[10].duration), (11, 4, 1_280 * 6));
    }
}

#[test]
fn a_browser_without_opus_is_answered_with_what_it_has() {
    let mut bench = Bench::with(CoreConfig { browser_codecs: BrowserCodecs::Opus, ..config() });
    let sdp = bench.offer(AGENT, &[Codec::Pcma], 1_000.0).replace("opus/48000", "other/48000");
    bench.command(Command::PeerOffer { leg: AGENT, sdp });

    let Some((_, Event::PeerAnswer { sdp, .. })) = bench.events.first() else { panic!("{:?}", bench.events) };
    assert!(sdp.contains("PCMA/8000"));
}

#[test]
fn keys_in_the_sound_count_only_where_no_events_were_agreed_on() {
    for agreed in [false, true] {
        let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
        let address = bench.phones[&CALLER].address;
        if !agreed {
            let params = RtpParams::new(address, Codec::Pcmu, 0);
            bench.command(Command::UpdateRtp { leg: CALLER, params });
        }
        bench.phones.get_mut(&CALLER).unwrap().tone = None;
        bench.run(100);
        bench.clear();
        let sound: Vec<i16> = "147#".chars().filter_map(dtmf_tone).flatten().collect();
        for frame in sound.chunks_exact(160) {
            let phone = bench.phones.get_mut(&CALLER).unwrap();
            let bytes = phone.packet(0, &crate::G711::Mu.encode_all(frame));
            phone.timestamp = phone.timestamp.wrapping_add(160);
            bench.input(Input::Rtp { leg: CALLER, from: address, bytes: &bytes });
            bench.run(20);
        }

        let digits: String = bench
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Digit { leg: CALLER, digit } => Some(*digit),
                _ => None,
            })
            .collect();
        assert_eq!(digits, if agreed { "" } else { "147#" });
        // The other side hears the tones themselves, and is not told the keys a second time.
        assert!(bench.phones[&AGENT].got.iter().all(|got| got.payload_type == 0));
        assert!(amplitude(&bench.phones[&AGENT].heard()[..960], 697.0) > 3_000.0);
    }
}

#[test]
fn comfort_noise_is_made_at_its_level_until_the_voice_comes_back() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcma]);
    bench.run(1_000);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    let (from, bytes) = (phone.address, phone.packet(13, &[50]));
    bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });
    bench.clear();
    bench.run(1_000);
    let noise = bench.phones[&AGENT].heard();
    assert!((49..=51).contains(&(noise.len() / 160)), "{} frames at once", noise.len() / 160);
    let power = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 8_000.0;
    let level = 10.0 * (power / 32_767.0_f64.powi(2)).log10();
    assert!((-53.0..=-47.0).contains(&level), "{level} dB");

    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.tone = Some(440.0);
    phone.timestamp = phone.timestamp.wrapping_add(8_000);
    bench.run(100);
    bench.clear();
    bench.run(1_000);
    assert_tone(&bench.phones[&AGENT].heard(), 440.0, 1_000.0, "after");
    assert!((49..=51).contains(&bench.phones[&AGENT].got.len()));
}

#[test]
fn a_codec_that_changes_in_mid_call_is_followed() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.codec = Codec::Opus;
    let params = params(phone.address, Codec::Opus);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.run(500);
    bench.clear();
    bench.run(3_000);

    assert_tone(&bench.phones[&AGENT].heard(), 440.0, 1_000.0, "from opus");
    assert_tone(&bench.phones[&CALLER].heard(), 1_000.0, 440.0, "to opus");
}

/// RFC 6716 §4.2.3: the second bit of a SILK frame says whether it carries a copy of the packet before.
fn repairs(payload: &[u8]) -> bool {
    payload[1] & 0x40 != 0
}

#[test]
fn packets_are_made_to_be_repaired_while_the_far_side_reports_loss() {
    let mut bench = Bench::two_phones([Codec::Opus, Codec::Pcmu]);
    bench.run(5_010);
    let (_, to, ours) = bench.reports.iter().find(|(leg, ..)| *leg == CALLER).cloned().unwrap();
    let ssrc = u32::from_be_bytes(ours[4..8].try_into().unwrap());
    let report = |bench: &mut Bench, fraction| {
        let block = rtcp::Block { ssrc, fraction, ..rtcp::Block::default() };
        let report = rtcp::compound(0xabc, None, Some(block), "phone", false);
        bench.input(Input::Rtcp { leg: CALLER, from: to, bytes: &report });
        bench.run(100);
        bench.clear();
        bench.run(1_000);
        let got = &bench.phones[&CALLER].got;
        got.iter().filter(|packet| repairs(&packet.payload)).count() * 100 / got.len()
    };

    assert_eq!(report(&mut bench, 0), 0);
    assert!(report(&mut bench, 13) > 90);
    assert_eq!(report(&mut bench, 0), 0);
}
