//! The Call Availability switch: it turns when the server has confirmed.

use cordboard_frontend::model::duration;
use cordboard_frontend::model::link::LinkState;
use cordboard_frontend::model::switch::Switch;
use cordboard_shared::agent::{Toggle, Verdict};
use leptos::prelude::*;

use super::away_menu::AwayMenu;
use super::badge;
use super::icon::{Glyph, Icon};
use crate::panel::use_panel;
use crate::{availability, shortcuts};

/// The switch with its word, its time, and what went wrong.
#[component]
pub(crate) fn AvailabilitySwitch() -> impl IntoView {
    let panel = use_panel();
    let on = Memo::new(move |_| panel.presence().is_some_and(|presence| presence.state == Toggle::On));
    let known = Memo::new(move |_| panel.presence().is_some());
    let verdict = Memo::new(move |_| panel.presence().map(|presence| presence.effective.verdict));
    let saving = Memo::new(move |_| panel.switch.with(|switch| matches!(switch, Switch::Saving(_))));
    let since = Memo::new(move |_| panel.roster.with(|roster| roster.myself().and_then(|me| me.since)));
    let live = Memo::new(move |_| panel.link.with(|link| link.state() == LinkState::Live));
    let word = move || match verdict.get() {
        _ if saving.get() => "Saving…",
        Some(verdict) => verdict.word(),
        None => "Connecting…",
    };
    view! {
        <div
            class=move || format!("availability {}", verdict.get().map_or("tone-away", badge::tone))
            class:stale=move || !live.get()
        >
            <button
                type="button"
                role="switch"
                class="avail-switch"
                class:pending=move || saving.get()
                aria-label="Call availability"
                aria-checked=move || on.get().to_string()
                aria-busy=move || saving.get().then_some("true")
                aria-describedby="availability-word"
                aria-keyshortcuts=shortcuts::aria('V')
                title=format!("Call availability ({})", shortcuts::shown('V'))
                disabled=move || !known.get()
                on:click=move |_| availability::toggle(panel)
            >
                <span class="thumb">
                    <Glyph icon=Signal::derive(move || if on.get() { Icon::Tick } else { Icon::HalfMoon })/>
                </span>
            </button>
            <div class="availability-text">
                <span id="availability-word">{word}</span>
                <span class="availability-time" aria-hidden="true">
                    {move || since.get().map(|since| duration::timer(panel.now.get().since(since)))}
                </span>
            </div>
            <AwayMenu/>
        </div>
    }
}

/// Why nothing can ring although the switch is on, and what failed; below the top bar.
#[component]
pub(crate) fn AvailabilityNote() -> impl IntoView {
    let panel = use_panel();
    let failed = Memo::new(move |_| {
        panel.switch.with(|switch| match switch {
            Switch::Failed { why, .. } => Some(why.clone()),
            Switch::Settled | Switch::Saving(_) => None,
        })
    });
    let blocked = Memo::new(move |_| {
        let presence = panel.presence()?;
        let layer = match presence.effective.verdict {
            Verdict::Paused | Verdict::Dnd | Verdict::OptedOut | Verdict::OffSchedule | Verdict::Disabled => true,
            Verdict::Available
            | Verdict::Ringing
            | Verdict::OnCall
            | Verdict::AfterCallWork
            | Verdict::Away
            | Verdict::NoDevice => false,
        };
        layer.then(|| cordboard_frontend::model::switch::sentence(&presence, &|at| panel.clock(at)))
    });
    view! {
        {move || failed.get().map(|why| view! {
            <div class="note-bar tone-bad" role="alert">
                <Glyph icon=Icon::Warning/>
                <p><strong>"The change of call availability is not confirmed. "</strong>{why}</p>
                <button class="btn btn-sm" on:click=move |_| availability::retry(panel)>"Retry"</button>
            </div>
        })}
        {move || blocked.get().map(|sentence| view! {
            <div class="note-bar tone-away">
                <Glyph icon=Icon::Lock/>
                <p>{sentence}</p>
            </div>
        })}
    }
}
