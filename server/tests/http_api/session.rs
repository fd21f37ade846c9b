//! `/core/session` and tokens.

use std::time::Instant;

use reqwest::Method;
use reqwest::header::{ORIGIN, SET_COOKIE};
use serde_json::json;

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn a_sign_in_says_who_one_is_until_one_signs_out() {
    let stack = Stack::start(0).await;
    let user = stack.user("Asha");

    let answer = stack.try_sign_in(&user.email.to_uppercase(), &user.password).await;
    let cookie = answer.headers[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(cookie.contains("; Path=/;"), "{cookie}");
    assert!(!cookie.contains("Secure"), "loopback is no TLS: {cookie}");
    assert_eq!(answer.body["user"]["name"], "Asha Rao");
    assert_eq!(answer.body["account"], "Lantern Travel");
    assert_eq!(answer.body["zone"], "Asia/Kolkata");

    let cookie = stack.sign_in("Asha").await;
    let shown = send(stack.by_cookie(&cookie, Method::GET, "/core/session")).await;
    assert_eq!(shown.body["user"]["email"], user.email);
    send(stack.request(Method::DELETE, "/core/session").header("cookie", &cookie)).await.problem(403, "foreign-origin");
    assert_eq!(send(stack.by_cookie(&cookie, Method::DELETE, "/core/session")).await.status, 204);
    send(stack.by_cookie(&cookie, Method::GET, "/core/session")).await.problem(401, "signed-out");
    send(stack.by_cookie(&cookie, Method::GET, "/core/calls")).await.problem(401, "signed-out");
    send(stack.request(Method::GET, "/core/session")).await.problem(401, "signed-out");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_look_the_same() {
    let stack = Stack::start(0).await;
    let email = stack.user("Asha").email.clone();

    let started = Instant::now();
    let wrong = stack.try_sign_in(&email, "wrong").await;
    let of_wrong = started.elapsed();
    let started = Instant::now();
    let unknown = stack.try_sign_in("nobody@lantern.example", "wrong").await;
    let of_unknown = started.elapsed();

    wrong.problem(401, "wrong-credentials");
    unknown.problem(401, "wrong-credentials");
    assert_eq!(wrong.body["detail"], unknown.body["detail"]);
    assert!(!wrong.headers.contains_key(SET_COOKIE));
    // The same hash is computed for both; a generous factor, since the machine may be busy.
    assert!(of_unknown * 20 > of_wrong, "{of_unknown:?} against {of_wrong:?}");
}

#[tokio::test]
async fn guessing_is_stopped_after_ten_and_right_passwords_do_not_count() {
    let stack = Stack::start(0).await;
    for _ in 0..12 {
        stack.sign_in("Asha").await;
    }
    let mut stopped = None;
    for guess in 0..12 {
        let answer = stack.try_sign_in("riya@lantern.example", "wrong").await;
        if answer.status == 429 {
            stopped = Some((guess, answer));
            break;
        }
    }

    let (guess, answer) = stopped.expect("guessing is stopped");
    assert!(guess >= 10, "{guess}");
    answer.problem(429, "rate-limited");
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    // The right one is refused, too: the guesser must not learn which it was.
    let user = stack.user("Riya");
    stack.try_sign_in(&user.email, &user.password).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn signing_in_from_a_foreign_page_or_with_a_wrong_body_is_refused() {
    let stack = Stack::start(0).await;
    let user = stack.user("Asha");
    let body = json!({ "email": user.email, "password": user.password });
    let foreign = stack.request(Method::POST, "/core/session").header(ORIGIN, "https://evil.example");

    send(with_json(foreign, &body)).await.problem(403, "foreign-origin");
    let post = || stack.request(Method::POST, "/core/session");
    send(with_json(post(), &json!({ "email": 1 }))).await.problem(422, "invalid-field");
    send(post().body("email=a")).await.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn the_panels_token_for_the_edge_ends_with_the_sign_in() {
    let stack = Stack::start(0).await;
    let cookie = stack.sign_in("Asha").await;
    let made = send(stack.by_cookie(&cookie, Method::POST, "/core/session/token")).await;
    let token = made.body["token"].as_str().unwrap().to_owned();
    let path = stack.presence_path("Asha");
    let read = || send(stack.request(Method::GET, &path).bearer_auth(&token));

    assert_eq!(read().await.status, 200);
    send(stack.by_cookie(&cookie, Method::DELETE, "/core/session")).await;
    read().await.problem(401, "invalid-token");
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_and_a_token_without_the_scope_is_refused() {
    let stack = Stack::start(0).await;
    let path = stack.presence_path("Asha");
    let token = &stack.user("Asha").api_token;
    let claims = stack_claims(token);

    // A demo agent's token holds presence and calls, not the policy.
    stack.get("Asha", "/core/users").await.problem(403, "missing-right");
    assert_eq!(stack.get("Asha", &path).await.status, 200);
    stack.store().await.revoke_token(claims.parse().unwrap(), cordboard_shared::Millis(1)).await.unwrap();
    stack.get("Asha", &path).await.problem(401, "invalid-token");
}

#[tokio::test]
async fn what_the_disk_shows_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let stack = Stack::start(0).await;
    for (name, mode) in [("", 0o700), ("keys", 0o700), ("keys/token.key", 0o600), ("demo.json", 0o600)] {
        let found = std::fs::metadata(stack.data_dir().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    let database = std::fs::read(stack.data_dir().join("cordboard.sqlite")).unwrap();
    let log = std::fs::read(stack.data_dir().join("cordboard.sqlite-wal")).unwrap();
    for user in &stack.demo.users {
        for secret in [user.password.as_bytes(), user.api_token.as_bytes()] {
            let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!holds(&database) && !holds(&log), "a secret of {} is in the database", user.name);
        }
    }
}

/// `tid` of a token.
fn stack_claims(token: &str) -> String {
    use base64::Engine as _;

    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims["tid"].as_str().unwrap().to_owned()
}
