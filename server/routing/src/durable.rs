//! The lasting state of an account: the fold of its log.

use std::collections::BTreeMap;

use cordboard_shared::agent::AgentFacts;
use cordboard_shared::id::{AgentId, CallId, DepartmentId};
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Millis};
use serde::{Deserialize, Serialize};

use crate::event::{Callback, Event, Place};

/// What outlives the process. A snapshot is this, serialized.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Durable {
    /// Position of the last entry folded.
    pub position: FeedPosition,
    /// Everybody's facts.
    pub facts: BTreeMap<AgentId, AgentFacts>,
    /// The policy.
    pub policy: Policy,
    /// Who answered a caller last, by department and the caller's number.
    pub bound: BTreeMap<DepartmentId, BTreeMap<String, Bound>>,
    /// Places of callers in lines, kept ones included.
    pub places: BTreeMap<CallId, Place>,
    /// Callbacks that are not dealt with.
    pub callbacks: BTreeMap<CallId, Callback>,
    /// The last place given.
    pub last_place: u64,
}

/// Sticky routing's memory of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Who answered.
    pub agent: AgentId,
    /// When.
    pub at: Millis,
}

impl Durable {
    /// Takes the next entry of the log. An entry at or before the present position changes nothing.
    pub fn fold(&mut self, event: &Event, at: FeedPosition) {
        if at.seq <= self.position.seq {
            return;
        }
        self.position = at;
        self.apply(event);
    }

    /// What an entry changes.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::FactsSet { agent, facts, .. } => drop(self.facts.insert(*agent, (**facts).clone())),
            Event::PolicySet { policy } => self.policy = (**policy).clone(),
            Event::Bound { department, caller, agent, at } => {
                let callers = self.bound.entry(*department).or_default();
                callers.insert(caller.0.clone(), Bound { agent: *agent, at: *at });
            }
            Event::PlaceTaken { place } => {
                self.last_place = self.last_place.max(place.number);
                self.places.insert(place.call, place.clone());
            }
            Event::PlaceLeft { call } => drop(self.places.remove(call)),
            Event::PlaceKept { call, until } => {
                if let Some(place) = self.places.get_mut(call) {
                    place.kept_until = Some(*until);
                }
            }
            Event::CallbackAsked { callback } => drop(self.callbacks.insert(callback.call, callback.clone())),
            Event::CallbackTried { call, attempts, again_at } => {
                if let Some(callback) = self.callbacks.get_mut(call) {
                    (callback.attempts, callback.again_at) = (*attempts, *again_at);
                }
            }
            Event::CallbackDue { call, at } => {
                if let Some(callback) = self.callbacks.get_mut(call) {
                    callback.due_at = Some(*at);
                }
            }
            Event::CallbackDone { call } => drop(self.callbacks.remove(call)),
        }
    }
}
