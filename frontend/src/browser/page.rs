//! The page itself: title, theme, focus, visibility, and what it tells tools that watch it.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BeforeUnloadEvent, Element, HtmlElement, HtmlInputElement, VisibilityState};

use super::{storage, window};

/// The name of the machine this page came from.
pub(crate) fn host() -> String {
    window().location().hostname().unwrap_or_default()
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    /// The chosen theme, else the system's.
    pub(crate) fn load() -> Self {
        match storage::get("theme").as_deref() {
            Some("dark") => Self::Dark,
            Some("light") => Self::Light,
            Some(_) | None => {
                let dark = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
                if dark.is_some_and(|query| query.matches()) { Self::Dark } else { Self::Light }
            }
        }
    }

    /// Puts it on the page and remembers it.
    pub(crate) fn choose(self) {
        storage::set("theme", self.name());
        self.apply();
    }

    /// Puts it on the page.
    pub(crate) fn apply(self) {
        set_root("data-theme", self.name());
    }

    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// An element by its id.
pub(crate) fn element(id: &str) -> Option<Element> {
    window().document()?.get_element_by_id(id)
}

/// Moves the keyboard's focus.
pub(crate) fn focus(id: &str) {
    if let Some(element) = element(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // An element that is not shown cannot take the focus.
        let _ = element.focus();
    }
}

/// Mirrors on the root element whether the ringer sounds.
pub(crate) fn set_ringing(ringing: bool) {
    set_root("data-ringing", if ringing { "true" } else { "false" });
}

fn set_root(name: &str, value: &str) {
    if let Some(root) = window().document().and_then(|document| document.document_element()) {
        // The names are fixed and valid.
        let _ = root.set_attribute(name, value);
    }
}

/// Loads the page anew, with what the server serves now.
pub(crate) fn reload() {
    // A page that cannot be loaded shows the browser's own words.
    let _ = window().location().reload();
}

/// Names the tab.
pub(crate) fn set_title(title: &str) {
    if let Some(document) = window().document() {
        document.set_title(title);
    }
}

/// Whether the tab is in front.
pub(crate) fn is_visible() -> bool {
    window().document().is_some_and(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Whether this is a Mac, whose shortcuts use other keys.
pub(crate) fn is_mac() -> bool {
    window().navigator().user_agent().is_ok_and(|agent| agent.contains("Mac OS"))
}

/// Whether the keyboard writes into a field now.
pub(crate) fn is_typing() -> bool {
    let Some(active) = window().document().and_then(|document| document.active_element()) else { return false };
    let writes =
        |input: &HtmlInputElement| !matches!(input.type_().as_str(), "checkbox" | "radio" | "button" | "range");
    match active.tag_name().as_str() {
        "TEXTAREA" | "SELECT" => true,
        "INPUT" => active.dyn_ref::<HtmlInputElement>().is_some_and(writes),
        _ => active.dyn_ref::<HtmlElement>().is_some_and(HtmlElement::is_content_editable),
    }
}

/// Calls back when the tab comes to the front or leaves it.
pub(crate) fn on_visibility(changed: impl Fn() + 'static) {
    listen("visibilitychange", move |_| changed());
}

/// Calls back at every press of a key or pointer.
pub(crate) fn on_press(pressed: impl Fn() + Clone + 'static) {
    let also = pressed.clone();
    listen("pointerdown", move |_| pressed());
    listen("keydown", move |_| also());
}

/// Asks before the page is left, while `asks` says so.
pub(crate) fn confirm_leaving(asks: impl Fn() -> bool + 'static) {
    listen("beforeunload", move |event| {
        if asks() {
            event.prevent_default();
            if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>() {
                event.set_return_value("There is more to do here.");
            }
        }
    });
}

/// Listens as long as the page lives; what happens to the document comes by here, too.
pub(super) fn listen(name: &str, heard: impl Fn(web_sys::Event) + 'static) {
    let heard = Closure::<dyn FnMut(web_sys::Event)>::new(heard);
    // Adding a listener of a valid function cannot fail.
    let _ = window().add_event_listener_with_callback(name, heard.as_ref().unchecked_ref());
    heard.forget();
}

/// Plays a player of the page from its beginning.
pub(crate) fn play(id: &str) {
    if let Some(player) = element(id).and_then(|element| element.dyn_into::<web_sys::HtmlMediaElement>().ok()) {
        player.set_current_time(0.0);
        if let Ok(started) = player.play() {
            wasm_bindgen_futures::spawn_local(async move {
                // The player itself shows when a recording cannot be played.
                let _ = wasm_bindgen_futures::JsFuture::from(started).await;
            });
        }
    }
}
