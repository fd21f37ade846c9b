//! Signed requests to the server, each with a time limit.

use std::time::Duration;

use cordboard_shared::edge::signature::{ID_HEADER, SIGNATURE_HEADER, TIME_HEADER, sign_request};
use cordboard_shared::presence::FORWARD_TIMEOUT;
use futures_util::future::{Either, select};
use worker::{AbortController, Delay, Env, Fetch, Headers, Method, Request, RequestInit, console_error};

use crate::{reply, settings};

/// The server's reply.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// Nothing was sent.
    NotSent,
    /// It may have been received.
    Unknown,
}

/// Whether the server answers at all. Costs a round trip, so it is asked only when there is doubt.
pub(crate) async fn answers(env: &Env) -> bool {
    send(env, Method::Get, "/health", None).await.is_ok()
}

/// `GET` of a path with its query.
pub(crate) async fn get(env: &Env, path_and_query: &str) -> Result<Reply, NoReply> {
    send(env, Method::Get, path_and_query, None).await
}

/// `POST` of a JSON body.
pub(crate) async fn post(env: &Env, path: &str, body: String) -> Result<Reply, NoReply> {
    send(env, Method::Post, path, Some(body)).await
}

async fn send(env: &Env, method: Method, path: &str, body: Option<String>) -> Result<Reply, NoReply> {
    let request = signed(env, method, path, body).ok_or(NoReply::NotSent)?;
    let abort = AbortController::default();
    let signal = abort.signal();
    let exchange = std::pin::pin!(async {
        let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
        Ok::<_, worker::Error>(Reply { status: response.status_code(), body: response.bytes().await? })
    });
    match select(exchange, Delay::from(Duration::from_millis(FORWARD_TIMEOUT))).await {
        Either::Left((Ok(reply), _)) => Ok(reply),
        Either::Left((Err(error), _)) => {
            console_error!("the server gave no answer to {path}: {error}");
            Err(NoReply::Unknown)
        }
        Either::Right(((), _)) => {
            abort.abort();
            console_error!("the server gave no answer to {path} in time");
            Err(NoReply::Unknown)
        }
    }
}

fn signed(env: &Env, method: Method, path: &str, body: Option<String>) -> Option<Request> {
    let (url, (id, key)) = match (settings::server_url(env), settings::edge_key(env)) {
        (Ok(url), Ok(key)) => (url, key),
        (Err(setting), _) | (_, Err(setting)) => {
            console_error!("the setting {} is missing or cannot be read", setting.0);
            return None;
        }
    };
    let time = reply::now();
    let signature = sign_request(&key, method.as_ref(), path, time, body.as_deref().unwrap_or_default().as_bytes());
    let headers = Headers::new();
    let time = time.0.to_string();
    for (name, value) in [
        (ID_HEADER, id.as_str()),
        (TIME_HEADER, &time),
        (SIGNATURE_HEADER, &signature),
        ("content-type", "application/json"),
    ] {
        headers.set(name, value).ok()?;
    }
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(headers).with_body(body.map(Into::into));
    Request::new_with_init(&format!("{url}{path}"), &init).ok()
}
