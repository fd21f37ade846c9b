//! What people and admins set, and what their devices say.

use std::sync::Arc;

use cordboard_shared::agent::{AgentFacts, Apply, Block, Toggle, Verdict};
use cordboard_shared::decision::{Reason, Then};
use cordboard_shared::id::{AgentId, DepartmentId, OfferId};
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Millis};

use super::Engine;
use super::clock::Timer;
use crate::agent::{Agent, DeviceId, DeviceKind, Load};
use crate::command::{Elapsed, EngineError, Output};
use crate::compiled::Compiled;
use crate::event::Event;
use crate::matrix::Row;

/// A ring as it was before a change.
#[derive(Clone, Copy)]
struct Ringing {
    offer: OfferId,
    agent: AgentId,
    /// It began within a slot that has ended since.
    slot_ended: bool,
    /// It began under an emergency route that has ended since.
    route_ended: bool,
}

impl Engine {
    /// Obeys an entry of the log that came from outside.
    pub(super) fn obey(&mut self, now: Millis, event: Event, at: FeedPosition) {
        self.state.durable.position = self.state.durable.position.max(at);
        match event {
            Event::FactsSet { agent, facts, .. } => self.facts_set(now, agent, facts),
            Event::PolicySet { policy } => self.policy_set(now, *policy),
            event @ (Event::Bound { .. }
            | Event::PlaceTaken { .. }
            | Event::PlaceLeft { .. }
            | Event::PlaceKept { .. }
            | Event::CallbackAsked { .. }
            | Event::CallbackTried { .. }
            | Event::CallbackDue { .. }
            | Event::CallbackDone { .. }) => self.state.durable.apply(&event),
        }
    }

    fn policy_set(&mut self, now: Millis, policy: Policy) {
        let reading = |engine: &Self, id: AgentId| (engine.agent(id).map(Agent::blocked_by), engine.rows_for(id));
        let before: Vec<_> = self.state.agents.keys().map(|id| (*id, reading(self, *id))).collect();
        let ringing: Vec<_> = before.iter().filter_map(|(id, _)| self.ringing(now, *id)).collect();
        self.rules = Compiled::new(&policy);
        self.state.durable.policy = policy;
        let elapsed = self.policy_in_force(now);
        for held in ringing {
            self.withdraw_if_blocked(now, held);
        }
        for (id, what) in elapsed {
            self.push(Output::Elapsed(id, what));
        }
        for (id, before) in before {
            if reading(self, id) != before {
                self.push(Output::PresenceChanged(id));
            }
        }
    }

    /// Everybody is read anew under the policy, and every line looks around. What the facts mean otherwise now is
    /// returned, to be written down.
    pub(super) fn policy_in_force(&mut self, now: Millis) -> Vec<(AgentId, Elapsed)> {
        let agents: Vec<_> = self.state.agents.keys().copied().collect();
        let mut elapsed = Vec::new();
        for id in agents {
            if let Some(agent) = self.state.agents.get_mut(&id) {
                agent.member_of = self.rules.member_of(id).to_vec();
            }
            elapsed.extend(self.read_clock(now, id).into_iter().map(|what| (id, what)));
            self.watch_activity(id);
            self.dirty.freed.insert(id);
            self.dirty.less.insert(id);
        }
        let turns: Vec<_> = self.policy().emergencies.iter().flat_map(|it| [it.starts, it.ends]).collect();
        for at in turns.into_iter().filter(|at| *at > now) {
            self.wake(at, Timer::Emergency);
        }
        self.dirty.lines.extend(self.state.lines.iter().filter(|(_, line)| line.is_open()).map(|(call, _)| *call));
        elapsed
    }

    /// After a start: what ended by time while no process ran is to be written down too.
    pub(super) fn elapsed_before_start(&mut self, now: Millis) {
        let auto_return = self.policy().settings.auto_return;
        let is_over = |block: Option<&Block>| block.is_some_and(|block| block.until.is_some_and(|until| until <= now));
        let mut over = Vec::new();
        for agent in self.state.agents.values() {
            let facts = &agent.facts;
            let away = facts.toggle.state == Toggle::Away;
            let ended = [
                (is_over(facts.pause.as_ref()), Elapsed::Pause),
                (is_over(facts.dnd.as_ref()), Elapsed::Dnd),
                (is_over(facts.work_anyway.as_ref()), Elapsed::Schedule),
                (away && auto_return && agent.clocked.away_over, Elapsed::AwayReturned),
                // No call is left after which it could hold.
                (away && facts.toggle.apply == Apply::AfterCall, Elapsed::AfterCall),
            ];
            over.extend(ended.into_iter().filter(|(is, _)| *is).map(|(_, what)| (agent.id, what)));
        }
        for (agent, what) in over {
            self.push(Output::Elapsed(agent, what));
        }
    }

    fn facts_set(&mut self, now: Millis, id: AgentId, facts: Arc<AgentFacts>) {
        let limit = self.policy().settings.missed_limit;
        let ringing = self.ringing(now, id);
        if let Some(agent) = self.state.agents.get_mut(&id) {
            let was_on = agent.facts.toggle.state == Toggle::On && agent.held_away.is_none();
            let renewed = agent.facts.toggle.stamp != facts.toggle.stamp || agent.facts.toggle != facts.toggle;
            agent.facts = facts;
            agent.obeyed_at = now;
            if renewed || agent.facts.toggle.state == Toggle::Away {
                agent.held_away = None;
            }
            let on = agent.facts.toggle.state == Toggle::On;
            if on && (!was_on || renewed || agent.missed >= limit) {
                agent.missed = 0;
            }
        } else {
            let mut agent = Agent::new(id, facts, now);
            agent.member_of = self.rules.member_of(id).to_vec();
            self.state.agents.insert(id, agent);
        }
        // What ended by time before is in the facts now: nothing is to be reported twice.
        self.read_clock(now, id);
        let idle_after_call = self.agent(id).is_some_and(|agent| {
            let toggle = &agent.facts.toggle;
            let later = toggle.state == Toggle::Away && toggle.apply == Apply::AfterCall;
            later && !matches!(agent.load, Load::OnCall(_))
        });
        // A change that blocks ends a ring in flight before anybody is told that the change holds.
        if let Some(held) = ringing {
            self.withdraw_if_blocked(now, held);
        }
        if idle_after_call {
            self.push(Output::Elapsed(id, Elapsed::AfterCall));
        }
        self.dirty.freed.insert(id);
        if self.agent(id).is_some_and(|agent| !agent.blocked_when_idle().is_empty()) {
            self.dirty.less.insert(id);
        }
        self.push(Output::PresenceChanged(id));
    }

    /// A person's ring, and what time alone had taken from under it before a change.
    fn ringing(&self, now: Millis, id: AgentId) -> Option<Ringing> {
        let agent = self.agent(id)?;
        let Load::Ringing(offer) = agent.load else { return None };
        let held = self.state.offers.get(&offer)?;
        let department = self.state.lines.get(&held.call)?.department();
        let slot_ended = agent.blocked_when_idle().contains(&Verdict::OffSchedule)
            && !self.judge(agent, department, held.row, &[Verdict::OffSchedule]).rings();
        let route_ended = held.row == Row::Emergency && !self.is_emergency(department, now);
        Some(Ringing { offer, agent: id, slot_ended, route_ended })
    }

    fn is_emergency(&self, department: Option<DepartmentId>, now: Millis) -> bool {
        department.is_some_and(|id| self.policy().emergencies.iter().any(|route| route.covers(id, now)))
    }

    /// Ends a ring that a change has blocked. One that goes on although a slot has ended is not ended by a later change
    /// of something else.
    fn withdraw_if_blocked(&mut self, now: Millis, held: Ringing) {
        let Some(agent) = self.agent(held.agent) else { return };
        let Some(offer) = self.state.offers.get(&held.offer) else { return };
        let Some(line) = self.state.lines.get(&offer.call) else { return };
        let department = line.department();
        let mut row = offer.row;
        if let Some(id) = department {
            let is_bound = line.binding.is_some_and(|it| it.agent == held.agent);
            let member = self.rules.department(id).and_then(|it| it.members.iter().find(|it| it.agent == held.agent));
            if member.is_none() && !is_bound {
                return self.end_offer(now, held.offer, Reason::SkippedNotMember, Then::NextMember);
            }
            let always = member.is_some_and(|member| member.always_include);
            let route_over = row == Row::Emergency && !held.route_ended && !self.is_emergency(department, now);
            if route_over || (row == Row::AlwaysInclude && !always) {
                row = if always { Row::AlwaysInclude } else { Row::Queue };
            }
        }
        let layers = agent.blocked_when_idle();
        let layers: Vec<_> =
            layers.iter().copied().filter(|layer| !(held.slot_ended && *layer == Verdict::OffSchedule)).collect();
        if !self.judge(agent, department, row, &layers).rings() {
            self.end_offer(now, held.offer, Reason::DeclinedByStatus, Then::NextMember);
        }
    }

    pub(super) fn device_ready(&mut self, id: AgentId, device: DeviceId, kind: DeviceKind) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        if agent.devices.insert(device, kind).is_none() {
            self.dirty.freed.insert(id);
            self.push(Output::PresenceChanged(id));
        }
        Ok(())
    }

    pub(super) fn device_gone(&mut self, now: Millis, id: AgentId, device: DeviceId) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        let Some(kind) = agent.devices.remove(&device) else { return Ok(()) };
        if kind == DeviceKind::Phone {
            // From here on only the screen reaches the person: the clock of inactivity begins.
            self.touch(now, id);
        }
        let Some((none_left, load)) = self.agent(id).map(|agent| (agent.devices.is_empty(), agent.load)) else {
            return Ok(());
        };
        if none_left {
            self.dirty.less.insert(id);
            if let Load::Ringing(offer) = load {
                self.end_offer(now, offer, Reason::NotReachable, Then::NextMember);
            }
        }
        self.push(Output::PresenceChanged(id));
        Ok(())
    }

    pub(super) fn panel_opened(&mut self, now: Millis, id: AgentId) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        agent.panels += 1;
        if agent.panels == 1 {
            agent.active_at = now;
            agent.warned = false;
            self.watch_activity(id);
        }
        Ok(())
    }

    pub(super) fn panel_closed(&mut self, id: AgentId) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        agent.panels = agent.panels.saturating_sub(1);
        Ok(())
    }

    pub(super) fn active(&mut self, now: Millis, id: AgentId) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        agent.active_at = now;
        if std::mem::take(&mut agent.warned) {
            self.watch_activity(id);
        }
        Ok(())
    }

    /// After-call work is finished early.
    pub(super) fn wrap_up_done(&mut self, now: Millis, id: AgentId) -> Result<(), EngineError> {
        let agent = self.agent(id).ok_or(EngineError::UnknownAgent)?;
        if let Load::AfterCallWork(_) = agent.load {
            self.rested(now, id);
            return Ok(());
        }
        Err(EngineError::NotAllowed(agent.verdict()))
    }

    /// Half a minute more of after-call work, once.
    pub(super) fn wrap_up_extend(&mut self, now: Millis, id: AgentId) -> Result<(), EngineError> {
        let agent = self.state.agents.get_mut(&id).ok_or(EngineError::UnknownAgent)?;
        let Load::AfterCallWork(until) = agent.load else { return Err(EngineError::NotAllowed(agent.verdict())) };
        if std::mem::replace(&mut agent.extended, true) {
            return Err(EngineError::NotAllowed(agent.verdict()));
        }
        let until = until + 30_000;
        self.set_load(now, id, Load::AfterCallWork(until));
        self.wake(until, Timer::WrapUp(id));
        Ok(())
    }

    /// Changes what a person is busy with.
    pub(super) fn set_load(&mut self, now: Millis, id: AgentId, load: Load) {
        let Some(agent) = self.state.agents.get_mut(&id).filter(|agent| agent.load != load) else { return };
        agent.load = load;
        agent.load_since = now;
        if load == Load::Idle {
            self.dirty.freed.insert(id);
            if agent.panels > 0 {
                self.watch_activity(id);
            }
        }
        self.push(Output::PresenceChanged(id));
    }

    /// Whether a transfer to this person, or a callback, would be tried at all, and if not, what holds it up.
    pub fn would_reach(&self, id: AgentId, row: Row) -> Result<(), EngineError> {
        let agent = self.agent(id).ok_or(EngineError::UnknownAgent)?;
        let judged = self.judge(agent, None, row, &agent.blocked_by());
        if judged.rings() { Ok(()) } else { Err(EngineError::NotAllowed(judged.layer)) }
    }

    /// The person has done something.
    pub(super) fn touch(&mut self, now: Millis, id: AgentId) {
        if let Some(agent) = self.state.agents.get_mut(&id) {
            agent.active_at = now;
            agent.warned = false;
        }
    }
}
