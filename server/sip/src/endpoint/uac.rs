//! The caller's side: an INVITE and the ways it may take, one after the other or all at once (RFC 3261 §13.2.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{Destination, DialogId, Event, FailureCause, Invitation};
use super::body::SDP;
use super::call::{Attempt, Call, CallState, CallTimer, Calling, Due, Extras, Final, Way};
use super::compose::{SUPPORTED, SUPPORTED_RELIABLY};
use super::identity::anonymous;
use crate::message::{Header, HeaderId, Headers, Method, NameAddr, Params, Request};
use crate::reliable::RELIABLE;
use crate::session_timer::{DEFAULT_SECONDS, MIN_SECONDS, request_headers};
use crate::transaction::{Purpose, TxId};
use crate::trunk::TrunkKey;

/// The ways of one call.
struct Plan {
    ways: VecDeque<Way>,
    /// All at once.
    parallel: bool,
    trunk: Option<(TrunkKey, Duration)>,
}

impl Endpoint {
    pub(super) fn invite(&mut self, now: Instant, invitation: Invitation) {
        let id = invitation.dialog;
        if self.calls.len() >= self.config.limits.dialogs || self.calls.contains_key(&id) {
            return self.emit(Event::Failed { dialog: id, status: 503, cause: FailureCause::Overload });
        }
        let Some(plan) = self.plan(now, &invitation.destination) else {
            return self.emit(Event::Failed { dialog: id, status: 480, cause: FailureCause::Unreachable });
        };
        let of_trunk = plan.trunk.and_then(|(key, _)| self.trunks.get(key)?.config.credentials.clone());
        let credentials = invitation.credentials.clone().or(of_trunk);
        let key = (self.tokens.call_id(), self.tokens.tag());
        let calling = Calling {
            invitation,
            number: 0,
            trunk: plan.trunk,
            ways: plan.ways,
            attempts: Vec::new(),
            early: Vec::new(),
            best: None,
            told: false,
        };
        self.insert_call(id, key, CallState::Calling(Box::new(calling)));
        if let Some(call) = self.calls.get_mut(&id) {
            call.credentials = credentials;
        }
        if !plan.parallel {
            self.next_way(now, id);
            return;
        }
        // One number for all, as a proxy that forks would send it: a phone that is reached twice sees a merged request
        // (RFC 3261 §8.2.2.2) and rings once.
        let Some(calling) = self.calling_mut(id) else { return };
        calling.number = 1;
        for way in std::mem::take(&mut calling.ways) {
            self.attempt(now, id, way, Extras::default());
        }
    }

    /// Where an INVITE may go; `None` if there is no place.
    fn plan(&mut self, now: Instant, destination: &Destination) -> Option<Plan> {
        match destination {
            Destination::Target(target) => {
                let way = Way { flow: self.flow_to(target)?, uri: None, target: 0 };
                Some(Plan { ways: [way].into(), parallel: false, trunk: None })
            }
            Destination::Trunk(id) => {
                let key = self.trunks.key_of(id)?;
                let trunk = self.trunks.get(key)?;
                let (try_for, targets) = (trunk.config.try_for, trunk.config.targets.clone());
                let mut ways = VecDeque::new();
                for target in trunk.usable(now) {
                    let flow = targets.get(target).and_then(|address| self.flow_to(address));
                    ways.extend(flow.map(|flow| Way { flow, uri: None, target }));
                }
                let plan = Plan { ways, parallel: false, trunk: Some((key, try_for)) };
                (!plan.ways.is_empty()).then_some(plan)
            }
            Destination::User(username) => {
                let contacts = self.registrar.contacts(username).into_iter();
                let ways: VecDeque<_> =
                    contacts.map(|contact| Way { flow: contact.flow, uri: Some(contact.uri), target: 0 }).collect();
                (!ways.is_empty()).then_some(Plan { ways, parallel: true, trunk: None })
            }
        }
    }

    /// Tries the next way; says whether there was one.
    pub(super) fn next_way(&mut self, now: Instant, id: DialogId) -> bool {
        let Some(Call { state: CallState::Calling(calling), .. }) = self.calls.get_mut(&id) else { return false };
        while let Some(way) = calling.ways.pop_front() {
            // A target may have gone down since the call began.
            let usable = calling.trunk.is_none_or(|(key, _)| {
                self.trunks.get(key).is_some_and(|trunk| trunk.usable(now).contains(&way.target))
            });
            if usable {
                // A new number for each way: two targets may be one machine, which must not take the second INVITE for
                // a copy of the first.
                calling.number += 1;
                self.attempt(now, id, way, Extras::default());
                return true;
            }
        }
        false
    }

    /// Sends an INVITE with the number the call stands at.
    pub(super) fn attempt(&mut self, now: Instant, id: DialogId, way: Way, extras: Extras) {
        let Some(call) = self.calls.get(&id) else { return };
        let CallState::Calling(calling) = &call.state else { return };
        let try_for = calling.trunk.map(|(_, try_for)| try_for);
        let request = self.compose_invite(&call.key, calling, &way, &extras);
        let tx = self.send_request(now, request, way.flow, Purpose::Invite(id));
        if let Some(try_for) = try_for {
            self.timers.arm(Due::Call(id, CallTimer::Try), now + try_for);
        }
        if let Some(calling) = self.calling_mut(id) {
            calling.attempts.push(Attempt { tx, way, progress: false, extras });
        }
    }

    fn compose_invite(&self, key: &(String, String), calling: &Calling, way: &Way, extras: &Extras) -> Request {
        let invitation = &calling.invitation;
        let mut to = invitation.to.clone();
        let mut from = if invitation.privacy { anonymous() } else { invitation.from.clone() };
        let domain = calling.trunk.and_then(|(key, _)| self.trunks.get(key)?.config.domain.clone());
        if let Some(domain) = domain {
            (to.host, to.port) = (domain.clone(), None);
            if !invitation.privacy {
                (from.uri.host, from.uri.port) = (domain, None);
            }
        }
        // RFC 3261 §19.1.1: header components and the method parameter have no place in a Request-URI or To.
        to.headers = None;
        from.params.set("tag", &key.1);
        let uri = way.uri.as_ref().unwrap_or(&to).to_string().into_bytes();
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        headers.push(HeaderId::From, from.to_string());
        headers.push(HeaderId::To, NameAddr { display: None, uri: to, params: Params::default() }.to_string());
        headers.push(HeaderId::CallId, key.0.as_str());
        headers.push(HeaderId::CSeq, format!("{} INVITE", calling.number));
        for header in self.session_headers(way.flow) {
            headers.push_header(header);
        }
        // Without an offer of ours a reliable provisional response would bring theirs, and its PRACK would have to
        // bring the answer at once: then they shall not be reliable.
        headers.push(HeaderId::Supported, if invitation.sdp.is_empty() { SUPPORTED } else { SUPPORTED_RELIABLY });
        if invitation.require_reliable && !invitation.sdp.is_empty() {
            headers.push(HeaderId::Require, RELIABLE);
        }
        for header in request_headers(DEFAULT_SECONDS, extras.min_se.unwrap_or(MIN_SECONDS), None) {
            headers.push_header(header);
        }
        push_identity(&mut headers, invitation);
        for authorization in &extras.authorizations {
            headers.push_header(authorization.header.clone());
        }
        for (name, value) in &invitation.headers {
            let header = Header::new(name, value.as_str());
            if !header.name().is_empty() && header.id().is_none_or(may_be_given) {
                headers.push_header(header);
            }
        }
        if !invitation.sdp.is_empty() {
            headers.push(HeaderId::ContentType, SDP);
        }
        Request { method: Method::Invite, uri, headers, body: invitation.sdp.clone() }
    }

    pub(super) fn calling_mut(&mut self, id: DialogId) -> Option<&mut Calling> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Calling(calling) => Some(calling),
            CallState::Ringing(_) | CallState::Confirmed(_) | CallState::Leaving(_) => None,
        }
    }

    /// We hang up before the call was answered.
    pub(super) fn withdraw(&mut self, now: Instant, id: DialogId) {
        self.give_up(now, id, 487, FailureCause::Cancelled);
    }

    /// Timer C: the far side rings without a sign.
    pub(super) fn ring_timed_out(&mut self, now: Instant, id: DialogId) {
        if self.calling_mut(id).is_some() {
            self.give_up(now, id, 408, FailureCause::Timeout);
        } else {
            self.offer_timed_out(now, id);
        }
    }

    fn give_up(&mut self, now: Instant, id: DialogId, status: u16, cause: FailureCause) {
        if let Some(Call { state: CallState::Calling(calling), .. }) = self.remove_call(now, id) {
            for attempt in calling.attempts {
                self.abandon(now, attempt.tx, attempt.progress);
            }
            self.emit(Event::Failed { dialog: id, status, cause });
        }
    }

    /// A target of a trunk has been silent for too long: the next one is tried. What still comes from this one is
    /// cancelled.
    pub(super) fn try_timed_out(&mut self, now: Instant, id: DialogId) {
        let Some(calling) = self.calling_mut(id) else { return };
        let Some(silent) = calling.attempts.iter().position(|attempt| !attempt.progress) else { return };
        let attempt = calling.attempts.remove(silent);
        let trunk = calling.trunk;
        if let Some(trunk) = trunk.and_then(|(key, _)| self.trunks.get_mut(key)) {
            trunk.silent(now, attempt.way.target);
        }
        self.abandon(now, attempt.tx, false);
        let end = Final { status: 408, cause: FailureCause::Timeout, contacts: Vec::new() };
        self.way_ended(now, id, end);
    }

    /// An INVITE drew no final response: none at all in 64*T1, or there is no connection to send it on.
    pub(super) fn invite_unanswered(&mut self, now: Instant, id: DialogId, tx: TxId, cause: FailureCause) {
        let Some(calling) = self.calling_mut(id) else { return };
        let Some(index) = calling.attempts.iter().position(|attempt| attempt.tx == tx) else { return };
        let attempt = calling.attempts.remove(index);
        let trunk = calling.trunk;
        if let Some(trunk) = trunk.and_then(|(key, _)| self.trunks.get_mut(key)) {
            trunk.silent(now, attempt.way.target);
        }
        let status = if cause == FailureCause::Timeout { 408 } else { 503 };
        self.way_ended(now, id, Final { status, cause, contacts: Vec::new() });
    }

    /// One way has come to nothing: the next one, or the end of the call once all have.
    pub(super) fn way_ended(&mut self, now: Instant, id: DialogId, end: Final) {
        let Some(calling) = self.calling_mut(id) else { return };
        let elsewhere = end.cause != FailureCause::Rejected || end.status == 503;
        let go_on = elsewhere && calling.trunk.is_some() && !calling.told;
        let rank = |end: &Final| preference(end.status);
        if calling.best.as_ref().is_none_or(|best| rank(&end) < rank(best)) {
            calling.best = Some(end.clone());
        }
        if go_on && self.next_way(now, id) {
            return;
        }
        let Some(calling) = self.calling_mut(id) else { return };
        // RFC 3261 §16.7: a 6xx ends all branches of a fork.
        if !calling.attempts.is_empty() && end.status < 600 {
            return;
        }
        let Some(Call { state: CallState::Calling(calling), .. }) = self.remove_call(now, id) else { return };
        for attempt in calling.attempts {
            self.abandon(now, attempt.tx, attempt.progress);
        }
        let Final { status, cause, contacts } = calling.best.unwrap_or(end);
        self.emit(if (300..400).contains(&status) {
            Event::Redirected { dialog: id, status, contacts }
        } else {
            Event::Failed { dialog: id, status, cause }
        });
    }
}

/// Who calls, and for whom (RFC 3323, RFC 3325, RFC 3891, RFC 3892, RFC 5806).
fn push_identity(headers: &mut Headers, invitation: &Invitation) {
    if let Some(identity) = &invitation.identity {
        headers.push(HeaderId::PAssertedIdentity, identity.to_string());
    }
    if invitation.privacy {
        headers.push(HeaderId::Privacy, "id");
    }
    if let Some(asker) = &invitation.referred_by {
        headers.push(HeaderId::ReferredBy, asker.to_string());
    }
    if let Some(diverter) = &invitation.diversion {
        headers.push(HeaderId::Diversion, diverter.to_string());
    }
    if let Some(replaces) = &invitation.replaces {
        headers.push(HeaderId::Replaces, replaces.to_string());
    }
}

/// Which of several final responses is told, the lowest first (RFC 3261 §16.7 step 6): what a person decided tells more
/// than that nobody could be reached.
fn preference(status: u16) -> u8 {
    match status {
        600.. => 0,
        486 => 1,
        300..=399 => 2,
        408 | 480 => 4,
        500..=599 => 5,
        _ => 3,
    }
}

/// Whether the application may add this header field to an INVITE; the others are the endpoint's own.
fn may_be_given(id: HeaderId) -> bool {
    match id {
        HeaderId::Reason | HeaderId::Route | HeaderId::Warning | HeaderId::Timestamp => true,
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
        | HeaderId::Supported
        | HeaderId::Unsupported
        | HeaderId::Allow
        | HeaderId::Accept
        | HeaderId::RetryAfter
        | HeaderId::UserAgent
        | HeaderId::Authorization
        | HeaderId::ProxyAuthorization
        | HeaderId::WwwAuthenticate
        | HeaderId::ProxyAuthenticate
        | HeaderId::Expires
        | HeaderId::MinExpires
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
