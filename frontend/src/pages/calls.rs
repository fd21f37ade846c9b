//! The call log, with the Why of each call.

use crate::model::log::{self, Progress};
use cordboard_shared::call::CallView;
use cordboard_shared::event::ClientMessage;
use cordboard_shared::id::CallId;
use leptos::prelude::*;

use crate::components::icon::{Glyph, Icon};
use crate::components::outcome::{outcome, voicemail};
use crate::components::page_title::PageTitle;
use crate::components::why_region::WhyRegion;
use crate::panel::{Panel, use_panel};
use crate::{calls, telephone};

/// The call log.
#[component]
pub(crate) fn Calls() -> impl IntoView {
    let panel = use_panel();
    let rows = Memo::new(move |_| panel.log.with(|log| log.rows().to_vec()));
    let opened = RwSignal::new(None::<CallId>);
    let zone = Memo::new(move |_| panel.zone());
    let line =
        Signal::derive(move || format!("Newest first, new calls appear by themselves. Times in {}.", zone.get()));
    view! {
        <PageTitle title="Call log" line=line/>
        <section class="card card-table" aria-label="Calls">
            <div class="table-scroll" role="region" aria-label="Call log, scrollable" tabindex="0">
                <table class="log-table calls-table" role="table" aria-label="Call log">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col" role="columnheader">"Time"</th>
                            <th scope="col" role="columnheader">"Caller"</th>
                            <th scope="col" role="columnheader">"Number"</th>
                            <th scope="col" role="columnheader">"Department"</th>
                            <th scope="col" role="columnheader">"Agent"</th>
                            <th scope="col" role="columnheader">"Result"</th>
                            <th scope="col" role="columnheader"><span class="sr-only">"Why"</span></th>
                        </tr>
                    </thead>
                    <For each=move || rows.get() key=|call| (call.uid, call.version.clone()) let:call>
                        <Row call=call opened=opened/>
                    </For>
                </table>
            </div>
            <Foot/>
        </section>
    }
}

#[component]
fn Row(call: CallView, opened: RwSignal<Option<CallId>>) -> impl IntoView {
    let panel = use_panel();
    let uid = call.uid;
    let is_open = Memo::new(move |_| opened.get() == Some(uid));
    let caller = log::caller(&call);
    let at = call.started_at;
    // The day is told when it is not today's; the exact instant on hover.
    let time = Memo::new(move |_| panel.clock(at));
    let exactly = at.to_string();
    let department = call.department;
    let department = Memo::new(move |_| {
        department.and_then(|id| panel.roster.with(|roster| roster.department(id).map(str::to_owned)))
    });
    let agent = call.agent;
    let agent = Memo::new(move |_| agent.map(|id| panel.roster.with(|roster| roster.name(id))));
    let number = call.to.number.0.clone();
    let message = log::voicemail(&call).cloned();
    let from = call.from.name.as_ref().map(|_| call.from.number.0.clone());
    let other = log::other_number(&call);
    let who = caller.clone();
    let why_name = {
        let caller = caller.clone();
        move || format!("Why: {caller} {}", time.get())
    };
    view! {
        <tbody role="rowgroup" class:row-open=move || is_open.get()>
            <tr role="row">
                <td role="cell"><time datetime=exactly.clone() title=exactly>{move || time.get()}</time></td>
                <th scope="row" role="rowheader">{caller}{from.map(|from| view! { <span class="cell-second">{from}</span> })}</th>
                <td role="cell">{number}</td>
                <td role="cell">{move || department.get().unwrap_or_else(|| "–".to_owned())}</td>
                <td role="cell">{move || agent.get().unwrap_or_else(|| "–".to_owned())}</td>
                <td class="log-result" role="cell">
                    {outcome(&call)}
                    {message.map(|recording| voicemail(&who, &recording))}
                </td>
                <td class="log-buttons" role="cell">
                    {other.map(|number| view! {
                        <button type="button" class="btn btn-sm" aria-label=format!("Call {number}") on:click=move |_| call_back(panel, &number)>
                            <Glyph icon=Icon::Handset/>
                            "Call"
                        </button>
                    })}
                    <button
                        type="button"
                        class="btn btn-sm why-button"
                        aria-label=why_name
                        aria-expanded=move || is_open.get().to_string()
                        on:click=move |_| opened.update(|opened| *opened = (*opened != Some(uid)).then_some(uid))
                    >
                        <Glyph icon=Icon::Question/>
                        "Why"
                    </button>
                </td>
            </tr>
            <Show when=move || is_open.get()>
                <tr class="why-row" role="row">
                    <td colspan="7" role="cell"><WhyRegion uid=uid/></td>
                </tr>
            </Show>
        </tbody>
    }
}

/// Calls the number of a record; what comes of it is said, and the call has a card of its own.
fn call_back(panel: Panel, number: &str) {
    let message = ClientMessage::Dial { to: number.to_owned(), department: None, device: None, callback: None };
    telephone::place(panel, message, move |answer| match answer {
        Ok(()) => panel.tell("Calling."),
        Err(why) => panel.alert(why),
    });
}

/// Below the last row: more, nothing, or why there is nothing.
#[component]
fn Foot() -> impl IntoView {
    let panel = use_panel();
    let state =
        Memo::new(move |_| panel.log.with(|log| (log.progress().clone(), log.next().is_some(), log.rows().is_empty())));
    move || match state.get() {
        (Progress::Idle | Progress::Loading, _, _) => {
            view! { <p class="empty" role="status">"Loading calls…"</p> }.into_any()
        }
        (Progress::Failed(why), _, none) => failed(panel, &why, none).into_any(),
        (Progress::Loaded, true, _) => view! {
            <p class="more">
                <button type="button" class="btn" on:click=move |_| calls::load_more(panel)>"Load older calls"</button>
            </p>
        }
        .into_any(),
        (Progress::Loaded, false, true) => view! {
            <p class="empty">
                {move || if panel.is_staff() {
                    "No calls yet. Place a test call from the desk to see one."
                } else {
                    "No calls of yours or your departments yet. Place a test call from the desk to see one."
                }}
            </p>
        }
        .into_any(),
        (Progress::Loaded, false, false) => view! { <p class="empty">"These are all calls."</p> }.into_any(),
    }
}

fn failed(panel: Panel, why: &str, none: bool) -> impl IntoView + use<> {
    let retry = move |_| if none { calls::load_first(panel) } else { calls::load_more(panel) };
    view! {
        <div class="empty" role="alert">
            <p>{format!("The calls could not be loaded. {why}")}</p>
            <button type="button" class="btn btn-sm" on:click=retry>"Retry"</button>
        </div>
    }
}
