//! `GET /core/calls` and `/core/calls/{uid}`: the call log, newest first. `POST /core/calls`: a call of one's own.
//!
//! Agents see the calls of their departments, those they took and those they were considered for; managers the
//! calls of their departments; owners and admins every call.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::calls::{CallPage, CallPlaced, PlaceCall};
use cordboard_shared::call::CallView;
use cordboard_shared::id::CallId;
use serde::Deserialize;

use crate::app::DialWish;
use crate::http::{ApiError, Caller, HttpState, body};
use crate::rights;
use crate::store::{CallCursor, CallFilter};

/// Calls on a page unless the caller says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// Most calls on a page.
const MAX_LIMIT: u32 = 200;

/// The query string. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Page {
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /core/calls?limit=&cursor=`
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    caller.require(rights::CALLS_READ)?;
    let left = caller.count_list(&state)?;
    let Query(page) = page.map_err(|_| invalid("The query string cannot be read."))?;
    let limit = limit(page.limit.as_deref())?;
    let before = match page.cursor.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => {
            Some(text.parse::<CallCursor>().map_err(|_| invalid("cursor is the value of next in the page before."))?)
        }
        None => None,
    };
    let departments = caller.departments(&state);
    let filter = CallFilter {
        account: caller.account,
        // One more tells whether there is a next page.
        limit: limit + 1,
        before,
        agent: departments.is_some().then_some(caller.agent),
        departments,
    };
    let mut calls = state.store.calls(&filter).await?;
    let more = calls.len() > limit as usize;
    calls.truncate(limit as usize);
    let next = calls.last().filter(|_| more).map(|call| CallCursor::from(call).to_string());
    let mut response = Json(CallPage { calls, next }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `POST /core/calls`: click-to-call. What forbids it is said before anything rings.
pub(in crate::http) async fn place(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(call): body::Json<PlaceCall>,
) -> Result<(StatusCode, Json<CallPlaced>), ApiError> {
    caller.require(rights::CALLS_WRITE_SELF)?;
    caller.count_write(&state)?;
    let wish = DialWish { to: call.to, department: call.department, device: call.device };
    let uid = state.app.dial(caller.agent, wish).await?;
    Ok((StatusCode::CREATED, Json(CallPlaced { uid })))
}

/// `GET /core/calls/{uid}`
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uid): Path<String>,
) -> Result<Json<CallView>, ApiError> {
    caller.count_read(&state)?;
    visible(&state, &caller, &uid).await.map(Json)
}

/// The call, if there is one and the caller may see it; a call they may not see is as unknown as one that is not.
pub(super) async fn visible(state: &HttpState, caller: &Caller, uid: &str) -> Result<CallView, ApiError> {
    caller.require(rights::CALLS_READ)?;
    let uid: CallId = uid.parse().map_err(|_| not_found())?;
    let call = state.store.call(caller.account, uid).await?.ok_or_else(not_found)?;
    let Some(departments) = caller.departments(state) else { return Ok(call) };
    let own = call.agent == Some(caller.agent) || call.department.is_some_and(|id| departments.contains(&id));
    if own || state.store.is_call_member(uid, caller.agent).await? { Ok(call) } else { Err(not_found()) }
}

fn limit(text: Option<&str>) -> Result<u32, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(DEFAULT_LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| invalid("limit is a number from 1 to 200."))
}

fn invalid(detail: &str) -> ApiError {
    ApiError::new(ProblemCode::InvalidRequest, detail)
}

fn not_found() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "There is no such call, or it is not yours to see.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_to_two_hundred_calls() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some("")).unwrap(), 50);
        assert_eq!(limit(Some("200")).unwrap(), 200);
        for wrong in ["0", "201", "-1", "x", "1.5", "99999999999"] {
            assert_eq!(limit(Some(wrong)).unwrap_err().problem().status, 400, "{wrong}");
        }
    }
}
