//! The acceptance list of a back-to-back user agent: 43 checks, each by its number, on the virtual network. A and B are
//! scripted; what joins them is `bridge.rs`.

use std::time::Duration;

use cordboard_sip::endpoint::EndCause;
use cordboard_sip::message::{HeaderId, Message, Method, Request, via};

use crate::bridge::{B_CONTACT, Bridge};
use crate::peer::{ANSWER, Call, OFFER, reply, text};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const HOLD: &str =
    "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";

fn talking(name: &str) -> (Bridge, Call, Request) {
    let mut bridge = Bridge::new();
    let mut call = Call::new(&bridge.stage, name);
    let invite = bridge.talking(&mut call);
    (bridge, call, invite)
}

fn ringing(name: &str) -> (Bridge, Call, Request) {
    let mut bridge = Bridge::new();
    let mut call = Call::new(&bridge.stage, name);
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 180, "b", B_CONTACT, ""));
    let progress = bridge.stage.expect(180);
    call.learn_tag(&progress.headers);
    (bridge, call, invite)
}

fn in_dialog(call: &Call, method: &str, number: u32, fields: &str, body: &str) -> String {
    let kind = if body.starts_with("v=0") { "application/sdp" } else { "text/plain" };
    call.text(method, number, &format!("{method}{number}"), kind, body)
        .replace("Content-Length", &format!("{fields}Content-Length"))
}

/// What a single request of A draws.
fn drawn(change: impl Fn(String) -> Vec<u8>) -> (Bridge, cordboard_sip::message::Response) {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "one");
    bridge.a_sends(change(call.invite()));
    let response = bridge.stage.response();
    (bridge, response)
}

#[test]
fn check_01_basic_call() {
    let (mut bridge, call, _) = talking("basic");
    bridge.a_sends(call.bye(2));
    bridge.stage.expect(200);
    let bye = bridge.request_b(&Method::Bye);
    bridge.b_sends(reply(&bye, 200, "", "", ""));
    bridge.expect_idle();
}

#[test]
fn check_02_no_200_after_the_ack() {
    let (mut bridge, _, _) = talking("quiet");
    bridge.wait(SECONDS(40));
    bridge.silence();
}

#[test]
fn check_03_a_repeated_2xx_is_acknowledged_with_the_same_branch() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "again");
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
    let ack = bridge.request_b(&Method::Ack);
    bridge.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
    assert_eq!(bridge.request_b(&Method::Ack), ack);
}

#[test]
fn check_04_a_fork_that_answers_second_is_acknowledged_and_hung_up() {
    let (mut bridge, _, invite) = talking("fork");
    bridge.b_sends(reply(&invite, 200, "other", B_CONTACT, ANSWER));
    assert!(text(&bridge.request_b(&Method::Ack).headers, HeaderId::To).contains("tag=other"));
    assert!(text(&bridge.request_b(&Method::Bye).headers, HeaderId::To).contains("tag=other"));
    bridge.stage.expect_silence();
}

#[test]
fn check_05_a_reinvite_is_relayed_and_acknowledged() {
    let (mut bridge, call, _) = talking("hold");
    bridge.a_sends(in_dialog(&call, "INVITE", 2, "", HOLD));
    bridge.stage.expect(100);
    let relayed = bridge.request_b(&Method::Invite);
    assert_eq!(relayed.body, HOLD.as_bytes());
    bridge.b_sends(reply(&relayed, 200, "", B_CONTACT, ANSWER));
    bridge.request_b(&Method::Ack);
    assert_eq!(bridge.stage.expect(200).body, ANSWER.as_bytes());
    bridge.a_sends(call.ack(2));
}

#[test]
fn check_06_the_200_of_a_reinvite_is_not_repeated_after_its_ack() {
    let (mut bridge, call, _) = talking("rehold");
    bridge.a_sends(in_dialog(&call, "INVITE", 2, "", HOLD));
    bridge.stage.expect(100);
    let relayed = bridge.request_b(&Method::Invite);
    bridge.b_sends(reply(&relayed, 200, "", B_CONTACT, ANSWER));
    bridge.request_b(&Method::Ack);
    bridge.stage.expect(200);
    // A late copy of the first ACK must not stop it: the number tells them apart.
    bridge.a_sends(call.ack(1));
    bridge.wait(MS(600));
    bridge.stage.expect(200);
    bridge.a_sends(call.ack(2));
    bridge.wait(SECONDS(40));
    bridge.silence();
}

#[test]
fn check_07_info_is_relayed() {
    let (mut bridge, call, invite) = talking("info");
    bridge.a_sends(in_dialog(&call, "INFO", 2, "", "Signal=5"));
    bridge.stage.expect(200);
    assert_eq!(bridge.request_b(&Method::Info).body, b"Signal=5");
    let info = bridge.of_b(&invite, "INFO", 7, "Content-Type: text/plain\r\n", "x");
    bridge.b_sends(info);
    bridge.response_b(200);
    assert_eq!(bridge.stage.request().method, Method::Info);
}

#[test]
fn check_08_update_is_relayed() {
    let (mut bridge, call, _) = talking("update");
    bridge.a_sends(in_dialog(&call, "UPDATE", 2, "", HOLD));
    let relayed = bridge.request_b(&Method::Invite);
    assert_eq!(relayed.body, HOLD.as_bytes(), "as an offer, by whatever method the other leg takes");
    bridge.b_sends(reply(&relayed, 200, "", B_CONTACT, ANSWER));
    assert_eq!(bridge.stage.expect(200).body, ANSWER.as_bytes());
}

#[test]
fn check_09_refer_is_relayed() {
    let (mut bridge, call, _) = talking("refer");
    bridge.a_sends(in_dialog(&call, "REFER", 2, "Refer-To: <sip:c@192.0.2.30>\r\n", ""));
    bridge.stage.expect(202);
    assert_eq!(bridge.stage.request().method, Method::Notify);
    let refer = bridge.request_b(&Method::Refer);
    assert_eq!(text(&refer.headers, HeaderId::ReferTo), "<sip:c@192.0.2.30>");
}

#[test]
fn check_10_notify_is_relayed() {
    let (mut bridge, call, invite) = talking("notify");
    bridge.a_sends(in_dialog(&call, "REFER", 2, "Refer-To: <sip:c@192.0.2.30>\r\n", ""));
    bridge.stage.expect(202);
    let first = bridge.stage.request();
    bridge.a_sends(reply(&first, 200, "", "", ""));
    let refer = bridge.request_b(&Method::Refer);
    bridge.b_sends(reply(&refer, 202, "", B_CONTACT, ""));
    bridge.stage.request();
    let fields = "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n";
    let notify = bridge.of_b(&invite, "NOTIFY", 8, fields, "SIP/2.0 200 OK\r\n");
    bridge.b_sends(notify);
    bridge.response_b(200);
    let relayed = bridge.stage.request();
    assert_eq!((&relayed.method, relayed.body.as_slice()), (&Method::Notify, b"SIP/2.0 200 OK\r\n".as_slice()));
}

#[test]
fn check_11_bye_from_b() {
    let (mut bridge, _, invite) = talking("byeb");
    let bye = bridge.of_b(&invite, "BYE", 3, "", "");
    bridge.b_sends(bye);
    bridge.response_b(200);
    let bye = bridge.stage.request();
    assert_eq!(bye.method, Method::Bye);
    bridge.a_sends(reply(&bye, 200, "", "", ""));
    bridge.expect_idle();
}

#[test]
fn check_12_a_repeated_bye_is_answered_again() {
    let (mut bridge, call, _) = talking("byes");
    bridge.a_sends(call.bye(2));
    let first = bridge.stage.expect(200);
    bridge.a_sends(call.bye(2));
    assert_eq!(bridge.stage.expect(200), first);
    assert_eq!(bridge.ended.len(), 1 + 1, "each leg ends once");
}

#[test]
fn check_13_cancel_draws_200_and_487() {
    let (mut bridge, mut call, _) = ringing("cancel");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    assert_eq!(bridge.stage.expect(200).headers.text_of("CSeq").as_deref(), Some("1 CANCEL"));
    bridge.stage.expect(487);
}

#[test]
fn check_14_cancel_to_b_has_the_branch_of_its_invite() {
    let (mut bridge, mut call, invite) = ringing("branch");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    let cancel = bridge.request_b(&Method::Cancel);
    assert_eq!(via::top(&cancel.headers), via::top(&invite.headers));
    assert!(!text(&cancel.headers, HeaderId::To).contains("tag="), "RFC 3261 §9.1: To is the INVITE's");
}

#[test]
fn check_15_a_lost_cancel_is_repeated() {
    let (mut bridge, mut call, _) = ringing("lost");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    let cancel = bridge.request_b(&Method::Cancel);
    bridge.wait(MS(600));
    assert_eq!(bridge.request_b(&Method::Cancel), cancel);
}

#[test]
fn check_16_the_487_of_b_is_acknowledged() {
    let (mut bridge, mut call, invite) = ringing("b487");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    let cancel = bridge.request_b(&Method::Cancel);
    bridge.b_sends(reply(&cancel, 200, "b", "", ""));
    bridge.b_sends(reply(&invite, 487, "b", "", ""));
    bridge.request_b(&Method::Ack);
}

#[test]
fn check_17_all_is_quiet_after_the_ack_to_487() {
    let (mut bridge, mut call, invite) = ringing("quiet487");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    bridge.stage.expect(200);
    bridge.stage.expect(487);
    bridge.a_sends(call.ack_failure());
    let cancel = bridge.request_b(&Method::Cancel);
    bridge.b_sends(reply(&cancel, 200, "b", "", ""));
    bridge.b_sends(reply(&invite, 487, "b", "", ""));
    bridge.request_b(&Method::Ack);
    bridge.wait(SECONDS(40));
    bridge.silence();
    bridge.expect_idle();
}

#[test]
fn check_18_before_a_provisional_response_nothing_is_cancelled() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "early");
    bridge.called(&call);
    bridge.a_sends(call.cancel());
    let message = bridge.next_b();
    assert!(message.is_none(), "{message:?}");
}

#[test]
fn check_19_the_cancel_follows_the_first_provisional_response() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "then");
    let invite = bridge.called(&call);
    bridge.a_sends(call.cancel());
    bridge.b_sends(reply(&invite, 100, "", "", ""));
    bridge.request_b(&Method::Cancel);
}

#[test]
fn check_20_a_2xx_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let (mut bridge, mut call, invite) = ringing("cross");
    call.to_tag = None;
    bridge.a_sends(call.cancel());
    bridge.request_b(&Method::Cancel);
    bridge.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
    bridge.request_b(&Method::Ack);
    bridge.request_b(&Method::Bye);
}

#[test]
fn check_21_cancel_of_nothing_draws_481() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "nothing");
    bridge.a_sends(call.cancel());
    bridge.stage.expect(481);
}

#[test]
fn check_22_an_early_update_is_answered() {
    let (mut bridge, call, _) = ringing("eupdate");
    bridge.a_sends(in_dialog(&call, "UPDATE", 2, "", ""));
    bridge.stage.expect(200);
}

#[test]
fn check_23_an_early_info_is_answered() {
    let (mut bridge, call, _) = ringing("einfo");
    bridge.a_sends(in_dialog(&call, "INFO", 2, "", "x"));
    bridge.stage.expect(200);
}

#[test]
fn check_24_a_repeated_invite_draws_the_last_provisional_response() {
    let (mut bridge, mut call, _) = ringing("repeat");
    call.to_tag = None;
    bridge.a_sends(call.invite());
    bridge.stage.expect(180);
    assert!(bridge.next_b().is_none());
}

fn refused(name: &str) -> (Bridge, Call) {
    let (mut bridge, mut call, invite) = ringing(name);
    call.to_tag = None;
    bridge.b_sends(reply(&invite, 486, "b", "", ""));
    bridge.request_b(&Method::Ack);
    (bridge, call)
}

#[test]
fn check_25_a_486_is_relayed() {
    let (mut bridge, _) = refused("busy");
    bridge.stage.expect(486);
}

#[test]
fn check_26_a_486_is_repeated() {
    let (mut bridge, _) = refused("busyagain");
    bridge.stage.expect(486);
    bridge.wait(MS(600));
    bridge.stage.expect(486);
}

#[test]
fn check_27_a_486_is_stopped_by_its_ack() {
    let (mut bridge, call) = refused("busyack");
    bridge.stage.expect(486);
    bridge.a_sends(call.ack_failure());
    bridge.wait(SECONDS(40));
    bridge.silence();
}

#[test]
fn check_28_bye_with_an_unknown_tag_draws_481() {
    let (mut bridge, mut call, _) = talking("tag");
    call.to_tag = Some("unknown".to_owned());
    bridge.a_sends(call.bye(2));
    bridge.stage.expect(481);
    assert!(bridge.next_b().is_none() && bridge.ended.is_empty());
}

#[test]
fn check_29_info_with_an_unknown_tag_draws_481() {
    let (mut bridge, mut call, _) = talking("tag2");
    call.to_tag = Some("unknown".to_owned());
    bridge.a_sends(in_dialog(&call, "INFO", 2, "", "x"));
    bridge.stage.expect(481);
}

#[test]
fn check_30_options_outside_and_inside_a_dialog() {
    let (_, ok) = drawn(|invite| invite.replace("INVITE", "OPTIONS").into());
    assert_eq!(ok.status, 200);
    assert!(text(&ok.headers, HeaderId::Allow).contains("REFER"));
    let (mut bridge, call, _) = talking("options");
    bridge.a_sends(in_dialog(&call, "OPTIONS", 2, "", ""));
    bridge.stage.expect(200);
    assert!(bridge.next_b().is_none());
}

#[test]
fn check_31_subscribe_draws_405() {
    assert_eq!(drawn(|invite| invite.replace("INVITE", "SUBSCRIBE").into()).1.status, 405);
}

#[test]
fn check_32_an_unknown_method_draws_501() {
    assert_eq!(drawn(|invite| invite.replace("INVITE", "DANCE").into()).1.status, 501);
}

#[test]
fn check_33_a_short_body_draws_400() {
    assert_eq!(drawn(|invite| invite.replace("Content-Length: ", "Content-Length: 9").into()).1.status, 400);
}

#[test]
fn check_34_another_method_in_cseq_draws_400() {
    assert_eq!(drawn(|invite| invite.replace("CSeq: 1 INVITE", "CSeq: 1 BYE").into()).1.status, 400);
}

#[test]
fn check_35_another_version_draws_505() {
    assert_eq!(drawn(|invite| invite.replacen("SIP/2.0\r\n", "SIP/7.0\r\n", 1).into()).1.status, 505);
}

#[test]
fn check_36_no_content_length_keeps_the_body() {
    let length = format!("Content-Length: {}\r\n", OFFER.len());
    let (mut bridge, trying) = drawn(|invite| invite.replace(&length, "").into());
    assert_eq!(trying.status, 100);
    assert_eq!(bridge.request_b(&Method::Invite).body, OFFER.as_bytes());
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

#[test]
fn check_37_latin_1_in_from_is_taken() {
    let (mut bridge, trying) = drawn(|invite| latin1(&invite.replace("\"Caller\"", "\"Jos\u{e9}\"")));
    assert_eq!(trying.status, 100);
    assert!(trying.headers.first(HeaderId::From).unwrap().value().contains(&0xe9), "given back as it came");
    bridge.request_b(&Method::Invite);
}

#[test]
fn check_38_latin_1_in_subject_is_taken_and_the_body_with_it() {
    let (mut bridge, trying) =
        drawn(|invite| latin1(&invite.replace("Max-Forwards", "Subject: Gr\u{fc}\u{df}e\r\nMax-Forwards")));
    assert_eq!(trying.status, 100);
    let relayed = bridge.request_b(&Method::Invite);
    assert_eq!(relayed.body, OFFER.as_bytes());
    assert_eq!(relayed.headers.text_of("Subject").as_deref(), Some("Gr\u{fc}\u{df}e"));
}

const ROUTES: &str =
    "Record-Route: <sip:192.0.2.31;lr>\r\nRecord-Route: <sip:192.0.2.32;lr>\r\nContact: <sip:callee@192.0.2.20:5060>";

/// B answers through two proxies; the first route of our requests is the second that was recorded.
fn routed() -> (Bridge, Request) {
    let mut bridge = Bridge::new();
    let mut call = Call::new(&bridge.stage, "route");
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 200, "b", ROUTES, ANSWER));
    let answer = bridge.stage.expect(200);
    call.learn_tag(&answer.headers);
    bridge.a_sends(call.ack(1));
    bridge.a_sends(call.bye(2));
    (bridge, invite)
}

fn sent_to(bridge: &mut Bridge, address: &str) -> Request {
    let (_, bytes) = bridge.stage.net.take(address.parse().unwrap()).expect("a message");
    match cordboard_sip::message::parse(&bytes).unwrap().message {
        Message::Request(request) => request,
        Message::Response(response) => panic!("{response:?}"),
    }
}

#[test]
fn check_39_the_route_set_is_reversed() {
    let (mut bridge, _) = routed();
    let ack = sent_to(&mut bridge, "192.0.2.32:5060");
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(ack.headers.list(HeaderId::Route), ["<sip:192.0.2.32;lr>", "<sip:192.0.2.31;lr>"]);
    assert_eq!(ack.uri, b"sip:callee@192.0.2.20:5060");
}

#[test]
fn check_40_record_routes_are_copied_in_order() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "record")
        .with("Record-Route: <sip:192.0.2.41;lr>")
        .with("Record-Route: <sip:192.0.2.42;lr>");
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 180, "b", B_CONTACT, ""));
    let progress = bridge.stage.expect(180);
    assert_eq!(progress.headers.list(HeaderId::RecordRoute), ["<sip:192.0.2.41;lr>", "<sip:192.0.2.42;lr>"]);
    assert!(invite.headers.first(HeaderId::RecordRoute).is_none(), "they are A's alone");
}

#[test]
fn check_41_bye_goes_through_the_route_set() {
    let (mut bridge, _) = routed();
    sent_to(&mut bridge, "192.0.2.32:5060");
    let bye = sent_to(&mut bridge, "192.0.2.32:5060");
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.headers.list(HeaderId::Route), ["<sip:192.0.2.32;lr>", "<sip:192.0.2.31;lr>"]);
}

#[test]
fn check_42_without_an_ack_both_legs_are_hung_up_after_32_seconds() {
    let mut bridge = Bridge::new();
    let call = Call::new(&bridge.stage, "noack");
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
    bridge.request_b(&Method::Ack);
    bridge.wait(MS(31_900));
    assert!(bridge.next_b().is_none() && bridge.ended.is_empty());
    bridge.wait(MS(200));
    assert_eq!(bridge.ended.first(), Some(&EndCause::NoAck));
    bridge.request_b(&Method::Bye);
}

#[test]
fn check_43_a_reinvite_before_the_ack_of_the_other_side_draws_491() {
    let mut bridge = Bridge::new();
    let mut call = Call::new(&bridge.stage, "glare");
    let invite = bridge.called(&call);
    bridge.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
    bridge.request_b(&Method::Ack);
    let answer = bridge.stage.expect(200);
    call.learn_tag(&answer.headers);
    // A has not acknowledged yet: its own change must wait, and B's waits here until A has.
    bridge.a_sends(in_dialog(&call, "INVITE", 2, "", HOLD));
    bridge.stage.expect(491);
    let fields = "Content-Type: application/sdp\r\n";
    let change = bridge.of_b(&invite, "INVITE", 9, fields, HOLD);
    bridge.b_sends(change);
    bridge.response_b(100);
    bridge.stage.expect_silence();
    bridge.a_sends(call.ack(1));
    assert_eq!(bridge.stage.request().method, Method::Invite);
}
