//! Places in line: who is next, how long it may take, and what of a place outlives the caller's leg.

use cordboard_shared::Millis;
use cordboard_shared::agent::Verdict;
use cordboard_shared::api::routing::{LineEntry, LineView};
use cordboard_shared::decision::Then;
use cordboard_shared::id::{CallId, DepartmentId};
use cordboard_shared::pii::Pii;

use super::Engine;
use super::clock::Timer;
use crate::agent::Load;
use crate::command::{EngineError, Output};
use crate::event::{Callback, Event, Place};
use crate::line::{Exhausted, Line, LineState, QueueKey};

/// Assumed until calls of a department have been measured: three minutes.
const HANDLE_MS: u64 = 180_000;
/// Least time between two announcements, in milliseconds.
const ANNOUNCE_LEAST_MS: u64 = 15_000;

impl Engine {
    /// The call stands in the queue of this department from now on, at its place.
    pub(super) fn join_queue(&mut self, call: CallId, department: DepartmentId) {
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        line.queued = Some(department);
        let (key, caller) = (line.key(), line.caller.clone());
        let place = Place {
            call,
            department,
            caller: caller.clone(),
            number: line.place,
            since: line.since,
            priority: line.priority,
            kept_until: None,
        };
        self.state.queues.entry(department).or_default().insert(key);
        // A caller who withholds the number cannot be known again: that place need not outlive the leg.
        if caller.is_some() {
            self.remember(Event::PlaceTaken { place });
        }
        self.push(Output::LineChanged(department));
    }

    pub(super) fn leave_queue(&mut self, call: CallId) {
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        let key = line.key();
        let Some(department) = line.queued.take() else { return };
        self.remove_key(department, &key);
    }

    fn remove_key(&mut self, department: DepartmentId, key: &QueueKey) {
        if let Some(queue) = self.state.queues.get_mut(&department) {
            queue.remove(key);
        }
        self.push(Output::LineChanged(department));
    }

    /// The place of a caller who redials the same department in time.
    pub(super) fn take_kept_place(
        &mut self,
        department: DepartmentId,
        caller: &Pii<String>,
        now: Millis,
    ) -> Option<Place> {
        let is_theirs = |place: &&Place| {
            place.department == department
                && place.caller.as_ref() == Some(caller)
                && place.kept_until.is_some_and(|until| now < until)
        };
        let place = self.state.durable.places.values().filter(is_theirs).min_by_key(|place| place.number)?.clone();
        self.remember(Event::PlaceLeft { call: place.call });
        Some(place)
    }

    /// Answered, or gone on to somewhere else: the place is free.
    pub(super) fn give_up_place(&mut self, call: CallId) {
        if self.state.durable.places.contains_key(&call) {
            self.remember(Event::PlaceLeft { call });
        }
    }

    /// The caller is gone: the place is kept for a redial.
    pub(super) fn keep_place(&mut self, now: Millis, call: CallId) {
        if !self.state.durable.places.contains_key(&call) {
            return;
        }
        let minutes = self.policy().settings.keep_place_minutes;
        if minutes == 0 {
            return self.give_up_place(call);
        }
        let until = now + u64::from(minutes) * 60_000;
        self.remember(Event::PlaceKept { call, until });
        self.wake(until, Timer::Place(call));
    }

    /// After a start no leg is left: every place is one to be kept, and callbacks stand in line again.
    pub(super) fn keep_places_after_start(&mut self, now: Millis) {
        let places: Vec<_> = self.state.durable.places.values().map(|place| (place.call, place.kept_until)).collect();
        for (call, kept_until) in places {
            match kept_until {
                Some(until) if until <= now => self.remember(Event::PlaceLeft { call }),
                Some(until) => self.wake(until, Timer::Place(call)),
                None => self.keep_place(now, call),
            }
        }
        let waiting: Vec<_> = self.state.durable.callbacks.values().filter(|it| it.due_at.is_none()).cloned().collect();
        for callback in waiting {
            if let Some(department) = callback.department {
                self.state.queues.entry(department).or_default().insert(key_of(&callback));
            }
        }
    }

    pub(super) fn begin_announcing(&mut self, now: Millis, call: CallId, department: DepartmentId) {
        let Some(department) = self.rules.department(department) else { return };
        let speaks = department.announce_seconds > 0 || department.callback;
        if let Some(line) = self.state.lines.get_mut(&call).filter(|line| speaks && line.announce_at.is_none()) {
            line.announce_at = Some(now);
            self.announce(now, call);
        }
    }

    /// Tells the caller their place and wait, and when to do so next.
    pub(super) fn announce(&mut self, now: Millis, call: CallId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let Some(department) = line.department().and_then(|id| self.rules.department(id)) else { return };
        let (id, every, callback) = (department.id, department.announce_seconds, department.callback);
        let offers_callback = callback && line.caller.is_some();
        let waiting = line.state == LineState::Waiting;
        let position = self.position_of(id, call).map(|place| line.told.map_or(place, |told| told.min(place)));
        let estimate_ms = position.and_then(|place| self.estimate_ms(id, place));
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        line.announce_at = (every > 0).then(|| now + (u64::from(every) * 1_000).max(ANNOUNCE_LEAST_MS));
        if let Some(position) = position.filter(|_| waiting) {
            line.told = Some(position);
            self.push(Output::Announce { call, position, estimate_ms, callback: offers_callback });
        }
    }

    /// Place in the line of the department, from 1; callbacks count.
    fn position_of(&self, department: DepartmentId, call: CallId) -> Option<u32> {
        let queue = self.state.queues.get(&department)?;
        let index = queue.iter().position(|key| key.call == call)?;
        u32::try_from(index + 1).ok()
    }

    /// Estimated wait at this place, from the present line: the people who serve it now, and how long calls have kept
    /// them lately. None when nobody could answer.
    fn estimate_ms(&self, department: DepartmentId, place: u32) -> Option<u64> {
        let ready = self.rules.departments.get(&department)?;
        let serves = |verdict: Verdict| verdict == Verdict::Available || verdict.is_load();
        let people = ready.department.members.iter().filter_map(|member| self.agent(member.agent));
        let serving = people.filter(|agent| serves(agent.verdict())).count();
        let handle = self.state.handle_ms.get(&department).copied().unwrap_or(HANDLE_MS).max(1_000);
        (serving > 0).then(|| handle * u64::from(place) / serving as u64)
    }

    /// The line of a department: who waits, at which place and for how long.
    pub fn line(&self, department: DepartmentId, now: Millis) -> LineView {
        let queue = self.state.queues.get(&department);
        let entries = queue.into_iter().flatten().zip(1_u32..);
        let callers: Vec<_> = entries
            .map(|(key, place)| {
                let line = self.state.lines.get(&key.call);
                let callback = self.state.durable.callbacks.get(&key.call);
                let position = line.and_then(|line| line.told).map_or(place, |told| told.min(place));
                let since = line.map(|it| it.since).or(callback.map(|it| it.since)).unwrap_or(now);
                LineEntry {
                    call: key.call,
                    from: line.and_then(|it| it.caller.clone()).or_else(|| callback.map(|it| it.number.clone())),
                    position,
                    waited_ms: now.since(since),
                    estimate_ms: self.estimate_ms(department, position),
                    callback: line.is_none(),
                }
            })
            .collect();
        let longest_ms = callers.iter().map(|it| it.waited_ms).max().unwrap_or(0);
        LineView { department, callers, longest_ms }
    }

    /// The caller presses the key: the leg goes, the place stays.
    pub(super) fn callback_asked(&mut self, now: Millis, call: CallId) -> Result<(), EngineError> {
        let line = self.state.lines.get(&call).filter(|line| line.is_open()).ok_or(EngineError::UnknownCall)?;
        let allowed = line.department().and_then(|id| self.rules.department(id)).is_some_and(|it| it.callback);
        if !allowed || line.caller.is_none() {
            return Err(EngineError::NotAllowed(Verdict::Available));
        }
        for offer in self.line_offers(call) {
            self.end_offer(now, offer, cordboard_shared::decision::Reason::CallerHungUp, Then::Callback);
        }
        let cause = self.state.lines.get(&call).map(Line::cause);
        let mut open = self.state.lines.get_mut(&call).map(|line| std::mem::take(&mut line.open)).unwrap_or_default();
        if let Some(last) = open.last_mut() {
            last.then = Then::Callback;
            self.push(Output::Decided { call, decision: Box::new(last.clone()) });
        }
        self.keep_as_callback(now, call);
        if let Some(cause) = cause {
            self.let_go(call, Exhausted::Callback, cause);
        }
        Ok(())
    }

    /// The entry stays in the queue, without its leg.
    pub(super) fn keep_as_callback(&mut self, now: Millis, call: CallId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let (Some(number), Some(department)) = (line.caller.clone(), line.last_department) else { return };
        let callback = Callback {
            call,
            number,
            department: Some(department),
            agent: None,
            place: line.place,
            since: line.since,
            priority: line.priority,
            asked_at: now,
            due_at: None,
        };
        self.leave_queue(call);
        self.state.queues.entry(department).or_default().insert(key_of(&callback));
        self.dirty.lines.insert(call);
        self.remember(Event::CallbackAsked { callback });
        self.push(Output::CallbacksChanged);
    }

    /// A callback's step: its turn has come when somebody who could take it is free. It has kept its place, so everybody
    /// before it has been looked at first.
    pub(super) fn callback_turn(&mut self, now: Millis, call: CallId) {
        let Some(callback) = self.state.durable.callbacks.get(&call).filter(|it| it.due_at.is_none()) else { return };
        let Some(ready) = callback.department.and_then(|id| self.rules.departments.get(&id)) else { return };
        let department = ready.department.id;
        let members = ready.department.members.iter().filter_map(|member| self.agent(member.agent));
        let free = members.filter(|it| it.load == Load::Idle && it.verdict() == Verdict::Available).count();
        let is_due = |it: &&Callback| it.department == Some(department) && it.due_at.is_some();
        let due = self.state.durable.callbacks.values().filter(is_due).count();
        // A due callback takes one free person's next turn, as the call itself would have.
        if due >= free {
            return;
        }
        let key = key_of(callback);
        self.remember(Event::CallbackDue { call, at: now });
        self.remove_key(department, &key);
        self.push(Output::CallbacksChanged);
    }

    pub(super) fn callback_done(&mut self, call: CallId) -> Result<(), EngineError> {
        let callback = self.state.durable.callbacks.get(&call).ok_or(EngineError::UnknownCall)?;
        let (department, key) = (callback.department, key_of(callback));
        if let Some(department) = department {
            self.remove_key(department, &key);
            let next = self.state.queues.get(&department).into_iter().flatten().map(|key| key.call);
            self.dirty.lines.extend(next);
        }
        self.remember(Event::CallbackDone { call });
        self.push(Output::CallbacksChanged);
        Ok(())
    }
}

fn key_of(callback: &Callback) -> QueueKey {
    QueueKey { behind: 9 - callback.priority.min(9), place: callback.place, call: callback.call }
}
