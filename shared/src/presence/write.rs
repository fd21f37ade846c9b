//! Passing a toggle through the edge (`edge-protocol.md` section 4.2): what is forwarded, and what the caller is told.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, router_unreachable};
use crate::agent::Intent;
use crate::api::presence::PresenceWritten;
use crate::edge::{ForwardedIntent, IntentOutcome, IntentResult, IntentsAnswer};
use crate::error::{Problem, ProblemCode};
use crate::id::{AgentId, TokenId};
use crate::time::Millis;
use crate::version::Version;

/// A toggle as the edge took it: token verified, body checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// Whose toggle.
    pub agent: AgentId,
    /// The caller's body.
    pub body: Value,
    /// The caller's key, or one made for it.
    pub key: String,
    /// The caller's order.
    pub intent: Option<Intent>,
    /// The caller's condition.
    pub if_match: Option<Version>,
    /// The caller's token.
    pub token: String,
    /// Its id.
    pub tid: TokenId,
}

impl WriteRequest {
    /// The intent as the server gets it.
    pub fn forwarded(&self, now: Millis) -> ForwardedIntent {
        ForwardedIntent {
            key: self.key.clone(),
            agent: self.agent,
            n: self.intent.as_ref().map(|intent| intent.n),
            device: self.intent.as_ref().map(|intent| intent.device.clone()),
            body: self.body.clone(),
            if_match: self.if_match,
            fence: None,
            base: None,
            token: Some(self.token.clone()),
            tid: self.tid,
            accepted_at: now,
            not_after: None,
        }
    }
}

/// What became of forwarding.
#[derive(Clone, Debug)]
pub enum Forwarded {
    /// The server answered for this key.
    Answered(Box<IntentResult>),
    /// The server refused the request as a whole, before looking at the intent.
    Rejected {
        /// Its status.
        status: u16,
    },
    /// No connection: nothing was sent.
    Unreachable,
    /// Sent, and no answer that can be understood.
    Unknown,
}

impl Forwarded {
    /// Reads the server's reply to one intent.
    pub fn read(status: u16, body: &[u8], key: &str) -> Self {
        if status != 200 {
            // 5xx may come from something between, after the server has acted.
            return if (400..500).contains(&status) { Self::Rejected { status } } else { Self::Unknown };
        }
        let answer = serde_json::from_slice::<IntentsAnswer>(body);
        match answer.ok().and_then(|answer| answer.results.into_iter().find(|result| result.key == key)) {
            Some(result) => Self::Answered(Box::new(result)),
            None => Self::Unknown,
        }
    }

    /// The presence after it, when it was applied.
    pub fn written(&self) -> Option<&PresenceWritten> {
        match self {
            Self::Answered(result) => result.presence.as_deref(),
            Self::Rejected { .. } | Self::Unreachable | Self::Unknown => None,
        }
    }

    /// What the caller is told: never that something was applied, unless the server said so.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Answered(result) => result_answer(result),
            // The server does not take this edge's signature or form: no caller can mend that.
            Self::Rejected { status } => router_unreachable().with("server_status", *status).into(),
            Self::Unreachable => router_unreachable().into(),
            Self::Unknown => outcome_unknown().into(),
        }
    }
}

fn result_answer(result: &IntentResult) -> Answer {
    match (result.outcome, result.presence.as_deref(), &result.problem) {
        (IntentOutcome::Applied, Some(written), _) => written_answer(written),
        (IntentOutcome::Applied, None, _) => outcome_unknown().into(),
        (IntentOutcome::Superseded | IntentOutcome::Expired | IntentOutcome::Refused, _, Some(problem)) => {
            Answer::problem(problem)
        }
        (IntentOutcome::Superseded | IntentOutcome::Expired, _, None) => superseded().into(),
        (IntentOutcome::Refused, _, None) => {
            Problem::new(ProblemCode::MissingRight, "The server refused this change. Nothing was changed.").into()
        }
    }
}

/// The answer to an applied toggle, the same at server and edge.
pub fn written_answer(written: &PresenceWritten) -> Answer {
    let version = written.presence.version;
    Answer::json(200, serde_json::to_string(written).unwrap_or_default())
        .with("etag", &format!("\"{version}\""))
        .with("x-presence-revision", &version.to_string())
        .with("cache-control", "no-store")
}

/// The error when a toggle went out and nobody knows whether it arrived.
pub fn outcome_unknown() -> Problem {
    Problem::new(
        ProblemCode::OutcomeUnknown,
        "The change was sent to the call routing server, which did not answer in time. It may have taken effect; try again with the same key.",
    )
    .with("retry_after", 1)
}

fn superseded() -> Problem {
    Problem::new(ProblemCode::Superseded, "A newer change was stored before this one. Nothing was changed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied() -> Value {
        serde_json::json!({"results": [{"key": "k", "outcome": "applied", "version": "1.185", "presence": {
            "uuid": "5f0c0000-0000-4000-8000-000000000021", "state": 0, "version": "1.185", "applied": true,
            "changed": true, "changed_facts": ["toggle"], "since": "2026-11-21T08:32:11.204Z", "source": "edge",
            "actor": {"type": "token", "id": "t", "name": "HRMS"}, "reason": null, "until": null, "apply": "now",
            "facts": {"seat": "active", "pause": null, "dnd": null, "opt_out": null,
                      "schedule": {"inside": true, "changes_at": null}},
            "effective": {"verdict": "away", "blocked_by": ["away"], "reachable_by_queue": false,
                          "devices_ready": 1, "next_change_at": null},
            "obeyed_at": "2026-11-21T08:32:11.209Z"}}]})
    }

    fn reply(status: u16, body: &Value) -> Forwarded {
        Forwarded::read(status, body.to_string().as_bytes(), "k")
    }

    fn code(forwarded: &Forwarded) -> Option<ProblemCode> {
        serde_json::from_str::<Problem>(&forwarded.answer().body).ok()?.code()
    }

    #[test]
    fn what_the_server_applied_is_told_with_its_version() {
        let forwarded = reply(200, &applied());

        let answer = forwarded.answer();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["state"], &body["applied"]), (200, &0.into(), &true.into()));
        assert_eq!(answer.header("etag"), Some("\"1.185\""));
        assert_eq!(answer.header("x-presence-revision"), Some("1.185"));
        assert_eq!(forwarded.written().map(|written| written.presence.version.rev), Some(185));
    }

    #[test]
    fn what_the_server_refused_is_told_in_its_words() {
        let refused = serde_json::json!({"results": [{"key": "k", "outcome": "refused",
            "problem": {"type": "/problems/agent-not-found", "title": "", "status": 404, "detail": "No."}}]});
        assert_eq!(reply(200, &refused).answer().status, 404);
        let superseded = serde_json::json!({"results": [{"key": "k", "outcome": "superseded"}]});
        assert_eq!(reply(200, &superseded).answer().status, 409);
    }

    #[test]
    fn nothing_but_the_servers_word_is_an_applied_toggle() {
        let other_key = serde_json::json!({"results": [{"key": "z", "outcome": "applied"}]});
        for (status, body) in [(200, &other_key), (200, &Value::Null), (502, &applied()), (500, &Value::Null)] {
            assert_eq!(code(&reply(status, body)), Some(ProblemCode::OutcomeUnknown), "{status} {body}");
        }
        let bare = serde_json::json!({"results": [{"key": "k", "outcome": "applied"}]});
        assert_eq!(code(&reply(200, &bare)), Some(ProblemCode::OutcomeUnknown));
        assert_eq!(code(&reply(401, &Value::Null)), Some(ProblemCode::RouterUnreachable));
        assert_eq!(code(&Forwarded::Unreachable), Some(ProblemCode::RouterUnreachable));
    }
}
