//! The main navigation of the desk.

use crate::model::route::Route;
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
                <Entry to=Route::Devices icon=Icon::Speaker name="Devices"/>
                <Entry to=Route::Help icon=Icon::Question name="Help"/>
                // Management is a program of its own, in a tab of its own: this one goes on ringing.
                <Show when=move || staff.get()>
                    <li>
                        <a href=Route::Team.path() target="cordboard-manage" title="Opens in a tab of its own, so that this one goes on ringing">
                            <Glyph icon=Icon::People/>
                            <span>"Manage"</span>
                            <span class="sr-only">" (opens in a tab of its own)"</span>
                        </a>
                    </li>
                </Show>
            </ul>
        </nav>
    }
}

/// A page in the navigation.
#[component]
pub(crate) fn Entry(to: Route, icon: Icon, name: &'static str) -> impl IntoView {
    view! {
        <li>
            <Link to=to>
                <Glyph icon=icon/>
                <span>{name}</span>
            </Link>
        </li>
    }
}
