//! The header fields every message must have (RFC 3261 §8.1.1), read once.

use super::text::decode;
use super::{Defect, HeaderId, Headers, Method, NameAddr, Via, text, via};

/// Order and method of a request (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// The sequence number, below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method,
}

/// Via, From, To, Call-ID and `CSeq` of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The topmost Via.
    pub via: Via,
    /// From.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// The Call-ID as written.
    pub call_id: String,
    /// `CSeq`.
    pub cseq: CSeq,
    /// Max-Forwards, if it is there.
    pub max_forwards: Option<u8>,
}

impl Envelope {
    /// Reads the header fields; the first thing wrong is the error.
    pub fn read(headers: &Headers) -> Result<Self, Defect> {
        headers.first(HeaderId::Via).ok_or(Defect::Missing("Via"))?;
        let via = via::top(headers).filter(|via| via.version == "2.0").ok_or(Defect::Malformed("Via"))?;
        // RFC 4475 §3.1.2.1: an element between two commas that is none.
        if headers.all(HeaderId::Via).any(|via| text::split_outside_quotes(&via.text(), ',').contains(&"")) {
            return Err(Defect::Malformed("Via"));
        }
        let from = party(headers, HeaderId::From)?;
        let to = party(headers, HeaderId::To)?;
        let call_id = decode(single(headers, HeaderId::CallId)?).into_owned();
        if call_id.is_empty() || call_id.contains(|character: char| character.is_ascii_whitespace()) {
            return Err(Defect::Malformed("Call-ID"));
        }
        let cseq = parse_cseq(&decode(single(headers, HeaderId::CSeq)?)).ok_or(Defect::Malformed("CSeq"))?;
        let max_forwards = match single(headers, HeaderId::MaxForwards) {
            Ok(value) => Some(decode(value).parse().map_err(|_| Defect::Malformed("Max-Forwards"))?),
            Err(Defect::Missing(_)) => None,
            Err(defect) => return Err(defect),
        };
        Ok(Self { via, from, to, call_id, cseq, max_forwards })
    }

    /// The branch of the topmost Via, empty if there is none (RFC 2543 had none).
    pub fn branch(&self) -> &str {
        self.via.branch().unwrap_or_default()
    }
}

/// From or To: exactly one name-addr (RFC 4475 §3.1.2.1 has more).
fn party(headers: &Headers, id: HeaderId) -> Result<NameAddr, Defect> {
    let value = decode(single(headers, id)?);
    if text::split_outside_quotes(&value, ',').len() > 1 {
        return Err(Defect::Malformed(id.name()));
    }
    NameAddr::parse(&value).map_err(|_| Defect::Malformed(id.name()))
}

fn single(headers: &Headers, id: HeaderId) -> Result<&[u8], Defect> {
    let mut all = headers.all(id);
    let first = all.next().ok_or(Defect::Missing(id.name()))?;
    if all.next().is_some() {
        return Err(Defect::Repeated(id.name()));
    }
    Ok(first.value())
}

/// RFC 3261 §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than
/// 2**31."
fn parse_cseq(value: &str) -> Option<CSeq> {
    let (number, method) = value.trim().split_once(|character: char| character.is_ascii_whitespace())?;
    let method = method.trim();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) || !text::is_token(method.as_bytes()) {
        return None;
    }
    let number = number.parse().ok().filter(|&number: &u32| number < 1 << 31)?;
    Some(CSeq { number, method: Method::from_token(method) })
}
