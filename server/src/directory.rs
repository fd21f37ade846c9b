//! The account's people, departments, numbers and flows, loaded at start and read by everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_shared::agent::{AgentProfile, Role};
use cordboard_shared::department::{Department, Mailbox, Number};
use cordboard_shared::flow::{Flow, FlowState};
use cordboard_shared::id::{AccountId, AgentId, DepartmentId};
use cordboard_shared::phone::{E164, Extension};
use cordboard_shared::policy::Policy;
use cordboard_shared::telephony::Telephony;

/// How long a message in a box nobody has set up may be, in seconds.
const MAILBOX_SECONDS: u32 = 60;

/// The policy part of one account.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The account.
    pub account: AccountId,
    /// Name of the company.
    pub name: String,
    /// Time zone (IANA name).
    pub zone: String,
    /// Language of its prompts.
    pub language: String,
    /// Rises with each change of anything below.
    pub policy_version: u64,
    /// People by id.
    pub agents: BTreeMap<AgentId, AgentProfile>,
    /// Departments in the order they are shown.
    pub departments: Vec<Department>,
    /// Numbers.
    pub numbers: Vec<Number>,
    /// Flows.
    pub flows: Vec<Arc<Flow>>,
    /// Trunks.
    /// Voicemail boxes.
    pub mailboxes: Vec<Mailbox>,
    /// Who manages which departments.
    pub managers: BTreeMap<AgentId, BTreeSet<DepartmentId>>,
    /// The routing policy; the departments above are its departments.
    pub policy: Arc<Policy>,
    /// Outgoing calls, desk phones, mobiles and recordings.
    pub telephony: Arc<Telephony>,
    /// Who may register as a desk phone, with digests of their passwords.
    pub phone_users: Arc<Vec<cordboard_sip::SipUser>>,
}

impl Directory {
    /// The policy a company begins with: its departments, and usual settings.
    pub fn first_policy(&self) -> Policy {
        Policy {
            version: self.policy_version.max(1),
            zone: self.zone.clone(),
            departments: self.departments.clone(),
            ..Policy::default()
        }
    }

    /// The same company under this policy. A department without a voicemail box gets one.
    #[must_use]
    pub fn under(&self, policy: Arc<Policy>) -> Self {
        let mut mailboxes = self.mailboxes.clone();
        for department in &policy.departments {
            if !mailboxes.iter().any(|mailbox| mailbox.name == department.slug) {
                mailboxes.push(Mailbox {
                    name: department.slug.clone(),
                    greeting: "audio:voicemail".to_owned(),
                    seconds: MAILBOX_SECONDS,
                });
            }
        }
        let zone = if policy.zone.is_empty() { self.zone.clone() } else { policy.zone.clone() };
        Self {
            zone,
            policy_version: policy.version,
            departments: policy.departments.clone(),
            mailboxes,
            policy,
            ..self.clone()
        }
    }
}

impl Directory {
    /// The department with this id.
    pub fn department(&self, id: DepartmentId) -> Option<&Department> {
        self.departments.iter().find(|department| department.id == id)
    }

    /// The department with this slug.
    pub fn department_by_slug(&self, slug: &str) -> Option<&Department> {
        self.departments.iter().find(|department| department.slug == slug)
    }

    /// The person with this extension.
    pub fn agent_by_extension(&self, extension: &Extension) -> Option<&AgentProfile> {
        self.agents.values().find(|agent| agent.extension.as_ref() == Some(extension))
    }

    /// The number that was called.
    pub fn number(&self, number: &E164) -> Option<&Number> {
        self.numbers.iter().find(|entry| entry.number == *number)
    }

    /// The flow with this slug, unless it is disabled.
    pub fn flow(&self, slug: &str) -> Option<&Arc<Flow>> {
        self.flows.iter().find(|flow| flow.slug == slug && flow.state == FlowState::Published)
    }

    /// The voicemail box of this name: a department's slug or a person's id.
    pub fn mailbox(&self, name: &str) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|mailbox| mailbox.name == name)
    }

    /// The name of a person, for people.
    pub fn agent_name(&self, id: AgentId) -> &str {
        self.agents.get(&id).map_or("somebody", |agent| agent.name.as_str())
    }
}

impl Directory {
    /// Whether this person is a member of the department.
    pub fn is_member(&self, agent: AgentId, department: DepartmentId) -> bool {
        self.department(department).is_some_and(|it| it.members.iter().any(|it| it.agent == agent))
    }

    /// Whether this person answers for the department: its manager, or an owner or admin.
    pub fn manages(&self, agent: AgentId, department: DepartmentId) -> bool {
        match self.agents.get(&agent).map(|it| it.role) {
            Some(Role::Owner | Role::Admin) => true,
            Some(Role::Manager) => self.managers.get(&agent).is_some_and(|managed| managed.contains(&department)),
            Some(Role::Agent) | None => false,
        }
    }

    /// Whether this person works in, or answers for, the department.
    pub fn works_in(&self, agent: AgentId, department: DepartmentId) -> bool {
        self.is_member(agent, department) || self.manages(agent, department)
    }

    /// Whether this person is an owner, an admin or a manager.
    pub fn is_staff(&self, agent: AgentId) -> bool {
        self.agents.get(&agent).is_some_and(|it| match it.role {
            Role::Owner | Role::Admin | Role::Manager => true,
            Role::Agent => false,
        })
    }

    /// Whether this person may see a call of this department and this person: their own, those of departments they work
    /// in or manage and of people they may see as staff, or every one as owner or admin. One that has neither yet may go
    /// to anybody's department: all staff see it.
    pub fn may_see_call(&self, viewer: AgentId, department: Option<DepartmentId>, agent: Option<AgentId>) -> bool {
        Some(viewer) == agent
            || self.agents.get(&viewer).is_some_and(|it| it.role.is_admin())
            || department.is_some_and(|department| self.works_in(viewer, department))
            || (department.is_none() && self.is_staff(viewer) && agent.is_none_or(|agent| self.may_see(viewer, agent)))
    }

    /// Whether this person may see the other one's presence: themselves, colleagues of a department and of those they
    /// manage, or everybody as owner or admin.
    pub fn may_see(&self, agent: AgentId, other: AgentId) -> bool {
        agent == other
            || self.agents.get(&agent).is_some_and(|it| it.role.is_admin())
            || self
                .departments
                .iter()
                .any(|it| it.members.iter().any(|member| member.agent == other) && self.works_in(agent, it.id))
    }
}

/// Whether an address lies in a network of CIDR form, such as `127.0.0.0/8` or `::1`.
pub fn network_contains(network: &str, address: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    let (base, prefix) = network.split_once('/').map_or((network, None), |(base, prefix)| (base, Some(prefix)));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let whole = if base.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix.map_or(Some(whole), |prefix| prefix.parse::<u32>().ok().filter(|it| *it <= whole)) else {
        return false;
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let address = address.to_canonical();
    base.is_ipv4() == address.is_ipv4() && (prefix == 0 || (bits(base) ^ bits(address)) >> (128 - prefix) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let ip = |text: &str| text.parse().unwrap();
        assert!(network_contains("127.0.0.0/8", ip("127.9.9.9")));
        assert!(!network_contains("127.0.0.0/8", ip("128.0.0.1")));
        assert!(network_contains("::1", ip("::1")));
        assert!(network_contains("127.0.0.1", ip("::ffff:127.0.0.1")));
        assert!(!network_contains("10.0.0.0/33", ip("10.0.0.1")));
        assert!(!network_contains("nonsense", ip("10.0.0.1")));
        assert!(network_contains("0.0.0.0/0", ip("10.0.0.1")));
    }
}
