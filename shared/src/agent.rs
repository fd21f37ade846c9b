//! An agent's facts and the verdict computed from them (`availability-and-panel.md` section 2.2).
//!
//! Facts are set and stored, each with who set it, when and where. The verdict is never stored: the
//! routing engine computes it from the facts, the devices that can ring and the load.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TokenId};
use crate::phone::Extension;
use crate::schedule::WeeklyHours;
use crate::time::Millis;
use crate::version::Version;

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, and the account itself.
    Owner,
    /// Everything but the account itself.
    Admin,
    /// Own departments.
    Manager,
    /// Own calls and own availability.
    Agent,
}

impl Role {
    /// Whether this role sees and changes the whole account.
    pub fn is_admin(self) -> bool {
        match self {
            Self::Owner | Self::Admin => true,
            Self::Manager | Self::Agent => false,
        }
    }
}

/// A person of the account as the panel and the API show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProfile {
    /// The person.
    pub id: AgentId,
    /// Full name.
    pub name: String,
    /// Sign-in name.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Where colleagues and callers dial them directly.
    pub extension: Option<Extension>,
}

/// The toggle as numbers of the public API: 1 = Available, 0 = Away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toggle {
    /// 0: queue calls go to others.
    Away,
    /// 1: may be rung.
    On,
}

impl From<Toggle> for u8 {
    fn from(toggle: Toggle) -> Self {
        match toggle {
            Toggle::Away => 0,
            Toggle::On => 1,
        }
    }
}

impl TryFrom<u8> for Toggle {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            0 => Ok(Self::Away),
            1 => Ok(Self::On),
            2.. => Err("state is the integer 1 (Available) or 0 (Away)"),
        }
    }
}

impl Serialize for Toggle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8((*self).into())
    }
}

impl<'de> Deserialize<'de> for Toggle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// The surface a fact was set by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The web panel.
    Panel,
    /// The public API with a token.
    Api,
    /// The edge, on behalf of a token.
    Edge,
    /// The opt-out link.
    Sms,
    /// Somebody else's panel.
    Admin,
    /// The server itself.
    System,
}

/// What kind of actor set a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person in the panel.
    User,
    /// An API token.
    Token,
    /// The server itself.
    System,
}

/// Who set a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Person, token or system.
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// Id of the person or token; empty for the system.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Name to show.
    pub name: String,
}

impl Actor {
    /// A person in the panel.
    pub fn user(id: AgentId, name: impl Into<String>) -> Self {
        Self { kind: ActorKind::User, id: id.to_string(), name: name.into() }
    }

    /// An API token.
    pub fn token(id: TokenId, name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Token, id: id.to_string(), name: name.into() }
    }

    /// The server itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: String::new(), name: "Cordboard".to_owned() }
    }
}

/// Who set a fact, when, and by which surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When it was committed.
    pub since: Millis,
    /// Who set it.
    pub by: Actor,
    /// By which surface.
    pub source: Source,
}

/// When a toggle takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// At once.
    #[default]
    Now,
    /// When the present call has ended.
    AfterCall,
}

/// Whether the person has a seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// May use the product.
    #[default]
    Active,
    /// Switched off by an admin.
    Disabled,
    /// Gone for good.
    Deleted,
}

/// A hard stop that is set: an admin's pause, Do Not Disturb or an opt-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Who set it, when and where.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Why, in the setter's words.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Millis>,
}

/// Fact 5, the Call Availability toggle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToggleFact {
    /// On or Away.
    pub state: Toggle,
    /// Who set it, when and where.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Why, such as Lunch.
    pub reason: Option<String>,
    /// When the person means to be back.
    pub until: Option<Millis>,
    /// At once or after the present call.
    pub apply: Apply,
}

/// Fact 6, the availability slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsFact {
    /// Who set them, when and where.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The windows; without any the person is always inside.
    pub hours: WeeklyHours,
}

/// The stored facts of one person: changed only by commands, each change one event of the durable log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    /// Rises with each change.
    pub version: Version,
    /// Fact 1.
    pub seat: Seat,
    /// Fact 2: locked; only an admin lifts it.
    pub pause: Option<Block>,
    /// Fact 3: the agent's hard stop.
    pub dnd: Option<Block>,
    /// Fact 4: lasts until undone.
    pub opt_out: Option<Block>,
    /// Fact 5.
    pub toggle: ToggleFact,
    /// Fact 6: availability slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsFact>,
    /// Works outside the slots until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_anyway: Option<Block>,
    /// Highest intent number seen, with the device that sent it (`edge-protocol.md` section 4).
    pub intent: Intent,
    /// Raised by an admin's Force; intents accepted under a lower fence are superseded.
    pub fence: u32,
}

/// The caller-side order of one person's toggles: the higher number wins, then the higher device id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// Highest number the device had seen, plus one.
    pub n: u64,
    /// A stable id of the device.
    pub device: String,
}

/// How far an intent number may run ahead of the highest one known, so that one bad client cannot lock a person out.
pub const INTENT_LEAP: u64 = 1_024;

/// The word for whether a person may ring now: computed, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// May be rung.
    Available,
    /// Being offered a call.
    Ringing,
    /// In a call.
    OnCall,
    /// Finishing the last call's paperwork.
    AfterCallWork,
    /// Toggle off.
    Away,
    /// Do Not Disturb.
    Dnd,
    /// Opted out of business calls.
    OptedOut,
    /// Paused by an admin.
    Paused,
    /// Outside the availability slots.
    OffSchedule,
    /// Toggle on, but nothing of theirs can ring.
    NoDevice,
    /// No seat.
    Disabled,
}

impl Verdict {
    /// The badge's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Ringing => "Ringing",
            Self::OnCall => "On a call",
            Self::AfterCallWork => "After-call work",
            Self::Away => "Away",
            Self::Dnd => "Do Not Disturb",
            Self::OptedOut => "Opted out",
            Self::Paused => "Paused by admin",
            Self::OffSchedule => "Off schedule",
            Self::NoDevice => "No device",
            Self::Disabled => "Disabled",
        }
    }

    /// Whether the verdict stands for load alone: the person is on, and will be free again by themselves.
    pub fn is_load(self) -> bool {
        match self {
            Self::Ringing | Self::OnCall | Self::AfterCallWork => true,
            Self::Available
            | Self::Away
            | Self::Dnd
            | Self::OptedOut
            | Self::Paused
            | Self::OffSchedule
            | Self::NoDevice
            | Self::Disabled => false,
        }
    }
}

/// The schedule as the presence body shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleView {
    /// Inside an availability slot, or without any.
    pub inside: bool,
    /// When that changes next.
    pub changes_at: Option<Millis>,
    /// Working outside the slots until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_anyway: Option<Millis>,
}

/// Facts 1 to 4 and 6 in the presence body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsView {
    /// Fact 1.
    pub seat: Seat,
    /// Fact 2.
    pub pause: Option<Block>,
    /// Fact 3.
    pub dnd: Option<Block>,
    /// Fact 4.
    pub opt_out: Option<Block>,
    /// Fact 6.
    pub schedule: ScheduleView,
}

/// The truth beside what was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// One word for it.
    pub verdict: Verdict,
    /// Every layer that blocks, the deciding one first.
    pub blocked_by: Vec<Verdict>,
    /// Whether a queue call could ring this person now.
    pub reachable_by_queue: bool,
    /// Devices that have proven they can ring.
    pub devices_ready: u32,
    /// When the verdict changes by time alone.
    pub next_change_at: Option<Millis>,
}

/// The presence body (`wire.md` section 3); answer to GET, and part of the answer to POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The person.
    pub uuid: AgentId,
    /// What was set: 1 or 0.
    pub state: Toggle,
    /// Version of the facts.
    pub version: Version,
    /// Since when the toggle has this value.
    pub since: Millis,
    /// By which surface it was set.
    pub source: Source,
    /// By whom.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
    /// Until when.
    pub until: Option<Millis>,
    /// At once or after the present call.
    pub apply: Apply,
    /// The other facts.
    pub facts: FactsView,
    /// The truth.
    pub effective: Effective,
    /// Since when routing obeys this version.
    pub obeyed_at: Millis,
    /// Highest intent number seen; a client's next one is this plus one.
    #[serde(default)]
    pub intent: u64,
    /// Row of the reachability matrix → its letter for this person now; on GET only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<BTreeMap<u8, char>>,
}
