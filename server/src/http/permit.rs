//! Who may see and change whom (`availability-and-panel.md` sections 2.1 C8 and 6.3): the right, the role's reach, and
//! for a refusal the sentence that says who can do it.

use cordboard_shared::ProblemCode;
use cordboard_shared::agent::Role;
use cordboard_shared::id::AgentId;

use super::{ApiError, Caller, CallerKind, HttpState};
use crate::directory::Directory;
use crate::rights;

/// Something done to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Set the toggle.
    Toggle,
    /// Pause, or lift a pause.
    Pause,
    /// Set Do Not Disturb.
    SetDnd,
    /// End Do Not Disturb.
    EndDnd,
    /// Opt out, or resume.
    OptOut,
    /// Set availability slots.
    Slots,
    /// Work outside the slots.
    WorkAnyway,
    /// Switch the seat on or off.
    Seat,
    /// Make a link to opt out, or take links back.
    Link,
    /// See the history, and what can ring them.
    SeeFacts,
}

/// How the caller stands to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    own: bool,
    admin: bool,
    manages: bool,
}

/// Who can do what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Owners, admins, and managers of the person's departments.
    Managers,
    /// Owners and admins.
    Admins,
    /// The person, and nobody else.
    Themselves,
    /// Anybody but the person.
    Others,
}

/// Refuses what this caller may not do to this person.
pub(super) fn check(state: &HttpState, caller: &Caller, agent: AgentId, act: Act) -> Result<(), ApiError> {
    let directory = state.app.directory();
    let standing = standing(&directory, caller, agent);
    let Err((right, who)) = decide(act, standing, |scope| caller.has(scope)) else { return Ok(()) };
    let of_role = rights::of_role(caller.role);
    let token_lacks =
        matches!(caller.kind, CallerKind::Token(..)) && decide(act, standing, |scope| of_role.contains(&scope)).is_ok();
    let sentence = if token_lacks {
        format!("This token does not carry the right {right}.")
    } else {
        sentence(&directory, caller, agent, act, who)
    };
    Err(refusal(right, &sentence))
}

/// Refuses a read of somebody's presence by who is neither a colleague of theirs nor answers for them.
pub(super) fn check_sight(state: &HttpState, caller: &Caller, agent: AgentId) -> Result<(), ApiError> {
    caller.require(rights::PRESENCE_READ)?;
    let directory = state.app.directory();
    if directory.may_see(caller.agent, agent) {
        return Ok(());
    }
    Err(refusal(rights::PRESENCE_READ, &sentence(&directory, caller, agent, Act::SeeFacts, Who::Managers)))
}

/// Refuses who is no owner or admin, or whose token lacks the right.
pub(super) fn check_admin(state: &HttpState, caller: &Caller, right: &'static str) -> Result<(), ApiError> {
    if !caller.role.is_admin() {
        let ask = ask(&state.app.directory(), caller.agent);
        return Err(refusal(right, &format!("Only Admin can do this.{ask}")));
    }
    caller.require(right)
}

/// Whether the caller may read reasons that this person, or somebody about them, has given.
pub(super) fn sees_reasons(directory: &Directory, caller: &Caller, agent: AgentId) -> bool {
    let Standing { own, admin, manages } = standing(directory, caller, agent);
    own || admin || manages
}

fn standing(directory: &Directory, caller: &Caller, agent: AgentId) -> Standing {
    let member = |department: &&cordboard_shared::department::Department| {
        department.members.iter().any(|member| member.agent == agent)
    };
    Standing {
        own: caller.agent == agent,
        admin: caller.role.is_admin(),
        manages: caller.role == Role::Manager
            && directory.departments.iter().filter(member).any(|it| directory.manages(caller.agent, it.id)),
    }
}

/// The refusal names the right that is lacking.
fn decide(act: Act, standing: Standing, has: impl Fn(&'static str) -> bool) -> Result<(), (&'static str, Who)> {
    let Standing { own, admin, manages } = standing;
    let any = admin && has(rights::PRESENCE_WRITE_ANY);
    let team = manages && has(rights::PRESENCE_WRITE_TEAM);
    let (granted, right, who) = match act {
        Act::Toggle | Act::WorkAnyway => {
            let right = match () {
                () if own => rights::PRESENCE_WRITE_SELF,
                () if manages => rights::PRESENCE_WRITE_TEAM,
                () => rights::PRESENCE_WRITE_ANY,
            };
            (any || team || (own && has(rights::PRESENCE_WRITE_SELF)), right, Who::Managers)
        }
        // A pause is locked for its person, so nobody sets or lifts their own: not an admin, either.
        Act::Pause if own => (false, rights::PAUSE_WRITE, Who::Others),
        Act::Pause => ((admin || manages) && has(rights::PAUSE_WRITE), rights::PAUSE_WRITE, Who::Managers),
        Act::SetDnd => (own && has(rights::PRESENCE_WRITE_SELF), rights::PRESENCE_WRITE_SELF, Who::Themselves),
        Act::EndDnd => {
            let right = if own { rights::PRESENCE_WRITE_SELF } else { rights::PRESENCE_WRITE_ANY };
            (any || (own && has(rights::PRESENCE_WRITE_SELF)), right, Who::Admins)
        }
        Act::OptOut => ((own || admin || manages) && has(rights::OPT_OUT_WRITE), rights::OPT_OUT_WRITE, Who::Managers),
        Act::Slots => {
            let right = if manages { rights::PRESENCE_WRITE_TEAM } else { rights::PRESENCE_WRITE_ANY };
            (any || (team && !own), right, Who::Managers)
        }
        Act::Seat if own => (false, rights::PRESENCE_WRITE_ANY, Who::Others),
        Act::Seat => (any, rights::PRESENCE_WRITE_ANY, Who::Admins),
        Act::Link => ((own || admin) && has(rights::OPT_OUT_WRITE), rights::OPT_OUT_WRITE, Who::Admins),
        Act::SeeFacts => {
            ((own || admin || manages) && has(rights::PRESENCE_READ), rights::PRESENCE_READ, Who::Managers)
        }
    };
    if granted { Ok(()) } else { Err((right, who)) }
}

fn sentence(directory: &Directory, caller: &Caller, agent: AgentId, act: Act, who: Who) -> String {
    let name = directory.agent_name(agent);
    match (who, act) {
        (Who::Others, Act::Seat) => format!("Nobody can switch off their own seat.{}", ask(directory, caller.agent)),
        (Who::Others, _) => {
            "Nobody can pause themselves, or lift their own pause: switch Call Availability off instead.".to_owned()
        }
        (Who::Themselves, _) => format!("Only {name} can set their own Do Not Disturb; an admin can pause them."),
        (Who::Admins, _) => format!("Only Admin can do this.{}", ask(directory, caller.agent)),
        (Who::Managers, _) => {
            let departments: Vec<_> = directory
                .departments
                .iter()
                .filter(|department| department.members.iter().any(|member| member.agent == agent))
                .map(|department| department.name.as_str())
                .collect();
            let managers = if departments.is_empty() {
                String::new()
            } else {
                format!(" or a manager of {}", departments.join(" or "))
            };
            format!("Only Admin{managers} can do this.{}", ask(directory, caller.agent))
        }
    }
}

/// ` Ask Meera Nair.`: an admin, else the owner, and never the caller.
pub(super) fn ask(directory: &Directory, caller: AgentId) -> String {
    let with = |role| directory.agents.values().find(|agent| agent.role == role && agent.id != caller);
    with(Role::Admin).or_else(|| with(Role::Owner)).map(|agent| format!(" Ask {}.", agent.name)).unwrap_or_default()
}

fn refusal(right: &'static str, sentence: &str) -> ApiError {
    ApiError::new(ProblemCode::MissingRight, format!("{sentence} Nothing was changed.")).with("right", right)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTS: [Act; 10] = [
        Act::Toggle,
        Act::Pause,
        Act::SetDnd,
        Act::EndDnd,
        Act::OptOut,
        Act::Slots,
        Act::WorkAnyway,
        Act::Seat,
        Act::Link,
        Act::SeeFacts,
    ];

    /// Acts a role may do to a person, as a word of letters in the order of [`ACTS`].
    fn allowed(role: Role, own: bool, manages: bool) -> String {
        let standing = Standing { own, admin: role.is_admin(), manages };
        ACTS.iter()
            .zip("tpdeoswxlf".chars())
            .filter(|(act, _)| decide(**act, standing, |scope| rights::of_role(role).contains(&scope)).is_ok())
            .map(|(_, letter)| letter)
            .collect()
    }

    #[test]
    fn each_role_reaches_as_far_as_the_specification_says() {
        for (role, own, manages, acts) in [
            (Role::Agent, true, false, "tdeowlf"),
            (Role::Agent, false, false, ""),
            (Role::Manager, true, false, "tdeowlf"),
            (Role::Manager, true, true, "tdeowlf"),
            (Role::Manager, false, true, "tposwf"),
            (Role::Manager, false, false, ""),
            (Role::Admin, true, false, "tdeoswlf"),
            (Role::Admin, false, false, "tpeoswxlf"),
            (Role::Owner, false, false, "tpeoswxlf"),
        ] {
            assert_eq!(allowed(role, own, manages), acts, "{role:?} own {own} manages {manages}");
        }
    }

    #[test]
    fn a_scope_alone_gives_nothing_the_role_does_not() {
        let nobody = Standing { own: false, admin: false, manages: false };
        for act in ACTS {
            assert!(decide(act, nobody, |_| true).is_err(), "{act:?}");
        }
    }

    #[test]
    fn a_role_alone_gives_nothing_the_scopes_do_not() {
        let own = Standing { own: true, admin: true, manages: false };
        let others = Standing { own: false, ..own };
        for act in ACTS {
            assert!(decide(act, own, |_| false).is_err() && decide(act, others, |_| false).is_err(), "{act:?}");
        }
        assert_eq!(
            decide(Act::OptOut, others, |scope| scope != rights::OPT_OUT_WRITE),
            Err((rights::OPT_OUT_WRITE, Who::Managers))
        );
    }
}
