//! Encrypted legs, codecs of the settings, and header fields that go from one leg to the other.

use cordboard_media::dtls::{DtlsParams, DtlsRole, Fingerprint, SecureFailure};
use cordboard_media::srtp::SrtpParams;
use cordboard_media::{BrowserCodecs, Codec, RtcpTo, RtpParams, Security};
use cordboard_shared::call::StepKind;
use cordboard_shared::telephony::{Encryption, InboundTrunk, SoundCodec, Telephony};
use cordboard_sip::sdp::{DtlsDescription, Keying, OfferTerms, Secrecy, SessionDescription, Setup};

use super::outside::{invites, open, set_telephony, with_trunk};
use super::*;

const LINE: &str = "AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
const OTHER_LINE: &str = "AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";

fn settings(floor: &Floor) -> Telephony {
    Telephony::clone(&floor.center.directory.telephony)
}

fn secure_offer(line: &str) -> Vec<u8> {
    let terms =
        OfferTerms { keying: Some(Keying::Sdes(vec![format!("4 {line}")])), ..OfferTerms::new(&[AudioCodec::Pcmu]) };
    sdp::offer_by("127.0.0.1:4000".parse().unwrap(), (1, 1), &terms).to_bytes()
}

fn secure_answer(offer: &[u8], line: &str) -> Vec<u8> {
    let offer = SessionDescription::parse(offer).unwrap();
    let mut keys = |_: &Keying, _| Some(Keying::Sdes(vec![line.to_owned()]));
    let local = "127.0.0.1:4100".parse().unwrap();
    sdp::answer_by(&offer, local, (1, 1), &[AudioCodec::Pcmu], Secrecy::Required(&mut keys)).unwrap().0.to_bytes()
}

/// What the media leg was told last.
fn params(floor: &Floor, leg: LegId) -> Option<RtpParams> {
    floor.seen.iter().rev().find_map(|it| match it {
        Effect::Media(Media::UpdateRtp { leg: of, params }) if *of == leg => Some(params.clone()),
        Effect::Media(Media::AddRtp { leg: of, params }) if *of == leg => params.clone(),
        _ => None,
    })
}

fn keys(floor: &Floor, leg: LegId) -> Option<SrtpParams> {
    match params(floor, leg)?.security {
        Security::Sdes(keys) => Some(keys),
        Security::Clear | Security::Dtls(_) => None,
    }
}

fn dtls_of(params: &RtpParams) -> &DtlsParams {
    match &params.security {
        Security::Dtls(dtls) => dtls,
        other => panic!("{other:?}"),
    }
}

fn answered_with(floor: &mut Floor) -> String {
    let Some(Sip::AnswerOffer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::AnswerOffer { .. })) else {
        panic!("no answer")
    };
    String::from_utf8(sdp).unwrap()
}

#[test]
fn an_encrypted_call_is_answered_encrypted_and_its_keys_stay_while_theirs_do() {
    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", SUPPORT, Some(secure_offer(LINE)));
    let call = floor.opened();
    let first = keys(&floor, call.leg).expect("encrypted");
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else { panic!() };
    let said = String::from_utf8(sdp).unwrap();
    assert!(said.contains("RTP/SAVP 0") && said.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:"), "{said}");

    // Held by them with the same key, under another tag.
    let again =
        String::from_utf8(secure_offer(LINE)).unwrap().replace("crypto:4", "crypto:1").replace("sendrecv", "sendonly");
    let reinvite = |sdp: String| Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(sdp.into_bytes()) });
    floor.feed(reinvite(again));
    assert_eq!(keys(&floor, call.leg), Some(first));
    assert!(answered_with(&mut floor).contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));

    // Another device with another key and suite.
    floor.feed(reinvite(String::from_utf8(secure_offer(OTHER_LINE)).unwrap()));
    let renewed = keys(&floor, call.leg).expect("encrypted");
    assert!(renewed.local != first.local && renewed.remote != first.remote && renewed.suite != first.suite);
    assert!(answered_with(&mut floor).contains("a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:"));
}

#[test]
fn a_trunk_that_must_encrypt_is_refused_in_the_clear_and_offered_keys_when_it_asks() {
    let mut floor = Floor::new();
    let trunk = floor.center.directory.telephony.trunks[0].id;
    let inbound = vec![InboundTrunk { trunk, encryption: Encryption::Required }];
    let telephony = Telephony { inbound, ..settings(&floor) };
    set_telephony(&mut floor, telephony);
    floor.invite("127.0.0.1:5070", SUPPORT, Some(offer()));
    assert!(floor.rejected_with(488));

    floor.invite("127.0.0.1:5070", SUPPORT, None);
    let call = floor.opened();
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else { panic!() };
    let answer = secure_answer(&sdp, &format!("1 {LINE}"));
    floor.feed(Input::Sip(SipEvent::Confirmed { dialog: call.dialog, sdp: Some(answer) }));
    assert!(keys(&floor, call.leg).is_some());

    // In the middle of the call, too.
    let plain = Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(offer()) });
    floor.feed(plain);
    assert!(floor.commanded(|it| matches!(it, Sip::RejectOffer { status: 488, .. })).is_some());
    assert!(keys(&floor, call.leg).is_some(), "it goes on as it was");
}

#[test]
fn a_way_out_that_encrypts_offers_nothing_else_and_holds_with_the_key_it_has() {
    let mut floor = with_trunk();
    let mut telephony = settings(&floor);
    telephony.outbound[0].encryption = Encryption::Required;
    set_telephony(&mut floor, telephony);
    let asha = SocketId(1);
    floor.sign_in(asha, ASHA);
    let dial = ClientMessage::Dial { to: "+447700900601".to_owned(), department: None, device: None, callback: None };
    let id: CallId = floor.client(asha, dial).unwrap()["call"].as_str().unwrap().parse().unwrap();
    floor.browser_up(asha, id);
    let far = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    let said = String::from_utf8(invitation.sdp.clone()).unwrap();
    assert!(said.contains("RTP/SAVP 0 8 101") && said.matches("a=crypto:").count() == 2, "{said}");

    let dialog = invitation.dialog;
    let sdp = Some(secure_answer(&invitation.sdp, &format!("1 {LINE}")));
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp }));
    let first = keys(&floor, far).expect("encrypted");
    floor.client(asha, ClientMessage::Hold { call: id }).unwrap();
    let Some(Sip::Offer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Offer { .. })) else { panic!() };
    let held = String::from_utf8(sdp.clone()).unwrap();
    let line = |text: &str| text.lines().find(|line| line.starts_with("a=crypto:")).map(str::to_owned);
    assert_eq!((line(&held), held.matches("a=crypto:").count()), (line(&said), 1), "the same key, and no other");
    let sdp = Some(secure_answer(&sdp, &format!("1 {LINE}")));
    floor.feed(Input::Sip(SipEvent::OfferAnswered { dialog, sdp }));
    assert_eq!(keys(&floor, far), Some(first));
}

#[test]
fn an_encrypted_way_out_is_not_answered_in_the_clear() {
    let mut floor = with_trunk();
    let mut telephony = settings(&floor);
    telephony.outbound[0].encryption = Encryption::Required;
    set_telephony(&mut floor, telephony);
    let asha = SocketId(1);
    floor.sign_in(asha, ASHA);
    let dial = ClientMessage::Dial { to: "+447700900601".to_owned(), department: None, device: None, callback: None };
    let id: CallId = floor.client(asha, dial).unwrap()["call"].as_str().unwrap().parse().unwrap();
    floor.browser_up(asha, id);
    open(&mut floor);
    let dialog = invites(&floor).pop().unwrap().dialog;
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp: Some(offer()) }));
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { dialog: of } if *of == dialog)).is_some());
    assert_eq!(floor.center.active_calls(), 0);
}

fn certificate(name: &str) -> Fingerprint {
    Fingerprint::of(name.as_bytes())
}

fn handshake(name: &str, setup: Setup) -> Keying {
    let fingerprints = vec![certificate(name).to_string()];
    Keying::Dtls(DtlsDescription { fingerprints, setup, tls_id: None })
}

fn dtls_offer(name: &str, setup: Setup, mux: bool) -> Vec<u8> {
    let terms = OfferTerms { keying: Some(handshake(name, setup)), mux, ..OfferTerms::new(&[AudioCodec::Pcmu]) };
    sdp::offer_by("127.0.0.1:4000".parse().unwrap(), (1, 1), &terms).to_bytes()
}

fn dtls_answer(offer: &[u8], name: &str, setup: Setup) -> Vec<u8> {
    let offer = SessionDescription::parse(offer).unwrap();
    let mut keys = |theirs: &Keying, _| {
        let Keying::Dtls(theirs) = theirs else { panic!("{theirs:?}") };
        assert_eq!((theirs.setup, theirs.fingerprints.len()), (Setup::Actpass, 1), "RFC 5763 §5");
        Some(handshake(name, setup))
    };
    let local = "127.0.0.1:4100".parse().unwrap();
    sdp::answer_by(&offer, local, (1, 1), &[AudioCodec::Pcmu], Secrecy::Required(&mut keys)).unwrap().0.to_bytes()
}

fn with_certificate(mut floor: Floor) -> Floor {
    floor.center.set_fingerprint(certificate("ours"));
    floor
}

#[test]
fn a_handshake_is_answered_by_the_part_that_waits_and_stays_over_a_hold() {
    let mut floor = with_certificate(Floor::new());
    floor.invite("127.0.0.1:5070", SUPPORT, Some(dtls_offer("phone", Setup::Actpass, true)));
    let call = floor.opened();
    let first = params(&floor, call.leg).unwrap();
    let dtls = dtls_of(&first);
    assert_eq!((dtls.role, first.rtcp), (DtlsRole::Server, RtcpTo::Mux));
    assert_eq!(dtls.fingerprints[..], [certificate("phone")]);
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else { panic!() };
    let said = String::from_utf8(sdp).unwrap();
    let wanted = format!(
        " UDP/TLS/RTP/SAVP 0 101\r\na=fingerprint:{}\r\na=setup:passive\r\na=rtcp-mux\r\n",
        certificate("ours")
    );
    assert!(said.contains(&wanted) && !said.contains("crypto:") && !said.contains("tls-id"), "{said}");

    let held = String::from_utf8(dtls_offer("phone", Setup::Actpass, true)).unwrap().replace("sendrecv", "sendonly");
    let reinvite = |sdp: Vec<u8>| Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(sdp) });
    floor.feed(reinvite(held.into_bytes()));
    assert_eq!(dtls_of(&params(&floor, call.leg).unwrap()), dtls);
    assert!(answered_with(&mut floor).contains("a=setup:passive"));

    // Another device comes in.
    floor.feed(reinvite(dtls_offer("other", Setup::Actpass, false)));
    let renewed = params(&floor, call.leg).unwrap();
    let other = dtls_of(&renewed);
    assert_eq!((other.association, &other.fingerprints[..]), (dtls.association + 1, &[certificate("other")][..]));
    assert_eq!(renewed.rtcp, RtcpTo::NextPort);
}

#[test]
fn a_handshake_of_ours_waits_for_our_answer() {
    let mut floor = with_certificate(Floor::new());
    floor.invite("127.0.0.1:5070", SUPPORT, Some(dtls_offer("phone", Setup::Passive, true)));
    let call = floor.opened();
    let told = |it: &Effect| match it {
        Effect::Media(Media::AddRtp { params, .. }) => params.is_some(),
        _ => false,
    };
    assert!(!floor.seen.iter().any(told), "nobody knows our certificate before our answer");
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else { panic!() };
    assert!(String::from_utf8(sdp).unwrap().contains("a=setup:active"));
    assert_eq!(dtls_of(&params(&floor, call.leg).unwrap()).role, DtlsRole::Client);
}

#[test]
fn a_handshake_is_offered_where_the_settings_say_so_and_nothing_else_is_taken() {
    let mut floor = with_certificate(with_trunk());
    let trunk = floor.center.directory.telephony.trunks[0].id;
    let mut telephony = settings(&floor);
    telephony.outbound[0].encryption = Encryption::Dtls;
    telephony.inbound = vec![InboundTrunk { trunk, encryption: Encryption::Dtls }];
    set_telephony(&mut floor, telephony);
    for refused in [offer(), secure_offer(LINE)] {
        floor.seen.clear();
        floor.invite("127.0.0.1:5070", SUPPORT, Some(refused));
        assert!(floor.rejected_with(488));
    }
    let asha = SocketId(1);
    floor.sign_in(asha, ASHA);
    let dial = ClientMessage::Dial { to: "+447700900601".to_owned(), department: None, device: None, callback: None };
    let id: CallId = floor.client(asha, dial).unwrap()["call"].as_str().unwrap().parse().unwrap();
    floor.browser_up(asha, id);
    let far = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    let said = String::from_utf8(invitation.sdp.clone()).unwrap();
    assert!(
        said.contains("UDP/TLS/RTP/SAVP 0 8 101") && said.contains("a=tls-id:") && said.contains("a=rtcp-mux"),
        "{said}"
    );

    let dialog = invitation.dialog;
    let sdp = Some(dtls_answer(&invitation.sdp, "phone", Setup::Active));
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp }));
    let first = params(&floor, far).unwrap();
    assert_eq!(dtls_of(&first).role, DtlsRole::Server);
    assert_eq!(dtls_of(&first).fingerprints[..], [certificate("phone")]);
    floor.client(asha, ClientMessage::Hold { call: id }).unwrap();
    let Some(Sip::Offer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Offer { .. })) else { panic!() };
    let sdp = Some(dtls_answer(&sdp, "phone", Setup::Active));
    floor.feed(Input::Sip(SipEvent::OfferAnswered { dialog, sdp }));
    assert_eq!(dtls_of(&params(&floor, far).unwrap()), dtls_of(&first), "the association stays");

    // Its certificate turns out to be another one: the media core tells.
    let why = SecureFailure::Fingerprint;
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::SecureFailed { leg: far, why })));
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { dialog: of } if *of == dialog)).is_some());
    let ended = floor.logged().expect("a record");
    assert_eq!(ended.ended_by, Some(EndedBy::System));
    let step = ended.steps.iter().find(|step| step.what == StepKind::SoundRefused).expect("the record says why");
    assert!(step.text.as_ref().is_some_and(|text| text.0.contains("certificate")), "{step:?}");
}

#[test]
fn without_a_certificate_of_ours_a_handshake_is_refused() {
    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", SUPPORT, Some(dtls_offer("phone", Setup::Actpass, true)));
    assert!(floor.rejected_with(488));
}

#[test]
fn codecs_follow_the_settings() {
    let mut floor = Floor::new();
    let telephony = Telephony { browser_codec: SoundCodec::Opus, phone_codec: SoundCodec::Opus, ..settings(&floor) };
    set_telephony(&mut floor, telephony.clone());
    assert!(floor.took(|it| matches!(it, Effect::Media(Media::SetBrowserCodecs(BrowserCodecs::Opus)))));
    floor.seen.clear();
    set_telephony(&mut floor, telephony);
    assert!(!floor.took(|it| matches!(it, Effect::Media(Media::SetBrowserCodecs(_)))), "told once");

    let local = "127.0.0.1:4000".parse().unwrap();
    let liked = sdp::offer(local, 1, 1, &[AudioCodec::Opus, AudioCodec::Pcmu], sdp::Direction::SendRecv).to_bytes();
    floor.invite("127.0.0.1:5070", SUPPORT, Some(liked.clone()));
    let call = floor.opened();
    let params = params(&floor, call.leg).unwrap();
    assert_eq!((params.codec, params.payload_type, params.dtmf), (Codec::Opus, 111, Some(110)));

    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", SUPPORT, Some(liked));
    let call = floor.opened();
    assert_eq!(super::secure::params(&floor, call.leg).unwrap().codec, Codec::Pcmu, "nobody allowed it");
}

#[test]
fn allowed_header_fields_reach_the_desk_phone_and_no_others() {
    let mut floor = Floor::new();
    let telephony = Telephony { relay_headers: vec!["X-Order".to_owned()], ..settings(&floor) };
    set_telephony(&mut floor, telephony);
    floor.feed(Input::Sip(SipEvent::Registered { username: "1001".to_owned(), contacts: 1 }));
    let mut headers = Headers::default();
    for (name, value) in [
        ("User-to-User", "00c9;encoding=hex"),
        ("x-order", "7"),
        ("X-Other", "8"),
        ("Alert-Info", "<http://x>;info=alert-autoanswer"),
        ("P-Asserted-Identity", "<sip:boss@x>"),
    ] {
        headers.push_header(cordboard_sip::message::Header::new(name, value));
    }
    floor.invite_with("127.0.0.1:5070", SUPPORT, Some(offer()), headers);
    floor.opened();
    open(&mut floor);
    let invitation = invites(&floor).pop().expect("the desk phone rings");
    let pairs: Vec<_> = invitation.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("User-to-User", "00c9;encoding=hex"), ("x-order", "7")]);
}
