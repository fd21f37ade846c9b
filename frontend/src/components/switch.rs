//! The Call Availability switch: it turns when the server has confirmed.

use crate::model::duration;
use crate::model::link::LinkState;
use crate::model::switch::Switch;
use cordboard_shared::agent::{Toggle, Verdict};
use leptos::prelude::*;

use super::badge;
use super::icon::{Glyph, Icon};
use super::reach;
use super::switch_menu::SwitchMenu;
use crate::chunk::{Chunk, Lazy};
use crate::panel::{Panel, Popover, use_panel};
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
            <button
                id=reach::BUTTON
                type="button"
                class="availability-text"
                aria-expanded=move || (panel.popover.get() == Popover::Reach).to_string()
                aria-keyshortcuts=shortcuts::aria('W')
                title=format!("What can ring me now ({})", shortcuts::shown('W'))
                on:click=move |_| shortcuts::open_reach(panel)
            >
                <span id="availability-word">{word}</span>
                <span class="sr-only">", what can ring me now"</span>
                <span class="availability-time" aria-hidden="true">
                    {move || since.get().map(|since| duration::timer(panel.now.get().since(since)))}
                </span>
            </button>
            <SwitchMenu/>
            <Show when=move || panel.popover.get() == Popover::Reach>
                <section class="popover reach" aria-label="What can ring me now">
                    <Lazy chunk=Chunk::Reach/>
                </section>
            </Show>
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
        let verdict = presence.effective.verdict;
        let layer = match verdict {
            Verdict::Paused | Verdict::Dnd | Verdict::OptedOut | Verdict::OffSchedule | Verdict::Disabled => true,
            Verdict::Available
            | Verdict::Ringing
            | Verdict::OnCall
            | Verdict::AfterCallWork
            | Verdict::Away
            | Verdict::NoDevice => false,
        };
        layer.then(|| (verdict, crate::model::switch::sentence(&presence, &|at| panel.clock(at))))
    });
    view! {
        {move || failed.get().map(|why| view! {
            <div class="note-bar tone-bad" role="alert">
                <Glyph icon=Icon::Warning/>
                <p><strong>"The change of call availability is not confirmed. "</strong>{why}</p>
                <button class="btn btn-sm" on:click=move |_| availability::retry(panel)>"Retry"</button>
            </div>
        })}
        {move || blocked.get().map(|(verdict, sentence)| view! {
            <div class="note-bar tone-away" id="availability-note">
                <Glyph icon=badge::icon(verdict)/>
                <p>{sentence}</p>
                {way_out(panel, verdict)}
            </div>
        })}
    }
}

/// What the person can do about it themselves.
fn way_out(panel: Panel, verdict: Verdict) -> impl IntoView {
    let button = |name: &'static str, act: fn(Panel)| {
        view! { <button type="button" class="btn btn-sm" on:click=move |_| act(panel)>{name}</button> }
    };
    match verdict {
        Verdict::Dnd => Some(button("End Do Not Disturb", |panel| availability::dnd(panel, false, None))),
        Verdict::OptedOut => Some(button("Resume…", availability::toggle)),
        Verdict::OffSchedule => Some(button("Work anyway for 1 hour", |panel| availability::work_anyway(panel, 60))),
        Verdict::Available
        | Verdict::Ringing
        | Verdict::OnCall
        | Verdict::AfterCallWork
        | Verdict::Away
        | Verdict::Paused
        | Verdict::NoDevice
        | Verdict::Disabled => None,
    }
}
