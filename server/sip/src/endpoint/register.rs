//! The registrar's side of REGISTER (RFC 3261 §10.3), and who an INVITE is from (§22).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::Event;
use super::screen::Refusal;
use crate::digest::{Freshness, Proof, challenges};
use crate::flow::{Flow, Transport};
use crate::message::{Envelope, HeaderId, Headers, Method, NameAddr, Params, Request, SipUri, via};
use crate::origin::Origin;
use crate::registrar::{Binding, BindingId, Due, Unwanted, Wanted, seconds_of};
use crate::transaction::Purpose;

/// What a request proves about its sender.
#[derive(Debug, PartialEq, Eq)]
enum Proven {
    /// The password of this name was right.
    Name(String),
    /// The password was right, but its nonce is too old or used: a new challenge will do.
    Stale,
    /// There was no proof, or a wrong one.
    Nothing,
    /// There was a wrong one, and too many before it: no answer at all.
    Silence,
}

impl Endpoint {
    /// The contacts of a registered user, preferred first.
    pub fn contacts(&self, username: &str) -> Vec<Binding> {
        self.registrar.contacts(username)
    }

    /// Whether anybody can register here.
    pub(super) fn is_registrar(&self) -> bool {
        self.known.has_users()
    }

    pub(super) fn take_registration(
        &mut self,
        now: Instant,
        flow: Flow,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) {
        let username = match self.prove(now, flow, request) {
            Proven::Name(username) if self.known.is_user(&username) => username,
            Proven::Name(_) | Proven::Nothing => return self.challenge(now, reply, request, envelope, false),
            Proven::Stale => return self.challenge(now, reply, request, envelope, true),
            Proven::Silence => return,
        };
        // RFC 3261 §10.3 step 4: a password is good for its own address of record alone.
        if envelope.to.uri.user().as_deref() != Some(username.as_str()) {
            return self.refuse(reply, request, envelope, Refusal::new(403));
        }
        if let Some(stream) = flow.stream {
            self.streams.trust(stream);
        }
        let before = self.registrar.contacts(&username).len();
        let refusal = self.bind(now, flow, &username, request, envelope).err();
        let mut response = self.respond_to(request, refusal.as_ref().map_or(200, |refusal| refusal.status), None);
        match refusal {
            Some(refusal) => refusal.headers.into_iter().for_each(|header| response.headers.push_header(header)),
            // "The registrar returns a 200 (OK) response. The response MUST contain Contact header field values
            // enumerating all current bindings."
            None => {
                for binding in self.registrar.contacts(&username) {
                    response.headers.push(HeaderId::Contact, contact_of(&binding, now).to_string());
                }
            }
        }
        self.answer(now, reply, request, envelope, &response);
        self.tell_contacts(username, before);
    }

    fn bind(
        &mut self,
        now: Instant,
        flow: Flow,
        username: &str,
        request: &Request,
        envelope: &Envelope,
    ) -> Result<(), Refusal> {
        let contacts = request.headers.list(HeaderId::Contact);
        let expires = request.headers.first(HeaderId::Expires).and_then(|header| seconds_of(&header.text()));
        let order = (envelope.call_id.as_str(), envelope.cseq.number);
        let late = |_| Refusal::new(500).with(HeaderId::Warning, "399 cordboard \"registration out of order\"");
        if contacts.iter().any(|contact| contact == "*") {
            if contacts.len() > 1 || expires != Some(Duration::ZERO) {
                return Err(Refusal::new(400));
            }
            return self.registrar.clear(username, order).map_err(late);
        }
        let wanted: Result<Vec<_>, _> = contacts.iter().map(|contact| Wanted::read(contact, expires)).collect();
        let wanted = wanted.map_err(|unwanted| match unwanted {
            Unwanted::Malformed => Refusal::new(400),
            Unwanted::TooBrief => {
                Refusal::new(423).with(HeaderId::MinExpires, &crate::registrar::SHORTEST.as_secs().to_string())
            }
        })?;
        let (way, pinged) = way_back(flow, request, wanted.first());
        self.registrar.register(now, username, wanted, way, pinged, order).map_err(late)
    }

    /// Who sent an INVITE. `None` when it has been answered, or is to have no answer.
    pub(super) fn identify(
        &mut self,
        now: Instant,
        flow: Flow,
        reply: Flow,
        request: &Request,
        envelope: &Envelope,
    ) -> Option<Origin> {
        let origin = self.known.origin(flow.remote.ip());
        // A phone of ours may stand behind an address that is a trunk's, too: on one machine, in one office.
        let here = |binding: &crate::registrar::Binding| binding.flow.remote.ip() == flow.remote.ip();
        let ours = envelope.from.uri.user().is_some_and(|user| self.registrar.contacts(&user).iter().any(here));
        if (matches!(origin, Origin::Trunk(_)) && !ours) || !self.known.asks_for_proof() {
            return Some(origin);
        }
        match self.prove(now, flow, request) {
            Proven::Name(name) => {
                if let Some(stream) = flow.stream {
                    self.streams.trust(stream);
                }
                match self.known.trunk_named(&name, flow.remote.ip()) {
                    Some(trunk) => Some(Origin::Trunk(trunk)),
                    None if envelope.from.uri.user().as_deref() == Some(name.as_str()) => Some(Origin::Phone(name)),
                    None => {
                        self.refuse(reply, request, envelope, Refusal::new(403));
                        None
                    }
                }
            }
            Proven::Stale => {
                self.challenge(now, reply, request, envelope, true);
                None
            }
            Proven::Nothing => {
                self.challenge(now, reply, request, envelope, false);
                None
            }
            Proven::Silence => None,
        }
    }

    fn prove(&mut self, now: Instant, flow: Flow, request: &Request) -> Proven {
        let headers = &request.headers;
        let given = headers.all(HeaderId::Authorization).chain(headers.all(HeaderId::ProxyAuthorization));
        let realm = &self.config.realm;
        let proof = given.filter_map(|header| Proof::parse(&header.text())).find(|proof| proof.realm == *realm);
        let Some(proof) = proof else { return Proven::Nothing };
        let source = flow.remote.ip();
        if !self.sources.may_try(now, source, &proof.username) {
            return Proven::Silence;
        }
        let secret = self.known.secret(&proof.username);
        let method = request.method.as_str();
        if !proof.is_right(secret, method, &crate::message::text::decode(&request.uri)) {
            self.sources.failed(now, source, &proof.username);
            return Proven::Nothing;
        }
        match self.nonces.spend(now, &proof.nonce, proof.count) {
            Freshness::Fresh => {
                self.sources.succeeded(source, &proof.username);
                Proven::Name(proof.username)
            }
            Freshness::Stale | Freshness::Forged => Proven::Stale,
        }
    }

    /// 401, the same for users that exist and those that do not. No transaction: a stranger costs nothing.
    fn challenge(&mut self, now: Instant, reply: Flow, request: &Request, envelope: &Envelope, stale: bool) {
        let nonce = self.nonces.make(now);
        let old = request.headers.first(HeaderId::UserAgent).is_some_and(|name| gives_up_at_sha256(&name.text()));
        let refusal = challenges(&self.config.realm, &nonce, stale)
            .iter()
            .skip(usize::from(old))
            .fold(Refusal::new(401), |refusal, value| refusal.with(HeaderId::WwwAuthenticate, value));
        self.refuse(reply, request, envelope, refusal);
    }

    pub(super) fn contacts_lost(&mut self, usernames: Vec<String>) {
        for username in usernames {
            self.tell_contacts(username, usize::MAX);
        }
    }

    pub(super) fn registrar_due(&mut self, now: Instant) {
        while let Some(due) = self.registrar.pop_due(now) {
            match due {
                Due::Expired(username) => self.tell_contacts(username, usize::MAX),
                Due::Ping(id, uri, flow) => self.keep_alive(now, id, &uri, flow),
            }
        }
    }

    pub(super) fn pinged(&mut self, id: BindingId, answered: bool) {
        let lost = self.registrar.pong(id, answered);
        self.contacts_lost(lost.into_iter().collect());
    }

    /// Any answer will do, 200 or 405: it is the way back that has to stay open.
    fn keep_alive(&mut self, now: Instant, id: BindingId, uri: &SipUri, flow: Flow) {
        let us = NameAddr::new(None, SipUri::new(None, self.config.local.toward(flow.transport, flow.remote)));
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        headers.push(HeaderId::From, format!("{us};tag={}", self.tokens.tag()));
        headers.push(HeaderId::To, NameAddr::new(None, uri.clone()).to_string());
        headers.push(HeaderId::CallId, self.tokens.call_id());
        headers.push(HeaderId::CSeq, "1 OPTIONS");
        let request = Request { method: Method::Options, uri: uri.to_string().into_bytes(), headers, body: Vec::new() };
        self.send_request(now, request, flow, Purpose::KeepAlive(id));
    }

    fn tell_contacts(&mut self, username: String, before: usize) {
        let contacts = self.registrar.contacts(&username).len();
        if contacts == before {
            return;
        }
        self.emit(match contacts {
            0 => Event::Unregistered { username },
            contacts => Event::Registered { username, contacts },
        });
    }
}

/// The way to a phone: back where its REGISTER came from, and whether that way has to be kept open by us.
fn way_back(flow: Flow, request: &Request, contact: Option<&Wanted>) -> (Flow, bool) {
    if flow.transport != Transport::Udp {
        return (flow, false);
    }
    let asks_for_source = via::top(&request.headers).is_some_and(|via| via.params.contains("rport"));
    match contact.and_then(|wanted| wanted.uri.socket_addr()) {
        // It is where it says; without rport it may listen at another port than it sends from.
        Some(said) if said == flow.remote => (flow, false),
        Some(said) if said.ip() == flow.remote.ip() && !asks_for_source => (Flow::udp(said), false),
        Some(_) | None => (flow, !is_loopback(flow.remote.ip())),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn contact_of(binding: &Binding, now: Instant) -> NameAddr {
    let mut contact = NameAddr { display: None, uri: binding.uri.clone(), params: Params::default() };
    let left = binding.expires.saturating_duration_since(now).as_secs();
    contact.params.set("expires", &left.to_string());
    if binding.q < 1_000 {
        contact.params.set("q", &format!("0.{:03}", binding.q));
    }
    if let Some(instance) = &binding.instance {
        contact.params.set("+sip.instance", &format!("\"{instance}\""));
    }
    contact
}

/// Whether this phone stops at an algorithm it does not know instead of passing it over (RFC 7616 §3.7): it is offered MD5
/// alone, which the others are offered too. Known from what it calls itself, so that the answer tells nothing of users.
fn gives_up_at_sha256(user_agent: &str) -> bool {
    ["baresip v0.", "baresip v1."].iter().any(|old| user_agent.trim_start().starts_with(old))
}
