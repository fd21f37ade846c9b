//! `POST /core/presence/batch`: one change for each of many people, tried without effect first where that is asked for.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::availability::{BATCH_MOST, BatchAnswer, BatchResult, FactChange};
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::id::AgentId;
use cordboard_shared::{Millis, Problem};
use serde::Deserialize;
use serde_json::Value;

use super::facts;
use super::person::{self, Conditions};
use crate::app::FactWrite;
use crate::http::limit::Key;
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState, RequestIdentity, body};

/// The body, with items that need not all be right.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Asked {
    #[serde(default)]
    dry_run: bool,
    items: Vec<AskedItem>,
}

#[derive(Debug, Deserialize)]
struct AskedItem {
    agent: AgentId,
    change: Value,
}

/// At most 500 items. `200` with a result for each; an item that is refused does not stop the others.
pub(in crate::http) async fn write(
    State(state): State<HttpState>,
    caller: Caller,
    Extension(identity): Extension<RequestIdentity>,
    body::Json(asked): body::Json<Asked>,
) -> Result<Response, ApiError> {
    let left = caller.count_write(&state)?;
    if asked.items.is_empty() || asked.items.len() > BATCH_MOST {
        return Err(body::invalid_field("/items", &format!("A batch has 1 to {BATCH_MOST} items.")));
    }
    let now = state.clock.now();
    let mut results: Vec<Option<BatchResult>> = Vec::with_capacity(asked.items.len());
    let mut writes = Vec::new();
    // Where in the body each write stands, for what the account finds wrong with it.
    let mut places = Vec::new();
    for (index, item) in asked.items.into_iter().enumerate() {
        let agent = item.agent;
        let conditions = Conditions { intent: None, if_match: None, request: Some(identity.0) };
        match judge(&state, &caller, &item, index, now) {
            Ok(change) => {
                let guarded = if asked.dry_run { Ok(()) } else { guard(&state, agent) };
                match guarded {
                    Ok(()) => {
                        places.push(place_of(index, &change));
                        writes.push(person::fact_write(&caller, agent, change, conditions));
                        results.push(None);
                    }
                    Err(error) => results.push(Some(refused(agent, error.problem().clone()))),
                }
            }
            Err(error) => results.push(Some(refused(agent, error.problem().clone()))),
        }
    }

    let agents: Vec<_> = writes.iter().map(|write: &FactWrite| write.agent).collect();
    let answer = state.app.batch(writes, asked.dry_run).await;
    if !asked.dry_run {
        give_back(&state, &agents, answer.as_ref().ok());
    }
    let BatchAnswer { dry_run, results: written, impact } = answer?;
    let mut written = written.into_iter().zip(places).map(|(result, place)| BatchResult {
        problem: result.problem.map(|problem| ApiError::from(problem).below(&place).problem().clone()),
        ..result
    });
    let results = results.into_iter().filter_map(|result| result.or_else(|| written.next())).collect();
    let mut response = Json(BatchAnswer { dry_run, results, impact }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// The change of an item, if it is one and the caller may make it.
fn judge(
    state: &HttpState,
    caller: &Caller,
    item: &AskedItem,
    index: usize,
    now: Millis,
) -> Result<FactChange, ApiError> {
    person::agent(state, &item.agent.to_string())?;
    let at = format!("/items/{index}/change");
    let change = read_change(&item.change, now).map_err(|error| error.below(&at))?;
    permit::check(state, caller, item.agent, act_of(&change))?;
    Ok(change)
}

/// Reads a change; the toggle by the rules of the call it has of its own.
fn read_change(change: &Value, now: Millis) -> Result<FactChange, ApiError> {
    let bytes = serde_json::to_vec(change).unwrap_or_default();
    if change.get("fact").and_then(Value::as_str) == Some("toggle") {
        return Ok(FactChange::Toggle(PresenceChange::from_json(&bytes, now)?));
    }
    let change = body::parse(&bytes)?;
    facts::check_sense(&change, "/set")?;
    Ok(change)
}

/// The pointer to what an item sets.
fn place_of(index: usize, change: &FactChange) -> String {
    let member = match change {
        FactChange::Toggle(_) | FactChange::WorkAnyway { .. } | FactChange::Seat { .. } => "",
        FactChange::Pause { .. } | FactChange::Dnd { .. } | FactChange::OptOut { .. } | FactChange::Slots { .. } => {
            "/set"
        }
    };
    format!("/items/{index}/change{member}")
}

fn act_of(change: &FactChange) -> Act {
    match change {
        FactChange::Toggle(_) => Act::Toggle,
        FactChange::Pause { .. } => Act::Pause,
        FactChange::Dnd { set: Some(_) } => Act::SetDnd,
        FactChange::Dnd { set: None } => Act::EndDnd,
        FactChange::OptOut { .. } => Act::OptOut,
        FactChange::Slots { .. } => Act::Slots,
        FactChange::WorkAnyway { .. } => Act::WorkAnyway,
        FactChange::Seat { .. } => Act::Seat,
    }
}

/// Each person's changes are limited, in a batch as alone.
fn guard(state: &HttpState, agent: AgentId) -> Result<(), ApiError> {
    state.limiter.take(Key::Changes(agent), &state.config.limits, state.clock.now()).map(|_| ())
}

/// What changed nothing does not count.
fn give_back(state: &HttpState, agents: &[AgentId], answer: Option<&BatchAnswer>) {
    for (index, agent) in agents.iter().enumerate() {
        let changed = answer.and_then(|answer| answer.results.get(index)).is_some_and(|result| result.changed);
        if changed {
            state.metrics.presence_writes.increment();
        } else {
            state.limiter.put_back(&Key::Changes(*agent));
        }
    }
}

fn refused(agent: AgentId, problem: Problem) -> BatchResult {
    BatchResult {
        agent,
        status: problem.status,
        changed: false,
        before: None,
        after: None,
        locked_out: false,
        problem: Some(problem),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_item_is_pointed_at_from_the_top() {
        for (change, pointer) in [
            (json!({"fact":"toggle","state":2}), "/items/3/change/state"),
            (json!({"fact":"toggle","state":0,"until":"1970-01-01T00:00:00Z"}), "/items/3/change/until"),
            (json!({"fact":"pause","set":{"reason":" "}}), "/items/3/change/set/reason"),
            (json!({"fact":"opt_out","set":{"until":"2999-01-01T00:00:00Z"}}), "/items/3/change/set/until"),
            (json!({"fact":"sleep"}), "/items/3/change/fact"),
            (json!(7), "/items/3/change"),
        ] {
            let refused = read_change(&change, Millis(5)).unwrap_err().below("/items/3/change");
            assert_eq!(refused.problem().status, 422, "{change}");
            assert_eq!(refused.problem().more["pointer"], pointer, "{change}");
        }
        let change = json!({"fact":"pause","set":{"reason":"stock take","new":1}});
        assert!(matches!(read_change(&change, Millis(5)).unwrap(), FactChange::Pause { set: Some(_) }));
    }
}
