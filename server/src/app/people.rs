//! Changes of people's records: judged by the company as it is, on disk first, then in force.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::agent::{Actor, AgentProfile, Role};
use cordboard_shared::api::users::{UserChange, UserChanged, UserView};
use cordboard_shared::id::{AgentId, DepartmentId, RequestId};
use cordboard_shared::pii::Pii;
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::handle::{AppHandle, Request};
use crate::directory::Directory;
use crate::store::{PersonChange, StoreError};

/// Longest sign-in name, in bytes (RFC 5321 §4.5.3.1.3, without its angle brackets).
const LONGEST_EMAIL: usize = 254;

/// A change of a person's record on its way. That its sender is an admin was settled by the shell.
#[derive(Clone, Debug)]
pub struct PersonEdit {
    /// Whose.
    pub agent: AgentId,
    /// What.
    pub change: UserChange,
    /// Who asks, by whose role the reach is judged.
    pub by: AgentId,
    /// By whom, for the record.
    pub actor: Actor,
    /// The request that asks for it.
    pub request: Option<RequestId>,
    /// When.
    pub at: Millis,
}

/// Carries a change out; the callers take turns.
pub(super) async fn change(app: &AppHandle, edit: PersonEdit) -> Result<UserView, Problem> {
    let directory = app.directory();
    let mobile = app.store.mobile(directory.account, edit.agent).await.map_err(|error| refused(&error))?.map(Pii);
    let Some(before) = view(&directory, edit.agent, mobile) else {
        return Err(Problem::new(ProblemCode::AgentNotFound, "There is no such person in this account."));
    };
    let after = decide(&directory, &before, &edit)?;
    let changed = differences(&before, &after);
    if changed.is_empty() {
        return Ok(after);
    }
    let record = UserChanged { agent: edit.agent, at: edit.at, actor: edit.actor, request: edit.request, changed };
    let change = PersonChange {
        profile: &after.profile,
        mobile: after.mobile.as_ref().map(|mobile| &mobile.0),
        manages: &after.manages,
        // A link that was sent to somebody of another role was sent on other terms.
        takes_links_back: before.profile.role != after.profile.role,
        record: &record,
    };
    app.store.change_person(directory.account, &change).await.map_err(|error| refused(&error))?;
    let what = record.changed.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    tracing::info!(agent.id = %edit.agent, by = %record.actor.id, "a person's record has changed: {what}");
    let (reply, obeyed) = tokio::sync::oneshot::channel();
    let (profile, manages) = (Box::new(after.profile.clone()), after.manages.clone());
    // It is on disk: however busy the account's task is, it has to hear of it. One that has ended reads it at its start.
    let _ = app.requests.send(Request::PersonChanged { profile, manages, reply }).await;
    let _ = obeyed.await;
    Ok(after)
}

/// A person as admins and they themselves see them.
pub(super) fn view(
    directory: &Directory,
    agent: AgentId,
    mobile: Option<Pii<cordboard_shared::phone::E164>>,
) -> Option<UserView> {
    let profile = directory.agents.get(&agent)?.clone();
    let known = |id: &DepartmentId| directory.department(*id).is_some();
    let manages = directory.managers.get(&agent).into_iter().flatten().copied().filter(known).collect();
    Some(UserView { profile, mobile, manages })
}

/// The person after the change, or why not.
fn decide(directory: &Directory, before: &UserView, edit: &PersonEdit) -> Result<UserView, Problem> {
    let by = directory.agents.get(&edit.by).map_or(Role::Agent, |person| person.role);
    let (profile, change) = (&before.profile, &edit.change);
    if profile.role == Role::Owner && by != Role::Owner {
        return Err(lacking("Only an owner can change an owner."));
    }
    let role = change.role.unwrap_or(profile.role);
    if role != profile.role {
        if edit.by == edit.agent {
            return Err(lacking("Nobody can change their own role."));
        }
        if role == Role::Owner && by != Role::Owner {
            return Err(lacking("Only an owner can make somebody an owner."));
        }
    }
    let email = match &change.email {
        Some(email) => sign_in_name(email)?,
        None => profile.email.clone(),
    };
    if directory.agents.values().any(|other| other.id != profile.id && other.email == email) {
        return Err(taken());
    }
    let manages = change.manages.clone().unwrap_or_else(|| before.manages.clone());
    if manages.iter().any(|id| directory.department(*id).is_none()) {
        return Err(invalid("/manages", "There is no such department."));
    }
    Ok(UserView {
        profile: AgentProfile { email, role, ..profile.clone() },
        mobile: change.mobile.clone().unwrap_or_else(|| before.mobile.clone()),
        manages,
    })
}

/// Lower case, since people do not remember how they wrote it.
fn sign_in_name(text: &str) -> Result<String, Problem> {
    let email = text.trim().to_lowercase();
    let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts =
        email.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if email.len() <= LONGEST_EMAIL && plain && parts.is_some() {
        return Ok(email);
    }
    Err(invalid("/email", "email is an address such as asha@example.com."))
}

/// Before and after of what differs.
fn differences(before: &UserView, after: &UserView) -> BTreeMap<String, Pii<[Value; 2]>> {
    let members = |it: &UserView| {
        let UserView { profile: AgentProfile { email, role, .. }, mobile, manages } = it;
        [("email", json!(email)), ("mobile", json!(mobile)), ("role", json!(role)), ("manages", json!(manages))]
    };
    let pairs = members(before).into_iter().zip(members(after));
    let different = pairs.filter(|((_, before), (_, after))| before != after);
    different.map(|((name, before), (_, after))| (name.to_owned(), Pii([before, after]))).collect()
}

fn lacking(sentence: &str) -> Problem {
    Problem::new(ProblemCode::MissingRight, format!("{sentence} Nothing was changed."))
        .with("right", crate::rights::USERS_WRITE)
}

fn invalid(pointer: &str, sentence: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, format!("{sentence} Nothing was changed.")).with("pointer", pointer)
}

fn taken() -> Problem {
    invalid("/email", "Somebody else signs in with this address.")
}

fn refused(error: &StoreError) -> Problem {
    if matches!(error, StoreError::Exists(_)) {
        return taken();
    }
    tracing::error!(error = error as &dyn std::error::Error, "a person's record cannot be changed");
    Problem::new(ProblemCode::StoreUnavailable, "The database does not answer. Nothing was changed; try again.")
        .with("retry_after", 1)
}

/// The company with this person's new record.
pub(super) fn with_person(directory: &Directory, profile: AgentProfile, manages: BTreeSet<DepartmentId>) -> Directory {
    let mut next = directory.clone();
    next.managers.insert(profile.id, manages);
    next.agents.insert(profile.id, profile);
    next
}

#[cfg(test)]
mod tests {
    use cordboard_shared::phone::E164;

    use super::*;
    use crate::demo;

    const OWNER: AgentId = AgentId::demo(0x11);

    fn who(name: &str) -> AgentId {
        let directory = demo::directory();
        directory.agents.values().find(|person| person.name.starts_with(name)).unwrap().id
    }

    fn try_change(by: &str, of: &str, change: UserChange) -> Result<UserView, Problem> {
        let directory = demo::directory();
        let before = view(&directory, who(of), None).unwrap();
        let edit = PersonEdit {
            agent: who(of),
            change,
            by: who(by),
            actor: Actor::user(who(by), by),
            request: None,
            at: Millis(1),
        };
        decide(&directory, &before, &edit)
    }

    fn to(role: Role) -> UserChange {
        UserChange { role: Some(role), ..UserChange::default() }
    }

    #[test]
    fn roles_are_given_by_those_above_and_never_to_oneself() {
        assert_eq!(who("Farah"), OWNER);
        for (by, of, role, allowed) in [
            ("Meera", "Asha", Role::Manager, true),
            ("Meera", "Asha", Role::Admin, true),
            ("Meera", "Asha", Role::Owner, false),
            ("Farah", "Asha", Role::Owner, true),
            ("Meera", "Farah", Role::Agent, false),
            ("Meera", "Meera", Role::Owner, false),
            ("Meera", "Meera", Role::Agent, false),
            ("Farah", "Farah", Role::Admin, false),
            ("Meera", "Meera", Role::Admin, true),
        ] {
            let decided = try_change(by, of, to(role));
            assert_eq!(decided.is_ok(), allowed, "{by} makes {of} {role:?}");
            if let Err(problem) = decided {
                assert_eq!(problem.code(), Some(ProblemCode::MissingRight));
            }
        }
        // An owner's address is what resets their sign-in.
        let email = UserChange { email: Some("x@y.example".to_owned()), ..UserChange::default() };
        assert!(try_change("Meera", "Farah", email.clone()).is_err());
        assert!(try_change("Farah", "Farah", email).is_ok());
    }

    #[test]
    fn a_sign_in_name_is_an_address_of_nobody_else() {
        let with = |email: &str| {
            let change = UserChange { email: Some(email.to_owned()), ..UserChange::default() };
            try_change("Meera", "Asha", change).map(|view| view.profile.email)
        };
        assert_eq!(with(" Asha.R@Example.COM ").unwrap(), "asha.r@example.com");
        let tom = demo::directory().agents[&who("Tom")].email.to_uppercase();
        for wrong in ["", "asha", "@x", "a@", "a b@c", "a@b@c", &format!("{}@x", "a".repeat(260)), &tom] {
            assert_eq!(with(wrong).unwrap_err().more["pointer"], "/email", "{wrong}");
        }
    }

    #[test]
    fn only_what_differs_is_written_down() {
        let number: E164 = "+447700900100".parse().unwrap();
        let change = UserChange { mobile: Some(Some(Pii(number))), manages: Some(BTreeSet::new()), ..to(Role::Agent) };
        let before = view(&demo::directory(), who("Asha"), None).unwrap();
        let after = try_change("Meera", "Asha", change).unwrap();
        let changed = differences(&before, &after);
        assert_eq!(changed.len(), 1);
        assert_eq!(changed["mobile"].0, [json!(null), json!("+447700900100")]);
        let unknown = UserChange { manages: Some([DepartmentId::demo(9)].into()), ..UserChange::default() };
        assert_eq!(try_change("Meera", "Asha", unknown).unwrap_err().more["pointer"], "/manages");
    }
}
