//! The settings of the account, each with its effect in one sentence.

use cordboard_shared::policy::{Policy, Reach, ScheduleGates, Settings, TransferReach};
use leptos::prelude::*;

use super::editor::Editor;
use super::form::{CheckField, NumberField, SelectField, TextField, options};

const TRANSFERS: [(&str, &str); 3] =
    [("any", "Blind and warm transfers"), ("warm", "Warm transfers only"), ("none", "No transfers")];
const GATES: [(&str, &str); 2] = [("named", "Department and named calls"), ("queue", "Department calls only")];

/// A yes-or-no cell setting: name, how it is read and set, its effect when on, and when off.
type Rule = (&'static str, fn(&Reach) -> bool, fn(&mut Reach, bool), &'static str, &'static str);

const RULES: [Rule; 9] = [
    (
        "Direct extension rings while Away",
        |reach| reach.extension_rings_away,
        |reach, on| reach.extension_rings_away = on,
        "A dialed extension rings a person who is Away.",
        "A dialed extension of a person who is Away goes to voicemail.",
    ),
    (
        "Call flow's extension step follows that rule",
        |reach| reach.flow_extension_follows,
        |reach, on| reach.flow_extension_follows = on,
        "A flow's extension step treats Away as a dialed extension does.",
        "A flow's extension step takes an Away person's callers to voicemail.",
    ),
    (
        "Colleagues' calls ring while Away",
        |reach| reach.internal_rings_away,
        |reach, on| reach.internal_rings_away = on,
        "A colleague's call rings a person who is Away.",
        "A colleague's call to a person who is Away goes to voicemail.",
    ),
    (
        "Callbacks reach Away",
        |reach| reach.callbacks_reach_away,
        |reach, on| reach.callbacks_reach_away = on,
        "A callback scheduled to a person rings them while Away.",
        "A callback to a person who is Away moves to the follow-up list.",
    ),
    (
        "People may work outside their slots",
        |reach| reach.work_outside_slots,
        |reach, on| reach.work_outside_slots = on,
        "People may choose to work anyway for a stated time.",
        "Outside their slots people are off schedule, whatever their switch says.",
    ),
    (
        "Emergency routes reach off schedule",
        |reach| reach.emergency_off_schedule,
        |reach, on| reach.emergency_off_schedule = on,
        "An emergency route rings people outside their slots.",
        "An emergency route leaves people outside their slots alone.",
    ),
    (
        "Emergency routes reach opted-out people",
        |reach| reach.emergency_opted_out,
        |reach, on| reach.emergency_opted_out = on,
        "An emergency route rings people who have opted out.",
        "An emergency route leaves people who have opted out alone.",
    ),
    (
        "A pause also stops own outbound calls",
        |reach| reach.pause_stops_outbound,
        |reach, on| reach.pause_stops_outbound = on,
        "A paused person cannot call out either.",
        "A paused person can still call out.",
    ),
    (
        "Own calls need Available",
        |reach| reach.own_calls_need_available,
        |reach, on| reach.own_calls_need_available = on,
        "Calling out by click and taking a waiting call need Available.",
        "People can call out and take a waiting call while Away.",
    ),
];

fn look<T: PartialEq + Send + Sync + 'static>(editor: Editor, look: fn(&Settings) -> T) -> Signal<T> {
    Memo::new(move |_| editor.draft.with(|policy| look(&policy.settings))).into()
}

fn put<T: 'static>(editor: Editor, change: fn(&mut Settings, T)) -> Callback<T> {
    Callback::new(move |value| editor.edit(|policy: &mut Policy| change(&mut policy.settings, value)))
}

/// The settings behind the changeable cells.
#[component]
pub(crate) fn ReachFields() -> impl IntoView {
    let editor: Editor = expect_context();
    let rules = RULES
        .into_iter()
        .map(|(name, is, set, on, off)| {
            let value = Memo::new(move |_| editor.draft.with(|policy| is(&policy.settings.reach)));
            let effect = Signal::derive(move || if value.get() { on } else { off }.to_owned());
            view! {
                <CheckField
                    label=name
                    value=value
                    set=move |on| editor.edit(|policy| set(&mut policy.settings.reach, on))
                    hint=effect
                />
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="reach-settings">
            <h2 id="reach-settings">"What may reach a person"</h2>
            {rules}
            <SelectField
                label="Transfers that reach Away"
                options=options(&TRANSFERS)
                value=look(editor, |settings| match settings.reach.transfers_reach_away {
                    TransferReach::Any => "any".to_owned(),
                    TransferReach::Warm => "warm".to_owned(),
                    TransferReach::None => "none".to_owned(),
                })
                set=put(editor, |settings, word: String| {
                    settings.reach.transfers_reach_away = match word.as_str() {
                        "warm" => TransferReach::Warm,
                        "none" => TransferReach::None,
                        _ => TransferReach::Any,
                    };
                })
            />
            <SelectField
                label="Slots hold back"
                options=options(&GATES)
                value=look(editor, |settings| match settings.reach.schedule_gates {
                    ScheduleGates::Queue => "queue".to_owned(),
                    ScheduleGates::QueueAndNamed => "named".to_owned(),
                })
                set=put(editor, |settings, word: String| {
                    settings.reach.schedule_gates =
                        if word == "queue" { ScheduleGates::Queue } else { ScheduleGates::QueueAndNamed };
                })
            />
            <NumberField
                label="Strict sticky waits for a busy person (seconds)" min=0 max=300
                value=look(editor, |settings| settings.reach.strict_wait_seconds)
                set=put(editor, |settings, seconds| settings.reach.strict_wait_seconds = seconds)
            />
        </section>
    }
}

/// The other settings of the account.
#[component]
pub(crate) fn AccountFields() -> impl IntoView {
    let editor: Editor = expect_context();
    view! {
        <section class="card" aria-labelledby="account-settings">
            <h2 id="account-settings">"Account"</h2>
            <NumberField
                label="Missed offers in a row that set Away" min=0 max=10 hint="1 to 10; 0 is off."
                value=look(editor, |settings| settings.missed_limit)
                set=put(editor, |settings, number| settings.missed_limit = number)
            />
            <NumberField
                label="Minutes without activity that set Away" min=0 max=1440 hint="15 to 1440; 0 is off. People reachable by phone alone are exempt."
                value=look(editor, |settings| settings.inactivity_minutes)
                set=put(editor, |settings, number| settings.inactivity_minutes = number)
            />
            <CheckField
                label="An Away with an end returns by itself"
                value=look(editor, |settings| settings.auto_return)
                set=put(editor, |settings, on| settings.auto_return = on)
                hint=Signal::stored("Otherwise the panel asks: Are you back?".to_owned())
            />
            <CheckField
                label="Going Away needs a reason"
                value=look(editor, |settings| settings.reason_required)
                set=put(editor, |settings, on| settings.reason_required = on)
            />
            <TextField
                label="Reasons for Away" hint="Separated by commas, in the order of the menu."
                value=look(editor, |settings| settings.away_reasons.join(", "))
                set=put(editor, |settings, text: String| {
                    settings.away_reasons = text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
                })
            />
            <NumberField
                label="Minutes a caller who was cut off keeps the place" min=0 max=120
                value=look(editor, |settings| settings.keep_place_minutes)
                set=put(editor, |settings, number| settings.keep_place_minutes = number)
            />
            <TextField
                label="Lines" hint="Calls at once, in and out; empty is no limit."
                value=look(editor, |settings| settings.lines.map(|lines| lines.to_string()).unwrap_or_default())
                set=put(editor, |settings, text: String| settings.lines = text.trim().parse().ok())
            />
            <TextField
                label="Part of the lines for inbound calls (percent)" hint="Empty: half of up to 4 lines, a fifth of more."
                value=look(editor, |settings| settings.inbound_percent.map(|percent| percent.to_string()).unwrap_or_default())
                set=put(editor, |settings, text: String| settings.inbound_percent = text.trim().parse().ok())
            />
            <CheckField
                label="The opt-out link can also resume"
                value=look(editor, |settings| settings.resume_by_link)
                set=put(editor, |settings, on| settings.resume_by_link = on)
            />
        </section>
    }
}
