//! If this number were called now, or then: who would ring, in what order, until when, and why not the others.

use cordboard_shared::Millis;
use cordboard_shared::agent::Toggle;
use cordboard_shared::api::routing::{SimulateAnswer, SimulateOverride, SimulateRequest};
use cordboard_shared::id::AgentId;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::editor::Editor;
use super::form::{CheckField, SelectField, TextField, TimeField};
use crate::api;
use crate::components::page_title::PageTitle;
use crate::components::why_region::why_steps;
use crate::model::strip;
use crate::panel::{Panel, use_panel};

/// A person as they would be, in a word of the form.
fn override_of(agent: AgentId, word: &str) -> Option<SimulateOverride> {
    let one = |state, device| Some(SimulateOverride { agent, state, device });
    match word {
        "on" => one(Some(Toggle::On), Some(true)),
        "away" => one(Some(Toggle::Away), None),
        "no-device" => one(None, Some(false)),
        _ => None,
    }
}

/// What-if.
#[component]
pub(crate) fn WhatIf() -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let to = RwSignal::new(String::new());
    let from = RwSignal::new(String::new());
    let at = RwSignal::new(None::<Millis>);
    let edited = RwSignal::new(false);
    let person = RwSignal::new(String::new());
    let state = RwSignal::new("away".to_owned());
    let answer = RwSignal::new(None::<Result<SimulateAnswer, String>>);
    let busy = RwSignal::new(false);
    let targets = Signal::derive(move || targets(panel));
    let people = Signal::derive(move || {
        let mut options = vec![(String::new(), "Everybody as they are".to_owned())];
        panel.roster.with(|roster| {
            options
                .extend(roster.by_name().into_iter().map(|one| (one.profile.id.to_string(), one.profile.name.clone())));
        });
        options
    });
    let states = Signal::stored(
        [("away", "Away"), ("on", "Available, with a device"), ("no-device", "No device that can ring")]
            .map(|(key, name)| (key.to_owned(), name.to_owned()))
            .to_vec(),
    );
    let ask = move |_| {
        let first = targets.with_untracked(|targets| targets.first().map(|(key, _)| key.clone()).unwrap_or_default());
        let to = Some(to.get_untracked()).filter(|to| !to.is_empty()).unwrap_or(first);
        let overrides = person.get_untracked().parse().ok().and_then(|id| override_of(id, &state.get_untracked()));
        let request = SimulateRequest {
            to,
            from: Some(from.get_untracked().trim().to_owned()).filter(|from| !from.is_empty()),
            at: at.get_untracked(),
            overrides: overrides.into_iter().collect(),
            policy: edited.get_untracked().then(|| Box::new(editor.draft.get_untracked())),
        };
        busy.set(true);
        spawn_local(async move {
            let said = api::post("/core/route/simulate", &request).await.map_err(|error| error.sentence());
            busy.set(false);
            answer.set(Some(said));
        });
    };
    view! {
        <PageTitle title="What-if" line=Signal::stored("The engine that routes answers, on the state of now or of an instant you name. Nothing is called and nothing changes.".to_owned())/>
        <section class="card what-if" aria-label="Question">
            <div class="form-grid">
                <SelectField label="Number called" options=targets value=to set=move |key| to.set(key)/>
                <TextField label="Caller's number (optional)" value=from set=move |text| from.set(text)/>
                <TimeField label="At (empty is now)" value=at panel=panel/>
                <SelectField label="Assume somebody" options=people value=person set=move |key| person.set(key)/>
                <SelectField label="In this state" options=states value=state set=move |key| state.set(key)/>
            </div>
            <Show when=move || editor.is_changed()>
                <CheckField label="Under my unsaved changes of the rules" value=edited set=move |on| edited.set(on)/>
            </Show>
            <button type="button" class="btn btn-primary" aria-busy=move || busy.get().then_some("true") on:click=ask>
                "Who would ring?"
            </button>
        </section>
        {move || answer.get().map(|answer| shown(panel, answer))}
    }
}

/// Numbers, departments and people one can ask about.
fn targets(panel: Panel) -> Vec<(String, String)> {
    panel.roster.with(|roster| {
        let numbers = roster.numbers.iter().map(|one| {
            let number = one.number.as_str().to_owned();
            (number.clone(), format!("{number} · {}", one.label))
        });
        let groups =
            roster.groups.iter().map(|one| (format!("department:{}", one.slug), format!("Department {}", one.name)));
        let people = roster.by_name().into_iter().filter_map(|one| {
            let extension = one.profile.extension.as_ref()?.as_str();
            Some((format!("extension:{extension}"), format!("Extension {extension}, {}", one.profile.name)))
        });
        numbers.chain(groups).chain(people).collect()
    })
}

fn shown(panel: Panel, answer: Result<SimulateAnswer, String>) -> AnyView {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return view! { <p class="card tone-bad" role="alert">{why}</p> }.into_any(),
    };
    let rings = answer
        .rings
        .iter()
        .map(|ring| {
            let name = panel.roster.with_untracked(|roster| roster.name(ring.agent));
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="figures">{strip::span(ring.from_ms, ring.until_ms)}</td>
                    <td>{ring.why.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    let nobody = answer.rings.is_empty();
    let assumptions = answer.assumptions.iter().map(|text| view! { <li>{text.clone()}</li> }).collect_view();
    let end = format!(
        "{}, after {}",
        strip::outcome(&answer.outcome),
        crate::model::duration::short(answer.outcome.after_ms)
    );
    view! {
        <section class="card" aria-label="Answer">
            <h2>"Who would ring, if nobody answered"</h2>
            <p class="muted" role="status">{format!("At {}, rules {}, state {}.", panel.clock(answer.at), answer.policy_version, answer.state_version)}</p>
            {if nobody {
                view! { <p><strong>"Nobody would ring."</strong></p> }.into_any()
            } else {
                view! {
                    <div class="table-scroll" role="region" aria-label="Rings, scrollable" tabindex="0">
                        <table class="log-table" aria-label="Rings">
                            <thead><tr><th scope="col">"Person"</th><th scope="col">"Rings"</th><th scope="col">"Why"</th></tr></thead>
                            <tbody>{rings}</tbody>
                        </table>
                    </div>
                }
                .into_any()
            }}
            <p class="what-if-end"><strong>"Then: "</strong>{end}</p>
            <section class="why" aria-label="Why it would go there">
                <h3>"Why it would go there"</h3>
                {why_steps(panel, &answer.decisions)}
            </section>
            <h3 class="part-title">"Assumptions"</h3>
            <ul class="impact">{assumptions}</ul>
        </section>
    }
    .into_any()
}
