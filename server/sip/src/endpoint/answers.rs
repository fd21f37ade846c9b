//! The answers to an INVITE of ours: progress and its PRACK (RFC 3262), forks, the 2xx and its ACK (RFC 3261 §13.2.2),
//! refusals.

use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{DialogId, Event, FailureCause};
use super::body::{SDP, sdp_of};
use super::call::{CallState, CallTimer, Confirmed, Due, Early, Extras, Final, Session};
use super::identity::redirect_contacts;
use crate::dialog::Dialog;
use crate::message::{Envelope, HeaderId, Method, Response, via};
use crate::reliable::{Arrival, arrival, rseq};
use crate::session_timer::{Refresher, Terms, min_se};
use crate::transaction::timer::PATIENCE;
use crate::transaction::{Purpose, TxId, Unwanted, cancel_of};

/// Timer C (RFC 3261 §16.6): longer than the minute after which a callee repeats its provisional response, three times
/// over.
pub(super) const TIMER_C: Duration = Duration::from_secs(185);
/// Forks whose early dialogs are remembered; the others are still acknowledged and hung up.
const MAX_EARLY_DIALOGS: usize = 8;

impl Endpoint {
    /// A response to an INVITE that was sent for a call.
    pub(super) fn invite_response(
        &mut self,
        now: Instant,
        id: DialogId,
        tx: TxId,
        response: &Response,
        envelope: &Envelope,
    ) {
        let wanted = self.calling_mut(id).is_some_and(|calling| calling.attempts.iter().any(|it| it.tx == tx));
        match response.status {
            ..200 if wanted => self.invite_progress(now, id, tx, response, envelope),
            200..300 if wanted => self.invite_success(now, id, tx, response, envelope),
            300.. if wanted => self.invite_refused(now, id, tx, response),
            200..300 if !self.is_answer_due(id, tx, envelope) => self.stray_success(now, tx, response, envelope),
            _ => {}
        }
    }

    fn invite_progress(&mut self, now: Instant, id: DialogId, tx: TxId, response: &Response, envelope: &Envelope) {
        let dialog = self
            .layer
            .client_request(tx)
            .and_then(|(invite, flow)| Dialog::uac(invite, response, envelope, flow))
            .filter(|dialog| response.status > 100 && dialog.remote_tag().is_some());
        let Some(calling) = self.calling_mut(id) else { return };
        let Some(attempt) = calling.attempts.iter_mut().find(|attempt| attempt.tx == tx) else { return };
        attempt.progress = true;
        let (target, trunk) = (attempt.way.target, calling.trunk);
        if let Some(trunk) = trunk.and_then(|(key, _)| self.trunks.get_mut(key)) {
            trunk.answered(target);
        }
        self.timers.disarm(Due::Call(id, CallTimer::Try));
        self.timers.arm(Due::Call(id, CallTimer::C), now + TIMER_C);
        if response.status == 100 {
            return;
        }
        let sdp = sdp_of(&response.headers, &response.body);
        if let Some(dialog) = dialog
            && !self.early_progress(now, id, tx, dialog, response, sdp.as_deref())
        {
            return;
        }
        let early = envelope.to.tag().unwrap_or_default().to_owned();
        if let Some(calling) = self.calling_mut(id) {
            calling.told = true;
        }
        self.emit(Event::Progress { dialog: id, status: response.status, sdp, early });
    }

    /// Notes an early dialog, and acknowledges a reliable response. Says whether the response is new.
    fn early_progress(
        &mut self,
        now: Instant,
        id: DialogId,
        tx: TxId,
        dialog: Dialog,
        response: &Response,
        sdp: Option<&[u8]>,
    ) -> bool {
        let Some(calling) = self.calling_mut(id) else { return false };
        let ours = calling.invitation.sdp.clone();
        let number = calling.number;
        let known = calling.early.iter().position(|early| early.session.dialog.remote_tag() == dialog.remote_tag());
        let index = match known {
            Some(index) => index,
            None if calling.early.len() < MAX_EARLY_DIALOGS => {
                let mut session = Session::new(dialog, takes_update(response));
                session.ours = ours;
                calling.early.push(Early { tx, session, rseq: None });
                calling.early.len() - 1
            }
            None => return true,
        };
        let Some(early) = calling.early.get_mut(index) else { return true };
        early.session.takes_update |= takes_update(response);
        let Some(reliable) = rseq(&response.headers) else { return true };
        match arrival(early.rseq, reliable) {
            Arrival::Next => early.rseq = Some(reliable),
            Arrival::Repeat | Arrival::Early => return false,
        }
        if let Some(sdp) = sdp {
            // RFC 3261 §13.2.1: an answer in a reliable provisional response is the answer.
            early.session.theirs = Some(sdp.to_vec());
            early.session.settled = true;
        }
        let flow = early.session.dialog.next_hop();
        let (mut prack, _) = early.session.dialog.next_request(Method::Prack);
        prack.headers.push(HeaderId::RAck, format!("{reliable} {number} INVITE"));
        self.send_request(now, prack, flow, Purpose::Prack);
        true
    }

    fn invite_success(&mut self, now: Instant, id: DialogId, tx: TxId, response: &Response, envelope: &Envelope) {
        let Some(dialog) = self.dialog_of(tx, response, envelope) else { return };
        let Some(calling) = self.calling_mut(id) else { return };
        let offered = !calling.invitation.sdp.is_empty();
        // RFC 3261 §13.2.2.4: each 2xx is acknowledged, whatever becomes of its dialog.
        if offered && !self.send_ack(tx, &dialog, envelope.cseq.number, None) {
            return;
        }
        let Some(calling) = self.calling_mut(id) else { return };
        let attempts = std::mem::take(&mut calling.attempts);
        let early = calling.early.iter().position(|early| early.session.dialog.remote_tag() == dialog.remote_tag());
        let early = early.map(|index| calling.early.swap_remove(index).session);
        // The branches that lost: what they asked for and has no answer yet ends with them.
        let losers = std::mem::take(&mut calling.early);
        let ours = calling.invitation.sdp.clone();
        let trunk = calling.trunk;
        let mut session = match early {
            Some(mut early) => {
                let mut dialog = dialog;
                dialog.inherit(&early.dialog);
                early.dialog = dialog;
                early
            }
            None => Session { ours, ..Session::new(dialog, false) },
        };
        session.takes_update |= takes_update(response);
        session.theirs = sdp_of(&response.headers, &response.body).or(session.theirs);
        session.settled = offered;
        let sdp = session.theirs.clone();
        let mut confirmed = Confirmed::new(session);
        confirmed.answer_due = (!offered).then_some((tx, envelope.cseq.number));
        let won = attempts.iter().find(|attempt| attempt.tx == tx).map(|attempt| attempt.way.target);
        if let (Some((key, _)), Some(target)) = (trunk, won)
            && let Some(trunk) = self.trunks.get_mut(key)
        {
            trunk.answered(target);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = CallState::Confirmed(Box::new(confirmed));
        }
        for timer in [CallTimer::C, CallTimer::Try] {
            self.timers.disarm(Due::Call(id, timer));
        }
        for lost in losers {
            self.end_changes(now, lost.session);
        }
        for attempt in attempts.into_iter().filter(|attempt| attempt.tx != tx) {
            self.abandon(now, attempt.tx, attempt.progress);
        }
        self.keep_session(now, id, Terms::learn(&response.headers).timer(Refresher::Uac));
        self.emit(Event::Answered { dialog: id, sdp });
    }

    /// Another branch of a fork answered too, or one nobody waits for. RFC 3261 §13.2.2.4: "If, after acknowledging any
    /// 2xx response to an INVITE, the UAC does not want to continue with that dialog, then the UAC MUST terminate the
    /// dialog by sending a BYE request".
    fn stray_success(&mut self, now: Instant, tx: TxId, response: &Response, envelope: &Envelope) {
        let Some(mut dialog) = self.dialog_of(tx, response, envelope) else { return };
        if self.send_ack(tx, &dialog, envelope.cseq.number, None) {
            let flow = dialog.next_hop();
            let (bye, _) = dialog.next_request(Method::Bye);
            self.send_request(now, bye, flow, Purpose::StrayBye);
        }
    }

    fn invite_refused(&mut self, now: Instant, id: DialogId, tx: TxId, response: &Response) {
        let Some(calling) = self.calling_mut(id) else { return };
        let Some(index) = calling.attempts.iter().position(|attempt| attempt.tx == tx) else { return };
        let attempt = calling.attempts.remove(index);
        let trunk = calling.trunk;
        let (over, rest) = std::mem::take(&mut calling.early).into_iter().partition(|early| early.tx == tx);
        calling.early = rest;
        let over: Vec<Early> = over;
        for early in over {
            self.end_changes(now, early.session);
        }
        self.timers.disarm(Due::Call(id, CallTimer::Try));
        if let Some(extras) = self.try_again(id, tx, attempt.extras, response) {
            if let Some(calling) = self.calling_mut(id) {
                calling.number += 1;
            }
            return self.attempt(now, id, attempt.way, extras);
        }
        if let Some(trunk) = trunk.and_then(|(key, _)| self.trunks.get_mut(key)) {
            if response.status == 503 {
                trunk.refused(now, attempt.way.target, retry_after(response));
            } else {
                trunk.answered(attempt.way.target);
            }
        }
        let (status, cause) = (response.status, FailureCause::Rejected);
        let contacts = if (300..400).contains(&status) { redirect_contacts(&response.headers) } else { Vec::new() };
        self.way_ended(now, id, Final { status, cause, contacts });
    }

    /// What the INVITE must say to be taken the next time, if there is a way: RFC 3261 §8.1.3.5 and RFC 4028 §7.4.
    fn try_again(&mut self, id: DialogId, tx: TxId, mut extras: Extras, response: &Response) -> Option<Extras> {
        match response.status {
            401 | 407 => self.authorize_invite(id, tx, extras, response),
            422 => {
                let least = min_se(&response.headers)?;
                if extras.min_se.is_some_and(|known| known >= least) {
                    return None;
                }
                extras.min_se = Some(least);
                Some(extras)
            }
            _ => None,
        }
    }

    /// The application answers the offer that a 2xx brought.
    pub(super) fn ack_answer(&mut self, id: DialogId, sdp: Vec<u8>) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let Some((tx, number)) = confirmed.answer_due.take() else { return };
        confirmed.session.ours.clone_from(&sdp);
        confirmed.session.settled = true;
        let dialog = confirmed.session.dialog.clone();
        self.send_ack(tx, &dialog, number, Some(sdp));
    }

    fn is_answer_due(&mut self, id: DialogId, tx: TxId, envelope: &Envelope) -> bool {
        self.confirmed_mut(id).is_some_and(|confirmed| {
            confirmed.answer_due == Some((tx, envelope.cseq.number))
                && confirmed.session.dialog.remote_tag() == envelope.to.tag()
        })
    }

    /// Sends the ACK to a 2xx, and keeps it for the repeats of that 2xx. Says whether that was possible.
    pub(super) fn send_ack(&mut self, tx: TxId, dialog: &Dialog, number: u32, sdp: Option<Vec<u8>>) -> bool {
        let mut ack = dialog.ack(number);
        // RFC 3261 §22.1: the ACK of an INVITE that bore credentials bears them, too.
        if let Some((invite, _)) = self.layer.client_request(tx) {
            for header in invite.headers.iter() {
                if matches!(header.id(), Some(HeaderId::Authorization | HeaderId::ProxyAuthorization)) {
                    ack.headers.push_header(header.clone());
                }
            }
        }
        if let Some(sdp) = sdp {
            ack.headers.push(HeaderId::ContentType, SDP);
            ack.body = sdp;
        }
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

    fn dialog_of(&self, tx: TxId, response: &Response, envelope: &Envelope) -> Option<Dialog> {
        self.layer.client_request(tx).and_then(|(invite, flow)| Dialog::uac(invite, response, envelope, flow))
    }

    /// Nobody waits for this INVITE any more: it is cancelled, now or at its first provisional response. RFC 3261 §9.1:
    /// "If no provisional response has been received, the CANCEL request MUST NOT be sent".
    pub(super) fn abandon(&mut self, now: Instant, tx: TxId, progress: bool) {
        if progress {
            self.send_cancel(now, tx);
        } else {
            self.layer.set_purpose(tx, Purpose::Unwanted(Unwanted::Silent));
        }
    }

    /// A response to an INVITE nobody waits for any more.
    pub(super) fn unwanted_response(
        &mut self,
        now: Instant,
        tx: TxId,
        state: Unwanted,
        response: &Response,
        envelope: &Envelope,
    ) {
        match response.status {
            ..200 => {
                if state == Unwanted::Silent {
                    self.send_cancel(now, tx);
                }
            }
            // The answer crossed our CANCEL.
            200..300 => {
                self.timers.disarm(Due::Cancelled(tx));
                self.stray_success(now, tx, response, envelope);
            }
            300.. => self.timers.disarm(Due::Cancelled(tx)),
        }
    }

    fn send_cancel(&mut self, now: Instant, tx: TxId) {
        let Some((invite, flow)) = self.layer.client_request(tx) else { return };
        let branch = via::top(&invite.headers).and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let cancel = cancel_of(invite);
        self.layer.set_purpose(tx, Purpose::Unwanted(Unwanted::Cancelled));
        self.layer.open_client(now, cancel, &branch, flow, Purpose::Cancel, &mut self.wire);
        // RFC 3261 §9.1: "If there is no final response for the original request in 64*T1 seconds […], the client
        // SHOULD then consider the original transaction cancelled and SHOULD destroy the client transaction".
        self.timers.arm(Due::Cancelled(tx), now + PATIENCE);
    }
}

/// Whether the sender of a message takes UPDATE (RFC 3311 §4).
pub(super) fn takes_update(response: &Response) -> bool {
    response.headers.list(HeaderId::Allow).iter().any(|method| method == "UPDATE")
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers.first(HeaderId::RetryAfter)?.text();
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_secs)
}
