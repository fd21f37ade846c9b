//! The fields of one node of a call flow, by its kind.

use std::collections::BTreeMap;

use cordboard_shared::flow::Node;
use leptos::prelude::*;

use super::audio_field::{AudioField, OptionalAudioField};
use super::flow_editor::FlowEditor;
use super::form::{CheckField, NumberField, SelectField, TextField};
use crate::model::flow;
use crate::panel::{Panel, use_panel};

/// Where a link leads when it leads nowhere.
const END: &str = "The call ends";

/// What one kind of node has.
macro_rules! pick {
    ($kind:pat => $value:expr) => {
        |node| if let $kind = node { $value } else { None }
    };
}

/// One node, as signals.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) editor: FlowEditor,
    pub(super) name: StoredValue<String>,
}

impl Field {
    pub(super) fn get<T: Default + PartialEq + Send + Sync + 'static>(self, look: fn(&Node) -> Option<T>) -> Signal<T> {
        Memo::new(move |_| {
            let name = self.name.get_value();
            self.editor.draft.with(|flow| flow.nodes.get(&name).and_then(look)).unwrap_or_default()
        })
        .into()
    }

    fn change(self, change: impl FnOnce(&mut Node)) {
        self.editor.edit_node(&self.name.get_value(), change);
    }

    fn set<T: 'static>(self, set: fn(&mut Node, T)) -> Callback<T> {
        Callback::new(move |value| self.change(|node| set(node, value)))
    }

    fn at(self, place: &'static str) -> Signal<String> {
        Signal::derive(move || format!("{}/{place}", flow::pointer(&self.name.get_value())))
    }
}

/// All nodes as options for a link.
pub(super) fn targets(editor: FlowEditor, none: &'static str) -> Signal<Vec<(String, String)>> {
    Signal::derive(move || {
        let mut options = vec![(String::new(), none.to_owned())];
        editor.draft.with(|flow| {
            options.extend(flow.nodes.iter().map(|(name, node)| {
                (name.clone(), format!("{name} ({})", flow::kind_word(flow::kind(node)).to_lowercase()))
            }));
        });
        options
    })
}

/// The fields of a node.
pub(super) fn fields(field: Field, kind: &str) -> AnyView {
    match kind {
        "menu" => view! { <Menu field=field/> }.into_any(),
        "extension" => view! { <Extension field=field/> }.into_any(),
        "department" => view! { <Department field=field/> }.into_any(),
        "voicemail" => view! { <Voicemail field=field/> }.into_any(),
        "input" => view! { <Input field=field/> }.into_any(),
        "language" => view! { <Language field=field/> }.into_any(),
        _ => view! { <Message field=field/> }.into_any(),
    }
}

/// Where a node leads.
#[component]
fn Next(
    #[prop(into)] label: String,
    field: Field,
    look: fn(&Node) -> Option<String>,
    set: fn(&mut Node, Option<String>),
    #[prop(default = END)] none: &'static str,
) -> impl IntoView {
    view! {
        <SelectField
            label=label
            options=targets(field.editor, none)
            value=field.get(look)
            set=move |name: String| field.change(|node| set(node, Some(name).filter(|name| !name.is_empty())))
        />
    }
}

/// What a node says.
fn audio(node: &Node) -> Option<String> {
    match node {
        Node::Menu { audio, .. }
        | Node::Message { audio, .. }
        | Node::Input { audio, .. }
        | Node::Language { audio, .. } => Some(audio.clone()),
        Node::Extension { .. } | Node::Department { .. } | Node::Voicemail { .. } => None,
    }
}

fn set_audio(node: &mut Node, new: String) {
    match node {
        Node::Menu { audio, .. }
        | Node::Message { audio, .. }
        | Node::Input { audio, .. }
        | Node::Language { audio, .. } => {
            *audio = new;
        }
        Node::Extension { .. } | Node::Department { .. } | Node::Voicemail { .. } => {}
    }
}

/// Where a node leads when there is one way on.
fn next(node: &Node) -> Option<String> {
    match node {
        Node::Extension { next, .. }
        | Node::Department { next, .. }
        | Node::Message { next, .. }
        | Node::Input { next, .. }
        | Node::Language { next, .. } => next.clone(),
        Node::Menu { .. } | Node::Voicemail { .. } => None,
    }
}

fn set_next(node: &mut Node, to: Option<String>) {
    match node {
        Node::Extension { next, .. }
        | Node::Department { next, .. }
        | Node::Message { next, .. }
        | Node::Input { next, .. }
        | Node::Language { next, .. } => *next = to,
        Node::Menu { .. } | Node::Voicemail { .. } => {}
    }
}

#[component]
fn Message(field: Field) -> impl IntoView {
    view! {
        <AudioField label="The caller hears" value=field.get(audio) set=field.set(set_audio)/>
        <Next label="Then" field=field look=next set=set_next/>
    }
}

/// The keys of a menu or a language node that are used.
fn used(node: &Node) -> Option<Vec<char>> {
    match node {
        Node::Menu { keys, .. } | Node::Language { keys, .. } => {
            Some(flow::KEYS.into_iter().filter(|key| keys.contains_key(key)).collect())
        }
        Node::Extension { .. }
        | Node::Department { .. }
        | Node::Message { .. }
        | Node::Voicemail { .. }
        | Node::Input { .. } => None,
    }
}

fn keys_mut(node: &mut Node) -> Option<&mut BTreeMap<char, String>> {
    match node {
        Node::Menu { keys, .. } | Node::Language { keys, .. } => Some(keys),
        Node::Extension { .. }
        | Node::Department { .. }
        | Node::Message { .. }
        | Node::Voicemail { .. }
        | Node::Input { .. } => None,
    }
}

/// The buttons of keys that are not used yet.
#[component]
fn AddKey(field: Field, first: Callback<(), String>) -> impl IntoView {
    let taken = field.get(used);
    let free = move || {
        flow::KEYS
            .into_iter()
            .filter(|key| taken.with(|taken| !taken.contains(key)))
            .map(|key| {
                view! {
                    <button
                        type="button" class="chip" aria-label=format!("Add key {key}")
                        on:click=move |_| {
                            let to = first.run(());
                            field.change(|node| if let Some(keys) = keys_mut(node) { keys.insert(key, to); });
                        }
                    >
                        {key.to_string()}
                    </button>
                }
            })
            .collect_view()
    };
    view! {
        <div class="add-keys" role="group" aria-label="Add a key">
            <span class="muted">"Add a key:"</span>
            {free}
        </div>
    }
}

#[component]
fn Menu(field: Field) -> impl IntoView {
    let taken = field.get(used);
    let editor = field.editor;
    let row = move |key: char| {
        let value = Signal::derive(move || {
            let name = field.name.get_value();
            editor.draft.with(|flow| match flow.nodes.get(&name) {
                Some(Node::Menu { keys, .. }) => keys.get(&key).cloned().unwrap_or_default(),
                Some(_) | None => String::new(),
            })
        });
        view! {
            <li>
                <SelectField
                    label=format!("Key {key}")
                    options=targets(editor, "Not used")
                    value=value
                    set=move |name: String| field.change(|node| if let Some(keys) = keys_mut(node) {
                        if name.is_empty() { keys.remove(&key); } else { keys.insert(key, name); }
                    })
                />
            </li>
        }
    };
    let first = Callback::new(move |()| {
        let me = field.name.get_value();
        editor.draft.with_untracked(|flow| flow.nodes.keys().find(|name| **name != me).cloned().unwrap_or(me))
    });
    view! {
        <AudioField label="The caller hears" value=field.get(audio) set=field.set(set_audio)/>
        <h4>"Keys"</h4>
        <ul class="form-grid keys"><For each=move || taken.get() key=|key| *key let:key>{row(key)}</For></ul>
        <AddKey field=field first=first/>
        <div class="form-grid">
            <NumberField
                label="Extra plays" min=0 max=10 hint="How often the menu is played again."
                value=field.get(pick!(Node::Menu { repeat, .. } => Some(*repeat)))
                set=field.set(|node, number| if let Node::Menu { repeat, .. } = node { *repeat = number })
                at=field.at("repeat")
            />
            <NumberField
                label="Wait for a key (seconds)" min=1 max=30
                value=field.get(pick!(Node::Menu { no_input_seconds, .. } => Some(*no_input_seconds)))
                set=field.set(|node, number| if let Node::Menu { no_input_seconds, .. } = node { *no_input_seconds = number })
                at=field.at("no_input_seconds")
            />
            <Next
                label="When no key came" field=field
                look=pick!(Node::Menu { no_input, .. } => no_input.clone())
                set=|node, to| if let Node::Menu { no_input, .. } = node { *no_input = to }
            />
            <Next
                label="After a key that leads nowhere" field=field none="The menu again"
                look=pick!(Node::Menu { wrong_key, .. } => wrong_key.clone())
                set=|node, to| if let Node::Menu { wrong_key, .. } = node { *wrong_key = to }
            />
        </div>
        <CheckField
            label="Callers may dial an extension here"
            value=field.get(pick!(Node::Menu { dial_extensions, .. } => Some(*dial_extensions)))
            set=field.set(|node, on| if let Node::Menu { dial_extensions, .. } = node { *dial_extensions = on })
        />
    }
}

/// People with an extension.
pub(super) fn extensions(panel: Panel) -> Vec<(String, String)> {
    panel.roster.with(|roster| {
        let people = roster.by_name();
        people
            .into_iter()
            .filter_map(|one| {
                let extension = one.profile.extension.as_ref()?.as_str().to_owned();
                let words = format!("{extension}, {}", one.profile.name);
                Some((extension, words))
            })
            .collect()
    })
}

/// The departments, by short name.
pub(super) fn departments(panel: Panel) -> Vec<(String, String)> {
    panel.roster.with(|roster| roster.groups.iter().map(|one| (one.slug.clone(), one.name.clone())).collect())
}

/// Whose voicemail there is: departments and people.
pub(super) fn boxes(panel: Panel) -> Vec<(String, String)> {
    let people = panel.roster.with(|roster| {
        let people = roster.by_name();
        people.into_iter().map(|one| (one.profile.id.to_string(), one.profile.name.clone())).collect::<Vec<_>>()
    });
    departments(panel).into_iter().chain(people).collect()
}

#[component]
fn Extension(field: Field) -> impl IntoView {
    let panel = use_panel();
    view! {
        <SelectField
            label="Rings"
            options=Signal::derive(move || extensions(panel))
            value=field.get(pick!(Node::Extension { extension, .. } => Some(extension.as_str().to_owned())))
            set=field.set(|node, word: String| if let (Node::Extension { extension, .. }, Ok(new)) = (node, word.parse()) { *extension = new })
            at=field.at("extension")
        />
        <Next label="When they do not answer" field=field look=next set=set_next none="Their voicemail"/>
    }
}

#[component]
fn Department(field: Field) -> impl IntoView {
    let panel = use_panel();
    view! {
        <SelectField
            label="Rings the department"
            options=Signal::derive(move || departments(panel))
            value=field.get(pick!(Node::Department { department, .. } => Some(department.clone())))
            set=field.set(|node, word| if let Node::Department { department, .. } = node { *department = word })
            at=field.at("department")
        />
        <Next label="After what follows when nobody answers" field=field look=next set=set_next/>
    }
}

#[component]
fn Voicemail(field: Field) -> impl IntoView {
    let panel = use_panel();
    let seconds = field.get(pick!(Node::Voicemail { seconds, .. } => seconds.map(|seconds| seconds.to_string())));
    let greeting = field.get(pick!(Node::Voicemail { audio, .. } => Some(audio.clone())));
    let set_greeting = field.set(|node, new: Option<String>| {
        if let Node::Voicemail { audio, .. } = node {
            *audio = new;
        }
    });
    view! {
        <SelectField
            label="Voicemail of"
            options=Signal::derive(move || boxes(panel))
            value=field.get(pick!(Node::Voicemail { mailbox, .. } => Some(mailbox.clone())))
            set=field.set(|node, word| if let Node::Voicemail { mailbox, .. } = node { *mailbox = word })
            at=field.at("box")
        />
        <OptionalAudioField
            label="Before the beep" none="The box’s own greeting"
            value=Signal::derive(move || greeting.get()) set=set_greeting at=field.at("audio")
        />
        <TextField
            label="Longest message (seconds)" hint="6 to 60; empty is the box’s own."
            value=seconds
            set=field.set(|node, text: String| if let Node::Voicemail { seconds, .. } = node { *seconds = text.trim().parse().ok() })
            at=field.at("seconds")
        />
    }
}

#[component]
fn Input(field: Field) -> impl IntoView {
    let editor = field.editor;
    let words = field.get(pick!(Node::Input { answers, .. } => Some(answers.keys().cloned().collect::<Vec<_>>())));
    let webhook = field.get(pick!(Node::Input { webhook, .. } => webhook.clone()));
    let row = move |word: String| {
        let (key, gone, label) = (word.clone(), word.clone(), format!("Answer {word}"));
        let value = Signal::derive(move || {
            let name = field.name.get_value();
            editor.draft.with(|flow| match flow.nodes.get(&name) {
                Some(Node::Input { answers, .. }) => answers.get(&key).cloned().unwrap_or_default(),
                Some(_) | None => String::new(),
            })
        });
        view! {
            <li>
                <SelectField
                    label=label
                    options=targets(editor, "Not used")
                    value=value
                    set=move |name: String| field.change(|node| if let Node::Input { answers, .. } = node {
                        if name.is_empty() { answers.remove(&gone); } else { answers.insert(gone.clone(), name); }
                    })
                />
            </li>
        }
    };
    let new = RwSignal::new(String::new());
    let add = move |_| {
        let word = new.get_untracked().trim().to_owned();
        let me = field.name.get_value();
        if !word.is_empty() {
            field.change(|node| {
                if let Node::Input { answers, .. } = node {
                    answers.insert(word, me);
                }
            });
            new.set(String::new());
        }
    };
    view! {
        <AudioField label="The caller hears" value=field.get(audio) set=field.set(set_audio)/>
        <div class="form-grid">
            <NumberField
                label="Most digits" min=1 max=32 hint="# ends them earlier."
                value=field.get(pick!(Node::Input { digits_max, .. } => Some(*digits_max)))
                set=field.set(|node, number| if let Node::Input { digits_max, .. } = node { *digits_max = number })
                at=field.at("digits_max")
            />
            <NumberField
                label="Wait for a digit (seconds)" min=1 max=30
                value=field.get(pick!(Node::Input { no_input_seconds, .. } => Some(*no_input_seconds)))
                set=field.set(|node, number| if let Node::Input { no_input_seconds, .. } = node { *no_input_seconds = number })
                at=field.at("no_input_seconds")
            />
            <TextField
                label="Webhook" kind="url" hint="The digits are posted there as JSON; its answer {“next”: “…”} says what follows. Empty: none."
                value=webhook
                set=field.set(|node, text: String| if let Node::Input { webhook, .. } = node { *webhook = Some(text.trim().to_owned()).filter(|text| !text.is_empty()) })
                at=field.at("webhook")
            />
            <NumberField
                label="Longest wait for the webhook (milliseconds)" min=500 max=10000
                value=field.get(pick!(Node::Input { timeout_ms, .. } => Some(*timeout_ms)))
                set=field.set(|node, number| if let Node::Input { timeout_ms, .. } = node { *timeout_ms = number })
                at=field.at("timeout_ms")
            />
        </div>
        <Show when=move || webhook.with(|webhook| !webhook.is_empty())>
            <h4>"Answers of the webhook"</h4>
            <ul class="form-grid keys"><For each=move || words.get() key=Clone::clone let:word>{row(word)}</For></ul>
            <TextField label="New answer" hint="The word the webhook gives, such as paid." value=new set=move |text| new.set(text)/>
            <button type="button" class="btn btn-sm" on:click=add>"Add the answer"</button>
        </Show>
        <div class="form-grid">
            <Next label="Then" field=field look=next set=set_next/>
            <Next
                label="When nothing came, or the webhook failed" field=field none="As “Then”"
                look=pick!(Node::Input { failed, .. } => failed.clone())
                set=|node, to| if let Node::Input { failed, .. } = node { *failed = to }
            />
        </div>
    }
}

#[component]
fn Language(field: Field) -> impl IntoView {
    let taken = field.get(used);
    let editor = field.editor;
    let row = move |key: char| {
        let value = Signal::derive(move || {
            let name = field.name.get_value();
            editor.draft.with(|flow| match flow.nodes.get(&name) {
                Some(Node::Language { keys, .. }) => keys.get(&key).cloned().unwrap_or_default(),
                Some(_) | None => String::new(),
            })
        });
        view! {
            <li><div class="form-field"><label class="field">
                <span>{format!("Key {key}: language")}</span>
                <input
                    class="input" type="text" prop:value=value
                    on:change=move |event| {
                        let word = event_target_value(&event).trim().to_owned();
                        field.change(|node| if let Some(keys) = keys_mut(node) {
                            if word.is_empty() { keys.remove(&key); } else { keys.insert(key, word); }
                        });
                    }
                />
            </label></div></li>
        }
    };
    view! {
        <AudioField label="The caller hears" value=field.get(audio) set=field.set(set_audio)/>
        <h4>"Keys"</h4>
        <ul class="form-grid keys"><For each=move || taken.get() key=|key| *key let:key>{row(key)}</For></ul>
        <p class="field-hint">"Languages such as en or hi; an empty field takes the key away."</p>
        <AddKey field=field first=Callback::new(|()| "en".to_owned())/>
        <Next label="Then" field=field look=next set=set_next/>
    }
}
