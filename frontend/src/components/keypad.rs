//! The keypad of a call; digits may be typed too while the focus is in it.

use leptos::ev;
use leptos::prelude::*;

use crate::browser::page;

const KEYS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/// The keypad.
#[component]
pub(crate) fn Keypad(
    /// Hears each key.
    on_digit: impl Fn(String) + Copy + Send + 'static,
) -> impl IntoView {
    let sent = RwSignal::new(String::new());
    let press = move |digit: &str| {
        sent.update(|sent| sent.push_str(digit));
        on_digit(digit.to_owned());
    };
    // Whoever opens it wants to press a key next.
    Effect::new(move |_| page::focus("keypad-first"));
    let typed = move |event: ev::KeyboardEvent| {
        let key = event.key();
        let plain = !event.ctrl_key() && !event.alt_key() && !event.meta_key();
        if plain && KEYS.contains(&key.as_str()) {
            event.prevent_default();
            press(&key);
        }
    };
    let keys = KEYS.map(|key| {
        view! {
            <button type="button" id=(key == "1").then_some("keypad-first") class="key" on:click=move |_| press(key)>
                {key}
            </button>
        }
    });
    view! {
        <div class="keypad" id="keypad" role="group" aria-label="Keypad" on:keydown=typed>
            <output class="keypad-sent" aria-label="Keys sent">{move || sent.get()}</output>
            {keys}
        </div>
    }
}
