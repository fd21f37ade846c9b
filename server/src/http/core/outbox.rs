//! `GET /core/outbox`: text messages, newest first, and where they are.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::outbox::OutboxList;
use serde::Deserialize;

use crate::http::{ApiError, Caller, HttpState};
use crate::rights;

/// Messages shown unless the caller says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// Most messages shown.
const MAX_LIMIT: u32 = 200;

/// The query string. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Asked {
    limit: Option<String>,
}

/// Owners and admins see everybody's, others their own: a message may hold a link that acts for its person.
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    caller.require(rights::OPT_OUT_WRITE)?;
    let left = caller.count_list(&state)?;
    let invalid = || ApiError::new(ProblemCode::InvalidRequest, "limit is a number from 1 to 200.");
    let Query(asked) = asked.map_err(|_| invalid())?;
    let limit = match asked.limit.as_deref().filter(|text| !text.is_empty()) {
        None => DEFAULT_LIMIT,
        Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(invalid)?,
    };
    let of = (!caller.role.is_admin()).then_some(caller.agent);
    let messages = state.store.messages(caller.account, of, limit).await?;
    let mut response = Json(OutboxList { messages }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}
