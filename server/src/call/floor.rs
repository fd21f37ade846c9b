//! What people see of the floor: calls that wait, ring or are parked in departments of their own.

use cordboard_shared::Millis;
use cordboard_shared::event::{FloorCall, FloorState, ServerMessage};
use cordboard_shared::id::{AgentId, CallId};

use super::record::Phase;
use super::{Audience, CallCenter, Effect, SocketId};

/// Shortest time between two messages about the floor, in milliseconds.
const TELL_EVERY_MS: u64 = 250;

impl CallCenter {
    /// A call as it stands on the floor; none while somebody has it.
    pub(super) fn floor_call(&self, id: CallId) -> Option<FloorCall> {
        let call = self.calls.get(&id)?;
        let outbound = call.view.direction == cordboard_shared::call::Direction::Outbound;
        let party = if outbound { &call.view.to } else { &call.view.from };
        let (state, agents, since, slot) = match (&call.phase, &call.parked) {
            (Phase::Parked, Some(parked)) => {
                (FloorState::Parked, vec![parked.by], parked.since, Some(parked.slot.to_string()))
            }
            (Phase::Routing, _) if !call.offers.is_empty() => {
                let agents = call.offers.values().copied().collect();
                (FloorState::Ringing, agents, call.queued_at.unwrap_or(call.view.started_at), None)
            }
            (Phase::Routing, _) if call.in_line => {
                (FloorState::Waiting, Vec::new(), call.queued_at.unwrap_or(call.view.started_at), None)
            }
            _ => return None,
        };
        Some(FloorCall {
            call: id,
            number: party.number.clone(),
            name: party.name.clone(),
            state,
            department: call.view.department,
            agents,
            slot,
            since,
        })
    }

    /// Whether this person may see, and take, a call of the floor.
    pub(super) fn sees_on_floor(&self, agent: AgentId, call: &FloorCall) -> bool {
        self.works_with(agent, call.department, &call.agents) || call.agents.contains(&agent)
    }

    /// What this person sees, the longest wait first.
    pub(super) fn floor_for(&self, agent: AgentId) -> Vec<FloorCall> {
        self.seen_of(&self.whole_floor(), agent)
    }

    /// Every call of the floor, the longest wait first.
    fn whole_floor(&self) -> Vec<FloorCall> {
        let mut calls: Vec<_> = self.calls.keys().filter_map(|id| self.floor_call(*id)).collect();
        calls.sort_by_key(|call| (call.since, call.call));
        calls
    }

    fn seen_of(&self, all: &[FloorCall], agent: AgentId) -> Vec<FloorCall> {
        // What rings oneself is no news.
        let own = |call: &FloorCall| call.state == FloorState::Ringing && call.agents == [agent];
        all.iter().filter(|call| self.sees_on_floor(agent, call) && !own(call)).cloned().collect()
    }

    pub(super) fn next_floor_news(&self) -> Option<Millis> {
        self.floor_changed.then(|| self.floor_told.map_or(Millis(0), |at| at + TELL_EVERY_MS))
    }

    /// Tells each panel what has changed on the floor, at most four times a second.
    pub(super) fn tell_floor(&mut self, now: Millis) {
        if self.next_floor_news().is_none_or(|at| at > now) {
            return;
        }
        self.floor_changed = false;
        self.floor_told = Some(now);
        let all = self.whole_floor();
        let sockets: Vec<(SocketId, AgentId)> = self.sockets.iter().map(|(id, it)| (*id, it.agent)).collect();
        for (socket, agent) in sockets {
            let calls = self.seen_of(&all, agent);
            let Some(known) = self.sockets.get_mut(&socket) else { continue };
            if known.floor == calls {
                continue;
            }
            known.floor.clone_from(&calls);
            let message = Box::new(ServerMessage::FloorChanged { calls });
            self.push(Effect::Live { to: Audience::Socket(socket), message });
        }
    }
}
