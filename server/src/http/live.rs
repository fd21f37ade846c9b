//! `/core/ws`: live events and call signaling (`wire.md` section 4).
//!
//! Who opens the socket: a signed-in panel by its cookie from a page of ours, or a token in the subprotocol.
//! What happens then is in [`session`].

mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use axum::response::Response;
use cordboard_shared::ProblemCode;
use cordboard_shared::event::{MAX_CLIENT_FRAME, SUBPROTOCOL};
use cordboard_shared::id::AgentId;

use super::caller::{caller_of_cookie, caller_of_token};
use super::{ApiError, Caller, HttpState, origin};

/// Largest frame that is read at all: a little above the limit, so that a longer one is told apart from a broken line.
const READ_LIMIT: usize = 2 * MAX_CLIENT_FRAME;

/// How many live sockets each person has.
#[derive(Debug, Default)]
pub(super) struct Sockets(Mutex<HashMap<AgentId, u32>>);

/// One of them; given back when dropped.
struct Place {
    sockets: Arc<Sockets>,
    agent: AgentId,
}

impl Sockets {
    fn take(sockets: &Arc<Self>, agent: AgentId, most: u32) -> Option<Place> {
        let mut counts = sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(agent).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { sockets: sockets.clone(), agent })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.agent);
            }
        }
    }
}

/// `GET /core/ws`
pub(super) async fn open(
    State(state): State<HttpState>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let caller = caller(&state, &headers).await?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::new(ProblemCode::InvalidRequest, "This path is a WebSocket; send an upgrade request.")
    })?;
    let most = state.config.limits.sockets_per_agent;
    let place = Sockets::take(&state.sockets, caller.agent, most).ok_or_else(|| {
        let detail = format!("This person has {most} live sockets already. Close a tab.");
        ApiError::new(ProblemCode::RateLimited, detail).with("retry_after", 5)
    })?;
    Ok(upgrade.protocols([SUBPROTOCOL]).max_message_size(READ_LIMIT).max_frame_size(READ_LIMIT).on_upgrade(
        move |socket| async move {
            session::run(socket, &state, &caller).await;
            drop(place);
        },
    ))
}

/// A token where there is one; else the cookie, which counts from a page of ours only.
async fn caller(state: &HttpState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if let Some(token) = token_in_protocols(headers) {
        return caller_of_token(state, token).await;
    }
    if let Some(token) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        return caller_of_token(state, token.strip_prefix("Bearer ").unwrap_or_default()).await;
    }
    origin::require_own(headers, &state.config.allowed_origins)?;
    caller_of_cookie(state, headers).await
}

/// `Sec-WebSocket-Protocol: cordboard.v1, token.<token>`
fn token_in_protocols(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix("token."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stands_among_the_protocols() {
        let mut headers = HeaderMap::new();
        assert_eq!(token_in_protocols(&headers), None);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, "cordboard.v1, token.ccp1.a.b".parse().unwrap());
        assert_eq!(token_in_protocols(&headers), Some("ccp1.a.b"));
    }

    #[test]
    fn a_person_has_so_many_sockets_and_gets_places_back() {
        let sockets = Arc::<Sockets>::default();
        let first = Sockets::take(&sockets, AgentId::demo(1), 1);

        assert!(first.is_some());
        assert!(Sockets::take(&sockets, AgentId::demo(1), 1).is_none());
        assert!(Sockets::take(&sockets, AgentId::demo(2), 1).is_some());
        drop(first);
        assert!(Sockets::take(&sockets, AgentId::demo(1), 1).is_some());
    }
}
