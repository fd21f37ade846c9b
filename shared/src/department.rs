//! Departments and numbers: the policy part of an account (`wire.md` section 3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, DepartmentId, NumberId, TrunkId};
use crate::phone::{E164, Extension};
use crate::policy::ReachPatch;
use crate::schedule::WeeklyHours;

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
    /// Ring one person, once.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// Play a message, then end the call.
    Message {
        /// `audio:<name>`.
        audio: String,
    },
    /// Offer to call back: the place in the line is kept.
    Callback,
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
    /// What a strict binding does when its person cannot take the call; none is the department's voicemail box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
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

/// A skill the calls of a department need, and how that need relaxes while the caller waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillNeed {
    /// The skill.
    pub skill: String,
    /// The level needed at first (1–10).
    pub level: u8,
    /// Lower levels after a wait, in rising order of the wait.
    #[serde(default)]
    pub relax: Vec<Relax>,
}

/// A step of relaxing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relax {
    /// After so long in the line, in seconds.
    pub after_seconds: u32,
    /// The level needed from then on; 0 is none.
    pub level: u8,
}

/// A rule that comes before the strategy; the first that holds decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Holds only within these hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<WeeklyHours>,
    /// Holds only for callers whose number begins with one of these, such as `+4420`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Holds only for contacts with one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where the call goes.
    pub then: Fallback,
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
    /// Opening hours and holidays; without windows it is always open.
    #[serde(default, skip_serializing_if = "WeeklyHours::is_always")]
    pub hours: WeeklyHours,
    /// What follows when it is closed; none is the ordinary fallback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Fallback>,
    /// Rules that come before the strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Skills its calls need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<SkillNeed>,
    /// How much a wait here counts against one elsewhere (1–10).
    #[serde(default = "one")]
    pub weight: u32,
    /// Time between two announcements of place and wait, in seconds (15–300); 0 is none.
    #[serde(default)]
    pub announce_seconds: u32,
    /// Whether a waiting caller may press 1 to be called back.
    #[serde(default)]
    pub callback: bool,
    /// Narrower reach than the account's.
    #[serde(default)]
    pub reach: ReachPatch,
}

fn one() -> u32 {
    1
}

impl Department {
    /// A department with usual settings and nobody in it.
    pub fn new(id: DepartmentId, slug: &str, name: &str, strategy: Strategy) -> Self {
        Self {
            id,
            slug: slug.to_owned(),
            name: name.to_owned(),
            strategy,
            members: Vec::new(),
            ring_seconds: 25,
            wave: 5,
            wrap_up_seconds: 0,
            sticky: None,
            max_wait_seconds: 300,
            fallback: Vec::new(),
            music: "default".to_owned(),
            caller_id: None,
            recording: RecordingRule::Off,
            hours: WeeklyHours::default(),
            closed: None,
            conditions: Vec::new(),
            needs: Vec::new(),
            weight: 1,
            announce_seconds: 0,
            callback: false,
            reach: ReachPatch::default(),
        }
    }
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
