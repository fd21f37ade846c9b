//! Notices of the operating system for calls that ring while another window is in front.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationOptions, NotificationPermission};

use super::window;

thread_local! {
    static SHOWN: RefCell<Option<Notification>> = const { RefCell::new(None) };
}

/// What the person said to notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Granted,
    Refused,
    NotAsked,
}

/// What the person said so far.
pub(crate) fn consent() -> Consent {
    if !js_sys::Reflect::has(&window(), &"Notification".into()).unwrap_or(false) {
        return Consent::Refused;
    }
    match Notification::permission() {
        NotificationPermission::Granted => Consent::Granted,
        NotificationPermission::Denied => Consent::Refused,
        _ => Consent::NotAsked,
    }
}

/// Asks; only on a press of the person.
pub(crate) async fn ask() -> Consent {
    if let Ok(asked) = Notification::request_permission() {
        // Whatever the promise says, `consent` tells.
        let _ = JsFuture::from(asked).await;
    }
    consent()
}

/// Shows a notice; pressing it brings the tab to the front.
pub(crate) fn show(title: &str, body: &str) {
    if consent() != Consent::Granted {
        return;
    }
    let options = NotificationOptions::new();
    options.set_body(body);
    options.set_tag("cordboard-incoming");
    let Ok(notice) = Notification::new_with_options(title, &options) else { return };
    let front = Closure::once_into_js(|| {
        // A browser may refuse to change the window in front.
        let _ = window().focus();
    });
    notice.set_onclick(front.dyn_ref());
    SHOWN.with_borrow_mut(|shown| *shown = Some(notice));
}

/// Takes the notice back.
pub(crate) fn close() {
    if let Some(notice) = SHOWN.with_borrow_mut(Option::take) {
        notice.close();
    }
}
