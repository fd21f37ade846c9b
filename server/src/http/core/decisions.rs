//! `GET /core/calls/{uid}/decisions`: why each phone rang, or did not.

use axum::Json;
use axum::extract::{Path, State};
use cordboard_shared::decision::{CallDecisions, DecidingFact, Decision};
use serde_json::Value;

use super::calls;
use crate::directory::Directory;
use crate::http::permit;
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
    let directory = state.app.directory();
    for decision in &mut decisions {
        tell(decision, &caller, &directory);
    }
    Ok(Json(CallDecisions { call: call.uid, decisions }))
}

/// Adds the names, and takes away the reasons that are not this caller's to read.
pub(super) fn tell(decision: &mut Decision, caller: &Caller, directory: &Directory) {
    for member in &mut decision.members {
        member.name = directory.agents.get(&member.agent).map(|agent| agent.name.clone());
        if !permit::sees_reasons(directory, caller, member.agent)
            && let Some(fact) = &mut member.fact
        {
            redact(fact);
        }
    }
}

fn redact(fact: &mut DecidingFact) {
    let given_by_people = matches!(&*fact.name, "pause" | "dnd" | "opt_out" | "toggle");
    match &mut fact.value {
        // A block is written as its reason alone.
        Value::String(_) if given_by_people => fact.value = Value::Null,
        Value::Object(members) => {
            members.remove("reason");
            members.remove("note");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::Role;
    use cordboard_shared::decision::{MemberDecision, Reason, Then};
    use cordboard_shared::id::{AccountId, AgentId, SessionId};
    use cordboard_shared::{Millis, Version};
    use serde_json::json;

    use super::*;
    use crate::http::CallerKind;

    fn decision(name: &'static str, value: Value) -> Decision {
        let fact = DecidingFact {
            name: name.into(),
            value,
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
        let directory = crate::demo::directory();
        for (agent, role, told) in [
            (0x22, Role::Agent, false),
            (0x21, Role::Agent, true),
            (0x13, Role::Manager, true),
            (0x11, Role::Owner, true),
        ] {
            let told_of = |name, value| {
                let mut decision = decision(name, value);
                tell(&mut decision, &caller(agent, role), &directory);
                assert_eq!(decision.members[0].name.as_deref(), Some("Asha Rao"));
                decision.members.remove(0).fact.unwrap().value
            };

            let pause = told_of("pause", json!("sick child"));
            assert_eq!(pause == "sick child", told, "{role:?}");
            let old = told_of("pause", json!({"until": null, "reason": "sick child"}));
            assert_eq!(old.get("reason").is_some(), told, "{role:?}");
            assert_eq!(told_of("toggle", json!(0)), 0);
            assert_eq!(told_of("schedule", json!("outside")), "outside");
        }
    }
}
