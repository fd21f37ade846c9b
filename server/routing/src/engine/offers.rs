//! How offers and calls come out.

use cordboard_shared::Millis;
use cordboard_shared::decision::{Reason, Then};
use cordboard_shared::id::{AgentId, CallId, OfferId};

use super::Engine;
use super::clock::Timer;
use crate::agent::Load;
use crate::command::{Elapsed, EngineError, Output};
use crate::event::Event;
use crate::ledger;
use crate::line::{Line, LineState, Tried};
use crate::matrix::{Matrix, Row};
use crate::strategy::{Candidate, Standing};

impl Engine {
    pub(super) fn confirmed(&mut self, now: Millis, id: OfferId) -> Result<(), EngineError> {
        let offer = self.state.offers.get_mut(&id).ok_or(EngineError::OfferEnded)?;
        offer.confirm(now);
        let deadline = offer.deadline();
        self.wake(deadline, Timer::Offer(id));
        Ok(())
    }

    /// Answer was pressed: exactly one wins, the others' phones stop first.
    pub(super) fn accepted(&mut self, now: Millis, id: OfferId) -> Result<(), EngineError> {
        let offer = self.state.offers.remove(&id).ok_or(EngineError::OfferEnded)?;
        let (call, agent) = (offer.call, offer.agent);
        let others: Vec<_> = self.line_offers(call).into_iter().filter(|other| *other != id).collect();
        for other in others {
            self.end_offer(now, other, Reason::AnsweredElsewhere, Then::Answered);
        }
        let rang_ms = offer.rang_ms(now).or(Some(0));
        let tried = Tried { reason: Reason::Answered, cell: offer.cell, rang_ms };
        self.settle(call, agent, &tried, Then::Answered);
        if self.state.lines.get(&call).is_some_and(|line| line.callback.is_none()) {
            self.bind(now, call, agent);
        }
        self.give_up_place(call);
        self.leave_queue(call);
        let department = self.state.lines.get(&call).and_then(Line::department);
        let wrap_up = department.and_then(|id| self.rules.department(id)).map_or(0, |it| it.wrap_up_seconds.min(300));
        if let Some(line) = self.state.lines.get_mut(&call) {
            line.state = LineState::Connected { agent, since: now, wrap_up_ms: u64::from(wrap_up) * 1_000 };
        }
        if let Some(agent) = self.state.agents.get_mut(&agent) {
            agent.missed = 0;
        }
        self.touch(now, agent);
        self.set_load(now, agent, Load::OnCall(call));
        self.push(Output::Connect { offer: id, call, agent });
        Ok(())
    }

    /// Sticky routing remembers who answered a caller.
    pub(super) fn bind(&mut self, now: Millis, call: CallId, agent: AgentId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let (Some(department), Some(caller)) = (line.department(), line.caller.clone()) else { return };
        if self.rules.department(department).is_some_and(|it| it.sticky.is_some()) {
            self.remember(Event::Bound { department, caller, agent, at: now });
        }
    }

    pub(super) fn declined(&mut self, now: Millis, id: OfferId) -> Result<(), EngineError> {
        let agent = self.state.offers.get(&id).ok_or(EngineError::OfferEnded)?.agent;
        self.touch(now, agent);
        self.end_offer(now, id, Reason::Declined, Then::NextMember);
        Ok(())
    }

    /// The person who answered has no sound: the call goes back to the head of the line, and on to somebody else.
    pub(super) fn connect_failed(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.state.lines.get_mut(&call).ok_or(EngineError::UnknownCall)?;
        let LineState::Connected { agent, .. } = line.state else { return Err(EngineError::UnknownCall) };
        line.state = LineState::Choosing;
        let cell = Matrix::cell(line.row, cordboard_shared::agent::Verdict::Available);
        let tried = Tried { reason: Reason::NotReachable, cell, rang_ms: None };
        line.tried.insert(agent, tried.clone());
        let department = line.department();
        for decision in &mut line.open {
            if let Some(member) = decision.members.iter_mut().find(|it| it.agent == agent) {
                member.reason = Reason::NotReachable;
            }
            decision.then = Then::NextMember;
            let (call, decision) = (call, Box::new(decision.clone()));
            self.outputs.push_back(Output::Decided { call, decision });
        }
        if let Some(department) = department {
            self.join_queue(call, department);
        }
        self.dirty.lines.insert(call);
        self.set_load(now, agent, Load::Idle);
        self.after_call(agent);
        Ok(())
    }

    pub(super) fn caller_gone(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.state.lines.get(&call).ok_or(EngineError::UnknownCall)?;
        if !line.is_open() {
            return self.call_ended(now, call);
        }
        for offer in self.line_offers(call) {
            self.end_offer(now, offer, Reason::CallerHungUp, Then::CallerGone);
        }
        let mut open = self.state.lines.get_mut(&call).map(|line| std::mem::take(&mut line.open)).unwrap_or_default();
        if let Some(last) = open.last_mut()
            && last.then != Then::CallerGone
        {
            last.then = Then::CallerGone;
            self.push(Output::Decided { call, decision: Box::new(last.clone()) });
        }
        self.keep_place(now, call);
        self.leave_queue(call);
        let callback = self.state.lines.get(&call).and_then(|line| line.callback);
        self.drop_line(call);
        self.dirty.lines.remove(&call);
        if let Some(callback) = callback {
            self.callback_tried(now, callback);
        }
        Ok(())
    }

    pub(super) fn call_ended(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.state.lines.get(&call).ok_or(EngineError::UnknownCall)?;
        let LineState::Connected { agent, since, wrap_up_ms } = line.state else {
            return self.caller_gone(now, call);
        };
        let (department, callback) = (line.department(), line.callback);
        // There is no work after a call that did not come about.
        let wrap_up_ms = if callback.is_some() { 0 } else { wrap_up_ms };
        self.drop_line(call);
        if let Some(callback) = callback {
            self.callback_tried(now, callback);
        }
        if let Some(department) = department.filter(|_| callback.is_none()) {
            let took = now.since(since) + wrap_up_ms;
            let mean = self.state.handle_ms.entry(department).or_insert(took);
            *mean = (*mean * 7 + took) / 8;
        }
        if let Some(agent) = self.state.agents.get_mut(&agent) {
            agent.idle_since = now;
            agent.active_at = now;
            agent.extended = false;
        }
        if wrap_up_ms == 0 {
            self.set_load(now, agent, Load::Idle);
        } else {
            let until = now + wrap_up_ms;
            self.set_load(now, agent, Load::AfterCallWork(until));
            self.wake(until, Timer::WrapUp(agent));
        }
        self.after_call(agent);
        Ok(())
    }

    /// The person takes a waiting call: row 13.
    pub(super) fn take_waiting(&mut self, now: Millis, id: AgentId, call: CallId) -> Result<(), EngineError> {
        // Only a department's line is there to be taken from; who was dialed by name is not passed over.
        let takeable = |line: &&Line| line.is_open() && line.department().is_some();
        self.state.lines.get(&call).filter(takeable).ok_or(EngineError::UnknownCall)?;
        self.take(now, id, call, Row::TakeWaiting)
    }

    /// The person takes a call that rings at somebody else: row 12.
    pub(super) fn pick_up(&mut self, now: Millis, id: AgentId, call: CallId) -> Result<(), EngineError> {
        let rings = |line: &&Line| line.is_open() && line.offers().next().is_some();
        self.state.lines.get(&call).filter(rings).ok_or(EngineError::UnknownCall)?;
        self.take(now, id, call, Row::Pickup)
    }

    fn take(&mut self, now: Millis, id: AgentId, call: CallId, row: Row) -> Result<(), EngineError> {
        let agent = self.agent(id).ok_or(EngineError::UnknownAgent)?;
        let line = self.state.lines.get(&call).ok_or(EngineError::UnknownCall)?;
        if line.department().is_some_and(|department| !agent.member_of.contains(&department)) {
            return Err(EngineError::NotMember);
        }
        let judged = self.judge(agent, line.department(), row, &agent.blocked_by());
        if !judged.rings() {
            return Err(EngineError::NotAllowed(judged.layer));
        }
        for offer in self.line_offers(call) {
            self.end_offer(now, offer, Reason::AnsweredElsewhere, Then::Answered);
        }
        let taker = Candidate { agent: id, judged, standing: Standing::Free, worth_waiting: false };
        let line = self.state.lines.get(&call).ok_or(EngineError::UnknownCall)?;
        let others = self.candidates(now, line).0.into_iter().filter(|it| it.agent != id);
        let candidates: Vec<_> = std::iter::once(taker).chain(others).collect();
        self.decide(now, call, &candidates, &[id], 1, Then::Answered);
        let offer = OfferId::new(now, self.random());
        let lease = crate::offer::Offer::new(offer, call, id, judged, now, 0);
        self.state.offers.insert(offer, lease);
        self.accepted(now, offer)
    }

    pub(super) fn line_offers(&self, call: CallId) -> Vec<OfferId> {
        self.state.lines.get(&call).map(|line| line.offers().collect()).unwrap_or_default()
    }

    /// Takes an offer back. When it was the last one, the line is free to choose again.
    pub(super) fn end_offer(&mut self, now: Millis, id: OfferId, reason: Reason, then: Then) {
        let Some(offer) = self.state.offers.remove(&id) else { return };
        // The phone stops before anything else is said.
        self.push(Output::Withdraw { offer: id, call: offer.call, agent: offer.agent, reason });
        let tried = Tried { reason, cell: offer.cell.clone(), rang_ms: offer.rang_ms(now) };
        self.settle(offer.call, offer.agent, &tried, then);
        if let Some(line) = self.state.lines.get_mut(&offer.call) {
            line.tried.insert(offer.agent, tried);
            if let LineState::Offered(offers) = &mut line.state {
                offers.remove(&id);
                if offers.is_empty() {
                    line.state = LineState::Choosing;
                }
            }
            self.dirty.lines.insert(offer.call);
        }
        let missed = matches!(reason, Reason::MissedNoAnswer | Reason::CallerHungUp) && offer.counts_as_missed(now);
        if missed {
            self.missed(offer.agent);
        }
        self.set_load(now, offer.agent, Load::Idle);
    }

    /// One offer more missed in a row; at the limit the person is Away from this instant on.
    fn missed(&mut self, id: AgentId) {
        let limit = self.policy().settings.missed_limit;
        let Some(agent) = self.state.agents.get_mut(&id) else { return };
        agent.missed += 1;
        let on = agent.facts.toggle.state == cordboard_shared::agent::Toggle::On;
        if limit > 0 && agent.missed >= limit && on && agent.held_away.is_none() {
            agent.held_away = Some(Elapsed::Missed);
            self.dirty.less.insert(id);
            self.push(Output::Elapsed(id, Elapsed::Missed));
        }
    }

    fn settle(&mut self, call: CallId, agent: AgentId, tried: &Tried, then: Then) {
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        for decision in &mut line.open {
            ledger::settle(decision, agent, tried);
            // That a wave followed stays true when one of it is followed by somebody else.
            if (decision.then, then) != (Then::NextWave, Then::NextMember) {
                decision.then = then;
            }
            self.outputs.push_back(Output::Decided { call, decision: Box::new(decision.clone()) });
        }
    }
}
