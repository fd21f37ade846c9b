//! The own devices: browser tabs, desk phones, the mobile, and which of them ring.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::model::floor;
use crate::panel::use_panel;

/// The list.
#[component]
pub(crate) fn OwnDevices() -> impl IntoView {
    let panel = use_panel();
    let devices = Memo::new(move |_| panel.floor.with(|floor| floor.devices.clone()));
    let here = format!("tab:{}", panel.shells().tab);
    let rows = move || {
        devices
            .get()
            .into_iter()
            .map(|device| {
                let (kind, state) = floor::device_words(&device);
                let (icon, tone) =
                    if device.ready && device.rings { (Icon::Tick, "tone-on") } else { (Icon::Dash, "tone-away") };
                let this = (device.id == here).then_some(" (this tab)");
                view! {
                    <li>
                        <span class=format!("why-icon {tone}")><Glyph icon=icon/></span>
                        <span>
                            <strong>{device.name}</strong>{this}
                            <span class="cell-second">{kind}" · "{state}</span>
                        </span>
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <section class="card" aria-label="Your devices">
            <h2>"Your devices"</h2>
            <Show
                when=move || devices.with(|devices| !devices.is_empty())
                fallback=|| view! { <p class="muted">"No device of yours is known to the server now."</p> }
            >
                <ul class="reach-lines">{rows.clone()}</ul>
            </Show>
        </section>
    }
}
