//! The public API as an integrator uses it: plain requests with a token.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// One server or edge, and whose token is used.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: Option<String>,
    client: Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Api {
    /// The API at an address, `http://127.0.0.1:8080` for one, without a token.
    pub fn at(base: &str) -> Result<Self> {
        let client = Client::builder().timeout(LIMIT).no_proxy().build()?;
        Ok(Self { base: base.to_owned(), token: None, client })
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], None).await
    }

    /// Reads a path whose answer must be 200 and JSON.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.get(path).await?;
        ensure!(answer.status == StatusCode::OK, "GET {path} gave {}: {}", answer.status, answer.text());
        answer.json()
    }

    /// Posts a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    /// Posts a body of any kind.
    pub async fn post_raw(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Result<Answer> {
        self.send(Method::POST, path, &[(CONTENT_TYPE.as_str(), kind)], Some(body.into())).await
    }

    /// Sends any request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {}{path}", self.base))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await?.to_vec() })
    }

    /// Sets a person's toggle, 1 for available and 0 for away, as the documented call does.
    pub async fn toggle(&self, agent: &str, state: i64) -> Result<Answer> {
        self.post(&format!("/core/agents/{agent}/presence"), &serde_json::json!({ "state": state })).await
    }

    /// The newest calls, newest first.
    pub async fn calls(&self, limit: usize) -> Result<Vec<Value>> {
        let mut page = self.read(&format!("/core/calls?limit={limit}")).await?;
        match page["calls"].take() {
            Value::Array(calls) => Ok(calls),
            other => anyhow::bail!("no list of calls: {other}"),
        }
    }

    /// Every call, page by page.
    pub async fn all_calls(&self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut path = String::from("/core/calls?limit=100");
        loop {
            let mut page = self.read(&path).await?;
            if let Value::Array(calls) = page["calls"].take() {
                all.extend(calls);
            }
            match page["next"].as_str() {
                Some(cursor) => path = format!("/core/calls?limit=100&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }

    /// The decisions of a call.
    pub async fn decisions(&self, call: &str) -> Result<Vec<Value>> {
        let mut answer = self.read(&format!("/core/calls/{call}/decisions")).await?;
        match answer["decisions"].take() {
            Value::Array(decisions) => Ok(decisions),
            other => anyhow::bail!("no list of decisions: {other}"),
        }
    }

    /// A metric's value without labels, from `/metrics`.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let text = self.get("/metrics").await?.text();
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        let value =
            line.and_then(|line| line.rsplit(' ').next()).with_context(|| format!("no metric {name} in:\n{text}"))?;
        Ok(value.parse()?)
    }
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Fails unless it is a problem of this status, with the sentence every problem carries.
    pub fn expect_problem(&self, status: u16) -> Result<Value> {
        ensure!(self.status.as_u16() == status, "{status} was expected, not {}: {}", self.status, self.text());
        let kind = self.header("content-type").unwrap_or_default();
        ensure!(kind.starts_with("application/problem+json"), "a problem has another content type: {kind:?}");
        let problem = self.json()?;
        ensure!(problem["status"] == status, "the body's status differs: {problem}");
        ensure!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "no detail: {problem}");
        Ok(problem)
    }
}
