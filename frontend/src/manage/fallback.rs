//! What follows when nobody answers: one link as fields, and the chain of links.

use cordboard_shared::department::Fallback;
use cordboard_shared::id::DepartmentId;
use leptos::prelude::*;

use super::audio_field::AudioField;
use super::editor::Editor;
use super::form::{Findings, SelectField, options};
use crate::components::icon::{Glyph, Icon};
use crate::model::draft;
use crate::panel::{Panel, use_panel};

const KINDS: [(&str, &str); 6] = [
    ("voicemail", "Voicemail"),
    ("department", "Another department"),
    ("agent", "One person"),
    ("message", "A message, then the end"),
    ("callback", "Offer to call back"),
    ("disconnect", "End the call"),
];

fn kind(link: &Fallback) -> &'static str {
    match link {
        Fallback::Voicemail { .. } => "voicemail",
        Fallback::Department { .. } => "department",
        Fallback::Agent { .. } => "agent",
        Fallback::Message { .. } => "message",
        Fallback::Callback => "callback",
        Fallback::Disconnect => "disconnect",
    }
}

/// Where a link of this kind can lead, and where this one does.
fn target(link: &Fallback) -> Option<String> {
    match link {
        Fallback::Voicemail { mailbox } => Some(mailbox.clone()),
        Fallback::Department { department } => Some(department.clone()),
        Fallback::Agent { agent } => Some(agent.to_string()),
        Fallback::Message { .. } | Fallback::Callback | Fallback::Disconnect => None,
    }
}

fn targets(panel: Panel, editor: Editor, kind: &str) -> Vec<(String, String)> {
    let departments = || {
        editor.draft.with(|policy| {
            policy.departments.iter().map(|one| (one.slug.clone(), one.name.clone())).collect::<Vec<_>>()
        })
    };
    let people = || {
        panel.roster.with(|roster| {
            let people = roster.by_name();
            people.into_iter().map(|one| (one.profile.id.to_string(), one.profile.name.clone())).collect::<Vec<_>>()
        })
    };
    match kind {
        "voicemail" => departments().into_iter().chain(people()).collect(),
        "department" => departments(),
        "agent" => people(),
        _ => Vec::new(),
    }
}

fn made(kind: &str, target: &str) -> Option<Fallback> {
    Some(match kind {
        "voicemail" => Fallback::Voicemail { mailbox: target.to_owned() },
        "department" => Fallback::Department { department: target.to_owned() },
        "agent" => Fallback::Agent { agent: target.parse().ok()? },
        "message" => Fallback::Message { audio: "audio:unavailable".to_owned() },
        "callback" => Fallback::Callback,
        _ => Fallback::Disconnect,
    })
}

/// One link.
#[component]
pub(crate) fn FallbackField(
    #[prop(into)] label: String,
    #[prop(into)] value: Signal<Fallback>,
    #[prop(into)] set: Callback<Fallback>,
) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let now = Memo::new(move |_| value.with(kind));
    let choices = Memo::new(move |_| targets(panel, editor, now.get()));
    let change_kind = move |word: String| {
        let first = untrack(|| targets(panel, editor, &word)).first().map(|(key, _)| key.clone()).unwrap_or_default();
        if let Some(link) = made(&word, &first) {
            set.run(link);
        }
    };
    let change_target = move |key: String| {
        if let Some(link) = made(now.get_untracked(), &key) {
            set.run(link);
        }
    };
    let audio = move || {
        value.with(|link| match link {
            Fallback::Message { audio } => audio.clone(),
            Fallback::Voicemail { .. }
            | Fallback::Department { .. }
            | Fallback::Agent { .. }
            | Fallback::Callback
            | Fallback::Disconnect => String::new(),
        })
    };
    view! {
        <div class="fallback-fields">
            <SelectField label=label options=options(&KINDS) value=Signal::derive(move || now.get().to_owned()) set=change_kind/>
            <Show when=move || choices.with(|choices| !choices.is_empty())>
                <SelectField
                    label="Which"
                    options=choices
                    value=Signal::derive(move || value.with(target).unwrap_or_default())
                    set=change_target
                />
            </Show>
            <Show when=move || now.get() == "message">
                <AudioField
                    label="Message"
                    value=Signal::derive(audio)
                    set=move |audio: String| set.run(Fallback::Message { audio })
                />
            </Show>
        </div>
    }
}

/// The chain of a department.
#[component]
pub(crate) fn FallbackList(id: DepartmentId) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let links = Memo::new(move |_| editor.department(id, |one| one.fallback.clone()));
    let words = move || {
        editor.draft.with(|policy| {
            panel.roster.with(|roster| {
                let words = links.get();
                let words: Vec<String> =
                    words.iter().map(|link| draft::fallback(link, policy, &|id| roster.name(id))).collect();
                words.join(", then ")
            })
        })
    };
    let row = move |index: usize| {
        let shift = move |up: bool| {
            editor.edit_department(id, |one| {
                draft::shift(&mut one.fallback, index, up);
            });
        };
        view! {
            <li><div class="row-group" role="group" aria-label=format!("Step {}", index + 1)>
                <FallbackField
                    label=format!("Step {}", index + 1)
                    value=Signal::derive(move || links.with(|links| links.get(index).cloned().unwrap_or(Fallback::Disconnect)))
                    set=move |link: Fallback| editor.edit_department(id, |one| if let Some(place) = one.fallback.get_mut(index) { *place = link })
                />
                <span class="member-buttons">
                    <button type="button" class="btn btn-sm btn-square flip" aria-label=format!("Move step {} up", index + 1) on:click=move |_| shift(true)>
                        <Glyph icon=Icon::Chevron/>
                    </button>
                    <button type="button" class="btn btn-sm btn-square" aria-label=format!("Move step {} down", index + 1) on:click=move |_| shift(false)>
                        <Glyph icon=Icon::Chevron/>
                    </button>
                    <button
                        type="button" class="btn btn-sm btn-square" aria-label=format!("Remove step {}", index + 1)
                        on:click=move |_| editor.edit_department(id, |one| if index < one.fallback.len() { one.fallback.remove(index); })
                    >
                        <Glyph icon=Icon::Cross/>
                    </button>
                </span>
                <Findings at=Signal::derive(move || format!("{}/fallback/{index}", editor.pointer(id))) below=true/>
            </div></li>
        }
    };
    view! {
        <p class="muted">{move || { let words = words(); if words.is_empty() { "Nothing: the call ends.".to_owned() } else { words } }}</p>
        <ol class="members">
            <For each=move || 0..links.with(Vec::len) key=|index| *index let:index>{row(index)}</For>
        </ol>
        <button type="button" class="btn btn-sm" on:click=move |_| editor.edit_department(id, |one| one.fallback.push(Fallback::Disconnect))>
            "Add a step"
        </button>
        <Findings at=Signal::derive(move || format!("{}/fallback", editor.pointer(id)))/>
    }
}
