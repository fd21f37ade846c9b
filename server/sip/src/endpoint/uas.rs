//! The callee's side: INVITE, CANCEL, ACK, and the repeats of our 2xx (RFC 3261 §13.3).

use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{DialogId, EndCause, Event, IncomingCall};
use super::body::{SDP, sdp_of};
use super::call::{AckNews, Call, CallState, CallTimer, Confirmed, Due, Ringing, Session, Unacked};
use super::compose::{ALLOW, SUPPORTED};
use super::identity;
use super::screen::Refusal;
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{Envelope, Header, HeaderId, Headers, Method, NameAddr, Request, Response, text};
use crate::origin::Origin;
use crate::reliable::{RELIABLE, ReliableSender};
use crate::session_timer::{MIN_SECONDS, Refresher, Terms};
use crate::transaction::timer::{PATIENCE, T1, T2};

/// RFC 3261 §13.3.1.1: a provisional response "at every minute, to handle the possibility of lost provisional
/// responses".
const EXTEND_EVERY: Duration = Duration::from_mins(1);

impl Endpoint {
    /// A request without a To tag.
    pub(super) fn out_of_dialog(
        &mut self,
        now: Instant,
        flow: Flow,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        match request.method {
            Method::Invite => self.incoming(now, flow, reply, request, envelope),
            Method::Options => {
                let refusal = Refusal::new(200)
                    .with(HeaderId::Allow, ALLOW)
                    .with(HeaderId::Accept, SDP)
                    .with(HeaderId::Supported, SUPPORTED);
                self.refuse(reply, request, envelope, refusal);
            }
            // These live in dialogs only.
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
                self.refuse(reply, request, envelope, Refusal::new(481));
            }
            // Nobody makes us call somebody from outside a call.
            Method::Refer => self.refuse(reply, request, envelope, Refusal::new(403)),
            Method::Register => self.take_registration(now, flow, reply, request, envelope),
            // ACK and CANCEL have been dealt with, the others have been refused.
            Method::Ack | Method::Cancel | Method::Subscribe | Method::Publish | Method::Message | Method::Other(_) => {
            }
        }
    }

    fn incoming(&mut self, now: Instant, flow: Flow, reply: Flow, request: &Request, envelope: &Envelope) {
        if self.layer.is_merged(envelope) {
            return self.refuse(reply, request, envelope, Refusal::new(482));
        }
        let full = self.calls.len() >= self.config.limits.dialogs
            || self.layer.server_count() >= self.config.limits.server_transactions;
        if let Some(seconds) = self.draining.or(full.then_some(self.config.limits.retry_after)) {
            return self.refuse(
                reply,
                request,
                envelope,
                Refusal::new(503).with(HeaderId::RetryAfter, &seconds.to_string()),
            );
        }
        let Some(origin) = self.identify(now, flow, reply, request, envelope) else { return };
        let Ok(request_uri) = text::decode(&request.uri).parse() else {
            return self.refuse(reply, request, envelope, Refusal::new(400));
        };
        let Ok(terms) = Terms::answer(&request.headers, None) else {
            let refusal = Refusal::new(422).with(HeaderId::MinSe, &MIN_SECONDS.to_string());
            return self.refuse(reply, request, envelope, refusal);
        };
        let replaces = match self.replaced(request) {
            Ok(replaces) => replaces,
            Err(refusal) => return self.refuse(reply, request, envelope, refusal),
        };
        let tag = self.tokens.tag();
        let Some(dialog) = Dialog::uas(request, envelope, &tag, flow) else {
            // RFC 3261 §8.1.1.8: a request that can make a dialog has exactly one Contact.
            let refusal = Refusal::new(400).with(HeaderId::Warning, "399 cordboard \"missing or malformed Contact\"");
            return self.refuse(reply, request, envelope, refusal);
        };
        let tx = self.layer.open_server(envelope, &Method::Invite, reply);
        let trying = self.respond_to(request, 100, None);
        self.layer.respond(now, tx, &trying, &mut self.wire);

        self.next_dialog += 1;
        let id = DialogId::incoming(self.next_dialog);
        self.layer.set_owner(tx, id);
        let mut session = Session::new(dialog, lists_update(&request.headers));
        session.theirs = sdp_of(&request.headers, &request.body);
        let reliably = request.headers.list(HeaderId::Require).iter().any(|it| it.eq_ignore_ascii_case(RELIABLE));
        let reliable = reliably.then(|| ReliableSender::new(self.tokens.number()));
        let ringing = Ringing {
            session,
            tx,
            request: request.clone(),
            number: envelope.cseq.number,
            flow: reply,
            progress: None,
            reliable,
            accepted: None,
            terms,
        };
        self.insert_call(id, (envelope.call_id.clone(), tag), CallState::Ringing(Box::new(ringing)));
        // RFC 3325 §5: an assertion counts only from a node that is trusted with it.
        let asserted = match &origin {
            Origin::Trunk(_) => identity::asserted(&request.headers),
            Origin::Phone(_) | Origin::Unknown => None,
        };
        self.emit(Event::Incoming(Box::new(IncomingCall {
            dialog: id,
            source: flow.remote,
            origin,
            request_uri,
            from: envelope.from.clone(),
            to: envelope.to.clone(),
            sip_call_id: envelope.call_id.clone(),
            sdp: sdp_of(&request.headers, &request.body),
            asserted,
            privacy: identity::wants_privacy(&request.headers, &envelope.from),
            diversion: identity::diversion(&request.headers),
            replaces,
            headers: request.headers.clone(),
        })));
    }

    pub(super) fn progress(&mut self, now: Instant, id: DialogId, status: u16, sdp: Option<Vec<u8>>) {
        let Some(ringing) = self.ringing_mut(id) else { return };
        if !(101..200).contains(&status) {
            return;
        }
        if ringing.reliable.is_some() {
            return self.progress_reliably(now, id, status, sdp);
        }
        ringing.progress = Some((status, sdp));
        self.extend(now, id);
    }

    /// Sends the provisional response, now and each minute.
    pub(super) fn extend(&mut self, now: Instant, id: DialogId) {
        let Some(call) = self.calls.get(&id) else { return };
        let CallState::Ringing(ringing) = &call.state else { return };
        let Some((status, sdp)) = ringing.progress.clone() else { return };
        let response = self.respond_in_dialog(&ringing.request, status, &call.key.1, ringing.flow, sdp);
        let tx = ringing.tx;
        self.layer.respond(now, tx, &response, &mut self.wire);
        self.timers.arm(Due::Call(id, CallTimer::Extend), now + EXTEND_EVERY);
    }

    pub(super) fn accept(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let Some(ringing) = self.ringing_mut(id) else { return };
        if ringing.reliable.as_ref().is_some_and(ReliableSender::holds_answer) {
            // RFC 3262 §3: "the UAS MUST NOT send the 2xx until" a reliable response with a description is acknowledged.
            ringing.accepted = Some(sdp);
            return;
        }
        let described = ringing.reliable.as_ref().is_some_and(|reliable| reliable.described);
        let ringing_tx = ringing.tx;
        let late_offer = sdp_of(&ringing.request.headers, &ringing.request.body).is_none() && !described;
        let (number, flow, request, terms) = (ringing.number, ringing.flow, ringing.request.clone(), ringing.terms);
        let Some(call) = self.calls.get(&id) else { return };
        let tag = call.key.1.clone();
        // RFC 3261 §13.2.1: an answer that was acknowledged is the answer; none follows in the 2xx.
        let body = (!described).then(|| sdp.clone());
        let mut response = self.respond_in_dialog(&request, 200, &tag, flow, body);
        for header in terms.headers() {
            response.headers.push_header(header);
        }
        let news = if late_offer { AckNews::ConfirmedWithAnswer } else { AckNews::Confirmed };
        // Waiting for the ACK begins before anything is sent: a fast BYE finds a confirmed dialog.
        let unacked = Unacked { number, bytes: response.to_bytes(), flow, interval: T1, news };
        let Some(call) = self.calls.remove(&id) else { return };
        let CallState::Ringing(ringing) = call.state else { return };
        let mut session = ringing.session;
        if !described {
            session.ours = sdp;
        }
        session.settled = true;
        let mut confirmed = Confirmed::new(session);
        confirmed.unacked = Some(unacked);
        self.calls.insert(id, Call { state: CallState::Confirmed(Box::new(confirmed)), ..call });
        for timer in [CallTimer::Extend, CallTimer::RepeatProgress, CallTimer::NoPrack] {
            self.timers.disarm(Due::Call(id, timer));
        }
        self.await_ack(now, id);
        self.keep_session(now, id, terms.timer(Refresher::Uas));
        self.layer.respond(now, ringing_tx, &response, &mut self.wire);
    }

    fn ringing_mut(&mut self, id: DialogId) -> Option<&mut Ringing> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Ringing(ringing) => Some(ringing),
            CallState::Calling(_) | CallState::Confirmed(_) | CallState::Leaving(_) => None,
        }
    }

    pub(super) fn await_ack(&mut self, now: Instant, id: DialogId) {
        self.timers.arm(Due::Call(id, CallTimer::RepeatAnswer), now + T1);
        self.timers.arm(Due::Call(id, CallTimer::NoAck), now + PATIENCE);
    }

    pub(super) fn reject(
        &mut self,
        now: Instant,
        id: DialogId,
        status: u16,
        retry_after: Option<u32>,
        reason: Option<&str>,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let CallState::Ringing(ringing) = &call.state else { return };
        // Anything but a failure would leave the caller waiting.
        let status = if (300..700).contains(&status) { status } else { 500 };
        let mut response = self.respond_to(&ringing.request, status, Some(&call.key.1));
        if let Some(seconds) = retry_after {
            response.headers.push(HeaderId::RetryAfter, seconds.to_string());
        }
        if let Some(reason) = reason {
            response.headers.push_header(Header::new("Reason", reason));
        }
        let tx = ringing.tx;
        self.layer.respond(now, tx, &response, &mut self.wire);
        self.remove_call(now, id);
    }

    /// Sends the caller elsewhere (RFC 3261 §13.3.1.2).
    pub(super) fn redirect(&mut self, now: Instant, id: DialogId, contacts: &[NameAddr]) {
        let Some(call) = self.calls.get(&id) else { return };
        let CallState::Ringing(ringing) = &call.state else { return };
        let mut response = self.respond_to(&ringing.request, 302, Some(&call.key.1));
        for contact in contacts {
            response.headers.push(HeaderId::Contact, contact.to_string());
        }
        let tx = ringing.tx;
        self.layer.respond(now, tx, &response, &mut self.wire);
        self.remove_call(now, id);
    }

    /// CANCEL (RFC 3261 §9.2).
    pub(super) fn cancel(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope) {
        let Some(invite_tx) = self.layer.find_cancelled(envelope) else {
            return self.refuse(reply, request, envelope, Refusal::new(481));
        };
        let pending = self.layer.pending_owner(invite_tx).and_then(|id| self.calls.get(&id));
        let ringing = pending.is_some_and(|call| matches!(call.state, CallState::Ringing(_)));
        // "the To tag of the response to the CANCEL and the To tag in the response to the original request SHOULD be
        // the same."
        let tag = match pending {
            Some(call) => call.key.1.clone(),
            None => self.tokens.stateless_tag(envelope.branch(), &envelope.call_id),
        };
        let pending = pending.map(|call| call.id);
        let response = self.respond_to(request, 200, Some(&tag));
        let tx = self.layer.open_server(envelope, &Method::Cancel, reply);
        self.layer.respond(now, tx, &response, &mut self.wire);
        let Some(id) = pending else { return };
        if ringing {
            // "If the original request was an INVITE, the UAS SHOULD immediately respond to the INVITE with a 487
            // (Request Terminated)."
            self.reject(now, id, 487, None, None);
            self.emit(Event::Cancelled { dialog: id });
        } else {
            self.reject_offer(now, id, 487);
        }
    }

    /// The ACK to a 2xx of ours.
    pub(super) fn ack(&mut self, now: Instant, request: &Request, envelope: &Envelope) {
        let Some(id) = self.find_dialog(envelope) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let unacked = match &mut call.state {
            CallState::Confirmed(confirmed) => &mut confirmed.unacked,
            CallState::Leaving(leaving) => &mut leaving.unacked,
            CallState::Ringing(_) | CallState::Calling(_) => return,
        };
        // The number tells the ACK of a re-INVITE from a late one of the INVITE before.
        let Some(acked) = unacked.take_if(|unacked| unacked.number == envelope.cseq.number) else { return };
        self.timers.disarm(Due::Call(id, CallTimer::RepeatAnswer));
        self.timers.disarm(Due::Call(id, CallTimer::NoAck));
        if matches!(call.state, CallState::Leaving(_)) {
            return self.send_bye(now, id);
        }
        match acked.news {
            AckNews::Confirmed => self.emit(Event::Confirmed { dialog: id, sdp: None }),
            AckNews::ConfirmedWithAnswer => {
                let sdp = sdp_of(&request.headers, &request.body);
                if let Some(confirmed) = self.confirmed_mut(id) {
                    confirmed.session.theirs.clone_from(&sdp);
                }
                self.emit(Event::Confirmed { dialog: id, sdp });
            }
            AckNews::Nothing => {}
        }
        self.send_waiting(now, id);
    }

    /// RFC 3261 §13.3.1.4: the 2xx is repeated "with an interval that starts at T1 seconds and doubles for each
    /// retransmission until it reaches T2 seconds".
    pub(super) fn repeat_answer(&mut self, now: Instant, id: DialogId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let unacked = match &mut call.state {
            CallState::Confirmed(confirmed) => &mut confirmed.unacked,
            CallState::Leaving(leaving) => &mut leaving.unacked,
            CallState::Ringing(_) | CallState::Calling(_) => return,
        };
        let Some(unacked) = unacked else { return };
        unacked.interval = (unacked.interval * 2).min(T2);
        self.wire.push((unacked.flow, unacked.bytes.clone()));
        self.timers.arm(Due::Call(id, CallTimer::RepeatAnswer), now + unacked.interval);
    }

    /// "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK, the dialog is confirmed,
    /// but the session SHOULD be terminated. This is accomplished with a BYE."
    pub(super) fn no_ack(&mut self, now: Instant, id: DialogId) {
        self.timers.disarm(Due::Call(id, CallTimer::RepeatAnswer));
        let Some(call) = self.calls.get_mut(&id) else { return };
        match &mut call.state {
            CallState::Confirmed(confirmed) => {
                confirmed.unacked = None;
                self.leave(now, id, EndCause::NoAck);
            }
            CallState::Leaving(leaving) => {
                leaving.unacked = None;
                self.send_bye(now, id);
            }
            CallState::Ringing(_) | CallState::Calling(_) => {}
        }
    }

    /// The dialog a request belongs to: Call-ID and our tag find it, their tag must fit.
    pub(super) fn find_dialog(&self, envelope: &Envelope) -> Option<DialogId> {
        let key = (envelope.call_id.clone(), envelope.to.tag()?.to_owned());
        let call = self.calls.get(self.by_key.get(&key)?)?;
        let fits = |dialog: &Dialog| dialog.remote_tag() == envelope.from.tag();
        match &call.state {
            CallState::Ringing(ringing) => fits(&ringing.session.dialog).then_some(call.id),
            CallState::Calling(calling) => {
                calling.early.iter().any(|early| fits(&early.session.dialog)).then_some(call.id)
            }
            CallState::Confirmed(confirmed) => fits(&confirmed.session.dialog).then_some(call.id),
            CallState::Leaving(leaving) => fits(&leaving.dialog).then_some(call.id),
        }
    }

    /// Answers a request inside a dialog through its own transaction.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
        response: &Response,
    ) {
        let tx = self.layer.open_server(envelope, &request.method, reply);
        self.layer.respond(now, tx, response, &mut self.wire);
    }
}

/// Whether the sender takes UPDATE (RFC 3311 §4).
fn lists_update(headers: &Headers) -> bool {
    headers.list(HeaderId::Allow).iter().any(|method| method == "UPDATE")
}
