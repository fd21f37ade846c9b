//! Outbound trunks at work: registrations kept alive, targets asked whether they live, changes told (RFC 3261 §10.2,
//! §11).

use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{Event, OutboundTrunk};
use super::call::Due;
use super::challenge::Authorization;
use crate::flow::Flow;
use crate::message::{HeaderId, Headers, Method, NameAddr, Request, Response, SipUri};
use crate::transaction::{Purpose, TxId};
use crate::trunk::{Trunk, TrunkKey, TrunkTimer};

impl Endpoint {
    pub(super) fn set_outbound_trunks(&mut self, now: Instant, trunks: Vec<OutboundTrunk>) {
        let changes = self.trunks.replace(trunks);
        for key in changes.gone {
            let Some(trunk) = self.trunks.get_mut(key) else { continue };
            let (asked, targets) = (trunk.take_asked(), trunk.config.targets.len());
            let registers = trunk.binding.identity.is_some();
            for tx in asked {
                self.layer.close_client(tx);
            }
            self.timers.disarm(Due::Trunk(key, TrunkTimer::Register));
            for index in 0..targets {
                self.timers.disarm(Due::Trunk(key, TrunkTimer::Ping(index)));
            }
            if registers {
                self.register(now, key, Vec::new());
            } else {
                self.trunks.remove(key);
            }
        }
        for key in changes.new {
            let Some(trunk) = self.trunks.get(key) else { continue };
            let (registers, targets) = (trunk.config.registration.is_some(), trunk.config.targets.len());
            let asks = trunk.config.options_every.is_some();
            self.tell_trunk(key);
            if registers {
                self.register(now, key, Vec::new());
            }
            for index in (0..targets).filter(|_| asks) {
                self.ping(now, key, index);
            }
        }
    }

    pub(super) fn trunk_timer(&mut self, now: Instant, key: TrunkKey, timer: TrunkTimer) {
        match timer {
            TrunkTimer::Register => self.register(now, key, Vec::new()),
            TrunkTimer::Ping(index) => self.ping(now, key, index),
        }
    }

    fn register(&mut self, now: Instant, key: TrunkKey, authorizations: Vec<Authorization>) {
        let Some(trunk) = self.trunks.get_mut(key) else { return };
        if trunk.binding.identity.is_none() {
            trunk.binding.identity = Some((self.tokens.call_id(), self.tokens.tag()));
        }
        trunk.binding.challenged = !authorizations.is_empty();
        let Some(mut trunk) = self.trunks.take(key) else { return };
        let composed = self.compose_register(&mut trunk, authorizations);
        self.trunks.put_back(key, trunk);
        let Some((request, flow)) = composed else { return self.register_unanswered(now, key) };
        let tx = self.send_request(now, request, flow, Purpose::Register(key));
        if let Some(trunk) = self.trunks.get_mut(key) {
            trunk.binding.asked = Some(tx);
        }
    }

    fn compose_register(&mut self, trunk: &mut Trunk, authorizations: Vec<Authorization>) -> Option<(Request, Flow)> {
        let registration = trunk.config.registration.clone()?;
        let flow = self.flow_to(&registration.registrar)?;
        let (call_id, tag) = trunk.binding.identity.clone()?;
        trunk.binding.number += 1;
        let asked = registration.expires.as_secs().max(u64::from(trunk.binding.at_least));
        // RFC 3261 §10.2.2: "A UA requests the immediate removal of a binding by specifying an expiration interval of
        // 0".
        let expires = if trunk.leaving { 0 } else { asked };
        let address = registration.address_of_record;
        let mut from = NameAddr::new(None, address.clone());
        from.params.set("tag", &tag);
        // RFC 3261 §10.2: the Request-URI "names the domain of the location service […]. The userinfo and @ components
        // MUST NOT be present".
        let domain = SipUri { userinfo: None, ..address.clone() };
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        headers.push(HeaderId::From, from.to_string());
        headers.push(HeaderId::To, NameAddr::new(None, address.clone()).to_string());
        headers.push(HeaderId::CallId, call_id);
        headers.push(HeaderId::CSeq, format!("{} REGISTER", trunk.binding.number));
        let contact = self.contact(address.user().as_deref(), flow);
        headers.push(HeaderId::Contact, contact.to_string());
        headers.push(HeaderId::Expires, expires.to_string());
        for authorization in authorizations {
            headers.push_header(authorization.header);
        }
        let uri = domain.to_string().into_bytes();
        Some((Request { method: Method::Register, uri, headers, body: Vec::new() }, flow))
    }

    pub(super) fn register_response(&mut self, now: Instant, key: TrunkKey, tx: TxId, response: &Response) {
        let Some(trunk) = self.trunks.get_mut(key).filter(|trunk| trunk.binding.asked == Some(tx)) else { return };
        let pause = match response.status {
            ..200 => return,
            // Refused or not, there is nothing more to be done about it.
            status if trunk.leaving && !matches!(status, 401 | 407) => return self.trunks.remove(key),
            200..300 => {
                let asked = trunk.config.registration.as_ref().map(|registration| registration.expires);
                let lasts = granted(&response.headers, asked.unwrap_or_default());
                trunk.registered(lasts)
            }
            401 | 407 if !trunk.binding.challenged => {
                let credentials = trunk.config.registration.as_ref().map(|it| it.credentials.clone());
                let answers = credentials.map(|it| self.authorize(tx, response, &it)).unwrap_or_default();
                if !answers.is_empty() {
                    return self.register(now, key, answers);
                }
                if self.trunks.get(key).is_some_and(|trunk| trunk.leaving) {
                    return self.trunks.remove(key);
                }
                self.spread_failure(key, response.status)
            }
            423 => {
                let least =
                    response.headers.first(HeaderId::MinExpires).and_then(|header| header.text().trim().parse().ok());
                match least.filter(|&least: &u32| least > trunk.binding.at_least && least < 86_400) {
                    Some(least) => {
                        trunk.binding.at_least = least;
                        return self.register(now, key, Vec::new());
                    }
                    None => self.spread_failure(key, 423),
                }
            }
            _ if trunk.leaving => return self.trunks.remove(key),
            status => self.spread_failure(key, status),
        };
        self.timers.arm(Due::Trunk(key, TrunkTimer::Register), now + pause);
        self.tell_trunk(key);
    }

    pub(super) fn register_unanswered(&mut self, now: Instant, key: TrunkKey) {
        if self.trunks.get(key).is_some_and(|trunk| trunk.leaving) {
            return self.trunks.remove(key);
        }
        let pause = self.spread_failure(key, 408);
        self.timers.arm(Due::Trunk(key, TrunkTimer::Register), now + pause);
        self.tell_trunk(key);
    }

    fn spread_failure(&mut self, key: TrunkKey, status: u16) -> Duration {
        let spread = self.tokens.number();
        self.trunks.get_mut(key).map(|trunk| trunk.not_registered(status, spread)).unwrap_or_default()
    }

    /// Asks a target whether it lives (RFC 3261 §11).
    fn ping(&mut self, now: Instant, key: TrunkKey, index: usize) {
        let Some(trunk) = self.trunks.get_mut(key) else { return };
        let (Some(every), Some(target)) = (trunk.config.options_every, trunk.config.targets.get(index).cloned()) else {
            return;
        };
        let unanswered = trunk.ask(index);
        let domain = trunk.config.domain.clone();
        if let Some(tx) = unanswered {
            self.layer.close_client(tx);
        }
        self.timers.arm(Due::Trunk(key, TrunkTimer::Ping(index)), now + every);
        let Some(flow) = self.flow_to(&target) else { return self.ping_unanswered(key, index) };
        let mut to = SipUri::new(None, flow.remote);
        if let Some(domain) = domain {
            (to.host, to.port) = (domain, None);
        }
        let mut from = NameAddr::new(None, SipUri::new(None, self.local(flow)));
        from.params.set("tag", &self.tokens.tag());
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        headers.push(HeaderId::From, from.to_string());
        headers.push(HeaderId::To, NameAddr::new(None, to.clone()).to_string());
        headers.push(HeaderId::CallId, self.tokens.call_id());
        headers.push(HeaderId::CSeq, "1 OPTIONS");
        for header in self.session_headers(flow) {
            headers.push_header(header);
        }
        headers.push(HeaderId::Accept, super::body::SDP);
        let request = Request { method: Method::Options, uri: to.to_string().into_bytes(), headers, body: Vec::new() };
        let tx = self.send_request(now, request, flow, Purpose::Ping(key, index));
        if let Some(trunk) = self.trunks.get_mut(key) {
            trunk.asked(index, tx);
        }
        self.tell_trunk(key);
    }

    /// Any answer says that somebody is there, but for a 503: that one cannot work.
    pub(super) fn ping_response(&mut self, key: TrunkKey, index: usize, status: u16) {
        let Some(trunk) = self.trunks.get_mut(key) else { return };
        match status {
            ..200 => return,
            503 | 408 => trunk.missed(index),
            _ => trunk.answered(index),
        }
        self.tell_trunk(key);
    }

    pub(super) fn ping_unanswered(&mut self, key: TrunkKey, index: usize) {
        if let Some(trunk) = self.trunks.get_mut(key) {
            trunk.missed(index);
        }
        self.tell_trunk(key);
    }

    /// Tells what has changed.
    pub(super) fn tell_trunk(&mut self, key: TrunkKey) {
        let Some(trunk) = self.trunks.get_mut(key) else { return };
        if let Some(health) = trunk.news() {
            let trunk = trunk.config.id.clone();
            self.emit(Event::TrunkState { trunk, health });
        }
    }
}

/// How long the binding lasts: the Contact's own `expires`, or the header field (RFC 3261 §10.2.4).
fn granted(headers: &Headers, asked: Duration) -> Duration {
    let seconds = |text: &str| text.trim().parse::<u32>().ok();
    let contact = headers.list(HeaderId::Contact);
    let own = contact
        .iter()
        .filter_map(|value| NameAddr::parse(value).ok())
        .find_map(|contact| contact.params.value("expires").and_then(seconds));
    let header = || headers.first(HeaderId::Expires).and_then(|header| seconds(&header.text()));
    let granted = own.or_else(header).map_or(asked, |seconds| Duration::from_secs(u64::from(seconds)));
    // A registrar that grants nothing, or a day's worth of nonsense, is asked again in reason.
    granted.clamp(Duration::from_secs(10), Duration::from_hours(24))
}
