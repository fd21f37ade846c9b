//! `GET` and `POST /core/blocked`, `DELETE /core/blocked/{number}`: callers who are refused before they reach a flow.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::policy::{BlockCaller, BlockedList};
use cordboard_shared::phone::E164;
use cordboard_shared::policy::BlockedCaller;

use super::routing_policy;
use crate::app::PolicyEdit;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// `GET`
pub(in crate::http) async fn list(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let policy = state.app.policy();
    let list = Json(BlockedList { blocked: policy.blocked.clone() });
    Ok(routing_policy::answer(list.into_response(), &policy, left))
}

/// `POST`: from the next call on. Blocking a blocked caller again changes nothing.
pub(in crate::http) async fn block(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(asked): body::Json<BlockCaller>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    body::check_text(&asked.reason, "/reason", LONGEST_REASON)?;
    let policy = state.app.policy();
    if let Some(held) = policy.blocked.iter().find(|held| held.number == asked.number) {
        return Ok(routing_policy::answer(Json(held).into_response(), &policy, left));
    }
    let blocked =
        BlockedCaller { number: asked.number, reason: asked.reason, by: caller.actor(), since: state.clock.now() };
    let policy = state.app.edit_policy(PolicyEdit::Block(blocked.clone()), None).await?;
    Ok(routing_policy::answer((StatusCode::CREATED, Json(blocked)).into_response(), &policy, left))
}

/// `DELETE`: lets the caller in again. The number may come without its `+`.
pub(in crate::http) async fn unblock(
    State(state): State<HttpState>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let not_found = || ApiError::new(ProblemCode::NotFound, "This number is not blocked.");
    let number = E164::from_sip_user(&number).map_err(|_| not_found())?;
    if !state.app.policy().blocked.iter().any(|held| held.number == number) {
        return Err(not_found());
    }
    let policy = state.app.edit_policy(PolicyEdit::Unblock(number), None).await?;
    Ok(routing_policy::answer(StatusCode::NO_CONTENT.into_response(), &policy, left))
}
