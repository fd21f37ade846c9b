//! Places in line: who is next, how long it may take, and what of a place outlives the caller's leg.

use cordboard_shared::Millis;
use cordboard_shared::agent::Verdict;
use cordboard_shared::api::routing::{LineEntry, LineView};
use cordboard_shared::id::{CallId, DepartmentId};
use cordboard_shared::pii::Pii;

use super::Engine;
use super::clock::Timer;
use crate::command::Output;
use crate::event::{Event, Place};
use crate::line::{LineState, QueueKey};

/// Assumed until calls of a department have been measured: three minutes.
const HANDLE_MS: u64 = 180_000;
/// Least time between two announcements, in milliseconds.
const ANNOUNCE_LEAST_MS: u64 = 15_000;

impl Engine {
    /// The call stands in the queue of this department from now on, at its place.
    pub(super) fn join_queue(&mut self, call: CallId, department: DepartmentId) {
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        line.queued = Some(department);
        let (key, caller, callback) = (line.key(), line.caller.clone(), line.callback);
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
        // A caller who withholds the number cannot be known again: that place need not outlive the leg. A callback has its
        // own entry.
        if caller.is_some() && callback.is_none() {
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

    pub(super) fn remove_key(&mut self, department: DepartmentId, key: &QueueKey) {
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
        self.callbacks_after_start(now);
    }

    pub(super) fn begin_announcing(&mut self, now: Millis, call: CallId, department: DepartmentId) {
        let Some(department) = self.rules.department(department) else { return };
        let speaks = department.announce_seconds > 0 || department.callback;
        let line = self.state.lines.get_mut(&call).filter(|line| line.callback.is_none() && line.announce_at.is_none());
        if let Some(line) = line.filter(|_| speaks) {
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
                    callback: line.is_none_or(|it| it.callback.is_some()),
                }
            })
            .collect();
        let longest_ms = callers.iter().map(|it| it.waited_ms).max().unwrap_or(0);
        LineView { department, callers, longest_ms }
    }
}
