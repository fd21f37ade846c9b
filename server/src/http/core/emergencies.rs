//! `GET` and `POST /core/emergencies`, `DELETE /core/emergencies/{id}`: named, reasoned, time-boxed, by Admin or Owner.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::policy::{EmergencyList, StartEmergency};
use cordboard_shared::id::EmergencyId;
use cordboard_shared::policy::{EMERGENCY_LONGEST_MS, EMERGENCY_USUAL_MS, EmergencyRoute};
use cordboard_shared::{Millis, ProblemCode};

use super::routing_policy;
use crate::app::PolicyEdit;
use crate::clock;
use crate::http::{ApiError, Caller, HttpState, body, permit};
use crate::rights;

/// Longest name, in characters.
const LONGEST_NAME: usize = 64;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// `GET`: those that hold. Everybody may know, since everybody may be rung by one.
pub(in crate::http) async fn list(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    caller.require(rights::POLICY_READ)?;
    let left = caller.count_list(&state)?;
    let (policy, now) = (state.app.policy(), state.clock.now());
    let emergencies = policy.emergencies.iter().filter(|route| route.ends > now).cloned().collect();
    let list = Json(EmergencyList { emergencies });
    Ok(routing_policy::answer(list.into_response(), &policy, left))
}

/// `POST`: begins at once, for 2 hours unless said otherwise, for 24 at most.
pub(in crate::http) async fn start(
    State(state): State<HttpState>,
    caller: Caller,
    body::Json(asked): body::Json<StartEmergency>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let now = state.clock.now();
    let route = route(&asked, &caller, now)?;
    let directory = state.app.directory();
    let unknown = asked.departments.iter().position(|id| directory.department(*id).is_none());
    if let Some(index) = unknown {
        return Err(body::invalid_field(&format!("/departments/{index}"), "There is no such department."));
    }
    let policy = state.app.edit_policy(PolicyEdit::StartEmergency(route.clone()), None).await?;
    Ok(routing_policy::answer((StatusCode::CREATED, Json(route)).into_response(), &policy, left))
}

/// `DELETE`: ends it now.
pub(in crate::http) async fn stop(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    permit::check_admin(&state, &caller, rights::POLICY_WRITE)?;
    let left = caller.count_write(&state)?;
    let not_found = || ApiError::new(ProblemCode::NotFound, "There is no such emergency route, or it has ended.");
    let id: EmergencyId = id.parse().map_err(|_| not_found())?;
    let now = state.clock.now();
    if !state.app.policy().emergencies.iter().any(|route| route.id == id && route.ends > now) {
        return Err(not_found());
    }
    let policy = state.app.edit_policy(PolicyEdit::StopEmergency(id, now), None).await?;
    Ok(routing_policy::answer(StatusCode::NO_CONTENT.into_response(), &policy, left))
}

fn route(asked: &StartEmergency, caller: &Caller, now: Millis) -> Result<EmergencyRoute, ApiError> {
    body::check_text(&asked.name, "/name", LONGEST_NAME)?;
    body::check_text(&asked.reason, "/reason", LONGEST_REASON)?;
    let ends = asked.until.unwrap_or(now + EMERGENCY_USUAL_MS);
    if ends <= now || ends > now + EMERGENCY_LONGEST_MS {
        return Err(ApiError::new(ProblemCode::InvalidUntil, "until lies in the next 24 hours. Nothing was changed.")
            .with("pointer", "/until"));
    }
    Ok(EmergencyRoute {
        id: EmergencyId::new(now, clock::random()),
        name: asked.name.clone(),
        reason: asked.reason.clone(),
        departments: asked.departments.clone(),
        starts: now,
        ends,
        by: caller.actor(),
    })
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Role;
    use cordboard_shared::id::{AccountId, AgentId, SessionId};

    use super::*;
    use crate::http::CallerKind;

    #[test]
    fn an_emergency_has_a_name_a_reason_and_an_end_within_a_day() {
        let caller = Caller {
            account: AccountId::demo(1),
            agent: AgentId::demo(0x12),
            name: "Meera Nair".to_owned(),
            role: Role::Admin,
            scopes: Vec::new(),
            kind: CallerKind::Session(SessionId::demo(1)),
        };
        let now = Millis(1_000);
        let asked = |name: &str, reason: &str, until| StartEmergency {
            name: name.to_owned(),
            reason: reason.to_owned(),
            departments: Vec::new(),
            until,
        };
        let pointer = |asked: &StartEmergency| {
            route(asked, &caller, now).unwrap_err().problem().more["pointer"].as_str().unwrap().to_owned()
        };

        let usual = route(&asked("Storm", "lines are full", None), &caller, now).unwrap();
        assert_eq!((usual.starts, usual.ends, usual.by.name.as_str()), (now, now + EMERGENCY_USUAL_MS, "Meera Nair"));
        assert!(route(&asked("Storm", "x", Some(now + EMERGENCY_LONGEST_MS)), &caller, now).is_ok());
        assert_eq!(pointer(&asked("", "x", None)), "/name");
        assert_eq!(pointer(&asked(&"x".repeat(65), "x", None)), "/name");
        assert_eq!(pointer(&asked("Storm", "  ", None)), "/reason");
        assert_eq!(pointer(&asked("Storm", "x", Some(now))), "/until");
        assert_eq!(pointer(&asked("Storm", "x", Some(now + EMERGENCY_LONGEST_MS + 1))), "/until");
    }
}
