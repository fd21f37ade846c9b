//! What the edge asks of the server, signed with its key: toggles it forwards, and what its copy lacks.

mod changes;
mod intents;
mod signed;

use axum::Router;
use axum::routing::{get, post};
use cordboard_shared::edge::{CHANGES_PATH, INTENTS_PATH, SNAPSHOT_PATH};

use super::HttpState;

/// The edge's routes. Without an edge in the settings each of them is refused.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route(INTENTS_PATH, post(intents::take))
        .route(CHANGES_PATH, get(changes::changes))
        .route(SNAPSHOT_PATH, get(changes::snapshot))
}
