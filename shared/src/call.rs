//! Calls as the API, the live socket and the call log show them (`wire.md` section 3).

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, CallId, DepartmentId, FlowId, RecordingId};
use crate::pii::Pii;
use crate::time::Millis;

/// Who started the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From outside to us.
    Inbound,
    /// From us to outside.
    Outbound,
    /// Between two of us.
    Internal,
}

/// Where the call is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// In a menu, a message or voicemail.
    Flow,
    /// In line; nobody is being rung.
    Waiting,
    /// Being offered to somebody.
    Ringing,
    /// Two parties talk.
    Connected,
    /// Connected, and on hold.
    Held,
    /// Over.
    Ended,
}

/// How the call came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// Somebody answered.
    Answered,
    /// Nobody did.
    Missed,
    /// The caller was given the voicemail box.
    Voicemail,
    /// Every line was busy.
    Lost,
    /// Refused before it reached a flow.
    Rejected,
}

/// Why nobody answered, first match (`availability-and-panel.md` section 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallCause {
    /// The flow was closed.
    OutOfHours,
    /// Every line was busy.
    NoLineFree,
    /// The number leads nowhere.
    NoFlow,
    /// The caller hung up in the menu.
    AbandonedInIvr,
    /// The caller hung up within ten seconds.
    ShortAbandoned,
    /// Nobody could be rung.
    NoAvailableAgent,
    /// Somebody was rung and did not answer.
    AgentsDidNotAnswer,
    /// The caller hung up while waiting.
    AbandonedInQueue,
    /// An outgoing call: the called party was busy (486, 600).
    Busy,
    /// An outgoing call: the called party refused it (603, 403).
    Declined,
    /// An outgoing call: it rang and nobody answered (408, 480, or the ring time ended).
    NoAnswer,
    /// An outgoing call: no such number, or no way to it (404, 410, 484, 604, every trunk down).
    Unreachable,
    /// An outgoing call: the own device never answered.
    OwnDeviceDidNotAnswer,
    /// An outgoing call: refused by a rule of the account before anything was sent.
    NotAllowed,
}

/// Who or what ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The calling side.
    Caller,
    /// The person who answered.
    Agent,
    /// We did: end of a message, a limit, no answer.
    System,
    /// The network or the far side's equipment.
    Carrier,
    /// The server stopped or crashed.
    Restart,
}

/// A party of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The number as it came; `anonymous` when withheld.
    pub number: Pii<String>,
    /// Display name, if any.
    #[serde(default)]
    pub name: Option<Pii<String>>,
}

/// The flow a call went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRef {
    /// The flow.
    pub id: FlowId,
    /// Its published version.
    pub version: u32,
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingKind {
    /// A message the caller left.
    Voicemail,
    /// The conversation.
    Call,
}

/// A recording of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingView {
    /// Name of the file under `/core/recordings/`.
    pub id: RecordingId,
    /// Voicemail or conversation.
    pub kind: RecordingKind,
    /// Length in milliseconds.
    pub ms: u32,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// A note written during or after the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Millis,
    /// By whom.
    pub by: AgentId,
    /// The text.
    pub text: String,
}

/// What happened to a call after it was answered, or on its way: one line of its journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStep {
    /// When.
    pub at: Millis,
    /// What.
    pub what: StepKind,
    /// Who did it, or whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// To whom, on which device, which key: in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Pii<String>>,
}

/// The kinds of [`CallStep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A node of the flow was entered; `text` names it.
    Node,
    /// A key or digits were pressed in the flow.
    Input,
    /// A person joined.
    Joined,
    /// A person left.
    Left,
    /// Put on hold.
    Held,
    /// Taken back from hold.
    Resumed,
    /// A blind transfer began (`transferagent`).
    Transfer,
    /// A warm transfer began: the person talks with the target first.
    Consult,
    /// The warm transfer was completed.
    TransferDone,
    /// The transfer was called off, or failed and the call came back; `text` says why.
    TransferBack,
    /// Parked; `text` is the place.
    Parked,
    /// Taken from the park.
    Retrieved,
    /// Taken while it rang at somebody else.
    PickedUp,
    /// Moved to another device.
    Moved,
    /// The recording was paused.
    RecordingPaused,
    /// The recording went on.
    RecordingResumed,
    /// The connection of a browser was lost, or a phone was silent for too long.
    SoundLost,
    /// The sound is back.
    SoundBack,
    /// The sound of a phone could not be encrypted as it must be; `text` says why.
    SoundRefused,
    /// The turn of a callback came, and the call was begun for it; `text` says which attempt it is.
    Callback,
}

impl StepKind {
    /// In words, as the call log shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Node => "Call flow",
            Self::Input => "Keys pressed",
            Self::Joined => "Joined",
            Self::Left => "Left",
            Self::Held => "On hold",
            Self::Resumed => "Back from hold",
            Self::Transfer => "Transferred",
            Self::Consult => "Asked before a transfer",
            Self::TransferDone => "Transfer completed",
            Self::TransferBack => "Transfer came back",
            Self::Parked => "Parked",
            Self::Retrieved => "Taken from the park",
            Self::PickedUp => "Picked up",
            Self::Moved => "Moved to another device",
            Self::RecordingPaused => "Recording paused",
            Self::RecordingResumed => "Recording resumed",
            Self::SoundLost => "Sound lost",
            Self::SoundBack => "Sound back",
            Self::SoundRefused => "Sound not secure",
            Self::Callback => "Callback, attempt",
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// The call's id over all its legs.
    pub uid: CallId,
    /// Who started it.
    pub direction: Direction,
    /// Where it is.
    pub state: CallState,
    /// How it came out; null until known.
    pub result: Option<CallResult>,
    /// Why nobody answered.
    pub cause: Option<CallCause>,
    /// Who ended it; null until then.
    pub ended_by: Option<EndedBy>,
    /// The calling party.
    pub from: Party,
    /// The called number.
    pub to: Party,
    /// The department it was offered in last.
    pub department: Option<DepartmentId>,
    /// The person who answered, or is being rung.
    pub agent: Option<AgentId>,
    /// The flow it went through.
    pub flow: Option<FlowRef>,
    /// When the INVITE came.
    pub started_at: Millis,
    /// When somebody answered.
    pub answered_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Time from the start, or the end of the menu, to the answer or the end.
    pub waited_ms: u64,
    /// Time between answer and end.
    pub talk_ms: u64,
    /// Final SIP status we sent.
    pub sip_status: Option<u16>,
    /// Messages and recordings.
    pub recordings: Vec<RecordingView>,
    /// Notes.
    pub notes: Vec<Note>,
    /// Its journey, oldest first; at most [`MOST_STEPS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<CallStep>,
    /// How the person who had it filed it: one of the account's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// The call this one was made for: of a consultation before a warm transfer, the call to be transferred; of a
    /// dialed callback, the call that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_for: Option<CallId>,
    /// Rises with each change of the record.
    pub version: String,
}

/// Most steps kept of one call.
pub const MOST_STEPS: usize = 200;

/// Whether the conversation is being recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
    /// Not now; nothing of the paused time is kept.
    Paused,
}

/// Whether sound may pass on the browser's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaState {
    /// Not yet: ringing, or waiting for the connection.
    Gated,
    /// Both ways.
    Open,
    /// The connection is gone.
    Lost,
}
