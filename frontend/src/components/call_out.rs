//! Calls somebody: a number or a colleague, and the department whose number is shown.

use cordboard_shared::event::{ClientMessage, DeviceViewKind};
use cordboard_shared::id::DepartmentId;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::model::floor;
use crate::panel::{Panel, use_panel};
use crate::telephone;

const KEYS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/// The card that calls out.
#[component]
pub(crate) fn CallOut() -> impl IntoView {
    let panel = use_panel();
    let to = RwSignal::new(String::new());
    let department = RwSignal::new(None::<DepartmentId>);
    let device = RwSignal::new(None::<String>);
    let pad = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let outcome = RwSignal::new(None::<Result<String, String>>);
    let call = move || {
        if busy.get_untracked() {
            return;
        }
        let typed = to.get_untracked();
        let dialed = panel.roster.with_untracked(|roster| floor::dialed(roster, &typed));
        let dialed = match dialed {
            Ok(dialed) => dialed,
            Err(why) => return outcome.set(Some(Err(why))),
        };
        busy.set(true);
        outcome.set(None);
        let message = ClientMessage::Dial {
            to: dialed,
            department: department.get_untracked(),
            device: device.get_untracked(),
            callback: None,
        };
        telephone::place(panel, message, move |answer| {
            busy.set(false);
            outcome.set(Some(answer.map(|()| format!("Calling {typed}."))));
        });
    };
    let keys = KEYS.map(|key| {
        view! {
            <button type="button" class="key" on:click=move |_| to.update(|to| to.push_str(key))>{key}</button>
        }
    });
    view! {
        <section class="card" aria-label="Call out">
            <h2>"Call out"</h2>
            <form on:submit=move |event| { event.prevent_default(); call(); }>
                <label class="field">
                    <span>"Number or colleague"</span>
                    <input
                        class="input"
                        type="text"
                        inputmode="tel"
                        autocomplete="off"
                        list="colleagues"
                        prop:value=move || to.get()
                        on:input=move |event| to.set(event_target_value(&event))
                    />
                </label>
                <datalist id="colleagues">{move || colleagues(panel)}</datalist>
                <Shown department=department/>
                <By device=device/>
                <div class="button-row">
                    <button type="submit" class="btn btn-primary" aria-busy=move || busy.get().then_some("true")>
                        <Glyph icon=Icon::Handset/>
                        "Call"
                    </button>
                    <button
                        type="button"
                        class="btn"
                        aria-expanded=move || pad.get().to_string()
                        on:click=move |_| pad.update(|open| *open = !*open)
                    >
                        <Glyph icon=Icon::Keypad/>
                        "Dial pad"
                    </button>
                </div>
                <div class="keypad dial-pad" role="group" aria-label="Dial pad" hidden=move || !pad.get()>{keys}</div>
            </form>
            {move || outcome.get().map(|said| match said {
                Ok(text) => view! { <p class="outcome" role="status">{text}</p> }.into_any(),
                Err(text) => view! { <p class="outcome tone-bad" role="alert">{text}</p> }.into_any(),
            })}
        </section>
    }
}

/// Whose number the far side sees.
#[component]
fn Shown(department: RwSignal<Option<DepartmentId>>) -> impl IntoView {
    let panel = use_panel();
    let options = move || {
        panel.roster.with(|roster| {
            let mine = roster.my_departments();
            mine.into_iter()
                .map(|group| view! { <option value=group.id.to_string()>{group.name.clone()}</option> })
                .collect_view()
        })
    };
    let change = move |event| department.set(event_target_value(&event).parse().ok());
    view! {
        <label class="field">
            <span>"Show the number of"</span>
            <select class="select" on:change=change>
                <option value="">"My first department"</option>
                {options}
            </select>
        </label>
    }
}

/// By which own device: asked only where there is a choice.
#[component]
fn By(device: RwSignal<Option<String>>) -> impl IntoView {
    let panel = use_panel();
    let others = Memo::new(move |_| {
        panel.floor.with(|floor| {
            let phones = floor.devices.iter().filter(|known| known.kind != DeviceViewKind::Browser && known.ready);
            phones.map(|known| (known.id.clone(), known.name.clone())).collect::<Vec<_>>()
        })
    });
    let change = move |event| device.set(Some(event_target_value(&event)).filter(|id| !id.is_empty()));
    view! {
        <Show when=move || others.with(|others| !others.is_empty())>
            <label class="field">
                <span>"Call by"</span>
                <select class="select" on:change=change>
                    <option value="">"This browser"</option>
                    {move || others.get().into_iter().map(|(id, name)| view! { <option value=id>{name}</option> }).collect_view()}
                </select>
            </label>
        </Show>
    }
}

fn colleagues(panel: Panel) -> impl IntoView {
    panel.roster.with(|roster| {
        let people = roster.by_name().into_iter().filter(|person| Some(person.profile.id) != roster.me);
        people
            .filter_map(|person| {
                let extension = person.profile.extension.as_ref()?.as_str();
                Some(view! { <option value=format!("{}, {extension}", person.profile.name)></option> })
            })
            .collect_view()
    })
}
