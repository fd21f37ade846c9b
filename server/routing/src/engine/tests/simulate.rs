//! What-if, replay, reach and preview say what the engine then does.

use super::floor::*;
use super::matrix::{Case, slots};
use crate::{Question, replay};
use cordboard_shared::api::availability::Window;
use cordboard_shared::api::routing::{ReplayRequest, SimulateOverride};
use cordboard_shared::policy::BlockedCaller;

const CALLERS: [&str; 4] = ["+442079460900", "+442079460901", "+12025550143", "+12025550144"];
const HOUR: u64 = 3_600_000;

fn question(target: Target, row: Row) -> Question {
    Question { target, row, caller: Some(CALLERS[0].to_owned()), at: None, overrides: Vec::new(), policy: None }
}

fn support() -> Question {
    question(Target::Department(SUPPORT), Row::Queue)
}

/// The same call made for real: every device says that it rings, nobody answers.
fn for_real(mut engine: Engine, now: Millis, question: &Question) -> Vec<Decision> {
    let call = CallId::new(now, [0x11; 10]);
    let caller = question.caller.clone().map(Pii);
    let arrival =
        Arrival { call, target: question.target, row: question.row, caller: caller.clone(), priority: 0, after: 0 };
    let (mut seen, mut at, mut over) = (Vec::new(), now, false);
    let mut inputs = vec![Input::CallOffered { call, caller }, Input::CallArrived(arrival)];
    for _ in 0..10_000 {
        let mut rings = Vec::new();
        for input in inputs {
            match engine.handle_input(at, input) {
                Ok(()) | Err(EngineError::OfferEnded) => {}
                Err(other) => panic!("{other}"),
            }
            loop {
                match engine.poll_output() {
                    Output::Timeout(_) => break,
                    Output::Offer { offer, .. } => rings.push(Input::OfferConfirmed(offer)),
                    output => {
                        over |= matches!(&output, Output::Exhausted { call: of, .. } if *of == call);
                        seen.push(output);
                    }
                }
            }
        }
        if over {
            return decisions_of(&seen, call);
        }
        if rings.is_empty() {
            at = at.max(engine.next_deadline().unwrap());
            rings.push(Input::Timeout);
        }
        inputs = rings;
    }
    panic!("the call goes nowhere");
}

/// A floor on which all sorts of things have happened.
fn any_floor(seed: u64) -> (Floor, Millis) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut policy = policy();
    let strategies = [Strategy::Serial, Strategy::Simultaneous, Strategy::Balanced];
    for department in &mut policy.departments {
        department.strategy = strategies[chance.index(3)];
        department.wrap_up_seconds = 20;
        department.wave = 2;
        department.max_wait_seconds = 60;
        department.members[0].always_include = chance.below(3) == 0;
        let mode = if chance.below(2) == 0 { StickyMode::Strict } else { StickyMode::Loose };
        department.sticky = (chance.below(2) == 0).then_some(Sticky { mode, hours: 1, fallback: None });
    }
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let mut now = NOW;
    for _ in 0..30 {
        now = now + chance.below(15_000);
        let agent = [ASHA, RIYA, DEV][chance.index(3)];
        let offers: Vec<_> = floor.engine.state.offers.keys().copied().collect();
        let calls: Vec<_> = floor.engine.state.lines.keys().copied().collect();
        match chance.below(10) {
            0..=3 => {
                let department = [SUPPORT, SALES][chance.index(2)];
                floor.call_from(now, Target::Department(department), Row::Queue, chance.one(&CALLERS));
            }
            4 => drop(chance.one(&offers).map(|offer| floor.feed_any(now, Input::OfferConfirmed(offer)))),
            5 | 6 => drop(chance.one(&offers).map(|offer| floor.feed_any(now, Input::OfferAccepted(offer)))),
            7 => drop(chance.one(&calls).map(|call| floor.feed_any(now, Input::CallEnded(call)))),
            8 => drop(floor.toggle_only(now, agent, Toggle::Away)),
            _ => drop(floor.toggle_only(now, agent, Toggle::On)),
        }
    }
    (floor, now)
}

#[test]
fn what_would_be_decided_is_what_is_decided_byte_for_byte() {
    let rows = [Row::DirectExtension, Row::FlowExtension, Row::Internal, Row::BlindTransfer, Row::Callback];
    let (mut rang, mut waited) = (0, 0);
    for seed in 0..60 {
        let (floor, now) = any_floor(seed);
        let mut questions = vec![support(), question(Target::Department(SALES), Row::Queue)];
        questions.extend(rows.map(|row| question(Target::Agent(RIYA), row)));
        for asked in questions {
            let answer = floor.engine.what_if(now, &asked).unwrap();
            let real = for_real(floor.engine.clone(), now, &asked);
            assert_eq!(
                serde_json::to_string(&answer.decisions).unwrap(),
                serde_json::to_string(&real).unwrap(),
                "seed {seed}: {asked:?}"
            );
            rang += answer.rings.len();
            waited += real.iter().filter(|it| it.then == Then::Wait).count();
            assert_ne!(answer.outcome.to, "waiting");
        }
    }
    assert!(rang > 100 && waited > 20, "{rang} rings and {waited} waits are no proof");
}

#[test]
fn a_question_changes_nothing() {
    for seed in 0..20 {
        let (floor, now) = any_floor(seed);
        let before = serde_json::to_string(&floor.engine).unwrap();
        let mut asked = support();
        asked.at = Some(now + 3 * HOUR);
        asked.overrides = vec![SimulateOverride { agent: ASHA, state: Some(Toggle::Away), device: Some(false) }];
        asked.policy = Some(policy());
        floor.engine.what_if(now, &asked).unwrap();
        floor.engine.what_if(now, &support()).unwrap();
        assert_eq!(serde_json::to_string(&floor.engine).unwrap(), before);
    }
}

#[test]
fn the_answer_says_who_rings_until_when_and_where_it_ends() {
    let floor = Floor::support(|support| support.ring_seconds = 10);
    let answer = floor.engine.what_if(NOW, &support()).unwrap();
    let rings: Vec<_> = answer.rings.iter().map(|it| (it.agent, it.step, it.from_ms, it.until_ms)).collect();
    assert_eq!(rings, [(ASHA, 1, 0, 10_000), (RIYA, 2, 10_000, 20_000), (DEV, 3, 20_000, 30_000)]);
    assert_eq!((answer.outcome.to.as_str(), answer.outcome.after_ms), ("voicemail", 30_000));
    assert_eq!(answer.outcome.detail.as_deref(), Some("support"));
}

#[test]
fn a_later_instant_is_asked_about_with_the_facts_as_of_then() {
    let mut floor = Floor::new();
    floor.set(NOW, ASHA, |facts| facts.pause = Some(block(NOW, Some(NOW + HOUR))));
    floor.set(NOW, RIYA, |facts| facts.slots = Some(slots("12:00", "13:30")));
    let first_at = |at: Millis| {
        let asked = Question { at: Some(at), ..support() };
        floor.engine.what_if(NOW, &asked).unwrap().rings[0].agent
    };
    assert_eq!(first_at(NOW), RIYA);
    assert_eq!(first_at(NOW + HOUR), ASHA);
    let later = Question { at: Some(NOW + 2 * HOUR), ..support() };
    let answer = floor.engine.what_if(NOW, &later).unwrap();
    assert_eq!(answer.at, NOW + 2 * HOUR);
    assert_eq!(answer.decisions[0].members[1].reason, Reason::SkippedOffSchedule);
    assert_eq!(answer.decisions[0].at, NOW + 2 * HOUR);
}

#[test]
fn at_a_later_instant_todays_calls_are_over_and_nobody_was_idle_too_long() {
    let mut policy = policy();
    policy.settings.lines = Some(5);
    policy.settings.missed_limit = 1;
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    floor.feed(NOW, Input::PanelOpened(ASHA));
    let call = CallId::new(NOW, [3; 10]);
    floor.feed(NOW, Input::CallOffered { call, caller: None });
    let arrival =
        Arrival { call, target: Target::Department(SUPPORT), row: Row::Queue, caller: None, priority: 0, after: 0 };
    floor.feed(NOW, Input::CallArrived(arrival));
    let (offer, _) = floor.ringing(call).unwrap();
    floor.feed(NOW, Input::OfferConfirmed(offer));
    let asked = Question { at: Some(NOW + 30 * HOUR), ..support() };
    let answer = floor.engine.what_if(NOW + 24_000, &asked).unwrap();
    assert_eq!(answer.rings.iter().map(|it| it.agent).collect::<Vec<_>>(), [ASHA, RIYA, DEV]);
    let now = floor.engine.what_if(NOW + 24_000, &support()).unwrap();
    assert_eq!(now.outcome.to, "refused", "now the one inbound line is taken");
    assert_eq!(now.decisions[0].refused, Some(Reason::NoLineFree));
}

#[test]
fn a_caller_whom_the_door_refuses_reaches_nobody_in_the_answer_either() {
    let mut policy = policy();
    policy.blocked = vec![BlockedCaller {
        number: CALLERS[0].parse().unwrap(),
        reason: "abuse".to_owned(),
        by: Actor::user(DEV, "Dev"),
        since: NOW,
    }];
    let floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let answer = floor.engine.what_if(NOW, &support()).unwrap();
    assert_eq!((answer.outcome.to.as_str(), answer.rings.len()), ("refused", 0));
    assert_eq!(answer.decisions[0].refused, Some(Reason::BlockedCaller));
    let other = Question { caller: Some(CALLERS[2].to_owned()), ..support() };
    assert_eq!(floor.engine.what_if(NOW, &other).unwrap().rings[0].agent, ASHA);
    let colleague = question(Target::Agent(ASHA), Row::Internal);
    assert_eq!(floor.engine.what_if(NOW, &colleague).unwrap().rings[0].agent, ASHA, "inside there is no door");
}

#[test]
fn people_and_policy_may_be_other_than_they_are() {
    let floor = Floor::new();
    let first = |asked: &Question| floor.engine.what_if(NOW, asked).unwrap().rings.first().map(|it| it.agent);
    let as_if = |agent, state, device| SimulateOverride { agent, state, device };
    let mut asked = support();
    asked.overrides = vec![as_if(ASHA, Some(Toggle::Away), None), as_if(RIYA, None, Some(false))];
    assert_eq!(first(&asked), Some(DEV));
    asked.overrides.push(as_if(DEV, Some(Toggle::Away), None));
    assert_eq!(first(&asked), None);
    asked.overrides.clear();
    let mut reversed = policy();
    reversed.version = 8;
    reversed.departments[0].members = vec![member(DEV, 1), member(ASHA, 2)];
    asked.policy = Some(reversed);
    let answer = floor.engine.what_if(NOW, &asked).unwrap();
    assert_eq!((answer.rings[0].agent, answer.policy_version.as_str()), (DEV, "8"));
    assert_eq!(answer.decisions[0].policy_version, "8");
    asked.overrides = vec![as_if(AgentId::demo(0xeee), Some(Toggle::On), None)];
    assert_eq!(floor.engine.what_if(NOW, &asked), Err(EngineError::UnknownAgent));
}

/// A day of calls, one after the other; the decisions as they were stored.
fn a_day() -> (Floor, BTreeMap<CallId, Vec<Decision>>) {
    let mut floor = Floor::new();
    let mut calls = Vec::new();
    for (index, department) in [SUPPORT, SUPPORT, SALES, SUPPORT].into_iter().enumerate() {
        let now = NOW + 600_000 * (index as u64 + 1);
        let call = floor.call_from(now, Target::Department(department), Row::Queue, Some(CALLERS[index]));
        calls.push(call);
        if index == 3 {
            floor.ring_out(now, call);
            floor.feed(now + 25_500, Input::CallerGone(call));
            continue;
        }
        let (offer, _) = floor.ringing(call).unwrap();
        floor.feed(now + 50, Input::OfferConfirmed(offer));
        floor.feed(now + 4_000, Input::OfferAccepted(offer));
        floor.feed(now + 94_000, Input::CallEnded(call));
    }
    let recorded = calls.iter().map(|call| (*call, floor.decisions(*call))).collect();
    (floor, recorded)
}

fn whole_day(policy: Option<Policy>) -> ReplayRequest {
    ReplayRequest { from: NOW + 1, to: NOW + 24 * HOUR, policy: policy.map(Box::new) }
}

#[test]
fn a_replay_of_what_held_reproduces_every_decision() {
    let (floor, recorded) = a_day();
    let answer = replay(floor.start.clone(), floor.trace.clone(), &whole_day(None), &recorded);
    assert_eq!((answer.calls, answer.changed.len()), (4, 0));
    let count = recorded.values().map(Vec::len).sum::<usize>();
    assert_eq!((answer.same, answer.decisions), (answer.decisions, u32::try_from(count).unwrap()));
    assert!(answer.assumptions.is_empty(), "nothing is assumed: all of it is fact");

    for seed in 0..20 {
        let (mut floor, now) = any_floor(seed);
        floor.feed(now + HOUR, Input::Timeout);
        let calls: BTreeSet<_> = floor
            .trace
            .iter()
            .filter_map(|(_, input)| if let Input::CallArrived(arrival) = input { Some(arrival.call) } else { None })
            .collect();
        let recorded = calls.iter().map(|call| (*call, floor.decisions(*call))).collect();
        let request = ReplayRequest { from: NOW, ..whole_day(None) };
        let answer = replay(floor.start.clone(), floor.trace.clone(), &request, &recorded);
        assert_eq!((answer.changed, answer.same), (Vec::new(), answer.decisions), "seed {seed}");
    }
}

#[test]
fn a_replay_finds_a_record_that_is_not_what_the_engine_decides() {
    let (floor, mut recorded) = a_day();
    let (call, decisions) = recorded.iter_mut().next().unwrap();
    let call = *call;
    decisions[0].members[0].order = 9;
    let answer = replay(floor.start.clone(), floor.trace.clone(), &whole_day(None), &recorded);
    assert_eq!(answer.changed.iter().map(|it| it.call).collect::<Vec<_>>(), [call]);
}

#[test]
fn a_replay_under_another_policy_reports_the_first_decision_that_changes_and_no_other_call() {
    let (floor, recorded) = a_day();
    let mut other = policy();
    other.version = 9;
    other.departments[0].members = vec![member(RIYA, 1), member(ASHA, 2), member(DEV, 3)];
    let answer = replay(floor.start.clone(), floor.trace.clone(), &whole_day(Some(other)), &recorded);
    let sales = recorded.iter().find(|(_, it)| it[0].department == Some(SALES)).map(|(call, _)| *call).unwrap();
    let changed: Vec<_> = answer.changed.iter().map(|it| it.call).collect();
    let expected: Vec<_> = recorded.keys().copied().filter(|call| *call != sales).collect();
    assert_eq!(changed, expected);
    for change in &answer.changed {
        let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
        assert_eq!((before.step, after.step), (1, 1), "the first one");
        assert_eq!((before.members[0].agent, after.members[0].agent), (ASHA, RIYA));
    }
    assert!(!answer.assumptions.is_empty());

    let same = replay(floor.start.clone(), floor.trace.clone(), &whole_day(Some(policy())), &recorded);
    assert_eq!(same.changed, [], "the same rules decide the same");
    assert_eq!(same.waits.mean_before_ms, same.waits.mean_after_ms);
}

/// Two callers of Support, the second ten seconds after the first; these people serve it. Asha answers after four seconds
/// and talks for ninety; so does Riya.
fn two_callers(members: &[AgentId], second_gives_up: bool) -> (Floor, ReplayRequest, impl Fn(&[AgentId]) -> Policy) {
    let with = |members: &[AgentId]| {
        let mut policy = policy();
        policy.departments[0].members = members.iter().zip(1..).map(|(agent, order)| member(*agent, order)).collect();
        policy
    };
    let mut floor = Floor::with(with(members), &[ASHA, RIYA, DEV]);
    let answer = |floor: &mut Floor, at: Millis, call| {
        let (offer, _) = floor.ringing(call).unwrap();
        floor.feed(at, Input::OfferConfirmed(offer));
        floor.feed(at + 4_000, Input::OfferAccepted(offer));
    };
    let start = NOW + 1_000;
    let first = floor.call_from(start, Target::Department(SUPPORT), Row::Queue, Some(CALLERS[0]));
    answer(&mut floor, start, first);
    let second = floor.call_from(start + 10_000, Target::Department(SUPPORT), Row::Queue, Some(CALLERS[1]));
    let at_once = floor.ringing(second).is_some();
    if at_once {
        answer(&mut floor, start + 10_000, second);
    } else if second_gives_up {
        floor.feed(start + 50_000, Input::CallerGone(second));
    }
    floor.feed(start + 94_000, Input::CallEnded(first));
    if !at_once && !second_gives_up {
        answer(&mut floor, start + 94_000, second);
    }
    if !second_gives_up {
        floor.feed(start + 300_000, Input::CallEnded(second));
    }
    (floor, whole_day(None), with)
}

#[test]
fn waits_under_another_policy_follow_from_what_people_did_and_do_in_the_mean() {
    type Waits = (u64, u64, u64, u64);
    let cases: [(&[AgentId], bool, &[AgentId], Waits); 5] = [
        // Riya was never rung: she answers after the usual eight seconds.
        (&[ASHA], false, &[ASHA, RIYA], (46_000, 6_000, 88_000, 8_000)),
        // Without Riya the second waits until Asha has talked as long as she did, and has answered as she did.
        (&[ASHA, RIYA], false, &[ASHA], (4_000, 46_000, 4_000, 88_000)),
        // Who gave up then is answered before that now.
        (&[ASHA], true, &[ASHA, RIYA], (22_000, 6_000, 40_000, 8_000)),
        // Who gave up gives up at the same instant when nobody is there.
        (&[ASHA], true, &[ASHA, DEV], (22_000, 6_000, 40_000, 8_000)),
        (&[ASHA], true, &[ASHA], (22_000, 22_000, 40_000, 40_000)),
    ];
    for (index, (then, gives_up, tried, expected)) in cases.into_iter().enumerate() {
        let (floor, request, with) = two_callers(then, gives_up);
        let request = ReplayRequest { policy: Some(Box::new(with(tried))), ..request };
        let waits = replay(floor.start.clone(), floor.trace.clone(), &request, &BTreeMap::new()).waits;
        let told = (waits.mean_before_ms, waits.mean_after_ms, waits.p90_before_ms, waits.p90_after_ms);
        assert_eq!(told, expected, "case {index}");
    }
}

#[test]
fn a_shorter_ring_brings_who_answered_later_sooner() {
    let mut floor = Floor::new();
    let start = NOW + 1_000;
    let call = floor.call_from(start, Target::Department(SUPPORT), Row::Queue, Some(CALLERS[0]));
    floor.ring_out(start, call);
    let (offer, _) = floor.ringing(call).unwrap();
    floor.feed(start + 25_000, Input::OfferConfirmed(offer));
    floor.feed(start + 29_000, Input::OfferAccepted(offer));
    floor.feed(start + 60_000, Input::CallEnded(call));
    let mut quicker = policy();
    quicker.departments[0].ring_seconds = 10;
    let answer = replay(floor.start.clone(), floor.trace.clone(), &whole_day(Some(quicker)), &BTreeMap::new());
    assert_eq!((answer.waits.mean_before_ms, answer.waits.mean_after_ms), (29_000, 14_000));
    assert_eq!(answer.changed, [], "the same people ring in the same order: only the wait is another");
}

#[test]
fn what_can_ring_me_is_what_a_real_call_then_does() {
    for row in Row::ALL.into_iter().filter(|row| row.number() <= 15) {
        for column in 0..8 {
            let mut case = Case::new(row, column, |_| {});
            let view = case.floor.engine.reach(ASHA).unwrap();
            let line = view.lines.iter().find(|line| line.row == row.number()).unwrap().clone();
            let real = case.letter();
            assert_eq!((line.letter, line.rings), (real, real == 'R'), "{}", line.cell);
            assert_eq!(line.answer.starts_with("yes"), real == 'R', "{}: {}", line.cell, line.answer);
        }
    }
}

#[test]
fn a_change_is_previewed_with_the_hours_in_which_nobody_would_be_left() {
    let floor = Floor::new();
    let nine_to_five = |agent: AgentId| {
        let mut facts = (*floor.engine.agent(agent).unwrap().facts).clone();
        facts.slots = Some(slots("09:00", "17:00"));
        (agent, facts)
    };
    let before = serde_json::to_string(&floor.engine).unwrap();
    let impact = floor.engine.preview(NOW, &[ASHA, RIYA, DEV].map(nine_to_five));
    assert_eq!(serde_json::to_string(&floor.engine).unwrap(), before);
    let nights: Vec<_> =
        (0..7).map(|day| Window { from: NOW + (5 + 24 * day) * HOUR, to: NOW + (21 + 24 * day) * HOUR }).collect();
    for department in &impact {
        assert_eq!(department.empty, nights, "{}", department.name);
    }
    let counts: Vec<_> = impact.iter().map(|it| (it.department, it.reachable_before, it.reachable_after)).collect();
    assert_eq!(counts, [(SUPPORT, 3, 3), (SALES, 1, 1)]);

    let impact = floor.engine.preview(NOW, &[ASHA, RIYA].map(nine_to_five));
    assert_eq!(impact.len(), 1, "Sales is not concerned");
    assert_eq!(impact[0].empty, [], "Dev is there at night");

    let mut paused = (*floor.engine.agent(DEV).unwrap().facts).clone();
    paused.pause = Some(block(NOW, Some(NOW + HOUR)));
    let impact = floor.engine.preview(NOW, &[(DEV, paused)]);
    assert_eq!((impact[1].reachable_after, &impact[1].empty[..]), (0, &[Window { from: NOW, to: NOW + HOUR }][..]));
}
