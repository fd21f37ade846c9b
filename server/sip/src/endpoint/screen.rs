//! What is refused before anybody looks at it, and the answers that need no transaction (RFC 3261 §8.2).

use super::Endpoint;
use super::body::{SDP, sdp_of};
use super::compose::ALLOW;
use crate::flow::Flow;
use crate::message::{Defect, Envelope, Header, HeaderId, Method, Request, Response, Scheme, SipUri, text, via};
use crate::reliable::RELIABLE;
use crate::session_timer::TIMER;

/// Extensions that a request may require of us.
const UNDERSTOOD: [&str; 3] = [RELIABLE, TIMER, "replaces"];

/// A refusal: the status, and header fields that explain it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) headers: Vec<Header>,
}

impl Refusal {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }

    pub(super) fn with(mut self, id: HeaderId, value: &str) -> Self {
        self.headers.push(Header::new(id.name(), value));
        self
    }
}

/// RFC 3261 §8.2.1 to §8.2.3: method, header fields, content, in this order.
pub(super) fn check(request: &Request, envelope: &Envelope, registrar: bool) -> Result<(), Refusal> {
    match &request.method {
        Method::Other(_) => return Err(Refusal::new(501).with(HeaderId::Allow, ALLOW)),
        // RFC 3261 §8.2.1: "The UAS MUST also add an Allow header field to the 405 (Method Not Allowed) response."
        Method::Register if registrar => {}
        Method::Register | Method::Subscribe | Method::Publish | Method::Message => {
            return Err(Refusal::new(405).with(HeaderId::Allow, ALLOW));
        }
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Info
        | Method::Update
        | Method::Refer
        | Method::Notify
        | Method::Prack => {}
    }
    if envelope.max_forwards == Some(0) {
        return Err(Refusal::new(483));
    }
    if envelope.to.tag().is_none() {
        match text::decode(&request.uri).parse::<SipUri>() {
            // RFC 3261 §19.1.1: header components are not allowed in a Request-URI.
            Ok(uri) if uri.headers.is_some() => return Err(malformed_uri()),
            Ok(uri) if uri.scheme == Scheme::Sip => {}
            Ok(_) => return Err(Refusal::new(416)),
            Err(_) => return Err(malformed_uri()),
        }
    }
    let mut unknown = request.headers.list(HeaderId::Require);
    unknown.retain(|option| !UNDERSTOOD.iter().any(|known| option.eq_ignore_ascii_case(known)));
    if !unknown.is_empty() {
        // RFC 3261 §8.2.2.3: "the UAS MUST add an Unsupported header field, and list in it those options it does not
        // understand".
        return Err(Refusal::new(420).with(HeaderId::Unsupported, &unknown.join(", ")));
    }
    check_content(request)
}

fn malformed_uri() -> Refusal {
    Refusal::new(400).with(HeaderId::Warning, "399 cordboard \"malformed request uri\"")
}

/// RFC 3261 §20.1: without an Accept header field SDP is taken; with one, it must be among the types.
fn takes_sdp(request: &Request) -> bool {
    let accepted = request.headers.list(HeaderId::Accept);
    request.headers.first(HeaderId::Accept).is_none()
        || accepted.iter().any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            matches!(range.as_str(), SDP | "application/*" | "*/*")
        })
}

/// RFC 3261 §8.2.3: a body we cannot read is refused where we would have to read it.
fn check_content(request: &Request) -> Result<(), Refusal> {
    if !matches!(request.method, Method::Invite | Method::Update) || request.body.is_empty() {
        return Ok(());
    }
    let encoded =
        request.headers.list(HeaderId::ContentEncoding).iter().any(|coding| !coding.eq_ignore_ascii_case("identity"));
    let readable = sdp_of(&request.headers, &request.body).is_some();
    if encoded || !readable {
        return Err(Refusal::new(415).with(HeaderId::Accept, SDP));
    }
    if request.method == Method::Invite && !takes_sdp(request) {
        return Err(Refusal::new(406));
    }
    Ok(())
}

impl Endpoint {
    /// Answers a request that cannot be worked with, if there is somebody to answer. Nothing is kept: a stranger's
    /// garbage costs nothing.
    pub(super) fn refuse_malformed(&mut self, flow: Flow, request: &Request, defect: Defect) {
        let headers = &request.headers;
        // Without CSeq nobody could tell what the answer is to; what else is missing, RFC 4475 §3.3.1 wants refused.
        let answerable = headers.first(HeaderId::CSeq).is_some();
        let Some(via) = via::top(headers).filter(|_| answerable && request.method != Method::Ack) else { return };
        let call_id = headers.first(HeaderId::CallId).map(|header| header.text().into_owned()).unwrap_or_default();
        let tag = self.tokens.stateless_tag(via.branch().unwrap_or_default(), &call_id);
        let mut response = self.respond_to(request, defect.status(), Some(&tag));
        response.headers.push(HeaderId::Warning, format!("399 cordboard \"{defect}\""));
        self.send_stateless(super::reply_flow(&via, flow), &response);
    }

    /// Refuses a request without a transaction (RFC 3261 §8.2.7); each repeat draws the same answer.
    pub(super) fn refuse(&mut self, reply: Flow, request: &Request, envelope: &Envelope, refusal: Refusal) {
        let tag = self.tokens.stateless_tag(envelope.branch(), &envelope.call_id);
        let mut response = self.respond_to(request, refusal.status, Some(&tag));
        for header in refusal.headers {
            response.headers.push_header(header);
        }
        self.send_stateless(reply, &response);
    }

    pub(super) fn send_stateless(&mut self, reply: Flow, response: &Response) {
        self.wire.push((reply, response.to_bytes()));
    }
}
