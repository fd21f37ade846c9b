//! Changes of a running session, in both directions: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311), and the refreshes of
//! the session timer (RFC 4028).

use std::time::{Duration, Instant};

use super::Endpoint;
use super::answers::TIMER_C;
use super::api::{DialogId, EndCause, Event};
use super::body::{SDP, above_version, sdp_of};
use super::call::{AckNews, CallState, CallTimer, Due, Offering, PendingOffer, Session, Unacked};
use super::screen::Refusal;
use crate::flow::Flow;
use crate::message::{Envelope, Header, HeaderId, Method, Request, Response};
use crate::session_timer::{MIN_SECONDS, Refresher, SessionTimer, Terms, min_se, request_headers};
use crate::transaction::timer::T1;
use crate::transaction::{Purpose, TxId};

/// How often an offer that crosses theirs is made again.
const MAX_CROSSED: u8 = 5;
/// The pause before a refresh is tried again that could not be sent or was refused for now.
const REFRESH_PAUSE: Duration = Duration::from_secs(5);

impl Endpoint {
    /// UPDATE (RFC 3311 §5.2).
    pub(super) fn remote_update(
        &mut self,
        now: Instant,
        id: DialogId,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let tag = call.key.1.clone();
        let offered_in_answer = match &call.state {
            CallState::Confirmed(confirmed) => confirmed.has_offered() || confirmed.answer_due.is_some(),
            CallState::Ringing(_) | CallState::Calling(_) | CallState::Leaving(_) => false,
        };
        let incoming = matches!(call.state, CallState::Ringing(_));
        let we_refresh = self.we_refresh(id);
        let Some(session) = self.session_mut(id, envelope) else {
            return self.answer_with(now, reply, request, envelope, Refusal::new(481));
        };
        let Ok(terms) = Terms::answer(&request.headers, we_refresh) else {
            return self.refuse_interval(now, reply, request, envelope);
        };
        if sdp_of(&request.headers, &request.body).is_none() {
            session.dialog.refresh_target(&request.headers);
            let mut response = self.respond_in_dialog(request, 200, &tag, reply, None);
            self.grant(now, id, terms, &mut response);
            return self.answer(now, reply, request, envelope, &response);
        }
        // "If the UPDATE is received, and contains an offer, and the UAS has generated an offer to which it has not yet
        // received an answer, the UAS MUST reject the UPDATE with a 491"; one that we have not answered yet draws 500.
        let refusal = if session.pending.is_some() || (incoming && !session.settled) {
            Some(500)
        } else {
            (session.has_offered() || offered_in_answer || !session.settled).then_some(491)
        };
        if let Some(status) = refusal {
            return self.refuse_offer(now, reply, request, envelope, status);
        }
        let tx = self.layer.open_server(envelope, &Method::Update, reply);
        self.ask_application(id, tx, request, envelope, reply, terms);
    }

    /// A re-INVITE (RFC 3261 §14.2).
    pub(super) fn remote_reinvite(
        &mut self,
        now: Instant,
        id: DialogId,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let refusal = match &call.state {
            // "A UAS that receives a second INVITE before it sends the final response to a first INVITE […] MUST return
            // a 500 […] and MUST include a Retry-After header field with a randomly chosen value of between 0 and 10
            // seconds."
            CallState::Ringing(_) => Some(500),
            // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST
            // return a 491".
            CallState::Calling(_) => Some(491),
            CallState::Confirmed(confirmed) if confirmed.session.pending.is_some() => Some(500),
            // Two changes at once cannot be told apart by their ACKs' answers: the first must be through.
            CallState::Confirmed(confirmed) => {
                let busy =
                    confirmed.session.has_offered() || confirmed.unacked.is_some() || confirmed.answer_due.is_some();
                busy.then_some(491)
            }
            CallState::Leaving(_) => Some(481),
        };
        if let Some(status) = refusal {
            return self.refuse_offer(now, reply, request, envelope, status);
        }
        let Ok(terms) = Terms::answer(&request.headers, self.we_refresh(id)) else {
            return self.refuse_interval(now, reply, request, envelope);
        };
        let tx = self.layer.open_server(envelope, &Method::Invite, reply);
        self.layer.set_owner(tx, id);
        let trying = self.respond_to(request, 100, None);
        self.layer.respond(now, tx, &trying, &mut self.wire);
        self.ask_application(id, tx, request, envelope, reply, terms);
    }

    fn ask_application(
        &mut self,
        id: DialogId,
        tx: TxId,
        request: &Request,
        envelope: &Envelope,
        reply: Flow,
        terms: Terms,
    ) {
        if let Some(session) = self.session_mut(id, envelope) {
            let number = envelope.cseq.number;
            session.pending = Some(PendingOffer { tx, request: request.clone(), number, flow: reply, terms });
            self.emit(Event::Reinvite { dialog: id, sdp: sdp_of(&request.headers, &request.body) });
        }
    }

    /// The session of a call for which a test holds; of a forked call the first such branch.
    fn session_where(&mut self, id: DialogId, test: impl Fn(&Session) -> bool) -> Option<&mut Session> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Ringing(ringing) => Some(&mut ringing.session).filter(|session| test(session)),
            CallState::Calling(calling) => {
                calling.early.iter_mut().map(|early| &mut early.session).find(|session| test(session))
            }
            CallState::Confirmed(confirmed) => Some(&mut confirmed.session).filter(|session| test(session)),
            CallState::Leaving(_) => None,
        }
    }

    /// A change of ours was sent again, in another transaction.
    pub(super) fn replace_offering(&mut self, id: DialogId, old: TxId, new: TxId) {
        let ours = |session: &Session| session.offering.as_ref().is_some_and(|offering| offering.tx == old);
        if let Some(offering) = self.session_where(id, ours).and_then(|session| session.offering.as_mut()) {
            offering.tx = new;
        }
    }

    pub(super) fn answer_offer(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let Some(tag) = self.calls.get(&id).map(|call| call.key.1.clone()) else { return };
        let Some(session) = self.session_where(id, |session| session.pending.is_some()) else { return };
        let Some(pending) = session.pending.take() else { return };
        session.dialog.refresh_target(&pending.request.headers);
        let theirs = sdp_of(&pending.request.headers, &pending.request.body);
        let late_offer = theirs.is_none();
        session.theirs = theirs.or(session.theirs.take());
        session.ours.clone_from(&sdp);
        let mut response = self.respond_in_dialog(&pending.request, 200, &tag, pending.flow, Some(sdp));
        self.grant(now, id, pending.terms, &mut response);
        if pending.request.method == Method::Invite
            && let Some(confirmed) = self.confirmed_mut(id)
        {
            let news = if late_offer { AckNews::ConfirmedWithAnswer } else { AckNews::Nothing };
            let PendingOffer { number, flow, .. } = pending;
            let bytes = response.to_bytes();
            confirmed.unacked = Some(Unacked { number, bytes, flow, interval: T1, news });
            self.await_ack(now, id);
        }
        self.layer.respond(now, pending.tx, &response, &mut self.wire);
        self.send_waiting(now, id);
    }

    pub(super) fn reject_offer(&mut self, now: Instant, id: DialogId, status: u16) {
        let Some(session) = self.session_where(id, |session| session.pending.is_some()) else { return };
        let Some(pending) = session.pending.take() else { return };
        let status = if (300..700).contains(&status) { status } else { 488 };
        let response = self.respond_to(&pending.request, status, None);
        self.layer.respond(now, pending.tx, &response, &mut self.wire);
        self.send_waiting(now, id);
    }

    /// Makes our offer: at once, or after the change that is under way.
    pub(super) fn offer(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match &mut call.state {
            // RFC 3261 §14.1: "a UAC MUST NOT initiate a new INVITE transaction within a dialog while another INVITE
            // transaction is in progress in either direction."
            CallState::Confirmed(confirmed) => {
                confirmed.session.waiting = Some(sdp);
                self.send_waiting(now, id);
            }
            CallState::Ringing(_) | CallState::Calling(_) => self.offer_early(now, id, sdp),
            CallState::Leaving(_) => {}
        }
    }

    /// Sends the offer that waits, if it may go now.
    pub(super) fn send_waiting(&mut self, now: Instant, id: DialogId) {
        if self.timers.is_armed(Due::Call(id, CallTimer::Glare)) {
            return;
        }
        let Some(confirmed) = self.confirmed_mut(id).filter(|confirmed| !confirmed.is_busy()) else { return };
        let Some(sdp) = confirmed.session.waiting.take() else { return };
        // What was written before another change went through must still be the newest (RFC 3264 §8).
        let sdp = above_version(sdp, &confirmed.session.ours);
        self.send_change(now, id, Method::Invite, sdp, false);
    }

    /// RFC 3311 §5.1: an offer in an early dialog goes by UPDATE, once the first offer has its answer.
    fn offer_early(&mut self, now: Instant, id: DialogId, sdp: Vec<u8>) {
        let may = |session: &Session| {
            session.settled && session.takes_update && session.offering.is_none() && session.pending.is_none()
        };
        let Some(session) = self.session_where(id, may) else {
            return self.emit(Event::OfferRefused { dialog: id, status: 491 });
        };
        let flow = session.dialog.next_hop();
        let peer = session.dialog.remote_tag().map(str::to_owned);
        let (mut request, _) = session.dialog.next_request(Method::Update);
        for header in self.session_headers(flow) {
            request.headers.push_header(header);
        }
        request.headers.push(HeaderId::ContentType, SDP);
        request.body.clone_from(&sdp);
        let tx = self.send_request(now, request, flow, Purpose::Offer(id));
        if let Some(session) = self.session_where(id, |session| session.dialog.remote_tag() == peer.as_deref()) {
            session.offering = Some(Offering { tx, sdp, refresh: false });
        }
    }

    /// Sends a re-INVITE or UPDATE in a confirmed dialog.
    fn send_change(&mut self, now: Instant, id: DialogId, method: Method, sdp: Vec<u8>, refresh: bool) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        let flow = confirmed.session.dialog.next_hop();
        let (mut request, _) = confirmed.session.dialog.next_request(method);
        let timer = confirmed.timer;
        for header in
            self.session_headers(flow).into_iter().chain([Header::new("Supported", super::compose::SUPPORTED)])
        {
            request.headers.push_header(header);
        }
        if let Some(SessionTimer { seconds, we_refresh }) = timer {
            let refresher = if we_refresh { Refresher::Uac } else { Refresher::Uas };
            for header in request_headers(seconds, MIN_SECONDS, Some(refresher)) {
                request.headers.push_header(header);
            }
        }
        if !sdp.is_empty() {
            request.headers.push(HeaderId::ContentType, SDP);
            request.body.clone_from(&sdp);
        }
        let tx = self.send_request(now, request, flow, Purpose::Offer(id));
        if let Some(confirmed) = self.confirmed_mut(id) {
            confirmed.session.offering = Some(Offering { tx, sdp, refresh });
        }
    }

    /// A response to a re-INVITE or UPDATE of ours.
    pub(super) fn offer_response(
        &mut self,
        now: Instant,
        id: DialogId,
        tx: TxId,
        response: &Response,
        envelope: &Envelope,
    ) {
        let ours = |session: &Session| session.offering.as_ref().is_some_and(|offering| offering.tx == tx);
        let Some(session) = self.session_where(id, ours) else { return };
        if response.status < 200 {
            if envelope.cseq.method == Method::Invite {
                self.timers.arm(Due::Call(id, CallTimer::C), now + TIMER_C);
            }
            return;
        }
        let Some(offering) = session.offering.take() else { return };
        self.timers.disarm(Due::Call(id, CallTimer::C));
        match response.status {
            ..300 => self.offer_accepted(now, id, offering, response, envelope),
            491 => self.offer_crossed(now, id, offering),
            481 | 408 => self.check_alive(now, id, response.status),
            status if offering.refresh => self.refresh_refused(now, id, status, &offering, response),
            status => self.emit(Event::OfferRefused { dialog: id, status }),
        }
        self.send_waiting(now, id);
    }

    fn offer_accepted(
        &mut self,
        now: Instant,
        id: DialogId,
        offering: Offering,
        response: &Response,
        envelope: &Envelope,
    ) {
        let Offering { tx, sdp, refresh } = offering;
        let peer = envelope.to.tag();
        let Some(session) = self.session_where(id, |session| session.dialog.remote_tag() == peer) else { return };
        session.dialog.refresh_target(&response.headers);
        session.crossed = 0;
        let answer = sdp_of(&response.headers, &response.body);
        let changed = answer.is_some() && answer != session.theirs;
        session.theirs = answer.clone().or(session.theirs.take());
        if !sdp.is_empty() {
            session.ours = sdp;
        }
        let dialog = session.dialog.clone();
        if envelope.cseq.method == Method::Invite {
            self.send_ack(tx, &dialog, envelope.cseq.number, None);
        }
        if self.confirmed_mut(id).is_some() {
            self.keep_session(now, id, Terms::learn(&response.headers).timer(Refresher::Uac));
        }
        if !refresh || changed {
            self.emit(Event::OfferAnswered { dialog: id, sdp: answer });
        }
    }

    /// RFC 3261 §14.1: after a 491, the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, both in steps of
    /// 10 ms.
    fn offer_crossed(&mut self, now: Instant, id: DialogId, offering: Offering) {
        let owner = id.is_outgoing();
        let steps = if owner { 210 + self.tokens.below(191) } else { self.tokens.below(201) };
        let pause = Duration::from_millis(10) * steps;
        let Some(confirmed) = self.confirmed_mut(id) else {
            return self.emit(Event::OfferRefused { dialog: id, status: 491 });
        };
        if offering.refresh {
            return self.timers.arm(Due::Call(id, CallTimer::Refresh), now + pause);
        }
        confirmed.session.crossed += 1;
        if confirmed.session.crossed > MAX_CROSSED {
            confirmed.session.crossed = 0;
            return self.emit(Event::OfferRefused { dialog: id, status: 491 });
        }
        confirmed.session.waiting.get_or_insert(offering.sdp);
        self.timers.arm(Due::Call(id, CallTimer::Glare), now + pause);
    }

    pub(super) fn offer_timed_out(&mut self, now: Instant, id: DialogId) {
        if self.confirmed_mut(id).is_some() {
            return self.leave(now, id, EndCause::Timeout);
        }
        // An UPDATE in an early dialog: the INVITE has its own patience.
        if let Some(session) = self.session_where(id, |session| session.offering.is_some()) {
            session.offering = None;
            self.emit(Event::OfferRefused { dialog: id, status: 408 });
        }
    }

    // The session timer.

    fn we_refresh(&mut self, id: DialogId) -> Option<bool> {
        self.confirmed_mut(id).and_then(|confirmed| confirmed.timer).map(|timer| timer.we_refresh)
    }

    /// Adds what a 2xx of ours grants, and keeps to it from now on.
    pub(super) fn grant(&mut self, now: Instant, id: DialogId, terms: Terms, response: &mut Response) {
        for header in terms.headers() {
            response.headers.push_header(header);
        }
        if self.confirmed_mut(id).is_some() {
            self.keep_session(now, id, terms.timer(Refresher::Uas));
        }
    }

    /// The session has been refreshed: both deadlines start anew.
    pub(super) fn keep_session(&mut self, now: Instant, id: DialogId, timer: SessionTimer) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        confirmed.timer = Some(timer);
        self.timers.arm(Due::Call(id, CallTimer::Lapse), now + timer.lapse_after());
        if timer.we_refresh {
            self.timers.arm(Due::Call(id, CallTimer::Refresh), now + timer.refresh_after());
        } else {
            self.timers.disarm(Due::Call(id, CallTimer::Refresh));
        }
    }

    /// Time to refresh: by UPDATE where the far side takes it, since that needs no description.
    pub(super) fn refresh(&mut self, now: Instant, id: DialogId) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        if confirmed.is_busy() || confirmed.session.offering.is_some() {
            return self.timers.arm(Due::Call(id, CallTimer::Refresh), now + REFRESH_PAUSE);
        }
        if confirmed.session.takes_update {
            self.send_change(now, id, Method::Update, Vec::new(), true);
        } else {
            let sdp = confirmed.session.ours.clone();
            self.send_change(now, id, Method::Invite, sdp, true);
        }
    }

    fn refresh_refused(&mut self, now: Instant, id: DialogId, status: u16, offering: &Offering, response: &Response) {
        let Some(confirmed) = self.confirmed_mut(id) else { return };
        match status {
            // Somebody on the way wants a longer interval (RFC 4028 §7.4).
            422 => {
                if let (Some(timer), Some(least)) = (&mut confirmed.timer, min_se(&response.headers)) {
                    timer.seconds = timer.seconds.max(least);
                }
            }
            // It said that it takes UPDATE, and does not.
            _ if offering.sdp.is_empty() => confirmed.session.takes_update = false,
            _ => {}
        }
        self.timers.arm(Due::Call(id, CallTimer::Refresh), now + REFRESH_PAUSE);
    }

    /// Refuses a session interval (RFC 4028 §9).
    pub(super) fn refuse_interval(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope) {
        let refusal = Refusal::new(422).with(HeaderId::MinSe, &MIN_SECONDS.to_string());
        self.answer_with(now, reply, request, envelope, refusal);
    }

    /// Refuses a change of the session for now.
    fn refuse_offer(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope, status: u16) {
        let mut refusal = Refusal::new(status);
        if status == 500 {
            refusal = refusal.with(HeaderId::RetryAfter, &self.tokens.below(11).to_string());
        }
        self.answer_with(now, reply, request, envelope, refusal);
    }
}
