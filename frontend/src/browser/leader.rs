//! Which of this browser's tabs holds the ringer and the microphone: the one that holds a Web Lock.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::window;

const LOCK: &str = "cordboard-telephone";

/// Calls back once this tab leads, which lasts until it is closed. Without Web Locks every tab leads.
pub(crate) fn lead(on_lead: impl FnOnce() + 'static) {
    let navigator = window().navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).unwrap_or(JsValue::UNDEFINED);
    let request = Reflect::get(&locks, &"request".into()).ok().and_then(|request| request.dyn_into::<Function>().ok());
    let Some(request) = request else {
        on_lead();
        return;
    };
    let held = Closure::once_into_js(move |_lock: JsValue| -> JsValue {
        on_lead();
        // The lock is held until this promise settles, which it never does.
        Promise::new(&mut |_resolve, _reject| {}).into()
    });
    // The promise settles only if the lock is lost with the page.
    let _ = request.call2(&locks, &LOCK.into(), &held);
}
