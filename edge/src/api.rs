//! The routes, and the checks that need no state: token, content type, body.

use cordboard_shared::api::presence::{INTENT_HEADER, PresenceChange};
use cordboard_shared::edge::FEED_PATH;
use cordboard_shared::error::{Problem, ProblemCode};
use cordboard_shared::id::{AgentId, RequestId};
use cordboard_shared::presence::read::ReadRequest;
use cordboard_shared::presence::write::{WriteRequest, outcome_unknown};
use cordboard_shared::presence::{Answer, agent_not_found, headers, router_unreachable};
use cordboard_shared::token::{self, TokenClaims};
use worker::{Env, Headers, Method, Request, console_error};

use crate::binding::Presence;
use crate::{reply, settings};

mod feed;

/// Largest body of a caller, in bytes.
const MAX_BODY: usize = 64 * 1_024;

/// Answers a request; everything that goes wrong is an answer too.
pub(crate) async fn handle(request: Request, env: &Env) -> Answer {
    let path = request.path();
    if path == "/health" {
        return match request.method() {
            Method::Get | Method::Head => Answer::json(200, r#"{"status":"ok"}"#.to_owned()),
            _ => wrong_method("GET"),
        };
    }
    if path == FEED_PATH {
        return match request.method() {
            Method::Post => feed::take(request, env).await,
            _ => wrong_method("POST"),
        };
    }
    match path.strip_prefix("/core/agents/").and_then(|rest| rest.strip_suffix("/presence")) {
        Some(agent) if !agent.contains('/') => match request.method() {
            Method::Get => get_presence(&request, agent, env).await,
            Method::Post => post_presence(request, agent, env).await,
            _ => wrong_method("GET, POST"),
        },
        Some(_) | None => Problem::new(ProblemCode::NotFound, "There is nothing at this address of the edge.").into(),
    }
}

async fn get_presence(request: &Request, agent: &str, env: &Env) -> Answer {
    match read_request(request, agent, env) {
        Ok((claims, read)) => Presence::of(claims.acct, env).read(read).await.unwrap_or_else(|error| {
            console_error!("the object gave no answer to a read: {error}");
            router_unreachable().into()
        }),
        Err(answer) => answer,
    }
}

fn read_request(request: &Request, agent: &str, env: &Env) -> Result<(TokenClaims, ReadRequest), Answer> {
    let (claims, _) = caller(request.headers(), env)?;
    if !claims.has_scope("presence:read") {
        return Err(missing_scope("presence:read").into());
    }
    let agent = agent.parse::<AgentId>().map_err(|_| agent_not_found())?;
    let text = |name| header(request.headers(), name);
    let read = ReadRequest {
        agent,
        min_revision: text("x-presence-min-revision").as_deref().map(headers::min_revision).transpose()?,
        max_age: text("x-presence-max-age").as_deref().map(headers::max_age).transpose()?,
        if_none_match: text("if-none-match"),
    };
    Ok((claims, read))
}

async fn post_presence(mut request: Request, agent: &str, env: &Env) -> Answer {
    match write_request(&mut request, agent, env).await {
        Ok((claims, write)) => Presence::of(claims.acct, env).write(write).await.unwrap_or_else(|error| {
            // The object may have forwarded it before it failed.
            console_error!("the object gave no answer to a toggle: {error}");
            outcome_unknown().into()
        }),
        Err(answer) => answer,
    }
}

async fn write_request(request: &mut Request, agent: &str, env: &Env) -> Result<(TokenClaims, WriteRequest), Answer> {
    let (claims, token) = caller(request.headers(), env)?;
    let agent = agent.parse::<AgentId>().map_err(|_| agent_not_found())?;
    if !header(request.headers(), "content-type").is_some_and(|value| headers::is_json(&value)) {
        let detail = "The body of this request is JSON: send Content-Type: application/json.";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail).into());
    }
    let text = |name| header(request.headers(), name);
    let intent = text(INTENT_HEADER).as_deref().map(headers::intent).transpose()?;
    let if_match = text("if-match").as_deref().map(headers::if_match).transpose()?.flatten();
    let key = text("idempotency-key").as_deref().map(headers::key).transpose()?;
    let key = key.unwrap_or_else(|| RequestId::new(reply::now(), reply::random()).to_string());
    let bytes = body(request).await?;
    PresenceChange::from_json(&bytes, reply::now())?;
    let body = serde_json::from_slice(&bytes)
        .map_err(|_| Problem::new(ProblemCode::MalformedJson, "The body is not JSON."))?;
    Ok((claims.clone(), WriteRequest { agent, body, key, intent, if_match, token, tid: claims.tid }))
}

/// The caller's token, verified; revocation is the server's business.
fn caller(headers: &Headers, env: &Env) -> Result<(TokenClaims, String), Answer> {
    let keys = settings::token_keys(env).map_err(reply::misconfigured)?;
    let authorization = header(headers, "authorization").unwrap_or_default();
    let token = headers::bearer(&authorization).unwrap_or_default();
    let claims = token::verify(token, |name| keys.get(name), reply::now()).map_err(|_| {
        let detail = "The access token is missing, wrong or expired. Send Authorization: Bearer with a valid one.";
        Problem::new(ProblemCode::InvalidToken, detail)
    })?;
    Ok((claims, token.to_owned()))
}

async fn body(request: &mut Request) -> Result<Vec<u8>, Answer> {
    let too_large = || Answer::from(Problem::new(ProblemCode::TooLarge, "The body is too large."));
    let told = header(request.headers(), "content-length").and_then(|length| length.parse::<usize>().ok());
    if told.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    let unreadable = |_| Answer::from(Problem::new(ProblemCode::InvalidRequest, "The body could not be read."));
    let bytes = request.bytes().await.map_err(unreadable)?;
    if bytes.len() > MAX_BODY { Err(too_large()) } else { Ok(bytes) }
}

fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten()
}

fn missing_scope(scope: &str) -> Problem {
    Problem::new(ProblemCode::MissingRight, format!("The access token lacks the scope {scope}.")).with("right", scope)
}

fn wrong_method(allowed: &str) -> Answer {
    let detail = format!("This address takes {allowed}.");
    Answer::from(Problem::new(ProblemCode::MethodNotAllowed, detail)).with("allow", allowed)
}
