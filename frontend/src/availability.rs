//! Changes of the own facts on their way to the server: the switch, and what its menu offers.

use cordboard_shared::agent::{Apply, Toggle, Verdict};
use cordboard_shared::api::availability::{BlockChange, FactChange};
use cordboard_shared::api::presence::PresenceChange;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api;
use crate::browser::uuid;
use crate::model::roster::Origin;
use crate::model::route::Program;
use crate::model::switch::{Intent, Switch};
use crate::panel::{Panel, Popover};

/// The plain press: to the other side. Resuming from an opt-out is asked about first.
pub(crate) fn toggle(panel: Panel) {
    let Some(presence) = panel.presence_untracked() else {
        panel.tell("Your availability is not known yet.");
        return;
    };
    let opted_out = presence.effective.verdict == Verdict::OptedOut;
    match presence.state {
        _ if opted_out && panel.hooks.program == Program::Manage => {
            panel.tell("You have opted out of business calls. Resume them on your desk.");
        }
        _ if opted_out => panel.popover.set(Popover::Resume),
        Toggle::On => press(panel, FactChange::Toggle(PresenceChange::to(Toggle::Away))),
        Toggle::Away => go_available(panel),
    }
}

/// On. Lifts an opt-out, too.
pub(crate) fn go_available(panel: Panel) {
    press(panel, FactChange::Toggle(PresenceChange::to(Toggle::On)));
}

/// Away with a reason, and a time to be back.
pub(crate) fn away(panel: Panel, reason: Option<String>, back_in_minutes: Option<u64>) {
    let until = minutes(panel, back_in_minutes);
    press(panel, FactChange::Toggle(PresenceChange { reason, until, ..PresenceChange::to(Toggle::Away) }));
}

/// Away when the present call has ended.
pub(crate) fn away_after_call(panel: Panel) {
    press(panel, FactChange::Toggle(PresenceChange { apply: Apply::AfterCall, ..PresenceChange::to(Toggle::Away) }));
}

/// Do Not Disturb, with or without an end; or its end.
pub(crate) fn dnd(panel: Panel, on: bool, for_minutes: Option<u64>) {
    let set = on.then(|| BlockChange { reason: None, until: minutes(panel, for_minutes) });
    press(panel, FactChange::Dnd { set });
}

/// Opts out of business calls.
pub(crate) fn opt_out(panel: Panel) {
    press(panel, FactChange::OptOut { set: Some(BlockChange::default()) });
}

/// Works outside the slots for a while.
pub(crate) fn work_anyway(panel: Panel, for_minutes: u64) {
    press(panel, FactChange::WorkAnyway { until: minutes(panel, Some(for_minutes)) });
}

fn minutes(panel: Panel, minutes: Option<u64>) -> Option<cordboard_shared::Millis> {
    minutes.map(|minutes| panel.exactly_now() + minutes * 60_000)
}

fn press(panel: Panel, change: FactChange) {
    let n = panel.presence_untracked().map_or(0, |presence| presence.intent) + 1;
    let intent = Intent { change, key: uuid(), n };
    if panel.switch.try_update(|switch| switch.press(intent.clone())) == Some(true) {
        send(panel, intent);
    } else {
        panel.tell("The last change is still on its way.");
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
        let outcome = api::change_fact(me, &intent, &panel.shells().device).await;
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
