//! `GET` and `POST /core/flows`, and what is done to one: draft, check, preview, publish, versions, switched off and on.
//! Everybody with the right sees live flows; drafts are for owners and admins.

mod publish;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::flows::{
    DraftEntry, FlowDraft, FlowEntry, FlowFinding, FlowFindings, FlowList, NewFlow, PreviewRequest,
};
use cordboard_shared::department::Destination;
use cordboard_shared::flow::{Flow, FlowState, Node};
use cordboard_shared::id::FlowId;
use cordboard_shared::schedule::WeeklyHours;

use super::telephony::{changed_by, etag, expected, tagged};
use super::{audio, person};
use crate::app::{Directory, flow_findings};
use crate::clock;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;
use crate::store::DraftRow;

pub(in crate::http) use publish::{disable, enable, publish, restore, version, versions};

/// `GET /core/flows`: live ones and drafts.
pub(in crate::http) async fn list(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    caller.require(rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let directory = state.app.directory();
    let drafts = state.store.flow_drafts(directory.account).await?;
    let mut flows = Vec::new();
    for flow in &directory.flows {
        let draft = drafts.iter().find(|row| row.flow.id == flow.id);
        let published = state.store.flow_version(directory.account, flow.id, flow.version).await?;
        flows.push(FlowEntry {
            version: Some(flow.version),
            disabled: flow.state == FlowState::Disabled,
            published_at: published.as_ref().map(|row| row.at),
            published_by: published.map(|row| row.actor),
            ..entry(&directory, draft.map_or(&**flow, |row| &row.flow), draft)
        });
    }
    if caller.role.is_admin() {
        let new = drafts.iter().filter(|row| !directory.flows.iter().any(|flow| flow.id == row.flow.id));
        flows.extend(new.map(|row| entry(&directory, &row.flow, Some(row))));
    }
    let mut response = Json(FlowList { flows }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `GET /core/flows/{id}`: the live flow, by its id or short name.
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    caller.require(rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let flow = directory.flows.iter().find(|flow| flow.id == id).ok_or_else(not_found)?;
    let mut response = Json(Flow::clone(flow)).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

fn entry(directory: &Directory, flow: &Flow, draft: Option<&DraftRow>) -> FlowEntry {
    let leads_here = |goes_to: &Destination| matches!(goes_to, Destination::Flow(slug) if *slug == flow.slug);
    FlowEntry {
        id: flow.id,
        slug: flow.slug.clone(),
        name: flow.name.clone(),
        version: None,
        disabled: false,
        published_at: None,
        published_by: None,
        draft: draft.map(|row| DraftEntry {
            revision: row.revision,
            based_on: row.based_on,
            edited_at: row.at,
            edited_by: row.actor.clone(),
        }),
        numbers: directory.numbers.iter().filter(|it| leads_here(&it.goes_to)).map(|it| it.id).collect(),
    }
}

/// `POST /core/flows`: a new flow, as a draft.
pub(in crate::http) async fn create(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(new): body::Json<NewFlow>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let directory = state.app.directory();
    let id = FlowId::new(state.clock.now(), clock::random());
    let flow = match new.copy_of {
        Some(of) => {
            let draft = state.store.flow_draft(directory.account, of).await?.map(|row| row.flow);
            let live = || directory.flows.iter().find(|flow| flow.id == of).map(|flow| Flow::clone(flow));
            draft.or_else(live).ok_or_else(|| {
                ApiError::new(ProblemCode::InvalidField, "There is no such flow to copy.").with("pointer", "/copy_of")
            })?
        }
        None => first(id),
    };
    let flow = Flow { id, slug: new.slug, name: new.name, version: 0, state: FlowState::Draft, ..flow };
    let row = state.app.save_draft(flow, None, &changed_by(&state, &caller)).await?;
    let draft = shown(&state, &directory, &row).await?;
    Ok(tagged((StatusCode::CREATED, Json(draft)).into_response(), row.revision, left))
}

/// What a new flow begins with: a welcome, and the end.
fn first(id: FlowId) -> Flow {
    let welcome = Node::Message { audio: "audio:welcome".to_owned(), next: None };
    Flow {
        id,
        slug: String::new(),
        version: 0,
        state: FlowState::Draft,
        name: String::new(),
        language: None,
        hours: WeeklyHours::default(),
        closed: None,
        missed_call_rings: None,
        start: "welcome".to_owned(),
        nodes: [("welcome".to_owned(), welcome)].into(),
    }
}

/// `GET …/draft`: the draft, or the live flow as what a draft would begin with.
pub(in crate::http) async fn draft(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let row = draft_or_live(&state, &directory, id).await?;
    if row.revision > 0 && person::none_match_names(&headers, &etag(row.revision)) {
        return Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), row.revision, left));
    }
    let draft = shown(&state, &directory, &row).await?;
    Ok(tagged(Json(draft).into_response(), row.revision, left))
}

/// `PUT …/draft`: saves it, with errors too. `If-Match` is the revision it was read at (`"0"`: there was none).
pub(in crate::http) async fn save_draft(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body::Json(flow): body::Json<Flow>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let directory = state.app.directory();
    let held = draft_or_live(&state, &directory, flow_id(&directory, &id)?).await?.flow;
    let expected = expected(&headers, 0)?;
    let flow = Flow { id: held.id, version: held.version, state: FlowState::Draft, ..flow };
    let row = state.app.save_draft(flow, expected, &changed_by(&state, &caller)).await?;
    let draft = shown(&state, &directory, &row).await?;
    Ok(tagged(Json(draft).into_response(), row.revision, left))
}

/// `DELETE …/draft`: back to the live flow; a flow that was never published is gone.
pub(in crate::http) async fn delete_draft(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let id = flow_id(&state.app.directory(), &id)?;
    if !state.app.delete_draft(id).await? {
        return Err(ApiError::new(ProblemCode::NotFound, "This flow has no draft."));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `POST …/check`: of a flow in the body, or of the draft. Changes nothing.
pub(in crate::http) async fn check(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let flow = match body::optional::<Option<Flow>>(&headers, content).await? {
        Some(flow) => flow,
        None => draft_or_live(&state, &directory, id).await?.flow,
    };
    let findings = findings(&state, &directory, &flow).await?;
    let mut response = Json(FlowFindings { findings }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// `POST …/preview`: walks the flow as a caller would. Changes nothing, calls nobody, asks no webhook.
pub(in crate::http) async fn preview(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let id = flow_id(&directory, &id)?;
    let mut request: PreviewRequest = body::optional(&headers, content).await?;
    let flow = match request.flow.take() {
        Some(flow) => *flow,
        None => draft_or_live(&state, &directory, id).await?.flow,
    };
    let answer = crate::app::preview(&flow, &directory, state.clock.now(), &request)?;
    let mut response = Json(answer).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// The id that a path names, or that of the live flow with this short name.
fn flow_id(directory: &Directory, text: &str) -> Result<FlowId, ApiError> {
    let by_slug = || directory.flows.iter().find(|flow| flow.slug == text).map(|flow| flow.id);
    text.parse().ok().or_else(by_slug).ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "There is no such call flow in this account.")
}

async fn draft_or_live(state: &HttpState, directory: &Directory, id: FlowId) -> Result<DraftRow, ApiError> {
    if let Some(row) = state.store.flow_draft(directory.account, id).await? {
        return Ok(row);
    }
    let live = directory.flows.iter().find(|flow| flow.id == id).ok_or_else(not_found)?;
    Ok(DraftRow {
        flow: Flow::clone(live),
        revision: 0,
        based_on: Some(live.version),
        at: cordboard_shared::Millis(0),
        actor: cordboard_shared::agent::Actor::system(),
    })
}

async fn shown(state: &HttpState, directory: &Directory, row: &DraftRow) -> Result<FlowDraft, ApiError> {
    let saved = row.revision > 0;
    Ok(FlowDraft {
        findings: findings(state, directory, &row.flow).await?,
        flow: row.flow.clone(),
        revision: row.revision,
        based_on: row.based_on,
        edited_at: saved.then_some(row.at),
        edited_by: saved.then(|| row.actor.clone()),
    })
}

async fn findings(state: &HttpState, directory: &Directory, flow: &Flow) -> Result<Vec<FlowFinding>, ApiError> {
    let sounds = audio::known(state, directory).await?;
    let mut findings = flow_findings(flow, directory, &|name| sounds.contains(name));
    if state.app.library().engine().is_none() && crate::audio::of_flow(flow).iter().any(|it| it.starts_with("tts:")) {
        let text = "There is no speech engine on this server: spoken texts are silent until espeak-ng is installed.";
        findings
            .insert(0, FlowFinding { pointer: "/nodes".to_owned(), node: None, text: text.to_owned(), error: true });
    }
    Ok(findings)
}
