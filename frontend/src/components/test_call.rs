//! A real inbound call without a phone.

use crate::model::roster::Person;
use cordboard_shared::department::{Destination, Number};
use cordboard_shared::phone::E164;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::icon::{Glyph, Icon};
use crate::api;
use crate::panel::{Panel, use_panel};

/// The card that places a test call.
#[component]
pub(crate) fn TestCall() -> impl IntoView {
    let panel = use_panel();
    let numbers = Memo::new(move |_| panel.roster.with(|roster| roster.numbers.clone()));
    let chosen = RwSignal::new(None::<String>);
    let placing = RwSignal::new(false);
    let outcome = RwSignal::new(None::<Result<String, String>>);
    let place = move |_| {
        let to = chosen.get_untracked().or_else(|| {
            numbers.with_untracked(|numbers| numbers.first().map(|number| number.number.as_str().to_owned()))
        });
        let Some(Ok(to)) = to.map(|to| to.parse::<E164>()) else { return };
        placing.set(true);
        outcome.set(None);
        spawn_local(async move {
            let said = match api::place_test_call(to.clone()).await {
                Ok(_) => Ok(format!("Calling {to}. It rings as any call does.")),
                Err(error) => Err(error.sentence()),
            };
            placing.set(false);
            outcome.set(Some(said));
        });
    };
    let options = move || {
        numbers
            .get()
            .iter()
            .map(|number| view! { <option value=number.number.as_str().to_owned()>{goes_to(panel, number)}</option> })
            .collect_view()
    };
    view! {
        <section class="card" aria-label="Place a test call">
            <h2>"Place a test call"</h2>
            <p class="muted">"Cordboard calls one of your own numbers, so that you see and hear a real call come in."</p>
            <label class="field">
                <span>"Number to call"</span>
                <select class="select" on:change=move |event| chosen.set(Some(event_target_value(&event)))>{options}</select>
            </label>
            <button
                type="button"
                class="btn btn-secondary"
                disabled=move || placing.get() || numbers.with(Vec::is_empty)
                on:click=place
            >
                <Glyph icon=Icon::Handset/>
                "Place a test call"
            </button>
            {move || outcome.get().map(|said| match said {
                Ok(text) => view! { <p class="outcome" role="status">{text}</p> }.into_any(),
                Err(text) => view! { <p class="outcome tone-bad" role="alert">{text}</p> }.into_any(),
            })}
        </section>
    }
}

/// `+44… · Support`: a number and what answers it.
fn goes_to(panel: Panel, number: &Number) -> String {
    let words = panel.roster.with(|roster| match &number.goes_to {
        Destination::Flow(slug) => format!("menu {slug}"),
        Destination::Department(slug) => {
            let department = roster.groups.iter().find(|department| department.slug == *slug);
            department.map_or_else(|| slug.clone(), |department| department.name.clone())
        }
        Destination::Extension(extension) => {
            let has = |person: &&Person| person.profile.extension.as_ref() == Some(extension);
            let name = roster.people.values().find(has).map(|person| format!("{}, ", person.profile.name));
            format!("{}extension {extension}", name.unwrap_or_default())
        }
    });
    format!("{} · {words}", number.number)
}
