//! The durable log: the lasting state of an account is the fold of these, in order of their numbers.
//!
//! Some come from outside and are obeyed once they are on disk (facts, policy); the others the engine asks to be
//! written down ([`crate::Output::Remember`]) because they must outlive the process.

use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentFacts, Stamp};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, RequestId};
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::Policy;
use serde::{Deserialize, Serialize};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A person's facts are these from here on.
    FactsSet {
        /// Whose.
        agent: AgentId,
        /// All of them.
        facts: Arc<AgentFacts>,
        /// Which changed.
        changed: Vec<String>,
        /// Free text of the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// The request that made the change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestId>,
        /// Who made it, where the facts do not say so themselves: something was taken away, or the seat was switched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Box<Stamp>>,
    },
    /// The policy is this from here on.
    PolicySet {
        /// All of it.
        policy: Box<Policy>,
    },
    /// A caller was answered: sticky routing remembers by whom.
    Bound {
        /// In which department.
        department: DepartmentId,
        /// The caller's number.
        caller: Pii<String>,
        /// By whom.
        agent: AgentId,
        /// When.
        at: Millis,
    },
    /// A caller has a place in a line.
    PlaceTaken {
        /// Their place.
        place: Place,
    },
    /// A caller's place is free: answered, or gone on.
    PlaceLeft {
        /// Which call.
        call: CallId,
    },
    /// The caller is gone; the place is kept for a redial until then.
    PlaceKept {
        /// Which call.
        call: CallId,
        /// Until when.
        until: Millis,
    },
    /// A caller hung up and keeps the place to be called back, or is to be called back by one person.
    CallbackAsked {
        /// The entry.
        callback: Callback,
    },
    /// A call was made for the callback and came to nothing.
    CallbackTried {
        /// The call that asked for it.
        call: CallId,
        /// How often it has been tried now.
        attempts: u32,
        /// When its turn may come again; none: a person has to see to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<Millis>,
    },
    /// A person has to see to the callback: it is on the follow-up list.
    CallbackDue {
        /// The call that asked for it.
        call: CallId,
        /// When.
        at: Millis,
    },
    /// The callback is dealt with.
    CallbackDone {
        /// The call that asked for it.
        call: CallId,
    },
}

/// A caller's place in a department's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The call.
    pub call: CallId,
    /// In which line.
    pub department: DepartmentId,
    /// The caller's number; withheld ones cannot take a place up again.
    pub caller: Option<Pii<String>>,
    /// Rises with each arrival: the order of the line.
    pub number: u64,
    /// When the caller joined the line first.
    pub since: Millis,
    /// Priority of the caller, 0 to 9.
    pub priority: u8,
    /// Set when the caller is gone: the place is kept until then.
    #[serde(default)]
    pub kept_until: Option<Millis>,
}

/// Somebody who waits to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The call that asked for it.
    pub call: CallId,
    /// Whom to call.
    pub number: Pii<String>,
    /// In which line it stands.
    pub department: Option<DepartmentId>,
    /// The person it is for, if one.
    pub agent: Option<AgentId>,
    /// Its place in the line: that of the call that asked for it.
    pub place: u64,
    /// When the caller joined the line.
    pub since: Millis,
    /// Priority of the caller, 0 to 9.
    pub priority: u8,
    /// When it was asked for.
    pub asked_at: Millis,
    /// Since when it is on the follow-up list, for a person to see to it.
    #[serde(default)]
    pub due_at: Option<Millis>,
    /// Calls that were made for it and came to nothing.
    #[serde(default)]
    pub attempts: u32,
    /// After such a call its turn does not come before then.
    #[serde(default)]
    pub again_at: Option<Millis>,
    /// Ledger entries of the call that asked for it.
    #[serde(default)]
    pub steps: u32,
}
