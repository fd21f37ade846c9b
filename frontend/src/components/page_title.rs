//! The heading of a page, which also names the tab.

use leptos::prelude::*;

use crate::browser::page;
use crate::model::softphone;
use crate::panel::use_panel;

/// The heading of a page. The tab's name says first when a call comes in.
#[component]
pub(crate) fn PageTitle(
    /// The page's name.
    title: &'static str,
    /// A line below it.
    #[prop(optional, into)]
    line: Option<Signal<String>>,
) -> impl IntoView {
    let panel = use_panel();
    let ringing =
        Memo::new(move |_| panel.phone.with(|phone| phone.incoming().map(|known| softphone::caller(&known.ring))));
    Effect::new(move |_| match ringing.get() {
        Some(caller) => page::set_title(&format!("Incoming call: {caller}")),
        None => page::set_title(&format!("{title} · Cordboard")),
    });
    view! {
        <div class="page-title">
            <h1 id="page-title" tabindex="-1">{title}</h1>
            {line.map(|line| view! { <p>{move || line.get()}</p> })}
        </div>
    }
}
