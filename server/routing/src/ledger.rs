//! Ledger entries: one reason for each member of each decision.

use std::collections::BTreeMap;

use cordboard_shared::decision::{DecidingFact, Decision, MemberDecision, Reason, Then};
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::{FeedPosition, Millis};

use crate::agent::Agent;
use crate::line::Tried;
use crate::matrix::{Matrix, Row};
use crate::strategy::Candidate;

/// What a decision was taken on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basis<'a> {
    pub(crate) now: Millis,
    pub(crate) agents: &'a BTreeMap<AgentId, Agent>,
    pub(crate) policy_version: u64,
    pub(crate) state_version: FeedPosition,
}

/// The entry for a choice among these candidates. Each stands in it exactly once.
pub(crate) fn entry(
    basis: Basis<'_>,
    step: u32,
    (row, department): (Row, Option<DepartmentId>),
    candidates: &[Candidate],
    tried: &BTreeMap<AgentId, Tried>,
    chosen: Option<AgentId>,
    then: Then,
) -> Decision {
    let members =
        candidates.iter().zip(1..).map(|(candidate, order)| member(basis, candidate, order, tried, chosen)).collect();
    Decision {
        step,
        at: basis.now,
        row: row.number(),
        department,
        strategy: if department.is_some() { "serial" } else { "direct" }.into(),
        policy_version: basis.policy_version.to_string(),
        state_version: basis.state_version.to_string(),
        refused: None,
        slots: 1,
        members,
        then,
    }
}

fn member(
    basis: Basis<'_>,
    candidate: &Candidate,
    order: u32,
    tried: &BTreeMap<AgentId, Tried>,
    chosen: Option<AgentId>,
) -> MemberDecision {
    let describe =
        |reason: Reason, cell: std::borrow::Cow<'static, str>, rang_ms: Option<u64>, fact: Option<DecidingFact>| {
            MemberDecision { agent: candidate.agent, name: None, reason, order, cell, rang_ms, fact }
        };
    if let Some(tried) = tried.get(&candidate.agent) {
        return describe(tried.reason, tried.cell.clone(), tried.rang_ms, None);
    }
    let Some(agent) = basis.agents.get(&candidate.agent) else {
        return describe(
            Reason::SkippedNotMember,
            Matrix::cell(candidate.row, cordboard_shared::agent::Verdict::Disabled),
            None,
            None,
        );
    };
    let cell = Matrix::cell(candidate.row, agent.verdict());
    if chosen == Some(candidate.agent) {
        return describe(Reason::Rung, cell, None, None);
    }
    let (reason, fact) = agent.exclusion();
    describe(reason, cell, None, fact)
}

/// Writes the outcome of an offer into its entry.
pub(crate) fn settle(decision: &mut Decision, agent: AgentId, tried: &Tried, then: Then) {
    if let Some(member) = decision.members.iter_mut().find(|member| member.agent == agent) {
        member.reason = tried.reason;
        member.rang_ms = tried.rang_ms;
    }
    decision.then = then;
}
