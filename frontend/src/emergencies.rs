//! The emergency routes, for those who do not get the whole policy: read when the rules may have changed.

use std::cell::{Cell, RefCell};

use cordboard_shared::Millis;
use cordboard_shared::api::policy::EmergencyList;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::browser::page;
use crate::panel::{Panel, Session};

/// Least time between two readings, in milliseconds: lines change often, routes seldom.
const EVERY_MS: u32 = 10_000;

/// Longest time without a reading while the page is looked at, in milliseconds: not every new route touches a line.
const AT_LEAST_MS: u64 = 30_000;

thread_local! {
    static LAST: Cell<Option<Millis>> = const { Cell::new(None) };
    static NEXT: RefCell<Option<Timeout>> = const { RefCell::new(None) };
}

/// Reads them now, or as soon as it is time again.
pub(crate) fn refresh(panel: Panel) {
    // Staff hear of every policy by the live socket.
    if untrack(|| panel.is_staff()) || NEXT.with_borrow(Option::is_some) {
        return;
    }
    let now = panel.exactly_now();
    let waited = LAST.get().map_or(u64::from(EVERY_MS), |last| now.since(last));
    let rest = u32::try_from(u64::from(EVERY_MS).saturating_sub(waited)).unwrap_or(EVERY_MS);
    if rest == 0 {
        read(panel, now);
        return;
    }
    NEXT.set(Some(Timeout::new(rest, move || {
        NEXT.take();
        read(panel, panel.exactly_now());
    })));
}

/// Looks once a second whether it is time again.
pub(crate) fn watch(panel: Panel) {
    let overdue = LAST.get().is_some_and(|last| panel.exactly_now().since(last) >= AT_LEAST_MS);
    let signed_in = panel.session.with_untracked(|session| matches!(session, Session::SignedIn(_)));
    if overdue && signed_in && page::is_visible() {
        refresh(panel);
    }
}

fn read(panel: Panel, now: Millis) {
    LAST.set(Some(now));
    spawn_local(async move {
        if let Ok(list) = api::get::<EmergencyList>("/core/emergencies").await {
            panel.notices.update(|notices| notices.emergencies = list.emergencies);
        }
    });
}
