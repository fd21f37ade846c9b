//! The main navigation.

use cordboard_frontend::model::route::Route;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::link::Link;
use crate::panel::use_panel;

/// The main navigation.
#[component]
pub(crate) fn Navigation() -> impl IntoView {
    let panel = use_panel();
    let staff = Memo::new(move |_| panel.is_staff());
    view! {
        <nav class="main-nav" aria-label="Main">
            <ul>
                <Entry to=Route::Desk icon=Icon::Headset name="Desk"/>
                <Entry to=Route::Calls icon=Icon::List name="Call log"/>
                <Show when=move || staff.get()>
                    <Entry to=Route::Team icon=Icon::People name="Team"/>
                </Show>
                <Entry to=Route::Devices icon=Icon::Speaker name="Devices"/>
                <Entry to=Route::Help icon=Icon::Question name="Help"/>
            </ul>
        </nav>
    }
}

#[component]
fn Entry(to: Route, icon: Icon, name: &'static str) -> impl IntoView {
    view! {
        <li>
            <Link to=to>
                <Glyph icon=icon/>
                <span>{name}</span>
            </Link>
        </li>
    }
}
