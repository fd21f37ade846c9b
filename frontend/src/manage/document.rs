//! A document with a version that is edited as a draft and saved with `If-Match`: the telephony settings.

use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::telephony::Telephony;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api::{self, ApiError};
use crate::decode;
use crate::model::{draft, telephony};
use crate::panel::Panel;

const PATH: &str = "/core/telephony";

/// The telephony settings as they are saved, and as they would be.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    panel: StoredValue<Panel>,
    /// As the server has them; none until they are read.
    pub(crate) saved: RwSignal<Option<Telephony>>,
    /// As they would be.
    pub(crate) draft: RwSignal<Telephony>,
    /// What the server found in them.
    pub(crate) findings: RwSignal<Vec<PolicyFinding>>,
    problem: RwSignal<Option<String>>,
    theirs: RwSignal<Option<Telephony>>,
    saving: RwSignal<bool>,
    /// Rises with each save.
    pub(crate) saves: RwSignal<u32>,
    etag: StoredValue<Option<String>>,
}

impl Settings {
    pub(crate) fn new(panel: Panel) -> Self {
        Self {
            panel: StoredValue::new(panel),
            saved: RwSignal::new(None),
            draft: RwSignal::new(Telephony::default()),
            findings: RwSignal::new(Vec::new()),
            problem: RwSignal::new(None),
            theirs: RwSignal::new(None),
            saving: RwSignal::new(false),
            saves: RwSignal::new(0),
            etag: StoredValue::new(None),
        }
    }

    /// Whether the draft differs from what is saved; tracked.
    pub(crate) fn is_changed(self) -> bool {
        self.saved.with(|saved| saved.as_ref().is_some_and(|saved| self.draft.with(|draft| draft != saved)))
    }

    /// Reads them; a draft with changes is kept.
    pub(crate) fn load(self) {
        spawn_local(async move {
            match read().await {
                Ok((settings, etag)) => {
                    self.problem.set(None);
                    if untrack(|| self.is_changed()) {
                        self.theirs.set(
                            self.saved.with_untracked(|saved| saved.as_ref() != Some(&settings)).then_some(settings),
                        );
                    } else {
                        self.adopt(settings);
                    }
                    self.etag.set_value(etag);
                }
                Err(error) => self.problem.set(Some(error.sentence())),
            }
        });
    }

    fn adopt(self, settings: Telephony) {
        self.draft.set(settings.clone());
        self.saved.set(Some(settings));
        self.theirs.set(None);
        self.findings.set(Vec::new());
    }

    /// Changes the draft.
    pub(crate) fn edit(self, change: impl FnOnce(&mut Telephony)) {
        once(change, |change| self.change(change));
    }

    #[inline(never)]
    fn change(self, change: &mut dyn FnMut(&mut Telephony)) {
        self.draft.update(change);
    }

    fn save(self) {
        if self.saving.get_untracked() {
            return;
        }
        self.saving.set(true);
        self.problem.set(None);
        self.findings.set(Vec::new());
        let version = self.saved.with_untracked(|saved| saved.as_ref().map_or(0, |saved| saved.version));
        let condition = self.etag.get_value().unwrap_or_else(|| format!("\"{version}\""));
        let headers = [("if-match", condition), ("idempotency-key", crate::browser::uuid())];
        let body = self.draft.with_untracked(|draft| serde_json::to_string(draft).unwrap_or_default());
        spawn_local(async move {
            match api::ask(Method::PUT, PATH, &headers, Some(body)).await {
                Ok(_) => {
                    // What is saved is what the server says; passwords do not come back.
                    match read().await {
                        Ok((settings, etag)) => {
                            self.etag.set_value(etag);
                            self.adopt(settings);
                        }
                        Err(error) => self.problem.set(Some(error.sentence())),
                    }
                    self.saves.update(|number| *number += 1);
                    self.panel.get_value().tell("The telephony settings are saved and in force.");
                }
                Err(error) => self.refused(&error).await,
            }
            self.saving.set(false);
        });
    }

    async fn refused(self, error: &ApiError) {
        if let ApiError::Refused(problem) = error {
            let pointed = |problem: &cordboard_shared::Problem| {
                let pointer = problem.more.get("pointer")?.as_str()?.to_owned();
                Some(vec![PolicyFinding { pointer, text: problem.detail.clone(), error: true }])
            };
            let found = problem.more.get("findings").and_then(|value| decode::read(value).ok());
            self.findings.set(found.or_else(|| pointed(problem)).unwrap_or_default());
            if problem.status == 412
                && let Ok((settings, etag)) = read().await
            {
                self.etag.set_value(etag);
                self.theirs.set(Some(settings));
            }
        }
        let sentence = format!("Nothing was saved. {}", error.sentence());
        self.panel.get_value().alert(sentence.clone());
        self.problem.set(Some(sentence));
    }

    fn merge(self) {
        let (Some(theirs), Some(base)) = (self.theirs.get_untracked(), self.saved.get_untracked()) else { return };
        let merged = self.draft.with_untracked(|mine| draft::merge_documents(&base, mine, &theirs));
        let Some(merged) = merged else { return };
        self.draft.set(Telephony { version: theirs.version, ..merged });
        self.saved.set(Some(theirs));
        self.theirs.set(None);
        self.problem.set(None);
    }

    fn drop_changes(self) {
        self.problem.set(None);
        if let Some(settings) = self.theirs.get_untracked().or_else(|| self.saved.get_untracked()) {
            self.adopt(settings);
        }
    }
}

async fn read() -> Result<(Telephony, Option<String>), ApiError> {
    let answer = api::ask(Method::GET, PATH, &[], None).await?;
    let etag = answer.etag.clone();
    answer.read().map(|settings| (settings, etag))
}

/// What is changed, saving, and what stands in the way.
#[component]
pub(crate) fn SettingsBar() -> impl IntoView {
    let settings: Settings = expect_context();
    let changed = Memo::new(move |_| settings.is_changed());
    let differences = move || {
        settings.saved.with(|saved| {
            let saved = saved.as_ref()?;
            Some(settings.draft.with(|draft| telephony::differences(saved, draft)))
        })
    };
    let line = move || match settings.saved.with(|saved| saved.as_ref().map(|saved| saved.version)) {
        None if settings.problem.with(Option::is_some) => "The settings could not be read.".to_owned(),
        None => "Reading the settings…".to_owned(),
        Some(version) if changed.get() => format!("Changed, not saved. In force is version {version}."),
        Some(version) => format!("Version {version} is in force."),
    };
    let theirs = move || {
        let theirs = settings.theirs.get()?;
        let lines = settings.saved.with(|saved| saved.as_ref().map(|saved| telephony::differences(saved, &theirs)))?;
        let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
        Some(view! {
            <section class="conflict" role="alert" aria-label="Somebody else has changed the settings">
                <p><strong>"Somebody else has changed the settings meanwhile:"</strong></p>
                <ul>{lines}</ul>
                <div class="ask-buttons">
                    <button type="button" class="btn btn-sm btn-primary" on:click=move |_| settings.merge()>"Put my changes on top of theirs"</button>
                    <button type="button" class="btn btn-sm" on:click=move |_| settings.drop_changes()>"Take theirs, drop mine"</button>
                </div>
            </section>
        })
    };
    view! {
        <section class="card save-bar" class:save-changed=move || changed.get() aria-label="Save">
            <div class="save-row">
                <p role="status">{line}</p>
                <button type="button" class="btn btn-sm" disabled=move || !changed.get() on:click=move |_| settings.drop_changes()>"Drop changes"</button>
                <button
                    type="button"
                    class="btn btn-sm btn-primary"
                    disabled=move || !changed.get()
                    aria-busy=move || settings.saving.get().then_some("true")
                    on:click=move |_| settings.save()
                >
                    "Save"
                </button>
            </div>
            <Show when=move || changed.get()>
                <ul class="differences" aria-label="What would change">
                    {move || differences().unwrap_or_default().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}
                </ul>
            </Show>
            {move || settings.problem.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            {theirs}
        </section>
    }
}

/// Hands a change on as one that has a size of its own, so that what takes it is there once and not once for each change.
pub(super) fn once<T>(change: impl FnOnce(&mut T), take: impl FnOnce(&mut dyn FnMut(&mut T))) {
    let mut change = Some(change);
    take(&mut |draft| {
        if let Some(change) = change.take() {
            change(draft);
        }
    });
}
