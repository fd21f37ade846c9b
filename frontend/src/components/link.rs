//! A link within the panel: changes the page without loading it anew.

use crate::model::route::Route;
use leptos::ev;
use leptos::prelude::*;

use crate::panel::use_panel;

/// A link to a page.
#[component]
pub(crate) fn Link(
    /// Where to.
    to: Route,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let panel = use_panel();
    let follow = move |event: ev::MouseEvent| {
        // With a key held the browser opens a tab or a window.
        if event.button() == 0 && !event.ctrl_key() && !event.meta_key() && !event.shift_key() && !event.alt_key() {
            event.prevent_default();
            panel.go(to);
        }
    };
    view! {
        <a href=to.path() aria-current=move || (panel.route.get() == to).then_some("page") on:click=follow>
            {children()}
        </a>
    }
}
