//! `POST` and `GET /core/agents/{UUID}/presence`: the toggle, as clients of the source API call it unchanged.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::api::presence::PresenceChange;

use super::person::{self, Conditions};
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState, body};

/// `POST`: sets a toggle. The answer is sent when it is on disk and routing obeys it.
pub(in crate::http) async fn write(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let limit = caller.count_write(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::Toggle)?;
    let (parts, content) = request.into_parts();
    body::check_content_type(&parts.headers)?;
    let content = body::read(content).await?;
    let change = PresenceChange::from_json(&content, state.clock.now())?;
    let conditions = Conditions::of(&parts)?;

    let write = person::fact_write(&caller, agent, FactChange::Toggle(change), conditions);
    person::apply(&state, write).await.map(|written| person::answer(written, limit))
}

/// `GET`: facts, verdict and matrix of one person. The tag also changes when the verdict alone does.
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let limit = caller.count_read(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check_sight(&state, &caller, agent)?;
    let (presence, live) = state.app.presence(agent).await?.ok_or_else(person::not_found)?;

    let version = presence.version;
    let etag = format!("\"{version}+{}\"", state.started.saturating_add(live));
    let mut response = if person::none_match_names(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(presence).into_response()
    };
    response.headers_mut().extend(limit.headers());
    response.headers_mut().extend(person::version_headers(version, &etag));
    Ok(response)
}
