//! The desk: am I reachable, what happens today, who else is there.

use crate::model::log::{self, Progress};
use crate::model::roster::Roster;
use crate::model::route::Route;
use crate::model::{duration, switch};
use cordboard_shared::agent::Verdict;
use cordboard_shared::call::CallView;
use leptos::prelude::*;

use crate::browser::clock;
use crate::calls;
use crate::chunk::{Chunk, Lazy};
use crate::components::badge;
use crate::components::callbacks::Callbacks;
use crate::components::device_check::GetReady;
use crate::components::icon::Glyph;
use crate::components::link::Link;
use crate::components::outcome::{outcome, voicemail};
use crate::components::page_title::PageTitle;
use crate::components::test_call::TestCall;
use crate::panel::{Panel, use_panel};

/// The desk.
#[component]
pub(crate) fn Desk() -> impl IntoView {
    let panel = use_panel();
    let today = Signal::derive(move || clock::long_day(panel.now.get(), &panel.zone()));
    let today = Memo::new(move |_| today.get());
    view! {
        <PageTitle title="Desk" line=Signal::derive(move || today.get())/>
        <div class="desk">
            <div class="desk-main">
                <GetReady/>
                <Reachable/>
                <Today/>
            </div>
            <div class="desk-side">
                <Floor/>
                <Departments/>
                <Callbacks/>
                <Lazy chunk=Chunk::CallOut/>
                <TestCall/>
            </div>
        </div>
    }
}

/// Calls one may take, when there are any.
#[component]
fn Floor() -> impl IntoView {
    let panel = use_panel();
    let any = Memo::new(move |_| panel.floor.with(|floor| !floor.calls.is_empty()));
    view! { <Show when=move || any.get()><Lazy chunk=Chunk::Floor/></Show> }
}

/// One large sentence: can a call reach me?
#[component]
fn Reachable() -> impl IntoView {
    let panel = use_panel();
    let shown = Memo::new(move |_| {
        panel
            .presence()
            .map(|presence| (presence.effective.verdict, switch::sentence(&presence, &|at| panel.clock(at))))
    });
    let alone = Memo::new(move |_| panel.roster.with(|roster| roster.my_departments().is_empty()));
    move || {
        let Some((verdict, sentence)) = shown.get() else {
            return view! { <section class="card reachable tone-away" aria-busy="true"><p>"Asking the server…"</p></section> }
                .into_any();
        };
        view! {
            <section class=format!("card reachable {}", badge::tone(verdict)) aria-label="Your state">
                <span class="reachable-disc"><Glyph icon=badge::icon(verdict)/></span>
                <div>
                    <p class="reachable-word">{headline(verdict)}</p>
                    <p>{sentence}</p>
                    {move || alone.get().then(|| view! {
                        <p class="muted">"You are in no department, so department calls cannot reach you."</p>
                    })}
                </div>
            </section>
        }
        .into_any()
    }
}

fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Available => "You are available",
        Verdict::Ringing => "Your phone rings",
        Verdict::OnCall => "You are on a call",
        Verdict::AfterCallWork => "After-call work",
        Verdict::Away => "You are away",
        Verdict::Dnd => "Do Not Disturb",
        Verdict::OptedOut => "You have opted out",
        Verdict::Paused => "You are paused",
        Verdict::OffSchedule => "You are off schedule",
        Verdict::NoDevice => "You cannot be rung yet",
        Verdict::Disabled => "Your seat is disabled",
    }
}

/// The calls since midnight.
#[component]
fn Today() -> impl IntoView {
    let panel = use_panel();
    let start = Memo::new(move |_| {
        let start = clock::start_of_day(panel.now.get(), &panel.zone());
        // Seconds of drift must not make a new list every second.
        cordboard_shared::Millis(start.0 / 60_000 * 60_000)
    });
    let rows = Memo::new(move |_| panel.log.with(|log| log.since(start.get())));
    let body = move || {
        let rows = rows.get();
        if rows.is_empty() {
            return empty(panel).into_any();
        }
        view! { <ul class="today">{rows.iter().take(8).map(|call| row(panel, call)).collect_view()}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="today-title">
            <div class="card-head">
                <h2 id="today-title">"Calls today"</h2>
                <Link to=Route::Calls>"Whole call log"</Link>
            </div>
            {body}
        </section>
    }
}

fn empty(panel: Panel) -> impl IntoView {
    match panel.log.with(|log| log.progress().clone()) {
        Progress::Idle | Progress::Loading => {
            view! { <p class="empty" role="status">"Loading today's calls…"</p> }.into_any()
        }
        Progress::Failed(why) => view! {
            <div class="empty" role="alert">
                <p>{why}</p>
                <button type="button" class="btn btn-sm" on:click=move |_| calls::load_first(panel)>"Retry"</button>
            </div>
        }
        .into_any(),
        Progress::Loaded => {
            let others = move || panel.roster.with(others);
            view! { <p class="empty">"No calls yet today. " {others}</p> }.into_any()
        }
    }
}

/// `You are Available; 3 others in Support can take calls.`
fn others(roster: &Roster) -> String {
    let word = roster
        .myself()
        .and_then(|me| me.presence.as_ref())
        .map(|presence| format!("Your state: {}. ", presence.effective.verdict.word()))
        .unwrap_or_default();
    let departments: Vec<String> = roster
        .my_departments()
        .into_iter()
        .map(|department| format!("{} can take calls in {}", roster.reachable(department).0, department.name))
        .collect();
    if departments.is_empty() { word } else { format!("{word}{}.", departments.join(", ")) }
}

fn row(panel: Panel, call: &CallView) -> impl IntoView + use<> {
    let caller = log::caller(call);
    let department =
        call.department.and_then(|id| panel.roster.with(|roster| roster.department(id).map(str::to_owned)));
    let agent = call.agent.map(|id| panel.roster.with(|roster| roster.name(id)));
    let line = [department, agent].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let message = log::voicemail(call).cloned();
    view! {
        <li>
            <time>{clock::time(call.started_at, &panel.zone())}</time>
            <div class="today-who">
                <strong>{caller.clone()}</strong>
                <span class="muted">{line}</span>
            </div>
            <div class="today-result">{outcome(call)}</div>
            {message.map(|recording| voicemail(&caller, &recording))}
        </li>
    }
}

/// The departments one answers for.
#[component]
fn Departments() -> impl IntoView {
    let panel = use_panel();
    let rows = move || {
        panel.roster.with(|roster| {
            let mine = if panel.is_staff() { roster.groups.iter().collect() } else { roster.my_departments() };
            mine.into_iter()
                .map(|department| {
                    let (reachable, members) = roster.reachable(department);
                    let waiting = roster.waiting.get(&department.id).copied().unwrap_or_default();
                    (department.name.clone(), reachable, members, waiting)
                })
                .collect::<Vec<_>>()
        })
    };
    let rows = Memo::new(move |_| rows());
    let body = move || {
        let rows = rows.get();
        if rows.is_empty() {
            return view! { <p class="empty">"You are in no department. Ask an admin to add you to one."</p> }
                .into_any();
        }
        let rows = rows
            .into_iter()
            .map(|(name, reachable, members, waiting)| {
                let longest = move || {
                    waiting
                        .first_since
                        .map(|since| format!(", longest {}", duration::short(panel.now.get().since(since))))
                };
                view! {
                    <li>
                        <strong>{name}</strong>
                        <span class={if reachable == 0 { "tone-warn" } else { "tone-on" }}>
                            {format!("{reachable} of {members} can take calls")}
                        </span>
                        <span class={if waiting.callers == 0 { "muted" } else { "tone-warn" }}>
                            {format!("{} waiting", waiting.callers)}
                            {longest}
                        </span>
                    </li>
                }
            })
            .collect_view();
        view! { <ul class="departments">{rows}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="departments-title">
            <h2 id="departments-title">{move || if panel.is_staff() { "Departments" } else { "Your departments" }}</h2>
            {body}
        </section>
    }
}
