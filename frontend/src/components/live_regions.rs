//! What screen readers hear, and the same words in sight for a while.

use gloo_timers::callback::Timeout;
use leptos::prelude::*;

use crate::panel::{Said, use_panel};

/// How long a message stays in sight, in milliseconds.
const SHOWN_MS: u32 = 6_000;

/// The two live regions, and the message in sight.
#[component]
pub(crate) fn LiveRegions() -> impl IntoView {
    let panel = use_panel();
    let shown = RwSignal::new(None::<String>);
    let timer = StoredValue::new_local(None::<Timeout>);
    Effect::new(move |_| {
        let said = panel.polite.get();
        if said.times > 0 {
            shown.set(Some(said.text));
            timer.set_value(Some(Timeout::new(SHOWN_MS, move || shown.set(None))));
        }
    });
    view! {
        <div id="announce-polite" role="status" aria-live="polite" class="sr-only">{move || spoken(&panel.polite.get())}</div>
        <div id="announce-assertive" role="alert" aria-live="assertive" class="sr-only">
            {move || spoken(&panel.assertive.get())}
        </div>
        <div class="said" aria-hidden="true" hidden=move || shown.with(Option::is_none)>{move || shown.get()}</div>
    }
}

/// The same words twice are two messages: an invisible mark makes them differ.
fn spoken(said: &Said) -> String {
    let mark = if said.times.is_multiple_of(2) { "" } else { "\u{200b}" };
    format!("{}{mark}", said.text)
}
