//! The published versions of a flow, and the way back to one of them.

use cordboard_shared::api::flows::{FlowVersion, FlowVersions};
use cordboard_shared::flow::Flow;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::flow_editor::{FlowEditor, version_of};
use crate::api;
use crate::model::flow;
use crate::panel::{Panel, use_panel};

/// The list, newest first.
#[component]
pub(crate) fn Versions() -> impl IntoView {
    let panel = use_panel();
    let editor: FlowEditor = expect_context();
    let list = RwSignal::new(None::<Result<FlowVersions, String>>);
    Effect::new(move |_| {
        editor.published.track();
        let path = format!("/core/flows/{}/versions", editor.id);
        spawn_local(async move {
            list.set(Some(api::get(&path).await.map_err(|error| error.sentence())));
        });
    });
    let body = move || match list.get() {
        None => view! { <p class="empty" role="status">"Reading the versions…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(list)) if list.versions.is_empty() => view! { <p class="empty">"Never published."</p> }.into_any(),
        Some(Ok(list)) => {
            let rows = list.versions.into_iter().map(|version| row(panel, editor, version)).collect_view();
            view! { <ol class="contacts" aria-label="Versions">{rows}</ol> }.into_any()
        }
    };
    view! {
        <section class="card" aria-label="Published versions">
            <h2>"Published versions"</h2>
            {body}
        </section>
    }
}

fn row(panel: Panel, editor: FlowEditor, version: FlowVersion) -> impl IntoView {
    let number = version.version;
    let asking = RwSignal::new(false);
    let then = RwSignal::new(None::<Result<Flow, String>>);
    let ask = move |_| {
        asking.set(true);
        spawn_local(async move {
            then.set(Some(version_of(editor.id, number).await.map_err(|error| error.sentence())));
        });
    };
    let differences = move || {
        let lines = match then.get() {
            None => return view! { <p class="muted" role="status">"Reading what would change…"</p> }.into_any(),
            Some(Err(why)) => {
                return view! { <p class="muted">{format!("What would change is not known: {why}")}</p> }.into_any();
            }
            Some(Ok(then)) => {
                let now = editor
                    .live
                    .get()
                    .or_else(|| editor.saved.with(|saved| (saved.revision == 0).then(|| saved.flow.clone())));
                now.map(|now| flow::differences(&now, &then)).unwrap_or_default()
            }
        };
        let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
        view! { <ul class="differences" aria-label="What would change">{lines}</ul> }.into_any()
    };
    let note = version.note.map(|note| view! { <p>{note}</p> });
    let restores = version.restores.map(|old| view! { <p class="muted">{format!("Restores version {old}.")}</p> });
    let line = format!("{}, {}", version.by.name, untrack(|| panel.clock(version.at)));
    view! {
        <li><div role="group" aria-label=format!("Version {number}")>
            <div class="contact-line">
                <div>
                    <p class="member-name">
                        {format!("Version {number} ")}
                        {version.live.then(|| view! { <span class="state-badge tone-on">"Live"</span> })}
                    </p>
                    <p class="muted">{line}</p>
                    {note}
                    {restores}
                </div>
                {(!version.live).then(|| view! {
                    <button type="button" class="btn btn-sm" aria-label=format!("Restore version {number}") on:click=ask>"Restore…"</button>
                })}
            </div>
            <Show when=move || asking.get()>
                <div class="ask" role="group" aria-label="Restore it?">
                    <p><strong>"It is published again, as the newest version, and a draft is dropped. What changes for callers:"</strong></p>
                    {differences}
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=move |_| { asking.set(false); editor.restore(number) }>
                            {format!("Restore version {number} now")}
                        </button>
                        <button type="button" class="btn btn-sm" on:click=move |_| asking.set(false)>"Leave it as it is"</button>
                    </div>
                </div>
            </Show>
        </div></li>
    }
}
