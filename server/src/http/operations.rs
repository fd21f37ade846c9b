//! `/health` and `/metrics`, for machines.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::HttpState;

/// `GET /health`: alive, and whether it takes new calls.
pub(super) async fn health(State(state): State<HttpState>) -> Json<Value> {
    Json(json!({ "status": if state.app.is_draining() { "draining" } else { "ok" } }))
}

/// `GET /metrics`, Prometheus text.
pub(super) async fn metrics(State(state): State<HttpState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render(state.app.counts()))
}
