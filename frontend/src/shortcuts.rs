//! The keyboard: Alt+Shift and a letter, Ctrl+Shift on a Mac. A press that cannot act says why.

use crate::model::softphone::{Input, Press};
use cordboard_shared::call::CallState;
use leptos::ev;
use leptos::prelude::*;

use crate::browser::page;
use crate::panel::{Panel, Popover, Session};
use crate::{availability, telephone};

/// Every shortcut: the letter and what it does.
pub(crate) const LIST: [(char, &str); 8] = [
    ('V', "Switch Call Availability on or to Away"),
    ('W', "What can ring me now"),
    ('A', "Answer the incoming call"),
    ('D', "Decline the incoming call"),
    ('M', "Mute or unmute your microphone"),
    ('H', "Hold or resume the call"),
    ('K', "Open or close the keypad"),
    ('E', "End the call"),
];

/// `Alt+Shift+A`, as it is shown.
pub(crate) fn shown(letter: char) -> String {
    format!("{}+Shift+{letter}", modifier())
}

/// `Alt Shift A`, as it is said.
pub(crate) fn spoken(letter: char) -> String {
    format!("{} Shift {letter}", modifier())
}

/// `Alt+Shift+A` in the form of `aria-keyshortcuts`.
pub(crate) fn aria(letter: char) -> String {
    format!("{}+Shift+{letter}", if page::is_mac() { "Control" } else { "Alt" })
}

fn modifier() -> &'static str {
    if page::is_mac() { "Ctrl" } else { "Alt" }
}

/// Listens for the shortcuts; `open_help` shows the list of them.
pub(crate) fn listen(panel: Panel, keypad: RwSignal<bool>, open_help: impl Fn() + 'static) {
    let handle = window_event_listener(ev::keydown, move |event| {
        if !panel.session.with_untracked(|session| matches!(session, Session::SignedIn(_))) {
            return;
        }
        if event.key() == "Escape" {
            close_popover(panel);
            return;
        }
        if event.key() == "?" && !page::is_typing() {
            open_help();
            return;
        }
        let held =
            if page::is_mac() { event.ctrl_key() && !event.alt_key() } else { event.alt_key() && !event.ctrl_key() };
        if !held || !event.shift_key() || event.meta_key() || event.repeat() {
            return;
        }
        // The place of the key: with Alt held its character may be another one.
        let code = event.code();
        let Some(letter) = code.strip_prefix("Key").and_then(|letter| letter.chars().next()) else { return };
        if LIST.iter().any(|(known, _)| *known == letter) {
            event.prevent_default();
            act(panel, keypad, letter);
        }
    });
    // The listener lives as long as the page.
    std::mem::forget(handle);
}

/// Escape closes what is open, and the focus goes back to where it was opened.
pub(crate) fn close_popover(panel: Panel) {
    let opener = match panel.popover.get_untracked() {
        Popover::Closed => return,
        Popover::Switch | Popover::Resume => "switch-menu-button",
        Popover::Reach => crate::components::reach::BUTTON,
        Popover::Account => "account-button",
    };
    panel.popover.set(Popover::Closed);
    page::focus(opener);
}

/// Opens what can ring me now, or closes it.
pub(crate) fn open_reach(panel: Panel) {
    let open = panel.popover.get_untracked() == Popover::Reach;
    panel.popover.set(if open { Popover::Closed } else { Popover::Reach });
}

fn act(panel: Panel, keypad: RwSignal<bool>, letter: char) {
    let offer = panel.phone.with_untracked(|phone| phone.incoming().map(|incoming| incoming.ring.offer));
    let call = panel.phone.with_untracked(|phone| phone.current().map(|call| (call.muted, call.call.state)));
    let feed = |input| telephone::feed(panel, input);
    match (letter, offer, call) {
        ('V', _, _) => availability::toggle(panel),
        ('W', _, _) => open_reach(panel),
        ('A', Some(offer), _) => feed(Input::AnswerPressed(offer)),
        ('D', Some(offer), _) => feed(Input::DeclinePressed(offer)),
        ('A' | 'D', None, _) => panel.tell("No call is ringing."),
        ('M', _, Some((muted, _))) => feed(Input::Pressed(if muted { Press::Unmute } else { Press::Mute })),
        ('H', _, Some((_, state))) => {
            feed(Input::Pressed(if state == CallState::Held { Press::Resume } else { Press::Hold }));
        }
        ('K', _, Some(_)) => keypad.update(|open| *open = !*open),
        ('E', _, Some(_)) => feed(Input::Pressed(Press::HangUp)),
        _ => panel.tell("There is no call now."),
    }
}
