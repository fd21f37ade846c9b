//! The opt-out link, its page, and the messages it goes with.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cordboard_server::config::SmsGateway;
use cordboard_shared::id::AccountId;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};

use crate::stack::{Answer, Stack, send};

/// Makes a link for Asha; its path on this server.
async fn link(stack: &Stack) -> String {
    let made = stack.ask("Meera", Method::POST, &stack.of("Asha", "opt-out-link"), &json!({})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let url = made.body["url"].as_str().unwrap();
    url.strip_prefix(&stack.base).unwrap_or_else(|| panic!("{url}")).to_owned()
}

async fn press(stack: &Stack, path: &str, form: &'static str) -> Answer {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.post(format!("{}{path}", stack.base));
    send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await
}

async fn opted_out(stack: &Stack) -> bool {
    !stack.get("Asha", &stack.presence_path("Asha")).await.body["facts"]["opt_out"].is_null()
}

#[tokio::test]
async fn the_link_shows_a_button_and_only_the_button_acts() {
    let stack = Stack::unlimited().await;
    let path = link(&stack).await;

    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = send(stack.request(method.clone(), &path)).await;
        assert_eq!(page.status, 200);
        assert!(page.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        assert_eq!(page.headers[CACHE_CONTROL], "no-store");
        assert!(page.headers["x-robots-tag"].to_str().unwrap().contains("noindex"));
        let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        let html = page.body.as_str().unwrap();
        if method == Method::GET {
            assert!(
                html.contains("Asha Rao") && html.contains("Lantern Travel") && html.contains("<form method=post>")
            );
            assert!(!html.contains("<script"));
        }
    }
    assert!(!opted_out(&stack).await);

    let pressed = press(&stack, &path, "").await;
    assert_eq!((pressed.status.as_u16(), pressed.headers[LOCATION].to_str().unwrap()), (303, path.as_str()));
    let presence = stack.get("Asha", &stack.presence_path("Asha")).await;
    assert_eq!(presence.body["effective"]["verdict"], "opted_out");
    assert_eq!(presence.body["facts"]["opt_out"]["source"], "sms");
    assert_eq!(presence.body["facts"]["opt_out"]["by"]["name"], "Asha Rao");
    let version = presence.body["version"].clone();

    // Pressed again, it does nothing more, and neither does it send another message.
    assert_eq!(press(&stack, &path, "").await.status, 303);
    assert_eq!(stack.get("Asha", &stack.presence_path("Asha")).await.body["version"], version);
    let page = send(stack.request(Method::GET, &path)).await;
    let html = page.body.as_str().unwrap().to_owned();
    assert!(html.contains("Business calls are stopped") && html.contains("Ask Meera Nair."), "{html}");
    assert!(!html.contains("<button"));
    let messages = stack.get("Meera", "/core/outbox").await;
    let messages = messages.body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "the link and one confirmation");
    let text = messages[0]["text"].as_str().unwrap();
    assert!(text.contains("opted out of business calls since") && text.contains("(Asia/Kolkata)"), "{text}");
    assert!(text.contains("switch Call Availability on in the panel"), "{text}");
}

#[tokio::test]
async fn the_link_takes_an_opt_out_back_only_where_the_account_allows_it() {
    let stack = Stack::unlimited().await;
    let path = link(&stack).await;
    press(&stack, &path, "").await;

    let refused = press(&stack, &path, "do=resume").await;
    assert_eq!(refused.status, 403);
    assert!(opted_out(&stack).await);

    let mut policy = stack.get("Meera", "/core/policy").await.body;
    policy["settings"]["resume_by_link"] = json!(true);
    assert_eq!(stack.ask("Meera", Method::PUT, "/core/policy", &policy).await.status, 200);
    let page = send(stack.request(Method::GET, &path)).await;
    assert!(page.body.as_str().unwrap().contains("Receive business calls again"));
    assert_eq!(press(&stack, &path, "do=resume").await.status, 303);
    assert!(!opted_out(&stack).await);
}

#[tokio::test]
async fn wrong_and_revoked_links_are_one_and_the_same_page() {
    let stack = Stack::unlimited().await;
    let path = link(&stack).await;
    let riya = stack.ask("Meera", Method::POST, &stack.of("Riya", "opt-out-link"), &json!({})).await;
    let riya = riya.body["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(stack.delete("Meera", &stack.of("Asha", "opt-out-link")).await.status, 204);

    let mut pages = std::collections::BTreeSet::new();
    let swapped = format!("{}{}", &riya[..40], &path[3 + 40..]);
    for token in [&path[3..], "x", &swapped, &"A".repeat(70), &"A".repeat(5_000), "%00", "..%2f"] {
        for answer in [
            send(stack.request(Method::GET, &format!("/o/{token}"))).await,
            press(&stack, &format!("/o/{token}"), "").await,
        ] {
            assert_eq!(answer.status, 404, "{token:.20}");
            assert!(!answer.headers.contains_key("location"));
            pages.insert(answer.body.as_str().unwrap().to_owned());
        }
    }
    assert_eq!(pages.len(), 1);
    assert!(!opted_out(&stack).await);
    // Somebody else's link, and a new one, still work.
    assert_eq!(press(&stack, &format!("/o/{riya}"), "").await.status, 303);
    let fresh = link(&stack).await;
    assert_ne!(fresh, path);
    assert_eq!(press(&stack, &fresh, "").await.status, 303);
    assert!(opted_out(&stack).await);
}

#[tokio::test]
async fn a_link_is_made_by_admins_and_the_person_and_shown_to_them_alone() {
    let stack = Stack::unlimited().await;
    let own = stack.token("Asha", &["opt-out:write"]).await;
    let made = send(stack.request(Method::POST, &stack.of("Asha", "opt-out-link")).bearer_auth(&own)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((&made.body["message"]["state"], &made.body["message"]["to"]), (&json!("held"), &json!(null)));
    let luis = stack.token("Luis", &["opt-out:write"]).await;
    send(stack.request(Method::POST, &stack.of("Asha", "opt-out-link")).bearer_auth(&luis))
        .await
        .problem(403, "missing-right");
    stack.ask("Meera", Method::POST, &stack.of("Tom", "opt-out-link"), &json!({})).await;

    let seen = async |token: &str| {
        let list = send(stack.request(Method::GET, "/core/outbox").bearer_auth(token)).await;
        list.body["messages"].as_array().unwrap().len()
    };
    assert_eq!((seen(&own).await, seen(&luis).await), (1, 0));
    assert_eq!(seen(&stack.user("Meera").api_token).await, 2);
    stack.get("Meera", "/core/outbox?limit=0").await.problem(400, "invalid-request");
    // Who has no right to opt out sees no outbox, either.
    stack.get("Asha", "/core/outbox").await.problem(403, "missing-right");
}

#[tokio::test]
async fn links_name_the_public_address() {
    let stack = Stack::start_with(|config| config.public_url = Some("https://calls.lantern.example".to_owned())).await;
    let made = stack.ask("Meera", Method::POST, &stack.of("Asha", "opt-out-link"), &json!({})).await;
    assert!(made.body["url"].as_str().unwrap().starts_with("https://calls.lantern.example/o/"), "{}", made.body);
}

type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// A gateway that refuses numbers that end in 1.
async fn gateway() -> (SocketAddr, Taken) {
    async fn take(State(taken): State<Taken>, headers: HeaderMap, body: String) -> StatusCode {
        let body: Value = serde_json::from_str(&body).unwrap();
        let refused = body["to"].as_str().unwrap().ends_with('1');
        let token = headers["authorization"].to_str().unwrap().to_owned();
        taken.lock().unwrap().push((token, body));
        if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::ACCEPTED }
    }
    let taken = Taken::default();
    let router = Router::new().route("/send", post(take)).with_state(taken.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, taken)
}

/// The newest message once it is in this state.
async fn settled(stack: &Stack, state: &str) -> Value {
    for _ in 0..200 {
        let list = stack.get("Meera", "/core/outbox?limit=1").await;
        if list.body["messages"][0]["state"] == state {
            return list.body["messages"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no message is {state}");
}

#[tokio::test]
async fn with_a_gateway_messages_are_posted_and_their_state_is_shown() {
    let (address, taken) = gateway().await;
    let sms = |allow_local| SmsGateway {
        url: format!("http://{address}/send"),
        from: "Lantern".to_owned(),
        token: "hush".to_owned(),
        allow_local,
    };
    let stack = Stack::start_with(|config| {
        config.sms = Some(sms(true));
        config.limits.off = true;
    })
    .await;
    let asha = stack.user("Asha").uuid;
    let mobile = async |stack: &Stack, number: &str| {
        let number = number.parse().unwrap();
        stack.store().await.set_mobile(AccountId::demo(1), asha, Some(&number)).await.unwrap();
    };

    // No number is known.
    link(&stack).await;
    settled(&stack, "held").await;
    mobile(&stack, "+447700900100").await;
    link(&stack).await;
    let sent = settled(&stack, "sent").await;
    let (token, body) = taken.lock().unwrap().remove(0);
    assert_eq!(token, "Bearer hush");
    assert_eq!(body, json!({"to": "+447700900100", "from": "Lantern", "text": sent["text"], "id": sent["id"]}));
    mobile(&stack, "+447700900101").await;
    link(&stack).await;
    assert_eq!(settled(&stack, "failed").await["error"], "the gateway answered 422");

    // Unless it is said to be local, nothing on this machine is ever asked.
    let asked = taken.lock().unwrap().len();
    let stack = Stack::start_with(|config| config.sms = Some(sms(false))).await;
    mobile(&stack, "+447700900100").await;
    link(&stack).await;
    assert!(settled(&stack, "failed").await["error"].as_str().unwrap().contains("private network"));
    assert_eq!(taken.lock().unwrap().len(), asked);
}
