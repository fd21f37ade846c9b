//! The HTTP side of the server, typed. The cookie travels by itself.

use cordboard_shared::agent::Presence;
use cordboard_shared::api::availability::ReachView;
use cordboard_shared::api::calls::CallPage;
use cordboard_shared::api::presence::INTENT_HEADER;
use cordboard_shared::api::routing::CallbackList;
use cordboard_shared::api::session::{SessionView, SignIn};
use cordboard_shared::api::test_call::{PlaceTestCall, TestCallPlaced};
use cordboard_shared::decision::CallDecisions;
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::phone::E164;
use cordboard_shared::{Problem, ProblemCode};
use gloo_net::http::{Method, Request, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use crate::decode;
use crate::model::facts;
use crate::model::switch::Intent;

/// Why a request did not do what it was for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ApiError {
    /// The server was not reached.
    Offline,
    /// The server said no, and why.
    Refused(Box<Problem>),
    /// The answer made no sense.
    Unreadable(u16),
}

impl ApiError {
    /// A sentence a person can act on.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Offline => "The server cannot be reached. Check your network, then retry.".to_owned(),
            Self::Refused(problem) => crate::model::switch::refusal(problem),
            Self::Unreadable(status) => {
                format!("The server gave an answer this page does not understand ({status}). Reload the page.")
            }
        }
    }

    /// Whether the sign-in has ended.
    pub(crate) fn is_signed_out(&self) -> bool {
        match self {
            Self::Refused(problem) => {
                matches!(problem.code(), Some(ProblemCode::SignedOut | ProblemCode::InvalidToken))
            }
            Self::Offline | Self::Unreadable(_) => false,
        }
    }
}

/// `GET /core/session`
pub(crate) async fn session() -> Result<SessionView, ApiError> {
    read(Request::get("/core/session").send().await).await
}

/// `POST /core/session`
pub(crate) async fn sign_in(email: String, password: String) -> Result<SessionView, ApiError> {
    let request = Request::post("/core/session").json(&SignIn { email, password });
    read(send(request).await).await
}

/// `DELETE /core/session`
pub(crate) async fn sign_out() -> Result<(), ApiError> {
    done(Request::delete("/core/session").send().await).await
}

/// `GET /core/calls`
pub(crate) async fn calls(cursor: Option<&str>) -> Result<CallPage, ApiError> {
    let mut path = String::from("/core/calls?limit=50");
    if let Some(cursor) = cursor {
        path.push_str("&cursor=");
        path.push_str(&String::from(js_sys::encode_uri_component(cursor)));
    }
    read(Request::get(&path).send().await).await
}

/// `GET /core/calls/{uid}/decisions`
pub(crate) async fn decisions(uid: CallId) -> Result<CallDecisions, ApiError> {
    read(Request::get(&format!("/core/calls/{uid}/decisions")).send().await).await
}

/// A change of one person's facts, under its key and intent number.
pub(crate) async fn change_fact(agent: AgentId, intent: &Intent, device: &str) -> Result<Presence, ApiError> {
    let (method, place, body) = facts::request(&intent.change);
    let headers = [("idempotency-key", intent.key.clone()), (INTENT_HEADER, format!("{};{device}", intent.n))];
    // What the change did besides is known from the presence itself.
    let answer = ask(method.into(), &format!("/core/agents/{agent}/{place}"), &headers, body).await?;
    answer.read()
}

/// A change of somebody's slots, whose answer is the slots.
pub(crate) async fn change_slots(agent: AgentId, intent: &Intent, device: &str) -> Result<(), ApiError> {
    let (method, place, body) = facts::request(&intent.change);
    let headers = [("idempotency-key", intent.key.clone()), (INTENT_HEADER, format!("{};{device}", intent.n))];
    ask(method.into(), &format!("/core/agents/{agent}/{place}"), &headers, body).await.map(|_| ())
}

/// `GET /core/agents/{UUID}/reach`
pub(crate) async fn reach(agent: AgentId) -> Result<ReachView, ApiError> {
    get(&format!("/core/agents/{agent}/reach")).await
}

/// `GET /core/callbacks`
pub(crate) async fn callbacks() -> Result<CallbackList, ApiError> {
    get("/core/callbacks").await
}

/// `POST /core/callbacks/{uid}/done`
pub(crate) async fn callback_done(call: CallId) -> Result<(), ApiError> {
    ask(Method::POST, &format!("/core/callbacks/{call}/done"), &[], Some("{}".to_owned())).await.map(|_| ())
}

/// `POST /core/test-calls`
pub(crate) async fn place_test_call(to: E164) -> Result<TestCallPlaced, ApiError> {
    read(send(Request::post("/core/test-calls").json(&PlaceTestCall { to })).await).await
}

/// What came back: a success.
pub(crate) struct Answer {
    status: u16,
    /// `ETag`, as it came.
    pub(crate) etag: Option<String>,
    text: String,
}

impl Answer {
    /// The body as a shared type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        decode::from_str(&self.text).map_err(|_| ApiError::Unreadable(self.status))
    }
}

impl Answer {
    /// What came back by another way than `fetch`; 0 is nothing.
    pub(crate) fn of(status: u16, text: String) -> Result<Self, ApiError> {
        match status {
            0 => Err(ApiError::Offline),
            200..=299 => Ok(Self { status, etag: None, text }),
            _ => Err(refusal(status, &text)),
        }
    }

    /// The body as a list, alone or as a member.
    pub(crate) fn list<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, ApiError> {
        decode::list_in(&self.text, name).map_err(|_| ApiError::Unreadable(self.status))
    }
}

impl From<facts::Method> for Method {
    fn from(method: facts::Method) -> Self {
        match method {
            facts::Method::Post => Self::POST,
            facts::Method::Put => Self::PUT,
            facts::Method::Delete => Self::DELETE,
        }
    }
}

/// Reads a resource.
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, ApiError> {
    ask(Method::GET, path, &[], None).await?.read()
}

/// Sends a shared type and reads another.
pub(crate) async fn post<B: serde::Serialize, T: DeserializeOwned>(path: &str, body: &B) -> Result<T, ApiError> {
    let body = serde_json::to_string(body).unwrap_or_default();
    let key = [("idempotency-key", crate::browser::uuid())];
    ask(Method::POST, path, &key, Some(body)).await?.read()
}

/// Any request. The body is JSON already.
pub(crate) async fn ask(
    method: Method,
    path: &str,
    headers: &[(&str, String)],
    body: Option<String>,
) -> Result<Answer, ApiError> {
    let mut builder = RequestBuilder::new(path).method(method);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let sent = match body {
        Some(body) => send(builder.header("content-type", "application/json").body(body)).await,
        None => builder.send().await,
    };
    let answer = checked(sent).await?;
    let (status, etag) = (answer.status(), answer.headers().get("etag"));
    let text = answer.text().await.map_err(|_| ApiError::Offline)?;
    Ok(Answer { status, etag, text })
}

async fn send(request: Result<Request, gloo_net::Error>) -> Result<Response, gloo_net::Error> {
    request?.send().await
}

async fn read<T: DeserializeOwned>(answer: Result<Response, gloo_net::Error>) -> Result<T, ApiError> {
    let answer = checked(answer).await?;
    let status = answer.status();
    let text = answer.text().await.map_err(|_| ApiError::Offline)?;
    decode::from_str(&text).map_err(|_| ApiError::Unreadable(status))
}

async fn done(answer: Result<Response, gloo_net::Error>) -> Result<(), ApiError> {
    checked(answer).await.map(|_| ())
}

async fn checked(answer: Result<Response, gloo_net::Error>) -> Result<Response, ApiError> {
    let answer = answer.map_err(|_| ApiError::Offline)?;
    if answer.ok() {
        return Ok(answer);
    }
    let status = answer.status();
    Err(refusal(status, &answer.text().await.unwrap_or_default()))
}

fn refusal(status: u16, text: &str) -> ApiError {
    decode::problem(text).map_or(ApiError::Unreadable(status), |problem| ApiError::Refused(Box::new(problem)))
}
