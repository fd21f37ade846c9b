//! The calls of a past range under other rules: which decisions change is a fact, how waits change is an estimate.

use cordboard_shared::Millis;
use cordboard_shared::api::routing::{ReplayAnswer, ReplayChange, ReplayRequest};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::editor::Editor;
use super::form::{SelectField, TimeField};
use crate::api;
use crate::components::page_title::PageTitle;
use crate::components::why_region::why_steps;
use crate::model::duration;
use crate::panel::{Panel, use_panel};

/// Calls whose difference is shown at once; the others are counted.
const SHOWN: usize = 20;

/// The page.
#[component]
pub(crate) fn Replay() -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let now = panel.exactly_now();
    let from = RwSignal::new(Some(now - 24 * 3_600_000));
    let to = RwSignal::new(Some(now));
    let rules = RwSignal::new("held".to_owned());
    let answer = RwSignal::new(None::<Result<ReplayAnswer, String>>);
    let busy = RwSignal::new(false);
    let choices = Signal::derive(move || {
        let mut choices = vec![("held".to_owned(), "The rules that held then".to_owned())];
        choices.push(("saved".to_owned(), "The rules in force now".to_owned()));
        if editor.is_changed() {
            choices.push(("draft".to_owned(), "My unsaved changes".to_owned()));
        }
        choices
    });
    let run = move |_| {
        let (Some(first), Some(last)) = (from.get_untracked(), to.get_untracked()) else {
            answer.set(Some(Err("Choose the begin and the end of the range.".to_owned())));
            return;
        };
        let policy = match rules.get_untracked().as_str() {
            "saved" => editor.saved.get_untracked().map(Box::new),
            "draft" => Some(Box::new(editor.draft.get_untracked())),
            _ => None,
        };
        let request = ReplayRequest { from: first, to: last.max(first + 1), policy };
        busy.set(true);
        answer.set(None);
        spawn_local(async move {
            let said = api::post("/core/route/replay", &request).await.map_err(|error| error.sentence());
            busy.set(false);
            answer.set(Some(said));
        });
    };
    view! {
        <PageTitle title="Replay" line=Signal::stored("Runs the calls of a past range again, by the engine that routes. Nothing is called and nothing changes.".to_owned())/>
        <section class="card what-if" aria-label="Range and rules">
            <div class="form-grid">
                <TimeField label="From" value=from panel=panel/>
                <TimeField label="To" value=to panel=panel/>
                <SelectField label="Under" options=choices value=rules set=move |key| rules.set(key)/>
            </div>
            <p class="field-hint">"Under the rules that held then, every decision has to come out the same: that proves the replay."</p>
            <button type="button" class="btn btn-primary" aria-busy=move || busy.get().then_some("true") on:click=run>"Replay"</button>
            <p role="status" class="muted">{move || busy.get().then_some("The calls are run again…")}</p>
        </section>
        {move || answer.get().map(|answer| shown(panel, answer))}
    }
}

fn shown(panel: Panel, answer: Result<ReplayAnswer, String>) -> AnyView {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return view! { <p class="card tone-bad" role="alert">{why}</p> }.into_any(),
    };
    let waits = answer.waits;
    let wait = |name: &'static str, before: u64, after: u64| {
        view! {
            <tr>
                <th scope="row">{name}</th>
                <td class="figures">{duration::short(before)}</td>
                <td class="figures">{duration::short(after)}</td>
            </tr>
        }
    };
    let changed = answer.changed.len() as u64;
    let rest = answer.changed.len().saturating_sub(SHOWN);
    let rows = answer.changed.iter().take(SHOWN).map(|change| one(panel, change)).collect_view();
    let assumptions = answer.assumptions.iter().map(|text| view! { <li>{text.clone()}</li> }).collect_view();
    view! {
        <section class="card" aria-label="Result of the replay">
            <h2>"Decisions: a fact"</h2>
            <p role="status">
                {format!(
                    "{}, {}: {} the same, {} decided otherwise.",
                    duration::count(u64::from(answer.calls), "call"),
                    duration::count(u64::from(answer.decisions), "decision"),
                    answer.same,
                    duration::count(changed, "call")
                )}
            </p>
            <ul class="replay-changes">{rows}</ul>
            {(rest > 0).then(|| view! { <p class="muted">{format!("And {} more.", duration::count(rest as u64, "call"))}</p> })}
            <h2 class="part-title">"Waits: an estimate"</h2>
            <div class="table-scroll" role="region" aria-label="Waits, scrollable" tabindex="0">
                <table class="log-table" aria-label="Waits, an estimate">
                    <thead><tr><th scope="col">"Wait"</th><th scope="col">"Then"</th><th scope="col">"Estimated"</th></tr></thead>
                    <tbody>
                        {wait("Mean", waits.mean_before_ms, waits.mean_after_ms)}
                        {wait("90th percentile", waits.p90_before_ms, waits.p90_after_ms)}
                    </tbody>
                </table>
            </div>
            <h3 class="part-title">"What the estimate assumes"</h3>
            <ul class="impact">{assumptions}</ul>
        </section>
    }
    .into_any()
}

fn one(panel: Panel, change: &ReplayChange) -> impl IntoView + use<> {
    let at = change.before.as_ref().or(change.after.as_ref()).map_or(Millis(0), |decision| decision.at);
    let side = |name: &'static str, decision: Option<&cordboard_shared::decision::Decision>| {
        let body = match decision {
            Some(decision) => why_steps(panel, std::slice::from_ref(decision)).into_any(),
            None => view! { <p class="muted">"No such decision."</p> }.into_any(),
        };
        view! { <section aria-label=name><h4>{name}</h4>{body}</section> }
    };
    view! {
        <li>
            <details>
                <summary>{format!("Call of {}", panel.clock(at))}" "<code>{change.call.to_string()}</code></summary>
                <div class="two-columns">
                    {side("Decided then", change.before.as_ref())}
                    {side("Would be decided", change.after.as_ref())}
                </div>
            </details>
        </li>
    }
}
