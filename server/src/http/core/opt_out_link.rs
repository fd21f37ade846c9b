//! `POST` and `DELETE /core/agents/{UUID}/opt-out-link`: a person's link to stop their business calls, and its end.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::outbox::OptOutLink;
use cordboard_shared::pii::Pii;

use super::person;
use crate::http::link::LinkClaims;
use crate::http::origin::is_loopback_host;
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState};

/// Makes the link and sends it; without a gateway or a mobile number the message is held in the outbox.
pub(in crate::http) async fn send(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let left = caller.count_write(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::Link)?;
    let generation = state.store.link_generation(caller.account, agent).await?.ok_or_else(person::not_found)?;
    let token = LinkClaims { account: caller.account, agent, generation }.sign(&state.keys);
    let url = format!("{}/o/{token}", base(&state, &headers)?);
    let directory = state.app.directory();
    let text = format!(
        "{company}: to stop business calls to you, {name}, open {url} and press the button. Keep this link to yourself.",
        company = directory.name,
        name = directory.agent_name(agent),
    );
    let message = state.messages.send(agent, text, state.clock.now()).await?;
    let mut response = (StatusCode::CREATED, Json(OptOutLink { url: Pii(url), message })).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Takes back every link sent to this person so far.
pub(in crate::http) async fn revoke(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Result<Response, ApiError> {
    let left = caller.count_write(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::Link)?;
    state.store.raise_link_generation(caller.account, agent).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Where the link leads: the address from the settings, or else the one this request was sent to.
fn base(state: &HttpState, headers: &HeaderMap) -> Result<String, ApiError> {
    if let Some(url) = &state.config.public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).filter(|host| is_authority(host));
    let host = host.ok_or_else(|| ApiError::new(ProblemCode::InvalidRequest, "The Host header names no host."))?;
    let scheme = if is_loopback_host(host) { "http" } else { "https" };
    Ok(format!("{scheme}://{host}"))
}

fn is_authority(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !host.is_empty() && host.len() <= 255 && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_and_nothing_that_follows_it() {
        for host in ["panel.example.com", "127.0.0.1:8080", "[::1]:80"] {
            assert!(is_authority(host), "{host}");
        }
        for wrong in ["", "a/b", "user@host", "a b", "a?b", &"a".repeat(300)] {
            assert!(!is_authority(wrong), "{wrong:.10}");
        }
    }
}
