//! `PUT` and `DELETE /core/agents/{UUID}/pause`, `/dnd`, `/opt-out` and `/work-anyway`: the facts beside the toggle.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use cordboard_shared::Millis;
use cordboard_shared::api::availability::{BlockChange, FactChange};
use serde::Deserialize;

use super::person::{self, Conditions};
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState, body};

/// Body of `PUT …/work-anyway`.
#[derive(Debug, Default, Deserialize)]
struct WorkAnyway {
    /// Until when; null ends it.
    until: Option<Millis>,
}

/// `PUT …/pause` with a reason. Locked: the person cannot lift it.
pub(in crate::http) async fn pause(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    set(&state, &caller, &uuid, request, Act::Pause, |set| FactChange::Pause { set: Some(set) }).await
}

/// `DELETE …/pause`: the last toggle counts again.
pub(in crate::http) async fn unpause(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    conditions: Conditions,
) -> Result<Response, ApiError> {
    write(&state, &caller, &uuid, conditions, Act::Pause, FactChange::Pause { set: None }).await
}

/// `PUT …/dnd`: the person's own hard stop.
pub(in crate::http) async fn dnd(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    set(&state, &caller, &uuid, request, Act::SetDnd, |set| FactChange::Dnd { set: Some(set) }).await
}

/// `DELETE …/dnd`: by the person, or by an admin openly.
pub(in crate::http) async fn end_dnd(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    conditions: Conditions,
) -> Result<Response, ApiError> {
    write(&state, &caller, &uuid, conditions, Act::EndDnd, FactChange::Dnd { set: None }).await
}

/// `PUT …/opt-out`: lasts until undone.
pub(in crate::http) async fn opt_out(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    set(&state, &caller, &uuid, request, Act::OptOut, |set| FactChange::OptOut { set: Some(set) }).await
}

/// `DELETE …/opt-out`: resumes.
pub(in crate::http) async fn resume(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    conditions: Conditions,
) -> Result<Response, ApiError> {
    write(&state, &caller, &uuid, conditions, Act::OptOut, FactChange::OptOut { set: None }).await
}

/// `PUT …/work-anyway`: works outside the slots until then, where the account allows it.
pub(in crate::http) async fn work_anyway(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    set(&state, &caller, &uuid, request, Act::WorkAnyway, |WorkAnyway { until }| FactChange::WorkAnyway { until }).await
}

/// `DELETE …/work-anyway`: the slots hold again.
pub(in crate::http) async fn work_as_scheduled(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    conditions: Conditions,
) -> Result<Response, ApiError> {
    write(&state, &caller, &uuid, conditions, Act::WorkAnyway, FactChange::WorkAnyway { until: None }).await
}

/// Reads the body of a `PUT`, which may be left out, and makes the change it asks for.
async fn set<T: serde::de::DeserializeOwned + Default>(
    state: &HttpState,
    caller: &Caller,
    uuid: &str,
    request: Request,
    act: Act,
    change: impl FnOnce(T) -> FactChange,
) -> Result<Response, ApiError> {
    // Who may not do it learns that before what is wrong with the body.
    permit::check(state, caller, person::agent(state, uuid)?, act)?;
    let (parts, content) = request.into_parts();
    let conditions = Conditions::of(&parts)?;
    let change = change(body::optional(&parts.headers, content).await?);
    check_sense(&change, "")?;
    write(state, caller, uuid, conditions, act, change).await
}

/// What the kinds of blocks ask beyond their form; `place` is where the block stands in the body.
pub(super) fn check_sense(change: &FactChange, place: &str) -> Result<(), ApiError> {
    match change {
        FactChange::Pause { set: Some(set) } if set.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) => {
            Err(body::invalid_field(&format!("{place}/reason"), "A pause needs a reason that its person can read."))
        }
        FactChange::OptOut { set: Some(BlockChange { until: Some(_), .. }) } => {
            Err(body::invalid_field(&format!("{place}/until"), "An opt-out has no end; it lasts until it is undone."))
        }
        FactChange::Toggle(_)
        | FactChange::Pause { .. }
        | FactChange::Dnd { .. }
        | FactChange::OptOut { .. }
        | FactChange::Slots { .. }
        | FactChange::WorkAnyway { .. }
        | FactChange::Seat { .. } => Ok(()),
    }
}

async fn write(
    state: &HttpState,
    caller: &Caller,
    uuid: &str,
    conditions: Conditions,
    act: Act,
    change: FactChange,
) -> Result<Response, ApiError> {
    let limit = caller.count_write(state)?;
    let agent = person::agent(state, uuid)?;
    permit::check(state, caller, agent, act)?;
    let write = person::fact_write(caller, agent, change, conditions);
    person::apply(state, write).await.map(|written| person::answer(written, limit))
}
