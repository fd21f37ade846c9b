//! A floor of three people and two departments, or of any policy, and a record of all that was said.

pub(super) use std::collections::{BTreeMap, BTreeSet};
pub(super) use std::sync::Arc;

pub(super) use cordboard_shared::agent::{
    Actor, AgentFacts, Apply, Block, Intent, Seat, SlotsFact, Source, Stamp, Toggle, ToggleFact, Verdict,
};
pub(super) use cordboard_shared::call::CallCause;
pub(super) use cordboard_shared::decision::{Decision, Reason, Then};
pub(super) use cordboard_shared::department::{
    Condition, Department, Fallback, Member, Relax, SkillNeed, Sticky, StickyMode, Strategy,
};
pub(super) use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
pub(super) use cordboard_shared::pii::Pii;
pub(super) use cordboard_shared::policy::{Contact, EmergencyRoute, Policy, Reach};
pub(super) use cordboard_shared::schedule::{Day, Slot, WeeklyHours};
pub(super) use cordboard_shared::{FeedPosition, Millis, Version};

pub(super) use crate::agent::{DeviceId, DeviceKind, Load};
pub(super) use crate::command::{Arrival, CallingOut, Elapsed, EngineError, Input, Output, Target};
pub(super) use crate::durable::Durable;
pub(super) use crate::engine::Engine;
pub(super) use crate::event::Event;
pub(super) use crate::line::{Exhausted, LineState};
pub(super) use crate::matrix::Row;

pub(super) const ASHA: AgentId = AgentId::demo(0x21);
pub(super) const RIYA: AgentId = AgentId::demo(0x22);
pub(super) const DEV: AgentId = AgentId::demo(0x23);
pub(super) const SUPPORT: DepartmentId = DepartmentId::demo(0x1001);
pub(super) const SALES: DepartmentId = DepartmentId::demo(0x1002);
/// A Thursday, 12:00 in UTC.
pub(super) const NOW: Millis = Millis(1_795_089_600_000);

/// An engine and everything it has said.
pub(super) struct Floor {
    pub(super) engine: Engine,
    pub(super) seen: Vec<Output>,
    /// Every input but Timeout, in the order fed.
    pub(super) trace: Vec<(Millis, Input)>,
    pub(super) start: Engine,
    /// Ledger entries that have been written once.
    pub(super) first_writings: std::cell::RefCell<BTreeSet<(CallId, u32)>>,
    calls: u64,
    seq: u64,
}

impl Floor {
    pub(super) fn new() -> Self {
        Self::with(policy(), &[ASHA, RIYA, DEV])
    }

    /// A floor with these people, all On with a device.
    pub(super) fn with(policy: Policy, people: &[AgentId]) -> Self {
        let engine = Engine::start(NOW, 7, Durable::default());
        let start = engine.clone();
        let mut floor = Self {
            engine,
            seen: Vec::new(),
            trace: Vec::new(),
            start,
            first_writings: std::cell::RefCell::default(),
            calls: 0,
            seq: 0,
        };
        floor.policy(NOW, policy);
        for agent in people {
            floor.toggle(NOW, *agent, Toggle::On);
            floor.feed(NOW, Input::DeviceReady(*agent, device(*agent), DeviceKind::Browser));
        }
        floor
    }

    /// A floor whose Support is changed first.
    pub(super) fn support(change: impl FnOnce(&mut Department)) -> Self {
        let mut policy = policy();
        change(&mut policy.departments[0]);
        Self::with(policy, &[ASHA, RIYA, DEV])
    }

    pub(super) fn feed_any(&mut self, now: Millis, input: Input) -> Result<Vec<Output>, EngineError> {
        if input != Input::Timeout {
            self.trace.push((now, input.clone()));
        }
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

    pub(super) fn feed(&mut self, now: Millis, input: Input) -> Vec<Output> {
        self.feed_any(now, input).unwrap()
    }

    pub(super) fn feed_error(&mut self, now: Millis, input: Input) -> EngineError {
        self.feed_any(now, input).unwrap_err()
    }

    pub(super) fn obey(&mut self, now: Millis, event: Event) -> Vec<Output> {
        self.seq += 1;
        let at = FeedPosition { epoch: 1, bucket: 0, seq: self.seq };
        self.feed(now, Input::Obey { event: Box::new(event), at })
    }

    pub(super) fn policy(&mut self, now: Millis, policy: Policy) -> Vec<Output> {
        self.obey(now, Event::PolicySet { policy: Box::new(policy) })
    }

    pub(super) fn toggle(&mut self, now: Millis, agent: AgentId, state: Toggle) -> Vec<Output> {
        let rev = self.seq + 1;
        self.set(now, agent, |facts| *facts = self::facts(now, state, rev))
    }

    /// Changes the toggle and leaves the other facts.
    pub(super) fn toggle_only(&mut self, now: Millis, agent: AgentId, state: Toggle) -> Vec<Output> {
        self.set(now, agent, |it| it.toggle = self::facts(now, state, 0).toggle)
    }

    /// Changes a person's facts.
    pub(super) fn set(&mut self, now: Millis, agent: AgentId, change: impl FnOnce(&mut AgentFacts)) -> Vec<Output> {
        let mut facts = self.engine.agent(agent).map_or_else(|| facts(now, Toggle::On, 1), |it| (*it.facts).clone());
        change(&mut facts);
        facts.version.rev = self.seq + 1;
        self.obey(
            now,
            Event::FactsSet { agent, facts: Arc::new(facts), changed: Vec::new(), note: None, request: None, by: None },
        )
    }

    pub(super) fn call(&mut self, now: Millis, target: Target) -> CallId {
        self.call_by(now, target, Row::Queue)
    }

    pub(super) fn call_by(&mut self, now: Millis, target: Target, row: Row) -> CallId {
        self.call_from(now, target, row, None)
    }

    pub(super) fn call_from(&mut self, now: Millis, target: Target, row: Row, caller: Option<&str>) -> CallId {
        self.calls += 1;
        let call = CallId::new(now, self.calls.to_be_bytes().repeat(2)[6..16].try_into().unwrap());
        let caller = caller.map(|number| Pii(number.to_owned()));
        self.feed(now, Input::CallArrived(Arrival { call, target, row, caller, priority: 0, after: 0 }));
        call
    }

    /// Who rings with this call, in the order of their ids.
    pub(super) fn rung(&self, call: CallId) -> Vec<AgentId> {
        let mut rung: Vec<_> = self.offers(call).into_iter().map(|(_, agent)| agent).collect();
        rung.sort_unstable();
        rung
    }

    pub(super) fn offers(&self, call: CallId) -> Vec<(OfferId, AgentId)> {
        let offers = self.engine.state.offers.values().filter(|offer| offer.call == call);
        offers.map(|offer| (offer.id, offer.agent)).collect()
    }

    pub(super) fn ringing(&self, call: CallId) -> Option<(OfferId, AgentId)> {
        self.offers(call).first().copied()
    }

    pub(super) fn offer_to(&self, call: CallId, agent: AgentId) -> OfferId {
        self.offers(call).into_iter().find(|(_, it)| *it == agent).map(|(offer, _)| offer).unwrap()
    }

    pub(super) fn answer(&mut self, now: Millis, call: CallId) {
        let (offer, _) = self.ringing(call).unwrap();
        self.feed(now, Input::OfferAccepted(offer));
    }

    /// Confirms every offer of the call and lets it ring out.
    pub(super) fn ring_out(&mut self, now: Millis, call: CallId) -> Vec<Output> {
        for (offer, _) in self.offers(call) {
            self.feed(now, Input::OfferConfirmed(offer));
        }
        self.feed(now + 25_000, Input::Timeout)
    }

    pub(super) fn decisions(&self, call: CallId) -> Vec<Decision> {
        decisions_of(&self.seen, call)
    }

    pub(super) fn last(&self, call: CallId) -> Decision {
        self.decisions(call).pop().unwrap()
    }

    /// The reason for one person in the last decision.
    pub(super) fn reason(&self, call: CallId, agent: AgentId) -> Reason {
        self.last(call).members.iter().find(|it| it.agent == agent).unwrap().reason
    }

    pub(super) fn ended(&self, call: CallId) -> Option<Exhausted> {
        self.seen.iter().find_map(|output| match output {
            Output::Exhausted { call: of, to, .. } if *of == call => Some(to.clone()),
            _ => None,
        })
    }

    pub(super) fn verdict(&self, agent: AgentId) -> Verdict {
        self.engine.agent(agent).unwrap().verdict()
    }
}

pub(super) fn decisions_of(seen: &[Output], call: CallId) -> Vec<Decision> {
    let mut by_step = BTreeMap::new();
    for output in seen {
        if let Output::Decided { call: of, decision } = output
            && *of == call
        {
            by_step.insert(decision.step, (**decision).clone());
        }
    }
    by_step.into_values().collect()
}

pub(super) fn device(agent: AgentId) -> DeviceId {
    DeviceId(u64::try_from(agent.0.as_u128() & 0xffff).unwrap())
}

pub(super) fn withdrawn(outputs: &[Output]) -> Vec<(AgentId, Reason)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Withdraw { agent, reason, .. } => Some((*agent, *reason)),
            _ => None,
        })
        .collect()
}

pub(super) fn policy() -> Policy {
    let box_of = |slug: &str| Fallback::Voicemail { mailbox: slug.to_owned() };
    let to_support = Fallback::Department { department: "support".to_owned() };
    Policy {
        version: 7,
        zone: "UTC".to_owned(),
        departments: vec![
            department(SUPPORT, "support", &[ASHA, RIYA, DEV], &[box_of("support")]),
            department(SALES, "sales", &[DEV], &[to_support, box_of("sales")]),
        ],
        ..Policy::default()
    }
}

pub(super) fn department(id: DepartmentId, slug: &str, members: &[AgentId], fallback: &[Fallback]) -> Department {
    let members = members.iter().zip(1..).map(|(agent, order)| member(*agent, order)).collect();
    Department { members, fallback: fallback.to_vec(), ..Department::new(id, slug, slug, Strategy::Serial) }
}

pub(super) fn member(agent: AgentId, order: u32) -> Member {
    Member { agent, order, always_include: false, skills: BTreeMap::new() }
}

pub(super) fn facts(now: Millis, state: Toggle, rev: u64) -> AgentFacts {
    AgentFacts {
        version: Version { epoch: 1, rev },
        seat: Seat::Active,
        pause: None,
        dnd: None,
        opt_out: None,
        toggle: ToggleFact { state, stamp: stamp(now), reason: None, until: None, apply: Apply::Now },
        slots: None,
        work_anyway: None,
        intent: Intent::default(),
        fence: 0,
    }
}

pub(super) fn stamp(now: Millis) -> Stamp {
    Stamp { since: now, by: Actor::user(ASHA, "Asha"), source: Source::Panel }
}

pub(super) fn block(now: Millis, until: Option<Millis>) -> Block {
    Block { stamp: stamp(now), reason: Some("stock take".to_owned()), until }
}

/// Chance from a seed, the same on every machine.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    pub(super) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.index(of.len())]) }
    }
}
