//! The HTTP side of the server, typed. The cookie travels by itself.

use cordboard_shared::agent::Presence;
use cordboard_shared::api::calls::CallPage;
use cordboard_shared::api::presence::INTENT_HEADER;
use cordboard_shared::api::session::{SessionView, SignIn};
use cordboard_shared::api::test_call::{PlaceTestCall, TestCallPlaced};
use cordboard_shared::decision::CallDecisions;
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::phone::E164;
use cordboard_shared::{Problem, ProblemCode};
use gloo_net::http::{Request, Response};
use serde::de::DeserializeOwned;

use cordboard_frontend::decode;
use cordboard_frontend::model::switch::Intent;

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
            Self::Refused(problem) => cordboard_frontend::model::switch::refusal(problem),
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

/// `POST /core/agents/{UUID}/presence`
pub(crate) async fn set_presence(agent: AgentId, intent: &Intent, device: &str) -> Result<Presence, ApiError> {
    let request = Request::post(&format!("/core/agents/{agent}/presence"))
        .header("idempotency-key", &intent.key)
        .header(INTENT_HEADER, &format!("{};{device}", intent.n))
        .json(&intent.change);
    // What the change did besides is known from the presence itself.
    read(send(request).await).await
}

/// `POST /core/test-calls`
pub(crate) async fn place_test_call(to: E164) -> Result<TestCallPlaced, ApiError> {
    read(send(Request::post("/core/test-calls").json(&PlaceTestCall { to })).await).await
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
    let text = answer.text().await.unwrap_or_default();
    let refused = |problem| ApiError::Refused(Box::new(problem));
    Err(decode::problem(&text).map_or(ApiError::Unreadable(status), refused))
}
