//! `POST …/publish`, `GET …/versions`, `POST …/versions/{n}/restore`, `POST …/disable` and `…/enable`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::flows::{FlowVersion, FlowVersions, PublishFlow};
use cordboard_shared::flow::{Flow, FlowState};

use super::{findings, flow_id, not_found};
use crate::http::core::telephony::{changed_by, expected};
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;
use crate::store::FlowVersionRow;

/// Longest note, in characters.
const LONGEST_NOTE: usize = 200;

/// `POST …/publish`: the draft goes live; the answer is the live flow. `If-Match` is the draft's revision.
pub(in crate::http) async fn publish(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let PublishFlow { note } = body::optional(&headers, content).await?;
    if let Some(note) = &note {
        body::check_text(note, "/note", LONGEST_NOTE)?;
    }
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let Some(draft) = state.store.flow_draft(directory.account, id).await? else {
        return Err(ApiError::new(ProblemCode::NotFound, "This flow has no draft; there is nothing to publish."));
    };
    if let Some(expected) = expected(&headers, 0)?
        && expected != draft.revision
    {
        let sentence = "The draft was saved meanwhile. Nothing was published; read it again.";
        return Err(ApiError::new(ProblemCode::VersionMismatch, sentence).with("current", draft.revision));
    }
    let findings = findings(&state, &directory, &draft.flow).await?;
    let by = changed_by(&state, &caller);
    let flow = state.app.publish_flow(draft.flow, note, None, &findings, &by).await?;
    let mut response = Json(&*flow).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `GET …/versions`: newest first.
pub(in crate::http) async fn versions(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let live = directory.flows.iter().find(|flow| flow.id == id).map(|flow| flow.version);
    let rows = state.store.flow_versions(directory.account, id).await?;
    let versions = rows.into_iter().map(|row| FlowVersion {
        version: row.flow.version,
        at: row.at,
        by: row.actor,
        note: row.note,
        restores: row.restores,
        live: live == Some(row.flow.version),
    });
    let mut response = Json(FlowVersions { versions: versions.collect() }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `GET …/versions/{n}`: the flow as it was then.
pub(in crate::http) async fn version(
    State(state): State<HttpState>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let row = find(&state, &id, &number).await?;
    let mut response = Json(row.flow).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `POST …/versions/{n}/restore`: publishes an earlier version anew; a draft is thrown away.
pub(in crate::http) async fn restore(
    State(state): State<HttpState>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let row = find(&state, &id, &number).await?;
    // What it leads to may be gone since then.
    let findings = findings(&state, &state.app.directory(), &row.flow).await?;
    let (restores, by) = (row.flow.version, changed_by(&state, &caller));
    let flow = state.app.publish_flow(row.flow, None, Some(restores), &findings, &by).await?;
    let mut response = Json(&*flow).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

async fn find(state: &HttpState, id: &str, number: &str) -> Result<FlowVersionRow, ApiError> {
    let directory = state.app.directory();
    let id = flow_id(&directory, id)?;
    let number = number.parse().map_err(|_| not_found())?;
    let row = state.store.flow_version(directory.account, id, number).await?;
    row.ok_or_else(|| ApiError::new(ProblemCode::NotFound, "This flow has no such version."))
}

/// `POST …/disable`: callers are refused until it is enabled or published again.
pub(in crate::http) async fn disable(
    state: State<HttpState>,
    caller: Caller,
    id: Path<String>,
) -> Result<Response, ApiError> {
    switch(state, caller, id, FlowState::Disabled).await
}

/// `POST …/enable`: the version that was live is live again.
pub(in crate::http) async fn enable(
    state: State<HttpState>,
    caller: Caller,
    id: Path<String>,
) -> Result<Response, ApiError> {
    switch(state, caller, id, FlowState::Published).await
}

async fn switch(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    to: FlowState,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let id = flow_id(&state.app.directory(), &id)?;
    let flow = state.app.set_flow_state(id, to, &changed_by(&state, &caller)).await?;
    let mut response = Json(Flow::clone(&flow)).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}
