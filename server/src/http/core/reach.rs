//! `GET /core/agents/{UUID}/reach` and `GET /core/reachability`: what can ring a person, and the matrix behind it.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::policy::Reachability;

use super::person;
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState};
use crate::rights;

/// For the person themselves, and for who answers for them: it tells reasons.
pub(in crate::http) async fn person(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Result<Response, ApiError> {
    let left = caller.count_read(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::SeeFacts)?;
    let reach = state.app.reach(agent).await?.ok_or_else(person::not_found)?;
    let mut response = Json(reach).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Every cell, with its letter now and the setting that may change it.
pub(in crate::http) async fn matrix(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    caller.require(rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let mut response = Json(Reachability { cells: state.app.matrix().await? }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}
