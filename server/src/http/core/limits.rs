//! `GET /core/limits`: the caller's own quota and use.

use axum::Json;
use axum::extract::State;
use cordboard_shared::api::limits::LimitsView;

use crate::http::limit::Key;
use crate::http::{ApiError, Caller, HttpState};

/// Looking costs one read.
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
) -> Result<Json<LimitsView>, ApiError> {
    caller.count_read(&state)?;
    let (principal, now) = (caller.principal(), state.clock.now());
    let keys = [Key::Writes(principal), Key::Reads(principal), Key::Lists(principal), Key::Changes(caller.agent)];
    let limits = keys.iter().filter_map(|key| state.limiter.look(key, &state.config.limits, now)).collect();
    Ok(Json(LimitsView { limits }))
}
