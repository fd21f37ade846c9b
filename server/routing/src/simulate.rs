//! What-if: the live engine's own code on a copy of its state. Nothing is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentFacts, Toggle};
use cordboard_shared::api::routing::{SimulateAnswer, SimulateOverride, SimulatedOutcome, SimulatedRing};
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AgentId, CallId, OfferId};
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::Policy;

use crate::FeedPosition;
use crate::agent::{DeviceId, DeviceKind};
use crate::command::{Arrival, EngineError, Input, Output, Target};
use crate::engine::Engine;
use crate::event::Event;
use crate::line::Exhausted;
use crate::matrix::Row;

/// Most deadlines that are run for one question.
const MOST_STEPS: usize = 20_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Whom the call is for.
    pub target: Target,
    /// The path it comes by.
    pub row: Row,
    /// The caller's number.
    pub caller: Option<String>,
    /// When; none is now.
    pub at: Option<Millis>,
    /// People as they would be.
    pub overrides: Vec<SimulateOverride>,
    /// The policy as it would be.
    pub policy: Option<Policy>,
}

impl Engine {
    /// What would happen to this call if nobody answered: who would ring, in which order and until when, and why not
    /// the others. A real call at the same state that nobody answers gets the same decisions.
    pub fn what_if(&self, now: Millis, question: &Question) -> Result<SimulateAnswer, EngineError> {
        let at = question.at.map_or(now, |at| at.max(now));
        let mut world = self.clone();
        while !matches!(world.poll_output(), Output::Timeout(_)) {}
        let mut assumptions = vec!["nobody answers, and every device that can ring says so at once".to_owned()];
        if at > now {
            world.end_the_day(now)?;
            assumptions.push("calls of the present are over by then".to_owned());
            assumptions
                .push("devices and switches are as they are now; pauses, ends and hours are as of then".to_owned());
        }
        world.change(at, question)?;
        if !question.overrides.is_empty() || question.policy.is_some() {
            assumptions.push("with the changes stated in the question".to_owned());
        }
        let call = CallId::new(at, [0xee; 10]);
        let arrival = Arrival {
            call,
            target: question.target,
            row: question.row,
            caller: question.caller.clone().map(Pii),
            priority: 0,
            after: 0,
        };
        // A call from outside passes the door first: the account, the block list, the lines.
        let from_outside = matches!(question.row, Row::Queue | Row::FlowExtension | Row::DirectExtension);
        if from_outside {
            world.handle_input(at, Input::CallOffered { call, caller: arrival.caller.clone() })?;
        }
        let mut seen = Seen::new(call, at);
        let outcome = if let Some(refused) = seen.refused(&mut world) {
            refused
        } else {
            world.handle_input(at, Input::CallArrived(arrival))?;
            seen.run(&mut world)?
        };
        Ok(SimulateAnswer {
            at,
            policy_version: world.policy().version.to_string(),
            state_version: world.position().to_string(),
            decisions: seen.decisions.into_values().collect(),
            rings: seen.rings.into_iter().map(|(_, ring)| ring).collect(),
            outcome,
            assumptions,
        })
    }

    fn change(&mut self, at: Millis, question: &Question) -> Result<(), EngineError> {
        if let Some(policy) = &question.policy {
            let event = Event::PolicySet { policy: Box::new(policy.clone()) };
            let position = self.position();
            self.handle_input(at, Input::Obey { event: Box::new(event), at: position })?;
        }
        for wanted in &question.overrides {
            let agent = self.agent(wanted.agent).ok_or(EngineError::UnknownAgent)?;
            let (facts, devices) = ((*agent.facts).clone(), agent.devices.keys().copied().collect::<Vec<_>>());
            if let Some(state) = wanted.state {
                let event = toggled(wanted.agent, facts, state, at);
                let position: FeedPosition = self.position();
                self.handle_input(at, Input::Obey { event: Box::new(event), at: position })?;
            }
            match wanted.device {
                Some(true) if devices.is_empty() => {
                    let device = DeviceId(u64::MAX);
                    self.handle_input(at, Input::DeviceReady(wanted.agent, device, DeviceKind::Browser))?;
                }
                Some(false) => {
                    for device in devices {
                        self.handle_input(at, Input::DeviceGone(wanted.agent, device))?;
                    }
                }
                Some(true) | None => {}
            }
        }
        while !matches!(self.poll_output(), Output::Timeout(_)) {}
        Ok(())
    }
}

fn toggled(agent: AgentId, mut facts: AgentFacts, state: Toggle, at: Millis) -> Event {
    facts.toggle.state = state;
    facts.toggle.until = None;
    facts.toggle.stamp.since = at;
    Event::FactsSet { agent, facts: Arc::new(facts), changed: Vec::new(), note: None, request: None, by: None }
}

/// What was seen of one call.
struct Seen {
    call: CallId,
    began: Millis,
    now: Millis,
    decisions: BTreeMap<u32, Decision>,
    rings: Vec<(OfferId, SimulatedRing)>,
    /// Offers whose device has not said yet that it rings.
    unconfirmed: Vec<OfferId>,
}

impl Seen {
    fn new(call: CallId, began: Millis) -> Self {
        Self { call, began, now: began, decisions: BTreeMap::new(), rings: Vec::new(), unconfirmed: Vec::new() }
    }

    /// Whether the call was refused at the door. What else was said is taken in.
    fn refused(&mut self, world: &mut Engine) -> Option<SimulatedOutcome> {
        let mut refused = None;
        loop {
            match world.poll_output() {
                Output::Timeout(_) => return refused,
                Output::Decided { call, decision } if call == self.call => {
                    self.decisions.insert(decision.step, *decision);
                }
                Output::Offer { offer, .. } => self.unconfirmed.push(offer),
                Output::Refused { call, reason } if call == self.call => {
                    let detail = Some(reason.words().to_owned());
                    refused = Some(SimulatedOutcome { to: "refused".to_owned(), detail, after_ms: 0 });
                }
                _ => {}
            }
        }
    }

    /// Runs deadlines until the call is somewhere.
    fn run(&mut self, world: &mut Engine) -> Result<SimulatedOutcome, EngineError> {
        for _ in 0..MOST_STEPS {
            let mut confirm = std::mem::take(&mut self.unconfirmed);
            let deadline = loop {
                match world.poll_output() {
                    Output::Timeout(deadline) => break deadline,
                    Output::Offer { offer, call, agent, why, .. } => {
                        confirm.push(offer);
                        if call == self.call {
                            let step = self.decisions.keys().last().copied().unwrap_or(0);
                            let from_ms = self.now.since(self.began);
                            let ring = SimulatedRing { agent, step, from_ms, until_ms: from_ms, why };
                            self.rings.push((offer, ring));
                        }
                    }
                    Output::Withdraw { offer, .. } => {
                        let until_ms = self.now.since(self.began);
                        if let Some((_, ring)) = self.rings.iter_mut().find(|(id, _)| *id == offer) {
                            ring.until_ms = until_ms;
                        }
                    }
                    Output::Decided { call, decision } if call == self.call => {
                        self.decisions.insert(decision.step, *decision);
                    }
                    Output::Exhausted { call, to, .. } if call == self.call => {
                        while let Output::Decided { .. } = world.poll_output() {}
                        return Ok(self.outcome(&to));
                    }
                    _ => {}
                }
            };
            for offer in confirm {
                match world.handle_input(self.now, Input::OfferConfirmed(offer)) {
                    Ok(()) | Err(EngineError::OfferEnded) => {}
                    Err(other) => return Err(other),
                }
            }
            let deadline = world.next_deadline().or(deadline);
            let Some(next) = deadline else { break };
            self.now = self.now.max(next);
            world.handle_input(self.now, Input::Timeout)?;
        }
        Ok(SimulatedOutcome { to: "waiting".to_owned(), detail: None, after_ms: self.now.since(self.began) })
    }

    fn outcome(&self, to: &Exhausted) -> SimulatedOutcome {
        let (word, detail) = match to {
            Exhausted::Voicemail { mailbox } => ("voicemail", Some(mailbox.clone())),
            Exhausted::Message { audio } => ("message", Some(audio.clone())),
            Exhausted::Callback => ("callback", None),
            Exhausted::FollowUp { agent } => ("follow_up", agent.map(|agent| agent.to_string())),
            Exhausted::Refused { reason } => ("refused", Some(reason.words().to_owned())),
            Exhausted::Disconnect => ("disconnect", None),
        };
        SimulatedOutcome { to: word.to_owned(), detail, after_ms: self.now.since(self.began) }
    }
}
