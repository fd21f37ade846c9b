//! `/o/{token}`: the page behind an opt-out link, for people who have no panel at hand.
//!
//! Looking at it changes nothing, so that previews of links and scanners of mail are harmless; only the button acts, and
//! pressing it again does nothing more. Without script. A link that is wrong, taken back or of nobody gets one and the
//! same page.

mod html;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use cordboard_shared::agent::{Actor, Source};
use cordboard_shared::api::availability::{BlockChange, FactChange};
use cordboard_shared::{Millis, ProblemCode};

use super::limit::Key;
use super::link::LinkClaims;
use super::{ApiError, HttpState, Peer, RequestIdentity, permit};
use crate::app::FactWrite;
use html::Page;

/// Most bytes of the form that are read.
const FORM: usize = 1_024;
/// What the form says to resume.
const RESUME: &str = "do=resume";

/// `GET` and `HEAD`: who, of which company, and the button.
pub(super) async fn show(
    State(state): State<HttpState>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(token): Path<String>,
) -> Response {
    match find(&state, &peer, &token).await {
        Ok(person) => page(StatusCode::OK, &person.page(&state)),
        Err(refused) => refusal(&refused),
    }
}

/// `POST`: opts out, or resumes where the account lets a link do that.
pub(super) async fn act(
    State(state): State<HttpState>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(identity): Extension<RequestIdentity>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    match press(&state, &peer, identity, &token, request).await {
        Ok(response) => response,
        Err(refused) => refusal(&refused),
    }
}

/// The person a link is of, as they are now.
struct Person {
    claims: LinkClaims,
    opted_out_since: Option<Millis>,
}

impl Person {
    fn page(&self, state: &HttpState) -> Page {
        let directory = state.app.directory();
        let name = directory.agent_name(self.claims.agent).to_owned();
        let company = directory.name.clone();
        let ask = permit::ask(&directory, self.claims.agent);
        match self.opted_out_since {
            None => Page::Reachable { name, company },
            Some(since) => Page::OptedOut {
                name,
                company,
                since: local_time(since, &directory.zone),
                ask,
                may_resume: state.app.policy().settings.resume_by_link,
            },
        }
    }
}

async fn find(state: &HttpState, peer: &std::net::SocketAddr, token: &str) -> Result<Person, ApiError> {
    state.limiter.take(Key::LinksFrom(peer.ip()), &state.config.limits, state.clock.now())?;
    let not_found = || ApiError::new(ProblemCode::NotFound, "This link does not work, or does not work any more.");
    let claims = LinkClaims::verify(token, &state.keys).ok_or_else(not_found)?;
    let generation = state.store.link_generation(claims.account, claims.agent).await?;
    let known = generation == Some(claims.generation) && claims.account == state.app.directory().account;
    let presence = if known { state.app.presence(claims.agent).await? } else { None };
    let (presence, _) = presence.ok_or_else(not_found)?;
    Ok(Person { claims, opted_out_since: presence.facts.opt_out.map(|block| block.stamp.since) })
}

async fn press(
    state: &HttpState,
    peer: &std::net::SocketAddr,
    identity: RequestIdentity,
    token: &str,
    request: Request,
) -> Result<Response, ApiError> {
    let person = find(state, peer, token).await?;
    let form = axum::body::to_bytes(request.into_body(), FORM).await;
    let form = form.map_err(|_| ApiError::new(ProblemCode::TooLarge, "The form is longer than it can be."))?;
    let resume = form.split(|byte| *byte == b'&').any(|pair| pair == RESUME.as_bytes());
    let directory = state.app.directory();
    let change = match (resume, person.opted_out_since) {
        // Done already, by an earlier tap.
        (true, None) | (false, Some(_)) => return Ok(see(token)),
        (true, Some(_)) if !state.app.policy().settings.resume_by_link => {
            let ask = permit::ask(&directory, person.claims.agent);
            let sentence =
                format!("This link cannot take an opt-out back. Switch Call Availability on in the panel.{ask}");
            return Err(ApiError::new(ProblemCode::MissingRight, sentence));
        }
        (true, Some(_)) => {
            let limits = &state.config.limits;
            state.limiter.take(Key::Changes(person.claims.agent), limits, state.clock.now())?;
            FactChange::OptOut { set: None }
        }
        // Never limited: who wants no calls gets none.
        (false, None) => FactChange::OptOut { set: Some(BlockChange::default()) },
    };
    let agent = person.claims.agent;
    let name = directory.agent_name(agent).to_owned();
    let write = FactWrite {
        agent,
        change,
        actor: Actor::user(agent, name.clone()),
        source: Source::Sms,
        intent: None,
        if_match: None,
        request: Some(identity.0),
        resumes: true,
    };
    let written = state.app.change_fact(write).await?;
    if written.changed {
        state.metrics.presence_writes.increment();
        let time = local_time(written.presence.obeyed_at, &directory.zone);
        let company = &directory.name;
        let text = if resume {
            format!("{company}: {name}, business calls can reach you again since {time}.")
        } else {
            let ask = permit::ask(&directory, agent);
            format!(
                "{company}: {name}, you have been opted out of business calls since {time}. \
                 To receive them again, switch Call Availability on in the panel.{ask}"
            )
        };
        // The opt-out holds whether or not its confirmation can be kept.
        if let Err(error) = state.messages.send(agent, text, state.clock.now()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the confirmation of an opt-out could not be kept"
            );
        }
    }
    Ok(see(token))
}

/// Wall-clock time where the account is, such as `21 Nov 2026, 14:02 (Asia/Kolkata)`.
fn local_time(at: Millis, zone: &str) -> String {
    let known = jiff::tz::TimeZone::get(zone).ok();
    let (zone, name) = known.map_or((jiff::tz::TimeZone::UTC, "UTC"), |found| (found, zone));
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => format!("{} ({name})", at.to_zoned(zone).strftime("%-d %b %Y, %H:%M")),
        Err(_) => at.to_string(),
    }
}

/// Back to the page, which tells how things are now.
fn see(token: &str) -> Response {
    let mut response = page(StatusCode::SEE_OTHER, &Page::Empty);
    // The token has been verified, so it holds nothing but its own alphabet.
    if let Ok(value) = HeaderValue::from_str(&format!("/o/{token}")) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn refusal(refused: &ApiError) -> Response {
    let problem = refused.problem();
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(status, &Page::Refused { detail: problem.detail.clone() })
}

fn page(status: StatusCode, page: &Page) -> Response {
    let mut response = Response::new(Body::from(page.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow, noarchive"));
    if let Ok(policy) = HeaderValue::from_str(&html::content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_where_the_account_is() {
        let at: Millis = "2026-11-21T08:32:11Z".parse().unwrap();
        assert_eq!(local_time(at, "Asia/Kolkata"), "21 Nov 2026, 14:02 (Asia/Kolkata)");
        assert_eq!(local_time(at, "Nowhere/Atall"), "21 Nov 2026, 08:32 (UTC)");
    }
}
