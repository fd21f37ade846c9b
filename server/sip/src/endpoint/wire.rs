//! Between flows and the wire: connections that come and go, what they bring, and where bytes are sent.

use std::net::SocketAddr;
use std::time::Instant;

use super::Endpoint;
use super::api::{FailureCause, Opened, Output};
use crate::flow::{Flow, FlowId, Target, Transport};
use crate::framer::Frame;

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
        let flow = Flow::stream(transport, peer, id);
        let trusted = opened == Opened::ByUs || self.known.trunk_at(peer.ip()).is_some();
        for closed in self.streams.open(now, flow, trusted, self.config.limits.streams) {
            self.out.push_back(Output::Close { flow: closed });
        }
    }

    pub(super) fn stream_bytes(&mut self, now: Instant, id: FlowId, bytes: &[u8]) {
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
    }

    /// A connection could not be made: whoever waits for an answer by it is told now, not after 64*T1.
    pub(super) fn stream_failed(&mut self, now: Instant, target: Target) {
        let Some(way) = self.names.flow_to(&target) else { return };
        let same = |flow: Flow| flow.transport == way.transport && flow.remote == way.remote && flow.name == way.name;
        for (tx, purpose) in self.layer.fail_clients(|flow| same(flow) && self.streams.find(flow).is_none()) {
            self.unanswered(now, tx, purpose, FailureCause::Unreachable);
        }
    }

    pub(super) fn close_due_streams(&mut self, now: Instant) {
        while let Some(id) = self.streams.pop_due(now) {
            self.out.push_back(Output::Close { flow: id });
        }
    }

    fn hang_up_stream(&mut self, id: FlowId) {
        self.flush();
        self.streams.close(id);
        self.out.push_back(Output::Close { flow: id });
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
