//! This browser as a telephone: microphone, ring, notices.

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::notifications::{self, Consent};
use crate::browser::{microphone, ringer, storage};
use crate::components::device_check::CheckRows;
use crate::components::icon::{Glyph, Icon};
use crate::components::own_devices::OwnDevices;
use crate::components::page_title::PageTitle;
use crate::device;
use crate::panel::use_panel;

/// The devices.
#[component]
pub(crate) fn Devices() -> impl IntoView {
    view! {
        <PageTitle title="Devices" line=Signal::stored("What this browser needs so that calls can ring here.".to_owned())/>
        <div class="two-columns">
            <Check/>
            <div class="stack">
                <OwnDevices/>
                <Ring/>
                <Voice/>
                <Notices/>
            </div>
        </div>
    }
}

#[component]
fn Check() -> impl IntoView {
    let panel = use_panel();
    let leader = Memo::new(move |_| panel.device.with(|known| known.state.leader));
    view! {
        <section class="card" aria-labelledby="check-title">
            <h2 id="check-title">"This browser"</h2>
            <CheckRows/>
            <div class="button-row">
                <button type="button" class="btn btn-primary" on:click=move |_| device::test_microphone(panel)>
                    <Glyph icon=Icon::Microphone/>
                    "Allow microphone"
                </button>
                <button type="button" class="btn" on:click=move |_| device::test_ring(panel)>
                    <Glyph icon=Icon::Bell/>
                    "Test ring sound"
                </button>
            </div>
            <p class="muted">
                {move || if leader.get() {
                    "Calls ring in this tab. Other tabs show them too and can answer, but stay silent."
                } else {
                    "Another tab of this browser rings. This one shows calls too and can answer them. Close the other tab to move the ringer here."
                }}
            </p>
        </section>
    }
}

#[component]
fn Ring() -> impl IntoView {
    let volume = RwSignal::new(ringer::volume());
    let change = move |event| {
        let chosen = event_target_value(&event).parse().unwrap_or(70);
        volume.set(chosen);
        ringer::set_volume(chosen);
    };
    view! {
        <section class="card" aria-labelledby="ring-title">
            <h2 id="ring-title">"Ring volume"</h2>
            <label class="field">
                <span>{move || format!("Ring volume: {} %", volume.get())}</span>
                <input
                    class="slider"
                    type="range"
                    min="10"
                    max="100"
                    step="5"
                    prop:value=move || volume.get().to_string()
                    on:input=change
                />
            </label>
            <p class="muted">"Press Test ring sound to hear it."</p>
        </section>
    }
}

#[component]
fn Voice() -> impl IntoView {
    let clean = RwSignal::new(microphone::cleans_voice());
    let change = move |event| {
        let on = event_target_checked(&event);
        clean.set(on);
        storage::set("clean-voice", if on { "on" } else { "off" });
    };
    view! {
        <section class="card" aria-labelledby="voice-title">
            <h2 id="voice-title">"Your voice"</h2>
            <label class="check">
                <input type="checkbox" class="tickbox" prop:checked=clean on:change=change/>
                <span>"Clean up my voice"</span>
            </label>
            <p class="muted">"Takes out echo and background noise and evens out the level, from the next call on. Switch it off for a studio microphone."</p>
        </section>
    }
}

#[component]
fn Notices() -> impl IntoView {
    let consent = RwSignal::new(notifications::consent());
    let ask = move |_| spawn_local(async move { consent.set(notifications::ask().await) });
    view! {
        <section class="card" aria-labelledby="notices-title">
            <h2 id="notices-title">"Notices"</h2>
            {move || match consent.get() {
                Consent::Granted => view! {
                    <p>"While another window is in front, a notice shows who calls."</p>
                }.into_any(),
                Consent::Refused => view! {
                    <p>"Notices are blocked for this page. To see who calls while another window is in front, press the icon left of the address and allow notifications."</p>
                }.into_any(),
                Consent::NotAsked => view! {
                    <p>"A notice can show who calls while another window is in front. Calls ring without it, too."</p>
                    <button type="button" class="btn" on:click=ask>"Allow notices"</button>
                }.into_any(),
            }}
        </section>
    }
}
