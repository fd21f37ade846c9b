//! `GET /edge/changes` and `GET /edge/snapshot`: what the edge's copy lacks, or everything.

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use cordboard_shared::edge::{BUCKET, Changes, GENERATION, MAX_CHANGES};
use cordboard_shared::id::AccountId;
use cordboard_shared::presence::log::FeedPart;
use cordboard_shared::{FeedPosition, Millis, ProblemCode};
use serde::Deserialize;

use super::signed::Signed;
use crate::edge_push::EdgeFeed;
use crate::http::{ApiError, HttpState};

/// Which part of which account's feed.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    account: AccountId,
    bucket: u32,
    /// The last position the copy has.
    after: Option<FeedPosition>,
    /// The server's time, in milliseconds, at which the copy was complete; catches verdicts that move no position.
    since: Option<i64>,
    limit: Option<usize>,
}

/// Changes after a position; 410 when the copy has to take a snapshot.
pub(super) async fn changes(
    State(state): State<HttpState>,
    feed: Option<Extension<EdgeFeed>>,
    Query(asked): Query<Asked>,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    let feed = feed_for(&state, feed, &asked)?;
    let after = asked.after.ok_or_else(|| ApiError::new(ProblemCode::InvalidRequest, "after is a feed position."))?;
    let since = Millis(asked.since.unwrap_or(i64::MAX));
    let limit = asked.limit.unwrap_or(MAX_CHANGES).min(MAX_CHANGES);
    let part = feed.changes(after, since, limit).map_err(|_| {
        ApiError::new(ProblemCode::FeedGone, "The feed cannot be told from that position on. Take a snapshot.")
    })?;
    Ok(answer(&state, part))
}

/// Everybody's presence.
pub(super) async fn snapshot(
    State(state): State<HttpState>,
    feed: Option<Extension<EdgeFeed>>,
    Query(asked): Query<Asked>,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    let feed = feed_for(&state, feed, &asked)?;
    Ok(answer(&state, feed.snapshot()))
}

fn feed_for(state: &HttpState, feed: Option<Extension<EdgeFeed>>, asked: &Asked) -> Result<EdgeFeed, ApiError> {
    let own = asked.account == state.app.directory().account && asked.bucket == BUCKET;
    match feed {
        Some(Extension(feed)) if own => Ok(feed),
        Some(_) | None => Err(ApiError::new(ProblemCode::NotFound, "This server has no such account or bucket.")),
    }
}

fn answer(state: &HttpState, part: FeedPart) -> Response {
    let account = state.app.directory().account;
    let changes = Changes { account, generation: GENERATION, range: part.range, items: part.items };
    ([(CACHE_CONTROL, "no-store")], axum::Json(changes)).into_response()
}
