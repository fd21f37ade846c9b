//! `GET /core/calls/{uid}/decisions`: why each phone rang, or did not.

use axum::Json;
use axum::extract::{Path, State};
use cordboard_shared::decision::{CallDecisions, Decision};

use super::calls;
use crate::http::{ApiError, Caller, HttpState};

/// Who may see the call may see who was considered for it; reasons that colleagues gave are for staff.
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uid): Path<String>,
) -> Result<Json<CallDecisions>, ApiError> {
    caller.count_read(&state)?;
    let call = calls::visible(&state, &caller, &uid).await?;
    let mut decisions = state.store.decisions(caller.account, call.uid).await?;
    for decision in &mut decisions {
        tell(decision, &caller, |agent| state.app.directory().agents.get(&agent).map(|agent| agent.name.clone()));
    }
    Ok(Json(CallDecisions { call: call.uid, decisions }))
}

fn tell(decision: &mut Decision, caller: &Caller, name_of: impl Fn(cordboard_shared::id::AgentId) -> Option<String>) {
    for member in &mut decision.members {
        member.name = name_of(member.agent);
        let hidden = member.agent != caller.agent && !caller.is_staff();
        if let Some(fact) = member.fact.as_mut().filter(|_| hidden)
            && let Some(members) = fact.value.as_object_mut()
        {
            members.remove("reason");
            members.remove("note");
        }
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Role;
    use cordboard_shared::decision::{DecidingFact, MemberDecision, Reason, Then};
    use cordboard_shared::id::{AccountId, AgentId, SessionId};
    use cordboard_shared::{Millis, Version};
    use serde_json::json;

    use super::*;
    use crate::http::CallerKind;

    fn decision() -> Decision {
        let fact = DecidingFact {
            name: "pause".into(),
            value: json!({"until": null, "reason": "sick child"}),
            version: Version::default(),
            since: None,
            by: Some("Meera Nair".to_owned()),
            source: None,
        };
        Decision {
            step: 1,
            at: Millis(0),
            row: 1,
            department: None,
            strategy: "serial".into(),
            policy_version: "1".to_owned(),
            state_version: "1.0.0".to_owned(),
            refused: None,
            slots: 1,
            members: vec![MemberDecision {
                agent: AgentId::demo(0x21),
                name: None,
                reason: Reason::SkippedPaused,
                order: 1,
                cell: "1/paused".into(),
                rang_ms: None,
                fact: Some(fact),
            }],
            then: Then::Voicemail,
        }
    }

    fn caller(agent: u16, role: Role) -> Caller {
        Caller {
            account: AccountId::demo(1),
            agent: AgentId::demo(agent),
            name: String::new(),
            role,
            scopes: Vec::new(),
            kind: CallerKind::Session(SessionId::demo(1)),
        }
    }

    #[test]
    fn colleagues_see_the_name_and_not_the_reason_somebody_gave() {
        for (agent, role, told) in [
            (0x22, Role::Agent, false),
            (0x21, Role::Agent, true),
            (0x13, Role::Manager, true),
            (0x11, Role::Owner, true),
        ] {
            let mut decision = decision();
            tell(&mut decision, &caller(agent, role), |_| Some("Asha Rao".to_owned()));

            let member = &decision.members[0];
            assert_eq!(member.name.as_deref(), Some("Asha Rao"));
            assert_eq!(member.fact.as_ref().unwrap().value.get("reason").is_some(), told, "{role:?}");
        }
    }
}
