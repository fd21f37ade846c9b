//! The callbacks callers have asked for: whose turn has come first, then those still in line.

use cordboard_shared::api::routing::CallbackView;
use leptos::prelude::*;

use crate::callbacks;
use crate::model::duration;
use crate::panel::{Panel, use_panel};

/// The list, when there is anything on it.
#[component]
pub(crate) fn Callbacks() -> impl IntoView {
    let panel = use_panel();
    let any = Memo::new(move |_| panel.callbacks.with(|list| !list.is_empty()));
    view! {
        <Show when=move || any.get()>
            <section class="card" aria-label="Callbacks">
                <h2>"Callbacks"</h2>
                <ul class="callbacks">
                    <For each=move || panel.callbacks.get() key=|item| (item.call, item.due_at) let:item>
                        {row(panel, item)}
                    </For>
                </ul>
            </section>
        </Show>
    }
}

fn row(panel: Panel, item: CallbackView) -> impl IntoView {
    let call = item.call;
    let department =
        item.department.and_then(|id| panel.roster.with(|roster| roster.department(id).map(str::to_owned)));
    let person = item.agent.map(|id| format!("for {}", panel.roster.with(|roster| roster.name(id))));
    let place = [department, person].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let number = item.number.0.clone();
    let asked = item.asked_at;
    let since = move || {
        let waited = duration::spoken(panel.now.get().since(asked) / 60_000 * 60_000);
        format!("asked at {}, {waited} ago", panel.clock(asked))
    };
    let since = Memo::new(move |_| since());
    view! {
        <li>
            <div>
                <strong class="figures">{item.number.0}</strong>
                <span class="cell-second">{place}" · "{move || since.get()}</span>
            </div>
            {if item.due_at.is_some() {
                let dialed = number.clone();
                view! {
                    <button
                        type="button"
                        class="btn btn-sm btn-primary"
                        aria-label=format!("Call {number}")
                        on:click=move |_| callbacks::dial(panel, call, dialed.clone())
                    >
                        "Call"
                    </button>
                    <button
                        type="button"
                        class="btn btn-sm"
                        aria-label=format!("Done: {number}")
                        on:click=move |_| callbacks::done(panel, call)
                    >
                        "Done"
                    </button>
                }
                .into_any()
            } else {
                view! { <span class="muted">"in line"</span> }.into_any()
            }}
        </li>
    }
}
