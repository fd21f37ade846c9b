//! Live sockets: their devices, and what each sees first.

use cordboard_routing::{DeviceId, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::event::{DeviceState, Hello, Ring, ServerMessage, Snapshot};
use cordboard_shared::id::{AgentId, SessionId};

use super::record::Phase;
use super::{Audience, CallCenter, Effect, SocketId};

/// A tab of a signed-in person.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) agent: AgentId,
    pub(super) session: SessionId,
    can_ring: bool,
    /// When the engine last heard that the person does something here.
    active_at: Option<Millis>,
}

/// Activity is told to the engine at most so often, in milliseconds: it counts in minutes.
const ACTIVE_EVERY_MS: u64 = 10_000;

impl CallCenter {
    pub(super) fn socket_opened(
        &mut self,
        now: Millis,
        socket: SocketId,
        agent: AgentId,
        session: SessionId,
        _hello: &Hello,
    ) {
        self.sockets.insert(socket, Socket { agent, session, can_ring: false, active_at: None });
        self.route(now, Routing::PanelOpened(agent));
        if let Some(snapshot) = self.snapshot(now, agent) {
            let message = Box::new(ServerMessage::Snapshot(Box::new(snapshot)));
            self.push(Effect::Live { to: Audience::Socket(socket), message });
        }
        self.tell_queues_to(socket, agent, now);
    }

    pub(super) fn socket_closed(&mut self, now: Millis, socket: SocketId) {
        let Some(gone) = self.sockets.remove(&socket) else { return };
        if gone.can_ring {
            self.route(now, Routing::DeviceGone(gone.agent, DeviceId(socket.0)));
        }
        self.route(now, Routing::PanelClosed(gone.agent));
        // Whatever its sound does, nobody can steer it any more: the person's other tabs may take it.
        let talks = |call: &super::record::Call| call.desk == Some(socket) && call.phase == Phase::Connected;
        let calls: Vec<_> = self.calls.iter().filter(|(_, call)| talks(call)).map(|(id, _)| *id).collect();
        for id in calls {
            if let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&socket)) {
                desk.up = false;
            }
            self.show(id);
        }
    }

    /// The person has done something in this tab.
    pub(super) fn person_active(&mut self, now: Millis, socket: SocketId) {
        let Some(known) = self.sockets.get_mut(&socket) else { return };
        if known.active_at.is_some_and(|at| now.since(at) < ACTIVE_EVERY_MS) {
            return;
        }
        known.active_at = Some(now);
        let agent = known.agent;
        self.route(now, Routing::Active(agent));
    }

    pub(super) fn device_changed(&mut self, now: Millis, socket: SocketId, state: &DeviceState) {
        let Some(known) = self.sockets.get_mut(&socket) else { return };
        let can_ring = state.can_ring();
        if known.can_ring == can_ring {
            return;
        }
        known.can_ring = can_ring;
        let (agent, device) = (known.agent, DeviceId(socket.0));
        let input = if can_ring {
            Routing::DeviceReady(agent, device, cordboard_routing::DeviceKind::Browser)
        } else {
            Routing::DeviceGone(agent, device)
        };
        self.route(now, input);
    }

    /// Sockets of a sign-in that has ended.
    pub fn sockets_of(&self, session: SessionId) -> Vec<SocketId> {
        self.sockets.iter().filter(|(_, socket)| socket.session == session).map(|(id, _)| *id).collect()
    }

    /// Everything a person sees at first.
    fn snapshot(&self, now: Millis, id: AgentId) -> Option<Snapshot> {
        let me = self.directory.agents.get(&id)?.clone();
        let visible = |other: AgentId| self.directory.may_see(id, other);
        Some(Snapshot {
            presence: self.engine.presence(id)?,
            agents: self.directory.agents.values().cloned().collect(),
            presences: self
                .engine
                .agents()
                .filter(|agent| visible(agent.id))
                .filter_map(|agent| self.engine.presence(agent.id))
                .collect(),
            departments: self
                .directory
                .departments
                .iter()
                .filter(|it| me.role.is_admin() || self.directory.works_in(id, it.id))
                .cloned()
                .collect(),
            numbers: self.directory.numbers.clone(),
            policy: self.directory.is_staff(id).then(|| Box::new(self.engine.policy().clone())),
            away_reasons: self.engine.policy().settings.away_reasons.clone(),
            floor: Vec::new(),
            devices: Vec::new(),
            dispositions: Vec::new(),
            offers: self
                .offers
                .values()
                .filter(|it| it.agent == id)
                .map(|it| rest_of(&it.ring, it.since, now))
                .collect(),
            calls: self
                .calls
                .values()
                .filter(|call| {
                    call.view.agent == Some(id) && matches!(call.phase, Phase::Connecting | Phase::Connected)
                })
                .map(super::record::Call::live)
                .collect(),
            zone: self.directory.zone.clone(),
            as_of: now,
            me,
        })
    }
}

/// The ring as a tab sees it that joins late.
fn rest_of(ring: &Ring, since: Millis, now: Millis) -> Ring {
    let rung = now.since(since);
    Ring { ring_ms: ring.ring_ms.saturating_sub(rung), waited_ms: ring.waited_ms + rung, ..ring.clone() }
}
