//! `POST` and `GET /core/agents/{UUID}/presence`.

use reqwest::Method;
use reqwest::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, ORIGIN, WWW_AUTHENTICATE};
use serde_json::json;

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn the_source_call_works_unchanged() {
    let stack = Stack::start(0).await;

    let away = stack.toggle("Asha", "Asha", 0).await;

    assert_eq!(away.status, 200, "{}", away.body);
    assert_eq!(away.body["state"], 0);
    assert_eq!(away.body["applied"], true);
    assert_eq!(away.body["changed"], true);
    assert_eq!(away.body["changed_facts"], json!(["toggle"]));
    assert_eq!(away.body["source"], "api");
    assert_eq!(away.body["actor"]["type"], "token");
    assert_eq!(away.body["effective"]["verdict"], "away");
    assert_eq!(away.headers[CACHE_CONTROL], "no-store");
    assert_eq!(away.headers["ratelimit-policy"], "\"writes\";q=120;w=60");
    assert!(away.headers["ratelimit"].to_str().unwrap().starts_with("\"writes\";r="));
    let version = format!("\"{}\"", away.body["version"].as_str().unwrap());
    assert_eq!(away.headers[ETAG], version);

    let again = stack.toggle("Asha", "Asha", 0).await;
    assert_eq!((again.status.as_u16(), &again.body["changed"]), (200, &json!(false)));
    assert_eq!(again.body["version"], away.body["version"]);

    let read = stack.get("Asha", &stack.presence_path("Asha")).await;
    assert_eq!(read.body["state"], 0);
    assert_eq!(read.body["matrix"]["1"], "S");
    assert!(read.body.get("applied").is_none());
    assert_eq!(read.headers["x-presence-revision"], away.body["version"].as_str().unwrap());
    let known = |tag: &reqwest::header::HeaderValue| {
        send(stack.by_token("Asha", Method::GET, &stack.presence_path("Asha")).header(IF_NONE_MATCH, tag))
    };
    assert_eq!(known(&read.headers[ETAG]).await.status, 304);
    // The tag of the facts alone does not stand for the verdict, which may have changed since.
    assert_eq!(known(&version.parse().unwrap()).await.status, 200);
}

#[tokio::test]
async fn each_wrong_request_gets_its_own_answer() {
    let stack = Stack::start(0).await;
    let path = stack.presence_path("Asha");
    let post = |token: Option<&str>, path: &str, kind: &str, body: &str| {
        let request = stack.request(Method::POST, path).header(CONTENT_TYPE, kind).body(body.to_owned());
        send(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    };
    let token = stack.user("Asha").api_token.clone();
    let json = "application/json";
    let on = r#"{"state": 1}"#;

    let nobody = post(None, &path, json, on).await;
    nobody.problem(401, "invalid-token");
    assert_eq!(nobody.headers[WWW_AUTHENTICATE], "Bearer");
    let cut = &token[..token.len() - 2];
    let other = stack.user("Riya").api_token.clone();
    let swapped = format!("{}.{}", other.rsplit_once('.').unwrap().0, token.rsplit_once('.').unwrap().1);
    for wrong in ["x", cut, &swapped, "ccp1..", ""] {
        post(Some(wrong), &path, json, on).await.problem(401, "invalid-token");
    }

    let unknown = "/core/agents/5f0c0000-0000-4000-8000-000000009999/presence";
    post(Some(&token), unknown, json, on).await.problem(404, "agent-not-found");
    post(Some(&token), "/core/agents/asha/presence", json, on).await.problem(404, "agent-not-found");
    post(None, unknown, json, on).await.problem(401, "invalid-token");

    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        post(Some(&token), &path, kind, on).await.problem(415, "unsupported-media-type");
    }
    assert_eq!(post(Some(&token), &path, "application/json; charset=utf-8", on).await.status, 200);
    for body in ["", "{", "state=1", "\u{feff}{}"] {
        post(Some(&token), &path, json, body).await.problem(400, "malformed-json");
    }
    for body in [r#"{"state":"1"}"#, r#"{"state":true}"#, r#"{"state":2}"#, "{}", "[1]"] {
        let refused = post(Some(&token), &path, json, body).await;
        assert_eq!(refused.problem(422, "invalid-state")["pointer"], "/state");
    }
    post(Some(&token), &path, json, r#"{"state":0,"until":"2001-01-01T00:00:00Z"}"#)
        .await
        .problem(422, "invalid-until");

    let put = send(stack.by_token("Asha", Method::PUT, &path)).await;
    put.problem(405, "method-not-allowed");
    assert!(put.headers[ALLOW].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn rights_reach_as_far_as_the_role() {
    let stack = Stack::start(0).await;

    let refused = stack.toggle("Riya", "Asha", 0).await;
    assert_eq!(refused.problem(403, "missing-right")["right"], "presence:write:any");
    assert_eq!(stack.toggle("Luis", "Asha", 0).await.status, 200);
    // The manager's team is who is in a department; an admin is not.
    stack.toggle("Luis", "Meera", 0).await.problem(403, "missing-right");
    assert_eq!(stack.toggle("Meera", "Luis", 0).await.status, 200);
    assert_eq!(stack.toggle("Farah", "Meera", 0).await.status, 200);
}

#[tokio::test]
async fn conditions_and_intents_are_passed_on() {
    let stack = Stack::start(0).await;
    let path = stack.presence_path("Asha");
    let first = stack.toggle("Asha", "Asha", 0).await;
    let old = first.headers[ETAG].clone();
    stack.toggle("Asha", "Asha", 1).await;
    let post = |header: &str, value: &str| {
        let request = stack.by_token("Asha", Method::POST, &path).header(header, value);
        send(with_json(request, &json!({ "state": 0 })))
    };

    let stale = post(IF_MATCH.as_str(), old.to_str().unwrap()).await;
    assert_eq!(stale.problem(412, "version-mismatch")["current"]["state"], 1);
    post(IF_MATCH.as_str(), "1").await.problem(400, "invalid-request");
    post("x-presence-intent", "soon").await.problem(400, "invalid-request");
    let newer = post("x-presence-intent", "9;tab-a").await;
    assert_eq!((newer.status.as_u16(), &newer.body["intent"]), (200, &json!(9)));
    post("x-presence-intent", "3;tab-b").await.problem(409, "superseded");
}

#[tokio::test]
async fn a_cookie_writes_from_the_own_page_only() {
    let stack = Stack::start(0).await;
    let cookie = stack.sign_in("Asha").await;
    let path = stack.presence_path("Asha");
    let body = json!({ "state": 0 });

    let without = stack.request(Method::POST, &path).header("cookie", &cookie);
    send(with_json(without, &body)).await.problem(403, "foreign-origin");
    let foreign = stack.request(Method::POST, &path).header("cookie", &cookie).header(ORIGIN, "https://evil.example");
    send(with_json(foreign, &body)).await.problem(403, "foreign-origin");
    assert_eq!(stack.get("Asha", &path).await.body["state"], 1);

    let own = send(with_json(stack.by_cookie(&cookie, Method::POST, &path), &body)).await;
    assert_eq!((own.status.as_u16(), &own.body["source"]), (200, &json!("panel")));
    assert_eq!(own.body["actor"]["name"], "Asha Rao");

    let admin = stack.sign_in("Meera").await;
    let by_admin = send(with_json(stack.by_cookie(&admin, Method::POST, &path), &json!({ "state": 1 }))).await;
    assert_eq!(by_admin.body["source"], "admin");
}

#[tokio::test]
async fn one_person_cannot_flap_and_one_token_cannot_flood() {
    let stack = Stack::start(0).await;

    let mut codes = Vec::new();
    for turn in 0..30_u8 {
        let answer = stack.toggle("Asha", "Asha", turn % 2).await;
        if answer.status == 429 {
            assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
            codes.push(answer.body["type"].clone());
        }
    }

    assert!(codes.contains(&json!("/problems/presence-flapping")), "{codes:?}");
    assert!(codes.contains(&json!("/problems/rate-limited")), "{codes:?}");
    assert_eq!(stack.toggle("Riya", "Riya", 0).await.status, 200);
}

#[tokio::test]
async fn a_toggle_and_the_logins_outlive_a_restart() {
    let stack = Stack::start(0).await;
    let away = stack.toggle("Asha", "Asha", 0).await;
    let password = stack.user("Asha").password.clone();
    let cookie = stack.sign_in("Asha").await;

    let stack = stack.restart().await;

    let read = stack.get("Asha", &stack.presence_path("Asha")).await;
    assert_eq!((&read.body["state"], &read.body["version"]), (&json!(0), &away.body["version"]));
    assert_eq!(stack.user("Asha").password, password);
    assert_eq!(send(stack.by_cookie(&cookie, Method::GET, "/core/session")).await.status, 200);
}
