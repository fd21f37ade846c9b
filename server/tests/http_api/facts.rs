//! The facts beside the toggle.

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::json;

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn a_pause_is_locked_and_the_last_toggle_counts_when_it_ends() {
    let stack = Stack::unlimited().await;
    let pause = stack.of("Asha", "pause");

    let paused = stack.ask("Meera", Method::PUT, &pause, &json!({"reason": "stock take"})).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert_eq!(paused.body["changed_facts"], json!(["pause"]));
    assert_eq!(paused.body["effective"]["blocked_by"][0], "paused");
    assert_eq!(paused.body["facts"]["pause"]["reason"], "stock take");
    assert_eq!(paused.headers[ETAG], format!("\"{}\"", paused.body["version"].as_str().unwrap()));
    assert!(paused.headers.contains_key("request-id"));

    // Stored, not refused.
    let away = stack.toggle("Asha", "Asha", 0).await;
    assert_eq!((away.status.as_u16(), &away.body["effective"]["verdict"]), (200, &json!("paused")));
    let cookie = stack.sign_in("Asha").await;
    for method in [Method::PUT, Method::DELETE] {
        let refused = send(with_json(stack.by_cookie(&cookie, method, &pause), &json!({"reason": "x"}))).await;
        refused.problem(403, "missing-right");
    }
    stack
        .ask("Meera", Method::PUT, &stack.of("Meera", "pause"), &json!({"reason": "x"}))
        .await
        .problem(403, "missing-right");
    for (body, pointer) in
        [(json!({}), "/reason"), (json!({"reason": " "}), "/reason"), (json!({"reason": 7}), "/reason")]
    {
        let refused = stack.ask("Meera", Method::PUT, &pause, &body).await;
        assert_eq!(refused.problem(422, "invalid-field")["pointer"], pointer, "{body}");
    }
    let late = stack.ask("Meera", Method::PUT, &pause, &json!({"reason": "x", "until": "2001-01-01T00:00:00Z"})).await;
    assert_eq!(late.problem(422, "invalid-until")["pointer"], "/until");

    let lifted = stack.delete("Meera", &pause).await;
    assert_eq!((lifted.status.as_u16(), &lifted.body["effective"]["verdict"]), (200, &json!("away")));
    let again = stack.delete("Meera", &pause).await;
    assert_eq!((&again.body["changed"], &again.body["version"]), (&json!(false), &lifted.body["version"]));
}

#[tokio::test]
async fn a_manager_pauses_their_own_people_only() {
    let stack = Stack::unlimited().await;
    let cookie = stack.sign_in("Luis").await;
    let pause = async |name: &str| {
        let request = stack.by_cookie(&cookie, Method::PUT, &stack.of(name, "pause"));
        send(with_json(request, &json!({"reason": "training"}))).await
    };

    assert_eq!(pause("Tom").await.status, 200);
    pause("Meera").await.problem(403, "missing-right");
    pause("Luis").await.problem(403, "missing-right");
    // Luis's API token does not carry the right, and the sentence says that it is the token.
    let refused = stack.ask("Luis", Method::PUT, &stack.of("Tom", "pause"), &json!({"reason": "x"})).await;
    let problem = refused.problem(403, "missing-right");
    assert_eq!(problem["right"], "pause:write");
    assert!(problem["detail"].as_str().unwrap().contains("This token does not carry the right pause:write."));
}

#[tokio::test]
async fn do_not_disturb_is_the_persons_own_and_an_admin_may_end_it() {
    let stack = Stack::unlimited().await;
    let dnd = stack.of("Asha", "dnd");

    // A body may be left out.
    let set = send(stack.by_token("Asha", Method::PUT, &dnd)).await;
    assert_eq!((set.status.as_u16(), &set.body["effective"]["verdict"]), (200, &json!("dnd")));
    let others = stack.ask("Meera", Method::PUT, &stack.of("Riya", "dnd"), &json!({})).await;
    assert!(others.problem(403, "missing-right")["detail"].as_str().unwrap().starts_with("Only Riya Sen"));
    stack.delete("Riya", &dnd).await.problem(403, "missing-right");
    stack.delete("Luis", &dnd).await.problem(403, "missing-right");

    let ended = stack.delete("Meera", &dnd).await;
    assert_eq!((ended.status.as_u16(), &ended.body["facts"]["dnd"]), (200, &json!(null)));
}

#[tokio::test]
async fn only_the_own_hand_or_that_very_right_lifts_an_opt_out() {
    let stack = Stack::unlimited().await;
    let path = stack.of("Asha", "opt-out");
    let cookie = stack.sign_in("Asha").await;
    let opt_out =
        || send(with_json(stack.by_cookie(&cookie, Method::PUT, &path), &json!({"reason": "maternity leave"})));
    let out = opt_out().await;
    assert_eq!((out.status.as_u16(), &out.body["effective"]["verdict"]), (200, &json!("opted_out")));
    let ends =
        send(with_json(stack.by_cookie(&cookie, Method::PUT, &path), &json!({"until": "2999-01-01T00:00:00Z"}))).await;
    assert_eq!(ends.problem(422, "invalid-field")["pointer"], "/until");
    stack.ask("Asha", Method::PUT, &path, &json!({})).await.problem(403, "missing-right");

    // A calendar sync must not undo it.
    let sync = stack.token("Meera", &["presence:write:any"]).await;
    let state = |token: String| {
        send(with_json(
            stack.request(Method::POST, &stack.presence_path("Asha")).bearer_auth(token),
            &json!({"state": 1}),
        ))
    };
    let synced = state(sync).await;
    assert_eq!((synced.status.as_u16(), &synced.body["effective"]["verdict"]), (200, &json!("opted_out")));
    let entrusted = stack.token("Meera", &["presence:write:any", "opt-out:write"]).await;
    let lifted = state(entrusted).await;
    assert_eq!(lifted.body["changed_facts"], json!(["opt_out"]), "{}", lifted.body);

    opt_out().await;
    stack.toggle("Meera", "Asha", 0).await;
    let own = stack.toggle("Asha", "Asha", 1).await;
    assert_eq!(own.body["changed_facts"], json!(["opt_out", "toggle"]));

    opt_out().await;
    let resumed = stack.delete("Meera", &path).await;
    assert_eq!((resumed.status.as_u16(), &resumed.body["facts"]["opt_out"]), (200, &json!(null)));
}

#[tokio::test]
async fn slots_are_set_by_who_answers_and_shown_as_days() {
    let stack = Stack::unlimited().await;
    let path = stack.of("Asha", "slots");
    let hours = json!({"zone": "Europe/London", "open": [{"days": ["fri", "sat"], "from": "22:00", "to": "02:00"}]});

    let set = stack.ask("Meera", Method::PUT, &path, &hours).await;

    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(set.body["slots"]["open"][0]["from"], "22:00");
    assert_eq!(set.headers[ETAG], format!("\"{}\"", set.body["version"].as_str().unwrap()));
    // The night the clocks go forward: 22:00 to 02:00 is four hours, the last of which is skipped.
    let shown = stack.get("Asha", &format!("{path}?date=2027-03-26")).await;
    assert_eq!(
        shown.body["preview"],
        json!([
            {"from": "2027-03-26T22:00:00.000Z", "to": "2027-03-27T02:00:00.000Z"},
            {"from": "2027-03-27T22:00:00.000Z", "to": "2027-03-28T01:00:00.000Z"}
        ]),
        "{}",
        shown.body
    );
    stack.get("Asha", &format!("{path}?date=tomorrow")).await.problem(400, "invalid-request");
    let cookie = stack.sign_in("Asha").await;
    send(with_json(stack.by_cookie(&cookie, Method::PUT, &path), &hours)).await.problem(403, "missing-right");
    let bad = stack.ask("Meera", Method::PUT, &path, &json!({"zone": "Mars/Olympus", "open": []})).await;
    assert_eq!(bad.problem(422, "invalid-field")["pointer"], "/zone");
    let many = json!({"open": vec![json!({"days": ["mon"], "from": "09:00", "to": "10:00"}); 10_000]});
    assert_eq!(stack.ask("Meera", Method::PUT, &path, &many).await.problem(422, "invalid-field")["pointer"], "/open");
    let time = json!({"open": [{"days": ["mon"], "from": "9:00", "to": "10:00"}]});
    assert_eq!(
        stack.ask("Meera", Method::PUT, &path, &time).await.problem(422, "invalid-field")["pointer"],
        "/open/0/from"
    );

    let always = stack.ask("Meera", Method::PUT, &path, &json!({})).await;
    assert_eq!(always.body["slots"], json!({"zone": "Asia/Kolkata", "open": []}));
}

#[tokio::test]
async fn working_outside_the_slots_needs_the_accounts_leave() {
    let stack = Stack::unlimited().await;
    let path = stack.of("Asha", "work-anyway");
    let now = cordboard_server::clock::Clock::now(&cordboard_server::clock::SystemClock);
    let until = json!({"until": now + 3_600_000});
    stack.ask("Asha", Method::PUT, &path, &until).await.problem(403, "missing-right");

    let mut policy = stack.get("Meera", "/core/policy").await.body;
    policy["settings"]["reach"]["work_outside_slots"] = json!(true);
    assert_eq!(stack.ask("Meera", Method::PUT, "/core/policy", &policy).await.status, 200);

    assert_eq!(stack.ask("Asha", Method::PUT, &path, &until).await.body["changed_facts"], json!(["work_anyway"]));
    stack.ask("Riya", Method::PUT, &path, &until).await.problem(403, "missing-right");
    assert_eq!(stack.delete("Asha", &path).await.body["changed"], true);
}

#[tokio::test]
async fn conditions_hold_for_every_fact() {
    let stack = Stack::unlimited().await;
    let old = stack.get("Asha", &stack.presence_path("Asha")).await.headers[ETAG].clone();
    stack.toggle("Asha", "Asha", 0).await;

    for (place, body) in [("pause", json!({"reason": "x"})), ("opt-out", json!({})), ("slots", json!({"open": []}))] {
        let request = stack.by_token("Meera", Method::PUT, &stack.of("Asha", place)).header(IF_MATCH, &old);
        send(with_json(request, &body)).await.problem(412, "version-mismatch");
        let request = stack.by_token("Meera", Method::PUT, &stack.of("Asha", place)).header(IF_MATCH, "soon");
        send(with_json(request, &body)).await.problem(400, "invalid-request");
    }
    let request = stack.by_token("Meera", Method::DELETE, &stack.of("Asha", "pause")).header(IF_MATCH, &old);
    send(request).await.problem(412, "version-mismatch");
}
