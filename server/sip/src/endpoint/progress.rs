//! Reliable provisional responses to an INVITE that requires them, and the PRACKs they draw (RFC 3262 §3).

use std::time::Instant;

use super::Endpoint;
use super::api::{DialogId, EndCause, Event};
use super::body::sdp_of;
use super::call::{CallState, CallTimer, Due};
use super::screen::Refusal;
use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Method, Request};
use crate::reliable::{RAck, RELIABLE, ReliableSender};
use crate::transaction::timer::{PATIENCE, T1};

impl Endpoint {
    /// Sends a provisional response, or keeps it until the PRACK of the one before has come.
    ///
    /// An INVITE that requires reliability and brings no offer would want ours in the first one, and its answer in the
    /// PRACK: such a caller gets no provisional response but the 100, and our offer in the 200.
    pub(super) fn progress_reliably(&mut self, now: Instant, id: DialogId, status: u16, sdp: Option<Vec<u8>>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Ringing(ringing) = &mut call.state else { return };
        let Some(reliable) = &mut ringing.reliable else { return };
        if ringing.session.theirs.is_none() {
            return;
        }
        if reliable.is_waiting() {
            return reliable.queue((status, sdp));
        }
        // Our answer is given once.
        let sdp = sdp.filter(|_| !reliable.described);
        let number = reliable.number();
        let tag = call.key.1.clone();
        let (request, tx, flow, described) = (ringing.request.clone(), ringing.tx, ringing.flow, sdp.is_some());
        if let Some(sdp) = &sdp {
            ringing.session.ours.clone_from(sdp);
        }
        let mut response = self.respond_in_dialog(&request, status, &tag, flow, sdp);
        response.headers.push(HeaderId::Require, RELIABLE);
        response.headers.push(HeaderId::RSeq, number.to_string());
        let bytes = response.to_bytes();
        if let Some(call) = self.calls.get_mut(&id)
            && let CallState::Ringing(ringing) = &mut call.state
            && let Some(reliable) = &mut ringing.reliable
        {
            reliable.sent(bytes, described);
        }
        self.layer.respond(now, tx, &response, &mut self.wire);
        self.timers.arm(Due::Call(id, CallTimer::RepeatProgress), now + T1);
        self.timers.arm(Due::Call(id, CallTimer::NoPrack), now + PATIENCE);
    }

    /// "retransmissions of the reliable provisional response […] with an exponential backoff".
    pub(super) fn repeat_progress(&mut self, now: Instant, id: DialogId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Ringing(ringing) = &mut call.state else { return };
        let Some((bytes, pause)) = ringing.reliable.as_mut().and_then(ReliableSender::repeat) else { return };
        self.wire.push((ringing.flow, bytes));
        self.timers.arm(Due::Call(id, CallTimer::RepeatProgress), now + pause);
    }

    /// "If a reliable provisional response is retransmitted for 64*T1 seconds without reception of a corresponding
    /// PRACK, the UAS SHOULD reject the original request with a 5xx response."
    pub(super) fn no_prack(&mut self, now: Instant, id: DialogId) {
        self.reject(now, id, 504, None, None);
        self.emit(Event::Ended { dialog: id, cause: EndCause::NoAck });
    }

    pub(super) fn remote_prack(
        &mut self,
        now: Instant,
        id: DialogId,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let acknowledged = RAck::read(&request.headers).filter(|rack| rack.method == Method::Invite);
        let fits = match self.calls.get_mut(&id).map(|call| &mut call.state) {
            Some(CallState::Ringing(ringing)) => acknowledged.is_some_and(|rack| {
                rack.number == ringing.number
                    && ringing.reliable.as_mut().is_some_and(|reliable| reliable.acknowledge(rack.response))
            }),
            Some(CallState::Calling(_) | CallState::Confirmed(_) | CallState::Leaving(_)) | None => false,
        };
        if !fits {
            // "If the PRACK does not match, the UAS responds with a 481".
            return self.answer_with(now, reply, request, envelope, Refusal::new(481));
        }
        // An offer in a PRACK is one change too many for a call that is not answered: 488 keeps what was agreed on.
        let status = if sdp_of(&request.headers, &request.body).is_some() { 488 } else { 200 };
        self.answer_with(now, reply, request, envelope, Refusal::new(status));
        for timer in [CallTimer::RepeatProgress, CallTimer::NoPrack] {
            self.timers.disarm(Due::Call(id, timer));
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Ringing(ringing) = &mut call.state else { return };
        ringing.session.settled |= ringing.reliable.as_ref().is_some_and(|reliable| reliable.described);
        if let Some(sdp) = ringing.accepted.take() {
            return self.accept(now, id, sdp);
        }
        if let Some((status, sdp)) = ringing.reliable.as_mut().and_then(ReliableSender::pop) {
            self.progress_reliably(now, id, status, sdp);
        }
    }
}
