//! `GET /core/agents/presence`: everybody the caller may see, page by page in the order of their ids.
//!
//! A page is true at its own instant; the order never changes, so nobody is left out or told twice while people toggle.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_shared::ProblemCode;
use cordboard_shared::agent::{Presence, Toggle, Verdict};
use cordboard_shared::api::availability::PresencePage;
use cordboard_shared::id::AgentId;
use serde::Deserialize;
use uuid::Uuid;

use crate::directory::Directory;
use crate::http::{ApiError, Caller, HttpState};
use crate::rights;

/// People on a page unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most people on a page.
const MAX_LIMIT: usize = 200;

/// The query string. Unknown members are ignored.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    department: Option<String>,
    state: Option<String>,
    verdict: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// The query, understood.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    /// Members of a department.
    members: Option<Vec<AgentId>>,
    state: Option<Toggle>,
    verdict: Option<Verdict>,
    limit: usize,
    after: Option<AgentId>,
}

/// `GET /core/agents/presence?department=&state=&verdict=&limit=&cursor=`
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    caller.require(rights::PRESENCE_READ)?;
    let left = caller.count_list(&state)?;
    let Query(asked) = asked.map_err(|_| invalid("The query string cannot be read."))?;
    let directory = state.app.directory();
    let wanted = understand(&asked, &directory)?;

    let as_of = state.clock.now();
    let (stream_position, mut everybody) = state.app.presences().await?;
    everybody.sort_unstable_by_key(|presence| presence.uuid);
    everybody.retain(|presence| directory.may_see(caller.agent, presence.uuid));
    let (agents, next) = page(everybody, &wanted);
    let page = PresencePage { agents, next: next.map(cursor_of), as_of, stream_position };
    let mut response = Json(page).into_response();
    response.headers_mut().extend(left.headers());
    Ok(response)
}

fn understand(asked: &Asked, directory: &Directory) -> Result<Wanted, ApiError> {
    fn given(text: Option<&String>) -> Option<&str> {
        text.map(String::as_str).filter(|text| !text.is_empty())
    }
    let members = match given(asked.department.as_ref()) {
        Some(name) => {
            let found = directory.departments.iter().find(|it| it.slug == name || it.id.to_string() == name);
            let found = found.ok_or_else(|| ApiError::new(ProblemCode::NotFound, "There is no such department."))?;
            Some(found.members.iter().map(|member| member.agent).collect())
        }
        None => None,
    };
    let state = match given(asked.state.as_ref()) {
        None => None,
        Some("1") => Some(Toggle::On),
        Some("0") => Some(Toggle::Away),
        Some(_) => return Err(invalid("state is 1 (Available) or 0 (Away).")),
    };
    let verdict = given(asked.verdict.as_ref())
        .map(|word| serde_json::from_value(word.into()).map_err(|_| invalid("verdict is a word such as on_call.")))
        .transpose()?;
    let limit = match given(asked.limit.as_ref()) {
        None => DEFAULT_LIMIT,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or_else(|| invalid("limit is a number from 1 to 200."))?
        }
    };
    let after = given(asked.cursor.as_ref())
        .map(|text| agent_of(text).ok_or_else(|| invalid("cursor is the value of next in the page before.")))
        .transpose()?;
    Ok(Wanted { members, state, verdict, limit, after })
}

/// A page of people in the order of their ids, and after whom the next one begins.
fn page(everybody: Vec<Presence>, wanted: &Wanted) -> (Vec<Presence>, Option<AgentId>) {
    let fits = |presence: &Presence| {
        wanted.after.is_none_or(|after| presence.uuid > after)
            && wanted.members.as_ref().is_none_or(|members| members.contains(&presence.uuid))
            && wanted.state.is_none_or(|state| presence.state == state)
            && wanted.verdict.is_none_or(|verdict| presence.effective.verdict == verdict)
    };
    // One more tells whether there is a next page.
    let mut found: Vec<_> = everybody.into_iter().filter(fits).take(wanted.limit + 1).collect();
    let more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().filter(|_| more).map(|presence| presence.uuid);
    (found, next)
}

fn cursor_of(agent: AgentId) -> String {
    URL_SAFE_NO_PAD.encode(agent.0.as_bytes())
}

fn agent_of(cursor: &str) -> Option<AgentId> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    Uuid::from_slice(&bytes).ok().map(AgentId)
}

fn invalid(detail: &str) -> ApiError {
    ApiError::new(ProblemCode::InvalidRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_strictly() {
        let directory = crate::demo::directory();
        let ask = |asked: Asked| understand(&asked, &directory);
        let text = |text: &str| Some(text.to_owned());

        let all = ask(Asked::default()).unwrap();
        assert_eq!(all, Wanted { limit: 50, ..Wanted::default() });
        let some =
            Asked { department: text("support"), state: text("0"), verdict: text("on_call"), ..Asked::default() };
        let some = ask(some).unwrap();
        assert_eq!(
            (some.members.unwrap().len(), some.state, some.verdict),
            (4, Some(Toggle::Away), Some(Verdict::OnCall))
        );
        for wrong in ["0", "201", "-1", "x", "99999999999999999999"] {
            let refused = ask(Asked { limit: text(wrong), ..Asked::default() }).unwrap_err();
            assert_eq!(refused.problem().status, 400, "{wrong}");
        }
        assert_eq!(ask(Asked { state: text("true"), ..Asked::default() }).unwrap_err().problem().status, 400);
        assert_eq!(ask(Asked { verdict: text("busy"), ..Asked::default() }).unwrap_err().problem().status, 400);
        assert_eq!(ask(Asked { cursor: text("x"), ..Asked::default() }).unwrap_err().problem().status, 400);
        assert_eq!(ask(Asked { department: text("x"), ..Asked::default() }).unwrap_err().problem().status, 404);
        let agent = AgentId::demo(0x21);
        assert_eq!(agent_of(&cursor_of(agent)), Some(agent));
    }
}
