//! A call in a department's line, or on its way to one person.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::Millis;
use cordboard_shared::call::CallCause;
use cordboard_shared::decision::{Decision, Reason};
use cordboard_shared::department::{Department, Fallback};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};

use crate::command::Target;
use crate::matrix::Row;

/// How long a directly dialed person rings, in seconds.
pub const RING_SECONDS_DIRECT: u32 = 25;

/// Where a call goes when nobody is left to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Onto the follow-up list of this person; then the call ends.
    FollowUp {
        /// For whom.
        agent: AgentId,
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
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) reason: Reason,
    pub(crate) cell: std::borrow::Cow<'static, str>,
    pub(crate) rang_ms: Option<u64>,
}

/// Where the call stands in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineState {
    /// Between two steps of the same input.
    Choosing,
    /// Somebody is merely busy; the fallback comes then.
    Waiting { until: Millis },
    /// One person rings.
    Offered(OfferId),
    /// Somebody has it.
    Connected { agent: AgentId },
}

/// One call the engine has not let go of.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) call: CallId,
    pub(crate) row: Row,
    pub(crate) state: LineState,
    /// Rises with each arrival: the order of the line.
    pub(crate) place: u64,
    pub(crate) arrived_at: Millis,
    /// When it joined the present department's line: the longest wait counts from there.
    pub(crate) entered_at: Millis,
    pub(crate) target: Target,
    pub(crate) tried: BTreeMap<AgentId, Tried>,
    pub(crate) chain: Vec<Fallback>,
    pub(crate) visited: BTreeSet<DepartmentId>,
    pub(crate) step: u32,
    /// The ledger entry of the offer that rings, or of the wait.
    pub(crate) open: Option<Decision>,
    pub(crate) offered: bool,
}

impl Line {
    pub(crate) fn new(call: CallId, target: Target, row: Row, place: u64, now: Millis) -> Self {
        Self {
            call,
            row,
            state: LineState::Choosing,
            place,
            arrived_at: now,
            entered_at: now,
            target,
            tried: BTreeMap::new(),
            chain: Vec::new(),
            visited: BTreeSet::new(),
            step: 0,
            open: None,
            offered: false,
        }
    }

    /// Why nobody answered, now that nobody is left.
    pub(crate) fn cause(&self) -> CallCause {
        if self.offered { CallCause::AgentsDidNotAnswer } else { CallCause::NoAvailableAgent }
    }

    /// Joins the line of another department: everybody there may be tried.
    pub(crate) fn enter(&mut self, department: &Department, now: Millis) {
        self.entered_at = now;
        self.target = Target::Department(department.id);
        self.visited.insert(department.id);
        self.tried.clear();
        self.row = Row::Queue;
    }
}
