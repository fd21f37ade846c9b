//! Requests inside a dialog that end it, carry something, or are not known: BYE, INFO, PRACK, OPTIONS (RFC 3261 §12.2,
//! §15; RFC 3262; RFC 6086).

use std::time::Instant;

use super::Endpoint;
use super::api::{DialogId, EndCause, Event};
use super::body::SDP;
use super::call::{Call, CallState, CallTimer, Confirmed, Due, Leaving, Session};
use super::compose::{ALLOW, SUPPORTED};
use super::screen::Refusal;
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Method, Request};
use crate::transaction::Purpose;

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
                let options = Refusal::new(200)
                    .with(HeaderId::Allow, ALLOW)
                    .with(HeaderId::Accept, SDP)
                    .with(HeaderId::Supported, SUPPORTED);
                self.answer_with(now, reply, request, envelope, options);
            }
            Method::Info => self.remote_info(now, id, reply, request, envelope),
            Method::Update => self.remote_update(now, id, reply, request, envelope),
            Method::Invite => self.remote_reinvite(now, id, reply, request, envelope),
            Method::Prack => self.remote_prack(now, id, reply, request, envelope),
            Method::Refer => self.remote_refer(now, id, reply, request, envelope),
            Method::Notify => self.remote_notify(now, id, reply, request, envelope),
            // ACK and CANCEL have been dealt with, the others have been refused.
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Publish
            | Method::Message
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
                self.remove_call(now, id);
                self.emit(Event::Ended { dialog: id, cause: EndCause::RemoteBye });
            }
            Some(CallState::Leaving(leaving)) => {
                // With our own BYE under way its answer is awaited; one that waited for the ACK is not needed any more.
                if leaving.unacked.is_some() {
                    self.remove_call(now, id);
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

    /// Sends an INFO (RFC 6086).
    pub(super) fn info(&mut self, now: Instant, id: DialogId, content_type: &str, body: Vec<u8>) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let flow = confirmed.session.dialog.next_hop();
        let (mut info, _) = confirmed.session.dialog.next_request(Method::Info);
        info.headers.push(HeaderId::ContentType, content_type);
        info.body = body;
        self.send_request(now, info, flow, Purpose::Info(id));
    }

    /// RFC 3261 §12.2.1.2: "If the response for a request within a dialog is a 481 (Call/Transaction Does Not Exist) or
    /// a 408 (Request Timeout), the UAC SHOULD terminate the dialog."
    pub(super) fn check_alive(&mut self, now: Instant, id: DialogId, status: u16) {
        match status {
            481 => self.forget(now, id),
            408 => self.leave(now, id, EndCause::Timeout),
            _ => {}
        }
    }

    /// The far side does not know the dialog: there is nobody to send a BYE to.
    pub(super) fn forget(&mut self, now: Instant, id: DialogId) {
        if self.confirmed_mut(id).is_some() {
            self.remove_call(now, id);
            self.emit(Event::Ended { dialog: id, cause: EndCause::Gone });
        }
    }

    /// Ends a confirmed dialog: the application is told at once, the BYE follows when it may.
    pub(super) fn leave(&mut self, now: Instant, id: DialogId, cause: EndCause) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let dialog = confirmed.session.dialog.clone();
        if let Some((tx, number)) = confirmed.answer_due.take() {
            // Their offer stays without an answer, but their 2xx must be acknowledged before the BYE.
            self.send_ack(tx, &dialog, number, None);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let CallState::Confirmed(confirmed) = &mut call.state else { return };
        let dialog = confirmed.session.dialog.clone();
        let unacked = confirmed.unacked.take();
        let waits = unacked.is_some();
        let leaving = CallState::Leaving(Box::new(Leaving { dialog, unacked }));
        if let CallState::Confirmed(confirmed) = std::mem::replace(&mut call.state, leaving) {
            self.end_confirmed(now, *confirmed);
        }
        for timer in [CallTimer::C, CallTimer::Glare, CallTimer::Refresh, CallTimer::Lapse] {
            self.timers.disarm(Due::Call(id, timer));
        }
        if !waits {
            self.send_bye(now, id);
        }
        self.emit(Event::Ended { dialog: id, cause });
    }

    /// Whatever was under way in a confirmed dialog is over.
    pub(super) fn end_confirmed(&mut self, now: Instant, confirmed: Confirmed) {
        if let Some((tx, request)) = confirmed.refer_in.and_then(|refer| refer.asked) {
            let response = self.respond_to(&request, 487, None);
            self.layer.respond(now, tx, &response, &mut self.wire);
        }
        self.end_changes(now, confirmed.session);
    }

    /// Changes under way end with their dialog: theirs is answered, ours is given up.
    pub(super) fn end_changes(&mut self, now: Instant, session: Session) {
        if let Some(pending) = session.pending {
            let response = self.respond_to(&pending.request, 487, None);
            self.layer.respond(now, pending.tx, &response, &mut self.wire);
        }
        if let Some(offering) = session.offering {
            self.layer.close_client(offering.tx);
        }
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: DialogId) {
        let Some(Call { state: CallState::Leaving(leaving), .. }) = self.calls.get_mut(&id) else { return };
        let flow = leaving.dialog.next_hop();
        let (bye, _) = leaving.dialog.next_request(Method::Bye);
        self.send_request(now, bye, flow, Purpose::Bye(id));
    }

    pub(super) fn is_leaving(&self, id: DialogId) -> bool {
        self.calls.get(&id).is_some_and(|call| matches!(call.state, CallState::Leaving(_)))
    }

    pub(super) fn confirmed_mut(&mut self, id: DialogId) -> Option<&mut Confirmed> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Confirmed(confirmed) => Some(confirmed),
            CallState::Ringing(_) | CallState::Calling(_) | CallState::Leaving(_) => None,
        }
    }

    /// The session of a call that a request belongs to; for a forked call the early one of that branch.
    pub(super) fn session_mut(&mut self, id: DialogId, envelope: &Envelope) -> Option<&mut Session> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Ringing(ringing) => Some(&mut ringing.session),
            CallState::Calling(calling) => {
                let tag = envelope.from.tag();
                let mut sessions = calling.early.iter_mut().map(|early| &mut early.session);
                sessions.find(|session| session.dialog.remote_tag() == tag)
            }
            CallState::Confirmed(confirmed) => Some(&mut confirmed.session),
            CallState::Leaving(_) => None,
        }
    }

    fn dialog_mut(&mut self, id: DialogId, envelope: &Envelope) -> Option<&mut Dialog> {
        if self.is_leaving(id) {
            let Some(Call { state: CallState::Leaving(leaving), .. }) = self.calls.get_mut(&id) else { return None };
            return Some(&mut leaving.dialog);
        }
        self.session_mut(id, envelope).map(|session| &mut session.dialog)
    }

    /// Answers a request inside a dialog, through its own transaction.
    pub(super) fn answer_with(
        &mut self,
        now: Instant,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
        refusal: Refusal,
    ) {
        let mut response = self.respond_to(request, refusal.status, None);
        for header in refusal.headers {
            response.headers.push_header(header);
        }
        self.answer(now, reply, request, envelope, &response);
    }
}
