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
/// See the calls one may see.
pub const CALLS_READ: &str = "calls:read";
/// See why each phone rang or did not, with everybody's facts.
pub const DECISIONS_READ: &str = "decisions:read";
/// See people, departments, numbers, flows and trunks.
pub const POLICY_READ: &str = "policy:read";
/// Place a test call.
pub const TEST_CALL: &str = "test-calls:write";

const AGENT: &[&str] = &[PRESENCE_READ, PRESENCE_WRITE_SELF, CALLS_READ, POLICY_READ, TEST_CALL];
const MANAGER: &[&str] =
    &[PRESENCE_READ, PRESENCE_WRITE_SELF, PRESENCE_WRITE_TEAM, CALLS_READ, DECISIONS_READ, POLICY_READ, TEST_CALL];
const ADMIN: &[&str] = &[
    PRESENCE_READ,
    PRESENCE_WRITE_SELF,
    PRESENCE_WRITE_TEAM,
    PRESENCE_WRITE_ANY,
    CALLS_READ,
    DECISIONS_READ,
    POLICY_READ,
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
