//! Takes a datagram apart (RFC 3261 §7, RFC 4475), within hard limits.

use super::text::{decode, is_token};
use super::{Defect, Header, HeaderId, Headers, Message, Method, Request, Response};

/// The longest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The most header fields in one message.
pub const MAX_HEADERS: usize = 256;
/// The longest line, in bytes, folded lines counted as one.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// Why bytes are no SIP message at all; there is nobody to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1).
    #[error("keep-alive")]
    KeepAlive,
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("message too long")]
    TooLong,
    /// The first line is neither a Request-Line nor a Status-Line.
    #[error("no sip start line")]
    StartLine,
    /// The empty line that ends the header fields is missing.
    #[error("message cut off in its header fields")]
    Truncated,
}

/// A message, and the first thing wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The message, as far as it could be read.
    pub message: Message,
    /// The first defect; a request is answered with its status, a response is dropped.
    pub defect: Option<Defect>,
}

/// Takes one datagram apart.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    // RFC 3261 §7.5: "Implementations processing SIP messages over stream-oriented transports MUST ignore any CRLF
    // appearing before the start-line"; over UDP they are keep-alives.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).ok_or(ParseError::KeepAlive)?;
    let bytes = bytes.get(start..).unwrap_or_default();
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(ParseError::TooLong);
    }
    let (mut head, rest) = Head::parse(bytes)?;
    let body = cut_body(&head, rest);
    match body {
        Ok(body) => Ok(head.into_message(body)),
        Err(defect) => {
            head.defect.get_or_insert(defect);
            Ok(head.into_message(rest.to_vec()))
        }
    }
}

/// A message without its body: what a stream must have read to know how long the body is.
#[derive(Debug)]
pub struct Head {
    start_line: StartLine,
    headers: Headers,
    defect: Option<Defect>,
}

impl Head {
    /// Takes the part up to the empty line apart; gives what follows it, too.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut lines = Lines { rest: bytes };
        let (start_line, mut defect) = parse_start_line(lines.next_line().ok_or(ParseError::Truncated)?)?;
        let headers = parse_headers(&mut lines, &mut defect)?;
        Ok((Self { start_line, headers, defect }, lines.rest))
    }

    /// How long the body is said to be; `None` if nothing is said.
    pub fn content_length(&self) -> Result<Option<usize>, Defect> {
        let mut lengths = self.headers.all(HeaderId::ContentLength).map(|header| {
            let text = header.text();
            text.parse::<usize>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
        });
        match lengths.next() {
            None => Ok(None),
            Some(Some(length)) if lengths.all(|other| other == Some(length)) => Ok(Some(length)),
            Some(_) => Err(Defect::ContentLength),
        }
    }

    /// Notes something wrong, unless something was wrong before.
    pub(crate) fn blame(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    /// The whole message.
    pub fn into_message(self, body: Vec<u8>) -> Parsed {
        let Self { start_line, headers, defect } = self;
        let message = match start_line {
            StartLine::Request { method, uri } => Message::Request(Request { method, uri, headers, body }),
            StartLine::Response { status, reason } => Message::Response(Response { status, reason, headers, body }),
        };
        Parsed { message, defect }
    }
}

#[derive(Debug)]
enum StartLine {
    Request { method: Method, uri: Vec<u8> },
    Response { status: u16, reason: Vec<u8> },
}

/// Lines that end with CRLF, or with LF alone as some senders write.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn next_is_folded(&self) -> bool {
        matches!(self.rest.first(), Some(b' ' | b'\t'))
    }
}

fn parse_start_line(line: &[u8]) -> Result<(StartLine, Option<Defect>), ParseError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(ParseError::StartLine);
    }
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let version = parts.next().ok_or(ParseError::StartLine)?;
        let status = parts.next().ok_or(ParseError::StartLine)?;
        let reason = without_cr(parts.next().unwrap_or_default());
        let digits = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
        let status = decode(status)
            .parse()
            .ok()
            .filter(|status| digits && (100..700).contains(status))
            .ok_or(ParseError::StartLine)?;
        let defect = (!version.eq_ignore_ascii_case(b"SIP/2.0")).then_some(Defect::Version);
        return Ok((StartLine::Response { status, reason }, defect));
    }
    // RFC 4475 §3.1.2.10: space behind the version does no harm.
    let line = line.trim_ascii_end();
    let first = line.iter().position(|&byte| byte == b' ').ok_or(ParseError::StartLine)?;
    let last = line.iter().rposition(|&byte| byte == b' ').ok_or(ParseError::StartLine)?;
    let method = line.get(..first).filter(|method| is_token(method)).ok_or(ParseError::StartLine)?;
    let version = line.get(last + 1..).unwrap_or_default();
    if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return Err(ParseError::StartLine);
    }
    let uri = line.get(first + 1..last).unwrap_or_default();
    let bad_uri = uri.is_empty() || uri.iter().any(|&byte| byte.is_ascii_whitespace() || byte.is_ascii_control());
    let defect = if version.eq_ignore_ascii_case(b"SIP/2.0") {
        bad_uri.then_some(Defect::RequestUri)
    } else {
        Some(Defect::Version)
    };
    Ok((StartLine::Request { method: Method::from_token(&decode(method)), uri: uri.to_vec() }, defect))
}

fn parse_headers(lines: &mut Lines<'_>, defect: &mut Option<Defect>) -> Result<Headers, ParseError> {
    let mut headers = Headers::default();
    loop {
        let line = lines.next_line().ok_or(ParseError::Truncated)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let mut logical = line.to_vec();
        while lines.next_is_folded() {
            let more = lines.next_line().ok_or(ParseError::Truncated)?;
            if logical.len() <= MAX_LINE_BYTES {
                // RFC 3261 §7.3.1: a fold is "treated as a single SP character".
                logical.truncate(logical.trim_ascii_end().len());
                logical.push(b' ');
                logical.extend_from_slice(more.trim_ascii());
            }
        }
        if logical.len() > MAX_LINE_BYTES {
            defect.get_or_insert(Defect::LineTooLong);
        } else if headers.len() == MAX_HEADERS {
            defect.get_or_insert(Defect::TooManyHeaders);
        } else if let Some(header) = parse_header(&logical) {
            headers.push_header(header);
        } else {
            defect.get_or_insert(Defect::HeaderLine);
        }
    }
}

fn parse_header(line: &[u8]) -> Option<Header> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    if !is_token(name) {
        return None;
    }
    Some(Header::new(&decode(name), value.get(1..)?.trim_ascii()))
}

/// RFC 3261 §18.3: over UDP a missing Content-Length means the rest of the datagram, a small one cuts, a large one is
/// an error.
fn cut_body(head: &Head, rest: &[u8]) -> Result<Vec<u8>, Defect> {
    match head.content_length()? {
        None => Ok(rest.to_vec()),
        Some(length) => rest.get(..length).map(<[u8]>::to_vec).ok_or(Defect::ShortBody),
    }
}

fn without_cr(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| if byte == b'\r' { b' ' } else { byte }).collect()
}
