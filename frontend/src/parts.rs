//! The views of the parts that come later, by name; the program decides whether each has a file of its own.

use leptos::prelude::*;

use crate::components::{reach, switch_menu};
use crate::pages::{calls, devices, help};

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

/// Whether to resume from an opt-out.
pub fn resume() -> AnyView {
    view! { <switch_menu::Resume/> }.into_any()
}
