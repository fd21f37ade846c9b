//! Phones that are encrypted by DTLS: both parts of the handshake, lost datagrams, wrong certificates.

use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::default_provider;

use super::bench::{AGENT, Bench, CALLER, Hand, params};
use super::bridge::{assert_hears, assert_silent};
use crate::core::Input;
use crate::dtls::{DtlsParams, DtlsRole, Fingerprint, Handshake, Identity, Outcome, SecureFailure};
use crate::leg::Component;
use crate::packet::RtpPacket;
use crate::srtp::SrtpSession;
use crate::{Codec, Command, Event, Flow, RtcpTo, RtpParams, Security, Source};

const ROLES: [(DtlsRole, DtlsRole); 2] = [(DtlsRole::Server, DtlsRole::Client), (DtlsRole::Client, DtlsRole::Server)];

fn dtls(fingerprint: Fingerprint, role: DtlsRole, association: u64) -> DtlsParams {
    DtlsParams { fingerprints: [Fingerprint::of(b"another"), fingerprint].into(), role, association }
}

/// What the media leg of a phone is told.
fn told(bench: &Bench, phone: &Identity, role: DtlsRole, rtcp: RtcpTo) -> RtpParams {
    let security = Security::Dtls(dtls(phone.fingerprint(), role, 1));
    RtpParams { rtcp, security, ..params(bench.phones[&CALLER].address, Codec::Pcmu) }
}

/// Two phones of which the caller is to be encrypted; it speaks in the clear as long as it has no keys.
fn secure(phone: &Identity, (ours, theirs): (DtlsRole, DtlsRole), rtcp: RtcpTo, lost: u64) -> Bench {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.lost = lost;
    bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(phone, theirs)));
    if rtcp != RtcpTo::Mux {
        bench.hands.insert((CALLER, Component::Rtcp), Hand::new(Handshake::new(phone, theirs)));
    }
    bench.phones.get_mut(&CALLER).unwrap().takes_reports = rtcp == RtcpTo::Mux;
    let params = told(&bench, phone, ours, rtcp);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    for (leg, component) in bench.hands.keys().copied().collect::<Vec<_>>() {
        bench.shake(leg, component);
    }
    bench
}

fn failures(bench: &Bench) -> Vec<SecureFailure> {
    let failed = |event: &Event| match event {
        Event::SecureFailed { why, .. } => Some(*why),
        _ => None,
    };
    bench.events.iter().filter_map(|(_, event)| failed(event)).collect()
}

fn certificates() -> Vec<Identity> {
    let provider = default_provider().unwrap();
    let rsa =
        Certificate::generate_self_signed_with_alg(["phone".to_owned()], &rcgen::PKCS_RSA_SHA256, provider.crypto());
    vec![Identity::generate().unwrap(), Identity::of(&rsa.unwrap()).unwrap()]
}

#[test]
fn both_parts_of_the_handshake_are_played_with_ecdsa_and_rsa() {
    for phone in certificates() {
        for roles in ROLES {
            for rtcp in [RtcpTo::Mux, RtcpTo::NextPort] {
                let mut bench = secure(&phone, roles, rtcp, 0);
                for (of, hand) in &bench.hands {
                    let Some(Outcome::Keys { certificate, .. }) = hand.outcome else { panic!("{of:?}: no keys") };
                    assert_eq!(certificate, bench.core.fingerprint(), "our certificate is the one we name");
                }
                bench.run(4_000);
                assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
                assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
                assert_eq!(failures(&bench), []);
            }
        }
    }
}

#[test]
fn control_packets_have_keys_of_their_own_where_they_do_not_go_with_the_sound() {
    let phone = Identity::generate().unwrap();
    let mut bench = secure(&phone, ROLES[0], RtcpTo::NextPort, 0);
    let keys = |bench: &Bench, component| match bench.hands[&(CALLER, component)].outcome {
        Some(Outcome::Keys { keys, .. }) => keys,
        other => panic!("{other:?}"),
    };
    let (sound, control) = (keys(&bench, Component::Rtp), keys(&bench, Component::Rtcp));
    assert!(sound.local != control.local && sound.remote != control.remote);
    bench.run(6_000);
    let mut session = SrtpSession::new(control).unwrap();
    let report = bench.reports.iter().find(|(leg, ..)| *leg == CALLER).expect("a report");
    assert!(session.unprotect_rtcp(&report.2).is_some());
}

#[test]
fn whichever_datagram_of_the_handshake_gets_lost_it_comes_to_its_end() {
    let phone = Identity::generate().unwrap();
    for roles in ROLES {
        let whole = secure(&phone, roles, RtcpTo::Mux, 0).shaken;
        assert!(whole >= 6, "{whole}");
        for lost in (0..whole).map(|index| 1 << index).chain([0b11, 0b1100, 0b11_0000, 0b10_1010]) {
            let mut bench = secure(&phone, roles, RtcpTo::Mux, lost);
            bench.run(2_500);
            assert!(bench.hands[&(CALLER, Component::Rtp)].outcome.is_some(), "{roles:?} without {lost:b}");
            bench.clear();
            bench.run(2_000);
            assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
            assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
        }
    }
}

#[test]
fn another_certificate_than_the_one_that_was_named_ends_it_and_nothing_passes() {
    let (phone, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    for (ours, theirs) in ROLES {
        let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
        bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(&other, theirs)));
        let params = told(&bench, &phone, ours, RtcpTo::Mux);
        bench.command(Command::UpdateRtp { leg: CALLER, params });
        bench.shake(CALLER, Component::Rtp);
        bench.run(2_000);

        assert_eq!(failures(&bench), [SecureFailure::Fingerprint], "told once");
        assert!(bench.phones[&CALLER].got.is_empty());
        assert_silent(&bench.phones[&AGENT].heard());
        assert!(!bench.has_event(&Event::FirstAudio { leg: CALLER }));
    }
}

#[test]
fn nothing_passes_in_the_clear_before_the_handshake_nor_by_keys_of_the_description() {
    let phone = Identity::generate().unwrap();
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let params = told(&bench, &phone, DtlsRole::Server, RtcpTo::Mux);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.run(20_000);

    assert!(bench.phones[&CALLER].got.is_empty());
    assert!(bench.phones[&AGENT].got.iter().all(|got| got.payload.iter().all(|byte| *byte == 0xff)));
    assert!(bench.core.stats(CALLER).refused > 900);
    assert_eq!(failures(&bench), [], "a phone that waits for its answer has time");
    assert!(!bench.reports.iter().any(|(leg, ..)| *leg == CALLER));

    // What was heard last is a clip that begins when it can be heard.
    bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(&phone, DtlsRole::Client)));
    bench.shake(CALLER, Component::Rtp);
    bench.clear();
    bench.run(3_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
}

#[test]
fn a_handshake_without_an_end_is_told_of() {
    let phone = Identity::generate().unwrap();
    // We begin, and nobody is there.
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let params = told(&bench, &phone, DtlsRole::Client, RtcpTo::Mux);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.run(11_900);
    assert!(bench.shaken > 15, "it was tried again and again: {}", bench.shaken);
    assert_eq!(failures(&bench), []);
    bench.run(200);
    assert_eq!(failures(&bench), [SecureFailure::Handshake]);

    // They begin, and are gone: what they sent is all that comes.
    let mut bench = secure(&phone, ROLES[0], RtcpTo::Mux, u64::MAX << 2);
    bench.hands.clear();
    bench.run(12_100);
    assert_eq!(failures(&bench), [SecureFailure::Handshake]);
    bench.command(Command::Remove { leg: CALLER });
    bench.command(Command::Remove { leg: AGENT });
    bench.core.assert_empty();
}

#[test]
fn a_first_flight_that_overtakes_the_answer_is_kept_for_it() {
    let phone = Identity::generate().unwrap();
    let mut bench = Bench::new();
    bench.add_phone(AGENT, Codec::Pcmu, 1_000.0);
    bench.add_phone_without_answer(CALLER, Codec::Pcmu, 440.0);
    bench.join(CALLER, AGENT);
    bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(&phone, DtlsRole::Client)));
    bench.shake(CALLER, Component::Rtp);
    bench.run(100);
    assert!(bench.hands[&(CALLER, Component::Rtp)].outcome.is_none());
    let params = told(&bench, &phone, DtlsRole::Server, RtcpTo::Mux);
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    assert_eq!(bench.hands[&(CALLER, Component::Rtp)].ended, Some(100), "without waiting for it to be sent again");
    bench.run(3_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
}

#[test]
fn a_phone_behind_a_nat_is_found_by_its_first_flight() {
    let phone = Identity::generate().unwrap();
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(&phone, DtlsRole::Client)));
    let inner = "10.0.0.9:4000".parse().unwrap();
    let params = RtpParams { remote: inner, ..told(&bench, &phone, DtlsRole::Server, RtcpTo::Mux) };
    bench.command(Command::UpdateRtp { leg: CALLER, params });
    bench.shake(CALLER, Component::Rtp);
    bench.run(500);
    bench.clear();
    bench.run(3_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
}

#[test]
fn keys_stay_over_a_hold_and_change_with_the_association() {
    let phone = Identity::generate().unwrap();
    let mut bench = secure(&phone, ROLES[0], RtcpTo::Mux, 0);
    bench.run(1_000);
    let first = bench.hands[&(CALLER, Component::Rtp)].outcome;
    let shaken = bench.shaken;
    let open = told(&bench, &phone, DtlsRole::Server, RtcpTo::Mux);
    bench.command(Command::UpdateRtp { leg: CALLER, params: RtpParams { flow: Flow::Neither, ..open.clone() } });
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.run(40_000);
    // It counts on while it is held.
    let now = bench.now;
    let caller = bench.phones.get_mut(&CALLER).unwrap();
    caller.count_on(70_000);
    caller.tone = Some(440.0);
    caller.speak_from(now);
    bench.command(Command::UpdateRtp { leg: CALLER, params: open.clone() });
    bench.run(500);
    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
    assert_eq!(bench.shaken, shaken, "no second handshake");

    // Another device takes its place.
    let other = Identity::generate().unwrap();
    bench.hands.insert((CALLER, Component::Rtp), Hand::new(Handshake::new(&other, DtlsRole::Client)));
    let renewed = RtpParams { security: Security::Dtls(dtls(other.fingerprint(), DtlsRole::Server, 2)), ..open };
    bench.command(Command::UpdateRtp { leg: CALLER, params: renewed });
    bench.clear();
    bench.run(500);
    assert!(bench.phones[&CALLER].got.is_empty(), "the old keys are of no use");
    bench.shake(CALLER, Component::Rtp);
    bench.run(500);
    assert_ne!(bench.hands[&(CALLER, Component::Rtp)].outcome, first);
    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
}

#[test]
fn our_own_numbers_roll_over_under_keys_of_a_handshake() {
    let phone = Identity::generate().unwrap();
    let mut bench = secure(&phone, ROLES[1], RtcpTo::Mux, 0);
    bench.phones.get_mut(&CALLER).unwrap().tone = None;
    bench.command(Command::Hear { leg: CALLER, source: Source::Silence });
    // The phone of the test panics at a packet it cannot decrypt.
    bench.run(1_400_000);
    let got = &bench.phones[&CALLER].got;
    assert!(got.len() > 69_000 && got.windows(2).any(|pair| pair[1].sequence < pair[0].sequence));
}

#[test]
fn what_strangers_send_neither_breaks_nor_ends_it() {
    let phone = Identity::generate().unwrap();
    let mut bench = secure(&phone, ROLES[0], RtcpTo::NextPort, 0);
    bench.run(200);
    let at = bench.phones[&CALLER].address;
    let stranger = "203.0.113.200:9".parse().unwrap();
    let mut state = 1_u64;
    for round in 0..3_000_u32 {
        let length = usize::try_from(round % 200).unwrap();
        let mut bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        if let Some([kind, major, minor]) = bytes.first_chunk_mut::<3>() {
            (*kind, *major, *minor) = (20 + *kind % 6, 254, 253);
        }
        for from in [at, stranger] {
            bench.input(Input::Rtp { leg: CALLER, from, bytes: &bytes });
            bench.input(Input::Rtcp { leg: CALLER, from, bytes: &bytes });
        }
    }
    let plain = RtpPacket { marker: false, payload_type: 0, sequence: 1, timestamp: 0, ssrc: 1, payload: &[0; 160] };
    bench.input(Input::Rtp { leg: CALLER, from: at, bytes: &plain.to_bytes() });
    assert_eq!(failures(&bench), []);
    bench.clear();
    bench.run(3_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_000.0);
}
