//! `GET` and `PUT /core/policy`, `POST /core/policy/check`: who is rung, as one versioned document.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::agent::Role;
use cordboard_shared::api::policy::PolicyFindings;
use cordboard_shared::policy::Policy;

use super::person;
use crate::app::{PolicyEdit, policy_findings};
use crate::http::limit::Left;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;

/// For owners, admins and managers: it holds contacts and blocked numbers.
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let left = caller.count_read(&state)?;
    check_reader(&state, &caller)?;
    let policy = state.app.policy();
    if person::none_match_names(&headers, &etag(&policy)) {
        return Ok(answer(StatusCode::NOT_MODIFIED.into_response(), &policy, left));
    }
    Ok(answer(Json(&*policy).into_response(), &policy, left))
}

/// The whole document. The version it was read at stands in `If-Match`, or else in the document itself.
pub(in crate::http) async fn replace(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    body::Json(policy): body::Json<Policy>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let expected = expected(&headers, policy.version)?;
    let policy = state.app.edit_policy(PolicyEdit::Replace(Box::new(policy)), expected).await?;
    Ok(answer(Json(&*policy).into_response(), &policy, left))
}

/// What is wrong with a document, or doubtful. Changes nothing.
pub(in crate::http) async fn check(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(policy): body::Json<Policy>,
) -> Result<Response, ApiError> {
    check_reader(&state, &caller)?;
    let left = caller.count_read(&state)?;
    let findings = PolicyFindings { findings: policy_findings(&policy, &state.app.directory()) };
    let mut response = Json(findings).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

fn check_reader(state: &HttpState, caller: &Caller) -> Result<(), ApiError> {
    match caller.role {
        Role::Owner | Role::Admin | Role::Manager => caller.require(rights::POLICY_READ),
        Role::Agent => {
            let ask = permit::ask(&state.app.directory(), caller.agent);
            let sentence = format!("Only Admin or a manager can see the routing policy.{ask}");
            Err(ApiError::new(ProblemCode::MissingRight, sentence).with("right", rights::POLICY_READ))
        }
    }
}

fn expected(headers: &HeaderMap, version: u64) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok((version > 0).then_some(version)) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        ApiError::new(ProblemCode::InvalidRequest, "If-Match is the version in quotation marks, such as \"7\".")
    })
}

fn etag(policy: &Policy) -> String {
    format!("\"{}\"", policy.version)
}

/// Adds the document's tag and what the limit leaves.
pub(super) fn answer(mut response: Response, policy: &Arc<Policy>, left: Left) -> Response {
    response.headers_mut().extend(left.headers());
    if let Ok(value) = HeaderValue::from_str(&etag(policy)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_condition_or_in_the_document() {
        let with = |text: &'static str| HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(text))]);
        assert_eq!(expected(&with("\"7\""), 3).unwrap(), Some(7));
        assert_eq!(expected(&with("*"), 3).unwrap(), None);
        assert_eq!(expected(&HeaderMap::new(), 3).unwrap(), Some(3));
        assert_eq!(expected(&HeaderMap::new(), 0).unwrap(), None);
        for wrong in ["7", "W/\"7\"", "\"x\"", "\"\""] {
            assert_eq!(expected(&with(wrong), 3).unwrap_err().problem().status, 400, "{wrong}");
        }
    }
}
