//! One POST to the gateway for text messages, and to nowhere else: names are resolved here, and an answer that points
//! into this machine or a private network is refused, whatever the name was a moment ago.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use cordboard_shared::api::outbox::OutboxMessage;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, StatusCode, Url};
use serde_json::json;

use crate::config::SmsGateway;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The gateway.
pub(super) struct Gateway {
    client: Client,
    settings: SmsGateway,
}

/// What the gateway said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It took the message.
    Taken,
    /// It will never take it.
    Refused(String),
    /// It could not, this time.
    NotNow(String),
}

impl Gateway {
    pub(super) fn new(settings: SmsGateway) -> anyhow::Result<Self> {
        let url: Url = settings.url.parse().context("the gateway's address is no URL")?;
        let mut builder = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy();
        if url.scheme() == "http" {
            // No certificates are needed, and a machine without any must not keep messages from going.
            builder = builder.tls_certs_only([]);
        }
        if !settings.allow_local {
            builder = builder.dns_resolver(PublicOnly);
        }
        Ok(Self { client: builder.build().context("cannot make the client for the gateway")?, settings })
    }

    pub(super) async fn post(&self, message: &OutboxMessage) -> Said {
        let Some(to) = &message.to else { return Said::Refused("no mobile number is known".to_owned()) };
        // A host that is an address already is never resolved, so it is looked at here.
        if !self.settings.allow_local && literal(&self.settings.url).is_some_and(|ip| !is_public(ip)) {
            return Said::Refused("the gateway is on this machine or in a private network".to_owned());
        }
        let body = json!({
            "to": to.0.as_str(), "from": self.settings.from, "text": message.text.0, "id": message.id.to_string(),
        });
        let request = self
            .client
            .post(&self.settings.url)
            .bearer_auth(&self.settings.token)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        match request.send().await {
            Ok(response) => said(response.status()),
            // The error would name the address, and with it the recipient's in some gateways.
            Err(error) if error.is_timeout() => Said::NotNow("the gateway did not answer in time".to_owned()),
            Err(_) => Said::NotNow("the gateway cannot be reached".to_owned()),
        }
    }
}

fn said(status: StatusCode) -> Said {
    let text = format!("the gateway answered {}", status.as_u16());
    let again = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status.is_success() {
        Said::Taken
    } else if again || status.is_server_error() {
        Said::NotNow(text)
    } else {
        Said::Refused(text)
    }
}

pub(super) fn literal(url: &str) -> Option<IpAddr> {
    // The URL parser also reads decimal, octal and hexadecimal forms as the addresses they are.
    let url: Url = url.parse().ok()?;
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names as the system does, and leaves out what is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the gateway is on this machine or in a private network".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address lies in the public internet.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    // RFC 6890: this network, shared address space, protocol assignments, benchmarking, and everything from class E on.
    let special = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !(special
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments();
    // Only global unicast is public (RFC 4291 §2.4); of it neither documentation nor what wraps an IPv4 address.
    let global = first[0] & 0xe000 == 0x2000;
    let documentation = first[0] == 0x2001 && first[1] == 0x0db8;
    let teredo = first[0] == 0x2001 && first[1] == 0;
    let six_to_four = first[0] == 0x2002;
    global && !documentation && !teredo && !six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for text in ["8.8.8.8", "203.0.114.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_is_seen_in_whatever_form_it_is_written() {
        for url in
            ["http://127.0.0.1/x", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://[::1]:80/"]
        {
            assert!(literal(url).is_some_and(|ip| !is_public(ip)), "{url}");
        }
        assert_eq!(literal("https://sms.example.com/"), None);
    }

    #[test]
    fn what_can_pass_is_tried_again_and_what_cannot_is_not() {
        assert_eq!(said(StatusCode::ACCEPTED), Said::Taken);
        for again in [408, 425, 429, 500, 503] {
            assert!(matches!(said(StatusCode::from_u16(again).unwrap()), Said::NotNow(_)), "{again}");
        }
        for never in [301, 400, 401, 404, 422] {
            assert!(matches!(said(StatusCode::from_u16(never).unwrap()), Said::Refused(_)), "{never}");
        }
    }
}
