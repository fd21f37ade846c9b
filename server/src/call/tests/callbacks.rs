//! Callbacks that are made: the person first, then the number, then both together.

use cordboard_routing::Row;
use cordboard_shared::call::{Direction, StepKind};
use cordboard_sip::endpoint::{Destination, FailureCause};

use super::outside::*;
use super::*;

const BACK: &str = "+442079460151";

/// Asha talks; a caller of Support asks to be called back and is gone. The call Asha is in, and the callback.
fn asked(caller: &str) -> (Floor, CallIn, CallId) {
    let mut floor = with_trunk_and(|policy| policy.departments[0].callback = true);
    let talk = floor.talk_to_asha(DIRECT);
    floor.caller = caller.to_owned();
    let call = floor.call_in(SUPPORT);
    let uid = floor.last_view().uid;
    floor.digit(call.leg, '1');
    floor.finish_play(call.leg);
    (floor, talk, uid)
}

/// Asha's call ends, and the callback's turn comes.
fn its_turn(floor: &mut Floor, talk: &CallIn) -> Ring {
    floor.seen.clear();
    hang_up_far(floor, talk.dialog);
    floor.ring_of(ASHA).expect("a callback rings")
}

#[test]
fn the_person_is_rung_and_the_number_is_dialed_on_answer_and_both_talk() {
    let (mut floor, talk, asked) = asked(BACK);
    let ring = its_turn(&mut floor, &talk);
    assert!(ring.callback);
    assert_eq!((ring.from.0.as_str(), ring.department.is_some()), (BACK, true));
    assert!(!floor.took(|it| matches!(it, Effect::Sip(_))), "nothing goes out, and nobody hears a 180");

    floor.client(ASHA_TAB, ClientMessage::RingAck { offer: ring.offer }).unwrap();
    let desk = floor.browser_up(ASHA_TAB, ring.call);
    assert!(invites(&floor).is_empty(), "the person comes first");
    floor.client(ASHA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap();
    assert_eq!((live(&floor, ASHA).call.state, live(&floor, ASHA).peer.0.as_str()), (CallState::Ringing, BACK));
    let far = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    let dialog = invitation.dialog;
    assert_eq!(invitation.to.user().as_deref(), Some(BACK));
    assert!(matches!(invitation.destination, Destination::Trunk(_)));
    let department = floor.center.directory.department_by_slug("support").unwrap().id;
    let shown = floor.center.shown_number(Some(department)).unwrap();
    assert_eq!(invitation.identity.as_ref().and_then(|it| it.uri.user()).as_deref(), Some(shown.as_str()));

    floor.feed(Input::Sip(SipEvent::Progress { dialog, status: 180, sdp: None, early: String::new() }));
    assert!(matches!(floor.hears(desk), Some(Source::Loop { .. })), "ringback");
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp: Some(answer_to(&invitation)) }));
    assert_eq!((floor.hears(desk), floor.hears(far)), (Some(Source::Leg(far)), Some(Source::Leg(desk))));
    assert!(floor.center.engine().callbacks().is_empty(), "it is dealt with");

    floor.now = floor.now + 4_000;
    hang_up_far(&mut floor, dialog);
    let view = floor.logged().unwrap();
    assert_eq!((view.uid, view.direction, view.made_for), (ring.call, Direction::Outbound, Some(asked)));
    assert_eq!((view.result, view.agent, view.talk_ms), (Some(CallResult::Answered), Some(ASHA), 4_000));
    assert_eq!(steps(&view), [StepKind::Callback, StepKind::Joined]);
    let entry = floor.decisions().pop().unwrap();
    let asha = entry.members.iter().find(|it| it.agent == ASHA).unwrap();
    assert_eq!((asha.reason, &*asha.cell), (Reason::Answered, "1/available"));
    nothing_is_left(&floor);
}

#[test]
fn who_is_not_reached_is_called_again_later_and_the_log_says_why() {
    let (mut floor, talk, asked) = asked(BACK);
    let mut ring = its_turn(&mut floor, &talk);
    for attempt in 1..=3 {
        floor.client(ASHA_TAB, ClientMessage::RingAck { offer: ring.offer }).unwrap();
        floor.browser_up(ASHA_TAB, ring.call);
        floor.client(ASHA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap();
        open(&mut floor);
        let dialog = invites(&floor).pop().unwrap().dialog;
        floor.feed(Input::Sip(SipEvent::Failed { dialog, status: 486, cause: FailureCause::Rejected }));
        let view = floor.logged().unwrap();
        assert_eq!((view.uid, view.result, view.cause), (ring.call, Some(CallResult::Missed), Some(CallCause::Busy)));
        assert_eq!((view.agent, view.sip_status, view.made_for), (Some(ASHA), Some(486), Some(asked)));
        let listed = floor.center.engine().callbacks().remove(0);
        assert_eq!((listed.attempts, listed.due_at.is_some()), (attempt, attempt == 3));
        nothing_is_left(&floor);
        floor.seen.clear();
        floor.pass(5 * 60_000);
        match floor.ring_of(ASHA) {
            Some(next) if attempt < 3 => ring = next,
            None if attempt == 3 => {}
            other => panic!("{attempt}: {other:?}"),
        }
    }
}

#[test]
fn nobody_who_takes_it_puts_it_onto_the_list_and_the_person_who_sees_to_it_dials_it() {
    let (mut floor, talk, asked) = asked(BACK);
    let ring = its_turn(&mut floor, &talk);
    floor.client(ASHA_TAB, ClientMessage::RingAck { offer: ring.offer }).unwrap();
    let by_hand = ClientMessage::Dial { to: BACK.to_owned(), department: None, device: None, callback: Some(asked) };
    floor.sign_in(RIYA_TAB, RIYA);
    floor.toggle(RIYA, Toggle::Away);
    let twice = floor.client(RIYA_TAB, by_hand.clone()).unwrap_err();
    assert_eq!(twice.code(), Some(ProblemCode::NotAllowed), "it is being made already");
    floor.client(ASHA_TAB, ClientMessage::Decline { offer: ring.offer }).unwrap();
    let view = floor.logged().unwrap();
    assert_eq!((view.uid, view.result, view.agent), (ring.call, Some(CallResult::Missed), None));
    assert_eq!(view.cause, Some(CallCause::AgentsDidNotAnswer));
    assert!(floor.center.engine().callbacks()[0].due_at.is_some());
    assert!(invites(&floor).is_empty());
    nothing_is_left(&floor);

    floor.client(RIYA_TAB, by_hand).unwrap();
    let call = floor.last_view().uid;
    floor.browser_up(RIYA_TAB, call);
    open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    let sdp = Some(answer_to(&invitation));
    floor.feed(Input::Sip(SipEvent::Answered { dialog: invitation.dialog, sdp }));
    assert!(floor.center.engine().callbacks().is_empty());
}

#[test]
fn a_desk_phone_rings_with_the_number_that_is_called_back() {
    let (mut floor, talk, _) = asked(BACK);
    floor.feed(Input::Sip(SipEvent::Registered { username: "1001".to_owned(), contacts: 1 }));
    // Asha is not there any more: Dev's desk phone is.
    floor.toggle(ASHA, Toggle::Away);
    let phone = open(&mut floor);
    let rung = invites(&floor).pop().unwrap();
    assert_eq!(rung.destination, Destination::User("1001".to_owned()));
    assert_eq!((rung.from.uri.user().as_deref(), rung.from.display.as_deref()), (Some(BACK), Some("Callback")));
    let dialog = rung.dialog;
    floor.feed(Input::Sip(SipEvent::Progress { dialog, status: 180, sdp: None, early: String::new() }));
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp: Some(answer_to(&rung)) }));
    let far = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    assert_eq!(invitation.to.user().as_deref(), Some(BACK));
    let sdp = Some(answer_to(&invitation));
    floor.feed(Input::Sip(SipEvent::Answered { dialog: invitation.dialog, sdp }));
    assert_eq!((floor.hears(phone), floor.hears(far)), (Some(Source::Leg(far)), Some(Source::Leg(phone))));
    hang_up_far(&mut floor, invitation.dialog);
    hang_up_far(&mut floor, talk.dialog);
    nothing_is_left(&floor);
}

#[test]
fn hanging_up_while_it_is_dialed_is_an_attempt_and_stopping_is_none() {
    let (mut floor, talk, _) = asked(BACK);
    let ring = its_turn(&mut floor, &talk);
    floor.client(ASHA_TAB, ClientMessage::RingAck { offer: ring.offer }).unwrap();
    floor.browser_up(ASHA_TAB, ring.call);
    floor.client(ASHA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap();
    open(&mut floor);
    floor.client(ASHA_TAB, ClientMessage::HangUp { call: ring.call }).unwrap();
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { .. })).is_some());
    assert_eq!(floor.center.engine().callbacks()[0].attempts, 1);
    nothing_is_left(&floor);

    floor.pass(5 * 60_000);
    let again = floor.ring_of(ASHA).unwrap();
    assert_ne!(again.call, ring.call);
    floor.feed(Input::Stop);
    nothing_is_left(&floor);
    let listed = floor.center.engine().callbacks().remove(0);
    assert_eq!((listed.attempts, listed.due_at), (1, None), "its place is as it was");
}

#[test]
fn a_number_the_guard_does_not_open_waits_for_a_person_on_the_list() {
    let (mut floor, talk, _) = asked("+12025550145");
    floor.seen.clear();
    hang_up_far(&mut floor, talk.dialog);
    assert!(floor.ring_of(ASHA).is_none());
    assert!(floor.center.engine().callbacks()[0].due_at.is_some());
    assert_eq!(floor.fed(|it| matches!(it, Routing::OwnCall { row: Row::Outbound, .. })), 0);
}
