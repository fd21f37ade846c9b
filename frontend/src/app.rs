//! Mounts the panel: contexts, the one route table, and what runs as long as the page.

use cordboard_frontend::model::route::Route;
use gloo_timers::callback::Interval;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::history;
use crate::browser::page::{self, Theme};
use crate::components::call_card::CallCard;
use crate::components::incoming_card::IncomingCard;
use crate::components::link_bar::LinkBar;
use crate::components::live_regions::LiveRegions;
use crate::components::navigation::Navigation;
use crate::components::top_bar::TopBar;
use crate::pages::calls::Calls;
use crate::pages::desk::Desk;
use crate::pages::devices::Devices;
use crate::pages::help::Help;
use crate::pages::not_found::NotFound;
use crate::pages::sign_in::SignInPage;
use crate::pages::team::Team;
use crate::panel::{Panel, Session, use_panel};
use crate::{api, device, live, shortcuts, telephone};

/// How often the clocks on the screen move, in milliseconds.
const TICK_MS: u32 = 1_000;

/// Whether the keypad of the call card is open.
#[derive(Clone, Copy)]
pub(crate) struct KeypadOpen(pub(crate) RwSignal<bool>);

/// Begins.
pub(crate) fn start() {
    console_error_panic_hook::set_once();
    Theme::load().apply();
    leptos::mount::mount_to_body(App);
}

#[component]
fn App() -> impl IntoView {
    let panel = Panel::new();
    provide_context(panel);
    provide_context(KeypadOpen(RwSignal::new(false)));

    device::watch(panel);
    telephone::watch(panel);
    page::confirm_leaving(move || panel.phone.with_untracked(|phone| phone.current().is_some()));
    Interval::new(TICK_MS, move || {
        panel.now.set(panel.exactly_now());
        live::watch(panel);
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
        Route::Calls => view! { <Calls/> }.into_any(),
        Route::Team => view! { <Team/> }.into_any(),
        Route::Devices => view! { <Devices/> }.into_any(),
        Route::Help => view! { <Help/> }.into_any(),
        // On the way to the wanted page.
        Route::SignIn => ().into_any(),
        Route::Unknown => view! { <NotFound/> }.into_any(),
    };
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        <TopBar/>
        <LinkBar/>
        <div class="frame">
            <Navigation/>
            <main id="main" tabindex="-1">
                <CallCard/>
                {page}
            </main>
        </div>
        <IncomingCard/>
    }
}
