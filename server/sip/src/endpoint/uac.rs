//! The caller's side: INVITE, its answers and forks, CANCEL (RFC 3261 §9.1, §13.2).

use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{Destination, DialogId, EndCause, Event, FailureCause, Invitation};
use super::body::{SDP, sdp_of};
use super::call::{Call, CallState, CallTimer, Calling, Cancel, Confirmed};
use super::identity::{self, anonymous};
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{Envelope, Header, HeaderId, Headers, Method, NameAddr, Params, Request, Response, via};
use crate::transaction::timer::PATIENCE;
use crate::transaction::{Purpose, TxId, cancel_of};

/// Timer C (RFC 3261 §16.6): longer than the minute after which a callee repeats its provisional response, three times
/// over.
pub(super) const TIMER_C: Duration = Duration::from_secs(185);
/// Forks whose early dialogs are remembered; the others are still acknowledged and hung up.
const MAX_EARLY_DIALOGS: usize = 8;

impl Endpoint {
    pub(super) fn invite(&mut self, now: Instant, invitation: Invitation) {
        let id = invitation.dialog;
        let flow = match &invitation.destination {
            Destination::Target(target) => self.flow_to(target),
            Destination::Trunk(_) | Destination::User(_) => None,
        };
        let Some(flow) = flow else {
            return self.emit(Event::Failed { dialog: id, status: 480, cause: FailureCause::Unreachable });
        };
        if self.calls.len() >= self.config.limits.dialogs || self.calls.contains_key(&id) {
            return self.emit(Event::Failed { dialog: id, status: 503, cause: FailureCause::Overload });
        }
        let call_id = self.tokens.call_id();
        let tag = self.tokens.tag();
        let request = self.compose_invite(&call_id, &tag, flow, invitation);
        let tx = self.send_request(now, request, flow, Purpose::Invite(id));
        let calling = Calling { tx, early: Vec::new(), progress: false, cancel: Cancel::No };
        self.insert_call(id, (call_id, tag), CallState::Calling(Box::new(calling)));
    }

    fn compose_invite(&self, call_id: &str, tag: &str, flow: Flow, invitation: Invitation) -> Request {
        let Invitation { mut to, mut from, sdp, headers: further, identity, privacy, .. } = invitation;
        if privacy {
            // RFC 3323 §4.1.1.3: the From of a caller who is not to be named.
            from = anonymous();
        }
        // RFC 3261 §19.1.1: header components and the method parameter have no place in a Request-URI or To.
        to.headers = None;
        from.params.set("tag", tag);
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        headers.push(HeaderId::From, from.to_string());
        headers.push(HeaderId::To, NameAddr { display: None, uri: to.clone(), params: Params::default() }.to_string());
        headers.push(HeaderId::CallId, call_id);
        headers.push(HeaderId::CSeq, "1 INVITE");
        for header in self.session_headers(flow) {
            headers.push_header(header);
        }
        if let Some(identity) = identity {
            headers.push(HeaderId::PAssertedIdentity, identity.to_string());
        }
        if privacy {
            headers.push(HeaderId::Privacy, "id");
        }
        if let Some(asker) = invitation.referred_by {
            headers.push(HeaderId::ReferredBy, asker.to_string());
        }
        if let Some(diverter) = invitation.diversion {
            headers.push(HeaderId::Diversion, diverter.to_string());
        }
        if let Some(replaces) = invitation.replaces {
            headers.push(HeaderId::Replaces, replaces.to_string());
        }
        for (name, value) in further {
            let header = Header::new(&name, value);
            if !header.name().is_empty() && header.id().is_none_or(may_be_given) {
                headers.push_header(header);
            }
        }
        if !sdp.is_empty() {
            headers.push(HeaderId::ContentType, SDP);
        }
        Request { method: Method::Invite, uri: to.to_string().into_bytes(), headers, body: sdp }
    }

    /// A response to the INVITE of a call, or of one that is already gone.
    pub(super) fn invite_response(
        &mut self,
        now: Instant,
        id: DialogId,
        tx: TxId,
        response: &Response,
        envelope: &Envelope,
    ) {
        match response.status {
            ..200 => self.invite_progress(now, id, tx, response, envelope),
            200..300 => self.invite_success(now, id, tx, response, envelope),
            300.. => {
                if let Some(Call { state: CallState::Calling(calling), .. }) = self.remove_call(id)
                    && calling.cancel == Cancel::No
                {
                    let status = response.status;
                    self.emit(if (300..400).contains(&status) {
                        Event::Redirected {
                            dialog: id,
                            status,
                            contacts: identity::redirect_contacts(&response.headers),
                        }
                    } else {
                        Event::Failed { dialog: id, status, cause: FailureCause::Rejected }
                    });
                }
            }
        }
    }

    fn invite_progress(&mut self, now: Instant, id: DialogId, tx: TxId, response: &Response, envelope: &Envelope) {
        let early = self
            .layer
            .client_request(tx)
            .and_then(|(invite, flow)| Dialog::uac(invite, response, envelope, flow))
            .filter(|dialog| response.status > 100 && dialog.remote_tag().is_some());
        let Some(Call { state: CallState::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        calling.progress = true;
        if let Some(early) = early
            && calling.early.len() < MAX_EARLY_DIALOGS
            && calling.early.iter().all(|known| known.remote_tag() != early.remote_tag())
        {
            calling.early.push(early);
        }
        match calling.cancel {
            Cancel::No => {
                self.timers.arm((id, CallTimer::C), now + TIMER_C);
                if response.status > 100 {
                    let sdp = sdp_of(&response.headers, &response.body);
                    let early = envelope.to.tag().unwrap_or_default().to_owned();
                    self.emit(Event::Progress { dialog: id, status: response.status, sdp, early });
                }
            }
            Cancel::AfterProvisional => self.send_cancel(now, id),
            Cancel::Sent => {}
        }
    }

    fn invite_success(&mut self, now: Instant, id: DialogId, tx: TxId, response: &Response, envelope: &Envelope) {
        let Some(mut dialog) =
            self.layer.client_request(tx).and_then(|(invite, flow)| Dialog::uac(invite, response, envelope, flow))
        else {
            return;
        };
        // RFC 3261 §13.2.2.4: each 2xx is acknowledged, whatever becomes of its dialog.
        if !self.send_ack(tx, &dialog, envelope) {
            return;
        }
        let waiting = match self.calls.get_mut(&id).map(|call| &mut call.state) {
            Some(CallState::Calling(calling)) => {
                if let Some(early) = calling.early.iter().find(|early| early.remote_tag() == dialog.remote_tag()) {
                    dialog.inherit(early);
                }
                Some(calling.cancel)
            }
            Some(CallState::Ringing(_) | CallState::Confirmed(_) | CallState::Leaving(_)) | None => None,
        };
        match waiting {
            Some(Cancel::No) => {
                self.timers.disarm((id, CallTimer::C));
                if let Some(call) = self.calls.get_mut(&id) {
                    let confirmed = Confirmed { dialog, unacked: None, pending: None, offering: None };
                    call.state = CallState::Confirmed(Box::new(confirmed));
                }
                self.emit(Event::Answered { dialog: id, sdp: sdp_of(&response.headers, &response.body) });
            }
            Some(Cancel::AfterProvisional | Cancel::Sent) => {
                // The answer crossed our CANCEL.
                self.remove_call(id);
                self.send_stray_bye(now, dialog);
            }
            // Another branch of a fork answered too. RFC 3261 §13.2.2.4: "If, after acknowledging any 2xx response to
            // an INVITE, the UAC does not want to continue with that dialog, then the UAC MUST terminate the dialog by
            // sending a BYE request".
            None => self.send_stray_bye(now, dialog),
        }
    }

    /// Sends the ACK to a 2xx, and keeps it for the repeats of that 2xx. Says whether that was possible.
    pub(super) fn send_ack(&mut self, tx: TxId, dialog: &Dialog, envelope: &Envelope) -> bool {
        let mut ack = dialog.ack(envelope.cseq.number);
        let flow = dialog.next_hop();
        let branch = self.tokens.branch();
        self.finish_request(&mut ack, flow, &branch);
        let bytes = ack.to_bytes();
        let stored = self.layer.store_ack(tx, dialog.remote_tag().unwrap_or_default(), flow, bytes.clone());
        if stored {
            self.wire.push((flow, bytes));
        }
        stored
    }

    fn send_stray_bye(&mut self, now: Instant, mut dialog: Dialog) {
        let flow = dialog.next_hop();
        let (bye, _) = dialog.next_request(Method::Bye);
        self.send_request(now, bye, flow, Purpose::StrayBye);
    }

    /// We hang up before the call was answered.
    pub(super) fn withdraw(&mut self, now: Instant, id: DialogId) {
        if self.give_up(now, id) {
            self.emit(Event::Failed { dialog: id, status: 487, cause: FailureCause::Cancelled });
        }
    }

    /// Timer C: the far side rings without a sign.
    pub(super) fn ring_timed_out(&mut self, now: Instant, id: DialogId) {
        if self.give_up(now, id) {
            self.emit(Event::Failed { dialog: id, status: 408, cause: FailureCause::Timeout });
        } else {
            self.offer_timed_out(now, id);
        }
    }

    /// Cancels the INVITE, now or at its first provisional response. Says whether there was anything to cancel.
    fn give_up(&mut self, now: Instant, id: DialogId) -> bool {
        let Some(Call { state: CallState::Calling(calling), .. }) = self.calls.get_mut(&id) else { return false };
        if calling.cancel != Cancel::No {
            return false;
        }
        calling.cancel = Cancel::AfterProvisional;
        if calling.progress {
            self.send_cancel(now, id);
        }
        true
    }

    fn send_cancel(&mut self, now: Instant, id: DialogId) {
        let Some(Call { state: CallState::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        calling.cancel = Cancel::Sent;
        let tx = calling.tx;
        let Some((invite, flow)) = self.layer.client_request(tx) else { return };
        let branch = via::top(&invite.headers).and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let cancel = cancel_of(invite);
        self.layer.open_client(now, cancel, &branch, flow, Purpose::Cancel, &mut self.wire);
        self.timers.disarm((id, CallTimer::C));
        // RFC 3261 §9.1: "If there is no final response for the original request in 64*T1 seconds […], the client
        // SHOULD then consider the original transaction cancelled and SHOULD destroy the client transaction".
        self.timers.arm((id, CallTimer::CancelTimeout), now + PATIENCE);
    }

    pub(super) fn cancel_timed_out(&mut self, id: DialogId) {
        if let Some(Call { state: CallState::Calling(calling), .. }) = self.remove_call(id) {
            self.layer.close_client(calling.tx);
        }
    }

    /// Timer B: the INVITE drew no response at all.
    pub(super) fn invite_timed_out(&mut self, id: DialogId) {
        if let Some(Call { state: CallState::Calling(calling), .. }) = self.remove_call(id)
            && calling.cancel == Cancel::No
        {
            self.emit(Event::Failed { dialog: id, status: 408, cause: FailureCause::Timeout });
        }
    }

    /// Sends an INFO (RFC 6086).
    pub(super) fn info(&mut self, now: Instant, id: DialogId, content_type: &str, body: Vec<u8>) {
        let Some(Call { state: CallState::Confirmed(confirmed), .. }) = self.calls.get_mut(&id) else { return };
        let flow = confirmed.dialog.next_hop();
        let (mut info, _) = confirmed.dialog.next_request(Method::Info);
        info.headers.push(HeaderId::ContentType, content_type);
        info.body = body;
        self.send_request(now, info, flow, Purpose::Info(id));
    }

    pub(super) fn info_response(&mut self, now: Instant, id: DialogId, status: u16) {
        // RFC 3261 §12.2.1.2: "If the response for a request within a dialog is a 481 (Call/Transaction Does Not Exist)
        // or a 408 (Request Timeout), the UAC SHOULD terminate the dialog."
        match status {
            481 => self.forget(id),
            408 => self.leave(now, id, EndCause::Timeout),
            _ => {}
        }
    }

    /// The far side does not know the dialog: there is nobody to send a BYE to.
    pub(super) fn forget(&mut self, id: DialogId) {
        let confirmed = self.calls.get(&id).is_some_and(|call| matches!(call.state, CallState::Confirmed(_)));
        if confirmed {
            self.remove_call(id);
            self.emit(Event::Ended { dialog: id, cause: EndCause::Gone });
        }
    }
}

/// Whether the application may add this header field to an INVITE; the others are the endpoint's own.
fn may_be_given(id: HeaderId) -> bool {
    match id {
        HeaderId::Reason | HeaderId::Route | HeaderId::Supported | HeaderId::Warning | HeaderId::Timestamp => true,
        HeaderId::Via
        | HeaderId::From
        | HeaderId::To
        | HeaderId::CallId
        | HeaderId::CSeq
        | HeaderId::Contact
        | HeaderId::MaxForwards
        | HeaderId::RecordRoute
        | HeaderId::ContentLength
        | HeaderId::ContentType
        | HeaderId::ContentEncoding
        | HeaderId::Require
        | HeaderId::Unsupported
        | HeaderId::Allow
        | HeaderId::Accept
        | HeaderId::RetryAfter
        | HeaderId::UserAgent
        | HeaderId::Server
        | HeaderId::ReferTo
        | HeaderId::ReferredBy
        | HeaderId::Replaces
        | HeaderId::SessionExpires
        | HeaderId::MinSe
        | HeaderId::RSeq
        | HeaderId::RAck
        | HeaderId::Event
        | HeaderId::SubscriptionState
        | HeaderId::PAssertedIdentity
        | HeaderId::Privacy
        | HeaderId::Diversion => false,
    }
}
