//! Calls that leave by a trunk: order, failover, health, registration.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{Credentials, Destination, FailureCause, OutboundTrunk, Registration, TrunkHealth};
use cordboard_sip::message::{HeaderId, Message, Method, NameAddr, Request, parse};
use cordboard_sip::{Command, DialogId, Event, Invitation, Stats, TrunkId, TrunkPeers};

use crate::peer::{ANSWER, OFFER, Stage, reply, text};
use crate::sim::{Network, Weather};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const CONTACT: &str = "Contact: <sip:callee@192.0.2.9:5060>";

/// An endpoint with one trunk of several targets, each of them a scripted peer.
struct Carrier {
    stage: Stage,
    targets: Vec<SocketAddr>,
    /// The last bytes that were looked at: what UDP repeats is passed over.
    last: Vec<u8>,
}

fn main_trunk() -> TrunkId {
    TrunkId("main".to_owned())
}

impl Carrier {
    fn new(count: u8, settings: impl FnOnce(&mut OutboundTrunk)) -> Self {
        let mut stage = Stage::new();
        let targets: Vec<SocketAddr> =
            (0..count).map(|number| format!("192.0.2.{}:5060", 101 + number).parse().unwrap()).collect();
        let mut trunk = OutboundTrunk::new(main_trunk(), targets.iter().map(|&target| target.into()).collect());
        settings(&mut trunk);
        stage.command(Command::SetOutboundTrunks(vec![trunk]));
        Self { stage, targets, last: Vec::new() }
    }

    fn dial(&mut self) -> DialogId {
        let dialog = self.stage.net.at(self.stage.us).new_dialog_id();
        let to = "sip:+442079460103@192.0.2.1".parse().unwrap();
        let from = NameAddr::parse("<sip:+15550100@192.0.2.1>").unwrap();
        let invitation = Invitation::new(dialog, to, from, main_trunk(), OFFER.into());
        self.stage.command(invitation.into());
        dialog
    }

    /// The next request to a target, and when it was sent.
    fn at(&mut self, index: usize) -> Option<(Duration, Request)> {
        let (at, bytes) = self.stage.net.take(self.targets[index])?;
        if bytes == self.last {
            return self.at(index);
        }
        self.last.clone_from(&bytes);
        match parse(&bytes).unwrap().message {
            Message::Request(request) => Some((at, request)),
            Message::Response(_) => self.at(index),
        }
    }

    #[track_caller]
    fn request_at(&mut self, index: usize, method: &Method) -> Request {
        let (_, request) = self.at(index).expect("a request");
        assert_eq!(&request.method, method);
        request
    }

    fn send_from(&mut self, index: usize, bytes: Vec<u8>) {
        let (from, us) = (self.targets[index], self.stage.us);
        self.stage.net.inject(from, us, bytes);
    }

    fn health(&mut self) -> Option<TrunkHealth> {
        match self.stage.event()? {
            Event::TrunkState { trunk, health } => {
                assert_eq!(trunk, main_trunk());
                Some(health)
            }
            other => panic!("expected news of a trunk, got {other:?}"),
        }
    }

    /// All that waits at a target is thrown away.
    fn clear(&mut self) {
        for target in &self.targets {
            while self.stage.net.take(*target).is_some() {}
        }
    }
}

const UP: TrunkHealth = TrunkHealth { registered: None, reachable: true, refused: None };

#[test]
fn a_503_moves_on_to_the_next_target_at_once() {
    let mut carrier = Carrier::new(2, |trunk| trunk.domain = Some("carrier.example".to_owned()));
    assert_eq!(carrier.health(), Some(UP));
    let dialog = carrier.dial();
    let invite = carrier.request_at(0, &Method::Invite);
    assert_eq!(invite.uri, b"sip:+442079460103@carrier.example");
    assert!(text(&invite.headers, HeaderId::From).contains("@carrier.example"));
    assert!(carrier.at(1).is_none());

    carrier.send_from(0, reply(&invite, 503, "full", "Retry-After: 60", ""));

    carrier.request_at(0, &Method::Ack);
    let (at, second) = carrier.at(1).expect("the next target");
    assert!(at <= SECONDS(1), "{at:?}");
    // RFC 3261 §8.2.2.2: with the same number a machine behind both addresses would take it for a merged request.
    assert_eq!(text(&second.headers, HeaderId::CSeq), "2 INVITE");
    assert_eq!(second.headers.text_of("Call-ID"), invite.headers.text_of("Call-ID"));
    carrier.send_from(1, reply(&second, 200, "them", CONTACT, ANSWER));
    assert_eq!(carrier.stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));

    // Retry-After is obeyed: the next call does not even try the first target.
    carrier.dial();
    assert!(carrier.at(0).is_none());
    carrier.request_at(1, &Method::Invite);
}

#[test]
fn a_silent_target_is_passed_over_within_four_seconds_and_its_late_answer_cancelled() {
    let mut carrier = Carrier::new(2, |_| {});
    let dialog = carrier.dial();
    let silent = carrier.request_at(0, &Method::Invite);
    carrier.stage.wait(SECONDS(4));
    let (at, second) = carrier.at(1).expect("the next target");
    assert!(at <= SECONDS(4), "{at:?}");
    carrier.send_from(1, reply(&second, 180, "them", CONTACT, ""));

    // The first one wakes up: it is cancelled at its first sign, and hung up if it answers all the same.
    carrier.clear();
    carrier.send_from(0, reply(&silent, 180, "late", CONTACT, ""));
    let cancel = carrier.request_at(0, &Method::Cancel);
    assert_eq!(cancel.headers.text_of("Via"), silent.headers.text_of("Via"));
    carrier.send_from(0, reply(&cancel, 200, "late", "", ""));
    carrier.send_from(0, reply(&silent, 200, "late", "Contact: <sip:callee@192.0.2.101:5060>", ANSWER));
    carrier.request_at(0, &Method::Ack);
    let bye = carrier.request_at(0, &Method::Bye);
    carrier.send_from(0, reply(&bye, 200, "", "", ""));

    carrier.send_from(1, reply(&second, 200, "them", "Contact: <sip:callee@192.0.2.102:5060>", ANSWER));
    carrier.request_at(1, &Method::Ack);
    carrier.health();
    let early = "them".to_owned();
    assert_eq!(carrier.stage.event(), Some(Event::Progress { dialog, status: 180, sdp: None, early }));
    assert_eq!(carrier.stage.event(), Some(Event::Answered { dialog, sdp: Some(ANSWER.into()) }));
    assert_eq!(carrier.stage.event(), None);
    carrier.stage.command(Command::HangUp { dialog });
    let bye = carrier.request_at(1, &Method::Bye);
    carrier.send_from(1, reply(&bye, 200, "", "", ""));
    carrier.stage.expect_idle();
}

#[test]
fn when_all_targets_are_silent_the_call_fails_and_the_next_one_fails_at_once() {
    let mut carrier = Carrier::new(2, |_| {});
    carrier.health();
    let dialog = carrier.dial();
    carrier.stage.wait(MS(7_500));
    let failed = Event::Failed { dialog, status: 408, cause: FailureCause::Timeout };
    assert_eq!(carrier.stage.event(), Some(failed));
    carrier.clear();
    let dialog = carrier.dial();
    let failed = Event::Failed { dialog, status: 480, cause: FailureCause::Unreachable };
    assert_eq!(carrier.stage.event(), Some(failed));
    assert!(carrier.at(0).is_none() && carrier.at(1).is_none());
    carrier.stage.expect_idle();
}

#[test]
fn a_refusal_of_the_callee_tries_no_other_target() {
    let mut carrier = Carrier::new(2, |_| {});
    carrier.health();
    let dialog = carrier.dial();
    let invite = carrier.request_at(0, &Method::Invite);
    carrier.send_from(0, reply(&invite, 486, "them", "", ""));
    assert_eq!(carrier.stage.event(), Some(Event::Failed { dialog, status: 486, cause: FailureCause::Rejected }));
    assert!(carrier.at(1).is_none());
    // Nor does a 503 after the caller has heard the first one ring.
    let dialog = carrier.dial();
    carrier.request_at(0, &Method::Ack);
    let invite = carrier.request_at(0, &Method::Invite);
    carrier.send_from(0, reply(&invite, 180, "them", CONTACT, ""));
    carrier.send_from(0, reply(&invite, 503, "them", "", ""));
    carrier.stage.event();
    assert_eq!(carrier.stage.event(), Some(Event::Failed { dialog, status: 503, cause: FailureCause::Rejected }));
    assert!(carrier.at(1).is_none());
}

#[test]
fn three_unanswered_options_mark_a_target_down_and_two_answers_up() {
    let mut carrier = Carrier::new(1, |trunk| trunk.options_every = Some(SECONDS(10)));
    assert_eq!(carrier.health(), Some(UP));
    let options = carrier.request_at(0, &Method::Options);
    // RFC 3261 §11: any response says that somebody is there.
    carrier.send_from(0, reply(&options, 404, "x", "", ""));
    carrier.stage.wait(SECONDS(35));
    assert_eq!(carrier.health(), None, "asked at 10, 20 and 30 s: two have been missed");
    carrier.stage.wait(SECONDS(6));
    assert_eq!(carrier.health(), Some(TrunkHealth { reachable: false, ..UP }));

    let dialog = carrier.dial();
    let failed = Event::Failed { dialog, status: 480, cause: FailureCause::Unreachable };
    assert_eq!(carrier.stage.event(), Some(failed), "never to a target that is down");

    carrier.clear();
    for _ in 0..2 {
        assert_eq!(carrier.health(), None);
        carrier.stage.wait(SECONDS(10));
        while let Some((_, request)) = carrier.at(0) {
            carrier.send_from(0, reply(&request, 200, "x", "", ""));
        }
    }
    assert_eq!(carrier.health(), Some(UP));
    carrier.stage.command(Command::SetOutboundTrunks(Vec::new()));
    carrier.stage.expect_idle();
}

fn registration(trunk: &mut OutboundTrunk) {
    trunk.registration = Some(Registration {
        registrar: "192.0.2.101:5060".parse::<SocketAddr>().unwrap().into(),
        address_of_record: "sip:account@carrier.example".parse().unwrap(),
        credentials: Credentials { user: "account".to_owned(), password: "secret".to_owned() },
        expires: SECONDS(600),
    });
}

#[test]
fn a_registration_is_refreshed_before_it_ends_and_ended_with_its_trunk() {
    let mut carrier = Carrier::new(1, registration);
    assert_eq!(carrier.health(), Some(TrunkHealth { registered: Some(false), ..UP }));
    let register = carrier.request_at(0, &Method::Register);
    assert_eq!(register.uri, b"sip:carrier.example", "RFC 3261 §10.2: no user part");
    assert_eq!(register.headers.text_of("Expires").as_deref(), Some("600"));
    assert!(text(&register.headers, HeaderId::Contact).contains("sip:account@192.0.2.1:5060"));
    // The registrar grants less than was asked for.
    carrier.send_from(0, reply(&register, 200, "r", "Contact: <sip:account@192.0.2.1:5060>;expires=100", ""));
    assert_eq!(carrier.health(), Some(TrunkHealth { registered: Some(true), ..UP }));

    carrier.stage.wait(SECONDS(74));
    assert!(carrier.at(0).is_none());
    carrier.stage.wait(SECONDS(2));
    let again = carrier.request_at(0, &Method::Register);
    // RFC 3261 §10.2.4: the same Call-ID, and a higher number.
    assert_eq!(again.headers.text_of("Call-ID"), register.headers.text_of("Call-ID"));
    assert_eq!(text(&again.headers, HeaderId::CSeq), "2 REGISTER");
    carrier.send_from(0, reply(&again, 200, "r", "Expires: 100", ""));

    carrier.stage.command(Command::SetOutboundTrunks(Vec::new()));
    let over = carrier.request_at(0, &Method::Register);
    assert_eq!(over.headers.text_of("Expires").as_deref(), Some("0"));
    carrier.send_from(0, reply(&over, 200, "r", "", ""));
    carrier.stage.expect_idle();
}

#[test]
fn a_failed_registration_is_tried_again_after_growing_pauses() {
    let mut carrier = Carrier::new(1, registration);
    carrier.health();
    let mut sent = Vec::new();
    for status in [503, 503, 503, 200] {
        let (at, request) = std::iter::repeat_with(|| {
            carrier.stage.wait(MS(100));
            carrier.at(0)
        })
        .take(400)
        .flatten()
        .next()
        .expect("a REGISTER");
        sent.push(at.as_secs());
        carrier.send_from(0, reply(&request, status, "r", "", ""));
    }
    let pauses: Vec<_> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        (5..=6).contains(&pauses[0]) && (10..=13).contains(&pauses[1]) && (20..=25).contains(&pauses[2]),
        "{pauses:?}"
    );
    let failed = TrunkHealth { registered: Some(false), refused: Some(503), ..UP };
    assert_eq!(carrier.health(), Some(failed));
    assert_eq!(carrier.health(), Some(TrunkHealth { registered: Some(true), ..UP }));
}

#[test]
fn a_silent_registrar_and_a_brief_interval_are_dealt_with() {
    let mut carrier = Carrier::new(1, registration);
    carrier.health();
    carrier.stage.wait(SECONDS(33));
    assert_eq!(carrier.health(), Some(TrunkHealth { registered: Some(false), refused: Some(408), ..UP }));
    carrier.clear();
    carrier.stage.wait(SECONDS(8));
    let register = carrier.request_at(0, &Method::Register);
    // RFC 3261 §10.2.8: "If a UA receives a 423 (Interval Too Brief) response, it MAY retry the registration after
    // making the expiration interval of all contact addresses in the REGISTER request equal to or greater than the
    // expiration interval within the Min-Expires header field".
    carrier.send_from(0, reply(&register, 423, "r", "Min-Expires: 1800", ""));
    let longer = carrier.request_at(0, &Method::Register);
    assert_eq!(longer.headers.text_of("Expires").as_deref(), Some("1800"));
}

#[test]
fn an_unknown_trunk_and_an_unregistered_user_are_unreachable() {
    let mut stage = Stage::new();
    for destination in [Destination::Trunk(main_trunk()), Destination::User("ada".to_owned())] {
        let dialog = stage.net.at(stage.us).new_dialog_id();
        let from = NameAddr::parse("<sip:+15550100@192.0.2.1>").unwrap();
        let to = "sip:ada@192.0.2.1".parse().unwrap();
        stage.command(Invitation::new(dialog, to, from, destination, OFFER.into()).into());
        let failed = Event::Failed { dialog, status: 480, cause: FailureCause::Unreachable };
        assert_eq!(stage.event(), Some(failed));
    }
    stage.expect_silence();
}

#[test]
fn the_answers_of_a_trunk_are_never_taken_for_a_flood() {
    let mut carrier = Carrier::new(1, |_| {});
    // Somebody else is known to call in: from now on strangers are bounded.
    let addresses = vec![std::net::IpAddr::from([198, 51, 100, 1]).into()];
    let trunk = TrunkPeers { id: main_trunk(), addresses, digest: None, rate_per_second: 0 };
    carrier.stage.command(Command::SetTrunks(vec![trunk]));
    carrier.health();
    for _ in 0..500 {
        let dialog = carrier.dial();
        let invite = carrier.request_at(0, &Method::Invite);
        carrier.send_from(0, reply(&invite, 486, "them", "", ""));
        assert!(matches!(carrier.stage.event(), Some(Event::Failed { dialog: failed, .. }) if failed == dialog));
        carrier.clear();
    }
}

#[test]
fn calls_get_through_a_trunk_with_a_dead_target_over_a_bad_network() {
    for seed in 0..4 {
        let mut net = Network::with_weather(seed, Weather { loss: 100, duplicates: 30, jitter_ms: 100 });
        let us = net.endpoint("192.0.2.1:5060", seed);
        let carrier = net.endpoint("192.0.2.102:5060", seed + 100);
        let dead: SocketAddr = "192.0.2.101:5060".parse().unwrap();
        let mut trunk = OutboundTrunk::new(main_trunk(), vec![dead.into(), carrier.into()]);
        trunk.options_every = Some(SECONDS(5));
        net.command(us, Command::SetOutboundTrunks(vec![trunk]));
        for number in 0..200 {
            let to = "sip:+442079460103@192.0.2.1".parse().unwrap();
            let from = NameAddr::parse("<sip:+15550100@192.0.2.1>").unwrap();
            let invitation = Invitation::new(DialogId::outgoing(number), to, from, main_trunk(), OFFER.into());
            net.plan(MS(100) * u32::try_from(number).unwrap(), us, invitation.into());
        }
        let (mut answered, mut failed) = (0, 0);
        let end = net.now + SECONDS(100);
        while net.step(end) {
            while let Some((address, event)) = net.take_event() {
                match event {
                    Event::Incoming(call) => {
                        net.command(address, Command::Accept { dialog: call.dialog, sdp: ANSWER.into() });
                    }
                    Event::Answered { dialog, .. } => {
                        answered += 1;
                        net.plan(SECONDS(3), us, Command::HangUp { dialog });
                    }
                    Event::Failed { .. } => failed += 1,
                    _ => {}
                }
            }
        }
        assert_eq!(answered + failed, 200, "seed {seed}");
        assert!(answered >= 198, "seed {seed}: {failed} failed");
        net.command(us, Command::SetOutboundTrunks(Vec::new()));
        net.run_for(SECONDS(75));
        assert_eq!((net.stats(us), net.stats(carrier)), (Stats::default(), Stats::default()), "seed {seed}");
    }
}
