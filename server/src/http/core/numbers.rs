//! `PUT /core/numbers/{id}`: where a number leads, and what it is called. The next call obeys it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::telephony::NumberEdit;
use cordboard_shared::department::Number;
use sha2::{Digest as _, Sha256};

use super::telephony::changed_by;
use crate::hex::hex;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;

/// Longest label, in characters.
const LONGEST_LABEL: usize = 64;

/// `PUT`: what is left out stays. `If-Match` is the `ETag` of an earlier answer.
pub(in crate::http) async fn edit(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body::Json(asked): body::Json<NumberEdit>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let id =
        id.parse().map_err(|_| ApiError::new(ProblemCode::NotFound, "There is no such number in this account."))?;
    if let Some(label) = &asked.label {
        body::check_text(label, "/label", LONGEST_LABEL)?;
    }
    let wanted = headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned());
    let fits = move |number: &Number| wanted.as_deref().is_none_or(|tag| tag == "*" || tag == etag(number));
    let by = changed_by(&state, &caller);
    let number = state.app.set_number(id, asked.goes_to, asked.label, fits, &by).await?;
    let mut response = Json(&number).into_response();
    response.headers_mut().extend(left.headers());
    if let Ok(value) = HeaderValue::from_str(&etag(&number)) {
        response.headers_mut().insert(ETAG, value);
    }
    Ok(response)
}

/// A number has no version of its own: its tag is made of what it says.
pub(super) fn etag(number: &Number) -> String {
    let body = serde_json::to_vec(number).unwrap_or_default();
    format!("\"{}\"", &hex(&Sha256::digest(&body))[..16])
}
