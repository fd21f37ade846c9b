//! Offers and answers as trunks send them.

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{
    AudioCodec, Direction, DtlsDescription, Keying, MAX_MEDIA, OfferTerms, Protection, SdpError, Secrecy,
    SessionDescription, Setup, accept_answer, accepted_keys, answer, answer_by, offer, offer_by,
};

const BOTH: [AudioCodec; 2] = [AudioCodec::Pcmu, AudioCodec::Pcma];

/// A trunk's offer: video first, then audio with a codec we lack, with telephone events on an unusual number.
const TRUNK: &str = "v=0\r\no=carrier 18446744073709551616 7 IN IP4 198.51.100.1\r\ns=call\r\nb=AS:64\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n\
a=sendrecv\r\nm=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 7000 RTP/AVP 18 8 0 97\r\na=rtpmap:18 G729/8000\r\n\
a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-16\r\na=ptime:30\r\nm=audio 7002 RTP/AVP 0\r\nm=image 0 udptl t38\r\n";

fn local() -> SocketAddr {
    "203.0.113.5:20000".parse().unwrap()
}

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn with_media(media: &str) -> SessionDescription {
    parse(&format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{media}"))
}

#[test]
fn one_audio_line_is_accepted_and_all_others_are_refused_in_place() {
    let (ours, audio) = answer(&parse(TRUNK), local(), 5, 6, &BOTH).unwrap();

    assert_eq!((audio.codec, audio.payload_type, audio.dtmf), (AudioCodec::Pcmu, 0, Some(97)));
    assert_eq!(audio.remote, "198.51.100.2:7000".parse().unwrap());
    assert_eq!(audio.remote_direction, Direction::SendRecv);
    // RFC 3264 §6: "The answer to an offered session description is based on the offered session description. […] For
    // each "m=" line in the offer, there MUST be a corresponding "m=" line in the answer."
    let ports: Vec<_> = ours.media.iter().map(|media| (media.kind.as_str(), media.port)).collect();
    assert_eq!(ports, [("video", 0), ("audio", 20000), ("audio", 0), ("image", 0)]);
    assert_eq!(ours.media[1].formats, ["0", "97"]);
    let text = ours.to_string();
    assert!(
        text.starts_with("v=0\r\no=- 5 6 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n"),
        "{text}"
    );
    for line in
        ["a=rtpmap:0 PCMU/8000", "a=rtpmap:97 telephone-event/8000", "a=fmtp:97 0-15", "a=ptime:20", "a=sendrecv"]
    {
        assert!(text.contains(&format!("{line}\r\n")), "{text}");
    }
}

#[test]
fn our_preference_decides() {
    let preferring = |codecs: &[AudioCodec]| answer(&parse(TRUNK), local(), 1, 1, codecs).unwrap().1.codec;
    assert_eq!(preferring(&[AudioCodec::Pcma, AudioCodec::Pcmu]), AudioCodec::Pcma);
    assert_eq!(preferring(&[AudioCodec::Pcmu]), AudioCodec::Pcmu);
}

#[test]
fn without_a_common_codec_there_is_no_answer() {
    let fails = |media: &str| answer(&with_media(media), local(), 1, 1, &BOTH).unwrap_err();
    assert_eq!(fails("m=audio 4000 RTP/AVP 18 9\n"), SdpError::NoCommonCodec);
    // Number 0 mapped to something else, and PCMU at another rate, are not G.711.
    assert_eq!(fails("m=audio 4000 RTP/AVP 0\na=rtpmap:0 L16/8000\n"), SdpError::NoCommonCodec);
    assert_eq!(fails("m=audio 4000 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n"), SdpError::NoCommonCodec);
    assert_eq!(fails("m=audio 4000 RTP/SAVP 0\n"), SdpError::NoAudio);
    assert_eq!(fails("m=audio 0 RTP/AVP 0\n"), SdpError::NoAudio);
    assert_eq!(fails("m=video 4000 RTP/AVP 0\n"), SdpError::NoAudio);
    assert_eq!(fails("m=audio 4000 RTP/AVP 0\nc=IN IP4 media.example.com\n"), SdpError::NoAddress);
}

#[test]
fn dynamic_numbers_are_kept() {
    let described =
        with_media("m=audio 4000 RTP/AVP 100 101\na=rtpmap:100 pcma/8000/1\na=rtpmap:101 telephone-event/8000\n");
    let (ours, audio) = answer(&described, local(), 1, 1, &BOTH).unwrap();
    assert_eq!((audio.codec, audio.payload_type, audio.dtmf), (AudioCodec::Pcma, 100, Some(101)));
    assert_eq!(ours.media[0].rtpmap(100), Some("PCMA/8000"));
}

#[test]
fn hold_is_seen_in_both_its_forms() {
    let direction = |media: &str| {
        let (ours, audio) = answer(&with_media(media), local(), 1, 1, &BOTH).unwrap();
        (audio.remote_direction, ours.media[0].direction.unwrap())
    };
    // RFC 3264 §6.1: "If a stream is offered as sendonly, the corresponding stream MUST be marked as recvonly or
    // inactive in the answer."
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\na=sendonly\n"), (Direction::SendOnly, Direction::RecvOnly));
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\na=recvonly\n"), (Direction::RecvOnly, Direction::SendOnly));
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\na=inactive\n"), (Direction::Inactive, Direction::Inactive));
    assert_eq!(direction("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"), (Direction::SendOnly, Direction::RecvOnly));
    assert!(!direction("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n").0.receives());
}

#[test]
fn the_direction_of_the_session_counts_unless_the_m_line_has_its_own() {
    let session = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\na=inactive\nm=audio 4000 RTP/AVP 0\n";
    assert_eq!(answer(&parse(session), local(), 1, 1, &BOTH).unwrap().1.remote_direction, Direction::Inactive);
    let own = format!("{session}a=sendrecv\n");
    assert_eq!(answer(&parse(&own), local(), 1, 1, &BOTH).unwrap().1.remote_direction, Direction::SendRecv);
}

#[test]
fn our_offer_is_answered_over_ipv6() {
    let local: SocketAddr = "[2001:db8::5]:20000".parse().unwrap();
    let ours = offer(local, 9, 1, &BOTH, Direction::SendRecv);
    assert!(ours.to_string().contains("c=IN IP6 2001:db8::5\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\n"));
    let there: SocketAddr = "[2001:db8::6]:30000".parse().unwrap();
    let (theirs, seen_there) = answer(&ours, there, 3, 3, &[AudioCodec::Pcma]).unwrap();

    let audio = accept_answer(&ours, &parse(&theirs.to_string())).unwrap();

    assert_eq!((audio.codec, audio.payload_type, audio.dtmf, audio.remote), (AudioCodec::Pcma, 8, Some(101), there));
    assert_eq!(seen_there.remote, local);
}

#[test]
fn an_answer_must_fit_the_offer() {
    let ours = offer(local(), 9, 1, &[AudioCodec::Pcmu], Direction::SendRecv);
    assert_eq!(accept_answer(&ours, &with_media("m=audio 4000 RTP/AVP 8\n")), Err(SdpError::NoCommonCodec));
    assert_eq!(accept_answer(&ours, &with_media("m=audio 0 RTP/AVP 0\n")), Err(SdpError::NoAudio));
    assert_eq!(accept_answer(&ours, &with_media("")), Err(SdpError::NoAudio));
    let hold = with_media("m=audio 4000 RTP/AVP 0\na=recvonly\n");
    assert_eq!(accept_answer(&ours, &hold).unwrap().remote_direction, Direction::RecvOnly);
    assert_eq!(accept_answer(&ours, &hold).unwrap().dtmf, None);
}

#[test]
fn malformed_descriptions_are_refused() {
    for (text, error) in [
        ("", SdpError::Line(1)),
        ("v=1\n", SdpError::Line(1)),
        ("v=0\no=x\n", SdpError::Line(2)),
        ("v=0\nno equals sign\n", SdpError::Line(2)),
        ("v=0\nm=audio 70000 RTP/AVP 0\n", SdpError::Line(2)),
        ("v=0\nm=audio 4000 RTP/AVP\n", SdpError::Line(2)),
        ("v=0\nc=IN IP5 x\n", SdpError::Line(2)),
    ] {
        assert_eq!(SessionDescription::parse(text.as_bytes()), Err(error), "{text:?}");
    }
    let many = format!("v=0\n{}", "m=audio 4000 RTP/AVP 0\n".repeat(MAX_MEDIA + 1));
    assert_eq!(SessionDescription::parse(many.as_bytes()), Err(SdpError::TooLarge));
    assert_eq!(SessionDescription::parse(&vec![b'v'; 20_000]), Err(SdpError::TooLarge));
}

#[test]
fn printing_and_parsing_agree() {
    let once = parse(TRUNK);
    assert_eq!(parse(&once.to_string()), once);
}

#[test]
fn mutated_descriptions_never_panic_and_answers_can_be_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(8866);
    let mut answered = 0;
    for _ in 0..50_000 {
        let mut bytes = TRUNK.as_bytes().to_vec();
        for _ in 0..=rng.next_u32() % 3 {
            let at = rng.next_u32() as usize % bytes.len();
            match rng.next_u32() % 4 {
                0 => bytes[at] ^= 1 << (rng.next_u32() % 8),
                1 => drop(bytes.drain(at..(at + 9).min(bytes.len() - 1).max(at))),
                2 => drop(bytes.splice(at..at, "99999999999".bytes())),
                _ => drop(bytes.splice(at..at, [0xC3, 0x28, b'\r'])),
            }
        }
        if let Ok(described) = SessionDescription::parse(&bytes)
            && let Ok((ours, _)) = answer(&described, local(), 1, 1, &BOTH)
        {
            assert_eq!(ours.media.len(), described.media.len());
            parse(&ours.to_string());
            answered += 1;
        }
    }
    assert!(answered > 10_000, "{answered}");
}

const THEIR_KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

#[test]
fn encrypted_audio_is_answered_by_its_profile_with_a_key_of_ours() {
    let both =
        format!("m=audio 4000 RTP/SAVP 0\na=crypto:{THEIR_KEY}\na=crypto:2 F8 inline:x\nm=audio 4002 RTP/AVP 0\n");
    let mut seen = Vec::new();
    let mut keys = |theirs: &Keying, _| {
        seen.push(theirs.clone());
        Some(Keying::Sdes(vec!["1 OURS".to_owned()]))
    };
    let (ours, audio) = answer_by(&with_media(&both), local(), (1, 1), &BOTH, Secrecy::Either(&mut keys)).unwrap();
    assert_eq!(audio.protection, Protection::Sdes);
    assert_eq!(seen, [Keying::Sdes(vec![THEIR_KEY.to_owned(), "2 F8 inline:x".to_owned()])]);
    let text = ours.to_string();
    assert!(text.contains("m=audio 20000 RTP/SAVP 0\r\na=crypto:1 OURS\r\n"), "{text}");
    assert!(text.contains("m=audio 0 RTP/AVP 0\r\n"), "{text}");
    assert_eq!(accepted_keys(&parse(&text)), Some(Keying::Sdes(vec!["1 OURS".to_owned()])));

    // Keys that nobody can use: the second line is taken, if it may be.
    let mut none = |_: &Keying, _| None;
    let (_, audio) = answer_by(&with_media(&both), local(), (1, 1), &BOTH, Secrecy::Either(&mut none)).unwrap();
    assert!(audio.protection == Protection::Clear && audio.remote.port() == 4002);
    let refused = answer_by(&with_media(&both), local(), (1, 1), &BOTH, Secrecy::Required(&mut none));
    assert_eq!(refused.unwrap_err(), SdpError::NotEncrypted);
    let plain = with_media("m=audio 4000 RTP/AVP 0\n");
    let refused =
        answer_by(&plain, local(), (1, 1), &BOTH, Secrecy::Required(&mut |_, _| Some(Keying::Sdes(Vec::new()))));
    assert_eq!(refused.unwrap_err(), SdpError::NotEncrypted);
}

#[test]
fn what_is_offered_encrypted_is_not_taken_in_the_clear() {
    let terms = OfferTerms { keying: Some(Keying::Sdes(vec![THEIR_KEY.to_owned()])), ..OfferTerms::new(&BOTH) };
    let ours = offer_by(local(), (1, 1), &terms);
    assert!(ours.to_string().contains(&format!("m=audio 20000 RTP/SAVP 0 8 101\r\na=crypto:{THEIR_KEY}\r\n")));
    let of = |media: &str| accept_answer(&ours, &with_media(media));
    assert_eq!(of("m=audio 4000 RTP/SAVP 0\na=crypto:1 X\n").unwrap().protection, Protection::Sdes);
    assert_eq!(of("m=audio 4000 RTP/AVP 0\n"), Err(SdpError::NotEncrypted));
    let plain = offer(local(), 1, 1, &BOTH, Direction::SendRecv);
    assert_eq!(accept_answer(&plain, &with_media("m=audio 4000 RTP/SAVP 0\n")), Err(SdpError::NoAudio));
}

#[test]
fn opus_is_taken_where_it_is_liked_best_and_keys_go_with_it() {
    let all = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::Opus];
    let taken = |media: &str| {
        let (ours, audio) = answer(&with_media(media), local(), 1, 1, &all).unwrap();
        (audio.codec, audio.payload_type, audio.dtmf, ours.media[0].attributes.join("|"))
    };
    let opus = "a=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n";
    let with_events = format!("m=audio 4000 RTP/AVP 96 0 101 97\n{opus}a=rtpmap:97 telephone-event/48000\n");
    let (codec, number, dtmf, said) = taken(&with_events);
    assert_eq!((codec, number, dtmf), (AudioCodec::Opus, 96, Some(97)));
    assert!(
        said.starts_with("rtpmap:96 opus/48000/2|fmtp:96 useinbandfec=1|rtpmap:97 telephone-event/48000"),
        "{said}"
    );
    assert_eq!(taken(&with_events.replace("96 0 101", "0 96 101")).0, AudioCodec::Pcmu, "it is liked less");
    assert_eq!(taken(&format!("m=audio 4000 RTP/AVP 96 0 101\n{opus}")).0, AudioCodec::Pcmu, "keys of another clock");
    assert_eq!(taken("m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n").0, AudioCodec::Opus, "no keys at all");
    let alone = taken(&format!("m=audio 4000 RTP/AVP 96 101\n{opus}"));
    assert_eq!((alone.0, alone.2), (AudioCodec::Opus, None), "better than no call");
    assert_eq!(answer(&with_media(&with_events), local(), 1, 1, &BOTH).unwrap().1.codec, AudioCodec::Pcmu);

    let ours = offer(local(), 1, 1, &all, Direction::SendRecv);
    assert!(ours.to_string().contains("m=audio 20000 RTP/AVP 0 8 111 101 110\r\n"), "{ours}");
    let theirs =
        with_media("m=audio 4000 RTP/AVP 111 110\na=rtpmap:111 opus/48000/2\na=rtpmap:110 telephone-event/48000\n");
    let audio = accept_answer(&ours, &theirs).unwrap();
    assert_eq!((audio.codec, audio.dtmf), (AudioCodec::Opus, Some(110)));
    // RFC 3264 §8.3.2: "the mapping from a particular dynamic payload type number to a particular codec within that
    // media stream MUST NOT change for the duration of a session".
    let again = offer_by(local(), (1, 2), &OfferTerms::again(&super::NegotiatedAudio { payload_type: 110, ..audio }));
    assert!(again.to_string().contains("RTP/AVP 110 111\r\na=rtpmap:110 opus/48000/2\r\n"), "{again}");
}

const FINGERPRINT: &str =
    "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";

fn dtls(setup: Setup, tls_id: Option<&str>) -> Keying {
    let fingerprints = vec![FINGERPRINT.to_owned()];
    Keying::Dtls(DtlsDescription { fingerprints, setup, tls_id: tls_id.map(str::to_owned) })
}

#[test]
fn a_handshake_is_offered_and_answered_by_its_profile_and_its_certificates() {
    let terms = OfferTerms { keying: Some(dtls(Setup::Actpass, Some("id-1"))), mux: true, ..OfferTerms::new(&BOTH) };
    let ours = offer_by(local(), (1, 1), &terms);
    let wanted = format!(
        "m=audio 20000 UDP/TLS/RTP/SAVP 0 8 101\r\na=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\na=tls-id:id-1\r\na=rtcp-mux\r\n"
    );
    assert!(ours.to_string().contains(&wanted), "{ours}");

    let mut keys = |theirs: &Keying, _| {
        assert_eq!(*theirs, dtls(Setup::Actpass, Some("id-1")));
        Some(dtls(Setup::Passive, Some("id-2")))
    };
    let there: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    let (theirs, audio) = answer_by(&ours, there, (2, 1), &BOTH, Secrecy::Required(&mut keys)).unwrap();
    assert_eq!((audio.protection, audio.mux), (Protection::Dtls, true));
    let audio = accept_answer(&ours, &parse(&theirs.to_string())).unwrap();
    assert_eq!((audio.protection, audio.mux), (Protection::Dtls, true));
    assert_eq!(accepted_keys(&theirs), Some(dtls(Setup::Passive, Some("id-2"))));

    // Without a word of mux, control packets have their own port; keys in the answer are no handshake.
    let of = |media: &str| accept_answer(&ours, &with_media(media));
    let alone = of("m=audio 4000 UDP/TLS/RTP/SAVP 0\na=setup:active\na=fingerprint:x\n").unwrap();
    assert_eq!((alone.protection, alone.mux), (Protection::Dtls, false));
    assert_eq!(of("m=audio 4000 RTP/SAVP 0\na=crypto:1 X\n"), Err(SdpError::NotEncrypted));
    assert_eq!(of("m=audio 4000 RTP/AVP 0\n"), Err(SdpError::NotEncrypted));
}

#[test]
fn what_an_m_line_does_not_say_of_the_handshake_the_session_may() {
    let head = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";
    let of = |session: &str, media: &str| {
        let description = parse(&format!("{head}{session}m=audio 4000 {media}"));
        assert_eq!(parse(&description.to_string()), description);
        description.keying_of(&description.media[0])
    };
    let line = format!("a=fingerprint:{FINGERPRINT}\n");
    let said = of(&format!("{line}a=setup:actpass\n"), "UDP/TLS/RTP/SAVPF 0\n");
    assert_eq!(said, Some(dtls(Setup::Actpass, None)));
    let said = of("a=fingerprint:sha-1 00\na=setup:active\n", &format!("UDP/TLS/RTP/SAVP 0\n{line}a=setup:passive\n"));
    assert_eq!(said, Some(dtls(Setup::Passive, None)), "the m-line's own come first");
    assert_eq!(of("", &format!("UDP/TLS/RTP/SAVP 0\n{line}")), Some(dtls(Setup::Active, None)), "RFC 4145 §4");
    assert_eq!(of(&line, "RTP/SAVP 0\n"), Some(dtls(Setup::Active, None)), "the profile of before RFC 5764");
    let keys = of(&line, &format!("RTP/SAVP 0\na=crypto:{THEIR_KEY}\n"));
    assert_eq!(keys, Some(Keying::Sdes(vec![THEIR_KEY.to_owned()])));
    assert_eq!(of(&line, "RTP/AVP 0\n"), None);
}
