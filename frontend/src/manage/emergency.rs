//! Emergency routes: named, with a reason and an end, shown to all whom they can reach.

use cordboard_shared::api::policy::{EmergencyList, StartEmergency};
use cordboard_shared::id::{DepartmentId, EmergencyId};
use cordboard_shared::policy::{EMERGENCY_USUAL_MS, EmergencyRoute};
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::{CheckField, SelectField, TextField, options, put};
use super::person::said;
use crate::api;
use crate::components::page_title::PageTitle;
use crate::panel::{Panel, use_panel};

const LENGTHS: [(&str, &str); 5] =
    [("1", "1 hour"), ("2", "2 hours"), ("4", "4 hours"), ("8", "8 hours"), ("24", "24 hours")];
const HOUR_MS: u64 = 3_600_000;

/// The page.
#[component]
pub(crate) fn Emergency() -> impl IntoView {
    let panel = use_panel();
    let routes = RwSignal::new(None::<Result<Vec<EmergencyRoute>, String>>);
    let outcome = RwSignal::new(None::<Result<String, String>>);
    let load = move || {
        spawn_local(async move {
            let list: Result<EmergencyList, _> = api::get("/core/emergencies").await;
            if let Ok(list) = &list {
                panel.notices.update(|notices| notices.emergencies.clone_from(&list.emergencies));
            }
            routes.set(Some(list.map(|list| list.emergencies).map_err(|error| error.sentence())));
        });
    };
    Effect::new(move |_| {
        panel.policy_version.track();
        load();
    });
    let stop = move |id: EmergencyId| {
        spawn_local(async move {
            let ended = api::ask(Method::DELETE, &format!("/core/emergencies/{id}"), &[], None).await;
            outcome.set(Some(
                ended.map(|_| "The emergency route has ended.".to_owned()).map_err(|error| error.sentence()),
            ));
            load();
        });
    };
    let list = move || match routes.get() {
        None => view! { <p class="empty" role="status">"Reading…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(routes)) => {
            let now = panel.exactly_now();
            let rows: Vec<_> =
                routes.into_iter().filter(|route| route.ends > now).map(|route| row(panel, &route, stop)).collect();
            if rows.is_empty() {
                view! { <p class="empty">"No emergency route runs."</p> }.into_any()
            } else {
                view! { <ul class="callbacks">{rows}</ul> }.into_any()
            }
        }
    };
    view! {
        <PageTitle title="Emergency" line=Signal::stored("An emergency route reaches people who are Away or off schedule. It never reaches Do Not Disturb or a pause.".to_owned())/>
        <div class="two-columns">
            <section class="card" aria-label="Running now">
                <h2>"Running now"</h2>
                {list}
            </section>
            <Start outcome=outcome done=load/>
        </div>
        {move || outcome.get().map(said)}
    }
}

fn row(panel: Panel, route: &EmergencyRoute, stop: impl Fn(EmergencyId) + 'static) -> AnyView {
    let id = route.id;
    let departments = if route.departments.is_empty() {
        "all departments".to_owned()
    } else {
        let names = panel.roster.with_untracked(|roster| {
            route.departments.iter().filter_map(|id| roster.department(*id).map(str::to_owned)).collect::<Vec<_>>()
        });
        names.join(", ")
    };
    view! {
        <li>
            <div>
                <strong>{route.name.clone()}</strong>
                <span class="cell-second">{format!("{departments}, until {}, started by {}: {}", panel.clock(route.ends), route.by.name, route.reason)}</span>
            </div>
            <button type="button" class="btn btn-sm" aria-label=format!("Stop {}", route.name) on:click=move |_| stop(id)>"Stop"</button>
        </li>
   }
    .into_any()
}

#[component]
fn Start(outcome: RwSignal<Option<Result<String, String>>>, done: impl Fn() + Copy + Send + 'static) -> impl IntoView {
    let panel = use_panel();
    let name = RwSignal::new(String::new());
    let reason = RwSignal::new(String::new());
    let hours = RwSignal::new((EMERGENCY_USUAL_MS / HOUR_MS).to_string());
    let departments = RwSignal::new(Vec::<DepartmentId>::new());
    let groups = Memo::new(move |_| panel.roster.with(|roster| roster.groups.clone()));
    let start = move |_| {
        let (name_text, reason_text) =
            (name.get_untracked().trim().to_owned(), reason.get_untracked().trim().to_owned());
        if name_text.is_empty() || reason_text.is_empty() {
            outcome.set(Some(Err("An emergency route needs a name and a reason.".to_owned())));
            return;
        }
        let length = hours.get_untracked().parse::<u64>().unwrap_or(2) * HOUR_MS;
        let request = StartEmergency {
            name: name_text.clone(),
            reason: reason_text,
            departments: departments.get_untracked(),
            until: Some(panel.exactly_now() + length),
        };
        spawn_local(async move {
            let body = serde_json::to_string(&request).unwrap_or_default();
            let key = [("idempotency-key", crate::browser::uuid())];
            let started = api::ask(Method::POST, "/core/emergencies", &key, Some(body)).await;
            let ok = started.is_ok();
            outcome.set(Some(
                started.map(|_| format!("The emergency route “{name_text}” runs.")).map_err(|error| error.sentence()),
            ));
            if ok {
                name.set(String::new());
                reason.set(String::new());
            }
            done();
        });
    };
    view! {
        <section class="card" aria-label="Start an emergency route">
            <h2>"Start an emergency route"</h2>
            <TextField label="Name" value=name set=move |text| name.set(text)/>
            <TextField label="Reason" hint="Everybody it can reach reads it." value=reason set=move |text| reason.set(text)/>
            <SelectField label="Ends after" options=options(&LENGTHS) value=hours set=move |length| hours.set(length)/>
            <fieldset>
                <legend>"Departments (none is all)"</legend>
                {move || groups.get().into_iter().map(|group| {
                    let id = group.id;
                    view! {
                        <CheckField
                            label=group.name
                            value=Signal::derive(move || departments.with(|chosen| chosen.contains(&id)))
                            set=move |on| departments.update(|chosen| put(chosen, id, on))
                        />
                    }
                }).collect_view()}
            </fieldset>
            <button type="button" class="btn btn-primary" on:click=start>"Start now"</button>
        </section>
    }
}
