//! The engine through its public face: inputs in, outputs out, time as an argument.

use std::collections::BTreeSet;

use cordboard_shared::agent::{Actor, AgentFacts, Apply, Intent, Seat, Source, Stamp, Toggle, ToggleFact, Verdict};
use cordboard_shared::call::CallCause;
use cordboard_shared::department::{Member, Strategy};
use cordboard_shared::{Millis, Version};

use super::*;

const ASHA: AgentId = AgentId::demo(0x21);
const RIYA: AgentId = AgentId::demo(0x22);
const DEV: AgentId = AgentId::demo(0x23);
const SUPPORT: DepartmentId = DepartmentId::demo(0x1001);
const SALES: DepartmentId = DepartmentId::demo(0x1002);
const NOW: Millis = Millis(1_000_000);
const RING: u64 = 25_000;

#[test]
fn serial_rings_the_first_and_an_unanswered_ring_goes_to_the_next() {
    let mut desk = Desk::new();
    let call = desk.call(NOW, Target::Department(SUPPORT));
    let first = desk.ringing(call).unwrap();
    assert_eq!(first.1, ASHA);

    desk.feed(NOW, Input::OfferConfirmed(first.0));
    let outputs = desk.feed(NOW + RING, Input::Timeout);

    assert!(outputs.contains(&Output::Withdraw { offer: first.0, call, agent: ASHA, reason: Reason::MissedNoAnswer }));
    assert_eq!(desk.ringing(call).unwrap().1, RIYA);
}

#[test]
fn a_device_that_does_not_confirm_costs_a_second_not_the_ring_time() {
    let mut desk = Desk::new();
    let call = desk.call(NOW, Target::Department(SUPPORT));

    let outputs = desk.feed(NOW + 1_000, Input::Timeout);

    assert!(withdrawn(&outputs).contains(&(ASHA, Reason::DeviceDidNotConfirm)));
    assert_eq!(desk.ringing(call).unwrap().1, RIYA);
}

#[test]
fn going_away_while_ringing_withdraws_at_once_and_rings_the_next() {
    let mut desk = Desk::new();
    let call = desk.call(NOW, Target::Department(SUPPORT));
    let (offer, _) = desk.ringing(call).unwrap();
    desk.feed(NOW, Input::OfferConfirmed(offer));

    let outputs = desk.toggle(NOW + 5, ASHA, Toggle::Away);

    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
    assert_eq!(desk.ringing(call).unwrap().1, RIYA);
    assert_eq!(desk.feed_error(NOW + 6, Input::OfferAccepted(offer)), EngineError::OfferEnded);
}

#[test]
fn every_member_stands_once_in_a_decision_with_the_fact_that_decided() {
    let mut desk = Desk::new();
    desk.toggle(NOW, ASHA, Toggle::Away);
    desk.feed(NOW, Input::DeviceGone(RIYA, device(RIYA)));

    let call = desk.call(NOW, Target::Department(SUPPORT));

    let decision = desk.decisions(call).pop().unwrap();
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
    let mut desk = Desk::new();
    for agent in [ASHA, RIYA, DEV] {
        desk.toggle(NOW, agent, Toggle::Away);
    }

    let call = desk.call(NOW, Target::Department(SUPPORT));

    let to = Exhausted::Voicemail { mailbox: "support".to_owned() };
    assert!(desk.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
    let decision = desk.decisions(call).pop().unwrap();
    assert_eq!(decision.then, Then::Voicemail);
    assert!(decision.members.iter().all(|member| member.reason == Reason::SkippedAway));
}

#[test]
fn somebody_merely_busy_makes_the_caller_wait_and_the_first_in_line_is_served_first() {
    let mut desk = Desk::new();
    for agent in [RIYA, DEV] {
        desk.toggle(NOW, agent, Toggle::Away);
    }
    let talking = desk.call(NOW, Target::Department(SUPPORT));
    desk.answer(NOW, talking);
    let first = desk.call(NOW + 1, Target::Department(SUPPORT));
    let second = desk.call(NOW + 2, Target::Department(SUPPORT));
    assert!(desk.seen.contains(&Output::Waiting { call: first, department: Some(SUPPORT) }));

    desk.feed(NOW + 10, Input::CallEnded(talking));

    assert_eq!(desk.ringing(first).unwrap().1, ASHA);
    assert_eq!(desk.ringing(second), None);
}

#[test]
fn a_wait_ends_with_the_fallback() {
    let mut desk = Desk::new();
    for agent in [RIYA, DEV] {
        desk.toggle(NOW, agent, Toggle::Away);
    }
    let talking = desk.call(NOW, Target::Department(SUPPORT));
    desk.answer(NOW, talking);
    let waiting = desk.call(NOW, Target::Department(SUPPORT));

    let outputs = desk.feed(NOW + 300_000, Input::Timeout);

    assert!(outputs.iter().any(|it| matches!(it, Output::Exhausted { call, .. } if *call == waiting)));
}

#[test]
fn a_wait_counts_from_joining_the_line_not_from_the_last_ring() {
    let mut desk = Desk::new();
    desk.toggle(NOW, DEV, Toggle::Away);
    let talking = [desk.call(NOW, Target::Department(SUPPORT)), desk.call(NOW, Target::Department(SUPPORT))];
    for call in talking {
        desk.answer(NOW, call);
    }
    let waiting = desk.call(NOW, Target::Department(SUPPORT));
    desk.feed(NOW + 200_000, Input::CallEnded(talking[0]));
    let (offer, _) = desk.ringing(waiting).unwrap();
    desk.feed(NOW + 200_000, Input::OfferDeclined(offer));

    let outputs = desk.feed(NOW + 300_000, Input::Timeout);

    assert!(outputs.iter().any(|it| matches!(it, Output::Exhausted { call, .. } if *call == waiting)));
}

#[test]
fn a_fallback_department_is_tried_once_and_then_the_first_ones_box() {
    let mut desk = Desk::new();
    for agent in [ASHA, RIYA, DEV] {
        desk.toggle(NOW, agent, Toggle::Away);
    }

    let call = desk.call(NOW, Target::Department(SALES));

    assert!(desk.seen.contains(&Output::Entered { call, department: SUPPORT }));
    let to = Exhausted::Voicemail { mailbox: "sales".to_owned() };
    assert!(desk.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
}

#[test]
fn a_directly_dialed_person_who_is_away_or_busy_has_a_box() {
    let mut desk = Desk::new();
    desk.toggle(NOW, ASHA, Toggle::Away);
    let call = desk.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    let to = Exhausted::Voicemail { mailbox: ASHA.to_string() };
    assert!(desk.seen.contains(&Output::Exhausted { call, to: to.clone(), cause: CallCause::NoAvailableAgent }));
    assert_eq!(desk.decisions(call)[0].members[0].cell, "6/away");

    desk.toggle(NOW, ASHA, Toggle::On);
    let talking = desk.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    desk.answer(NOW, talking);
    let call = desk.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    assert!(desk.seen.contains(&Output::Exhausted { call, to, cause: CallCause::NoAvailableAgent }));
}

#[test]
fn an_answer_without_sound_puts_the_caller_back_at_the_head() {
    let mut desk = Desk::new();
    let call = desk.call(NOW, Target::Department(SUPPORT));
    desk.answer(NOW, call);

    desk.feed(NOW + 3_000, Input::ConnectFailed(call));

    assert_eq!(desk.ringing(call).unwrap().1, RIYA);
    assert_eq!(desk.engine.agent(ASHA).unwrap().verdict(), Verdict::Available);
}

#[test]
fn a_caller_who_hangs_up_stops_the_ring() {
    let mut desk = Desk::new();
    let call = desk.call(NOW, Target::Department(SUPPORT));

    let outputs = desk.feed(NOW + 1, Input::CallerGone(call));

    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::CallerHungUp)]);
    assert_eq!(desk.decisions(call).pop().unwrap().then, Then::CallerGone);
    assert_eq!(desk.engine.agent(ASHA).unwrap().verdict(), Verdict::Available);
}

/// Generated sequences of everything that can happen, with the promises checked after each step.
#[test]
fn promises_hold_after_every_step_of_generated_days() {
    for seed in 0..40 {
        let mut desk = Desk::new();
        let mut chance = Chance(seed);
        let mut now = NOW;
        let mut calls = Vec::new();
        let mut away = BTreeSet::new();
        for step in 0..1_000 {
            now = now + chance.below(3_000);
            let agent = [ASHA, RIYA, DEV][chance.index(3)];
            let offers: Vec<_> = desk.engine.offers.keys().copied().collect();
            let pick = |chance: &mut Chance| offers.get(chance.index(offers.len().max(1))).copied();
            match chance.below(10) {
                0 | 1 => {
                    let target = [Target::Department(SUPPORT), Target::Department(SALES), Target::Agent(agent)];
                    let target = target[chance.index(3)];
                    let row = if matches!(target, Target::Agent(_)) { Row::DirectExtension } else { Row::Queue };
                    calls.push(desk.call_by(now, target, row));
                }
                2 => {
                    let state = if away.remove(&agent) { Toggle::On } else { Toggle::Away };
                    if state == Toggle::Away {
                        away.insert(agent);
                    }
                    desk.toggle(now, agent, state);
                }
                3 => drop(desk.feed_any(now, Input::DeviceGone(agent, device(agent)))),
                4 => drop(
                    desk.feed_any(now, Input::DeviceReady(agent, device(agent), crate::agent::DeviceKind::Browser)),
                ),
                5 => drop(pick(&mut chance).map(|offer| desk.feed_any(now, Input::OfferConfirmed(offer)))),
                6 => drop(pick(&mut chance).map(|offer| desk.feed_any(now, Input::OfferAccepted(offer)))),
                7 => drop(pick(&mut chance).map(|offer| desk.feed_any(now, Input::OfferDeclined(offer)))),
                8 if !calls.is_empty() => {
                    let call = calls.swap_remove(chance.index(calls.len()));
                    let input = [Input::CallerGone(call), Input::CallEnded(call), Input::ConnectFailed(call)];
                    let keeps =
                        matches!(desk.engine.lines.get(&call).map(|it| it.state), Some(LineState::Connected { .. }));
                    let index = if keeps { chance.index(3) } else { 0 };
                    drop(desk.feed_any(now, input[index].clone()));
                    if desk.engine.lines.contains_key(&call) {
                        calls.push(call);
                    }
                }
                _ => drop(desk.feed_any(now, Input::Timeout)),
            }
            desk.check(now, &away, &format!("seed {seed} step {step}"));
        }
        // Everything ends: with all deadlines passed and all talks over, no line and no load is left.
        for call in calls {
            drop(desk.feed_any(now, Input::CallerGone(call)));
        }
        for _ in 0..100 {
            now = now + 400_000;
            drop(desk.feed_any(now, Input::Timeout));
        }
        assert!(desk.engine.lines.is_empty() && desk.engine.offers.is_empty(), "seed {seed}");
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

struct Desk {
    engine: Engine,
    seen: Vec<Output>,
    calls: u64,
    seq: u64,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self { engine: Engine::new(7), seen: Vec::new(), calls: 0, seq: 0 };
        let departments = vec![
            department(
                SUPPORT,
                "support",
                &[ASHA, RIYA, DEV],
                &[Fallback::Voicemail { mailbox: "support".to_owned() }],
            ),
            department(
                SALES,
                "sales",
                &[DEV],
                &[
                    Fallback::Department { department: "support".to_owned() },
                    Fallback::Voicemail { mailbox: "sales".to_owned() },
                ],
            ),
        ];
        desk.feed(
            NOW,
            Input::Obey {
                event: Box::new(Event::PolicySet {
                    policy: Box::new(cordboard_shared::policy::Policy {
                        version: 7,
                        departments,
                        ..Default::default()
                    }),
                }),
                at: FeedPosition::default(),
            },
        );
        for agent in [ASHA, RIYA, DEV] {
            desk.toggle(NOW, agent, Toggle::On);
            desk.feed(NOW, Input::DeviceReady(agent, device(agent), crate::agent::DeviceKind::Browser));
        }
        desk
    }

    fn feed_any(&mut self, now: Millis, input: Input) -> Result<Vec<Output>, EngineError> {
        let result = self.engine.handle_input(now, input);
        let mut outputs = Vec::new();
        loop {
            match self.engine.poll_output() {
                Output::Timeout(_) => break,
                output => outputs.push(output),
            }
        }
        self.seen.extend(outputs.iter().cloned());
        result.map(|()| outputs)
    }

    fn feed(&mut self, now: Millis, input: Input) -> Vec<Output> {
        self.feed_any(now, input).unwrap()
    }

    fn feed_error(&mut self, now: Millis, input: Input) -> EngineError {
        self.feed_any(now, input).unwrap_err()
    }

    fn toggle(&mut self, now: Millis, agent: AgentId, state: Toggle) -> Vec<Output> {
        self.seq += 1;
        let facts = facts(now, state, self.seq);
        let at = FeedPosition { epoch: 1, bucket: 0, seq: self.seq };
        self.feed(
            now,
            Input::Obey {
                event: Box::new(Event::FactsSet {
                    agent,
                    facts: Box::new(facts),
                    changed: Vec::new(),
                    note: None,
                    request: None,
                }),
                at,
            },
        )
    }

    fn call(&mut self, now: Millis, target: Target) -> CallId {
        self.call_by(now, target, Row::Queue)
    }

    fn call_by(&mut self, now: Millis, target: Target, row: Row) -> CallId {
        self.calls += 1;
        let call = CallId::new(now, self.calls.to_be_bytes().repeat(2)[6..16].try_into().unwrap());
        self.feed(now, Input::CallArrived(crate::command::Arrival { call, target, row, caller: None, priority: 0 }));
        call
    }

    fn ringing(&self, call: CallId) -> Option<(OfferId, AgentId)> {
        self.engine.offers.values().find(|offer| offer.call == call).map(|offer| (offer.id, offer.agent))
    }

    fn answer(&mut self, now: Millis, call: CallId) {
        let (offer, _) = self.ringing(call).unwrap();
        self.feed(now, Input::OfferAccepted(offer));
    }

    fn decisions(&self, call: CallId) -> Vec<Decision> {
        let mut by_step = BTreeMap::new();
        for output in &self.seen {
            if let Output::Decided { call: of, decision } = output
                && *of == call
            {
                by_step.insert(decision.step, (**decision).clone());
            }
        }
        by_step.into_values().collect()
    }

    fn check(&mut self, now: Millis, away: &BTreeSet<AgentId>, place: &str) {
        assert_eq!(self.engine.stuck_agents(now), 0, "{place}: somebody is stuck");
        let mut rung = BTreeSet::new();
        for offer in self.engine.offers.values() {
            assert!(!away.contains(&offer.agent), "{place}: an Away person rings");
            assert!(rung.insert(offer.agent), "{place}: one person, two offers");
            let line = &self.engine.lines[&offer.call];
            assert_eq!(line.state, LineState::Offered(offer.id), "{place}: an offer without its call");
        }
        for line in self.engine.lines.values() {
            if let LineState::Connected { agent } = line.state {
                assert!(!rung.contains(&agent), "{place}: one person, two calls");
                assert!(rung.insert(agent), "{place}: one person, two calls");
            }
            assert_ne!(line.state, LineState::Choosing, "{place}: a call without a next step");
        }
        for output in self.seen.drain(..) {
            if let Output::Decided { decision, .. } = output {
                let agents: BTreeSet<_> = decision.members.iter().map(|member| member.agent).collect();
                assert_eq!(agents.len(), decision.members.len(), "{place}: a member twice in a decision");
                let all = match decision.department {
                    Some(id) => self.engine.departments[&id].members.len(),
                    None => 1,
                };
                assert_eq!(agents.len(), all, "{place}: chosen and excluded are not all members");
            }
        }
    }
}

fn device(agent: AgentId) -> DeviceId {
    DeviceId(u64::try_from(agent.0.as_u128() & 0xffff).unwrap())
}

fn withdrawn(outputs: &[Output]) -> Vec<(AgentId, Reason)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Withdraw { agent, reason, .. } => Some((*agent, *reason)),
            _ => None,
        })
        .collect()
}

fn department(id: DepartmentId, slug: &str, members: &[AgentId], fallback: &[Fallback]) -> Department {
    let members = members
        .iter()
        .zip(1..)
        .map(|(agent, order)| Member { agent: *agent, order, always_include: false, skills: BTreeMap::new() })
        .collect();
    Department { members, fallback: fallback.to_vec(), ..Department::new(id, slug, slug, Strategy::Serial) }
}

fn facts(now: Millis, state: Toggle, rev: u64) -> AgentFacts {
    let stamp = Stamp { since: now, by: Actor::user(ASHA, "Asha"), source: Source::Panel };
    AgentFacts {
        version: Version { epoch: 1, rev },
        seat: Seat::Active,
        pause: None,
        dnd: None,
        opt_out: None,
        toggle: ToggleFact { state, stamp, reason: None, until: None, apply: Apply::Now },
        slots: None,
        work_anyway: None,
        intent: Intent::default(),
        fence: 0,
    }
}
