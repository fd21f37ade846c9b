//! What the shells can ask of the running account: the one door to calls and availability.

use std::sync::Arc;

use cordboard_shared::agent::{Actor, Intent, Presence, Source};
use cordboard_shared::api::presence::{PresenceChange, PresenceWritten};
use cordboard_shared::event::{ClientMessage, Hello, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, SessionId};
use cordboard_shared::phone::E164;
use cordboard_shared::{FeedPosition, Problem, ProblemCode, Version};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use crate::call::SocketId;
use crate::directory::Directory;

/// A toggle on its way to the engine.
#[derive(Clone, Debug)]
pub struct PresenceWrite {
    /// Whose.
    pub agent: AgentId,
    /// To what.
    pub change: PresenceChange,
    /// By whom.
    pub actor: Actor,
    /// By which surface.
    pub source: Source,
    /// The caller's order, when it sends one.
    pub intent: Option<Intent>,
    /// `If-Match`.
    pub if_match: Option<Version>,
}

/// Something for a live socket, not yet numbered.
#[derive(Clone, Debug)]
pub struct LiveEvent {
    /// On durable events only.
    pub pos: Option<FeedPosition>,
    /// What it says.
    pub message: Arc<ServerMessage>,
}

/// A socket that has said hello.
#[derive(Debug)]
pub struct Attached {
    /// Its name towards the account.
    pub socket: SocketId,
    /// What to send it; closed when the socket was too slow or its session ended.
    pub events: mpsc::Receiver<LiveEvent>,
}

/// A committed change of one person's presence, in feed order.
#[derive(Clone, Debug)]
pub struct PresenceEvent {
    /// Where in the feed.
    pub pos: FeedPosition,
    /// The presence after it.
    pub presence: Arc<Presence>,
}

/// Counts for `/metrics`, as of the last change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls not ended.
    pub calls: usize,
    /// Legs of them.
    pub legs: usize,
    /// Agents that are not idle although no live leg, offer or timer holds them; always 0.
    pub stuck_agents: usize,
    /// Calls since start.
    pub calls_total: u64,
    /// Offers since start.
    pub offers_total: u64,
    /// Live sockets.
    pub sockets: usize,
}

/// The one door to the account's running state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) presences: broadcast::Sender<PresenceEvent>,
    pub(super) directory: Arc<Directory>,
    pub(super) counts: watch::Receiver<Counts>,
    pub(super) draining: watch::Receiver<bool>,
}

pub(super) type Reply<T> = oneshot::Sender<T>;

/// What the shells ask, as the account's task receives it.
#[derive(Debug)]
pub(super) enum Request {
    Presence { agent: AgentId, reply: Reply<Option<Presence>> },
    Presences { reply: Reply<(FeedPosition, Vec<Presence>)> },
    WritePresence { write: Box<PresenceWrite>, reply: Reply<Result<PresenceWritten, Problem>> },
    Attach { agent: AgentId, session: SessionId, hello: Box<Hello>, reply: Reply<Attached> },
    Detach { socket: SocketId },
    EndSession { session: SessionId },
    Client { socket: SocketId, message: Box<ClientMessage>, reply: Reply<Result<Value, Problem>> },
    TestCall { to: E164, reply: Reply<Result<CallId, Problem>> },
    Drain,
}

impl AppHandle {
    /// People, departments, numbers and flows as loaded at start.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// One person's presence; none for an unknown one.
    pub async fn presence(&self, agent: AgentId) -> Result<Option<Presence>, Problem> {
        self.ask(|reply| Request::Presence { agent, reply }).await
    }

    /// Everybody's presence and the feed position it belongs to.
    pub async fn presences(&self) -> Result<(FeedPosition, Vec<Presence>), Problem> {
        self.ask(|reply| Request::Presences { reply }).await
    }

    /// Stores a toggle. The answer is sent when it is on disk and the engine obeys it.
    pub async fn write_presence(&self, write: PresenceWrite) -> Result<PresenceWritten, Problem> {
        self.ask(|reply| Request::WritePresence { write: Box::new(write), reply }).await?
    }

    /// Opens the event stream of a socket that has said hello. The first event is a snapshot.
    pub async fn attach(&self, agent: AgentId, session: SessionId, hello: Hello) -> Result<Attached, Problem> {
        self.ask(|reply| Request::Attach { agent, session, hello: Box::new(hello), reply }).await
    }

    /// The socket is gone.
    pub async fn detach(&self, socket: SocketId) {
        let _ = self.requests.send(Request::Detach { socket }).await;
    }

    /// The person signed out: every socket of that session is closed.
    pub async fn end_session(&self, session: SessionId) {
        let _ = self.requests.send(Request::EndSession { session }).await;
    }

    /// A message of a socket after its hello; the value is the `data` of the `ok`.
    pub async fn client_message(&self, socket: SocketId, message: ClientMessage) -> Result<Value, Problem> {
        self.ask(|reply| Request::Client { socket, message: Box::new(message), reply }).await?
    }

    /// Calls one of the account's own numbers through the own SIP stack over loopback, and plays a greeting.
    pub async fn place_test_call(&self, to: E164) -> Result<CallId, Problem> {
        self.ask(|reply| Request::TestCall { to, reply }).await?
    }

    /// Every committed presence change from now on, for the edge.
    pub fn subscribe(&self) -> broadcast::Receiver<PresenceEvent> {
        self.presences.subscribe()
    }

    /// Counts for `/metrics`.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Comes when the account's task has ended, asked or not.
    pub async fn stopped(&self) {
        self.requests.closed().await;
    }

    /// Whether the account's task has ended: nothing is answered any more.
    pub fn is_stopped(&self) -> bool {
        self.requests.is_closed()
    }

    /// No new calls; running ones may end.
    pub async fn drain(&self) {
        let _ = self.requests.send(Request::Drain).await;
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        // A full queue means that the account's task is far behind: the caller is told at once and nothing is half done.
        self.requests.try_send(request(reply)).map_err(|_| {
            Problem::new(ProblemCode::StoreUnavailable, "The server is too busy. Nothing was changed; try again.")
                .with("retry_after", 1)
        })?;
        answer.await.map_err(|_| Problem::new(ProblemCode::Draining, "The server is stopping. Try again in a moment."))
    }
}
