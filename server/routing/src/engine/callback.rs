//! Callbacks: entries of a line without a leg. They keep their place and jump nobody; when their turn comes, a call of
//! their own begins (row 10 of the matrix for a person the caller is bound to, else the department's strategy).
//!
//! Nothing is lost silently: what nobody takes, and whom nobody reaches, ends on the follow-up list.

use cordboard_shared::Millis;
use cordboard_shared::agent::Verdict;
use cordboard_shared::decision::{Reason, Then};
use cordboard_shared::department::StickyMode;
use cordboard_shared::id::{AgentId, CallId, DepartmentId};

use super::clock::Timer;
use super::{Engine, Leg};
use crate::agent::Load;
use crate::command::{CallingOut, EngineError, Output, Target};
use crate::compiled;
use crate::event::{Callback, Event};
use crate::line::{Binding, Exhausted, Line, QueueKey};
use crate::matrix::{Letter, Row};
use crate::schedule;
use crate::strategy::{Candidate, choose};

/// After so many calls that came to nothing a person has to see to it.
const MOST_ATTEMPTS: u32 = 3;
/// Between two of them, in milliseconds.
const AGAIN_MS: u64 = 5 * 60_000;

impl Engine {
    /// The caller presses the key: the leg goes, the place stays.
    pub(super) fn callback_asked(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.state.lines.get(&call).filter(|line| line.is_open()).ok_or(EngineError::UnknownCall)?;
        let allowed = line.department().and_then(|id| self.rules.department(id)).is_some_and(|it| it.callback);
        if !allowed || line.caller.is_none() || line.callback.is_some() {
            return Err(EngineError::NotAllowed(Verdict::Available));
        }
        for offer in self.line_offers(call) {
            self.end_offer(now, offer, Reason::CallerHungUp, Then::Callback);
        }
        let cause = self.state.lines.get(&call).map(Line::cause);
        let mut open = self.state.lines.get_mut(&call).map(|line| std::mem::take(&mut line.open)).unwrap_or_default();
        if let Some(last) = open.last_mut() {
            last.then = Then::Callback;
            self.push(Output::Decided { call, decision: Box::new(last.clone()) });
        }
        let steps = self.state.lines.get(&call).map_or(0, |line| line.step);
        self.keep_as_callback(now, call, steps);
        if let Some(cause) = cause {
            self.let_go(call, Exhausted::Callback, cause);
        }
        Ok(())
    }

    /// The entry stays in the queue, without its leg. The call has so many ledger entries.
    pub(super) fn keep_as_callback(&mut self, now: Millis, call: CallId, steps: u32) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let (Some(number), Some(department)) = (line.caller.clone(), line.last_department) else { return };
        let callback = Callback {
            call,
            number,
            department: Some(department),
            agent: line.binding.filter(|it| it.mode == StickyMode::Strict).map(|it| it.agent),
            place: line.place,
            since: line.since,
            priority: line.priority,
            asked_at: now,
            due_at: None,
            attempts: 0,
            again_at: None,
            steps,
        };
        self.leave_queue(call);
        self.stand(&callback);
        self.dirty.lines.insert(call);
        self.remember(Event::CallbackAsked { callback });
        self.push(Output::CallbacksChanged);
    }

    /// After a start callbacks stand in line again; a call that was being made for one never came to its end.
    pub(super) fn callbacks_after_start(&mut self, now: Millis) {
        let waiting: Vec<_> = self.state.durable.callbacks.values().filter(|it| it.due_at.is_none()).cloned().collect();
        for callback in waiting {
            match callback.again_at.filter(|at| *at > now) {
                Some(at) => self.wake(at, Timer::Callback(callback.call)),
                None => self.stand(&callback),
            }
        }
    }

    fn stand(&mut self, callback: &Callback) {
        let Some(department) = callback.department else { return };
        self.state.queues.entry(department).or_default().insert(key_of(callback));
        if let Some(agent) = callback.agent {
            self.state.called_back_by.entry(agent).or_default().insert(callback.call);
        }
    }

    fn step_out(&mut self, callback: &Callback) {
        if let Some(department) = callback.department {
            self.remove_key(department, &key_of(callback));
        }
        if let Some(agent) = callback.agent
            && let Some(calls) = self.state.called_back_by.get_mut(&agent)
        {
            calls.remove(&callback.call);
            if calls.is_empty() {
                self.state.called_back_by.remove(&agent);
            }
        }
    }

    /// Whether it stands in line without a call of its own.
    pub(super) fn stands(&self, callback: &Callback) -> bool {
        let queue = callback.department.and_then(|id| self.state.queues.get(&id));
        callback.due_at.is_none() && queue.is_some_and(|queue| queue.contains(&key_of(callback)))
    }

    /// Other numbers can be called from now on, or none.
    pub(super) fn calling_out(&mut self, open: CallingOut) {
        if self.state.calling_out != open {
            self.state.calling_out = open;
            self.callbacks_look();
        }
    }

    /// All callbacks in line look around.
    pub(super) fn callbacks_look(&mut self) {
        let waiting = self.state.durable.callbacks.values().filter(|it| self.stands(it)).map(|it| it.call);
        let waiting: Vec<_> = waiting.collect();
        self.dirty.lines.extend(waiting);
    }

    /// A callback's own deadline has come.
    pub(super) fn callback_looks(&mut self, now: Millis, call: CallId) {
        let Some(callback) = self.state.durable.callbacks.get(&call).filter(|it| it.due_at.is_none()) else { return };
        let callback = callback.clone();
        let rests = callback.again_at.is_some_and(|at| at > now);
        let tried = self.state.lines.values().any(|line| line.callback == Some(call));
        if rests || tried {
            return;
        }
        self.stand(&callback);
        self.dirty.lines.insert(call);
    }

    /// A callback's step: its turn has come when somebody who may be rung for it is free. It has kept its place, so
    /// everybody before it has been looked at first.
    pub(super) fn callback_turn(&mut self, now: Millis, call: CallId) {
        let Some(callback) = self.state.durable.callbacks.get(&call).filter(|it| self.stands(it)).cloned() else {
            return;
        };
        let Some(department) = callback.department.filter(|id| self.rules.department(*id).is_some()) else { return };
        if !self.state.calling_out.reaches(&callback.number.0) {
            return self.turn_by_hand(now, &callback, department);
        }
        let held = self.state.calling_out.paused || self.policy().settings.suspended;
        if held || !self.is_open_now(now, call, department) || self.outbound_full() {
            return;
        }
        let line = self.line_of_callback(now, &callback, department);
        let (candidates, slots) = self.candidates(now, &line);
        let choice = choose(&candidates, slots);
        if !choice.ring.is_empty() {
            return self.call_back(now, &callback, line, department);
        }
        let bound = line.binding.filter(|it| it.mode == StickyMode::Strict);
        let refused = bound.is_some_and(|bound| {
            candidates.iter().any(|it| it.agent == bound.agent && it.judged.letter == Letter::FollowUp)
        });
        if refused {
            // Row 10: the person it is for is blocked.
            return self.put_aside(now, &callback, &line, &candidates);
        }
        let relaxes =
            self.rules.department(department).and_then(|it| compiled::next_relax(it, now.since(line.entered_at)));
        if let Some(after) = relaxes {
            self.wake(line.entered_at + after, Timer::Callback(call));
        }
    }

    /// Nothing can be dialed for it: it comes due on the follow-up list, and takes one free person's next turn, as the
    /// call itself would have.
    fn turn_by_hand(&mut self, now: Millis, callback: &Callback, department: DepartmentId) {
        let Some(rules) = self.rules.department(department) else { return };
        let members = rules.members.iter().filter_map(|member| self.agent(member.agent));
        let free = members.filter(|it| it.load == Load::Idle && it.verdict() == Verdict::Available).count();
        let is_due = |it: &&Callback| it.department == Some(department) && it.due_at.is_some();
        let due = self.state.durable.callbacks.values().filter(is_due).count();
        if due < free {
            self.is_due(now, callback);
        }
    }

    fn is_due(&mut self, now: Millis, callback: &Callback) {
        self.step_out(callback);
        self.remember(Event::CallbackDue { call: callback.call, at: now });
        self.push(Output::CallbacksChanged);
    }

    /// Whether the department is open; when it is not, the callback looks again when that changes.
    fn is_open_now(&mut self, now: Millis, call: CallId, department: DepartmentId) -> bool {
        let Some(rules) = self.rules.department(department) else { return false };
        let clocked = schedule::clocked(&rules.hours, &self.policy().zone, now);
        if let Some(at) = clocked.changes_at.or(clocked.recheck_at).filter(|_| !clocked.inside) {
            self.wake(at, Timer::Callback(call));
        }
        clocked.inside
    }

    fn outbound_full(&self) -> bool {
        let outbound = self.state.legs.values().filter(|leg| **leg == Leg::Outbound).count();
        super::arrive::outbound_lines(&self.policy().settings).is_some_and(|lines| outbound >= lines)
    }

    /// The call as it would be made now.
    fn line_of_callback(&self, now: Millis, callback: &Callback, department: DepartmentId) -> Line {
        let strict = callback.agent.filter(|id| self.agent(*id).is_some());
        let strict = strict.map(|agent| Binding { agent, mode: StickyMode::Strict, until: now });
        // Who was bound to nobody when they asked waits for nobody: a memory of since then is a wish, not a condition.
        let known = || self.binding(now, self.rules.department(department)?, Some(&callback.number));
        let binding = strict.or_else(|| known().map(|known| Binding { mode: StickyMode::Loose, ..known }));
        let row = if binding.is_some() { Row::Callback } else { Row::Queue };
        let mut line = Line::new(callback.call, Target::Department(department), row, now);
        line.caller = Some(callback.number.clone());
        line.priority = callback.priority;
        line.place = callback.place;
        line.since = callback.since;
        // What relaxes with the wait has relaxed for them as for anybody who stayed on the line.
        line.entered_at = callback.since;
        line.last_department = Some(department);
        line.binding = binding;
        line.callback = Some(callback.call);
        line
    }

    /// Its turn has come: a call of its own begins, at its place.
    fn call_back(&mut self, now: Millis, callback: &Callback, mut line: Line, department: DepartmentId) {
        let call = CallId::new(now, self.random());
        self.step_out(callback);
        line.call = call;
        line.queued = Some(department);
        self.state.queues.entry(department).or_default().insert(line.key());
        self.state.legs.insert(call, Leg::Outbound);
        if let Some(binding) = line.binding {
            self.name(call, binding.agent);
        }
        self.state.lines.insert(call, line);
        self.push(Output::CallBack {
            call,
            callback: callback.call,
            number: callback.number.clone(),
            department,
            attempt: callback.attempts + 1,
        });
        self.advance(now, call);
    }

    /// The person a callback is for may not be rung: it goes onto the follow-up list, and the call that asked for it gets
    /// the entry that says why.
    fn put_aside(&mut self, now: Millis, callback: &Callback, line: &Line, candidates: &[Candidate]) {
        let mut entry = self.entry(now, line, candidates, &[], 0, Then::FollowUp);
        entry.step = callback.steps + 1;
        self.push(Output::Decided { call: callback.call, decision: Box::new(entry) });
        self.is_due(now, callback);
    }

    /// Nobody takes the call that was to be made: onto the follow-up list.
    pub(super) fn nobody_calls_back(&mut self, now: Millis, call: CallId, candidates: &[Candidate]) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let (cause, agent, callback) = (line.cause(), line.binding.map(|it| it.agent), line.callback);
        self.decide(now, call, candidates, &[], 0, Then::FollowUp);
        if let Some(line) = self.state.lines.get_mut(&call) {
            line.callback = None;
        }
        if let Some(callback) = callback.and_then(|id| self.state.durable.callbacks.get(&id)).cloned() {
            self.is_due(now, &callback);
        }
        self.let_go(call, Exhausted::FollowUp { agent }, cause);
    }

    /// A call that was made for it is over, and its caller was not reached.
    pub(super) fn callback_tried(&mut self, now: Millis, call: CallId) {
        let Some(callback) = self.state.durable.callbacks.get(&call).filter(|it| it.due_at.is_none()).cloned() else {
            return;
        };
        if self.state.calling_out.paused {
            // We stopped, not they: its place is as it was.
            self.stand(&callback);
            return;
        }
        let attempts = callback.attempts + 1;
        let again_at = (attempts < MOST_ATTEMPTS).then(|| now + AGAIN_MS);
        self.remember(Event::CallbackTried { call, attempts, again_at });
        match again_at {
            Some(at) => self.wake(at, Timer::Callback(call)),
            None => self.remember(Event::CallbackDue { call, at: now }),
        }
        self.push(Output::CallbacksChanged);
    }

    pub(super) fn callback_done(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let callback = self.state.durable.callbacks.get(&call).ok_or(EngineError::UnknownCall)?.clone();
        self.step_out(&callback);
        if let Some(department) = callback.department {
            let next = self.state.queues.get(&department).into_iter().flatten().map(|key| key.call);
            self.dirty.lines.extend(next);
        }
        self.remember(Event::CallbackDone { call });
        self.push(Output::CallbacksChanged);
        let made = self.state.lines.values_mut().find(|line| line.callback == Some(call));
        if let Some(line) = made {
            line.callback = None;
            let (made, who) = (line.call, line.connected());
            match who {
                // The caller is there.
                Some(agent) => self.bind(now, made, agent),
                // Somebody else has seen to it.
                None => self.call_off(now, made),
            }
        }
        Ok(())
    }

    /// The call is not to be made any more.
    fn call_off(&mut self, now: Millis, call: CallId) {
        for offer in self.line_offers(call) {
            self.end_offer(now, offer, Reason::AnsweredElsewhere, Then::Disconnect);
        }
        if let Some(cause) = self.state.lines.get(&call).map(Line::cause) {
            self.let_go(call, Exhausted::Disconnect, cause);
        }
    }

    /// Callbacks in line that are for this person, in whichever line.
    pub(super) fn called_back_by(&self, agent: AgentId) -> impl Iterator<Item = CallId> + '_ {
        self.state.called_back_by.get(&agent).into_iter().flatten().copied()
    }
}

fn key_of(callback: &Callback) -> QueueKey {
    QueueKey { behind: 9 - callback.priority.min(9), place: callback.place, call: callback.call }
}
