//! Away with a reason and a time to be back: two presses.

use leptos::ev;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::availability;
use crate::browser::page;
use crate::panel::use_panel;

const REASONS: [&str; 5] = ["Break", "Lunch", "Meeting", "Training", "Other"];
const BACK_IN: [(&str, Option<u64>); 4] =
    [("No time", None), ("15 min", Some(15)), ("30 min", Some(30)), ("60 min", Some(60))];

/// The button beside the switch, and its menu.
#[component]
pub(crate) fn AwayMenu() -> impl IntoView {
    let panel = use_panel();
    let open = RwSignal::new(false);
    let back_in = RwSignal::new(None::<u64>);
    let close = move || {
        open.set(false);
        page::focus("away-menu-button");
    };
    let times = BACK_IN.map(|(name, minutes)| {
        view! {
            <button
                type="button"
                class="chip"
                aria-pressed=move || (back_in.get() == minutes).to_string()
                on:click=move |_| back_in.set(minutes)
            >
                {name}
            </button>
        }
    });
    let reasons = REASONS.map(|reason| {
        let away = move |_| {
            availability::away(panel, reason, back_in.get_untracked());
            close();
        };
        view! { <li><button type="button" on:click=away>{reason}</button></li> }
    });
    view! {
        <div class="away-menu" on:keydown=move |event: ev::KeyboardEvent| if event.key() == "Escape" { close() }>
            <button
                id="away-menu-button"
                type="button"
                class="btn btn-ghost btn-sm btn-square"
                aria-label="Away with a reason"
                aria-expanded=move || open.get().to_string()
                aria-controls="away-menu"
                title="Away with a reason"
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <Glyph icon=Icon::Chevron/>
            </button>
            <div id="away-menu" class="popover" hidden=move || !open.get()>
                <p class="popover-title" id="back-in">"Back in"</p>
                <div class="chips" role="group" aria-labelledby="back-in">{times}</div>
                <p class="popover-title" id="away-for">"Away for"</p>
                <ul class="popover-list" aria-labelledby="away-for">{reasons}</ul>
            </div>
        </div>
    }
}
