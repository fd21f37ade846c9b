//! Deadlines. Each is run at its own instant, and carries what it is for.
//!
//! A deadline that no longer holds is left in the list and passed over when its time comes: nothing has to be cancelled.

use cordboard_shared::Millis;
use cordboard_shared::agent::{Apply, Toggle};
use cordboard_shared::decision::{Reason, Then};
use cordboard_shared::id::{AgentId, CallId, OfferId};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::agent::{DeviceKind, Load};
use crate::command::{Elapsed, Output};
use crate::event::Event;
use crate::line::LineState;
use crate::offer::OfferState;

/// The longest notice before inactivity ends a sign-in, in milliseconds.
const NOTICE_MS: u64 = 15 * 60_000;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Timer {
    /// An offer was not confirmed, or rang out.
    Offer(OfferId),
    /// After-call work is over.
    WrapUp(AgentId),
    /// Facts of a person read differently.
    Facts(AgentId),
    /// A person may have been inactive for too long.
    Inactivity(AgentId),
    /// A waiting call looks around: a need relaxes, its wait is over, its place is announced.
    Line(CallId),
    /// A kept place is given up.
    Place(CallId),
    /// A callback looks around: its pause is over, the department opens, a need relaxes.
    Callback(CallId),
    /// An emergency route begins or ends.
    Emergency,
}

impl Engine {
    /// When the engine wants to be called again, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.state.timers.first().map(|(at, _)| *at)
    }

    /// Arranges for a deadline. One that is past already comes at once, not in the past.
    pub(super) fn wake(&mut self, at: Millis, timer: Timer) {
        self.state.timers.insert((at.max(self.state.now), timer));
    }

    pub(super) fn run_deadlines(&mut self, now: Millis) {
        while let Some((at, _)) = self.state.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.state.now = self.state.now.max(at);
            while let Some((_, timer)) = self.state.timers.first().copied().filter(|(next, _)| *next == at) {
                self.state.timers.pop_first();
                self.run(at, timer);
            }
            self.advance_lines(at);
        }
    }

    fn run(&mut self, at: Millis, timer: Timer) {
        match timer {
            Timer::Offer(id) => {
                let due = self.state.offers.get(&id).filter(|offer| offer.deadline() <= at).map(|offer| offer.state);
                let reason = match due {
                    Some(OfferState::Unconfirmed { .. }) => Reason::DeviceDidNotConfirm,
                    Some(OfferState::Ringing { .. }) => Reason::MissedNoAnswer,
                    None => return,
                };
                self.end_offer(at, id, reason, Then::NextMember);
            }
            Timer::WrapUp(id) => {
                let over =
                    self.agent(id).is_some_and(|agent| matches!(agent.load, Load::AfterCallWork(until) if until <= at));
                if over {
                    self.rested(at, id);
                }
            }
            Timer::Facts(id) => self.facts_elapsed(at, id),
            Timer::Inactivity(id) => self.look_for_activity(at, id),
            Timer::Line(call) => self.line_looks(at, call),
            Timer::Place(call) => {
                let place = self.state.durable.places.get(&call);
                if place.is_some_and(|place| place.kept_until.is_some_and(|until| until <= at)) {
                    self.remember(Event::PlaceLeft { call });
                }
            }
            Timer::Callback(call) => self.callback_looks(at, call),
            Timer::Emergency => {
                self.dirty.less.extend(self.state.agents.keys());
                self.dirty.freed.extend(self.state.agents.keys());
            }
        }
    }

    /// Reads the person's facts again. What time alone did is reported, to be written down.
    pub(super) fn facts_elapsed(&mut self, now: Millis, id: AgentId) {
        let was_over = self.agent(id).is_some_and(|agent| agent.clocked.away_over);
        let changes = self.read_clock(now, id);
        let Some(agent) = self.state.agents.get(&id) else { return };
        let asks = !was_over && agent.clocked.away_over && agent.clocked.away;
        if asks {
            self.push(Output::AwayOver(id));
        }
        if changes.is_empty() {
            return;
        }
        for elapsed in changes {
            self.push(Output::Elapsed(id, elapsed));
        }
        // A ring that has begun goes on when a window ends; only who waits in vain is told.
        self.dirty.freed.insert(id);
        self.dirty.less.insert(id);
        self.push(Output::PresenceChanged(id));
    }

    /// Reads the clock for one person and arranges for the next reading.
    pub(super) fn read_clock(&mut self, now: Millis, id: AgentId) -> Vec<Elapsed> {
        let policy = &self.state.durable.policy;
        let rules = crate::agent::Rules {
            zone: &policy.zone,
            auto_return: policy.settings.auto_return,
            work_outside: policy.settings.reach.work_outside_slots,
        };
        let Some(agent) = self.state.agents.get_mut(&id) else { return Vec::new() };
        let changes = agent.read_clock(now, rules);
        if let Some(until) = agent.clocked.until {
            self.state.timers.insert((until, Timer::Facts(id)));
        }
        changes
    }

    /// Arranges for the next look at a person's activity. Activity itself only notes its time.
    pub(super) fn watch_activity(&mut self, id: AgentId) {
        let Some(limit) = self.inactivity_ms() else { return };
        let Some(agent) = self.state.agents.get(&id).filter(|agent| agent.panels > 0) else { return };
        let notice = notice_ms(limit);
        let after = if agent.warned { limit } else { limit - notice };
        let at = agent.active_at + after;
        self.wake(at, Timer::Inactivity(id));
    }

    fn inactivity_ms(&self) -> Option<u64> {
        let minutes = self.state.durable.policy.settings.inactivity_minutes;
        (minutes > 0).then(|| u64::from(minutes) * 60_000)
    }

    fn look_for_activity(&mut self, now: Millis, id: AgentId) {
        let Some(limit) = self.inactivity_ms() else { return };
        let Some(agent) = self.state.agents.get_mut(&id).filter(|agent| agent.panels > 0) else { return };
        if agent.devices.values().any(|kind| *kind == DeviceKind::Phone) {
            // A phone needs nobody at the screen: looked at again later, in case it goes.
            agent.active_at = now;
            agent.warned = false;
            return self.watch_activity(id);
        }
        if !matches!(agent.load, Load::Idle) {
            // A call in progress stops the clock; its end is activity.
            return;
        }
        let idle = now.since(agent.active_at);
        if idle >= limit {
            agent.active_at = now;
            agent.warned = false;
            if agent.facts.toggle.state == Toggle::On {
                agent.held_away = Some(Elapsed::Inactive);
                self.dirty.less.insert(id);
                self.push(Output::PresenceChanged(id));
            }
            self.push(Output::Elapsed(id, Elapsed::Inactive));
        } else if idle >= limit - notice_ms(limit) && !agent.warned {
            agent.warned = true;
            let at = agent.active_at + limit;
            self.push(Output::InactiveSoon(id, at));
        }
        self.watch_activity(id);
    }

    /// A waiting call looks around.
    fn line_looks(&mut self, now: Millis, call: CallId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        match line.state {
            LineState::Waiting | LineState::Offered(_) | LineState::Choosing => {}
            LineState::Connected { .. } => return,
        }
        self.dirty.lines.insert(call);
        if line.announce_at.is_some_and(|at| at <= now) {
            self.announce(now, call);
        }
    }

    /// After-call work is over.
    pub(super) fn rested(&mut self, now: Millis, id: AgentId) {
        if let Some(agent) = self.state.agents.get_mut(&id) {
            agent.idle_since = now;
            agent.extended = false;
        }
        self.set_load(now, id, Load::Idle);
    }

    /// The call after which an Away was to hold is over.
    pub(super) fn after_call(&mut self, id: AgentId) {
        let waits = self.agent(id).is_some_and(|agent| {
            let toggle = &agent.facts.toggle;
            toggle.state == Toggle::Away && toggle.apply == Apply::AfterCall
        });
        if waits {
            self.push(Output::Elapsed(id, Elapsed::AfterCall));
        }
    }
}

/// Notice before inactivity acts: a quarter of an hour, or half of a short limit.
fn notice_ms(limit: u64) -> u64 {
    NOTICE_MS.min(limit / 2)
}
