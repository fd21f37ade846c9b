//! Changes of the company beside its routing policy: telephony, phones, numbers and flows. Each is checked, put on disk
//! with who made it, and obeyed by the next call before its sender is answered.
//!
//! One change at a time: they are rare, and each is judged by what the one before it left.

mod flow;
mod telephony;

use std::collections::BTreeMap;
use std::sync::Arc;

use cordboard_shared::agent::Actor;
use cordboard_shared::api::flows::FlowFinding;
use cordboard_shared::department::{Destination, Number};
use cordboard_shared::flow::Flow;
use cordboard_shared::id::{FlowId, NumberId};
use cordboard_shared::telephony::Telephony;
use cordboard_shared::{Millis, Problem, ProblemCode};
use cordboard_sip::{Secret, SipUser as PhoneUser};
use serde_json::json;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::handle::{AppHandle, Request};
use crate::directory::Directory;
use crate::store::{DraftRow, FlowVersionRow, SettingChange, SipUser, StoreError};

pub use flow::{findings as flow_findings, preview};
pub use telephony::{sip_user, warnings as telephony_warnings, without_secrets};

/// Digest realm of desk phones.
pub const REALM: &str = "cordboard";

/// A part of the company as it is from now on.
#[derive(Debug)]
pub(super) enum CompanyPart {
    /// Telephony settings, and the phones that may register.
    Telephony(Arc<Telephony>, Arc<Vec<PhoneUser>>),
    /// A number.
    Number(Box<Number>),
    /// A live flow, new or changed.
    Flow(Arc<Flow>),
}

impl CompanyPart {
    /// The directory with this part.
    pub(super) fn put_into(self, directory: &mut Directory) {
        match self {
            Self::Telephony(telephony, phones) => {
                directory.telephony = telephony;
                directory.phone_users = phones;
            }
            Self::Number(number) => {
                if let Some(held) = directory.numbers.iter_mut().find(|held| held.id == number.id) {
                    *held = *number;
                }
            }
            Self::Flow(flow) => match directory.flows.iter_mut().find(|held| held.id == flow.id) {
                Some(held) => *held = flow,
                None => directory.flows.push(flow),
            },
        }
    }
}

/// Who changes something, and when.
#[derive(Clone, Debug)]
pub struct ChangedBy {
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Millis,
}

impl ChangedBy {
    fn change(
        &self,
        kind: &'static str,
        subject: String,
        what: &'static str,
        body: serde_json::Value,
    ) -> SettingChange {
        SettingChange { at: self.at, kind, subject, what, actor: self.actor.clone(), body }
    }
}

impl AppHandle {
    /// Changes the telephony settings, if they are at the expected version. Errors refuse it (422, `findings`).
    pub async fn set_telephony(
        &self,
        telephony: Telephony,
        expected: Option<u64>,
        by: &ChangedBy,
    ) -> Result<Arc<Telephony>, Problem> {
        let turn = self.company_turn().await;
        let directory = self.directory();
        let held = &directory.telephony;
        if let Some(expected) = expected
            && expected != held.version
        {
            return Err(stale("The telephony settings are", held.version, expected));
        }
        let next = telephony::with_kept_secrets(telephony, held);
        if next == **held {
            return Ok(held.clone());
        }
        telephony::check(&next, &directory)?;
        let next = Telephony { version: held.version + 1, ..next };
        let change = by.change("telephony", String::new(), "set", json!(without_secrets(&next)));
        let (next, store, account) = (Arc::new(next), self.store.clone(), directory.account);
        let set = next.clone();
        let save = async move {
            store.set_telephony(account, &set, &change).await?;
            let users = store.sip_users(account).await?;
            Ok(CompanyPart::Telephony(set, Arc::new(phone_users(&users))))
        };
        self.carry_out(turn, save).await?;
        Ok(next)
    }

    /// Gives a desk phone a password: the one before it is no longer taken.
    pub async fn set_phone_password(&self, username: &str, password: &str, by: &ChangedBy) -> Result<(), Problem> {
        let turn = self.company_turn().await;
        let directory = self.directory();
        let Some(phone) = directory.telephony.phones.iter().find(|phone| phone.username == username) else {
            return Err(Problem::new(ProblemCode::NotFound, "There is no such desk phone in the telephony settings."));
        };
        let user = telephony::sip_user(username, phone.agent, password);
        let change = by.change("phone", username.to_owned(), "password", json!({}));
        let (telephony, store, account) = (directory.telephony.clone(), self.store.clone(), directory.account);
        let save = async move {
            store.set_sip_user(account, &user, &change).await?;
            let users = store.sip_users(account).await?;
            Ok(CompanyPart::Telephony(telephony, Arc::new(phone_users(&users))))
        };
        self.carry_out(turn, save).await
    }

    /// Changes where a number leads, or its name. `expected` is judged by the caller's tag of what it read.
    pub async fn set_number(
        &self,
        id: NumberId,
        goes_to: Option<Destination>,
        label: Option<String>,
        fits: impl Fn(&Number) -> bool,
        by: &ChangedBy,
    ) -> Result<Number, Problem> {
        let turn = self.company_turn().await;
        let directory = self.directory();
        let Some(held) = directory.numbers.iter().find(|number| number.id == id) else {
            return Err(Problem::new(ProblemCode::NotFound, "There is no such number in this account."));
        };
        if !fits(held) {
            let sentence = "The number was changed meanwhile. Nothing was changed; read it again.";
            return Err(Problem::new(ProblemCode::VersionMismatch, sentence).with("current", json!(held)));
        }
        let mut next = held.clone();
        if let Some(goes_to) = goes_to {
            telephony::check_destination(&goes_to, &directory)?;
            next.goes_to = goes_to;
        }
        if let Some(label) = label {
            next.label = label;
        }
        if next != *held {
            let change = by.change("number", next.number.to_string(), "set", json!(next));
            let (set, store, account) = (next.clone(), self.store.clone(), directory.account);
            let save = async move {
                store.set_number(account, &set, &change).await?;
                Ok(CompanyPart::Number(Box::new(set)))
            };
            self.carry_out(turn, save).await?;
        }
        Ok(next)
    }

    /// Saves a draft, if it is at the expected revision.
    pub async fn save_draft(&self, flow: Flow, expected: Option<u64>, by: &ChangedBy) -> Result<DraftRow, Problem> {
        let _turn = self.company_turn().await;
        let directory = self.directory();
        let held = self.store.flow_draft(directory.account, flow.id).await.map_err(failed)?;
        let revision = held.as_ref().map_or(0, |row| row.revision);
        if let Some(expected) = expected
            && expected != revision
        {
            return Err(stale("The draft is", revision, expected));
        }
        let live = directory.flows.iter().find(|live| live.id == flow.id);
        let drafts = self.store.flow_drafts(directory.account).await.map_err(failed)?;
        flow::check_form(&flow, &directory, &drafts)?;
        let based_on = held.map_or_else(|| live.map(|live| live.version), |row| row.based_on);
        let row = DraftRow { flow, revision: revision + 1, based_on, at: by.at, actor: by.actor.clone() };
        self.store.save_flow_draft(directory.account, &row).await.map_err(failed)?;
        Ok(row)
    }

    /// Throws a draft away; false when there is none.
    pub async fn delete_draft(&self, id: FlowId) -> Result<bool, Problem> {
        let _turn = self.company_turn().await;
        let account = self.directory().account;
        let there = self.store.flow_draft(account, id).await.map_err(failed)?.is_some();
        if there {
            self.store.delete_flow_draft(account, id).await.map_err(failed)?;
        }
        Ok(there)
    }

    /// Makes a flow live: the next call runs it. Findings that are errors refuse it.
    pub async fn publish_flow(
        &self,
        flow: Flow,
        note: Option<String>,
        restores: Option<u32>,
        findings: &[FlowFinding],
        by: &ChangedBy,
    ) -> Result<Arc<Flow>, Problem> {
        let turn = self.company_turn().await;
        let directory = self.directory();
        if let Some(first) = findings.iter().find(|finding| finding.error) {
            let sentence = format!("{} Nothing was published.", first.text);
            return Err(Problem::new(ProblemCode::InvalidField, sentence)
                .with("pointer", first.pointer.clone())
                .with("findings", json!(findings)));
        }
        let live = directory.flows.iter().find(|live| live.id == flow.id);
        let version = live.map_or(0, |live| live.version) + 1;
        let flow = Flow { version, state: cordboard_shared::flow::FlowState::Published, ..flow };
        let what = if restores.is_some() { "restored" } else { "published" };
        let change = by.change("flow", flow.slug.clone(), what, json!({ "version": version, "note": note }));
        let row = FlowVersionRow { flow: flow.clone(), at: by.at, actor: by.actor.clone(), note, restores };
        let before = live.cloned();
        let flow = Arc::new(flow);
        // The first call already hears what it says.
        let mut next = Directory::clone(&directory);
        CompanyPart::Flow(flow.clone()).put_into(&mut next);
        self.library.load(&next).await;
        let (live, store, account) = (flow.clone(), self.store.clone(), directory.account);
        let save = async move {
            store.publish_flow(account, &row, before.as_deref(), &change).await?;
            Ok(CompanyPart::Flow(live))
        };
        self.carry_out(turn, save).await?;
        Ok(flow)
    }

    /// Switches a published flow off, or on again.
    pub async fn set_flow_state(
        &self,
        id: FlowId,
        state: cordboard_shared::flow::FlowState,
        by: &ChangedBy,
    ) -> Result<Arc<Flow>, Problem> {
        let turn = self.company_turn().await;
        let directory = self.directory();
        let Some(live) = directory.flows.iter().find(|live| live.id == id) else {
            return Err(Problem::new(ProblemCode::NotFound, "This flow was never published."));
        };
        if live.state == state {
            return Ok(live.clone());
        }
        let flow = Arc::new(Flow { state, ..Flow::clone(live) });
        let change = by.change("flow", flow.slug.clone(), "switched", json!({ "state": state }));
        let (live, store, account) = (flow.clone(), self.store.clone(), directory.account);
        let save = async move {
            store.set_flow(account, &live, &change).await?;
            Ok(CompanyPart::Flow(live))
        };
        self.carry_out(turn, save).await?;
        Ok(flow)
    }

    /// Puts a change on disk and into force, both or neither, also when whoever asked has gone meanwhile.
    async fn carry_out(
        &self,
        turn: OwnedMutexGuard<()>,
        save: impl Future<Output = Result<CompanyPart, StoreError>> + Send + 'static,
    ) -> Result<(), Problem> {
        let requests = self.requests.clone();
        let work = tokio::spawn(async move {
            let _turn = turn;
            let part = save.await.map_err(failed)?;
            let (reply, obeyed) = oneshot::channel();
            // It is on disk: a full queue is waited for. A server that stops obeys it at its next start.
            if requests.send(Request::Company { part, reply }).await.is_ok() {
                let _ = obeyed.await;
            }
            Ok(())
        });
        work.await.map_err(|_| Problem::new(ProblemCode::Internal, "The change failed; see the log of the server."))?
    }

    async fn company_turn(&self) -> OwnedMutexGuard<()> {
        self.company.clone().lock_owned().await
    }
}

/// The phones as the SIP endpoint knows them.
pub(super) fn phone_users(users: &BTreeMap<String, SipUser>) -> Vec<PhoneUser> {
    users
        .values()
        .filter(|user| user.realm == REALM)
        .filter_map(|user| {
            let secret =
                Secret::Hashed { md5: user.ha1_md5.as_deref().and_then(unhex), sha256: unhex(&user.ha1_sha256)? };
            Some(PhoneUser { username: user.username.clone(), secret })
        })
        .collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn stale(what: &str, current: u64, expected: u64) -> Problem {
    let sentence = format!("{what} at version {current}, not {expected}. Nothing was changed; read it again.");
    Problem::new(ProblemCode::VersionMismatch, sentence).with("current", current)
}

#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` wants")]
fn failed(error: StoreError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the store failed a change of the company");
    Problem::new(ProblemCode::StoreUnavailable, "The database does not answer. Nothing was changed; try again.")
        .with("retry_after", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_back_as_they_were_written() {
        assert_eq!(unhex::<3>("000aff"), Some([0, 10, 255]));
        for wrong in ["000af", "000aff00", "00zzff", "ää"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }
}
