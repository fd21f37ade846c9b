//! `POST /core/presence/batch`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Answer, Stack};

async fn batch(stack: &Stack, by: &str, dry_run: bool, items: Value) -> Answer {
    stack.ask(by, Method::POST, "/core/presence/batch", &json!({"dry_run": dry_run, "items": items, "new": 1})).await
}

async fn versions(stack: &Stack) -> Value {
    let list = stack.get("Meera", "/core/agents/presence?limit=200").await.body;
    let of = |agent: &Value| json!([agent["uuid"], agent["version"]]);
    json!([list["stream_position"], list["agents"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()])
}

#[tokio::test]
async fn each_item_has_its_own_result() {
    let stack = Stack::unlimited().await;
    let of = |name: &str| stack.user(name).uuid;
    stack.toggle("Meera", "Dev", 0).await;
    let items = json!([
        {"agent": of("Asha"), "change": {"fact": "toggle", "state": 0, "reason": "Training"}},
        {"agent": "5f0c0000-0000-4000-8000-000000009999", "change": {"fact": "toggle", "state": 0}},
        {"agent": of("Riya"), "change": {"fact": "toggle", "state": "0"}},
        {"agent": of("Meera"), "change": {"fact": "pause", "set": {"reason": "x"}}},
        {"agent": of("Dev"), "change": {"fact": "toggle", "state": 0}},
        {"agent": of("Tom"), "change": {"fact": "pause", "set": {"reason": "stock take"}}},
        {"agent": of("Ken"), "change": {"fact": "slots", "set": {"zone": "Mars/Olympus", "open": []}}}
    ]);

    let answer = batch(&stack, "Meera", false, items).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.body["results"].as_array().unwrap();
    let told: Vec<_> =
        results.iter().map(|result| (result["status"].as_u64().unwrap(), result["changed"] == true)).collect();
    assert_eq!(told, [(200, true), (404, false), (422, false), (403, false), (200, false), (200, true), (422, false)]);
    assert_eq!(results[0]["agent"], of("Asha").to_string());
    assert_eq!((&results[0]["before"], &results[0]["after"]), (&json!("no_device"), &json!("away")));
    assert_eq!(results[2]["problem"]["pointer"], "/items/2/change/state");
    assert_eq!(results[5]["agent"], of("Tom").to_string());
    assert_eq!(stack.get("Meera", &stack.presence_path("Asha")).await.body["reason"], "Training");
    assert_eq!(stack.get("Meera", &stack.presence_path("Riya")).await.body["state"], 1);
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let stack = Stack::unlimited().await;
    let names = ["Asha", "Riya", "Dev", "Ken"];
    let items: Vec<_> = names
        .iter()
        .map(|name| json!({"agent": stack.user(name).uuid, "change": {"fact": "pause", "set": {"reason": "x"}}}))
        .collect();
    let before = versions(&stack).await;

    let answer = batch(&stack, "Meera", true, json!(items)).await;

    assert_eq!(answer.body["dry_run"], true, "{}", answer.body);
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 4);
    assert!(answer.body["results"].as_array().unwrap().iter().all(|result| result["after"] == "paused"));
    assert!(answer.body["impact"].is_array());
    assert_eq!(versions(&stack).await, before);
    assert_eq!(batch(&stack, "Meera", false, json!(items)).await.body["results"][0]["changed"], true);
    assert_ne!(versions(&stack).await, before);
}

#[tokio::test]
async fn a_batch_is_one_write_and_yet_nobody_flaps() {
    let stack = Stack::start(0).await;
    let asha = stack.user("Asha").uuid;
    let items: Vec<_> =
        (0..30).map(|turn| json!({"agent": asha, "change": {"fact": "toggle", "state": turn % 2}})).collect();

    let answer = batch(&stack, "Asha", false, json!(items)).await;

    let statuses: Vec<_> =
        answer.body["results"].as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(answer.headers["ratelimit-policy"], "\"writes\";q=120;w=60");
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_whole() {
    let stack = Stack::unlimited().await;
    let asha = stack.user("Asha").uuid;
    let item = json!({"agent": asha, "change": {"fact": "toggle", "state": 0}});

    for items in [json!([]), json!(vec![item; 501])] {
        assert_eq!(batch(&stack, "Meera", false, items).await.problem(422, "invalid-field")["pointer"], "/items");
    }
    let items = json!([{"agent": "asha", "change": {}}]);
    assert_eq!(batch(&stack, "Meera", false, items).await.problem(422, "invalid-field")["pointer"], "/items/0/agent");
    // Nobody's right reaches: every item is refused, and nothing else happens.
    let items = json!([{"agent": stack.user("Tom").uuid, "change": {"fact": "toggle", "state": 0}}]);
    let refused = batch(&stack, "Asha", false, items).await;
    assert_eq!((refused.status.as_u16(), &refused.body["results"][0]["status"]), (200, &json!(403)));
}
