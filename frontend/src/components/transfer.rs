//! Hands the call over: to whom, at once or after asking, or to a phone of one's own, and what to do while it is under way.

use cordboard_shared::event::{ClientMessage, DeviceView, TransferMode};
use cordboard_shared::id::CallId;
use leptos::prelude::*;

use super::badge;
use super::icon::Glyph;
use crate::browser::page;
use crate::model::floor::{self, Target};
use crate::model::softphone::Input;
use crate::panel::{Panel, use_panel};
use crate::telephone;

/// Chooses to whom.
#[component]
pub(crate) fn Transfer(
    /// Which call.
    uid: CallId,
) -> impl IntoView {
    let panel = use_panel();
    let wanted = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let found = Memo::new(move |_| wanted.with(|wanted| panel.roster.with(|roster| floor::targets(roster, wanted))));
    Effect::new(move |_| page::focus("transfer-to"));
    let list = move || {
        found
            .get()
            .into_iter()
            .take(12)
            .map(|target| view! { <li>{row(panel, uid, target, problem)}</li> })
            .collect_view()
    };
    view! {
        <section class="call-panel" aria-label="Transfer the call">
            <label class="field">
                <span>"Person, department or number"</span>
                <input
                    id="transfer-to"
                    class="input"
                    type="search"
                    autocomplete="off"
                    on:input=move |event| wanted.set(event_target_value(&event))
                />
            </label>
            {move || problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <ul class="targets" aria-label="Who can take it">{list}</ul>
            <OwnDevices uid=uid/>
            {move || found.with(Vec::is_empty).then(|| view! {
                <p class="muted" role="status">"Nobody by that name. Type a whole number to transfer there."</p>
            })}
        </section>
    }
}

/// The person's own phones that the call can move to; it stays theirs, and "Move here" brings it back.
#[component]
fn OwnDevices(
    /// Which call.
    uid: CallId,
) -> impl IntoView {
    let panel = use_panel();
    let problem = RwSignal::new(None::<String>);
    let now_on = Memo::new(move |_| panel.phone.with(|phone| phone.current()?.device.clone()));
    let phones = Memo::new(move |_| {
        now_on.with(|now_on| panel.floor.with(|floor| floor.own_phones(now_on.as_deref()).cloned().collect::<Vec<_>>()))
    });
    let row = move |device: DeviceView| {
        let message = ClientMessage::Move { call: uid, device: device.id };
        let press = move |_| {
            problem.set(None);
            telephone::ask(panel, message.clone(), move |answer| problem.set(answer.err()));
        };
        let label = format!("Move to {}", device.name);
        view! {
            <li>
                <div class="target-who">
                    <strong>{device.name}</strong>
                    <span class="cell-second">"Your own; the call stays yours"</span>
                </div>
                <button type="button" class="btn btn-sm" aria-label=label on:click=press>"Move"</button>
            </li>
        }
    };
    view! {
        <Show when=move || phones.with(|phones| !phones.is_empty())>
            <ul class="targets" aria-label="Your own phones">{move || phones.get().into_iter().map(row).collect_view()}</ul>
            {move || problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
        </Show>
    }
}

fn row(panel: Panel, uid: CallId, target: Target, problem: RwSignal<Option<String>>) -> impl IntoView {
    let send = move |to: String, mode: TransferMode| {
        problem.set(None);
        let message = ClientMessage::Transfer { call: uid, to, mode };
        telephone::ask(panel, message, move |answer| match answer {
            Ok(data) => {
                let consult = data.get("call").and_then(|call| crate::decode::read(call).ok());
                if let Some(consult) = consult {
                    telephone::feed(panel, Input::Placed(consult));
                }
            }
            Err(why) => problem.set(Some(why)),
        });
    };
    let (blind, warm) = (target.to.clone(), target.to.clone());
    let tone = if target.free { "tone-on" } else { "tone-away" };
    view! {
        <div class="target-who">
            <strong>{target.name.clone()}</strong>
            <span class=format!("cell-second {tone}")>
                {target.verdict.map(|verdict| view! { <Glyph icon=badge::icon(verdict)/> })}
                {target.note}
            </span>
        </div>
        <div class="button-row">
            <button
                type="button"
                class="btn btn-sm"
                aria-label=format!("Transfer to {}", target.name)
                on:click=move |_| send(blind.clone(), TransferMode::Blind)
            >
                "Transfer"
            </button>
            <button
                type="button"
                class="btn btn-sm"
                aria-label=format!("Ask first: {}", target.name)
                on:click=move |_| send(warm.clone(), TransferMode::Warm)
            >
                "Ask first"
            </button>
        </div>
    }
}

/// A transfer that is under way: to whom, how far, and what can be done.
#[component]
pub(crate) fn UnderWay() -> impl IntoView {
    let panel = use_panel();
    let problem = RwSignal::new(None::<String>);
    let shown = Memo::new(move |_| {
        panel.phone.with(|phone| phone.transferring().map(|call| (call.call.uid, call.transfer.clone())))
    });
    let button = move |name: &'static str, class: &'static str, message: ClientMessage| {
        let press = move |_| {
            problem.set(None);
            telephone::ask(panel, message.clone(), move |answer| problem.set(answer.err()));
        };
        view! { <button type="button" class=class on:click=press>{name}</button> }
    };
    move || {
        let (call, transfer) = shown.get()?;
        let transfer = transfer?;
        let to = transfer.to.0;
        let warm = transfer.mode == TransferMode::Warm;
        let words = match (warm, transfer.answered) {
            (true, false) => format!("Asking {to}. The caller hears music."),
            (true, true) => format!("{to} has answered. The caller waits with music."),
            (false, _) => format!("Transferring to {to}. The call comes back to you when nobody takes it."),
        };
        Some(view! {
            <section class="call-panel" aria-label="Transfer under way">
                <p role="status">{words}</p>
                {move || problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
                <div class="button-row">
                    {warm.then(|| button("Complete", "btn btn-sm btn-primary", ClientMessage::TransferComplete { call }))}
                    {warm.then(|| button("Swap", "btn btn-sm", ClientMessage::Swap { call }))}
                    {button("Cancel", "btn btn-sm", ClientMessage::TransferCancel { call })}
                </div>
            </section>
        })
    }
}
