//! Requests that are too long for a datagram (RFC 3261 §18.1.1).

use std::time::Duration;

use cordboard_sip::endpoint::FailureCause;
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request, Response};
use cordboard_sip::{Command, DialogId, Event, FlowId, Input, Invitation, Opened, Target, Transport};

use crate::bare::Bare;
use crate::peer::{ANSWER, OFFER};

const PEER: &str = "192.0.2.9:5060";

/// An INVITE of ours with so many bytes of one header field.
fn invite(bare: &mut Bare, more: usize) -> DialogId {
    let dialog = bare.endpoint.new_dialog_id();
    let target = Target::Udp(PEER.parse().unwrap());
    let from = NameAddr::parse("<sip:us@192.0.2.1>").unwrap();
    let to = "sip:100@192.0.2.9".parse().unwrap();
    let mut invitation = Invitation::new(dialog, to, from, target, OFFER.into());
    invitation.headers.push(("X-Long".to_owned(), "x".repeat(more)));
    bare.command(invitation.into());
    dialog
}

fn tcp() -> Target {
    Target::Tcp(PEER.parse().unwrap())
}

fn via(request: &Request) -> String {
    request.headers.first(HeaderId::Via).unwrap().text().into_owned()
}

#[test]
fn what_is_longer_than_1300_bytes_goes_by_tcp_and_its_via_says_so() {
    let mut bare = Bare::new();
    let whole = {
        invite(&mut bare, 100);
        bare.sent.remove(0).1.len() - 100
    };
    for (length, target, transport) in
        [(1_300, Target::Udp(PEER.parse().unwrap()), "UDP"), (1_301, tcp(), "TCP"), (4_000, tcp(), "TCP")]
    {
        let mut bare = Bare::new();
        invite(&mut bare, length - whole);
        assert_eq!(bare.sent[0].1.len(), length);
        let (to, request) = bare.request();
        assert_eq!(to, target);
        assert!(via(&request).starts_with(&format!("SIP/2.0/{transport} 192.0.2.1:5060;")), "{}", via(&request));
        // Only the Via changes: whoever calls us back does so as before.
        assert_eq!(request.headers.first(HeaderId::Contact).unwrap().text(), "<sip:192.0.2.1:5060>");
    }
}

#[test]
fn the_call_goes_on_by_its_connection() {
    let mut bare = Bare::new();
    invite(&mut bare, 2_000);
    let (_, request) = bare.request();
    bare.wait(Duration::from_secs(2));
    assert!(bare.sent.is_empty(), "TCP repeats what is lost");
    let flow = FlowId(3);
    let opened = Opened::ByUs(tcp());
    bare.feed(Input::StreamOpened { flow, peer: PEER.parse().unwrap(), transport: Transport::Tcp, opened });
    let mut answer = Response::to_request(&request, 200, Some("them"));
    answer.headers.push(HeaderId::Contact, "<sip:192.0.2.9:5060>");
    answer.headers.push(HeaderId::ContentType, "application/sdp");
    answer.body = ANSWER.into();
    bare.bytes(flow, answer.to_bytes());
    let (to, ack) = bare.request();
    assert_eq!((to, ack.method), (Target::Flow(flow), Method::Ack));
}

#[test]
fn a_refused_connection_brings_it_back_to_udp_and_is_remembered() {
    let mut bare = Bare::new();
    invite(&mut bare, 2_000);
    let (_, first) = bare.request();
    bare.feed(Input::StreamFailed { target: tcp() });
    let (to, second) = bare.request();
    assert_eq!(to, Target::Udp(PEER.parse().unwrap()));
    assert_eq!(via(&second), via(&first).replace("TCP", "UDP"), "nothing has reached anybody under this branch");
    assert!(bare.events.is_empty(), "the call goes on");
    bare.wait(Duration::from_millis(600));
    assert_eq!(bare.request().1, second, "UDP repeats");
    bare.datagram(PEER, Response::to_request(&second, 486, Some("them")).to_bytes());
    assert_eq!(bare.request().1.method, Method::Ack);
    bare.sent.clear();

    invite(&mut bare, 2_000);
    assert_eq!(bare.request().0, Target::Udp(PEER.parse().unwrap()), "it is not asked again");
    bare.sent.clear();
    bare.wait(Duration::from_mins(11));
    bare.sent.clear();
    invite(&mut bare, 2_000);
    assert_eq!(bare.request().0, tcp(), "but after a while it is");
}

#[test]
fn a_far_side_that_is_nowhere_is_given_up_as_before() {
    let mut bare = Bare::new();
    let dialog = invite(&mut bare, 2_000);
    bare.feed(Input::StreamFailed { target: tcp() });
    bare.wait(Duration::from_secs(40));
    let timed_out = |event: &Event| matches!(event, Event::Failed { dialog: of, cause: FailureCause::Timeout, .. } if *of == dialog);
    assert!(bare.events.iter().any(timed_out), "{:?}", bare.events);
    bare.expect_idle();
}

#[test]
fn a_bye_in_the_dialog_and_a_hang_up_before_any_answer_are_in_order() {
    let mut bare = Bare::new();
    let dialog = invite(&mut bare, 2_000);
    let (_, request) = bare.request();
    bare.feed(Input::StreamFailed { target: tcp() });
    bare.sent.clear();
    bare.command(Command::HangUp { dialog });
    bare.datagram(PEER, Response::to_request(&request, 180, Some("them")).to_bytes());
    let (to, cancel) = bare.request();
    assert_eq!((to, cancel.method.clone()), (Target::Udp(PEER.parse().unwrap()), Method::Cancel));
    assert!(via(&cancel).starts_with("SIP/2.0/UDP"), "{}", via(&cancel));
}
