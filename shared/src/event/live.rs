//! What panels are shown of calls: rings, calls under way, the floor, devices and transfers.

use serde::{Deserialize, Serialize};

use crate::call::{CallView, MediaState, RecordingState};
use crate::id::{AgentId, CallId, DepartmentId, OfferId};
use crate::pii::Pii;
use crate::time::Millis;

/// How a call is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferMode {
    /// At once.
    Blind,
    /// After talking with the target.
    Warm,
}

/// A transfer under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferView {
    /// Blind or warm.
    pub mode: TransferMode,
    /// Name or number of the target.
    pub to: Pii<String>,
    /// The consultation of a warm one: a call of its own in the list of calls.
    #[serde(default)]
    pub consult: Option<CallId>,
    /// Whether the target has answered.
    pub answered: bool,
}

/// A call on the floor: it waits, rings at somebody, or is parked, and this person may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorCall {
    /// The call.
    pub call: CallId,
    /// The caller's number.
    pub number: Pii<String>,
    /// The caller's name, if known.
    #[serde(default)]
    pub name: Option<Pii<String>>,
    /// What it does.
    pub state: FloorState,
    /// In which department.
    pub department: Option<DepartmentId>,
    /// Whom it rings, or who parked it.
    #[serde(default)]
    pub agents: Vec<AgentId>,
    /// The place of a parked call, as in `701`.
    #[serde(default)]
    pub slot: Option<String>,
    /// Since when.
    pub since: Millis,
}

/// What a [`FloorCall`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FloorState {
    /// In line.
    Waiting,
    /// Rings at somebody.
    Ringing,
    /// Parked.
    Parked,
}

/// A device of a person that calls can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Its name in commands: `tab:<tab>`, `phone:<user>`, `mobile`.
    pub id: String,
    /// What it is.
    pub kind: DeviceViewKind,
    /// For people: `Chrome`, `Desk phone 1001`, the last digits of a mobile.
    pub name: String,
    /// Whether it can ring now: a proven browser, a registered phone, a mobile that calls may be forwarded to.
    pub ready: bool,
    /// Whether calls ring it, as the person has chosen.
    pub rings: bool,
}

/// The kinds of [`DeviceView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceViewKind {
    /// A tab of a browser.
    Browser,
    /// A desk phone that registers.
    Phone,
    /// A mobile that calls are forwarded to; 1 must be pressed to accept.
    Mobile,
}

/// An incoming call offered to this person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// The lease.
    pub offer: OfferId,
    /// The call.
    pub call: CallId,
    /// Number of the caller.
    pub from: Pii<String>,
    /// Name of the caller, if known.
    #[serde(default)]
    pub name: Option<Pii<String>>,
    /// The department it came by.
    pub department: Option<DepartmentId>,
    /// How long the caller has waited, in milliseconds.
    pub waited_ms: u64,
    /// Why this person, in words.
    pub why: String,
    /// Ring time left, in milliseconds.
    pub ring_ms: u64,
    /// The ringer stops without a fresh lease for so long.
    pub lease_ms: u64,
    /// Nobody is on the line yet: they asked to be called back, and their number is dialed on Answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callback: bool,
}

/// Why a ringer stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingStop {
    /// This person answered here.
    Answered,
    /// Somebody else, or another tab, did.
    AnsweredElsewhere,
    /// The caller hung up.
    CallerHungUp,
    /// Ring time is over.
    MissedNoAnswer,
    /// Declined in another tab.
    Declined,
    /// Gone Away, or blocked, while ringing.
    DeclinedByStatus,
    /// No acknowledgement in time.
    DeviceDidNotConfirm,
}

/// The state of a call with the state of its sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCall {
    /// The call.
    #[serde(flatten)]
    pub call: CallView,
    /// Whether sound may pass.
    pub media: MediaState,
    /// Whether the own microphone is silenced.
    #[serde(default)]
    pub muted: bool,
    /// Name or number of the other party.
    pub peer: Pii<String>,
    /// Good, fair or poor, when measured.
    #[serde(default)]
    pub quality: Option<String>,
    /// Whether the far side has put us on hold.
    #[serde(default)]
    pub held_by_peer: bool,
    /// Whether the conversation is recorded.
    #[serde(default)]
    pub recording: RecordingState,
    /// The transfer under way.
    #[serde(default)]
    pub transfer: Option<TransferView>,
    /// The own device that has the sound, by [`DeviceView::id`]; none while it is not decided.
    #[serde(default)]
    pub device: Option<String>,
}
