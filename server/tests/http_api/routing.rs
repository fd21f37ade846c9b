//! The routing policy, and questions about routing.

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use serde_json::json;

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn the_policy_is_edited_at_the_version_it_was_read_at() {
    let stack = Stack::unlimited().await;
    let read = stack.get("Meera", "/core/policy").await;
    let tag = read.headers[ETAG].clone();
    assert_eq!(tag, format!("\"{}\"", read.body["version"]));
    let known = stack.by_token("Meera", Method::GET, "/core/policy").header(IF_NONE_MATCH, &tag);
    assert_eq!(send(known).await.status, 304);
    let put = |tag: Option<&reqwest::header::HeaderValue>, body: &serde_json::Value| {
        let request = stack.by_token("Meera", Method::PUT, "/core/policy");
        send(with_json(tag.into_iter().fold(request, |request, tag| request.header(IF_MATCH, tag)), body))
    };
    let mut changed = read.body.clone();
    changed["departments"][0]["ring_seconds"] = json!(40);
    changed["unknown"] = json!(1);

    let written = put(Some(&tag), &changed).await;
    assert_eq!(written.status, 200, "{}", written.body);
    assert_eq!(written.body["departments"][0]["ring_seconds"], 40);
    assert_eq!(written.body["version"].as_u64().unwrap(), read.body["version"].as_u64().unwrap() + 1);
    put(Some(&tag), &changed).await.problem(412, "version-mismatch");
    put(None, &changed).await.problem(412, "version-mismatch");
    put(Some(&"soon".parse().unwrap()), &changed).await.problem(400, "invalid-request");
    assert_eq!(stack.get("Meera", "/core/departments/support").await.body["ring_seconds"], 40);

    let mut wrong = written.body.clone();
    wrong["departments"][0]["ring_seconds"] = json!(7_000);
    let refused = put(None, &wrong).await;
    let findings = refused.problem(422, "invalid-field")["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["pointer"] == "/departments/0/ring_seconds"), "{findings:?}");
    let checked = stack.ask("Luis", Method::POST, "/core/policy/check", &wrong).await;
    assert_eq!(checked.status, 403, "Luis's token does not carry policy:read");
    let checked = stack.ask("Meera", Method::POST, "/core/policy/check", &wrong).await;
    assert_eq!(checked.body["findings"].as_array().unwrap(), findings);
    wrong["departments"][0]["ring_seconds"] = json!("x");
    let typed = put(None, &wrong).await;
    assert_eq!(typed.problem(422, "invalid-field")["pointer"], "/departments/0/ring_seconds");
    stack.get("Asha", "/core/policy").await.problem(403, "missing-right");
    assert_eq!(stack.get("Meera", "/core/policy").await.body["version"], written.body["version"]);
}

#[tokio::test]
async fn a_caller_is_blocked_with_a_reason_and_let_in_again() {
    let stack = Stack::unlimited().await;
    let block = async |body| stack.ask("Meera", Method::POST, "/core/blocked", &body).await;

    let blocked = block(json!({"number": "+15550100199", "reason": "abusive"})).await;
    assert_eq!((blocked.status.as_u16(), &blocked.body["by"]["name"]), (201, &json!("Demo token of Meera Nair")));
    let again = block(json!({"number": "+15550100199", "reason": "still"})).await;
    assert_eq!((again.status.as_u16(), &again.body["reason"]), (200, &json!("abusive")));
    assert_eq!(
        block(json!({"number": "0044", "reason": "x"})).await.problem(422, "invalid-field")["pointer"],
        "/number"
    );
    assert_eq!(
        block(json!({"number": "+1555", "reason": ""})).await.problem(422, "invalid-field")["pointer"],
        "/reason"
    );
    let list = stack.get("Meera", "/core/blocked").await;
    assert_eq!(list.body["blocked"].as_array().unwrap().len(), 1);

    assert_eq!(stack.delete("Meera", "/core/blocked/%2B15550100199").await.status, 204);
    stack.delete("Meera", "/core/blocked/15550100199").await.problem(404, "not-found");
    stack.delete("Meera", "/core/blocked/x").await.problem(404, "not-found");
    assert_eq!(stack.get("Meera", "/core/blocked").await.body["blocked"], json!([]));
}

#[tokio::test]
async fn an_emergency_route_is_named_reasoned_and_ends() {
    let stack = Stack::unlimited().await;
    let start = async |body| stack.ask("Meera", Method::POST, "/core/emergencies", &body).await;
    let support = stack.demo.departments.iter().find(|department| department.slug == "support").unwrap().uuid;

    let storm = start(json!({"name": "Storm", "reason": "lines are full", "departments": [support]})).await;
    assert_eq!(storm.status, 201, "{}", storm.body);
    for (body, pointer) in [
        (json!({"name": "", "reason": "x"}), "/name"),
        (json!({"name": "x", "reason": "x".repeat(201)}), "/reason"),
        (
            json!({"name": "x", "reason": "x", "departments": ["5f0c0000-0000-4000-8000-000000009999"]}),
            "/departments/0",
        ),
    ] {
        assert_eq!(start(body).await.problem(422, "invalid-field")["pointer"], pointer);
    }
    for until in ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let refused = start(json!({"name": "x", "reason": "x", "until": until})).await;
        assert_eq!(refused.problem(422, "invalid-until")["pointer"], "/until");
    }
    // Everybody it may reach may know of it.
    let cookie = stack.sign_in("Asha").await;
    let seen = send(stack.by_cookie(&cookie, Method::GET, "/core/emergencies")).await;
    assert_eq!(seen.body["emergencies"][0]["name"], "Storm");

    let path = format!("/core/emergencies/{}", storm.body["id"].as_str().unwrap());
    assert_eq!(stack.delete("Meera", &path).await.status, 204);
    stack.delete("Meera", &path).await.problem(404, "not-found");
    stack.delete("Meera", "/core/emergencies/x").await.problem(404, "not-found");
    assert_eq!(stack.get("Meera", "/core/emergencies").await.body["emergencies"], json!([]));
}

#[tokio::test]
async fn the_line_and_the_callbacks_are_for_their_department() {
    let stack = Stack::start(0).await;

    let line = stack.get("Asha", "/core/departments/support/line").await;
    assert_eq!((line.status.as_u16(), &line.body["callers"]), (200, &json!([])));
    stack.get("Asha", "/core/departments/sales/line").await.problem(404, "not-found");
    stack.get("Asha", "/core/departments/nothing/line").await.problem(404, "not-found");
    assert_eq!(stack.get("Luis", "/core/departments/sales/line").await.status, 200);
    assert_eq!(stack.get("Asha", "/core/callbacks").await.body["callbacks"], json!([]));
    let done = "/core/callbacks/01M7WCQVPJ0000000000000000/done";
    stack.ask("Meera", Method::POST, done, &json!({})).await.problem(404, "not-found");
    stack.ask("Asha", Method::POST, done, &json!({})).await.problem(403, "missing-right");
}

#[tokio::test]
async fn what_if_is_answered_by_the_engine_and_changes_nothing() {
    let stack = Stack::unlimited().await;
    let ask = async |body| stack.ask("Meera", Method::POST, "/core/route/simulate", &body).await;
    let versions = async || stack.get("Meera", "/core/agents/presence").await.body["stream_position"].clone();
    let before = versions().await;
    let everybody: Vec<_> = ["Asha", "Riya", "Dev", "Ken"]
        .iter()
        .map(|name| json!({"agent": stack.user(name).uuid, "state": 1, "device": true}))
        .collect();

    let answer = ask(json!({"to": "department:support", "from": "+15550100199", "overrides": everybody})).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let rings = answer.body["rings"].as_array().unwrap();
    assert_eq!(rings[0]["agent"], stack.user("Asha").uuid.to_string(), "{}", answer.body);
    assert_eq!(answer.body["outcome"]["to"], "voicemail");
    assert_eq!(answer.body["decisions"][0]["members"][0]["name"], "Asha Rao");
    assert_eq!(versions().await, before);
    let nobody = json!([{"agent": "5f0c0000-0000-4000-8000-000000009999", "state": 1}]);
    let refused = ask(json!({"to": "department:support", "overrides": nobody})).await;
    assert_eq!(refused.problem(422, "invalid-field")["pointer"], "/overrides/0/agent");
    let nowhere = ask(json!({"to": "department:nothing"})).await;
    assert!(nowhere.status.is_client_error(), "{}", nowhere.body);
    stack
        .ask("Asha", Method::POST, "/core/route/simulate", &json!({"to": "department:support"}))
        .await
        .problem(403, "missing-right");
}

#[tokio::test]
async fn a_replay_covers_a_stretch_of_time_that_can_be() {
    let stack = Stack::unlimited().await;
    let replay = async |by: &str, from: &str, to: &str| {
        stack.ask(by, Method::POST, "/core/route/replay", &json!({"from": from, "to": to})).await
    };

    let answer = replay("Meera", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["changed"], json!([]));
    for (from, to) in
        [("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"), ("2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z")]
    {
        assert_eq!(replay("Meera", from, to).await.problem(422, "invalid-field")["pointer"], "/to");
    }
    replay("Luis", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z").await.problem(403, "missing-right");
}

#[tokio::test]
async fn limits_tell_what_is_left() {
    let stack = Stack::start(0).await;
    stack.toggle("Asha", "Asha", 0).await;

    let limits = stack.get("Asha", "/core/limits").await;

    let names: Vec<_> = limits.body["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| limit["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["writes", "reads", "lists", "changes"]);
    assert_eq!(
        limits.body["limits"][0],
        json!({"name": "writes", "per_minute": 120, "burst": 20, "remaining": 19, "reset": 1})
    );
    let lists = stack.get("Asha", "/core/agents/presence").await;
    assert_eq!(lists.headers["ratelimit-policy"], "\"lists\";q=60;w=60");
    assert_eq!(Stack::unlimited().await.get("Asha", "/core/limits").await.body["limits"], json!([]));
}
