//! The ledger: why each phone rang, or did not (`availability-and-panel.md` section 2.6, `wire.md` section 3).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::agent::Source;
use crate::id::{AgentId, CallId, DepartmentId};
use crate::time::Millis;
use crate::version::Version;

/// The closed list of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Ringing now, or rang.
    Rung,
    /// Rang although Away: an always-included member.
    RungAlwaysInclude,
    /// Rang although Away: the extension rule.
    RungExtensionRule,
    /// Rang because of a transfer.
    RungTransfer,
    /// Rang because of a callback.
    RungCallback,
    /// Rang by an emergency route.
    RungEmergency,
    /// Took the call.
    Answered,
    /// Rang the whole ring time.
    MissedNoAnswer,
    /// Pressed Decline.
    Declined,
    /// Went Away, or was blocked, while ringing.
    DeclinedByStatus,
    /// Somebody else took it.
    AnsweredElsewhere,
    /// The caller hung up while this one rang.
    CallerHungUp,
    /// The network could not reach the phone.
    NotReachable,
    /// The phone was busy.
    CarrierBusy,
    /// Toggle off.
    SkippedAway,
    /// Opted out of business calls.
    SkippedOptedOut,
    /// Do Not Disturb.
    SkippedDnd,
    /// Paused by an admin.
    SkippedPaused,
    /// Outside the slots.
    SkippedOffSchedule,
    /// Nothing of theirs can ring.
    SkippedNoDevice,
    /// In a call.
    SkippedOnCall,
    /// In after-call work.
    SkippedAfterCallWork,
    /// Being offered another call.
    SkippedRingingOtherCall,
    /// Beyond the simultaneous limit.
    SkippedWaveLimit,
    /// No member of the department any more.
    SkippedNotMember,
    /// The caller is bound to somebody else.
    SkippedStickyBoundElsewhere,
    /// Lacks a skill.
    SkippedSkill,
    /// No seat.
    SkippedSeatDisabled,
    /// The browser did not acknowledge the ring in time.
    DeviceDidNotConfirm,
    /// The call ended before this person's turn.
    NotReached,
    /// The caller is on the block list.
    BlockedCaller,
    /// The number leads nowhere now.
    NoFlowNow,
    /// Every line is busy.
    NoLineFree,
    /// The account is suspended.
    AccountSuspended,
}

impl Reason {
    /// The reason in words, to follow a person's name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rung => "rang",
            Self::RungAlwaysInclude => "rang, always included",
            Self::RungExtensionRule => "rang, the extension rule reaches Away",
            Self::RungTransfer => "rang by a transfer",
            Self::RungCallback => "rang by a callback",
            Self::RungEmergency => "rang by an emergency route",
            Self::Answered => "answered",
            Self::MissedNoAnswer => "rang, not answered",
            Self::Declined => "declined",
            Self::DeclinedByStatus => "stopped ringing, went Away while ringing",
            Self::AnsweredElsewhere => "rang, answered by somebody else",
            Self::CallerHungUp => "rang, the caller hung up",
            Self::NotReachable => "not reachable",
            Self::CarrierBusy => "busy",
            Self::SkippedAway => "skipped, Away",
            Self::SkippedOptedOut => "Skipped – Opted Out",
            Self::SkippedDnd => "skipped, Do Not Disturb",
            Self::SkippedPaused => "skipped, paused by an admin",
            Self::SkippedOffSchedule => "skipped, off schedule",
            Self::SkippedNoDevice => "skipped, no device that can ring",
            Self::SkippedOnCall => "skipped, on a call",
            Self::SkippedAfterCallWork => "skipped, in after-call work",
            Self::SkippedRingingOtherCall => "skipped, ringing with another call",
            Self::SkippedWaveLimit => "skipped, beyond the number that ring at once",
            Self::SkippedNotMember => "skipped, no longer in the department",
            Self::SkippedStickyBoundElsewhere => "skipped, the caller is bound to somebody else",
            Self::SkippedSkill => "skipped, lacks a skill",
            Self::SkippedSeatDisabled => "skipped, seat disabled",
            Self::DeviceDidNotConfirm => "not rung, the browser did not confirm that it can ring",
            Self::NotReached => "not reached, it was not their turn",
            Self::BlockedCaller => "the caller is blocked",
            Self::NoFlowNow => "the number leads nowhere now",
            Self::NoLineFree => "every line was busy",
            Self::AccountSuspended => "the account is suspended",
        }
    }
}

/// What became of the call after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The next one in order is tried.
    NextMember,
    /// The next wave rings.
    NextWave,
    /// The caller waits for somebody to become free.
    Wait,
    /// On to another department.
    Department,
    /// On to one person.
    Agent,
    /// To a voicemail box.
    Voicemail,
    /// A message is played.
    Message,
    /// A callback is offered, or kept in the line.
    Callback,
    /// Onto the follow-up list.
    FollowUp,
    /// The person who transfers is told why it cannot be.
    Refused,
    /// The call ends.
    Disconnect,
    /// A person's own call: the other side is called.
    Dialed,
    /// Somebody answered.
    Answered,
    /// The caller hung up.
    CallerGone,
}

/// The fact that decided about one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidingFact {
    /// Which fact: `seat`, `pause`, `dnd`, `opt_out`, `toggle`, `schedule`, `devices` or `load`.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: serde_json::Value,
    /// The agent's version then.
    pub version: Version,
    /// Since when.
    pub since: Option<Millis>,
    /// Set by whom.
    pub by: Option<String>,
    /// By which surface.
    pub source: Option<Source>,
}

/// One member of the department in one decision; each stands exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberDecision {
    /// The person.
    pub agent: AgentId,
    /// Their name, as far as the reader's role allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why they rang or not.
    pub reason: Reason,
    /// Place in the order, from 1.
    pub order: u32,
    /// The cell of the reachability matrix that decided: `"<row>/<column>"`.
    pub cell: Cow<'static, str>,
    /// How long their device rang, in milliseconds.
    pub rang_ms: Option<u64>,
    /// The fact that decided.
    pub fact: Option<DecidingFact>,
}

/// One decision of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Number within the call, from 1.
    pub step: u32,
    /// When it was taken.
    pub at: Millis,
    /// Row of the reachability matrix.
    pub row: u8,
    /// The department, when there is one.
    pub department: Option<DepartmentId>,
    /// The strategy's name.
    pub strategy: Cow<'static, str>,
    /// Version of the rules.
    pub policy_version: String,
    /// State the decision was taken on.
    pub state_version: String,
    /// Why the call was not routed at all: blocked, no line, suspended, no flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
    /// How many people could be rung at once when it was taken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slots: u32,
    /// Every member, in order.
    pub members: Vec<MemberDecision>,
    /// What came next.
    pub then: Then,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Answer to `GET /core/calls/{uid}/decisions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDecisions {
    /// The call.
    pub call: CallId,
    /// In the order they were taken.
    pub decisions: Vec<Decision>,
}
