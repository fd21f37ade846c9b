//! What goes into the engine and what comes out.

use cordboard_shared::agent::AgentFacts;
use cordboard_shared::call::CallCause;
use cordboard_shared::decision::{Decision, Reason};
use cordboard_shared::department::Department;
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::{FeedPosition, Millis};

use crate::agent::DeviceId;
use crate::line::Exhausted;
use crate::matrix::Row;

/// Whom a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A department's line.
    Department(DepartmentId),
    /// One person.
    Agent(AgentId),
}

/// All the engine can be told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The departments as they are from now on.
    PolicyChanged {
        /// Rises with each change.
        version: u64,
        /// All of them.
        departments: Vec<Department>,
    },
    /// A person's facts, committed at this position of the feed.
    FactsChanged {
        /// Whose.
        agent: AgentId,
        /// All facts, as they are from now on.
        facts: Box<AgentFacts>,
        /// Where in the feed.
        at: FeedPosition,
    },
    /// A device has proven that it can ring.
    DeviceReady(AgentId, DeviceId),
    /// A device cannot ring any more.
    DeviceGone(AgentId, DeviceId),
    /// A call is to be routed.
    CallArrived {
        /// The call.
        call: CallId,
        /// Whom it is for.
        target: Target,
        /// The path it came by.
        row: Row,
    },
    /// The person's device rings.
    OfferConfirmed(OfferId),
    /// Answer was pressed.
    OfferAccepted(OfferId),
    /// Decline was pressed.
    OfferDeclined(OfferId),
    /// The person who answered has no sound: the call returns to the head of the line.
    ConnectFailed(CallId),
    /// The caller hung up before somebody answered.
    CallerGone(CallId),
    /// The connected call is over.
    CallEnded(CallId),
    /// A deadline has come.
    Timeout,
}

/// All the engine can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ring this person.
    Offer {
        /// The lease.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// Who.
        agent: AgentId,
        /// The department, unless the person was dialed.
        department: Option<DepartmentId>,
        /// How long the caller has waited, in milliseconds.
        waited_ms: u64,
        /// Ring time, in milliseconds, from the acknowledgement on.
        ring_ms: u64,
        /// Why this person, in words.
        why: String,
    },
    /// Stop ringing.
    Withdraw {
        /// The lease.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// Who rang.
        agent: AgentId,
        /// Why it stops.
        reason: Reason,
    },
    /// Join the caller and this person.
    Connect {
        /// The lease that won.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// Who.
        agent: AgentId,
    },
    /// The caller waits for somebody busy.
    Waiting {
        /// The call.
        call: CallId,
        /// In which line.
        department: DepartmentId,
    },
    /// The call now stands in this department.
    Entered {
        /// The call.
        call: CallId,
        /// In which line.
        department: DepartmentId,
    },
    /// Nobody is left to ring; the engine lets go of the call.
    Exhausted {
        /// The call.
        call: CallId,
        /// Where it goes.
        to: Exhausted,
        /// Why nobody answered.
        cause: CallCause,
    },
    /// A ledger entry, new or settled; the step identifies it within the call.
    Decided {
        /// The call.
        call: CallId,
        /// The entry.
        decision: Box<Decision>,
    },
    /// The presence of this person reads differently now.
    PresenceChanged(AgentId),
    /// Nothing more until then, or until the next input.
    Timeout(Option<Millis>),
}

/// Why an input had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No such person.
    #[error("unknown agent")]
    UnknownAgent,
    /// No such department.
    #[error("unknown department")]
    UnknownDepartment,
    /// The engine holds no such call.
    #[error("unknown call")]
    UnknownCall,
    /// The offer is over.
    #[error("the offer has ended")]
    OfferEnded,
    /// Somebody else took the call.
    #[error("answered elsewhere")]
    AnsweredElsewhere,
}
