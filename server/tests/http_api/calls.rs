//! The call log, its decisions, recordings and the policy.

use std::collections::BTreeSet;

use cordboard_server::store::{Batch, RecordingRow};
use cordboard_shared::Millis;
use cordboard_shared::call::RecordingKind;
use cordboard_shared::id::{AccountId, CallId, RecordingId};
use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, RANGE};

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn the_log_is_read_page_by_page_newest_first() {
    let stack = Stack::start(5).await;

    let mut starts = Vec::new();
    let mut uids = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = stack.get("Meera", &format!("/core/calls?limit=40&cursor={cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for call in page.body["calls"].as_array().unwrap() {
            starts.push(call["started_at"].as_str().unwrap().to_owned());
            assert!(uids.insert(call["uid"].as_str().unwrap().to_owned()));
        }
        match page.body["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }

    assert!(starts.len() > 60, "{}", starts.len());
    assert!(starts.is_sorted_by(|newer, older| newer >= older));
    for wrong in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=%ff"] {
        stack.get("Meera", &format!("/core/calls?{wrong}")).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn agents_see_their_own_calls_and_their_departments_only() {
    let stack = Stack::start(5).await;
    let seen = async |name: &str| -> BTreeSet<String> {
        let page = stack.get(name, "/core/calls?limit=200").await;
        page.body["calls"].as_array().unwrap().iter().map(|call| call["uid"].as_str().unwrap().to_owned()).collect()
    };

    let (all, tom) = (seen("Farah").await, seen("Tom").await);
    assert!(!tom.is_empty() && tom.is_subset(&all) && tom.len() < all.len());
    let hidden = all.difference(&tom).next().unwrap();
    stack.get("Tom", &format!("/core/calls/{hidden}")).await.problem(404, "not-found");
    stack.get("Tom", &format!("/core/calls/{hidden}/decisions")).await.problem(404, "not-found");
    let own = tom.first().unwrap();
    assert_eq!(stack.get("Tom", &format!("/core/calls/{own}")).await.body["uid"], **own);
    stack.get("Farah", "/core/calls/01M7WCQVPJ0000000000000000").await.problem(404, "not-found");
    stack.get("Farah", "/core/calls/x").await.problem(404, "not-found");
}

#[tokio::test]
async fn decisions_name_every_member_once() {
    let stack = Stack::start(3).await;
    let page = stack.get("Meera", "/core/calls?limit=200").await;
    let calls = page.body["calls"].as_array().unwrap();
    let support = stack.demo.departments.iter().find(|department| department.slug == "support").unwrap();
    let call = calls.iter().find(|call| call["department"] == support.uuid.to_string()).unwrap();
    let uid = call["uid"].as_str().unwrap();

    let answer = stack.get("Meera", &format!("/core/calls/{uid}/decisions")).await;

    assert_eq!(answer.body["call"], uid);
    let members = answer.body["decisions"][0]["members"].as_array().unwrap();
    let names: Vec<_> = members.iter().map(|member| member["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Asha Rao", "Riya Sen", "Dev Patel", "Ken Mori"]);
    assert!(members.iter().all(|member| member["reason"].is_string()));
}

#[tokio::test]
async fn a_recording_is_heard_whole_or_in_part_by_who_may_see_its_call() {
    let stack = Stack::start(3).await;
    let page = stack.get("Meera", "/core/calls?limit=200").await;
    let sales = stack.demo.departments.iter().find(|department| department.slug == "sales").unwrap();
    let calls = page.body["calls"].as_array().unwrap();
    let call = calls.iter().find(|call| call["department"] == sales.uuid.to_string()).unwrap();
    let content: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let folder = stack.data_dir().join("recordings/2026");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wav"), &content).unwrap();
    let row = |last: u16, path: &str| RecordingRow {
        id: RecordingId::demo(last),
        call: call["uid"].as_str().unwrap().parse::<CallId>().unwrap(),
        kind: RecordingKind::Voicemail,
        mailbox: None,
        path: path.to_owned(),
        ms: 100,
        bytes: 1_000,
        sha256: "ab".repeat(32),
        at: Millis(1),
    };
    let recordings = vec![row(1, "2026/a.wav"), row(2, "../demo.json"), row(3, "2026/gone.wav")];
    let batch = Batch { account: AccountId::demo(1), recordings, ..Batch::default() };
    stack.store().await.commit(&batch).await.unwrap();
    let path = |last: u16| format!("/core/recordings/{}", RecordingId::demo(last));

    let whole = stack.by_token("Tom", Method::GET, &path(1)).send().await.unwrap();
    assert_eq!(whole.headers()[CONTENT_TYPE], "audio/wav");
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.bytes().await.unwrap(), content);

    let part = stack.by_token("Tom", Method::GET, &path(1)).header(RANGE, "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()[CONTENT_RANGE], "bytes 10-19/1000");
    assert_eq!(part.bytes().await.unwrap(), content[10..20]);
    let beyond = stack.by_token("Tom", Method::GET, &path(1)).header(RANGE, "bytes=1000-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()[CONTENT_RANGE], "bytes */1000");

    stack.get("Asha", &path(1)).await.problem(404, "not-found");
    send(stack.request(Method::GET, &path(1))).await.problem(401, "invalid-token");
    for missing in [2, 3, 4] {
        stack.get("Farah", &path(missing)).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn the_policy_is_read_as_lists_and_one_by_one() {
    let stack = Stack::start(0).await;
    for (list, count) in [("users", 9), ("departments", 2), ("numbers", 3), ("flows", 1), ("trunks", 1)] {
        let answer = stack.get("Farah", &format!("/core/{list}")).await;
        let items = answer.body[list].as_array().unwrap();
        assert_eq!(items.len(), count, "{list}");
        let id = items[0]["id"].as_str().unwrap();
        let one = stack.get("Farah", &format!("/core/{list}/{id}")).await.body;
        // A person's own resource tells an admin more than the list tells everybody.
        let listed = items[0].as_object().unwrap();
        // The list of flows says who edits and publishes them, and leaves their nodes to the flow itself.
        let told = |name: &str| list != "flows" || one.get(name).is_some();
        assert!(listed.iter().filter(|(name, _)| told(name)).all(|(name, value)| one[name] == *value), "{one}");
        stack.get("Farah", &format!("/core/{list}/nothing")).await.problem(404, "not-found");
    }
    assert_eq!(stack.get("Farah", "/core/flows/main").await.body["slug"], "main");
    let users = stack.get("Farah", "/core/users").await.body.to_string();
    assert!(!users.contains("password") && !users.contains("argon2"));
}

#[tokio::test]
async fn a_test_call_is_refused_to_a_number_that_is_not_ours() {
    let stack = Stack::start(0).await;
    let cookie = stack.sign_in("Asha").await;
    let place = async |to: serde_json::Value| {
        let request = stack.by_cookie(&cookie, Method::POST, "/core/test-calls");
        send(with_json(request, &serde_json::json!({ "to": to }))).await
    };

    assert!(place("+15550100000".into()).await.status.is_client_error());
    place("0044".into()).await.problem(422, "invalid-field");
    place(7.into()).await.problem(422, "invalid-field");
    let placed = place("+442079460102".into()).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    assert!(placed.body["uid"].as_str().unwrap().parse::<CallId>().is_ok());
}

#[tokio::test]
async fn a_call_of_ones_own_needs_the_right_a_number_that_may_be_called_and_a_device() {
    let stack = Stack::start(0).await;
    let to = |number: &str| serde_json::json!({ "to": number });
    let by_token = with_json(stack.by_token("Asha", Method::POST, "/core/calls"), &to("22"));
    send(by_token).await.problem(403, "missing-right");
    let cookie = stack.sign_in("Asha").await;
    let place = async |body: serde_json::Value| {
        send(with_json(stack.by_cookie(&cookie, Method::POST, "/core/calls"), &body)).await
    };

    place(to("22")).await.problem(403, "not-allowed");
    place(to("sip:22@192.0.2.9")).await.problem(422, "invalid-field");
    place(serde_json::json!({ "to": "22", "agent": "somebody" })).await.problem(422, "invalid-field");
    let calls = stack.get("Farah", "/core/calls").await.body;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 0, "nothing was begun");
}
