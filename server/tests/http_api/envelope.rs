//! What every answer has in common, the panel's files, and limits of size and number.

use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::stack::{Stack, send};

#[tokio::test]
async fn every_answer_is_protected_and_named() {
    let stack = Stack::start(0).await;
    for path in ["/", "/calls", "/missing.js", "/health", "/metrics", "/core/session", "/core/nothing"] {
        let answer = send(stack.request(Method::GET, path)).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(answer.headers["request-id"].len(), 36, "{path}");
    }
}

#[tokio::test]
async fn health_and_metrics_are_for_machines() {
    let stack = Stack::start(0).await;

    assert_eq!(send(stack.request(Method::GET, "/health")).await.body["status"], "ok");
    let metrics = send(stack.request(Method::GET, "/metrics")).await;
    assert!(metrics.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = metrics.body.as_str().unwrap();
    for line in ["cordboard_calls_active 0", "cordboard_legs_active 0", "cordboard_stuck_agents 0"] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_of_the_api_get_the_error_body() {
    let stack = Stack::start(0).await;

    send(stack.request(Method::GET, "/core/nothing")).await.problem(404, "not-found");
    send(stack.request(Method::GET, "/core")).await.problem(404, "not-found");
    send(stack.request(Method::PATCH, "/core/session")).await.problem(405, "method-not-allowed");
    send(stack.request(Method::GET, "/core/calls?limit=1&limit=2").bearer_auth("x"))
        .await
        .problem(401, "invalid-token");
    send(stack.by_token("Meera", Method::GET, "/core/calls?limit=1&limit=2")).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn a_body_over_one_megabyte_is_refused() {
    let stack = Stack::start(0).await;
    let body = format!("{{\"state\":1,\"note\":\"{}\"}}", "x".repeat(1_100_000));
    let request = stack.by_token("Asha", Method::POST, &stack.presence_path("Asha"));

    let answer = send(request.header(CONTENT_TYPE, "application/json").body(body)).await;

    answer.problem(413, "too-large");
}

#[tokio::test]
async fn hostile_bodies_never_break_the_server() {
    let stack = Stack::start(0).await;
    let deep = "[".repeat(100_000);
    let bodies = ["\0", "\u{1F600}", "null", "{\"state\":1e999}", "{\"state\":{}}", deep.as_str(), "{\"state\":1}x"];
    for path in [stack.presence_path("Asha"), "/core/session".to_owned(), "/core/test-calls".to_owned()] {
        for body in bodies {
            let request = stack.by_token("Asha", Method::POST, &path).header(CONTENT_TYPE, "application/json");
            let answer = send(request.body(body.to_owned())).await;
            assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
            assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
        }
    }
    assert_eq!(send(stack.request(Method::GET, "/health")).await.status, 200);
}

#[tokio::test]
async fn the_page_is_asked_for_anew_each_time() {
    let stack = Stack::start(0).await;
    let page = send(stack.request(Method::GET, "/calls")).await;

    assert!(page.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    // 503 is the page that says how to build the panel.
    assert!(page.status == 503 || page.headers[CACHE_CONTROL] == "no-cache");
    assert_eq!(send(stack.request(Method::GET, "/app-0000000000000000.js")).await.status, 404);
}
