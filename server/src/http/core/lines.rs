//! `GET /core/departments/{id}/line`, `GET /core/callbacks` and `POST /core/callbacks/{uid}/done`: who waits.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cordboard_shared::ProblemCode;
use cordboard_shared::api::routing::{CallbackList, CallbackView};
use cordboard_shared::id::CallId;

use crate::directory::Directory;
use crate::http::{ApiError, Caller, HttpState};
use crate::rights;

/// The line of a department one works in or answers for; callers' numbers are for who answers for it.
pub(in crate::http) async fn line(
    State(state): State<HttpState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    caller.require(rights::CALLS_READ)?;
    let left = caller.count_read(&state)?;
    let directory = state.app.directory();
    let department = directory.departments.iter().find(|it| it.id.to_string() == id || it.slug == id);
    let department = department.filter(|it| directory.works_in(caller.agent, it.id)).ok_or_else(|| {
        ApiError::new(ProblemCode::NotFound, "There is no such department, or its line is not yours to see.")
    })?;
    let mut line = state.app.line(department.id).await?;
    if !directory.manages(caller.agent, department.id) {
        for entry in &mut line.callers {
            entry.from = None;
        }
    }
    let mut response = Json(line).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// Callbacks of one's departments and one's own, due ones first.
pub(in crate::http) async fn callbacks(State(state): State<HttpState>, caller: Caller) -> Result<Response, ApiError> {
    caller.require(rights::CALLS_READ)?;
    let left = caller.count_list(&state)?;
    let directory = state.app.directory();
    let mut callbacks = state.app.callbacks().await?;
    callbacks.retain(|callback| concerns(&directory, &caller, callback));
    let mut response = Json(CallbackList { callbacks }).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

/// The person was called back, or it is settled otherwise.
pub(in crate::http) async fn done(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uid): Path<String>,
) -> Result<Response, ApiError> {
    caller.require(rights::CALLBACKS_WRITE)?;
    let left = caller.count_write(&state)?;
    let not_found = || ApiError::new(ProblemCode::NotFound, "There is no such callback, or it is dealt with.");
    let call: CallId = uid.parse().map_err(|_| not_found())?;
    let directory = state.app.directory();
    let held = state.app.callbacks().await?;
    if !held.iter().any(|callback| callback.call == call && concerns(&directory, &caller, callback)) {
        return Err(not_found());
    }
    state.app.callback_done(call).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

fn concerns(directory: &Directory, caller: &Caller, callback: &CallbackView) -> bool {
    caller.role.is_admin()
        || callback.agent == Some(caller.agent)
        || callback.department.is_some_and(|department| directory.works_in(caller.agent, department))
}

#[cfg(test)]
mod tests {
    use cordboard_shared::Millis;
    use cordboard_shared::agent::Role;
    use cordboard_shared::id::{AccountId, AgentId, SessionId};

    use super::*;
    use crate::http::CallerKind;

    #[test]
    fn a_callback_concerns_its_department_and_its_person() {
        let directory = crate::demo::directory();
        let support = directory.departments[0].id;
        let callback = |department, agent: Option<u16>| CallbackView {
            call: CallId::new(Millis(1), [1; 10]),
            number: "+442079460100".to_owned().into(),
            department,
            agent: agent.map(AgentId::demo),
            asked_at: Millis(1),
            due_at: None,
            attempts: 0,
        };
        let of_support = callback(Some(support), None);
        let for_tom = callback(None, Some(0x24));

        for (agent, role, support, tom) in [
            (0x21, Role::Agent, true, false),
            (0x24, Role::Agent, false, true),
            (0x13, Role::Manager, true, false),
            (0x12, Role::Admin, true, true),
        ] {
            let caller = Caller {
                account: AccountId::demo(1),
                agent: AgentId::demo(agent),
                name: String::new(),
                role,
                scopes: Vec::new(),
                kind: CallerKind::Session(SessionId::demo(1)),
            };
            assert_eq!(concerns(&directory, &caller, &of_support), support, "{role:?}");
            assert_eq!(concerns(&directory, &caller, &for_tom), tom, "{role:?}");
        }
    }
}
