//! Connections: framing in place, the way answers and in-dialog requests take, and what a silent crowd costs.

use std::time::Duration;

use cordboard_sip::endpoint::FailureCause;
use cordboard_sip::message::{HeaderId, Method, NameAddr, Response};
use cordboard_sip::{Command, DialogId, Event, Input, Invitation, Opened, Target, Transport};

use crate::bare::{Bare, text};
use crate::peer::{ANSWER, OFFER};

const PEER: &str = "192.0.2.9:40000";

fn invite(via: &str) -> String {
    let more = "Contact: <sip:peer@192.0.2.9:5070;transport=tcp>\r\nContent-Type: application/sdp\r\n";
    text("INVITE", "sip:100@192.0.2.1", via, 1, more, OFFER)
}

fn accepted(bare: &mut Bare) -> (DialogId, Response) {
    let dialog = match bare.events.pop() {
        Some(Event::Incoming(call)) => call.dialog,
        other => panic!("{other:?}"),
    };
    bare.command(Command::Accept { dialog, sdp: ANSWER.into() });
    bare.response();
    let (_, answer) = bare.response();
    (dialog, answer)
}

fn ack(answer: &Response) -> String {
    let to = answer.headers.first(HeaderId::To).unwrap().text().into_owned();
    text("ACK", "sip:192.0.2.1", "TCP 192.0.2.9", 1, "", "").replace("To: <sip:ada@192.0.2.1>", &format!("To: {to}"))
}

#[test]
fn a_call_by_tcp_is_answered_and_hung_up_on_its_connection() {
    let mut bare = Bare::new();
    let flow = bare.open(1, PEER, Transport::Tcp);
    for piece in invite("TCP 192.0.2.9:5070").as_bytes().chunks(17) {
        bare.bytes(flow, piece);
    }
    let (dialog, answer) = accepted(&mut bare);
    let contact = answer.headers.first(HeaderId::Contact).unwrap().text().into_owned();
    assert_eq!(contact, "<sip:192.0.2.1:5060;transport=tcp>");
    bare.bytes(flow, ack(&answer));
    bare.command(Command::HangUp { dialog });

    let (to, bye) = bare.request();
    assert_eq!((to, bye.method), (Target::Flow(flow), Method::Bye));
    assert!(bye.headers.first(HeaderId::Via).unwrap().text().starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    bare.expect_idle();
    assert_eq!(bare.closed, [flow], "a stranger without a call is not kept");
}

#[test]
fn when_the_connection_is_gone_the_contact_is_dialed() {
    let mut bare = Bare::new();
    let flow = bare.open(1, PEER, Transport::Tcp);
    bare.bytes(flow, invite("TCP 192.0.2.9:5070"));
    let (dialog, answer) = accepted(&mut bare);
    bare.bytes(flow, ack(&answer));
    bare.feed(Input::StreamClosed { flow });
    bare.command(Command::HangUp { dialog });

    let target = Target::Tcp("192.0.2.9:5070".parse().unwrap());
    assert_eq!(bare.request().0, target);
    bare.feed(Input::StreamFailed { target });
    bare.wait(Duration::from_secs(1));
    assert_eq!(bare.endpoint.stats().dialogs, 0, "nobody waits 32 s for a BYE that could not be sent");
    bare.expect_idle();
}

#[test]
fn an_answer_without_its_connection_goes_to_the_address_of_the_via() {
    let mut bare = Bare::new();
    let flow = bare.open(1, PEER, Transport::Tls);
    bare.bytes(flow, invite("TLS 192.0.2.9:5071"));
    bare.feed(Input::StreamClosed { flow });
    bare.sent.clear();
    let Some(Event::Incoming(call)) = bare.events.pop() else { panic!("a call") };
    bare.command(Command::Accept { dialog: call.dialog, sdp: ANSWER.into() });

    // RFC 3261 §18.2.2: "the server SHOULD open a connection to the IP address in the 'received' parameter, if present,
    // using the port in the 'sent-by' value".
    let address = "192.0.2.9:5071".parse().unwrap();
    assert_eq!(bare.response().0, Target::Tls { address, server_name: None });
}

#[test]
fn a_call_of_ours_by_tls_asks_for_its_name_and_stays_on_its_connection() {
    let mut bare = Bare::new();
    let dialog = bare.endpoint.new_dialog_id();
    let target = Target::Tls { address: "192.0.2.9:5061".parse().unwrap(), server_name: Some("trunk.test".to_owned()) };
    let to = "sip:100@trunk.test".parse().unwrap();
    let from = NameAddr::parse("<sip:us@192.0.2.1>").unwrap();
    bare.command(Invitation::new(dialog, to, from, target.clone(), OFFER.into()).into());
    let (way, invite) = bare.request();
    assert_eq!(way, target);
    assert!(invite.headers.first(HeaderId::Via).unwrap().text().starts_with("SIP/2.0/TLS 192.0.2.1:5061;"));
    assert_eq!(invite.headers.first(HeaderId::Contact).unwrap().text(), "<sip:192.0.2.1:5061;transport=tls>");

    let flow = cordboard_sip::FlowId(9);
    let peer = "192.0.2.9:5061".parse().unwrap();
    bare.feed(Input::StreamOpened { flow, peer, transport: Transport::Tls, opened: Opened::ByUs(target) });
    let mut response = Response::to_request(&invite, 200, Some("them"));
    response.headers.push(HeaderId::Contact, "<sip:192.0.2.9:5061;transport=tls>");
    bare.bytes(flow, response.to_bytes());
    let (way, ack) = bare.request();
    assert_eq!((way, ack.method), (Target::Flow(flow), Method::Ack));
}

#[test]
fn a_connection_that_cannot_be_made_fails_the_call_at_once() {
    let mut bare = Bare::new();
    let dialog = bare.endpoint.new_dialog_id();
    let target = Target::Tcp("192.0.2.9:5060".parse().unwrap());
    let from = NameAddr::parse("<sip:us@192.0.2.1>").unwrap();
    let to = "sip:100@192.0.2.9".parse().unwrap();
    bare.command(Invitation::new(dialog, to, from, target.clone(), OFFER.into()).into());
    bare.feed(Input::StreamFailed { target });
    assert_eq!(bare.events, [Event::Failed { dialog, status: 503, cause: FailureCause::Unreachable }]);
    bare.expect_idle();
}

#[test]
fn unknown_and_malformed_requests_are_answered_and_the_connection_stays() {
    let mut bare = Bare::new();
    let flow = bare.open(1, PEER, Transport::Tcp);
    let strange = text("FROB", "sip:192.0.2.1", "TCP 192.0.2.9", 1, "", "");
    let wrong = text("OPTIONS", "sip:192.0.2.1", "TCP 192.0.2.9", 2, "", "").replace("CSeq: 2 OPTIONS", "CSeq: 2 BYE");
    let options = text("OPTIONS", "sip:192.0.2.1", "TCP 192.0.2.9", 3, "", "");
    bare.bytes(flow, [strange, wrong, "\r\n\r\n".to_owned(), options].concat());

    let status = |bare: &mut Bare| bare.response().1.status;
    assert_eq!((status(&mut bare), status(&mut bare)), (501, 400));
    assert_eq!(bare.sent.remove(0), (Target::Flow(flow), b"\r\n".to_vec()), "the answer to a ping");
    assert_eq!(status(&mut bare), 200);
    assert!(bare.closed.is_empty());
}

#[test]
fn a_message_without_length_is_answered_and_ends_the_connection() {
    let mut bare = Bare::new();
    let flow = bare.open(1, PEER, Transport::Tcp);
    bare.bytes(flow, text("OPTIONS", "sip:192.0.2.1", "TCP 192.0.2.9", 1, "", "").replace("Content-Length: 0\r\n", ""));
    assert_eq!(bare.response().1.status, 400);
    assert_eq!(bare.closed, [flow]);
}

#[test]
fn half_messages_and_silence_are_closed_within_half_a_minute() {
    let mut bare = Bare::new();
    let silent = bare.open(1, PEER, Transport::Tcp);
    let half = bare.open(2, "192.0.2.9:40001", Transport::Tcp);
    for _ in 0..29 {
        bare.bytes(half, "INVITE sip");
        bare.bytes(silent, "\r\n\r\n");
        bare.wait(Duration::from_secs(1));
    }
    bare.closed.sort();
    assert_eq!(bare.closed, [silent, half]);
    assert_eq!(bare.endpoint.stats().streams, 0);
}

#[test]
fn a_thousand_silent_connections_leave_room_for_one_that_speaks() {
    let mut bare = Bare::new();
    for number in 0..1_000 {
        bare.open(number, &format!("192.0.2.9:{}", 20_000 + number), Transport::Tcp);
    }
    assert_eq!((bare.endpoint.stats().streams, bare.closed.len()), (64, 936));
    let flow = bare.open(5_000, PEER, Transport::Tcp);
    bare.bytes(flow, text("OPTIONS", "sip:192.0.2.1", "TCP 192.0.2.9", 1, "", ""));
    assert_eq!(bare.response().1.status, 200);
    bare.open(5_001, "192.0.2.10:4000", Transport::Tcp);
    assert!(!bare.closed.contains(&flow), "others end before one that has spoken");
}

#[test]
fn via_and_contact_name_the_address_of_the_family() {
    let mut bare = Bare::new();
    let dialog = bare.endpoint.new_dialog_id();
    let target: std::net::SocketAddr = "[2001:db8::9]:5060".parse().unwrap();
    let from = NameAddr::parse("<sip:us@192.0.2.1>").unwrap();
    let to = "sip:100@[2001:db8::9]".parse().unwrap();
    bare.command(Invitation::new(dialog, to, from, target, OFFER.into()).into());
    let (way, invite) = bare.request();
    assert_eq!(way, Target::Udp(target));
    assert!(invite.headers.first(HeaderId::Via).unwrap().text().starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"));
    assert_eq!(invite.headers.first(HeaderId::Contact).unwrap().text(), "<sip:[2001:db8::1]:5060>");
}
