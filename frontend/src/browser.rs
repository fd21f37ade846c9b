//! The only home of `web-sys`: what the browser gives, behind small types of our own.

pub(crate) mod clock;
pub(crate) mod history;
pub(crate) mod leader;
pub(crate) mod microphone;
pub(crate) mod notifications;
pub(crate) mod page;
pub(crate) mod peer;
pub(crate) mod ringer;
pub(crate) mod socket;
pub(crate) mod storage;
pub(crate) mod upload;

use wasm_bindgen::{JsCast, JsValue};

/// The window; the panel runs in a page and nowhere else.
pub(crate) fn window() -> web_sys::Window {
    web_sys::window().expect("the panel runs in a page")
}

/// A sentence for an error the browser threw.
pub(crate) fn explain(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the browser gave no reason".to_owned())
}

/// The name of an error the browser threw, such as `NotAllowedError`.
pub(crate) fn error_name(error: &JsValue) -> String {
    js_sys::Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}

/// A fresh random UUID.
pub(crate) fn uuid() -> String {
    // Without a secure context there is no `crypto`; the panel is served by TLS or from loopback.
    let weak = |_| format!("{:016x}{:016x}", bits(js_sys::Math::random()), bits(js_sys::Math::random()));
    window().crypto().map_or_else(weak, |crypto| crypto.random_uuid())
}

fn bits(random: f64) -> u64 {
    random.to_bits()
}
