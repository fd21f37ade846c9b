//! Input of people who mean harm, on every path that reads a body.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::stack::{Stack, send};

#[tokio::test]
async fn hostile_bodies_are_refused_and_never_break_the_server() {
    let stack = Stack::unlimited().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_member =
        format!("{{\"items\":{deep},\"open\":{deep},\"reason\":{deep},\"to\":{deep},\"departments\":{deep}}}");
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(1_100_000));
    let long = "x".repeat(65);
    let long = json!({"reason": long, "name": long, "until": "x", "open": "x", "departments": "x"}).to_string();
    let numbers = r#"{"reason":1e999,"until":-1,"items":1,"open":{},"to":[],"number":{},"name":[],"departments":7}"#;
    let bodies = ["\0", "\u{1F600}", "null", "7", "{", deep.as_str(), &deep_member, &huge, &long, numbers, "{}x"];
    let (put, post) = (Method::PUT, Method::POST);
    let paths = [
        (put.clone(), stack.of("Asha", "pause")),
        (put.clone(), stack.of("Asha", "opt-out")),
        (put.clone(), stack.of("Asha", "slots")),
        (put.clone(), stack.of("Asha", "work-anyway")),
        (put, "/core/policy".to_owned()),
        (post.clone(), "/core/policy/check".to_owned()),
        (post.clone(), "/core/presence/batch".to_owned()),
        (post.clone(), "/core/blocked".to_owned()),
        (post.clone(), "/core/emergencies".to_owned()),
        (post.clone(), "/core/route/simulate".to_owned()),
        (post, "/core/route/replay".to_owned()),
    ];
    for (method, path) in &paths {
        for body in bodies {
            let request = stack.by_token("Meera", method.clone(), path).header(CONTENT_TYPE, "application/json");
            let answer = send(request.body(body.to_owned())).await;
            assert!(answer.status.is_client_error(), "{path} {body:.30}: {} {}", answer.status, answer.body);
            assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
        }
        let typed = stack.by_token("Meera", method.clone(), path).header(CONTENT_TYPE, "text/plain").body("{}");
        send(typed).await.problem(415, "unsupported-media-type");
    }
    assert_eq!(stack.get("Asha", &stack.presence_path("Asha")).await.body["facts"]["pause"], json!(null));
    assert_eq!(send(stack.request(Method::GET, "/health")).await.status, 200);
}

#[tokio::test]
async fn unknown_people_and_unknown_things_look_alike() {
    let stack = Stack::unlimited().await;
    for id in ["5f0c0000-0000-4000-8000-000000009999", "asha", "%00", "..%2f..", &"a".repeat(4_000)] {
        for (method, place) in [
            (Method::GET, "presence"),
            (Method::GET, "presence/history"),
            (Method::GET, "reach"),
            (Method::GET, "slots"),
            (Method::PUT, "pause"),
            (Method::DELETE, "dnd"),
            (Method::PUT, "opt-out"),
            (Method::POST, "opt-out-link"),
        ] {
            let answer = send(stack.by_token("Meera", method.clone(), &format!("/core/agents/{id}/{place}"))).await;
            answer.problem(404, "agent-not-found");
        }
    }
}
