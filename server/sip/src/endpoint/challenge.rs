//! Challenges to requests of ours (RFC 3261 §22): answered with the credentials of the call or of its trunk, once for
//! each realm, and once more when only the nonce was too old.
//!
//! Credentials belong to calls we placed and to our registrations. A caller who challenges us gets nothing.

use std::time::Instant;

use super::Endpoint;
use super::api::{Credentials, DialogId};
use super::call::{CallState, Extras};
use crate::dialog::Dialog;
use crate::digest::Challenge;
use crate::message::{Header, HeaderId, Headers, Request, Response, text};
use crate::transaction::{Purpose, TxId};

/// What answers one challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) realm: String,
    pub(super) header: Header,
    /// Whether it may be answered although the realm has been answered before.
    stale: bool,
}

impl Endpoint {
    /// The answers to the challenges of a 401 or 407, one per realm.
    pub(super) fn authorize(&mut self, tx: TxId, response: &Response, credentials: &Credentials) -> Vec<Authorization> {
        let Some((request, _)) = self.layer.client_request(tx) else { return Vec::new() };
        let (method, uri) = (request.method.clone(), text::decode(&request.uri).into_owned());
        let Credentials { user, password } = credentials;
        Challenge::of_response(&response.headers)
            .into_iter()
            .map(|(id, challenge)| {
                let cnonce = self.tokens.tag();
                let value = challenge.answer(user, password, method.as_str(), &uri, &cnonce, 1);
                let header = Header::new(id.name(), value);
                Authorization { realm: challenge.realm.clone(), header, stale: challenge.stale }
            })
            .collect()
    }

    /// What an INVITE must say after a challenge; `None` if it has been answered before, or cannot be.
    pub(super) fn authorize_invite(
        &mut self,
        id: DialogId,
        tx: TxId,
        mut extras: Extras,
        response: &Response,
    ) -> Option<Extras> {
        let credentials = self.calls.get(&id)?.credentials.clone()?;
        let answers = self.authorize(tx, response, &credentials);
        take_in(&mut extras, answers).then_some(extras)
    }

    /// Sends a request of ours inside a call again with the answer to its challenge. Says whether it could.
    pub(super) fn try_authorized(&mut self, now: Instant, tx: TxId, purpose: Purpose, response: &Response) -> bool {
        let id = match purpose {
            Purpose::Offer(id) | Purpose::Info(id) | Purpose::Refer(id) | Purpose::Notify(id) | Purpose::Bye(id) => id,
            Purpose::Invite(_)
            | Purpose::Unwanted(_)
            | Purpose::Cancel
            | Purpose::StrayBye
            | Purpose::Prack
            | Purpose::Register(_)
            | Purpose::Ping(_, _)
            | Purpose::KeepAlive(_) => return false,
        };
        let Some(credentials) = self.calls.get(&id).and_then(|call| call.credentials.clone()) else { return false };
        let Some((request, flow)) = self.layer.client_request(tx).map(|(request, flow)| (request.clone(), flow)) else {
            return false;
        };
        // One answer for each request: what it drew before, it would draw again.
        let answered = |it: &Header| matches!(it.id(), Some(HeaderId::Authorization | HeaderId::ProxyAuthorization));
        let answers = self.authorize(tx, response, &credentials);
        if answers.is_empty() || request.headers.iter().any(answered) {
            return false;
        }
        let Some(number) = self.dialog_behind(id, tx).map(Dialog::next_number) else { return false };
        let again = again(request, number, answers);
        let new = self.send_request(now, again, flow, purpose);
        self.replace_offering(id, tx, new);
        if let Purpose::Refer(id) = purpose
            && let Some(confirmed) = self.confirmed_mut(id)
        {
            confirmed.refer_out = Some(number);
        }
        true
    }

    /// The dialog a request of ours was sent in.
    fn dialog_behind(&mut self, id: DialogId, tx: TxId) -> Option<&mut Dialog> {
        match &mut self.calls.get_mut(&id)?.state {
            CallState::Ringing(ringing) => Some(&mut ringing.session.dialog),
            CallState::Calling(calling) => {
                let mut sessions = calling.early.iter_mut().map(|early| &mut early.session);
                let session = sessions.find(|session| session.offering.as_ref().is_some_and(|it| it.tx == tx))?;
                Some(&mut session.dialog)
            }
            CallState::Confirmed(confirmed) => Some(&mut confirmed.session.dialog),
            CallState::Leaving(leaving) => Some(&mut leaving.dialog),
        }
    }
}

/// Adds answers to what an INVITE says; `false` when a realm has been answered before, or there is nothing to answer.
fn take_in(extras: &mut Extras, answers: Vec<Authorization>) -> bool {
    if answers.is_empty() {
        return false;
    }
    for answer in answers {
        let before = extras.authorizations.iter().position(|known| known.realm == answer.realm);
        match before {
            Some(_) if !answer.stale || extras.renewed => return false,
            Some(index) => {
                extras.renewed = true;
                extras.authorizations.remove(index);
            }
            None => {}
        }
        extras.authorizations.push(answer);
    }
    true
}

/// The same request with the next number and what answers its challenge; without Via and User-Agent, which are written
/// anew.
fn again(request: Request, number: u32, answers: Vec<Authorization>) -> Request {
    let mut headers = Headers::default();
    for header in request.headers.iter() {
        match header.id() {
            Some(HeaderId::Via | HeaderId::UserAgent) => {}
            Some(HeaderId::CSeq) => headers.push(HeaderId::CSeq, format!("{number} {}", request.method.as_str())),
            Some(_) | None => headers.push_header(header.clone()),
        }
    }
    for answer in answers {
        headers.push_header(answer.header);
    }
    Request { headers, ..request }
}
