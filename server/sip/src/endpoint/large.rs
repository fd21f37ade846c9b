//! Requests that are too long for a datagram (RFC 3261 §18.1.1): they go by TCP where the far side has it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Endpoint;
use crate::flow::{Flow, Transport};
use crate::message::Request;

/// "If a request […] is larger than 1300 bytes and the path MTU is unknown, the request MUST be sent using an RFC 2914
/// congestion controlled transport protocol, such as TCP."
const LARGEST_DATAGRAM: usize = 1_300;

/// So long an address that took no connection is not asked for one again.
const NO_TCP_TIME: Duration = Duration::from_mins(10);

/// Addresses without TCP that are remembered.
const MOST_WITHOUT_TCP: usize = 1_024;

impl Endpoint {
    /// The way a request of ours takes instead of this one: TCP when it is too long for a datagram. Not to a phone behind
    /// an address translator, which nobody can connect to, nor where it was tried in vain of late.
    pub(super) fn way_for(&mut self, now: Instant, request: &Request, flow: Flow, branch: &str) -> Flow {
        if flow.transport != Transport::Udp {
            return flow;
        }
        // Via and User-Agent are put in yet.
        let rest = self.via(flow, branch).len() + self.config.user_agent.len() + "Via: \r\nUser-Agent: \r\n".len();
        if request.to_bytes().len() + rest <= LARGEST_DATAGRAM {
            return flow;
        }
        self.without_tcp.retain(|_, until| *until > now);
        if self.without_tcp.contains_key(&flow.remote) || self.registrar.is_behind_nat(flow.remote) {
            return flow;
        }
        Flow::to(Transport::Tcp, flow.remote)
    }

    /// No connection could be made for requests that were too long for a datagram: "the element SHOULD retry the request,
    /// using UDP" (RFC 3261 §18.1.1).
    pub(super) fn retry_by_udp(&mut self, now: Instant, address: SocketAddr) {
        let waiting = self.layer.with_fallback(|flow| {
            flow.transport == Transport::Tcp && flow.remote == address && self.streams.find(flow).is_none()
        });
        if waiting.is_empty() {
            return;
        }
        if self.without_tcp.len() < MOST_WITHOUT_TCP {
            self.without_tcp.insert(address, now + NO_TCP_TIME);
        }
        for (tx, flow, branch) in waiting {
            let via = self.via(flow, &branch);
            self.layer.fall_back(now, tx, flow, &via, &mut self.wire);
        }
    }
}
