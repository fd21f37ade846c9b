//! The server's side of the edge, over HTTP: signed frames go out, forwarded toggles and pulls come in.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use cordboard_server::config::{Config, Limits, LogFormat};
use cordboard_server::{Running, start};
use cordboard_shared::Millis;
use cordboard_shared::edge::signature::{
    ID_HEADER, PublicKeys, SIGNATURE_HEADER, TIME_HEADER, key_text, sign_request, verify_frame,
};
use cordboard_shared::edge::{Changes, FeedAnswer, FeedFrame, FeedItem, FeedRange};
use cordboard_shared::id::AgentId;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const ASHA: AgentId = AgentId::demo(0x21);
const RIYA: AgentId = AgentId::demo(0x22);
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An edge that takes every frame, unless it is away.
struct Edge {
    frames: mpsc::UnboundedSender<FeedFrame>,
    away: AtomicBool,
}

struct Stage {
    server: Running,
    edge: Arc<Edge>,
    frames: mpsc::UnboundedReceiver<FeedFrame>,
    key: SigningKey,
    client: reqwest::Client,
    demo: Value,
    _data: tempfile::TempDir,
}

/// A frame's answer and when the sender hears it are the server's concern; here each is remembered and acknowledged.
async fn take(State(edge): State<Arc<Edge>>, Json(frame): Json<FeedFrame>) -> Result<Json<FeedAnswer>, StatusCode> {
    if edge.away.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let cursor = Some(frame.range.position());
    let _ = edge.frames.send(frame);
    Ok(Json(FeedAnswer { cursor }))
}

impl Stage {
    async fn open() -> Self {
        let (frames_in, frames) = mpsc::unbounded_channel();
        let edge = Arc::new(Edge { frames: frames_in, away: AtomicBool::new(false) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let edge_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/edge/feed", post(take)).with_state(edge.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let key = SigningKey::from_bytes(&[5; 32]);
        let data = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = start(Config {
            http: any,
            sip: any,
            sip_listen: cordboard_server::config::SipListen::default(),
            webrtc: any,
            rtp_ports: 0..=0,
            external_ip: None,
            data_dir: data.path().to_owned(),
            database: None,
            edge_url: Some(edge_url),
            edge_public_key: Some(key_text(key.verifying_key().as_bytes())),
            demo: true,
            demo_history: 0,
            allowed_origins: Vec::new(),
            limits: Limits::default(),
            log_format: LogFormat::Human,
            public_url: None,
            sms: None,
        })
        .await
        .unwrap();
        let demo = std::fs::read(data.path().join("demo.json")).unwrap();
        let demo = serde_json::from_slice(&demo).unwrap();
        Self { server, edge, frames, key, client: reqwest::Client::new(), demo, _data: data }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.http)
    }

    fn token(&self, agent: AgentId) -> String {
        let users = self.demo["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["uuid"] == agent.to_string()).unwrap();
        user["api_token"].as_str().unwrap().to_owned()
    }

    async fn toggle(&self, agent: AgentId, state: u8) -> Value {
        let request = self.client.post(self.url(&format!("/core/agents/{agent}/presence")));
        let response = request.bearer_auth(self.token(agent)).json(&json!({ "state": state })).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The next frame that passes.
    async fn frame(&mut self, wanted: impl Fn(&FeedFrame, &[FeedItem]) -> bool) -> (FeedFrame, Vec<FeedItem>) {
        let find = async {
            loop {
                let frame = self.frames.recv().await.unwrap();
                let items: Vec<FeedItem> = serde_json::from_str(frame.items.get()).unwrap();
                if wanted(&frame, &items) {
                    return (frame, items);
                }
            }
        };
        tokio::time::timeout(PATIENCE, find).await.expect("no such frame came")
    }

    fn signed(&self, method: &str, path: &str, body: &str, at: Millis) -> reqwest::RequestBuilder {
        let signature = sign_request(&self.key, method, path, at, body.as_bytes());
        self.client
            .request(method.parse().unwrap(), self.url(path))
            .header(ID_HEADER, "e1")
            .header(TIME_HEADER, at.0.to_string())
            .header(SIGNATURE_HEADER, signature)
            .body(body.to_owned())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.signed("GET", path, "", now()).send().await.unwrap()
    }

    fn feed_path(&self, which: &str, rest: &str) -> String {
        format!("/edge/{which}?account={}&bucket=0{rest}", self.server.app.directory().account)
    }

    async fn intent(&self, agent: AgentId, token: &str, change: Value) -> Value {
        let tid = payload(token)["tid"].clone();
        let mut intent = json!({ "key": "k1", "agent": agent, "body": { "state": 0 }, "token": token, "tid": tid, "accepted_at": now() });
        for (name, value) in change.as_object().unwrap() {
            intent[name] = value.clone();
        }
        let body = json!({ "intents": [intent] }).to_string();
        let response = self.signed("POST", "/edge/intents", &body, now()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["results"][0]["key"], "k1");
        answer["results"][0].clone()
    }
}

fn now() -> Millis {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Millis(i64::try_from(now.as_millis()).unwrap())
}

fn payload(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn state_of(items: &[FeedItem], agent: AgentId) -> Option<Value> {
    let item = items.iter().find(|item| item.agent == agent)?;
    Some(serde_json::from_str::<Value>(item.presence.get()).unwrap()["state"].clone())
}

#[tokio::test]
async fn the_edge_hears_of_everybody_at_first_and_of_each_change_then() {
    let mut stage = Stage::open().await;

    let (first, items) = stage.frame(|_, _| true).await;
    assert_eq!((first.range.from, items.len()), (0, 9));
    assert_eq!(first.account, stage.server.app.directory().account);
    let public = std::fs::read_to_string(stage.server.data_dir.join("keys/feed.pub")).unwrap();
    let keys = PublicKeys::parse(&public, "f1").unwrap();
    assert_eq!(verify_frame(&keys, &first), Ok(()));
    let presence: Value = serde_json::from_str(items[0].presence.get()).unwrap();
    assert!(presence["matrix"].is_object(), "what the edge gives out is what the server gives out: {presence}");

    let written = stage.toggle(ASHA, 0).await;
    let (next, items) = stage.frame(|_, items| state_of(items, ASHA) == Some(json!(0))).await;
    let FeedRange { from, to, .. } = next.range;
    assert!(from > first.range.to && to >= from, "{from}..={to} after {}", first.range.to);
    assert_eq!(items[0].version.to_string(), written["version"]);
}

#[tokio::test]
async fn what_happened_while_the_edge_was_away_comes_when_it_is_back() {
    let mut stage = Stage::open().await;
    stage.frame(|_, _| true).await;

    stage.edge.away.store(true, Ordering::SeqCst);
    stage.toggle(ASHA, 0).await;
    stage.toggle(RIYA, 0).await;
    stage.toggle(ASHA, 1).await;
    stage.edge.away.store(false, Ordering::SeqCst);

    let (_, items) = stage.frame(|_, items| state_of(items, RIYA) == Some(json!(0))).await;
    let asha = match state_of(&items, ASHA) {
        Some(state) => state,
        // It went in a frame of its own.
        None => state_of(&stage.frame(|_, items| state_of(items, ASHA) == Some(json!(1))).await.1, ASHA).unwrap(),
    };
    assert_eq!(asha, 1);
}

#[tokio::test]
async fn a_forwarded_toggle_counts_as_its_callers_own() {
    let stage = Stage::open().await;
    let token = stage.token(ASHA);

    let applied = stage.intent(ASHA, &token, json!({})).await;
    assert_eq!(applied["outcome"], "applied", "{applied}");
    assert_eq!(applied["presence"]["state"], 0);
    assert_eq!(applied["presence"]["source"], "edge");
    assert_eq!(applied["presence"]["version"], applied["version"]);
    assert_eq!(applied["presence"]["actor"]["type"], "token");
    assert_eq!(stage.toggle(ASHA, 0).await["changed"], false, "the server has it");

    for (agent, change, status) in [
        (RIYA, json!({}), 403),
        (AgentId::demo(0xffff), json!({}), 404),
        (ASHA, json!({ "body": { "state": 2 } }), 422),
        (ASHA, json!({ "tid": AgentId::demo(1) }), 401),
        (ASHA, json!({ "token": format!("{token}x") }), 401),
        (ASHA, json!({ "token": null }), 401),
        (ASHA, json!({ "if_match": "1.999" }), 412),
    ] {
        let refused = stage.intent(agent, &token, change).await;
        assert_eq!(refused["outcome"], "refused", "{refused}");
        assert_eq!(refused["problem"]["status"], status, "{refused}");
    }
    let expired = stage.intent(ASHA, &token, json!({ "not_after": Millis(1_000) })).await;
    assert_eq!(expired["outcome"], "expired");
}

#[tokio::test]
async fn an_older_intent_is_told_that_it_is_superseded() {
    let stage = Stage::open().await;
    let token = stage.token(ASHA);

    let newer = stage.intent(ASHA, &token, json!({ "n": 5, "device": "a" })).await;
    assert_eq!(newer["outcome"], "applied", "{newer}");
    let older = stage.intent(ASHA, &token, json!({ "n": 4, "device": "b", "body": { "state": 1 } })).await;
    assert_eq!((&older["outcome"], &older["problem"]["status"]), (&json!("superseded"), &json!(409)));
}

#[tokio::test]
async fn only_the_edges_signature_opens_its_routes() {
    let stage = Stage::open().await;
    let path = stage.feed_path("snapshot", "");

    assert_eq!(stage.get(&path).await.status(), 200);
    let unsigned = stage.client.get(stage.url(&path)).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert_eq!(unsigned.headers()["content-type"], "application/problem+json");
    let old = stage.signed("GET", &path, "", now() - 61_000).send().await.unwrap();
    assert_eq!(old.status(), 401);
    let other_body = stage.signed("POST", "/edge/intents", "{}", now()).body("{\"intents\":[]}").send().await.unwrap();
    assert_eq!(other_body.status(), 401);
    let by_token = stage.client.get(stage.url(&path)).bearer_auth(stage.token(ASHA)).send().await.unwrap();
    assert_eq!(by_token.status(), 401, "a caller's token is no edge's signature");
}

#[tokio::test]
async fn a_mirror_pulls_what_it_lacks() {
    let mut stage = Stage::open().await;
    let all: Changes = stage.get(&stage.feed_path("snapshot", "")).await.json().await.unwrap();
    assert_eq!((all.range.from, all.items.len()), (0, 9));

    stage.toggle(ASHA, 0).await;
    stage.frame(|_, items| state_of(items, ASHA) == Some(json!(0))).await;
    let since = all.range.as_of.0 + 1;
    let after = all.range.position();
    let path = stage.feed_path("changes", &format!("&after={after}&since={since}&limit=100"));
    let lacking: Changes = stage.get(&path).await.json().await.unwrap();
    assert_eq!(lacking.range.from, all.range.to + 1);
    assert_eq!(state_of(&lacking.items, ASHA), Some(json!(0)));
    assert!(lacking.items.len() < 9, "the others have not changed");

    let ahead = stage.feed_path("changes", "&after=1.0.999999");
    assert_eq!(stage.get(&ahead).await.status(), 410);
    assert_eq!(stage.get(&stage.feed_path("changes", "")).await.status(), 400);
    let foreign = format!("/edge/snapshot?account={}&bucket=0", AgentId::demo(0xfff));
    assert_eq!(stage.get(&foreign).await.status(), 404);
    assert_eq!(stage.get(&format!("{}1", stage.feed_path("snapshot", ""))).await.status(), 404, "another bucket");
}
