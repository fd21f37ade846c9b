//! The callee's side against a scripted caller.

use std::time::Duration;

use cordboard_sip::message::{HeaderId, Message, Method};
use cordboard_sip::{Command, Event, Limits};

use crate::peer::{ANSWER, Call, OFFER, Stage, tag, text};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn a_basic_call_rings_is_answered_and_ends() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "basic");

    stage.send(call.invite());
    stage.expect(100);
    let Some(Event::Incoming(incoming)) = stage.event() else { panic!("no call") };
    assert_eq!(incoming.source, stage.peer);
    assert_eq!(incoming.request_uri.user().as_deref(), Some("+442079460102"));
    assert_eq!(incoming.from.display.as_deref(), Some("Caller"));
    assert_eq!(incoming.sip_call_id, "basic@peer");
    assert_eq!(incoming.sdp.as_deref(), Some(OFFER.as_bytes()));
    let dialog = incoming.dialog;

    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    let ringing = stage.expect(180);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    assert_eq!(answer.body, ANSWER.as_bytes());
    // RFC 3261 §12.1.1: "When a UAS responds to a request with a response that establishes a dialog […], the UAS MUST
    // add a Contact header field to the response."
    assert!(text(&answer.headers, HeaderId::Contact).contains("sip:192.0.2.1:5060"));
    assert_eq!(tag(&ringing.headers, HeaderId::To), tag(&answer.headers, HeaderId::To));
    call.learn_tag(&answer.headers);
    stage.send(call.ack(1));
    assert_eq!(stage.event(), Some(Event::Confirmed { dialog, sdp: None }));

    stage.send(call.bye(2));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: cordboard_sip::endpoint::EndCause::RemoteBye }));
    stage.expect_silence();
    stage.expect_idle();
}

#[test]
fn no_200_comes_after_the_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "quiet");
    stage.established(&mut call);

    stage.wait(MS(40_000));

    // RFC 3261 §13.3.1.4: "Response retransmissions cease when an ACK request for the response is received."
    stage.expect_silence();
    assert_eq!(stage.event(), None);
}

#[test]
fn the_200_is_repeated_until_the_ack_and_hung_up_without_one() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "noack");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    stage.wait(MS(33_000));

    let mut times = Vec::new();
    let bye = loop {
        let (at, bytes) = stage.net.take(stage.peer).expect("a BYE");
        match cordboard_sip::message::parse(&bytes).unwrap().message {
            Message::Response(response) => {
                assert_eq!(response.status, 200);
                call.learn_tag(&response.headers);
                times.push(u64::try_from(at.as_millis()).unwrap());
            }
            Message::Request(bye) => {
                assert_eq!(at, MS(32_000));
                break bye;
            }
        }
    };
    // RFC 3261 §13.3.1.4: "The 2xx response is passed to the transport with an interval that starts at T1 seconds and
    // doubles for each retransmission until it reaches T2 seconds".
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    // "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK, […] the session SHOULD be
    // terminated. This is accomplished with a BYE".
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: cordboard_sip::endpoint::EndCause::NoAck }));
    stage.send(crate::peer::reply(&bye, 200, "x", "", ""));
    stage.clear();
    stage.expect_idle();
}

#[test]
fn cancel_draws_200_and_487_and_487_is_repeated_until_its_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "cancel");
    let dialog = stage.incoming(&call);
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    let ringing = stage.expect(180);

    stage.send(call.cancel());

    // RFC 3261 §9.2: "the To tag of the response to the CANCEL and the To tag in the response to the original request
    // SHOULD be the same."
    let ok = stage.expect(200);
    assert_eq!(text(&ok.headers, HeaderId::CSeq), "1 CANCEL");
    assert_eq!(tag(&ok.headers, HeaderId::To), tag(&ringing.headers, HeaderId::To));
    let terminated = stage.expect(487);
    assert_eq!(text(&terminated.headers, HeaderId::CSeq), "1 INVITE");
    assert_eq!(stage.event(), Some(Event::Cancelled { dialog }));

    stage.wait(MS(500));
    stage.expect(487);
    stage.send(call.cancel());
    let again = stage.expect(200);
    assert_eq!(again, ok);
    call.learn_tag(&terminated.headers);
    stage.send(call.ack_failure());
    stage.wait(MS(20_000));
    // RFC 3261 §17.2.1: the ACK ends the repeats.
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn cancel_for_nothing_draws_481() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "nothing");

    stage.send(call.cancel());

    // RFC 3261 §9.2: "If the UAS did not find a matching transaction […], it SHOULD respond to the CANCEL with a 481".
    stage.expect(481);
    assert_eq!(stage.net.stats(stage.us), cordboard_sip::Stats::default());
}

#[test]
fn cancel_after_the_answer_changes_nothing() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "late");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);

    stage.send(call.cancel());

    // RFC 3261 §9.2: "If it has, the CANCEL request has no effect on the processing of the original request".
    assert_eq!(text(&stage.expect(200).headers, HeaderId::CSeq), "1 CANCEL");
    call.learn_tag(&answer.headers);
    stage.send(call.ack(1));
    assert_eq!(stage.event(), Some(Event::Confirmed { dialog, sdp: None }));
}

#[test]
fn a_repeated_invite_draws_the_last_provisional_response() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "again");
    let dialog = stage.incoming(&call);
    stage.send(call.invite());
    stage.expect(100);
    stage.command(Command::Progress { dialog, status: 183, sdp: Some(ANSWER.into()) });
    let progress = stage.expect(183);

    stage.send(call.invite());

    // RFC 3261 §17.2.1: "If a request retransmission is received while in the "Proceeding" state, the most recent
    // provisional response that was received from the TU MUST be passed to the transport layer for retransmission."
    assert_eq!(stage.response(), progress);
    assert_eq!(stage.event(), None, "one call, whatever the number of copies");
}

#[test]
fn a_refusal_is_repeated_and_stopped_by_its_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "busy");
    let dialog = stage.incoming(&call);

    let reason = Some("Q.850;cause=17".to_owned());
    stage.command(Command::Reject { dialog, status: 486, retry_after: Some(9), reason });
    let busy = stage.expect(486);
    assert_eq!(text(&busy.headers, HeaderId::RetryAfter), "9");
    assert_eq!(text(&busy.headers, HeaderId::Reason), "Q.850;cause=17");
    stage.wait(MS(1_600));
    stage.expect(486);
    stage.expect(486);
    stage.send(call.invite());
    stage.expect(486);

    call.learn_tag(&busy.headers);
    stage.send(call.ack_failure());
    assert_eq!(stage.net.stats(stage.us).timers, 1, "only timer I is left: G and H leave the table with the ACK");
    stage.wait(MS(30_000));
    stage.expect_silence();
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn a_refusal_without_an_ack_is_given_up() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "deaf");
    let dialog = stage.incoming(&call);
    stage.command(Command::Reject { dialog, status: 404, retry_after: None, reason: None });

    stage.expect_idle();

    let mut copies = 0;
    while let Some(message) = stage.next() {
        assert!(matches!(message, Message::Response(response) if response.status == 404));
        copies += 1;
    }
    // At 0, 0.5, 1.5, 3.5, then each T2 until timer H at 32 s.
    assert_eq!(copies, 11);
}

#[test]
fn hanging_up_while_ringing_refuses_the_call() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "hang");
    let dialog = stage.incoming(&call);

    stage.command(Command::HangUp { dialog });

    stage.expect(480);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: cordboard_sip::endpoint::EndCause::LocalBye }));
}

#[test]
fn our_bye_waits_for_the_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "fast");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    call.learn_tag(&answer.headers);

    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: cordboard_sip::endpoint::EndCause::LocalBye }));
    // RFC 3261 §15: "the callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx
    // response or until the server transaction times out."
    stage.expect_silence();
    stage.wait(MS(500));
    stage.expect(200);
    stage.send(call.ack(1));

    let bye = stage.request();
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.uri, b"sip:caller@192.0.2.9:5060;transport=udp");
    stage.send(crate::peer::reply(&bye, 200, "x", "", ""));
    assert_eq!(stage.event(), None);
    stage.expect_idle();
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "overtake");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    call.learn_tag(&answer.headers);

    stage.send(call.bye(2));
    stage.expect(200);
    assert_eq!(stage.event(), Some(Event::Ended { dialog, cause: cordboard_sip::endpoint::EndCause::RemoteBye }));
    stage.send(call.ack(1));
    stage.wait(MS(40_000));
    // RFC 3261 §17.2.3 and the trap of the field: an ACK is never answered.
    stage.expect_silence();
    stage.expect_idle();
}

#[test]
fn a_bye_while_ringing_ends_the_invite_with_487() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "earlybye");
    let dialog = stage.incoming(&call);
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    let ringing = stage.expect(180);
    call.learn_tag(&ringing.headers);

    stage.send(call.bye(2));

    // RFC 3261 §15.1.2: "The UAS MUST still respond to any pending requests received for that dialog. It is RECOMMENDED
    // that a 487 (Request Terminated) response be generated to those pending requests."
    assert_eq!(text(&stage.expect(200).headers, HeaderId::CSeq), "2 BYE");
    stage.expect(487);
    assert_eq!(stage.event(), Some(Event::Cancelled { dialog }));
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_answers_in_the_ack() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "lateoffer");
    stage.send(call.invite_with("b1", ""));
    stage.expect(100);
    let Some(Event::Incoming(incoming)) = stage.event() else { panic!("no call") };
    assert_eq!(incoming.sdp, None);
    let dialog = incoming.dialog;
    stage.command(Command::Accept { dialog, sdp: OFFER.into() });
    let answer = stage.expect(200);
    // RFC 3261 §13.2.1: "If the initial offer is in the first reliable non-failure message from the UAS back to the
    // UAC, the answer MUST be in the acknowledgement for that message (in this specification, ACK for a 2xx response)."
    assert_eq!(answer.body, OFFER.as_bytes());
    call.learn_tag(&answer.headers);

    stage.send(call.text("ACK", 1, "ack", "application/sdp", ANSWER));

    assert_eq!(stage.event(), Some(Event::Confirmed { dialog, sdp: Some(ANSWER.into()) }));
}

#[test]
fn record_routes_are_copied_in_order_and_our_bye_takes_them() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "routes")
        .with("Record-Route: <sip:192.0.2.51;lr>, <sip:192.0.2.52;lr;ftag=a>")
        .with("Record-Route: <sip:192.0.2.53;lr>");
    let dialog = stage.incoming(&call);
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    let answer = stage.expect(200);
    // RFC 3261 §12.1.1: "the UAS MUST copy all Record-Route header field values from the request into the response […]
    // and MUST maintain the order of those values."
    let routes = ["<sip:192.0.2.51;lr>", "<sip:192.0.2.52;lr;ftag=a>", "<sip:192.0.2.53;lr>"];
    assert_eq!(answer.headers.list(HeaderId::RecordRoute), routes);
    call.learn_tag(&answer.headers);
    stage.send(call.ack(1));

    stage.command(Command::HangUp { dialog });

    // "The route set MUST be set to the list of URIs in the Record-Route header field from the request, taken in
    // order".
    stage.expect_silence();
    let (_, bytes) = stage.net.take("192.0.2.51:5060".parse().unwrap()).unwrap();
    let Message::Request(bye) = cordboard_sip::message::parse(&bytes).unwrap().message else { panic!("no request") };
    assert_eq!(bye.headers.list(HeaderId::Route), routes);
    assert_eq!(bye.uri, b"sip:caller@192.0.2.9:5060;transport=udp");
}

#[test]
fn a_strict_router_takes_the_place_of_the_request_uri() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "strict").with("Record-Route: <sip:192.0.2.51>, <sip:192.0.2.52;lr>");
    let dialog = stage.established(&mut call);

    stage.command(Command::HangUp { dialog });

    // RFC 3261 §12.2.1.1: "the UAC MUST place the first URI from the route set into the Request-URI […]. The UAC MUST
    // then place the remote target URI into the Route header field as the last value."
    let (_, bytes) = stage.net.take("192.0.2.51:5060".parse().unwrap()).unwrap();
    let Message::Request(bye) = cordboard_sip::message::parse(&bytes).unwrap().message else { panic!("no request") };
    assert_eq!(bye.uri, b"sip:192.0.2.51");
    let routes = ["<sip:192.0.2.52;lr>", "<sip:caller@192.0.2.9:5060;transport=udp>"];
    assert_eq!(bye.headers.list(HeaderId::Route), routes);
}

#[test]
fn a_ringing_call_is_kept_alive_each_minute() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "minute");
    let dialog = stage.incoming(&call);
    stage.command(Command::Progress { dialog, status: 180, sdp: None });
    stage.wait(Duration::from_secs(125));

    // RFC 3261 §13.3.1.1: "the UAS MUST send a non-100 provisional response at every minute, to handle the possibility
    // of lost provisional responses."
    for _ in 0..3 {
        stage.expect(180);
    }
    stage.expect_silence();
}

#[test]
fn responses_go_where_the_request_came_from() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "nat");
    let natted: std::net::SocketAddr = "198.51.100.7:40001".parse().unwrap();
    let with_rport = call.invite().replace(";branch=", ";rport;branch=");

    stage.net.inject(natted, stage.us, with_rport);

    // RFC 3581 §4: "the server MUST set the value of the parameter to the source port of the request."
    let (_, bytes) = stage.net.take(natted).expect("an answer to the source address and port");
    let Message::Response(trying) = cordboard_sip::message::parse(&bytes).unwrap().message else { panic!() };
    let via = text(&trying.headers, HeaderId::Via);
    assert!(via.contains("received=198.51.100.7") && via.contains("rport=40001"), "{via}");
    // RFC 3261 §18.2.2: without rport, to the source address and the port of sent-by.
    stage.net.inject(natted, stage.us, Call::new(&stage, "nat2").invite());
    assert!(stage.net.take("198.51.100.7:5060".parse().unwrap()).is_some());
}

#[test]
fn the_same_works_over_ipv6() {
    let mut stage = Stage::on("[2001:db8::1]:5060", "[2001:db8::9]:5070");
    let mut call = Call::new(&stage, "six");
    let dialog = stage.established(&mut call);
    stage.command(Command::HangUp { dialog });
    assert_eq!(stage.request().uri, b"sip:caller@[2001:db8::9]:5070;transport=udp");
}

#[test]
fn a_drained_endpoint_refuses_new_calls_and_keeps_the_running() {
    let mut stage = Stage::new();
    let mut running = Call::new(&stage, "running");
    let dialog = stage.established(&mut running);
    stage.command(Command::SetDraining { retry_after: 30 });

    stage.send(Call::new(&stage, "new").invite());

    let refused = stage.expect(503);
    assert_eq!(text(&refused.headers, HeaderId::RetryAfter), "30");
    assert_eq!(stage.event(), None);
    stage.send(running.text("INFO", 2, "i", "application/dtmf-relay", "Signal=5"));
    stage.expect(200);
    assert!(matches!(stage.event(), Some(Event::Info { dialog: d, .. }) if d == dialog));
}

#[test]
fn a_full_table_refuses_new_calls() {
    let mut stage = Stage::new();
    let limits = Limits { dialogs: 2, server_transactions: 100, retry_after: 3, ..Limits::default() };
    stage.us = stage.net.endpoint_with("192.0.2.1:5060", 1, limits);
    stage.incoming(&Call::new(&stage, "one"));
    stage.incoming(&Call::new(&stage, "two"));

    stage.send(Call::new(&stage, "three").invite());

    assert_eq!(text(&stage.expect(503).headers, HeaderId::RetryAfter), "3");
    assert_eq!(stage.net.stats(stage.us).dialogs, 2);
}
