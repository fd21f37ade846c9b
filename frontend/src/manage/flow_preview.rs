//! A flow walked as a caller would: what is heard, what can be pressed, and where it goes.

use cordboard_shared::Millis;
use cordboard_shared::api::flows::{PreviewAnswer, PreviewInput, PreviewRequest, PreviewStep};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::audio_field::{Library, Player};
use super::flow_editor::FlowEditor;
use super::form::{TextField, TimeField};
use crate::api;
use crate::model::flow;
use crate::panel::use_panel;

/// What was given, in words.
fn given(input: &PreviewInput) -> String {
    match input {
        PreviewInput::Key(key) => format!("pressed {key}"),
        PreviewInput::Nothing => "pressed nothing".to_owned(),
        PreviewInput::Digits(digits) => format!("pressed {digits}"),
        PreviewInput::Webhook(word) => format!("the webhook said {word}"),
        PreviewInput::Failed => "the webhook failed".to_owned(),
        PreviewInput::Unanswered => "nobody answered".to_owned(),
    }
}

/// The walk.
#[component]
pub(crate) fn Preview() -> impl IntoView {
    let panel = use_panel();
    let editor: FlowEditor = expect_context();
    let library: Library = expect_context();
    library.ensure();
    let at = RwSignal::new(None::<Millis>);
    let inputs = RwSignal::new(Vec::<PreviewInput>::new());
    let answer = RwSignal::new(None::<Result<PreviewAnswer, String>>);
    // Anew with each key, and with each change of the draft: the walk is always of what stands in the outline.
    Effect::new(move |_| {
        let request = PreviewRequest { flow: Some(Box::new(editor.draft.get())), at: at.get(), inputs: inputs.get() };
        let path = format!("/core/flows/{}/preview", editor.id);
        spawn_local(async move {
            answer.set(Some(api::post(&path, &request).await.map_err(|error| error.sentence())));
        });
    });
    let body = move || match answer.get() {
        None => view! { <p class="empty" role="status">"Calling…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(answer)) => shown(answer, inputs).into_any(),
    };
    view! {
        <section class="card" aria-label="Preview">
            <h2>"Walk it as a caller"</h2>
            <p class="muted">"The draft as it stands here, saved or not. Nobody is called."</p>
            <TimeField label="When the call comes (empty is now)" value=at panel=panel/>
            <div class="button-row">
                <button type="button" class="btn btn-sm" on:click=move |_| inputs.set(Vec::new())>"Begin again"</button>
                <button
                    type="button" class="btn btn-sm" disabled=move || inputs.with(Vec::is_empty)
                    on:click=move |_| inputs.update(|inputs| { inputs.pop(); })
                >
                    "One step back"
                </button>
            </div>
            {body}
        </section>
    }
}

fn step(step: PreviewStep) -> impl IntoView {
    let library: Library = expect_context();
    let title = format!("{} · {}", step.node, flow::kind_word(&step.kind));
    let given: Vec<_> = step.given.iter().map(|input| view! { <li class="tag">{given(input)}</li> }).collect();
    let heard = step.audio.map(|audio| {
        let prompt = audio.clone();
        let words = move || format!("You hear {}.", library.heard(&audio));
        view! {
            <p><strong>{words}</strong></p>
            <Player prompt=Signal::stored(prompt) label="Listen to what is heard"/>
        }
    });
    view! {
        <li>
            <p class="why-title">{title}</p>
            {heard}
            <p>{step.text}</p>
            {(!given.is_empty()).then(|| view! { <ul class="given" aria-label="The caller">{given}</ul> })}
        </li>
    }
}

fn shown(answer: PreviewAnswer, inputs: RwSignal<Vec<PreviewInput>>) -> impl IntoView {
    let closed = answer.closed_because.filter(|_| !answer.open).map(|why| {
        view! { <p class="tone-warn"><strong>"Closed: "</strong>{why}</p> }
    });
    let steps = answer.steps.into_iter().map(step).collect_view();
    let takes_digits = answer.wants.iter().any(|one| matches!(one.input, PreviewInput::Digits(_)));
    let takes_word = answer.wants.iter().any(|one| matches!(one.input, PreviewInput::Webhook(_)));
    let choices = answer
        .wants
        .into_iter()
        .filter(|one| !matches!(&one.input, PreviewInput::Digits(text) | PreviewInput::Webhook(text) if text.is_empty()))
        .map(|one| {
            let leads = one.leads_to.unwrap_or_else(|| "the call ends".to_owned());
            let input = one.input.clone();
            view! {
                <li>
                    <button type="button" class="btn btn-sm" on:click=move |_| inputs.update(|inputs| inputs.push(input.clone()))>
                        {one.text}
                        <span class="muted">{format!("→ {leads}")}</span>
                    </button>
                </li>
            }
        })
        .collect_view();
    let typed = RwSignal::new(String::new());
    let word = RwSignal::new(String::new());
    let give = move |input: fn(String) -> PreviewInput, field: RwSignal<String>| {
        let text = field.get_untracked().trim().to_owned();
        if !text.is_empty() {
            inputs.update(|inputs| inputs.push(input(text)));
        }
    };
    let over = answer.ends.is_some();
    view! {
        {closed}
        <ol class="why-steps" aria-label="What happens">{steps}</ol>
        {answer.ends.map(|end| view! { <p role="status"><strong>"The end: "</strong>{end}</p> })}
        {(!over).then(|| view! {
            <section aria-label="What happens next">
                <h3 class="part-title">"What happens next?"</h3>
                <ul class="choices">{choices}</ul>
                {takes_digits.then(|| view! {
                    <div class="row-of-field">
                        <TextField label="Digits" kind="tel" value=typed set=move |text| typed.set(text)/>
                        <button type="button" class="btn btn-sm" on:click=move |_| give(PreviewInput::Digits, typed)>"Press these"</button>
                    </div>
                })}
                {takes_word.then(|| view! {
                    <div class="row-of-field">
                        <TextField label="Answer of the webhook" value=word set=move |text| word.set(text)/>
                        <button type="button" class="btn btn-sm" on:click=move |_| give(PreviewInput::Webhook, word)>"Let it answer so"</button>
                    </div>
                })}
            </section>
        })}
    }
}
