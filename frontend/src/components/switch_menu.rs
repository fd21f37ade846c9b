//! What the switch offers besides its two sides: Away with a reason and a time to be back, Do Not Disturb, opting out.

use cordboard_shared::agent::{Toggle, Verdict};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::availability;
use crate::browser::page;
use crate::chunk::{Chunk, Lazy};
use crate::panel::{Panel, Popover, use_panel};

/// The times offered: for how many minutes.
const TIMES: [(&str, Option<u64>); 4] =
    [("No end", None), ("15 min", Some(15)), ("30 min", Some(30)), ("60 min", Some(60))];
const BUTTON: &str = "switch-menu-button";

/// The button beside the switch, and its menu.
#[component]
pub(crate) fn SwitchMenu() -> impl IntoView {
    let panel = use_panel();
    let open = move || panel.popover.get() == Popover::Switch;
    let toggle = move |_| {
        panel.popover.update(|open| {
            *open = if *open == Popover::Switch { Popover::Closed } else { Popover::Switch };
        });
    };
    view! {
        <div class="away-menu">
            <button
                id=BUTTON
                type="button"
                class="btn btn-ghost btn-sm btn-square"
                aria-label="Availability menu"
                aria-expanded=move || open().to_string()
                aria-controls="switch-menu"
                title="Away with a reason, Do Not Disturb, opt out"
                on:click=toggle
            >
                <Glyph icon=Icon::Chevron/>
            </button>
            <Show when=open>
                <div id="switch-menu" class="popover" role="region" aria-label="Availability menu">
                    <Lazy chunk=Chunk::SwitchMenu/>
                </div>
            </Show>
            <Show when=move || panel.popover.get() == Popover::Resume>
                <div class="popover" role="region" aria-label="Resume business calls">
                    <Lazy chunk=Chunk::Resume/>
                </div>
            </Show>
        </div>
    }
}

fn close(panel: Panel) {
    panel.popover.set(Popover::Closed);
    page::focus(BUTTON);
}

/// Whether to resume from an opt-out.
#[component]
pub(crate) fn Resume() -> impl IntoView {
    view! {
        <Ask
            text="You have opted out of business calls. Switching on resumes them: calls of your departments can ring you again."
            yes="Resume business calls"
            no="Stay opted out"
            act=availability::go_available
            leave=close
        />
    }
}

/// The menu.
#[component]
pub(crate) fn Menu() -> impl IntoView {
    let panel = use_panel();
    let time = RwSignal::new(None::<u64>);
    let asks = RwSignal::new(false);
    let presence = Memo::new(move |_| panel.presence());
    let verdict = move || presence.with(|presence| presence.as_ref().map(|presence| presence.effective.verdict));
    let has = move |fact: fn(&cordboard_shared::agent::FactsView) -> bool| {
        presence.with(|presence| presence.as_ref().is_some_and(|presence| fact(&presence.facts)))
    };
    let times = TIMES.map(|(name, minutes)| {
        view! {
            <button
                type="button"
                class="chip"
                aria-pressed=move || (time.get() == minutes).to_string()
                on:click=move |_| time.set(minutes)
            >
                {name}
            </button>
        }
    });
    let reasons = move || {
        let words = panel.roster.with(|roster| roster.away_reasons.clone());
        let away = move |reason: String| {
            availability::away(panel, Some(reason), time.get_untracked());
            close(panel);
        };
        words
            .into_iter()
            .map(|reason| {
                let name = reason.clone();
                view! { <li><button type="button" on:click=move |_| away(reason.clone())>{name}</button></li> }
            })
            .collect_view()
    };
    let dnd = move |on: bool| {
        availability::dnd(panel, on, time.get_untracked());
        close(panel);
    };
    let plain_away = move |_| {
        availability::away(panel, None, time.get_untracked());
        close(panel);
    };
    let ask = move || {
        if has(|facts| facts.opt_out.is_some()) {
            view! {
                <Ask
                    text="Business calls can ring you again, and your switch is turned on."
                    yes="Resume business calls"
                    no="Stay opted out"
                    act=availability::go_available
                    leave=close
                />
            }
            .into_any()
        } else {
            view! {
                <Ask
                    text="No business call rings you any more, on any device and after signing out too, until you resume here or an admin does it for you."
                    yes="Opt out"
                    no="Keep taking calls"
                    act=availability::opt_out
                    leave=close
                />
            }
            .into_any()
        }
    };
    view! {
        <p class="popover-title" id="back-in">"Back in"</p>
        <div class="chips" role="group" aria-labelledby="back-in">{times}</div>
        <Show when=move || verdict() == Some(Verdict::OnCall)>
            <AfterCall class="popover-wide"/>
        </Show>
        <p class="popover-title" id="away-for">"Away for"</p>
        <ul class="popover-list popover-columns" aria-labelledby="away-for">
            <li><button type="button" on:click=plain_away>"No reason"</button></li>
            {reasons}
        </ul>
        <div class="popover-rule">
            <Show
                when=move || has(|facts| facts.dnd.is_some())
                fallback=move || view! {
                    <button type="button" class="popover-wide" on:click=move |_| dnd(true)>
                        <Glyph icon=Icon::Barred/>
                        <span>"Do Not Disturb"<span class="cell-second">"No call at all, whatever other rules say"</span></span>
                    </button>
                }
            >
                <button type="button" class="popover-wide" on:click=move |_| dnd(false)>
                    <Glyph icon=Icon::Tick/>
                    "End Do Not Disturb"
                </button>
            </Show>
            <Show
                when=move || asks.get()
                fallback=move || view! {
                    <button type="button" class="popover-wide" on:click=move |_| asks.set(true)>
                        <Glyph icon=Icon::HangUp/>
                        {move || if has(|facts| facts.opt_out.is_some()) { "Resume business calls…" } else { "Opt out of business calls…" }}
                    </button>
                }
            >
                {ask}
            </Show>
        </div>
    }
}

/// A plain question before something that lasts.
#[component]
fn Ask(text: &'static str, yes: &'static str, no: &'static str, act: fn(Panel), leave: fn(Panel)) -> impl IntoView {
    let panel = use_panel();
    Effect::new(move |_| page::focus("ask-yes"));
    let agree = move |_| {
        act(panel);
        leave(panel);
    };
    view! {
        <div class="ask">
            <p>{text}</p>
            <div class="ask-buttons">
                <button id="ask-yes" type="button" class="btn btn-sm btn-primary" on:click=agree>{yes}</button>
                <button type="button" class="btn btn-sm" on:click=move |_| leave(panel)>{no}</button>
            </div>
        </div>
    }
}

/// Away when the present call is over, or not after all.
#[component]
pub(crate) fn AfterCall(class: &'static str) -> impl IntoView {
    let panel = use_panel();
    let set = Memo::new(move |_| panel.presence().is_some_and(|presence| presence.state == Toggle::Away));
    let press = move |_| {
        if set.get_untracked() {
            availability::go_available(panel);
        } else {
            availability::away_after_call(panel);
        }
        panel.popover.set(Popover::Closed);
    };
    view! {
        <button type="button" class=class aria-pressed=move || set.get().to_string() on:click=press>
            <Glyph icon=Icon::HalfMoon/>
            "Away after this call"
        </button>
    }
}
