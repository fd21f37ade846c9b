//! The promises of the first day, one by one: order, waits, fallbacks, withdrawals.

use super::floor::*;

const RING: u64 = 25_000;

#[test]
fn serial_rings_the_first_and_an_unanswered_ring_goes_to_the_next() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let first = floor.ringing(call).unwrap();
    assert_eq!(first.1, ASHA);

    floor.feed(NOW, Input::OfferConfirmed(first.0));
    let outputs = floor.feed(NOW + RING, Input::Timeout);

    assert!(outputs.contains(&Output::Withdraw { offer: first.0, call, agent: ASHA, reason: Reason::MissedNoAnswer }));
    assert_eq!(floor.ringing(call).unwrap().1, RIYA);
}

#[test]
fn a_device_that_does_not_confirm_costs_a_second_not_the_ring_time() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));

    let outputs = floor.feed(NOW + 1_000, Input::Timeout);

    assert!(withdrawn(&outputs).contains(&(ASHA, Reason::DeviceDidNotConfirm)));
    assert_eq!(floor.ringing(call).unwrap().1, RIYA);
}

#[test]
fn going_away_while_ringing_withdraws_at_once_and_rings_the_next() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let (offer, _) = floor.ringing(call).unwrap();
    floor.feed(NOW, Input::OfferConfirmed(offer));

    let outputs = floor.toggle(NOW + 5, ASHA, Toggle::Away);

    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
    assert_eq!(floor.ringing(call).unwrap().1, RIYA);
    assert_eq!(floor.feed_error(NOW + 6, Input::OfferAccepted(offer)), EngineError::OfferEnded);
}

#[test]
fn every_member_stands_once_in_a_decision_with_the_fact_that_decided() {
    let mut floor = Floor::new();
    floor.toggle(NOW, ASHA, Toggle::Away);
    floor.feed(NOW, Input::DeviceGone(RIYA, device(RIYA)));

    let call = floor.call(NOW, Target::Department(SUPPORT));

    let decision = floor.decisions(call).pop().unwrap();
    let reasons: Vec<_> = decision.members.iter().map(|it| (it.agent, it.reason, &*it.cell)).collect();
    assert_eq!(
        reasons,
        [
            (ASHA, Reason::SkippedAway, "1/away"),
            (RIYA, Reason::SkippedNoDevice, "1/no_device"),
            (DEV, Reason::Rung, "1/available"),
        ]
    );
    let fact = decision.members[0].fact.clone().unwrap();
    assert_eq!((&*fact.name, fact.by.as_deref()), ("toggle", Some("Asha")));
}

#[test]
fn nobody_to_ring_leads_to_voicemail_at_once_and_says_why() {
    let mut floor = Floor::new();
    for agent in [ASHA, RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }

    let call = floor.call(NOW, Target::Department(SUPPORT));

    let to = Exhausted::Voicemail { mailbox: "support".to_owned() };
    assert!(floor.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
    let decision = floor.decisions(call).pop().unwrap();
    assert_eq!(decision.then, Then::Voicemail);
    assert!(decision.members.iter().all(|member| member.reason == Reason::SkippedAway));
}

#[test]
fn somebody_merely_busy_makes_the_caller_wait_and_the_first_in_line_is_served_first() {
    let mut floor = Floor::new();
    for agent in [RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }
    let talking = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, talking);
    let first = floor.call(NOW + 1, Target::Department(SUPPORT));
    let second = floor.call(NOW + 2, Target::Department(SUPPORT));
    assert!(floor.seen.contains(&Output::Waiting { call: first, department: Some(SUPPORT) }));

    floor.feed(NOW + 10, Input::CallEnded(talking));

    assert_eq!(floor.ringing(first).unwrap().1, ASHA);
    assert_eq!(floor.ringing(second), None);
}

#[test]
fn a_wait_ends_with_the_fallback() {
    let mut floor = Floor::new();
    for agent in [RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }
    let talking = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, talking);
    let waiting = floor.call(NOW, Target::Department(SUPPORT));

    let outputs = floor.feed(NOW + 300_000, Input::Timeout);

    assert!(outputs.iter().any(|it| matches!(it, Output::Exhausted { call, .. } if *call == waiting)));
}

#[test]
fn a_wait_counts_from_joining_the_line_not_from_the_last_ring() {
    let mut floor = Floor::new();
    floor.toggle(NOW, DEV, Toggle::Away);
    let talking = [floor.call(NOW, Target::Department(SUPPORT)), floor.call(NOW, Target::Department(SUPPORT))];
    for call in talking {
        floor.answer(NOW, call);
    }
    let waiting = floor.call(NOW, Target::Department(SUPPORT));
    floor.feed(NOW + 200_000, Input::CallEnded(talking[0]));
    let (offer, _) = floor.ringing(waiting).unwrap();
    floor.feed(NOW + 200_000, Input::OfferDeclined(offer));

    let outputs = floor.feed(NOW + 300_000, Input::Timeout);

    assert!(outputs.iter().any(|it| matches!(it, Output::Exhausted { call, .. } if *call == waiting)));
}

#[test]
fn a_fallback_department_is_tried_once_and_then_the_first_ones_box() {
    let mut floor = Floor::new();
    for agent in [ASHA, RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }

    let call = floor.call(NOW, Target::Department(SALES));

    assert!(floor.seen.contains(&Output::Entered { call, department: SUPPORT }));
    let to = Exhausted::Voicemail { mailbox: "sales".to_owned() };
    assert!(floor.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
}

#[test]
fn a_directly_dialed_person_who_is_away_or_busy_has_a_box() {
    let mut floor = Floor::new();
    floor.toggle(NOW, ASHA, Toggle::Away);
    let call = floor.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    let to = Exhausted::Voicemail { mailbox: ASHA.to_string() };
    assert!(floor.seen.contains(&Output::Exhausted { call, to: to.clone(), cause: CallCause::NoAvailableAgent }));
    assert_eq!(floor.decisions(call)[0].members[0].cell, "6/away");

    floor.toggle(NOW, ASHA, Toggle::On);
    let talking = floor.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    floor.answer(NOW, talking);
    let call = floor.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    assert!(floor.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
}

#[test]
fn an_answer_without_sound_puts_the_caller_back_at_the_head() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, call);

    floor.feed(NOW + 3_000, Input::ConnectFailed(call));

    assert_eq!(floor.ringing(call).unwrap().1, RIYA);
    assert_eq!(floor.engine.agent(ASHA).unwrap().verdict(), Verdict::Available);
}

#[test]
fn a_caller_who_hangs_up_stops_the_ring() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));

    let outputs = floor.feed(NOW + 1, Input::CallerGone(call));

    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::CallerHungUp)]);
    assert_eq!(floor.decisions(call).pop().unwrap().then, Then::CallerGone);
    assert_eq!(floor.engine.agent(ASHA).unwrap().verdict(), Verdict::Available);
}
