//! The block list: callers who are refused before they reach a flow.

use cordboard_shared::api::policy::{BlockCaller, BlockedList};
use cordboard_shared::phone::E164;
use cordboard_shared::policy::BlockedCaller;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::form::TextField;
use super::person::said;
use crate::api;
use crate::components::page_title::PageTitle;
use crate::panel::use_panel;

/// The page.
#[component]
pub(crate) fn Blocked() -> impl IntoView {
    let panel = use_panel();
    let list = RwSignal::new(None::<Result<Vec<BlockedCaller>, String>>);
    let outcome = RwSignal::new(None::<Result<String, String>>);
    let number = RwSignal::new(String::new());
    let reason = RwSignal::new(String::new());
    let search = RwSignal::new(String::new());
    let load = move || {
        spawn_local(async move {
            let got: Result<BlockedList, _> = api::get("/core/blocked").await;
            list.set(Some(got.map(|list| list.blocked).map_err(|error| error.sentence())));
        });
    };
    Effect::new(move |_| {
        panel.policy_version.track();
        load();
    });
    let block = move |_| {
        let Ok(caller) = E164::from_sip_user(number.get_untracked().trim()) else {
            outcome.set(Some(Err("Write the number with its country, such as +442079460199.".to_owned())));
            return;
        };
        let request = BlockCaller { number: caller, reason: reason.get_untracked().trim().to_owned() };
        spawn_local(async move {
            let body = serde_json::to_string(&request).unwrap_or_default();
            let key = [("idempotency-key", crate::browser::uuid())];
            let done = api::ask(Method::POST, "/core/blocked", &key, Some(body)).await;
            if done.is_ok() {
                number.set(String::new());
                reason.set(String::new());
            }
            outcome
                .set(Some(done.map(|_| format!("{} is blocked.", request.number)).map_err(|error| error.sentence())));
            load();
        });
    };
    let unblock = move |caller: E164| {
        spawn_local(async move {
            let path = format!("/core/blocked/{}", String::from(js_sys::encode_uri_component(caller.as_str())));
            let done = api::ask(Method::DELETE, &path, &[], None).await;
            outcome.set(Some(done.map(|_| format!("{caller} may call again.")).map_err(|error| error.sentence())));
            load();
        });
    };
    let rows = move || match list.get() {
        None => view! { <p class="empty" role="status">"Reading…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(all)) => {
            let wanted = search.get();
            let rows: Vec<_> = all
                .into_iter()
                .filter(|one| wanted.trim().is_empty() || one.number.as_str().contains(wanted.trim()))
                .map(|one| {
                    let caller = one.number.clone();
                    view! {
                        <tr>
                            <th scope="row">{one.number.as_str().to_owned()}</th>
                            <td>{one.reason}</td>
                            <td>{format!("{}, {}", one.by.name, panel.clock(one.since))}</td>
                            <td>
                                <button type="button" class="btn btn-sm" aria-label=format!("Unblock {}", one.number) on:click=move |_| unblock(caller.clone())>
                                    "Unblock"
                                </button>
                            </td>
                        </tr>
                    }
                })
                .collect();
            if rows.is_empty() {
                return view! { <p class="empty">"Nobody is blocked, or nobody fits the search."</p> }.into_any();
            }
            view! {
                <div class="table-scroll" role="region" aria-label="Block list, scrollable" tabindex="0">
                    <table class="log-table" aria-label="Block list">
                        <thead>
                            <tr>
                                <th scope="col">"Number"</th>
                                <th scope="col">"Reason"</th>
                                <th scope="col">"Blocked by"</th>
                                <th scope="col"><span class="sr-only">"Unblock"</span></th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
            .into_any()
        }
    };
    view! {
        <PageTitle title="Block list" line=Signal::stored("Blocked callers are refused before they reach a flow or a person; each try is in the call log.".to_owned())/>
        <div class="two-columns">
            <section class="card" aria-label="Block a caller">
                <h2>"Block a caller"</h2>
                <TextField label="Number" kind="tel" value=number set=move |text| number.set(text)/>
                <TextField label="Reason" value=reason set=move |text| reason.set(text)/>
                <button type="button" class="btn btn-primary" on:click=block>"Block"</button>
                {move || outcome.get().map(said)}
            </section>
            <section class="card" aria-label="Blocked callers">
                <TextField label="Search" value=search set=move |text| search.set(text)/>
                {rows}
            </section>
        </div>
    }
}
