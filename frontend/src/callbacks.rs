//! The callbacks that are due: loads the list, and says that one is dealt with.

use cordboard_shared::id::CallId;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::panel::Panel;

/// Loads the list. Who may see none keeps an empty one.
pub(crate) fn load(panel: Panel) {
    spawn_local(async move {
        if let Ok(list) = api::callbacks().await {
            panel.callbacks.set(list.callbacks);
        }
    });
}

/// One is dealt with; it goes when the server has said so.
pub(crate) fn done(panel: Panel, call: CallId) {
    spawn_local(async move {
        match api::callback_done(call).await {
            Ok(()) => {
                panel.callbacks.update(|callbacks| callbacks.retain(|callback| callback.call != call));
                panel.tell("The callback is done.");
            }
            Err(error) => panel.alert(error.sentence()),
        }
    });
}
