//! The engine: one per account, single writer, `handle_input` and `poll_output`.

use std::collections::{BTreeMap, VecDeque};

use cordboard_shared::agent::{AgentFacts, Presence};
use cordboard_shared::decision::{Decision, Reason, Then};
use cordboard_shared::department::{Department, Fallback};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::{FeedPosition, Millis};

use crate::agent::{Agent, DeviceId, Load};
use crate::command::{EngineError, Input, Output, Target};
use crate::event::Event;
use crate::ledger::{self, Basis};
use crate::line::{Exhausted, Line, LineState, RING_SECONDS_DIRECT, Tried};
use crate::matrix::{Letter, Matrix, Row};
use crate::offer::{Offer, OfferState};
use crate::strategy::{self, Candidate, Choice};

/// Decides who is offered which call.
#[derive(Clone, Debug)]
pub struct Engine {
    agents: BTreeMap<AgentId, Agent>,
    departments: BTreeMap<DepartmentId, Department>,
    matrix: Matrix,
    lines: BTreeMap<CallId, Line>,
    offers: BTreeMap<OfferId, Offer>,
    policy_version: u64,
    position: FeedPosition,
    places: u64,
    seed: u64,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that knows nobody yet. The seed makes offer ids.
    pub fn new(seed: u64) -> Self {
        Self {
            agents: BTreeMap::new(),
            departments: BTreeMap::new(),
            matrix: Matrix::default(),
            lines: BTreeMap::new(),
            offers: BTreeMap::new(),
            policy_version: 0,
            position: FeedPosition::default(),
            places: 0,
            seed,
            outputs: VecDeque::new(),
        }
    }

    /// Feeds one input. Afterwards [`Self::poll_output`] is drained before the next one.
    pub fn handle_input(&mut self, now: Millis, input: Input) -> Result<(), EngineError> {
        let result = self.apply(now, input);
        self.advance_lines(now);
        result
    }

    /// The next thing to do; [`Output::Timeout`] ends the list.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_deadline()))
    }

    /// One person.
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.get(&id)
    }

    /// Everybody, by id.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// The presence body of one person.
    pub fn presence(&self, id: AgentId) -> Option<Presence> {
        self.agents.get(&id).map(|agent| agent.presence(&self.matrix))
    }

    /// The reachability matrix.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// Position of the last fact obeyed.
    pub fn position(&self) -> FeedPosition {
        self.position
    }

    /// People who are not idle although no live offer, call or timer holds them. Always 0: a metric watches it.
    pub fn stuck_agents(&self, now: Millis) -> usize {
        let held = |agent: &Agent| match agent.load {
            Load::Idle => true,
            Load::Ringing(offer) => self.offers.get(&offer).is_some_and(|offer| offer.agent == agent.id),
            Load::OnCall(call) => {
                self.lines.get(&call).is_some_and(|line| line.state == LineState::Connected { agent: agent.id })
            }
            // One late timer is no stuck agent.
            Load::AfterCallWork(until) => now.since(until) < 1_000,
        };
        self.agents.values().filter(|agent| !held(agent)).count()
    }

    /// When the engine wants to be called again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        let offers = self.offers.values().map(Offer::deadline);
        let waits = self.lines.values().filter_map(|line| match line.state {
            LineState::Waiting { until } => Some(until),
            LineState::Choosing | LineState::Offered(_) | LineState::Connected { .. } => None,
        });
        let work = self.agents.values().filter_map(|agent| match agent.load {
            Load::AfterCallWork(until) => Some(until),
            Load::Idle | Load::Ringing(_) | Load::OnCall(_) => None,
        });
        offers.chain(waits).chain(work).min()
    }

    fn apply(&mut self, now: Millis, input: Input) -> Result<(), EngineError> {
        match input {
            Input::Obey { event, at } => {
                self.position = at;
                match *event {
                    Event::FactsSet { agent, facts, .. } => self.facts_changed(now, agent, *facts),
                    Event::PolicySet { policy } => {
                        self.policy_version = policy.version;
                        self.departments = policy.departments.into_iter().map(|it| (it.id, it)).collect();
                    }
                    _ => {}
                }
                Ok(())
            }
            Input::DeviceReady(agent, device, _) => {
                let known = self.agents.get_mut(&agent).ok_or(EngineError::UnknownAgent)?;
                if known.devices.insert(device) {
                    self.outputs.push_back(Output::PresenceChanged(agent));
                }
                Ok(())
            }
            Input::DeviceGone(agent, device) => self.device_gone(now, agent, device),
            Input::CallArrived(it) => self.call_arrived(now, it.call, it.target, it.row),
            Input::OfferConfirmed(offer) => {
                self.offers.get_mut(&offer).ok_or(EngineError::OfferEnded)?.confirm(now);
                Ok(())
            }
            Input::OfferAccepted(offer) => self.accepted(now, offer),
            Input::OfferDeclined(offer) => {
                let offer = self.offers.get(&offer).ok_or(EngineError::OfferEnded)?.id;
                self.end_offer(now, offer, Reason::Declined, Then::NextMember);
                Ok(())
            }
            Input::ConnectFailed(call) => self.connect_failed(now, call),
            Input::CallerGone(call) => self.caller_gone(now, call),
            Input::CallEnded(call) => self.call_ended(now, call),
            Input::CallOffered { call, .. } => {
                self.outputs.push_back(Output::Admitted(call));
                Ok(())
            }
            Input::Timeout => {
                self.timeout(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn facts_changed(&mut self, now: Millis, id: AgentId, facts: AgentFacts) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.facts = facts;
            agent.obeyed_at = now;
        } else {
            self.agents.insert(id, Agent::new(id, facts, now));
        }
        // A change that blocks ends a ring in flight before anybody is told that the change holds.
        if let Some(offer) = self.offer_of(id)
            && let Some(agent) = self.agents.get(&id)
            && self.matrix.letter(offer.1, agent.verdict_when_idle()) != Letter::Rings
        {
            self.end_offer(now, offer.0, Reason::DeclinedByStatus, Then::NextMember);
        }
        self.outputs.push_back(Output::PresenceChanged(id));
    }

    fn device_gone(&mut self, now: Millis, id: AgentId, device: DeviceId) -> Result<(), EngineError> {
        let agent = self.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        if !agent.devices.remove(&device) {
            return Ok(());
        }
        if agent.devices.is_empty()
            && let Some((offer, _)) = self.offer_of(id)
        {
            self.end_offer(now, offer, Reason::NotReachable, Then::NextMember);
        }
        self.outputs.push_back(Output::PresenceChanged(id));
        Ok(())
    }

    fn offer_of(&self, agent: AgentId) -> Option<(OfferId, Row)> {
        self.offers.values().find(|offer| offer.agent == agent).map(|offer| (offer.id, offer.row))
    }

    fn call_arrived(&mut self, now: Millis, call: CallId, target: Target, row: Row) -> Result<(), EngineError> {
        self.places += 1;
        let mut line = Line::new(call, target, row, self.places, now);
        match target {
            Target::Department(id) => {
                let department = self.departments.get(&id).ok_or(EngineError::UnknownDepartment)?;
                line.enter(department, now);
                line.chain.clone_from(&department.fallback);
                self.outputs.push_back(Output::Entered { call, department: id });
            }
            Target::Agent(id) => {
                self.agents.get(&id).ok_or(EngineError::UnknownAgent)?;
                line.chain = vec![Fallback::Voicemail { mailbox: id.to_string() }];
            }
        }
        self.lines.insert(call, line);
        Ok(())
    }

    fn accepted(&mut self, now: Millis, id: OfferId) -> Result<(), EngineError> {
        let Some(offer) = self.offers.remove(&id) else { return Err(EngineError::OfferEnded) };
        let tried = Tried {
            reason: Reason::Answered,
            cell: std::borrow::Cow::Borrowed(""),
            rang_ms: Some(now.since(offer.offered_at)),
        };
        self.settle(offer.call, offer.agent, &tried, Then::Answered);
        if let Some(line) = self.lines.get_mut(&offer.call) {
            line.state = LineState::Connected { agent: offer.agent };
        }
        self.set_load(now, offer.agent, Load::OnCall(offer.call));
        self.outputs.push_back(Output::Connect { offer: id, call: offer.call, agent: offer.agent });
        Ok(())
    }

    fn connect_failed(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.lines.get_mut(&call).ok_or(EngineError::UnknownCall)?;
        let LineState::Connected { agent } = line.state else { return Err(EngineError::UnknownCall) };
        line.state = LineState::Choosing;
        let cell = Matrix::cell(line.row, cordboard_shared::agent::Verdict::Available);
        let tried = Tried { reason: Reason::NotReachable, cell, rang_ms: None };
        self.settle(call, agent, &tried, Then::NextMember);
        if let Some(line) = self.lines.get_mut(&call) {
            line.tried.insert(agent, tried);
        }
        self.set_load(now, agent, Load::Idle);
        Ok(())
    }

    fn caller_gone(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.lines.get(&call).ok_or(EngineError::UnknownCall)?;
        match line.state {
            LineState::Offered(offer) => self.end_offer(now, offer, Reason::CallerHungUp, Then::CallerGone),
            LineState::Connected { .. } => return self.call_ended(now, call),
            LineState::Waiting { .. } | LineState::Choosing => {
                if let Some(mut decision) = self.lines.get_mut(&call).and_then(|line| line.open.take()) {
                    decision.then = Then::CallerGone;
                    self.outputs.push_back(Output::Decided { call, decision: Box::new(decision) });
                }
            }
        }
        self.lines.remove(&call);
        Ok(())
    }

    fn call_ended(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.lines.remove(&call).ok_or(EngineError::UnknownCall)?;
        if let LineState::Connected { agent } = line.state {
            let work = match line.target {
                Target::Department(id) => self.departments.get(&id).map_or(0, |it| it.wrap_up_seconds),
                Target::Agent(_) => 0,
            };
            let load = if work == 0 { Load::Idle } else { Load::AfterCallWork(now + u64::from(work) * 1_000) };
            self.set_load(now, agent, load);
        }
        Ok(())
    }

    fn timeout(&mut self, now: Millis) {
        let due: Vec<_> = self.offers.values().filter(|offer| offer.deadline() <= now).cloned().collect();
        for offer in due {
            let reason = match offer.state {
                OfferState::Unconfirmed { .. } => Reason::DeviceDidNotConfirm,
                OfferState::Ringing { .. } => Reason::MissedNoAnswer,
            };
            self.end_offer(now, offer.id, reason, Then::NextMember);
        }
        let rested: Vec<_> = self
            .agents
            .values()
            .filter(|agent| matches!(agent.load, Load::AfterCallWork(until) if until <= now))
            .map(|agent| agent.id)
            .collect();
        for agent in rested {
            self.set_load(now, agent, Load::Idle);
        }
    }

    /// Takes an offer back. The line is free to choose again, unless its caller is gone.
    fn end_offer(&mut self, now: Millis, id: OfferId, reason: Reason, then: Then) {
        let Some(offer) = self.offers.remove(&id) else { return };
        let rang_ms = match offer.state {
            OfferState::Unconfirmed { .. } => None,
            OfferState::Ringing { .. } => Some(now.since(offer.offered_at)),
        };
        let cell = Matrix::cell(offer.row, cordboard_shared::agent::Verdict::Available);
        let tried = Tried { reason, cell, rang_ms };
        self.settle(offer.call, offer.agent, &tried, then);
        if let Some(line) = self.lines.get_mut(&offer.call) {
            line.tried.insert(offer.agent, tried);
            line.state = LineState::Choosing;
        }
        self.set_load(now, offer.agent, Load::Idle);
        self.outputs.push_back(Output::Withdraw { offer: id, call: offer.call, agent: offer.agent, reason });
    }

    fn settle(&mut self, call: CallId, agent: AgentId, tried: &Tried, then: Then) {
        let Some(line) = self.lines.get_mut(&call) else { return };
        let Some(decision) = line.open.as_mut() else { return };
        ledger::settle(decision, agent, tried, then);
        self.outputs.push_back(Output::Decided { call, decision: Box::new(decision.clone()) });
    }

    fn set_load(&mut self, now: Millis, id: AgentId, load: Load) {
        if let Some(agent) = self.agents.get_mut(&id)
            && agent.load != load
        {
            agent.load = load;
            agent.load_since = now;
            self.outputs.push_back(Output::PresenceChanged(id));
        }
    }

    /// Gives every line its next step, the longest waiting caller first.
    fn advance_lines(&mut self, now: Millis) {
        let mut order: Vec<_> = self
            .lines
            .values()
            .filter(|line| matches!(line.state, LineState::Choosing | LineState::Waiting { .. }))
            .map(|line| (line.place, line.call))
            .collect();
        order.sort_unstable();
        for (_, call) in order {
            self.advance(now, call);
        }
    }

    fn advance(&mut self, now: Millis, call: CallId) {
        while let Some(line) = self.lines.get(&call) {
            let candidates = self.candidates(line);
            let tried = line.tried.iter().map(|(agent, tried)| (*agent, tried.reason)).collect();
            let overdue = matches!(line.state, LineState::Waiting { until } if until <= now);
            match strategy::serial(&candidates, &tried, &self.agents, &self.matrix) {
                Choice::Ring(agent) => return self.offer(now, call, &candidates, agent),
                Choice::Wait if !overdue => return self.wait(now, call, &candidates),
                Choice::Wait | Choice::Nobody => {
                    if self.fall_back(now, call, &candidates) {
                        return;
                    }
                }
            }
        }
    }

    fn candidates(&self, line: &Line) -> Vec<Candidate> {
        match line.target {
            Target::Agent(agent) => vec![Candidate { agent, row: line.row }],
            Target::Department(id) => {
                let mut members: Vec<_> = self.departments.get(&id).map(|it| it.members.clone()).unwrap_or_default();
                members.sort_by_key(|member| member.order);
                members
                    .iter()
                    .map(|member| Candidate {
                        agent: member.agent,
                        row: if member.always_include { Row::AlwaysInclude } else { Row::Queue },
                    })
                    .collect()
            }
        }
    }

    fn offer(&mut self, now: Millis, call: CallId, candidates: &[Candidate], agent: AgentId) {
        let id = OfferId::new(now, self.random());
        let decision = self.decide(now, call, candidates, Some(agent), Then::NextMember);
        let row = candidates.iter().find(|candidate| candidate.agent == agent).map_or(Row::Queue, |it| it.row);
        let Some(line) = self.lines.get_mut(&call) else { return };
        let (department, seconds) = match line.target {
            Target::Agent(_) => (None, RING_SECONDS_DIRECT),
            Target::Department(id) => {
                (Some(id), self.departments.get(&id).map_or(RING_SECONDS_DIRECT, |it| it.ring_seconds))
            }
        };
        line.open = decision;
        line.offered = true;
        line.state = LineState::Offered(id);
        let waited_ms = now.since(line.arrived_at);
        let why = why(candidates, &line.tried, agent, department.is_some());
        let ring_ms = u64::from(seconds) * 1_000;
        self.offers.insert(id, Offer::new(id, call, agent, row, now, ring_ms));
        self.set_load(now, agent, Load::Ringing(id));
        self.outputs.push_back(Output::Offer { offer: id, call, agent, department, waited_ms, ring_ms, why });
    }

    fn wait(&mut self, now: Millis, call: CallId, candidates: &[Candidate]) {
        let Some(Line { state: LineState::Choosing, target: Target::Department(id), .. }) = self.lines.get(&call)
        else {
            return;
        };
        let department = *id;
        let longest = self.departments.get(&department).map_or(0, |it| it.max_wait_seconds);
        let decision = self.decide(now, call, candidates, None, Then::Wait);
        if let Some(line) = self.lines.get_mut(&call) {
            line.open = decision;
            line.state = LineState::Waiting { until: line.entered_at + u64::from(longest) * 1_000 };
        }
        self.outputs.push_back(Output::Waiting { call, department: Some(department) });
    }

    /// Takes the next link of the fallback chain; whether the engine has let go of the call.
    fn fall_back(&mut self, now: Millis, call: CallId, candidates: &[Candidate]) -> bool {
        let Some(line) = self.lines.get_mut(&call) else { return true };
        let link = if line.chain.is_empty() { Fallback::Disconnect } else { line.chain.remove(0) };
        let cause = line.cause();
        let (then, to) = match link {
            Fallback::Department { department } => {
                let next = self
                    .departments
                    .values()
                    .find(|it| it.slug == department && !line.visited.contains(&it.id))
                    .map(|it| it.id);
                let Some(next) = next else { return false };
                self.decide(now, call, candidates, None, Then::Department);
                if let (Some(line), Some(department)) = (self.lines.get_mut(&call), self.departments.get(&next)) {
                    line.enter(department, now);
                    line.state = LineState::Choosing;
                    self.outputs.push_back(Output::Entered { call, department: next });
                }
                return false;
            }
            Fallback::Voicemail { mailbox } => (Then::Voicemail, Exhausted::Voicemail { mailbox }),
            _ => (Then::Disconnect, Exhausted::Disconnect),
        };
        self.decide(now, call, candidates, None, then);
        self.lines.remove(&call);
        self.outputs.push_back(Output::Exhausted { call, to, cause });
        true
    }

    /// Writes a ledger entry and returns it.
    fn decide(
        &mut self,
        now: Millis,
        call: CallId,
        candidates: &[Candidate],
        chosen: Option<AgentId>,
        then: Then,
    ) -> Option<Decision> {
        let line = self.lines.get_mut(&call)?;
        line.step += 1;
        let department = match line.target {
            Target::Department(id) => Some(id),
            Target::Agent(_) => None,
        };
        let basis =
            Basis { now, agents: &self.agents, policy_version: self.policy_version, state_version: self.position };
        let decision = ledger::entry(basis, line.step, (line.row, department), candidates, &line.tried, chosen, then);
        self.outputs.push_back(Output::Decided { call, decision: Box::new(decision.clone()) });
        Some(decision)
    }

    /// Ten bytes for an id. `SplitMix64`: ids need to differ, not to be secret.
    fn random(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        for chunk in bytes.chunks_mut(8) {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.seed;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

fn why(candidates: &[Candidate], tried: &BTreeMap<AgentId, Tried>, agent: AgentId, in_department: bool) -> String {
    if !in_department {
        return "your own number was dialed".to_owned();
    }
    let place = candidates.iter().position(|candidate| candidate.agent == agent).map_or(1, |index| index + 1);
    let count = candidates.len();
    match (place, tried.len()) {
        (1, _) => format!("first of {count} in order"),
        (_, 0) => format!("number {place} of {count} in order, nobody before you could ring"),
        (_, _) => format!("number {place} of {count} in order, after others did not answer"),
    }
}

#[cfg(test)]
mod tests;
