//! The request headers of the presence API, read into types where they enter.

use crate::agent::Intent;
use crate::error::{Problem, ProblemCode};
use crate::version::Version;

/// Longest device id, in bytes.
const MAX_DEVICE: usize = 64;
/// Longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 64;
/// Largest counter that every tier can hold exactly: JavaScript's numbers end at 2^53.
const MAX_COUNTER: u64 = (1 << 53) - 1;

/// Reads `x-presence-intent: <n>;<device>`.
pub fn intent(text: &str) -> Result<Intent, Problem> {
    let parsed = text.split_once(';').and_then(|(n, device)| {
        let (n, device) = (n.trim(), device.trim());
        let plain = !device.is_empty()
            && device.len() <= MAX_DEVICE
            && device.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        let n = n.parse::<u64>().ok().filter(|number| *number <= MAX_COUNTER)?;
        plain.then(|| Intent { n, device: device.to_owned() })
    });
    parsed.ok_or_else(|| invalid("x-presence-intent is <number>;<device>, such as 7;tablet-1."))
}

/// Reads `If-Match: "<epoch>.<rev>"`; `*` asks for nothing. A weak tag never matches (RFC 9110 §13.1.1), so it is refused.
pub fn if_match(text: &str) -> Result<Option<Version>, Problem> {
    if text.trim() == "*" {
        return Ok(None);
    }
    strong_tag(text).map(Some).ok_or_else(|| invalid("If-Match is a version in quotation marks, such as \"1.184\"."))
}

/// Whether `If-None-Match` names this version, or any.
pub fn none_match_names(text: &str, version: Version) -> bool {
    text.split(',').any(|part| part.trim() == "*" || tag(part) == Some(version))
}

/// Reads `x-presence-min-revision: <epoch>.<rev>`.
pub fn min_revision(text: &str) -> Result<Version, Problem> {
    text.trim().parse().map_err(|_| invalid("x-presence-min-revision is a version, such as 1.184."))
}

/// Reads `x-presence-max-age: <seconds>`, into milliseconds.
pub fn max_age(text: &str) -> Result<u64, Problem> {
    let seconds = text.trim().parse::<u32>().map_err(|_| invalid("x-presence-max-age is a number of seconds."))?;
    Ok(u64::from(seconds) * 1_000)
}

/// Reads `Idempotency-Key`.
pub fn key(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_KEY || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("Idempotency-Key is 1 to 64 printable characters."));
    }
    Ok(text.to_owned())
}

/// Whether a `Content-Type` is JSON, whatever its parameters.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn tag(text: &str) -> Option<Version> {
    let text = text.trim();
    strong_tag(text.strip_prefix("W/").unwrap_or(text))
}

fn strong_tag(text: &str) -> Option<Version> {
    text.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_a_number_and_a_device() {
        assert_eq!(intent("7;tablet-1").unwrap(), Intent { n: 7, device: "tablet-1".to_owned() });
        for text in ["", "7", "7;", ";x", "-1;x", "x;y", "9007199254740992;x", "7;a b", "7;a;b"] {
            assert_eq!(intent(text).unwrap_err().code(), Some(ProblemCode::InvalidRequest), "{text}");
        }
    }

    #[test]
    fn a_tag_is_a_quoted_version() {
        let version = Version { epoch: 1, rev: 184 };

        assert_eq!(if_match("\"1.184\"").unwrap(), Some(version));
        assert_eq!(if_match("*").unwrap(), None);
        assert!(if_match("1.184").is_err() && if_match("W/\"1.184\"").is_err());
        assert!(none_match_names("\"1.3\", W/\"1.184\"", version));
        assert!(none_match_names("*", version));
        assert!(!none_match_names("\"1.3\"", version));
    }

    #[test]
    fn json_is_told_by_its_essence_and_a_bearer_by_its_scheme() {
        assert!(is_json("application/json; charset=utf-8"));
        assert!(is_json("Application/JSON"));
        assert!(!is_json("application/jsonp") && !is_json("text/plain") && !is_json(""));
        assert_eq!(bearer("Bearer ccp1.a.b"), Some("ccp1.a.b"));
        assert_eq!(bearer("bearer  ccp1.a.b"), Some("ccp1.a.b"));
        assert_eq!(bearer("Basic eDp5"), None);
    }

    #[test]
    fn keys_and_ages_have_bounds() {
        assert_eq!(key(" k-1 ").unwrap(), "k-1");
        assert!(key("").is_err() && key(&"k".repeat(65)).is_err() && key("a b").is_err());
        assert_eq!(max_age("10").unwrap(), 10_000);
        assert!(max_age("-1").is_err() && max_age("soon").is_err());
    }
}
