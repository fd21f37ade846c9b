//! Around every request: its id, its place in the log, security headers, and the one error body.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use cordboard_shared::id::RequestId;
use cordboard_shared::{Problem, ProblemCode};

use super::HttpState;

/// Header with the id of the request, on every answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The id of the request, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct RequestIdentity(pub RequestId);

pub(super) async fn wrap(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    // A name, and no secret: the system's generator would cost each request a call into the kernel.
    let id = RequestId::new(state.clock.now(), rand::random());
    request.extensions_mut().insert(RequestIdentity(id));
    let method = request.method().clone();
    let path = request.uri().path();
    let is_api = path.starts_with("/core") || path.starts_with("/edge");
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| path.to_owned());
    let started = Instant::now();

    let mut response = next.run(request).await;

    if is_api {
        tell_problem(&mut response, id);
        // Presence, calls and sessions are nobody else's: no cache keeps them unless the handler says so.
        response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    protect(&mut response, &state);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }

    let status = response.status();
    state.metrics.http_requests.increment();
    if status.is_server_error() {
        state.metrics.http_failures.increment();
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        state.metrics.http_limited.increment();
    }
    if let Some(path) = path {
        tracing::debug!(
            request.id = %id, %method, path, status = status.as_u16(),
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered {method} {path} with {}", status.as_u16()
        );
    }
    response
}

/// Writes the error body: the handler's problem, or the one that fits a status the router itself gave.
fn tell_problem(response: &mut Response, id: RequestId) {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return;
    }
    let problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| of_status(status)).about(id);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let retry_after = problem.more.get("retry_after").and_then(serde_json::Value::as_u64);

    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code() == Some(ProblemCode::InvalidToken) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = Body::from(body);
}

/// The problem for a status that no handler gave a reason for.
fn of_status(status: StatusCode) -> Problem {
    let mut problem = match status {
        StatusCode::NOT_FOUND => Problem::new(ProblemCode::NotFound, "There is nothing at this path."),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(ProblemCode::MethodNotAllowed, "This path knows other methods; see the Allow header.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemCode::TooLarge, "The body is longer than 1 MB."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(ProblemCode::UnsupportedMediaType, "The content type is application/json.")
        }
        status if status.is_client_error() => Problem::new(ProblemCode::InvalidRequest, "The request cannot be read."),
        _ => Problem::new(ProblemCode::Internal, "Something failed on our side. The request id helps to find it."),
    };
    // Such as 416, which has no code of its own.
    problem.status = status.as_u16();
    problem
}

/// Headers every answer carries (OWASP ASVS V3): no foreign frame, no foreign script, no guessed types.
fn protect(response: &mut Response, state: &HttpState) {
    const FIXED: [(HeaderName, HeaderValue); 5] = [
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("microphone=(self), camera=(), geolocation=(), payment=()"),
        ),
    ];
    let headers = response.headers_mut();
    headers.extend(FIXED);
    // A page that needs less than the panel has said so itself.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert_with(|| state.policy_header.clone());
}

/// The header of [`content_security_policy`]; the strictest one where the edge's address is no text for a header.
pub(super) fn policy_header(edge: Option<&str>) -> HeaderValue {
    HeaderValue::from_str(&content_security_policy(edge)).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Scripts are files of ours; WebAssembly may be compiled; connections go here and to the edge.
fn content_security_policy(edge: Option<&str>) -> String {
    // An edge's socket has the scheme ws, which its https origin does not cover in every browser.
    let edge = edge.map(|origin| format!(" {origin} {}", origin.replacen("http", "ws", 1))).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; media-src 'self' blob:; connect-src 'self'{edge}; manifest-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_no_inline_script_and_names_the_edge() {
        let alone = content_security_policy(None);
        assert!(alone.contains("script-src 'self' 'wasm-unsafe-eval';"));
        assert!(!alone.contains("unsafe-inline"));
        assert!(alone.contains("frame-ancestors 'none'"));

        let with_edge = content_security_policy(Some("https://edge.example"));
        assert!(with_edge.contains("connect-src 'self' https://edge.example wss://edge.example;"));
    }

    #[test]
    fn a_status_without_a_reason_gets_the_one_body() {
        for status in [400, 404, 405, 413, 415, 416, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            tell_problem(&mut response, RequestId::demo(1));

            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        }
    }
}
