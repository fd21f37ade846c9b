//! The main navigation.

use leptos::prelude::*;
use leptos_router::components::A;

use super::icon::{Glyph, Icon};
use crate::panel::use_panel;

/// The main navigation.
#[component]
pub(crate) fn Navigation() -> impl IntoView {
    let panel = use_panel();
    let staff = Memo::new(move |_| panel.is_staff());
    view! {
        <nav class="main-nav" aria-label="Main">
            <ul>
                <Entry href="/" icon=Icon::Headset name="Desk"/>
                <Entry href="/calls" icon=Icon::List name="Call log"/>
                <Show when=move || staff.get()>
                    <Entry href="/team" icon=Icon::People name="Team"/>
                </Show>
                <Entry href="/devices" icon=Icon::Speaker name="Devices"/>
                <Entry href="/help" icon=Icon::Question name="Help"/>
            </ul>
        </nav>
    }
}

#[component]
fn Entry(href: &'static str, icon: Icon, name: &'static str) -> impl IntoView {
    view! {
        <li>
            <A href=href exact=true>
                <Glyph icon=icon/>
                <span>{name}</span>
            </A>
        </li>
    }
}
