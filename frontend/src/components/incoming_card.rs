//! The incoming call: always in the same place, never stealing the focus.

use crate::model::duration;
use crate::model::softphone::{self, Input, Stage};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::panel::use_panel;
use crate::{shortcuts, telephone};

/// The card of an offered call.
#[component]
pub(crate) fn IncomingCard() -> impl IntoView {
    let panel = use_panel();
    // Who rings changes the card; what happens to it changes parts of it.
    let ring = Memo::new(move |_| panel.phone.with(|phone| phone.incoming().map(|known| known.ring.clone())));
    let stage = Memo::new(move |_| panel.phone.with(|phone| phone.incoming().map(|known| known.stage)));
    let problem =
        Memo::new(move |_| panel.phone.with(|phone| phone.incoming().and_then(|known| known.problem.clone())));
    let times =
        Memo::new(move |_| panel.phone.with(|phone| phone.incoming().map(|known| (known.began_at, known.ends_at))));
    // The clock of the page ticks once a second and may be behind the ring: no more is left than there was.
    let left = move || times.get().map_or(0, |(began, ends)| ends.since(panel.now.get().max(began)));
    let total = move || times.get().map_or(1, |(began, ends)| ends.since(began).max(1));

    move || {
        ring.get().map(|ring| {
            let offer = ring.offer;
            let department = ring
                .department
                .and_then(|id| panel.roster.with_untracked(|roster| roster.department(id).map(str::to_owned)));
            let number = ring.name.as_ref().map(|_| ring.from.0.clone());
            let busy = move || stage.get() != Some(Stage::Ringing);
            let answer_word = move || match stage.get() {
                Some(Stage::WaitingForPeer | Stage::Answering | Stage::Won) => "Connecting…",
                Some(Stage::Ringing | Stage::Declining) | None => "Answer",
            };
            view! {
                <section class="incoming" aria-label="Incoming call">
                    <div class="incoming-head">
                        <span class="incoming-bell"><Glyph icon=Icon::Bell/></span>
                        <span>{if ring.callback { "Callback: they are dialed when you answer" } else { "Incoming call" }}</span>
                        <span class="incoming-left">{move || format!("{} s left", left().div_ceil(1_000))}</span>
                    </div>
                    <p class="incoming-caller">{softphone::caller(&ring)}</p>
                    {number.map(|number| view! { <p class="incoming-number">{number}</p> })}
                    <dl class="incoming-facts">
                        <div><dt>"For"</dt><dd>{department.unwrap_or_else(|| "You, directly".to_owned())}</dd></div>
                        <div><dt>"Waited"</dt><dd>{if ring.waited_ms < 1_000 { "Not at all".to_owned() } else { duration::spoken(ring.waited_ms) }}</dd></div>
                        <div><dt>"Why you"</dt><dd>{ring.why.clone()}</dd></div>
                    </dl>
                    <progress
                        class="incoming-bar"
                        aria-label="Ring time left"
                        max=move || total().to_string()
                        value=move || left().to_string()
                    ></progress>
                    {move || problem.get().map(|why| view! { <p class="incoming-problem">{why}</p> })}
                    <div class="incoming-buttons">
                        <button
                            type="button"
                            class="call-button call-answer"
                            disabled=busy
                            aria-keyshortcuts=shortcuts::aria('A')
                            title=shortcuts::shown('A')
                            on:click=move |_| telephone::feed(panel, Input::AnswerPressed(offer))
                        >
                            <Glyph icon=Icon::Handset/>
                            {answer_word}
                        </button>
                        <button
                            type="button"
                            class="call-button call-decline"
                            disabled=busy
                            aria-keyshortcuts=shortcuts::aria('D')
                            title=shortcuts::shown('D')
                            on:click=move |_| telephone::feed(panel, Input::DeclinePressed(offer))
                        >
                            <Glyph icon=Icon::HangUp/>
                            "Decline"
                        </button>
                    </div>
                </section>
            }
        })
    }
}
