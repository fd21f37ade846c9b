//! Encrypted phones, held calls, and connections that are not what they say.

use super::bench::{AGENT, Bench, CALLER, params};
use super::bridge::{assert_hears, assert_silent};
use crate::core::Input;
use crate::packet::RtpPacket;
use crate::srtp::{Crypto, SrtpParams, SrtpSession, SrtpSuite};
use crate::{Codec, Command, Event, Flow, RtpParams, Security, Source};

/// A call of which the caller's side is encrypted.
fn secure(suite: SrtpSuite) -> (Bench, SrtpParams) {
    let mut random = <rand_chacha::ChaCha12Rng as rand_chacha::rand_core::SeedableRng>::from_seed([5; 32]);
    // As in SDP: each side names the key it encrypts with.
    let ours = Crypto::parse(&Crypto::generate(1, suite, &mut random).to_value()).unwrap();
    let theirs = Crypto::parse(&Crypto::generate(1, suite, &mut random).to_value()).unwrap();
    let keys = SrtpParams { suite, local: ours.key, remote: theirs.key };
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.srtp = SrtpSession::new(SrtpParams { suite, local: theirs.key, remote: ours.key });
    let params = RtpParams { security: Security::Sdes(keys), ..params(phone.address, Codec::Pcmu) };
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    (bench, keys)
}

#[test]
fn an_encrypted_phone_and_a_plain_one_hear_each_other() {
    for suite in SrtpSuite::ALL {
        let (mut bench, _) = secure(suite);
        bench.run(4_000);

        assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
        assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
    }
}

#[test]
fn an_encrypted_leg_takes_nothing_plain_and_nothing_twice() {
    let (mut bench, _) = secure(SrtpSuite::AesCm128HmacSha1_80);
    bench.run(200);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    let from = bench.phones[&CALLER].address;
    let recorded = bench.phones.get_mut(&CALLER).unwrap().packet(0, &[0x55; 160]);
    bench.input(Input::Rtp { leg: CALLER, from, bytes: &recorded });
    bench.clear();
    for sequence in 0..20 {
        let packet = RtpPacket { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1, payload: &[0; 160] };
        bench.input(Input::Rtp { leg: CALLER, from, bytes: &packet.to_bytes() });
        bench.input(Input::Rtp { leg: CALLER, from, bytes: &recorded });
    }
    bench.run(300);

    assert!(bench.phones[&AGENT].got.is_empty(), "nothing got through");
}

#[test]
fn a_held_call_whose_numbers_roll_over_meanwhile_is_heard_again_both_ways() {
    for suite in SrtpSuite::ALL.into_iter().map(Some).chain([None]) {
        // How the phone counts while it is held: not at all, or on and on, past one rollover and past two.
        for counted in [0, 60_000, 100_000] {
            let (mut bench, security) = match suite {
                Some(suite) => {
                    let (bench, keys) = secure(suite);
                    (bench, Security::Sdes(keys))
                }
                None => (Bench::two_phones([Codec::Pcmu, Codec::Pcmu]), Security::Clear),
            };
            bench.run(400);
            let address = bench.phones[&CALLER].address;
            let held = RtpParams { flow: Flow::Neither, security, ..params(address, Codec::Pcmu) };
            bench.command(Command::UpdateRtp { leg: CALLER, params: held.clone() });
            bench.phones.get_mut(&CALLER).unwrap().tone = None;
            bench.run(1_000);
            bench.clear();
            bench.run(40_000);
            assert!(bench.phones[&CALLER].got.is_empty(), "a held phone is not sent to");
            assert!(!bench.has_event(&Event::MediaLost { leg: CALLER }), "nor is it missed");

            let now = bench.now;
            let phone = bench.phones.get_mut(&CALLER).unwrap();
            phone.count_on(counted);
            phone.tone = Some(440.0);
            phone.speak_from(now);
            bench.command(Command::UpdateRtp { leg: CALLER, params: RtpParams { flow: Flow::Both, ..held } });
            bench.run(500);
            bench.clear();
            bench.run(3_000);
            assert!(bench.phones[&CALLER].got.len() > 140, "{suite:?} {counted}");
            let level = crate::goertzel::amplitude(&bench.phones[&AGENT].heard(), 440.0);
            assert!(level > 10_000.0, "{suite:?} {counted}: {level} {:?}", bench.core.stats(CALLER));
            assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
            assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
        }
    }
}

#[test]
fn our_own_numbers_roll_over_on_hold_music_and_the_encrypted_phone_follows() {
    let (mut bench, _) = secure(SrtpSuite::AesCm128HmacSha1_80);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    // The phone of the test panics at a packet it cannot decrypt.
    bench.run(1_400_000);

    let got = &bench.phones[&CALLER].got;
    assert!(got.len() > 69_000 && got.windows(2).any(|pair| pair[1].sequence < pair[0].sequence));
    assert_silent(&bench.phones[&CALLER].heard());
}

#[test]
fn a_new_stream_and_a_jump_of_its_clock_are_followed() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Opus]);
    bench.run(1_000);
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.timestamp = phone.timestamp.wrapping_add(1 << 30);
    bench.run(1_000);
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.sequence = 17;
    phone.ssrc += 1;
    bench.run(500);
    bench.clear();
    bench.run(2_000);

    let heard = bench.phones[&AGENT].heard();
    assert!((98..=101).contains(&(heard.len() / 160)));
    assert_eq!(crate::goertzel::dropouts(&heard[1_600..], 440.0), 0);
}

#[test]
fn a_phone_that_moves_is_learned_anew_with_its_new_offer() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    let moved = "203.0.113.77:7000".parse().unwrap();
    bench.phones.get_mut(&CALLER).unwrap().address = moved;
    bench.run(500);
    bench.clear();
    bench.run(500);
    assert!(bench.phones[&CALLER].got.is_empty(), "an address that nobody told of is a stranger's");

    // Its offer names an inner address; the packets come from where they came.
    let params = params("10.0.0.9:4000".parse().unwrap(), Codec::Pcmu);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.run(500);
    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
}

#[test]
fn a_browser_whose_certificate_is_not_the_one_of_its_offer_is_never_connected() {
    let mut bench = Bench::new();
    bench.add_phone(CALLER, Codec::Pcmu, 440.0);
    let sdp = bench.offer(AGENT, &[Codec::Pcmu], 1_000.0);
    let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let first = &sdp[at..at + 2];
    let forged = format!("{}{}{}", &sdp[..at], if first == "00" { "01" } else { "00" }, &sdp[at + 2..]);
    bench.command(Command::PeerOffer { leg: AGENT, sdp: forged });
    bench.join(CALLER, AGENT);
    bench.command(Command::Gate { leg: AGENT, open: true });
    bench.run(5_000);

    assert!(bench.events.iter().any(|(_, event)| matches!(event, Event::PeerAnswer { .. })));
    assert!(!bench.has_event(&Event::PeerConnected { leg: AGENT }));
    assert!(bench.browsers[&AGENT].heard.is_empty());
    assert_silent(&bench.phones[&CALLER].heard());
}
