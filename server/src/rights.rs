//! Who may do what: the scope words of tokens, and what each role holds.

use cordboard_shared::agent::Role;

/// See facts and verdicts.
pub const PRESENCE_READ: &str = "presence:read";
/// Set one's own toggle.
pub const PRESENCE_WRITE_SELF: &str = "presence:write:self";
/// Set toggles in one's own departments.
pub const PRESENCE_WRITE_TEAM: &str = "presence:write:team";
/// Set anybody's toggle.
pub const PRESENCE_WRITE_ANY: &str = "presence:write:any";
/// Pause others, as far as the role reaches.
pub const PAUSE_WRITE: &str = "pause:write";
/// Opt out and resume: oneself, and others as far as the role reaches.
pub const OPT_OUT_WRITE: &str = "opt-out:write";
/// See the calls one may see.
pub const CALLS_READ: &str = "calls:read";
/// Call others from one's own devices.
pub const CALLS_WRITE_SELF: &str = "calls:write:self";
/// Say that a callback is dealt with.
pub const CALLBACKS_WRITE: &str = "callbacks:write";
/// See why each phone rang or did not, with everybody's facts.
pub const DECISIONS_READ: &str = "decisions:read";
/// Ask what would happen to a call, and what would have.
pub const SIMULATE: &str = "simulate";
/// See people, departments, numbers, flows and trunks; of the routing policy what the role may see.
pub const POLICY_READ: &str = "policy:read";
/// Change the routing policy, block callers, start emergency routes.
pub const POLICY_WRITE: &str = "policy:write";
/// Change people's roles, sign-in names and mobile numbers.
pub const USERS_WRITE: &str = "users:write";
/// Place a test call.
pub const TEST_CALL: &str = "test-calls:write";

const AGENT: &[&str] = &[
    PRESENCE_READ,
    PRESENCE_WRITE_SELF,
    OPT_OUT_WRITE,
    CALLS_READ,
    CALLS_WRITE_SELF,
    CALLBACKS_WRITE,
    POLICY_READ,
    TEST_CALL,
];
const MANAGER: &[&str] = &[
    PRESENCE_READ,
    PRESENCE_WRITE_SELF,
    PRESENCE_WRITE_TEAM,
    PAUSE_WRITE,
    OPT_OUT_WRITE,
    CALLS_READ,
    CALLS_WRITE_SELF,
    CALLBACKS_WRITE,
    DECISIONS_READ,
    SIMULATE,
    POLICY_READ,
    TEST_CALL,
];
const ADMIN: &[&str] = &[
    PRESENCE_READ,
    PRESENCE_WRITE_SELF,
    PRESENCE_WRITE_TEAM,
    PRESENCE_WRITE_ANY,
    PAUSE_WRITE,
    OPT_OUT_WRITE,
    CALLS_READ,
    CALLS_WRITE_SELF,
    CALLBACKS_WRITE,
    DECISIONS_READ,
    SIMULATE,
    POLICY_READ,
    POLICY_WRITE,
    USERS_WRITE,
    TEST_CALL,
];

/// What a role holds. A token never gives more than its owner's role does.
pub fn of_role(role: Role) -> &'static [&'static str] {
    match role {
        Role::Agent => AGENT,
        Role::Manager => MANAGER,
        Role::Owner | Role::Admin => ADMIN,
    }
}
