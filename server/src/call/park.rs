//! The park, and taking and moving calls: by colleagues, and to other devices of one's own.

use cordboard_routing::{Input as Routing, Row};
use cordboard_shared::call::{CallState, StepKind};
use cordboard_shared::event::TransferMode;
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::CallCenter;
use super::device::Device;
use super::handover::Transfer;
use super::panel::{call_ended, engine_problem, no_such_device};
use super::record::Phase;

/// A parked call goes back to the one who parked it after so long, in milliseconds.
const PARK_MS: u64 = 180_000;
/// The places of the park.
pub(super) const SLOTS: std::ops::RangeInclusive<u16> = 701..=720;

/// A call in the park.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) slot: u16,
    pub(super) by: AgentId,
    pub(super) since: Millis,
}

impl CallCenter {
    pub(super) fn park(&mut self, now: Millis, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        self.to_be_handed(agent, id)?;
        let taken: Vec<_> = self.calls.values().filter_map(|call| Some(call.parked.as_ref()?.slot)).collect();
        let full = || Problem::new(ProblemCode::CannotTransfer, "Every place of the park is taken.");
        let slot = SLOTS.into_iter().find(|slot| !taken.contains(slot)).ok_or_else(full)?;
        self.let_go(now, id, agent);
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Parked;
            call.transfer = None;
            call.parked = Some(Parked { slot, by: agent, since: now });
            call.deadline = Some(now + PARK_MS);
            call.step(now, StepKind::Parked, Some(agent), Some(slot.to_string()));
        }
        self.music(id);
        self.publish(id);
        Ok(json!({ "slot": slot.to_string() }))
    }

    /// Nobody has taken it from the park.
    pub(super) fn park_timeout(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(parked) = call.parked.take() else { return };
        call.transfer = Some(Transfer {
            mode: TransferMode::Blind,
            to: parked.slot.to_string(),
            by: parked.by,
            consult: None,
            answered: false,
            returns: false,
        });
        self.come_back(now, id);
    }

    /// The call parked there.
    pub(super) fn parked_at(&self, slot: &str) -> Option<CallId> {
        let slot = slot.parse::<u16>().ok()?;
        self.calls.iter().find(|(_, call)| call.parked.as_ref().is_some_and(|it| it.slot == slot)).map(|(id, _)| *id)
    }

    /// Takes a call from the park, the line, or a colleague it rings at.
    pub(super) fn take(&mut self, now: Millis, device: Device, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        let floor = self.floor_call(id).filter(|call| self.sees_on_floor(agent, call)).ok_or_else(call_ended)?;
        let before = self.calls.get_mut(&id).and_then(|call| call.desk.replace(device));
        let undo = |center: &mut Self, error| {
            if let Some(call) = center.calls.get_mut(&id) {
                call.desk = before;
            }
            engine_problem(error)
        };
        match floor.state {
            cordboard_shared::event::FloorState::Parked => {
                let after = self.calls.get(&id).map_or(0, |call| call.decided);
                let own = Routing::OwnCall { agent, call: id, row: Row::OwnCallLeg, entry_of: None, after };
                self.try_route(now, own).map_err(|error| undo(self, error))?;
                if let Some(call) = self.calls.get_mut(&id) {
                    let slot = call.parked.take().map(|it| it.slot.to_string());
                    call.routed = id;
                    call.in_engine = true;
                    call.step(now, StepKind::Retrieved, Some(agent), slot);
                }
                self.has_taken(now, id, agent);
            }
            cordboard_shared::event::FloorState::Waiting => {
                let routed = self.calls.get(&id).map_or(id, |call| call.routed);
                self.try_route(now, Routing::TakeWaiting(agent, routed)).map_err(|error| undo(self, error))?;
            }
            cordboard_shared::event::FloorState::Ringing => {
                let routed = self.calls.get(&id).map_or(id, |call| call.routed);
                self.try_route(now, Routing::PickUp(agent, routed)).map_err(|error| undo(self, error))?;
                self.step(now, id, StepKind::PickedUp, Some(agent));
                self.publish(id);
            }
        }
        Ok(json!({ "call": id }))
    }

    /// The person has the call from here on; the sound of the device follows.
    fn has_taken(&mut self, now: Millis, id: CallId, agent: AgentId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.phase = Phase::Connecting;
        call.deadline = Some(now + super::SOUND_WAIT_MS);
        call.joined_at = Some(now);
        call.view.agent = Some(agent);
        call.view.state = CallState::Connected;
        call.view.cause = None;
        self.publish(id);
        self.try_join(id);
    }

    /// Brings the sound to a phone of one's own.
    pub(super) fn move_to(&mut self, now: Millis, agent: AgentId, id: CallId, name: &str) -> Result<Value, Problem> {
        self.call_of(agent, id).filter(|call| call.view.agent == Some(agent)).ok_or_else(call_ended)?;
        let device = self.device_named(agent, name).ok_or_else(no_such_device)?;
        match device {
            Device::Tab(_) | Device::Outside => {
                let detail = "A tab takes a call to itself: press Move here in it.";
                return Err(Problem::new(ProblemCode::InvalidField, detail).with("pointer", "/device"));
            }
            Device::Phone(_) => drop(self.call_device(now, id, device, agent, None)),
            Device::Mobile(_) => {
                let number = self.mobile_of(agent).ok_or_else(no_such_device)?;
                self.may_go_out(now, &number)?;
                self.call_device(now, id, device, agent, Some(number));
            }
        }
        Ok(json!({}))
    }
}
