//! Call flows from draft to live and back.

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

use crate::stack::{Stack, send, with_json};

#[tokio::test]
async fn a_flow_is_drafted_checked_published_and_restored() {
    let stack = Stack::unlimited().await;
    stack.get("Asha", "/core/flows/main").await.problem(403, "missing-right");
    let live = stack.get("Meera", "/core/flows/main").await.body;
    assert_eq!((live["version"].as_u64(), live["state"].as_str()), (Some(1), Some("published")));
    let path = format!("/core/flows/{}", live["id"].as_str().unwrap());
    let draft = format!("{path}/draft");
    stack.get("Asha", &draft).await.problem(403, "missing-right");
    let read = stack.get("Meera", &draft).await;
    assert_eq!((read.body["revision"].as_u64(), read.body["findings"].as_array().unwrap().len()), (Some(0), 0));

    // A mistake can be saved, and is not published.
    let mut flow = read.body["flow"].clone();
    flow["nodes"]["menu"]["keys"]["3"] = json!("moon");
    let saved = stack.ask("Meera", Method::PUT, &draft, &flow).await;
    assert_eq!((saved.status.as_u16(), saved.body["revision"].as_u64()), (200, Some(1)), "{}", saved.body);
    assert_eq!(saved.body["findings"][0]["pointer"], "/nodes/menu/keys/3");
    let refused = send(stack.by_token("Meera", Method::POST, &format!("{path}/publish"))).await;
    assert_eq!(refused.problem(422, "invalid-field")["findings"][0]["error"], true);
    assert_eq!(stack.get("Meera", "/core/flows/main").await.body["version"], 1);

    flow["nodes"]["moon"] = json!({ "type": "message", "audio": "audio:goodbye", "next": null });
    let stale = with_json(stack.by_token("Meera", Method::PUT, &draft), &flow).header(IF_MATCH, "\"0\"");
    send(stale).await.problem(412, "version-mismatch");
    let fresh = with_json(stack.by_token("Meera", Method::PUT, &draft), &flow).header(IF_MATCH, "\"1\"");
    let saved = send(fresh).await;
    assert_eq!((saved.status.as_u16(), saved.headers[ETAG].to_str().unwrap()), (200, "\"2\""));
    let preview = json!({ "inputs": [{ "key": "3" }] });
    let seen = stack.ask("Meera", Method::POST, &format!("{path}/preview"), &preview).await.body;
    assert_eq!((&seen["steps"][1]["node"], &seen["ends"]), (&json!("moon"), &json!("The call ends.")), "{seen}");

    let note = json!({ "note": "The moon is open" });
    let published = stack.ask("Meera", Method::POST, &format!("{path}/publish"), &note).await;
    assert_eq!((published.status.as_u16(), &published.body["version"]), (200, &json!(2)), "{}", published.body);
    assert_eq!(stack.get("Farah", "/core/flows/main").await.body["nodes"]["moon"]["type"], "message");
    assert_eq!(stack.get("Meera", &draft).await.body["revision"], 0, "the draft is live now");
    let versions = stack.get("Meera", &format!("{path}/versions")).await.body;
    let seen: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|it| (&it["version"], &it["live"])).collect();
    assert_eq!(seen, [(&json!(2), &json!(true)), (&json!(1), &json!(false))]);
    assert_eq!(versions["versions"][0]["note"], "The moon is open");

    let restored = send(stack.by_token("Meera", Method::POST, &format!("{path}/versions/1/restore"))).await;
    assert_eq!((restored.status.as_u16(), &restored.body["version"]), (200, &json!(3)), "{}", restored.body);
    assert_eq!(restored.body["nodes"]["moon"], Value::Null);
    stack.get("Meera", &format!("{path}/versions/9")).await.problem(404, "not-found");

    let stack = stack.restart().await;
    assert_eq!(stack.get("Meera", "/core/flows/main").await.body["version"], 3);
}

#[tokio::test]
async fn a_new_flow_is_a_draft_that_can_be_thrown_away_and_a_live_one_is_switched_off() {
    let stack = Stack::unlimited().await;
    let new = json!({ "slug": "night", "name": "Night" });
    stack.ask("Asha", Method::POST, "/core/flows", &new).await.problem(403, "missing-right");
    let made = stack.ask("Meera", Method::POST, "/core/flows", &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/core/flows/{}", made.body["flow"]["id"].as_str().unwrap());
    stack.ask("Meera", Method::POST, "/core/flows", &new).await.problem(409, "in-use");
    stack.get("Meera", &path).await.problem(404, "not-found");
    let listed = |answer: Value| answer["flows"].as_array().unwrap().len();
    assert_eq!(listed(stack.get("Meera", "/core/flows").await.body), 2);
    stack.get("Asha", "/core/flows").await.problem(403, "missing-right");
    assert_eq!(stack.delete("Meera", &format!("{path}/draft")).await.status, 204);
    assert_eq!(listed(stack.get("Meera", "/core/flows").await.body), 1);
    stack.delete("Meera", &format!("{path}/draft")).await.problem(404, "not-found");

    let copy =
        json!({ "slug": "copy", "name": "Copy", "copy_of": stack.get("Meera", "/core/flows/main").await.body["id"] });
    let made = stack.ask("Meera", Method::POST, "/core/flows", &copy).await.body;
    let path = format!("/core/flows/{}", made["flow"]["id"].as_str().unwrap());
    let published = send(stack.by_token("Meera", Method::POST, &format!("{path}/publish"))).await;
    assert_eq!((published.status.as_u16(), &published.body["version"]), (200, &json!(1)), "{}", published.body);
    let off = send(stack.by_token("Meera", Method::POST, &format!("{path}/disable"))).await;
    assert_eq!(off.body["state"], "disabled");
    let numbers = stack.get("Meera", "/core/numbers").await.body;
    let number = format!("/core/numbers/{}", numbers["numbers"][0]["id"].as_str().unwrap());
    let edit = json!({ "goes_to": "flow:copy" });
    stack.ask("Meera", Method::PUT, &number, &edit).await.problem(422, "invalid-field");
    assert_eq!(send(stack.by_token("Meera", Method::POST, &format!("{path}/enable"))).await.body["state"], "published");
    assert_eq!(stack.ask("Meera", Method::PUT, &number, &edit).await.status, 200);
}
