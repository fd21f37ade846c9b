//! A server with the demo company on free ports, and the words to ask it.

use std::path::Path;
use std::time::Duration;

use cordboard_server::clock::{self, Clock as _, SystemClock};
use cordboard_server::config::{Config, Options};
use cordboard_server::demo::{DemoFile, DemoUser};
use cordboard_server::keys::Keys;
use cordboard_server::store::{Store, TokenRow};
use cordboard_server::{Running, start};
use cordboard_shared::id::{AccountId, TokenId};
use cordboard_shared::token::{self, TokenClaims};
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub(crate) struct Stack {
    pub(crate) base: String,
    pub(crate) demo: DemoFile,
    pub(crate) client: Client,
    running: Option<Running>,
    dir: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Stack {
    /// A server as `cordboard serve --demo` starts it, with so many days of past calls.
    pub(crate) async fn start(history: u32) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), history, |_| {}).await
    }

    /// One without limits on reads and writes.
    pub(crate) async fn unlimited() -> Self {
        Self::start_with(|config| config.limits.off = true).await
    }

    /// One with other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), 0, change).await
    }

    async fn start_in(dir: TempDir, history: u32, change: impl FnOnce(&mut Config)) -> Self {
        let free = Some(([127, 0, 0, 1], 0).into());
        let options = Options {
            http: free,
            sip: free,
            webrtc: free,
            rtp_ports: Some("0".parse().unwrap()),
            data_dir: Some(dir.path().join("data")),
            demo: true,
            demo_history: Some(history),
            ..Options::default()
        };
        let mut config = Config::load(options).unwrap();
        change(&mut config);
        let running = start(config).await.unwrap();
        let demo = DemoFile::read(&dir.path().join("data")).unwrap();
        Self { base: demo.http.clone(), demo, client: Client::new(), running: Some(running), dir }
    }

    /// Stops it in order and starts it again on the same data.
    pub(crate) async fn restart(mut self) -> Self {
        self.running.take().unwrap().stop(Duration::from_secs(1)).await;
        Self::start_in(self.dir, 0, |_| {}).await
    }

    /// A token of this person with these scopes.
    pub(crate) async fn token(&self, name: &str, scopes: &[&str]) -> String {
        let keys = Keys::open(&self.data_dir()).unwrap();
        let (user, now) = (self.user(name), SystemClock.now());
        let claims = TokenClaims {
            tid: TokenId::new(now, clock::random()),
            acct: AccountId::demo(1),
            sub: user.uuid,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            iat: now.0 / 1_000,
            exp: now.0 / 1_000 + 3_600,
            kid: keys.token.id.to_owned(),
            tg: 1,
        };
        let text = token::sign(&claims, &keys.token.signing);
        let row = TokenRow {
            id: claims.tid,
            account: claims.acct,
            agent: user.uuid,
            session: None,
            name: "HRMS".to_owned(),
            secret: Sha256::digest(&text).into(),
            created_at: now,
            expires_at: now + 3_600_000,
            revoked_at: None,
        };
        self.store().await.insert_token(&row).await.unwrap();
        text
    }

    /// A path below this person's.
    pub(crate) fn of(&self, name: &str, place: &str) -> String {
        format!("/core/agents/{}/{place}", self.user(name).uuid)
    }

    /// A request with a JSON body and this person's API token.
    pub(crate) async fn ask(&self, by: &str, method: Method, path: &str, body: &Value) -> Answer {
        send(with_json(self.by_token(by, method, path), body)).await
    }

    /// A request without a body and with this person's API token.
    pub(crate) async fn delete(&self, by: &str, path: &str) -> Answer {
        send(self.by_token(by, Method::DELETE, path)).await
    }

    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// The database, opened beside the server.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&Path::new(&self.data_dir()).join("cordboard.sqlite")).await.unwrap()
    }

    pub(crate) fn user(&self, name: &str) -> &DemoUser {
        self.demo.users.iter().find(|user| user.name.starts_with(name)).unwrap()
    }

    pub(crate) fn presence_path(&self, name: &str) -> String {
        format!("/core/agents/{}/presence", self.user(name).uuid)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request with this person's API token.
    pub(crate) fn by_token(&self, name: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.user(name).api_token)
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Answer {
        send(self.by_token(name, Method::GET, path)).await
    }

    /// The call of the source API: `{"state": n}` with a token.
    pub(crate) async fn toggle(&self, by: &str, of: &str, state: u8) -> Answer {
        let request = self.by_token(by, Method::POST, &self.presence_path(of));
        send(with_json(request, &json!({ "state": state }))).await
    }

    /// Signs in as a browser does; the cookie to send from then on.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let user = self.user(name);
        let answer = self.try_sign_in(&user.email, &user.password).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn try_sign_in(&self, email: &str, password: &str) -> Answer {
        let request = self.request(Method::POST, "/core/session").header(ORIGIN, &self.base);
        send(with_json(request, &json!({ "email": email, "password": password }))).await
    }

    /// A request of the own page with the cookie.
    pub(crate) fn by_cookie(&self, cookie: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header(COOKIE, cookie).header(ORIGIN, &self.base)
    }
}

pub(crate) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body.to_string())
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    Answer { status, headers, body }
}

impl Answer {
    /// Asserts a refusal of this kind in the one error body, and gives its members.
    pub(crate) fn problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["type"], format!("/problems/{code}"));
        assert_eq!(self.body["status"], status);
        assert!(self.body["detail"].as_str().unwrap().len() > 10);
        let id = self.headers["request-id"].to_str().unwrap();
        assert_eq!(self.body["instance"], format!("/requests/{id}"));
        &self.body
    }
}
