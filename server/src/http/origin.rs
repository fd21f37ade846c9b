//! Whose page asks. A cookie travels with every request to us, so a write by cookie must come from a page of ours.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use cordboard_shared::ProblemCode;

use super::ApiError;

/// Refuses a request whose `Origin` is missing, or neither the own one nor an allowed one.
pub(super) fn require_own(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    if headers.contains_key(ORIGIN) && is_own(headers, allowed) { Ok(()) } else { Err(foreign()) }
}

/// Refuses a request with a foreign `Origin`; one without any is no browser's.
pub(super) fn refuse_foreign(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    if !headers.contains_key(ORIGIN) || is_own(headers, allowed) { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> ApiError {
    ApiError::new(
        ProblemCode::ForeignOrigin,
        "The page that asks is not the panel's. Nothing was changed; use an API token from other places.",
    )
}

fn is_own(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN).and_then(|value| value.to_str().ok()) else { return false };
    if allowed.iter().any(|entry| entry.eq_ignore_ascii_case(origin)) {
        return true;
    }
    // Behind a proxy that ends TLS the scheme is not known here; the host is.
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Whether a `Host` names this machine itself.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&str>, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_write_by_cookie_comes_from_the_own_page_or_an_allowed_one() {
        let allowed = ["http://127.0.0.1:8081".to_owned()];
        let verdict = |origin| require_own(&headers(origin, "127.0.0.1:8080"), &allowed).is_ok();

        assert!(verdict(Some("http://127.0.0.1:8080")));
        assert!(verdict(Some("http://127.0.0.1:8081")));
        assert!(!verdict(Some("http://127.0.0.1:8082")));
        assert!(!verdict(Some("http://127.0.0.1:8080.evil.example")));
        assert!(!verdict(Some("null")));
        assert!(!verdict(None));
        assert!(refuse_foreign(&headers(None, "127.0.0.1:8080"), &allowed).is_ok());
        assert!(refuse_foreign(&headers(Some("https://evil.example"), "127.0.0.1:8080"), &allowed).is_err());
    }

    #[test]
    fn loopback_hosts_are_told_from_names_that_look_like_them() {
        for host in ["localhost", "localhost:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]"] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
