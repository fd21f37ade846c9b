//! The departments: how each rings, edited as a draft, seen in force before it is saved.

use cordboard_shared::api::routing::{SimulateAnswer, SimulateRequest};
use cordboard_shared::department::{Department, Strategy};
use cordboard_shared::id::DepartmentId;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::department::DepartmentFields;
use super::editor::Editor;
use crate::api;
use crate::browser::uuid;
use crate::components::icon::{Glyph, Icon};
use crate::components::page_title::PageTitle;
use crate::model::{draft, strip};
use crate::panel::use_panel;

/// The routing page.
#[component]
pub(crate) fn Routing() -> impl IntoView {
    let editor: Editor = expect_context();
    let chosen = RwSignal::new(None::<DepartmentId>);
    let departments = Memo::new(move |_| {
        editor.draft.with(|policy| policy.departments.iter().map(|one| (one.id, one.name.clone())).collect::<Vec<_>>())
    });
    let shown = Memo::new(move |_| {
        let known = departments.get();
        chosen.get().filter(|id| known.iter().any(|(one, _)| one == id)).or_else(|| known.first().map(|(id, _)| *id))
    });
    let add = move |_| {
        let number = departments.with_untracked(Vec::len) + 1;
        let Ok(id) = uuid().parse::<DepartmentId>() else { return };
        let slug = format!("department-{number}");
        editor.edit(|policy| {
            policy.departments.push(Department::new(id, &slug, &format!("Department {number}"), Strategy::Serial));
        });
        chosen.set(Some(id));
    };
    let tabs = move || {
        departments
            .get()
            .into_iter()
            .map(|(id, name)| {
                view! {
                    <button
                        type="button"
                        class="chip"
                        aria-pressed=move || (shown.get() == Some(id)).to_string()
                        on:click=move |_| chosen.set(Some(id))
                    >
                        {name}
                    </button>
                }
            })
            .collect_view()
    };
    view! {
        <PageTitle title="Routing" line=Signal::stored("Departments and how they ring. Nothing is in force before it is saved.".to_owned())/>
        <SaveBar/>
        <div class="tabs" role="group" aria-label="Departments">
            {tabs}
            <button type="button" class="btn btn-sm" on:click=add>"Add a department"</button>
        </div>
        {move || shown.get().map(|id| view! {
            <Strip id=id/>
            <DepartmentFields id=id/>
        })}
    }
}

/// What is changed, saving, and what stands in the way.
#[component]
pub(crate) fn SaveBar() -> impl IntoView {
    let editor: Editor = expect_context();
    let changed = Memo::new(move |_| editor.is_changed());
    let differences = move || {
        editor.saved.with(|saved| {
            saved.as_ref().map(|saved| editor.draft.with(|draft| draft::differences(saved, draft))).unwrap_or_default()
        })
    };
    let errors =
        Memo::new(move |_| editor.findings.with(|all| all.iter().filter(|finding| finding.error).count() as u64));
    let version = move || editor.saved.with(|saved| saved.as_ref().map(|saved| saved.version));
    view! {
        <section class="card save-bar" class:save-changed=move || changed.get() aria-label="Save">
            <div class="save-row">
                <p role="status">
                    {move || match version() {
                        None => "Reading the rules…".to_owned(),
                        Some(version) if changed.get() => format!("Changed, not saved. In force is version {version}."),
                        Some(version) => format!("Version {version} is in force."),
                    }}
                    {move || (errors.get() > 0).then(|| view! {
                        <strong class="tone-bad">{format!(" {} to correct.", crate::model::duration::count(errors.get(), "error"))}</strong>
                    })}
                </p>
                <button
                    type="button"
                    class="btn btn-sm"
                    disabled=move || !changed.get()
                    on:click=move |_| editor.drop_changes()
                >
                    "Drop changes"
                </button>
                <button
                    type="button"
                    class="btn btn-sm btn-primary"
                    disabled=move || !changed.get()
                    aria-busy=move || editor.saving.get().then_some("true")
                    on:click=move |_| editor.save()
                >
                    "Save"
                </button>
            </div>
            <Show when=move || changed.get()>
                <ul class="differences" aria-label="What would change">
                    {move || differences().into_iter().take(12).map(|line| view! { <li>{line}</li> }).collect_view()}
                </ul>
            </Show>
            {move || editor.problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <Unplaced/>
            <Theirs/>
        </section>
    }
}

/// Findings whose field is not on this page, or not a field.
#[component]
fn Unplaced() -> impl IntoView {
    let editor: Editor = expect_context();
    move || {
        let findings = editor.findings.get();
        findings
            .into_iter()
            .filter(|finding| !finding.pointer.starts_with("/departments/"))
            .map(|finding| view! { <p class="tone-warn">{finding.text}</p> })
            .collect_view()
    }
}

/// Somebody else has saved meanwhile.
#[component]
fn Theirs() -> impl IntoView {
    let editor: Editor = expect_context();
    let lines = move || {
        let theirs = editor.theirs.get()?;
        editor.saved.with(|saved| saved.as_ref().map(|saved| draft::differences(saved, &theirs)))
    };
    move || {
        lines().map(|lines| {
            view! {
                <section class="conflict" role="alert" aria-label="Somebody else has changed the rules">
                    <p><strong>"Somebody else has changed the rules meanwhile:"</strong></p>
                    <ul>{lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                    <div class="ask-buttons">
                        <button type="button" class="btn btn-sm btn-primary" on:click=move |_| editor.merge()>
                            "Put my changes on top of theirs"
                        </button>
                        <button type="button" class="btn btn-sm" on:click=move |_| editor.drop_changes()>"Take theirs, drop mine"</button>
                    </div>
                </section>
            }
        })
    }
}

/// If it rang now: asked of the server with the draft, each time the draft has settled.
#[component]
fn Strip(id: DepartmentId) -> impl IntoView {
    let panel = use_panel();
    let editor: Editor = expect_context();
    let answer = RwSignal::new(None::<Result<SimulateAnswer, String>>);
    let states = Memo::new(move |_| {
        panel.roster.with(|roster| {
            roster.people.values().map(|one| one.presence.as_ref().map(|one| one.effective.verdict)).collect::<Vec<_>>()
        })
    });
    Effect::new(move |_| {
        editor.settled.track();
        states.track();
        let slug = untrack(|| editor.department(id, |department| department.slug.clone()));
        if slug.is_empty() {
            return;
        }
        let changed = untrack(|| editor.is_changed());
        let policy = changed.then(|| Box::new(editor.draft.get_untracked()));
        let request =
            SimulateRequest { to: format!("department:{slug}"), from: None, at: None, overrides: Vec::new(), policy };
        spawn_local(async move {
            let said = api::post("/core/route/simulate", &request).await.map_err(|error| error.sentence());
            answer.set(Some(said));
        });
    });
    let body = move || match answer.get() {
        None => view! { <p class="muted">"Asking the engine…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="tone-bad">{why}</p> }.into_any(),
        Some(Ok(answer)) => {
            let stops = panel.roster.with(|roster| strip::strip(&answer, &|id| roster.name(id)));
            let stops = stops
                .into_iter()
                .enumerate()
                .map(|(index, stop)| view! {
                    {(index > 0).then(|| view! { <span class="strip-arrow" aria-hidden="true">"→"</span><span class="sr-only">" then "</span> })}
                    <span class="strip-stop">{stop}</span>
                })
                .collect_view();
            view! { <p class="strip-line">{stops}</p> }.into_any()
        }
    };
    view! {
        <section class="card strip" aria-label="If it rang now">
            <h2><Glyph icon=Icon::Bell/>"If it rang now"</h2>
            {body}
            {move || match (editor.has_errors(), editor.is_changed()) {
                (true, _) => Some("As before your last changes: they have to be corrected first."),
                (false, true) => Some("Under your changes, which are not saved."),
                (false, false) => None,
            }.map(|text| view! { <p class="muted">{text}</p> })}
        </section>
    }
}
