//! Signing in.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::page;
use crate::components::icon::Mark;
use crate::panel::{Session, use_panel};
use crate::{api, live};

/// The sign-in.
#[component]
pub(crate) fn SignInPage() -> impl IntoView {
    let panel = use_panel();
    page::set_title("Sign in · Cordboard");
    let email = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(panel.session.with_untracked(|session| match session {
        Session::SignedOut(why) => why.clone(),
        Session::Unknown | Session::SignedIn(_) => None,
    }));
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let answer = api::sign_in(email.get_untracked(), password.get_untracked()).await;
            busy.set(false);
            match answer {
                Ok(view) => {
                    panel.session.set(Session::SignedIn(view));
                    live::open(panel);
                }
                Err(error) => {
                    problem.set(Some(error.sentence()));
                    page::focus("password");
                }
            }
        });
    };
    view! {
        <main class="sign-in">
            <div class="sign-in-art" aria-hidden="true">
                <svg viewBox="0 0 400 400" preserveAspectRatio="xMidYMid slice">
                    <g class="art-jacks">
                        {(0..6).flat_map(|row| (0..6).map(move |column| (row, column))).map(|(row, column)| view! {
                            <circle cx=(50 + column * 60).to_string() cy=(50 + row * 60).to_string() r="9"/>
                        }).collect_view()}
                    </g>
                    <path class="art-cord art-cord-1" d="M50 50C50 260 230 60 230 290"/>
                    <path class="art-cord art-cord-2" d="M350 110C350 330 110 150 110 350"/>
                    <path class="art-cord art-cord-3" d="M170 50C170 160 350 100 350 230"/>
                    <g class="art-plugs">
                        <circle cx="50" cy="50" r="9"/><circle cx="230" cy="290" r="9"/>
                        <circle cx="350" cy="110" r="9"/><circle cx="110" cy="350" r="9"/>
                        <circle cx="170" cy="50" r="9"/><circle cx="350" cy="230" r="9"/>
                    </g>
                </svg>
                <p>"Every call finds its person."<br/>"And you can see why."</p>
            </div>
            <form class="sign-in-form" on:submit=submit>
                <div class="sign-in-brand"><Mark/><span>"Cordboard"</span></div>
                <h1 id="page-title" tabindex="-1">"Sign in"</h1>
                <div role="alert" class="sign-in-problem">
                    {move || problem.get().map(|why| view! { <p>{why}</p> })}
                </div>
                <label class="field">
                    <span>"Email"</span>
                    <input
                        id="email"
                        class="input"
                        type="email"
                        name="email"
                        autocomplete="username"
                        required
                        autofocus
                        prop:value=email
                        on:input=move |event| email.set(event_target_value(&event))
                    />
                </label>
                <label class="field">
                    <span>"Password"</span>
                    <input
                        id="password"
                        class="input"
                        type="password"
                        name="password"
                        autocomplete="current-password"
                        required
                        prop:value=password
                        on:input=move |event| password.set(event_target_value(&event))
                    />
                </label>
                <button type="submit" class="btn btn-primary" aria-busy=move || busy.get().then_some("true")>
                    "Sign in"
                </button>
            </form>
        </main>
    }
}
