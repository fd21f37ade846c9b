//! What this endpoint writes into its messages.

use std::net::SocketAddr;

use super::Endpoint;
use super::body::SDP;
use crate::flow::Flow;
use crate::message::{Header, HeaderId, NameAddr, Request, Response, SipUri};

/// The methods this endpoint takes.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";
/// The extensions this endpoint understands, but for reliable provisional responses.
pub(super) const SUPPORTED: &str = "timer, replaces";
/// Those included.
pub(super) const SUPPORTED_RELIABLY: &str = "100rel, timer, replaces";

impl Endpoint {
    /// Puts Via in front, and the header fields every request of ours has.
    pub(super) fn finish_request(&self, request: &mut Request, flow: Flow, branch: &str) {
        let headers = std::mem::take(&mut request.headers);
        request.headers.push(HeaderId::Via, self.via(flow, branch));
        for header in headers.iter() {
            request.headers.push_header(header.clone());
        }
        request.headers.push(HeaderId::UserAgent, self.config.user_agent.as_str());
    }

    /// The Via of a request of ours.
    pub(super) fn via(&self, flow: Flow, branch: &str) -> String {
        format!("SIP/2.0/{} {};branch={branch};rport", flow.transport.via_name(), self.local(flow))
    }

    /// What a message that opens or changes a session says about us.
    pub(super) fn session_headers(&self, flow: Flow) -> Vec<Header> {
        let contact = self.contact(None, flow);
        vec![Header::new("Contact", contact.to_string()), Header::new("Allow", ALLOW)]
    }

    /// Where requests of this far side reach us.
    pub(super) fn contact(&self, user: Option<&str>, flow: Flow) -> NameAddr {
        let mut uri = SipUri::new(user, self.local(flow));
        if let Some(transport) = flow.transport.uri_param() {
            uri.params.set("transport", transport);
        }
        NameAddr::new(None, uri)
    }

    /// The address of ours that this far side is told.
    pub(super) fn local(&self, flow: Flow) -> SocketAddr {
        self.config.local.toward(flow.transport, flow.remote)
    }

    /// A response without a body.
    pub(super) fn respond_to(&self, request: &Request, status: u16, to_tag: Option<&str>) -> Response {
        let mut response = Response::to_request(request, status, to_tag);
        if status > 100 {
            response.headers.push(HeaderId::Server, self.config.user_agent.as_str());
        }
        response
    }

    /// A response that makes or keeps a dialog: Record-Route is copied, Contact says where we are (RFC 3261 §12.1.1).
    pub(super) fn respond_in_dialog(
        &self,
        request: &Request,
        status: u16,
        to_tag: &str,
        flow: Flow,
        sdp: Option<Vec<u8>>,
    ) -> Response {
        let mut response = self.respond_to(request, status, Some(to_tag));
        for route in request.headers.all(HeaderId::RecordRoute) {
            response.headers.push_header(route.clone());
        }
        for header in self.session_headers(flow) {
            response.headers.push_header(header);
        }
        response.headers.push(HeaderId::Supported, SUPPORTED);
        if let Some(sdp) = sdp {
            response.headers.push(HeaderId::ContentType, SDP);
            response.body = sdp;
        }
        response
    }
}
