//! All a call center can ask for.

use cordboard_routing::{Elapsed, Event, Input as Routing};
use cordboard_shared::call::{CallView, RecordingKind};
use cordboard_shared::decision::Decision;
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::{AgentId, CallId, DepartmentId, LegId, RecordingId};
use cordboard_shared::{Millis, Problem};
use serde_json::Value;

use super::command::{ReplyTo, SocketId};
use super::flow::WebhookQuestion;

/// Who gets a live message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One tab.
    Socket(SocketId),
    /// One person, in all their tabs.
    Agent(AgentId),
    /// Everybody who may see a call of this department answered by this person.
    Call {
        /// The department.
        department: Option<DepartmentId>,
        /// The person.
        agent: Option<AgentId>,
    },
    /// Everybody who works in this department or answers for it.
    Department(DepartmentId),
    /// Owners, admins and managers.
    Staff,
    /// Every socket.
    Everybody,
}

/// A recording to be filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingMade {
    /// Its id.
    pub id: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// Voicemail or conversation.
    pub kind: RecordingKind,
    /// The box it lies in.
    pub mailbox: Option<String>,
    /// Path below the folder of the recordings.
    pub path: String,
    /// Length in milliseconds.
    pub ms: u32,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When it was complete.
    pub at: Millis,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the SIP endpoint.
    Sip(Box<cordboard_sip::Command>),
    /// Open the sockets of a phone leg.
    OpenRtp(LegId),
    /// Tell the audio core.
    Media(cordboard_media::Command),
    /// Tell panels.
    Live {
        /// Which.
        to: Audience,
        /// What.
        message: Box<ServerMessage>,
    },
    /// The presence of this person reads differently now.
    PresenceChanged(AgentId),
    /// Answer a request.
    Reply {
        /// Which.
        to: ReplyTo,
        /// With what.
        result: Result<Value, Problem>,
    },
    /// Put this version of a call on disk.
    SaveCall(Box<CallView>),
    /// Put this version of a ledger entry on disk.
    SaveDecision(CallId, Box<Decision>),
    /// File a recording.
    SaveRecording(Box<RecordingMade>),
    /// Append this to the durable log. The engine obeys it already: it is never fed back.
    Remember(Box<Event>),
    /// Time has changed this person's verdict: write the facts that say so.
    Elapsed(AgentId, Elapsed),
    /// This person's sign-ins end, in all tabs.
    EndSessions(AgentId),
    /// An input the engine was fed, and when, in the order fed. With the engine's state at the start these are the
    /// whole history of its decisions.
    Trace(Millis, Box<Routing>),
    /// Ask a webhook, once; [`Input::WebhookAnswered`](super::Input::WebhookAnswered) follows.
    AskWebhook(Box<WebhookQuestion>),
    /// Something worth a log line, with its call.
    Note {
        /// The call.
        call: Option<CallId>,
        /// What.
        text: String,
    },
    /// Nothing more until then, or until the next input.
    Timeout(Option<Millis>),
}
