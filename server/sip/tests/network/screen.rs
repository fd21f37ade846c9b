//! What the endpoint answers by itself, and what it drops.

use cordboard_sip::message::HeaderId;
use cordboard_sip::{Command, Event, Stats};

use crate::peer::{ANSWER, Call, OFFER, Stage, text};

/// Sends a variation of an INVITE and expects a refusal that leaves nothing behind.
#[track_caller]
fn refused(status: u16, change: impl FnOnce(String) -> String) -> cordboard_sip::message::Response {
    let mut stage = Stage::new();
    let invite = change(Call::new(&stage, "screen").invite());
    stage.send(invite.clone());
    let response = stage.expect(status);
    assert_eq!(stage.event(), None);
    assert_eq!(stage.net.stats(stage.us), Stats::default(), "a refused stranger costs nothing");
    // RFC 3261 §8.2.7: a stateless answer is the same each time.
    stage.send(invite);
    assert_eq!(stage.response(), response);
    response
}

#[test]
fn options_says_what_is_possible() {
    let ok = refused(200, |invite| invite.replace("INVITE", "OPTIONS"));
    // RFC 3261 §11.2: "Allow, Accept, Accept-Encoding, Accept-Language, and Supported header fields SHOULD be present
    // in a 200 (OK) response to an OPTIONS request."
    assert_eq!(
        text(&ok.headers, HeaderId::Allow),
        "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
    );
    assert_eq!(text(&ok.headers, HeaderId::Accept), "application/sdp");
}

#[test]
fn known_methods_not_taken_draw_405() {
    for method in ["SUBSCRIBE", "REGISTER", "MESSAGE", "PUBLISH"] {
        let refused = refused(405, |invite| invite.replace("INVITE", method));
        // RFC 3261 §8.2.1: "The UAS MUST also add an Allow header field to the 405 (Method Not Allowed) response."
        assert!(text(&refused.headers, HeaderId::Allow).contains("INVITE"));
    }
}

#[test]
fn an_unknown_method_draws_501() {
    refused(501, |invite| invite.replace("INVITE", "JUMP"));
}

#[test]
fn a_malformed_request_draws_400() {
    refused(400, |invite| invite.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"));
    refused(400, |invite| invite.replace("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE"));
    refused(400, |invite| invite.replace("Max-Forwards: 70", "Max-Forwards: 300"));
    refused(400, |invite| invite.replace("Max-Forwards: 70", "a line without a colon"));
    refused(400, |invite| invite.replace("To: <sip:", "To: <"));
    refused(400, |invite| invite.replace("Contact: <", "Contact: \"<"));
    refused(400, |invite| invite.replace("Max-Forwards: 70", "Call-ID: another"));
    refused(400, |invite| invite.replace("INVITE sip:+442079460102@", "INVITE sip:a@b@"));
    refused(400, |invite| invite.replace("INVITE sip:", "INVITE <sip:> sip:"));
    refused(400, |invite| invite.replace("Max-Forwards: 70", &format!("X-Long: {}", "x".repeat(9_000))));
}

#[test]
fn a_body_shorter_than_its_length_draws_400() {
    // RFC 3261 §18.3: "If the message is a request, the element SHOULD generate a 400 (Bad Request) response."
    refused(400, |invite| invite.replace(&format!("Content-Length: {}", OFFER.len()), "Content-Length: 9999"));
    refused(400, |invite| invite.replace("Content-Length: ", "Content-Length: -"));
    refused(400, |invite| invite.replace("Max-Forwards: 70", "Content-Length: 3"));
}

#[test]
fn another_version_draws_505() {
    refused(505, |invite| invite.replace(" SIP/2.0\r\n", " SIP/7.0\r\n"));
}

#[test]
fn another_scheme_draws_416() {
    refused(416, |invite| invite.replace("INVITE sip:", "INVITE sips:"));
    refused(416, |invite| invite.replace("INVITE sip:+442079460102@192.0.2.1:5060", "INVITE tel:+442079460102"));
    refused(416, |invite| invite.replace("INVITE sip:", "INVITE soap.beep://"));
}

#[test]
fn a_required_extension_draws_420() {
    let refused = refused(420, |invite| invite.replace("Max-Forwards: 70", "Require: 100rel, nothing"));
    // RFC 3261 §8.2.2.3: "[…] the UAS MUST add an Unsupported header field, and list in it those options it does not
    // understand".
    assert_eq!(text(&refused.headers, HeaderId::Unsupported), "nothing", "100rel is understood");
}

#[test]
fn no_hops_left_draws_483() {
    refused(483, |invite| invite.replace("Max-Forwards: 70", "Max-Forwards: 0"));
}

#[test]
fn another_body_draws_415() {
    let refused = refused(415, |invite| invite.replace("application/sdp", "text/plain"));
    assert_eq!(text(&refused.headers, HeaderId::Accept), "application/sdp");
}

#[test]
fn the_session_description_is_found_among_several_parts() {
    let mut stage = Stage::new();
    let body = format!(
        "--b-1\r\nContent-Type: application/isup\r\n\r\n\u{1}\u{2}\r\n--b-1\r\nContent-Type: application/SDP\r\n\r\n{OFFER}--b-1--\r\n"
    );
    let call = Call::new(&stage, "parts");
    // RFC 5621 wants `multipart/mixed` read by everybody who reads bodies.
    stage.send(call.text("INVITE", 1, "b1", "multipart/mixed; boundary=\"b-1\"", &body));
    stage.expect(100);
    assert!(matches!(stage.event(), Some(Event::Incoming(call)) if call.sdp.as_deref() == Some(OFFER.as_bytes())));
    for broken in [body.replace("--b-1--", ""), body.replace("/SDP", "/x"), "--b-1".to_owned(), "x".to_owned()] {
        let call = Call::new(&stage, "broken");
        stage.clear();
        stage.send(call.text("INVITE", 1, "b1", "multipart/mixed; boundary=\"b-1\"", &broken));
        stage.expect(415);
    }
}

#[test]
fn requests_that_need_a_dialog_draw_481() {
    refused(481, |invite| invite.replace("INVITE", "BYE"));
    refused(481, |invite| invite.replace("INVITE", "INFO"));
}

#[test]
fn the_same_invite_by_another_way_draws_482() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "merged");
    stage.incoming(&call);

    stage.send(call.invite_with("other", OFFER));

    // RFC 3261 §8.2.2.2: "[…] the UAS core SHOULD generate a 482 (Loop Detected) response and pass it to the server
    // transaction."
    stage.expect(482);
    assert_eq!(stage.event(), None);
}

#[test]
fn an_ack_is_never_answered() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "ack");
    call.to_tag = Some("x".to_owned());
    stage.send(call.ack(1));
    stage.send(call.ack(1).replace("CSeq: 1 ACK", "CSeq: 1 INVITE"));
    stage.send(call.ack(1).replace(" SIP/2.0\r\n", " SIP/3.0\r\n"));
    stage.send(call.ack(1).replace("ACK sip:", "ACK tel:"));
    stage.expect_silence();
    assert_eq!(stage.net.stats(stage.us), Stats::default());
}

#[test]
fn an_invite_without_content_length_keeps_its_body() {
    let mut stage = Stage::new();
    let invite = Call::new(&stage, "nolength").invite();
    stage.send(invite.replace(&format!("Content-Length: {}\r\n", OFFER.len()), ""));
    stage.expect(100);
    // RFC 3261 §18.3: "If the message has no Content-Length header field, the message body is assumed to end at the end
    // of the transport packet."
    assert!(matches!(stage.event(), Some(Event::Incoming(call)) if call.sdp.as_deref() == Some(OFFER.as_bytes())));
}

#[test]
fn bytes_beyond_content_length_are_cut() {
    let mut stage = Stage::new();
    let invite = Call::new(&stage, "tail").invite();
    stage.send(invite + "rubbish");
    stage.expect(100);
    // "If there are additional bytes in the transport packet beyond the end of the body, they MUST be discarded."
    assert!(matches!(stage.event(), Some(Event::Incoming(call)) if call.sdp.as_deref() == Some(OFFER.as_bytes())));
}

#[test]
fn latin_1_names_pass_and_come_back_as_they_came() {
    let mut stage = Stage::new();
    let invite = Call::new(&stage, "latin").with("Subject: caf@").invite().replace("\"Caller\"", "\"J@rg\"");
    let bytes: Vec<u8> = {
        let text = invite.replace("J@rg", "J\u{1}rg").replace("caf@", "caf\u{2}");
        text.bytes()
            .map(|byte| match byte {
                1 => 0xF6,
                2 => 0xE9,
                other => other,
            })
            .collect()
    };
    stage.send(bytes);
    let trying = stage.expect(100);
    let from = trying.headers.first(HeaderId::From).unwrap().value();
    assert!(from.starts_with(b"\"J\xF6rg\""), "{from:?}");
    let Some(Event::Incoming(call)) = stage.event() else { panic!("no call") };
    assert_eq!(call.from.display.as_deref(), Some("Jörg"));
    assert_eq!(call.headers.text_of("subject").as_deref(), Some("café"));
    assert_eq!(call.sdp.as_deref(), Some(OFFER.as_bytes()));
    stage.command(Command::Accept { dialog: call.dialog, sdp: ANSWER.into() });
    stage.expect(200);
}

#[test]
fn compact_and_folded_header_fields_are_read() {
    let mut stage = Stage::new();
    let invite = Call::new(&stage, "compact").invite();
    let compact = invite
        .replace("Via: ", "v: ")
        .replace("From: ", "f:")
        .replace("To: ", "t  : ")
        .replace("Call-ID: ", "i: ")
        .replace("Contact: ", "m:\r\n  ")
        .replace("Content-Type: ", "c: ")
        .replace("Content-Length: ", "l:\t")
        .replace("CSeq: 1 ", "cseq: 1\r\n ");
    stage.send(compact);
    stage.expect(100);
    assert!(matches!(stage.event(), Some(Event::Incoming(call)) if call.sip_call_id == "compact@peer"));
}

#[test]
fn keep_alives_and_stray_responses_are_dropped() {
    let mut stage = Stage::new();
    stage.send("\r\n\r\n");
    stage.send("");
    stage.send("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKno\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n\
                Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
    stage.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    stage.expect_silence();
    assert_eq!(stage.event(), None);
}

#[test]
fn a_sender_of_rfc_2543_is_understood() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "legacy");
    let old = |text: String| text.replace(";branch=z9hG4bKlegacyb1", "");
    stage.send(old(call.invite()));
    stage.expect(100);
    let Some(Event::Incoming(incoming)) = stage.event() else { panic!("no call") };
    stage.send(old(call.invite()));
    stage.expect(100);
    assert_eq!(stage.event(), None);
    stage.command(Command::Reject { dialog: incoming.dialog, status: 486, retry_after: None, reason: None });
    call.learn_tag(&stage.expect(486).headers);
    stage.send(old(call.ack_failure()));
    stage.wait(std::time::Duration::from_secs(20));
    stage.expect_silence();
    stage.expect_idle();
}
