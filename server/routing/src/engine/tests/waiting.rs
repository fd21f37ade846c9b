//! Waiting callers: place and estimate, kept places, redial, restart, callbacks, announcements, the longest wait.

use super::floor::*;

const CALLER: &str = "+442079460900";
const OTHER: &str = "+12025550143";
const THIRD: &str = "+12025550144";
const MINUTE: u64 = 60_000;

/// Asha alone is in Support and talks; the call she is in.
fn busy(change: impl FnOnce(&mut Policy)) -> (Floor, CallId) {
    let mut policy = policy();
    policy.departments[0].members.truncate(1);
    change(&mut policy);
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let talk = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, talk);
    (floor, talk)
}

fn from(floor: &mut Floor, now: Millis, caller: &str) -> CallId {
    floor.call_from(now, Target::Department(SUPPORT), Row::Queue, Some(caller))
}

fn positions(floor: &Floor, now: Millis) -> Vec<(CallId, u32)> {
    floor.engine.line(SUPPORT, now).callers.iter().map(|it| (it.call, it.position)).collect()
}

fn announced(outputs: &[Output], of: CallId) -> Vec<(u32, Option<u64>, bool)> {
    let told = outputs.iter().filter_map(|it| match it {
        Output::Announce { call, position, estimate_ms, callback } if *call == of => {
            Some((*position, *estimate_ms, *callback))
        }
        _ => None,
    });
    told.collect()
}

fn remembered(outputs: &[Output]) -> Vec<&Event> {
    outputs.iter().filter_map(|it| if let Output::Remember(event) = it { Some(&**event) } else { None }).collect()
}

#[test]
fn the_line_tells_place_wait_and_number_and_the_first_one_goes_first() {
    let (mut floor, talk) = busy(|_| {});
    let first = from(&mut floor, NOW + 1_000, CALLER);
    let second = from(&mut floor, NOW + 2_000, OTHER);
    let line = floor.engine.line(SUPPORT, NOW + 5_000);
    assert_eq!(positions(&floor, NOW + 5_000), [(first, 1), (second, 2)]);
    assert_eq!((line.callers[0].waited_ms, line.callers[1].waited_ms, line.longest_ms), (4_000, 3_000, 4_000));
    assert_eq!(line.callers[0].from, Some(Pii(CALLER.to_owned())));
    floor.feed(NOW + 6_000, Input::CallEnded(talk));
    floor.answer(NOW + 6_000, first);
    assert_eq!(positions(&floor, NOW + 6_000), [(second, 1)]);
}

#[test]
fn the_estimate_follows_the_present_line_and_the_people_who_serve_it() {
    let (mut floor, talk) = busy(|policy| policy.departments[0].members.push(member(RIYA, 2)));
    let other = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, other);
    let waiting = [from(&mut floor, NOW, CALLER), from(&mut floor, NOW, OTHER)];
    let estimates =
        |floor: &Floor| -> Vec<_> { floor.engine.line(SUPPORT, NOW).callers.iter().map(|it| it.estimate_ms).collect() };
    assert_eq!(estimates(&floor), [Some(90_000), Some(180_000)], "three minutes each, two people");
    floor.toggle(NOW, RIYA, Toggle::Away);
    assert_eq!(estimates(&floor), [Some(180_000), Some(360_000)]);
    floor.feed(NOW + 20_000, Input::CallEnded(talk));
    let third = from(&mut floor, NOW + 20_000, THIRD);
    floor.answer(NOW + 20_000, waiting[0]);
    let line = floor.engine.line(SUPPORT, NOW + 20_000);
    assert_eq!(line.callers[0].estimate_ms, Some(20_000), "now that calls are known to last 20 s");
    assert_eq!(line.callers.last().map(|it| (it.call, it.estimate_ms)), Some((third, Some(40_000))));
    floor.toggle(NOW + 20_000, ASHA, Toggle::Away);
    assert_eq!(floor.engine.line(SUPPORT, NOW + 20_000).callers.iter().find_map(|it| it.estimate_ms), None);
}

#[test]
fn nobody_is_told_a_higher_place_than_before() {
    let (mut floor, _) = busy(|policy| {
        policy.departments[0].announce_seconds = 20;
        policy.contacts = vec![Contact {
            number: OTHER.parse().unwrap(),
            name: String::new(),
            agent: None,
            priority: 7,
            tags: Vec::new(),
        }];
    });
    let usual = from(&mut floor, NOW, CALLER);
    assert_eq!(announced(&floor.seen, usual)[0].0, 1);
    let important = from(&mut floor, NOW + 1_000, OTHER);
    assert_eq!(positions(&floor, NOW + 1_000), [(important, 1), (usual, 1)]);
    let outputs = floor.feed(NOW + 20_000, Input::Timeout);
    assert_eq!(announced(&outputs, usual)[0].0, 1, "second in truth, but never told so");
}

#[test]
fn announcements_come_at_the_start_and_then_in_their_rhythm_while_waiting() {
    let (mut floor, talk) = busy(|policy| {
        policy.departments[0].announce_seconds = 30;
        policy.departments[0].callback = true;
    });
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(announced(&floor.seen, call), [(1, Some(180_000), true)]);
    for at in [30_000, 60_000, 90_000] {
        assert_eq!(announced(&floor.feed(Millis((NOW + at).0 - 1), Input::Timeout), call), []);
        assert_eq!(announced(&floor.feed(NOW + at, Input::Timeout), call).len(), 1, "{at}");
    }
    floor.feed(NOW + 100_000, Input::CallEnded(talk));
    assert_eq!(floor.rung(call), [ASHA]);
    let (offer, _) = floor.ringing(call).unwrap();
    floor.feed(NOW + 100_000, Input::OfferConfirmed(offer));
    assert_eq!(announced(&floor.feed(NOW + 124_000, Input::Timeout), call), [], "not while it rings");
}

#[test]
fn a_withheld_number_is_offered_no_callback_and_silence_says_nothing() {
    let (mut floor, _) = busy(|policy| policy.departments[0].callback = true);
    let withheld = floor.call(NOW, Target::Department(SUPPORT));
    assert_eq!(announced(&floor.seen, withheld), [(1, Some(180_000), false)]);
    assert_eq!(floor.feed_error(NOW, Input::CallbackAsked(withheld)), EngineError::NotAllowed(Verdict::Available));
    let (mut floor, _) = busy(|_| {});
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(announced(&floor.seen, call), []);
    assert_eq!(floor.feed_error(NOW, Input::CallbackAsked(call)), EngineError::NotAllowed(Verdict::Available));
}

#[test]
fn the_longest_wait_is_the_departments_own() {
    let (mut floor, _) = busy(|policy| policy.departments[0].max_wait_seconds = 90);
    let call = from(&mut floor, NOW + 500, CALLER);
    floor.feed(Millis((NOW + 90_500).0 - 1), Input::Timeout);
    assert_eq!(floor.ended(call), None);
    floor.feed(NOW + 90_500, Input::Timeout);
    assert_eq!(floor.ended(call), Some(Exhausted::Voicemail { mailbox: "support".to_owned() }));
}

#[test]
fn a_redial_in_time_takes_the_old_place_and_order() {
    let (mut floor, talk) = busy(|_| {});
    let first = from(&mut floor, NOW, CALLER);
    let second = from(&mut floor, NOW + 1_000, OTHER);
    let outputs = floor.feed(NOW + 2_000, Input::CallerGone(first));
    let kept = Event::PlaceKept { call: first, until: NOW + 2_000 + 10 * MINUTE };
    assert!(remembered(&outputs).contains(&&kept));
    let again = from(&mut floor, NOW + 60_000, CALLER);
    assert_eq!(positions(&floor, NOW + 60_000), [(again, 1), (second, 2)]);
    assert_eq!(floor.engine.line(SUPPORT, NOW + 60_000).callers[0].waited_ms, 60_000, "since they joined first");
    floor.feed(NOW + 61_000, Input::CallEnded(talk));
    assert_eq!((floor.rung(again), floor.rung(second)), (vec![ASHA], vec![]));
}

#[test]
fn a_kept_place_is_for_the_same_caller_in_the_same_line_and_for_a_time() {
    let (mut floor, _) = busy(|policy| policy.departments[1].members = vec![member(ASHA, 1)]);
    let first = from(&mut floor, NOW, CALLER);
    let second = from(&mut floor, NOW + 1, OTHER);
    floor.feed(NOW + 2, Input::CallerGone(first));
    let elsewhere = floor.call_from(NOW + 3, Target::Department(SALES), Row::Queue, Some(CALLER));
    assert_eq!(floor.engine.line(SALES, NOW + 3).callers[0].waited_ms, 0, "{elsewhere}");
    let expiry = NOW + 2 + 10 * MINUTE;
    let outputs = floor.feed(expiry, Input::Timeout);
    assert!(remembered(&outputs).contains(&&Event::PlaceLeft { call: first }));
    let late = from(&mut floor, expiry, CALLER);
    assert_eq!(floor.engine.line(SUPPORT, expiry).callers.last().map(|it| (it.call, it.waited_ms)), Some((late, 0)));
    assert_ne!(second, late);
}

#[test]
fn without_minutes_no_place_is_kept() {
    let (mut floor, _) = busy(|policy| policy.settings.keep_place_minutes = 0);
    let first = from(&mut floor, NOW, CALLER);
    let second = from(&mut floor, NOW + 1, OTHER);
    floor.feed(NOW + 2, Input::CallerGone(first));
    let again = from(&mut floor, NOW + 3, CALLER);
    assert_eq!(positions(&floor, NOW + 3), [(second, 1), (again, 2)]);
}

#[test]
fn a_place_outlives_the_process() {
    let (mut floor, _) = busy(|_| {});
    let first = from(&mut floor, NOW, CALLER);
    from(&mut floor, NOW + 1, OTHER);
    // Only what was written down is left.
    let mut written = Durable { policy: floor.engine.policy().clone(), ..Durable::default() };
    written.facts = floor.engine.durable().facts;
    for output in &floor.seen {
        if let Output::Remember(event) = output {
            written.apply(event);
        }
    }
    floor.engine = Engine::start(NOW + MINUTE, 3, written);
    floor.seen.clear();
    floor.feed(NOW + MINUTE, Input::DeviceReady(ASHA, device(ASHA), DeviceKind::Browser));
    let kept = Event::PlaceKept { call: first, until: NOW + 11 * MINUTE };
    assert!(remembered(&floor.seen).contains(&&kept));
    let talk = floor.call_by(NOW + MINUTE, Target::Agent(ASHA), Row::Internal);
    floor.answer(NOW + MINUTE, talk);
    let late = from(&mut floor, NOW + 2 * MINUTE, THIRD);
    let other = from(&mut floor, NOW + 3 * MINUTE, OTHER);
    let again = from(&mut floor, NOW + 4 * MINUTE, CALLER);
    assert_eq!(positions(&floor, NOW + 4 * MINUTE), [(again, 1), (other, 2), (late, 3)]);
}

/// Asha talks, the caller has asked to be called back, and another one waits behind.
fn asked() -> (Floor, CallId, CallId, CallId) {
    let (mut floor, talk) = busy(|policy| policy.departments[0].callback = true);
    let call = from(&mut floor, NOW, CALLER);
    let behind = from(&mut floor, NOW + 1, OTHER);
    floor.feed(NOW + 5_000, Input::CallbackAsked(call));
    (floor, talk, call, behind)
}

#[test]
fn a_callback_keeps_its_place_and_the_caller_may_hang_up() {
    let (mut floor, _, call, behind) = asked();
    assert_eq!(floor.ended(call), Some(Exhausted::Callback));
    assert_eq!(floor.last(call).then, Then::Callback);
    let line = floor.engine.line(SUPPORT, NOW + 6_000);
    assert_eq!(positions(&floor, NOW + 6_000), [(call, 1), (behind, 2)]);
    assert!(line.callers[0].callback && !line.callers[1].callback);
    assert_eq!(floor.engine.callbacks()[0].due_at, None);
    assert_eq!(floor.feed_error(NOW + 6_000, Input::CallerGone(call)), EngineError::UnknownCall);
}

#[test]
fn a_callback_comes_due_when_its_turn_comes_and_one_free_person_has_one() {
    let (mut floor, talk, call, _) = asked();
    let second = from(&mut floor, NOW + 6_000, THIRD);
    floor.feed(NOW + 6_001, Input::CallbackAsked(second));
    let outputs = floor.feed(NOW + 10_000, Input::CallEnded(talk));
    assert!(outputs.contains(&Output::CallbacksChanged));
    assert!(remembered(&outputs).contains(&&Event::CallbackDue { call, at: NOW + 10_000 }));
    let due: Vec<_> = floor.engine.callbacks().iter().map(|it| (it.call, it.due_at.is_some())).collect();
    assert_eq!(due, [(call, true), (second, false)]);
}

#[test]
fn a_callback_jumps_nobody() {
    let (mut floor, talk) = busy(|policy| policy.departments[0].callback = true);
    let ahead = from(&mut floor, NOW, OTHER);
    let call = from(&mut floor, NOW + 1, CALLER);
    floor.feed(NOW + 2, Input::CallbackAsked(call));
    floor.feed(NOW + 10_000, Input::CallEnded(talk));
    assert_eq!(floor.rung(ahead), [ASHA]);
    assert_eq!(floor.engine.callbacks()[0].due_at, None);
    floor.answer(NOW + 10_500, ahead);
    floor.feed(NOW + 20_000, Input::CallEnded(ahead));
    assert_eq!(floor.engine.callbacks()[0].due_at, Some(NOW + 20_000));
}

#[test]
fn a_callback_that_is_dealt_with_leaves_the_list_and_lets_the_next_come() {
    let (mut floor, talk, call, behind) = asked();
    floor.feed(NOW + 6_000, Input::CallerGone(behind));
    let second = from(&mut floor, NOW + 7_000, THIRD);
    floor.feed(NOW + 7_001, Input::CallbackAsked(second));
    floor.feed(NOW + 10_000, Input::CallEnded(talk));
    let outputs = floor.feed(NOW + 30_000, Input::CallbackDone(call));
    assert!(remembered(&outputs).contains(&&Event::CallbackDone { call }));
    let left: Vec<_> = floor.engine.callbacks().iter().map(|it| (it.call, it.due_at)).collect();
    assert_eq!(left, [(second, Some(NOW + 30_000))]);
    assert_eq!(floor.feed_error(NOW + 30_001, Input::CallbackDone(call)), EngineError::UnknownCall);
}

#[test]
fn a_callback_outlives_the_process_at_its_place() {
    let (floor, _, call, _) = asked();
    let mut engine = Engine::start(NOW + MINUTE, 3, floor.engine.durable());
    while !matches!(engine.poll_output(), Output::Timeout(_)) {}
    assert_eq!(engine.line(SUPPORT, NOW + MINUTE).callers[0].call, call);
    engine.handle_input(NOW + MINUTE, Input::DeviceReady(ASHA, device(ASHA), DeviceKind::Browser)).unwrap();
    assert_eq!(engine.callbacks()[0].due_at, Some(NOW + MINUTE));
}

#[test]
fn a_callback_to_a_person_waits_for_their_call_and_then_goes_onto_the_list() {
    let (mut floor, _) = busy(|_| {});
    let call = floor.call_from(NOW, Target::Agent(ASHA), Row::Callback, Some(CALLER));
    floor.feed(Millis((NOW + 60 * MINUTE).0 - 1), Input::Timeout);
    assert_eq!(floor.ended(call), None);
    floor.feed(NOW + 60 * MINUTE, Input::Timeout);
    assert_eq!(floor.ended(call), Some(Exhausted::FollowUp { agent: Some(ASHA) }));
    let listed = &floor.engine.callbacks()[0];
    assert_eq!((listed.agent, listed.due_at), (Some(ASHA), Some(NOW + 60 * MINUTE)));
}

#[test]
fn a_call_for_one_person_by_name_is_not_there_to_be_taken() {
    let (mut floor, _) = busy(|_| {});
    let call = floor.call_from(NOW, Target::Agent(ASHA), Row::Callback, Some(CALLER));
    assert_eq!(floor.feed_error(NOW, Input::TakeWaiting(RIYA, call)), EngineError::UnknownCall);
}

#[test]
fn a_waiting_call_is_taken_by_a_member_of_its_department_only() {
    let (mut floor, _) = busy(|_| {});
    let call = floor.call(NOW, Target::Department(SUPPORT));
    assert!(!floor.engine.policy().departments[0].members.iter().any(|member| member.agent == RIYA));
    assert_eq!(floor.feed_error(NOW, Input::TakeWaiting(RIYA, call)), EngineError::NotMember);

    let (mut floor, _) = busy(|policy| policy.departments[0].members.push(member(RIYA, 2)));
    floor.toggle_only(NOW, RIYA, Toggle::Away);
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let outputs = floor.feed(NOW, Input::TakeWaiting(RIYA, call));
    assert!(outputs.iter().any(|it| matches!(it, Output::Connect { agent: RIYA, .. })), "{outputs:?}");
}

#[test]
fn an_answer_without_sound_gives_the_old_place_back() {
    let (mut floor, talk) = busy(|policy| policy.departments[0].members.push(member(RIYA, 2)));
    let other = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, other);
    let first = from(&mut floor, NOW, CALLER);
    let second = from(&mut floor, NOW + 1, OTHER);
    floor.feed(NOW + 2, Input::CallEnded(talk));
    floor.answer(NOW + 3, first);
    floor.toggle_only(NOW + 4, ASHA, Toggle::Away);
    floor.feed(NOW + 5, Input::ConnectFailed(first));
    assert_eq!(positions(&floor, NOW + 5), [(first, 1), (second, 2)]);
}
