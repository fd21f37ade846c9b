//! What goes into the engine and what comes out.

use cordboard_shared::agent::Verdict;
use cordboard_shared::call::CallCause;
use cordboard_shared::decision::{Decision, Reason};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::pii::Pii;
use cordboard_shared::{FeedPosition, Millis};
use serde::{Deserialize, Serialize};

use crate::agent::{DeviceId, DeviceKind};
use crate::event::Event;
use crate::line::Exhausted;
use crate::matrix::Row;

/// Whom a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A department's line.
    Department(DepartmentId),
    /// One person.
    Agent(AgentId),
}

/// A call on its way into the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The call.
    pub call: CallId,
    /// Whom it is for.
    pub target: Target,
    /// The path it came by.
    pub row: Row,
    /// The caller's number, unless withheld.
    #[serde(default)]
    pub caller: Option<Pii<String>>,
    /// Raises the caller above others, 0 to 9; a contact's priority counts when it is higher.
    #[serde(default)]
    pub priority: u8,
    /// Ledger entries the call has already, from before it was handed over.
    #[serde(default)]
    pub after: u32,
}

/// Which numbers can be called, so that a callback is not offered to anybody in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallingOut {
    /// Numbers that begin like this are open; without a trunk none is.
    pub prefixes: Vec<String>,
    /// Numbers that begin like this are not, all the same.
    pub closed: Vec<String>,
    /// Nothing goes out for now: callbacks stay where they are.
    pub paused: bool,
}

impl CallingOut {
    /// Whether this number can be called.
    pub fn reaches(&self, number: &str) -> bool {
        let begins = |prefix: &String| !prefix.is_empty() && number.starts_with(prefix.as_str());
        self.prefixes.iter().any(begins) && !self.closed.iter().any(begins)
    }
}

/// All the engine can be told. Together with the instants these are the whole history of its decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum Input {
    /// An entry of the durable log, on disk at this position.
    Obey {
        /// What it says.
        event: Box<Event>,
        /// Where in the feed.
        at: FeedPosition,
    },
    /// A device has proven that it can ring.
    DeviceReady(AgentId, DeviceId, DeviceKind),
    /// A device cannot ring any more.
    DeviceGone(AgentId, DeviceId),
    /// A panel of this person is connected; repeated for each.
    PanelOpened(AgentId),
    /// One of them is gone.
    PanelClosed(AgentId),
    /// The person has done something.
    Active(AgentId),
    /// A call is at the door: the block list, the lines and the account decide whether it may come in.
    CallOffered {
        /// The call.
        call: CallId,
        /// The caller's number, unless withheld.
        caller: Option<Pii<String>>,
    },
    /// The number called leads nowhere now: written down as a decision.
    NoFlow(CallId),
    /// The call's external leg is gone: its line is free.
    CallReleased(CallId),
    /// A call is to be routed.
    CallArrived(Arrival),
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
    /// The person takes this waiting call.
    TakeWaiting(AgentId, CallId),
    /// The person takes this call while it rings at somebody else: row 12.
    PickUp(AgentId, CallId),
    /// The person makes a call of their own: row 14 for the leg to their own device, row 15 for what goes out. Row 15
    /// may follow row 14 of the same call.
    OwnCall {
        /// Who.
        agent: AgentId,
        /// The call.
        call: CallId,
        /// Agent leg of an own call, or outbound.
        row: Row,
        /// The call whose ledger gets the entry, when the person is busy under an id of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry_of: Option<CallId>,
        /// Ledger entries that call has already.
        #[serde(default)]
        after: u32,
    },
    /// After-call work is finished.
    WrapUpDone(AgentId),
    /// Thirty seconds more of it, once.
    WrapUpExtend(AgentId),
    /// The waiting caller wants to be called back and will hang up.
    CallbackAsked(CallId),
    /// A callback is dealt with: its caller was reached, or somebody says so.
    CallbackDone(CallId),
    /// Which numbers can be called from now on.
    CallingOut(CallingOut),
    /// A deadline has come.
    Timeout,
}

impl Input {
    /// A call of a person's own that has no ledger entries yet.
    pub fn own_call(agent: AgentId, call: CallId, row: Row) -> Self {
        Self::OwnCall { agent, call, row, entry_of: None, after: 0 }
    }
}

/// What time alone has changed in a person's facts; the account writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elapsed {
    /// The pause is over.
    Pause,
    /// Do Not Disturb is over.
    Dnd,
    /// An Away with an end is over, and the account returns by itself: On.
    AwayReturned,
    /// A slot has begun or ended, or the time of working anyway is over.
    Schedule,
    /// Too many offers missed in a row: Away.
    Missed,
    /// Too long without activity: Away, and the sign-ins end.
    Inactive,
    /// The call after which an Away was to hold is over.
    AfterCall,
}

/// All the engine can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The call may come in.
    Admitted(CallId),
    /// It may not; a decision was written.
    Refused {
        /// The call.
        call: CallId,
        /// `blocked_caller`, `no_line_free` or `account_suspended`.
        reason: Reason,
    },
    /// A callback's turn has come: a call of its own begins for it. Who is to ring follows; the number is dialed when
    /// one of them has answered.
    CallBack {
        /// The new call.
        call: CallId,
        /// The call that asked for it.
        callback: CallId,
        /// Whom to call.
        number: Pii<String>,
        /// In whose line it stands.
        department: DepartmentId,
        /// Which attempt it is, from 1.
        attempt: u32,
    },
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
        department: Option<DepartmentId>,
    },
    /// Tell the waiting caller their place and wait.
    Announce {
        /// The call.
        call: CallId,
        /// Place, from 1; never a higher one than before.
        position: u32,
        /// Estimated wait, in milliseconds.
        estimate_ms: Option<u64>,
        /// Whether 1 may be pressed to be called back.
        callback: bool,
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
    /// Must outlive the process: append it to the durable log.
    Remember(Box<Event>),
    /// Time alone has changed this person's verdict, or is to change their facts.
    Elapsed(AgentId, Elapsed),
    /// Inactivity sets the person Away then.
    InactiveSoon(AgentId, Millis),
    /// An Away with an end is over; the person is to be asked.
    AwayOver(AgentId),
    /// The presence of this person reads differently now.
    PresenceChanged(AgentId),
    /// The line of this department has changed.
    LineChanged(DepartmentId),
    /// A callback was asked for, tried, put onto the follow-up list or dealt with.
    CallbacksChanged,
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
    /// The call waits in the line of a department this person is no member of.
    #[error("not a member of the department whose line it is")]
    NotMember,
    /// The matrix does not let this person do it now.
    #[error("not allowed while {}", .0.word())]
    NotAllowed(Verdict),
}
