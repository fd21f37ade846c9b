//! A person's state: icon, word and color, never color alone.

use cordboard_shared::agent::Verdict;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// The icon of a state.
pub(crate) fn icon(verdict: Verdict) -> Icon {
    match verdict {
        Verdict::Available => Icon::Tick,
        Verdict::Ringing => Icon::Bell,
        Verdict::OnCall => Icon::Handset,
        Verdict::AfterCallWork | Verdict::OffSchedule => Icon::Clock,
        Verdict::Away => Icon::HalfMoon,
        Verdict::Dnd | Verdict::OptedOut => Icon::Barred,
        Verdict::Paused => Icon::Lock,
        Verdict::NoDevice => Icon::Warning,
        Verdict::Disabled => Icon::Cross,
    }
}

/// The color of a state, as a class.
pub(crate) fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Available => "tone-on",
        Verdict::Ringing | Verdict::OnCall | Verdict::AfterCallWork => "tone-busy",
        Verdict::NoDevice => "tone-warn",
        Verdict::Away
        | Verdict::Dnd
        | Verdict::OptedOut
        | Verdict::Paused
        | Verdict::OffSchedule
        | Verdict::Disabled => "tone-away",
    }
}

/// A state as a badge.
#[component]
pub(crate) fn VerdictBadge(
    /// The state.
    #[prop(into)]
    verdict: Signal<Verdict>,
) -> impl IntoView {
    view! {
        <span class=move || format!("state-badge {}", tone(verdict.get()))>
            <Glyph icon=Signal::derive(move || icon(verdict.get()))/>
            {move || verdict.get().word()}
        </span>
    }
}
