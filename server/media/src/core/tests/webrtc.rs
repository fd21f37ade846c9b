//! Browser legs against a str0m peer that plays the browser, over the whole of ICE, DTLS and SRTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use str0m::Candidate;

use super::bench::{AGENT, Bench, CALLER};
use super::bridge::{assert_hears, assert_silent};
use crate::core::Input;
use crate::dtmf::DtmfEvent;
use crate::tone::hold_music;
use crate::{Codec, Command, Event, Source};

const BOTH: &[Codec] = &[Codec::Pcmu, Codec::Pcma];

fn call(phone: Codec, browser: &[Codec]) -> Bench {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, phone, 440.0);
    bench.add_browser(AGENT, browser, 1_000.0);
    bench.join(CALLER, AGENT);
    bench.run(200);
    bench.clear();
    bench
}

#[test]
fn a_phone_and_a_browser_hear_each_other() {
    for (phone, browser) in
        [(Codec::Pcmu, BOTH), (Codec::Pcma, BOTH), (Codec::Pcma, &[Codec::Pcmu]), (Codec::Pcmu, &[Codec::Pcma])]
    {
        let mut bench = call(phone, browser);
        bench.run(5_000);

        assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
        assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
        assert!((248..=252).contains(&bench.phones[&CALLER].got.len()), "{}", bench.phones[&CALLER].got.len());
    }
}

#[test]
fn the_answer_is_lite_speaks_g711_only_and_names_our_address() {
    let mut bench = Bench::new();
    bench.add_browser(AGENT, BOTH, 1_000.0);

    let Some((_, Event::PeerAnswer { sdp, .. })) = bench.events.first() else { panic!("{:?}", bench.events) };
    assert!(sdp.contains("a=ice-lite"));
    assert!(sdp.contains("192.0.2.1 8082 typ host"));
    assert!(sdp.contains("PCMU/8000") && sdp.contains("PCMA/8000") && sdp.contains("telephone-event/8000"));
    assert!(!sdp.contains("opus"));
    assert!(sdp.contains("a=ssrc:") && sdp.contains(" cname:"), "our stream is known before its first packet");
    assert!(bench.has_event(&Event::PeerConnected { leg: AGENT }));
}

#[test]
fn nothing_of_the_microphone_leaves_before_the_gate_is_opened() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    let sdp = bench.offer(AGENT, BOTH, 1_000.0);
    bench.command(Command::PeerOffer { leg: AGENT, sdp });
    bench.join(CALLER, AGENT);
    bench.run(3_000);
    assert!(bench.has_event(&Event::FirstAudio { leg: AGENT }), "the microphone is on");
    assert_silent(&bench.phones[&CALLER].heard());

    bench.command(Command::Gate { leg: AGENT, open: true });
    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
}

#[test]
fn a_browser_that_sends_nothing_yet_hears_and_keeps_the_phone_alive() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    bench.add_browser(AGENT, BOTH, 1_000.0);
    bench.browsers.get_mut(&AGENT).unwrap().tone = None;
    bench.join(CALLER, AGENT);
    bench.run(1_000);
    bench.clear();
    bench.run(4_000);

    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
    assert!((199..=201).contains(&bench.phones[&CALLER].got.len()));
    assert_silent(&bench.phones[&CALLER].heard());
}

#[test]
fn music_reaches_the_browser() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.command(Command::Hear { leg: AGENT, source: Source::Loop { clip: Arc::new(hold_music()) } });
    bench.clear();
    bench.run(4_000);

    let heard = &bench.browsers[&AGENT].heard;
    assert!((31_000..=33_000).contains(&heard.len()), "{}", heard.len());
    assert!(heard.iter().any(|sample| sample.unsigned_abs() > 2_000));
}

#[test]
fn keys_of_the_browser_reach_the_phone_and_are_told_once() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.browsers.get_mut(&AGENT).unwrap().tone = None;
    for (index, duration) in [160_u16, 320, 480, 480, 480].into_iter().enumerate() {
        let event = DtmfEvent { event: 9, end: index > 1, duration };
        let now = bench.now;
        let browser = bench.browsers.get_mut(&AGENT).unwrap();
        browser.write(now, 126, &event.to_bytes(), index == 0);
        let (from, sent) = (browser.address, browser.drain());
        for bytes in sent {
            bench.input(Input::WebRtc { from, bytes: &bytes });
        }
        bench.run(20);
    }

    let digits: Vec<_> = bench.events.iter().filter(|(_, event)| matches!(event, Event::Digit { .. })).collect();
    assert_eq!(digits.len(), 1);
    assert_eq!(digits[0].1, Event::Digit { leg: AGENT, digit: '9' });
    let keys = bench.phones[&CALLER].got.iter().filter(|got| got.payload_type == 101).count();
    assert_eq!(keys, 5);
}

#[test]
fn digits_are_sent_to_the_browser_under_its_payload_type() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.command(Command::SendDigits { leg: AGENT, digits: "42".into() });
    bench.run(1_000);

    let keys: Vec<char> = bench.browsers[&AGENT].keys.iter().filter_map(|event| event.key()).collect();
    assert_eq!(keys.len(), 22);
    assert!(keys[..11].iter().all(|key| *key == '4') && keys[11..].iter().all(|key| *key == '2'));
}

#[test]
fn an_ice_restart_carries_the_call_over_to_a_new_address() {
    let mut bench = call(Codec::Pcmu, BOTH);
    let browser = bench.browsers.get_mut(&AGENT).unwrap();
    let mut change = browser.rtc.sdp_api();
    change.ice_restart(true);
    let (offer, pending) = change.apply().unwrap();
    browser.pending = Some(pending);
    bench.command(Command::PeerOffer { leg: AGENT, sdp: offer.to_sdp_string() });
    bench.run(2_000);
    bench.clear();
    bench.run(3_000);

    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
}

#[test]
fn reports_go_both_ways_and_tell_of_loss_and_round_trip() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.run(20_000);

    let browser = &bench.browsers[&AGENT];
    assert_eq!(browser.told.map(|(_, loss)| loss), Some(0.0), "our report of what it sends: {:?}", browser.told);
    let stats = bench.core.stats(AGENT);
    assert_eq!((stats.lost, stats.remote_lost, stats.refused), (0, 0, 0));
    assert!(stats.rtt_us.is_some_and(|rtt| rtt < 50_000), "its report of what we send: {stats:?}");
}

#[test]
fn a_browser_that_moves_to_another_network_is_followed() {
    let mut bench = call(Codec::Pcmu, BOTH);
    let old = bench.browsers[&AGENT].address;
    let new = "198.51.100.7:40001".parse().unwrap();
    let browser = bench.browsers.get_mut(&AGENT).unwrap();
    browser.rtc.add_local_candidate(Candidate::host(new, "udp").unwrap());
    browser.rtc.direct_api().invalidate_candidate(&Candidate::host(old, "udp").unwrap());
    browser.address = new;
    let mut change = browser.rtc.sdp_api();
    change.ice_restart(true);
    let (offer, pending) = change.apply().unwrap();
    browser.pending = Some(pending);
    bench.command(Command::PeerOffer { leg: AGENT, sdp: offer.to_sdp_string() });
    bench.run(3_000);
    bench.clear();
    bench.run(3_000);

    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
}

#[test]
fn numbers_that_roll_over_while_nobody_speaks_are_followed() {
    let mut bench = call(Codec::Pcmu, BOTH);
    // 40,000 numbers further after a silence, and then by each packet over the wrap.
    for jump in [40_000, 25_000] {
        bench.browsers.get_mut(&AGENT).unwrap().sequence += jump;
        bench.run(40_000);
        bench.clear();
        bench.run(2_000);

        assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    }
}

#[test]
fn a_packet_that_is_repeated_or_changed_reaches_nobody() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.browsers.get_mut(&AGENT).unwrap().tone = None;
    bench.run(100);
    let now = bench.now;
    let browser = bench.browsers.get_mut(&AGENT).unwrap();
    browser.write(now, 0, &[0x10; 160], false);
    let (from, sent) = (browser.address, browser.drain());
    let sound = sent.iter().find(|bytes| bytes[0] >> 6 == 2 && !crate::rtcp::is_rtcp(bytes)).unwrap();
    bench.clear();
    let mut changed = sound.clone();
    changed[40] ^= 1;
    for bytes in [&changed, sound, sound, &changed] {
        bench.input(Input::WebRtc { from, bytes });
    }

    assert_eq!(bench.phones[&CALLER].got.len(), 1);
    assert_eq!(bench.core.stats(AGENT).refused, 3);
}

#[test]
fn a_reloaded_page_takes_the_leg_over() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.browsers.clear();
    let sdp = bench.offer(AGENT, BOTH, 600.0);
    bench.command(Command::PeerOffer { leg: AGENT, sdp });
    bench.run(1_000);
    bench.clear();
    bench.run(3_000);

    assert_hears(&bench.phones[&CALLER].heard(), 600.0, 1_000.0);
    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 600.0);
    assert_eq!(bench.core.legs(), [CALLER, AGENT]);
}

#[test]
fn a_removed_browser_is_told_and_nothing_of_it_stays() {
    let mut bench = call(Codec::Pcmu, BOTH);
    bench.command(Command::Remove { leg: AGENT });
    bench.run(1_000);

    assert!(!bench.browsers[&AGENT].rtc.is_alive(), "the browser got our goodbye");
    bench.command(Command::Remove { leg: CALLER });
    bench.core.assert_empty();
}

#[test]
fn a_browser_that_goes_is_told_of_at_once_when_it_says_so_and_after_a_while_when_not() {
    for says_so in [true, false] {
        let mut bench = call(Codec::Pcmu, BOTH);
        let mut browser = bench.browsers.remove(&AGENT).unwrap();
        if says_so {
            browser.rtc.close().unwrap();
            for bytes in browser.drain() {
                bench.input(Input::WebRtc { from: browser.address, bytes: &bytes });
            }
        }
        let limit = if says_so { 10 } else { 60_000 };
        bench.run(limit);

        assert!(bench.has_event(&Event::PeerLost { leg: AGENT }), "said so: {says_so}");
    }
}

#[test]
fn offers_that_cannot_be_answered_fail_and_leave_nothing() {
    let mut bench = Bench::new();
    let opus_only = bench.offer(AGENT, &[], 1_000.0);
    let long = "v=0\r\n".repeat(20_000);
    for sdp in ["", "v=0", "nonsense", &opus_only, &long] {
        bench.command(Command::PeerOffer { leg: AGENT, sdp: sdp.to_string() });
        let Some((_, Event::PeerFailed { leg: AGENT, error })) = bench.events.pop() else {
            panic!("answered {sdp:.20}");
        };
        assert!(!error.is_empty());
    }
    assert_eq!(bench.core.leg_count(), 0);
    bench.core.assert_empty();
}

#[test]
fn candidates_of_all_kinds_are_taken_or_passed_over() {
    let mut bench = call(Codec::Pcmu, BOTH);
    for candidate in [
        "candidate:1 1 udp 2122260223 203.0.113.5 50001 typ host generation 0",
        "a=candidate:1 1 udp 2122260223 203.0.113.5 50001 typ host",
        "candidate:1 1 udp 2122260223 0f0c8d8e-aaaa-bbbb-cccc-0123456789ab.local 50001 typ host",
        "candidate:1 1 tcp 1518280447 203.0.113.5 9 typ host tcptype active",
        "candidate:",
        "",
        "\u{1f600}",
    ] {
        bench.command(Command::PeerCandidate { leg: AGENT, candidate: candidate.into() });
    }
    bench.clear();
    bench.run(1_000);

    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
}

#[test]
fn a_stranger_does_not_get_into_a_browser_leg() {
    let mut bench = call(Codec::Pcmu, BOTH);
    let stranger: SocketAddr = "198.51.100.66:6666".parse().unwrap();
    // Checks with the right name and a wrong password, recorded media, and noise.
    let now = bench.now + Duration::from_millis(20);
    let browser = bench.browsers.get_mut(&AGENT).unwrap();
    browser.write(now, 0, &[0; 160], false);
    let recorded = browser.drain();
    for _ in 0..10 {
        for bytes in &recorded {
            bench.input(Input::WebRtc { from: stranger, bytes });
        }
    }
    bench.clear();
    bench.run(1_000);

    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.browsers[&AGENT].heard, 440.0, 1_000.0);
}
