//! What the shells can ask of the running account: the one door to calls and availability.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cordboard_shared::agent::{Actor, AgentProfile, Intent, Presence, Source};
use cordboard_shared::api::availability::{BatchAnswer, BatchResult, FactChange, MatrixCell, ReachView};
use cordboard_shared::api::presence::PresenceWritten;
use cordboard_shared::api::routing::{
    CallbackView, LineView, ReplayAnswer, ReplayRequest, SimulateAnswer, SimulateRequest,
};
use cordboard_shared::api::users::UserView;
use cordboard_shared::event::{ClientMessage, Hello, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, EmergencyId, RequestId, SessionId};
use cordboard_shared::phone::E164;
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::{BlockedCaller, EmergencyRoute, Policy};
use cordboard_shared::{FeedPosition, Millis, Problem, ProblemCode, Version};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc, oneshot, watch};

use super::company::CompanyPart;
use super::people::{self, PersonEdit};
use super::seen::Seen;
use crate::audio::Library;
pub use crate::call::SocketId;
use crate::directory::Directory;
use crate::net::media::MediaCounters;
use crate::store::Store;

/// A change of one fact on its way to the engine. Whether its sender may make it was settled by the shell.
#[derive(Clone, Debug)]
pub struct FactWrite {
    /// Whose.
    pub agent: AgentId,
    /// Which fact, and to what.
    pub change: FactChange,
    /// By whom.
    pub actor: Actor,
    /// By which surface.
    pub source: Source,
    /// The caller's order of toggles, when it sends one.
    pub intent: Option<Intent>,
    /// `If-Match`.
    pub if_match: Option<Version>,
    /// The request that asks for it, for the record.
    pub request: Option<RequestId>,
    /// The person's own hand, or one with the right to end an opt-out: a toggle to On then resumes an opted-out person.
    pub resumes: bool,
}

/// A change of the routing policy. Each is a new version of the whole document.
#[derive(Clone, Debug)]
pub enum PolicyEdit {
    /// The whole document; its version is set here.
    Replace(Box<Policy>),
    /// Refuses a caller; blocking one again changes nothing.
    Block(BlockedCaller),
    /// Lets a caller in again.
    Unblock(E164),
    /// Starts an emergency route.
    StartEmergency(EmergencyRoute),
    /// Ends it then.
    StopEmergency(EmergencyId, Millis),
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

/// Whom a person wants to call, and how.
#[derive(Clone, Debug, Default)]
pub struct DialWish {
    /// A number, or an extension.
    pub to: String,
    /// The department whose number is shown.
    pub department: Option<DepartmentId>,
    /// The own device that is called first; none is a desk phone that is there, else the tab that rings.
    pub device: Option<String>,
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
    /// Calls ended by a fault of ours, since start.
    pub call_panics: u64,
    /// Outgoing calls held back by a cap, since start.
    pub caps_reached: u64,
    /// Live sockets.
    pub sockets: usize,
    /// SIP transactions of both kinds.
    pub sip_transactions: usize,
    /// SIP dialogs, ringing, calling and leaving ones included.
    pub sip_dialogs: usize,
    /// Armed timers of SIP.
    pub sip_timers: usize,
    /// Legs of the media thread.
    pub media_legs: u64,
}

/// The one door to the account's running state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) sip: watch::Receiver<cordboard_sip::Stats>,
    pub(super) media: Arc<MediaCounters>,
    pub(super) store: Store,
    pub(super) replays: Arc<Semaphore>,
    /// Changes of people's records are made one after the other.
    pub(super) people: Arc<Mutex<()>>,
    /// Held while something of the company is changed.
    pub(super) company: Arc<tokio::sync::Mutex<()>>,
    pub(super) library: Arc<Library>,
    pub(super) presences: broadcast::Sender<PresenceEvent>,
    pub(super) directory: watch::Receiver<Arc<Directory>>,
    pub(super) counts: watch::Receiver<Counts>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) seen: watch::Receiver<Seen>,
}

pub(super) type Reply<T> = oneshot::Sender<T>;

/// What the shells ask, as the account's task receives it.
#[derive(Debug)]
pub(super) enum Request {
    Presence { agent: AgentId, reply: Reply<Option<(Presence, u64)>> },
    Presences { reply: Reply<(FeedPosition, Vec<Presence>)> },
    ChangeFact { write: Box<FactWrite>, reply: Reply<Result<PresenceWritten, Problem>> },
    Preview { writes: Vec<FactWrite>, reply: Reply<Result<BatchAnswer, Problem>> },
    Batch { writes: Vec<FactWrite>, reply: Reply<Vec<BatchResult>> },
    EditPolicy { edit: PolicyEdit, expected: Option<u64>, reply: Reply<Result<Arc<Policy>, Problem>> },
    PersonChanged { profile: Box<AgentProfile>, manages: BTreeSet<DepartmentId>, reply: Reply<()> },
    Reach { agent: AgentId, reply: Reply<Option<ReachView>> },
    Matrix { reply: Reply<Vec<MatrixCell>> },
    Line { department: DepartmentId, reply: Reply<Result<LineView, Problem>> },
    Callbacks { reply: Reply<Vec<CallbackView>> },
    CallbackDone { call: CallId, reply: Reply<Result<(), Problem>> },
    Simulate { request: Box<SimulateRequest>, reply: Reply<Result<SimulateAnswer, Problem>> },
    Attach { agent: AgentId, session: SessionId, hello: Box<Hello>, reply: Reply<Attached> },
    Detach { socket: SocketId },
    EndSession { session: SessionId },
    Client { socket: SocketId, message: Box<ClientMessage>, reply: Reply<Result<Value, Problem>> },
    Settle { reply: Reply<()> },
    Dial { agent: AgentId, wish: DialWish, reply: Reply<Result<CallId, Problem>> },
    TestCall { to: E164, reply: Reply<Result<CallId, Problem>> },
    Company { part: CompanyPart, reply: Reply<()> },
    WebhookAnswered { call: CallId, hop: u32, answer: Result<String, String> },
    Drain,
}

impl AppHandle {
    /// People, departments, numbers and flows as they are now. A change of the policy makes a new one.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.borrow().clone()
    }

    /// The routing policy that is obeyed now.
    pub fn policy(&self) -> Arc<Policy> {
        self.directory.borrow().policy.clone()
    }

    /// One person's presence, and a number that rises when the verdict changes without a change of the facts; none for
    /// an unknown one.
    pub async fn presence(&self, agent: AgentId) -> Result<Option<(Presence, u64)>, Problem> {
        self.ask(|reply| Request::Presence { agent, reply }).await
    }

    /// Everybody's presence and the feed position it belongs to.
    pub async fn presences(&self) -> Result<(FeedPosition, Vec<Presence>), Problem> {
        self.ask(|reply| Request::Presences { reply }).await
    }

    /// Changes one fact of a person. The answer is sent when it is on disk and the engine obeys it.
    pub async fn change_fact(&self, write: FactWrite) -> Result<PresenceWritten, Problem> {
        self.ask(|reply| Request::ChangeFact { write: Box::new(write), reply }).await?
    }

    /// Changes facts of several people in this order, nobody else's change between them; each has its own result.
    /// A dry run tells what would happen and changes nothing.
    pub async fn batch(&self, writes: Vec<FactWrite>, dry_run: bool) -> Result<BatchAnswer, Problem> {
        let asked = writes.clone();
        let preview = self.ask(|reply| Request::Preview { writes: asked, reply }).await??;
        if dry_run {
            return Ok(preview);
        }
        let results = self.ask(|reply| Request::Batch { writes, reply }).await?;
        Ok(BatchAnswer { dry_run: false, results, ..preview })
    }

    /// Changes the policy, if it is at the expected version. Findings that are errors refuse it (422, `findings`); the
    /// answer, the policy in force, is sent when it is on disk and obeyed.
    pub async fn edit_policy(&self, edit: PolicyEdit, expected: Option<u64>) -> Result<Arc<Policy>, Problem> {
        self.ask(|reply| Request::EditPolicy { edit, expected, reply }).await?
    }

    /// Changes a person's record. The answer is sent when it is on disk and in force.
    pub async fn change_person(&self, edit: PersonEdit) -> Result<UserView, Problem> {
        let app = self.clone();
        // Carried through although nobody may wait for it any more: disk and memory must not differ.
        let changing = tokio::spawn(async move {
            let _turn = app.people.lock().await;
            people::change(&app, edit).await
        });
        changing.await.unwrap_or_else(|_| Err(Problem::new(ProblemCode::Internal, "The change has failed.")))
    }

    /// A person's record as an admin and they themselves see it, with the mobile number the store has; none for an
    /// unknown one.
    pub fn person(&self, agent: AgentId, mobile: Option<E164>) -> Option<UserView> {
        people::view(&self.directory(), agent, mobile.map(Pii))
    }

    /// What can ring this person now, in words; none for an unknown one.
    pub async fn reach(&self, agent: AgentId) -> Result<Option<ReachView>, Problem> {
        self.ask(|reply| Request::Reach { agent, reply }).await
    }

    /// The reachability matrix of the account.
    pub async fn matrix(&self) -> Result<Vec<MatrixCell>, Problem> {
        self.ask(|reply| Request::Matrix { reply }).await
    }

    /// The line of a department, callers' numbers included: the shell strips what its reader may not see.
    pub async fn line(&self, department: DepartmentId) -> Result<LineView, Problem> {
        self.ask(|reply| Request::Line { department, reply }).await?
    }

    /// Callbacks, due ones first.
    pub async fn callbacks(&self) -> Result<Vec<CallbackView>, Problem> {
        self.ask(|reply| Request::Callbacks { reply }).await
    }

    /// A due callback is dealt with.
    pub async fn callback_done(&self, call: CallId) -> Result<(), Problem> {
        self.ask(|reply| Request::CallbackDone { call, reply }).await?
    }

    /// What would happen to a call, by the live engine on the live state; changes nothing.
    pub async fn simulate(&self, request: SimulateRequest) -> Result<SimulateAnswer, Problem> {
        self.ask(|reply| Request::Simulate { request: Box::new(request), reply }).await?
    }

    /// Runs past calls again, under another policy or the one that held. Works on the disk and a thread of its own, never
    /// on the account's task.
    pub async fn replay(&self, request: ReplayRequest) -> Result<ReplayAnswer, Problem> {
        // One at a time: each takes a core and what it has read.
        let _turn = self.replays.acquire().await;
        self.settle().await?;
        super::replay::run(&self.store, &self.directory(), request).await
    }

    /// Comes when everything that has happened so far is on disk.
    pub async fn settle(&self) -> Result<(), Problem> {
        self.ask(|reply| Request::Settle { reply }).await
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

    /// Click-to-call: the person's own device first, then the other side.
    pub async fn dial(&self, agent: AgentId, wish: DialWish) -> Result<CallId, Problem> {
        self.ask(|reply| Request::Dial { agent, wish, reply }).await?
    }

    /// Calls one of the account's own numbers through the own SIP stack over loopback, and plays a greeting.
    pub async fn place_test_call(&self, to: E164) -> Result<CallId, Problem> {
        self.ask(|reply| Request::TestCall { to, reply }).await?
    }

    /// Every committed presence change from now on, for the edge.
    pub fn subscribe(&self) -> broadcast::Receiver<PresenceEvent> {
        self.presences.subscribe()
    }

    /// The audio library.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Counts for `/metrics`.
    pub fn counts(&self) -> Counts {
        let sip = *self.sip.borrow();
        Counts {
            sip_transactions: sip.server_transactions + sip.client_transactions,
            sip_dialogs: sip.dialogs,
            sip_timers: sip.timers,
            media_legs: self.media.legs.load(Ordering::Relaxed),
            ..*self.counts.borrow()
        }
    }

    /// What trunks and desk phones were last heard to do.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
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
