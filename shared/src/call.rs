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
    /// Rises with each change of the record.
    pub version: String,
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
