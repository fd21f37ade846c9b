//! The call flows: list, and the flow that is open with its outline, hours, versions and preview.

use cordboard_shared::api::flows::{FlowDraft, FlowEntry, FlowList, NewFlow};
use cordboard_shared::id::FlowId;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::flow_editor::{FlowBar, FlowEditor};
use super::flow_nodes::Outline;
use super::flow_preview::Preview;
use super::flow_versions::Versions;
use super::form::{Findings, Found, SelectField, TextField};
use super::hours::HoursFields;
use super::person::{Outcome, said};
use crate::api;
use crate::browser::page;
use crate::components::page_title::PageTitle;
use crate::model::flow;
use crate::panel::{Panel, use_panel};

/// The flows, or why they are not known.
type List = RwSignal<Option<Result<FlowList, String>>>;

fn load(list: List) {
    spawn_local(async move {
        list.set(Some(api::get("/core/flows").await.map_err(|error| error.sentence())));
    });
}

/// The page.
#[component]
pub(crate) fn Flows() -> impl IntoView {
    let list: List = RwSignal::new(None);
    load(list);
    let opened = RwSignal::new(None::<FlowId>);
    move || match opened.get() {
        Some(id) => view! { <Open id=id opened=opened list=list/> }.into_any(),
        None => view! { <All list=list opened=opened/> }.into_any(),
    }
}

#[component]
fn All(list: List, opened: RwSignal<Option<FlowId>>) -> impl IntoView {
    let panel = use_panel();
    let outcome: Outcome = RwSignal::new(None);
    let body = move || match list.get() {
        None => view! { <p class="card empty" role="status">"Reading the call flows…"</p> }.into_any(),
        Some(Err(why)) => view! {
            <div class="card">
                <p class="tone-bad" role="alert">{why}</p>
                <button type="button" class="btn btn-sm" on:click=move |_| load(list)>"Read again"</button>
            </div>
        }
        .into_any(),
        Some(Ok(all)) if all.flows.is_empty() => {
            view! { <p class="card empty">"No call flows yet. Make the first one below."</p> }.into_any()
        }
        Some(Ok(all)) => {
            let cards = all.flows.iter().map(|entry| card(panel, entry, opened, list, outcome)).collect_view();
            view! { <ul class="cards" aria-label="Call flows">{cards}</ul> }.into_any()
        }
    };
    view! {
        <PageTitle title="Call flows" line=Signal::stored("What callers hear and where their keys lead. Callers hear published versions only.".to_owned())/>
        {move || outcome.get().map(said)}
        {body}
        <New list=list opened=opened/>
    }
}

fn card(
    panel: Panel,
    entry: &FlowEntry,
    opened: RwSignal<Option<FlowId>>,
    list: List,
    outcome: Outcome,
) -> impl IntoView + use<> {
    let id = entry.id;
    let name = if entry.name.is_empty() { entry.slug.clone() } else { entry.name.clone() };
    let (word, tone) = match (entry.version, entry.disabled) {
        (_, true) => ("Disabled: its callers are refused", "tone-bad"),
        (None, false) => ("Not published yet", "tone-away"),
        (Some(_), false) => ("Live", "tone-on"),
    };
    let version = entry.version.map(|version| {
        let by = entry.published_by.as_ref().map(|by| format!(" by {}", by.name)).unwrap_or_default();
        let at =
            entry.published_at.map(|at| format!(", published {}{by}", untrack(|| panel.clock(at)))).unwrap_or_default();
        format!("Version {version}{at}.")
    });
    let draft = entry.draft.as_ref().map(|draft| {
        let days = panel.now.get_untracked().since(draft.edited_at) / 86_400_000;
        let old = if days >= 1 {
            format!(" It has waited {}.", crate::model::duration::count(days, "day"))
        } else {
            String::new()
        };
        let words = format!(
            "A draft is not published: {}, {}.{old}",
            draft.edited_by.name,
            untrack(|| panel.clock(draft.edited_at))
        );
        view! { <p class="tone-warn"><strong>"Check: "</strong>{words}</p> }
    });
    let numbers = {
        let ids = entry.numbers.clone();
        move || {
            let names: Vec<String> = panel.roster.with(|roster| {
                let numbers = roster.numbers.iter().filter(|one| ids.contains(&one.id));
                numbers.map(|one| format!("{} ({})", one.number, one.label)).collect()
            });
            if names.is_empty() {
                "No number leads here.".to_owned()
            } else {
                format!("Numbers: {}.", names.join(", "))
            }
        }
    };
    let asking = RwSignal::new(false);
    let never = entry.version.is_none();
    let disabled = entry.disabled;
    let switched = name.clone();
    let switch = move |_| {
        let switched = switched.clone();
        spawn_local(async move {
            let (verb, word) =
                if disabled { ("enable", "live again") } else { ("disable", "disabled: its callers are refused") };
            let key = [("idempotency-key", crate::browser::uuid())];
            let done = api::ask(Method::POST, &format!("/core/flows/{id}/{verb}"), &key, None).await;
            outcome.set(Some(done.map(|_| format!("{switched} is {word}.")).map_err(|error| error.sentence())));
            load(list);
        });
    };
    let switch_word = if disabled { "Enable" } else { "Disable" };
    let shown = name.clone();
    let drop_flow = move |_| {
        asking.set(false);
        let shown = shown.clone();
        spawn_local(async move {
            let key = [("idempotency-key", crate::browser::uuid())];
            let done = api::ask(Method::DELETE, &format!("/core/flows/{id}/draft"), &key, None).await;
            outcome.set(Some(done.map(|_| format!("{shown} is deleted.")).map_err(|error| error.sentence())));
            load(list);
        });
    };
    view! {
        <li><div class="card" role="group" aria-label=format!("Flow {name}")>
            <div class="contact-line">
                <h2>{name.clone()}</h2>
                <span class=format!("state-badge {tone}")>{word}</span>
            </div>
            <p class="muted">{version}</p>
            {draft}
            <p class="muted">{numbers}</p>
            <div class="ask-buttons">
                <button type="button" class="btn btn-sm btn-primary" aria-label=format!("Edit {name}") on:click=move |_| opened.set(Some(id))>"Edit"</button>
                {(!never).then(|| view! {
                    <button type="button" class="btn btn-sm" aria-label=format!("{switch_word} {name}") on:click=switch>{switch_word}</button>
                })}
                {never.then(|| view! {
                    <button type="button" class="btn btn-sm" aria-label=format!("Delete {name}") on:click=move |_| asking.set(true)>"Delete"</button>
                })}
            </div>
            <Show when=move || asking.get()>
                <div class="ask" role="group" aria-label="Delete it?">
                    <p>"It was never published; it is gone for good."</p>
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=drop_flow.clone()>"Delete it"</button>
                        <button type="button" class="btn btn-sm" on:click=move |_| asking.set(false)>"Keep it"</button>
                    </div>
                </div>
            </Show>
        </div></li>
    }
}

/// A short name out of a name.
fn slug_of(name: &str) -> String {
    let letters = name.to_lowercase();
    let parts: Vec<&str> =
        letters.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    parts.join("-").chars().take(32).collect()
}

#[component]
fn New(list: List, opened: RwSignal<Option<FlowId>>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let slug = RwSignal::new(String::new());
    let copy = RwSignal::new(String::new());
    let outcome: Outcome = RwSignal::new(None);
    let busy = RwSignal::new(false);
    let options = Signal::derive(move || {
        let mut options = vec![(String::new(), "One message".to_owned())];
        list.with(|list| {
            if let Some(Ok(list)) = list {
                options
                    .extend(list.flows.iter().map(|flow| (flow.id.to_string(), format!("The nodes of {}", flow.name))));
            }
        });
        options
    });
    let make = move |_| {
        let title = name.get_untracked().trim().to_owned();
        let typed = slug.get_untracked().trim().to_owned();
        let short = if typed.is_empty() { slug_of(&title) } else { typed };
        if short.is_empty() {
            return outcome.set(Some(Err("Give it a name.".to_owned())));
        }
        let flow = NewFlow { slug: short, name: title, copy_of: copy.get_untracked().parse().ok() };
        busy.set(true);
        outcome.set(None);
        spawn_local(async move {
            let made: Result<FlowDraft, _> = api::post("/core/flows", &flow).await;
            busy.set(false);
            match made {
                Ok(draft) => {
                    load(list);
                    opened.set(Some(draft.flow.id));
                }
                Err(error) => outcome.set(Some(Err(error.sentence()))),
            }
        });
    };
    view! {
        <section class="card after" aria-label="New call flow">
            <h2>"New call flow"</h2>
            <div class="form-grid">
                <TextField label="Name of the new flow" value=name set=move |text| name.set(text)/>
                <TextField label="Short name (optional)" hint="Lower-case letters, digits, hyphens; numbers lead to it." value=slug set=move |text| slug.set(text)/>
                <SelectField label="Begin with" options=options value=copy set=move |id| copy.set(id)/>
            </div>
            <button type="button" class="btn" aria-busy=move || busy.get().then_some("true") on:click=make>"Make the flow"</button>
            {move || outcome.get().map(said)}
        </section>
    }
}

#[component]
fn Open(id: FlowId, opened: RwSignal<Option<FlowId>>, list: List) -> impl IntoView {
    let read = RwSignal::new(None::<Result<FlowDraft, String>>);
    spawn_local(async move {
        read.set(Some(api::get(&format!("/core/flows/{id}/draft")).await.map_err(|error| error.sentence())));
    });
    let leave = move || {
        opened.set(None);
        load(list);
        page::focus("page-title");
    };
    move || match read.get() {
        None => view! { <PageTitle title="Call flow"/><p class="card empty" role="status">"Reading the flow…"</p> }
            .into_any(),
        Some(Err(why)) => view! {
            <PageTitle title="Call flow"/>
            <p class="card tone-bad" role="alert">{why}</p>
            <button type="button" class="btn btn-sm btn-secondary" on:click=move |_| leave()>"All call flows"</button>
        }
        .into_any(),
        Some(Ok(draft)) => view! { <Opened draft=draft leave=Callback::new(move |()| leave())/> }.into_any(),
    }
}

#[component]
fn Opened(draft: FlowDraft, leave: Callback<()>) -> impl IntoView {
    let panel = use_panel();
    let editor = FlowEditor::new(panel, draft);
    provide_context(editor);
    provide_context(Found(editor.findings));
    let part = RwSignal::new("outline");
    let asking = RwSignal::new(false);
    let tab = move |key: &'static str, text: &'static str| {
        view! {
            <button type="button" class="chip" aria-pressed=move || (part.get() == key).to_string() on:click=move |_| part.set(key)>
                {text}
            </button>
        }
    };
    let go = move |_| {
        if untrack(|| editor.is_changed()) {
            asking.set(true);
        } else {
            leave.run(());
        }
    };
    let body = move || match part.get() {
        "hours" => view! { <Hours/> }.into_any(),
        "versions" => view! { <Versions/> }.into_any(),
        "preview" => view! { <Preview/> }.into_any(),
        _ => view! { <Outline/> }.into_any(),
    };
    let line = Signal::derive(move || {
        editor.draft.with(|flow| {
            if flow.name.is_empty() { flow.slug.clone() } else { format!("{} ({})", flow.name, flow.slug) }
        })
    });
    view! {
        <div class="button-row"><button type="button" class="btn btn-sm btn-secondary" on:click=go>"All call flows"</button></div>
        <Show when=move || asking.get()>
            <div class="ask card" role="group" aria-label="Leave the flow?">
                <p>"What you have changed is not saved."</p>
                <div class="ask-buttons">
                    <button type="button" class="btn btn-sm btn-primary" on:click=move |_| asking.set(false)>"Stay here"</button>
                    <button type="button" class="btn btn-sm" on:click=move |_| leave.run(())>"Leave, drop my changes"</button>
                </div>
            </div>
        </Show>
        <PageTitle title="Call flow" line=line/>
        <FlowBar/>
        <div class="tabs" role="group" aria-label="Parts">
            {tab("outline", "Outline")}
            {tab("hours", "Hours")}
            {tab("preview", "Preview")}
            {tab("versions", "Versions")}
        </div>
        {body}
    }
}

/// Working days and holidays.
#[component]
fn Hours() -> impl IntoView {
    let editor: FlowEditor = expect_context();
    let nodes = Signal::derive(move || {
        let mut options = vec![(String::new(), "The closed message, then the call ends".to_owned())];
        editor.draft.with(|flow| {
            options.extend(flow.nodes.iter().map(|(name, node)| {
                (name.clone(), format!("{name} ({})", flow::kind_word(flow::kind(node)).to_lowercase()))
            }));
        });
        options
    });
    view! {
        <section class="card" aria-labelledby="flow-hours-title">
            <h2 id="flow-hours-title">"Working days and holidays"</h2>
            <HoursFields
                value=Signal::derive(move || editor.draft.with(|flow| flow.hours.clone()))
                set=move |hours| editor.edit(|flow| flow.hours = hours)
                holidays=true
            />
            <Findings at=Signal::stored("/hours".to_owned()) below=true/>
            <SelectField
                label="When it is closed" options=nodes
                value=Signal::derive(move || editor.draft.with(|flow| flow.closed.clone().unwrap_or_default()))
                set=move |name: String| editor.edit(|flow| flow.closed = Some(name).filter(|name| !name.is_empty()))
                at=Signal::stored("/closed".to_owned())
            />
        </section>
    }
}
