//! The check of this browser as a telephone: microphone and sound, in rows.

use crate::model::device::{self, Check};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::device as shell;
use crate::panel::use_panel;

/// The card on the desk until this browser was checked and can ring.
#[component]
pub(crate) fn GetReady() -> impl IntoView {
    let panel = use_panel();
    let ready = Memo::new(move |_| panel.device.with(|known| device::overall(&known.state) == Check::Ready));
    let done = Memo::new(move |_| ready.get() && panel.device.with(|known| known.checked && known.level.is_none()));
    view! {
        <Show when=move || !done.get()>
            <section class="card get-ready" aria-label="Get ready to take calls">
                <div class="get-ready-text">
                    <h2>"Get ready to take calls"</h2>
                    <p>
                        {move || if ready.get() {
                            "This browser can ring. Check it once: you hear the ring and see your voice."
                        } else {
                            "Calls ring in this browser. One press asks for the microphone and tests the ring."
                        }}
                    </p>
                    <button type="button" class="btn btn-primary" on:click=move |_| shell::check(panel)>
                        "Check this device"
                    </button>
                </div>
                <CheckRows/>
            </section>
        </Show>
    }
}

/// One row for the microphone and one for the sound.
#[component]
pub(crate) fn CheckRows() -> impl IntoView {
    let panel = use_panel();
    let state = Memo::new(move |_| panel.device.with(shell::Device::state));
    let label = Memo::new(move |_| panel.device.with(|known| known.label.clone()));
    let problem = Memo::new(move |_| panel.device.with(|known| known.problem.clone()));
    view! {
        <ul class="check-rows">
            <Row
                name="Microphone"
                icon=Icon::Microphone
                check=Signal::derive(move || state.with(device::microphone))
                help=Signal::derive(move || {
                    problem.get().map_or_else(
                        || {
                            let help = state.with(device::microphone_help);
                            match label.get().as_str() {
                                "" => help.to_owned(),
                                label => format!("{label}. {help}"),
                            }
                        },
                        |why| format!("{why} {}", state.with(device::microphone_help)),
                    )
                })
            />
            <Level/>
            <Row
                name="Ring sound"
                icon=Icon::Bell
                check=Signal::derive(move || state.with(device::sound))
                help=Signal::derive(move || state.with(device::sound_help).to_owned())
            />
        </ul>
    }
}

#[component]
fn Row(name: &'static str, icon: Icon, check: Signal<Check>, help: Signal<String>) -> impl IntoView {
    let tone = move || match check.get() {
        Check::Ready => "state-badge tone-on",
        Check::Blocked => "state-badge tone-bad",
        Check::NotTested => "state-badge tone-away",
    };
    let glyph = Signal::derive(move || match check.get() {
        Check::Ready => Icon::Tick,
        Check::Blocked => Icon::Barred,
        Check::NotTested => Icon::Dash,
    });
    view! {
        <li class="check-row">
            <span class="check-icon"><Glyph icon=icon/></span>
            <div>
                <span class="check-name">{name}</span>
                <p>{move || help.get()}</p>
            </div>
            <span class=tone><Glyph icon=glyph/>{move || check.get().word()}</span>
        </li>
    }
}

/// How loud the microphone is, while it is measured.
#[component]
pub(crate) fn Level() -> impl IntoView {
    let panel = use_panel();
    let measuring = Memo::new(move |_| panel.device.with(|known| known.level.is_some()));
    let level = move || panel.device.with(|known| known.level.unwrap_or(0).to_string());
    view! {
        <Show when=move || measuring.get()>
            <li class="check-level">
                <span aria-hidden="true">"Say something: the bar moves."</span>
                <meter
                    aria-label="Microphone level"
                    min="0"
                    max="100"
                    low="15"
                    value=level
                ></meter>
            </li>
        </Show>
    }
}
