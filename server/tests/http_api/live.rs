//! The live socket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::stack::{Stack, send};

struct Live(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server said last: a frame, or the code it closed with.
#[derive(Debug, PartialEq)]
enum Said {
    Frame(Value),
    Closed(u16),
}

fn request(stack: &Stack, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = format!("{}/core/ws", stack.base.replacen("http", "ws", 1)).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn refused(stack: &Stack, headers: &[(&'static str, &str)]) -> u16 {
    match connect_async(request(stack, headers)).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

impl Live {
    /// Opens a socket with this person's token.
    async fn by_token(stack: &Stack, name: &str) -> Self {
        let protocols = format!("cordboard.v1, token.{}", stack.user(name).api_token);
        let (socket, response) =
            connect_async(request(stack, &[("sec-websocket-protocol", &protocols)])).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "cordboard.v1");
        Self(socket)
    }

    /// Opens one and says hello; up to the snapshot.
    async fn greeted(stack: &Stack, name: &str) -> (Self, Value) {
        let mut live = Self::by_token(stack, name).await;
        live.hello().await;
        let snapshot = live.next_of("snapshot").await;
        (live, snapshot)
    }

    async fn hello(&mut self) {
        let data = json!({ "app": "test/1", "device": "d1", "tab": "t1", "topics": ["presence", "calls"] });
        self.say(&json!({ "id": "c1", "type": "hello", "data": data })).await;
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Said {
        let read =
            tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("the server says something");
        match read {
            Some(Ok(Message::Text(text))) => Said::Frame(serde_json::from_str(text.as_str()).unwrap()),
            Some(Ok(Message::Close(Some(frame)))) => Said::Closed(frame.code.into()),
            other => panic!("{other:?}"),
        }
    }

    /// The next frame of this type; others are passed over.
    async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            match self.next().await {
                Said::Frame(frame) if frame["type"] == kind => return frame,
                Said::Frame(_) => {}
                Said::Closed(code) => panic!("closed with {code} before {kind}"),
            }
        }
    }

    /// The code the server closes with; frames before are passed over.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Said::Closed(code) = self.next().await {
                return code;
            }
        }
    }
}

#[tokio::test]
async fn a_socket_is_opened_by_a_token_or_from_the_own_page() {
    let stack = Stack::start(0).await;
    let cookie = stack.sign_in("Asha").await;

    assert_eq!(refused(&stack, &[]).await, 403);
    assert_eq!(refused(&stack, &[("sec-websocket-protocol", "cordboard.v1, token.ccp1.a.b")]).await, 401);
    assert_eq!(refused(&stack, &[("cookie", &cookie)]).await, 403);
    assert_eq!(refused(&stack, &[("cookie", &cookie), ("origin", "https://evil.example")]).await, 403);
    assert_eq!(refused(&stack, &[("origin", &stack.base)]).await, 401);
    assert!(connect_async(request(&stack, &[("cookie", &cookie), ("origin", &stack.base)])).await.is_ok());
    send(stack.by_token("Asha", Method::GET, "/core/ws")).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn hello_is_answered_and_everything_is_told_with_growing_numbers() {
    let stack = Stack::start(0).await;
    let mut live = Live::by_token(&stack, "Asha").await;
    live.hello().await;

    let Said::Frame(first) = live.next().await else { panic!("closed") };
    assert_eq!(first, json!({ "seq": 1, "re": "c1", "type": "ok", "data": {} }));
    let mut seen = vec![];
    let mut seq = 1;
    while !(seen.contains(&json!("snapshot")) && seen.contains(&json!("ping"))) {
        let Said::Frame(frame) = live.next().await else { panic!("closed") };
        seq += 1;
        assert_eq!(frame["seq"], seq);
        if frame["type"] == "snapshot" {
            assert_eq!(frame["data"]["me"]["name"], "Asha Rao");
            assert_eq!(frame["data"]["presence"]["state"], 1);
        }
        seen.push(frame["type"].clone());
    }
    live.say(&json!({ "id": "c2", "type": "pong", "data": { "t": 1, "mic": "prompt", "audio": "blocked", "visible": true, "leader": true } })).await;
    let mut answer = live.next_of("ok").await;
    assert_eq!(answer["re"].take(), "c2");
}

#[tokio::test]
async fn a_toggle_by_the_api_reaches_the_panel() {
    let stack = Stack::start(0).await;
    let (mut live, _) = Live::greeted(&stack, "Asha").await;

    let written = stack.toggle("Asha", "Asha", 0).await;

    let told = live.next_of("presence.changed").await;
    assert_eq!(told["data"]["state"], 0);
    assert_eq!(told["data"]["version"], written.body["version"]);
    assert!(told["pos"].as_str().unwrap().starts_with("1.0."));
}

#[tokio::test]
async fn a_message_nobody_knows_is_refused_and_the_socket_lives_on() {
    let stack = Stack::start(0).await;
    let (mut live, _) = Live::greeted(&stack, "Asha").await;

    live.say(&json!({ "id": "c7", "type": "call.fly", "data": {} })).await;
    let refused = live.next_of("error").await;
    assert_eq!((&refused["re"], &refused["data"]["status"]), (&json!("c7"), &json!(400)));
    live.say(&json!({ "id": "c8", "type": "call.hangup", "data": { "call": "01M7WCQVPJFWF94ZE0R3PF8159" } })).await;
    let refused = live.next_of("error").await;
    assert_eq!(refused["re"], "c8");
}

#[tokio::test]
async fn what_cannot_be_read_closes_the_socket_with_its_code() {
    let stack = Stack::start(0).await;
    let long = format!("{{\"id\":\"c2\",\"type\":\"device\",\"x\":\"{}\"}}", "x".repeat(70_000));
    let longer = "x".repeat(200_000);
    let cases = [
        (Message::text("{"), 1007),
        (Message::text("[]"), 1007),
        (Message::text(r#"{"id":"c2"}"#), 1007),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text(long), 1009),
        (Message::text(longer), 1009),
    ];
    for (message, code) in cases {
        let (mut live, _) = Live::greeted(&stack, "Asha").await;
        live.0.send(message).await.unwrap();
        assert_eq!(live.closed().await, code);
    }
    // Before the hello nothing else is heard.
    let mut live = Live::by_token(&stack, "Asha").await;
    live.say(&json!({ "id": "c1", "type": "call.answer", "data": {} })).await;
    assert_eq!(live.closed().await, 1008);
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_that_sign_in() {
    let stack = Stack::start(0).await;
    let cookie = stack.sign_in("Asha").await;
    let (socket, _) = connect_async(request(&stack, &[("cookie", &cookie), ("origin", &stack.base)])).await.unwrap();
    let mut live = Live(socket);
    live.hello().await;
    live.next_of("snapshot").await;
    let (mut other, _) = Live::greeted(&stack, "Asha").await;

    send(stack.by_cookie(&cookie, Method::DELETE, "/core/session")).await;

    live.closed().await;
    other.say(&json!({ "id": "c9", "type": "call.fly", "data": {} })).await;
    other.next_of("error").await;
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let stack = Stack::start(0).await;
    let (mut live, _) = Live::greeted(&stack, "Asha").await;

    let restarted = tokio::spawn(stack.restart());

    live.next_of("draining").await;
    assert_eq!(live.closed().await, 1012);
    restarted.await.unwrap();
}
