//! The account's people, departments, numbers and flows, loaded at start and read by everybody.

use std::collections::BTreeMap;

use cordboard_shared::agent::AgentProfile;
use cordboard_shared::department::{Department, Mailbox, Number, Trunk};
use cordboard_shared::flow::Flow;
use cordboard_shared::id::{AccountId, AgentId, DepartmentId};
use cordboard_shared::phone::{E164, Extension};

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
    pub flows: Vec<Flow>,
    /// Trunks.
    pub trunks: Vec<Trunk>,
    /// Voicemail boxes.
    pub mailboxes: Vec<Mailbox>,
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

    /// The flow with this slug.
    pub fn flow(&self, slug: &str) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.slug == slug)
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
