//! What-if, replay and the lines of waiting callers.

use serde::{Deserialize, Serialize};

use crate::agent::Toggle;
use crate::decision::Decision;
use crate::id::{AgentId, CallId, DepartmentId};
use crate::pii::Pii;
use crate::policy::Policy;
use crate::time::Millis;

/// Body of `POST /core/route/simulate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateRequest {
    /// A number of the account, or `department:<slug>` or `extension:<digits>`.
    pub to: String,
    /// The caller's number.
    #[serde(default)]
    pub from: Option<String>,
    /// When; none is now.
    #[serde(default)]
    pub at: Option<Millis>,
    /// People as they would be.
    #[serde(default)]
    pub overrides: Vec<SimulateOverride>,
    /// The policy as it would be; none is the present one.
    #[serde(default)]
    pub policy: Option<Box<Policy>>,
}

/// A person as they would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateOverride {
    /// Who.
    pub agent: AgentId,
    /// The toggle.
    #[serde(default)]
    pub state: Option<Toggle>,
    /// Whether a device can ring.
    #[serde(default)]
    pub device: Option<bool>,
}

/// Answer to a what-if: the live engine's own decisions, if nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateAnswer {
    /// The instant asked about.
    pub at: Millis,
    /// Version of the rules.
    pub policy_version: String,
    /// State it was computed on.
    pub state_version: String,
    /// In the order they would be taken.
    pub decisions: Vec<Decision>,
    /// Who would ring, and when.
    pub rings: Vec<SimulatedRing>,
    /// Where the call would end.
    pub outcome: SimulatedOutcome,
    /// What was assumed, in words.
    pub assumptions: Vec<String>,
}

/// A ring of a what-if. Times count from the arrival, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedRing {
    /// Who.
    pub agent: AgentId,
    /// Which decision.
    pub step: u32,
    /// Begin.
    pub from_ms: u64,
    /// End, if nobody answers.
    pub until_ms: u64,
    /// Why this person, in words.
    pub why: String,
}

/// How a what-if ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedOutcome {
    /// `voicemail`, `message`, `callback`, `disconnect`, `refused`, `follow_up` or `waiting`.
    pub to: String,
    /// The box, the audio or the reason.
    #[serde(default)]
    pub detail: Option<String>,
    /// After so long, in milliseconds.
    pub after_ms: u64,
}

/// Body of `POST /core/route/replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// First arrival.
    pub from: Millis,
    /// End of the arrivals.
    pub to: Millis,
    /// The policy to try; none is the one that held, and must give the same decisions byte for byte.
    #[serde(default)]
    pub policy: Option<Box<Policy>>,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAnswer {
    /// Calls looked at.
    pub calls: u32,
    /// Decisions taken then.
    pub decisions: u32,
    /// Decisions that came out the same; a fact.
    pub same: u32,
    /// Calls with a decision that came out otherwise; a fact.
    pub changed: Vec<ReplayChange>,
    /// Waits, as an estimate: people and callers might have behaved differently.
    pub waits: ReplayWaits,
    /// What the estimate assumes, in words.
    pub assumptions: Vec<String>,
}

/// A call whose decision came out otherwise: the first one that did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayChange {
    /// The call.
    pub call: CallId,
    /// What was decided.
    pub before: Option<Decision>,
    /// What would be decided.
    pub after: Option<Decision>,
}

/// Mean and 90th percentile of the wait of the same calls, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayWaits {
    /// Mean wait then.
    pub mean_before_ms: u64,
    /// Mean wait under the policy tried; an estimate.
    pub mean_after_ms: u64,
    /// 90th percentile then.
    pub p90_before_ms: u64,
    /// 90th percentile under the policy tried; an estimate.
    pub p90_after_ms: u64,
}

/// The line of a department, `GET /core/departments/{id}/line`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineView {
    /// Which.
    pub department: DepartmentId,
    /// Callers waiting or being offered, first in line first; callbacks keep their place among them.
    pub callers: Vec<LineEntry>,
    /// The longest wait, in milliseconds.
    pub longest_ms: u64,
}

/// A caller in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineEntry {
    /// The call; of a callback, the call that asked for it.
    pub call: CallId,
    /// Their number, as far as the reader's role allows.
    pub from: Option<Pii<String>>,
    /// Place, from 1. Never told a higher one than before.
    pub position: u32,
    /// Since they joined the line, in milliseconds.
    pub waited_ms: u64,
    /// Estimated wait from now on, from the present line, in milliseconds; none when nobody could answer.
    pub estimate_ms: Option<u64>,
    /// Whether they hung up and wait to be called back.
    pub callback: bool,
}

/// A callback that is not dealt with: in line, or on the follow-up list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackView {
    /// The call that asked for it.
    pub call: CallId,
    /// Whom to call.
    pub number: Pii<String>,
    /// Whose line it stood in; none for a callback to a person.
    pub department: Option<DepartmentId>,
    /// The person it is for, if one.
    pub agent: Option<AgentId>,
    /// When it was asked for.
    pub asked_at: Millis,
    /// Since when it is on the follow-up list; none while it stands in line, or is being made.
    pub due_at: Option<Millis>,
    /// Calls that were made for it and reached nobody.
    #[serde(default)]
    pub attempts: u32,
}

/// `GET /core/callbacks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackList {
    /// Due ones first, then those in line.
    pub callbacks: Vec<CallbackView>,
}
