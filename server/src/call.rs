//! Calls: the one place where routing, SIP and media meet. Pure: inputs and the time go in, effects come out.
//!
//! A caller's INVITE becomes a call; the engine says whom to ring; the person's browser brings its own
//! leg; both legs are joined, or the caller is given a voicemail box. Nothing here knows a socket, a clock,
//! a database or a task.

mod callback;
mod command;
mod device;
mod dial;
mod door;
mod effect;
mod floor;
pub(crate) mod flow;
mod guard;
mod handover;
mod inbound;
mod leg;
mod panel;
mod park;
mod person;
mod queue;
mod record;
mod rescue;
mod ring;
mod route;
mod snapshot;
mod sound;
mod talk;
mod tape;
mod test_call;
mod voicemail;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use cordboard_media::dtls::Fingerprint;
use cordboard_media::{BrowserCodecs, Command as Media, PlayId};
use cordboard_routing::{CallingOut, Engine, Event, Input as Routing, Output};
use cordboard_shared::call::EndedBy;
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::{AgentId, CallId, DepartmentId, LegId, OfferId, RecordingId};
use cordboard_shared::telephony::SoundCodec;
use cordboard_shared::{FeedPosition, Millis};
use cordboard_sip::DialogId;
use cordboard_sip::endpoint::Credentials;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use command::{FromMedia, Input, ReplyTo, SocketId};
pub use effect::{Audience, Effect, RecordingMade};
pub use flow::{WebhookAnswer, WebhookBody, WebhookQuestion};
pub use person::away_reason;
pub use sound::{Prompts, Sounds};

use crate::directory::Directory;
use device::{DeskPhone, Device};
use flow::FlowRun;
use guard::WentOut;
use queue::QueueNews;
use record::Call;
use ring::RingingOffer;
use snapshot::Socket;
use test_call::TestCaller;

/// How long an answered call waits for the browser's sound, in milliseconds (`wire.md` section 4).
const SOUND_WAIT_MS: u64 = 3_000;
/// How long a lost browser may take to come back into its call, in milliseconds.
const REJOIN_MS: u64 = 30_000;

/// All calls of one account.
#[cfg_attr(test, expect(clippy::struct_excessive_bools, reason = "one more of them makes a call panic, for a test"))]
pub struct CallCenter {
    directory: Arc<Directory>,
    sounds: Sounds,
    /// Where the own SIP endpoint is reached over loopback, for test calls.
    sip: SocketAddr,
    /// Who the server is when it calls itself.
    own: Credentials,
    engine: Engine,
    /// What the engine has asked for and is not carried out yet.
    outputs: VecDeque<Output>,
    carrying_out: bool,
    /// Calls with a leg that sends nothing: few, so that not all are looked at whenever something is due.
    silences: BTreeSet<CallId>,
    /// Calls whose ringing has changed and is not shown yet.
    changed: BTreeSet<CallId>,
    queues: BTreeMap<DepartmentId, QueueNews>,
    departments_of: BTreeMap<AgentId, Vec<DepartmentId>>,
    calls: BTreeMap<CallId, Call>,
    dialogs: BTreeMap<DialogId, Owner>,
    legs: BTreeMap<LegId, Owner>,
    offers: BTreeMap<OfferId, RingingOffer>,
    recordings: BTreeMap<RecordingId, CallId>,
    sockets: BTreeMap<SocketId, Socket>,
    test_callers: BTreeMap<DialogId, TestCaller>,
    /// Desk phones that ever registered.
    phones: Vec<DeskPhone>,
    /// People whose mobile rings.
    mobiles_ready: BTreeSet<AgentId>,
    went_out: WentOut,
    /// What the engine was told of the numbers that can be called.
    calling_out: CallingOut,
    /// Calls that the engine knows by another id.
    routes: BTreeMap<CallId, CallId>,
    floor_changed: bool,
    floor_told: Option<Millis>,
    next_lease: Option<Millis>,
    next_play: u64,
    next_dialog: u64,
    /// The instant of the input in hand.
    now: Millis,
    random: StdRng,
    /// What keys and passwords are made of: nothing else is drawn from it.
    secrets: StdRng,
    /// The certificate that phones are told to expect of us.
    fingerprint: Option<Fingerprint>,
    /// What the audio core answers browsers with.
    browser_codec: SoundCodec,
    draining: bool,
    /// The next input breaks.
    #[cfg(test)]
    breaks: bool,
    totals: Totals,
    effects: VecDeque<Effect>,
}

/// Whose dialog or leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The caller's side of a call.
    Caller(CallId),
    /// A device's side of a call.
    Desk(CallId, Device),
    /// The calling side of a test call.
    TestCaller(DialogId),
}

/// Counts since start, and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls since start.
    pub calls: u64,
    /// Offers since start.
    pub offers: u64,
    /// Outgoing calls that a cap of the guard has held back.
    pub caps_reached: u64,
    /// Calls that ended because the server failed in handling them.
    pub panics: u64,
}

impl CallCenter {
    /// A call center without calls. Everything random follows from the seed.
    pub fn new(
        directory: Arc<Directory>,
        sounds: Sounds,
        sip: SocketAddr,
        engine: Engine,
        now: Millis,
        seed: [u8; 32],
    ) -> Self {
        let mut random = StdRng::from_seed(seed);
        let mut secrets = StdRng::from_seed(random.random());
        let own = test_call::own_credentials(&mut secrets);
        let mut center = Self {
            directory,
            sounds,
            sip,
            own,
            engine,
            outputs: VecDeque::new(),
            carrying_out: false,
            changed: BTreeSet::new(),
            silences: BTreeSet::new(),
            queues: BTreeMap::new(),
            departments_of: BTreeMap::new(),
            calls: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            legs: BTreeMap::new(),
            offers: BTreeMap::new(),
            recordings: BTreeMap::new(),
            sockets: BTreeMap::new(),
            test_callers: BTreeMap::new(),
            phones: Vec::new(),
            mobiles_ready: BTreeSet::new(),
            went_out: WentOut::default(),
            calling_out: CallingOut::default(),
            routes: BTreeMap::new(),
            floor_changed: false,
            floor_told: None,
            next_lease: None,
            next_play: 0,
            next_dialog: 0,
            now,
            random,
            secrets,
            fingerprint: None,
            browser_codec: SoundCodec::default(),
            draining: false,
            #[cfg(test)]
            breaks: false,
            totals: Totals::default(),
            effects: VecDeque::new(),
        };
        center.tell_codec();
        center.all_queues_changed();
        center.carry_on(now);
        center.devices_changed(now);
        center.tell_calling_out(now);
        center
    }

    /// Phones may be encrypted by DTLS from now on: this is the certificate of the audio core.
    pub fn set_fingerprint(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = Some(fingerprint);
    }

    fn handle(&mut self, now: Millis, input: Input) {
        #[cfg(test)]
        assert!(!std::mem::take(&mut self.breaks), "a test breaks the handling of this input");
        match input {
            Input::Sip(event) => self.sip_event(now, event),
            Input::Media(event) => self.media_event(now, event),
            Input::Obey { event, at } => self.obey(now, event, at),
            Input::Directory(directory) => {
                self.directory = directory;
                self.tell_codec();
                self.all_queues_changed();
                self.devices_changed(now);
                self.tell_calling_out(now);
            }
            Input::Active(agent) => self.route(now, Routing::Active(agent)),
            Input::CallbackDone { call, reply } => {
                let result = self.callback_done(now, call);
                self.push(Effect::Reply { to: reply, result });
            }
            Input::SocketOpened { socket, agent, session, hello } => {
                self.socket_opened(now, socket, agent, session, &hello);
            }
            Input::SocketClosed(socket) => self.socket_closed(now, socket),
            Input::Client { socket, message, reply } => self.client_message(now, socket, *message, reply),
            Input::Dial { agent, to, department, device, reply } => {
                let result = self.dial_for(now, agent, &to, department, device.as_deref());
                self.push(Effect::Reply { to: reply, result });
            }
            Input::TestCall { to, reply } => self.place_test_call(now, to, reply),
            Input::WebhookAnswered { call, hop, answer } => self.webhook_answered(now, call, hop, answer),
            Input::Drain => self.drain(),
            Input::Stop => self.stop(now),
            Input::Timeout => self.timeout(now),
        }
        self.tell_queues(now);
        self.tell_floor(now);
    }

    /// Tells the audio core what browsers are answered with, when that has changed.
    fn tell_codec(&mut self) {
        let wanted = self.directory.telephony.browser_codec;
        if std::mem::replace(&mut self.browser_codec, wanted) != wanted {
            self.media(Media::SetBrowserCodecs(match wanted {
                SoundCodec::G711 => BrowserCodecs::G711,
                SoundCodec::Opus => BrowserCodecs::Opus,
            }));
        }
    }

    /// What is on disk holds; a new policy is shown to those who may see it.
    fn obey(&mut self, now: Millis, event: Box<Event>, at: FeedPosition) {
        let policy = match &*event {
            Event::PolicySet { policy } => Some(policy.clone()),
            Event::FactsSet { .. }
            | Event::Bound { .. }
            | Event::PlaceTaken { .. }
            | Event::PlaceLeft { .. }
            | Event::PlaceKept { .. }
            | Event::CallbackAsked { .. }
            | Event::CallbackTried { .. }
            | Event::CallbackDue { .. }
            | Event::CallbackDone { .. } => None,
        };
        self.route(now, Routing::Obey { event, at });
        if let Some(policy) = policy {
            let message = Box::new(ServerMessage::PolicyChanged(policy));
            self.push(Effect::Live { to: Audience::Staff, message });
            self.all_queues_changed();
            self.repeat_all_queues();
        }
    }

    /// The next thing to do; [`Effect::Timeout`] ends the list.
    pub fn poll_effect(&mut self) -> Effect {
        self.effects.pop_front().unwrap_or_else(|| Effect::Timeout(self.next_deadline()))
    }

    /// The engine, for reading presence.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Calls that are not over.
    pub fn active_calls(&self) -> usize {
        self.calls.values().filter(|call| !call.is_over()).count()
    }

    /// Legs of all calls, callers of test calls included.
    pub fn active_legs(&self) -> usize {
        self.legs.len()
    }

    /// Recordings whose files are not closed yet.
    pub fn open_recordings(&self) -> usize {
        self.recordings.len()
    }

    /// Live sockets.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Counts since start.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Who listens on a socket.
    pub fn socket_agent(&self, socket: SocketId) -> Option<AgentId> {
        self.sockets.get(&socket).map(|socket| socket.agent)
    }

    fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn sip(&mut self, command: cordboard_sip::Command) {
        self.push(Effect::Sip(Box::new(command)));
    }

    fn media(&mut self, command: cordboard_media::Command) {
        self.push(Effect::Media(command));
    }

    fn random_bytes(&mut self) -> [u8; 10] {
        self.random.random()
    }

    fn next_play(&mut self) -> PlayId {
        self.next_play += 1;
        PlayId(self.next_play)
    }

    fn drain(&mut self) {
        self.draining = true;
        self.tell_calling_out(self.now);
        self.sip(cordboard_sip::Command::SetDraining { retry_after: 10 });
        self.push(Effect::Live {
            to: Audience::Everybody,
            message: Box::new(ServerMessage::Draining { retry_ms: 2_000 }),
        });
    }

    fn stop(&mut self, now: Millis) {
        // Callbacks stay where they are.
        self.draining = true;
        self.tell_calling_out(now);
        let calls: Vec<_> = self.calls.keys().copied().collect();
        for call in calls {
            self.hang_up(now, call, EndedBy::Restart, 503);
        }
        let tests: Vec<_> = self.test_callers.keys().copied().collect();
        for dialog in tests {
            self.sip(cordboard_sip::Command::HangUp { dialog });
        }
    }

    fn next_deadline(&self) -> Option<Millis> {
        let calls =
            self.calls.values().flat_map(|call| [call.deadline, call.ends_at, call.silent.map(|it| it.1)]).flatten();
        let more = [self.next_floor_news(), self.next_device_due()].into_iter().flatten();
        let tests = self.test_callers.values().filter_map(|caller| caller.deadline);
        let engine = self.engine.next_deadline();
        calls.chain(more).chain(tests).chain(engine).chain(self.next_lease).chain(self.next_queue_news()).min()
    }

    fn timeout(&mut self, now: Millis) {
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.route(now, Routing::Timeout);
        }
        if self.next_lease.is_some_and(|at| at <= now) {
            self.renew_leases(now);
        }
        let due: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(id, _)| *id)
            .collect();
        for call in due {
            if let Some(call) = self.calls.get_mut(&call) {
                call.deadline = None;
            }
            self.call_timeout(now, call);
        }
        let long = |call: &Call| call.ends_at.is_some_and(|at| at <= now);
        let too_long: Vec<_> = self.calls.iter().filter(|(_, call)| long(call)).map(|(id, _)| *id).collect();
        for call in too_long {
            self.hang_up(now, call, EndedBy::System, 480);
        }
        self.silences_due(now);
        self.devices_due(now);
        self.test_timeouts(now);
    }
}

#[cfg(test)]
mod tests;
