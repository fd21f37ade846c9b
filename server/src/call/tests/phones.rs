//! Desk phones and mobiles: they ring beside the browser, dial, and take calls.

use cordboard_shared::telephony::Telephony;
use cordboard_sip::endpoint::FailureCause;

use super::outside::*;
use super::*;

#[test]
fn a_registered_desk_phone_rings_and_talks() {
    let mut floor = Floor::new();
    let (call, dialog, leg) = ring_desk_phone(&mut floor);
    assert_eq!(floor.fed(|it| matches!(it, Routing::OfferConfirmed(_))), 1);
    pick_up(&mut floor, dialog);
    assert_eq!((floor.hears(call.leg), floor.hears(leg)), (Some(Source::Leg(leg)), Some(Source::Leg(call.leg))));
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { .. })).is_some());
    assert_eq!(floor.last_view().agent, Some(DEV));
    floor.feed(Input::Sip(SipEvent::Ended { dialog, cause: EndCause::RemoteBye }));
    assert_eq!(floor.logged().unwrap().ended_by, Some(EndedBy::Agent));
    nothing_is_left(&floor);
    floor.feed(Input::Sip(SipEvent::Unregistered { username: "1001".to_owned() }));
    assert_eq!(floor.fed(|it| matches!(it, Routing::DeviceGone(DEV, _))), 1);
}

#[test]
fn browser_and_desk_phone_ring_together_and_the_first_answer_wins() {
    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, DEV);
    let (_, dialog, _) = ring_desk_phone(&mut floor);
    let ring = floor.ring_of(DEV).unwrap();
    floor.browser_up(ASHA_TAB, ring.call);
    floor.client(ASHA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap();
    let withdrawn = floor.commanded(|it| matches!(it, Sip::HangUp { dialog: of } if *of == dialog));
    assert!(withdrawn.is_some(), "the phone is cancelled");

    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, DEV);
    let (_, dialog, _) = ring_desk_phone(&mut floor);
    let ring = floor.ring_of(DEV).unwrap();
    pick_up(&mut floor, dialog);
    assert!(floor.told(DEV, |it| matches!(it, ServerMessage::RingStop { reason: RingStop::Answered, .. })));
    let late = floor.client(ASHA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap_err();
    assert_eq!(late.code(), Some(ProblemCode::AnsweredElsewhere));
    assert_eq!(live(&floor, DEV).device.as_deref(), Some("phone:1001"));
}

#[test]
fn a_desk_phone_that_declines_leaves_it_to_the_next() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(5), KEN);
    let (_, dialog, _) = ring_desk_phone(&mut floor);
    floor.feed(Input::Sip(SipEvent::Failed { dialog, status: 486, cause: FailureCause::Rejected }));
    assert!(floor.ring_of(KEN).is_some());
    assert_eq!(floor.decisions()[0].members.iter().find(|it| it.agent == DEV).unwrap().reason, Reason::Declined);
}

#[test]
fn a_desk_phone_calls_a_colleague_and_a_number() {
    let mut floor = with_trunk();
    floor.feed(Input::Sip(SipEvent::Registered { username: "1001".to_owned(), contacts: 1 }));
    floor.sign_in(RIYA_TAB, RIYA);
    let dialog = phone_dials(&mut floor, "22");
    let dev = open(&mut floor);
    assert!(floor.commanded(|it| matches!(it, Sip::Progress { status: 180, .. })).is_some());
    let riya = riya_answers(&mut floor);
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { dialog: of, .. } if *of == dialog)).is_some());
    assert_eq!((floor.hears(dev), floor.hears(riya)), (Some(Source::Leg(riya)), Some(Source::Leg(dev))));
    hang_up_far(&mut floor, dialog);
    nothing_is_left(&floor);

    let dialog = phone_dials(&mut floor, OUTSIDE);
    let dev = open(&mut floor);
    let far = open(&mut floor);
    assert_ne!(dev, far);
    let invitation = invites(&floor).pop().unwrap();
    pick_up(&mut floor, invitation.dialog);
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { dialog: of, .. } if *of == dialog)).is_some());
    assert_eq!(floor.hears(far), Some(Source::Leg(dev)));
    hang_up_far(&mut floor, dialog);
    nothing_is_left(&floor);

    phone_dials(&mut floor, "00442079460180");
    assert!(floor.rejected_with(404));
    phone_dials(&mut floor, "+12025550100");
    assert!(floor.rejected_with(403));
}

#[test]
fn a_mobile_takes_a_call_only_by_pressing_one() {
    let mut floor = with_trunk();
    let telephony = Telephony {
        mobiles: vec![cordboard_shared::telephony::Mobile {
            agent: ASHA,
            number: "+442079460150".parse().unwrap(),
            rings: true,
        }],
        ..(*floor.center.directory.telephony).clone()
    };
    set_telephony(&mut floor, telephony);
    let call = floor.call_in(DIRECT);
    let mobile = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    assert_eq!(invitation.to.user().as_deref(), Some("+442079460150"));
    pick_up(&mut floor, invitation.dialog);
    assert_eq!(floor.last_view().answered_at, None, "a voicemail of the mobile takes no call");
    floor.digit(mobile, '1');
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(mobile)));
    hang_up_far(&mut floor, call.dialog);
    let ended = floor.commanded(|it| matches!(it, Sip::HangUp { dialog } if *dialog == invitation.dialog));
    assert!(ended.is_some(), "the mobile is not left in a call of its own");
    nothing_is_left(&floor);

    let mut other = with_trunk();
    let telephony = (*floor.center.directory.telephony).clone();
    set_telephony(&mut other, telephony);
    other.call_in(DIRECT);
    open(&mut other);
    let invitation = invites(&other).pop().unwrap();
    pick_up(&mut other, invitation.dialog);
    other.pass(15_000);
    assert_eq!(other.decisions()[0].members[0].reason, Reason::Declined);
    let ended = other.commanded(|it| matches!(it, Sip::HangUp { dialog } if *dialog == invitation.dialog));
    assert!(ended.is_some(), "the mobile's machine records no more");
}
