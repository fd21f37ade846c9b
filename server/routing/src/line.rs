//! A call in a department's line, or on its way to one person.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::Millis;
use cordboard_shared::call::CallCause;
use cordboard_shared::decision::{Decision, Reason};
use cordboard_shared::department::{Fallback, StickyMode};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::pii::Pii;
use serde::{Deserialize, Serialize};

use crate::command::Target;
use crate::matrix::Row;

/// How long a directly dialed person rings, in seconds.
pub const RING_SECONDS_DIRECT: u32 = 25;

/// Where a call goes when nobody is left to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Exhausted {
    /// Into this box.
    Voicemail {
        /// A department's slug or a person's id.
        mailbox: String,
    },
    /// A message, then the end.
    Message {
        /// `audio:<name>`.
        audio: String,
    },
    /// The caller keeps the place and is called back: said to them, then the call ends.
    Callback,
    /// Onto the follow-up list; then the call ends.
    FollowUp {
        /// For whom, if for one person.
        agent: Option<AgentId>,
    },
    /// Nothing happens to the caller; whoever transferred or picked up is told why.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// Nowhere: it ends.
    Disconnect,
}

/// How an offer to one member came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) reason: Reason,
    pub(crate) cell: std::borrow::Cow<'static, str>,
    pub(crate) rang_ms: Option<u64>,
}

/// Where the call stands in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineState {
    /// Between two steps of the same input.
    Choosing,
    /// Somebody is merely busy, or a need will relax.
    Waiting,
    /// These ring.
    Offered(BTreeSet<OfferId>),
    /// Somebody has it; `wrap_up_ms` of after-call work follow.
    Connected { agent: AgentId, since: Millis, wrap_up_ms: u64 },
}

/// The caller is bound to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub(crate) agent: AgentId,
    pub(crate) mode: StickyMode,
    /// A strict binding waits for the busy person until then.
    pub(crate) until: Millis,
}

/// One call the engine has not let go of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) call: CallId,
    pub(crate) row: Row,
    pub(crate) state: LineState,
    pub(crate) caller: Option<Pii<String>>,
    pub(crate) priority: u8,
    /// Rises with each arrival: the order of the line.
    pub(crate) place: u64,
    pub(crate) arrived_at: Millis,
    /// When the caller joined the present line; of a place taken up again, when they did so first.
    pub(crate) since: Millis,
    /// When this call joined the present line: the longest wait counts from there.
    pub(crate) entered_at: Millis,
    pub(crate) target: Target,
    pub(crate) binding: Option<Binding>,
    pub(crate) tried: BTreeMap<AgentId, Tried>,
    pub(crate) chain: Vec<Fallback>,
    pub(crate) visited: BTreeSet<DepartmentId>,
    /// The department whose chain the call follows, also while it rings one person.
    #[serde(default)]
    pub(crate) last_department: Option<DepartmentId>,
    pub(crate) step: u32,
    /// Ledger entries whose outcome is not known yet.
    pub(crate) open: Vec<Decision>,
    pub(crate) offered: bool,
    pub(crate) closed: bool,
    /// The next link of the chain comes before any strategy.
    pub(crate) forced: bool,
    /// The department whose line it stands in, as the queue knows it.
    pub(crate) queued: Option<DepartmentId>,
    /// The last place told to the caller.
    pub(crate) told: Option<u32>,
    pub(crate) announce_at: Option<Millis>,
    /// The call that asked to be called back, while it is open whether this one reaches that caller.
    #[serde(default)]
    pub(crate) callback: Option<CallId>,
}

impl Line {
    pub(crate) fn new(call: CallId, target: Target, row: Row, now: Millis) -> Self {
        Self {
            call,
            row,
            state: LineState::Choosing,
            caller: None,
            priority: 0,
            place: 0,
            arrived_at: now,
            since: now,
            entered_at: now,
            target,
            binding: None,
            tried: BTreeMap::new(),
            chain: Vec::new(),
            visited: BTreeSet::new(),
            last_department: None,
            step: 0,
            open: Vec::new(),
            offered: false,
            closed: false,
            forced: false,
            queued: None,
            told: None,
            announce_at: None,
            callback: None,
        }
    }

    /// Why nobody answered, now that nobody is left.
    pub(crate) fn cause(&self) -> CallCause {
        match (self.closed, self.offered) {
            (true, false) => CallCause::OutOfHours,
            (_, true) => CallCause::AgentsDidNotAnswer,
            (false, false) => CallCause::NoAvailableAgent,
        }
    }

    /// Whether nobody has it yet.
    pub(crate) fn is_open(&self) -> bool {
        match self.state {
            LineState::Choosing | LineState::Waiting | LineState::Offered(_) => true,
            LineState::Connected { .. } => false,
        }
    }

    /// Who has it.
    pub(crate) fn connected(&self) -> Option<AgentId> {
        match self.state {
            LineState::Connected { agent, .. } => Some(agent),
            LineState::Choosing | LineState::Waiting | LineState::Offered(_) => None,
        }
    }

    /// The offers that ring now.
    pub(crate) fn offers(&self) -> impl Iterator<Item = OfferId> + '_ {
        let offers = match &self.state {
            LineState::Offered(offers) => Some(offers),
            LineState::Choosing | LineState::Waiting | LineState::Connected { .. } => None,
        };
        offers.into_iter().flatten().copied()
    }

    pub(crate) fn department(&self) -> Option<DepartmentId> {
        match self.target {
            Target::Department(department) => Some(department),
            Target::Agent(_) => None,
        }
    }

    /// Its key in the queue of its department.
    pub(crate) fn key(&self) -> QueueKey {
        QueueKey { behind: 9 - self.priority.min(9), place: self.place, call: self.call }
    }
}

/// The order of a line: the higher priority first, then the lower place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct QueueKey {
    /// 9 minus the priority.
    pub(crate) behind: u8,
    pub(crate) place: u64,
    pub(crate) call: CallId,
}
