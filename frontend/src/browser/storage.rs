//! What this browser remembers between visits. Without storage everything works, and nothing is remembered.

use cordboard_shared::id::CallId;
use wasm_bindgen::JsCast;
use web_sys::{Storage, StorageEvent};

use super::page::listen;
use super::{uuid, window};

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// A remembered value.
pub(crate) fn get(key: &str) -> Option<String> {
    storage()?.get_item(&full(key)).ok().flatten()
}

/// Remembers a value.
pub(crate) fn set(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full or forbidden storage only means that nothing is remembered.
        let _ = storage.set_item(&full(key), value);
    }
}

/// The stable id of this browser, made at the first visit.
pub(crate) fn device() -> String {
    get("device").unwrap_or_else(|| {
        let id = uuid();
        set("device", &id);
        id
    })
}

/// The id of this tab, kept over a reload. A duplicated tab gets its own: the id is set down only while none is open.
pub(crate) fn tab() -> String {
    const KEY: &str = "cordboard.tab";
    let session = window().session_storage().ok().flatten();
    let kept = session.as_ref().and_then(|session| session.get_item(KEY).ok().flatten());
    if let Some(session) = &session {
        // Without storage a reload is a new tab.
        let _ = session.remove_item(KEY);
    }
    let tab = kept.unwrap_or_else(uuid);
    let leaving = tab.clone();
    listen("pagehide", move |_| {
        if let Some(session) = &session {
            let _ = session.set_item(KEY, &leaving);
        }
    });
    tab
}

/// Says which tab has the sound of a call.
pub(crate) fn claim_sound(call: CallId, tab: &str) {
    set(SOUND, &format!("{call} {tab}"));
}

/// The call whose sound this tab had before it was reloaded.
pub(crate) fn sound_of(tab: &str) -> Option<CallId> {
    let claim = get(SOUND)?;
    let (call, owner) = claim.split_once(' ')?;
    if owner == tab { call.parse().ok() } else { None }
}

/// Calls back when another tab claims the sound of a call.
pub(crate) fn on_sound_claimed(claimed: impl Fn(CallId) + 'static) {
    listen("storage", move |event| {
        let Some(event) = event.dyn_ref::<StorageEvent>() else { return };
        if event.key() != Some(full(SOUND)) {
            return;
        }
        let claim = event.new_value().unwrap_or_default();
        if let Some(call) = claim.split_once(' ').and_then(|(call, _)| call.parse().ok()) {
            claimed(call);
        }
    });
}

const SOUND: &str = "sound";

fn full(key: &str) -> String {
    format!("cordboard.{key}")
}
