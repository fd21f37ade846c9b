//! SIP and tel URIs (RFC 3261 §19.1, RFC 3966).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::params::Params;
use super::text;
use crate::flow::Transport;

/// The scheme of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`; the number is the user part, there is no host.
    Tel,
    /// Anything else, kept as written; all that follows the colon stands in the host.
    Other(String),
}

/// Why a text is no URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No scheme, or one with characters no scheme has.
    #[error("uri without a scheme")]
    Scheme,
    /// The host is missing or holds characters no host has, or there are two `@`.
    #[error("uri with a malformed host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("uri with a malformed port")]
    Port,
    /// The user part holds white space, control characters or brackets.
    #[error("uri with a malformed user part")]
    User,
}

/// A URI as SIP uses it. Parameters and headers are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    /// The scheme.
    pub scheme: Scheme,
    /// User and password as written, still percent-encoded.
    pub userinfo: Option<String>,
    /// Name or address; IPv6 in brackets.
    pub host: String,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params,
    /// What follows the question mark.
    pub headers: Option<String>,
}

impl SipUri {
    /// `sip:user@address`; the user is percent-encoded where it must be.
    pub fn new(user: Option<&str>, address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self {
            scheme: Scheme::Sip,
            userinfo: user.map(encode_user),
            host,
            port: Some(address.port()),
            params: Params::default(),
            headers: None,
        }
    }

    /// The user part, percent-decoded, without password and without telephone parameters (`;tgrp=…`).
    ///
    /// For `tel:` the number. `None` if there is no user part.
    pub fn user(&self) -> Option<String> {
        let userinfo = self.userinfo.as_deref()?;
        let user = userinfo.split(':').next().unwrap_or_default();
        Some(text::percent_decode(user.split(';').next().unwrap_or_default()))
    }

    /// The host as an address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The transport the URI asks for; `None` leaves the choice.
    pub fn transport(&self) -> Option<Transport> {
        let asked = self.params.value("transport").map(str::to_ascii_lowercase);
        match (&self.scheme, asked.as_deref()) {
            (Scheme::Sips, _) | (_, Some("tls")) => Some(Transport::Tls),
            (_, Some("tcp")) => Some(Transport::Tcp),
            (_, Some("udp")) => Some(Transport::Udp),
            (_, Some(_) | None) => None,
        }
    }

    /// Where to send to if the host is an address; the port defaults to 5060 (RFC 3261 §19.1.2). Names are for a
    /// resolver.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                let port = self.port.unwrap_or(self.transport().unwrap_or(Transport::Udp).default_port());
                Some(SocketAddr::new(self.ip()?, port))
            }
            Scheme::Tel | Scheme::Other(_) => None,
        }
    }
}

impl FromStr for SipUri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        let (scheme, rest) = uri.split_once(':').ok_or(UriError::Scheme)?;
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(valid) {
            return Err(UriError::Scheme);
        }
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => parse_sip(Scheme::Sip, rest),
            "sips" => parse_sip(Scheme::Sips, rest),
            "tel" => parse_tel(rest),
            _ => {
                if rest
                    .bytes()
                    .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"<>\"".contains(&byte))
                {
                    return Err(UriError::Host);
                }
                Ok(Self {
                    userinfo: None,
                    host: rest.to_owned(),
                    port: None,
                    params: Params::default(),
                    headers: None,
                    scheme: Scheme::Other(scheme.to_owned()),
                })
            }
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => return write!(f, "tel:{}{}", self.userinfo.as_deref().unwrap_or_default(), self.params),
            Scheme::Other(scheme) => return write!(f, "{scheme}:{}", self.host),
        }
        if let Some(userinfo) = &self.userinfo {
            write!(f, "{userinfo}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

fn parse_sip(scheme: Scheme, rest: &str) -> Result<SipUri, UriError> {
    let (userinfo, rest) = match rest.split_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    // A second `@` is read differently by different stacks: whom such a URI names is not for us to guess.
    if rest.contains('@') {
        return Err(UriError::Host);
    }
    if userinfo.is_some_and(|userinfo| userinfo.is_empty() || !is_user(userinfo)) {
        return Err(UriError::User);
    }
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
    let clean = |text: &str| {
        !text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"<>\"".contains(&byte))
    };
    if !clean(params) || !clean(headers.unwrap_or_default()) {
        return Err(UriError::Host);
    }
    let (host, port) = split_host_port(host_port)?;
    Ok(SipUri {
        scheme,
        userinfo: userinfo.map(str::to_owned),
        host: host.to_owned(),
        port,
        params: Params::parse(params),
        headers: headers.map(str::to_owned),
    })
}

fn parse_tel(rest: &str) -> Result<SipUri, UriError> {
    let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
    let digit = |byte: u8| byte.is_ascii_hexdigit() || b"+-.()*#".contains(&byte);
    if number.is_empty()
        || !number.bytes().all(digit)
        || params.bytes().any(|byte| byte.is_ascii_whitespace() || b"<>\"".contains(&byte))
    {
        return Err(UriError::User);
    }
    Ok(SipUri {
        scheme: Scheme::Tel,
        userinfo: Some(number.to_owned()),
        host: String::new(),
        port: None,
        params: Params::parse(params),
        headers: None,
    })
}

/// Takes `host`, `host:port`, `[v6]` or `[v6]:port` apart.
pub(crate) fn split_host_port(text: &str) -> Result<(&str, Option<u16>), UriError> {
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']').ok_or(UriError::Host)?;
        let (host, rest) = text.split_at(end + 1);
        let valid = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::Ipv6Addr>().is_ok();
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(UriError::Host)?) };
        (valid.then_some(host).ok_or(UriError::Host)?, port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let valid = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        (valid.then_some(host).ok_or(UriError::Host)?, port)
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|&port| port > 0).ok_or(UriError::Port)?)
        }
        Some(_) => return Err(UriError::Port),
    };
    Ok((host, port))
}

fn is_user(userinfo: &str) -> bool {
    !userinfo.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"<>\"[]@".contains(&byte))
}

fn encode_user(user: &str) -> String {
    let mut encoded = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    encoded
}
