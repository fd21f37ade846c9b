//! Calls one may take: parked ones, those that wait in an own department, and those that ring at its people.

use cordboard_shared::event::{ClientMessage, FloorCall};
use leptos::prelude::*;

use crate::model::{duration, floor};
use crate::panel::{Panel, use_panel};
use crate::telephone;

/// The list.
#[component]
pub(crate) fn FloorCalls() -> impl IntoView {
    let panel = use_panel();
    let problem = RwSignal::new(None::<String>);
    view! {
        <section class="card" aria-label="Calls you may take">
            <h2>"Calls you may take"</h2>
            <ul class="callbacks">
                <For
                    each=move || panel.floor.with(|floor| floor.calls.clone())
                    key=|call| (call.call, call.state, call.agents.clone(), call.slot.clone())
                    let:call
                >
                    {row(panel, &call, problem)}
                </For>
            </ul>
            {move || problem.get().map(|why| view! { <p class="outcome tone-bad" role="alert">{why}</p> })}
        </section>
    }
}

fn row(panel: Panel, call: &FloorCall, problem: RwSignal<Option<String>>) -> impl IntoView + use<> {
    let (action, words) = floor::floor_words(call, &|id| panel.roster.with(|roster| roster.name(id)));
    let department =
        call.department.and_then(|id| panel.roster.with(|roster| roster.department(id).map(str::to_owned)));
    let (uid, since) = (call.call, call.since);
    let waited = Memo::new(move |_| duration::timer(panel.now.get().since(since)));
    let (verb, who) = action.split_once(": ").map(|(verb, who)| (verb.to_owned(), who.to_owned())).unwrap_or_default();
    let take = move |_| {
        problem.set(None);
        telephone::place(panel, ClientMessage::Take { call: uid }, move |answer| problem.set(answer.err()));
    };
    view! {
        <li>
            <div>
                <strong class="figures">{who}</strong>
                <span class="cell-second">
                    {words}
                    {department.map(|name| format!(" · {name}"))}
                    " · "
                    <span class="figures">{move || waited.get()}</span>
                </span>
            </div>
            <button type="button" class="btn btn-sm" aria-label=action on:click=take>{verb}</button>
        </li>
    }
}
