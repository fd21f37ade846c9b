//! Callers in a line, and where they go when nobody is left.

use cordboard_shared::department::Fallback;

use super::*;

/// Only Asha is there, and she is on a call; Support announces every 30 s and lets callers be called back.
fn asha_is_busy(callback: bool) -> Floor {
    let mut floor = Floor::with_policy(|policy| {
        policy.departments[0].announce_seconds = 30;
        policy.departments[0].callback = callback;
    });
    floor.talk_to_asha(DIRECT);
    floor
}

fn hears_music(floor: &Floor, call: &CallIn) -> bool {
    matches!(floor.hears(call.leg), Some(Source::Loop { .. }))
}

fn call_from(floor: &mut Floor, caller: &str) -> CallIn {
    floor.caller = caller.to_owned();
    floor.call_in(SUPPORT)
}

#[test]
fn place_and_wait_are_spoken_over_the_music_and_again_later() {
    let mut floor = asha_is_busy(false);
    let first = call_from(&mut floor, "+442079460151");
    let second = call_from(&mut floor, "+442079460152");
    assert_eq!(floor.spoken(first.leg), ["you-are-number", "1", "in-line", "wait", "3", "minutes"]);
    assert_eq!(floor.spoken(second.leg), ["you-are-number", "2", "in-line", "wait", "6", "minutes"]);

    floor.finish_play(second.leg);
    assert!(hears_music(&floor, &second));

    floor.feed(Input::Sip(SipEvent::Ended { dialog: first.dialog, cause: EndCause::RemoteBye }));
    floor.pass(30_000);
    assert_eq!(floor.spoken(second.leg)[..3], ["you-are-number", "1", "in-line"]);
    floor.pass(6_000);
    assert!(hears_music(&floor, &second), "an announcement that cannot be sent ends by its length");
}

#[test]
fn a_caller_who_was_cut_off_takes_the_old_place_up_again() {
    let mut floor = asha_is_busy(false);
    let first = call_from(&mut floor, "+442079460151");
    let second = call_from(&mut floor, "+442079460152");
    floor.feed(Input::Sip(SipEvent::Ended { dialog: first.dialog, cause: EndCause::Gone }));
    floor.pass(60_000);
    assert_eq!(floor.spoken(second.leg)[1], "1");

    let again = call_from(&mut floor, "+442079460151");

    assert_eq!(floor.spoken(again.leg)[1], "1");
    floor.pass(30_000);
    assert_eq!(floor.spoken(second.leg)[1], "1", "no caller is ever told a higher place");
}

#[test]
fn a_ring_ends_an_announcement_at_once() {
    let mut floor = asha_is_busy(false);
    let call = call_from(&mut floor, "+442079460151");
    assert!(matches!(floor.hears(call.leg), Some(Source::Clip { .. })));

    floor.sign_in(SocketId(2), RIYA);

    let ring = floor.ring_of(RIYA).unwrap();
    assert!(hears_music(&floor, &call), "ringback plays in its place");
    floor.client(SocketId(2), ClientMessage::RingAck { offer: ring.offer }).unwrap();
    floor.seen.clear();
    floor.pass(10_000);
    assert_eq!(floor.hears(call.leg), None, "nothing of the announcement comes back");
}

#[test]
fn pressing_1_keeps_the_place_and_says_so() {
    let mut floor = asha_is_busy(true);
    let call = call_from(&mut floor, "+442079460151");
    assert_eq!(floor.spoken(call.leg).last().map(String::as_str), Some("press-one-callback"));

    floor.digit(call.leg, '2');
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallbackAsked(_))), 0);
    floor.digit(call.leg, '1');

    assert_eq!(floor.spoken(call.leg), ["callback-kept", "goodbye"]);
    assert!(floor.took(|it| matches!(it, Effect::Remember(event) if matches!(**event, Event::CallbackAsked { .. }))));
    assert!(floor.took(
        |it| matches!(it, Effect::Live { message, .. } if matches!(**message, ServerMessage::CallbacksChanged {}))
    ));
    floor.finish_play(call.leg);
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { dialog } if *dialog == call.dialog)).is_some());
    let callbacks = floor.center.engine().callbacks();
    assert_eq!((callbacks.len(), callbacks[0].due_at), (1, None));
}

#[test]
fn pressing_1_does_nothing_where_nobody_is_called_back() {
    let mut floor = asha_is_busy(false);
    let call = call_from(&mut floor, "+442079460151");
    floor.digit(call.leg, '1');
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallbackAsked(_))), 0);
    assert_eq!(floor.center.active_calls(), 2);
}

#[test]
fn a_message_plays_and_ends_the_call_and_a_callback_is_confirmed() {
    for (fallback, words) in [
        (Fallback::Message { audio: "audio:all-busy".to_owned() }, ["all-busy"].as_slice()),
        (Fallback::Callback, ["callback-kept", "goodbye"].as_slice()),
    ] {
        let mut floor = Floor::with_policy(|policy| policy.departments[0].fallback = vec![fallback]);
        let call = floor.call_in(SUPPORT);
        assert!(floor.commanded(|it| matches!(it, Sip::Accept { .. })).is_some());
        assert_eq!(floor.spoken(call.leg), words);
        floor.finish_play(call.leg);
        assert!(floor.commanded(|it| matches!(it, Sip::HangUp { .. })).is_some());
        let view = floor.logged().unwrap();
        assert_eq!((view.result, view.cause), (Some(CallResult::Missed), Some(CallCause::NoAvailableAgent)));
    }
}

#[test]
fn waiting_again_does_not_begin_the_music_anew() {
    let mut floor = asha_is_busy(false);
    let call = call_from(&mut floor, "+442079460151");
    floor.finish_play(call.leg);
    floor.seen.clear();

    floor.pass(29_000);

    assert_eq!(floor.hears(call.leg), None);
}
