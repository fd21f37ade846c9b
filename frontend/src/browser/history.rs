//! The address of the page, changed without loading anew.

use crate::model::route::{Program, Route};
use wasm_bindgen::JsValue;

use super::page::listen;
use super::window;

/// The page the address names.
pub(crate) fn route() -> Route {
    Route::at(&window().location().pathname().unwrap_or_default())
}

/// The half of the panel the address belongs to.
pub(crate) fn program() -> Program {
    Program::at(&window().location().pathname().unwrap_or_default())
}

/// Goes to a page; Back comes back from it.
pub(crate) fn push(route: Route) {
    if let Ok(history) = window().history() {
        // Refused only when a page floods the history.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(route.path()));
    }
}

/// Goes to a page in place of this one.
pub(crate) fn replace(route: Route) {
    if let Ok(history) = window().history() {
        // Refused only when a page floods the history.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(route.path()));
    }
}

/// Whether the address is that of a page, to the letter.
pub(crate) fn is_at(route: Route) -> bool {
    window().location().pathname().is_ok_and(|path| path == route.path())
}

/// Loads a page of the other half.
pub(crate) fn load(route: Route) {
    // A navigation that cannot begin leaves the page as it is.
    let _ = window().location().assign(route.path());
}

/// Calls back when the person goes back or forward.
pub(crate) fn on_move(moved: impl Fn() + 'static) {
    listen("popstate", move |_| moved());
}
