//! The session cookie.

use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::origin::is_loopback_host;

/// How long a browser keeps it, in seconds: 30 days. When a sign-in ends is the store's business.
const KEPT_SECONDS: u32 = 30 * 24 * 3_600;
/// Its name.
const NAME: &str = "cordboard_session";

/// The secret in the cookie, of which the store knows the hash.
pub(super) struct SessionSecret(String);

impl SessionSecret {
    /// A secret of 32 random bytes.
    pub(super) fn new(random: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// The secret in a request's cookies.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == NAME)
            .map(|(_, value)| Self(value.to_owned()))
    }

    /// What the store knows.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// `Set-Cookie` for a signed-in browser, over whatever host it came by.
    pub(super) fn set(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        cookie(&self.0, headers, KEPT_SECONDS)
    }
}

/// `Set-Cookie` that takes the cookie away.
pub(super) fn clear(headers: &HeaderMap) -> Option<HeaderValue> {
    cookie("", headers, 0)
}

fn cookie(value: &str, headers: &HeaderMap, seconds: u32) -> Option<HeaderValue> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let secure = if is_loopback_host(host) { "" } else { "; Secure" };
    HeaderValue::from_str(&format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))])
    }

    #[test]
    fn the_cookie_is_for_this_site_only_and_secure_beyond_loopback() {
        let secret = SessionSecret::new([1; 32]);

        let local = secret.set(&host("127.0.0.1:8080")).unwrap();
        let remote = secret.set(&host("panel.example.com")).unwrap();

        assert!(local.to_str().unwrap().ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000"));
        assert!(remote.to_str().unwrap().ends_with("; Secure"));
    }

    #[test]
    fn the_secret_is_found_among_other_cookies() {
        let secret = SessionSecret::new([1; 32]);
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("theme=dark; {NAME}={}; x=y", secret.0).parse().unwrap());

        assert_eq!(SessionSecret::from_headers(&headers).unwrap().hash(), secret.hash());
        assert!(SessionSecret::from_headers(&HeaderMap::new()).is_none());
    }
}
