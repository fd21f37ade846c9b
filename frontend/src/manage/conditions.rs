//! The rules that come before the method: by time, by the caller's number, by contact. The first that holds decides.

use cordboard_shared::department::{Condition, Fallback};
use cordboard_shared::id::DepartmentId;
use cordboard_shared::schedule::WeeklyHours;
use leptos::prelude::*;

use super::editor::Editor;
use super::fallback::FallbackField;
use super::form::{CheckField, Findings, TextField};
use super::hours::HoursFields;
use crate::components::icon::{Glyph, Icon};
use crate::model::draft;

/// Words separated by commas.
fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The rules of a department, in order.
#[component]
pub(crate) fn Conditions(id: DepartmentId) -> impl IntoView {
    let editor: Editor = expect_context();
    let count = Memo::new(move |_| editor.department(id, |one| one.conditions.len()));
    let add = move |_| {
        let then = Fallback::Disconnect;
        editor.edit_department(id, |one| {
            one.conditions.push(Condition { hours: None, prefixes: Vec::new(), tags: Vec::new(), then });
        });
    };
    view! {
        <p class="empty" hidden=move || { count.get() > 0 }>"None: every call rings the members."</p>
        <ol class="needs">
            <For each=move || 0..count.get() key=|index| *index let:index>
                <Rule id=id index=index/>
            </For>
        </ol>
        <button type="button" class="btn btn-sm" on:click=add>"Add a rule"</button>
    }
}

#[component]
fn Rule(id: DepartmentId, index: usize) -> impl IntoView {
    let editor: Editor = expect_context();
    let rule = Memo::new(move |_| editor.department(id, |one| one.conditions.get(index).cloned()));
    let change = move |change: &dyn Fn(&mut Condition)| {
        editor.edit_department(id, |one| {
            if let Some(rule) = one.conditions.get_mut(index) {
                change(rule);
            }
        });
    };
    let list = move |of: fn(&Condition) -> &Vec<String>| {
        Signal::derive(move || rule.with(|rule| rule.as_ref().map(|rule| of(rule).join(", ")).unwrap_or_default()))
    };
    let timed = Memo::new(move |_| rule.with(|rule| rule.as_ref().is_some_and(|rule| rule.hours.is_some())));
    let shift = move |up: bool| {
        editor.edit_department(id, |one| {
            draft::shift(&mut one.conditions, index, up);
        });
    };
    let remove = move |_| {
        editor.edit_department(id, |one| {
            if index < one.conditions.len() {
                one.conditions.remove(index);
            }
        });
    };
    view! {
        <li>
            <div role="group" aria-label=format!("Rule {}", index + 1)>
                <TextField
                    label="Caller's number begins with" hint="Such as +4420, +4421; empty is any."
                    value=list(|rule| &rule.prefixes)
                    set=move |text: String| change(&|rule| rule.prefixes = words(&text))
                />
                <TextField
                    label="Contact has a tag" hint="Such as gold; empty is any."
                    value=list(|rule| &rule.tags)
                    set=move |text: String| change(&|rule| rule.tags = words(&text))
                />
                <CheckField
                    label="Only within certain hours"
                    value=timed
                    set=move |on: bool| change(&|rule| rule.hours = on.then(WeeklyHours::default))
                />
                <Show when=move || timed.get()>
                    <HoursFields
                        value=Signal::derive(move || rule.with(|rule| rule.as_ref().and_then(|rule| rule.hours.clone()).unwrap_or_default()))
                        set=move |hours: WeeklyHours| change(&|rule| rule.hours = Some(hours.clone()))
                        holidays=false
                    />
                </Show>
                <FallbackField
                    label="Then"
                    value=Signal::derive(move || rule.with(|rule| rule.as_ref().map_or(Fallback::Disconnect, |rule| rule.then.clone())))
                    set=move |then: Fallback| change(&|rule| rule.then = then.clone())
                />
                <Findings at=Signal::derive(move || format!("{}/conditions/{index}", editor.pointer(id))) below=true/>
                <span class="member-buttons">
                    <button type="button" class="btn btn-sm btn-square flip" aria-label=format!("Move rule {} up", index + 1) on:click=move |_| shift(true)>
                        <Glyph icon=Icon::Chevron/>
                    </button>
                    <button type="button" class="btn btn-sm btn-square" aria-label=format!("Move rule {} down", index + 1) on:click=move |_| shift(false)>
                        <Glyph icon=Icon::Chevron/>
                    </button>
                    <button type="button" class="btn btn-sm btn-square" aria-label=format!("Remove rule {}", index + 1) on:click=remove>
                        <Glyph icon=Icon::Cross/>
                    </button>
                </span>
            </div>
        </li>
    }
}
