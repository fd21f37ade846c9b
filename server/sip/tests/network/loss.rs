//! Thousands of calls over a network that loses, doubles and reorders: nothing may stay behind, and a run can be
//! repeated.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{DialogId, EndCause, FailureCause};
use cordboard_sip::message::{HeaderId, NameAddr};
use cordboard_sip::{Command, Event, Invitation, Stats};

use crate::peer::{ANSWER, OFFER};
use crate::sim::{Network, Weather};

const SEEDS: u64 = 8;
const CALLS: u32 = 2_000;

/// What became of the calls, as the caller saw it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    answered: u32,
    rejected: u32,
    timed_out: u32,
    cancelled: u32,
    ended: u32,
    callee_ended: u32,
    no_ack: u32,
    trace: u64,
}

#[test]
fn at_30_percent_loss_every_table_is_empty_in_the_end() {
    (0..SEEDS / 2).for_each(at_30_percent_loss);
}

/// The other half, beside the first on another core.
#[test]
fn at_30_percent_loss_every_table_is_empty_with_other_seeds() {
    (SEEDS / 2..SEEDS).for_each(at_30_percent_loss);
}

fn at_30_percent_loss(seed: u64) {
    let outcome = run(seed, Weather { loss: 300, duplicates: 30, jitter_ms: 280 }, CALLS);
    let Outcome { answered, rejected, timed_out, cancelled, ended, callee_ended, .. } = outcome;
    assert_eq!(answered + rejected + timed_out + cancelled, CALLS, "{outcome:?}");
    assert_eq!(ended, answered, "each answered call ended once: {outcome:?}");
    assert!(answered >= 1_500 && rejected >= 150 && cancelled >= 150, "{outcome:?}");
    assert!(timed_out <= 10, "{outcome:?}");
    assert!(callee_ended >= answered, "{outcome:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let weather = Weather { loss: 300, duplicates: 30, jitter_ms: 280 };
    let first = run(42, weather, 300);
    assert_eq!(run(42, weather, 300), first);
    assert_ne!(run(43, weather, 300).trace, first.trace);
}

#[test]
fn without_loss_every_call_goes_through() {
    let outcome = run(1, Weather::default(), 500);
    assert_eq!((outcome.timed_out, outcome.no_ack), (0, 0));
    assert_eq!(outcome.answered + outcome.rejected + outcome.cancelled, 500);
}

/// Runs calls between two endpoints, 20 a second: most are answered and hung up by either side, some are refused, some
/// given up.
fn run(seed: u64, weather: Weather, calls: u32) -> Outcome {
    let mut net = Network::with_weather(seed, weather);
    let caller = net.endpoint("192.0.2.1:5060", seed);
    let callee = net.endpoint("192.0.2.2:5060", seed + 1_000);
    let mut outcome = Outcome::default();
    let mut incoming = 0;
    for number in 0..calls {
        let at = Duration::from_millis(50) * number;
        let dialog = DialogId::outgoing(number.into());
        net.plan(at, caller, invite(number, callee));
        if number % 10 == 3 {
            net.plan(at + Duration::from_millis(700), caller, Command::HangUp { dialog });
        }
    }
    let end = net.now + Duration::from_millis(50) * calls + Duration::from_secs(140);
    while net.step(end) {
        while let Some((address, event)) = net.take_event() {
            if address == callee {
                callee_app(&mut net, callee, &event, &mut incoming, &mut outcome);
            } else {
                caller_app(&mut net, caller, &event, &mut outcome);
            }
        }
    }
    assert_eq!(net.stats(caller), Stats::default());
    assert_eq!(net.stats(callee), Stats::default());
    outcome.trace = net.trace();
    outcome
}

fn invite(number: u32, callee: SocketAddr) -> Command {
    let dialog = DialogId::outgoing(number.into());
    let to = format!("sip:support@{callee}").parse().unwrap();
    let from = NameAddr::parse("<sip:caller@192.0.2.1>").unwrap();
    let mut invitation = Invitation::new(dialog, to, from, callee, OFFER.into());
    // Every fourth call wants its progress reliably.
    invitation.require_reliable = number.is_multiple_of(4);
    invitation.into()
}

fn caller_app(net: &mut Network, caller: SocketAddr, event: &Event, outcome: &mut Outcome) {
    match *event {
        Event::Answered { dialog, .. } => {
            outcome.answered += 1;
            net.plan(Duration::from_secs(2), caller, Command::HangUp { dialog });
            let info = Command::Info { dialog, content_type: "text/plain".to_owned(), body: b"1".to_vec() };
            net.plan(Duration::from_millis(500), caller, info);
            if outcome.answered.is_multiple_of(5) {
                let to = "sip:elsewhere@192.0.2.3".parse().unwrap();
                let refer = Command::Refer { dialog, to, replaces: None, referred_by: None };
                net.plan(Duration::from_millis(700), caller, refer);
            }
        }
        Event::Failed { cause: FailureCause::Rejected, .. } => outcome.rejected += 1,
        Event::Failed { cause: FailureCause::Cancelled, .. } => outcome.cancelled += 1,
        Event::Failed { cause: FailureCause::Timeout | FailureCause::Overload | FailureCause::Unreachable, .. } => {
            outcome.timed_out += 1;
        }
        Event::Ended { .. } => outcome.ended += 1,
        Event::Reinvite { dialog, .. } => net.command(caller, Command::AnswerOffer { dialog, sdp: ANSWER.into() }),
        Event::Incoming(_)
        | Event::Cancelled { .. }
        | Event::Confirmed { .. }
        | Event::Info { .. }
        | Event::Progress { .. }
        | Event::OfferAnswered { .. }
        | Event::OfferRefused { .. }
        | Event::Redirected { .. }
        | Event::Refer(_)
        | Event::ReferProgress { .. }
        | Event::TrunkState { .. }
        | Event::Registered { .. }
        | Event::Unregistered { .. } => {}
    }
}

fn callee_app(net: &mut Network, callee: SocketAddr, event: &Event, incoming: &mut u32, outcome: &mut Outcome) {
    match *event {
        Event::Incoming(ref call) => {
            *incoming += 1;
            let dialog = call.dialog;
            if call.headers.list(HeaderId::Require).iter().any(|option| option == "100rel") {
                net.command(callee, Command::Progress { dialog, status: 183, sdp: Some(ANSWER.into()) });
            }
            net.command(callee, Command::Progress { dialog, status: 180, sdp: None });
            if *incoming % 10 == 7 {
                let reject = Command::Reject { dialog, status: 486, retry_after: None, reason: None };
                net.plan(Duration::from_millis(300), callee, reject);
            } else {
                net.plan(Duration::from_secs(1), callee, Command::Accept { dialog, sdp: ANSWER.into() });
            }
        }
        Event::Confirmed { dialog, .. } => match *incoming % 3 {
            0 => net.plan(Duration::from_millis(1_500), callee, Command::HangUp { dialog }),
            1 => net.plan(Duration::from_millis(800), callee, Command::Offer { dialog, sdp: OFFER.into() }),
            _ => {}
        },
        Event::Refer(ref transfer) => {
            let dialog = transfer.dialog;
            net.command(callee, Command::AcceptRefer { dialog });
            net.plan(Duration::from_millis(300), callee, Command::NotifyRefer { dialog, status: 200, end: true });
        }
        Event::Ended { cause, .. } => {
            outcome.callee_ended += 1;
            outcome.no_ack += u32::from(cause == EndCause::NoAck);
        }
        Event::Cancelled { .. }
        | Event::Reinvite { .. }
        | Event::Info { .. }
        | Event::Progress { .. }
        | Event::Answered { .. }
        | Event::OfferAnswered { .. }
        | Event::OfferRefused { .. }
        | Event::Redirected { .. }
        | Event::ReferProgress { .. }
        | Event::TrunkState { .. }
        | Event::Registered { .. }
        | Event::Unregistered { .. }
        | Event::Failed { .. } => {}
    }
}
