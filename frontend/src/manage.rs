//! Management: people, bulk changes, routing, what-if, reachability, emergency routes, block list, messages, replay.

use gloo_timers::callback::Interval;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::history;
use crate::browser::page;
use crate::components::badge::VerdictBadge;
use crate::components::icon::{Glyph, Icon, Mark};
use crate::components::link_bar::LinkBar;
use crate::components::live_regions::LiveRegions;
use crate::components::navigation::Entry;
use crate::components::notices::Emergencies;
use crate::components::page_title::PageTitle;
use crate::components::top_bar::{AccountMenu, LinkLamp, ThemeButton};
use crate::decode::{self, Message};
use crate::model::route::{Program, Route};
use crate::pages::not_found::NotFound;
use crate::pages::sign_in::SignInPage;
use crate::panel::{Hooks, Panel, Popover, Session, use_panel};
use crate::{api, live};
use editor::Editor;

mod audio;
mod audio_field;
mod blocked;
mod bulk;
mod conditions;
mod contacts;
mod department;
mod document;
mod editor;
mod emergency;
mod fallback;
mod flow_editor;
mod flow_fields;
mod flow_nodes;
mod flow_preview;
mod flow_versions;
mod flows;
mod form;
mod guard;
mod hours;
mod impact;
mod members;
mod numbers;
mod outbox;
mod person;
mod phones;
mod profile;
mod reach;
mod reachability;
mod replay;
mod routing;
mod settings;
mod sound;
mod team;
mod telephony;
mod trunks;
mod what_if;

/// How often the clocks on the screen move, in milliseconds.
const TICK_MS: u32 = 1_000;

/// Management has no telephone: it never rings, and says so when the desk does.
static HOOKS: Hooks = Hooks {
    program: Program::Manage,
    reader: decode::WITHOUT_CALLS,
    device: |_| cordboard_shared::event::DeviceState::default(),
    begin: |_, _, _, _| {},
    hear: |panel, message| {
        if message == Message::RingsElsewhere {
            panel.alert("A call rings you. Answer it in the tab with your desk.");
        }
    },
    end: |_| {},
};

/// Management.
#[component]
pub(crate) fn App() -> impl IntoView {
    let panel = Panel::new(&HOOKS);
    provide_context(panel);
    provide_context(Editor::new(panel));
    provide_context(document::Settings::new(panel));
    provide_context(audio_field::Library::new());
    provide_context(bulk::Undoable(RwSignal::new(None)));
    Interval::new(TICK_MS, move || {
        panel.now.set(panel.exactly_now());
        live::watch(panel);
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
    history::on_move(move || panel.route.set(history::route()));
    let escape = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" && panel.popover.get_untracked() == Popover::Account {
            panel.popover.set(Popover::Closed);
            page::focus("account-button");
        }
    });
    // The listener lives as long as the page.
    std::mem::forget(escape);
    view! {
        <Gate/>
        <LiveRegions/>
    }
}

/// Shows the sign-in in place, or management.
#[component]
fn Gate() -> impl IntoView {
    let panel = use_panel();
    let state = Memo::new(move |_| {
        panel.session.with(|session| match session {
            Session::Unknown => None,
            Session::SignedOut(_) => Some(false),
            Session::SignedIn(_) => Some(true),
        })
    });
    move || match state.get() {
        None => view! { <p class="splash" role="status">"Opening Cordboard…"</p> }.into_any(),
        Some(false) => view! { <SignInPage/> }.into_any(),
        Some(true) => view! { <Frame/> }.into_any(),
    }
}

#[component]
fn Frame() -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    // At first, and whenever somebody has saved a policy.
    Effect::new(move |_| {
        panel.policy_version.track();
        editor.load();
    });
    let settings: document::Settings = expect_context();
    page::confirm_leaving(move || untrack(|| editor.is_changed() || settings.is_changed()));
    Effect::new(move |before: Option<Route>| {
        let here = panel.route.get();
        if before.is_some_and(|before| before != here) {
            page::focus("page-title");
        }
        here
    });
    let staff = Memo::new(move |_| panel.is_staff());
    let admin = Memo::new(move |_| panel.is_admin());
    let page = move || match panel.route.get() {
        _ if !staff.get() => refused("for managers, admins and owners").into_any(),
        Route::Team => view! { <team::Team/> }.into_any(),
        Route::Bulk => view! { <bulk::Bulk/> }.into_any(),
        Route::WhatIf => view! { <what_if::WhatIf/> }.into_any(),
        Route::Routing
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
            if !admin.get() =>
        {
            refused("for admins and owners").into_any()
        }
        Route::Routing => view! { <routing::Routing/> }.into_any(),
        Route::Contacts => view! { <contacts::Contacts/> }.into_any(),
        Route::Reachability => view! { <reachability::Reachability/> }.into_any(),
        Route::Emergency => view! { <emergency::Emergency/> }.into_any(),
        Route::Blocked => view! { <blocked::Blocked/> }.into_any(),
        Route::Outbox => view! { <outbox::Outbox/> }.into_any(),
        Route::Replay => view! { <replay::Replay/> }.into_any(),
        Route::Flows => view! { <flows::Flows/> }.into_any(),
        Route::Audio => view! { <audio::AudioPage/> }.into_any(),
        Route::Numbers => view! { <numbers::Numbers/> }.into_any(),
        Route::Telephony => view! { <telephony::TelephonyPage/> }.into_any(),
        Route::Desk | Route::Calls | Route::Devices | Route::Help | Route::SignIn | Route::Unknown => {
            view! { <NotFound/> }.into_any()
        }
    };
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        <TopBar/>
        <LinkBar/>
        <Emergencies/>
        <div class="frame">
            <Navigation/>
            <main id="main" tabindex="-1">{page}</main>
        </div>
    }
}

fn refused(who: &str) -> impl IntoView + use<> {
    view! {
        <PageTitle title="Management"/>
        <p class="card empty">{format!("This page is {who}. Nothing is hidden from you that concerns your own calls.")}</p>
    }
}

#[component]
fn TopBar() -> impl IntoView {
    let panel = use_panel();
    let company = Memo::new(move |_| {
        panel.session.with(|session| match session {
            Session::SignedIn(view) => view.account.clone(),
            Session::Unknown | Session::SignedOut(_) => String::new(),
        })
    });
    let own = Memo::new(move |_| panel.presence().map(|presence| presence.effective.verdict));
    view! {
        <header class="top-bar">
            <div class="brand">
                <Mark/>
                <div class="brand-text">
                    <span class="brand-name">"Cordboard management"</span>
                    <span class="brand-company">{move || company.get()}</span>
                </div>
            </div>
            <span class="own-state">
                <span class="sr-only">"Your state: "</span>
                {move || match own.get() {
                    Some(verdict) => view! { <VerdictBadge verdict=verdict/> }.into_any(),
                    None => view! { <span class="muted">"Not known yet"</span> }.into_any(),
                }}
            </span>
            <div class="top-tools">
                <LinkLamp/>
                <ThemeButton/>
                <AccountMenu/>
            </div>
        </header>
    }
}

#[component]
fn Navigation() -> impl IntoView {
    let panel = use_panel();
    let admin = Memo::new(move |_| panel.is_admin());
    view! {
        <nav class="main-nav" aria-label="Main">
            <ul>
                <li>
                    <a href="/">
                        <Glyph icon=Icon::Headset/>
                        <span>"Desk"</span>
                    </a>
                </li>
                <Entry to=Route::Team icon=Icon::People name="Team"/>
                <Entry to=Route::Bulk icon=Icon::List name="Bulk change"/>
                <Entry to=Route::WhatIf icon=Icon::Question name="What-if"/>
                <Show when=move || admin.get()>
                    <Entry to=Route::Routing icon=Icon::Forward name="Routing"/>
                    <Entry to=Route::Contacts icon=Icon::People name="Contacts"/>
                    <Entry to=Route::Flows icon=Icon::List name="Call flows"/>
                    <Entry to=Route::Audio icon=Icon::Speaker name="Audio"/>
                    <Entry to=Route::Numbers icon=Icon::Keypad name="Numbers"/>
                    <Entry to=Route::Telephony icon=Icon::Handset name="Telephony"/>
                    <Entry to=Route::Reachability icon=Icon::Bell name="Reachability"/>
                    <Entry to=Route::Emergency icon=Icon::Warning name="Emergency"/>
                    <Entry to=Route::Blocked icon=Icon::Barred name="Block list"/>
                    <Entry to=Route::Outbox icon=Icon::Voicemail name="Messages"/>
                    <Entry to=Route::Replay icon=Icon::Clock name="Replay"/>
                </Show>
            </ul>
        </nav>
    }
}
