//! The numbers of the account, and where each leads.

use cordboard_shared::api::flows::FlowList;
use cordboard_shared::api::telephony::NumberEdit;
use cordboard_shared::department::{Destination, Number};
use cordboard_shared::id::NumberId;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::{SelectField, TextField};
use super::person::{Outcome, said};
use crate::api;
use crate::components::page_title::PageTitle;
use crate::panel::{Panel, use_panel};

/// Flows as destinations: slug and name, and whether callers are refused there.
type Flows = RwSignal<Option<Result<FlowList, String>>>;

/// Everything a number can lead to.
fn destinations(panel: Panel, flows: Flows) -> Vec<(String, String)> {
    let mut options: Vec<(String, String)> = Vec::new();
    flows.with(|flows| {
        if let Some(Ok(list)) = flows {
            options.extend(list.flows.iter().map(|flow| {
                let state = match (flow.version, flow.disabled) {
                    (_, true) => " (disabled: callers are refused)",
                    (None, false) => " (not published yet)",
                    (Some(_), false) => "",
                };
                (format!("flow:{}", flow.slug), format!("Call flow {}{state}", flow.name))
            }));
        }
    });
    panel.roster.with(|roster| {
        options.extend(
            roster.groups.iter().map(|one| (format!("department:{}", one.slug), format!("Department {}", one.name))),
        );
        options.extend(roster.by_name().into_iter().filter_map(|one| {
            let extension = one.profile.extension.as_ref()?.as_str();
            Some((format!("extension:{extension}"), format!("Extension {extension}, {}", one.profile.name)))
        }));
    });
    options
}

/// The page.
#[component]
pub(crate) fn Numbers() -> impl IntoView {
    let panel = use_panel();
    let flows: Flows = RwSignal::new(None);
    spawn_local(async move {
        flows.set(Some(api::get("/core/flows").await.map_err(|error| error.sentence())));
    });
    let ids =
        Memo::new(move |_| panel.roster.with(|roster| roster.numbers.iter().map(|one| one.id).collect::<Vec<_>>()));
    let known = Memo::new(move |_| panel.roster.with(|roster| roster.me.is_some()));
    let empty = move || {
        let words = if known.get() { "No numbers yet." } else { "Reading the numbers…" };
        ids.with(Vec::is_empty).then(|| view! { <p class="card empty" role="status">{words}</p> })
    };
    let trouble = move || {
        flows.with(|flows| match flows {
            Some(Err(why)) => Some(view! { <p class="card tone-bad" role="alert">{format!("The call flows could not be read: {why}")}</p> }),
            Some(Ok(_)) | None => None,
        })
    };
    view! {
        <PageTitle title="Numbers" line=Signal::stored("Where each number leads. Several numbers may lead to one flow.".to_owned())/>
        {trouble}
        {empty}
        <ul class="cards" aria-label="Numbers">
            <For each=move || ids.get() key=|id| *id let:id>
                <Row id=id flows=flows/>
            </For>
        </ul>
    }
}

#[component]
fn Row(id: NumberId, flows: Flows) -> impl IntoView {
    let panel = use_panel();
    let number =
        Memo::new(move |_| panel.roster.with(|roster| roster.numbers.iter().find(|one| one.id == id).cloned()));
    let label = RwSignal::new(String::new());
    let leads = RwSignal::new(String::new());
    // What is typed here gives way to what the server says, whenever that changes.
    Effect::new(move |_| {
        if let Some(number) = number.get() {
            label.set(number.label);
            leads.set(number.goes_to.to_string());
        }
    });
    let outcome: Outcome = RwSignal::new(None);
    let busy = RwSignal::new(false);
    let title = Memo::new(move |_| {
        number.with(|one| one.as_ref().map(|one| one.number.as_str().to_owned()).unwrap_or_default())
    });
    let changed = Memo::new(move |_| {
        number.with(|one| {
            one.as_ref().is_some_and(|one| one.label != label.get() || one.goes_to.to_string() != leads.get())
        })
    });
    let options = Signal::derive(move || {
        let mut options = destinations(panel, flows);
        let now = leads.get();
        if !now.is_empty() && !options.iter().any(|(key, _)| *key == now) {
            options.insert(0, (now.clone(), now));
        }
        options
    });
    let save = move |_| {
        let Ok(goes_to) = Destination::try_from(leads.get_untracked()) else {
            return outcome.set(Some(Err("Choose where it leads.".to_owned())));
        };
        let edit = NumberEdit { goes_to: Some(goes_to), label: Some(label.get_untracked().trim().to_owned()) };
        let body = serde_json::to_string(&edit).unwrap_or_default();
        busy.set(true);
        outcome.set(None);
        spawn_local(async move {
            let key = [("idempotency-key", crate::browser::uuid())];
            let answer = api::ask(Method::PUT, &format!("/core/numbers/{id}"), &key, Some(body)).await;
            busy.set(false);
            outcome.set(Some(match answer {
                Ok(answer) => {
                    let now: Option<Number> = answer.read().ok();
                    panel.roster.update(|roster| {
                        if let Some(one) = roster.numbers.iter_mut().find(|one| one.id == id) {
                            if let Some(now) = now {
                                *one = now;
                            } else {
                                one.goes_to = edit.goes_to.unwrap_or_else(|| one.goes_to.clone());
                                one.label = edit.label.unwrap_or_else(|| one.label.clone());
                            }
                        }
                    });
                    Ok(format!("{} is saved; the next call goes there.", title.get_untracked()))
                }
                Err(error) => Err(error.sentence()),
            }));
        });
    };
    view! {
        <li><div class="card" role="group" aria-label=move || format!("Number {}", title.get())>
            <h2 class="figures">{move || title.get()}</h2>
            <div class="form-grid">
                <TextField label="Label" value=label set=move |text| label.set(text)/>
                <SelectField label="Leads to" options=options value=leads set=move |key| leads.set(key)/>
            </div>
            <button
                type="button" class="btn btn-sm btn-primary"
                aria-label=move || format!("Save {}", title.get())
                disabled=move || !changed.get()
                aria-busy=move || busy.get().then_some("true")
                on:click=save
            >
                "Save"
            </button>
            {move || outcome.get().map(said)}
        </div></li>
    }
}
