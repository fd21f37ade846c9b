//! The callbacks that are due: loads the list, and says that one is dealt with.

use cordboard_shared::event::ClientMessage;
use cordboard_shared::id::CallId;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::panel::Panel;
use crate::{api, telephone};

/// Loads the list. Who may see none keeps an empty one.
pub(crate) fn load(panel: Panel) {
    spawn_local(async move {
        if let Ok(list) = api::callbacks().await {
            panel.callbacks.set(list.callbacks);
        }
    });
}

/// Calls the person who asked for it.
pub(crate) fn dial(panel: Panel, call: CallId, number: String) {
    let message = ClientMessage::Dial { to: number, department: None, device: None, callback: Some(call) };
    telephone::place(panel, message, move |answer| match answer {
        Ok(()) => panel.tell("Calling."),
        Err(why) => panel.alert(why),
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
