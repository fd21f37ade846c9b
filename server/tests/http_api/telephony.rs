//! Telephony settings, phone passwords and numbers.

use cordboard_shared::id::{AccountId, AgentId, NumberId, TrunkId};
use md5::{Digest as _, Md5};
use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn settings_are_one_document_with_a_version_and_secrets_that_never_come_back() {
    let stack = Stack::unlimited().await;
    stack.get("Asha", "/core/telephony").await.problem(403, "missing-right");
    let read = stack.get("Meera", "/core/telephony").await;
    assert_eq!(read.status, 200, "{}", read.body);
    let version = read.body["version"].as_u64().unwrap();
    assert_eq!(read.headers[ETAG], format!("\"{version}\""));
    assert_eq!(read.body["phones"].as_array().unwrap().len(), 2);

    let trunk = stack.get("Meera", "/core/trunks").await.body["trunks"][0]["id"].as_str().unwrap().to_owned();
    let _: TrunkId = trunk.parse().unwrap();
    let mut next = read.body.clone();
    next["outbound"] = json!([{
        "trunk": trunk, "targets": ["127.0.0.1:5080"], "options_seconds": 0,
        "credentials": { "username": "lantern", "password": "hush-hush" },
    }]);
    next["guard"]["prefixes"] = json!(["+44"]);
    let set = stack.ask("Meera", Method::PUT, "/core/telephony", &next).await;
    assert_eq!((set.status.as_u16(), set.body["version"].as_u64()), (200, Some(version + 1)), "{}", set.body);
    assert!(!set.body.to_string().contains("hush-hush"));

    let stale = stack.ask("Meera", Method::PUT, "/core/telephony", &next).await;
    assert_eq!(stale.problem(412, "version-mismatch")["current"], version + 1);
    // An empty password keeps the one that is there.
    let again = stack.ask("Meera", Method::PUT, "/core/telephony", &set.body).await;
    assert_eq!(again.body["version"], version + 1, "the same settings are no change");
    let kept = stack.store().await.telephony(AccountId::demo(1)).await.unwrap();
    assert_eq!(kept.outbound[0].credentials.as_ref().unwrap().password, "hush-hush");

    let mut wrong = set.body.clone();
    wrong["silence_seconds"] = json!(1);
    wrong["phones"][1]["username"] = json!("1001");
    let refused = stack.ask("Meera", Method::PUT, "/core/telephony", &wrong).await;
    let problem = refused.problem(422, "invalid-field");
    assert_eq!(
        (problem["pointer"].as_str(), problem["findings"].as_array().unwrap().len()),
        (Some("/phones/1/username"), 2)
    );

    let mut trunks = set.body.clone();
    trunks["trunks"][0]["credentials"] = json!({ "username": "carrier", "password": "hush-too" });
    let set = stack.ask("Meera", Method::PUT, "/core/telephony", &trunks).await;
    assert_eq!(set.body["trunks"][0]["credentials"], json!({ "username": "carrier", "password": "" }), "{}", set.body);
    assert!(!stack.get("Meera", "/core/trunks").await.body.to_string().contains("hush-too"));
    trunks["trunks"] = json!([]);
    trunks["version"] = set.body["version"].clone();
    let needed = stack.ask("Meera", Method::PUT, "/core/telephony", &trunks).await;
    assert_eq!(needed.problem(422, "invalid-field")["pointer"], "/trunks", "numbers come by it");

    let status = stack.get("Meera", "/core/telephony/status").await.body;
    assert_eq!(
        (&status["trunks"][0]["state"], &status["phones"][0]["has_password"]),
        (&json!("unknown"), &json!(true))
    );
    assert!(!status["changed_by"]["name"].as_str().unwrap().is_empty());

    let stack = stack.restart().await;
    let read = stack.get("Meera", "/core/telephony").await.body;
    assert_eq!((read["version"].as_u64(), &read["guard"]["prefixes"]), (Some(version + 2), &json!(["+44"])));
    assert_eq!(read["trunks"][0]["credentials"]["username"], "carrier");
}

#[tokio::test]
async fn a_phones_password_is_shown_once_and_kept_as_digests() {
    let stack = Stack::unlimited().await;
    let path = "/core/phones/1001/password";
    send(stack.by_token("Asha", Method::POST, path)).await.problem(403, "missing-right");
    send(stack.by_token("Meera", Method::POST, "/core/phones/4711/password")).await.problem(404, "not-found");
    let made = send(stack.by_token("Meera", Method::POST, path)).await;
    assert_eq!(made.status, 201);
    let (password, realm) = (made.body["password"].as_str().unwrap(), made.body["realm"].as_str().unwrap());

    let user = stack.store().await.sip_users(AccountId::demo(1)).await.unwrap().remove("1001").unwrap();
    let digest = Md5::digest(format!("1001:{realm}:{password}"));
    let hex: String = digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from_digit(half.into(), 16).unwrap())
        .collect();
    assert_eq!((user.ha1_md5, user.agent), (Some(hex), AgentId::demo(0x23)));
    let database = std::fs::read(stack.data_dir().join("cordboard.sqlite")).unwrap();
    assert!(!database.windows(password.len()).any(|window| window == password.as_bytes()));

    let mut settings = stack.get("Meera", "/core/telephony").await.body;
    settings["phones"].as_array_mut().unwrap().remove(0);
    assert_eq!(stack.ask("Meera", Method::PUT, "/core/telephony", &settings).await.status, 200);
    let users = stack.store().await.sip_users(AccountId::demo(1)).await.unwrap();
    assert_eq!(users.into_keys().collect::<Vec<_>>(), ["1002"], "a phone that is gone has no password");
}

#[tokio::test]
async fn a_number_leads_elsewhere_from_the_next_call_on() {
    let stack = Stack::unlimited().await;
    let numbers = stack.get("Meera", "/core/numbers").await.body;
    let id: NumberId = numbers["numbers"][1]["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/core/numbers/{id}");
    let edit = json!({ "goes_to": "flow:main", "label": "Hotline" });
    stack.ask("Asha", Method::PUT, &path, &edit).await.problem(403, "missing-right");
    let edited = stack.ask("Meera", Method::PUT, &path, &edit).await;
    assert_eq!((edited.status.as_u16(), &edited.body["goes_to"]), (200, &json!("flow:main")), "{}", edited.body);
    assert_eq!(stack.get("Meera", &path).await.body["label"], "Hotline");
    let flows = stack.get("Meera", "/core/flows").await.body;
    assert_eq!(flows["flows"][0]["numbers"].as_array().unwrap().len(), 2, "two numbers share a flow");

    let tag = edited.headers[ETAG].to_str().unwrap().to_owned();
    let conditional = |tag: &str, body: &Value| {
        with_json(stack.by_token("Meera", Method::PUT, &path), body).header(IF_MATCH, tag.to_owned())
    };
    assert_eq!(send(conditional(&tag, &json!({ "label": "Desk" }))).await.status, 200);
    send(conditional(&tag, &json!({ "label": "Late" }))).await.problem(412, "version-mismatch");
    for wrong in ["flow:moon", "department:moon", "extension:99"] {
        let refused = stack.ask("Meera", Method::PUT, &path, &json!({ "goes_to": wrong })).await;
        assert_eq!(refused.problem(422, "invalid-field")["pointer"], "/goes_to");
    }
    let missing = format!("/core/numbers/{}", NumberId::demo(0x99));
    stack.ask("Meera", Method::PUT, &missing, &json!({})).await.problem(404, "not-found");

    let stack = stack.restart().await;
    assert_eq!(stack.get("Meera", &path).await.body["goes_to"], "flow:main");
}
