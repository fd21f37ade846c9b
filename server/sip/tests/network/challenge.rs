//! Challenges to requests of ours, and calls to registered phones: all contacts ring, one wins.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{
    Credentials, Destination, EndCause, FailureCause, OutboundTrunk, Registration, TrunkHealth,
};
use cordboard_sip::message::{HeaderId, Method, NameAddr, Request};
use cordboard_sip::{Command, DialogId, Event, Invitation, Secret, SipUser, Stats, TrunkId};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply, text};
use crate::sim::{Network, Weather};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";
const ASKS: &str = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

fn dial(stage: &mut Stage, credentials: Option<Credentials>) -> (DialogId, Request) {
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = format!("sip:x@{}", stage.peer).parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    let mut invitation = Invitation::new(dialog, to, from, stage.peer, OFFER.into());
    invitation.credentials = credentials;
    stage.command(invitation.into());
    (dialog, stage.request())
}

fn ours() -> Credentials {
    Credentials { user: "account".to_owned(), password: "secret".to_owned() }
}

/// The peer challenges the request and gets the next one.
fn challenged(stage: &mut Stage, request: &Request, status: u16, fields: &str) -> Request {
    stage.send(reply(request, status, "proxy", fields, ""));
    if request.method == Method::Invite {
        assert_eq!(stage.request().method, Method::Ack);
    }
    stage.request()
}

#[test]
fn a_challenge_is_answered_with_a_higher_number_and_the_ack_proves_it_too() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage, Some(ours()));
    let again = challenged(&mut stage, &invite, 407, ASKS);
    // RFC 3261 §22.2: "the UAC MUST increment the CSeq header field value".
    assert_eq!(text(&again.headers, HeaderId::CSeq), "2 INVITE");
    assert_eq!(text(&again.headers, HeaderId::CallId), text(&invite.headers, HeaderId::CallId));
    assert_eq!(text(&again.headers, HeaderId::From), text(&invite.headers, HeaderId::From));
    assert_eq!(again.body, invite.body);
    let proof = text(&again.headers, HeaderId::ProxyAuthorization);
    assert!(proof.contains("username=\"account\"") && proof.contains("realm=\"carrier\""), "{proof}");
    assert!(!proof.contains("secret"));
    stage.send(reply(&again, 200, "them", CONTACT, ANSWER));
    let ack = stage.request();
    assert_eq!((&ack.method, text(&ack.headers, HeaderId::CSeq).as_str()), (&Method::Ack, "2 ACK"));
    assert_eq!(text(&ack.headers, HeaderId::ProxyAuthorization), proof);
    assert_eq!(stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));

    // Inside the call each request may be challenged, too.
    stage.command(Command::Offer { dialog, sdp: OFFER.into() });
    let change = stage.request();
    let change = challenged(&mut stage, &change, 407, ASKS);
    assert_eq!(text(&change.headers, HeaderId::CSeq), "4 INVITE");
    assert_eq!(change.headers.all(HeaderId::Via).count(), 1);
    stage.send(reply(&change, 200, "", CONTACT, ANSWER));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::OfferAnswered { dialog, sdp: Some(ANSWER.into()) }));
    stage.command(Command::HangUp { dialog });
    let bye = stage.request();
    let bye = challenged(&mut stage, &bye, 407, ASKS);
    assert_eq!(text(&bye.headers, HeaderId::CSeq), "6 BYE");
    stage.send(reply(&bye, 200, "", "", ""));
    stage.expect_idle();
}

#[test]
fn each_realm_is_answered_once() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage, Some(ours()));
    let again = challenged(&mut stage, &invite, 407, ASKS);
    let other = ASKS.replace("Proxy-", "WWW-").replace("carrier", "callee");
    let third = challenged(&mut stage, &again, 401, &other);
    assert!(third.headers.first(HeaderId::Authorization).is_some());
    assert!(third.headers.first(HeaderId::ProxyAuthorization).is_some());
    // A wrong password is not tried again.
    stage.send(reply(&third, 407, "proxy", &ASKS.replace("n1", "n2"), ""));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 407, cause: FailureCause::Rejected }));
    stage.expect_idle();
}

#[test]
fn an_old_nonce_is_renewed_once() {
    let mut stage = Stage::new();
    let (dialog, invite) = dial(&mut stage, Some(ours()));
    let again = challenged(&mut stage, &invite, 407, ASKS);
    let stale = format!("{}, stale=true", ASKS.replace("n1", "n2"));
    let third = challenged(&mut stage, &again, 407, &stale);
    assert!(text(&third.headers, HeaderId::ProxyAuthorization).contains("nonce=\"n2\""));
    assert_eq!(third.headers.all(HeaderId::ProxyAuthorization).count(), 1);
    stage.send(reply(&third, 407, "proxy", &stale, ""));
    stage.request();
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 407, cause: FailureCause::Rejected }));
}

#[test]
fn nobody_else_gets_an_answer_to_a_challenge() {
    let mut stage = Stage::new();
    // Without credentials.
    let (dialog, invite) = dial(&mut stage, None);
    stage.send(reply(&invite, 407, "proxy", ASKS, ""));
    assert_eq!(stage.request().method, Method::Ack);
    assert_eq!(stage.event(), Some(Event::Failed { dialog, status: 407, cause: FailureCause::Rejected }));
    // A caller who challenges our BYE learns nothing.
    let mut call = Call::new(&stage, "curious");
    let dialog = stage.established(&mut call);
    stage.command(Command::HangUp { dialog });
    let bye = stage.request();
    stage.send(reply(&bye, 407, "", ASKS, ""));
    stage.expect_silence();
    stage.expect_idle();
}

#[test]
fn the_credentials_of_a_trunk_answer_for_its_calls() {
    let mut stage = Stage::new();
    let id = TrunkId("main".to_owned());
    let mut trunk = OutboundTrunk::new(id.clone(), vec![stage.peer.into()]);
    trunk.credentials = Some(ours());
    stage.command(Command::SetOutboundTrunks(vec![trunk]));
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = "sip:x@192.0.2.9".parse().unwrap();
    let from = NameAddr::parse("<sip:a@192.0.2.1>").unwrap();
    stage.command(Invitation::new(dialog, to, from, id, OFFER.into()).into());
    let invite = stage.request();
    let again = challenged(&mut stage, &invite, 407, ASKS);
    assert!(again.headers.first(HeaderId::ProxyAuthorization).is_some());
}

fn phone(net: &mut Network, address: &str, server: SocketAddr, name: &str) -> SocketAddr {
    let phone = net.endpoint(address, u64::from(address.as_bytes()[8]));
    let id = TrunkId("home".to_owned());
    let mut trunk = OutboundTrunk::new(id, vec![server.into()]);
    trunk.registration = Some(Registration {
        registrar: server.into(),
        address_of_record: format!("sip:{name}@192.0.2.1").parse().unwrap(),
        credentials: Credentials { user: name.to_owned(), password: "open".to_owned() },
        expires: SECONDS(600),
    });
    net.command(phone, Command::SetOutboundTrunks(vec![trunk]));
    phone
}

/// A server with the user ada, who has two phones, over a network that loses.
fn two_phones(seed: u64, weather: Weather) -> (Network, SocketAddr, [SocketAddr; 2]) {
    let mut net = Network::with_weather(seed, weather);
    let server = net.endpoint("192.0.2.1:5060", seed);
    let ada = SipUser { username: "ada".to_owned(), secret: Secret::Password("open".to_owned()) };
    net.command(server, Command::SetUsers(vec![ada]));
    let phones = ["192.0.2.51:5060", "192.0.2.62:5060"].map(|address| phone(&mut net, address, server, "ada"));
    net.run_for(SECONDS(30));
    assert_eq!(net.at(server).contacts("ada").len(), 2, "both have proven who they are");
    while net.take_event().is_some() {}
    (net, server, phones)
}

fn call_ada(net: &mut Network, server: SocketAddr) -> DialogId {
    let dialog = net.at(server).new_dialog_id();
    let to = "sip:ada@192.0.2.1".parse().unwrap();
    let from = NameAddr::parse("<sip:+15550100@192.0.2.1>").unwrap();
    let destination = Destination::User("ada".to_owned());
    net.command(server, Invitation::new(dialog, to, from, destination, OFFER.into()).into());
    dialog
}

/// Lets time pass; gives what happened, each with where.
fn events(net: &mut Network, duration: Duration) -> Vec<(SocketAddr, Event)> {
    net.run_for(duration);
    std::iter::from_fn(|| net.take_event()).collect()
}

fn incoming(events: &[(SocketAddr, Event)], at: SocketAddr) -> DialogId {
    let found = events.iter().find_map(|(address, event)| match event {
        Event::Incoming(call) if *address == at => Some(call.dialog),
        _ => None,
    });
    found.expect("the phone rings")
}

#[test]
fn all_phones_of_a_user_ring_and_the_first_to_answer_wins() {
    let (mut net, server, [desk, home]) = two_phones(1, Weather::default());
    let dialog = call_ada(&mut net, server);
    let rings = events(&mut net, MS(100));
    let (at_desk, at_home) = (incoming(&rings, desk), incoming(&rings, home));
    for (address, dialog) in [(desk, at_desk), (home, at_home)] {
        net.command(address, Command::Progress { dialog, status: 180, sdp: None });
    }
    events(&mut net, MS(100));
    net.command(home, Command::Accept { dialog: at_home, sdp: ANSWER.into() });
    let told = events(&mut net, SECONDS(1));
    assert!(told.contains(&(server, Event::Answered { dialog, sdp: Some(ANSWER.into()) })));
    assert!(told.contains(&(desk, Event::Cancelled { dialog: at_desk })), "{told:?}");
    net.command(server, Command::HangUp { dialog });
    let told = events(&mut net, SECONDS(1));
    assert!(told.contains(&(home, Event::Ended { dialog: at_home, cause: EndCause::RemoteBye })));
}

#[test]
fn a_call_to_phones_fails_when_the_last_one_has_and_with_what_says_most() {
    let (mut net, server, [desk, home]) = two_phones(2, Weather::default());
    let dialog = call_ada(&mut net, server);
    let rings = events(&mut net, MS(100));
    let (at_desk, at_home) = (incoming(&rings, desk), incoming(&rings, home));
    let reject = |dialog, status| Command::Reject { dialog, status, retry_after: None, reason: None };
    net.command(home, reject(at_home, 486));
    assert!(events(&mut net, SECONDS(1)).is_empty(), "the desk still rings");
    net.command(desk, reject(at_desk, 480));
    let failed = Event::Failed { dialog, status: 486, cause: FailureCause::Rejected };
    assert_eq!(events(&mut net, SECONDS(1)), [(server, failed)]);

    // A decline on one phone is one for all (RFC 3261 §16.7).
    let dialog = call_ada(&mut net, server);
    let rings = events(&mut net, MS(100));
    let (at_desk, at_home) = (incoming(&rings, desk), incoming(&rings, home));
    net.command(desk, Command::Progress { dialog: at_desk, status: 180, sdp: None });
    events(&mut net, MS(100));
    net.command(home, reject(at_home, 603));
    let told = events(&mut net, SECONDS(1));
    assert!(told.contains(&(server, Event::Failed { dialog, status: 603, cause: FailureCause::Rejected })));
    assert!(told.contains(&(desk, Event::Cancelled { dialog: at_desk })));
}

#[test]
fn a_phone_that_answers_while_another_does_gets_its_bye() {
    let (mut net, server, [desk, home]) = two_phones(3, Weather::default());
    let dialog = call_ada(&mut net, server);
    let rings = events(&mut net, MS(100));
    let (at_desk, at_home) = (incoming(&rings, desk), incoming(&rings, home));
    net.command(desk, Command::Accept { dialog: at_desk, sdp: ANSWER.into() });
    net.command(home, Command::Accept { dialog: at_home, sdp: ANSWER.into() });
    let told = events(&mut net, SECONDS(2));
    let answers = told.iter().filter(|(_, event)| matches!(event, Event::Answered { .. })).count();
    let ended = told.iter().filter(|(_, event)| matches!(event, Event::Ended { .. })).count();
    assert_eq!((answers, ended), (1, 1), "{told:?}");
    net.command(server, Command::HangUp { dialog });
    events(&mut net, SECONDS(2));
    assert_eq!(net.stats(server).dialogs, 0);
}

#[test]
fn phones_register_ring_and_sign_off_over_a_bad_network() {
    for seed in 0..6 {
        let (mut net, server, phones) = two_phones(seed, Weather { loss: 200, duplicates: 30, jitter_ms: 100 });
        for _ in 0..20 {
            let dialog = call_ada(&mut net, server);
            let mut rung = 0;
            let end = net.now + SECONDS(40);
            while net.step(end) {
                while let Some((address, event)) = net.take_event() {
                    match event {
                        Event::Incoming(call) => {
                            rung += 1;
                            let accept = Command::Accept { dialog: call.dialog, sdp: ANSWER.into() };
                            net.plan(MS(500 * rung), address, accept);
                        }
                        Event::Answered { dialog, .. } => {
                            net.plan(SECONDS(2), address, Command::HangUp { dialog });
                        }
                        _ => {}
                    }
                }
            }
            assert!(rung >= 1, "seed {seed}, {dialog:?}");
        }
        for phone in phones {
            net.command(phone, Command::SetOutboundTrunks(Vec::new()));
        }
        net.run_for(SECONDS(120));
        for address in [server, phones[0], phones[1]] {
            assert_eq!(net.stats(address), Stats::default(), "seed {seed}");
        }
    }
}

#[test]
fn a_wrong_password_leaves_the_registration_refused() {
    let mut net = Network::new();
    let server = net.endpoint("192.0.2.1:5060", 1);
    let ada = SipUser { username: "ada".to_owned(), secret: Secret::Password("other".to_owned()) };
    net.command(server, Command::SetUsers(vec![ada]));
    let phone = phone(&mut net, "192.0.2.51:5060", server, "ada");
    let told = events(&mut net, SECONDS(4));
    let refused = TrunkHealth { registered: Some(false), reachable: true, refused: Some(401) };
    let news: Vec<_> = told
        .into_iter()
        .filter_map(|(address, event)| match event {
            Event::TrunkState { health, .. } if address == phone => Some(health),
            _ => None,
        })
        .collect();
    assert_eq!(news.last(), Some(&refused));
}
