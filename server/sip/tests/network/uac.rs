//! The caller's side against a scripted callee.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{EndCause, FailureCause};
use cordboard_sip::message::{Envelope, HeaderId, Message, Method, NameAddr, Request, parse, via};
use cordboard_sip::{Command, DialogId, Event, Invitation};

use crate::peer::{ANSWER, OFFER, Stage, reply, text};

const MS: fn(u64) -> Duration = Duration::from_millis;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";

fn dial(stage: &mut Stage) -> (DialogId, Request) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let invite = dial_as(stage, dialog);
    (dialog, invite)
}

fn invitation(stage: &Stage, dialog: DialogId) -> Invitation {
    let to = format!("sip:+442079460103@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("\"Test \\\"call\\\"\" <sip:+15550100@192.0.2.1>").unwrap();
    Invitation::new(dialog, to, from, stage.peer, OFFER.into())
}

fn dial_as(stage: &mut Stage, dialog: DialogId) -> Request {
    let mut invitation = invitation(stage, dialog);
    invitation.headers =
        vec![("X-Test".to_owned(), "a\r\nInjected: b".to_owned()), ("Via".to_owned(), "no".to_owned())];
    stage.command(invitation.into());
    stage.request()
}

/// Answers the INVITE and expects the ACK.
fn answered(stage: &mut Stage) -> (DialogId, Request, Request) {
    let (dialog, invite) = dial(stage);
    stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));
    let ack = stage.request();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));
    (dialog, invite, ack)
}

#[test]
fn a_call_is_placed_rings_is_answered_and_hung_up() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    let envelope = Envelope::read(&invite.headers).unwrap();
    assert_eq!(invite.uri, b"sip:+442079460103@192.0.2.9:5060");
    assert_eq!(envelope.from.display.as_deref(), Some("Test \"call\""));
    assert!(envelope.from.tag().is_some() && envelope.to.tag().is_none());
    assert_eq!(invite.body, OFFER.as_bytes());
    assert_eq!(invite.headers.text_of("x-test").as_deref(), Some("a  Injected: b"), "no header field is smuggled in");
    assert_eq!(invite.headers.all(HeaderId::Via).count(), 1);

    stage.send(reply(&invite, 100, "", "", ""));
    assert_eq!(stage.event(), None);
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    assert_eq!(stage.event(), Some(Event::Progress { dialog, status: 180, sdp: None, early: "them".to_owned() }));
    stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));
    let ack = stage.request();
    // RFC 3261 §13.2.2.4: "The sequence number of the CSeq header field MUST be the same as the INVITE being
    // acknowledged, but the CSeq method MUST be ACK."
    assert_eq!(text(&ack.headers, HeaderId::CSeq), "1 ACK");
    assert_eq!(ack.uri, b"sip:callee@192.0.2.9:5060");
    assert_ne!(branch(&ack), branch(&invite));
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));

    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::LocalBye }));
    let bye = stage.request();
    assert_eq!((&bye.method, text(&bye.headers, HeaderId::CSeq).as_str()), (&Method::Bye, "2 BYE"));
    stage.send(reply(&bye, 200, "them", "", ""));
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn a_repeated_200_draws_the_same_ack() {
    let mut stage = Stage::new();
    let (_, invite, ack) = answered(&mut stage);

    for _ in 0..3 {
        stage.wait(MS(500));
        stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));
        // RFC 3261 §13.2.2.4: "The ACK MUST be passed to the client transport every time a retransmission of the 2xx
        // final response that triggered the ACK arrives."
        assert_eq!(stage.request(), ack);
    }
    assert_eq!(stage.event(), None);
}

#[test]
fn a_200_repeated_after_our_bye_still_draws_its_ack() {
    let mut stage = Stage::new();
    let (dialog, invite, ack) = answered(&mut stage);
    stage.command(Command::HangUp { dialog });
    let bye = stage.request();
    stage.send(reply(&bye, 200, "them", "", ""));

    stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));

    assert_eq!(stage.request(), ack);
    stage.expect_silence();
}

#[test]
fn a_second_answer_of_a_fork_is_acknowledged_and_hung_up() {
    let mut stage = Stage::new();
    let (_, invite, _) = answered(&mut stage);

    stage.send(reply(&invite, 200, "fork", "Contact: <sip:fork@192.0.2.9:5060>", ANSWER));

    // RFC 3261 §13.2.2.4: "If, after acknowledging any 2xx response to an INVITE, the UAC does not want to continue
    // with that dialog, then the UAC MUST terminate the dialog by sending a BYE request".
    let ack = stage.request();
    assert_eq!((&ack.method, ack.uri.as_slice()), (&Method::Ack, b"sip:fork@192.0.2.9:5060".as_slice()));
    let bye = stage.request();
    assert_eq!((&bye.method, bye.uri.as_slice()), (&Method::Bye, b"sip:fork@192.0.2.9:5060".as_slice()));
    assert!(text(&bye.headers, HeaderId::To).ends_with(";tag=fork"));
    assert_eq!(stage.event(), None, "the first answer stands");
    stage.send(reply(&bye, 200, "fork", "", ""));
    stage.send(reply(&invite, 200, "fork", "Contact: <sip:fork@192.0.2.9:5060>", ANSWER));
    assert_eq!(stage.request(), ack);
    stage.expect_silence();
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);

    stage.command(Command::HangUp { dialog });

    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 487, cause: FailureCause::Cancelled }));
    // RFC 3261 §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent".
    stage.expect_silence();
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    let cancel = stage.request();
    assert_eq!((&cancel.method, text(&cancel.headers, HeaderId::CSeq).as_str()), (&Method::Cancel, "1 CANCEL"));
    // "A CANCEL constructed by a client MUST have only a single Via header field value matching the top Via value in
    // the request being cancelled."
    assert_eq!(branch(&cancel), branch(&invite));
    assert!(!text(&cancel.headers, HeaderId::To).contains("tag="));
    // It is a transaction of its own: lost, it is repeated.
    stage.wait(MS(500));
    assert_eq!(stage.request(), cancel);

    stage.send(reply(&cancel, 200, "them", "", ""));
    stage.send(reply(&invite, 487, "them", "", ""));
    let ack = stage.request();
    // RFC 3261 §17.1.1.3: "The ACK MUST contain a single Via header field, and this MUST be equal to the top Via header
    // field of the original request."
    assert_eq!((ack.method.clone(), branch(&ack)), (Method::Ack, branch(&invite)));
    assert!(text(&ack.headers, HeaderId::To).ends_with(";tag=them"));
    stage.send(reply(&invite, 487, "them", "", ""));
    assert_eq!(stage.request(), ack);
    stage.wait(MS(10_000));
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    stage.command(Command::HangUp { dialog });
    let cancel = stage.request();

    stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));

    assert_eq!(stage.request().method, Method::Ack);
    let bye = stage.request();
    assert_eq!(bye.method, Method::Bye);
    stage.send(reply(&bye, 200, "them", "", ""));
    stage.send(reply(&cancel, 200, "them", "", ""));
    stage.clear();
    stage.expect_idle();
}

#[test]
fn a_cancelled_invite_without_a_final_response_is_given_up() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    stage.command(Command::HangUp { dialog });
    stage.wait(MS(33_000));

    // RFC 3261 §9.1: "[…] the client SHOULD then consider the original transaction cancelled and SHOULD destroy the
    // client transaction".
    assert_eq!(stage.net.stats(stage.us), cordboard_sip::Stats::default());
}

#[test]
fn a_refusal_is_acknowledged_each_time_and_told_once() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 486, "them", "", ""));
    let ack = stage.request();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 486, cause: FailureCause::Rejected }));

    stage.send(reply(&invite, 486, "them", "", ""));
    assert_eq!(stage.request(), ack);
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn an_unanswered_invite_is_repeated_and_given_up_after_32_seconds() {
    let mut stage = Stage::new();
    let (dialog, _) = dial(&mut stage);
    stage.wait(MS(31_999));
    let mut times = Vec::new();
    while let Some((at, _)) = stage.net.take(stage.peer) {
        times.push(at.as_millis());
    }
    // RFC 3261 §17.1.1.2: timer A doubles from T1; without the cap of T2.
    assert_eq!(times, [500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(stage.event(), None);

    stage.wait(MS(1));

    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 408, cause: FailureCause::Timeout }));
    assert_eq!(stage.net.stats(stage.us), cordboard_sip::Stats::default());
}

#[test]
fn a_callee_that_rings_without_a_sign_is_given_up_by_timer_c() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    stage.event();
    stage.wait(Duration::from_secs(170));
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    stage.event();
    stage.wait(Duration::from_secs(170));
    assert_eq!(stage.event(), None, "a repeated 180 is a sign of life");

    stage.wait(Duration::from_secs(20));

    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 408, cause: FailureCause::Timeout }));
    assert_eq!(stage.request().method, Method::Cancel);
    stage.clear();
    stage.expect_idle();
}

#[test]
fn the_route_set_is_the_record_route_reversed() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    let routed =
        format!("{CONTACT}\nRecord-Route: <sip:192.0.2.61;lr>, <sip:192.0.2.62;lr>\nRecord-Route: <sip:192.0.2.63;lr>");
    stage.send(reply(&invite, 200, "them", &routed, ANSWER));

    // RFC 3261 §12.1.2: "The route set MUST be set to the list of URIs in the Record-Route header field from the
    // response, taken in reverse order and preserving all URI parameters."
    let routes = ["<sip:192.0.2.63;lr>", "<sip:192.0.2.62;lr>", "<sip:192.0.2.61;lr>"];
    let first: SocketAddr = "192.0.2.63:5060".parse().unwrap();
    let ack = taken(&mut stage, first);
    assert_eq!((&ack.method, ack.headers.list(HeaderId::Route)), (&Method::Ack, routes.map(str::to_owned).to_vec()));
    stage.command(Command::HangUp { dialog });
    let bye = taken(&mut stage, first);
    assert_eq!((&bye.method, bye.headers.list(HeaderId::Route)), (&Method::Bye, routes.map(str::to_owned).to_vec()));
    assert_eq!(bye.uri, b"sip:callee@192.0.2.9:5060");
}

#[test]
fn their_bye_ends_the_call_and_its_repeat_draws_the_same_answer() {
    let mut stage = Stage::new();
    let (dialog, invite, _) = answered(&mut stage);
    let from = text(&invite.headers, HeaderId::From);
    let call_id = text(&invite.headers, HeaderId::CallId);
    let to = text(&invite.headers, HeaderId::To);
    let bye = format!(
        "BYE sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKtheirbye\r\n\
         From: {to};tag=them\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 5 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    stage.send(bye.clone());
    let ok = stage.expect(200);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::RemoteBye }));

    stage.send(bye);

    assert_eq!(stage.response(), ok);
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn an_info_of_ours_reaches_the_peer_and_481_ends_the_call() {
    let mut stage = Stage::new();
    let (dialog, ..) = answered(&mut stage);
    let command = |body: &str| Command::Info {
        dialog,
        content_type: "application/dtmf-relay".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    stage.command(command("Signal=1\r\nDuration=160\r\n"));
    let info = stage.request();
    assert_eq!((&info.method, text(&info.headers, HeaderId::CSeq).as_str()), (&Method::Info, "2 INFO"));
    assert_eq!(text(&info.headers, HeaderId::ContentType), "application/dtmf-relay");
    assert_eq!(info.body, b"Signal=1\r\nDuration=160\r\n");
    stage.send(reply(&info, 200, "them", "", ""));
    assert_eq!(stage.event(), None);

    stage.command(command("Signal=2\r\nDuration=160\r\n"));
    let info = stage.request();
    stage.send(reply(&info, 481, "them", "", ""));

    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Gone }));
    stage.expect_silence();
    stage.expect_idle();
}

#[test]
fn an_unanswered_info_ends_the_call() {
    let mut stage = Stage::new();
    let (dialog, ..) = answered(&mut stage);
    stage.command(Command::Info { dialog, content_type: "text/plain".to_owned(), body: b"x".to_vec() });
    stage.wait(MS(32_000));
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Timeout }));
    stage.clear();
    stage.expect_idle();
}

#[test]
fn an_id_in_use_and_a_full_table_are_refused_here() {
    let mut stage = Stage::new();
    let dialog = DialogId::outgoing(77);
    dial_as(&mut stage, dialog);
    stage.command(invitation(&stage, dialog).into());
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 503, cause: FailureCause::Overload }));
    stage.expect_silence();
}

#[test]
fn an_endpoint_can_call_itself() {
    let mut stage = Stage::new();
    stage.peer = stage.us;
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = "sip:+442079460102@192.0.2.1:5060".parse().unwrap();
    let from = NameAddr::parse("<sip:test@192.0.2.1>").unwrap();
    let (us, sdp) = (stage.us, OFFER.into());
    stage.command(Invitation::new(dialog, to, from, us, sdp).into());
    stage.wait(MS(50));
    let Some(Event::Incoming(incoming)) = stage.event() else { panic!("no call") };
    assert_ne!(incoming.dialog, dialog);
    stage.command(Command::Accept { dialog: incoming.dialog, sdp: ANSWER.into() });
    stage.wait(MS(50));
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));
    assert_eq!(stage.event(), Some(Event::Confirmed { dialog: incoming.dialog, sdp: None }));

    stage.command(Command::HangUp { dialog });
    stage.wait(MS(50));

    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::LocalBye }));
    assert_eq!(stage.event(), Some(Event::Ended { dialog: incoming.dialog, cause: EndCause::RemoteBye }));
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

fn branch(request: &Request) -> String {
    via::top(&request.headers).unwrap().branch().unwrap().to_owned()
}

fn taken(stage: &mut Stage, address: SocketAddr) -> Request {
    let (_, bytes) = stage.net.take(address).expect("a datagram");
    match parse(&bytes).unwrap().message {
        Message::Request(request) => request,
        Message::Response(response) => panic!("expected a request, got {response:?}"),
    }
}
