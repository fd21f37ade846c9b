//! Between flows and the wire: connections that come and go, what they bring, and where bytes are sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Endpoint;
use super::api::{Event, FailureCause, Opened, Output};
use crate::flow::{Flow, FlowId, Target, Transport};
use crate::framer::Frame;
use crate::message::Envelope;
use crate::origin::{SipUser, TrunkPeers};

/// The answer to a ping (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

impl Endpoint {
    pub(super) fn stream_opened(
        &mut self,
        now: Instant,
        id: FlowId,
        peer: SocketAddr,
        transport: Transport,
        opened: Opened,
    ) {
        let (flow, trusted) = match opened {
            Opened::ByPeer => (Flow::stream(transport, peer, id), self.known.trunk_at(peer.ip()).is_some()),
            Opened::ByUs(target) => {
                let asked = self.names.flow_to(&target).unwrap_or_else(|| Flow::to(transport, peer));
                (Flow { stream: Some(id), ..asked }, true)
            }
        };
        for closed in self.streams.open(now, flow, trusted, self.config.limits.streams) {
            self.close_stream(closed);
        }
    }

    pub(super) fn stream_bytes(&mut self, now: Instant, id: FlowId, bytes: &[u8]) {
        let Some(flow) = self.streams.flow(id) else { return };
        if !self.admits(now, flow.remote.ip()) {
            return self.hang_up_stream(id);
        }
        self.streams.push(now, id, bytes);
        while let Some((flow, frame)) = self.streams.next_frame(now, id) {
            match frame {
                Ok(Frame::Message(parsed)) => self.message(now, flow, *parsed),
                Ok(Frame::Ping) => self.wire.push((flow, PONG.to_vec())),
                Ok(Frame::Last(parsed)) => {
                    self.message(now, flow, *parsed);
                    return self.hang_up_stream(id);
                }
                // What is no SIP has nobody to answer.
                Err(_) => return self.hang_up_stream(id),
            }
        }
    }

    pub(super) fn stream_closed(&mut self, id: FlowId) {
        self.streams.close(id);
        self.stream_lost(id);
    }

    /// A connection could not be made: whoever waits for an answer by it is told now, not after 64*T1.
    pub(super) fn stream_failed(&mut self, now: Instant, target: &Target) {
        if let Target::Tcp(address) = target {
            self.retry_by_udp(now, *address);
        }
        let Some(way) = self.names.flow_to(target) else { return };
        let same = |flow: Flow| flow.transport == way.transport && flow.remote == way.remote && flow.name == way.name;
        for (tx, purpose) in self.layer.fail_clients(|flow| same(flow) && self.streams.find(flow).is_none()) {
            self.unanswered(now, tx, purpose, FailureCause::Unreachable);
        }
    }

    pub(super) fn close_due_streams(&mut self, now: Instant) {
        while let Some(id) = self.streams.pop_due(now) {
            self.close_stream(id);
        }
    }

    fn hang_up_stream(&mut self, id: FlowId) {
        self.flush();
        self.streams.close(id);
        self.close_stream(id);
    }

    /// Has the shell close a connection that is out of the table.
    fn close_stream(&mut self, id: FlowId) {
        self.out.push_back(Output::Close { flow: id });
        self.stream_lost(id);
    }

    /// What registered by a connection is gone with it.
    fn stream_lost(&mut self, id: FlowId) {
        let lost = self.registrar.stream_closed(id);
        self.contacts_lost(lost);
    }

    /// Whether something from this address is to be looked at. Until the trunks are known nobody is a stranger.
    pub(super) fn admits(&mut self, now: Instant, source: IpAddr) -> bool {
        !self.known.knows_trunks()
            || self.known.trunk_at(source).is_some()
            || self.trunks.is_at(source)
            || self.sources.admit(now, source, self.registrar.is_at(source))
    }

    /// Whether a trunk asks for more than its rate. What belongs to a dialog is taken in any case.
    pub(super) fn is_shed(&mut self, now: Instant, flow: Flow, envelope: &Envelope) -> bool {
        let Some(trunk) = self.known.trunk_at(flow.remote.ip()).filter(|_| envelope.to.tag().is_none()) else {
            return false;
        };
        !self.sources.admit_trunk(now, &trunk.id.0, trunk.rate_per_second)
    }

    pub(super) fn set_users(&mut self, users: Vec<SipUser>) {
        self.known
            .set_users(users, &mut self.registrar)
            .into_iter()
            .for_each(|username| self.emit(Event::Unregistered { username }));
    }

    pub(super) fn set_trunks(&mut self, trunks: Vec<TrunkPeers>) {
        self.sources.keep_trunks(|id| trunks.iter().any(|trunk| trunk.id.0 == id));
        self.known.set_trunks(trunks);
    }

    /// The flow to where the application wants something sent.
    pub(super) fn flow_to(&mut self, target: &Target) -> Option<Flow> {
        match target {
            Target::Flow(id) => self.streams.flow(*id),
            Target::Udp(_) | Target::Tcp(_) | Target::Tls { .. } => self.names.flow_to(target),
        }
    }

    /// Moves bytes to the outputs, so that they and the events keep their order.
    pub(super) fn flush(&mut self) {
        for (flow, bytes) in self.wire.drain(..) {
            let to = match self.streams.find(flow) {
                Some(id) => Target::Flow(id),
                None => self.names.target_of(flow),
            };
            self.out.push_back(Output::Transmit { to, bytes });
        }
    }
}
