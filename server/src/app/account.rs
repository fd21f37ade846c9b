//! The account's task: the one place where its state changes.
//!
//! Requests of the shells, SIP and media events and the time go into the call core; what it asks for is carried out.
//! A change of facts or policy is decided on the newest ones, put on disk, and only then obeyed and answered: nothing
//! reads a fact that a crash could take back.

mod batch;
mod changes;
mod perform;
mod questions;
mod trace;
mod trunks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard_routing::{Event, Load};
use cordboard_shared::event::SOCKET_QUEUE;
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};

use super::company::CompanyPart;
use super::handle::{Attached, Counts, DialWish, LiveEvent, PresenceEvent, Reply, Request};
use super::journal::{Entry, Fed, Written};
use super::seen::Seen;
use crate::call::{CallCenter, Effect, Input, ReplyTo, SocketId};
use crate::directory::Directory;
use crate::net::media::MediaHandle;
use crate::net::sip::SipHandle;
use crate::store::Store;

pub(super) use changes::Changes;
pub(super) use trace::Tracer;

/// Time between two signs of life on disk while calls are running, in milliseconds.
const ALIVE_EVERY_MS: u64 = 2_000;
/// Time between two looks at who is held by nothing, in milliseconds.
const LOOK_EVERY_MS: u64 = 1_000;

/// Requests carried out before anybody else is heard: a fraction of a millisecond.
const REQUESTS_AT_ONCE: usize = 32;

/// How long files may take to be closed when the server stops.
const CLOSE_RECORDINGS: Duration = Duration::from_secs(3);

/// Everything the task owns.
pub(super) struct Account {
    pub(super) directory: Arc<Directory>,
    pub(super) directories: watch::Sender<Arc<Directory>>,
    pub(super) center: CallCenter,
    pub(super) sip: SipHandle,
    /// For what was asked of the network and comes back; keeps nobody from ending.
    pub(super) requests: mpsc::WeakSender<Request>,
    pub(super) media: MediaHandle,
    pub(super) store: Store,
    pub(super) journal: mpsc::Sender<Entry>,
    pub(super) presences: broadcast::Sender<PresenceEvent>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) draining: watch::Sender<bool>,
    /// What trunks and phones were last heard to do.
    pub(super) seen: watch::Sender<Seen>,
    pub(super) clock: SteadyClock,
    pub(super) changes: Changes,
    pub(super) tracer: Tracer,
    /// Inputs of the engine on their way to the journal.
    pub(super) traced: Vec<Fed>,
    pub(super) sockets: BTreeMap<SocketId, mpsc::Sender<LiveEvent>>,
    pub(super) replies: BTreeMap<ReplyTo, Waiting>,
    /// How often each person's presence has read differently in this run.
    pub(super) live: BTreeMap<AgentId, u64>,
    pub(super) last_id: u64,
    pub(super) alive_at: Millis,
    /// When to look again who is held by nothing; none while everybody is idle.
    pub(super) look_at: Option<Millis>,
    pub(super) stuck: usize,
    pub(super) deadline: Option<Millis>,
}

/// Who waits for an answer of the call core.
pub(super) enum Waiting {
    /// A socket's request.
    Client(Reply<Result<Value, Problem>>),
    /// Somebody who placed a call, a test call or a person's.
    TestCall(Reply<Result<CallId, Problem>>),
    /// Somebody who wants nothing but to know that it is done.
    Done(Reply<Result<(), Problem>>),
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

    pub(super) fn until(&self, at: Millis) -> Duration {
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
    /// Runs until it is told to stop, or a side it cannot do without is gone.
    pub(super) async fn run(mut self, mut from: Sources) {
        self.tell_trunks();
        // Deadlines of the lasting state: ends of pauses, slots, kept places.
        self.feed(Input::Timeout);
        let mut requests = Vec::with_capacity(REQUESTS_AT_ONCE);
        loop {
            tokio::select! {
                biased;
                // What is on disk is obeyed before anything that could depend on it.
                written = from.written.recv() => match written {
                    Some(written) => self.written(written),
                    None => break tracing::error!("the journal has ended; so does the account"),
                },
                event = from.sip.recv() => match event {
                    Some(event) => {
                        let now = self.clock.now();
                        self.seen.send_if_modified(|seen| seen.note(&event, now));
                        self.feed(Input::Sip(event));
                    }
                    None => break tracing::error!("the SIP side has ended; so does the account"),
                },
                event = from.media.recv() => match event {
                    Some(event) => self.feed(Input::Media(perform::media_input(event))),
                    None => break tracing::error!("the media side has ended; so does the account"),
                },
                received = from.requests.recv_many(&mut requests, REQUESTS_AT_ONCE) => {
                    if received == 0 {
                        break;
                    }
                    for request in requests.drain(..) {
                        self.request(request);
                    }
                }
                () = wait(self.deadline.map(|at| self.clock.until(at))) => self.tick(),
                stopped = from.stop.wait_for(|stop| *stop) => {
                    drop(stopped);
                    break;
                }
            }
            self.flush_trace();
            self.report();
        }
        self.feed(Input::Stop);
        self.close_recordings(&mut from).await;
        self.flush_trace();
        self.report();
        self.last_snapshot();
    }

    /// Files that are being closed get their rows; what takes longer is repaired at the next start.
    async fn close_recordings(&mut self, from: &mut Sources) {
        let closing = async {
            while self.center.open_recordings() > 0 {
                let Some(event) = from.media.recv().await else { return };
                self.feed(Input::Media(perform::media_input(event)));
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
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
        self.feed(Input::Timeout);
    }

    /// Looks for people whom nothing holds and who are not idle all the same, and tries again what could not be written.
    fn look(&mut self, now: Millis) {
        self.stuck = self.center.engine().stuck_agents(now);
        let busy = self.center.engine().agents().any(|agent| agent.load != Load::Idle);
        let unwritten = self.write_elapsed_again();
        self.look_at = (busy || self.stuck > 0 || unwritten).then(|| now + LOOK_EVERY_MS);
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Presence { agent, reply } => drop(reply.send(self.presence_of(agent))),
            Request::Presences { reply } => drop(reply.send(self.everybody())),
            Request::ChangeFact { write, reply } => self.change_fact(&write, reply),
            Request::Preview { writes, reply } => self.preview(&writes, reply),
            Request::Batch { writes, reply } => self.batch(&writes, reply),
            Request::EditPolicy { edit, expected, reply } => self.edit_policy(edit, expected, reply),
            Request::PersonChanged { profile, manages, reply } => self.person_changed(*profile, manages, reply),
            Request::Reach { agent, reply } => drop(reply.send(self.center.engine().reach(agent))),
            Request::Matrix { reply } => drop(reply.send(self.center.engine().matrix_cells())),
            Request::Line { department, reply } => drop(reply.send(self.line(department))),
            Request::Callbacks { reply } => drop(reply.send(self.center.engine().callbacks())),
            Request::CallbackDone { call, reply } => {
                let reply = self.await_reply(Waiting::Done(reply));
                self.feed(Input::CallbackDone { call, reply });
            }
            // A queue that is full drops the reply, which its caller is told as a refusal.
            Request::Settle { reply } => {
                self.flush_trace();
                drop(self.journal.try_send(Entry::Settle(reply)));
            }
            Request::Simulate { request, reply } => self.simulate(*request, reply),
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
            Request::Dial { agent, wish, reply } => {
                let reply = self.await_reply(Waiting::TestCall(reply));
                let DialWish { to, department, device } = wish;
                self.feed(Input::Dial { agent, to, department, device, reply });
            }
            Request::TestCall { to, reply } => {
                let reply = self.await_reply(Waiting::TestCall(reply));
                self.feed(Input::TestCall { to, reply });
            }
            Request::Company { part, reply } => {
                self.change_company(part);
                let _ = reply.send(());
            }
            Request::WebhookAnswered { call, hop, answer } => self.feed(Input::WebhookAnswered { call, hop, answer }),
            Request::Drain => {
                self.draining.send_replace(true);
                self.feed(Input::Drain);
            }
        }
    }

    /// A part of the company has changed, and is on disk: calls and phones obey it from now on.
    fn change_company(&mut self, part: CompanyPart) {
        let phones = matches!(part, CompanyPart::Telephony(..));
        let mut directory = Directory::clone(&self.directory);
        part.put_into(&mut directory);
        self.directory = Arc::new(directory);
        if phones {
            self.tell_trunks();
            self.tell_phones();
        }
        self.feed(Input::Directory(self.directory.clone()));
        self.directories.send_replace(self.directory.clone());
    }

    /// Who may register as a phone.
    pub(super) fn tell_phones(&self) {
        self.sip.send(cordboard_sip::Command::SetUsers(self.directory.phone_users.to_vec()));
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

    /// Feeds the call core and carries out what it asks for.
    fn feed(&mut self, input: Input) {
        let durable = if let Input::Obey { event, at } = &input
            && let Event::FactsSet { agent, .. } = &**event
        {
            Some((*agent, *at))
        } else {
            None
        };
        let now = self.clock.now();
        self.center.handle_input(now, input);
        let mut changed = BTreeSet::new();
        loop {
            match self.center.poll_effect() {
                Effect::Timeout(deadline) => {
                    let alive = (self.center.active_calls() > 0).then(|| self.alive_at + ALIVE_EVERY_MS);
                    self.deadline = deadline.into_iter().chain(alive).chain(self.look_at).min();
                    break;
                }
                Effect::PresenceChanged(agent) => drop(changed.insert(agent)),
                effect => self.perform(now, effect),
            }
        }
        for agent in changed {
            let at = durable.filter(|(of, _)| *of == agent).map(|(_, at)| at);
            self.announce_presence(now, agent, at);
        }
        self.keep_checkpoints(now);
    }

    fn report(&self) {
        let totals = self.center.totals();
        let counts = Counts {
            calls: self.center.active_calls(),
            legs: self.center.active_legs(),
            stuck_agents: self.stuck,
            calls_total: totals.calls,
            offers_total: totals.offers,
            call_panics: totals.panics,
            caps_reached: totals.caps_reached,
            sockets: self.sockets.len(),
            // Read when they are asked for.
            ..Counts::default()
        };
        self.counts.send_if_modified(|old| std::mem::replace(old, counts) != counts);
    }
}

/// The refusal while the database does not take writes.
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
