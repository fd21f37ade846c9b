//! After-call work: how long it lasts yet, its end, and a little more of it.

use cordboard_shared::agent::Verdict;
use cordboard_shared::event::ClientMessage;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::chunk::{Chunk, Lazy};
use crate::model::duration;
use crate::panel::use_panel;

/// The card of after-call work.
#[component]
pub(crate) fn WrapUp() -> impl IntoView {
    let panel = use_panel();
    let works = Memo::new(move |_| {
        panel.presence().is_some_and(|presence| presence.effective.verdict == Verdict::AfterCallWork)
    });
    let ends = Memo::new(move |_| panel.presence().and_then(|presence| presence.effective.next_change_at));
    let left = move || ends.get().map(|at| duration::short(at.since(panel.now.get()) + 999));
    let talked = Memo::new(move |_| panel.phone.with(|phone| phone.last().is_some()));
    let problem = RwSignal::new(None::<String>);
    let send = move |message: ClientMessage| {
        problem.set(None);
        panel.shells().live.send(message, move |answer| {
            if let Err(refused) = answer {
                problem.set(Some(refused.detail));
            }
        });
    };
    view! {
        <Show when=move || works.get()>
            <section class="card wrap-up" aria-label="After-call work">
                <span class="reachable-disc tone-busy"><Glyph icon=Icon::Clock/></span>
                <div class="wrap-up-text">
                    <h2>"After-call work"</h2>
                    <p>"Finish the last call. Then calls can ring you again."</p>
                    {move || problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
                </div>
                <span class="wrap-up-timer" role="timer" aria-label="Time left" id="wrap-up-timer">{left}</span>
                <div class="ask-buttons">
                    <button type="button" class="btn" on:click=move |_| send(ClientMessage::WrapUpExtend {})>"+30 s"</button>
                    <button type="button" class="btn btn-primary" on:click=move |_| send(ClientMessage::WrapUpDone {})>"Done"</button>
                </div>
                <Show when=move || talked.get()>
                    <Lazy chunk=Chunk::LastNotes/>
                </Show>
            </section>
        </Show>
    }
}
