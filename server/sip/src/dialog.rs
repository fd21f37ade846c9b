//! Dialogs (RFC 3261 §12): the lasting relation between two user agents, as plain data.

use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Headers, Method, NameAddr, Request, Response, SipUri, text};

/// One side's view of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    call_id: String,
    /// Our From or To, tag included, as it goes on the wire.
    local: Vec<u8>,
    /// Theirs.
    remote: Vec<u8>,
    remote_tag: Option<String>,
    local_seq: u32,
    remote_seq: Option<u32>,
    route_set: Vec<String>,
    target: SipUri,
    /// Where the far side was last heard; used when the next hop is a name and not an address.
    flow: Flow,
}

/// A request whose number is lower than one seen before (RFC 3261 §12.2.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OldCSeq;

impl Dialog {
    /// The dialog a UAS makes of an INVITE (RFC 3261 §12.1.1). `None` if there is nowhere to send requests to.
    pub(crate) fn uas(request: &Request, envelope: &Envelope, local_tag: &str, flow: Flow) -> Option<Self> {
        let target = contact(&request.headers)?;
        let mut local = request.headers.first(HeaderId::To)?.value().to_vec();
        local.extend_from_slice(format!(";tag={local_tag}").as_bytes());
        Some(Self {
            call_id: envelope.call_id.clone(),
            local,
            remote: request.headers.first(HeaderId::From)?.value().to_vec(),
            remote_tag: envelope.from.tag().map(str::to_owned),
            local_seq: 0,
            remote_seq: Some(envelope.cseq.number),
            // "The route set MUST be set to the list of URIs in the Record-Route header field from the request, taken
            // in order".
            route_set: request.headers.list(HeaderId::RecordRoute),
            target,
            flow,
        })
    }

    /// The dialog a UAC makes of a response to its INVITE (RFC 3261 §12.1.2).
    pub(crate) fn uac(invite: &Request, response: &Response, envelope: &Envelope, flow: Flow) -> Option<Self> {
        // A 2xx must have a Contact; one without is answered at the place that was called.
        let target = contact(&response.headers).or_else(|| text::decode(&invite.uri).parse().ok())?;
        // "… taken in reverse order and preserving all URI parameters."
        let mut route_set = response.headers.list(HeaderId::RecordRoute);
        route_set.reverse();
        Some(Self {
            call_id: envelope.call_id.clone(),
            local: invite.headers.first(HeaderId::From)?.value().to_vec(),
            remote: response.headers.first(HeaderId::To)?.value().to_vec(),
            remote_tag: envelope.to.tag().map(str::to_owned),
            local_seq: envelope.cseq.number,
            remote_seq: None,
            route_set,
            target,
            flow,
        })
    }

    pub(crate) fn remote_tag(&self) -> Option<&str> {
        self.remote_tag.as_deref()
    }

    /// Makes the next request of this dialog (RFC 3261 §12.2.1.1), without Via; gives its number too.
    pub(crate) fn next_request(&mut self, method: Method) -> (Request, u32) {
        self.local_seq += 1;
        (self.request(method, self.local_seq), self.local_seq)
    }

    /// Takes the next number, for a request that is sent again (RFC 3261 §22.2).
    pub(crate) fn next_number(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    /// Makes the ACK to the 2xx of the INVITE with this number (RFC 3261 §13.2.2.4), without Via.
    pub(crate) fn ack(&self, number: u32) -> Request {
        self.request(Method::Ack, number)
    }

    fn request(&self, method: Method, number: u32) -> Request {
        let mut headers = Headers::default();
        headers.push(HeaderId::MaxForwards, "70");
        let mut uri = self.target.to_string();
        let strict = self.first_route().is_some_and(|first| !first.params.contains("lr"));
        if strict {
            // RFC 3261 §12.2.1.1: the first hop is a strict router of RFC 2543 and takes the Request-URI's place.
            if let Some(first) = self.first_route() {
                let target = std::mem::replace(&mut uri, first.to_string());
                for route in self.route_set.iter().skip(1) {
                    headers.push(HeaderId::Route, route.as_str());
                }
                headers.push(HeaderId::Route, format!("<{target}>"));
            }
        } else {
            for route in &self.route_set {
                headers.push(HeaderId::Route, route.as_str());
            }
        }
        headers.push(HeaderId::From, self.local.clone());
        headers.push(HeaderId::To, self.remote.clone());
        headers.push(HeaderId::CallId, self.call_id.as_str());
        headers.push(HeaderId::CSeq, format!("{number} {}", method.as_str()));
        Request { method, uri: uri.into_bytes(), headers, body: Vec::new() }
    }

    /// Where the next request goes: the first route or the remote target, if that is an address.
    pub(crate) fn next_hop(&self) -> Flow {
        let uri = self.first_route().unwrap_or_else(|| self.target.clone());
        match uri.socket_addr() {
            Some(remote) => self.flow.toward(uri.transport(), remote),
            None => self.flow,
        }
    }

    fn first_route(&self) -> Option<SipUri> {
        NameAddr::parse(self.route_set.first()?).ok().map(|route| route.uri)
    }

    /// Notes the number of a request from the far side.
    pub(crate) fn accept_cseq(&mut self, number: u32) -> Result<(), OldCSeq> {
        if self.remote_seq.is_some_and(|seen| number < seen) {
            return Err(OldCSeq);
        }
        self.remote_seq = Some(number);
        Ok(())
    }

    /// A target refresh request or its 2xx names a new remote target (RFC 3261 §12.2).
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }

    /// Takes over what the early dialog of the same far side has seen.
    pub(crate) fn inherit(&mut self, early: &Self) {
        self.remote_seq = early.remote_seq;
        self.local_seq = self.local_seq.max(early.local_seq);
    }
}

/// The URI of the first Contact.
fn contact(headers: &Headers) -> Option<SipUri> {
    let list = headers.list(HeaderId::Contact);
    NameAddr::parse(list.first()?).ok().map(|contact| contact.uri)
}
