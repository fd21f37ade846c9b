//! The current call: who, how long, and what can be done.

use crate::model::duration;
use crate::model::softphone::{Input, Press, Softphone, Sound, state_word};
use cordboard_shared::call::CallState;
use cordboard_shared::event::LiveCall;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::keypad::Keypad;
use super::switch_menu::AfterCall;
use crate::desk::KeypadOpen;
use crate::panel::use_panel;
use crate::{shortcuts, telephone};

/// The card of the current call.
#[component]
pub(crate) fn CallCard() -> impl IntoView {
    let panel = use_panel();
    let KeypadOpen(keypad) = expect_context();
    let uid = Memo::new(move |_| panel.phone.with(|phone| phone.current().map(|call| call.call.uid)));
    let call = Memo::new(move |_| panel.phone.with(|phone| phone.current().cloned()));
    let muted = Memo::new(move |_| call.with(|call| call.as_ref().is_some_and(|call| call.muted)));
    let held =
        Memo::new(move |_| call.with(|call| call.as_ref().is_some_and(|call| call.call.state == CallState::Held)));
    let busy = Memo::new(move |_| panel.phone.with(|phone| phone.busy().cloned()));
    let sound = Memo::new(move |_| panel.phone.with(Softphone::sound));
    let problem = Memo::new(move |_| panel.phone.with(|phone| phone.problem().map(str::to_owned)));
    let feed = move |input| telephone::feed(panel, input);
    Effect::new(move |_| {
        if uid.get().is_none() {
            keypad.set(false);
        }
    });
    let timer = move || {
        call.with(|call| {
            call.as_ref().map(|call| {
                let since = call.call.answered_at.unwrap_or(call.call.started_at);
                duration::timer(panel.now.get().since(since))
            })
        })
    };
    let department = move || {
        let id = call.with(|call| call.as_ref().and_then(|call| call.call.department))?;
        panel.roster.with(|roster| roster.department(id).map(str::to_owned))
    };

    move || {
        uid.get().map(|_| {
            view! {
                <section class="call-card" class:call-held=move || held.get() aria-label="Current call">
                    <div class="call-who">
                        <span class="call-disc"><Glyph icon=Icon::Handset/></span>
                        <div>
                            <p class="call-peer">{move || call.with(|call| call.as_ref().map(peer))}</p>
                            <p class="call-line">
                                <span id="call-state">{move || call.with(|call| call.as_ref().map(state_word))}</span>
                                {move || call.with(|call| call.as_ref().and_then(number)).map(|number| format!(" · {number}"))}
                                {move || department().map(|name| format!(" · {name}"))}
                                {move || muted.get().then_some(" · Muted")}
                            </p>
                        </div>
                        <span id="call-timer" class="call-timer">{timer}</span>
                    </div>
                    {move || (sound.get() == Sound::Elsewhere).then(|| view! {
                        <p class="call-note">
                            "This call's sound is not in this tab."
                            <button class="btn btn-sm" on:click=move |_| feed(Input::BringHerePressed)>"Bring it here"</button>
                        </p>
                    })}
                    {move || problem.get().map(|why| view! { <p class="call-note tone-bad" role="alert">{why}</p> })}
                    <div class="call-buttons">
                        <button
                            type="button"
                            class="call-tool"
                            class:tool-on=move || muted.get()
                            aria-busy=move || matches!(busy.get(), Some(Press::Mute | Press::Unmute)).then_some("true")
                            aria-keyshortcuts=shortcuts::aria('M')
                            title=shortcuts::shown('M')
                            on:click=move |_| feed(Input::Pressed(if muted.get_untracked() { Press::Unmute } else { Press::Mute }))
                        >
                            <Glyph icon=Signal::derive(move || if muted.get() { Icon::MicrophoneOff } else { Icon::Microphone })/>
                            {move || if muted.get() { "Unmute" } else { "Mute" }}
                        </button>
                        <button
                            type="button"
                            class="call-tool"
                            class:tool-on=move || held.get()
                            aria-busy=move || matches!(busy.get(), Some(Press::Hold | Press::Resume)).then_some("true")
                            aria-keyshortcuts=shortcuts::aria('H')
                            title=shortcuts::shown('H')
                            on:click=move |_| feed(Input::Pressed(if held.get_untracked() { Press::Resume } else { Press::Hold }))
                        >
                            <Glyph icon=Signal::derive(move || if held.get() { Icon::Play } else { Icon::Pause })/>
                            {move || if held.get() { "Resume" } else { "Hold" }}
                        </button>
                        <button
                            type="button"
                            class="call-tool"
                            class:tool-on=move || keypad.get()
                            aria-expanded=move || keypad.get().to_string()
                            aria-controls="keypad"
                            aria-keyshortcuts=shortcuts::aria('K')
                            title=shortcuts::shown('K')
                            on:click=move |_| keypad.update(|open| *open = !*open)
                        >
                            <Glyph icon=Icon::Keypad/>
                            "Keypad"
                        </button>
                        <AfterCall class="call-tool"/>
                        <button
                            type="button"
                            class="call-tool call-end"
                            aria-busy=move || matches!(busy.get(), Some(Press::HangUp)).then_some("true")
                            aria-keyshortcuts=shortcuts::aria('E')
                            title=shortcuts::shown('E')
                            on:click=move |_| feed(Input::Pressed(Press::HangUp))
                        >
                            <Glyph icon=Icon::HangUp/>
                            "Hang up"
                        </button>
                    </div>
                    <Show when=move || keypad.get()>
                        <Keypad on_digit=move |digit| feed(Input::Pressed(Press::Digits(digit)))/>
                    </Show>
                </section>
            }
        })
    }
}

/// The number, where the name is shown above it.
fn number(call: &LiveCall) -> Option<String> {
    let number = call.call.from.number.0.clone();
    (number != peer(call) && !number.is_empty() && number != "anonymous").then_some(number)
}

/// Name, or else number, of the other party.
fn peer(call: &LiveCall) -> String {
    match call.peer.0.as_str() {
        "" => crate::model::log::caller(&call.call),
        "anonymous" => "Number withheld".to_owned(),
        peer => peer.to_owned(),
    }
}
