//! The press of the Call Availability switch on its way to the server.

use cordboard_frontend::model::roster::Origin;
use cordboard_frontend::model::switch::{Intent, Switch};
use cordboard_shared::agent::Toggle;
use cordboard_shared::api::presence::PresenceChange;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::browser::uuid;
use crate::panel::Panel;

/// The plain press: to the other side.
pub(crate) fn toggle(panel: Panel) {
    let Some(presence) = panel.presence_untracked() else {
        panel.tell("Your availability is not known yet.");
        return;
    };
    let other = match presence.state {
        Toggle::On => Toggle::Away,
        Toggle::Away => Toggle::On,
    };
    press(panel, PresenceChange::to(other));
}

/// Away with a reason, and a time to be back.
pub(crate) fn away(panel: Panel, reason: &str, back_in_minutes: Option<u64>) {
    let until = back_in_minutes.map(|minutes| panel.exactly_now() + minutes * 60_000);
    press(panel, PresenceChange { reason: Some(reason.to_owned()), until, ..PresenceChange::to(Toggle::Away) });
}

fn press(panel: Panel, change: PresenceChange) {
    let n = panel.presence_untracked().map_or(0, |presence| presence.intent) + 1;
    let intent = Intent { change, key: uuid(), n };
    if panel.switch.try_update(|switch| switch.press(intent.clone())) == Some(true) {
        send(panel, intent);
    }
}

/// The failed press again, under its own key.
pub(crate) fn retry(panel: Panel) {
    if let Some(intent) = panel.switch.try_update(Switch::retry).flatten() {
        send(panel, intent);
    }
}

fn send(panel: Panel, intent: Intent) {
    let Some(me) = panel.user_untracked().map(|user| user.id) else { return };
    spawn_local(async move {
        let outcome = api::set_presence(me, &intent, &panel.shells().device).await;
        if outcome.as_ref().is_err_and(api::ApiError::is_signed_out) {
            panel.signed_out(Some("Your sign-in has ended. Sign in again.".to_owned()));
            return;
        }
        let outcome = outcome.map_err(|error| error.sentence()).map(|presence| {
            let now = panel.exactly_now();
            let word = presence.effective.verdict.word();
            let shown = panel.roster.try_update(|roster| roster.presence_changed(now, presence, Origin::Answer));
            if shown == Some(true) {
                panel.tell(format!("You are now: {word}."));
            }
        });
        if let Err(why) = &outcome {
            panel.alert(format!("The change of call availability is not confirmed. {why}"));
        }
        panel.switch.update(|switch| switch.answered(&intent.key, outcome));
    });
}
