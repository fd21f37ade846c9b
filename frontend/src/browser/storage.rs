//! What this browser remembers between visits. Without storage everything works, and nothing is remembered.

use web_sys::Storage;

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

fn full(key: &str) -> String {
    format!("cordboard.{key}")
}
