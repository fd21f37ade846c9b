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

/// The id of this tab and the call whose sound it had, both kept over a reload. A duplicated tab gets its own: they
/// are set down only when the tab is left.
pub(crate) fn tab() -> (String, Option<CallId>) {
    let session = window().session_storage().ok().flatten();
    let take = |key: &str| {
        let session = session.as_ref()?;
        let kept = session.get_item(key).ok().flatten();
        // Without storage a reload is a new tab.
        let _ = session.remove_item(key);
        kept
    };
    let tab = take(TAB).unwrap_or_else(uuid);
    let sound = take(SOUND).and_then(|call| call.parse().ok());
    let leaving = tab.clone();
    listen("pagehide", move |_| leave(&leaving));
    (tab, sound)
}

/// Sets down what a reload needs, and tells the other tabs that the sound is free.
fn leave(tab: &str) {
    let Some(session) = window().session_storage().ok().flatten() else { return };
    // Without storage a reload is a new tab.
    let _ = session.set_item(TAB, tab);
    if let Some((call, owner)) = claim()
        && owner == tab
    {
        let _ = session.set_item(SOUND, &call.to_string());
        set(SOUND, &format!("{call} "));
    }
}

/// Says that this tab has the sound of a call.
pub(crate) fn claim_sound(call: CallId, tab: &str) {
    set(SOUND, &format!("{call} {tab}"));
}

/// Calls back when another tab claims the sound of a call, or lets go of it.
pub(crate) fn on_sound(changed: impl Fn(CallId, Claim) + 'static) {
    listen("storage", move |event| {
        let ours = event.dyn_ref::<StorageEvent>().is_some_and(|event| event.key() == Some(full(SOUND)));
        if ours && let Some((call, owner)) = claim() {
            changed(call, if owner.is_empty() { Claim::Released } else { Claim::Taken });
        }
    });
}

/// What another tab did with the sound of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Taken,
    Released,
}

fn claim() -> Option<(CallId, String)> {
    let claim = get(SOUND)?;
    let (call, owner) = claim.split_once(' ')?;
    Some((call.parse().ok()?, owner.to_owned()))
}

const TAB: &str = "cordboard.tab";
const SOUND: &str = "sound";

fn full(key: &str) -> String {
    format!("cordboard.{key}")
}
