//! Live sockets: their devices, and what each sees first.

use cordboard_routing::{DeviceId, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::event::{DeviceState, FloorCall, Hello, Ring, ServerMessage, Snapshot};
use cordboard_shared::id::{AgentId, SessionId};

use super::device::Device;
use super::record::Phase;
use super::{Audience, CallCenter, Effect, SocketId};

/// A tab of a signed-in person.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) agent: AgentId,
    pub(super) session: SessionId,
    pub(super) can_ring: bool,
    /// Name and version of the client, and the tab.
    pub(super) app: String,
    pub(super) tab: String,
    /// What it was told of the floor last.
    pub(super) floor: Vec<FloorCall>,
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
        hello: &Hello,
    ) {
        let floor = self.floor_for(agent);
        let (app, tab) = (hello.app.clone(), hello.tab.clone());
        self.sockets.insert(socket, Socket { agent, session, can_ring: false, app, tab, floor, active_at: None });
        self.route(now, Routing::PanelOpened(agent));
        if let Some(snapshot) = self.snapshot(now, agent) {
            let message = Box::new(ServerMessage::Snapshot(Box::new(snapshot)));
            self.push(Effect::Live { to: Audience::Socket(socket), message });
        }
        self.tell_queues_to(socket, agent, now);
        self.tell_devices(agent);
    }

    pub(super) fn socket_closed(&mut self, now: Millis, socket: SocketId) {
        let Some(gone) = self.sockets.remove(&socket) else { return };
        if gone.can_ring {
            self.route(now, Routing::DeviceGone(gone.agent, DeviceId(socket.0)));
        }
        self.route(now, Routing::PanelClosed(gone.agent));
        // Whatever its sound does, nobody can steer it any more: the person's other tabs may take it.
        let tab = Device::Tab(socket);
        let talks = |call: &super::record::Call| call.desk == Some(tab) && call.phase == Phase::Connected;
        let calls: Vec<_> = self.calls.iter().filter(|(_, call)| talks(call)).map(|(id, _)| *id).collect();
        for id in calls {
            if let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&tab)) {
                desk.up = false;
            }
            self.show(id);
        }
        self.tell_devices(gone.agent);
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
        self.tell_devices(agent);
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
            floor: self.floor_for(id),
            devices: self.devices_of(id),
            dispositions: self.directory.telephony.dispositions.clone(),
            offers: self
                .offers
                .values()
                .filter(|it| it.agent == id)
                .map(|it| rest_of(&it.ring, it.since, now))
                .collect(),
            calls: self.calls.values().filter(|call| call.is_had_by(id)).map(|call| self.live_for(call, id)).collect(),
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
