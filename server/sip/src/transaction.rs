//! The transaction layer: four machines (RFC 3261 §17, RFC 6026), their table and their timers.
//!
//! It repeats what UDP loses, absorbs what comes twice, and acknowledges failures. It knows no dialog.

mod client;
mod client_invite;
mod key;
mod server;
mod server_invite;
pub(crate) mod timer;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::client::Client;
use self::client_invite::ClientInvite;
use self::key::{ClientKey, MergeKey, ServerKey};
use self::server::Server;
use self::server_invite::ServerInvite;
use self::timer::{Timer, TimerTable};
use crate::endpoint::DialogId;
use crate::flow::Flow;
use crate::message::{Envelope, HeaderId, Headers, Method, Request, Response};
use crate::registrar::BindingId;
use crate::trunk::TrunkKey;

/// One transaction of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TxId(u64);

/// What a machine wants done.
#[derive(Debug)]
pub(crate) enum Action {
    Transmit(Vec<u8>),
    Arm(Timer, Duration),
    Disarm(Timer),
    Leave(Gone),
}

/// Why a transaction left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It ran its course.
    Done,
    /// The far side did not answer. Never dressed up as a response from the peer.
    TimedOut,
}

/// Whether an ACK concerns the transaction's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AckGoes {
    ToUser,
    Nowhere,
}

/// Whether a response concerns the transaction's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseGoes {
    ToUser,
    Nowhere,
}

/// What the user of a client transaction opened it for; given back with each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that starts a call.
    Invite(DialogId),
    /// A CANCEL; its outcome changes nothing.
    Cancel,
    /// The BYE of a call.
    Bye(DialogId),
    /// The BYE to a dialog nobody wants: a fork, or an answer that crossed our CANCEL.
    StrayBye,
    /// An INFO in a call.
    Info(DialogId),
    /// An OPTIONS that keeps the way to a registered phone open.
    KeepAlive(BindingId),
    /// A re-INVITE or UPDATE in a call.
    Offer(DialogId),
    /// An INVITE nobody waits for any more.
    Unwanted(Unwanted),
    /// A PRACK; the INVITE has its own patience.
    Prack,
    /// A REFER in a call.
    Refer(DialogId),
    /// A NOTIFY of how a transfer goes.
    Notify(DialogId),
    /// A REGISTER of a trunk.
    Register(TrunkKey),
    /// An OPTIONS that asks a target of a trunk whether it lives.
    Ping(TrunkKey, usize),
}

/// How far an INVITE is that nobody waits for (RFC 3261 §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// It has drawn nothing yet, and must not be cancelled until it has.
    Silent,
    /// Its CANCEL has been sent.
    Cancelled,
}

/// What a wake-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fired {
    /// No timer is due.
    Nothing,
    /// A timer that concerns no user.
    Other,
    /// A client transaction ended without an answer.
    TimedOut(TxId, Purpose),
}

/// Bytes to send.
pub(crate) type Wire = Vec<(Flow, Vec<u8>)>;

#[derive(Debug)]
enum ServerMachine {
    Invite(ServerInvite),
    Other(Server),
}

#[derive(Debug)]
struct ServerEntry {
    key: ServerKey,
    merge_key: Option<MergeKey>,
    flow: Flow,
    owner: Option<DialogId>,
    machine: ServerMachine,
}

#[derive(Debug)]
enum ClientMachine {
    Invite(ClientInvite),
    Other(Client),
}

#[derive(Debug)]
struct ClientEntry {
    key: ClientKey,
    flow: Flow,
    purpose: Purpose,
    request: Request,
    machine: ClientMachine,
    /// The way it takes when no connection can be made for it.
    fallback: Option<Flow>,
    /// The ACKs to the 2xx of this INVITE, by remote tag: each repeated 2xx gets the same one again.
    acks: Vec<StoredAck>,
}

impl ClientMachine {
    fn start(request: &Request, flow: Flow, actions: &mut Vec<Action>) -> Self {
        let (bytes, reliable) = (request.to_bytes(), flow.transport.is_reliable());
        if request.method == Method::Invite {
            Self::Invite(ClientInvite::start(bytes, reliable, actions))
        } else {
            Self::Other(Client::start(bytes, reliable, actions))
        }
    }
}

impl ClientEntry {
    /// Whether a final response is still awaited.
    fn is_open(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.is_open(),
            ClientMachine::Other(machine) => machine.is_open(),
        }
    }
}

#[derive(Debug)]
struct StoredAck {
    remote_tag: String,
    flow: Flow,
    bytes: Vec<u8>,
}

/// Forked answers remembered per INVITE; more than a real network of proxies makes.
const MAX_STORED_ACKS: usize = 16;

/// All transactions of one endpoint.
#[derive(Debug)]
pub(crate) struct TransactionLayer {
    servers: BTreeMap<TxId, ServerEntry>,
    server_keys: BTreeMap<ServerKey, TxId>,
    merge_keys: BTreeMap<MergeKey, TxId>,
    clients: BTreeMap<TxId, ClientEntry>,
    client_keys: BTreeMap<ClientKey, TxId>,
    timers: TimerTable<(TxId, Timer)>,
    next: u64,
}

impl TransactionLayer {
    pub(crate) fn new() -> Self {
        Self {
            servers: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            clients: BTreeMap::new(),
            client_keys: BTreeMap::new(),
            timers: TimerTable::new(),
            next: 0,
        }
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn timer_count(&self) -> usize {
        self.timers.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// The transaction a request belongs to: its own, or for an ACK that of the INVITE.
    pub(crate) fn find_server(&self, envelope: &Envelope, method: &Method) -> Option<TxId> {
        self.server_keys.get(&ServerKey::of(envelope, method)).copied()
    }

    /// The transaction of the INVITE that a CANCEL means (RFC 3261 §9.2).
    pub(crate) fn find_cancelled(&self, envelope: &Envelope) -> Option<TxId> {
        self.server_keys.get(&ServerKey::of(envelope, &Method::Invite)).copied()
    }

    /// Whether the same request came before by another way (RFC 3261 §8.2.2.2).
    pub(crate) fn is_merged(&self, envelope: &Envelope) -> bool {
        MergeKey::of(envelope).is_some_and(|key| self.merge_keys.contains_key(&key))
    }

    /// Notes whose INVITE a transaction carries, for its CANCEL.
    pub(crate) fn set_owner(&mut self, tx: TxId, owner: DialogId) {
        if let Some(entry) = self.servers.get_mut(&tx) {
            entry.owner = Some(owner);
        }
    }

    /// Whose INVITE waits for its final response here.
    pub(crate) fn pending_owner(&self, tx: TxId) -> Option<DialogId> {
        let entry = self.servers.get(&tx)?;
        match &entry.machine {
            ServerMachine::Invite(machine) if machine.is_pending() => entry.owner,
            ServerMachine::Invite(_) | ServerMachine::Other(_) => None,
        }
    }

    pub(crate) fn open_server(&mut self, envelope: &Envelope, method: &Method, flow: Flow) -> TxId {
        let tx = self.next_id();
        let key = ServerKey::of(envelope, method);
        let merge_key = MergeKey::of(envelope).filter(|_| *method == Method::Invite);
        let reliable = flow.transport.is_reliable();
        let machine = if *method == Method::Invite {
            ServerMachine::Invite(ServerInvite::new(reliable))
        } else {
            ServerMachine::Other(Server::new(reliable))
        };
        self.server_keys.insert(key.clone(), tx);
        if let Some(merge_key) = merge_key.clone() {
            self.merge_keys.insert(merge_key, tx);
        }
        self.servers.insert(tx, ServerEntry { key, merge_key, flow, owner: None, machine });
        tx
    }

    /// A request came again.
    pub(crate) fn repeat(&mut self, now: Instant, tx: TxId, wire: &mut Wire) {
        let Some(entry) = self.servers.get(&tx) else { return };
        let mut actions = Vec::new();
        match &entry.machine {
            ServerMachine::Invite(machine) => machine.repeat(&mut actions),
            ServerMachine::Other(machine) => machine.repeat(&mut actions),
        }
        let flow = entry.flow;
        self.perform(now, tx, flow, actions, wire);
    }

    pub(crate) fn ack(&mut self, now: Instant, tx: TxId, wire: &mut Wire) -> AckGoes {
        let Some(entry) = self.servers.get_mut(&tx) else { return AckGoes::Nowhere };
        let ServerMachine::Invite(machine) = &mut entry.machine else { return AckGoes::Nowhere };
        let mut actions = Vec::new();
        let goes = machine.ack(&mut actions);
        let flow = entry.flow;
        self.perform(now, tx, flow, actions, wire);
        goes
    }

    /// Sends a response. One for a transaction that is gone or has its final response is dropped.
    pub(crate) fn respond(&mut self, now: Instant, tx: TxId, response: &Response, wire: &mut Wire) {
        let Some(entry) = self.servers.get_mut(&tx) else { return };
        let mut actions = Vec::new();
        let bytes = response.to_bytes();
        match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.respond(response.status, bytes, &mut actions),
            ServerMachine::Other(machine) => machine.respond(response.status, bytes, &mut actions),
        }
        let flow = entry.flow;
        self.perform(now, tx, flow, actions, wire);
    }

    /// Sends a request in a new transaction. `branch` is the one in its topmost Via.
    pub(crate) fn open_client(
        &mut self,
        now: Instant,
        request: Request,
        branch: &str,
        flow: Flow,
        purpose: Purpose,
        wire: &mut Wire,
    ) -> TxId {
        let tx = self.next_id();
        let key = ClientKey { branch: branch.to_owned(), method: request.method.clone() };
        let mut actions = Vec::new();
        let machine = ClientMachine::start(&request, flow, &mut actions);
        self.client_keys.insert(key.clone(), tx);
        let entry = ClientEntry { key, flow, purpose, request, machine, fallback: None, acks: Vec::new() };
        self.clients.insert(tx, entry);
        self.perform(now, tx, flow, actions, wire);
        tx
    }

    /// Takes a response in; gives back whose it is if it concerns the user. A repeated 2xx gets its ACK again right
    /// here.
    pub(crate) fn response(
        &mut self,
        now: Instant,
        envelope: &Envelope,
        response: &Response,
        wire: &mut Wire,
    ) -> Option<(TxId, Purpose)> {
        let key = ClientKey { branch: envelope.branch().to_owned(), method: envelope.cseq.method.clone() };
        let tx = *self.client_keys.get(&key)?;
        let entry = self.clients.get_mut(&tx)?;
        let mut actions = Vec::new();
        let goes = match &mut entry.machine {
            ClientMachine::Invite(machine) => {
                let request = &entry.request;
                machine.response(response.status, || ack_to_failure(request, response).to_bytes(), &mut actions)
            }
            ClientMachine::Other(machine) => machine.response(response.status, &mut actions),
        };
        let (flow, purpose) = (entry.flow, entry.purpose);
        let stored = if (200..300).contains(&response.status) {
            let remote_tag = envelope.to.tag().unwrap_or_default();
            entry.acks.iter().find(|ack| ack.remote_tag == remote_tag).map(|ack| (ack.flow, ack.bytes.clone()))
        } else {
            None
        };
        self.perform(now, tx, flow, actions, wire);
        if let Some(ack) = stored {
            wire.push(ack);
            return None;
        }
        (goes == ResponseGoes::ToUser).then_some((tx, purpose))
    }

    /// Keeps the ACK to a 2xx, for the repeats of that 2xx.
    ///
    /// Says no when there is no room: an INVITE that so many answer is not worth an ACK each.
    pub(crate) fn store_ack(&mut self, tx: TxId, remote_tag: &str, flow: Flow, bytes: Vec<u8>) -> bool {
        let Some(entry) = self.clients.get_mut(&tx).filter(|entry| entry.acks.len() < MAX_STORED_ACKS) else {
            return false;
        };
        entry.acks.push(StoredAck { remote_tag: remote_tag.to_owned(), flow, bytes });
        true
    }

    /// The way the responses of a server transaction take.
    pub(crate) fn server_flow(&self, tx: TxId) -> Option<Flow> {
        self.servers.get(&tx).map(|entry| entry.flow)
    }

    /// The request a client transaction sent, and its way.
    pub(crate) fn client_request(&self, tx: TxId) -> Option<(&Request, Flow)> {
        self.clients.get(&tx).map(|entry| (&entry.request, entry.flow))
    }

    /// Notes the way a request takes when no connection can be made for it.
    pub(crate) fn set_fallback(&mut self, tx: TxId, flow: Flow) {
        if let Some(entry) = self.clients.get_mut(&tx) {
            entry.fallback = Some(flow);
        }
    }

    /// The client transactions whose way cannot be gone and that have another one, with that and their branch.
    pub(crate) fn with_fallback(&self, way: impl Fn(Flow) -> bool) -> Vec<(TxId, Flow, String)> {
        let lost = self.clients.iter().filter(|(_, entry)| way(entry.flow) && entry.is_open());
        lost.filter_map(|(&tx, entry)| Some((tx, entry.fallback?, entry.key.branch.clone()))).collect()
    }

    /// Begins a client transaction again on its other way, under this Via. Nothing of it has reached anybody, so that its
    /// branch stays.
    pub(crate) fn fall_back(&mut self, now: Instant, tx: TxId, flow: Flow, via: &str, wire: &mut Wire) {
        let Some(entry) = self.clients.get_mut(&tx) else { return };
        entry.request.headers.replace_first(HeaderId::Via, via.into());
        let mut actions = Vec::new();
        entry.machine = ClientMachine::start(&entry.request, flow, &mut actions);
        (entry.flow, entry.fallback) = (flow, None);
        self.perform(now, tx, flow, actions, wire);
    }

    /// Ends the client transactions whose way cannot be gone; gives back which, and what each was for.
    pub(crate) fn fail_clients(&mut self, way: impl Fn(Flow) -> bool) -> Vec<(TxId, Purpose)> {
        let failed: Vec<_> =
            self.clients.iter().filter(|(_, entry)| way(entry.flow) && entry.is_open()).map(|(&tx, _)| tx).collect();
        failed.into_iter().filter_map(|tx| Some((tx, self.remove(tx)?))).collect()
    }

    /// Says anew what a client transaction is for.
    pub(crate) fn set_purpose(&mut self, tx: TxId, purpose: Purpose) {
        if let Some(entry) = self.clients.get_mut(&tx) {
            entry.purpose = purpose;
        }
    }

    /// Gives a client transaction up.
    pub(crate) fn close_client(&mut self, tx: TxId) {
        self.remove(tx);
    }

    /// Fires the earliest timer that is due.
    pub(crate) fn fire_next(&mut self, now: Instant, wire: &mut Wire) -> Fired {
        let Some((tx, timer)) = self.timers.pop_due(now) else { return Fired::Nothing };
        let mut actions = Vec::new();
        let mut purpose = None;
        let flow = if let Some(entry) = self.servers.get_mut(&tx) {
            match &mut entry.machine {
                ServerMachine::Invite(machine) => machine.fire(timer, &mut actions),
                ServerMachine::Other(_) => Server::fire(timer, &mut actions),
            }
            entry.flow
        } else if let Some(entry) = self.clients.get_mut(&tx) {
            match &mut entry.machine {
                ClientMachine::Invite(machine) => machine.fire(timer, &mut actions),
                ClientMachine::Other(machine) => machine.fire(timer, &mut actions),
            }
            purpose = Some(entry.purpose);
            entry.flow
        } else {
            return Fired::Other;
        };
        let timed_out = actions.iter().any(|action| matches!(action, Action::Leave(Gone::TimedOut)));
        self.perform(now, tx, flow, actions, wire);
        purpose.filter(|_| timed_out).map_or(Fired::Other, |purpose| Fired::TimedOut(tx, purpose))
    }

    fn perform(&mut self, now: Instant, tx: TxId, flow: Flow, actions: Vec<Action>, wire: &mut Wire) {
        for action in actions {
            match action {
                Action::Transmit(bytes) => wire.push((flow, bytes)),
                Action::Arm(timer, after) => self.timers.arm((tx, timer), now + after),
                Action::Disarm(timer) => self.timers.disarm((tx, timer)),
                Action::Leave(Gone::Done | Gone::TimedOut) => drop(self.remove(tx)),
            }
        }
    }

    /// Forgets a transaction; for a client's gives what it was for.
    fn remove(&mut self, tx: TxId) -> Option<Purpose> {
        if let Some(entry) = self.servers.remove(&tx) {
            self.server_keys.remove(&entry.key);
            if let Some(merge_key) = entry.merge_key {
                self.merge_keys.remove(&merge_key);
            }
        }
        let client = self.clients.remove(&tx);
        if let Some(entry) = &client {
            self.client_keys.remove(&entry.key);
        }
        for timer in [
            Timer::A,
            Timer::B,
            Timer::D,
            Timer::E,
            Timer::F,
            Timer::G,
            Timer::H,
            Timer::I,
            Timer::J,
            Timer::K,
            Timer::L,
            Timer::M,
        ] {
            self.timers.disarm((tx, timer));
        }
        client.map(|entry| entry.purpose)
    }

    fn next_id(&mut self) -> TxId {
        self.next += 1;
        TxId(self.next)
    }
}

/// RFC 3261 §17.1.1.3: the ACK to a failure goes the way of the INVITE, with its branch; only To is the response's.
fn ack_to_failure(invite: &Request, response: &Response) -> Request {
    let mut ack = hop_by_hop(invite, Method::Ack);
    if let Some(to) = response.headers.first(HeaderId::To) {
        ack.headers.push(HeaderId::To, to.value());
    }
    ack
}

/// RFC 3261 §9.1: the CANCEL of an INVITE.
pub(crate) fn cancel_of(invite: &Request) -> Request {
    let mut cancel = hop_by_hop(invite, Method::Cancel);
    if let Some(to) = invite.headers.first(HeaderId::To) {
        cancel.headers.push(HeaderId::To, to.value());
    }
    cancel
}

fn hop_by_hop(invite: &Request, method: Method) -> Request {
    let mut headers = Headers::default();
    for header in invite.headers.iter() {
        match header.id() {
            Some(HeaderId::Via | HeaderId::From | HeaderId::CallId | HeaderId::Route | HeaderId::MaxForwards) => {
                headers.push_header(header.clone());
            }
            Some(HeaderId::CSeq) => {
                let text = header.text();
                let number = text.split_ascii_whitespace().next().unwrap_or("1");
                headers.push(HeaderId::CSeq, format!("{number} {}", method.as_str()));
            }
            Some(_) | None => {}
        }
    }
    Request { method, uri: invite.uri.clone(), headers, body: Vec::new() }
}
