//! The members of a department: order by buttons and by drag, always-include, skills.

use cordboard_shared::department::Member;
use cordboard_shared::id::{AgentId, DepartmentId};
use leptos::prelude::*;

use super::editor::Editor;
use super::form::{Findings, SelectField};
use crate::browser::page;
use crate::components::icon::{Glyph, Icon};
use crate::model::draft;
use crate::panel::use_panel;

/// The members.
#[component]
pub(crate) fn Members(id: DepartmentId) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let members = Memo::new(move |_| {
        editor.department(id, |one| one.members.iter().map(|member| member.agent).collect::<Vec<AgentId>>())
    });
    let dragged = RwSignal::new(None::<usize>);
    let others = Signal::derive(move || {
        let inside = members.get();
        let mut options = vec![(String::new(), "Choose a person".to_owned())];
        panel.roster.with(|roster| {
            let free = roster.by_name().into_iter().filter(|person| !inside.contains(&person.profile.id));
            options.extend(free.map(|person| (person.profile.id.to_string(), person.profile.name.clone())));
        });
        options
    });
    let add = move |text: String| {
        if let Ok(agent) = text.parse::<AgentId>() {
            editor.edit_department(id, |one| {
                one.members.push(Member {
                    agent,
                    order: 0,
                    always_include: false,
                    skills: std::collections::BTreeMap::new(),
                });
                draft::renumber(one);
            });
        }
    };
    view! {
        <Findings at=Signal::derive(move || format!("{}/members", editor.pointer(id)))/>
        <ol class="members">
            <For each=move || members.get().into_iter().enumerate() key=|item| *item let:item>
                <Row id=id index=item.0 agent=item.1 dragged=dragged/>
            </For>
        </ol>
        <p class="empty" hidden=move || members.with(|members| !members.is_empty())>"Nobody: every call goes on at once."</p>
        <SelectField label="Add a member" options=others value=Signal::stored(String::new()) set=add/>
    }
}

#[component]
fn Row(id: DepartmentId, index: usize, agent: AgentId, dragged: RwSignal<Option<usize>>) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let name = Memo::new(move |_| panel.roster.with(|roster| roster.name(agent)));
    let member = Memo::new(move |_| {
        editor.department(id, |one| one.members.iter().find(|member| member.agent == agent).cloned())
    });
    let always = move || member.with(|member| member.as_ref().is_some_and(|member| member.always_include));
    let skills = move || {
        member.with(|member| {
            let skills = member.as_ref().map(|member| member.skills.clone()).unwrap_or_default();
            skills.iter().map(|(skill, level)| format!("{skill} {level}")).collect::<Vec<_>>().join(", ")
        })
    };
    let wrong = RwSignal::new(None::<String>);
    let change = move |change: &dyn Fn(&mut Member)| {
        editor.edit_department(id, |one| {
            if let Some(member) = one.members.iter_mut().find(|member| member.agent == agent) {
                change(member);
            }
        });
    };
    let shift = move |up: bool| {
        let mut moved = false;
        editor.edit_department(id, |one| {
            moved = draft::shift(&mut one.members, index, up);
            draft::renumber(one);
        });
        if moved {
            let place = if up { index } else { index + 2 };
            panel.tell(format!("{} is now number {place}.", name.get_untracked()));
            // The row is drawn anew in its new place; the focus goes with the person.
            let button = format!("{}-{agent}", if up { "up" } else { "down" });
            gloo_timers::callback::Timeout::new(0, move || page::focus(&button)).forget();
        }
    };
    let dropped = move |event: leptos::ev::DragEvent| {
        event.prevent_default();
        if let Some(from) = dragged.get_untracked() {
            editor.edit_department(id, |one| {
                draft::relocate(&mut one.members, from, index);
                draft::renumber(one);
            });
        }
        dragged.set(None);
    };
    let skilled = move |event: leptos::ev::Event| match draft::skills(&event_target_value(&event)) {
        Ok(skills) => {
            wrong.set(None);
            change(&|member| {
                member.skills.clear();
                for (skill, level) in &skills {
                    member.skills.insert(skill.clone(), *level);
                }
            });
        }
        Err(why) => wrong.set(Some(why)),
    };
    view! {
        <li
            draggable="true"
            class:dragged=move || dragged.get() == Some(index)
            on:dragstart=move |_| dragged.set(Some(index))
            on:dragover=move |event| event.prevent_default()
            on:drop=dropped
            on:dragend=move |_| dragged.set(None)
        >
            <span class="member-name"><span class="figures">{index + 1}"."</span>" "{move || name.get()}</span>
            <span class="member-buttons">
                <button
                    type="button" id=format!("up-{agent}") class="btn btn-sm btn-square flip"
                    aria-label=move || format!("Move {} up", name.get()) on:click=move |_| shift(true)
                >
                    <Glyph icon=Icon::Chevron/>
                </button>
                <button
                    type="button" id=format!("down-{agent}") class="btn btn-sm btn-square"
                    aria-label=move || format!("Move {} down", name.get()) on:click=move |_| shift(false)
                >
                    <Glyph icon=Icon::Chevron/>
                </button>
                <button
                    type="button" class="btn btn-sm btn-square"
                    aria-label=move || format!("Remove {}", name.get())
                    on:click=move |_| editor.edit_department(id, |one| {
                        one.members.retain(|member| member.agent != agent);
                        draft::renumber(one);
                    })
                >
                    <Glyph icon=Icon::Cross/>
                </button>
            </span>
            <label class="check">
                <input
                    type="checkbox" class="tickbox"
                    aria-label=move || format!("Always include {}", name.get())
                    prop:checked=always
                    on:change=move |event| { let on = event_target_checked(&event); change(&|member| member.always_include = on) }
                />
                <span>"Always include"</span>
            </label>
            <label class="field member-skills">
                <span>"Skills"</span>
                <input
                    type="text" class="input" placeholder="tax 3, french 5"
                    aria-label=move || format!("Skills of {}", name.get())
                    prop:value=skills
                    on:change=skilled
                />
            </label>
            {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <Findings at=Signal::derive(move || format!("{}/members/{index}", editor.pointer(id))) below=true/>
        </li>
    }
}
