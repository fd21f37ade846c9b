//! The desk: its pages, its telephone, and what runs as long as it is open.

use crate::model::link::LinkState;
use crate::model::log::CallLog;
use crate::model::notice::by_server;
use crate::model::route::{Program, Route};
use cordboard_shared::event::{ClientMessage, LiveCall, Ring};
use cordboard_shared::id::AgentId;
use gloo_timers::callback::Interval;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::page;
use crate::browser::{history, notifications};
use crate::chunk::{Chunk, Lazy, Source};
use crate::components::call_card::CallCard;
use crate::components::incoming_card::IncomingCard;
use crate::components::link_bar::LinkBar;
use crate::components::live_regions::LiveRegions;
use crate::components::navigation::Navigation;
use crate::components::notices::Notices;
use crate::components::top_bar::TopBar;
use crate::components::wrap_up::WrapUp;
use crate::decode::{self, Message};
use crate::model::softphone::{Input, Softphone};
use crate::pages::desk::Desk;
use crate::pages::not_found::NotFound;
use crate::pages::sign_in::SignInPage;
use crate::panel::{Hooks, Panel, Session, use_panel};
use crate::{api, callbacks, calls, device, emergencies, live, shortcuts, telephone};

/// How often the clocks on the screen move, in milliseconds.
const TICK_MS: u32 = 1_000;

/// Whether the keypad of the call card is open.
#[derive(Clone, Copy)]
pub(crate) struct KeypadOpen(pub(crate) RwSignal<bool>);

/// What the desk does with calls, callbacks and notices.
static HOOKS: Hooks = Hooks {
    program: Program::Desk,
    reader: decode::WITH_CALLS,
    device: |panel| panel.device.with_untracked(device::Device::state),
    begin,
    hear,
    end,
};

fn begin(panel: Panel, me: AgentId, offers: Vec<Ring>, current: Vec<LiveCall>) {
    telephone::feed(panel, Input::SignedIn(me));
    telephone::feed(panel, Input::SnapshotTaken { offers, calls: current });
    // What was logged, or came due, while the link was down.
    calls::load_first(panel);
    callbacks::load(panel);
    emergencies::refresh(panel);
}

fn hear(panel: Panel, message: Message) {
    let feed = |input| telephone::feed(panel, input);
    match message {
        Message::Ring(ring) => {
            let words = telephone::announcement(panel, &ring);
            feed(Input::Rang(ring));
            panel.alert(words);
        }
        Message::RingLease(offer, lease_ms) => feed(Input::LeaseRenewed(offer, lease_ms)),
        Message::RingStop(offer, reason) => feed(Input::RingStopped(offer, reason)),
        Message::CallState(call) => feed(Input::CallChanged(call)),
        Message::CallAudio(call, verdict) => feed(Input::SoundMeasured(call, verdict)),
        Message::CallLogged(call) => {
            feed(Input::CallLogged(call.uid));
            panel.log.update(|log| log.logged(*call));
        }
        Message::Floor(calls) => panel.floor.update(|floor| floor.calls = calls),
        Message::Devices(devices) => panel.floor.update(|floor| floor.devices = devices),
        Message::Gap => panel.log.set(CallLog::default()),
        Message::Callbacks => callbacks::load(panel),
        // New rules touch every line.
        Message::Queue(..) => emergencies::refresh(panel),
        Message::SignOutSoon(at) => {
            panel.notices.update(|notices| notices.signout_soon(at));
            let text =
                format!("You will be signed out at {}. Press any key to stay available.", untrack(|| panel.clock(at)));
            notice(panel, "Still there?", text);
        }
        Message::AwaySet(reason) => {
            let why = by_server(&reason).unwrap_or_default();
            notice(panel, "You were set Away", format!("You were set Away {why}."));
        }
        Message::AwayOver => notice(panel, "Are you back?", "Your break is over. Are you back?".to_owned()),
        Message::Ok(_)
        | Message::Error(_)
        | Message::Snapshot(_)
        | Message::Ping(_)
        | Message::Presence(_)
        | Message::RingsElsewhere
        | Message::Policy { .. }
        | Message::Draining(_)
        | Message::Other => {}
    }
}

/// Says it at once, and outside the page when nobody looks at it.
fn notice(panel: Panel, title: &str, text: String) {
    if !page::is_visible() && panel.phone.with_untracked(Softphone::is_leader) {
        notifications::show(title, &text);
    }
    panel.alert(text);
}

fn end(panel: Panel) {
    panel.shells().telephone.hang_up();
    let leads = panel.phone.with_untracked(Softphone::is_leader);
    let mut phone = Softphone::default();
    phone.handle_input(panel.exactly_now(), Input::LeaderChanged(leads));
    panel.phone.set(phone);
    panel.log.set(CallLog::default());
}

/// Tells the server that somebody is there: at most once a minute, and at once before a sign-out.
pub(crate) fn active(panel: Panel) {
    let signed_in = panel.session.with_untracked(|session| matches!(session, Session::SignedIn(_)));
    let now = panel.exactly_now();
    // Looking first keeps every press from repainting the bars.
    if signed_in && panel.notices.with_untracked(|notices| notices.clone().active(now)) {
        panel.notices.update(|notices| {
            notices.active(now);
        });
        panel.shells().live.post(ClientMessage::Activity {});
    }
}

/// The desk.
#[component]
pub(crate) fn App() -> impl IntoView {
    let panel = Panel::new(&HOOKS);
    provide_context(panel);
    provide_context(KeypadOpen(RwSignal::new(false)));

    device::watch(panel);
    telephone::watch(panel);
    page::on_press(move || active(panel));
    page::confirm_leaving(move || panel.phone.with_untracked(|phone| phone.current().is_some()));
    fetch_ahead(panel);
    Interval::new(TICK_MS, move || {
        panel.now.set(panel.exactly_now());
        live::watch(panel);
        emergencies::watch(panel);
        telephone::tick(panel);
    })
    .forget();
    spawn_local(async move {
        match api::session().await {
            Ok(view) => {
                panel.session.set(Session::SignedIn(view));
                live::open(panel);
            }
            Err(error) if error.is_signed_out() => panel.session.set(Session::SignedOut(None)),
            Err(error) => panel.session.set(Session::SignedOut(Some(error.sentence()))),
        }
    });

    view! {
        <Gate/>
        <LiveRegions/>
        <audio id="call-audio" autoplay></audio>
    }
}

/// What is wanted in a call, and at a press, is here before it.
fn fetch_ahead(panel: Panel) {
    let Source(source) = expect_context();
    Effect::new(move |fetched: Option<bool>| {
        let live = panel.link.with(|link| link.state() == LinkState::Live);
        if live && fetched != Some(true) {
            spawn_local(async move {
                for chunk in [Chunk::Transfer, Chunk::SwitchMenu] {
                    // One that does not come is asked for again when it is wanted, and says so then.
                    let _ = source(chunk).await;
                }
            });
        }
        live || fetched == Some(true)
    });
}

/// Shows the sign-in or the panel, and keeps the address in step.
#[component]
fn Gate() -> impl IntoView {
    let panel = use_panel();
    let wanted = StoredValue::new(Route::Desk);
    let state = Memo::new(move |_| {
        panel.session.with(|session| match session {
            Session::Unknown => None,
            Session::SignedOut(_) => Some(false),
            Session::SignedIn(_) => Some(true),
        })
    });
    history::on_move(move || panel.route.set(history::route()));
    Effect::new(move |_| {
        let here = panel.route.get();
        let there = match (state.get(), here) {
            (Some(false), Route::SignIn) | (None, _) => return,
            (Some(false), _) => {
                wanted.set_value(here);
                Route::SignIn
            }
            (Some(true), Route::SignIn) => wanted.get_value(),
            // Whoever serves the desk under that address too, such as a tool for work on it, must not be asked again.
            (_, manage) if manage.program() == Some(Program::Manage) => {
                if !history::is_at(manage) {
                    history::load(manage);
                }
                return;
            }
            (Some(true), _) => return,
        };
        history::replace(there);
        panel.route.set(there);
    });
    let KeypadOpen(keypad) = expect_context();
    shortcuts::listen(panel, keypad, move || panel.go(Route::Help));

    move || match state.get() {
        None => view! { <p class="splash" role="status">"Opening Cordboard…"</p> }.into_any(),
        Some(false) => view! { <SignInPage/> }.into_any(),
        Some(true) => view! { <Frame/> }.into_any(),
    }
}

/// Everything around the pages, and the one route table.
#[component]
fn Frame() -> impl IntoView {
    let panel = use_panel();
    // A new page is read from its heading, as after a full load.
    Effect::new(move |before: Option<Route>| {
        let here = panel.route.get();
        if before.is_some_and(|before| before != here) {
            page::focus("page-title");
        }
        here
    });
    let page = move || match panel.route.get() {
        Route::Desk => view! { <Desk/> }.into_any(),
        Route::Calls => view! { <Lazy chunk=Chunk::Calls/> }.into_any(),
        Route::Devices => view! { <Lazy chunk=Chunk::Devices/> }.into_any(),
        Route::Help => view! { <Lazy chunk=Chunk::Help/> }.into_any(),
        // On the way to the wanted page.
        Route::SignIn => ().into_any(),
        // On the way to the other program, if it is served here.
        Route::Team
        | Route::Bulk
        | Route::Routing
        | Route::WhatIf
        | Route::Contacts
        | Route::Flows
        | Route::Audio
        | Route::Numbers
        | Route::Telephony
        | Route::Reachability
        | Route::Emergency
        | Route::Blocked
        | Route::Outbox
        | Route::Replay
        | Route::Unknown => view! { <NotFound/> }.into_any(),
    };
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        <TopBar/>
        <LinkBar/>
        <Notices/>
        <div class="frame">
            <Navigation/>
            <main id="main" tabindex="-1">
                <CallCard/>
                <WrapUp/>
                {page}
            </main>
        </div>
        <IncomingCard/>
    }
}
