//! The engine's inputs and outputs: each input is traced, fed and drained; what it asks for is carried out in order.

use cordboard_routing::{Arrival, EngineError, Input as Routing, Output, Row, Target};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, Direction, EndedBy};
use cordboard_shared::event::{LEASE_MS, Ring, ServerMessage};
use cordboard_shared::id::CallId;

use super::record::Phase;
use super::ring::RingingOffer;
use super::{Audience, CallCenter, Effect};

impl CallCenter {
    /// Feeds the engine and carries out what it says.
    pub(super) fn route(&mut self, now: Millis, input: Routing) {
        if let Err(error) = self.try_route(now, input) {
            self.push(Effect::Note { call: None, text: format!("the engine refused an input: {error}") });
        }
    }

    /// The same, for callers who can do something about a refusal.
    ///
    /// An input that follows from an output is fed at once, and its own outputs are carried out after those that are
    /// already there: the engine is always drained before it hears something new, and the order stays its own.
    pub(super) fn try_route(&mut self, now: Millis, input: Routing) -> Result<(), EngineError> {
        if input != Routing::Timeout {
            self.push(Effect::Trace(now, Box::new(input.clone())));
        }
        let result = self.engine.handle_input(now, input);
        self.carry_on(now);
        result
    }

    /// Drains the engine and carries out what is there, unless that is being done already.
    pub(super) fn carry_on(&mut self, now: Millis) {
        loop {
            match self.engine.poll_output() {
                Output::Timeout(_) => break,
                output => self.outputs.push_back(output),
            }
        }
        if !self.carrying_out {
            self.carrying_out = true;
            while let Some(output) = self.outputs.pop_front() {
                self.carry_out(now, output);
            }
            self.carrying_out = false;
            self.publish_changed();
        }
    }

    /// Hands the call to the engine: to a department's line, or to one person.
    pub(super) fn hand_to_engine(&mut self, now: Millis, id: CallId, target: Target, row: Row) {
        let caller = self.caller_of(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let before = std::mem::replace(&mut call.phase, Phase::Routing);
        call.view.state = CallState::Waiting;
        call.deadline = None;
        call.play = None;
        call.in_line = false;
        call.in_engine = true;
        call.queued_at = Some(now);
        call.routed = id;
        let arrival = Arrival { call: id, target, row, caller, priority: 0, after: call.decided };
        if self.try_route(now, Routing::CallArrived(arrival)).is_err() {
            // The engine never had it, so there is nothing to take back from it.
            if let Some(call) = self.calls.get_mut(&id) {
                call.phase = before;
                call.in_engine = false;
            }
            self.hang_up(now, id, EndedBy::System, 480);
        }
    }

    /// The call the engine means: it may know one by the id of the consultation that led to it.
    fn meant(&self, call: CallId) -> CallId {
        self.routes.get(&call).copied().unwrap_or(call)
    }

    fn carry_out(&mut self, now: Millis, output: Output) {
        match output {
            Output::Admitted(call) => self.admitted(now, call),
            Output::Refused { call, reason } => self.refused(now, call, reason),
            Output::CallBack { call, callback, number, department, attempt } => {
                self.call_back(now, call, callback, &number, department, attempt);
            }
            Output::Offer { offer, call, agent, department, waited_ms, ring_ms, why } => {
                let call = self.meant(call);
                let Some(view) = self.calls.get(&call).map(|call| &call.view) else { return };
                let callback = self.is_to_be_dialed(call);
                let party = if view.direction == Direction::Outbound { &view.to } else { &view.from };
                let (from, name) = (party.number.clone(), party.name.clone());
                let lease_ms = LEASE_MS;
                let ring = Ring { offer, call, from, name, department, waited_ms, why, ring_ms, lease_ms, callback };
                self.start_ringing(now, RingingOffer { call, agent, ring, since: now, confirmed: false });
            }
            Output::Withdraw { offer, call, agent, reason } => {
                self.stop_ringing(offer, self.meant(call), agent, reason);
            }
            Output::Connect { offer, call, agent } => self.connect(now, offer, self.meant(call), agent),
            Output::Waiting { call, .. } => self.wait_in_line(self.meant(call)),
            Output::Announce { call, position, estimate_ms, callback } => {
                self.announce(now, call, position, estimate_ms, callback);
            }
            Output::Entered { call, department } => {
                let call = self.meant(call);
                if let Some(call) = self.calls.get_mut(&call) {
                    call.view.department = Some(department);
                }
            }
            Output::Exhausted { call, to, cause } => self.nobody_left(now, self.meant(call), to, cause),
            Output::Decided { call, decision } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.decided = call.decided.max(decision.step);
                }
                self.push(Effect::SaveDecision(call, decision));
            }
            Output::Remember(event) => self.push(Effect::Remember(event)),
            Output::Elapsed(agent, what) => self.elapsed(agent, what),
            Output::InactiveSoon(agent, at) => self.tell_agent(agent, ServerMessage::SignOutSoon { at }),
            Output::AwayOver(agent) => self.tell_agent(agent, ServerMessage::AwayOver {}),
            Output::PresenceChanged(agent) => {
                self.push(Effect::PresenceChanged(agent));
                self.queues_of_changed(agent);
            }
            Output::LineChanged(department) => self.queue_changed(department),
            Output::CallbacksChanged => {
                let message = Box::new(ServerMessage::CallbacksChanged {});
                self.push(Effect::Live { to: Audience::Everybody, message });
            }
            Output::Timeout(_) => {}
        }
    }

    /// Calls whose ringing has changed are written and shown once, however many rings that were.
    fn publish_changed(&mut self) {
        for id in std::mem::take(&mut self.changed) {
            if self.calls.get(&id).is_some_and(|call| !call.is_over()) {
                self.publish(id);
            }
        }
    }
}
