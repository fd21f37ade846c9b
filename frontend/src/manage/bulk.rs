//! One change for many people: choose, preview, apply, and the way back for ten minutes.

use cordboard_shared::agent::Toggle;
use cordboard_shared::api::availability::{BatchAnswer, BatchItem, BatchRequest, BlockChange, FactChange, SlotsView};
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::id::AgentId;
use cordboard_shared::schedule::WeeklyHours;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::{SelectField, TextField, TimeField, options, put};
use super::hours::HoursFields;
use super::impact::impact;
use super::team::{Filter, FilterFields};
use crate::api;
use crate::components::badge::VerdictBadge;
use crate::components::page_title::PageTitle;
use crate::model::bulk::{self, Before, Undo};
use crate::model::duration;
use crate::panel::{Panel, use_panel};

/// The way back from the last change, while there is one; it outlives a look at another page.
#[derive(Clone, Copy)]
pub(crate) struct Undoable(pub(crate) RwSignal<Option<Undo>>);

const CHANGES: [(&str, &str); 8] = [
    ("away", "Set Away"),
    ("on", "Set Available"),
    ("pause", "Pause"),
    ("lift", "Lift the pause"),
    ("end-dnd", "End Do Not Disturb"),
    ("opt-out", "Opt out (Call Reception off)"),
    ("resume", "Resume business calls"),
    ("slots", "Set the availability slots"),
];

/// What is chosen on the page.
#[derive(Clone, Copy)]
struct Choice {
    people: RwSignal<Vec<AgentId>>,
    kind: RwSignal<String>,
    reason: RwSignal<String>,
    until: RwSignal<Option<cordboard_shared::Millis>>,
    hours: RwSignal<WeeklyHours>,
}

impl Choice {
    /// The change, or what is missing.
    fn change(self) -> Result<FactChange, String> {
        let reason = Some(self.reason.get_untracked().trim().to_owned()).filter(|reason| !reason.is_empty());
        let until = self.until.get_untracked();
        Ok(match self.kind.get_untracked().as_str() {
            "on" => FactChange::Toggle(PresenceChange::to(Toggle::On)),
            "pause" if reason.is_none() => return Err("A pause needs a reason, which the people see.".to_owned()),
            "pause" => FactChange::Pause { set: Some(BlockChange { reason, until }) },
            "lift" => FactChange::Pause { set: None },
            "end-dnd" => FactChange::Dnd { set: None },
            "opt-out" => FactChange::OptOut { set: Some(BlockChange { reason, until: None }) },
            "resume" => FactChange::OptOut { set: None },
            "slots" => FactChange::Slots { set: self.hours.get_untracked() },
            _ => FactChange::Toggle(PresenceChange { reason, until, ..PresenceChange::to(Toggle::Away) }),
        })
    }

    fn items(self) -> Result<Vec<BatchItem>, String> {
        let change = self.change()?;
        let people = self.people.get_untracked();
        if people.is_empty() {
            return Err("Select at least one person.".to_owned());
        }
        Ok(people.into_iter().map(|agent| BatchItem { agent, change: change.clone() }).collect())
    }
}

async fn send(items: Vec<BatchItem>, dry_run: bool) -> Result<BatchAnswer, String> {
    api::post("/core/presence/batch", &BatchRequest { dry_run, items }).await.map_err(|error| error.sentence())
}

/// Bulk changes.
#[component]
pub(crate) fn Bulk() -> impl IntoView {
    let panel = use_panel();
    let filter = Filter::new();
    let choice = Choice {
        people: RwSignal::new(Vec::new()),
        kind: RwSignal::new("away".to_owned()),
        reason: RwSignal::new(String::new()),
        until: RwSignal::new(None),
        hours: RwSignal::new(WeeklyHours::default()),
    };
    let answer = RwSignal::new(None::<Result<BatchAnswer, String>>);
    let busy = RwSignal::new(false);
    // A preview is of what was chosen then.
    Effect::new(move |_| {
        choice.people.track();
        choice.kind.track();
        choice.reason.track();
        choice.until.track();
        choice.hours.track();
        answer.set(None);
    });
    let preview = move |_| match choice.items() {
        Err(why) => answer.set(Some(Err(why))),
        Ok(items) => {
            busy.set(true);
            spawn_local(async move {
                let previewed = send(items, true).await;
                busy.set(false);
                answer.set(Some(previewed));
            });
        }
    };
    let Undoable(undoable) = expect_context();
    let apply = move |_| {
        let Ok(items) = choice.items() else { return };
        let Ok(change) = choice.change() else { return };
        busy.set(true);
        spawn_local(async move {
            let before = before(panel, &items, &change).await;
            let applied = send(items, false).await;
            busy.set(false);
            if let Ok(done) = &applied {
                undoable.set(Undo::of(panel.exactly_now(), &change, &before, &done.results));
                let changed = done.results.iter().filter(|result| result.changed).count() as u64;
                panel.tell(format!("{} changed.", duration::count(changed, "person").replace("persons", "people")));
            }
            answer.set(Some(applied));
        });
    };
    let previewed = move || answer.with(|answer| matches!(answer, Some(Ok(answer)) if answer.dry_run));
    view! {
        <PageTitle title="Bulk change" line=Signal::stored("Select people, choose a change, look at the preview, apply. Undo for 10 minutes.".to_owned())/>
        <UndoBar/>
        <div class="bulk">
            <section class="card" aria-label="People">
                <FilterFields filter=filter/>
                <People filter=filter chosen=choice.people/>
            </section>
            <section class="card" aria-label="Change">
                <ChangeFields choice=choice/>
                <div class="button-row">
                    <button type="button" class="btn btn-primary" aria-busy=move || busy.get().then_some("true") on:click=preview>
                        "Preview"
                    </button>
                    <button type="button" class="btn" disabled=move || !previewed() || busy.get() on:click=apply>"Apply"</button>
                </div>
                {move || answer.get().map(|answer| results(panel, answer))}
            </section>
        </div>
    }
}

/// How the people are before the change, for the way back.
async fn before(panel: Panel, items: &[BatchItem], change: &FactChange) -> Vec<Before> {
    let mut known = Vec::new();
    for item in items {
        let presence = panel.roster.with_untracked(|roster| roster.people.get(&item.agent)?.presence.clone());
        let slots = if matches!(change, FactChange::Slots { .. }) {
            let view = api::get::<SlotsView>(&format!("/core/agents/{}/slots", item.agent)).await;
            view.ok().map(|view| view.slots)
        } else {
            None
        };
        if let Some(presence) = presence {
            known.push((presence, slots));
        }
    }
    known
}

#[component]
fn People(filter: Filter, chosen: RwSignal<Vec<AgentId>>) -> impl IntoView {
    let panel = use_panel();
    let people = Memo::new(move |_| filter.people(panel));
    let all = move |on: bool| {
        let people = people.get_untracked();
        chosen.update(|chosen| people.into_iter().for_each(|id| put(chosen, id, on)));
    };
    view! {
        <div class="button-row">
            <button type="button" class="btn btn-sm" on:click=move |_| all(true)>"Select all shown"</button>
            <button type="button" class="btn btn-sm" on:click=move |_| all(false)>"Select none"</button>
            <span class="muted" role="status">{move || format!("{} selected", chosen.with(Vec::len))}</span>
        </div>
        <ul class="bulk-people" aria-label="People to change">
            <For each=move || people.get() key=|id| *id let:id>
                <li>
                    <label class="check">
                        <input
                            type="checkbox"
                            class="tickbox"
                            prop:checked=move || chosen.with(|chosen| chosen.contains(&id))
                            on:change=move |event| {
                                let on = event_target_checked(&event);
                                chosen.update(|chosen| put(chosen, id, on));
                            }
                        />
                        <span>{panel.roster.with_untracked(|roster| roster.name(id))}</span>
                    </label>
                    {move || panel.roster.with(|roster| roster.people.get(&id)?.presence.as_ref().map(|presence| presence.effective.verdict))
                        .map(|verdict| view! { <VerdictBadge verdict=verdict/> })}
                </li>
            </For>
        </ul>
    }
}

#[component]
fn ChangeFields(choice: Choice) -> impl IntoView {
    let panel = use_panel();
    let kind = move || choice.kind.get();
    view! {
        <SelectField label="Change" options=options(&CHANGES) value=choice.kind set=move |kind| choice.kind.set(kind)/>
        <Show when=move || matches!(kind().as_str(), "away" | "pause" | "opt-out")>
            <TextField label="Reason" value=choice.reason set=move |text| choice.reason.set(text)/>
        </Show>
        <Show when=move || matches!(kind().as_str(), "away" | "pause")>
            <TimeField label="Until (optional)" value=choice.until panel=panel/>
        </Show>
        <Show when=move || kind() == "slots">
            <HoursFields value=choice.hours set=move |hours| choice.hours.set(hours) holidays=false/>
        </Show>
    }
}

fn results(panel: Panel, answer: Result<BatchAnswer, String>) -> AnyView {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
    };
    let rows = answer
        .results
        .iter()
        .map(|result| {
            let tone = match (&result.problem, result.locked_out) {
                (Some(_), _) => "tone-bad",
                (None, true) => "tone-warn",
                (None, false) => "",
            };
            let name = panel.roster.with_untracked(|roster| roster.name(result.agent));
            view! { <tr><th scope="row">{name}</th><td class=tone>{bulk::words(result)}</td></tr> }
        })
        .collect_view();
    let title = if answer.dry_run { "Preview: nothing is changed yet" } else { "Done" };
    view! {
        <section aria-label="Result" class="bulk-result">
            <h3>{title}</h3>
            {impact(panel, &answer.impact)}
            <div class="table-scroll" role="region" aria-label="Result by person, scrollable" tabindex="0">
                <table class="log-table" aria-label="Result by person">
                    <thead><tr><th scope="col">"Person"</th><th scope="col">"What happens"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn UndoBar() -> impl IntoView {
    let panel = use_panel();
    let Undoable(undoable) = expect_context();
    let outcome = RwSignal::new(None::<Result<String, String>>);
    let open = Memo::new(move |_| undoable.with(|undo| undo.as_ref().is_some_and(|undo| undo.until > panel.now.get())));
    let left =
        move || undoable.with(|undo| undo.as_ref().map(|undo| duration::short(undo.until.since(panel.now.get()))));
    let undo = move |_| {
        let Some(undo) = undoable.get_untracked() else { return };
        spawn_local(async move {
            match send(undo.items, false).await {
                Ok(answer) => {
                    undoable.set(None);
                    let refused = answer.results.iter().filter(|result| result.problem.is_some()).count();
                    outcome.set(Some(if refused == 0 {
                        Ok("Undone: everybody is as before.".to_owned())
                    } else {
                        Err(format!(
                            "Undone but for {}, who could not be changed back.",
                            duration::count(refused as u64, "person")
                        ))
                    }));
                }
                Err(why) => outcome.set(Some(Err(why))),
            }
        });
    };
    view! {
        <Show when=move || open.get()>
            <section class="note-bar tone-away card" aria-label="Undo">
                <p>"The last bulk change can be undone for "{left}"."</p>
                <button type="button" class="btn btn-sm" on:click=undo>"Undo the change"</button>
            </section>
        </Show>
        {move || outcome.get().map(super::person::said)}
    }
}
