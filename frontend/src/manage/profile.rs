//! A person's record: sign-in name, mobile number, role, the departments they answer for, and who changed them.

use std::collections::BTreeSet;

use cordboard_shared::agent::Role;
use cordboard_shared::api::users::{UserChange, UserChanged, UserHistory, UserView};
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::pii::Pii;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::{CheckField, SelectField, TextField};
use super::person::Outcome;
use crate::api;
use crate::components::top_bar::role as role_word;
use crate::model::contacts;
use crate::model::past;
use crate::panel::{Panel, use_panel};

const ROLES: [(Role, &str); 4] =
    [(Role::Agent, "agent"), (Role::Manager, "manager"), (Role::Admin, "admin"), (Role::Owner, "owner")];

fn role_key(role: Role) -> &'static str {
    ROLES.iter().find(|(known, _)| *known == role).map_or("agent", |(_, key)| key)
}

/// What a role may do, in a sentence.
fn may(key: &str) -> &'static str {
    match key {
        "owner" => "May do everything, and change the account itself and its owners.",
        "admin" => "May change people, routing and telephony.",
        "manager" => "Sees and changes the availability of the departments below.",
        _ => "Own calls and own availability.",
    }
}

/// The record, as fields. Nothing is shown as saved before the server has answered.
#[component]
pub(crate) fn Profile(id: AgentId, outcome: Outcome) -> impl IntoView {
    let saved = RwSignal::new(None::<Result<UserView, String>>);
    let load = move || {
        spawn_local(async move {
            saved.set(Some(api::get(&format!("/core/users/{id}")).await.map_err(|error| error.sentence())));
        });
    };
    load();
    move || match saved.get() {
        None => view! { <p class="muted" role="status">"Reading the record…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(person)) => view! { <Fields person=person saved=saved outcome=outcome/> }.into_any(),
    }
}

#[component]
fn Fields(person: UserView, saved: RwSignal<Option<Result<UserView, String>>>, outcome: Outcome) -> impl IntoView {
    let panel = use_panel();
    let id = person.profile.id;
    let me = panel.user_untracked();
    let is_me = me.as_ref().is_some_and(|me| me.id == id);
    let i_own = me.is_some_and(|me| me.role == Role::Owner);
    if person.profile.role == Role::Owner && !i_own {
        return view! { <p class="muted">"Only an owner changes an owner’s record."</p> }.into_any();
    }
    let mobile_now = person.mobile.as_ref().map(|number| number.0.as_str().to_owned()).unwrap_or_default();
    let email = RwSignal::new(person.profile.email.clone());
    let mobile = RwSignal::new(mobile_now.clone());
    let role = RwSignal::new(role_key(person.profile.role).to_owned());
    let manages = RwSignal::new(person.manages.clone());
    let roles: Vec<(String, String)> = ROLES
        .into_iter()
        .filter(|(role, _)| *role != Role::Owner || i_own)
        .map(|(role, key)| (key.to_owned(), role_word(role).to_owned()))
        .collect();
    let name = person.profile.name.clone();
    let save = move |_| {
        let wanted = mobile.get_untracked();
        let number = match wanted.trim() {
            "" => None,
            text => match contacts::number(text) {
                Ok(number) => Some(Pii(number)),
                Err(why) => return outcome.set(Some(Err(why))),
            },
        };
        let address = email.get_untracked().trim().to_owned();
        let chosen = role.get_untracked();
        let new_role = ROLES.iter().find(|(_, key)| *key == chosen).map(|(role, _)| *role);
        let change = UserChange {
            email: (address != person.profile.email).then_some(address),
            mobile: (number != person.mobile).then_some(number),
            role: new_role.filter(|role| *role != person.profile.role && !is_me),
            manages: Some(manages.get_untracked()).filter(|manages| *manages != person.manages),
        };
        if change == UserChange::default() {
            return outcome.set(Some(Ok("Nothing is changed.".to_owned())));
        }
        outcome.set(None);
        let body = serde_json::to_string(&change).unwrap_or_default();
        let name = name.clone();
        spawn_local(async move {
            let key = [("idempotency-key", crate::browser::uuid())];
            let answer = api::ask(Method::PATCH, &format!("/core/users/{id}"), &key, Some(body)).await;
            match answer.and_then(|answer| answer.read::<UserView>()) {
                Ok(view) => {
                    panel.roster.update(|roster| {
                        if let Some(person) = roster.people.get_mut(&id) {
                            person.profile = view.profile.clone();
                        }
                    });
                    outcome.set(Some(Ok(format!("The record of {name} is saved."))));
                    saved.set(Some(Ok(view)));
                }
                Err(error) => outcome.set(Some(Err(error.sentence()))),
            }
        });
    };
    let is_manager = Memo::new(move |_| role.get() == "manager");
    view! {
        <div class="form-grid">
            <TextField label="E-mail" kind="email" hint="The name to sign in with." value=email set=move |text| email.set(text)/>
            <TextField
                label="Mobile" kind="tel"
                hint="Where text messages such as the opt-out link go. With its country; empty is none. Calls ring it only when it is set under Telephony."
                value=mobile set=move |text| mobile.set(text)
            />
            {if is_me {
                view! { <p class="muted">"Nobody changes their own role. Ask another admin, or an owner."</p> }.into_any()
            } else {
                view! {
                    <div>
                        <SelectField label="Role" options=Signal::stored(roles) value=role set=move |key| role.set(key)/>
                        <p class="field-hint effect">{move || may(&role.get())}</p>
                    </div>
                }
                .into_any()
            }}
        </div>
        <Show when=move || is_manager.get()>
            <Manages manages=manages/>
        </Show>
        <button type="button" class="btn btn-sm btn-primary" on:click=save>"Save the record"</button>
        <Past id=id/>
    }
    .into_any()
}

#[component]
fn Manages(manages: RwSignal<BTreeSet<DepartmentId>>) -> impl IntoView {
    let panel = use_panel();
    let boxes = move || {
        panel.roster.with(|roster| {
            roster
                .groups
                .iter()
                .map(|group| {
                    let id = group.id;
                    view! {
                        <CheckField
                            label=group.name.clone()
                            value=Signal::derive(move || manages.with(|manages| manages.contains(&id)))
                            set=move |on: bool| manages.update(|manages| {
                                if on { manages.insert(id); } else { manages.remove(&id); }
                            })
                        />
                    }
                })
                .collect_view()
        })
    };
    view! {
        <fieldset>
            <legend>"Answers for"</legend>
            {boxes}
        </fieldset>
    }
}

/// Who changed the record.
#[component]
fn Past(id: AgentId) -> impl IntoView {
    let panel = use_panel();
    let history = RwSignal::new(None::<Result<UserHistory, String>>);
    spawn_local(async move {
        let read = api::get(&format!("/core/users/{id}/history")).await;
        history.set(Some(read.map_err(|error| error.sentence())));
    });
    let rows = move || match history.get() {
        None => view! { <p class="muted" role="status">"Reading what was changed…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(history)) if history.changes.is_empty() => {
            view! { <p class="muted">"Nothing was changed yet."</p> }.into_any()
        }
        Some(Ok(history)) => {
            let rows = history.changes.iter().map(|change| row(panel, change)).collect_view();
            view! { <ol class="history">{rows}</ol> }.into_any()
        }
    };
    view! {
        <section aria-label="Changes of the record">
            <h3 class="part-title">"Changes of the record"</h3>
            {rows}
        </section>
    }
}

fn row(panel: Panel, change: &UserChanged) -> impl IntoView + use<> {
    let department = |id: &str| {
        let id = id.parse().ok()?;
        panel.roster.with_untracked(|roster| roster.department(id).map(str::to_owned))
    };
    let lines: Vec<_> = change
        .changed
        .iter()
        .map(|(member, Pii([before, after]))| {
            let line = past::record(member, before, after, &department);
            view! { <p>{line}</p> }
        })
        .collect();
    view! {
        <li>
            <time datetime=change.at.to_string()>{untrack(|| panel.clock(change.at))}</time>
            <div>
                {lines}
                <p class="muted">{format!("by {}", change.actor.name)}</p>
            </div>
        </li>
    }
}
