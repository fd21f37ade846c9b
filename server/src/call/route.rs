//! The engine's inputs and outputs: each input is traced, fed and drained; what it asks for is carried out in order.

use cordboard_routing::{EngineError, Input as Routing, Output};
use cordboard_shared::Millis;
use cordboard_shared::event::{LEASE_MS, Ring, ServerMessage};

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

    fn carry_out(&mut self, now: Millis, output: Output) {
        match output {
            Output::Admitted(call) => self.admitted(now, call),
            Output::Refused { call, reason } => self.refused(now, call, reason),
            Output::Offer { offer, call, agent, department, waited_ms, ring_ms, why } => {
                let Some(view) = self.calls.get(&call).map(|call| &call.view) else { return };
                let (from, name) = (view.from.number.clone(), view.from.name.clone());
                let ring = Ring { offer, call, from, name, department, waited_ms, why, ring_ms, lease_ms: LEASE_MS };
                self.start_ringing(now, RingingOffer { call, agent, ring, since: now, confirmed: false });
            }
            Output::Withdraw { offer, call, agent, reason } => self.stop_ringing(offer, call, agent, reason),
            Output::Connect { offer, call, agent } => self.connect(now, offer, call, agent),
            Output::Waiting { call, .. } => self.wait_in_line(call),
            Output::Announce { call, position, estimate_ms, callback } => {
                self.announce(now, call, position, estimate_ms, callback);
            }
            Output::Entered { call, department } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.view.department = Some(department);
                }
            }
            Output::Exhausted { call, to, cause } => self.nobody_left(now, call, to, cause),
            Output::Decided { call, decision } => self.push(Effect::SaveDecision(call, decision)),
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
