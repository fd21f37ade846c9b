//! What an input node asks of the account's own server, and what it says.

use cordboard_shared::Millis;
use cordboard_shared::flow::Node;
use cordboard_shared::id::CallId;
use cordboard_shared::pii::Pii;
use serde::{Deserialize, Serialize};

use super::step::Happened;
use crate::call::{CallCenter, Effect};

/// How much longer than the time given to the webhook its answer is waited for, in milliseconds: the way back here.
const SLACK_MS: u64 = 500;
/// Shortest and longest time a webhook is given, in milliseconds.
const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 500..=10_000;

/// A question to a webhook: one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookQuestion {
    /// Of which call.
    pub call: CallId,
    /// Which question of it, for the answer.
    pub hop: u32,
    /// Where to.
    pub url: String,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u32,
    /// Private networks it may be in.
    pub networks: Vec<String>,
    /// What is posted, as JSON.
    pub body: WebhookBody,
}

/// What is posted to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookBody {
    /// The call's UID.
    pub call: String,
    /// Who calls.
    pub from: Pii<String>,
    /// The number that was called.
    pub to: Pii<String>,
    /// The node that asks.
    pub node: String,
    /// What the caller has pressed.
    pub digits: Pii<String>,
    /// The language of the call.
    pub language: String,
}

/// What a webhook answers: other members are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookAnswer {
    /// A key of the node's `answers`.
    pub next: String,
}

impl CallCenter {
    pub(super) fn ask_webhook(&mut self, now: Millis, id: CallId, node: &Node, digits: String) {
        let Node::Input { webhook: Some(url), timeout_ms, .. } = node else { return };
        let language = self.language_of(id);
        let networks = self.directory.telephony.webhook_networks.clone();
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(run) = call.flow.as_mut() else { return };
        run.asking = true;
        run.digits.clear();
        let timeout_ms = (*timeout_ms).clamp(*TIMEOUT_MS.start(), *TIMEOUT_MS.end());
        call.deadline = Some(now + u64::from(timeout_ms) + SLACK_MS);
        let question = WebhookQuestion {
            call: id,
            hop: run.hops,
            url: url.clone(),
            timeout_ms,
            networks,
            body: WebhookBody {
                call: id.to_string(),
                from: call.view.from.number.clone(),
                to: call.view.to.number.clone(),
                node: run.node.clone(),
                digits: digits.into(),
                language,
            },
        };
        self.push(Effect::AskWebhook(Box::new(question)));
    }

    pub(super) fn webhook_late(&mut self, now: Millis, id: CallId) {
        let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) else { return };
        run.asking = false;
        self.flow_goes_on(now, id, Happened::WebhookFailed);
    }

    /// An answer; one that comes when the call is elsewhere changes nothing.
    pub(in crate::call) fn webhook_answered(
        &mut self,
        now: Millis,
        id: CallId,
        hop: u32,
        answer: Result<String, String>,
    ) {
        let Some(run) = self.calls.get_mut(&id).and_then(|call| call.flow.as_mut()) else { return };
        if !run.asking || run.hops != hop {
            return;
        }
        run.asking = false;
        if let Some(call) = self.calls.get_mut(&id) {
            call.deadline = None;
        }
        match answer {
            Ok(word) => self.flow_goes_on(now, id, Happened::WebhookSaid(&word)),
            Err(why) => {
                self.push(Effect::Note { call: Some(id), text: format!("a webhook failed: {why}") });
                self.flow_goes_on(now, id, Happened::WebhookFailed);
            }
        }
    }
}
