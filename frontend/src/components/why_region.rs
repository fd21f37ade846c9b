//! Why a call went where it went: every decision in words.

use crate::model::why::{self, Kind, Step, Words};
use cordboard_shared::decision::{CallDecisions, Decision};
use cordboard_shared::id::CallId;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::icon::{Glyph, Icon};
use crate::api;
use crate::browser::clock;
use crate::panel::{Panel, use_panel};

/// The steps of one call.
#[component]
pub(crate) fn WhyRegion(
    /// Which call.
    uid: CallId,
) -> impl IntoView {
    let panel = use_panel();
    let answer = RwSignal::new(None::<Result<CallDecisions, String>>);
    let load = move || {
        answer.set(None);
        spawn_local(async move {
            answer.set(Some(api::decisions(uid).await.map_err(|error| error.sentence())));
        });
    };
    load();
    let body = move || match answer.get() {
        None => view! { <p role="status" class="muted">"Reading the decisions…"</p> }.into_any(),
        Some(Err(why)) => view! {
            <p role="alert" class="tone-bad">{why}</p>
            <button type="button" class="btn btn-sm" on:click=move |_| load()>"Retry"</button>
        }
        .into_any(),
        Some(Ok(answer)) if answer.decisions.is_empty() => view! {
            <p class="muted">"Nobody had to be chosen: the call ended before it reached a person or a department."</p>
        }
        .into_any(),
        Some(Ok(answer)) => steps(panel, &answer).into_any(),
    };
    view! {
        <section class="why" aria-label="Why this call went where it went">
            <h2>"Why this call went where it went"</h2>
            {body}
            <p class="why-uid">"Call " <code>{uid.to_string()}</code></p>
        </section>
    }
}

fn steps(panel: Panel, answer: &CallDecisions) -> impl IntoView + use<> {
    why_steps(panel, &answer.decisions)
}

/// Decisions as steps in words: those of a call, and those of a what-if.
pub(crate) fn why_steps(panel: Panel, decisions: &[Decision]) -> impl IntoView + use<> {
    let words = panel.roster.with(|roster| {
        why::steps(
            decisions,
            &Words {
                name: &|id| roster.name(id),
                department: &|id| roster.department(id).map(str::to_owned),
                clock: &|at| panel.clock(at),
            },
        )
    });
    let zone = panel.zone();
    let steps = words.into_iter().map(|step| one(step, &zone)).collect_view();
    view! { <ol class="why-steps">{steps}</ol> }
}

fn one(step: Step, zone: &str) -> impl IntoView + use<> {
    let lines = step
        .lines
        .into_iter()
        .map(|line| {
            let (icon, tone) = match line.kind {
                Kind::Answered => (Icon::Tick, "tone-on"),
                Kind::Rang => (Icon::Bell, "tone-busy"),
                Kind::Skipped => (Icon::Dash, "tone-away"),
            };
            view! {
                <li>
                    <span class=format!("why-icon {tone}")><Glyph icon=icon/></span>
                    <span>{line.text}{line.cell.map(|cell| view! { <span class="why-cell">{cell}</span> })}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <li>
            <p class="why-title"><time>{clock::time_with_seconds(step.at, zone)}</time>" "{step.title}</p>
            <ul class="why-lines">{lines}</ul>
            <p class="why-then">{step.then}" "<span class="why-basis">{step.basis}</span></p>
        </li>
    }
}
