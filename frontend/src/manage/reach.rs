//! A person's or a department's own reach: fields that can only narrow what the account allows.

use cordboard_shared::policy::{Reach, ReachPatch, ScheduleGates, TransferReach};
use leptos::prelude::*;

use super::editor::Editor;
use super::form::{SelectField, options};
use crate::model::reach::{self, RULES};

const YES_NO: [(&str, &str); 2] = [("", "As the account"), ("no", "No")];
const TRANSFERS: [(&str, &str); 3] =
    [("", "As the account"), ("warm", "Warm transfers only"), ("none", "No transfers")];
const SLOTS: [(&str, &str); 2] = [("", "As the account"), ("named", "Department and named calls")];

/// The fields, each with its effect in words.
#[component]
pub(crate) fn ReachPatchFields(
    #[prop(into)] value: Signal<ReachPatch>,
    #[prop(into)] set: Callback<ReachPatch>,
) -> impl IntoView {
    let editor: Editor = expect_context();
    let account = Memo::new(move |_| editor.draft.with(|policy| policy.settings.reach.clone()));
    let words = move |effect: fn(&Reach, &ReachPatch) -> String| {
        Signal::derive(move || account.with(|account| value.with(|patch| effect(account, patch))))
    };
    let change = move |change: &dyn Fn(&mut ReachPatch)| {
        let mut patch = value.get_untracked();
        change(&mut patch);
        set.run(patch);
    };
    let rules = RULES
        .iter()
        .map(|rule| {
            let effect = Signal::derive(move || account.with(|account| value.with(|patch| rule.effect(account, patch))));
            view! {
                <SelectField
                    label=rule.name
                    options=options(&YES_NO)
                    value=Signal::derive(move || value.with(|patch| if (rule.own)(patch) == Some(false) { "no" } else { "" }.to_owned()))
                    set=move |word: String| change(&|patch| (rule.set)(patch, (word == "no").then_some(false)))
                />
                <Effect text=effect/>
            }
        })
        .collect_view();
    view! {
        <div class="own-reach">
            {rules}
            <SelectField
                label="Transfers that reach Away"
                options=options(&TRANSFERS)
                value=Signal::derive(move || value.with(|patch| match patch.transfers_reach_away {
                    Some(TransferReach::Warm) => "warm",
                    Some(TransferReach::None) => "none",
                    Some(TransferReach::Any) | None => "",
                }.to_owned()))
                set=move |word: String| change(&|patch| patch.transfers_reach_away = match word.as_str() {
                    "warm" => Some(TransferReach::Warm),
                    "none" => Some(TransferReach::None),
                    _ => None,
                })
            />
            <Effect text=words(reach::transfers)/>
            <SelectField
                label="Slots hold back"
                options=options(&SLOTS)
                value=Signal::derive(move || value.with(|patch| match patch.schedule_gates {
                    Some(ScheduleGates::QueueAndNamed) => "named",
                    Some(ScheduleGates::Queue) | None => "",
                }.to_owned()))
                set=move |word: String| change(&|patch| patch.schedule_gates = (word == "named").then_some(ScheduleGates::QueueAndNamed))
            />
            <Effect text=words(reach::slots)/>
        </div>
    }
}

/// What holds, below its field.
#[component]
fn Effect(text: Signal<String>) -> impl IntoView {
    view! { <p class="field-hint effect">{move || text.get()}</p> }
}
