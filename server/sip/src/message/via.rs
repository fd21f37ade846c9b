//! The Via header field (RFC 3261 §20.42) and the way back it describes (§18.2, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::params::Params;
use super::uri::split_host_port;
use super::{HeaderId, Headers, text};
use crate::flow::{Flow, Transport};

/// One Via value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The version of SIP; only `2.0` is one.
    pub version: String,
    /// `UDP`, `TCP`, `TLS` …, as written.
    pub transport: String,
    /// The host of sent-by.
    pub host: String,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// Parameters, `branch` among them.
    pub params: Params,
}

impl Via {
    /// Reads one value; `None` if it is not one.
    pub fn parse(value: &str) -> Option<Self> {
        let (sent, params) = value.split_once(';').unwrap_or((value, ""));
        let mut protocol = sent.splitn(3, '/');
        let name = protocol.next()?.trim();
        let version = protocol.next()?.trim();
        let rest = protocol.next()?.trim();
        if !name.eq_ignore_ascii_case("SIP") || !text::is_token(version.as_bytes()) {
            return None;
        }
        let (transport, sent_by) = rest.split_once(|character: char| character.is_ascii_whitespace())?;
        if !text::is_token(transport.as_bytes()) {
            return None;
        }
        // White space around the colon is allowed (RFC 3261 §25.1 COLON), and RFC 4475 uses it.
        let sent_by: String = sent_by.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let (host, port) = split_host_port(&sent_by).ok()?;
        let (version, transport, host) = (version.to_owned(), transport.to_owned(), host.to_owned());
        Some(Self { version, transport, host, port, params: Params::parse(params) })
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// sent-by as one text, for keys.
    pub fn sent_by(&self) -> String {
        format!("{}:{}", self.host.to_ascii_lowercase(), self.port.unwrap_or(5060))
    }

    /// Where responses go: to the source address, over UDP to its port if the sender asked for that with `rport`. Of a
    /// connection it is where the response goes when that is gone (RFC 3261 §18.2.2).
    ///
    /// `maddr` is not obeyed: it would let a stranger aim our responses at anybody.
    pub(crate) fn reply_address(&self, flow: Flow) -> SocketAddr {
        if flow.transport == Transport::Udp && self.params.contains("rport") {
            return flow.remote;
        }
        SocketAddr::new(flow.remote.ip(), self.port.unwrap_or(flow.transport.default_port()))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} {}", self.version, self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

/// The topmost Via of a message.
pub fn top(headers: &Headers) -> Option<Via> {
    let text = headers.first(HeaderId::Via)?.text();
    Via::parse(text::split_outside_quotes(&text, ',').first()?)
}

/// Notes in the topmost Via where the request came from (RFC 3261 §18.2.1, RFC 3581 §4).
pub(crate) fn stamp(headers: &mut Headers, source: SocketAddr) {
    let Some(mut via) = top(headers) else { return };
    let Some(value) = headers.first(HeaderId::Via).map(|header| header.text().into_owned()) else { return };
    let sent_from: Option<IpAddr> = via.host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let rport = via.params.contains("rport");
    if sent_from != Some(source.ip()) || rport {
        via.params.set("received", &source.ip().to_string());
    }
    if rport {
        via.params.set("rport", &source.port().to_string());
    }
    let mut parts: Vec<String> = text::split_outside_quotes(&value, ',').into_iter().map(str::to_owned).collect();
    if let Some(first) = parts.first_mut() {
        *first = via.to_string();
    }
    headers.replace_first(HeaderId::Via, parts.join(", ").into_bytes());
}
