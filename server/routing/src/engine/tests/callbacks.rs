//! Callbacks that are made: row 10, their place, who is rung, and what comes of calls that reach nobody.

use super::floor::*;

const CALLER: &str = "+442079460142";
const OTHER: &str = "+442079460143";
const ABROAD: &str = "+4930901820";
const MINUTE: u64 = 60_000;

fn open() -> Input {
    Input::CallingOut(CallingOut { prefixes: vec!["+44".to_owned()], closed: Vec::new(), paused: false })
}

fn paused() -> Input {
    Input::CallingOut(CallingOut { prefixes: vec!["+44".to_owned()], closed: Vec::new(), paused: true })
}

/// These people are in Support and talk, and a caller has asked to be called back.
fn asked(people: &[AgentId], caller: &str, change: impl FnOnce(&mut Policy)) -> (Floor, Vec<CallId>, CallId) {
    let mut policy = policy();
    let members = people.iter().zip(1..);
    policy.departments[0].members = members.map(|(agent, order)| member(*agent, order)).collect();
    policy.departments[0].callback = true;
    change(&mut policy);
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    floor.feed(NOW, open());
    let talks: Vec<_> = people
        .iter()
        .map(|agent| {
            let talk = floor.call_by(NOW, Target::Agent(*agent), Row::DirectExtension);
            floor.answer(NOW, talk);
            talk
        })
        .collect();
    let call = floor.call_from(NOW + 1_000, Target::Department(SUPPORT), Row::Queue, Some(caller));
    floor.feed(NOW + 5_000, Input::CallbackAsked(call));
    (floor, talks, call)
}

/// The calls made for a callback.
fn made(floor: &Floor) -> Vec<(CallId, CallId, u32)> {
    let made = floor.seen.iter().filter_map(|it| match it {
        Output::CallBack { call, callback, attempt, .. } => Some((*call, *callback, *attempt)),
        _ => None,
    });
    made.collect()
}

fn due(floor: &Floor) -> Vec<(CallId, Option<AgentId>, bool)> {
    floor.engine.callbacks().iter().map(|it| (it.call, it.agent, it.due_at.is_some())).collect()
}

#[test]
fn its_turn_rings_who_is_free_and_answering_makes_them_busy() {
    let (mut floor, talks, call) = asked(&[ASHA], CALLER, |_| {});
    let outputs = floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    let [(attempt, of, 1)] = made(&floor)[..] else { panic!("{outputs:?}") };
    assert_eq!(of, call);
    let number = outputs.iter().find_map(|it| match it {
        Output::CallBack { number, department, .. } => Some((number.0.clone(), *department)),
        _ => None,
    });
    assert_eq!(number, Some((CALLER.to_owned(), SUPPORT)));
    let Some(Output::Offer { waited_ms, why, .. }) = outputs.iter().find(|it| matches!(it, Output::Offer { .. }))
    else {
        panic!("nobody rings")
    };
    assert_eq!((*waited_ms, why.contains("called back")), (9_000, true));
    let entry = floor.last(attempt);
    let member = &entry.members[0];
    assert_eq!((entry.row, entry.step, member.reason, &*member.cell), (1, 1, Reason::RungCallback, "1/available"));
    let line = floor.engine.line(SUPPORT, NOW + 10_000);
    assert!(line.callers.len() == 1 && line.callers[0].callback, "it stands where it stood");

    floor.answer(NOW + 10_500, attempt);
    assert_eq!(floor.engine.agent(ASHA).unwrap().load, Load::OnCall(attempt));
    assert_eq!(floor.last(attempt).then, Then::Answered);
    floor.feed(NOW + 15_000, Input::CallbackDone(call));
    assert_eq!(due(&floor), []);
    floor.feed(NOW + 90_000, Input::CallEnded(attempt));
    assert_eq!(floor.engine.agent(ASHA).unwrap().load, Load::Idle);
    assert_eq!(made(&floor).len(), 1);
}

#[test]
fn it_jumps_nobody_and_nobody_jumps_it() {
    let (mut floor, talks, _) = asked(&[ASHA], CALLER, |policy| policy.departments[0].wrap_up_seconds = 0);
    let behind = floor.call_from(NOW + 6_000, Target::Department(SUPPORT), Row::Queue, Some(OTHER));
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    let (attempt, ..) = made(&floor)[0];
    assert_eq!((floor.rung(attempt), floor.rung(behind)), (vec![ASHA], vec![]));
    floor.answer(NOW + 10_500, attempt);
    floor.feed(NOW + 20_000, Input::CallEnded(attempt));
    assert_eq!(floor.rung(behind), [ASHA], "and the next one comes after it");
}

#[test]
fn who_does_not_take_it_leaves_it_to_the_next_and_then_it_is_on_the_list() {
    let (mut floor, talks, call) = asked(&[ASHA, RIYA], CALLER, |_| {});
    for talk in talks {
        floor.feed(NOW + 10_000, Input::CallEnded(talk));
    }
    let (attempt, ..) = made(&floor)[0];
    let first = floor.ringing(attempt).unwrap();
    floor.feed(NOW + 10_500, Input::OfferDeclined(first.0));
    let second = floor.ringing(attempt).unwrap();
    assert_ne!(first.1, second.1);
    floor.feed(NOW + 10_500, Input::OfferConfirmed(second.0));
    floor.feed(NOW + 10_500 + 25_000, Input::Timeout);
    assert_eq!(floor.ended(attempt), Some(Exhausted::FollowUp { agent: None }));
    let entry = floor.last(attempt);
    let reasons: Vec<_> = entry.members.iter().map(|it| it.reason).collect();
    assert_eq!(entry.then, Then::FollowUp);
    assert!(reasons.contains(&Reason::Declined) && reasons.contains(&Reason::MissedNoAnswer), "{reasons:?}");
    assert_eq!(due(&floor), [(call, None, true)]);
}

#[test]
fn who_is_not_reached_is_called_again_three_times_in_all_and_then_it_is_on_the_list() {
    let (mut floor, talks, call) = asked(&[ASHA], CALLER, |policy| policy.departments[0].wrap_up_seconds = 30);
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    let mut now = NOW + 10_000;
    for attempt in 1..=3 {
        let (made, of, number) = *made(&floor).last().unwrap();
        assert_eq!((of, number), (call, attempt));
        floor.answer(now + 500, made);
        floor.feed(now + 30_000, Input::CallEnded(made));
        assert_eq!(floor.verdict(ASHA), Verdict::Available, "no work after a call that did not come about");
        let rests = now + 30_000 + 5 * MINUTE;
        floor.feed(Millis(rests.0 - 1), Input::Timeout);
        assert_eq!(super::callbacks::made(&floor).len(), usize::try_from(attempt).unwrap(), "not before five minutes");
        floor.feed(rests, Input::Timeout);
        now = rests;
    }
    assert_eq!((made(&floor).len(), due(&floor)), (3, vec![(call, None, true)]));
    let tried = floor.engine.state.durable.callbacks[&call].attempts;
    assert_eq!(tried, 3);
}

/// The caller is assigned to Asha, strictly or loosely.
fn bound(policy: &mut Policy, mode: StickyMode) {
    policy.departments[0].sticky = Some(Sticky { mode, hours: 1, fallback: None });
    policy.contacts = vec![Contact {
        number: CALLER.parse().unwrap(),
        name: String::new(),
        agent: Some(ASHA),
        priority: 0,
        tags: Vec::new(),
    }];
}

#[test]
fn one_for_a_person_waits_for_them_under_row_ten_and_reaches_them_away() {
    let (mut floor, talks, call) = asked(&[ASHA, RIYA], CALLER, |policy| bound(policy, StickyMode::Strict));
    assert_eq!(due(&floor), [(call, Some(ASHA), false)]);
    floor.feed(NOW + 10_000, Input::CallEnded(talks[1]));
    assert_eq!(made(&floor), [], "10/busy: waits");
    floor.toggle_only(NOW + 11_000, ASHA, Toggle::Away);
    floor.feed(NOW + 12_000, Input::CallEnded(talks[0]));
    let (attempt, ..) = made(&floor)[0];
    let entry = floor.last(attempt);
    let of = |agent| entry.members.iter().find(|it| it.agent == agent).unwrap();
    assert_eq!((entry.row, of(ASHA).reason, &*of(ASHA).cell), (10, Reason::RungCallback, "10/away"));
    assert_eq!(of(RIYA).reason, Reason::SkippedStickyBoundElsewhere);
}

#[test]
fn one_for_a_person_who_is_blocked_goes_onto_the_list_with_the_cell_that_says_so() {
    type Block = fn(&mut AgentFacts);
    let blocks: [(&str, Block); 3] = [
        ("10/dnd", |it| it.dnd = Some(block(NOW, None))),
        ("10/opted_out", |it| it.opt_out = Some(block(NOW, None))),
        ("10/paused", |it| it.pause = Some(block(NOW, None))),
    ];
    for (cell, change) in blocks {
        let (mut floor, _, call) = asked(&[ASHA, RIYA], CALLER, |policy| bound(policy, StickyMode::Strict));
        let steps = floor.last(call).step;
        floor.set(NOW + 6_000, ASHA, change);
        let talk = floor.engine.agent(ASHA).unwrap().load;
        let Load::OnCall(talk) = talk else { panic!("{talk:?}") };
        floor.feed(NOW + 10_000, Input::CallEnded(talk));
        assert_eq!((made(&floor), due(&floor)), (vec![], vec![(call, Some(ASHA), true)]), "{cell}");
        let entry = floor.last(call);
        let asha = entry.members.iter().find(|it| it.agent == ASHA).unwrap();
        assert_eq!((entry.step, entry.row, entry.then, &*asha.cell), (steps + 1, 10, Then::FollowUp, cell));
    }
}

#[test]
fn one_bound_loosely_rings_others_when_that_person_is_blocked() {
    let (mut floor, talks, _) = asked(&[ASHA, RIYA], CALLER, |policy| bound(policy, StickyMode::Loose));
    floor.set(NOW + 6_000, ASHA, |it| it.dnd = Some(block(NOW, None)));
    floor.feed(NOW + 10_000, Input::CallEnded(talks[1]));
    let (attempt, ..) = made(&floor)[0];
    assert_eq!(floor.rung(attempt), [RIYA]);
    let entry = floor.last(attempt);
    let cells: Vec<_> = entry.members.iter().map(|it| (it.agent, it.reason, it.cell.to_string())).collect();
    assert!(cells.contains(&(ASHA, Reason::SkippedDnd, "10/dnd".to_owned())), "{cells:?}");
    assert!(cells.contains(&(RIYA, Reason::RungCallback, "1/available".to_owned())), "{cells:?}");
}

#[test]
fn a_number_that_cannot_be_called_comes_due_for_a_person_to_see_to() {
    let (mut floor, talks, call) = asked(&[ASHA], ABROAD, |_| {});
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    assert_eq!((made(&floor), due(&floor)), (vec![], vec![(call, None, true)]));
}

#[test]
fn while_nothing_goes_out_it_stays_where_it_is() {
    let (mut floor, talks, call) = asked(&[ASHA], CALLER, |_| {});
    floor.feed(NOW + 6_000, paused());
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    assert_eq!((made(&floor), due(&floor)), (vec![], vec![(call, None, false)]));
    floor.feed(NOW + 20_000, open());
    let (attempt, ..) = made(&floor)[0];
    floor.feed(NOW + 20_500, paused());
    floor.feed(NOW + 20_500, Input::CallerGone(attempt));
    assert_eq!(due(&floor), [(call, None, false)]);
    assert_eq!(floor.engine.state.durable.callbacks[&call].attempts, 0, "that was no attempt");
}

#[test]
fn it_waits_for_a_line_and_for_the_department_to_open() {
    let (mut floor, talks, _) = asked(&[ASHA], CALLER, |policy| policy.settings.lines = Some(2));
    let own = CallId::new(NOW, [9; 10]);
    floor.feed(NOW + 6_000, Input::own_call(DEV, own, Row::Outbound));
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    assert_eq!(made(&floor), [], "the one outbound line is Dev's");
    floor.feed(NOW + 20_000, Input::CallEnded(own));
    assert_eq!(made(&floor).len(), 1);

    let (mut floor, talks, _) = asked(&[ASHA], CALLER, |policy| {
        policy.departments[0].hours.open =
            vec![Slot { days: vec![Day::Thu, Day::Fri], from: "09:00".parse().unwrap(), to: "12:01".parse().unwrap() }];
    });
    floor.feed(NOW + 2 * MINUTE, Input::CallEnded(talks[0]));
    assert_eq!(made(&floor), [], "closed since 12:01");
    floor.feed(Millis((NOW + 21 * 60 * MINUTE).0 - 1), Input::Timeout);
    assert_eq!(made(&floor), []);
    floor.feed(NOW + 21 * 60 * MINUTE, Input::Timeout);
    assert_eq!(made(&floor).len(), 1, "Friday at nine");
}

#[test]
fn somebody_who_sees_to_it_meanwhile_ends_the_ring() {
    let (mut floor, talks, call) = asked(&[ASHA], CALLER, |_| {});
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    let (attempt, ..) = made(&floor)[0];
    let outputs = floor.feed(NOW + 10_500, Input::CallbackDone(call));
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::AnsweredElsewhere)]);
    assert_eq!(floor.ended(attempt), Some(Exhausted::Disconnect));
    assert_eq!((due(&floor), floor.verdict(ASHA)), (vec![], Verdict::Available));
}

#[test]
fn going_away_while_it_rings_passes_it_on_and_who_is_on_the_list_is_found_again_after_a_start() {
    let (mut floor, talks, call) = asked(&[ASHA, RIYA], CALLER, |_| {});
    floor.feed(NOW + 10_000, Input::CallEnded(talks[0]));
    let (attempt, ..) = made(&floor)[0];
    let outputs = floor.toggle_only(NOW + 10_500, ASHA, Toggle::Away);
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
    assert_eq!(floor.last(attempt).then, Then::Wait, "Riya is merely busy");

    // The process dies: nobody has been lost, and its turn comes again.
    let mut engine = Engine::start(NOW + MINUTE, 3, floor.engine.durable());
    while !matches!(engine.poll_output(), Output::Timeout(_)) {}
    let Input::CallingOut(calling_out) = open() else { unreachable!() };
    engine.handle_input(NOW + MINUTE, Input::CallingOut(calling_out)).unwrap();
    engine.handle_input(NOW + MINUTE, Input::DeviceReady(RIYA, device(RIYA), DeviceKind::Browser)).unwrap();
    let mut calls = Vec::new();
    loop {
        match engine.poll_output() {
            Output::Timeout(_) => break,
            Output::CallBack { callback, attempt, .. } => calls.push((callback, attempt)),
            _ => {}
        }
    }
    assert_eq!(calls, [(call, 1)]);
}
