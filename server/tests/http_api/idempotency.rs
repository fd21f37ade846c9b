//! `Idempotency-Key`.

use cordboard_server::store::KeyRow;
use cordboard_shared::Millis;
use reqwest::header::ETAG;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stack::{Answer, Stack, send, with_json};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

fn keyed(request: RequestBuilder, key: &str, body: &Value) -> RequestBuilder {
    with_json(request.header(KEY, key), body)
}

async fn toggle(stack: &Stack, key: &str, state: u8) -> Answer {
    let request = stack.by_token("Asha", Method::POST, &stack.presence_path("Asha"));
    send(keyed(request, key, &json!({ "state": state }))).await
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_has_no_effect() {
    let stack = Stack::unlimited().await;
    let first = toggle(&stack, "k1", 0).await;
    assert_eq!((first.status.as_u16(), &first.body["changed"]), (200, &json!(true)));
    assert!(!first.headers.contains_key(REPLAYED));
    stack.toggle("Asha", "Asha", 1).await;

    let again = toggle(&stack, "k1", 0).await;

    assert_eq!(again.headers[REPLAYED], "true");
    assert_eq!(again.headers[ETAG], first.headers[ETAG]);
    assert_ne!(again.headers["request-id"], first.headers["request-id"]);
    assert_eq!(again.body, first.body);
    assert_eq!(stack.get("Asha", &stack.presence_path("Asha")).await.body["state"], 1);
    toggle(&stack, "k1", 1).await.problem(422, "idempotency-key-reuse");
    // Keys are each caller's own.
    let other = stack.by_token("Meera", Method::POST, &stack.presence_path("Asha"));
    assert_eq!(send(keyed(other, "k1", &json!({"state": 0}))).await.body["changed"], true);
    for wrong in ["", "a b", &"k".repeat(65)] {
        toggle(&stack, wrong, 0).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn refusals_are_repeated_and_passing_ones_tried_again() {
    let stack = Stack::start(0).await;
    let path = stack.presence_path("Asha");
    let wrong = || send(keyed(stack.by_token("Asha", Method::POST, &path), "bad", &json!({"state": 7})));
    wrong().await.problem(422, "invalid-state");
    let again = wrong().await;
    assert_eq!(again.problem(422, "invalid-state")["pointer"], "/state");
    assert_eq!(again.headers[REPLAYED], "true");

    // A signed-out caller has no keys, and a key holds nothing for them.
    let request = stack.request(Method::POST, &path);
    send(keyed(request, "bad", &json!({"state": 7}))).await.problem(401, "invalid-token");
    for turn in 0..30 {
        stack.toggle("Asha", "Asha", turn % 2).await;
    }
    for _ in 0..2 {
        let answer = toggle(&stack, "limited", 0).await;
        answer.problem(429, "rate-limited");
        assert!(!answer.headers.contains_key(REPLAYED));
    }
}

#[tokio::test]
async fn keys_outlive_a_restart() {
    let stack = Stack::unlimited().await;
    let away = toggle(&stack, "k1", 0).await;
    let place = async |stack: &Stack| {
        let request = stack.by_token("Meera", Method::POST, "/core/emergencies");
        send(keyed(request, "storm", &json!({"name": "Storm", "reason": "lines are full"}))).await
    };
    let started = place(&stack).await;
    assert_eq!(started.status, 201, "{}", started.body);
    stack.toggle("Asha", "Asha", 1).await;

    let stack = stack.restart().await;

    let again = toggle(&stack, "k1", 0).await;
    assert_eq!((again.headers[REPLAYED].to_str().unwrap(), again.body), ("true", away.body));
    let repeated = place(&stack).await;
    assert_eq!((repeated.status.as_u16(), &repeated.body), (201, &started.body));
    let routes = stack.get("Meera", "/core/emergencies").await;
    assert_eq!(routes.body["emergencies"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn two_at_once_are_carried_out_once() {
    let stack = Stack::unlimited().await;
    let start = || {
        let request = stack.by_token("Meera", Method::POST, "/core/emergencies");
        send(keyed(request, "once", &json!({"name": "Storm", "reason": "lines are full"})))
    };

    let (one, two, three) = tokio::join!(start(), start(), start());

    for answer in [&one, &two, &three] {
        if answer.status == 409 {
            answer.problem(409, "still-running");
        } else {
            assert_eq!(answer.status, 201, "{}", answer.body);
        }
    }
    assert_eq!(start().await.headers[REPLAYED], "true");
    let routes = stack.get("Meera", "/core/emergencies").await;
    assert_eq!(routes.body["emergencies"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn work_that_a_crash_cut_short_is_not_done_again_unasked() {
    let stack = Stack::unlimited().await;
    let body = json!({"name": "Storm", "reason": "lines are full"});
    let token = stack.user("Meera").api_token.clone();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let mut hash = Sha256::new();
    hash.update(format!("POST\0/core/emergencies\0{body}"));
    let row = KeyRow {
        principal: claims["tid"].as_str().unwrap().parse().unwrap(),
        key: "cut".to_owned(),
        fingerprint: hash.finalize().into(),
        at: Millis(cordboard_server::clock::Clock::now(&cordboard_server::clock::SystemClock).0),
        answer: None,
    };
    stack.store().await.save_keys(&[row]).await.unwrap();

    let request = stack.by_token("Meera", Method::POST, "/core/emergencies");
    send(keyed(request, "cut", &body)).await.problem(504, "outcome-unknown");

    let routes = stack.get("Meera", "/core/emergencies").await;
    assert_eq!(routes.body["emergencies"], json!([]));
}
