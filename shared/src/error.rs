//! The one error body, over HTTP and over the live socket: RFC 9457 `application/problem+json`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::RequestId;

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $title:literal;)+) => {
        /// The closed set of problems; `type` in the body is `/problems/<code>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $name,)+
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The last part of `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// The short title.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

problem_codes! {
    /// The body is no JSON.
    MalformedJson = "malformed-json", 400, "Malformed JSON";
    /// A path, query or header part cannot be read.
    InvalidRequest = "invalid-request", 400, "Invalid Request";
    /// Missing, bad, expired or revoked token.
    InvalidToken = "invalid-token", 401, "Invalid Token";
    /// No session, or it has ended.
    SignedOut = "signed-out", 401, "Signed Out";
    /// Wrong email or password.
    WrongCredentials = "wrong-credentials", 401, "Wrong Email or Password";
    /// The right or scope is lacking.
    MissingRight = "missing-right", 403, "Insufficient Rights";
    /// A rule of the account keeps this call from being placed.
    NotAllowed = "not-allowed", 403, "Not Allowed";
    /// The person or department cannot take a transfer now; the detail says why.
    CannotTransfer = "cannot-transfer", 409, "Cannot Be Transferred";
    /// The page that asks is not ours.
    ForeignOrigin = "foreign-origin", 403, "Foreign Origin";
    /// No such agent in this account.
    AgentNotFound = "agent-not-found", 404, "Agent Not Found";
    /// No such thing in this account.
    NotFound = "not-found", 404, "Not Found";
    /// The path knows other methods.
    MethodNotAllowed = "method-not-allowed", 405, "Method Not Allowed";
    /// A newer intent was stored before.
    Superseded = "superseded", 409, "Superseded";
    /// The person has no seat.
    SeatDisabled = "seat-disabled", 409, "Seat Disabled";
    /// Somebody else, or another tab, took the call.
    AnsweredElsewhere = "answered-elsewhere", 409, "Answered Elsewhere";
    /// The offer is over.
    OfferEnded = "offer-ended", 409, "Offer Ended";
    /// The call is over, or not in a state for this.
    CallEnded = "call-ended", 409, "Call Ended";
    /// Something else still uses it, or has its name.
    InUse = "in-use", 409, "In Use";
    /// A request with the same key is still running.
    StillRunning = "still-running", 409, "Still Running";
    /// The feed cannot be told from that position on.
    FeedGone = "feed-gone", 410, "Feed Position Gone";
    /// The condition of `If-Match` does not hold.
    VersionMismatch = "version-mismatch", 412, "Version Mismatch";
    /// The body is too large.
    TooLarge = "too-large", 413, "Too Large";
    /// The content type is not `application/json`.
    UnsupportedMediaType = "unsupported-media-type", 415, "Unsupported Media Type";
    /// `state` is not the integer 0 or 1.
    InvalidState = "invalid-state", 422, "Invalid State";
    /// `until` is no future instant.
    InvalidUntil = "invalid-until", 422, "Invalid Until";
    /// Another field is wrong.
    InvalidField = "invalid-field", 422, "Invalid Field";
    /// The same key with another body.
    IdempotencyKeyReuse = "idempotency-key-reuse", 422, "Idempotency Key Reused";
    /// Too many requests.
    RateLimited = "rate-limited", 429, "Too Many Requests";
    /// One person's toggle changes too often.
    PresenceFlapping = "presence-flapping", 429, "Presence Flapping";
    /// A fault of ours.
    Internal = "internal", 500, "Internal Error";
    /// The server is stopping.
    Draining = "draining", 503, "Draining";
    /// The database does not take writes now.
    StoreUnavailable = "store-unavailable", 503, "Store Unavailable";
    /// The edge cannot reach the server; nothing was stored.
    RouterUnreachable = "router-unreachable", 503, "Router Unreachable";
    /// The edge's copy is older than what the caller has seen.
    PresenceBehind = "presence-behind", 503, "Presence Behind";
    /// Forwarded, and no answer in time.
    OutcomeUnknown = "outcome-unknown", 504, "Outcome Unknown";
}

impl ProblemCode {
    /// The code with this slug.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.slug() == slug)
    }
}

/// An error as the caller gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// `/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// A sentence a person can act on.
    pub detail: String,
    /// `/requests/<id>`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Members of the case, such as `pointer`, `right`, `retry_after` or `current`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind with its sentence.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{}", code.slug()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            instance: String::new(),
            more: Map::new(),
        }
    }

    /// Adds a member of the case.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Names the request it answers.
    #[must_use]
    pub fn about(mut self, request: RequestId) -> Self {
        self.instance = format!("/requests/{request}");
        self
    }

    /// The code, when it is one of ours.
    pub fn code(&self) -> Option<ProblemCode> {
        ProblemCode::from_slug(self.kind.strip_prefix("/problems/")?)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_case_stand_beside_the_fixed_ones() {
        let problem = Problem::new(ProblemCode::InvalidState, "state is 1 or 0").with("pointer", "/state");

        let json = serde_json::to_value(&problem).unwrap();

        assert_eq!(json["type"], "/problems/invalid-state");
        assert_eq!(json["status"], 422);
        assert_eq!(json["pointer"], "/state");
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap().code(), Some(ProblemCode::InvalidState));
    }
}
