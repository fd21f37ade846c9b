//! Parts of the desk that are not needed before it works, and come as files of their own when they are first wanted.
//!
//! A part that cannot be had, because the server is away or serves a newer version, says so in its place. Whatever else
//! is on the screen goes on, a call above all.

use std::pin::Pin;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::page;
use crate::panel::Panel;

/// How a part is shown, once it is here.
pub type Build = fn() -> AnyView;

/// A part on its way; `None` when it cannot be had.
pub type Coming = Pin<Box<dyn Future<Output = Option<Build>>>>;

/// A part of the desk with a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Management: a page of its own, without a telephone.
    Manage,
    /// The call log, with the Why of each call.
    Calls,
    /// Microphone, ring sound and notices.
    Devices,
    /// The help.
    Help,
    /// What can ring me now.
    Reach,
    /// What the switch offers besides its two sides.
    SwitchMenu,
    /// Whether to resume from an opt-out.
    Resume,
    /// Calls a number or a colleague.
    CallOut,
    /// Calls one may take.
    Floor,
    /// To whom the call in hand is handed over.
    Transfer,
    /// The transfer under way.
    TransferUnderWay,
    /// Notes and filing of the call in hand.
    Notes,
    /// Notes and filing of the call that is over.
    LastNotes,
}

/// How the parts come: from files of their own, or from this program where it was not split.
#[derive(Clone, Copy)]
pub(crate) struct Source(pub(crate) fn(Chunk) -> Coming);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Missing,
    Here,
}

/// A part in its place: on its way, here, or why not.
#[component]
pub(crate) fn Lazy(chunk: Chunk) -> impl IntoView {
    let Source(source) = expect_context();
    let state = RwSignal::new(State::Coming);
    let build = StoredValue::new(None::<Build>);
    let load = move || {
        state.set(State::Coming);
        spawn_local(async move {
            let came = source(chunk).await;
            // The place may be gone by now: its signals are, too.
            if build.try_set_value(came).is_none() {
                state.try_set(if came.is_some() { State::Here } else { State::Missing });
            }
        });
    };
    load();
    move || match state.get() {
        State::Coming => view! { <p class="muted chunk-note" role="status">"Loading…"</p> }.into_any(),
        State::Missing => view! { <Missing again=load/> }.into_any(),
        State::Here => build.get_value().map_or_else(|| ().into_any(), |build| build()),
    }
}

/// A part that did not come.
#[component]
fn Missing(again: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
    // Around management as a whole there is no panel yet.
    let panel = use_context::<Panel>();
    let talking = Memo::new(move |_| panel.is_some_and(|panel| panel.phone.with(|phone| phone.current().is_some())));
    view! {
        <div class="chunk-note" role="alert">
            <p>"This part of the panel could not be loaded. The server may be away, or have a newer version."</p>
            <div class="button-row">
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| again()>"Retry"</button>
                // Loading the page anew would take the sound out of a call.
                <Show when=move || !talking.get()>
                    <button type="button" class="btn btn-sm" on:click=|_| page::reload()>"Reload the panel"</button>
                </Show>
            </div>
        </div>
    }
}
