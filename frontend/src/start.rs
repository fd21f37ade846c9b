//! Begins with what the address names: the desk, or management.

use leptos::prelude::*;

use crate::browser::history;
use crate::browser::page::Theme;
use crate::chunk::{Chunk, Coming, Lazy, Source};
use crate::desk;
use crate::model::route::Program;

/// Begins; `source` gives the parts that come later.
pub fn start(source: fn(Chunk) -> Coming) {
    console_error_panic_hook::set_once();
    Theme::load().apply();
    leptos::mount::mount_to_body(move || {
        provide_context(Source(source));
        match history::program() {
            Program::Desk => view! { <desk::App/> }.into_any(),
            Program::Manage => view! { <Lazy chunk=Chunk::Manage/> }.into_any(),
        }
    });
}
