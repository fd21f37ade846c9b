//! What a change means for the departments.

use cordboard_shared::api::availability::DepartmentImpact;
use leptos::prelude::*;

use crate::browser::clock;
use crate::panel::Panel;

/// Departments that lose people, and when nobody would be left.
pub(crate) fn impact(panel: Panel, departments: &[DepartmentImpact]) -> impl IntoView + use<> {
    let zone = panel.zone();
    let lines: Vec<_> = departments
        .iter()
        .filter(|one| one.reachable_before != one.reachable_after || !one.empty.is_empty())
        .map(|one| {
            let (tone, now) = if one.reachable_after == 0 && one.reachable_before > 0 {
                ("tone-bad", format!("{} would have nobody now", one.name))
            } else {
                ("", format!("{}: {} can be rung now, {} after", one.name, one.reachable_before, one.reachable_after))
            };
            let empty = one
                .empty
                .iter()
                .map(|window| {
                    let from = format!("{} {}", clock::weekday(window.from, &zone), clock::time(window.from, &zone));
                    view! { <li class="tone-warn">{format!("nobody from {from} to {}", panel.clock(window.to))}</li> }
                })
                .collect_view();
            view! { <li class=tone><strong>{now}</strong><ul>{empty}</ul></li> }
        })
        .collect();
    if lines.is_empty() {
        return view! { <p class="muted">"Every department keeps those it has."</p> }.into_any();
    }
    view! { <ul class="impact">{lines}</ul> }.into_any()
}
