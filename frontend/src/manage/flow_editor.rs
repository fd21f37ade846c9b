//! A call flow while it is edited: draft, findings, saving, publishing.

use cordboard_shared::api::flows::{FlowDraft, FlowFinding, FlowFindings, PublishFlow};
use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::flow::{Flow, Node};
use cordboard_shared::id::FlowId;
use gloo_net::http::Method;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::document::once;
use super::form::TextField;
use crate::api::{self, ApiError};
use crate::decode;
use crate::model::flow;
use crate::panel::Panel;

/// How long after the last change the draft is checked, in milliseconds.
const CHECK_AFTER_MS: u32 = 350;

/// The flow that is open.
#[derive(Clone, Copy)]
pub(crate) struct FlowEditor {
    panel: StoredValue<Panel>,
    pub(crate) id: FlowId,
    /// As the server has it.
    pub(crate) saved: RwSignal<FlowDraft>,
    /// As it would be.
    pub(crate) draft: RwSignal<Flow>,
    /// What callers hear now; none when it was never published, or is not read yet.
    pub(crate) live: RwSignal<Option<Flow>>,
    pub(crate) findings: RwSignal<Vec<PolicyFinding>>,
    problem: RwSignal<Option<String>>,
    /// Somebody else has saved meanwhile.
    stale: RwSignal<bool>,
    busy: RwSignal<bool>,
    /// Rises with each publication and each way back.
    pub(crate) published: RwSignal<u32>,
    timer: StoredValue<Option<Timeout>, LocalStorage>,
}

fn findings(all: Vec<FlowFinding>) -> Vec<PolicyFinding> {
    let plain = |one: FlowFinding| PolicyFinding { pointer: one.pointer, text: one.text, error: one.error };
    all.into_iter().map(plain).collect()
}

impl FlowEditor {
    pub(crate) fn new(panel: Panel, draft: FlowDraft) -> Self {
        let editor = Self {
            panel: StoredValue::new(panel),
            id: draft.flow.id,
            findings: RwSignal::new(findings(draft.findings.clone())),
            draft: RwSignal::new(draft.flow.clone()),
            live: RwSignal::new((draft.revision == 0).then(|| draft.flow.clone())),
            saved: RwSignal::new(draft),
            problem: RwSignal::new(None),
            stale: RwSignal::new(false),
            busy: RwSignal::new(false),
            published: RwSignal::new(0),
            timer: StoredValue::new_local(None),
        };
        editor.read_live();
        editor
    }

    fn path(self, rest: &str) -> String {
        format!("/core/flows/{}/{rest}", self.id)
    }

    /// Reads what callers hear now, to tell what publishing would change.
    fn read_live(self) {
        let Some(version) = self.saved.with_untracked(|saved| saved.based_on.filter(|_| saved.revision > 0)) else {
            return;
        };
        spawn_local(async move {
            if let Ok(flow) = version_of(self.id, version).await {
                self.live.set(Some(flow));
            }
        });
    }

    /// Whether the draft differs from what is saved; tracked.
    pub(crate) fn is_changed(self) -> bool {
        self.saved.with(|saved| self.draft.with(|draft| *draft != saved.flow))
    }

    /// Whether there is anything to publish; tracked.
    fn can_publish(self) -> bool {
        self.is_changed() || self.saved.with(|saved| saved.revision > 0)
    }

    /// Changes the draft.
    pub(crate) fn edit(self, change: impl FnOnce(&mut Flow)) {
        once(change, |change| self.change(change));
    }

    #[inline(never)]
    fn change(self, change: &mut dyn FnMut(&mut Flow)) {
        self.draft.update(change);
        self.timer.set_value(Some(Timeout::new(CHECK_AFTER_MS, move || self.check())));
    }

    /// Changes one node of the draft.
    pub(crate) fn edit_node(self, name: &str, change: impl FnOnce(&mut Node)) {
        self.edit(|flow| {
            if let Some(node) = flow.nodes.get_mut(name) {
                change(node);
            }
        });
    }

    fn check(self) {
        let body = self.text();
        spawn_local(async move {
            let answer = api::ask(Method::POST, &self.path("check"), &[], Some(body)).await;
            if let Ok(found) = answer.and_then(|answer| answer.read::<FlowFindings>()) {
                self.findings.set(findings(found.findings));
            }
        });
    }

    fn text(self) -> String {
        self.draft.with_untracked(|draft| serde_json::to_string(draft).unwrap_or_default())
    }

    fn take(self, draft: FlowDraft) {
        self.findings.set(findings(draft.findings.clone()));
        if draft.revision == 0 {
            self.live.set(Some(draft.flow.clone()));
        }
        self.draft.set(draft.flow.clone());
        self.saved.set(draft);
        self.stale.set(false);
    }

    fn headers(self) -> [(&'static str, String); 2] {
        let revision = self.saved.with_untracked(|saved| saved.revision);
        [("if-match", format!("\"{revision}\"")), ("idempotency-key", crate::browser::uuid())]
    }

    async fn put(self) -> Result<(), ApiError> {
        let headers = self.headers();
        let answer = api::ask(Method::PUT, &self.path("draft"), &headers, Some(self.text())).await?;
        self.take(answer.read()?);
        Ok(())
    }

    fn refused(self, what: &str, error: &ApiError) {
        if let ApiError::Refused(problem) = error {
            if let Some(found) = problem.more.get("findings").and_then(|value| decode::read(value).ok()) {
                self.findings.set(findings(found));
            }
            self.stale.set(problem.status == 412);
        }
        let sentence = format!("{what} {}", error.sentence());
        self.panel.get_value().alert(sentence.clone());
        self.problem.set(Some(sentence));
    }

    /// Does one thing at a time, and says what came of it.
    fn run(self, what: &'static str, done: &'static str, work: impl Future<Output = Result<(), ApiError>> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        spawn_local(async move {
            match work.await {
                Ok(()) => self.panel.get_value().tell(done),
                Err(error) => self.refused(what, &error),
            }
            self.busy.set(false);
        });
    }

    fn save(self) {
        self.run("The draft was not saved.", "The draft is saved. Callers hear it once it is published.", self.put());
    }

    /// Takes what the server has, and drops what was changed here.
    pub(crate) fn reload(self) {
        self.run("The flow could not be read.", "The flow is as the server has it.", async move {
            self.take(api::get(&self.path("draft")).await?);
            self.read_live();
            Ok(())
        });
    }

    fn discard(self) {
        self.run("The draft is still there.", "The draft is dropped.", async move {
            // Of a flow that was never published nothing would be left: it is deleted from the list, not from here.
            if self.saved.with_untracked(|saved| saved.revision > 0 && saved.based_on.is_some()) {
                api::ask(Method::DELETE, &self.path("draft"), &self.headers(), None).await?;
            }
            self.take(api::get(&self.path("draft")).await?);
            Ok(())
        });
    }

    fn publish(self, note: String) {
        self.run("It was not published.", "It is published: the next caller hears it.", async move {
            if untrack(|| self.is_changed()) {
                self.put().await?;
            }
            let note = Some(note.trim().to_owned()).filter(|note| !note.is_empty());
            let body = serde_json::to_string(&PublishFlow { note }).unwrap_or_default();
            api::ask(Method::POST, &self.path("publish"), &self.headers(), Some(body)).await?;
            self.live.set(None);
            self.take(api::get(&self.path("draft")).await?);
            self.published.update(|number| *number += 1);
            Ok(())
        });
    }

    /// Makes an old version the live one again.
    pub(crate) fn restore(self, version: u32) {
        self.run("Nothing was restored.", "It is restored: the next caller hears it.", async move {
            let key = [("idempotency-key", crate::browser::uuid())];
            api::ask(Method::POST, &self.path(&format!("versions/{version}/restore")), &key, Some("{}".to_owned()))
                .await?;
            self.take(api::get(&self.path("draft")).await?);
            self.published.update(|number| *number += 1);
            Ok(())
        });
    }
}

/// A published version as it was.
pub(crate) async fn version_of(id: FlowId, version: u32) -> Result<Flow, ApiError> {
    api::get(&format!("/core/flows/{id}/versions/{version}")).await
}

/// Where the draft stands, saving, publishing.
#[component]
pub(crate) fn FlowBar() -> impl IntoView {
    let editor: FlowEditor = expect_context();
    let changed = Memo::new(move |_| editor.is_changed());
    let can_publish = Memo::new(move |_| editor.can_publish());
    // A draft that is saved can go back to what is live; one of a flow never published only to how it was saved.
    let saved = Memo::new(move |_| editor.saved.with(|saved| saved.revision > 0 && saved.based_on.is_some()));
    let can_drop = Memo::new(move |_| changed.get() || saved.get());
    let asking = RwSignal::new(false);
    let note = RwSignal::new(String::new());
    let errors = Memo::new(move |_| editor.findings.with(|all| all.iter().filter(|one| one.error).count() as u64));
    let line = move || {
        let (revision, based_on) = editor.saved.with(|saved| (saved.revision, saved.based_on));
        match (changed.get(), revision, based_on) {
            (true, _, _) => "Changed, not saved.".to_owned(),
            (false, 0, _) => "All of it is live.".to_owned(),
            (false, _, Some(version)) => format!("The draft is saved. Callers hear version {version}."),
            (false, _, None) => "The draft is saved. It was never published.".to_owned(),
        }
    };
    let differences = move || {
        let lines = editor
            .live
            .with(|live| live.as_ref().map(|live| editor.draft.with(|draft| flow::differences(live, draft))));
        match lines {
            None => view! { <p class="muted">"All of it is new to callers."</p> }.into_any(),
            Some(lines) if lines.is_empty() => view! { <p class="muted">"Nothing changes for callers."</p> }.into_any(),
            Some(lines) => {
                let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
                view! { <ul class="differences" aria-label="What would change">{lines}</ul> }.into_any()
            }
        }
    };
    let loose = move || {
        let flow = editor.draft.get();
        editor
            .findings
            .get()
            .into_iter()
            .filter(|one| !flow.nodes.keys().any(|name| one.pointer.starts_with(&flow::pointer(name))))
            .map(|one| {
                let tone = if one.error { "tone-bad" } else { "tone-warn" };
                view! { <p class=tone>{one.text}</p> }
            })
            .collect_view()
    };
    view! {
        <section class="card save-bar" class:save-changed=move || changed.get() aria-label="Save">
            <div class="save-row">
                <p role="status">
                    {line}
                    {move || (errors.get() > 0).then(|| view! {
                        <strong class="tone-bad">{format!(" {} to correct before it can be published.", crate::model::duration::count(errors.get(), "error"))}</strong>
                    })}
                </p>
                <button type="button" class="btn btn-sm" disabled=move || !can_drop.get() on:click=move |_| editor.discard()>{move || if saved.get() { "Drop the draft" } else { "Drop changes" }}</button>
                <button
                    type="button" class="btn btn-sm" disabled=move || !changed.get()
                    aria-busy=move || editor.busy.get().then_some("true") on:click=move |_| editor.save()
                >
                    "Save the draft"
                </button>
                <button
                    type="button" class="btn btn-sm btn-primary" disabled=move || !can_publish.get()
                    aria-expanded=move || asking.get().to_string() on:click=move |_| asking.update(|asking| *asking = !*asking)
                >
                    "Publish…"
                </button>
            </div>
            <Show when=move || asking.get() && can_publish.get()>
                <section class="ask" aria-label="Publish">
                    <p><strong>"What changes for callers:"</strong></p>
                    {differences}
                    <TextField label="Note (optional)" hint="What has changed, for those who look at the versions." value=note set=move |text| note.set(text)/>
                    <div class="ask-buttons">
                        <button
                            type="button" class="btn btn-sm btn-primary" disabled=move || { errors.get() > 0 }
                            on:click=move |_| { asking.set(false); editor.publish(note.get_untracked()); note.set(String::new()) }
                        >
                            "Publish now"
                        </button>
                        <button type="button" class="btn btn-sm" on:click=move |_| asking.set(false)>"Not yet"</button>
                    </div>
                </section>
            </Show>
            {move || editor.problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <Show when=move || editor.stale.get()>
                <div class="conflict" role="alert">
                    <p>"Somebody else has saved this flow meanwhile."</p>
                    <button type="button" class="btn btn-sm" on:click=move |_| editor.reload()>"Take theirs, drop mine"</button>
                </div>
            </Show>
            {loose}
        </section>
    }
}
