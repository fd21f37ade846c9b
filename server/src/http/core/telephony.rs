//! `GET` and `PUT /core/telephony`, `GET /core/telephony/status`, `POST /core/phones/{username}/password`: how the company
//! is connected to the telephone network. For owners and admins.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::telephony::{PhonePassword, TelephonyStatus};
use cordboard_shared::telephony::Telephony;

use super::person;
use crate::app::{ChangedBy, REALM, telephony_warnings, without_secrets};
use crate::http::limit::Left;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::{password, rights};

/// Without the passwords of trunks.
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let telephony = &directory.telephony;
    if person::none_match_names(&headers, &etag(telephony.version)) {
        return Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), telephony.version, left));
    }
    Ok(tagged(Json(without_secrets(telephony)).into_response(), telephony.version, left))
}

/// The whole document. The version it was read at stands in `If-Match`, or else in the document itself.
pub(in crate::http) async fn replace(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    body::Json(telephony): body::Json<Telephony>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let expected = expected(&headers, telephony.version)?;
    let telephony = state.app.set_telephony(telephony, expected, &changed_by(&state, &caller)).await?;
    Ok(tagged(Json(without_secrets(&telephony)).into_response(), telephony.version, left))
}

/// What trunks and phones do now, as far as the SIP side has told.
pub(in crate::http) async fn status(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let changed = state.store.last_change(directory.account, "telephony", "").await?;
    let seen = state.app.seen();
    let status = TelephonyStatus {
        trunks: seen.trunks(&directory),
        phones: seen.phones(&directory),
        findings: telephony_warnings(&directory.telephony),
        changed_at: changed.as_ref().map(|(at, _)| *at),
        changed_by: changed.map(|(_, by)| by),
    };
    let mut response = Json(status).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Makes a password for a desk phone and shows it this once.
pub(in crate::http) async fn phone_password(
    State(state): State<HttpState>,
    caller: Caller,
    Path(username): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let password = password::generate();
    state.app.set_phone_password(&username, &password, &changed_by(&state, &caller)).await?;
    let made = PhonePassword { username, password, realm: REALM.to_owned() };
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

pub(super) fn changed_by(state: &HttpState, caller: &Caller) -> ChangedBy {
    ChangedBy { actor: caller.actor(), at: state.clock.now() }
}

/// The version of `If-Match`; without one that of the body, when it names one.
pub(super) fn expected(headers: &HeaderMap, version: u64) -> Result<Option<u64>, ApiError> {
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

pub(super) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

pub(super) fn tagged(mut response: Response, version: u64, left: Left) -> Response {
    response.headers_mut().extend(left.headers());
    if let Ok(value) = HeaderValue::from_str(&etag(version)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}
