//! An address that leads nowhere.

use crate::model::route::Route;
use leptos::prelude::*;

use crate::components::link::Link;
use crate::components::page_title::PageTitle;

/// An address that leads nowhere.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    view! {
        <PageTitle title="No such page"/>
        <p>"This address leads nowhere. " <Link to=Route::Desk>"Back to the desk"</Link></p>
    }
}
