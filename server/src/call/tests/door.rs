//! Refusals at the door: each has its SIP status, its row of the log and its decision.

use cordboard_shared::id::TrunkId;
use cordboard_shared::policy::BlockedCaller;
use cordboard_shared::telephony::{Telephony, Trunk};

use super::*;

fn refused(floor: &Floor) -> (Option<Reason>, CallView) {
    (floor.decisions().pop().unwrap().refused, floor.last_view())
}

#[test]
fn a_blocked_caller_is_refused_whatever_they_dial() {
    let mut floor = Floor::with_policy(|policy| {
        let number = CALLER.parse().unwrap();
        let by = Actor::user(MEERA, "Meera Nair");
        policy.blocked.push(BlockedCaller { number, reason: "abuse".to_owned(), by, since: START });
    });
    for number in [MAIN, "+441110000000"] {
        floor.invite("127.0.0.1:5070", number, Some(offer()));
        assert!(floor.rejected_with(603));
        let (reason, view) = refused(&floor);
        assert_eq!((reason, view.result), (Some(Reason::BlockedCaller), Some(CallResult::Rejected)));
        assert_eq!((view.sip_status, view.state), (Some(603), CallState::Ended));
        floor.seen.clear();
    }
    assert!(!floor.took(|it| matches!(it, Effect::OpenRtp(_))), "nothing is opened for them");

    floor.caller = "+442079460198".to_owned();
    floor.invite("127.0.0.1:5070", MAIN, Some(offer()));
    assert!(floor.took(|it| matches!(it, Effect::OpenRtp(_))));
}

#[test]
fn the_call_beyond_the_lines_is_lost_and_each_line_is_given_back_once() {
    let mut floor = Floor::with_policy(|policy| {
        policy.settings.lines = Some(2);
        policy.settings.inbound_percent = Some(50);
    });
    let first = floor.call_in(MAIN);
    floor.invite("127.0.0.1:5070", MAIN, Some(offer()));
    assert!(floor.rejected_with(486));
    let (reason, view) = refused(&floor);
    assert_eq!(reason, Some(Reason::NoLineFree));
    assert_eq!((view.result, view.cause), (Some(CallResult::Lost), Some(CallCause::NoLineFree)));

    floor.feed(Input::Sip(SipEvent::Ended { dialog: first.dialog, cause: EndCause::RemoteBye }));
    floor.call_in(MAIN);

    assert_eq!(floor.center.active_calls(), 1, "the line is free again");
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallOffered { .. })), 3);
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallReleased(_))), 2);
}

#[test]
fn a_suspended_account_refuses_and_a_number_without_a_flow_leads_nowhere() {
    let mut floor = Floor::with_policy(|policy| policy.settings.suspended = true);
    floor.invite("127.0.0.1:5070", MAIN, Some(offer()));
    assert!(floor.rejected_with(403));
    let (reason, view) = refused(&floor);
    assert_eq!((reason, view.result), (Some(Reason::AccountSuspended), Some(CallResult::Rejected)));

    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", "+441110000000", Some(offer()));
    assert!(floor.rejected_with(404));
    let (reason, view) = refused(&floor);
    assert_eq!((reason, view.cause), (Some(Reason::NoFlowNow), Some(CallCause::NoFlow)));
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallReleased(_))), 1);
}

#[test]
fn a_withheld_number_is_no_number() {
    let mut floor = Floor::new();
    floor.caller = "anonymous".to_owned();
    floor.sign_in(SocketId(1), ASHA);
    floor.call_in(SUPPORT);
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallOffered { caller: None, .. })), 1);
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallArrived(arrival) if arrival.caller.is_none())), 1);
}

#[test]
fn a_trunk_brings_as_many_calls_at_once_as_it_may_and_another_one_its_own() {
    let mut floor = Floor::new();
    let mut telephony = Telephony::clone(&floor.center.directory.telephony);
    telephony.trunks[0].max_calls = 1;
    let other =
        Trunk { id: TrunkId::demo(0x99), addresses: vec!["203.0.113.0/24".to_owned()], ..telephony.trunks[0].clone() };
    telephony.trunks.push(other);
    outside::set_telephony(&mut floor, telephony);

    floor.call_in(SUPPORT);
    floor.invite("203.0.113.9:5060", SUPPORT, Some(offer()));
    floor.opened();
    for full in ["127.0.0.1:5070", "203.0.113.9:5060"] {
        floor.seen.clear();
        floor.invite(full, SUPPORT, Some(offer()));
        assert!(floor.rejected_with(486), "{full}");
    }
    floor.seen.clear();
    floor.invite("198.51.100.1:5060", SUPPORT, Some(offer()));
    assert!(floor.rejected_with(403), "nobody's address");
}
