//! The edge protocol as pure step functions (`edge-protocol.md`), run by server and edge alike.
//!
//! [`log`] is the server's side of the feed, [`sender`] decides when it goes out, [`mirror`] is the edge's copy,
//! [`read`] and [`mod@write`] turn copy and outcome into the caller's answer. No I/O, no clock: the time is an
//! argument, and what is to be stored or sent comes out.

use serde::{Deserialize, Serialize};

use crate::edge::{BUCKET, GENERATION};
use crate::error::{Problem, ProblemCode};
use crate::id::{AccountId, RequestId};

pub mod headers;
pub mod log;
pub mod mirror;
pub mod read;
pub mod sender;
pub mod write;

/// How long a copy that was complete is good for, in milliseconds (`edge-protocol.md` section 5).
pub const LEASE: u64 = 10_000;
/// How long a copy counts as live, in milliseconds.
pub const LIVE: u64 = 3_000;
/// After this, in milliseconds, the last state is no longer given as the state.
pub const UNKNOWN_AFTER: u64 = 15 * 60_000;
/// How long a toggle may be on its way to the server, in milliseconds.
pub const FORWARD_TIMEOUT: u64 = 1_500;

/// Name of the Durable Object that keeps an account's copy.
pub fn object_name(account: AccountId) -> String {
    format!("p:{account}:{GENERATION}:{BUCKET}")
}

/// An HTTP answer, before any HTTP library has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside the content's length.
    pub headers: Vec<(String, String)>,
    /// The body; empty for 304.
    pub body: String,
}

impl Answer {
    /// A JSON body with this status.
    pub fn json(status: u16, body: String) -> Self {
        Self { status, headers: Vec::new(), body }.with("content-type", "application/json")
    }

    /// An error; never kept by any cache.
    pub fn problem(problem: &Problem) -> Self {
        let body = serde_json::to_string(problem).unwrap_or_default();
        let mut answer = Self { status: problem.status, headers: Vec::new(), body }
            .with("content-type", "application/problem+json")
            .with("cache-control", "no-store");
        if problem.status == 401 {
            answer = answer.with("www-authenticate", "Bearer");
        }
        if let Some(seconds) = problem.more.get("retry_after") {
            answer = answer.with("retry-after", &seconds.to_string());
        }
        answer
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// Names the request in the header and, for an error without a name, in the body.
    #[must_use]
    pub fn about(mut self, request: RequestId) -> Self {
        if self.header("content-type") == Some("application/problem+json")
            && let Ok(problem) = serde_json::from_str::<Problem>(&self.body)
            && problem.instance.is_empty()
        {
            self.body = serde_json::to_string(&problem.about(request)).unwrap_or(self.body);
        }
        self.with("request-id", &request.to_string())
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::problem(&problem)
    }
}

/// The error for an agent that is not of the caller's account, known elsewhere or not.
pub fn agent_not_found() -> Problem {
    Problem::new(ProblemCode::AgentNotFound, "There is no agent with this UUID in your account.")
}

/// The error when the server cannot be reached and nothing was handed over.
pub fn router_unreachable() -> Problem {
    Problem::new(
        ProblemCode::RouterUnreachable,
        "The call routing server cannot be reached. Nothing was stored; try again with the same key.",
    )
    .with("retry_after", 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_when_to_come_back_and_which_request_it_was() {
        let request = RequestId::demo(7);

        let answer = Answer::from(router_unreachable()).about(request);

        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.header("request-id"), Some(request.to_string().as_str()));
        assert_eq!(serde_json::from_str::<Problem>(&answer.body).unwrap().instance, format!("/requests/{request}"));
    }
}
