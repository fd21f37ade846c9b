//! Who of a department rings next: a pure choice over a snapshot.

use std::collections::BTreeMap;

use cordboard_shared::agent::Verdict;
use cordboard_shared::decision::Reason;
use cordboard_shared::id::AgentId;

use crate::agent::Agent;
use crate::matrix::{Letter, Matrix, Row};

/// What a choice came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This one rings.
    Ring(AgentId),
    /// Nobody now, but somebody is merely busy.
    Wait,
    /// Nobody, and nobody will become free by themselves.
    Nobody,
}

/// A candidate, in the order of the department.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) agent: AgentId,
    pub(crate) row: Row,
}

/// Serial: the first in order who may ring and was not tried.
pub(crate) fn serial(
    candidates: &[Candidate],
    tried: &BTreeMap<AgentId, Reason>,
    agents: &BTreeMap<AgentId, Agent>,
    matrix: &Matrix,
) -> Choice {
    let mut choice = Choice::Nobody;
    for candidate in candidates.iter().filter(|candidate| !tried.contains_key(&candidate.agent)) {
        let Some(agent) = agents.get(&candidate.agent) else { continue };
        match matrix.letter(candidate.row, agent.verdict()) {
            Letter::Rings => return Choice::Ring(candidate.agent),
            // A path that skips a busy person waits for them; one that leads to their box does not.
            Letter::Skipped | Letter::Waits if would_ring_when_idle(agent, candidate.row, matrix) => {
                choice = Choice::Wait;
            }
            Letter::Skipped
            | Letter::Waits
            | Letter::Voicemail
            | Letter::StickyFallback
            | Letter::Refused
            | Letter::FollowUp
            | Letter::NotAllowed
            | Letter::PhoneOnly => {}
        }
    }
    choice
}

/// Whether load alone keeps this person from ringing.
fn would_ring_when_idle(agent: &Agent, row: Row, matrix: &Matrix) -> bool {
    let idle: Verdict = agent.verdict_when_idle();
    matrix.letter(row, idle) == Letter::Rings
}
