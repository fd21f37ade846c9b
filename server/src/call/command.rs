//! All a call center can be told.

use std::net::SocketAddr;
use std::sync::Arc;

use cordboard_routing::Event;
use cordboard_shared::FeedPosition;
use cordboard_shared::event::{ClientMessage, Hello};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, LegId, RecordingId, SessionId};
use cordboard_shared::phone::E164;

use crate::directory::Directory;

/// One live socket of a signed-in person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Names the request an [`Effect::Reply`](super::Effect::Reply) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// What the media thread says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromMedia {
    /// The sockets of a phone leg are open.
    RtpOpened {
        /// The leg.
        leg: LegId,
        /// The address for SDP.
        local: SocketAddr,
    },
    /// They could not be opened.
    RtpFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        error: String,
    },
    /// An event of the audio core.
    Event(cordboard_media::Event),
    /// A recording is complete and on disk.
    Recorded {
        /// The recording.
        recording: RecordingId,
        /// Its path below the folder of the recordings.
        path: String,
        /// Length in milliseconds.
        ms: u32,
        /// Size in bytes.
        bytes: u64,
        /// SHA-256 of the file, in hexadecimal.
        sha256: String,
    },
    /// A recording could not be written.
    RecordingFailed {
        /// The recording.
        recording: RecordingId,
        /// Why.
        error: String,
    },
}

/// All that can happen to a call center.
#[derive(Debug)]
pub enum Input {
    /// Something on the SIP side.
    Sip(cordboard_sip::Event),
    /// Something on the media side.
    Media(FromMedia),
    /// An entry of the durable log that came from outside, on disk.
    Obey {
        /// What it says.
        event: Box<Event>,
        /// Where in the feed.
        at: FeedPosition,
    },
    /// People, departments, numbers and flows as they are from now on. Fed right before the policy they come from.
    Directory(Arc<Directory>),
    /// The person has done something outside the live socket.
    Active(AgentId),
    /// A due callback is dealt with.
    CallbackDone {
        /// The call that asked for it.
        call: CallId,
        /// Answered once, with `{}`.
        reply: ReplyTo,
    },
    /// A panel has said hello.
    SocketOpened {
        /// Its name here.
        socket: SocketId,
        /// Who is signed in there.
        agent: AgentId,
        /// By which sign-in.
        session: SessionId,
        /// What it said.
        hello: Box<Hello>,
    },
    /// A panel is gone.
    SocketClosed(SocketId),
    /// A panel asks something.
    Client {
        /// Which one.
        socket: SocketId,
        /// What.
        message: Box<ClientMessage>,
        /// Answered once.
        reply: ReplyTo,
    },
    /// Click-to-call from outside the live socket: the person's own device comes first.
    Dial {
        /// Who calls.
        agent: AgentId,
        /// A number, or an extension.
        to: String,
        /// The department whose number is shown.
        department: Option<DepartmentId>,
        /// The own device; none is a desk phone that is there, else the tab that rings.
        device: Option<String>,
        /// Answered once, with `{"uid"}`.
        reply: ReplyTo,
    },
    /// Somebody wants a test call.
    TestCall {
        /// To this number of the account.
        to: E164,
        /// Answered once.
        reply: ReplyTo,
    },
    /// A webhook has answered, or failed.
    WebhookAnswered {
        /// The call it was asked about.
        call: CallId,
        /// Which question of it.
        hop: u32,
        /// The word it said, or why not.
        answer: Result<String, String>,
    },
    /// No new calls from now on.
    Drain,
    /// The server stops now: running calls end.
    Stop,
    /// A deadline has come.
    Timeout,
}
