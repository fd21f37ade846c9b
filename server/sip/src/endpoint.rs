//! The one door to the SIP core: datagrams, commands and the time go in; datagrams, events and the next deadline come
//! out.
//!
//! [`Endpoint`] matches datagrams to transactions and requests to dialogs. It holds no socket, clock or task. It may
//! call itself over loopback: a dialog is known by Call-ID and our own tag, and the tables of client and server
//! transactions are apart.

mod answers;
mod api;
mod body;
mod call;
mod challenge;
mod change;
mod compose;
mod hold;
mod identity;
mod in_dialog;
mod large;
mod outbound;
mod progress;
mod register;
mod relay;
mod screen;
mod transfer;
mod uac;
mod uas;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

pub use self::api::{
    Command, Credentials, Destination, DialogId, EndCause, EndpointConfig, Event, FailureCause, IncomingCall, Input,
    Invitation, Limits, Opened, OutboundTrunk, Output, Registration, Replaces, Stats, Transfer, TrunkHealth, TrunkId,
};
use self::call::{Call, CallState, CallTimer, Due};
pub use self::hold::{HoldChange, is_held, with_direction};
pub use self::relay::relayable;
use self::screen::Refusal;
use crate::digest::Nonces;
use crate::flow::Flow;
use crate::known::Known;
use crate::limits::Sources;
use crate::message::{Defect, Envelope, HeaderId, Message, Method, Parsed, Request, Response, Via, parse, via};
use crate::registrar::Registrar;
use crate::token::Tokens;
use crate::transaction::timer::TimerTable;
use crate::transaction::{AckGoes, Fired, Purpose, TransactionLayer, TxId, Wire};
use crate::transport::{ServerNames, Streams};
use crate::trunk::Trunks;

/// A SIP user agent: as many calls in and out as its limits allow.
pub struct Endpoint {
    config: EndpointConfig,
    tokens: Tokens,
    layer: TransactionLayer,
    calls: BTreeMap<DialogId, Call>,
    by_key: BTreeMap<(String, String), DialogId>,
    timers: TimerTable<Due>,
    trunks: Trunks,
    draining: Option<u32>,
    streams: Streams,
    names: ServerNames,
    known: Known,
    registrar: Registrar,
    nonces: Nonces,
    sources: Sources,
    /// Addresses that took no TCP connection, and until when that counts.
    without_tcp: BTreeMap<SocketAddr, Instant>,
    next_dialog: u64,
    wire: Wire,
    out: VecDeque<Output>,
}

impl Endpoint {
    /// Makes an endpoint. The seed makes every tag, branch and Call-ID: take a random one, except to repeat a run.
    pub fn new(config: EndpointConfig, seed: u64) -> Self {
        let tokens = Tokens::new(seed);
        let nonces = Nonces::new(tokens.nonce_secret());
        Self {
            config,
            tokens,
            layer: TransactionLayer::new(),
            calls: BTreeMap::new(),
            by_key: BTreeMap::new(),
            timers: TimerTable::new(),
            trunks: Trunks::default(),
            draining: None,
            streams: Streams::new(),
            names: ServerNames::default(),
            known: Known::default(),
            registrar: Registrar::new(),
            nonces,
            sources: Sources::new(),
            without_tcp: BTreeMap::new(),
            next_dialog: 0,
            wire: Vec::new(),
            out: VecDeque::new(),
        }
    }

    /// A fresh id for [`Command::Invite`].
    pub fn new_dialog_id(&mut self) -> DialogId {
        self.next_dialog += 1;
        DialogId::outgoing(self.next_dialog)
    }

    /// Takes one input. Timers whose time has come fire first, whatever the input is. Drain [`Self::poll_output`]
    /// afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.fire_timers(now);
        self.close_due_streams(now);
        self.registrar_due(now);
        match input {
            Input::Datagram { from, bytes } => self.datagram(now, Flow::udp(from), &bytes),
            Input::StreamOpened { flow, peer, transport, opened } => {
                self.stream_opened(now, flow, peer, transport, opened);
            }
            Input::StreamBytes { flow, bytes } => self.stream_bytes(now, flow, &bytes),
            Input::StreamClosed { flow } => self.stream_closed(flow),
            Input::StreamFailed { target } => self.stream_failed(now, &target),
            Input::Command(command) => self.command(now, command),
            Input::Timeout => {}
        }
        self.flush();
    }

    /// The next output; [`Output::Timeout`] when there is nothing more.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| {
            let deadlines = [
                self.layer.next_deadline(),
                self.timers.next_deadline(),
                self.streams.next_deadline(),
                self.registrar.next_deadline(),
            ];
            Output::Timeout(deadlines.into_iter().flatten().min())
        })
    }

    /// Table sizes.
    pub fn stats(&self) -> Stats {
        Stats {
            server_transactions: self.layer.server_count(),
            client_transactions: self.layer.client_count(),
            dialogs: self.calls.len(),
            streams: self.streams.len(),
            contacts: self.registrar.len(),
            timers: self.layer.timer_count() + self.timers.len(),
        }
    }

    fn datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        if !self.admits(now, flow.remote.ip()) {
            return;
        }
        // What is no SIP message has nobody to answer.
        if let Ok(parsed) = parse(bytes) {
            self.message(now, flow, parsed);
        }
    }

    fn message(&mut self, now: Instant, flow: Flow, parsed: Parsed) {
        match parsed.message {
            Message::Request(mut request) => {
                via::stamp(&mut request.headers, flow.remote);
                self.request(now, flow, &request, parsed.defect);
            }
            Message::Response(response) => {
                // RFC 3261 §18.1.2 and §18.3: a malformed response is dropped.
                if parsed.defect.is_none()
                    && let Ok(envelope) = Envelope::read(&response.headers)
                {
                    self.response(now, &response, &envelope);
                }
            }
        }
    }

    fn request(&mut self, now: Instant, flow: Flow, request: &Request, defect: Option<Defect>) {
        let envelope = match Envelope::read(&request.headers) {
            Ok(envelope) if defect.is_none() => envelope,
            envelope => {
                if let Some(defect) = defect.or(envelope.err()) {
                    self.refuse_malformed(flow, request, defect);
                }
                return;
            }
        };
        if envelope.cseq.method != request.method {
            self.refuse_malformed(flow, request, Defect::CSeqMethod);
            return;
        }
        let reply = reply_flow(&envelope.via, flow);
        if let Some(tx) = self.layer.find_server(&envelope, &request.method) {
            if request.method != Method::Ack {
                self.layer.repeat(now, tx, &mut self.wire);
                return;
            }
            if self.layer.ack(now, tx, &mut self.wire) == AckGoes::Nowhere {
                return;
            }
        }
        if self.layer.server_count() >= 2 * self.config.limits.server_transactions {
            // New calls are refused long before; what still comes inside dialogs has its bound here.
            return;
        }
        match request.method {
            Method::Ack => self.ack(now, request, &envelope),
            Method::Cancel => self.cancel(now, reply, request, &envelope),
            Method::Invite
            | Method::Bye
            | Method::Options
            | Method::Info
            | Method::Update
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Message
            | Method::Prack
            | Method::Other(_) => {
                if self.is_shed(now, flow, &envelope) {
                    let seconds = self.config.limits.retry_after.to_string();
                    self.refuse(reply, request, &envelope, Refusal::new(503).with(HeaderId::RetryAfter, &seconds));
                } else if let Err(refusal) = screen::check(request, &envelope, self.is_registrar()) {
                    self.refuse(reply, request, &envelope, refusal);
                } else if envelope.to.tag().is_some() {
                    self.in_dialog(now, reply, request, &envelope);
                } else {
                    self.out_of_dialog(now, flow, reply, request, &envelope);
                }
            }
        }
    }

    fn response(&mut self, now: Instant, response: &Response, envelope: &Envelope) {
        let delivered = self.layer.response(now, envelope, response, &mut self.wire);
        // What belongs to no transaction is too old to matter: an answered INVITE stays known for 64*T1 (RFC 6026).
        let Some((tx, purpose)) = delivered else { return };
        if matches!(response.status, 401 | 407) && self.try_authorized(now, tx, purpose, response) {
            return;
        }
        match purpose {
            Purpose::Invite(id) => self.invite_response(now, id, tx, response, envelope),
            Purpose::Offer(id) => self.offer_response(now, id, tx, response, envelope),
            Purpose::Bye(id) => {
                if response.status >= 200 {
                    self.remove_call(now, id);
                }
            }
            Purpose::Info(id) => self.check_alive(now, id, response.status),
            Purpose::Unwanted(state) => self.unwanted_response(now, tx, state, response, envelope),
            Purpose::Refer(id) => self.refer_response(now, id, response.status),
            Purpose::Notify(id) => self.notify_response(id, response.status),
            Purpose::Register(key) => self.register_response(now, key, tx, response),
            Purpose::Ping(key, index) => self.ping_response(key, index, response.status),
            Purpose::KeepAlive(id) => self.pinged(id, true),
            Purpose::Cancel | Purpose::StrayBye | Purpose::Prack => {}
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Progress { dialog, status, sdp } => self.progress(now, dialog, status, sdp),
            Command::Accept { dialog, sdp } => self.accept(now, dialog, sdp),
            Command::Reject { dialog, status, retry_after, reason } => {
                self.reject(now, dialog, status, retry_after, reason.as_deref());
            }
            Command::HangUp { dialog } => self.hang_up(now, dialog),
            Command::AnswerOffer { dialog, sdp } => self.answer_offer(now, dialog, sdp),
            Command::RejectOffer { dialog, status } => self.reject_offer(now, dialog, status),
            Command::Invite(invitation) => self.invite(now, *invitation),
            Command::Redirect { dialog, contacts } => self.redirect(now, dialog, &contacts),
            Command::AckAnswer { dialog, sdp } => self.ack_answer(dialog, sdp),
            Command::Refer { dialog, to, replaces, referred_by } => {
                self.refer(now, dialog, to, replaces, referred_by.as_ref());
            }
            Command::AcceptRefer { dialog } => self.accept_refer(now, dialog),
            Command::RejectRefer { dialog, status } => self.reject_refer(now, dialog, status),
            Command::NotifyRefer { dialog, status, end } => self.notify_refer(now, dialog, status, end),
            Command::SetOutboundTrunks(trunks) => self.set_outbound_trunks(now, trunks),
            Command::Offer { dialog, sdp } => self.offer(now, dialog, sdp),
            Command::Info { dialog, content_type, body } => self.info(now, dialog, &content_type, body),
            Command::SetUsers(users) => self.set_users(users),
            Command::SetTrunks(trunks) => self.set_trunks(trunks),
            Command::SetDraining { retry_after } => self.draining = Some(retry_after),
        }
    }

    fn hang_up(&mut self, now: Instant, id: DialogId) {
        let Some(call) = self.calls.get(&id) else { return };
        match &call.state {
            CallState::Ringing(_) => {
                self.reject(now, id, 480, None, None);
                self.emit(Event::Ended { dialog: id, cause: EndCause::LocalBye });
            }
            CallState::Calling(_) => self.withdraw(now, id),
            CallState::Confirmed(_) => self.leave(now, id, EndCause::LocalBye),
            CallState::Leaving(_) => {}
        }
    }

    fn fire_timers(&mut self, now: Instant) {
        loop {
            // The earlier of the two tables goes first, so that one late wake-up gives the same order as many timely
            // ones.
            let layer_first = match (self.layer.next_deadline(), self.timers.next_deadline()) {
                (Some(layer), Some(call)) => layer <= call,
                (layer, _) => layer.is_some(),
            };
            if layer_first {
                match self.layer.fire_next(now, &mut self.wire) {
                    Fired::TimedOut(tx, purpose) => self.unanswered(now, tx, purpose, FailureCause::Timeout),
                    Fired::Other => {}
                    Fired::Nothing => break,
                }
            } else if let Some(due) = self.timers.pop_due(now) {
                match due {
                    Due::Call(id, timer) => self.call_timer(now, id, timer),
                    Due::Cancelled(tx) => self.layer.close_client(tx),
                    Due::Trunk(key, timer) => self.trunk_timer(now, key, timer),
                }
            } else {
                break;
            }
        }
    }

    /// A request of ours drew no final response, or could not be sent.
    fn unanswered(&mut self, now: Instant, tx: TxId, purpose: Purpose, why: FailureCause) {
        match purpose {
            Purpose::Invite(id) => self.invite_unanswered(now, id, tx, why),
            Purpose::Bye(id) => drop(self.remove_call(now, id)),
            // RFC 3261 §12.2.1.2: "A UAC SHOULD also terminate a dialog if no response at all is received for the
            // request".
            Purpose::Info(id) | Purpose::Notify(id) => self.leave(now, id, EndCause::Timeout),
            Purpose::Offer(id) => self.offer_timed_out(now, id),
            Purpose::Refer(id) => self.refer_timed_out(now, id),
            Purpose::Unwanted(_) => self.timers.disarm(Due::Cancelled(tx)),
            Purpose::Register(key) => self.register_unanswered(now, key),
            Purpose::Ping(key, index) => self.ping_unanswered(key, index),
            Purpose::KeepAlive(id) => self.pinged(id, false),
            Purpose::Cancel | Purpose::StrayBye | Purpose::Prack => {}
        }
    }

    fn call_timer(&mut self, now: Instant, id: DialogId, timer: CallTimer) {
        match timer {
            CallTimer::RepeatAnswer => self.repeat_answer(now, id),
            CallTimer::NoAck => self.no_ack(now, id),
            CallTimer::Extend => self.extend(now, id),
            CallTimer::RepeatProgress => self.repeat_progress(now, id),
            CallTimer::NoPrack => self.no_prack(now, id),
            CallTimer::C => self.ring_timed_out(now, id),
            CallTimer::Try => self.try_timed_out(now, id),
            CallTimer::Glare => self.send_waiting(now, id),
            CallTimer::Refresh => self.refresh(now, id),
            CallTimer::Lapse => self.leave(now, id, EndCause::Expired),
        }
    }

    fn insert_call(&mut self, id: DialogId, key: (String, String), state: CallState) {
        self.by_key.insert(key.clone(), id);
        self.calls.insert(id, Call { id, key, credentials: None, state });
    }

    /// Forgets a call. Requests of theirs that wait for the application get their answer, the changes of ours are given
    /// up; the INVITEs of a call that is not answered are its remover's to end.
    fn remove_call(&mut self, now: Instant, id: DialogId) -> Option<Call> {
        let mut call = self.calls.remove(&id)?;
        self.by_key.remove(&call.key);
        for timer in CallTimer::ALL {
            self.timers.disarm(Due::Call(id, timer));
        }
        match call.state {
            CallState::Confirmed(confirmed) => {
                self.end_confirmed(now, *confirmed);
                return None;
            }
            CallState::Ringing(ringing) => {
                self.end_changes(now, ringing.session);
                return None;
            }
            CallState::Calling(ref mut calling) => {
                for early in std::mem::take(&mut calling.early) {
                    self.end_changes(now, early.session);
                }
            }
            CallState::Leaving(_) => {}
        }
        Some(call)
    }

    fn send_request(&mut self, now: Instant, mut request: Request, flow: Flow, purpose: Purpose) -> TxId {
        let branch = self.tokens.branch();
        let way = self.way_for(now, &request, flow, &branch);
        self.finish_request(&mut request, way, &branch);
        let tx = self.layer.open_client(now, request, &branch, way, purpose, &mut self.wire);
        if way.transport != flow.transport {
            self.layer.set_fallback(tx, flow);
        }
        tx
    }

    fn emit(&mut self, event: Event) {
        self.flush();
        self.out.push_back(Output::Event(event));
    }
}

/// The way a response takes: the connection of the request, or the address its Via asks for.
fn reply_flow(via: &Via, flow: Flow) -> Flow {
    Flow { remote: via.reply_address(flow), ..flow }
}
