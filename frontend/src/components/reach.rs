//! What can ring me now: one line per call path, by the rules that route.

use cordboard_shared::api::availability::{ReachLine, ReachView};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::icon::{Glyph, Icon};
use crate::api;
use crate::browser::page;
use crate::panel::{Popover, use_panel};

/// The id of the badge that opens it.
pub(crate) const BUTTON: &str = "reach-button";

/// The lines; the region below the badge is there before they are.
#[component]
pub(crate) fn Reach() -> impl IntoView {
    let panel = use_panel();
    let answer = RwSignal::new(None::<Result<ReachView, String>>);
    // Whatever changes the own presence may change the lines.
    let stamp = Memo::new(move |_| panel.presence().map(|presence| (presence.version, presence.effective.verdict)));
    Effect::new(move |_| {
        stamp.track();
        let Some(me) = panel.user_untracked().map(|user| user.id) else { return };
        spawn_local(async move {
            let asked = api::reach(me).await.map_err(|error| error.sentence());
            answer.set(Some(asked));
        });
    });
    Effect::new(move |_| page::focus("reach-title"));
    let close = move |_| {
        panel.popover.set(Popover::Closed);
        page::focus(BUTTON);
    };
    let body = move || match answer.get() {
        None => view! { <p role="status" class="muted">"Asking the server…"</p> }.into_any(),
        Some(Err(why)) => view! { <p role="alert" class="tone-bad">{why}</p> }.into_any(),
        Some(Ok(view)) => {
            // First what rings people every day; bindings, pickups and own calls are a press away.
            let (first, more): (Vec<_>, Vec<_>) =
                view.lines.into_iter().partition(|line| matches!(line.row, 1 | 2 | 5..=11));
            let admin = panel.is_admin();
            let list = |lines: Vec<ReachLine>| lines.into_iter().map(|line| one(line, admin)).collect_view();
            view! {
                <ul class="reach-lines">{list(first)}</ul>
                <details class="reach-more">
                    <summary>"Bindings, pickups, own calls and messages"</summary>
                    <ul class="reach-lines">{list(more)}</ul>
                </details>
            }
            .into_any()
        }
    };
    view! {
        <div class="reach-head">
            <h2 id="reach-title" tabindex="-1">"What can ring me now"</h2>
            <button type="button" class="btn btn-ghost btn-sm btn-square" aria-label="Close" on:click=close>
                <Glyph icon=Icon::Cross/>
            </button>
        </div>
        {body}
    }
}

fn one(line: ReachLine, admin: bool) -> impl IntoView {
    let (icon, tone) = if line.rings { (Icon::Tick, "tone-on") } else { (Icon::Dash, "tone-away") };
    let rule = match (line.setting, admin) {
        (None, _) => ().into_any(),
        (Some(_), true) => view! { <a href="/manage/reachability">"Change the rule"</a> }.into_any(),
        (Some(_), false) => view! { <span class="muted">"The rule is set by an admin."</span> }.into_any(),
    };
    view! {
        <li>
            <span class=format!("why-icon {tone}")><Glyph icon=icon/></span>
            <span><strong>{line.path}</strong>": "{line.answer}" "<span class="reach-rule">{rule}</span></span>
        </li>
    }
}
