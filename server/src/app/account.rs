//! The account's task: the one place where its state changes.
//!
//! Requests of the shells, SIP and media events and the time go into the call core; what it asks for is carried out.
//! A toggle is decided on the newest facts, put on disk, and only then obeyed and answered: nothing reads a fact that a
//! crash could take back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_shared::agent::{AgentFacts, Presence};
use cordboard_shared::api::presence::PresenceWritten;
use cordboard_shared::event::{SOCKET_QUEUE, ServerMessage};
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::{FeedPosition, Millis, Problem, ProblemCode};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};

use super::facts::{self, LogEntry};
use super::handle::{Attached, Counts, FactWrite, LiveEvent, PresenceEvent, Reply, Request};
use super::journal::{Entry, Written};
use crate::call::{Audience, CallCenter, Effect, Input, ReplyTo, SocketId};
use crate::directory::Directory;
use crate::net::media::{MediaHandle, ToMedia};
use crate::net::sip::SipHandle;
use crate::store::{EventRow, RecordingRow};

/// Time between two signs of life on disk while calls are running, in milliseconds.
const ALIVE_EVERY_MS: u64 = 2_000;

/// How long files may take to be closed when the server stops.
const CLOSE_RECORDINGS: Duration = Duration::from_secs(3);

/// Everything the task owns.
pub(super) struct Account {
    pub(super) directory: Arc<Directory>,
    pub(super) center: CallCenter,
    pub(super) sip: SipHandle,
    pub(super) media: MediaHandle,
    pub(super) journal: mpsc::Sender<Entry>,
    pub(super) presences: broadcast::Sender<PresenceEvent>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) draining: watch::Sender<bool>,
    pub(super) clock: SteadyClock,
    pub(super) log: FactLog,
    pub(super) sockets: BTreeMap<SocketId, mpsc::Sender<LiveEvent>>,
    pub(super) replies: BTreeMap<ReplyTo, Waiting>,
    pub(super) last_id: u64,
    pub(super) alive_at: Millis,
    pub(super) deadline: Option<Millis>,
}

/// Who waits for an answer of the call core.
pub(super) enum Waiting {
    /// A socket's request.
    Client(Reply<Result<Value, Problem>>),
    /// Somebody who placed a test call.
    TestCall(Reply<Result<CallId, Problem>>),
}

/// The account's facts on their way to the disk.
#[derive(Default)]
pub(super) struct FactLog {
    pub(super) epoch: u32,
    /// Facts on disk, which the engine obeys.
    pub(super) committed: BTreeMap<AgentId, AgentFacts>,
    /// Facts as decided last, on disk or not yet.
    pub(super) head: BTreeMap<AgentId, AgentFacts>,
    /// Number of the last fact decided.
    pub(super) last_seq: u64,
    pub(super) generation: u64,
    pub(super) pending: VecDeque<PendingWrite>,
}

/// A toggle whose commit is awaited.
pub(super) struct PendingWrite {
    seq: u64,
    agent: AgentId,
    facts: Box<AgentFacts>,
    changed: Vec<String>,
    reply: Reply<Result<PresenceWritten, Problem>>,
}

/// Wall time that never jumps: read once, then carried on by the monotonic clock, so that no deadline of a running call
/// moves when somebody sets the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct SteadyClock {
    wall: Millis,
    since: Instant,
}

impl SteadyClock {
    pub(super) fn starting_at(wall: Millis) -> Self {
        Self { wall, since: Instant::now() }
    }

    pub(super) fn now(&self) -> Millis {
        self.wall + u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn until(&self, at: Millis) -> Duration {
        Duration::from_millis(at.since(self.now()))
    }
}

/// Where the task hears from.
pub(super) struct Sources {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) written: mpsc::UnboundedReceiver<Written>,
    pub(super) sip: mpsc::UnboundedReceiver<cordboard_sip::Event>,
    pub(super) media: mpsc::UnboundedReceiver<crate::net::media::FromMedia>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Account {
    /// Runs until it is told to stop, or the SIP or media side is gone.
    pub(super) async fn run(mut self, mut from: Sources) {
        loop {
            tokio::select! {
                biased;
                // What is on disk is obeyed before anything that could depend on it.
                Some(written) = from.written.recv() => self.written(written),
                event = from.sip.recv() => match event {
                    Some(event) => self.feed(Input::Sip(event)),
                    None => break tracing::error!("the SIP side has ended; so does the account"),
                },
                event = from.media.recv() => match event {
                    Some(event) => self.feed(Input::Media(media_input(event))),
                    None => break tracing::error!("the media side has ended; so does the account"),
                },
                request = from.requests.recv() => match request {
                    Some(request) => self.request(request),
                    None => break,
                },
                () = wait(self.deadline.map(|at| self.clock.until(at))) => self.tick(),
                stopped = from.stop.wait_for(|stop| *stop) => {
                    drop(stopped);
                    break;
                }
            }
            self.report();
        }
        self.feed(Input::Stop);
        self.close_recordings(&mut from).await;
        self.report();
    }

    /// Files that are being closed get their rows; what takes longer is repaired at the next start.
    async fn close_recordings(&mut self, from: &mut Sources) {
        let closing = async {
            while self.center.open_recordings() > 0 {
                let Some(event) = from.media.recv().await else { return };
                self.feed(Input::Media(media_input(event)));
            }
        };
        if tokio::time::timeout(CLOSE_RECORDINGS, closing).await.is_err() {
            tracing::warn!("recordings were not closed in time; the next start repairs them");
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if self.center.active_calls() > 0 && now.since(self.alive_at) >= ALIVE_EVERY_MS {
            self.alive_at = now;
            self.save(Entry::Alive(now));
        }
        self.feed(Input::Timeout);
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Presence { agent, reply } => {
                drop(reply.send(self.presence_with_matrix(agent).map(|presence| (presence, 0))));
            }
            Request::Presences { reply } => {
                let all = self.center.engine().agents().filter_map(|agent| self.center.engine().presence(agent.id));
                drop(reply.send((self.center.engine().position(), all.collect())));
            }
            Request::ChangeFact { write, reply } => self.change_fact(&write, reply),
            Request::Batch { reply, .. } => drop(reply.send(Err(not_yet()))),
            Request::EditPolicy { reply, .. } => drop(reply.send(Err(not_yet()))),
            Request::Reach { reply, .. } => drop(reply.send(None)),
            Request::Matrix { reply } => drop(reply.send(Vec::new())),
            Request::Line { reply, .. } => drop(reply.send(Err(not_yet()))),
            Request::Callbacks { reply } => drop(reply.send(Vec::new())),
            Request::CallbackDone { reply, .. } => drop(reply.send(Err(not_yet()))),
            Request::Simulate { reply, .. } => drop(reply.send(Err(not_yet()))),
            Request::Attach { agent, session, hello, reply } => {
                self.last_id += 1;
                let socket = SocketId(self.last_id);
                let (events, queue) = mpsc::channel(SOCKET_QUEUE);
                self.sockets.insert(socket, events);
                if reply.send(Attached { socket, events: queue }).is_ok() {
                    self.feed(Input::SocketOpened { socket, agent, session, hello });
                } else {
                    self.sockets.remove(&socket);
                }
            }
            Request::Detach { socket } => self.close_socket(socket),
            Request::EndSession { session } => {
                for socket in self.center.sockets_of(session) {
                    self.close_socket(socket);
                }
            }
            Request::Client { socket, message, reply } => {
                let to = self.await_reply(Waiting::Client(reply));
                self.feed(Input::Client { socket, message, reply: to });
            }
            Request::TestCall { to, reply } => {
                let reply = self.await_reply(Waiting::TestCall(reply));
                self.feed(Input::TestCall { to, reply });
            }
            Request::Drain => {
                self.draining.send_replace(true);
                self.feed(Input::Drain);
            }
        }
    }

    fn await_reply(&mut self, waiting: Waiting) -> ReplyTo {
        self.last_id += 1;
        let to = ReplyTo(self.last_id);
        self.replies.insert(to, waiting);
        to
    }

    fn close_socket(&mut self, socket: SocketId) {
        if self.sockets.remove(&socket).is_some() {
            self.feed(Input::SocketClosed(socket));
        }
    }

    fn presence_with_matrix(&self, agent: AgentId) -> Option<Presence> {
        let mut presence = self.center.engine().presence(agent)?;
        presence.matrix = self.center.engine().rows_for(agent);
        Some(presence)
    }

    /// Decides a toggle and sends it to the disk. The answer follows when it is there.
    fn change_fact(&mut self, write: &FactWrite, reply: Reply<Result<PresenceWritten, Problem>>) {
        let Some(head) = self.log.head.get(&write.agent) else {
            let problem = Problem::new(ProblemCode::AgentNotFound, "There is no such agent.");
            return drop(reply.send(Err(problem)));
        };
        let now = self.clock.now();
        let decided = match facts::decide(head, write, now, self.log.epoch) {
            Ok(decided) => decided,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        let entry = LogEntry::FactsSet {
            facts: Box::new(decided.facts.clone()),
            changed: decided.changed.clone(),
            note: None,
        };
        let row = EventRow {
            account: self.directory.account,
            seq: self.log.last_seq + 1,
            at: now,
            agent: Some(write.agent),
            body: serde_json::to_value(entry).unwrap_or_default(),
        };
        if self.journal.try_send(Entry::Event(row, self.log.generation)).is_err() {
            return drop(reply.send(Err(store_unavailable())));
        }
        self.log.last_seq += 1;
        self.log.head.insert(write.agent, decided.facts.clone());
        self.log.pending.push_back(PendingWrite {
            seq: self.log.last_seq,
            agent: write.agent,
            facts: Box::new(decided.facts),
            changed: decided.changed,
            reply,
        });
    }

    fn written(&mut self, written: Written) {
        match written {
            Written::UpTo(last) => {
                while self.log.pending.front().is_some_and(|pending| pending.seq <= last) {
                    if let Some(pending) = self.log.pending.pop_front() {
                        self.obey(pending);
                    }
                }
            }
            Written::Failed(first) => {
                self.log.generation += 1;
                self.log.head = self.log.committed.clone();
                self.log.last_seq = first.saturating_sub(1);
                for pending in std::mem::take(&mut self.log.pending) {
                    drop(pending.reply.send(Err(store_unavailable())));
                }
            }
        }
    }

    /// The fact is on disk: the engine obeys it, rings it blocks are withdrawn, and then the caller is told.
    fn obey(&mut self, pending: PendingWrite) {
        let PendingWrite { seq, agent, facts, changed, reply } = pending;
        let at = FeedPosition { epoch: self.log.epoch, bucket: 0, seq };
        self.log.committed.insert(agent, (*facts).clone());
        self.feed(Input::Facts { agent, facts, at });
        if let Some(presence) = self.center.engine().presence(agent) {
            let written =
                PresenceWritten { presence, applied: true, changed: !changed.is_empty(), changed_facts: changed };
            drop(reply.send(Ok(written)));
        }
    }

    /// Feeds the call core and carries out what it asks for.
    fn feed(&mut self, input: Input) {
        let durable = match &input {
            Input::Facts { agent, at, .. } => Some((*agent, *at)),
            _ => None,
        };
        let now = self.clock.now();
        self.center.handle_input(now, input);
        let mut changed = BTreeSet::new();
        loop {
            match self.center.poll_effect() {
                Effect::Timeout(deadline) => {
                    let alive = (self.center.active_calls() > 0).then(|| self.alive_at + ALIVE_EVERY_MS);
                    self.deadline = deadline.into_iter().chain(alive).min();
                    break;
                }
                Effect::PresenceChanged(agent) => drop(changed.insert(agent)),
                effect => self.perform(effect),
            }
        }
        for agent in changed {
            let at = durable.filter(|(of, _)| *of == agent).map(|(_, at)| at);
            self.announce_presence(agent, at);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Sip(command) => self.sip.send(*command),
            Effect::OpenRtp(leg) => self.media.send(ToMedia::OpenRtp { leg }),
            Effect::Media(command) => self.media.send(ToMedia::Command(command)),
            Effect::Live { to, message } => self.tell(to, None, &Arc::new(*message)),
            Effect::Reply { to, result } => self.answer(to, result),
            Effect::SaveCall(call) => self.save(Entry::Call(call)),
            Effect::SaveDecision(call, decision) => self.save(Entry::Decision(call, decision)),
            Effect::SaveRecording(made) => {
                let made = *made;
                self.save(Entry::Recording(Box::new(RecordingRow {
                    id: made.id,
                    call: made.call,
                    kind: made.kind,
                    mailbox: made.mailbox,
                    path: made.path,
                    ms: made.ms,
                    bytes: made.bytes,
                    sha256: made.sha256,
                    at: made.at,
                })));
            }
            Effect::Note { call: Some(call), text } => tracing::info!(call.id = %call, "{text}"),
            // Strangers cause these; at the default level they would fill the log.
            Effect::Note { call: None, text } => tracing::debug!("{text}"),
            Effect::Remember(_) | Effect::Elapsed(..) | Effect::EndSessions(_) | Effect::Trace(..) => {}
            Effect::PresenceChanged(_) | Effect::Timeout(_) => {}
        }
    }

    fn save(&mut self, entry: Entry) {
        if let Err(error) = self.journal.try_send(entry) {
            tracing::error!(%error, "a record is lost: the database has not answered for too long");
        }
    }

    fn answer(&mut self, to: ReplyTo, result: Result<Value, Problem>) {
        match self.replies.remove(&to) {
            Some(Waiting::Client(reply)) => drop(reply.send(result)),
            Some(Waiting::TestCall(reply)) => {
                let placed = result.and_then(|value| {
                    serde_json::from_value(value["uid"].clone())
                        .map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))
                });
                drop(reply.send(placed));
            }
            None => {}
        }
    }

    fn announce_presence(&mut self, agent: AgentId, at: Option<FeedPosition>) {
        let Some(presence) = self.center.engine().presence(agent) else { return };
        let presence = Arc::new(presence);
        let pos = at.unwrap_or_else(|| self.center.engine().position());
        // Without an edge nobody listens.
        let _ = self.presences.send(PresenceEvent { pos, presence: presence.clone() });
        let message = Arc::new(ServerMessage::PresenceChanged(Box::new((*presence).clone())));
        let watchers: Vec<_> = self
            .sockets
            .keys()
            .copied()
            .filter(|socket| {
                self.center.socket_agent(*socket).is_some_and(|viewer| self.directory.may_see(viewer, agent))
            })
            .collect();
        self.send_to(&watchers, at, &message);
    }

    fn tell(&mut self, to: Audience, pos: Option<FeedPosition>, message: &Arc<ServerMessage>) {
        let hears = |socket: SocketId| {
            let listener = self.center.socket_agent(socket);
            match to {
                Audience::Everybody => true,
                Audience::Socket(only) => only == socket,
                Audience::Agent(agent) => listener == Some(agent),
                Audience::Staff => listener.is_some_and(|listener| self.directory.is_staff(listener)),
                Audience::Department(department) => listener.is_some_and(|listener| {
                    self.directory.is_staff(listener) || self.directory.works_in(listener, department)
                }),
                Audience::Call { department, agent } => listener.is_some_and(|listener| {
                    Some(listener) == agent
                        || self.directory.is_staff(listener)
                        || department.is_some_and(|department| self.directory.works_in(listener, department))
                }),
            }
        };
        let listeners: Vec<_> = self.sockets.keys().copied().filter(|socket| hears(*socket)).collect();
        self.send_to(&listeners, pos, message);
    }

    fn send_to(&mut self, sockets: &[SocketId], pos: Option<FeedPosition>, message: &Arc<ServerMessage>) {
        let mut slow = Vec::new();
        for socket in sockets {
            let Some(events) = self.sockets.get(socket) else { continue };
            if events.try_send(LiveEvent { pos, message: message.clone() }).is_err() {
                slow.push(*socket);
            }
        }
        for socket in slow {
            // The queue is full: the socket is closed with 1013 as its stream ends.
            self.close_socket(socket);
        }
    }

    fn report(&self) {
        let totals = self.center.totals();
        let counts = Counts {
            calls: self.center.active_calls(),
            legs: self.center.active_legs(),
            stuck_agents: self.center.engine().stuck_agents(self.clock.now()),
            calls_total: totals.calls,
            offers_total: totals.offers,
            sockets: self.sockets.len(),
        };
        self.counts.send_if_modified(|old| std::mem::replace(old, counts) != counts);
    }
}

fn media_input(event: crate::net::media::FromMedia) -> crate::call::FromMedia {
    use crate::call::FromMedia as To;
    use crate::net::media::FromMedia as From;
    match event {
        From::RtpOpened { leg, local } => To::RtpOpened { leg, local },
        From::RtpFailed { leg, error } => To::RtpFailed { leg, error },
        From::Event(event) => To::Event(event),
        From::Recorded { recording, path, ms, bytes, sha256 } => {
            To::Recorded { recording, path: path.to_string_lossy().into_owned(), ms, bytes, sha256 }
        }
        From::RecordingFailed { recording, error } => To::RecordingFailed { recording, error },
    }
}

fn not_yet() -> Problem {
    Problem::new(ProblemCode::Internal, "This part of the account is being put together.")
}

fn store_unavailable() -> Problem {
    Problem::new(
        ProblemCode::StoreUnavailable,
        "The database does not take writes now. Nothing was changed; try again in a moment.",
    )
    .with("retry_after", 1)
}

async fn wait(after: Option<Duration>) {
    match after {
        Some(after) => tokio::time::sleep(after).await,
        None => std::future::pending().await,
    }
}
