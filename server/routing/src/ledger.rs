//! Ledger entries: one reason for each member of each decision.

use cordboard_shared::decision::{Decision, MemberDecision, Reason};
use cordboard_shared::id::AgentId;

use crate::line::Tried;

/// Writes the outcome of an offer into an entry.
pub(crate) fn settle(decision: &mut Decision, agent: AgentId, tried: &Tried) {
    if let Some(member) = decision.members.iter_mut().find(|member| member.agent == agent && is_rung(member.reason)) {
        member.reason = tried.reason;
        member.rang_ms = tried.rang_ms;
    }
}

/// Whether the reason says that the person was rung and nothing about how it came out.
pub fn is_rung(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Rung
            | Reason::RungAlwaysInclude
            | Reason::RungExtensionRule
            | Reason::RungTransfer
            | Reason::RungCallback
            | Reason::RungEmergency
    )
}

/// Whom an entry chose to ring, computed again from the entry alone: the first members in order who could ring, were
/// not tried before and do not ring already, as many as slots are left.
///
/// It holds for an entry as it was written, before outcomes were settled into it.
pub fn recompute(decision: &Decision) -> Vec<AgentId> {
    let rings_already = |member: &MemberDecision| is_rung(member.reason) && member.rang_ms.is_some();
    let could_ring = |member: &&MemberDecision| {
        !rings_already(member)
            && (is_rung(member.reason) || matches!(member.reason, Reason::NotReached | Reason::SkippedWaveLimit))
    };
    let ringing = decision.members.iter().filter(|member| rings_already(member)).count();
    let slots = usize::try_from(decision.slots).unwrap_or(usize::MAX).saturating_sub(ringing);
    decision.members.iter().filter(could_ring).take(slots).map(|member| member.agent).collect()
}
