//! Fields of forms: label, hint, value, and what was found at them.

use std::cell::Cell;

use cordboard_shared::Millis;
use cordboard_shared::api::policy::PolicyFinding;
use leptos::prelude::*;

use super::editor::Editor;
use crate::browser::clock;
use crate::panel::Panel;

/// A fresh id for an element.
pub(crate) fn id() -> String {
    thread_local! {
        static NEXT: Cell<u32> = const { Cell::new(0) };
    }
    NEXT.set(NEXT.get() + 1);
    format!("f{}", NEXT.get())
}

/// A line of text.
#[component]
pub(crate) fn TextField(
    label: &'static str,
    #[prop(into)] value: Signal<String>,
    #[prop(into)] set: Callback<String>,
    #[prop(optional)] kind: Option<&'static str>,
    #[prop(optional)] hint: &'static str,
    #[prop(optional, into)] at: Option<Signal<String>>,
) -> impl IntoView {
    let note = id();
    let described = note.clone();
    view! {
        <div class="form-field">
            <label class="field">
                <span>{label}</span>
                <input
                    class="input"
                    type=kind.unwrap_or("text")
                    aria-describedby=described
                    prop:value=value
                    on:change=move |event| set.run(event_target_value(&event))
                />
            </label>
            <Note id=note hint=hint at=at/>
        </div>
    }
}

/// A number between bounds.
#[component]
pub(crate) fn NumberField(
    label: &'static str,
    min: u32,
    max: u32,
    #[prop(into)] value: Signal<u32>,
    #[prop(into)] set: Callback<u32>,
    #[prop(optional)] hint: &'static str,
    #[prop(optional, into)] at: Option<Signal<String>>,
) -> impl IntoView {
    let note = id();
    let described = note.clone();
    let change = move |event: leptos::ev::Event| {
        if let Ok(number) = event_target_value(&event).trim().parse::<u32>() {
            set.run(number);
        }
    };
    view! {
        <div class="form-field">
            <label class="field">
                <span>{label}</span>
                <input
                    class="input"
                    type="number"
                    min=min.to_string()
                    max=max.to_string()
                    aria-describedby=described
                    prop:value=move || value.get().to_string()
                    on:change=change
                />
            </label>
            <Note id=note hint=hint at=at/>
        </div>
    }
}

/// One of several.
#[component]
pub(crate) fn SelectField(
    #[prop(into)] label: String,
    #[prop(into)] options: Signal<Vec<(String, String)>>,
    #[prop(into)] value: Signal<String>,
    #[prop(into)] set: Callback<String>,
    #[prop(optional)] hint: &'static str,
    #[prop(optional, into)] at: Option<Signal<String>>,
) -> impl IntoView {
    let note = id();
    let described = note.clone();
    let shown = move || {
        options
            .get()
            .into_iter()
            .map(|(key, name)| {
                let known = key.clone();
                view! { <option value=key prop:selected=move || value.get() == known>{name}</option> }
            })
            .collect_view()
    };
    view! {
        <div class="form-field">
            <label class="field">
                <span>{label}</span>
                <select class="select" aria-describedby=described on:change=move |event| set.run(event_target_value(&event))>
                    {shown}
                </select>
            </label>
            <Note id=note hint=hint at=at/>
        </div>
    }
}

/// Yes or no.
#[component]
pub(crate) fn CheckField(
    #[prop(into)] label: String,
    #[prop(into)] value: Signal<bool>,
    #[prop(into)] set: Callback<bool>,
    #[prop(optional, into)] hint: Option<Signal<String>>,
) -> impl IntoView {
    let note = id();
    let described = note.clone();
    view! {
        <div class="form-field">
            <label class="check">
                <input
                    class="tickbox"
                    type="checkbox"
                    aria-describedby=described
                    prop:checked=value
                    on:change=move |event| set.run(event_target_checked(&event))
                />
                <span>{label}</span>
            </label>
            <p class="field-hint" id=note>{move || hint.map(|hint| hint.get())}</p>
        </div>
    }
}

/// A date and time in the account's zone; empty is none.
#[component]
pub(crate) fn TimeField(label: &'static str, value: RwSignal<Option<Millis>>, panel: Panel) -> impl IntoView {
    let shown = move || value.get().map(|at| clock::field(at, &panel.zone())).unwrap_or_default();
    let change = move |event: leptos::ev::Event| {
        value.set(clock::of_field(&event_target_value(&event), &untrack(|| panel.zone())));
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <input class="input" type="datetime-local" prop:value=shown on:change=change/>
        </label>
    }
}

/// What stands below a field: its hint, and what was found at it, or at one of the words in it.
#[component]
fn Note(id: String, hint: &'static str, at: Option<Signal<String>>) -> impl IntoView {
    view! {
        <div id=id>
            {(!hint.is_empty()).then(|| view! { <p class="field-hint">{hint}</p> })}
            {at.map(|at| view! { <Findings at=at below=true/> })}
        </div>
    }
}

/// What was found in the document a page edits, when that is not the policy.
#[derive(Clone, Copy)]
pub(crate) struct Found(pub(crate) RwSignal<Vec<PolicyFinding>>);

/// What was found at a place of the document.
#[component]
pub(crate) fn Findings(#[prop(into)] at: Signal<String>, #[prop(optional)] below: bool) -> impl IntoView {
    let findings = use_context::<Found>().map_or_else(|| expect_context::<Editor>().findings, |found| found.0);
    let found = Memo::new(move |_| {
        let at = at.get();
        let inside = format!("{at}/");
        findings.with(|all| {
            all.iter()
                .filter(|finding| finding.pointer == at || (below && finding.pointer.starts_with(&inside)))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    move || {
        found
            .get()
            .into_iter()
            .map(|finding| {
                let (tone, word) = if finding.error { ("tone-bad", "Error: ") } else { ("tone-warn", "Check: ") };
                view! { <p class=format!("field-finding {tone}")><strong>{word}</strong>{finding.text}</p> }
            })
            .collect_view()
    }
}

/// Options of a fixed list.
pub(crate) fn options(list: &[(&str, &str)]) -> Signal<Vec<(String, String)>> {
    let list: Vec<(String, String)> = list.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect();
    Signal::stored(list)
}

/// Puts an item into a list, once, or takes it out.
pub(crate) fn put<T: PartialEq>(list: &mut Vec<T>, item: T, on: bool) {
    list.retain(|known| *known != item);
    if on {
        list.push(item);
    }
}
