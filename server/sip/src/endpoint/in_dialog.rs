//! Requests inside a dialog, in both directions: BYE, INFO, UPDATE, re-INVITE (RFC 3261 §12.2, §14, §15).

use std::time::Instant;

use super::Endpoint;
use super::api::{DialogId, EndCause, Event};
use super::body::{SDP, sdp_of};
use super::call::{AckNews, Call, CallState, CallTimer, Leaving, PendingOffer, Unacked};
use super::compose::ALLOW;
use super::screen::Refusal;
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Method, Request, Response};
use crate::transaction::timer::T1;
use crate::transaction::{Purpose, TxId};

impl Endpoint {
    /// A request with a To tag.
    pub(super) fn in_dialog(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope) {
        let Some(id) = self.find_dialog(envelope) else {
            // RFC 3261 §12.2.2: "If the UAS wishes to reject the request because it does not wish to recreate the
            // dialog, it MUST respond to the request with a 481".
            return self.refuse(reply, request, envelope, Refusal::new(481));
        };
        let Some(dialog) = self.dialog_mut(id, envelope) else { return };
        if dialog.accept_cseq(envelope.cseq.number).is_err() {
            // "[…] the request is out of order and MUST be rejected with a 500 (Server Internal Error) response."
            return self.answer_with(now, reply, request, envelope, Refusal::new(500));
        }
        match request.method {
            Method::Bye => self.remote_bye(now, id, reply, request, envelope),
            Method::Options => {
                let options = Refusal::new(200).with(HeaderId::Allow, ALLOW).with(HeaderId::Accept, SDP);
                self.answer_with(now, reply, request, envelope, options);
            }
            Method::Info => self.remote_info(now, id, reply, request, envelope),
            Method::Update => self.remote_update(now, id, reply, request, envelope),
            Method::Invite => self.remote_reinvite(now, id, reply, request, envelope),
            // ACK and CANCEL have been dealt with, the others have been refused.
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Message
            | Method::Prack
            | Method::Other(_) => {}
        }
    }

    fn remote_bye(&mut self, now: Instant, id: DialogId, reply: Flow, request: &Request, envelope: &Envelope) {
        self.answer_with(now, reply, request, envelope, Refusal::new(200));
        match self.calls.get_mut(&id).map(|call| &mut call.state) {
            Some(CallState::Ringing(_)) => {
                // RFC 3261 §15.1.2: "The UAS MUST still respond to any pending requests received for that dialog. It is
                // RECOMMENDED that a 487 (Request Terminated) response be generated to those pending requests."
                self.reject(now, id, 487, None, None);
                self.emit(Event::Cancelled { dialog: id });
            }
            Some(CallState::Confirmed(_)) => {
                self.drop_pending(now, id);
                self.remove_call(id);
                self.emit(Event::Ended { dialog: id, cause: EndCause::RemoteBye });
            }
            Some(CallState::Leaving(leaving)) => {
                // With our own BYE under way its answer is awaited; one that waited for the ACK is not needed any more.
                if leaving.unacked.is_some() {
                    self.remove_call(id);
                }
            }
            // A callee must not send BYE before its answer; the INVITE still gets a final response.
            Some(CallState::Calling(_)) | None => {}
        }
    }

    fn remote_info(&mut self, now: Instant, id: DialogId, reply: Flow, request: &Request, envelope: &Envelope) {
        if self.is_leaving(id) {
            return self.answer_with(now, reply, request, envelope, Refusal::new(481));
        }
        self.answer_with(now, reply, request, envelope, Refusal::new(200));
        let content_type = request.headers.first(HeaderId::ContentType).map(|header| header.text().into_owned());
        self.emit(Event::Info {
            dialog: id,
            content_type: content_type.unwrap_or_default(),
            body: request.body.clone(),
        });
    }

    /// UPDATE (RFC 3311 §5.2).
    fn remote_update(&mut self, now: Instant, id: DialogId, reply: Flow, request: &Request, envelope: &Envelope) {
        let offer = sdp_of(&request.headers, &request.body);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let refusal = match &mut call.state {
            _ if offer.is_none() => None,
            // Our answer to their first offer is still to come.
            CallState::Ringing(_) => Some(500),
            // Our own offer waits for its answer.
            CallState::Calling(_) => Some(491),
            CallState::Confirmed(confirmed) if confirmed.pending.is_some() => Some(500),
            CallState::Confirmed(confirmed) => confirmed.has_offered().then_some(491),
            CallState::Leaving(_) => Some(481),
        };
        if let Some(status) = refusal {
            return self.refuse_offer(now, reply, request, envelope, status);
        }
        if offer.is_none() {
            let tag = call.key.1.clone();
            if let Some(dialog) = self.dialog_mut(id, envelope) {
                dialog.refresh_target(&request.headers);
            }
            let response = self.respond_in_dialog(request, 200, &tag, reply, None);
            return self.answer(now, reply, request, envelope, &response);
        }
        let tx = self.layer.open_server(envelope, &Method::Update, reply);
        self.ask_application(id, tx, request, envelope, reply);
    }

    /// A re-INVITE (RFC 3261 §14.2).
    fn remote_reinvite(&mut self, now: Instant, id: DialogId, reply: Flow, request: &Request, envelope: &Envelope) {
        let Some(call) = self.calls.get(&id) else { return };
        let refusal = match &call.state {
            // "A UAS that receives a second INVITE before it sends the final response to a first INVITE […] MUST return
            // a 500 […] and MUST include a Retry-After header field with a randomly chosen value of between 0 and 10
            // seconds."
            CallState::Ringing(_) => Some(500),
            // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST
            // return a 491".
            CallState::Calling(_) => Some(491),
            CallState::Confirmed(confirmed) if confirmed.pending.is_some() => Some(500),
            // Two changes at once cannot be told apart by their ACKs' answers: the first must be through.
            CallState::Confirmed(confirmed) => {
                (confirmed.offering.is_some() || confirmed.unacked.is_some()).then_some(491)
            }
            CallState::Leaving(_) => Some(481),
        };
        if let Some(status) = refusal {
            return self.refuse_offer(now, reply, request, envelope, status);
        }
        let tx = self.layer.open_server(envelope, &Method::Invite, reply);
        self.layer.set_owner(tx, id);
        let trying = self.respond_to(request, 100, None);
        self.layer.respond(now, tx, &trying, &mut self.wire);
        self.ask_application(id, tx, request, envelope, reply);
    }

    fn ask_application(&mut self, id: DialogId, tx: TxId, request: &Request, envelope: &Envelope, reply: Flow) {
        if let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) {
            let number = envelope.cseq.number;
            confirmed.pending = Some(PendingOffer { tx, request: request.clone(), number, flow: reply });
            self.emit(Event::Reinvite { dialog: id, sdp: sdp_of(&request.headers, &request.body) });
        }
    }

    pub(super) fn answer_offer(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Confirmed(confirmed) = &mut call.state else { return };
        let Some(pending) = confirmed.pending.take() else { return };
        let tag = call.key.1.clone();
        confirmed.dialog.refresh_target(&pending.request.headers);
        let response = self.respond_in_dialog(&pending.request, 200, &tag, pending.flow, Some(sdp));
        if pending.request.method == Method::Invite {
            let late_offer = sdp_of(&pending.request.headers, &pending.request.body).is_none();
            let news = if late_offer { AckNews::ConfirmedWithAnswer } else { AckNews::Nothing };
            let PendingOffer { number, flow, .. } = pending;
            if let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) {
                let bytes = response.to_bytes();
                confirmed.unacked = Some(Unacked { number, bytes, flow, interval: T1, news });
            }
            self.await_ack(now, id);
        }
        self.layer.respond(now, pending.tx, &response, &mut self.wire);
    }

    pub(super) fn reject_offer(&mut self, now: Instant, id: DialogId, status: u16) {
        let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) else { return };
        let Some(pending) = confirmed.pending.take() else { return };
        let status = if (300..700).contains(&status) { status } else { 488 };
        let response = self.respond_to(&pending.request, status, None);
        self.layer.respond(now, pending.tx, &response, &mut self.wire);
    }

    /// Whatever they asked for and the application has not answered ends with 487.
    pub(super) fn drop_pending(&mut self, now: Instant, id: DialogId) {
        self.reject_offer(now, id, 487);
    }

    /// Sends a re-INVITE with our offer.
    pub(super) fn offer(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) else { return };
        // RFC 3261 §14.1: "a UAC MUST NOT initiate a new INVITE transaction within a dialog while another INVITE
        // transaction is in progress in either direction."
        if confirmed.offering.is_some() || confirmed.pending.is_some() || confirmed.unacked.is_some() {
            return self.emit(Event::OfferRefused { dialog: id, status: 491 });
        }
        let flow = confirmed.dialog.next_hop();
        let (mut request, _) = confirmed.dialog.next_request(Method::Invite);
        for header in self.session_headers(flow) {
            request.headers.push_header(header);
        }
        request.headers.push(HeaderId::ContentType, SDP);
        request.body = sdp;
        let tx = self.send_request(now, request, flow, Purpose::Offer(id));
        if let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) {
            confirmed.offering = Some(tx);
        }
    }

    pub(super) fn offer_response(
        &mut self,
        now: Instant,
        id: DialogId,
        tx: TxId,
        response: &Response,
        envelope: &Envelope,
    ) {
        let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) else { return };
        if response.status < 200 {
            return self.timers.arm((id, CallTimer::C), now + super::uac::TIMER_C);
        }
        confirmed.offering = None;
        self.timers.disarm((id, CallTimer::C));
        match response.status {
            ..300 => {
                confirmed.dialog.refresh_target(&response.headers);
                let dialog = confirmed.dialog.clone();
                self.send_ack(tx, &dialog, envelope);
                self.emit(Event::OfferAnswered { dialog: id, sdp: sdp_of(&response.headers, &response.body) });
            }
            481 => self.forget(id),
            408 => self.leave(now, id, EndCause::Timeout),
            status => self.emit(Event::OfferRefused { dialog: id, status }),
        }
    }

    pub(super) fn offer_timed_out(&mut self, now: Instant, id: DialogId) {
        self.leave(now, id, EndCause::Timeout);
    }

    /// Ends a confirmed dialog: the application is told at once, the BYE follows when it may.
    pub(super) fn leave(&mut self, now: Instant, id: DialogId, cause: EndCause) {
        self.drop_pending(now, id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Confirmed(confirmed) = &mut call.state else { return };
        let (dialog, unacked) = (confirmed.dialog.clone(), confirmed.unacked.take());
        let (offering, waits) = (confirmed.offering.take(), unacked.is_some());
        call.state = CallState::Leaving(Box::new(Leaving { dialog, unacked }));
        if let Some(tx) = offering {
            self.layer.close_client(tx);
        }
        self.timers.disarm((id, CallTimer::C));
        if !waits {
            self.send_bye(now, id);
        }
        self.emit(Event::Ended { dialog: id, cause });
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: DialogId) {
        let Some(Call { state: CallState::Leaving(leaving), .. }) = self.calls.get_mut(&id) else { return };
        let flow = leaving.dialog.next_hop();
        let (bye, _) = leaving.dialog.next_request(Method::Bye);
        self.send_request(now, bye, flow, Purpose::Bye(id));
    }

    fn is_leaving(&self, id: DialogId) -> bool {
        self.calls.get(&id).is_some_and(|call| matches!(call.state, CallState::Leaving(_)))
    }

    /// The dialog of a call that a request belongs to; for a forked call the early one of that branch.
    fn dialog_mut(&mut self, id: DialogId, envelope: &Envelope) -> Option<&mut Dialog> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Ringing(ringing) => Some(&mut ringing.dialog),
            CallState::Calling(calling) => {
                calling.early.iter_mut().find(|early| early.remote_tag() == envelope.from.tag())
            }
            CallState::Confirmed(confirmed) => Some(&mut confirmed.dialog),
            CallState::Leaving(leaving) => Some(&mut leaving.dialog),
        }
    }

    /// Refuses a change of the session for now.
    fn refuse_offer(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope, status: u16) {
        let mut refusal = Refusal::new(status);
        if status == 500 {
            refusal = refusal.with(HeaderId::RetryAfter, &self.tokens.below(11).to_string());
        }
        self.answer_with(now, reply, request, envelope, refusal);
    }

    /// Answers a request inside a dialog, through its own transaction.
    fn answer_with(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope, refusal: Refusal) {
        let mut response = self.respond_to(request, refusal.status, None);
        for header in refusal.headers {
            response.headers.push_header(header);
        }
        self.answer(now, reply, request, envelope, &response);
    }
}
