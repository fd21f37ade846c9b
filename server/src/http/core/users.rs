//! `GET /core/users`, `GET` and `PATCH …/{UUID}`, `GET …/{UUID}/history`: people's records.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::users::{UserChange, UserHistory};
use cordboard_shared::id::AgentId;
use serde_json::{Value, json};

use crate::app::PersonEdit;
use crate::http::{ApiError, Caller, HttpState, RequestIdentity, body, permit};
use crate::rights;

/// Most changes told at once.
const HISTORY: u32 = 200;

/// `GET /core/users`: what everybody may see of everybody.
pub(in crate::http) async fn list(State(state): State<HttpState>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.require(rights::POLICY_READ)?;
    caller.count_list(&state)?;
    let directory = state.app.directory();
    Ok(Json(json!({ "users": directory.agents.values().collect::<Vec<_>>() })))
}

/// `GET …/{UUID}`: for admins, and for the person, with mobile number and managed departments.
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Result<Response, ApiError> {
    caller.require(rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let agent = of_path(&state, &uuid)?;
    let mut response = if caller.role.is_admin() || caller.agent == agent {
        let mobile = state.store.mobile(caller.account, agent).await?;
        Json(state.app.person(agent, mobile).ok_or_else(not_found)?).into_response()
    } else {
        let directory = state.app.directory();
        Json(directory.agents.get(&agent).ok_or_else(not_found)?).into_response()
    };
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `PATCH …/{UUID}`: role, sign-in name, mobile number, managed departments. In force when it is answered.
pub(in crate::http) async fn change(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    parts: Parts,
    body::Json(change): body::Json<UserChange>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::USERS_WRITE)?;
    let left = caller.count_write(&state)?;
    let agent = of_path(&state, &uuid)?;
    let edit = PersonEdit {
        agent,
        change,
        by: caller.agent,
        actor: caller.actor(),
        request: parts.extensions.get::<RequestIdentity>().map(|identity| identity.0),
        at: state.clock.now(),
    };
    let mut response = Json(state.app.change_person(edit).await?).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `GET …/{UUID}/history`: who changed what, newest first.
pub(in crate::http) async fn history(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::USERS_WRITE)?;
    let left = caller.count_list(&state)?;
    let agent = of_path(&state, &uuid)?;
    let changes = state.store.person_changes(caller.account, agent, HISTORY).await?;
    let mut response = Json(UserHistory { changes }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

fn of_path(state: &HttpState, uuid: &str) -> Result<AgentId, ApiError> {
    super::person::agent(state, uuid).map_err(|_| not_found())
}

fn not_found() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "There is no such thing in this account.")
}
