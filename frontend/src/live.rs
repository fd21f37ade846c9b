//! The live socket: opens, says hello, follows the numbers, answers pings from the message handler, and comes back
//! by itself.

use std::cell::{Cell, RefCell};

use crate::decode::{self, Frame, Message};
use crate::model::link::{Link, jitter};
use crate::model::roster::{Origin, Picture};
use cordboard_shared::agent::Presence;
use cordboard_shared::event::{ClientFrame, ClientMessage, Hello};
use cordboard_shared::{Millis, Problem, ProblemCode};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::browser::clock;
use crate::browser::socket::Socket;
use crate::panel::{Panel, Session};

/// What is done with the answer to a frame.
type Reply = Box<dyn FnOnce(Result<Value, Problem>)>;

/// The live socket of this tab.
#[derive(Default)]
pub(crate) struct Live {
    socket: RefCell<Option<Socket>>,
    /// Answers waited for; never more than a few.
    waiting: RefCell<Vec<(String, Reply)>>,
    next_id: Cell<u64>,
    /// Rises with each socket; callbacks of an older one are ignored.
    generation: Cell<u64>,
    retry: RefCell<Option<Timeout>>,
}

impl Live {
    /// Sends a frame; `reply` hears its answer, or that it could not be sent.
    pub(crate) fn send(&self, message: ClientMessage, reply: impl FnOnce(Result<Value, Problem>) + 'static) {
        let number = self.next_id.get() + 1;
        self.next_id.set(number);
        let id = format!("c{number}");
        let frame = ClientFrame { id: id.clone(), message };
        let sent = serde_json::to_string(&frame).is_ok_and(|text| {
            self.waiting.borrow_mut().push((id.clone(), Box::new(reply)));
            self.socket.borrow().as_ref().is_some_and(|socket| socket.send(&text))
        });
        if !sent && let Some(reply) = self.take(&id) {
            reply(Err(no_connection()));
        }
    }

    /// Sends a frame whose answer changes nothing here.
    pub(crate) fn post(&self, message: ClientMessage) {
        self.send(message, |_| {});
    }

    /// Closes the socket for good; whoever waits for an answer is told.
    pub(crate) fn close(&self) {
        self.generation.set(self.generation.get() + 1);
        self.retry.borrow_mut().take();
        self.socket.borrow_mut().take();
        self.fail_all();
    }

    fn take(&self, id: &str) -> Option<Reply> {
        let mut waiting = self.waiting.borrow_mut();
        let place = waiting.iter().position(|(known, _)| known == id)?;
        Some(waiting.swap_remove(place).1)
    }

    fn fail_all(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (_, reply) in waiting {
            reply(Err(no_connection()));
        }
    }
}

fn no_connection() -> Problem {
    Problem::new(ProblemCode::RouterUnreachable, "There is no connection to the server now.")
}

/// Opens the socket of a signed-in panel.
pub(crate) fn open(panel: Panel) {
    let shells = panel.shells();
    let live = &shells.live;
    let generation = live.generation.get() + 1;
    live.generation.set(generation);
    live.retry.borrow_mut().take();
    panel.link.update(Link::opening);
    let current = move || panel.shells().live.generation.get() == generation;
    let socket = Socket::open(
        "/core/ws",
        move || {
            if current() {
                hello(panel);
            }
        },
        move |text| {
            if current() {
                heard(panel, text);
            }
        },
        move |_code| {
            if current() {
                lost(panel, None);
            }
        },
    );
    let opened = socket.is_some();
    *live.socket.borrow_mut() = socket;
    if !opened {
        lost(panel, None);
    }
}

/// Looks once a second whether the server has fallen silent.
pub(crate) fn watch(panel: Panel) {
    if panel.link.with_untracked(|link| link.is_dead(clock::now())) {
        lost(panel, None);
    }
}

/// Tries again now, without waiting for the next try.
pub(crate) fn retry_now(panel: Panel) {
    if panel.shells().live.retry.borrow().is_some() {
        open(panel);
    }
}

fn hello(panel: Panel) {
    let shells = panel.shells();
    let hello = Hello {
        app: concat!("cordboard-panel/", env!("CARGO_PKG_VERSION")).to_owned(),
        device: shells.device.clone(),
        tab: shells.tab.clone(),
        topics: ["presence", "calls", "queues"].map(str::to_owned).to_vec(),
        after: panel.link.with_untracked(Link::position),
    };
    shells.live.post(ClientMessage::Hello(hello));
    shells.live.post(ClientMessage::Device((panel.hooks.device)(panel)));
}

/// The socket is gone: waits a little, asks whether one is still signed in, and opens a new one.
fn lost(panel: Panel, after: Option<u64>) {
    let shells = panel.shells();
    shells.live.close();
    let wait = panel.link.try_update(|link| link.lost(js_sys::Math::random())).unwrap_or_default();
    let wait = after.map_or(wait, |most| jitter(most, js_sys::Math::random()));
    let wait = u32::try_from(wait).unwrap_or(u32::MAX);
    *shells.live.retry.borrow_mut() = Some(Timeout::new(wait, move || {
        let generation = panel.shells().live.generation.get();
        spawn_local(async move {
            let asked = api::session().await;
            // Something else may have opened the socket, or signed out, meanwhile.
            if panel.shells().live.generation.get() != generation {
                return;
            }
            match asked {
                Ok(view) => {
                    panel.session.set(Session::SignedIn(view));
                    open(panel);
                }
                Err(error) if error.is_signed_out() => {
                    panel.signed_out(Some("Your sign-in has ended. Sign in again.".to_owned()));
                }
                Err(_) => lost(panel, None),
            }
        });
    }));
}

fn heard(panel: Panel, text: &str) {
    // Of a frame that makes no sense the number is lost, too: the next one shows the gap.
    let Ok(frame) = decode::frame(text, panel.hooks.reader) else { return };
    let followed = panel.link.try_update(|link| link.heard(clock::now(), frame.seq, frame.pos));
    if followed.is_some_and(|followed| followed.is_err()) {
        lost(panel, None);
        return;
    }
    take_in(panel, frame);
}

fn take_in(panel: Panel, frame: Frame) {
    let shells = panel.shells();
    let re = frame.re.as_deref();
    match frame.message {
        Message::Ok(data) => {
            if let Some(reply) = re.and_then(|id| shells.live.take(id)) {
                reply(Ok(data));
            }
        }
        Message::Error(problem) => {
            if let Some(reply) = re.and_then(|id| shells.live.take(id)) {
                reply(Err(problem));
            }
        }
        Message::Snapshot(picture) => take_snapshot(panel, *picture),
        Message::Ping(t) => {
            // Straight from the message handler: timers of hidden tabs are throttled.
            let state = (panel.hooks.device)(panel);
            shells.live.post(ClientMessage::Pong { t, state });
            panel.ahead.set_value(t - clock::now().0);
        }
        Message::Presence(presence) => presence_changed(panel, *presence),
        Message::Queue(department, waiting, longest_ms) => {
            let now = panel.exactly_now();
            panel.roster.update(|roster| roster.queue_changed(now, department, waiting, longest_ms));
            (panel.hooks.hear)(panel, Message::Queue(department, waiting, longest_ms));
        }
        Message::Policy { version, groups, emergencies } => {
            panel.policy_version.set(version);
            panel.roster.update(|roster| roster.groups_changed(groups));
            panel.notices.update(|notices| notices.emergencies = emergencies);
        }
        Message::Draining(retry_ms) => lost(panel, Some(retry_ms)),
        other @ (Message::Gap
        | Message::Ring(_)
        | Message::RingsElsewhere
        | Message::RingLease(..)
        | Message::RingStop(..)
        | Message::CallState(_)
        | Message::CallAudio(..)
        | Message::CallLogged(_)
        | Message::Floor(_)
        | Message::Devices(_)
        | Message::Callbacks
        | Message::SignOutSoon(_)
        | Message::AwaySet(_)
        | Message::AwayOver) => (panel.hooks.hear)(panel, other),
        Message::Other => {}
    }
}

fn take_snapshot(panel: Panel, mut picture: Picture) {
    panel.ahead.set_value(picture.as_of.0 - clock::now().0);
    let offers = std::mem::take(&mut picture.offers);
    let calls = std::mem::take(&mut picture.calls);
    panel.floor.set(std::mem::take(&mut picture.floor));
    let emergencies = std::mem::take(&mut picture.emergencies);
    let me = picture.me.id;
    panel.notices.update(|notices| notices.emergencies = emergencies);
    panel.switch.update(|switch| switch.presence_changed(picture.presence.state));
    panel.roster.update(|roster| roster.snapshot(picture));
    panel.link.update(Link::established);
    (panel.hooks.begin)(panel, me, offers, calls);
}

fn presence_changed(panel: Panel, presence: Presence) {
    let now: Millis = panel.exactly_now();
    let mine = panel.roster.with_untracked(|roster| roster.me == Some(presence.uuid));
    if mine {
        panel.switch.update(|switch| switch.presence_changed(presence.state));
        let before = panel.presence_untracked().map(|known| known.effective.verdict);
        if before.is_some_and(|before| before != presence.effective.verdict && !presence.effective.verdict.is_load()) {
            panel.tell(format!("You are now: {}.", presence.effective.verdict.word()));
        }
    }
    panel.roster.update(|roster| {
        roster.presence_changed(now, presence, Origin::Live);
    });
}
