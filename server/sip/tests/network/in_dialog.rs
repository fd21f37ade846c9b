//! Requests inside a dialog: INFO, UPDATE, re-INVITE, and their order.

use std::time::Duration;

use cordboard_sip::endpoint::EndCause;
use cordboard_sip::message::{HeaderId, Method};
use cordboard_sip::{Command, Event};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, text};

const MS: fn(u64) -> Duration = Duration::from_millis;
const HOLD: &str =
    "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n";

#[test]
fn a_reinvite_is_answered_and_its_200_is_not_repeated_after_its_own_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "reinvite");
    let dialog = stage.established(&mut call);

    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(100);
    assert_eq!(stage.event(), Some(Event::Reinvite { dialog, sdp: Some(HOLD.into()) }));
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    assert_eq!(stage.expect(200).body, ANSWER.as_bytes());
    // A late copy of the first ACK acknowledges the first INVITE only.
    stage.send(call.ack(1));
    stage.wait(MS(500));
    stage.expect(200);

    stage.send(call.ack(2));
    stage.wait(MS(40_000));

    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.request().method, Method::Bye);
}

#[test]
fn a_reinvite_without_an_offer_gets_ours() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "lateagain");
    let dialog = stage.established(&mut call);
    stage.send(call.text("INVITE", 2, "b2", "", ""));
    stage.expect(100);
    assert_eq!(stage.event(), Some(Event::Reinvite { dialog, sdp: None }));
    stage.command(Command::AnswerOffer { dialog, sdp: OFFER.into() });
    stage.expect(200);
    stage.send(call.text("ACK", 2, "ack2", "application/sdp", ANSWER));
    assert_eq!(stage.event(), Some(Event::Confirmed { dialog, sdp: Some(ANSWER.into()) }));
}

#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "refused");
    let dialog = stage.established(&mut call);
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(100);
    stage.command(Command::RejectOffer { dialog, status: 488 });
    stage.expect(488);
    stage.send(call.text("ACK", 2, "b2", "", ""));
    stage.wait(MS(10_000));
    stage.expect_silence();
    stage.send(call.bye(3));
    stage.expect(200);
}

#[test]
fn a_reinvite_before_the_ack_of_the_first_invite_draws_491() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "glare");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    call.learn_tag(&answer.headers);
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(491);
    assert_eq!(stage.event(), None);
}

#[test]
fn a_second_reinvite_before_the_answer_to_the_first_draws_500_with_retry_after() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "second");
    stage.established(&mut call);
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(100);
    stage.send(call.text("INVITE", 3, "b3", "application/sdp", HOLD));
    // RFC 3261 §14.2: "[…] MUST return a 500 (Server Internal Error) response to the second INVITE and MUST include a
    // Retry-After header field with a randomly chosen value of between 0 and 10 seconds."
    let refused = stage.expect(500);
    assert!(text(&refused.headers, HeaderId::RetryAfter).parse::<u32>().unwrap() <= 10);
}

#[test]
fn a_cancelled_reinvite_draws_487_and_the_call_goes_on() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "cancelre");
    let dialog = stage.established(&mut call);
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(100);
    assert!(matches!(stage.event(), Some(Event::Reinvite { .. })));

    stage.send(call.text("CANCEL", 2, "b2", "", ""));

    assert_eq!(text(&stage.expect(200).headers, HeaderId::CSeq), "2 CANCEL");
    assert_eq!(text(&stage.expect(487).headers, HeaderId::CSeq), "2 INVITE");
    stage.send(call.text("ACK", 2, "b2", "", ""));
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    stage.wait(MS(40_000));
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.send(call.bye(3));
    stage.expect(200);
}

#[test]
fn their_bye_answers_a_pending_reinvite_with_487() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "pendingbye");
    let dialog = stage.established(&mut call);
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(100);
    stage.event();
    stage.send(call.bye(3));
    stage.expect(200);
    stage.expect(487);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::RemoteBye }));
    stage.send(call.text("ACK", 2, "b2", "", ""));
    stage.expect_idle();
}

#[test]
fn a_reinvite_moves_the_remote_target() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "target");
    let dialog = stage.established(&mut call);
    let moved = call.text("INVITE", 2, "b2", "application/sdp", HOLD);
    stage.send(moved.replace("Contact: <sip:caller@192.0.2.9:5060;", "Contact: <sip:moved@192.0.2.9:5060;"));
    stage.expect(100);
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    stage.expect(200);
    stage.send(call.ack(2));
    stage.command(Command::HangUp { dialog });
    // RFC 3261 §12.2.2: "When a UAS receives a target refresh request, it MUST replace the dialog's remote target URI
    // with the URI from the Contact header field in that request, if present."
    assert_eq!(stage.request().uri, b"sip:moved@192.0.2.9:5060;transport=udp");
}

#[test]
fn our_own_reinvite_is_acknowledged_and_its_200_acknowledged_again() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "ours");
    let dialog = stage.established(&mut call);
    stage.command(Command::Offer { dialog, sdp: HOLD.into() });
    let invite = stage.request();
    assert_eq!((&invite.method, text(&invite.headers, HeaderId::CSeq).as_str()), (&Method::Invite, "1 INVITE"));
    // While ours is under way theirs must wait, and so must a second one of ours.
    stage.send(call.text("INVITE", 2, "b2", "application/sdp", HOLD));
    stage.expect(491);
    stage.command(Command::Offer { dialog, sdp: OFFER.into() });
    stage.expect_silence();

    let contact = "Contact: <sip:caller@192.0.2.9:5060;transport=udp>";
    stage.send(reply(&invite, 200, "", contact, ANSWER));
    let ack = stage.request();
    assert_eq!((&ack.method, text(&ack.headers, HeaderId::CSeq).as_str()), (&Method::Ack, "1 ACK"));
    assert_eq!(stage.event(), Some(Event::OfferAnswered { dialog, sdp: Some(ANSWER.into()) }));
    let second = stage.request();
    assert_eq!(second.method, Method::Invite);
    // RFC 3264 §8: "the version in the origin field MUST increment by one from the previous SDP."
    assert!(String::from_utf8_lossy(&second.body).contains("o=- 1 3 IN"), "the one that waited is the newest now");
    stage.send(reply(&invite, 200, "", contact, ANSWER));
    assert_eq!(stage.request(), ack);

    stage.send(reply(&second, 488, "", "", ""));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::OfferRefused { dialog, status: 488 }));
}

#[test]
fn hanging_up_during_our_reinvite_leaves_nothing_behind() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "leave");
    let dialog = stage.established(&mut call);
    stage.command(Command::Offer { dialog, sdp: HOLD.into() });
    let invite = stage.request();
    stage.send(reply(&invite, 100, "", "", ""));
    stage.command(Command::HangUp { dialog });
    let bye = stage.request();
    assert_eq!(bye.method, Method::Bye);
    stage.send(reply(&bye, 200, "", "", ""));
    stage.expect_idle();
}

#[test]
fn info_is_answered_and_handed_up() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "info");
    let dialog = stage.established(&mut call);
    stage.send(call.text("INFO", 2, "i2", "application/dtmf-relay", "Signal=5\r\nDuration=160"));
    stage.expect(200);
    let content_type = "application/dtmf-relay".to_owned();
    let body = b"Signal=5\r\nDuration=160".to_vec();
    assert_eq!(stage.event(), Some(Event::Info { dialog, content_type, body }));
}

#[test]
fn early_info_and_update_are_answered() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "early");
    let dialog = stage.incoming(&call);
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    call.learn_tag(&stage.expect(180).headers);

    stage.send(call.text("INFO", 2, "i2", "text/plain", "x"));
    stage.expect(200);
    assert!(matches!(stage.event(), Some(Event::Info { dialog: d, .. }) if d == dialog));
    stage.send(call.text("UPDATE", 3, "u3", "", ""));
    stage.expect(200);
    // RFC 3311 §5.2: an offer while an earlier one of theirs has no answer draws 500 with Retry-After.
    stage.send(call.text("UPDATE", 4, "u4", "application/sdp", HOLD));
    assert!(!text(&stage.expect(500).headers, HeaderId::RetryAfter).is_empty());
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    stage.expect(200);
}

#[test]
fn an_update_with_an_offer_is_answered_by_the_application() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "update");
    let dialog = stage.established(&mut call);
    stage.send(call.text("UPDATE", 2, "u2", "application/sdp", HOLD));
    assert_eq!(stage.event(), Some(Event::Reinvite { dialog, sdp: Some(HOLD.into()) }));
    stage.expect_silence();
    stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    assert_eq!(text(&answer.headers, HeaderId::CSeq), "2 UPDATE");
    assert_eq!(answer.body, ANSWER.as_bytes());
    stage.wait(MS(40_000));
    stage.expect_silence();
}

#[test]
fn an_old_sequence_number_draws_500() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "old");
    stage.established(&mut call);
    stage.send(call.text("INFO", 9, "i9", "text/plain", "x"));
    stage.expect(200);
    stage.event();
    stage.send(call.text("INFO", 8, "i8", "text/plain", "x"));
    // RFC 3261 §12.2.2: "[…] the request is out of order and MUST be rejected with a 500 (Server Internal Error)
    // response."
    stage.expect(500);
    assert_eq!(stage.event(), None);
}

#[test]
fn requests_with_an_unknown_tag_draw_481() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "unknown");
    stage.established(&mut call);
    for (method, number) in [("BYE", 2), ("INFO", 3), ("INVITE", 4), ("UPDATE", 5)] {
        call.to_tag = Some("nobody".to_owned());
        stage.send(call.text(method, number, &format!("x{number}"), "", ""));
        stage.expect(481);
    }
    assert_eq!(stage.event(), None);
    assert_eq!(stage.net.stats(stage.us).dialogs, 1);
}

#[test]
fn a_bye_with_the_callers_tag_wrong_does_not_end_the_call() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "wrongfrom");
    let dialog = stage.established(&mut call);
    stage.send(call.bye(2).replace("tag=wrongfromfrom", "tag=stranger"));
    stage.expect(481);
    assert_eq!(stage.event(), None);
    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.request().method, Method::Bye);
}

#[test]
fn crossing_byes_are_both_answered() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "cross");
    let dialog = stage.established(&mut call);
    stage.command(Command::HangUp { dialog });
    let ours = stage.request();
    stage.send(call.bye(2));
    stage.expect(200);
    stage.send(reply(&ours, 481, "", "", ""));
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::LocalBye }));
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}
