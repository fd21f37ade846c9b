//! `POST` and `GET /core/agents/{UUID}/presence`: the toggle, as clients of the source API call it unchanged.

use std::str::FromStr;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::AsHeaderName;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::agent::Source;
use cordboard_shared::api::presence::{INTENT_HEADER, PresenceChange};
use cordboard_shared::id::AgentId;
use cordboard_shared::presence::headers;
use cordboard_shared::{Problem, ProblemCode, Version};

use crate::app::PresenceWrite;
use crate::http::caller::missing_right;
use crate::http::limit::Key;
use crate::http::{ApiError, Caller, CallerKind, HttpState, body};
use crate::rights;

/// Version of the presence in the answer, beside `ETag`, as the edge gives it too.
const REVISION: HeaderName = HeaderName::from_static("x-presence-revision");

/// `POST`: sets a toggle. The answer is sent when it is on disk and routing obeys it.
pub(in crate::http) async fn write(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let limit = caller.count_write(&state)?;
    let agent = agent(&state, &uuid)?;
    may_write(&state, &caller, agent)?;
    let (parts, content) = request.into_parts();
    body::check_content_type(&parts.headers)?;
    let content = body::read(content).await?;
    let change = PresenceChange::from_json(&content, state.clock.now())?;
    let intent = read_header(&parts.headers, INTENT_HEADER, headers::intent)?;
    let if_match = read_header(&parts.headers, IF_MATCH, headers::if_match)?.flatten();

    let flap = Key::Changes(agent);
    state.limiter.take(flap.clone(), &state.config.limits, state.clock.now())?;
    let write =
        PresenceWrite { agent, change, actor: caller.actor(), source: source(&caller, agent), intent, if_match };
    let written = match state.app.write_presence(write).await {
        Ok(written) => written,
        Err(problem) => {
            state.limiter.put_back(&flap);
            return Err(problem.into());
        }
    };
    if !written.changed {
        state.limiter.put_back(&flap);
    }
    state.metrics.presence_writes.increment();

    let version = written.presence.version;
    let mut response = Json(written).into_response();
    response.headers_mut().extend(limit.headers());
    response.headers_mut().extend(version_headers(version));
    Ok(response)
}

/// `GET`: facts, verdict and matrix of one person.
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request_headers: HeaderMap,
) -> Result<Response, ApiError> {
    let limit = caller.count_read(&state)?;
    let agent = agent(&state, &uuid)?;
    caller.require(rights::PRESENCE_READ)?;
    let (presence, _) = state.app.presence(agent).await?.ok_or_else(not_found)?;

    let version = presence.version;
    let known = request_headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unchanged = headers::none_match_names(known, version);
    let mut response =
        if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { Json(presence).into_response() };
    response.headers_mut().extend(limit.headers());
    response.headers_mut().extend(version_headers(version));
    Ok(response)
}

/// Whether the caller may set this person's toggle: their own, that of their departments, or anybody's.
pub fn may_write(state: &HttpState, caller: &Caller, agent: AgentId) -> Result<(), ApiError> {
    if caller.has(rights::PRESENCE_WRITE_ANY) {
        return Ok(());
    }
    if agent == caller.agent {
        return caller.require(rights::PRESENCE_WRITE_SELF);
    }
    if !caller.has(rights::PRESENCE_WRITE_TEAM) {
        let needed = if caller.is_staff() { rights::PRESENCE_WRITE_TEAM } else { rights::PRESENCE_WRITE_ANY };
        return Err(missing_right(needed));
    }
    let departments = caller.departments(state);
    let in_team = state.app.directory().departments.iter().any(|department| {
        departments.as_ref().is_none_or(|own| own.contains(&department.id))
            && department.members.iter().any(|member| member.agent == agent)
    });
    if in_team { Ok(()) } else { Err(missing_right(rights::PRESENCE_WRITE_ANY)) }
}

/// A person of this account; one of another account is as unknown as one that does not exist.
fn agent(state: &HttpState, uuid: &str) -> Result<AgentId, ApiError> {
    let agent = AgentId::from_str(uuid).ok().filter(|agent| state.app.directory().agents.contains_key(agent));
    agent.ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::new(ProblemCode::AgentNotFound, "There is no such person in this account.")
}

fn source(caller: &Caller, agent: AgentId) -> Source {
    match &caller.kind {
        CallerKind::Token(..) => Source::Api,
        CallerKind::Session(_) if agent == caller.agent => Source::Panel,
        CallerKind::Session(_) => Source::Admin,
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

fn etag(version: Version) -> String {
    format!("\"{version}\"")
}

fn version_headers(version: Version) -> Vec<(HeaderName, HeaderValue)> {
    [(ETAG, etag(version)), (REVISION, version.to_string())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)))
        .collect()
}
