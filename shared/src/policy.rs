//! The routing policy of an account: everything an admin may set about who is rung, as one versioned document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent::Actor;
use crate::department::Department;
use crate::id::{AgentId, DepartmentId, EmergencyId};
use crate::phone::E164;
use crate::time::Millis;

/// The routing policy. A change is a new version of the whole document, so that each decision can name the one it obeyed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Rises by one with each change.
    #[serde(default)]
    pub version: u64,
    /// The account's time zone (IANA name).
    #[serde(default)]
    pub zone: String,
    /// Settings of the account.
    #[serde(default)]
    pub settings: Settings,
    /// Departments in the order they are shown.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// Known callers.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Callers who are refused before they reach a flow.
    #[serde(default)]
    pub blocked: Vec<BlockedCaller>,
    /// Emergency routes, ended ones included until the next change.
    #[serde(default)]
    pub emergencies: Vec<EmergencyRoute>,
    /// Narrower reach of single people.
    #[serde(default)]
    pub people: BTreeMap<AgentId, ReachPatch>,
}

/// Settings of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the settings page")]
pub struct Settings {
    /// The changeable cells of the reachability matrix.
    pub reach: Reach,
    /// Missed offers in a row that set a person Away (1–10); 0 is off.
    pub missed_limit: u32,
    /// Minutes without activity after which a person with an open panel is set Away (15–1,440); 0 is off.
    pub inactivity_minutes: u32,
    /// Whether an Away with an end returns by itself; otherwise the panel asks.
    pub auto_return: bool,
    /// Whether going Away needs a reason.
    pub reason_required: bool,
    /// The reasons offered for Away.
    pub away_reasons: Vec<String>,
    /// How long a caller who was cut off keeps their place, in minutes.
    pub keep_place_minutes: u32,
    /// Calls at once, inbound and outbound together; none is not limited.
    pub lines: Option<u32>,
    /// Part of the lines kept for inbound calls, in percent; none follows the rule of 50 % up to 4 lines and 20 % above.
    pub inbound_percent: Option<u32>,
    /// Whether all calls are refused: the account is suspended.
    pub suspended: bool,
    /// Whether the opt-out link also takes an opt-out back; otherwise only the person's switch or an admin does.
    pub resume_by_link: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let reasons = ["Break", "Lunch", "Meeting", "Training", "On leave", "Off shift", "Other"];
        Self {
            reach: Reach::default(),
            missed_limit: 2,
            inactivity_minutes: 480,
            auto_return: false,
            reason_required: false,
            away_reasons: reasons.map(str::to_owned).to_vec(),
            keep_place_minutes: 10,
            lines: None,
            inbound_percent: None,
            suspended: false,
            resume_by_link: false,
        }
    }
}

/// Which transfers reach a person who is Away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferReach {
    /// None.
    None,
    /// Only after the two have spoken.
    Warm,
    /// Both kinds.
    #[default]
    Any,
}

/// What lies outside a person's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleGates {
    /// Queue calls only: calls to the person by name still ring.
    Queue,
    /// Queue calls and calls to the person by name.
    #[default]
    QueueAndNamed,
}

/// The settings behind the changeable cells of the matrix (`availability-and-panel.md` section 2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each opens or closes cells of its own")]
pub struct Reach {
    /// A dialed extension rings a person who is Away (the extension rule).
    pub extension_rings_away: bool,
    /// A colleague's call rings a person who is Away.
    pub internal_rings_away: bool,
    /// A flow's extension node follows the extension rule.
    pub flow_extension_follows: bool,
    /// Transfers that reach a person who is Away.
    pub transfers_reach_away: TransferReach,
    /// Callbacks reach a person who is Away.
    pub callbacks_reach_away: bool,
    /// What the schedule gates.
    pub schedule_gates: ScheduleGates,
    /// People may work outside their slots for a stated time.
    pub work_outside_slots: bool,
    /// Emergency routes reach people who are off schedule.
    pub emergency_off_schedule: bool,
    /// Emergency routes reach people who have opted out.
    pub emergency_opted_out: bool,
    /// How long a caller bound strictly to a busy person waits for them, in seconds (0–300).
    pub strict_wait_seconds: u32,
    /// A pause also stops the person's own outbound calls.
    pub pause_stops_outbound: bool,
    /// Own calls and taking a waiting call need Available.
    pub own_calls_need_available: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            extension_rings_away: false,
            internal_rings_away: false,
            flow_extension_follows: false,
            transfers_reach_away: TransferReach::Any,
            callbacks_reach_away: true,
            schedule_gates: ScheduleGates::QueueAndNamed,
            work_outside_slots: false,
            emergency_off_schedule: true,
            emergency_opted_out: false,
            strict_wait_seconds: 60,
            pause_stops_outbound: false,
            own_calls_need_available: false,
        }
    }
}

/// A department's or a person's own word on the changeable cells. It can only narrow what the account allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReachPatch {
    /// False: a dialed extension does not ring while Away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension_rings_away: Option<bool>,
    /// False: a colleague's call does not ring while Away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_rings_away: Option<bool>,
    /// Fewer transfers reach Away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfers_reach_away: Option<TransferReach>,
    /// False: callbacks do not reach Away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callbacks_reach_away: Option<bool>,
    /// The schedule gates more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_gates: Option<ScheduleGates>,
    /// False: emergency routes do not reach off schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency_off_schedule: Option<bool>,
    /// False: emergency routes do not reach opted-out people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency_opted_out: Option<bool>,
}

/// A known caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their number.
    pub number: E164,
    /// Their name.
    #[serde(default)]
    pub name: String,
    /// The person they are assigned to.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// 0 (usual) to 9 (first).
    #[serde(default)]
    pub priority: u8,
    /// Words that conditions can ask for.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A caller who is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedCaller {
    /// Their number.
    pub number: E164,
    /// Why.
    pub reason: String,
    /// Blocked by whom.
    pub by: Actor,
    /// Since when.
    pub since: Millis,
}

/// Reaches people who are Away or off schedule, for a stated time and reason. Never past DND or a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyRoute {
    /// Its id.
    pub id: EmergencyId,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// The departments it holds for; empty is all.
    #[serde(default)]
    pub departments: Vec<DepartmentId>,
    /// Begin.
    pub starts: Millis,
    /// End; at most 24 h after the begin.
    pub ends: Millis,
    /// Started by whom.
    pub by: Actor,
}

impl EmergencyRoute {
    /// Whether it holds for this department then.
    pub fn covers(&self, department: DepartmentId, now: Millis) -> bool {
        self.starts <= now && now < self.ends && (self.departments.is_empty() || self.departments.contains(&department))
    }
}

/// Longest emergency route, in milliseconds.
pub const EMERGENCY_LONGEST_MS: u64 = 24 * 3_600_000;
/// Usual length of an emergency route, in milliseconds.
pub const EMERGENCY_USUAL_MS: u64 = 2 * 3_600_000;
/// Most people of one department that ring at once.
pub const WAVE_MOST: u32 = 25;
