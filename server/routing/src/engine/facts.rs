//! What people and admins set, and what their devices say.

use std::sync::Arc;

use cordboard_shared::agent::{AgentFacts, Apply, Toggle};
use cordboard_shared::decision::{Reason, Then};
use cordboard_shared::id::AgentId;
use cordboard_shared::{FeedPosition, Millis};

use super::Engine;
use super::clock::Timer;
use crate::agent::{Agent, DeviceId, DeviceKind, Load};
use crate::command::{Elapsed, EngineError, Output};
use crate::compiled::Compiled;
use crate::event::Event;
use crate::matrix::Row;

impl Engine {
    /// Obeys an entry of the log that came from outside.
    pub(super) fn obey(&mut self, now: Millis, event: Event, at: FeedPosition) {
        self.state.durable.position = self.state.durable.position.max(at);
        match event {
            Event::FactsSet { agent, facts, .. } => self.facts_set(now, agent, *facts),
            Event::PolicySet { policy } => {
                self.rules = Compiled::new(&policy);
                self.state.durable.policy = *policy;
                self.policy_in_force(now);
                self.withdraw_blocked(now);
            }
            event @ (Event::Bound { .. }
            | Event::PlaceTaken { .. }
            | Event::PlaceLeft { .. }
            | Event::PlaceKept { .. }
            | Event::CallbackAsked { .. }
            | Event::CallbackDue { .. }
            | Event::CallbackDone { .. }) => self.state.durable.apply(&event),
        }
    }

    /// Everybody is read anew under the policy, and every line looks around.
    pub(super) fn policy_in_force(&mut self, now: Millis) {
        let agents: Vec<_> = self.state.agents.keys().copied().collect();
        for id in agents {
            if let Some(agent) = self.state.agents.get_mut(&id) {
                agent.member_of = self.rules.member_of(id).to_vec();
            }
            self.read_clock(now, id);
            self.watch_activity(id);
            self.dirty.freed.insert(id);
            self.dirty.less.insert(id);
        }
        let turns: Vec<_> = self.policy().emergencies.iter().flat_map(|it| [it.starts, it.ends]).collect();
        for at in turns.into_iter().filter(|at| *at > now) {
            self.wake(at, Timer::Emergency);
        }
        self.dirty.lines.extend(self.state.lines.iter().filter(|(_, line)| line.is_open()).map(|(call, _)| *call));
    }

    fn facts_set(&mut self, now: Millis, id: AgentId, facts: AgentFacts) {
        let limit = self.policy().settings.missed_limit;
        if let Some(agent) = self.state.agents.get_mut(&id) {
            let was_on = agent.facts.toggle.state == Toggle::On && agent.held_away.is_none();
            let renewed = agent.facts.toggle.stamp != facts.toggle.stamp || agent.facts.toggle != facts.toggle;
            agent.facts = Arc::new(facts);
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
        if idle_after_call {
            self.push(Output::Elapsed(id, Elapsed::AfterCall));
        }
        // A change that blocks ends a ring in flight before anybody is told that the change holds.
        self.withdraw_if_blocked(now, id);
        self.dirty.freed.insert(id);
        if self.agent(id).is_some_and(|agent| !agent.blocked_when_idle().is_empty()) {
            self.dirty.less.insert(id);
        }
        self.push(Output::PresenceChanged(id));
    }

    fn withdraw_blocked(&mut self, now: Millis) {
        let ringing: Vec<_> = self.state.offers.values().map(|offer| offer.agent).collect();
        for agent in ringing {
            self.withdraw_if_blocked(now, agent);
        }
    }

    fn withdraw_if_blocked(&mut self, now: Millis, id: AgentId) {
        let Some(Load::Ringing(offer)) = self.agent(id).map(|agent| agent.load) else { return };
        let Some(row) = self.state.offers.get(&offer).map(|offer| offer.row) else { return };
        let department = self.state.offers.get(&offer).and_then(|it| self.state.lines.get(&it.call)?.department());
        let rings =
            self.agent(id).is_some_and(|agent| self.judge(agent, department, row, &agent.blocked_when_idle()).rings());
        if !rings {
            self.end_offer(now, offer, Reason::DeclinedByStatus, Then::NextMember);
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
        if agent.devices.remove(&device).is_none() {
            return Ok(());
        }
        if agent.devices.is_empty() {
            self.dirty.less.insert(id);
            if let Load::Ringing(offer) = agent.load {
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

    /// A call of the person's own, or its agent leg: rows 14 and 15.
    pub(super) fn own_call(
        &mut self,
        now: Millis,
        id: AgentId,
        call: cordboard_shared::id::CallId,
        row: Row,
    ) -> Result<(), EngineError> {
        use crate::command::Target;
        use crate::line::{Line, LineState};
        use crate::matrix::Letter;

        let agent = self.agent(id).ok_or(EngineError::UnknownAgent)?;
        let layers = agent.blocked_by();
        let judged = self.judge(agent, None, row, &layers);
        // Without a browser only a phone can carry the call.
        let has_phone = agent.devices.values().any(|kind| *kind == DeviceKind::Phone);
        let allowed = match judged.letter {
            Letter::Rings => true,
            Letter::PhoneOnly => has_phone,
            Letter::Skipped
            | Letter::Voicemail
            | Letter::StickyFallback
            | Letter::Refused
            | Letter::FollowUp
            | Letter::Waits
            | Letter::NotAllowed
            | Letter::Untouched => false,
        };
        if !allowed {
            return Err(EngineError::NotAllowed(judged.layer));
        }
        if self.state.lines.contains_key(&call) {
            return Err(EngineError::UnknownCall);
        }
        let mut line = Line::new(call, Target::Agent(id), row, now);
        line.state = LineState::Connected { agent: id, since: now, wrap_up_ms: 0 };
        self.state.lines.insert(call, line);
        self.state.legs.insert(call, super::Leg::Outbound);
        self.touch(now, id);
        self.set_load(now, id, Load::OnCall(call));
        Ok(())
    }

    /// The person has done something.
    pub(super) fn touch(&mut self, now: Millis, id: AgentId) {
        if let Some(agent) = self.state.agents.get_mut(&id) {
            agent.active_at = now;
            agent.warned = false;
        }
    }
}
