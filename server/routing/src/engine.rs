//! The engine: one per account, single writer, `handle_input` and `poll_output`.

mod arrive;
mod callback;
mod choose;
mod clock;
mod facts;
mod offers;
mod own;
mod view;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Millis};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::agent::Agent;
use crate::command::{CallingOut, EngineError, Input, Output};
use crate::compiled::Compiled;
use crate::durable::Durable;
use crate::event::Event;
use crate::line::{Line, QueueKey};
use crate::matrix::Row;
use crate::offer::Offer;
use clock::Timer;

/// Decides who is offered which call.
///
/// Serialized it is the whole of itself: read back, it goes on as if nothing had happened.
#[derive(Clone, Debug)]
pub struct Engine {
    state: State,
    rules: Compiled,
    outputs: VecDeque<Output>,
    /// Lines to be looked at in this step.
    dirty: Dirty,
}

/// All that is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    now: Millis,
    seed: u64,
    /// The lasting part; its facts are kept in `agents`.
    durable: Durable,
    agents: BTreeMap<AgentId, Agent>,
    lines: BTreeMap<CallId, Line>,
    offers: BTreeMap<OfferId, Offer>,
    queues: BTreeMap<DepartmentId, BTreeSet<QueueKey>>,
    timers: BTreeSet<(Millis, Timer)>,
    /// Calls that are for one person by name, or bound to one.
    by_name: BTreeMap<AgentId, BTreeSet<CallId>>,
    /// External legs by call, and whether they are outbound.
    legs: BTreeMap<CallId, Leg>,
    /// Mean time a call keeps a person, per department, in milliseconds.
    handle_ms: BTreeMap<DepartmentId, u64>,
    /// Which numbers can be called.
    #[serde(default)]
    calling_out: CallingOut,
    /// Callbacks in line that are for one person.
    #[serde(default)]
    called_back_by: BTreeMap<AgentId, BTreeSet<CallId>>,
}

/// Which part of the lines a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Leg {
    Inbound,
    Outbound,
}

/// What has changed within one step.
#[derive(Clone, Debug, Default)]
struct Dirty {
    /// These lines must take their next step.
    lines: BTreeSet<CallId>,
    /// These people may be able to take a call now.
    freed: BTreeSet<AgentId>,
    /// What is possible for these people has become less: who waits for them may wait in vain.
    less: BTreeSet<AgentId>,
}

impl Engine {
    /// An engine after a start: nobody has a device and no call is left. Callers who were in line keep their places for
    /// a redial; the entries about that are among the first outputs.
    pub fn start(now: Millis, seed: u64, durable: Durable) -> Self {
        let mut durable = durable;
        let rules = Compiled::new(&durable.policy);
        let facts = std::mem::take(&mut durable.facts);
        let agents = facts.into_iter().map(|(id, facts)| (id, Agent::new(id, Arc::new(facts), now))).collect();
        let state = State {
            now,
            seed,
            durable,
            agents,
            lines: BTreeMap::new(),
            offers: BTreeMap::new(),
            queues: BTreeMap::new(),
            timers: BTreeSet::new(),
            by_name: BTreeMap::new(),
            legs: BTreeMap::new(),
            handle_ms: BTreeMap::new(),
            calling_out: CallingOut::default(),
            called_back_by: BTreeMap::new(),
        };
        let mut engine = Self { state, rules, outputs: VecDeque::new(), dirty: Dirty::default() };
        engine.policy_in_force(now);
        engine.elapsed_before_start(now);
        engine.keep_places_after_start(now);
        engine
    }

    /// What outlives the process, for a snapshot.
    pub fn durable(&self) -> Durable {
        let facts = self.state.agents.values().map(|agent| (agent.id, (*agent.facts).clone())).collect();
        Durable { facts, ..self.state.durable.clone() }
    }

    /// Feeds one input. Afterwards [`Self::poll_output`] is drained before the next one.
    ///
    /// Deadlines that have passed are run first, each at its own instant, so that a history of inputs gives the same
    /// decisions again whenever somebody looked at the clock in between.
    pub fn handle_input(&mut self, now: Millis, input: Input) -> Result<(), EngineError> {
        let now = now.max(self.state.now);
        self.run_deadlines(now);
        self.state.now = now;
        let result = self.apply(now, input);
        self.advance_lines(now);
        result
    }

    /// The next thing to do; [`Output::Timeout`] ends the list.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_deadline()))
    }

    /// One person.
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.state.agents.get(&id)
    }

    /// Everybody, by id.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.state.agents.values()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.state.durable.policy
    }

    /// Position of the last entry obeyed.
    pub fn position(&self) -> FeedPosition {
        self.state.durable.position
    }

    fn apply(&mut self, now: Millis, input: Input) -> Result<(), EngineError> {
        match input {
            Input::Obey { event, at } => {
                self.obey(now, *event, at);
                Ok(())
            }
            Input::DeviceReady(agent, device, kind) => self.device_ready(agent, device, kind),
            Input::DeviceGone(agent, device) => self.device_gone(now, agent, device),
            Input::PanelOpened(agent) => self.panel_opened(now, agent),
            Input::PanelClosed(agent) => self.panel_closed(agent),
            Input::Active(agent) => self.active(now, agent),
            Input::CallOffered { call, caller } => {
                self.call_offered(now, call, caller.as_ref());
                Ok(())
            }
            Input::NoFlow(call) => {
                self.refuse(now, call, Row::Queue, cordboard_shared::decision::Reason::NoFlowNow);
                Ok(())
            }
            Input::CallReleased(call) => {
                self.state.legs.remove(&call);
                Ok(())
            }
            Input::CallArrived(arrival) => self.call_arrived(now, arrival),
            Input::OfferConfirmed(offer) => self.confirmed(now, offer),
            Input::OfferAccepted(offer) => self.accepted(now, offer),
            Input::OfferDeclined(offer) => self.declined(now, offer),
            Input::ConnectFailed(call) => self.connect_failed(now, call),
            Input::CallerGone(call) => self.caller_gone(now, call),
            Input::CallEnded(call) => self.call_ended(now, call),
            Input::TakeWaiting(agent, call) => self.take_waiting(now, agent, call),
            Input::PickUp(agent, call) => self.pick_up(now, agent, call),
            Input::OwnCall { agent, call, row, entry_of, after } => {
                self.own_call(now, agent, call, row, (entry_of.unwrap_or(call), after))
            }
            Input::WrapUpDone(agent) => self.wrap_up_done(now, agent),
            Input::WrapUpExtend(agent) => self.wrap_up_extend(now, agent),
            Input::CallbackAsked(call) => self.callback_asked(now, call),
            Input::CallbackDone(call) => self.callback_done(now, call),
            Input::CallingOut(open) => {
                self.calling_out(open);
                Ok(())
            }
            Input::Timeout => Ok(()),
        }
    }

    fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Writes down what must outlive the process, and lets it hold.
    fn remember(&mut self, event: Event) {
        self.state.durable.apply(&event);
        self.push(Output::Remember(Box::new(event)));
    }

    /// Ten bytes for an id. `SplitMix64`: ids need to differ, not to be secret.
    fn random(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        for chunk in bytes.chunks_mut(8) {
            self.state.seed = self.state.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state.seed;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        let rules = Compiled::new(&state.durable.policy);
        Ok(Self { state, rules, outputs: VecDeque::new(), dirty: Dirty::default() })
    }
}

#[cfg(test)]
mod tests;
