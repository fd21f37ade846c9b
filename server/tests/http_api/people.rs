//! Lists, reads and history of people's presence.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use serde_json::{Value, json};

use crate::stack::{Stack, send, with_json};

fn uuids(page: &Value) -> Vec<String> {
    page["agents"].as_array().unwrap().iter().map(|agent| agent["uuid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everybody_stands_once_in_the_pages_while_people_toggle() {
    let stack = Stack::unlimited().await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for turn in 0.. {
        let page = stack.get("Meera", &format!("/core/agents/presence?limit=2&cursor={cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body["as_of"].is_string() && page.body["stream_position"].is_string());
        seen.extend(uuids(&page.body));
        for name in ["Asha", "Tom", "Ken"] {
            assert_eq!(stack.toggle("Meera", name, turn % 2).await.status, 200);
        }
        match page.body["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }

    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 9);
}

#[tokio::test]
async fn a_list_is_filtered_and_shows_only_whom_one_may_see() {
    let stack = Stack::unlimited().await;
    stack.toggle("Meera", "Riya", 0).await;
    let list =
        async |by: &str, query: &str| uuids(&stack.get(by, &format!("/core/agents/presence?{query}")).await.body);
    let of = |names: &[&str]| -> Vec<String> { names.iter().map(|name| stack.user(name).uuid.to_string()).collect() };

    assert_eq!(list("Meera", "department=sales").await, of(&["Tom", "Nadia", "Ken"]));
    assert_eq!(list("Meera", "department=support&state=0").await, of(&["Riya"]));
    assert_eq!(list("Meera", "verdict=away").await, of(&["Riya"]));
    assert_eq!(list("Asha", "").await, of(&["Asha", "Riya", "Dev", "Ken"]));
    assert_eq!(list("Tom", "department=support").await, of(&["Ken"]));
    for wrong in ["limit=0", "limit=201", "state=2", "verdict=busy", "cursor=x", "limit=1&limit=2"] {
        stack.get("Meera", &format!("/core/agents/presence?{wrong}")).await.problem(400, "invalid-request");
    }
    stack.get("Meera", "/core/agents/presence?department=nobody").await.problem(404, "not-found");
    let answer = stack.get("Asha", "/core/agents/presence").await;
    assert!(!answer.headers.contains_key("ratelimit"), "limits are off");
}

#[tokio::test]
async fn a_presence_is_for_colleagues_and_for_who_answers_for_them() {
    let stack = Stack::start(0).await;

    for (by, of, status) in [
        ("Asha", "Asha", 200),
        ("Asha", "Riya", 200),
        ("Asha", "Ken", 200),
        ("Asha", "Tom", 403),
        ("Asha", "Meera", 403),
        ("Luis", "Tom", 200),
        ("Meera", "Farah", 200),
    ] {
        assert_eq!(stack.get(by, &stack.presence_path(of)).await.status, status, "{by} {of}");
    }
    let refused = stack.get("Asha", &stack.presence_path("Tom")).await;
    let detail = refused.problem(403, "missing-right")["detail"].as_str().unwrap();
    assert!(detail.contains("Only Admin or a manager of Sales") && detail.contains("Ask Meera Nair."), "{detail}");
    let unknown = "/core/agents/5f0c0000-0000-4000-8000-000000009999/presence";
    stack.get("Asha", unknown).await.problem(404, "agent-not-found");
}

#[tokio::test]
async fn a_tag_is_good_until_facts_or_verdict_change() {
    let stack = Stack::unlimited().await;
    let path = stack.presence_path("Asha");
    let first = stack.get("Asha", &path).await;
    let tag = first.headers[ETAG].clone();
    assert!(tag.to_str().unwrap().contains('+'), "{tag:?}");
    let known = || send(stack.by_token("Asha", Method::GET, &path).header(IF_NONE_MATCH, &tag));
    let same = known().await;
    assert_eq!((same.status.as_u16(), same.headers[ETAG].clone()), (304, tag.clone()));

    // The tag of a read is a condition for a write.
    let write =
        |tag| send(with_json(stack.by_token("Asha", Method::POST, &path).header(IF_MATCH, tag), &json!({"state": 0})));
    assert_eq!(write(tag.clone()).await.status, 200);
    write(tag.clone()).await.problem(412, "version-mismatch");
    assert_eq!(known().await.status, 200);
}

#[tokio::test]
async fn the_history_tells_each_change_with_before_and_after() {
    let stack = Stack::unlimited().await;
    let path = stack.of("Asha", "presence/history");
    stack.toggle("Asha", "Asha", 0).await;
    stack.toggle("Asha", "Asha", 0).await;
    stack.ask("Meera", Method::PUT, &stack.of("Asha", "pause"), &json!({"reason": "stock take"})).await;
    stack.toggle("Asha", "Asha", 1).await;
    stack.delete("Farah", &stack.of("Asha", "pause")).await;

    let history = stack.get("Asha", &path).await;

    assert_eq!(history.status, 200, "{}", history.body);
    let changes = history.body["changes"].as_array().unwrap();
    let told: Vec<_> = changes.iter().map(|change| json!([change["changed"], change["actor"]["name"]])).collect();
    assert_eq!(
        told,
        [
            json!([["pause"], "Demo token of Farah Khan"]),
            json!([["toggle"], "Demo token of Asha Rao"]),
            json!([["pause"], "Demo token of Meera Nair"]),
            json!([["toggle"], "Demo token of Asha Rao"]),
            json!([[], "Cordboard"]),
        ],
        "a repeated toggle is no change, and who took something away is named"
    );
    let states = (&changes[3]["before"]["toggle"]["state"], &changes[3]["after"]["toggle"]["state"]);
    assert_eq!(states, (&json!(1), &json!(0)));
    assert!(changes[4]["before"].is_null());
    assert!(changes[0]["request"].is_string());

    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = stack.get("Asha", &format!("{path}?limit=1&cursor={cursor}")).await;
        paged.extend(page.body["changes"].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(&paged, changes);
    let from = changes[2]["at"].as_str().unwrap();
    let recent = stack.get("Asha", &format!("{path}?from={from}")).await;
    assert_eq!(recent.body["changes"].as_array().unwrap().len(), 3);
    assert_eq!(stack.get("Asha", &format!("{path}?to={from}")).await.body["changes"].as_array().unwrap().len(), 2);
    // What a person was paused for is not for their colleagues.
    stack.get("Riya", &path).await.problem(403, "missing-right");
    assert_eq!(stack.get("Luis", &path).await.status, 200);
    stack.get("Asha", &format!("{path}?from=yesterday")).await.problem(400, "invalid-request");
    stack.get("Asha", &format!("{path}?cursor=!")).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn what_can_ring_a_person_is_told_in_words() {
    let stack = Stack::start(0).await;
    stack.toggle("Asha", "Asha", 0).await;

    let reach = stack.get("Asha", &stack.of("Asha", "reach")).await;

    assert_eq!(reach.status, 200, "{}", reach.body);
    let lines = reach.body["lines"].as_array().unwrap();
    let queue = lines.iter().find(|line| line["row"] == 1).unwrap();
    assert_eq!((&queue["rings"], &queue["letter"]), (&json!(false), &json!("S")));
    assert!(queue["answer"].as_str().unwrap().contains("Away"), "{queue}");
    stack.get("Riya", &stack.of("Asha", "reach")).await.problem(403, "missing-right");
    assert_eq!(stack.get("Luis", &stack.of("Asha", "reach")).await.status, 200);
    let cells = stack.get("Meera", "/core/reachability").await;
    assert!(cells.body["cells"].as_array().unwrap().len() > 100, "{}", cells.body);
}
