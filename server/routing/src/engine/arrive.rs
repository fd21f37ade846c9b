//! Calls at the door, in a department's line, and on the links of a fallback chain.

use cordboard_shared::Millis;
use cordboard_shared::call::CallCause;
use cordboard_shared::decision::{Decision, Reason, Then};
use cordboard_shared::department::{Condition, Department, Fallback, StickyMode};
use cordboard_shared::id::{AgentId, CallId, DepartmentId};
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::Settings;

use super::{Engine, Leg};
use crate::command::{Arrival, EngineError, Output, Target};
use crate::compiled;
use crate::event::{Callback, Event};
use crate::line::{Binding, Exhausted, Line, LineState};
use crate::matrix::Row;
use crate::schedule;
use crate::strategy::Candidate;

impl Engine {
    /// Whether a call may come in at all: the account, the block list, the lines.
    pub(super) fn call_offered(&mut self, now: Millis, call: CallId, caller: Option<&Pii<String>>) {
        if let Some(reason) = self.refusal(caller) {
            self.refuse(now, call, Row::Queue, reason);
            return self.push(Output::Refused { call, reason });
        }
        self.state.legs.insert(call, Leg::Inbound);
        self.push(Output::Admitted(call));
    }

    /// Why a call at the door may not come in.
    fn refusal(&self, caller: Option<&Pii<String>>) -> Option<Reason> {
        let settings = &self.state.durable.policy.settings;
        let blocked = caller.is_some_and(|caller| self.rules.is_blocked(&caller.0));
        let inbound = self.state.legs.values().filter(|leg| **leg == Leg::Inbound).count();
        let full = inbound_lines(settings).is_some_and(|lines| inbound >= lines);
        let refused = [
            (settings.suspended, Reason::AccountSuspended),
            (blocked, Reason::BlockedCaller),
            (full, Reason::NoLineFree),
        ];
        refused.into_iter().find(|(is, _)| *is).map(|(_, reason)| reason)
    }

    /// Writes down why a call was not routed at all.
    pub(super) fn refuse(&mut self, now: Millis, call: CallId, row: Row, reason: Reason) {
        let decision = Decision {
            step: 1,
            at: now,
            row: row.number(),
            department: None,
            strategy: "door".into(),
            policy_version: self.rules.version.clone(),
            state_version: self.position().to_string(),
            refused: Some(reason),
            slots: 0,
            members: Vec::new(),
            then: Then::Disconnect,
        };
        self.push(Output::Decided { call, decision: Box::new(decision) });
    }

    pub(super) fn call_arrived(&mut self, now: Millis, arrival: Arrival) -> Result<(), EngineError> {
        let Arrival { call, target, row, caller, priority, after } = arrival;
        if self.state.lines.contains_key(&call) {
            return Err(EngineError::UnknownCall);
        }
        let contact = caller.as_ref().and_then(|caller| self.rules.contact(&caller.0)).map_or(0, |it| it.priority);
        let mut line = Line::new(call, target, row, now);
        line.caller = caller;
        line.step = after;
        line.priority = priority.max(contact).min(9);
        match target {
            Target::Department(id) => {
                let department = self.rules.department(id).ok_or(EngineError::UnknownDepartment)?;
                line.chain.clone_from(&department.fallback);
                self.state.lines.insert(call, line);
                self.enter(now, call, id);
            }
            Target::Agent(id) => {
                self.agent(id).ok_or(EngineError::UnknownAgent)?;
                if let Row::FlowExtension | Row::DirectExtension | Row::Internal = row {
                    line.chain = vec![Fallback::Voicemail { mailbox: id.to_string() }];
                }
                self.state.lines.insert(call, line);
                self.name(call, id);
            }
        }
        self.dirty.lines.insert(call);
        Ok(())
    }

    /// The call joins the line of a department: everybody there may be tried.
    pub(super) fn enter(&mut self, now: Millis, call: CallId, id: DepartmentId) {
        self.leave_queue(call);
        let Some(department) = self.rules.department(id).cloned() else { return };
        let caller = self.state.lines.get(&call).and_then(|line| line.caller.clone());
        let kept = caller.as_ref().and_then(|caller| self.take_kept_place(id, caller, now));
        let place = kept.as_ref().map_or_else(|| self.state.durable.last_place + 1, |place| place.number);
        self.state.durable.last_place = self.state.durable.last_place.max(place);
        let first = self.first_link(now, call, &department);
        let binding = if first.is_none() { self.binding(now, &department, caller.as_ref()) } else { None };

        self.unname(call);
        if let Some(binding) = binding {
            self.name(call, binding.agent);
        }
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        line.forced = false;
        line.place = place;
        line.entered_at = now;
        line.since = kept.as_ref().map_or(now, |place| place.since);
        line.priority = line.priority.max(kept.as_ref().map_or(0, |place| place.priority));
        line.target = Target::Department(id);
        line.last_department = Some(id);
        line.visited.insert(id);
        line.tried.clear();
        line.told = None;
        line.announce_at = None;
        line.state = LineState::Choosing;
        line.binding = binding;
        line.row = match binding.map(|it| it.mode) {
            Some(StickyMode::Strict) => Row::StickyStrict,
            Some(StickyMode::Loose) => Row::StickyLoose,
            None => Row::Queue,
        };
        if binding.is_some_and(|it| it.mode == StickyMode::Strict) {
            line.chain = vec![compiled::strict_fallback(&department)];
        } else if line.chain.is_empty() {
            // A chain that ended by leading here goes on with what this department does when nobody answers.
            line.chain.clone_from(&department.fallback);
        }
        self.push(Output::Entered { call, department: id });
        match first {
            Some((links, closed)) => {
                if let Some(line) = self.state.lines.get_mut(&call) {
                    line.closed |= closed;
                    line.chain.splice(0..0, links);
                    line.forced = true;
                }
            }
            None => self.join_queue(call, id),
        }
        self.dirty.lines.insert(call);
    }

    /// Where the call goes before any strategy: closed hours, then the first condition that holds.
    fn first_link(&self, now: Millis, call: CallId, department: &Department) -> Option<(Option<Fallback>, bool)> {
        let zone = &self.policy().zone;
        if !schedule::clocked(&department.hours, zone, now).inside {
            return Some((department.closed.clone(), true));
        }
        let line = self.state.lines.get(&call)?;
        let usable = |link: &Fallback| self.is_usable(line, department.id, link);
        let condition =
            department.conditions.iter().find(|it| self.holds(now, it, line.caller.as_ref()) && usable(&it.then))?;
        Some((Some(condition.then.clone()), false))
    }

    fn holds(&self, now: Millis, condition: &Condition, caller: Option<&Pii<String>>) -> bool {
        let zone = &self.policy().zone;
        let in_time = condition.hours.as_ref().is_none_or(|hours| schedule::clocked(hours, zone, now).inside);
        let from_there = condition.prefixes.is_empty()
            || caller.is_some_and(|caller| condition.prefixes.iter().any(|prefix| caller.0.starts_with(prefix)));
        let contact = || caller.and_then(|caller| self.rules.contact(&caller.0));
        let known = condition.tags.is_empty()
            || contact().is_some_and(|contact| condition.tags.iter().any(|tag| contact.tags.contains(tag)));
        in_time && from_there && known
    }

    /// Whether a link of a chain leads anywhere for this call.
    fn is_usable(&self, line: &Line, from: DepartmentId, link: &Fallback) -> bool {
        match link {
            Fallback::Department { department } => {
                self.rules.by_slug(department).is_some_and(|id| id != from && !line.visited.contains(&id))
            }
            Fallback::Agent { agent } => self.state.agents.contains_key(agent),
            Fallback::Callback => line.caller.is_some(),
            Fallback::Voicemail { .. } | Fallback::Message { .. } | Fallback::Disconnect => true,
        }
    }

    /// The person this caller is bound to: assigned in the contacts, or remembered from the last answer.
    pub(super) fn binding(
        &self,
        now: Millis,
        department: &Department,
        caller: Option<&Pii<String>>,
    ) -> Option<Binding> {
        let caller = caller?;
        let assigned = self.rules.contact(&caller.0).and_then(|contact| contact.agent);
        let remembered = || {
            let memory = department.sticky.as_ref()?;
            let bound = self.state.durable.bound.get(&department.id)?.get(&caller.0)?;
            let fresh = now.since(bound.at) <= u64::from(memory.hours) * 3_600_000;
            // Who has left the department is not called back into it by its memory.
            let is_member = department.members.iter().any(|member| member.agent == bound.agent);
            (fresh && is_member).then_some(bound.agent)
        };
        let agent = assigned.or_else(remembered).filter(|agent| self.state.agents.contains_key(agent))?;
        let mode = department.sticky.as_ref().map_or(StickyMode::Loose, |sticky| sticky.mode);
        let wait = u64::from(self.policy().settings.reach.strict_wait_seconds.min(300)) * 1_000;
        Some(Binding { agent, mode, until: now + wait })
    }

    /// Takes the next link of the fallback chain; whether the engine has let go of the call.
    pub(super) fn fall_back(&mut self, now: Millis, call: CallId, candidates: &[Candidate]) -> bool {
        let Some(line) = self.state.lines.get_mut(&call) else { return true };
        if line.callback.is_some() {
            self.nobody_calls_back(now, call, candidates);
            return true;
        }
        let link = if line.chain.is_empty() { Fallback::Disconnect } else { line.chain.remove(0) };
        let Some(line) = self.state.lines.get(&call) else { return true };
        let from = line.department().unwrap_or_default();
        if !self.is_usable(line, from, &link) {
            return false;
        }
        let cause = line.cause();
        let (then, to) = match link {
            Fallback::Department { department } => {
                self.decide(now, call, candidates, &[], 0, Then::Department);
                if let Some(next) = self.rules.by_slug(&department) {
                    self.give_up_place(call);
                    self.enter(now, call, next);
                }
                return false;
            }
            Fallback::Agent { agent } => {
                self.decide(now, call, candidates, &[], 0, Then::Agent);
                self.give_up_place(call);
                self.leave_queue(call);
                self.unname(call);
                if let Some(line) = self.state.lines.get_mut(&call) {
                    line.forced = false;
                    line.target = Target::Agent(agent);
                    line.row = Row::Queue;
                    line.binding = None;
                    line.tried.clear();
                    line.state = LineState::Choosing;
                    line.entered_at = now;
                }
                self.name(call, agent);
                return false;
            }
            Fallback::Callback => {
                let steps = line.step + 1;
                self.keep_as_callback(now, call, steps);
                (Then::Callback, Exhausted::Callback)
            }
            Fallback::Voicemail { mailbox } => (Then::Voicemail, Exhausted::Voicemail { mailbox }),
            Fallback::Message { audio } => (Then::Message, Exhausted::Message { audio }),
            Fallback::Disconnect => (Then::Disconnect, Exhausted::Disconnect),
        };
        self.decide(now, call, candidates, &[], 0, then);
        self.let_go(call, to, cause);
        true
    }

    /// Notes that a call is for this person by name.
    pub(super) fn name(&mut self, call: CallId, agent: AgentId) {
        self.state.by_name.entry(agent).or_default().insert(call);
    }

    /// Forgets a call.
    pub(super) fn drop_line(&mut self, call: CallId) {
        self.unname(call);
        self.state.lines.remove(&call);
        if self.state.legs.get(&call) == Some(&Leg::Outbound) {
            self.state.legs.remove(&call);
            if self.policy().settings.lines.is_some() {
                // A callback may have waited for this line.
                self.callbacks_look();
            }
        }
    }

    /// Takes back that a call is for anybody by name.
    fn unname(&mut self, call: CallId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let target = match line.target {
            Target::Agent(agent) => Some(agent),
            Target::Department(_) => None,
        };
        for agent in target.into_iter().chain(line.binding.map(|it| it.agent)) {
            if let Some(calls) = self.state.by_name.get_mut(&agent) {
                calls.remove(&call);
                if calls.is_empty() {
                    self.state.by_name.remove(&agent);
                }
            }
        }
    }

    /// The engine lets go of a call that nobody took.
    pub(super) fn let_go(&mut self, call: CallId, to: Exhausted, cause: CallCause) {
        self.give_up_place(call);
        self.leave_queue(call);
        self.drop_line(call);
        self.push(Output::Exhausted { call, to, cause });
    }

    /// A directly dialed person cannot be rung, or did not answer: what the path says about that.
    pub(super) fn direct_end(
        &mut self,
        now: Millis,
        call: CallId,
        agent: AgentId,
        candidates: &[Candidate],
        reason: Reason,
    ) -> bool {
        let Some(line) = self.state.lines.get(&call) else { return true };
        let cause = line.cause();
        let (then, to) = match line.row {
            Row::BlindTransfer | Row::WarmTransfer | Row::Pickup => (Then::Refused, Exhausted::Refused { reason }),
            Row::Callback => {
                self.follow_up(now, call, agent);
                (Then::FollowUp, Exhausted::FollowUp { agent: Some(agent) })
            }
            Row::Queue
            | Row::AlwaysInclude
            | Row::StickyStrict
            | Row::StickyLoose
            | Row::FlowExtension
            | Row::DirectExtension
            | Row::Internal
            | Row::Emergency
            | Row::TakeWaiting
            | Row::OwnCallLeg
            | Row::Outbound
            | Row::VoicemailDelivery
            | Row::PersonalSim => return self.fall_back(now, call, candidates),
        };
        self.decide(now, call, candidates, &[], 0, then);
        self.let_go(call, to, cause);
        true
    }

    /// Puts a callback to one person onto the follow-up list, due now.
    fn follow_up(&mut self, now: Millis, call: CallId, agent: AgentId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let callback = Callback {
            call,
            number: line.caller.clone().unwrap_or_default(),
            department: None,
            agent: Some(agent),
            place: line.place,
            since: line.arrived_at,
            priority: line.priority,
            asked_at: line.arrived_at,
            due_at: Some(now),
            attempts: 0,
            again_at: None,
            steps: line.step,
        };
        self.remember(Event::CallbackAsked { callback });
        self.push(Output::CallbacksChanged);
    }
}

/// How many inbound calls may be at once; none is not limited (spec rows O4 to O6).
pub(super) fn inbound_lines(settings: &Settings) -> Option<usize> {
    let lines = settings.lines?;
    let percent = settings.inbound_percent.unwrap_or(if lines <= 4 { 50 } else { 20 }).min(100);
    let inbound = (lines * percent).div_ceil(100).min(lines);
    usize::try_from(inbound).ok()
}

/// How many outbound calls may be at once: the rest of the lines.
pub(super) fn outbound_lines(settings: &Settings) -> Option<usize> {
    let lines = usize::try_from(settings.lines?).ok()?;
    Some(lines.saturating_sub(inbound_lines(settings)?))
}
