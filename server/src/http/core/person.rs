//! What the operations on one person share: their path, the headers of a change, and carrying it out.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::header::{AsHeaderName, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use cordboard_shared::agent::{Intent, Source};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::api::presence::{INTENT_HEADER, PresenceWritten};
use cordboard_shared::id::{AgentId, RequestId};
use cordboard_shared::presence::headers;
use cordboard_shared::{Problem, ProblemCode, Version};

use crate::app::FactWrite;
use crate::http::limit::{Key, Left};
use crate::http::{ApiError, Caller, CallerKind, HttpState, RequestIdentity};
use crate::rights;

/// Version of the presence in the answer, beside `ETag`, as the edge gives it too.
const REVISION: HeaderName = HeaderName::from_static("x-presence-revision");

/// A person of this account; one of another account is as unknown as one that does not exist.
pub(in crate::http) fn agent(state: &HttpState, uuid: &str) -> Result<AgentId, ApiError> {
    let agent = AgentId::from_str(uuid).ok().filter(|agent| state.app.directory().agents.contains_key(agent));
    agent.ok_or_else(not_found)
}

pub(in crate::http) fn not_found() -> ApiError {
    ApiError::new(ProblemCode::AgentNotFound, "There is no such person in this account.")
}

/// The conditions and the name of a change.
#[derive(Clone, Debug)]
pub(in crate::http) struct Conditions {
    /// The caller's order of toggles.
    pub(in crate::http) intent: Option<Intent>,
    /// `If-Match`.
    pub(in crate::http) if_match: Option<Version>,
    /// The request.
    pub(in crate::http) request: Option<RequestId>,
}

impl Conditions {
    /// Those of a request.
    pub(in crate::http) fn of(parts: &Parts) -> Result<Self, ApiError> {
        Ok(Self {
            intent: read_header(&parts.headers, INTENT_HEADER, headers::intent)?,
            if_match: read_header(&parts.headers, IF_MATCH, if_match)?.flatten(),
            request: parts.extensions.get::<RequestIdentity>().map(|identity| identity.0),
        })
    }
}

impl FromRequestParts<HttpState> for Conditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Self::Rejection> {
        Self::of(parts)
    }
}

/// The change of a caller who may make it.
pub(in crate::http) fn fact_write(
    caller: &Caller,
    agent: AgentId,
    change: FactChange,
    conditions: Conditions,
) -> FactWrite {
    // Somebody else's calendar must not undo a person's opt-out, unless it was given that very right.
    let entrusted = matches!(caller.kind, CallerKind::Token(..)) && caller.has(rights::OPT_OUT_WRITE);
    FactWrite {
        agent,
        change,
        actor: caller.actor(),
        source: source(caller, agent),
        intent: conditions.intent,
        if_match: conditions.if_match,
        request: conditions.request,
        resumes: caller.agent == agent || entrusted,
    }
}

/// Carries a change out. What changed nothing does not count against the flap guard.
pub(in crate::http) async fn apply(state: &HttpState, write: FactWrite) -> Result<PresenceWritten, ApiError> {
    let flap = Key::Changes(write.agent);
    state.limiter.take(flap.clone(), &state.config.limits, state.clock.now())?;
    let written = state.app.change_fact(write).await;
    if !written.as_ref().is_ok_and(|written| written.changed) {
        state.limiter.put_back(&flap);
    }
    let written = written?;
    state.metrics.presence_writes.increment();
    Ok(written)
}

/// The answer to a change.
pub(in crate::http) fn answer(written: PresenceWritten, limit: Left) -> Response {
    let version = written.presence.version;
    let mut response = axum::Json(written).into_response();
    response.headers_mut().extend(limit.headers());
    response.headers_mut().extend(version_headers(version, &etag(version)));
    response
}

/// The surface a caller's change of this person came by.
pub(in crate::http) fn source(caller: &Caller, agent: AgentId) -> Source {
    match &caller.kind {
        CallerKind::Token(..) => Source::Api,
        CallerKind::Session(_) if agent == caller.agent => Source::Panel,
        CallerKind::Session(_) => Source::Admin,
    }
}

/// `If-Match` is about the facts: what follows a `+` in the tag of a read is about their verdict alone.
fn if_match(text: &str) -> Result<Option<Version>, Problem> {
    match text.trim().strip_suffix('"').and_then(|tag| tag.split_once('+')) {
        Some((version, live)) if live.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            headers::if_match(&format!("{version}\""))
        }
        Some(_) | None => headers::if_match(text),
    }
}

/// A header of this name, read by the rules all tiers share.
fn read_header<T>(
    headers: &HeaderMap,
    name: impl AsHeaderName,
    rule: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Option<T>, ApiError> {
    // Bytes that are no text are read as no text, which every rule refuses.
    headers.get(name).map(|value| rule(value.to_str().unwrap_or_default())).transpose().map_err(ApiError::from)
}

/// The tag of facts at this version.
pub(in crate::http) fn etag(version: Version) -> String {
    format!("\"{version}\"")
}

/// `ETag`, and the version of the facts beside it.
pub(in crate::http) fn version_headers(version: Version, etag: &str) -> Vec<(HeaderName, HeaderValue)> {
    [(ETAG, etag.to_owned()), (REVISION, version.to_string())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)))
        .collect()
}

/// Whether `If-None-Match` names this tag, or any (RFC 9110 §13.1.2: weak comparison).
pub(in crate::http) fn none_match_names(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get_all(axum::http::header::IF_NONE_MATCH);
    known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_takes_the_tag_of_a_read_and_of_a_write() {
        let version = Some(Version { epoch: 1, rev: 184 });
        assert_eq!(if_match("\"1.184\"").unwrap(), version);
        assert_eq!(if_match("\"1.184+7\"").unwrap(), version);
        assert_eq!(if_match("*").unwrap(), None);
        for wrong in ["1.184", "1.184+7", "W/\"1.184+7\"", "\"+7\"", "\"1.184+7+\"", "\"1.184+\"7\""] {
            assert!(if_match(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tag_is_known_by_its_whole_text() {
        let known = |text: &'static str| {
            let headers = HeaderMap::from_iter([(axum::http::header::IF_NONE_MATCH, HeaderValue::from_static(text))]);
            none_match_names(&headers, "\"1.184+7\"")
        };
        assert!(known("\"1.184+7\"") && known("\"x\", W/\"1.184+7\"") && known("*"));
        assert!(!known("\"1.184\"") && !known("\"1.184+8\"") && !known(""));
        assert!(!none_match_names(&HeaderMap::new(), "\"1.184+7\""));
    }
}
