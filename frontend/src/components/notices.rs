//! The bars that tell about the own availability without being asked, and about emergency routes.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::availability;
use crate::browser::clock;
use crate::desk;
use crate::model::notice::Notice;
use crate::panel::{Panel, use_panel};

/// The bars below the top bar.
#[component]
pub(crate) fn Notices() -> impl IntoView {
    let panel = use_panel();
    let shown = Memo::new(move |_| {
        let (presence, now) = (panel.presence(), panel.now.get());
        panel.notices.with(|notices| notices.shown(presence.as_ref(), now))
    });
    view! {
        {move || shown.get().into_iter().map(|notice| bar(panel, notice)).collect_view()}
        <Emergencies/>
    }
}

/// The emergency routes that hold now.
#[component]
pub(crate) fn Emergencies() -> impl IntoView {
    let panel = use_panel();
    // Who looks after others sees all of them; who takes calls those that can ring them.
    let own = Memo::new(move |_| {
        (!panel.is_staff()).then(|| {
            panel.roster.with(|roster| roster.my_departments().iter().map(|group| group.id).collect::<Vec<_>>())
        })
    });
    let running = Memo::new(move |_| {
        let now = panel.now.get();
        own.with(|own| panel.notices.with(|notices| notices.running(now, own.as_deref())))
    });
    move || {
        running
            .get()
            .into_iter()
            .map(|route| {
                let ends = route.ends;
                view! {
                    <section class="note-bar tone-bad" aria-label="Emergency route">
                        <Glyph icon=Icon::Warning/>
                        <p>
                            <strong>{format!("Emergency route “{}” ", route.name)}</strong>
                            {move || format!("until {}: {}. Started by {}. Calls may ring you while Away or off schedule.", panel.clock(ends), route.reason, route.by.name)}
                        </p>
                    </section>
                }
            })
            .collect_view()
    }
}

fn bar(panel: Panel, notice: Notice) -> impl IntoView {
    match notice {
        Notice::SetAway(why) => view! {
            <section class="note-bar tone-warn" aria-label="Set Away">
                <Glyph icon=Icon::HalfMoon/>
                <p>
                    <strong>{format!("You were set Away {why}.")}</strong>
                    {move || panel.presence().map(|presence| format!(" Since {}.", panel.clock(presence.since)))}
                </p>
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| availability::go_available(panel)>"Go available"</button>
            </section>
        }
        .into_any(),
        Notice::BackAgain(over) => view! {
            <section class="note-bar tone-warn" aria-label="Are you back?">
                <Glyph icon=Icon::Clock/>
                <p><strong>"Are you back?"</strong>{move || format!(" Your break ended at {}.", panel.clock(over))}</p>
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| availability::go_available(panel)>"Yes, go available"</button>
                <button
                    type="button"
                    class="btn btn-sm"
                    on:click=move |_| {
                        let reason = panel.presence_untracked().and_then(|presence| presence.reason);
                        availability::away(panel, reason, Some(15));
                    }
                >
                    "15 more minutes"
                </button>
            </section>
        }
        .into_any(),
        Notice::SignOut(at) => view! {
            <section class="note-bar tone-warn" aria-label="Signing out soon">
                <Glyph icon=Icon::Warning/>
                <p>
                    <strong>"Still there? "</strong>
                    {format!("Without activity you are set Away and signed out at {}.", clock::time_with_seconds(at, &panel.zone()))}
                </p>
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| desk::active(panel)>"Stay available"</button>
            </section>
        }
        .into_any(),
    }
}
