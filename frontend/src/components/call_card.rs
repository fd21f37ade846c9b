//! The current call: who, how long, and what can be done.

use crate::model::duration;
use crate::model::softphone::{self, Input, Press, Softphone, Sound, state_word};
use cordboard_shared::call::{CallState, RecordingState};
use cordboard_shared::event::{ClientMessage, LiveCall};
use cordboard_shared::id::CallId;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::keypad::Keypad;
use super::switch_menu::AfterCall;
use crate::chunk::{Chunk, Lazy};
use crate::desk::KeypadOpen;
use crate::panel::{Panel, use_panel};
use crate::{shortcuts, telephone};

/// What is open below the buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawer {
    Closed,
    Transfer,
    Notes,
}

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
    let audio = Memo::new(move |_| panel.phone.with(Softphone::audio));
    let transferring = Memo::new(move |_| panel.phone.with(|phone| phone.transferring().is_some()));
    let drawer = RwSignal::new(Drawer::Closed);
    let feed = move |input| telephone::feed(panel, input);
    // What was opened for one call is not for the next; nor is the choice of a target once there is one.
    Effect::new(move |_| {
        uid.track();
        keypad.set(false);
        drawer.set(Drawer::Closed);
    });
    Effect::new(move |_| {
        if transferring.get() {
            drawer.set(Drawer::Closed);
        }
    });
    let open = move |wanted: Drawer| {
        drawer.update(|drawer| *drawer = if *drawer == wanted { Drawer::Closed } else { wanted });
    };
    let park = move |_| {
        let Some(call) = uid.get_untracked() else { return };
        telephone::ask(panel, ClientMessage::Park { call }, move |answer| match answer {
            Ok(data) => {
                let slot = data.get("slot").and_then(serde_json::Value::as_str).unwrap_or_default();
                panel.tell(format!("Parked at {slot}."));
            }
            Err(why) => panel.phone.update(|phone| phone.refused(why)),
        });
    };
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
                            <p class="call-peer">{move || call.with(|call| call.as_ref().map(softphone::peer))}</p>
                            <p class="call-line">
                                <span id="call-state">{move || call.with(|call| call.as_ref().map(state_word))}</span>
                                {move || call.with(|call| call.as_ref().and_then(softphone::number)).map(|number| format!(" · {number}"))}
                                {move || department().map(|name| format!(" · {name}"))}
                                {move || muted.get().then_some(" · Muted")}
                            </p>
                        </div>
                        <span id="call-timer" class="call-timer">{timer}</span>
                    </div>
                    {move || (sound.get() == Sound::Elsewhere).then(|| view! {
                        <p class="call-note">
                            {move || call.with(|call| elsewhere(panel, call.as_ref()))}
                            <button class="btn btn-sm" on:click=move |_| feed(Input::BringHerePressed)>"Move here"</button>
                        </p>
                    })}
                    {move || audio.get().map(|words| view! { <p id="audio-verdict" class="call-note tone-warn">{words}</p> })}
                    <Recording call=call/>
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
                        <button
                            type="button"
                            class="call-tool"
                            class:tool-on=move || drawer.get() == Drawer::Transfer
                            aria-expanded=move || (drawer.get() == Drawer::Transfer).to_string()
                            on:click=move |_| open(Drawer::Transfer)
                        >
                            <Glyph icon=Icon::Forward/>
                            "Transfer"
                        </button>
                        <button type="button" class="call-tool" on:click=park>
                            <Glyph icon=Icon::Park/>
                            "Park"
                        </button>
                        <button
                            type="button"
                            class="call-tool"
                            class:tool-on=move || drawer.get() == Drawer::Notes
                            aria-expanded=move || (drawer.get() == Drawer::Notes).to_string()
                            on:click=move |_| open(Drawer::Notes)
                        >
                            <Glyph icon=Icon::List/>
                            "Notes"
                        </button>
                        <AfterCall class="call-tool call-tool-wide"/>
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
                    <Show when=move || transferring.get()><Lazy chunk=Chunk::TransferUnderWay/></Show>
                    {move || match drawer.get() {
                        Drawer::Closed => ().into_any(),
                        Drawer::Transfer => view! { <Lazy chunk=Chunk::Transfer/> }.into_any(),
                        Drawer::Notes => view! { <Lazy chunk=Chunk::Notes/> }.into_any(),
                    }}
                    <Others/>
                </section>
            }
        })
    }
}

/// Whether the conversation is recorded: always said, never by a color alone.
#[component]
fn Recording(call: Memo<Option<LiveCall>>) -> impl IntoView {
    let panel = use_panel();
    let state = Memo::new(move |_| call.with(|call| call.as_ref().map(|call| (call.call.uid, call.recording))));
    let record = move |call: CallId, on: bool| {
        telephone::ask(panel, ClientMessage::Record { call, on }, move |answer| {
            if let Err(why) = answer {
                panel.phone.update(|phone| phone.refused(why));
            }
        });
    };
    move || {
        let (uid, state) = state.get()?;
        let (words, tone, button) = match state {
            RecordingState::Off => return None,
            RecordingState::On => ("Recording", "tone-bad", Some(("Pause recording", false))),
            RecordingState::Paused => ("Recording paused", "tone-warn", Some(("Resume recording", true))),
        };
        Some(view! {
            <p class="call-note">
                <span id="recording-state" class=format!("state-badge {tone}")><Glyph icon=Icon::Dot/>{words}</span>
                {button.map(|(name, on)| view! {
                    <button type="button" class="btn btn-sm" on:click=move |_| record(uid, on)>{name}</button>
                })}
            </p>
        })
    }
}

/// The own calls that are not in hand.
#[component]
fn Others() -> impl IntoView {
    let panel = use_panel();
    let others = Memo::new(move |_| panel.phone.with(Softphone::others));
    let row = move |call: LiveCall| {
        let uid = call.call.uid;
        let peer = softphone::peer(&call);
        let feed = move |press| telephone::feed(panel, Input::PressedOn(uid, press));
        view! {
            <li>
                <div>
                    <strong>{peer.clone()}</strong>
                    <span class="cell-second">{state_word(&call)}</span>
                </div>
                <div class="button-row">
                    <button type="button" class="btn btn-sm" aria-label=format!("Talk to {peer}") on:click=move |_| feed(Press::Resume)>"Talk"</button>
                    <button type="button" class="btn btn-sm" aria-label=format!("Hang up {peer}") on:click=move |_| feed(Press::HangUp)>"Hang up"</button>
                </div>
            </li>
        }
    };
    view! {
        <Show when=move || others.with(|others| !others.is_empty())>
            <section class="call-panel" aria-label="Your other calls">
                <ul class="callbacks">{move || others.get().into_iter().map(row).collect_view()}</ul>
            </section>
        </Show>
    }
}

/// Where the sound of the call is instead.
fn elsewhere(panel: Panel, call: Option<&LiveCall>) -> String {
    let device = call.and_then(|call| call.device.as_deref()).filter(|device| !device.starts_with("tab:"));
    let name = device.and_then(|id| {
        panel.floor.with(|floor| floor.devices.iter().find(|known| known.id == id).map(|known| known.name.clone()))
    });
    name.map_or_else(
        || "This call's sound is not in this tab. ".to_owned(),
        |name| format!("This call's sound is on {name}. "),
    )
}
