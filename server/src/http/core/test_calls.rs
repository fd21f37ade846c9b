//! `POST /core/test-calls`: a real inbound call without a phone.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cordboard_shared::api::test_call::{PlaceTestCall, TestCallPlaced};

use crate::http::{ApiError, Caller, HttpState, body};
use crate::rights;

/// Calls one of the account's own numbers; the app refuses any other.
pub(in crate::http) async fn place(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(test_call): body::Json<PlaceTestCall>,
) -> Result<(StatusCode, Json<TestCallPlaced>), ApiError> {
    caller.require(rights::TEST_CALL)?;
    caller.count_write(&state)?;
    let uid = state.app.place_test_call(test_call.to).await?;
    Ok((StatusCode::CREATED, Json(TestCallPlaced { uid })))
}
