//! Notes on a call and how it is filed, during the call and in its after-call work.

use cordboard_shared::event::{ClientMessage, LiveCall};
use leptos::prelude::*;

use crate::panel::{Panel, use_panel};
use crate::telephone;

/// Notes and filing of the call in hand.
#[component]
pub(crate) fn CurrentNotes() -> impl IntoView {
    view! { <Notes call=|panel| panel.phone.with(|phone| phone.current().cloned())/> }
}

/// Notes and filing of the call that is over.
#[component]
pub(crate) fn LastNotes() -> impl IntoView {
    view! { <Notes call=last/> }
}

/// The last call, with what was written since it ended.
fn last(panel: Panel) -> Option<LiveCall> {
    let mut call = panel.phone.with(|phone| phone.last().cloned())?;
    let uid = call.call.uid;
    if let Some(record) = panel.log.with(|log| log.rows().iter().find(|row| row.uid == uid).cloned()) {
        call.call = record;
    }
    Some(call)
}

#[component]
fn Notes(call: fn(Panel) -> Option<LiveCall>) -> impl IntoView {
    let panel = use_panel();
    let uid = Memo::new(move |_| call(panel).map(|call| call.call.uid));
    let notes = Memo::new(move |_| call(panel).map(|call| call.call.notes).unwrap_or_default());
    let filed = Memo::new(move |_| call(panel).and_then(|call| call.call.disposition));
    let words = Memo::new(move |_| panel.floor.with(|floor| floor.dispositions.clone()));
    let text = RwSignal::new(String::new());
    let outcome = RwSignal::new(None::<Result<&'static str, String>>);
    let save = move || {
        let Some(call) = uid.get_untracked() else { return };
        let written = text.get_untracked().trim().to_owned();
        if written.is_empty() {
            return outcome.set(Some(Err("Write a note first.".to_owned())));
        }
        let message = ClientMessage::Note { call, text: written };
        telephone::ask(panel, message, move |answer| {
            if answer.is_ok() {
                text.set(String::new());
            }
            outcome.set(Some(answer.map(|_| "The note is saved.")));
        });
    };
    let file = move |event| {
        let Some(call) = uid.get_untracked() else { return };
        let disposition = Some(event_target_value(&event)).filter(|word| !word.is_empty());
        let message = ClientMessage::Disposition { call, disposition };
        telephone::ask(panel, message, move |answer| outcome.set(Some(answer.map(|_| "The call is filed."))));
    };
    let list = move || {
        notes
            .get()
            .into_iter()
            .map(|note| {
                let by = panel.roster.with(|roster| roster.name(note.by));
                view! { <li><span class="muted">{by}", "{panel.clock(note.at)}": "</span>{note.text}</li> }
            })
            .collect_view()
    };
    let options = move || {
        let filed = filed.get();
        words
            .get()
            .into_iter()
            .map(|word| {
                let chosen = filed.as_ref() == Some(&word);
                view! { <option value=word.clone() selected=chosen>{word.clone()}</option> }
            })
            .collect_view()
    };
    view! {
        <section class="call-panel" aria-label="Notes">
            <Show when=move || words.with(|words| !words.is_empty())>
                <label class="field">
                    <span>"Disposition"</span>
                    <select class="select" on:change=file>
                        <option value="" selected=move || filed.get().is_none()>"Not filed"</option>
                        {options}
                    </select>
                </label>
            </Show>
            <ul class="notes">{list}</ul>
            <form on:submit=move |event| { event.prevent_default(); save(); }>
                <label class="field">
                    <span>"Note"</span>
                    <textarea
                        class="textarea"
                        rows="2"
                        prop:value=move || text.get()
                        on:input=move |event| text.set(event_target_value(&event))
                    ></textarea>
                </label>
                <button type="submit" class="btn btn-sm">"Save note"</button>
            </form>
            {move || outcome.get().map(|said| match said {
                Ok(text) => view! { <p class="outcome" role="status">{text}</p> }.into_any(),
                Err(text) => view! { <p class="outcome tone-bad" role="alert">{text}</p> }.into_any(),
            })}
        </section>
    }
}
