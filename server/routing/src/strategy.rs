//! Who of a department rings next: a pure choice over a snapshot.

use cordboard_shared::decision::Reason;
use cordboard_shared::id::AgentId;

use crate::line::Tried;
use crate::matrix::Judged;

/// How one member stands towards a call.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Could be rung.
    Free,
    /// Rings with this call already, for so long, in milliseconds.
    Ringing(u64),
    /// Was rung for this call, and this came of it.
    Tried(Tried),
    /// The caller is bound to somebody else.
    BoundElsewhere,
    /// Lacks a skill.
    Unskilled,
    /// The matrix says no.
    Blocked,
}

/// A member, in the order of the strategy.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) agent: AgentId,
    pub(crate) judged: Judged,
    pub(crate) standing: Standing,
    /// Would be free for this call by waiting alone.
    pub(crate) worth_waiting: bool,
}

/// What a choice came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// These are rung now.
    pub(crate) ring: Vec<AgentId>,
    /// Nobody more now, but waiting helps.
    pub(crate) wait: bool,
}

/// Rings the first free ones in order, as many as slots are left.
pub(crate) fn choose(candidates: &[Candidate], slots: u32) -> Choice {
    let ringing = candidates.iter().filter(|it| matches!(it.standing, Standing::Ringing(_))).count();
    let left = usize::try_from(slots).unwrap_or(usize::MAX).saturating_sub(ringing);
    let free = candidates.iter().filter(|it| matches!(it.standing, Standing::Free));
    Choice {
        ring: free.take(left).map(|candidate| candidate.agent).collect(),
        wait: candidates.iter().any(|candidate| candidate.worth_waiting),
    }
}

/// The word for a person who is rung, by the path and by what it pierced.
pub(crate) fn rung(judged: Judged) -> Reason {
    use cordboard_shared::agent::Verdict;

    use crate::matrix::Row;

    match judged.row {
        Row::AlwaysInclude if judged.layer == Verdict::Away => Reason::RungAlwaysInclude,
        Row::FlowExtension | Row::DirectExtension | Row::Internal if judged.layer == Verdict::Away => {
            Reason::RungExtensionRule
        }
        Row::BlindTransfer | Row::WarmTransfer => Reason::RungTransfer,
        Row::Callback => Reason::RungCallback,
        Row::Emergency => Reason::RungEmergency,
        Row::Queue
        | Row::AlwaysInclude
        | Row::StickyStrict
        | Row::StickyLoose
        | Row::FlowExtension
        | Row::DirectExtension
        | Row::Internal
        | Row::Pickup
        | Row::TakeWaiting
        | Row::OwnCallLeg
        | Row::Outbound
        | Row::VoicemailDelivery
        | Row::PersonalSim => Reason::Rung,
    }
}
