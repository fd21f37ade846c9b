//! Weekly hours as fields: windows with days, from and to, the zone, holidays, and the week they make.

use cordboard_shared::schedule::{Day, Holiday, TimeOfDay, WeeklyHours};
use leptos::prelude::*;

use super::form::TextField;
use crate::components::icon::{Glyph, Icon};
use crate::model::slots;

/// The fields. Every change gives the whole hours.
#[component]
pub(crate) fn HoursFields(
    #[prop(into)] value: Signal<WeeklyHours>,
    #[prop(into)] set: Callback<WeeklyHours>,
    /// Whether days off are set here, too.
    holidays: bool,
) -> impl IntoView {
    let change = move |change: &dyn Fn(&mut WeeklyHours)| {
        let mut hours = value.get_untracked();
        change(&mut hours);
        set.run(hours);
    };
    let windows = Memo::new(move |_| value.with(|hours| hours.open.len()));
    let days_off = Memo::new(move |_| value.with(|hours| hours.holidays.len()));
    let week = move || value.with(slots::week).into_iter().map(|day| view! { <li>{day}</li> }).collect_view();
    let complaints = move || value.with(slots::complaints);
    view! {
        <div class="hours">
            <ol class="hours-windows">
                <For each=move || 0..windows.get() key=|index| *index let:index>
                    <WindowRow index=index value=value set=set/>
                </For>
            </ol>
            <p class="empty" hidden=move || { windows.get() > 0 }>"No window: always open."</p>
            <div class="button-row">
                <button type="button" class="btn btn-sm" on:click=move |_| change(&|hours| hours.open.push(slots::usual()))>
                    "Add a window"
                </button>
            </div>
            <TextField
                label="Time zone"
                hint="A name such as Asia/Kolkata. Empty is the account's zone."
                value=Signal::derive(move || value.with(|hours| hours.zone.clone().unwrap_or_default()))
                set=move |zone: String| {
                    let zone = zone.trim().to_owned();
                    change(&|hours| hours.zone = (!zone.is_empty()).then(|| zone.clone()));
                }
            />
            <Show when=move || holidays>
                <h4>"Days off"</h4>
                <ul class="hours-windows">
                    <For each=move || 0..days_off.get() key=|index| *index let:index>
                        <HolidayRow index=index value=value set=set/>
                    </For>
                </ul>
                <button
                    type="button"
                    class="btn btn-sm"
                    on:click=move |_| change(&|hours| hours.holidays.push(Holiday { date: String::new(), name: String::new() }))
                >
                    "Add a day off"
                </button>
            </Show>
            {move || complaints().into_iter().map(|text| view! { <p class="tone-bad" role="alert">{text}</p> }).collect_view()}
            <section class="hours-week" aria-label="The week these windows make">
                <ul>{week}</ul>
            </section>
        </div>
    }
}

#[component]
fn WindowRow(index: usize, value: Signal<WeeklyHours>, set: Callback<WeeklyHours>) -> impl IntoView {
    let slot = Memo::new(move |_| value.with(|hours| hours.open.get(index).cloned()));
    let change = move |change: &dyn Fn(&mut cordboard_shared::schedule::Slot)| {
        let mut hours = value.get_untracked();
        if let Some(slot) = hours.open.get_mut(index) {
            change(slot);
        }
        set.run(hours);
    };
    let days = Day::ALL.map(|day| {
        let on = move || slot.with(|slot| slot.as_ref().is_some_and(|slot| slot.days.contains(&day)));
        view! {
            <button
                type="button"
                class="chip"
                aria-pressed=move || on().to_string()
                on:click=move |_| change(&|slot| slots::toggle_day(slot, day))
            >
                {day.word()}
            </button>
        }
    });
    let time = move |of: fn(&cordboard_shared::schedule::Slot) -> TimeOfDay| {
        slot.with(|slot| slot.as_ref().map(of).map(|time| time.to_string()).unwrap_or_default())
    };
    let remove = move |_| {
        let mut hours = value.get_untracked();
        if index < hours.open.len() {
            hours.open.remove(index);
        }
        set.run(hours);
    };
    let crosses = move || slot.with(|slot| slot.as_ref().is_some_and(slots::crosses_midnight));
    view! {
        <li><div class="row-group" role="group" aria-label=format!("Window {}", index + 1)>
            <div class="hours-days">{days}</div>
            <label class="field hours-time">
                <span>"From"</span>
                <input
                    class="input" type="text" inputmode="numeric" placeholder="09:00"
                    prop:value=move || time(|slot| slot.from)
                    on:change=move |event| if let Ok(at) = event_target_value(&event).trim().parse() { change(&|slot| slot.from = at) }
                />
            </label>
            <label class="field hours-time">
                <span>"To"</span>
                <input
                    class="input" type="text" inputmode="numeric" placeholder="17:00"
                    prop:value=move || time(|slot| slot.to)
                    on:change=move |event| if let Ok(at) = event_target_value(&event).trim().parse() { change(&|slot| slot.to = at) }
                />
            </label>
            <button type="button" class="btn btn-sm btn-square" aria-label=format!("Remove window {}", index + 1) on:click=remove>
                <Glyph icon=Icon::Cross/>
            </button>
            <span class="muted">{move || crosses().then_some("ends on the next day")}</span>
        </div></li>
    }
}

#[component]
fn HolidayRow(index: usize, value: Signal<WeeklyHours>, set: Callback<WeeklyHours>) -> impl IntoView {
    let change = move |change: &dyn Fn(&mut Holiday)| {
        let mut hours = value.get_untracked();
        if let Some(holiday) = hours.holidays.get_mut(index) {
            change(holiday);
        }
        set.run(hours);
    };
    let part = move |of: fn(&Holiday) -> &String| {
        value.with(|hours| hours.holidays.get(index).map(of).cloned().unwrap_or_default())
    };
    let remove = move |_| {
        let mut hours = value.get_untracked();
        if index < hours.holidays.len() {
            hours.holidays.remove(index);
        }
        set.run(hours);
    };
    view! {
        <li><div class="row-group" role="group" aria-label=format!("Day off {}", index + 1)>
            <label class="field">
                <span>"Date"</span>
                <input
                    class="input" type="date"
                    prop:value=move || part(|holiday| &holiday.date)
                    on:change=move |event| { let date = event_target_value(&event); change(&|holiday| holiday.date.clone_from(&date)) }
                />
            </label>
            <label class="field">
                <span>"Name"</span>
                <input
                    class="input" type="text"
                    prop:value=move || part(|holiday| &holiday.name)
                    on:change=move |event| { let name = event_target_value(&event); change(&|holiday| holiday.name.clone_from(&name)) }
                />
            </label>
            <button type="button" class="btn btn-sm btn-square" aria-label=format!("Remove day off {}", index + 1) on:click=remove>
                <Glyph icon=Icon::Cross/>
            </button>
        </div></li>
    }
}
