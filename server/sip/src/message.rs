//! SIP messages: header fields kept as the bytes they came in, with typed views on demand.
//!
//! Parsing never loses a header field it does not know, and never panics; what a request has wrong with it is reported
//! as a [`Defect`], so that the caller can answer with the status the RFC asks for.

pub mod envelope;
pub mod header;
pub mod method;
pub mod name_addr;
pub mod params;
mod parse;
pub mod status;
pub mod text;
pub mod uri;
pub mod via;

pub use envelope::{CSeq, Envelope};
pub use header::{Header, HeaderId, Headers};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{Head, MAX_HEADERS, MAX_LINE_BYTES, MAX_MESSAGE_BYTES, ParseError, Parsed, parse};
pub use uri::{Scheme, SipUri, UriError};
pub use via::Via;

/// A parsed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

/// A SIP request (RFC 3261 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, also an unknown one.
    pub method: Method,
    /// The Request-URI as written.
    pub uri: Vec<u8>,
    /// The header fields in order.
    pub headers: Headers,
    /// The body, without interpretation.
    pub body: Vec<u8>,
}

impl Request {
    /// The wire form; `Content-Length` is written anew.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512 + self.body.len());
        bytes.extend_from_slice(self.method.as_str().as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&self.uri);
        bytes.extend_from_slice(b" SIP/2.0\r\n");
        finish(bytes, &self.headers, &self.body)
    }
}

/// A SIP response (RFC 3261 §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase as written.
    pub reason: Vec<u8>,
    /// The header fields in order.
    pub headers: Headers,
    /// The body, without interpretation.
    pub body: Vec<u8>,
}

impl Response {
    /// Starts the response to `request`: Via, From, To, Call-ID and `CSeq` are copied as RFC 3261 §8.2.6.2 says.
    ///
    /// `to_tag` is added to To unless the request has one there. A 100 takes no tag.
    pub fn to_request(request: &Request, status: u16, to_tag: Option<&str>) -> Self {
        let mut headers = Headers::default();
        for header in request.headers.iter() {
            match header.id() {
                Some(HeaderId::Via | HeaderId::From | HeaderId::CallId | HeaderId::CSeq) => {
                    headers.push_header(header.clone());
                }
                Some(HeaderId::To) => {
                    let mut value = header.value().to_vec();
                    let tagged = NameAddr::parse(&header.text()).is_ok_and(|to| to.tag().is_some());
                    if let Some(tag) = to_tag.filter(|_| !tagged) {
                        value.extend_from_slice(b";tag=");
                        value.extend_from_slice(tag.as_bytes());
                    }
                    headers.push(HeaderId::To, value);
                }
                // RFC 3261 §8.2.6.1: a 100 repeats the Timestamp.
                Some(HeaderId::Timestamp) if status == 100 => headers.push_header(header.clone()),
                Some(_) | None => {}
            }
        }
        Self { status, reason: status::reason_phrase(status).as_bytes().to_vec(), headers, body: Vec::new() }
    }

    /// The wire form; `Content-Length` is written anew.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512 + self.body.len());
        bytes.extend_from_slice(format!("SIP/2.0 {:03} ", self.status).as_bytes());
        bytes.extend_from_slice(&self.reason);
        bytes.extend_from_slice(b"\r\n");
        finish(bytes, &self.headers, &self.body)
    }
}

fn finish(mut bytes: Vec<u8>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    for header in headers.iter().filter(|header| header.id() != Some(HeaderId::ContentLength)) {
        bytes.extend_from_slice(header.name().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(header.value());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What is wrong with a message that could be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The version is not SIP/2.0.
    #[error("the version is not SIP/2.0")]
    Version,
    /// The Request-URI is empty or holds white space.
    #[error("malformed request uri")]
    RequestUri,
    /// A line has no colon or no valid name.
    #[error("malformed header field")]
    HeaderLine,
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("header field too long")]
    LineTooLong,
    /// More than [`MAX_HEADERS`] header fields.
    #[error("too many header fields")]
    TooManyHeaders,
    /// Content-Length is no number, or there are two that differ.
    #[error("malformed content length")]
    ContentLength,
    /// Content-Length promises more than came (RFC 3261 §18.3).
    #[error("body shorter than content length")]
    ShortBody,
    /// A header field each message must have is not there.
    #[error("missing header field {0}")]
    Missing(&'static str),
    /// A header field that may stand once stands twice.
    #[error("repeated header field {0}")]
    Repeated(&'static str),
    /// A header field each message must have cannot be read.
    #[error("malformed header field {0}")]
    Malformed(&'static str),
    /// The method of `CSeq` is not the method of the request.
    #[error("cseq method differs from the request")]
    CSeqMethod,
}

impl Defect {
    /// The status a request with this defect is answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::RequestUri
            | Self::HeaderLine
            | Self::LineTooLong
            | Self::TooManyHeaders
            | Self::ContentLength
            | Self::ShortBody
            | Self::Missing(_)
            | Self::Repeated(_)
            | Self::Malformed(_)
            | Self::CSeqMethod => 400,
        }
    }
}
