//! Loads the call log and places test calls.

use crate::model::log::CallLog;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::panel::Panel;

/// Loads the newest page.
pub(crate) fn load_first(panel: Panel) {
    load(panel, None);
}

/// Loads the page after the last one.
pub(crate) fn load_more(panel: Panel) {
    let cursor = panel.log.with_untracked(|log| log.next().map(str::to_owned));
    if cursor.is_some() {
        load(panel, cursor);
    }
}

fn load(panel: Panel, cursor: Option<String>) {
    if panel.log.try_update(CallLog::ask) != Some(true) {
        return;
    }
    spawn_local(async move {
        match api::calls(cursor.as_deref()).await {
            Ok(page) => panel.log.update(|log| log.page(cursor.as_deref(), page)),
            Err(error) => panel.log.update(|log| log.failed(error.sentence())),
        }
    });
}
