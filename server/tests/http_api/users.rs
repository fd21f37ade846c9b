//! Changes of people's records.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Answer, Stack, send, with_json};

fn path(stack: &Stack, name: &str) -> String {
    format!("/core/users/{}", stack.user(name).uuid)
}

async fn change(stack: &Stack, by: &str, of: &str, body: Value) -> Answer {
    stack.ask(by, Method::PATCH, &path(stack, of), &body).await
}

#[tokio::test]
async fn a_new_role_holds_from_the_next_request_on_and_after_a_restart() {
    let stack = Stack::unlimited().await;
    let cookie = stack.sign_in("Asha").await;
    let pause = async |stack: &Stack| {
        let request = stack.by_cookie(&cookie, Method::PUT, &stack.of("Riya", "pause"));
        send(with_json(request, &json!({"reason": "training"}))).await
    };
    pause(&stack).await.problem(403, "missing-right");

    let support = "5f0c0000-0000-4000-8000-000000001001";
    let changed = change(&stack, "Meera", "Asha", json!({"role": "manager", "manages": [support]})).await;

    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!((&changed.body["role"], &changed.body["manages"]), (&json!("manager"), &json!([support])));
    assert_eq!(pause(&stack).await.status, 200);
    let stack = stack.restart().await;
    assert_eq!(pause(&stack).await.status, 200);
    assert_eq!(change(&stack, "Meera", "Asha", json!({"role": "agent"})).await.status, 200);
    pause(&stack).await.problem(403, "missing-right");
}

#[tokio::test]
async fn addresses_change_for_sign_in_and_for_messages() {
    let stack = Stack::unlimited().await;
    let old = stack.user("Asha");
    let body = json!({"email": "Asha.R@lantern.example", "mobile": "+447700900177"});
    let changed = change(&stack, "Meera", "Asha", body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["email"], "asha.r@lantern.example");

    stack.try_sign_in(&old.email, &old.password).await.problem(401, "wrong-credentials");
    assert_eq!(stack.try_sign_in("asha.r@lantern.example", &old.password).await.status, 200);
    let link = stack.ask("Meera", Method::POST, &stack.of("Asha", "opt-out-link"), &json!({})).await;
    assert_eq!(link.body["message"]["to"], "+447700900177", "{}", link.body);

    // The mobile number is for admins and its owner.
    let token = stack.token("Riya", &["policy:read"]).await;
    let seen = send(stack.request(Method::GET, &path(&stack, "Asha")).bearer_auth(token)).await;
    assert_eq!((seen.status.as_u16(), seen.body.get("mobile")), (200, None));
    let token = stack.token("Asha", &["policy:read"]).await;
    let seen = send(stack.request(Method::GET, &path(&stack, "Asha")).bearer_auth(token)).await;
    assert_eq!(seen.body["mobile"], "+447700900177");
    assert_eq!(change(&stack, "Meera", "Asha", json!({"mobile": null})).await.body["mobile"], json!(null));
}

#[tokio::test]
async fn who_changed_what_is_told_newest_first_and_refusals_leave_no_trace() {
    let stack = Stack::unlimited().await;
    change(&stack, "Meera", "Asha", json!({"role": "manager"})).await;
    change(&stack, "Meera", "Asha", json!({"role": "manager"})).await;
    change(&stack, "Farah", "Asha", json!({"role": "admin", "mobile": "+447700900177"})).await;
    change(&stack, "Meera", "Asha", json!({"role": "owner"})).await.problem(403, "missing-right");
    change(&stack, "Farah", "Farah", json!({"role": "agent"})).await.problem(403, "missing-right");
    let taken = change(&stack, "Meera", "Asha", json!({"email": stack.user("Tom").email})).await;
    assert_eq!(taken.problem(422, "invalid-field")["pointer"], "/email");
    for (body, pointer) in [(json!({"mobile": "12"}), "/mobile"), (json!({"role": "king"}), "/role")] {
        assert_eq!(change(&stack, "Meera", "Asha", body).await.problem(422, "invalid-field")["pointer"], pointer);
    }
    let nobody = "/core/users/5f0c0000-0000-4000-8000-000000009999";
    stack.ask("Meera", Method::PATCH, nobody, &json!({})).await.problem(404, "not-found");

    let history = stack.get("Meera", &format!("{}/history", path(&stack, "Asha"))).await;

    let changes = history.body["changes"].as_array().unwrap();
    let told: Vec<_> = changes.iter().map(|change| json!([change["actor"]["name"], change["changed"]])).collect();
    assert_eq!(
        told,
        [
            json!(["Demo token of Farah Khan", {"mobile": [null, "+447700900177"], "role": ["manager", "admin"]}]),
            json!(["Demo token of Meera Nair", {"role": ["agent", "manager"]}]),
        ]
    );
    assert!(changes[0]["request"].is_string());
}
