//! Answering `GET /core/agents/{UUID}/presence` from the edge's copy (`edge-protocol.md` section 5).
//!
//! Every answer says how old it may be, and none is older than what the caller has already seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mirror::{Mirror, Row};
use super::{Answer, LEASE, LIVE, UNKNOWN_AFTER, agent_not_found, headers, router_unreachable};
use crate::error::{Problem, ProblemCode};
use crate::id::AgentId;
use crate::time::Millis;
use crate::version::Version;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRequest {
    /// Whose presence.
    pub agent: AgentId,
    /// `x-presence-min-revision`: nothing older will do.
    pub min_revision: Option<Version>,
    /// `x-presence-max-age`, in milliseconds; 0 asks for the server's word.
    pub max_age: Option<u64>,
    /// `If-None-Match`, as sent.
    pub if_none_match: Option<String>,
}

/// Whether the server was asked for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Not yet.
    NotTried,
    /// It answered.
    Succeeded,
    /// It did not.
    Failed,
}

/// What to do next for a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadStep {
    /// Ask the server for changes, then come again.
    Pull,
    /// Done.
    Answer(Answer),
}

/// How far the answer can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Live,
    Bounded,
    Stale,
    Unknown,
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Bounded => "bounded",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        })
    }
}

/// Answers, or asks for a pull first.
pub fn read(mirror: &Mirror, row: Option<&Row>, request: &ReadRequest, pull: Pull, now: Millis) -> ReadStep {
    // What was just pulled is the server's word, whatever bound was asked for.
    let bound = if pull == Pull::Succeeded { LEASE } else { request.max_age.unwrap_or(LEASE) };
    let confirmed = mirror.holds(now, bound) && !(request.max_age == Some(0) && pull == Pull::NotTried);
    let behind = request.min_revision.is_some_and(|least| row.is_some_and(|row| row.mark.version < least));
    if pull == Pull::NotTried && (!confirmed || behind) {
        return ReadStep::Pull;
    }
    if behind {
        return ReadStep::Answer(presence_behind().into());
    }
    if !confirmed && (request.max_age.is_some() || mirror.cursor.is_none()) {
        return ReadStep::Answer(router_unreachable().into());
    }
    ReadStep::Answer(match row {
        Some(row) => answer(mirror, row, request, pull, now, confirmed),
        None if confirmed => agent_not_found().into(),
        // Somebody may have been added since: without the server it cannot be told.
        None => router_unreachable().into(),
    })
}

fn answer(mirror: &Mirror, row: &Row, request: &ReadRequest, pull: Pull, now: Millis, confirmed: bool) -> Answer {
    let age = mirror.age(now);
    let freshness = match age {
        Some(age) if confirmed && age <= LIVE => Freshness::Live,
        Some(_) if confirmed => Freshness::Bounded,
        Some(age) if age <= UNKNOWN_AFTER => Freshness::Stale,
        Some(_) | None => Freshness::Unknown,
    };
    let version = row.mark.version;
    let unchanged =
        confirmed && request.if_none_match.as_deref().is_some_and(|text| headers::none_match_names(text, version));
    let answer = if unchanged {
        Answer { status: 304, headers: Vec::new(), body: String::new() }
    } else if freshness == Freshness::Unknown {
        let agent = row.agent;
        Answer::json(200, format!(r#"{{"uuid":"{agent}","state":null,"last_known":{}}}"#, row.body))
    } else {
        Answer::json(200, row.body.clone())
    };
    let mut answer = answer
        .with("etag", &format!("\"{version}\""))
        .with("cache-control", if confirmed { "private, no-cache" } else { "no-store" })
        .with("x-presence-revision", &version.to_string())
        .with("x-presence-bound", &(LEASE / 1_000).to_string())
        .with("x-presence-freshness", &freshness.to_string())
        .with("x-presence-source", if pull == Pull::Succeeded { "origin" } else { "object" });
    if let (Some(age), Some(at)) = (age, mirror.complete_at) {
        answer = answer.with("age", &(age / 1_000).to_string()).with("x-presence-as-of", &at.to_string());
    }
    answer
}

fn presence_behind() -> Problem {
    Problem::new(
        ProblemCode::PresenceBehind,
        "This place has not yet heard of the version you have seen. Try again in a moment, or ask the server.",
    )
    .with("retry_after", 1)
}

#[cfg(test)]
mod tests {
    use super::super::mirror::tests::{T, item, range};
    use super::super::mirror::{Arrival, Mark};
    use super::*;

    const ADA: AgentId = AgentId::demo(0x21);

    fn mirror() -> Mirror {
        let mut mirror = Mirror::default();
        let arrival = Arrival::Pulled { asked_at: T };
        mirror.apply(arrival, &range(0, 7, T), &[item(ADA, 5, 7)], |_| None);
        mirror
    }

    fn row() -> Row {
        let mark = Mark { version: Version { epoch: 1, rev: 5 }, seq: 7, as_of: T };
        Row { agent: ADA, mark, body: r#"{"state":1}"#.to_owned() }
    }

    fn plain() -> ReadRequest {
        ReadRequest { agent: ADA, min_revision: None, max_age: None, if_none_match: None }
    }

    fn at(now: Millis, request: &ReadRequest, pull: Pull) -> ReadStep {
        read(&mirror(), Some(&row()), request, pull, now)
    }

    fn answered(step: ReadStep) -> Answer {
        match step {
            ReadStep::Answer(answer) => answer,
            ReadStep::Pull => panic!("wants a pull"),
        }
    }

    fn code(answer: &Answer) -> Option<ProblemCode> {
        serde_json::from_str::<Problem>(&answer.body).ok()?.code()
    }

    #[test]
    fn a_held_copy_is_given_with_its_age() {
        let answer = answered(at(T + 4_200, &plain(), Pull::NotTried));

        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"state":1}"#));
        for (name, value) in [
            ("etag", "\"1.5\""),
            ("age", "4"),
            ("cache-control", "private, no-cache"),
            ("x-presence-revision", "1.5"),
            ("x-presence-as-of", "1970-01-01T00:16:40.000Z"),
            ("x-presence-bound", "10"),
            ("x-presence-freshness", "bounded"),
            ("x-presence-source", "object"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        let young = answered(at(T + 1_000, &plain(), Pull::NotTried));
        assert_eq!(young.header("x-presence-freshness"), Some("live"));
    }

    #[test]
    fn past_its_lease_the_server_is_asked_and_without_it_the_answer_is_marked() {
        let late = T + LEASE + 1;
        assert_eq!(at(late, &plain(), Pull::NotTried), ReadStep::Pull);

        let stale = answered(at(late, &plain(), Pull::Failed));
        assert_eq!((stale.status, stale.body.as_str()), (200, r#"{"state":1}"#));
        assert_eq!(stale.header("x-presence-freshness"), Some("stale"));
        assert_eq!(stale.header("cache-control"), Some("no-store"));
        assert_eq!(stale.header("age"), Some("10"));

        let unknown = answered(at(T + UNKNOWN_AFTER + 1, &plain(), Pull::Failed));
        assert_eq!(unknown.header("x-presence-freshness"), Some("unknown"));
        assert_eq!(
            unknown.body,
            r#"{"uuid":"5f0c0000-0000-4000-8000-000000000021","state":null,"last_known":{"state":1}}"#
        );
    }

    #[test]
    fn nothing_older_than_the_caller_has_seen_is_given() {
        let asks = |rev| ReadRequest { min_revision: Some(Version { epoch: 1, rev }), ..plain() };

        assert_eq!(answered(at(T, &asks(5), Pull::NotTried)).status, 200);
        assert_eq!(at(T, &asks(6), Pull::NotTried), ReadStep::Pull);
        for pull in [Pull::Succeeded, Pull::Failed] {
            let answer = answered(at(T, &asks(6), pull));
            assert_eq!(code(&answer), Some(ProblemCode::PresenceBehind), "{pull:?}");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }

    #[test]
    fn a_tighter_bound_is_kept_or_refused() {
        let asks = |max_age| ReadRequest { max_age: Some(max_age), ..plain() };

        assert_eq!(answered(at(T + 2_000, &asks(2_000), Pull::NotTried)).status, 200);
        assert_eq!(at(T + 2_001, &asks(2_000), Pull::NotTried), ReadStep::Pull);
        assert_eq!(at(T, &asks(0), Pull::NotTried), ReadStep::Pull);
        assert_eq!(answered(at(T + 200, &asks(0), Pull::Succeeded)).header("x-presence-source"), Some("origin"));
        let refused = answered(at(T + 2_001, &asks(2_000), Pull::Failed));
        assert_eq!(code(&refused), Some(ProblemCode::RouterUnreachable));
    }

    #[test]
    fn an_unchanged_state_is_not_sent_again() {
        let asks = ReadRequest { if_none_match: Some("\"1.5\"".to_owned()), ..plain() };

        let answer = answered(at(T, &asks, Pull::NotTried));
        assert_eq!((answer.status, answer.body.as_str()), (304, ""));
        assert_eq!(answer.header("etag"), Some("\"1.5\""));
        // Nothing confirms a stale state, so it is sent in full.
        assert_eq!(answered(at(T + LEASE + 1, &asks, Pull::Failed)).status, 200);
        let other = ReadRequest { if_none_match: Some("\"1.4\"".to_owned()), ..plain() };
        assert_eq!(answered(at(T, &other, Pull::NotTried)).status, 200);
    }

    #[test]
    fn an_unknown_agent_is_404_only_on_the_servers_word() {
        let nobody = |mirror: &Mirror, now, pull| answered(read(mirror, None, &plain(), pull, now));

        assert_eq!(code(&nobody(&mirror(), T, Pull::NotTried)), Some(ProblemCode::AgentNotFound));
        assert_eq!(code(&nobody(&mirror(), T + 11_000, Pull::Failed)), Some(ProblemCode::RouterUnreachable));
        assert_eq!(read(&Mirror::default(), None, &plain(), Pull::NotTried, T), ReadStep::Pull);
        assert_eq!(code(&nobody(&Mirror::default(), T, Pull::Failed)), Some(ProblemCode::RouterUnreachable));
    }
}
