//! How it works, in the words of this version.

use cordboard_shared::agent::Verdict;
use leptos::prelude::*;

use crate::components::badge::VerdictBadge;
use crate::components::page_title::PageTitle;
use crate::shortcuts;

const STATES: [(Verdict, &str); 11] = [
    (Verdict::Available, "Your switch is on and a device of yours can ring: calls of your departments can reach you."),
    (Verdict::Ringing, "A call is being offered to you."),
    (Verdict::OnCall, "You are talking. Others are tried for the next call, or its caller waits."),
    (Verdict::AfterCallWork, "You finish the last call; then you are available again by yourself."),
    (Verdict::Away, "Your switch is off. Department calls go to others or to voicemail."),
    (Verdict::NoDevice, "Your switch is on, but nothing of yours can ring. Check this device."),
    (Verdict::Paused, "An admin has paused you. Your switch keeps its value and counts again when the pause ends."),
    (Verdict::Dnd, "A hard stop: no call rings you, whatever other rules say."),
    (Verdict::OptedOut, "You take no business calls until you switch Call Availability on again."),
    (Verdict::OffSchedule, "It is outside your hours."),
    (Verdict::Disabled, "You have no seat. Ask an admin."),
];

/// The help.
#[component]
pub(crate) fn Help() -> impl IntoView {
    let states =
        STATES.map(|(verdict, text)| view! { <div><dt><VerdictBadge verdict=verdict/></dt><dd>{text}</dd></div> });
    let keys = shortcuts::LIST
        .map(|(letter, text)| view! { <div><dt><kbd>{shortcuts::shown(letter)}</kbd></dt><dd>{text}</dd></div> });
    view! {
        <PageTitle title="Help"/>
        <div class="two-columns">
            <section class="card prose" aria-labelledby="help-first">
                <h2 id="help-first">"Take a first call"</h2>
                <ol>
                    <li>"On the desk, press Check this device. Allow the microphone when the browser asks. You hear the ring and see the level of your voice."</li>
                    <li>"Switch Call Availability on, at the top. It turns when the server has confirmed, not before."</li>
                    <li>"Under Place a test call choose a number that leads to you and press the button: a real call comes in."</li>
                    <li>"Answer. Mute, hold, keypad and hang up are on the call's card."</li>
                    <li>"Open the call log and press Why: it says for each person why they rang or not."</li>
                </ol>
            </section>
            <section class="card prose" aria-labelledby="help-switch">
                <h2 id="help-switch">"What the switch does"</h2>
                <p>"On: calls of your departments can ring you. Off, which is Away: they go to others, or to voicemail when nobody is left."</p>
                <p>"Going Away while your phone rings stops it at once, and the next person is tried. Going Away during a call leaves that call alone."</p>
                <p>"The arrow beside the switch sets Away with a reason and a time to be back."</p>
                <p>"The switch is yours in every place: another tab, the API and an admin change the same one, and all of them show it."</p>
            </section>
            <section class="card prose" aria-labelledby="help-calls">
                <h2 id="help-calls">"Calls you make and hand over"</h2>
                <p>"Call out, on the desk, calls a number or a colleague. Numbers can be called where an admin has opened their beginning; what is refused says why."</p>
                <p>"Transfer hands a call over at once. Ask first lets you talk with the other person before: Complete joins the two, Swap goes back and forth, Cancel takes the caller back. When nobody takes it, the call comes back to you."</p>
                <p>"Below the people, Transfer lists your own phones: Move takes the call there while you stay in it, and Move here brings it back to this tab."</p>
                <p>"Park puts a call at a place such as 701. You and your colleagues pick it up under Calls you may take, or by dialing the place on a desk phone; after three minutes it comes back."</p>
                <p>"On a desk phone, *2 and an extension hand the call over."</p>
            </section>
            <section class="card prose" aria-labelledby="help-states">
                <h2 id="help-states">"What each state means"</h2>
                <dl class="pairs">{states}</dl>
            </section>
            <section class="card prose" id="keyboard" aria-labelledby="help-keys">
                <h2 id="help-keys">"Keyboard"</h2>
                <dl class="pairs">
                    {keys}
                    <div><dt><kbd>"?"</kbd></dt><dd>"This page"</dd></div>
                </dl>
                <h2>"Several tabs"</h2>
                <p>"A call shows in every tab and rings in one. Any tab can answer; its sound is in the tab that did. After a reload the call's sound comes back by itself."</p>
            </section>
        </div>
    }
}
