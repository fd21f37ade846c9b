//! Session timers (RFC 4028) on virtual time.

use std::time::Duration;

use cordboard_sip::endpoint::EndCause;
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request};
use cordboard_sip::{Command, DialogId, Event, Invitation};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, text};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";

/// A call of ours that the peer answers with these header fields.
fn answered(stage: &mut Stage, fields: &str) -> (DialogId, Request) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, OFFER.into()).into());
    let invite = stage.request();
    stage.send(reply(&invite, 200, "them", &format!("{CONTACT}\r\n{fields}"), ANSWER));
    assert_eq!(stage.request().method, Method::Ack);
    stage.event();
    (dialog, invite)
}

/// A call of the peer's with these header fields.
fn taken(stage: &mut Stage, fields: &[&str]) -> (DialogId, Call, String) {
    let mut call = fields.iter().fold(Call::new(stage, "t"), |call, field| call.with(field));
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    call.learn_tag(&answer.headers);
    call.extra.clear();
    stage.send(call.ack(1));
    stage.event();
    (dialog, call, text(&answer.headers, HeaderId::SessionExpires))
}

#[test]
fn we_ask_for_half_an_hour_and_refresh_at_half_of_it_by_update() {
    let mut stage = Stage::new();
    let fields = "Session-Expires: 1800;refresher=uac\r\nAllow: INVITE, UPDATE, BYE";
    let (_, invite) = answered(&mut stage, fields);
    assert_eq!(text(&invite.headers, HeaderId::SessionExpires), "1800");
    assert_eq!(text(&invite.headers, HeaderId::MinSe), "90");
    assert!(text(&invite.headers, HeaderId::Supported).contains("timer"));

    stage.wait(SECONDS(899));
    stage.expect_silence();
    stage.wait(SECONDS(2));
    let update = stage.request();
    assert_eq!(update.method, Method::Update);
    assert!(update.body.is_empty());
    assert_eq!(text(&update.headers, HeaderId::SessionExpires), "1800;refresher=uac");
    stage.send(reply(&update, 200, "", &format!("{CONTACT}\r\nSession-Expires: 1800;refresher=uac"), ""));

    stage.wait(SECONDS(901));
    assert_eq!(stage.request().method, Method::Update, "and again");
    assert_eq!(stage.event(), None, "the application hears nothing of it");
}

#[test]
fn without_update_the_refresh_is_a_reinvite_with_the_same_description() {
    let mut stage = Stage::new();
    let (_, _) = answered(&mut stage, "Session-Expires: 100;refresher=uac");
    stage.wait(SECONDS(51));
    let refresh = stage.request();
    assert_eq!(refresh.method, Method::Invite);
    // RFC 4028 §7.4: "[…] the version of the session description […] MUST NOT change".
    assert_eq!(refresh.body, OFFER.as_bytes());
    stage.clear();
    stage.send(reply(&refresh, 200, "", &format!("{CONTACT}\r\nSession-Expires: 100;refresher=uac"), ANSWER));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), None, "the same answer is no news");
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut stage = Stage::new();
    let (dialog, _) = answered(&mut stage, "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.wait(SECONDS(933));
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Timeout }));
    stage.clear();
    stage.expect_idle();
}

#[test]
fn a_session_the_far_side_does_not_refresh_is_hung_up_before_its_end() {
    let mut stage = Stage::new();
    let (dialog, _) = answered(&mut stage, "Session-Expires: 90;refresher=uas\r\nRequire: timer");
    stage.wait(SECONDS(59));
    stage.expect_silence();
    // RFC 4028 §10: "the BYE […] the minimum of 32 seconds and one third of the session interval" before the end.
    stage.wait(SECONDS(2));
    assert_eq!(stage.request().method, Method::Bye);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Expired }));
}

#[test]
fn their_refreshes_keep_the_session() {
    let mut stage = Stage::new();
    let (dialog, call, granted) = taken(&mut stage, &["Supported: timer", "Session-Expires: 120;refresher=uac"]);
    assert_eq!(granted, "120;refresher=uac");
    for number in 2..6 {
        stage.wait(SECONDS(60));
        let update = call.text("UPDATE", number, &format!("u{number}"), "", "");
        let update = update
            .replace("Content-Length", "Session-Expires: 120;refresher=uac\r\nSupported: timer\r\nContent-Length");
        stage.send(update);
        let ok = stage.expect(200);
        assert_eq!(text(&ok.headers, HeaderId::SessionExpires), "120;refresher=uac");
        assert_eq!(text(&ok.headers, HeaderId::Require), "timer");
    }
    stage.wait(SECONDS(89));
    assert_eq!(stage.request().method, Method::Bye);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: EndCause::Expired }));
}

#[test]
fn a_caller_that_knows_no_timers_is_refreshed_by_us() {
    let mut stage = Stage::new();
    let (_, _, granted) = taken(&mut stage, &["Allow: INVITE, UPDATE"]);
    assert_eq!(granted, "1800;refresher=uas");
    stage.wait(SECONDS(901));
    let refresh = stage.request();
    assert_eq!(refresh.method, Method::Update);
    stage.send(reply(&refresh, 200, "", "", ""));
    stage.wait(SECONDS(901));
    assert_eq!(stage.request().method, Method::Update);
}

#[test]
fn too_small_an_interval_draws_422_and_theirs_is_obeyed() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "small").with("Supported: timer").with("Session-Expires: 60");
    stage.send(call.invite());
    let refused = stage.expect(422);
    assert_eq!(text(&refused.headers, HeaderId::MinSe), "90");
    assert_eq!(stage.event(), None);

    // RFC 4028 §7.4: the UAC tries again "with the Session-Expires […] at least the Min-SE of the 422".
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, stage.peer, OFFER.into()).into());
    let invite = stage.request();
    stage.send(reply(&invite, 422, "p", "Min-SE: 3600", ""));
    assert_eq!(stage.request().method, Method::Ack);
    let again = stage.request();
    assert_eq!(text(&again.headers, HeaderId::SessionExpires), "3600");
    assert_eq!(text(&again.headers, HeaderId::MinSe), "3600");
    assert_eq!(text(&again.headers, HeaderId::CSeq), "2 INVITE");
    assert_eq!(again.headers.text_of("Call-ID"), invite.headers.text_of("Call-ID"));
    assert_eq!(stage.event(), None);
}
