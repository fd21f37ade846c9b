//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::page_title::PageTitle;

/// An address that leads nowhere.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    view! {
        <PageTitle title="No such page"/>
        <p>"This address leads nowhere. " <A href="/">"Back to the desk"</A></p>
    }
}
