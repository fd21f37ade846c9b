//! The outline of a call flow: its nodes in the order callers meet them, each with its settings and links.

use leptos::prelude::*;

use super::audio_field::Library;
use super::flow_editor::FlowEditor;
use super::flow_fields::{Field, boxes, departments, extensions, fields, targets};
use super::form::{Findings, SelectField, TextField, options};
use crate::components::icon::{Glyph, Icon};
use crate::model::flow;
use crate::panel::use_panel;

/// The outline.
#[component]
pub(crate) fn Outline() -> impl IntoView {
    let editor: FlowEditor = expect_context();
    let order = Memo::new(move |_| editor.draft.with(flow::order));
    let names = Memo::new(move |_| order.with(|order| order.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()));
    view! {
        <Begin/>
        <ol class="nodes" aria-label="Nodes">
            <For each=move || names.get() key=Clone::clone let:name>
                <NodeCard name=name order=order/>
            </For>
        </ol>
        <AddNode/>
    }
}

/// What holds for the whole flow.
#[component]
fn Begin() -> impl IntoView {
    let editor: FlowEditor = expect_context();
    let missed = Signal::derive(move || {
        editor.draft.with(|flow| flow.missed_call_rings.map(|rings| rings.to_string()).unwrap_or_default())
    });
    let starts = Signal::derive(move || {
        let mut options = targets(editor, "").get();
        options.remove(0);
        options
    });
    view! {
        <section class="card" aria-labelledby="begin-title">
            <h2 id="begin-title">"The flow"</h2>
            <div class="form-grid">
                <TextField
                    label="Name of the flow" value=Signal::derive(move || editor.draft.with(|flow| flow.name.clone()))
                    set=move |name: String| editor.edit(|flow| name.trim().clone_into(&mut flow.name)) at=Signal::stored("/name".to_owned())
                />
                <SelectField
                    label="Begins with" options=starts value=Signal::derive(move || editor.draft.with(|flow| flow.start.clone()))
                    set=move |name: String| editor.edit(|flow| flow.start = name) at=Signal::stored("/start".to_owned())
                />
                <TextField
                    label="Language" hint="Such as en; empty is the account’s."
                    value=Signal::derive(move || editor.draft.with(|flow| flow.language.clone().unwrap_or_default()))
                    set=move |word: String| editor.edit(|flow| flow.language = Some(word.trim().to_owned()).filter(|word| !word.is_empty()))
                    at=Signal::stored("/language".to_owned())
                />
                <SelectField
                    label="Missed-call service"
                    hint="Rings, then ends without answering: what follows a missed call follows it."
                    options=options(&[("", "No: calls are answered"), ("1", "Rings once, then ends"), ("2", "Rings twice, then ends")])
                    value=missed
                    set=move |word: String| editor.edit(|flow| flow.missed_call_rings = word.parse().ok())
                    at=Signal::stored("/missed_call_rings".to_owned())
                />
            </div>
        </section>
    }
}

#[component]
fn NodeCard(name: String, order: Memo<Vec<(String, bool)>>) -> impl IntoView {
    let editor: FlowEditor = expect_context();
    let field = Field { editor, name: StoredValue::new(name.clone()) };
    let kind = field.get(|node| Some(flow::kind(node).to_owned()));
    let me = name.clone();
    let met = Memo::new(move |_| order.with(|order| order.iter().any(|(name, met)| *name == me && *met)));
    let me = name.clone();
    let role = Memo::new(move |_| {
        editor.draft.with(|flow| {
            let mut words = Vec::new();
            if flow.start == me {
                words.push("the beginning".to_owned());
            }
            if flow.closed.as_ref() == Some(&me) {
                words.push("when it is closed".to_owned());
            }
            let from = flow::sources(flow, &me);
            if !from.is_empty() {
                words.push(format!("from {}", from.join(", ")));
            }
            words.join("; ")
        })
    });
    let gone = name.clone();
    let remove = move |_| editor.edit(|flow| flow::remove(flow, &gone));
    let old = name.clone();
    let wrong = RwSignal::new(None::<String>);
    let rename = move |text: String| {
        let new = text.trim().to_owned();
        if new == old {
            return wrong.set(None);
        }
        match editor.draft.with_untracked(|flow| flow::name_complaint(flow, &new)) {
            Some(why) => wrong.set(Some(why)),
            None => editor.edit(|flow| flow::rename(flow, &old, &new)),
        }
    };
    let shown_fields = move || fields(field, &kind.get());
    let label = format!("Node {name}");
    let remove_label = format!("Remove node {name}");
    let shown = name.clone();
    view! {
        <li><div class="card node" role="group" aria-label=label>
            <div class="contact-line">
                <h3><span class="tag">{move || flow::kind_word(&kind.get())}</span>" "{name.clone()}</h3>
                <button type="button" class="btn btn-sm btn-square" aria-label=remove_label on:click=remove><Glyph icon=Icon::Cross/></button>
            </div>
            {move || if met.get() {
                view! { <p class="muted">{role.get()}</p> }.into_any()
            } else {
                view! { <p class="tone-warn"><strong>"Check: "</strong>"Nothing leads here; no caller meets it."</p> }.into_any()
            }}
            <Findings at=Signal::derive(move || flow::pointer(&field.name.get_value())) below=true/>
            {shown_fields}
            <details class="reach-more">
                <summary>"Rename"</summary>
                <TextField label="Name of the node" value=Signal::stored(shown) set=rename/>
                {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            </details>
        </div></li>
    }
}

#[component]
fn AddNode() -> impl IntoView {
    let panel = use_panel();
    let editor: FlowEditor = expect_context();
    let library: Library = expect_context();
    library.ensure();
    let kind = RwSignal::new("message".to_owned());
    let name = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let add = move |_| {
        let kind = kind.get_untracked();
        let typed = name.get_untracked().trim().to_owned();
        let wanted =
            if typed.is_empty() { editor.draft.with_untracked(|flow| flow::free_name(flow, &kind)) } else { typed };
        if let Some(why) = editor.draft.with_untracked(|flow| flow::name_complaint(flow, &wanted)) {
            return wrong.set(Some(why));
        }
        let choices = untrack(|| match kind.as_str() {
            "extension" => extensions(panel),
            "department" => departments(panel),
            "voicemail" => boxes(panel),
            _ => Vec::new(),
        });
        let first = choices.into_iter().next().map(|(key, _)| key).unwrap_or_default();
        match flow::new_node(&kind, &first) {
            Some(node) => {
                wrong.set(None);
                name.set(String::new());
                editor.edit(|flow| {
                    flow.nodes.insert(wanted, node);
                });
            }
            None => wrong.set(Some("There is nothing of that kind to ring or to record for yet.".to_owned())),
        }
    };
    view! {
        <section class="card after" aria-label="Add a node">
            <h2>"Add a node"</h2>
            <div class="form-grid">
                <SelectField label="Kind" options=options(&flow::KINDS) value=kind set=move |word| kind.set(word)/>
                <TextField label="Name (optional)" hint="Lower-case letters, digits, hyphens." value=name set=move |text| name.set(text)/>
            </div>
            {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <button type="button" class="btn btn-sm" on:click=add>"Add the node"</button>
            <p class="field-hint">"Then let a node lead there: until then no caller meets it."</p>
        </section>
    }
}
