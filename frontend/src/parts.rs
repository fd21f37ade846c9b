//! The views of the parts that come later, by name; the program decides whether each has a file of its own.

use leptos::prelude::*;

use crate::components::{call_out, floor, notes, reach, switch_menu, transfer};
use crate::pages::{calls, devices, help};
use crate::panel::use_panel;

/// Management.
pub fn manage() -> AnyView {
    view! { <crate::manage::App/> }.into_any()
}

/// The call log, with the Why of each call.
pub fn calls() -> AnyView {
    view! { <calls::Calls/> }.into_any()
}

/// Microphone, ring sound and notices.
pub fn devices() -> AnyView {
    view! { <devices::Devices/> }.into_any()
}

/// The help.
pub fn help() -> AnyView {
    view! { <help::Help/> }.into_any()
}

/// What can ring me now.
pub fn reach() -> AnyView {
    view! { <reach::Reach/> }.into_any()
}

/// What the switch offers besides its two sides.
pub fn switch_menu() -> AnyView {
    view! { <switch_menu::Menu/> }.into_any()
}

/// Calls a number or a colleague.
pub fn call_out() -> AnyView {
    view! { <call_out::CallOut/> }.into_any()
}

/// Calls one may take.
pub fn floor() -> AnyView {
    view! { <floor::FloorCalls/> }.into_any()
}

/// To whom the call in hand is handed over.
pub fn transfer() -> AnyView {
    let call = use_panel().phone.with_untracked(|phone| phone.current().map(|call| call.call.uid));
    call.map(|uid| view! { <transfer::Transfer uid=uid/> }).into_any()
}

/// The transfer under way.
pub fn transfer_under_way() -> AnyView {
    view! { <transfer::UnderWay/> }.into_any()
}

/// Notes and filing of the call in hand.
pub fn notes() -> AnyView {
    view! { <notes::CurrentNotes/> }.into_any()
}

/// Notes and filing of the call that is over.
pub fn last_notes() -> AnyView {
    view! { <notes::LastNotes/> }.into_any()
}

/// Whether to resume from an opt-out.
pub fn resume() -> AnyView {
    view! { <switch_menu::Resume/> }.into_any()
}
