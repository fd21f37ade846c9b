//! Calls at the door, emergency routes, and calls of people's own.

use super::floor::*;
use super::strategies::{occupy, people, support_call};
use cordboard_shared::id::EmergencyId;
use cordboard_shared::policy::{BlockedCaller, Settings};

const CALLER: &str = "+442079460900";
const OTHER: &str = "+12025550143";

fn flood(starts: Millis, ends: Millis, departments: &[DepartmentId]) -> EmergencyRoute {
    EmergencyRoute {
        id: EmergencyId::default(),
        name: "Flood".to_owned(),
        reason: "the river".to_owned(),
        departments: departments.to_vec(),
        starts,
        ends,
        by: Actor::user(DEV, "Dev"),
    }
}

#[test]
fn an_emergency_reaches_away_from_its_begin_to_its_end() {
    let mut policy = policy();
    policy.emergencies = vec![flood(NOW + 60_000, NOW + 120_000, &[SUPPORT])];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    for agent in [ASHA, RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }
    for (at, rings) in [(59_999, false), (60_000, true), (119_999, true), (120_000, false)] {
        let call = support_call(&mut floor, NOW + at);
        assert_eq!(!floor.rung(call).is_empty(), rings, "{at}");
        if rings {
            let asha = &floor.last(call).members[0];
            assert_eq!((asha.reason, &*asha.cell), (Reason::RungEmergency, "11/away"));
            floor.feed(NOW + at, Input::CallerGone(call));
        }
    }
    let call = floor.call(NOW + 60_000, Target::Department(SALES));
    assert_eq!(floor.rung(call), [], "it names its departments");
}

#[test]
fn an_emergency_that_begins_rings_for_who_waits_already_and_ended_by_hand_stops() {
    let mut policy = policy();
    policy.departments[0].members.truncate(2);
    policy.emergencies = vec![flood(NOW + 60_000, NOW + 120_000, &[])];
    let mut floor = Floor::with(policy.clone(), &[ASHA, RIYA, DEV]);
    floor.toggle(NOW, ASHA, Toggle::Away);
    occupy(&mut floor, NOW, RIYA);
    let call = support_call(&mut floor, NOW);
    floor.feed(NOW + 60_000, Input::Timeout);
    assert_eq!(floor.rung(call), [ASHA]);
    policy.emergencies[0].ends = NOW + 60_001;
    let outputs = floor.policy(NOW + 60_001, policy);
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
}

fn door(change: impl FnOnce(&mut Settings)) -> Floor {
    let mut policy = policy();
    policy.blocked = vec![BlockedCaller {
        number: CALLER.parse().unwrap(),
        reason: "abuse".to_owned(),
        by: Actor::user(DEV, "Dev"),
        since: NOW,
    }];
    change(&mut policy.settings);
    Floor::with(policy, &[ASHA, RIYA, DEV])
}

/// Knocks; what the door says.
fn knock(floor: &mut Floor, number: u8, caller: Option<&str>) -> Option<Reason> {
    let call = CallId::new(NOW, [number; 10]);
    let outputs = floor.feed(NOW, Input::CallOffered { call, caller: caller.map(|it| Pii(it.to_owned())) });
    if outputs.contains(&Output::Admitted(call)) {
        return None;
    }
    let refused = floor.last(call).refused;
    assert!(outputs.contains(&Output::Refused { call, reason: refused.unwrap() }));
    assert_eq!(floor.last(call).then, Then::Disconnect);
    refused
}

#[test]
fn the_door_refuses_the_blocked_and_the_suspended_and_writes_it_down() {
    let mut floor = door(|_| {});
    assert_eq!(knock(&mut floor, 1, Some(CALLER)), Some(Reason::BlockedCaller));
    assert_eq!(knock(&mut floor, 2, Some(OTHER)), None);
    assert_eq!(knock(&mut floor, 3, None), None);
    let mut floor = door(|settings| settings.suspended = true);
    assert_eq!(knock(&mut floor, 1, Some(OTHER)), Some(Reason::AccountSuspended));
    let call = CallId::new(NOW, [7; 10]);
    floor.feed(NOW, Input::NoFlow(call));
    assert_eq!(floor.last(call).refused, Some(Reason::NoFlowNow));
}

#[test]
fn lines_are_shared_half_and_half_up_to_four_and_one_to_four_above() {
    for (lines, percent, inbound, outbound) in [
        (4, None, 2, 2),
        (2, None, 1, 1),
        (5, None, 1, 4),
        (10, None, 2, 8),
        (10, Some(50), 5, 5),
        (10, Some(0), 0, 10),
    ] {
        let mut floor = door(|it| (it.lines, it.inbound_percent) = (Some(lines), percent));
        for number in 0..inbound {
            assert_eq!(knock(&mut floor, number, None), None, "{lines} lines");
        }
        assert_eq!(knock(&mut floor, 90, None), Some(Reason::NoLineFree), "{lines} lines");
        if inbound > 0 {
            floor.feed(NOW, Input::CallReleased(CallId::new(NOW, [0; 10])));
            assert_eq!(knock(&mut floor, 91, None), None, "a line is free again");
        }
        let people = people(12);
        for (number, agent) in people.iter().enumerate() {
            floor.toggle(NOW, *agent, Toggle::On);
            floor.feed(NOW, Input::DeviceReady(*agent, DeviceId(1), DeviceKind::Phone));
            let call = CallId::new(NOW, [100 + u8::try_from(number).unwrap(); 10]);
            let outputs = floor.feed(NOW, Input::own_call(*agent, call, Row::Outbound));
            let refused = outputs.contains(&Output::Refused { call, reason: Reason::NoLineFree });
            assert_eq!(refused, number >= outbound, "{lines} lines, call {number}");
        }
    }
}

#[test]
fn a_route_in_force_names_its_row_for_whom_it_does_not_reach_either() {
    let mut policy = policy();
    policy.emergencies = vec![flood(NOW, NOW + 120_000, &[])];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    floor.set(NOW, ASHA, |facts| facts.dnd = Some(block(NOW, None)));
    // Away does not hold while the route does: what keeps Riya is that she talks.
    floor.toggle_only(NOW, RIYA, Toggle::Away);
    let own = CallId::new(NOW, [7; 10]);
    floor.feed(NOW, Input::own_call(RIYA, own, Row::Outbound));
    occupy(&mut floor, NOW, DEV);
    let call = support_call(&mut floor, NOW);
    let members: Vec<_> = floor.last(call).members.iter().map(|it| (it.reason, it.cell.to_string())).collect();
    let expected =
        [(Reason::SkippedDnd, "11/dnd"), (Reason::SkippedOnCall, "11/busy"), (Reason::SkippedOnCall, "1/busy")];
    assert_eq!(members, expected.map(|(reason, cell)| (reason, cell.to_owned())));
}

#[test]
fn an_own_call_that_is_allowed_leaves_its_cells_and_one_that_is_not_leaves_none() {
    let mut floor = Floor::new();
    floor.toggle_only(NOW, ASHA, Toggle::Away);
    let call = CallId::new(NOW, [1; 10]);
    floor.feed(NOW, Input::own_call(ASHA, call, Row::OwnCallLeg));
    floor.feed(NOW, Input::own_call(ASHA, call, Row::Outbound));
    let entries: Vec<_> = floor
        .decisions(call)
        .iter()
        .map(|it| (it.step, it.row, it.members[0].reason, it.members[0].cell.to_string(), it.then))
        .collect();
    assert_eq!(
        entries,
        [
            (1, 14, Reason::Rung, "14/away".to_owned(), Then::Dialed),
            (2, 15, Reason::Rung, "15/away".to_owned(), Then::Dialed)
        ]
    );
    let another = CallId::new(NOW, [2; 10]);
    let busy = floor.feed_error(NOW, Input::own_call(ASHA, another, Row::Outbound));
    assert_eq!((busy, floor.decisions(another).len()), (EngineError::NotAllowed(Verdict::OnCall), 0));

    // Busy under an id of its own: the entry is the call's, after those it has. She has the call already.
    let (talk, shadow) = (CallId::new(NOW, [3; 10]), CallId::new(NOW, [4; 10]));
    let (agent, row) = (RIYA, Row::OwnCallLeg);
    floor.feed(NOW, Input::OwnCall { agent, call: shadow, row, entry_of: Some(talk), after: 2 });
    let entry = floor.last(talk);
    assert_eq!((entry.step, entry.then, floor.decisions(shadow).len()), (3, Then::Answered, 0));
}
