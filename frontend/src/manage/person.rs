//! What can be done about one person: availability, pause, stops, slots, and what was done before.

use cordboard_shared::agent::{FactsView, Source, Toggle};
use cordboard_shared::api::availability::{BlockChange, FactChange, PresenceHistory, SlotsView, Window};
use cordboard_shared::api::outbox::OptOutLink;
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::id::AgentId;
use cordboard_shared::policy::ReachPatch;
use cordboard_shared::schedule::WeeklyHours;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::editor::Editor;
use super::form::{Findings, SelectField, TextField, TimeField};
use super::hours::HoursFields;
use super::profile::Profile;
use super::reach::ReachPatchFields;
use super::routing::SaveBar;
use crate::api;
use crate::browser::{clock, uuid};
use crate::model::past;
use crate::model::roster::Origin;
use crate::model::switch::Intent;
use crate::model::why::place;
use crate::panel::{Panel, use_panel};

/// What came of the last press.
pub(crate) type Outcome = RwSignal<Option<Result<String, String>>>;

/// Changes a fact of somebody; what is shown changes when the server has confirmed.
fn change(panel: Panel, id: AgentId, change: FactChange, outcome: Outcome) {
    let n = panel.roster.with_untracked(|roster| {
        roster.people.get(&id).and_then(|person| person.presence.as_ref()).map_or(0, |presence| presence.intent)
    });
    let slots = matches!(change, FactChange::Slots { .. });
    let intent = Intent { change, key: uuid(), n: n + 1 };
    outcome.set(None);
    spawn_local(async move {
        let name = panel.roster.with_untracked(|roster| roster.name(id));
        let said = if slots {
            // The answer to slots is the slots.
            api::change_slots(id, &intent, &panel.shells().device)
                .await
                .map(|()| format!("The slots of {name} are set."))
        } else {
            api::change_fact(id, &intent, &panel.shells().device).await.map(|presence| {
                let word = presence.effective.verdict.word();
                let now = panel.exactly_now();
                panel.roster.update(|roster| {
                    roster.presence_changed(now, presence, Origin::Answer);
                });
                format!("{name} is now: {word}.")
            })
        };
        outcome.set(Some(said.map_err(|error| error.sentence())));
    });
}

/// The panel below a person's row.
#[component]
pub(crate) fn PersonPanel(id: AgentId) -> impl IntoView {
    let panel = use_panel();
    let outcome: Outcome = RwSignal::new(None);
    let name = panel.roster.with_untracked(|roster| roster.name(id));
    let part = RwSignal::new("actions");
    let admin = Memo::new(move |_| panel.is_admin());
    let tab = move |key: &'static str, text: &'static str| {
        view! {
            <button type="button" class="chip" aria-pressed=move || (part.get() == key).to_string() on:click=move |_| part.set(key)>
                {text}
            </button>
        }
    };
    let body = move || match part.get() {
        "slots" => view! { <Slots id=id outcome=outcome/> }.into_any(),
        "record" => view! { <Profile id=id outcome=outcome/> }.into_any(),
        "reach" => view! { <OwnReach id=id/> }.into_any(),
        "history" => view! { <History id=id/> }.into_any(),
        _ => view! { <Actions id=id outcome=outcome/> }.into_any(),
    };
    view! {
        <section class="why person" aria-label=format!("Change {name}")>
            <div class="tabs" role="group" aria-label="Parts">
                {tab("actions", "Availability")}
                {tab("slots", "Slots")}
                <Show when=move || admin.get()>{tab("reach", "Reach")}{tab("record", "Record")}</Show>
                {tab("history", "History")}
            </div>
            {body}
            {move || outcome.get().map(said)}
            <p class="why-uid">"User ID " <code>{id.to_string()}</code></p>
        </section>
    }
}

/// What came of a press, in sight and in ear.
pub(crate) fn said(outcome: Result<String, String>) -> AnyView {
    match outcome {
        Ok(text) => view! { <p class="outcome tone-on" role="status">{text}</p> }.into_any(),
        Err(text) => view! { <p class="outcome tone-bad" role="alert">{text}</p> }.into_any(),
    }
}

#[component]
fn Actions(id: AgentId, outcome: Outcome) -> impl IntoView {
    let panel = use_panel();
    let presence = Memo::new(move |_| panel.roster.with(|roster| roster.people.get(&id)?.presence.clone()));
    let has = move |fact: fn(&FactsView) -> bool| {
        presence.with(|presence| presence.as_ref().is_some_and(|presence| fact(&presence.facts)))
    };
    let press = move |fact: FactChange| change(panel, id, fact, outcome);
    let reason = RwSignal::new(String::new());
    let pause_reason = RwSignal::new(String::new());
    let pause_until = RwSignal::new(None);
    let reasons = Signal::derive(move || {
        let mut options = vec![(String::new(), "No reason".to_owned())];
        panel.roster.with(|roster| options.extend(roster.away_reasons.iter().map(|word| (word.clone(), word.clone()))));
        options
    });
    let away = move |_| {
        let reason = Some(reason.get_untracked()).filter(|reason| !reason.is_empty());
        press(FactChange::Toggle(PresenceChange { reason, ..PresenceChange::to(Toggle::Away) }));
    };
    let pause = move |_| {
        let reason = pause_reason.get_untracked().trim().to_owned();
        if reason.is_empty() {
            outcome.set(Some(Err("A pause needs a reason, which the person sees.".to_owned())));
            return;
        }
        press(FactChange::Pause {
            set: Some(BlockChange { reason: Some(reason), until: pause_until.get_untracked() }),
        });
    };
    view! {
        <div class="person-parts">
            <fieldset>
                <legend>"Call Availability"</legend>
                <div class="ask-buttons">
                    <button type="button" class="btn btn-sm" on:click=move |_| press(FactChange::Toggle(PresenceChange::to(Toggle::On)))>
                        "Set Available"
                    </button>
                    <button type="button" class="btn btn-sm" on:click=away>"Set Away"</button>
                </div>
                <SelectField label="Reason for Away" options=reasons value=reason set=move |word| reason.set(word)/>
            </fieldset>
            <fieldset>
                <legend>"Pause"</legend>
                <Show
                    when=move || has(|facts| facts.pause.is_some())
                    fallback=move || view! {
                        <TextField label="Reason for the pause" value=pause_reason set=move |text| pause_reason.set(text)/>
                        <TimeField label="Ends (optional)" value=pause_until panel=panel/>
                        <button type="button" class="btn btn-sm" on:click=pause>"Pause"</button>
                    }
                >
                    <p>"Paused: the person's switch counts again when the pause ends."</p>
                    <button type="button" class="btn btn-sm" on:click=move |_| press(FactChange::Pause { set: None })>"Lift the pause"</button>
                </Show>
            </fieldset>
            <fieldset>
                <legend>"Hard stops"</legend>
                <Show when=move || has(|facts| facts.dnd.is_some())>
                    <p>"Do Not Disturb is on. Ending it is recorded, and the person is told."</p>
                    <button type="button" class="btn btn-sm" on:click=move |_| press(FactChange::Dnd { set: None })>"End Do Not Disturb"</button>
                </Show>
                <Show
                    when=move || has(|facts| facts.opt_out.is_some())
                    fallback=move || view! {
                        <p class="muted">"Call Reception off: no business call rings, until it is undone."</p>
                        <button
                            type="button"
                            class="btn btn-sm"
                            on:click=move |_| press(FactChange::OptOut { set: Some(BlockChange::default()) })
                        >
                            "Opt out"
                        </button>
                    }
                >
                    <p>"Opted out of business calls."</p>
                    <button type="button" class="btn btn-sm" on:click=move |_| press(FactChange::OptOut { set: None })>
                        "Resume business calls"
                    </button>
                </Show>
                <Link id=id outcome=outcome/>
            </fieldset>
        </div>
    }
}

/// Makes the person's opt-out link and sends it.
#[component]
fn Link(id: AgentId, outcome: Outcome) -> impl IntoView {
    let send = move |_| {
        spawn_local(async move {
            let path = format!("/core/agents/{id}/opt-out-link");
            let sent: Result<OptOutLink, _> = api::post(&path, &serde_json::json!({})).await;
            outcome.set(Some(match sent {
                Ok(link) => Ok(format!("The link is {}. The message is in Messages.", link.url.0)),
                Err(error) => Err(error.sentence()),
            }));
        });
    };
    view! { <button type="button" class="btn btn-sm" on:click=send>"Send the opt-out link"</button> }
}

/// The person's own word on the rules of the account; part of the policy's draft.
#[component]
fn OwnReach(id: AgentId) -> impl IntoView {
    let editor: Editor = expect_context();
    let value = Signal::derive(move || editor.draft.with(|policy| policy.people.get(&id).cloned().unwrap_or_default()));
    let set = move |patch: ReachPatch| {
        editor.edit(|policy| {
            if patch == ReachPatch::default() {
                policy.people.remove(&id);
            } else {
                policy.people.insert(id, patch);
            }
        });
    };
    view! {
        <SaveBar/>
        <p class="muted">"Narrower than the account, never wider. Hard stops hold whatever is set here."</p>
        <ReachPatchFields value=value set=set/>
        <Findings at=Signal::derive(move || format!("/people/{id}")) below=true/>
    }
}

#[component]
fn Slots(id: AgentId, outcome: Outcome) -> impl IntoView {
    let panel = use_panel();
    let saved = RwSignal::new(None::<Result<SlotsView, String>>);
    let draft = RwSignal::new(WeeklyHours::default());
    let load = move || {
        spawn_local(async move {
            let day = clock::field(panel.exactly_now(), &untrack(|| panel.zone()));
            let date = day.split('T').next().unwrap_or_default();
            let got = api::get::<SlotsView>(&format!("/core/agents/{id}/slots?date={date}")).await;
            if let Ok(view) = &got {
                draft.set(view.slots.clone());
            }
            saved.set(Some(got.map_err(|error| error.sentence())));
        });
    };
    load();
    // The server says when they are set; its preview is the truth about daylight saving.
    Effect::new(move |_| {
        if outcome.with(|outcome| matches!(outcome, Some(Ok(_)))) {
            load();
        }
    });
    let preview = move || {
        saved.with(|saved| match saved {
            None => view! { <p class="muted" role="status">"Reading the slots…"</p> }.into_any(),
            Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why.clone()}</p> }.into_any(),
            Some(Ok(view)) if view.slots.open.is_empty() => {
                view! { <p class="muted">"Set now: no window, always inside."</p> }.into_any()
            }
            Some(Ok(view)) => {
                let zone = view.slots.zone.clone().unwrap_or_else(|| panel.zone());
                let windows = view
                    .preview
                    .iter()
                    .map(|window| {
                        view! {
                            <li>{stretch(window, &zone)}</li>
                        }
                    })
                    .collect_view();
                view! { <ul>{windows}</ul> }.into_any()
            }
        })
    };
    view! {
        <div class="two-columns">
            <div>
                <HoursFields value=draft set=move |hours| draft.set(hours) holidays=false/>
                <button
                    type="button"
                    class="btn btn-sm btn-primary"
                    on:click=move |_| change(panel, id, FactChange::Slots { set: draft.get_untracked() }, outcome)
                >
                    "Save the slots"
                </button>
            </div>
            <section class="hours-week" aria-label="The next 7 days, as set now">
                <h4>"The next 7 days, as set now"</h4>
                {preview}
            </section>
        </div>
    }
}

/// `Mon 23 Nov 09:00 to 17:00`, with the day of the end when it is another one.
fn stretch(window: &Window, zone: &str) -> String {
    let (from, to) = (clock::weekday(window.from, zone), clock::weekday(window.to, zone));
    let end = clock::time(window.to, zone);
    let end = if from == to { end } else { format!("{to} {end}") };
    format!("{from} {} to {end}", clock::time(window.from, zone))
}

#[component]
fn History(id: AgentId) -> impl IntoView {
    let panel = use_panel();
    let pages = RwSignal::new(None::<Result<PresenceHistory, String>>);
    let load = move |cursor: Option<String>| {
        spawn_local(async move {
            let mut path = format!("/core/agents/{id}/presence/history");
            if let Some(cursor) = &cursor {
                path = format!("{path}?cursor={}", String::from(js_sys::encode_uri_component(cursor)));
            }
            match api::get::<PresenceHistory>(&path).await {
                Ok(page) => pages.update(|pages| match pages {
                    Some(Ok(known)) if cursor.is_some() => {
                        known.changes.extend(page.changes);
                        known.next = page.next;
                    }
                    _ => *pages = Some(Ok(page)),
                }),
                Err(error) => pages.set(Some(Err(error.sentence()))),
            }
        });
    };
    // Anew with each version of the facts.
    let version =
        Memo::new(move |_| panel.roster.with(|roster| Some(roster.people.get(&id)?.presence.as_ref()?.version)));
    Effect::new(move |_| {
        version.track();
        load(None);
    });
    let body = move || match pages.get() {
        None => view! { <p class="muted" role="status">"Reading the history…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(page)) if page.changes.is_empty() => {
            view! { <p class="muted">"Nothing was changed yet."</p> }.into_any()
        }
        Some(Ok(page)) => {
            let next = page.next.clone();
            let rows = page
                .changes
                .iter()
                .map(|change| {
                    let what = past::lines(change, &|at| panel.clock(at));
                    view! {
                        <li>
                            <time datetime=change.at.to_string()>{panel.clock(change.at)}</time>
                            <div>
                                {what.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
                                <p class="muted">
                                    {format!("by {}{}", change.actor.name, if change.source == Source::System { "" } else { place(change.source) })}
                                    {change.note.as_ref().map(|note| format!(": {note}"))}
                                </p>
                            </div>
                        </li>
                    }
                })
                .collect_view();
            view! {
                <ol class="history">{rows}</ol>
                {next.map(|cursor| view! {
                    <button type="button" class="btn btn-sm" on:click=move |_| load(Some(cursor.clone()))>"Older changes"</button>
                })}
            }
            .into_any()
        }
    };
    view! { <section aria-label="History">{body}</section> }
}
