//! `POST /edge/intents`: toggles that callers gave to the edge, each with the caller's own token.
//!
//! The edge's signature only opens the door: what a toggle may do is decided by the token, as if its caller had
//! come here.

use axum::Json;
use axum::extract::State;
use cordboard_shared::agent::{Intent, Source};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::api::presence::{PresenceChange, PresenceWritten};
use cordboard_shared::edge::{
    ForwardedIntent, IntentOutcome, IntentResult, IntentsAnswer, IntentsRequest, MAX_INTENTS,
};
use cordboard_shared::presence::agent_not_found;
use cordboard_shared::{Millis, ProblemCode};

use super::signed::Signed;
use crate::app::FactWrite;
use crate::http::core::person::{self, Conditions};
use crate::http::permit::{self, Act};
use crate::http::{ApiError, CallerKind, HttpState, caller_of_token};

/// Applies the intents in their order; each has its own result.
pub(super) async fn take(
    State(state): State<HttpState>,
    Signed(body): Signed,
) -> Result<Json<IntentsAnswer>, ApiError> {
    let request: IntentsRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(ProblemCode::MalformedJson, format!("These are no intents: {error}.")))?;
    if request.intents.len() > MAX_INTENTS {
        let detail = format!("At most {MAX_INTENTS} intents go into one request.");
        return Err(ApiError::new(ProblemCode::TooLarge, detail));
    }
    let mut results = Vec::with_capacity(request.intents.len());
    for intent in request.intents {
        let now = state.clock.now();
        let key = intent.key.clone();
        results.push(if expired(&intent, now) {
            result(key, IntentOutcome::Expired)
        } else {
            match apply(&state, intent, now).await {
                Ok(written) => IntentResult {
                    version: Some(written.presence.version),
                    presence: Some(Box::new(written)),
                    ..result(key, IntentOutcome::Applied)
                },
                Err(error) => refusal(key, &error),
            }
        });
    }
    Ok(Json(IntentsAnswer { results }))
}

async fn apply(state: &HttpState, forwarded: ForwardedIntent, now: Millis) -> Result<PresenceWritten, ApiError> {
    let agent = forwarded.agent;
    let token = forwarded.token.as_deref().unwrap_or_default();
    let caller = caller_of_token(state, token).await?;
    let named = match &caller.kind {
        CallerKind::Token(id, _) => *id == forwarded.tid,
        CallerKind::Session(_) => false,
    };
    if !named {
        return Err(ApiError::new(ProblemCode::InvalidToken, "The token is not the one the edge has checked."));
    }
    caller.count_write(state)?;
    if !state.app.directory().agents.contains_key(&agent) {
        return Err(agent_not_found().into());
    }
    permit::check(state, &caller, agent, Act::Toggle)?;
    let change = PresenceChange::from_json(forwarded.body.to_string().as_bytes(), now)?;
    let intent = match (forwarded.n, forwarded.device) {
        (Some(n), Some(device)) => Some(Intent { n, device }),
        (Some(_), None) | (None, _) => None,
    };

    let conditions = Conditions { intent, if_match: forwarded.if_match, request: None };
    let write = person::fact_write(&caller, agent, FactChange::Toggle(change), conditions);
    person::apply(state, FactWrite { source: Source::Edge, ..write }).await
}

fn expired(intent: &ForwardedIntent, now: Millis) -> bool {
    intent.not_after.is_some_and(|end| now > end)
}

fn refusal(key: String, error: &ApiError) -> IntentResult {
    let problem = error.problem().clone();
    let outcome = if problem.code() == Some(ProblemCode::Superseded) {
        IntentOutcome::Superseded
    } else {
        IntentOutcome::Refused
    };
    IntentResult { problem: Some(problem), ..result(key, outcome) }
}

fn result(key: String, outcome: IntentOutcome) -> IntentResult {
    IntentResult { key, outcome, version: None, presence: None, problem: None }
}
