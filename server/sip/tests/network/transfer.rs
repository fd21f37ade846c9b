//! Transfers: REFER and its NOTIFYs (RFC 3515) in both directions, and INVITE with Replaces (RFC 3891).

use std::time::Duration;

use cordboard_sip::endpoint::{EndCause, Replaces};
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request};
use cordboard_sip::{Command, DialogId, Event, Invitation};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, tag, text};

const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";

fn refer(call: &Call, number: u32, fields: &str) -> String {
    call.text("REFER", number, &format!("r{number}"), "", "")
        .replace("Content-Length", &format!("{fields}\r\nContent-Length"))
}

fn notified(stage: &mut Stage) -> (String, String, String) {
    let notify = stage.request();
    assert_eq!(notify.method, Method::Notify);
    stage.send(reply(&notify, 200, "", "", ""));
    let state = text(&notify.headers, HeaderId::SubscriptionState);
    (text(&notify.headers, HeaderId::Event), state, String::from_utf8_lossy(&notify.body).into_owned())
}

#[test]
fn a_transfer_is_asked_for_taken_on_and_told_about() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "refer");
    let dialog = stage.established(&mut call);
    stage.send(refer(&call, 2, "Refer-To: <sip:+442079460104@192.0.2.1>\r\nReferred-By: <sip:ada@192.0.2.9>"));
    let Some(Event::Refer(transfer)) = stage.event() else { panic!("a transfer") };
    assert_eq!(transfer.dialog, dialog);
    assert_eq!(transfer.refer_to.user().as_deref(), Some("+442079460104"));
    assert_eq!(transfer.referred_by.and_then(|asker| asker.uri.user()).as_deref(), Some("ada"));
    assert_eq!((transfer.replaces, transfer.replaced), (None, None));
    stage.expect_silence();

    stage.command(Command::AcceptRefer { dialog });
    stage.expect(202);
    // RFC 3515 §2.4.4: "the agent […] MUST create a subscription and send notifications".
    let first = notified(&mut stage);
    assert_eq!((first.0.as_str(), first.2.as_str()), ("refer", "SIP/2.0 100 Trying\r\n"));
    assert!(first.1.starts_with("active;expires="));
    stage.command(Command::NotifyRefer { dialog, status: 180, end: false });
    assert_eq!(notified(&mut stage).2, "SIP/2.0 180 Ringing\r\n");
    stage.command(Command::NotifyRefer { dialog, status: 200, end: false });
    let last = notified(&mut stage);
    assert_eq!((last.1.as_str(), last.2.as_str()), ("terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
    stage.command(Command::NotifyRefer { dialog, status: 200, end: true });
    stage.expect_silence();

    // RFC 3515 §2.4.6: the NOTIFYs of a second REFER carry its number.
    stage.send(refer(&call, 3, "Refer-To: <tel:+442079460104>"));
    stage.event();
    stage.command(Command::AcceptRefer { dialog });
    stage.expect(202);
    assert_eq!(notified(&mut stage).0, "refer;id=3");
    stage.send(call.bye(4));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::RemoteBye }));
    stage.expect_idle();
}

#[test]
fn a_transfer_can_be_refused_and_what_is_no_transfer_is() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "no");
    let dialog = stage.established(&mut call);
    // RFC 3515 §2.4.2: "A REFER request […] with zero or multiple Refer-To header field values MUST be rejected: 400".
    for (number, (fields, status)) in [
        ("X: y", 400),
        ("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>", 400),
        ("Refer-To: <http://example.com/>", 416),
        ("Refer-To: <sip:a@b;method=SUBSCRIBE>", 501),
    ]
    .into_iter()
    .enumerate()
    {
        stage.send(refer(&call, 10 + u32::try_from(number).unwrap(), fields));
        stage.expect(status);
    }
    assert_eq!(stage.event(), None);
    stage.send(refer(&call, 20, "Refer-To: <sip:a@b>"));
    stage.event();
    // A second one before the first is decided.
    stage.send(refer(&call, 21, "Refer-To: <sip:a@b>"));
    stage.expect(491);
    stage.command(Command::RejectRefer { dialog, status: 403 });
    stage.expect(403);
    // Outside a dialog nobody makes us call anybody.
    let stranger = Call::new(&stage, "stranger");
    stage.send(refer(&stranger, 1, "Refer-To: <sip:+44900@192.0.2.1>"));
    stage.expect(403);
    assert_eq!(stage.event(), None);
}

#[test]
fn a_call_that_ends_with_a_transfer_undecided_leaves_nothing_behind() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "undecided");
    let dialog = stage.established(&mut call);
    stage.send(refer(&call, 2, "Refer-To: <sip:a@b>"));
    stage.event();
    stage.command(Command::HangUp { dialog });
    stage.expect(487);
    let bye = stage.request();
    stage.send(reply(&bye, 200, "", "", ""));
    stage.expect_idle();
}

/// A call of ours to the peer, whose tag is `tag`.
fn dial(stage: &mut Stage, tag: &str) -> (DialogId, Request) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, OFFER.into()).into());
    let invite = stage.request();
    stage.send(reply(&invite, 200, tag, CONTACT, ANSWER));
    stage.request();
    stage.event();
    (dialog, invite)
}

fn notify(invite: &Request, number: u32, state: &str, line: &str) -> String {
    let (from, to) = (text(&invite.headers, HeaderId::From), text(&invite.headers, HeaderId::To));
    let call_id = text(&invite.headers, HeaderId::CallId);
    let body = format!("{line}\r\n");
    format!(
        "NOTIFY sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKn{number}\r\n\
         Max-Forwards: 70\r\nFrom: {to};tag=them\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {number} NOTIFY\r\n\
         Contact: <sip:callee@192.0.2.9:5060>\r\nEvent: refer\r\nSubscription-State: {state}\r\n\
         Content-Type: message/sipfrag\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn we_ask_for_a_transfer_and_hear_how_it_goes() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage, "them");
    let to = "sip:bo@192.0.2.50".parse().unwrap();
    let asker = NameAddr::parse("<sip:ada@192.0.2.1>").ok();
    stage.command(Command::Refer { dialog, to, replaces: None, referred_by: asker });
    let refer = stage.request();
    assert_eq!(
        (&refer.method, text(&refer.headers, HeaderId::ReferTo).as_str()),
        (&Method::Refer, "<sip:bo@192.0.2.50>")
    );
    assert_eq!(text(&refer.headers, HeaderId::ReferredBy), "<sip:ada@192.0.2.1>");
    stage.send(reply(&refer, 202, "", CONTACT, ""));
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 100, end: false }));
    stage.send(notify(&invite, 1, "active;expires=60", "SIP/2.0 180 Ringing"));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 180, end: false }));
    stage.send(notify(&invite, 2, "terminated;reason=noresource", "SIP/2.0 200 OK"));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 200, end: true }));
    // Nothing is subscribed to any more.
    stage.send(notify(&invite, 3, "active", "SIP/2.0 180 Ringing"));
    stage.expect(481);
    stage.send(notify(&invite, 4, "active", "x").replace("Event: refer", "Event: presence"));
    stage.expect(489);
}

#[test]
fn a_refused_transfer_is_told_and_the_call_goes_on() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage, "them");
    let ask = || Command::Refer { dialog, to: "sip:bo@h".parse().unwrap(), replaces: None, referred_by: None };
    stage.command(ask());
    let refer = stage.request();
    stage.send(reply(&refer, 603, "", "", ""));
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 603, end: true }));
    stage.command(ask());
    let refer = stage.request();
    stage.send(reply(&refer, 202, "", CONTACT, ""));
    stage.event();
    // An end without a word is no success.
    stage.send(notify(&invite, 1, "terminated;reason=timeout", ""));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 487, end: true }));
    stage.command(ask());
    stage.wait(Duration::from_secs(33));
    assert_eq!(stage.event(), Some(Event::ReferProgress { dialog, status: 408, end: true }));
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Timeout }));
}

#[test]
fn an_attended_transfer_names_the_dialog_as_its_far_side_knows_it() {
    let mut stage = Stage::new();
    let (first, _) = dial(&mut stage, "them");
    let (second, consult) = dial(&mut stage, "target");
    let to = "sip:bo@192.0.2.9".parse().unwrap();
    stage.command(Command::Refer { dialog: first, to, replaces: Some(second), referred_by: None });
    let refer = stage.request();
    let refer_to = NameAddr::parse(&text(&refer.headers, HeaderId::ReferTo)).unwrap();
    let call_id = text(&consult.headers, HeaderId::CallId);
    let ours = tag(&consult.headers, HeaderId::From).unwrap();
    let expected = format!("Replaces={call_id}%3Bto-tag%3Dtarget%3Bfrom-tag%3D{ours}");
    assert_eq!(refer_to.uri.headers, Some(expected));
}

/// An INVITE that wants to take over a dialog of ours.
fn taking_over(stage: &Stage, name: &str, replaces: &str) -> String {
    Call::new(stage, name).with(&format!("Replaces: {replaces}")).with("Require: replaces").invite()
}

#[test]
fn an_invite_with_replaces_finds_its_dialog() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "old");
    let dialog = stage.established(&mut call);
    let ours = call.to_tag.clone().unwrap();
    let replaces = format!("old@peer;to-tag={ours};from-tag=oldfrom");
    stage.send(taking_over(&stage, "new", &replaces));
    stage.expect(100);
    let Some(Event::Incoming(incoming)) = stage.event() else { panic!("a call") };
    assert_eq!(incoming.replaces, Some(dialog));
    stage.command(Command::Accept { dialog: incoming.dialog, sdp: ANSWER.into() });
    stage.expect(200);
    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.request().method, Method::Bye);

    // RFC 3891 §3: a dialog that has been hung up already: 603.
    stage.send(taking_over(&stage, "late", &replaces));
    stage.expect(603);
}

#[test]
fn an_invite_that_replaces_nothing_of_ours_is_refused() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "held");
    stage.established(&mut call);
    let ours = call.to_tag.clone().unwrap();
    let ringing = Call::new(&stage, "ringing");
    let ringing_dialog = stage.incoming(&ringing);
    stage.command(Command::Progress { dialog: ringing_dialog, status: 180, sdp: None });
    let early = tag(&stage.expect(180).headers, HeaderId::To).unwrap();
    for (name, replaces, status) in [
        ("a", "nobody@peer;to-tag=a;from-tag=b".to_owned(), 481),
        // The right dialog with the wrong tag of theirs is somebody who guesses.
        ("b", format!("held@peer;to-tag={ours};from-tag=wrong"), 481),
        ("c", format!("held@peer;to-tag={ours};from-tag=heldfrom;early-only"), 486),
        ("d", "held@peer".to_owned(), 400),
        // "If the Replaces header field matches an early dialog that was not initiated by this UA, it returns a 481".
        ("e", format!("ringing@peer;to-tag={early};from-tag=ringingfrom"), 481),
    ] {
        stage.send(taking_over(&stage, name, &replaces));
        stage.expect(status);
        assert_eq!(stage.event(), None);
    }
    let twice = Call::new(&stage, "f")
        .with(&format!("Replaces: held@peer;to-tag={ours};from-tag=heldfrom"))
        .with(&format!("Replaces: held@peer;to-tag={ours};from-tag=heldfrom"));
    stage.send(twice.invite());
    stage.expect(400);
}

#[test]
fn a_call_of_ours_can_take_over_a_dialog() {
    let mut stage = Stage::new();
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    let mut invitation = Invitation::new(dialog, to, from, stage.peer, OFFER.into());
    let replaces = Replaces::parse("abc@h;to-tag=1;from-tag=2").unwrap();
    invitation.replaces = Some(replaces);
    invitation.referred_by = NameAddr::parse("<sip:ada@192.0.2.9>").ok();
    stage.command(invitation.into());
    let invite = stage.request();
    assert_eq!(text(&invite.headers, HeaderId::Replaces), "abc@h;to-tag=1;from-tag=2");
    assert_eq!(text(&invite.headers, HeaderId::ReferredBy), "<sip:ada@192.0.2.9>");
}
