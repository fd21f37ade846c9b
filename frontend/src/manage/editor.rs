//! The routing policy while it is edited: one draft for all pages of management, saved with `If-Match`.

use cordboard_shared::api::policy::PolicyFinding;
use cordboard_shared::department::Department;
use cordboard_shared::id::DepartmentId;
use cordboard_shared::policy::Policy;
use gloo_net::http::Method;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::document::once;
use crate::api::{self, ApiError};
use crate::decode;
use crate::model::draft;
use crate::panel::Panel;

/// How long after the last change the draft is checked, in milliseconds.
const CHECK_AFTER_MS: u32 = 350;

/// The policy as it is saved, and as it would be.
#[derive(Clone, Copy)]
pub(crate) struct Editor {
    panel: StoredValue<Panel>,
    /// As the server has it; none until it is read.
    pub(crate) saved: RwSignal<Option<Policy>>,
    /// As it would be.
    pub(crate) draft: RwSignal<Policy>,
    /// What the server found in the draft.
    pub(crate) findings: RwSignal<Vec<PolicyFinding>>,
    /// Why it could not be read or saved.
    pub(crate) problem: RwSignal<Option<String>>,
    /// Somebody else's newer policy, while the draft has changes.
    pub(crate) theirs: RwSignal<Option<Policy>>,
    pub(crate) saving: RwSignal<bool>,
    /// Rises a moment after each change of the draft that could be used: what is derived by the server is asked for again.
    pub(crate) settled: RwSignal<u32>,
    etag: StoredValue<Option<String>>,
    timer: StoredValue<Option<Timeout>, LocalStorage>,
}

impl Editor {
    pub(crate) fn new(panel: Panel) -> Self {
        Self {
            panel: StoredValue::new(panel),
            saved: RwSignal::new(None),
            draft: RwSignal::new(Policy::default()),
            findings: RwSignal::new(Vec::new()),
            problem: RwSignal::new(None),
            theirs: RwSignal::new(None),
            saving: RwSignal::new(false),
            settled: RwSignal::new(0),
            etag: StoredValue::new(None),
            timer: StoredValue::new_local(None),
        }
    }

    /// Whether the draft differs from what is saved; tracked.
    pub(crate) fn is_changed(self) -> bool {
        self.saved.with(|saved| saved.as_ref().is_some_and(|saved| self.draft.with(|draft| draft != saved)))
    }

    /// Reads the policy. A draft with changes is kept, and the newer policy stands beside it.
    pub(crate) fn load(self) {
        spawn_local(async move {
            match read().await {
                Ok((policy, etag)) => self.take(policy, etag),
                Err(error) => self.problem.set(Some(error.sentence())),
            }
        });
    }

    fn take(self, policy: Policy, etag: Option<String>) {
        let known = self.saved.with_untracked(|saved| saved.as_ref() == Some(&policy));
        self.etag.set_value(etag);
        if known {
            return;
        }
        if untrack(|| self.is_changed()) {
            self.theirs.set(Some(policy));
            return;
        }
        self.adopt(policy);
    }

    fn adopt(self, policy: Policy) {
        self.draft.set(policy.clone());
        self.saved.set(Some(policy));
        self.theirs.set(None);
        self.findings.set(Vec::new());
        self.settled.update(|number| *number += 1);
    }

    /// Changes the draft.
    pub(crate) fn edit(self, change: impl FnOnce(&mut Policy)) {
        once(change, |change| self.change(change));
    }

    #[inline(never)]
    fn change(self, change: &mut dyn FnMut(&mut Policy)) {
        self.draft.update(change);
        self.timer.set_value(Some(Timeout::new(CHECK_AFTER_MS, move || self.check())));
    }

    /// Changes one department of the draft.
    pub(crate) fn edit_department(self, id: DepartmentId, change: impl FnOnce(&mut Department)) {
        self.edit(|policy| {
            if let Some(department) = policy.departments.iter_mut().find(|department| department.id == id) {
                change(department);
            }
        });
    }

    /// Looks at one department of the draft; tracked.
    pub(crate) fn department<T: Default>(self, id: DepartmentId, look: impl FnOnce(&Department) -> T) -> T {
        self.draft
            .with(|policy| policy.departments.iter().find(|department| department.id == id).map(look))
            .unwrap_or_default()
    }

    /// The JSON pointer of a department; tracked.
    pub(crate) fn pointer(self, id: DepartmentId) -> String {
        let index = self.draft.with(|policy| policy.departments.iter().position(|department| department.id == id));
        format!("/departments/{}", index.unwrap_or_default())
    }

    /// Asks the server what is wrong with the draft. What is wrong is not asked to ring.
    fn check(self) {
        let body = untrack(|| self.text());
        spawn_local(async move {
            let answer = api::ask(Method::POST, "/core/policy/check", &[], Some(body)).await;
            if let Ok(findings) = answer.and_then(|answer| answer.list("findings")) {
                self.findings.set(findings);
            }
            if !untrack(|| self.has_errors()) {
                self.settled.update(|number| *number += 1);
            }
        });
    }

    /// Whether the draft cannot be used as it is; tracked.
    pub(crate) fn has_errors(self) -> bool {
        self.findings.with(|all| all.iter().any(|finding| finding.error))
    }

    fn text(self) -> String {
        self.draft.with(|draft| serde_json::to_string(draft).unwrap_or_default())
    }

    /// Saves the draft, unless somebody else has saved meanwhile.
    pub(crate) fn save(self) {
        if self.saving.get_untracked() {
            return;
        }
        self.saving.set(true);
        self.problem.set(None);
        let version = self.saved.with_untracked(|saved| saved.as_ref().map_or(0, |saved| saved.version));
        let condition = self.etag.get_value().unwrap_or_else(|| format!("\"{version}\""));
        let headers = [("if-match", condition), ("idempotency-key", crate::browser::uuid())];
        let body = untrack(|| self.text());
        spawn_local(async move {
            match api::ask(Method::PUT, "/core/policy", &headers, Some(body)).await {
                Ok(_) => {
                    // What is saved is what the server says, its version and order included.
                    match read().await {
                        Ok((policy, etag)) => {
                            self.etag.set_value(etag);
                            self.adopt(policy);
                        }
                        Err(error) => self.problem.set(Some(error.sentence())),
                    }
                    self.panel.get_value().tell("The routing policy is saved and in force.");
                }
                Err(error) => self.refused(&error).await,
            }
            self.saving.set(false);
        });
    }

    async fn refused(self, error: &ApiError) {
        if let ApiError::Refused(problem) = error {
            if let Some(findings) = problem.more.get("findings").and_then(|value| decode::read(value).ok()) {
                self.findings.set(findings);
            }
            if problem.status == 412
                && let Ok((policy, etag)) = read().await
            {
                self.etag.set_value(etag);
                self.theirs.set(Some(policy));
            }
        }
        let sentence = format!("Nothing was saved. {}", error.sentence());
        self.panel.get_value().alert(sentence.clone());
        self.problem.set(Some(sentence));
    }

    /// Puts my changes on top of theirs; they are still to be saved.
    pub(crate) fn merge(self) {
        let (Some(theirs), Some(base)) = (self.theirs.get_untracked(), self.saved.get_untracked()) else { return };
        let merged = self.draft.with_untracked(|mine| draft::merge(&base, mine, &theirs));
        let Some(merged) = merged else { return };
        self.saved.set(Some(theirs));
        self.draft.set(merged);
        self.theirs.set(None);
        self.problem.set(None);
        self.check();
    }

    /// Drops my changes.
    pub(crate) fn drop_changes(self) {
        let policy = self.theirs.get_untracked().or_else(|| self.saved.get_untracked());
        self.problem.set(None);
        if let Some(policy) = policy {
            self.adopt(policy);
        }
    }
}

async fn read() -> Result<(Policy, Option<String>), ApiError> {
    let answer = api::ask(Method::GET, "/core/policy", &[], None).await?;
    let etag = answer.etag.clone();
    answer.read().map(|policy| (policy, etag))
}
