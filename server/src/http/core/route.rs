//! `POST /core/route/simulate` and `/core/route/replay`: what would happen to a call, and what would have happened to
//! past ones under another policy. Neither changes anything.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::routing::{ReplayRequest, SimulateRequest};

use super::decisions;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;

/// People a question may ask about as they are not.
const MOST_OVERRIDES: usize = 500;
/// Longest stretch of one replay, in milliseconds: what is kept.
const LONGEST_REPLAY_MS: u64 = 31 * 24 * 3_600_000;

/// "If this number called now, or on Friday at 18:05: who rings, in what order, until when, and why not the others?"
pub(in crate::http) async fn simulate(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(asked): body::Json<SimulateRequest>,
) -> Result<Response, ApiError> {
    caller.require(rights::SIMULATE)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    if asked.overrides.len() > MOST_OVERRIDES {
        return Err(body::invalid_field("/overrides", "A question changes at most 500 people."));
    }
    let unknown = asked.overrides.iter().position(|it| !directory.agents.contains_key(&it.agent));
    if let Some(index) = unknown {
        return Err(body::invalid_field(&format!("/overrides/{index}/agent"), "There is no such person."));
    }
    let mut answer = state.app.simulate(asked).await?;
    for decision in &mut answer.decisions {
        decisions::tell(decision, &caller, &directory);
    }
    let mut response = Json(answer).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Past calls under another policy, or the one that held. It tells everybody's calls, so it is for owners and admins.
pub(in crate::http) async fn replay(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(asked): body::Json<ReplayRequest>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::SIMULATE)?;
    caller.require(rights::DECISIONS_READ)?;
    let left = caller.count_list(&state)?;
    if asked.to <= asked.from {
        return Err(body::invalid_field("/to", "to lies after from."));
    }
    if asked.to.since(asked.from) > LONGEST_REPLAY_MS {
        return Err(body::invalid_field("/to", "A replay covers at most 31 days."));
    }
    let directory = state.app.directory();
    let mut answer = state.app.replay(asked).await?;
    for change in &mut answer.changed {
        for decision in change.before.iter_mut().chain(&mut change.after) {
            decisions::tell(decision, &caller, &directory);
        }
    }
    let mut response = Json(answer).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}
