//! Departments, numbers and trunks: the policy part of an account (`wire.md` section 3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, DepartmentId, NumberId, TrunkId};
use crate::phone::{E164, Extension};

/// How a department rings its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One after the other, in order.
    Serial,
    /// Several at once, in waves.
    Simultaneous,
    /// The longest idle first.
    Balanced,
}

impl Strategy {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Simultaneous => "simultaneous",
            Self::Balanced => "balanced",
        }
    }
}

/// A member of a department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The person.
    pub agent: AgentId,
    /// Place, from 1.
    pub order: u32,
    /// Rings although Away.
    #[serde(default)]
    pub always_include: bool,
    /// Skill → level.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
}

/// A link of the fallback chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Fallback {
    /// Record a message.
    Voicemail {
        /// The box: a department's slug or a person's id.
        #[serde(rename = "box")]
        mailbox: String,
    },
    /// Try another department, once.
    Department {
        /// Its slug.
        department: String,
    },
    /// End the call.
    Disconnect,
}

/// Whether calls of a department are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingRule {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
}

/// How long a caller stays bound to the person who helped them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// Whether another person may answer instead.
    pub mode: StickyMode,
    /// Memory, in hours.
    pub hours: u32,
}

/// Whether another person may answer instead of the bound one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StickyMode {
    /// Never.
    Strict,
    /// Yes.
    Loose,
}

/// A department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// Its short name in addresses and settings.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// How it rings.
    pub strategy: Strategy,
    /// Who is in it.
    pub members: Vec<Member>,
    /// How long one member rings, in seconds (10–60).
    pub ring_seconds: u32,
    /// How many ring at once under Simultaneous (1–25).
    pub wave: u32,
    /// After-call work, in seconds (0–300).
    pub wrap_up_seconds: u32,
    /// Sticky agent.
    pub sticky: Option<Sticky>,
    /// Longest wait for somebody busy, in seconds.
    pub max_wait_seconds: u32,
    /// What follows when nobody answers.
    pub fallback: Vec<Fallback>,
    /// Music on hold.
    pub music: String,
    /// Number shown on outbound calls.
    pub caller_id: Option<E164>,
    /// Whether calls are recorded.
    pub recording: RecordingRule,
}

/// Where a number, or a menu key, leads: `flow:main`, `department:support`, `extension:21`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// A flow, by slug.
    Flow(String),
    /// A department, by slug.
    Department(String),
    /// A person's extension.
    Extension(Extension),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flow(slug) => write!(f, "flow:{slug}"),
            Self::Department(slug) => write!(f, "department:{slug}"),
            Self::Extension(extension) => write!(f, "extension:{extension}"),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            Some(("flow", slug)) if !slug.is_empty() => Ok(Self::Flow(slug.to_owned())),
            Some(("department", slug)) if !slug.is_empty() => Ok(Self::Department(slug.to_owned())),
            Some(("extension", extension)) => {
                extension.parse().map(Self::Extension).map_err(|error: crate::phone::ParsePhoneError| error.to_string())
            }
            Some(_) | None => Err(format!("{text:?} is no flow:…, department:… or extension:…")),
        }
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

/// A telephone number of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Its id.
    pub id: NumberId,
    /// The number.
    pub number: E164,
    /// What people call it.
    pub label: String,
    /// The trunk it comes by.
    pub trunk: TrunkId,
    /// Where it leads.
    pub goes_to: Destination,
}

/// A SIP trunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its id.
    pub id: TrunkId,
    /// Its name.
    pub name: String,
    /// Networks calls are taken from, in CIDR form.
    pub addresses: Vec<String>,
    /// How calls go out; none for now.
    pub outbound: Option<serde_json::Value>,
    /// Calls at once.
    pub max_calls: u32,
}

/// A voicemail box: one per department and per person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// A department's slug or a person's id.
    #[serde(rename = "box")]
    pub name: String,
    /// What the caller hears first.
    pub greeting: String,
    /// Longest message, in seconds (6–60).
    pub seconds: u32,
}
