//! The text messages: sent through a gateway, or held here when none is set.

use cordboard_shared::api::outbox::{OutboxList, OutboxState};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::components::page_title::PageTitle;
use crate::panel::use_panel;

fn word(state: OutboxState) -> (&'static str, &'static str) {
    match state {
        OutboxState::Held => ("Held: no gateway is set", "tone-away"),
        OutboxState::Sending => ("On its way", "tone-busy"),
        OutboxState::Sent => ("Sent", "tone-on"),
        OutboxState::Failed => ("Failed", "tone-bad"),
    }
}

/// The page.
#[component]
pub(crate) fn Outbox() -> impl IntoView {
    let panel = use_panel();
    let list = RwSignal::new(None::<Result<OutboxList, String>>);
    let load = move || {
        spawn_local(async move {
            list.set(Some(api::get("/core/outbox").await.map_err(|error| error.sentence())));
        });
    };
    load();
    let body = move || {
        match list.get() {
        None => view! { <p class="empty" role="status">"Reading…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="empty tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(list)) if list.messages.is_empty() => {
            view! { <p class="empty">"No messages yet. Opt-out links are sent from a person's row on the Team page."</p> }.into_any()
        }
        Some(Ok(list)) => {
            let rows = list
                .messages
                .into_iter()
                .map(|message| {
                    let (state, tone) = word(message.state);
                    let to = message.to.map_or_else(|| "no mobile number known".to_owned(), |to| to.0.as_str().to_owned());
                    view! {
                        <tr>
                            <td><time datetime=message.at.to_string()>{panel.clock(message.at)}</time></td>
                            <th scope="row">{panel.roster.with(|roster| roster.name(message.agent))}<span class="cell-second">{to}</span></th>
                            <td class="outbox-text">{message.text.0}</td>
                            <td class=tone>{state}{message.error.map(|error| view! { <span class="cell-second">{error}</span> })}</td>
                        </tr>
                    }
                })
                .collect_view();
            view! {
                <div class="table-scroll" role="region" aria-label="Messages, scrollable" tabindex="0">
                    <table class="log-table" aria-label="Messages">
                        <thead>
                            <tr>
                                <th scope="col">"Time"</th>
                                <th scope="col">"To"</th>
                                <th scope="col">"Text"</th>
                                <th scope="col">"State"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
            .into_any()
        }
    }
    };
    view! {
        <PageTitle title="Messages" line=Signal::stored("Text messages, newest first.".to_owned())/>
        <div class="button-row"><button type="button" class="btn btn-sm" on:click=move |_| load()>"Read again"</button></div>
        <section class="card card-table" aria-label="Outbox">{body}</section>
    }
}
