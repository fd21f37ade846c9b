//! The known callers: who they are, whose they are, how soon they are helped. Part of the policy's draft.

use cordboard_shared::policy::Contact;
use leptos::prelude::*;

use super::editor::Editor;
use super::form::{Findings, NumberField, SelectField, TextField};
use super::person::{Outcome, said};
use super::routing::SaveBar;
use crate::components::page_title::PageTitle;
use crate::model::contacts::{self, Import, PRIORITY_MOST};
use crate::panel::{Panel, use_panel};

/// How many are shown at once; the search finds the others.
const SHOWN: usize = 50;

/// The page.
#[component]
pub(crate) fn Contacts() -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let search = RwSignal::new(String::new());
    let opened = RwSignal::new(None::<usize>);
    let found = Memo::new(move |_| {
        panel.roster.with(|roster| {
            editor.draft.with(|policy| contacts::found(&policy.contacts, &search.get(), &|id| roster.name(id)))
        })
    });
    let all = Memo::new(move |_| editor.draft.with(|policy| policy.contacts.len()));
    let line = move || {
        let (fits, all) = (found.with(Vec::len), all.get());
        match (all, fits) {
            _ if editor.saved.with(Option::is_none) => "Reading the contacts…".to_owned(),
            (0, _) => "No contacts yet. Add one, or paste a list.".to_owned(),
            (all, 0) => format!("None of {all} contacts fits the search."),
            (all, fits) if fits > SHOWN => {
                format!("{fits} of {all} fit; the first {SHOWN} are shown. Search for the others.")
            }
            (all, fits) => format!("{fits} of {all} shown."),
        }
    };
    let rows = Memo::new(move |_| found.with(|found| found.iter().take(SHOWN).copied().collect::<Vec<_>>()));
    view! {
        <PageTitle title="Contacts" line=Signal::stored("Known callers: by name in the panel, by tag and priority in the rules, and to the person they are assigned to.".to_owned())/>
        <SaveBar/>
        <div class="two-columns">
            <section class="card" aria-label="Known callers">
                <div role="search" aria-label="Find contacts">
                    <TextField label="Search" hint="A number, a name, a tag, or the person." value=search set=move |text| { opened.set(None); search.set(text) }/>
                </div>
                <p class="muted" role="status">{line}</p>
                <Findings at=Signal::stored("/contacts".to_owned())/>
                <ul class="contacts" aria-label="Contacts">
                    <For each=move || rows.get() key=|index| *index let:index>
                        <Row index=index opened=opened/>
                    </For>
                </ul>
            </section>
            <div class="stack">
                <Add opened=opened search=search/>
                <Paste/>
            </div>
        </div>
    }
}

/// People a contact can be assigned to.
fn people(panel: Panel) -> Signal<Vec<(String, String)>> {
    Signal::derive(move || {
        let mut options = vec![(String::new(), "Nobody in particular".to_owned())];
        panel.roster.with(|roster| {
            options
                .extend(roster.by_name().into_iter().map(|one| (one.profile.id.to_string(), one.profile.name.clone())));
        });
        options
    })
}

fn title(contact: &Contact) -> String {
    if contact.name.is_empty() { contact.number.as_str().to_owned() } else { contact.name.clone() }
}

#[component]
fn Row(index: usize, opened: RwSignal<Option<usize>>) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let contact = Memo::new(move |_| editor.draft.with(|policy| policy.contacts.get(index).cloned()));
    let is_open = Memo::new(move |_| opened.get() == Some(index));
    let name = Memo::new(move |_| contact.with(|contact| contact.as_ref().map(title).unwrap_or_default()));
    let line = move || {
        let contact = contact.get()?;
        let mut parts = vec![contact.number.as_str().to_owned()];
        if contact.priority > 0 {
            parts.push(format!("priority {}", contact.priority));
        }
        parts.extend(contact.agent.map(|agent| panel.roster.with(|roster| roster.name(agent))));
        Some(parts.join(" · "))
    };
    let tags = move || {
        let tags = contact.with(|contact| contact.as_ref().map(|one| one.tags.clone()).unwrap_or_default());
        tags.into_iter().map(|tag| view! { <span class="tag">{tag}</span> }).collect_view()
    };
    view! {
        <li>
            <div class="contact-line">
                <div>
                    <p class="member-name">{move || name.get()}" "{tags}</p>
                    <p class="muted figures">{line}</p>
                </div>
                <button
                    type="button"
                    class="btn btn-sm"
                    aria-label=move || format!("Edit {}", name.get())
                    aria-expanded=move || is_open.get().to_string()
                    on:click=move |_| opened.update(|opened| *opened = (*opened != Some(index)).then_some(index))
                >
                    "Edit"
                </button>
            </div>
            <Findings at=Signal::derive(move || format!("/contacts/{index}")) below=true/>
            <Show when=move || is_open.get()>
                <Fields index=index contact=contact opened=opened/>
            </Show>
        </li>
    }
}

#[component]
fn Fields(index: usize, contact: Memo<Option<Contact>>, opened: RwSignal<Option<usize>>) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let wrong = RwSignal::new(None::<String>);
    let change = move |change: &dyn Fn(&mut Contact)| {
        editor.edit(|policy| {
            if let Some(contact) = policy.contacts.get_mut(index) {
                change(contact);
            }
        });
    };
    let text = move |of: fn(&Contact) -> String| {
        Signal::derive(move || contact.with(|contact| contact.as_ref().map(of).unwrap_or_default()))
    };
    let set_number = move |text: String| {
        let taken = |number| {
            let same = |(place, one): (usize, &Contact)| place != index && one.number == number;
            editor.draft.with_untracked(|policy| policy.contacts.iter().enumerate().any(same))
        };
        match contacts::number(&text) {
            Err(why) => wrong.set(Some(why)),
            Ok(number) if taken(number.clone()) => wrong.set(Some(format!("{number} is another contact's number."))),
            Ok(number) => {
                wrong.set(None);
                change(&|contact| contact.number = number.clone());
            }
        }
    };
    let remove = move |_| {
        opened.set(None);
        editor.edit(|policy| {
            if index < policy.contacts.len() {
                policy.contacts.remove(index);
            }
        });
    };
    view! {
        <div class="contact-fields" role="group" aria-label=move || format!("Contact {}", contact.with(|one| one.as_ref().map(title).unwrap_or_default()))>
            <div class="form-grid">
                <TextField label="Name" value=text(|one| one.name.clone()) set=move |name: String| change(&|one| name.trim().clone_into(&mut one.name))/>
                <TextField label="Number" kind="tel" value=text(|one| one.number.as_str().to_owned()) set=set_number/>
                <TextField
                    label="Tags" hint="Separated by commas; rules can ask for them."
                    value=text(|one| one.tags.join(", "))
                    set=move |text: String| change(&|one| one.tags = contacts::tags(&text))
                />
                <NumberField
                    label="Priority" min=0 max=u32::from(PRIORITY_MOST) hint="0 is usual; 9 is helped first."
                    value=Signal::derive(move || contact.with(|one| one.as_ref().map_or(0, |one| u32::from(one.priority))))
                    set=move |number: u32| change(&|one| one.priority = u8::try_from(number).unwrap_or(PRIORITY_MOST).min(PRIORITY_MOST))
                />
                <SelectField
                    label="Assigned to"
                    options=people(panel)
                    value=text(|one| one.agent.map(|agent| agent.to_string()).unwrap_or_default())
                    set=move |id: String| change(&|one| one.agent = id.parse().ok())
                />
            </div>
            {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <button type="button" class="btn btn-sm" on:click=remove>"Remove this contact"</button>
        </div>
    }
}

#[component]
fn Add(opened: RwSignal<Option<usize>>, search: RwSignal<String>) -> impl IntoView {
    let editor: Editor = expect_context();
    let number = RwSignal::new(String::new());
    let name = RwSignal::new(String::new());
    let outcome: Outcome = RwSignal::new(None);
    let add = move |_| {
        let made = match contacts::number(&number.get_untracked()) {
            Err(why) => return outcome.set(Some(Err(why))),
            Ok(number) => number,
        };
        if editor.draft.with_untracked(|policy| policy.contacts.iter().any(|one| one.number == made)) {
            return outcome.set(Some(Err(format!("{made} is a contact already."))));
        }
        let contact = Contact {
            number: made.clone(),
            name: name.get_untracked().trim().to_owned(),
            agent: None,
            priority: 0,
            tags: Vec::new(),
        };
        editor.edit(|policy| policy.contacts.insert(0, contact));
        outcome.set(Some(Ok(format!("{made} is in the draft; save it above."))));
        search.set(String::new());
        number.set(String::new());
        name.set(String::new());
        opened.set(Some(0));
    };
    view! {
        <section class="card" aria-label="Add a contact">
            <h2>"Add a contact"</h2>
            <TextField label="New number" kind="tel" hint="With its country, such as +442079460199." value=number set=move |text| number.set(text)/>
            <TextField label="New name" value=name set=move |text| name.set(text)/>
            <button type="button" class="btn" on:click=add>"Add"</button>
            {move || outcome.get().map(said)}
        </section>
    }
}

/// A pasted list: preview first, then into the draft.
#[component]
fn Paste() -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let text = RwSignal::new(String::new());
    let preview = RwSignal::new(None::<Import>);
    let outcome: Outcome = RwSignal::new(None);
    let look = move |_| {
        outcome.set(None);
        let import = panel.roster.with_untracked(|roster| {
            let person = |name: &str| {
                let wanted = name.to_lowercase();
                let fits = |name: &str| name.to_lowercase() == wanted;
                let mut people = roster.people.values();
                people.find(|one| fits(&one.profile.name) || fits(&one.profile.email)).map(|one| one.profile.id)
            };
            let lines = contacts::lines(&text.get_untracked(), &person);
            editor.draft.with_untracked(|policy| Import::of(lines, &policy.contacts))
        });
        preview.set(Some(import));
    };
    let apply = move |_| {
        let Some(import) = preview.get_untracked() else { return };
        let said = format!("{} and {} are in the draft; save it above.", import.new.len(), import.changed.len());
        editor.edit(|policy| import.apply(&mut policy.contacts));
        outcome.set(Some(Ok(format!("New and changed: {said}"))));
        preview.set(None);
        text.set(String::new());
    };
    let shown = move || {
        preview.get().map(|import| {
            let nothing = import.new.is_empty() && import.changed.is_empty();
            let line = |mark: &'static str, contact: &Contact| {
                let name = contact.name.clone();
                view! { <li><strong>{mark}</strong>" "<span class="figures">{contact.number.as_str().to_owned()}</span>" "{name}</li> }
            };
            let changes: Vec<_> = import
                .new
                .iter()
                .map(|contact| line("New:", contact))
                .chain(import.changed.iter().map(|contact| line("Changed:", contact)))
                .take(SHOWN)
                .collect();
            let wrong: Vec<_> = import
                .wrong
                .iter()
                .take(SHOWN)
                .map(|(number, why)| view! { <li class="tone-bad">{format!("Line {number}: {why}")}</li> })
                .collect();
            view! {
                <section aria-label="Preview of the list">
                    <p role="status"><strong>{import.summary()}</strong></p>
                    <ul class="impact">{changes}{wrong}</ul>
                    <button type="button" class="btn btn-sm" disabled=nothing on:click=apply>"Put into the draft"</button>
                </section>
            }
        })
    };
    view! {
        <section class="card" aria-label="Paste a list">
            <h2>"Paste a list"</h2>
            <label class="field">
                <span>"Lines of CSV"</span>
                <textarea
                    class="input textarea"
                    rows="5"
                    aria-describedby="paste-hint"
                    prop:value=move || text.get()
                    on:input=move |event| { preview.set(None); text.set(event_target_value(&event)) }
                ></textarea>
            </label>
            <p class="field-hint" id="paste-hint">
                "Number, name, tags (separated by semicolons), priority, person. Only the number is needed; a known number is replaced."
            </p>
            <div class="button-row">
                <button type="button" class="btn btn-sm" disabled=move || text.with(|text| text.trim().is_empty()) on:click=look>"Preview the list"</button>
            </div>
            {shown}
            {move || outcome.get().map(said)}
        </section>
    }
}
