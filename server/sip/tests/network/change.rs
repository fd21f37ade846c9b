//! Changes of a running session that go wrong at first or come at the wrong time; hold; who is named to whom; redirects.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{FailureCause, HoldChange, is_held, with_direction};
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request};
use cordboard_sip::sdp::{Direction, SessionDescription};
use cordboard_sip::{Command, DialogId, Event, Invitation, Origin, Stats, TrunkId, TrunkPeers};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, text};
use crate::sim::{Network, Weather};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";

fn invitation(stage: &mut Stage) -> (DialogId, Invitation) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("\"Ada\" <sip:+442079460100@192.0.2.1>").unwrap();
    (dialog, Invitation::new(dialog, to, from, stage.peer, OFFER.into()))
}

fn answered(stage: &mut Stage) -> DialogId {
    let (dialog, invitation) = invitation(stage);
    stage.command(invitation.into());
    let invite = stage.request();
    stage.send(reply(&invite, 200, "them", CONTACT, ANSWER));
    stage.clear();
    dialog
}

/// The next request, and when it was sent.
fn sent(stage: &mut Stage) -> Option<(Duration, Request)> {
    let (at, bytes) = stage.net.take(stage.peer)?;
    match cordboard_sip::message::parse(&bytes).unwrap().message {
        cordboard_sip::message::Message::Request(request) => Some((at, request)),
        cordboard_sip::message::Message::Response(response) => panic!("{response:?}"),
    }
}

/// How long after a 491 the offer is made again, for a number of calls.
fn pauses(dial: impl Fn(&mut Stage, u32) -> DialogId) -> Vec<Duration> {
    let mut stage = Stage::new();
    (0..20)
        .map(|number| {
            let dialog = dial(&mut stage, number);
            stage.command(Command::Offer { dialog, sdp: OFFER.into() });
            let (_, request) = sent(&mut stage).unwrap();
            let start = stage.net.elapsed();
            stage.send(reply(&request, 491, "", "", ""));
            assert_eq!(stage.request().method, Method::Ack);
            stage.wait(SECONDS(5));
            let (at, again) = sent(&mut stage).unwrap();
            assert_eq!((&again.method, &again.body), (&Method::Invite, &request.body));
            assert_eq!(stage.event(), None, "the application hears nothing of it");
            stage.send(reply(&again, 200, "", CONTACT, ANSWER));
            stage.clear();
            at.saturating_sub(start)
        })
        .collect()
}

#[test]
fn the_owner_of_the_call_id_waits_longer_after_a_491() {
    // RFC 3261 §14.1: "If the UAC is the owner of the Call-ID of the dialog ID, T has a randomly chosen value between
    // 2.1 and 4 seconds in units of 10 ms."
    let owner = pauses(|stage, _| answered(stage));
    assert!(owner.iter().all(|pause| (MS(2_100)..=MS(4_000)).contains(pause)), "{owner:?}");
    assert!(owner.iter().any(|pause| pause != &owner[0]), "chosen at random: {owner:?}");
    // "If the UAC is not the owner of the Call-ID of the dialog ID, T has a randomly chosen value of between 0 and 2
    // seconds in units of 10 ms."
    let other = pauses(|stage, number| {
        let mut call = Call::new(stage, &format!("glare{number}"));
        stage.established(&mut call)
    });
    assert!(other.iter().all(|pause| *pause <= MS(2_000)), "{other:?}");
}

#[test]
fn an_offer_that_is_crossed_time_and_again_is_given_up() {
    let mut stage = Stage::new();
    let dialog = answered(&mut stage);
    stage.command(Command::Offer { dialog, sdp: OFFER.into() });
    let mut tries = std::collections::BTreeSet::new();
    while let Some((_, request)) = sent(&mut stage) {
        tries.insert(text(&request.headers, HeaderId::CSeq));
        stage.send(reply(&request, 491, "", "", ""));
        while stage.net.take(stage.peer).is_some() {}
        stage.wait(SECONDS(5));
    }
    assert_eq!(tries.len(), 6, "the first and five more: {tries:?}");
    assert_eq!(stage.event(), Some(Event::OfferRefused { dialog, status: 491 }));
}

#[test]
fn two_that_hold_at_the_same_moment_both_get_through() {
    for seed in 0..10 {
        let mut net = Network::with_weather(seed, Weather::default());
        let caller = net.endpoint("192.0.2.1:5060", seed);
        let callee = net.endpoint("192.0.2.2:5060", seed + 100);
        let dialog = DialogId::outgoing(1);
        let to = format!("sip:support@{callee}").parse().unwrap();
        let from = NameAddr::parse("<sip:caller@192.0.2.1>").unwrap();
        net.command(caller, Invitation::new(dialog, to, from, callee, OFFER.into()).into());
        let end = net.now + SECONDS(60);
        let mut done = Vec::new();
        while net.step(end) {
            while let Some((address, event)) = net.take_event() {
                match event {
                    Event::Incoming(call) => {
                        net.command(callee, Command::Accept { dialog: call.dialog, sdp: ANSWER.into() });
                    }
                    Event::Answered { dialog, .. } | Event::Confirmed { dialog, .. } => {
                        // The ACK takes 10 ms: both act at the same moment.
                        let after = if address == caller { MS(1_010) } else { MS(1_000) };
                        net.plan(after, address, Command::Offer { dialog, sdp: OFFER.into() });
                        net.plan(SECONDS(30), address, Command::HangUp { dialog });
                    }
                    Event::Reinvite { dialog, .. } => {
                        net.command(address, Command::AnswerOffer { dialog, sdp: ANSWER.into() });
                    }
                    Event::OfferAnswered { .. } => done.push(address),
                    Event::OfferRefused { .. } => panic!("seed {seed}: {event:?}"),
                    _ => {}
                }
            }
        }
        done.sort();
        assert_eq!(done, [caller, callee], "seed {seed}");
        net.run_for(SECONDS(60));
        assert_eq!((net.stats(caller), net.stats(callee)), (Stats::default(), Stats::default()));
    }
}

#[test]
fn hold_arrives_in_three_ways_and_is_seen_as_one() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "hold");
    let dialog = stage.established(&mut call);
    let mut before = OFFER.parse::<SessionDescription>().unwrap();
    let talking = |version: u32| OFFER.replace("o=- 1 1", &format!("o=- 1 {version}"));
    let held = [
        format!("{}a=sendonly\r\n", talking(2)),
        format!("{}a=inactive\r\n", talking(4)),
        talking(6).replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0"),
    ];
    let mut number = 1;
    for held in held {
        for (sdp, expected) in [(held, HoldChange::Held), (talking(9), HoldChange::Resumed)] {
            number += 1;
            stage.send(call.text("INVITE", number, &format!("h{number}"), "application/sdp", &sdp));
            stage.expect(100);
            let Some(Event::Reinvite { sdp: Some(theirs), .. }) = stage.event() else { panic!("a change") };
            let now = SessionDescription::parse(&theirs).unwrap();
            assert_eq!(HoldChange::between(Some(&before), &now), expected);
            before = now;
            stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() });
            stage.expect(200);
            stage.send(call.ack(number));
        }
    }
}

#[test]
fn our_own_hold_and_resume_are_offers_with_a_direction() {
    let mut stage = Stage::new();
    let dialog = answered(&mut stage);
    let mut ours = OFFER.parse::<SessionDescription>().unwrap();
    for direction in [Direction::SendOnly, Direction::SendRecv] {
        ours = with_direction(&ours, direction);
        stage.command(Command::Offer { dialog, sdp: ours.to_bytes() });
        let offer = stage.request();
        let said = SessionDescription::parse(&offer.body).unwrap();
        assert_eq!((is_held(&said), said.version), (direction == Direction::SendOnly, ours.version));
        stage.send(reply(&offer, 200, "", CONTACT, ANSWER));
        stage.clear();
    }
}

fn trust(stage: &mut Stage) {
    let addresses = vec![stage.peer.ip().into()];
    let id = TrunkId("carrier".to_owned());
    stage.command(Command::SetTrunks(vec![TrunkPeers { id, addresses, digest: None, rate_per_second: 0 }]));
}

#[test]
fn only_a_trunk_is_believed_who_calls() {
    let mut stage = Stage::new();
    for trusted in [false, true] {
        if trusted {
            trust(&mut stage);
        }
        let call = Call::new(&stage, &format!("who{trusted}"))
            .with("P-Asserted-Identity: \"Boss\" <sip:+442079460109@carrier.example>")
            .with("Privacy: id")
            .with("Diversion: <sip:+442079460111@carrier.example>;reason=no-answer");
        stage.send(call.invite());
        stage.expect(100);
        let Some(Event::Incoming(incoming)) = stage.event() else { panic!("a call") };
        let asserted = incoming.asserted.and_then(|identity| identity.uri.user());
        assert_eq!(asserted.as_deref(), trusted.then_some("+442079460109"));
        assert_eq!(matches!(incoming.origin, Origin::Trunk(_)), trusted);
        assert!(incoming.privacy);
        let diverter = incoming.diversion.and_then(|diverter| diverter.uri.user());
        assert_eq!(diverter.as_deref(), Some("+442079460111"));
    }
}

#[test]
fn a_withheld_caller_is_named_to_the_trusted_alone() {
    let mut stage = Stage::new();
    let (_, mut invitation) = invitation(&mut stage);
    invitation.identity = NameAddr::parse("<sip:+442079460100@192.0.2.1>").ok();
    invitation.privacy = true;
    invitation.diversion = NameAddr::parse("<sip:+442079460111@192.0.2.1>").ok();
    // What the endpoint writes cannot be written past it.
    invitation.headers = vec![("Privacy".to_owned(), "none".to_owned()), ("Subject".to_owned(), "x".to_owned())];
    stage.command(invitation.into());
    let invite = stage.request();
    let from = text(&invite.headers, HeaderId::From);
    assert!(from.starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{from}");
    assert_eq!(text(&invite.headers, HeaderId::Privacy), "id");
    assert_eq!(invite.headers.all(HeaderId::Privacy).count(), 1);
    assert_eq!(text(&invite.headers, HeaderId::PAssertedIdentity), "<sip:+442079460100@192.0.2.1>");
    assert_eq!(text(&invite.headers, HeaderId::Diversion), "<sip:+442079460111@192.0.2.1>");
    assert_eq!(invite.headers.text_of("Subject").as_deref(), Some("x"));
    let bytes = String::from_utf8(invite.to_bytes()).unwrap();
    assert!(!bytes.contains("Ada"), "the name is withheld, too");
}

#[test]
fn a_redirect_is_told_and_nobody_is_called() {
    let mut stage = Stage::new();
    let (dialog, invitation) = invitation(&mut stage);
    stage.command(invitation.into());
    let invite = stage.request();
    let contacts = "Contact: <sip:second@h>;q=0.5\r\nContact: <tel:+44900123>, <sip:first@h>;q=0.9";
    stage.send(reply(&invite, 302, "them", contacts, ""));
    assert_eq!(stage.request().method, Method::Ack);
    let Some(Event::Redirected { dialog: redirected, status, contacts }) = stage.event() else { panic!("a redirect") };
    assert_eq!((redirected, status), (dialog, 302));
    let users: Vec<_> = contacts.iter().filter_map(|contact| contact.uri.user()).collect();
    assert_eq!(users, ["+44900123", "first", "second"]);
    stage.wait(SECONDS(40));
    stage.expect_silence();
    stage.expect_idle();
}

#[test]
fn we_redirect_a_caller() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "there");
    let dialog = stage.incoming(&call);
    let contacts = vec![NameAddr::parse("<sip:+442079460199@192.0.2.77>").unwrap()];
    stage.command(Command::Redirect { dialog, contacts });
    let redirect = stage.expect(302);
    assert_eq!(redirect.headers.list(HeaderId::Contact), ["<sip:+442079460199@192.0.2.77>"]);
    stage.send(call.ack_failure());
    stage.expect_idle();
}

#[test]
fn a_request_in_a_dialog_out_of_hops_draws_483() {
    let mut stage = Stage::new();
    let mut call = Call::new(&stage, "hops");
    stage.established(&mut call);
    stage.send(call.text("INFO", 2, "hops", "text/plain", "x").replace("Max-Forwards: 70", "Max-Forwards: 0"));
    stage.expect(483);
    assert_eq!(stage.event(), None);
}

#[test]
fn long_calls_live_on_their_refreshes_under_loss_and_end_without_them() {
    let mut net = Network::with_weather(3, Weather { loss: 300, duplicates: 30, jitter_ms: 280 });
    let caller = net.endpoint("192.0.2.1:5060", 3);
    let callee = net.endpoint("192.0.2.2:5060", 4);
    for number in 0..50 {
        let to = format!("sip:support@{callee}").parse().unwrap();
        let from = NameAddr::parse("<sip:caller@192.0.2.1>").unwrap();
        let invitation = Invitation::new(DialogId::outgoing(number), to, from, callee, OFFER.into());
        net.plan(SECONDS(number), caller, invitation.into());
    }
    let (mut answered, mut ended) = (0, 0);
    let mut run = |net: &mut Network, duration, answered: &mut u32| {
        let end = net.now + duration;
        while net.step(end) {
            while let Some((address, event)) = net.take_event() {
                match event {
                    Event::Incoming(call) => {
                        net.command(callee, Command::Accept { dialog: call.dialog, sdp: ANSWER.into() });
                    }
                    Event::Answered { .. } => *answered += 1,
                    Event::Ended { .. } if address == caller => ended += 1,
                    Event::Failed { cause, .. } => assert_eq!(cause, FailureCause::Timeout),
                    _ => {}
                }
            }
        }
        ended
    };
    // Two hours: four refreshes each.
    let lost = run(&mut net, SECONDS(7_200), &mut answered);
    assert!(answered >= 45 && lost <= 2, "{answered} answered, {lost} lost");
    // The callee is gone: within one session interval each call is hung up.
    let gone: SocketAddr = callee;
    net.remove(gone);
    run(&mut net, SECONDS(1_900), &mut answered);
    assert_eq!(net.stats(caller).dialogs, 0);
    net.run_for(SECONDS(75));
    assert_eq!(net.stats(caller), Stats::default());
}
