//! The bar that says when live updates are lost, and how old the screen is.

use crate::model::link::LinkState;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::browser::clock;
use crate::live;
use crate::panel::use_panel;

/// Shown while the live link is lost.
#[component]
pub(crate) fn LinkBar() -> impl IntoView {
    let panel = use_panel();
    let lost = Memo::new(move |_| {
        panel.link.with(|link| match link.state() {
            LinkState::Lost { attempt } => Some((attempt, link.as_of())),
            LinkState::Connecting | LinkState::Live => None,
        })
    });
    move || {
        lost.get().map(|(attempt, as_of)| {
            let as_of = as_of.map(|at| {
                // Heard on this browser's clock; shown on the server's.
                let at = cordboard_shared::Millis(at.0 + panel.ahead.get_value());
                format!(" Everything below is as of {}.", clock::time_with_seconds(at, &panel.zone()))
            });
            view! {
                <div class="link-bar" role="alert">
                    <Glyph icon=Icon::Warning/>
                    <p>{format!("Live updates lost, reconnecting (try {attempt}).")}{as_of}</p>
                    <button class="btn btn-sm" on:click=move |_| live::retry_now(panel)>"Try now"</button>
                </div>
            }
        })
    }
}
