//! Digest authentication (RFC 7616, RFC 8760): challenges that expire, answers that count up, both sides of it.

mod nonce;

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::{Digest as _, Sha256, Sha512_256};

pub(crate) use self::nonce::{Freshness, Nonces};
use crate::message::{HeaderId, Headers, SipUri, text};
use crate::origin::Secret;

/// A hash algorithm of RFC 8760 §2.2, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, what old phones know.
    Md5,
    /// SHA-512/256.
    Sha512_256,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of a name; none at all means MD5 (RFC 7616 §3.3).
    fn of(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        [Self::Md5, Self::Sha512_256, Self::Sha256].into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha512_256 => hex(&Sha512_256::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }

    /// `H(A1)` of a user (RFC 7616 §3.4.2); `None` if only another algorithm's is kept.
    fn ha1(self, username: &str, realm: &str, secret: &Secret) -> Option<String> {
        match (secret, self) {
            (Secret::Password(password), _) => Some(self.hash(&format!("{username}:{realm}:{password}"))),
            (Secret::Hashed { md5, .. }, Self::Md5) => md5.map(|bytes| hex(&bytes)),
            (Secret::Hashed { sha256, .. }, Self::Sha256) => Some(hex(sha256)),
            (Secret::Hashed { .. }, Self::Sha512_256) => None,
        }
    }
}

/// What goes into the response besides the password.
struct Parts<'a> {
    algorithm: Algorithm,
    nonce: &'a str,
    /// nc and cnonce, when qop is auth.
    count: Option<(&'a str, &'a str)>,
    method: &'a str,
    uri: &'a str,
}

impl Parts<'_> {
    /// RFC 7616 §3.4.1; without qop the older form of RFC 2069.
    fn response(&self, ha1: &str) -> String {
        let Self { algorithm, nonce, method, uri, .. } = self;
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        match self.count {
            Some((nc, cnonce)) => algorithm.hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")),
            None => algorithm.hash(&format!("{ha1}:{nonce}:{ha2}")),
        }
    }
}

/// A challenge of the far side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What the password is for.
    pub realm: String,
    /// Whether only the nonce was too old: the same password may be tried again.
    pub stale: bool,
    nonce: String,
    algorithm: Algorithm,
    opaque: Option<String>,
    qop: bool,
}

impl Challenge {
    /// Reads the value of a `WWW-Authenticate` or `Proxy-Authenticate` header field; `None` if it is none we can answer.
    pub fn parse(value: &str) -> Option<Self> {
        let fields = Fields::parse(value)?;
        let qop = match fields.get("qop") {
            None => false,
            // RFC 7616 §3.3: a list; auth-int alone cannot be answered.
            Some(list) => list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")).then_some(true)?,
        };
        Some(Self {
            realm: fields.get("realm")?.to_owned(),
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            nonce: fields.get("nonce")?.to_owned(),
            algorithm: Algorithm::of(fields.get("algorithm"))?,
            opaque: fields.get("opaque").map(str::to_owned),
            qop,
        })
    }

    /// The strongest challenge of each realm of a 401 or 407, with the header field that answers it.
    pub fn of_response(headers: &Headers) -> Vec<(HeaderId, Self)> {
        let mut found: Vec<(HeaderId, Self)> = Vec::new();
        for (asks, answers) in [
            (HeaderId::WwwAuthenticate, HeaderId::Authorization),
            (HeaderId::ProxyAuthenticate, HeaderId::ProxyAuthorization),
        ] {
            for challenge in headers.all(asks).filter_map(|header| Self::parse(&header.text())) {
                let same = |(id, known): &&mut (HeaderId, Self)| *id == answers && known.realm == challenge.realm;
                match found.iter_mut().find(same) {
                    Some((_, known)) if known.algorithm < challenge.algorithm => *known = challenge,
                    Some(_) => {}
                    None => found.push((answers, challenge)),
                }
            }
        }
        found
    }

    /// The value of `Authorization` or `Proxy-Authorization` that answers it. `nc` counts the uses of its nonce from 1.
    pub fn answer(&self, username: &str, password: &str, method: &str, uri: &str, cnonce: &str, nc: u32) -> String {
        let Self { realm, nonce, algorithm, .. } = self;
        let ha1 = algorithm.hash(&format!("{username}:{realm}:{password}"));
        let nc = format!("{nc:08x}");
        let count = self.qop.then_some((nc.as_str(), cnonce));
        let response = Parts { algorithm: *algorithm, nonce, count, method, uri }.response(&ha1);
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\", algorithm={}",
            quoted(username),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
            algorithm.name()
        );
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{}\"", quoted(opaque));
        }
        if count.is_some() {
            let _ = write!(value, ", qop=auth, nc={nc}, cnonce=\"{}\"", quoted(cnonce));
        }
        value
    }
}

/// The values of our challenge: SHA-256 first, since RFC 8760 §2.4 wants them by preference.
pub(crate) fn challenges(realm: &str, nonce: &str, stale: bool) -> [String; 2] {
    let stale = if stale { ", stale=true" } else { "" };
    [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| {
        format!(
            "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
            quoted(realm),
            algorithm.name()
        )
    })
}

/// What somebody says to prove who they are.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) username: String,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    /// How often its nonce was used, this time included.
    pub(crate) count: u32,
    algorithm: Algorithm,
    nc: String,
    cnonce: String,
    uri: String,
    response: String,
}

impl Proof {
    /// Reads the value of `Authorization`. One without qop, which no replay check could be made of, is none.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let fields = Fields::parse(value)?;
        let get = |name| fields.get(name).map(str::to_owned);
        let nc = get("nc").filter(|nc| nc.len() == 8)?;
        fields.get("qop").filter(|qop| qop.eq_ignore_ascii_case("auth"))?;
        Some(Self {
            username: get("username")?,
            realm: get("realm")?,
            nonce: get("nonce")?,
            count: u32::from_str_radix(&nc, 16).ok()?,
            algorithm: Algorithm::of(fields.get("algorithm"))?,
            nc,
            cnonce: get("cnonce")?,
            uri: get("uri")?,
            response: get("response")?.to_ascii_lowercase(),
        })
    }

    /// Whether it was made with this password, for this request. An unknown user takes as long as a known one.
    pub(crate) fn is_right(&self, secret: Option<&Secret>, method: &str, request_uri: &str) -> bool {
        let nobody = Secret::Password(String::new());
        let ha1 = self.algorithm.ha1(&self.username, &self.realm, secret.unwrap_or(&nobody)).unwrap_or_default();
        let count = Some((self.nc.as_str(), self.cnonce.as_str()));
        let wanted =
            Parts { algorithm: self.algorithm, nonce: &self.nonce, count, method, uri: &self.uri }.response(&ha1);
        same(wanted.as_bytes(), self.response.as_bytes())
            && secret.is_some()
            && !ha1.is_empty()
            && is_for(&self.uri, request_uri)
    }
}

/// RFC 7616 §3.4.6: the uri must be that of the request; ports and parameters are rewritten on the way too often.
fn is_for(uri: &str, request_uri: &str) -> bool {
    let (Ok(said), Ok(asked)) = (uri.parse::<SipUri>(), request_uri.parse::<SipUri>()) else { return false };
    said.user() == asked.user() && said.host.eq_ignore_ascii_case(&asked.host)
}

/// Compares without telling by its time where the first difference is.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    one.len() == other.len() && differs == 0
}

/// `Digest name=value, name="value"`.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(|character: char| character.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let fields = text::split_outside_quotes(rest, ',').into_iter().filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), unquoted(value.trim())))
        });
        Some(Self(fields.collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut escaped = false;
    inner
        .chars()
        .filter(|&character| {
            escaped = character == '\\' && !escaped;
            !escaped
        })
        .collect()
}

fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        for (algorithm, wanted) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = algorithm.hash("Mufasa:http-auth@example.org:Circle of Life");
            let parts = Parts {
                algorithm,
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                count: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
                method: "GET",
                uri: "/dir/index.html",
            };
            assert_eq!(parts.response(&ha1), wanted);
        }
    }

    #[test]
    fn an_answer_to_our_challenge_is_right_and_a_changed_one_is_not() {
        let secret = Secret::Password("o\"p\\en".to_owned());
        for value in challenges("a \"realm\"", "n0", false) {
            let challenge = Challenge::parse(&value).unwrap();
            let answer = challenge.answer("ad\"a", "o\"p\\en", "REGISTER", "sip:example.com", "c", 1);
            let proof = Proof::parse(&answer).unwrap();
            assert_eq!((proof.username.as_str(), proof.count), ("ad\"a", 1));
            assert!(proof.is_right(Some(&secret), "REGISTER", "sip:example.com:5070;transport=tcp"));
            assert!(!proof.is_right(Some(&secret), "INVITE", "sip:example.com"), "another method");
            assert!(!proof.is_right(Some(&secret), "REGISTER", "sip:example.org"), "another host");
            assert!(!proof.is_right(None, "REGISTER", "sip:example.com"), "nobody");
            let other = Secret::Password("open".to_owned());
            assert!(!proof.is_right(Some(&other), "REGISTER", "sip:example.com"), "another password");
        }
    }

    #[test]
    fn hashed_passwords_serve_their_algorithms() {
        let md5: [u8; 16] = Md5::digest("ada:cordboard:open").into();
        let sha256: [u8; 32] = Sha256::digest("ada:cordboard:open").into();
        let [by_sha, by_md5] = challenges("cordboard", "n", false)
            .map(|value| Challenge::parse(&value).unwrap().answer("ada", "open", "REGISTER", "sip:h", "c", 1));
        let right =
            |answer: &str, secret: &Secret| Proof::parse(answer).unwrap().is_right(Some(secret), "REGISTER", "sip:h");
        let both = Secret::Hashed { md5: Some(md5), sha256 };
        assert!(right(&by_sha, &both) && right(&by_md5, &both));
        let new = Secret::Hashed { md5: None, sha256 };
        assert!(right(&by_sha, &new) && !right(&by_md5, &new));
    }

    #[test]
    fn the_strongest_challenge_of_each_realm_is_answered() {
        let mut headers = Headers::default();
        for value in challenges("a", "n", false).iter().rev() {
            headers.push(HeaderId::WwwAuthenticate, value.as_str());
        }
        headers.push(HeaderId::ProxyAuthenticate, "Digest realm=\"b\", nonce=\"m\"");
        headers.push(HeaderId::ProxyAuthenticate, "Digest realm=\"c\", nonce=\"m\", algorithm=SHA-1024");
        headers.push(HeaderId::ProxyAuthenticate, "Basic realm=\"d\"");
        let found: Vec<_> = Challenge::of_response(&headers)
            .into_iter()
            .map(|(id, challenge)| (id, challenge.realm, challenge.algorithm, challenge.qop))
            .collect();
        assert_eq!(
            found,
            [
                (HeaderId::Authorization, "a".to_owned(), Algorithm::Sha256, true),
                (HeaderId::ProxyAuthorization, "b".to_owned(), Algorithm::Md5, false),
            ]
        );
    }
}
