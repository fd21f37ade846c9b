//! Datagrams that nobody should have sent.

use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::bench::{AGENT, Bench, CALLER, THIRD};
use super::bridge::assert_hears;
use crate::core::Input;
use crate::packet::RtpPacket;
use crate::tone::sine;
use crate::{Codec, Command, G711, RecordingId};

#[test]
fn a_strangers_packets_reach_neither_the_other_leg_nor_the_recorder() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.command(Command::Record { leg: CALLER, recording: RecordingId::demo(1), max_ms: 60_000, silence_ms: None });
    let stranger: SocketAddr = "203.0.113.66:4000".parse().unwrap();
    let noise = G711::Mu.encode_all(&sine(1_700.0, 20, 30_000.0));
    for round in 0..300_u16 {
        bench.run(10);
        // With the caller's own numbers, and with others.
        let phone = &bench.phones[&CALLER];
        let (next, timestamp) = (phone.sequence, phone.timestamp);
        for (ssrc, sequence) in [(0xabc, next), (0xbad, round)] {
            let packet = RtpPacket { marker: true, payload_type: 0, sequence, timestamp, ssrc, payload: &noise };
            bench.input(Input::Rtp { leg: CALLER, from: stranger, bytes: &packet.to_bytes() });
        }
    }
    bench.command(Command::StopRecord { recording: RecordingId::demo(1) });

    assert_hears(&bench.phones[&AGENT].heard(), 440.0, 1_700.0);
    assert_hears(&bench.recorded, 440.0, 1_700.0);
}

#[test]
fn an_unknown_payload_type_and_a_repeated_packet_are_refused() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    bench.run(500);
    bench.clear();
    let phone = bench.phones.get_mut(&CALLER).unwrap();
    phone.tone = None;
    let from = phone.address;
    let whole = phone.packet(0, &[0x55; 160]);
    let other_codec = phone.packet(8, &[0x55; 160]);
    for bytes in [&whole, &whole, &other_codec, &whole] {
        bench.input(Input::Rtp { leg: CALLER, from, bytes });
    }

    assert_eq!(bench.phones[&AGENT].got.len(), 1);
}

/// Changes some bytes, cuts, or lengthens.
fn mutate(random: &mut ChaCha12Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.next_u32() % 4 {
        let at = random.next_u32() as usize % bytes.len().max(1);
        match random.next_u32() % 5 {
            0 => bytes.truncate(at),
            1 => bytes.resize(bytes.len() + at % 64, 0xff),
            2 if at < bytes.len() => bytes[at] ^= 1 << (random.next_u32() % 8),
            // Headers and lengths stand in front.
            3 if bytes.len() > 24 => bytes[at % 24] = random.next_u32().to_le_bytes()[0],
            _ if at < bytes.len() => bytes[at] = random.next_u32().to_le_bytes()[0],
            _ => {}
        }
    }
    bytes
}

#[test]
fn mutated_offers_and_candidates_break_nothing() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcmu]);
    let offer = bench.offer(THIRD, &[Codec::Pcmu, Codec::Pcma], 600.0);
    let candidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154";
    let mut random = ChaCha12Rng::seed_from_u64(2);
    bench.browsers.clear();
    for _ in 0..1_000 {
        let sdp = String::from_utf8_lossy(&mutate(&mut random, offer.as_bytes())).into_owned();
        bench.command(Command::PeerOffer { leg: THIRD, sdp });
        let candidate = String::from_utf8_lossy(&mutate(&mut random, candidate.as_bytes())).into_owned();
        bench.command(Command::PeerCandidate { leg: THIRD, candidate });
    }
    bench.command(Command::Remove { leg: THIRD });

    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
}

#[test]
fn a_hundred_thousand_mutated_datagrams_break_nothing() {
    let mut bench = Bench::two_phones([Codec::Pcmu, Codec::Pcma]);
    let sdp = bench.offer(THIRD, &[Codec::Pcmu], 600.0);
    bench.command(Command::PeerOffer { leg: THIRD, sdp });
    bench.run(500);
    // Everything a browser sends, from its first check over the handshake to its media.
    let mut seen = bench.browsers[&THIRD].sent.clone();
    assert!([0..4, 20..64, 128..192].iter().all(|kind| seen.iter().any(|bytes| kind.contains(&bytes[0]))));
    seen.extend([(0..=255).collect(), vec![22; 64], vec![0; 20]]);
    let browser_address = bench.browsers[&THIRD].address;
    let phone_address = bench.phones[&CALLER].address;
    for kind in [0, 101, 8, 72] {
        seen.push(bench.phones.get_mut(&CALLER).unwrap().packet(kind, &[0x55; 160]));
    }
    let mut random = ChaCha12Rng::seed_from_u64(1);
    let strangers: SocketAddr = "203.0.113.66:6666".parse().unwrap();
    for round in 0..100_000_u32 {
        let pick = random.next_u32() as usize % seen.len();
        let bytes = mutate(&mut random, &seen[pick]);
        let from = if round % 2 == 0 { strangers } else { browser_address };
        bench.core.handle_input(bench.now, Input::WebRtc { from, bytes: &bytes });
        let from = if round % 2 == 0 { strangers } else { phone_address };
        bench.core.handle_input(bench.now, Input::Rtp { leg: CALLER, from, bytes: &bytes });
        bench.core.handle_input(bench.now, Input::Rtcp { leg: CALLER, from, bytes: &bytes });
        bench.drain();
        if round % 1_000 == 0 {
            bench.run(20);
        }
    }

    // The other leg never noticed, and the one that was shot at still works once it is told anew.
    bench.clear();
    bench.run(2_000);
    assert_hears(&bench.phones[&CALLER].heard(), 1_000.0, 440.0);
    for leg in [CALLER, AGENT, THIRD] {
        bench.command(Command::Remove { leg });
    }
    bench.core.assert_empty();
}
