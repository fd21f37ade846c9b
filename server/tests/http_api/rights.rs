//! Scopes and roles: a token does what both allow, and nothing more.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, send, with_json};

/// One request, and the right it needs beyond what the role reaches.
struct Case {
    method: Method,
    path: String,
    body: Value,
    scope: &'static str,
    /// Who may do it with every scope: owner, admin, manager of both departments, agent of Support.
    by: [bool; 4],
}

#[tokio::test]
async fn a_token_does_what_its_scopes_and_its_owners_role_both_allow() {
    let stack = Stack::unlimited().await;
    let case = |method, path: String, body, scope, by| Case { method, path, body, scope, by };
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let all = [true; 4];
    let staff = [true, true, true, false];
    let admins = [true, true, false, false];
    let nobody = [false; 4];
    let until = json!({"until": "2999-01-01T00:00:00Z"});
    let cases = [
        case(get.clone(), "/core/agents/presence".into(), json!(null), "presence:read", all),
        case(get.clone(), stack.presence_path("Riya"), json!(null), "presence:read", all),
        case(get.clone(), stack.of("Riya", "presence/history"), json!(null), "presence:read", staff),
        case(get.clone(), stack.of("Riya", "reach"), json!(null), "presence:read", staff),
        case(put.clone(), stack.of("Riya", "pause"), json!({"reason": "x"}), "pause:write", staff),
        case(delete.clone(), stack.of("Riya", "pause"), json!(null), "pause:write", staff),
        case(put.clone(), stack.of("Riya", "opt-out"), json!({}), "opt-out:write", staff),
        case(delete.clone(), stack.of("Riya", "opt-out"), json!(null), "opt-out:write", staff),
        case(put.clone(), stack.of("Riya", "dnd"), json!({}), "presence:write:any", nobody),
        case(delete.clone(), stack.of("Riya", "dnd"), json!(null), "presence:write:any", admins),
        case(post.clone(), stack.of("Riya", "opt-out-link"), json!({}), "opt-out:write", admins),
        case(delete.clone(), stack.of("Riya", "opt-out-link"), json!(null), "opt-out:write", admins),
        case(get.clone(), "/core/policy".into(), json!(null), "policy:read", staff),
        case(get.clone(), "/core/reachability".into(), json!(null), "policy:read", all),
        case(get.clone(), "/core/blocked".into(), json!(null), "policy:read", admins),
        case(
            post.clone(),
            "/core/blocked".into(),
            json!({"number": "+15550100", "reason": "x"}),
            "policy:write",
            admins,
        ),
        case(get.clone(), "/core/emergencies".into(), json!(null), "policy:read", all),
        case(post.clone(), "/core/emergencies".into(), json!({"name": "a", "reason": "b"}), "policy:write", admins),
        case(get.clone(), "/core/departments/support/line".into(), json!(null), "calls:read", all),
        case(get.clone(), "/core/callbacks".into(), json!(null), "calls:read", all),
        case(post.clone(), "/core/route/simulate".into(), json!({"to": "department:support"}), "simulate", staff),
        case(get.clone(), "/core/outbox".into(), json!(null), "opt-out:write", all),
        case(Method::PATCH, format!("/core/users/{}", stack.user("Riya").uuid), json!({}), "users:write", admins),
        case(get, format!("/core/users/{}/history", stack.user("Riya").uuid), json!(null), "users:write", admins),
        case(put, stack.of("Riya", "work-anyway"), until, "presence:write:any", [false; 4]),
    ];
    let every: Vec<&str> = cordboard_server::rights::of_role(cordboard_shared::agent::Role::Owner).to_vec();
    let people = ["Farah", "Meera", "Luis", "Asha"];
    for (name, index) in people.iter().zip(0..) {
        let full = stack.token(name, &every).await;
        for case in &cases {
            let lacking: Vec<_> = every.iter().copied().filter(|scope| *scope != case.scope).collect();
            let ask = |token: String| {
                let request = stack.request(case.method.clone(), &case.path).bearer_auth(token);
                let request = if case.body.is_null() { request } else { with_json(request, &case.body) };
                send(request)
            };
            let label = format!("{name}: {} {}", case.method, case.path);

            let answer = ask(full.clone()).await;
            assert_eq!(answer.status.is_success(), case.by[index], "{label}: {} {}", answer.status, answer.body);
            if case.by[index] {
                let answer = ask(stack.token(name, &lacking).await).await;
                assert_eq!(answer.problem(403, "missing-right")["right"], case.scope, "{label}");
            } else {
                answer.problem(403, "missing-right");
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_who_can_do_it() {
    let stack = Stack::start(0).await;
    let detail = async |by: &str, path: String| {
        let cookie = stack.sign_in(by).await;
        let refused = send(with_json(stack.by_cookie(&cookie, Method::PUT, &path), &json!({"reason": "x"}))).await;
        refused.problem(403, "missing-right")["detail"].as_str().unwrap().to_owned()
    };

    assert_eq!(
        detail("Riya", stack.of("Asha", "pause")).await,
        "Only Admin or a manager of Support can do this. Ask Meera Nair. Nothing was changed."
    );
    assert_eq!(
        detail("Riya", stack.of("Ken", "pause")).await,
        "Only Admin or a manager of Support or Sales can do this. Ask Meera Nair. Nothing was changed."
    );
    assert!(detail("Meera", stack.of("Meera", "pause")).await.starts_with("Nobody can pause themselves"));
    assert!(detail("Riya", stack.of("Farah", "pause")).await.starts_with("Only Admin can do this. Ask Meera Nair."));
}
