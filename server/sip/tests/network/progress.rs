//! Reliable provisional responses and PRACK (RFC 3262), both sides, and what an early dialog may change.

use std::time::Duration;

use cordboard_sip::endpoint::{EndCause, FailureCause};
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request};
use cordboard_sip::{Command, DialogId, Event, Invitation};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, text};
use crate::sim::{Network, Weather};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";
const LATER: &str =
    "v=0\r\no=- 9 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n";

fn dial(stage: &mut Stage) -> (DialogId, Request) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, OFFER.into()).into());
    (dialog, stage.request())
}

fn reliable(number: u32) -> String {
    format!("{CONTACT}\r\nRequire: 100rel\r\nRSeq: {number}\r\nAllow: INVITE, UPDATE, PRACK")
}

fn progress(dialog: DialogId, status: u16, sdp: Option<&str>, early: &str) -> Event {
    Event::Progress { dialog, status, sdp: sdp.map(Into::into), early: early.to_owned() }
}

#[test]
fn a_reliable_response_is_acknowledged_once_and_in_order() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    assert!(text(&invite.headers, HeaderId::Supported).contains("100rel"));
    stage.send(reply(&invite, 183, "them", &reliable(7), ANSWER));
    let prack = stage.request();
    assert_eq!((&prack.method, text(&prack.headers, HeaderId::RAck).as_str()), (&Method::Prack, "7 1 INVITE"));
    assert_eq!(text(&prack.headers, HeaderId::CSeq), "2 PRACK");
    assert_eq!(prack.uri, b"sip:callee@192.0.2.9:5060");
    assert_eq!(stage.event(), Some(progress(dialog, 183, Some(ANSWER), "them")));

    // RFC 3262 §4: "the UAC MUST NOT […] pass" a repeat to the application, nor acknowledge it again in a new request.
    stage.send(reply(&invite, 183, "them", &reliable(7), ANSWER));
    // "if the UAC receives another reliable provisional response to the same request, and its RSeq value is not one
    // higher than the value of the sequence number, that response MUST NOT be acknowledged".
    stage.send(reply(&invite, 180, "them", &reliable(9), ""));
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.send(reply(&prack, 200, "", "", ""));
    stage.send(reply(&invite, 180, "them", &reliable(8), ""));
    assert_eq!(text(&stage.request().headers, HeaderId::RAck), "8 1 INVITE");
    assert_eq!(stage.event(), Some(progress(dialog, 180, None, "them")));

    // The 2xx need not repeat the answer; the application gets it all the same, and the dialog counts on.
    stage.send(reply(&invite, 200, "them", CONTACT, ""));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));
    stage.command(Command::HangUp { dialog });
    assert_eq!(text(&stage.request().headers, HeaderId::CSeq), "4 BYE");
}

#[test]
fn each_branch_of_a_fork_has_its_own_numbers() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 183, "one", &reliable(1), ANSWER));
    stage.send(reply(&invite, 183, "two", &reliable(500), ANSWER));
    let (first, second) = (stage.request(), stage.request());
    assert_eq!(text(&first.headers, HeaderId::RAck), "1 1 INVITE");
    assert_eq!(text(&second.headers, HeaderId::RAck), "500 1 INVITE");
    assert_eq!(stage.event(), Some(progress(dialog, 183, Some(ANSWER), "one")));
    assert_eq!(stage.event(), Some(progress(dialog, 183, Some(ANSWER), "two")));
}

#[test]
fn a_prack_that_is_lost_is_repeated_by_itself() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    stage.send(reply(&invite, 180, "them", &reliable(1), ""));
    let prack = stage.request();
    stage.wait(MS(600));
    assert_eq!(stage.request(), prack, "the same transaction");
    stage.send(reply(&prack, 200, "", "", ""));
    stage.command(Command::HangUp { dialog });
    stage.clear();
    stage.wait(SECONDS(32));
    stage.clear();
    stage.expect_idle();
}

fn requires_reliability(stage: &mut Stage) -> (DialogId, Call) {
    let call = Call::new(stage, "rel").with("Require: 100rel").with("Allow: INVITE, UPDATE, PRACK");
    let dialog = stage.incoming(&call);
    (dialog, call)
}

fn prack(call: &Call, number: u32, rack: &str) -> String {
    let text = call.text("PRACK", number, &format!("p{number}"), "", "");
    text.replace("Require: 100rel\r\n", &format!("RAck: {rack}\r\n"))
}

#[test]
fn a_caller_that_requires_it_gets_reliable_responses_until_its_prack() {
    let mut stage = Stage::new();
    let (dialog, mut call) = requires_reliability(&mut stage);
    stage.command(Command::Progress { dialog, status: 183, sdp: Some(ANSWER.into()) });
    let first = stage.expect(183);
    call.learn_tag(&first.headers);
    let number: u32 = text(&first.headers, HeaderId::RSeq).parse().unwrap();
    assert_eq!(text(&first.headers, HeaderId::Require), "100rel");
    // RFC 3262 §3: repeated "with an exponential backoff" from T1.
    stage.wait(MS(3_600));
    let repeats: Vec<_> = std::iter::from_fn(|| stage.net.take(stage.peer)).map(|(at, _)| at).collect();
    assert_eq!(repeats, [MS(500), MS(1_500), MS(3_500)]);

    // The next response and the answer wait their turn.
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    stage.expect_silence();
    // "If the PRACK does not match an unacknowledged reliable provisional response, it is rejected with a 481".
    stage.send(prack(&call, 2, &format!("{} 1 INVITE", number + 5)));
    stage.expect(481);
    stage.send(prack(&call, 3, &format!("{number} 1 INVITE")));
    stage.expect(200);
    let answer = stage.expect(200);
    assert!(answer.body.is_empty(), "the answer has been given, and acknowledged");
    stage.send(call.ack(1));
    assert_eq!(stage.event(), Some(Event::Confirmed { dialog, sdp: None }));
    stage.wait(SECONDS(10));
    stage.expect_silence();
}

#[test]
fn without_a_prack_the_call_is_refused_in_the_end() {
    let mut stage = Stage::new();
    let (dialog, _) = requires_reliability(&mut stage);
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    stage.wait(SECONDS(32));
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::NoAck }));
    let last = std::iter::from_fn(|| stage.next()).last();
    let Some(cordboard_sip::message::Message::Response(last)) = last else { panic!("a response") };
    assert_eq!(last.status, 504);
    stage.wait(SECONDS(32));
    stage.clear();
    stage.expect_idle();
}

#[test]
fn an_update_changes_an_early_dialog_once_the_offer_is_answered() {
    let mut stage = Stage::new();
    let (dialog, mut call) = requires_reliability(&mut stage);
    stage.command(Command::Progress { dialog, status: 183, sdp: Some(ANSWER.into()) });
    let first = stage.expect(183);
    call.learn_tag(&first.headers);
    let number = text(&first.headers, HeaderId::RSeq);
    let update = |call: &Call, number| {
        let text = call.text("UPDATE", number, &format!("u{number}"), "application/sdp", LATER);
        text.replace("Require: 100rel\r\n", "")
    };
    // RFC 3311 §5.2: before the first offer has its answer there is no second one.
    stage.send(update(&call, 2));
    stage.expect(500);
    stage.send(prack(&call, 3, &format!("{number} 1 INVITE")));
    stage.expect(200);
    stage.send(update(&call, 4));
    assert_eq!(stage.event(), Some(Event::Reinvite { dialog, sdp: Some(LATER.into()) }));
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    assert_eq!(stage.expect(200).body, ANSWER.as_bytes());

    // And ours, the other way round.
    stage.command(Command::Offer { dialog, sdp: LATER.into() });
    let ours = stage.request();
    assert_eq!((&ours.method, ours.body.as_slice()), (&Method::Update, LATER.as_bytes()));
    stage.send(reply(&ours, 200, "", "Contact: <sip:caller@192.0.2.9:5060>", ANSWER));
    assert_eq!(stage.event(), Some(Event::OfferAnswered { dialog, sdp: Some(ANSWER.into()) }));
}

#[test]
fn a_callee_may_update_its_early_dialog_too() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage);
    // An early dialog whose answer is not reliable cannot be changed.
    stage.send(reply(&invite, 180, "them", CONTACT, ""));
    stage.event();
    stage.command(Command::Offer { dialog, sdp: LATER.into() });
    assert_eq!(stage.event(), Some(Event::OfferRefused { dialog, status: 491 }));
    stage.send(reply(&invite, 183, "them", &reliable(1), ANSWER));
    let prack = stage.request();
    stage.send(reply(&prack, 200, "", "", ""));
    stage.event();

    let mut update = Call::new(&stage, "x");
    update.name = String::new();
    let bytes = update_of(&invite, LATER);
    stage.send(bytes);
    assert_eq!(stage.event(), Some(Event::Reinvite { dialog, sdp: Some(LATER.into()) }));
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    stage.expect(200);
    stage.command(Command::Offer { dialog, sdp: LATER.into() });
    assert_eq!(stage.request().method, Method::Update);
    // The call fails before the answer comes: nothing stays behind.
    stage.send(reply(&invite, 486, "them", "", ""));
    stage.request();
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 486, cause: FailureCause::Rejected }));
    stage.expect_idle();
}

/// An UPDATE of the callee in the early dialog of tag `them`.
fn update_of(invite: &Request, sdp: &str) -> String {
    let from = text(&invite.headers, HeaderId::From);
    let (to, call_id) = (text(&invite.headers, HeaderId::To), text(&invite.headers, HeaderId::CallId));
    format!(
        "UPDATE sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKup\r\n\
         Max-Forwards: 70\r\nFrom: {to};tag=them\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 7 UPDATE\r\n\
         Contact: <sip:callee@192.0.2.9:5060>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

#[test]
fn without_our_offer_theirs_comes_in_the_answer_and_the_ack_waits_for_ours() {
    let mut stage = Stage::new();
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, Vec::new()).into());
    let invite = stage.request();
    assert!(invite.body.is_empty());
    assert!(!text(&invite.headers, HeaderId::Supported).contains("100rel"), "its PRACK would have to answer");
    stage.send(reply(&invite, 200, "them", CONTACT, OFFER));
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(OFFER.into()) }));
    stage.send(reply(&invite, 200, "them", CONTACT, OFFER));
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.command(Command::AckAnswer { dialog, sdp: ANSWER.into() });
    let ack = stage.request();
    assert_eq!((&ack.method, ack.body.as_slice()), (&Method::Ack, ANSWER.as_bytes()));
    stage.send(reply(&invite, 200, "them", CONTACT, OFFER));
    assert_eq!(stage.request(), ack);
}

#[test]
fn hanging_up_before_answering_their_late_offer_acknowledges_first() {
    let mut stage = Stage::new();
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, Vec::new()).into());
    let invite = stage.request();
    stage.send(reply(&invite, 200, "them", CONTACT, OFFER));
    stage.command(Command::HangUp { dialog });
    assert_eq!((stage.request().method, stage.request().method), (Method::Ack, Method::Bye));
}

#[test]
fn reliable_responses_survive_loss() {
    for seed in 0..20 {
        let mut net = Network::with_weather(seed, Weather { loss: 300, duplicates: 30, jitter_ms: 280 });
        let caller = net.endpoint("192.0.2.1:5060", seed);
        let callee = net.endpoint("192.0.2.2:5060", seed + 1_000);
        let dialog = DialogId::outgoing(1);
        let to = format!("sip:support@{callee}").parse().unwrap();
        let from = NameAddr::parse("<sip:caller@192.0.2.1>").unwrap();
        let mut invitation = Invitation::new(dialog, to, from, callee, OFFER.into());
        invitation.require_reliable = true;
        net.command(caller, invitation.into());
        let end = net.now + SECONDS(200);
        let mut heard = Vec::new();
        while net.step(end) {
            while let Some((address, event)) = net.take_event() {
                match event {
                    Event::Incoming(call) => {
                        let dialog = call.dialog;
                        let sdp = Some(ANSWER.into());
                        net.command(callee, Command::Progress { dialog, status: 183, sdp });
                        net.command(callee, Command::Progress { dialog, status: 180, sdp: None });
                        net.plan(SECONDS(20), callee, Command::Accept { dialog, sdp: ANSWER.into() });
                    }
                    Event::Progress { status, .. } => heard.push(status),
                    Event::Answered { dialog, .. } => {
                        heard.push(200);
                        net.plan(SECONDS(40), address, Command::HangUp { dialog });
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(heard, [183, 180, 200], "seed {seed}: each once, in order");
        for address in [caller, callee] {
            assert_eq!(net.stats(address), cordboard_sip::Stats::default(), "seed {seed}");
        }
    }
}
