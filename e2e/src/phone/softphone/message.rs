//! SIP messages as far as a telephone of the journeys needs them: text in, text out.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};

/// A request or a response, read from a datagram.
#[derive(Debug, Clone)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What follows the empty line.
    pub body: String,
}

impl Message {
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(datagram);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (long(name.trim()), value.trim().to_owned())).collect();
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// The first header of a name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Every header of a name, in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub(super) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn branch(&self) -> &str {
        parameter(self.header("via").unwrap_or_default(), "branch").unwrap_or_default()
    }

    pub(super) fn sequence(&self) -> (u32, &str) {
        let (number, method) = self.header("cseq").and_then(|it| it.split_once(' ')).unwrap_or_default();
        (number.trim().parse().unwrap_or(0), method.trim())
    }

    /// A response to this request (RFC 3261 section 8.2.6).
    pub(super) fn response(&self, status: u16, tag: &str, contact: &str, sdp: Option<&str>) -> String {
        let mut text = format!("SIP/2.0 {status} {}\r\n", reason(status));
        for (name, value) in &self.headers {
            match name.as_str() {
                "via" | "from" | "call-id" | "cseq" | "record-route" => {
                    let _ = write!(text, "{name}: {value}\r\n");
                }
                "to" if value.contains(";tag=") || status == 100 => {
                    let _ = write!(text, "to: {value}\r\n");
                }
                "to" => {
                    let _ = write!(text, "to: {value};tag={tag}\r\n");
                }
                _ => {}
            }
        }
        let _ = write!(text, "contact: <{contact}>\r\n");
        text + &tail(sdp)
    }
}

/// The end of the headers, and the body.
pub(super) fn tail(sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => format!("content-type: application/sdp\r\ncontent-length: {}\r\n\r\n{sdp}", sdp.len()),
        None => "content-length: 0\r\n\r\n".to_owned(),
    }
}

/// A parameter of a header's value.
pub(super) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = value.split(';').skip(1).filter_map(|part| part.split_once('='));
    parts.find(|(it, _)| it.trim() == name).map(|(_, value)| value.trim())
}

/// What stands between the angle brackets of an address.
pub(super) fn address(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// Host and port of a SIP URI on loopback.
pub(super) fn place(uri: &str) -> Option<SocketAddr> {
    let host = uri.trim_start_matches("sip:").rsplit('@').next()?.split([';', '>']).next()?;
    host.parse().or_else(|_| format!("{host}:5060").parse()).ok()
}

fn long(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "v" => "via".to_owned(),
        "f" => "from".to_owned(),
        "t" => "to".to_owned(),
        "i" => "call-id".to_owned(),
        "m" => "contact".to_owned(),
        "r" => "refer-to".to_owned(),
        other => other.to_owned(),
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        404 => "Not Found",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Answer",
    }
}

/// An `Authorization` value for a challenge, by SHA-256 (RFC 8760).
pub(super) fn proof(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let quoted = |name: &str| -> String {
        let rest = challenge.split_once(&format!("{name}=\"")).map_or("", |(_, rest)| rest);
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let (realm, nonce, opaque) = (quoted("realm"), quoted("nonce"), quoted("opaque"));
    let hash = |text: String| format!("{:x}", Sha256::digest(text.as_bytes()));
    let secret = hash(format!("{user}:{realm}:{password}"));
    let response = hash(format!("{secret}:{nonce}:00000001:journey:auth:{}", hash(format!("{method}:{uri}"))));
    let opaque = if opaque.is_empty() { String::new() } else { format!(", opaque=\"{opaque}\"") };
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"journey\"{opaque}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_repeats_what_it_must_and_tags_the_rest() {
        let invite = Message::read(
            b"INVITE sip:1001@127.0.0.1:5070 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa\r\n\
              From: <sip:21@127.0.0.1>;tag=f\r\nTo: <sip:1001@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
              Max-Forwards: 70\r\n\r\n",
        )
        .unwrap();

        assert_eq!((invite.method(), invite.uri()), ("INVITE", "sip:1001@127.0.0.1:5070"));
        assert_eq!((invite.branch(), invite.sequence()), ("z9hG4bKa", (7, "INVITE")));
        let answer = Message::read(invite.response(180, "t", "sip:me@127.0.0.1:9", None).as_bytes()).unwrap();
        assert_eq!(answer.status(), Some(180));
        assert_eq!(answer.header("to"), Some("<sip:1001@127.0.0.1>;tag=t"));
        assert_eq!(answer.header("via"), Some("SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa"));
        assert_eq!(answer.header("max-forwards"), None);
    }

    #[test]
    fn an_address_is_taken_apart() {
        assert_eq!(address("\"Asha\" <sip:21@127.0.0.1:5060;lr>;tag=x"), "sip:21@127.0.0.1:5060;lr");
        assert_eq!(place("sip:21@127.0.0.1:5060;lr"), Some("127.0.0.1:5060".parse().unwrap()));
        assert_eq!(parameter("<sip:21@h>;tag=x;y=z", "tag"), Some("x"));
    }

    #[test]
    fn the_proof_is_that_of_the_standard_without_a_peer() {
        // RFC 7616 section 3.9.1 has another cnonce; the shape and the fields that must be quoted are the same.
        let proof = proof("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "REGISTER", "sip:h", "1001", "secret");
        assert!(proof.starts_with("Digest username=\"1001\", realm=\"r\", nonce=\"n\", uri=\"sip:h\""), "{proof}");
        assert!(proof.contains("algorithm=SHA-256, qop=auth, nc=00000001"), "{proof}");
    }
}
