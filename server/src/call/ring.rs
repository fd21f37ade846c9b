//! Offers on real phones: ringing, answering, joining the two legs.

use cordboard_routing::{Exhausted, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, Direction, EndedBy, StepKind};
use cordboard_shared::decision::Reason;
use cordboard_shared::event::{LEASE_EVERY_MS, LEASE_MS, Ring, RingStop, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, OfferId};

use super::device::Device;
use super::record::Phase;
use super::{CallCenter, SOUND_WAIT_MS};

/// An offer on its way to a person's tabs.
#[derive(Clone, Debug)]
pub(super) struct RingingOffer {
    pub(super) call: CallId,
    pub(super) agent: AgentId,
    pub(super) ring: Ring,
    /// When it began, and from the confirmation on when the ring time did: for what a late tab is told.
    pub(super) since: Millis,
    /// A device has said that it rings.
    pub(super) confirmed: bool,
}

impl CallCenter {
    pub(super) fn start_ringing(&mut self, now: Millis, offer: RingingOffer) {
        let (id, agent) = (offer.call, offer.agent);
        let ring = offer.ring.clone();
        self.totals.offers += 1;
        self.offers.insert(ring.offer, offer);
        self.next_lease.get_or_insert(now + LEASE_EVERY_MS);
        if let Some(call) = self.calls.get_mut(&id) {
            let first = call.offers.is_empty();
            call.phase = Phase::Routing;
            call.offers.insert(ring.offer, agent);
            call.view.state = CallState::Ringing;
            call.view.agent = call.one_who_rings();
            // An announcement ends at once.
            call.in_line = false;
            call.play = None;
            call.deadline = None;
            self.changed.insert(id);
            if first {
                self.ring_back(id);
            }
        }
        self.tell_agent(agent, ServerMessage::Ring(Box::new(ring)));
        self.ring_devices(now, id, agent);
    }

    pub(super) fn stop_ringing(&mut self, offer: OfferId, id: CallId, agent: AgentId, reason: Reason) {
        self.offers.remove(&offer);
        self.drop_desks_of(id, agent);
        if let Some(call) = self.calls.get_mut(&id)
            && call.offers.remove(&offer).is_some()
        {
            call.view.agent = call.one_who_rings();
            if reason == Reason::AnsweredElsewhere {
                call.lost.insert(offer, agent);
            }
            self.changed.insert(id);
        }
        self.tell_agent(agent, ServerMessage::RingStop { offer, reason: ring_stop(reason) });
    }

    pub(super) fn renew_leases(&mut self, now: Millis) {
        let offers: Vec<_> = self.offers.iter().map(|(id, offer)| (*id, offer.agent)).collect();
        self.next_lease = (!offers.is_empty()).then(|| now + LEASE_EVERY_MS);
        for (offer, agent) in offers {
            self.tell_agent(agent, ServerMessage::RingLease { offer, lease_ms: LEASE_MS });
        }
    }

    pub(super) fn nobody_left(
        &mut self,
        now: Millis,
        id: CallId,
        to: Exhausted,
        cause: cordboard_shared::call::CallCause,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        // The engine has let go: nothing but the end of the leg is to be told to it.
        call.phase = Phase::Farewell;
        call.in_line = false;
        call.play = None;
        call.deadline = None;
        call.view.cause = Some(cause);
        call.view.agent = None;
        call.in_engine = false;
        let accepted = call.caller.accepted();
        // Who handed the call over gets it back; a consultation that nobody takes is over.
        let refused = matches!(to, Exhausted::Refused { .. });
        if refused && call.view.made_for.is_some() && call.caller.person.is_some() {
            return self.hang_up(now, id, EndedBy::System, 480);
        }
        if refused && self.come_back(now, id) {
            return;
        }
        match to {
            Exhausted::Voicemail { mailbox } => match self.node_instead_of_voicemail(id) {
                Some(next) => self.enter_node(now, id, Some(next)),
                None => self.enter_voicemail(now, id, &mailbox),
            },
            Exhausted::Message { audio } => self.farewell(now, id, &[&audio]),
            Exhausted::Callback => self.farewell(now, id, &["callback-kept", "goodbye"]),
            // It stands on the follow-up list.
            Exhausted::FollowUp { .. } if accepted => self.farewell(now, id, &["goodbye"]),
            Exhausted::FollowUp { .. } => self.hang_up(now, id, EndedBy::System, 480),
            Exhausted::Refused { .. } | Exhausted::Disconnect => {
                let next = self.node_after(id);
                if next.is_some() {
                    self.enter_node(now, id, next);
                } else if accepted {
                    self.farewell(now, id, &["all-busy"]);
                } else {
                    self.hang_up(now, id, EndedBy::System, 480);
                }
            }
        }
    }

    /// Somebody pressed Answer, and won.
    pub(super) fn connect(&mut self, now: Millis, offer: OfferId, id: CallId, agent: AgentId) {
        if self.is_to_be_dialed(id) {
            return self.callback_taken(now, offer, id, agent);
        }
        self.offers.remove(&offer);
        self.accept(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.offers.remove(&offer);
        call.in_line = false;
        call.play = None;
        call.phase = Phase::Connecting;
        call.deadline = Some(now + SOUND_WAIT_MS);
        call.won = Some(offer);
        call.joined_at = Some(now);
        call.view.state = CallState::Connected;
        call.view.agent = Some(agent);
        if call.view.answered_at.is_none() {
            call.view.answered_at = Some(now);
            call.view.waited_ms = now.since(call.queued_at.unwrap_or(call.view.started_at));
        }
        call.view.cause = None;
        let desk = call.desk;
        call.transfer = None;
        call.parked = None;
        let step = if call.talked_ms > 0 { Some(StepKind::Joined) } else { None };
        if let Some(step) = step {
            call.step(now, step, Some(agent), None);
        }
        self.drop_desks(id, desk);
        self.tell_agent(agent, ServerMessage::RingStop { offer, reason: RingStop::Answered });
        self.publish(id);
        self.try_join(id);
        self.consult_answered(now, id);
    }

    /// A call's own deadline has come.
    pub(super) fn call_timeout(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.phase {
            // A prompt that could not be sent to its end is over all the same.
            Phase::Flow | Phase::Voicemail(_) | Phase::Farewell | Phase::Routing if call.play.is_some() => {
                self.play_finished(now, id);
            }
            Phase::Flow => self.menu_timeout(now, id),
            Phase::Dialing => self.dialing_timeout(now, id),
            Phase::Parked => self.park_timeout(now, id),
            Phase::Connected if !call.keys.is_empty() => self.keys_over(now, id),
            Phase::Connecting | Phase::Connected if call.desk == Some(Device::Outside) => self.transfer_failed(now, id),
            // The person who answered has no sound: back to the head of the line.
            Phase::Connecting | Phase::Connected => self.return_to_line(now, id),
            Phase::Opening | Phase::Routing | Phase::Voicemail(_) | Phase::Farewell | Phase::Over => {}
        }
    }

    fn return_to_line(&mut self, now: Millis, id: CallId) {
        let own = self.calls.get(&id).is_some_and(|call| {
            call.view.direction == Direction::Outbound
                || call.caller.person.as_ref().is_some_and(|own| !own.up)
                || !call.in_engine
        });
        if own {
            // The person's own call, or one whose calling colleague is gone: there is no line to go back to.
            return self.hang_up(now, id, EndedBy::Agent, 480);
        }
        self.drop_desks(id, None);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let agent = call.view.agent.take();
        let joined_at = call.joined_at.take();
        if call.phase == Phase::Connected {
            call.talked_ms += joined_at.map_or(0, |at| now.since(at));
        } else if call.answered_by.is_none() {
            // Nobody has been heard yet: the answer is undone.
            call.view.answered_at = None;
        }
        call.phase = Phase::Routing;
        call.desk = None;
        call.won = None;
        call.muted = false;
        call.in_line = true;
        call.view.state = CallState::Waiting;
        let routed = call.routed;
        let live = self.calls.get(&id).zip(agent).map(|(call, agent)| self.live_for(call, agent));
        self.music(id);
        if let (Some(agent), Some(live)) = (agent, live) {
            // The person who lost it is told that it went on without them.
            self.tell_agent(agent, ServerMessage::CallState(Box::new(live)));
        }
        self.route(now, Routing::ConnectFailed(routed));
    }
}

fn ring_stop(reason: Reason) -> RingStop {
    match reason {
        Reason::MissedNoAnswer => RingStop::MissedNoAnswer,
        Reason::Declined => RingStop::Declined,
        // Blocked, or taken out of the department, while ringing.
        Reason::DeclinedByStatus | Reason::SkippedNotMember => RingStop::DeclinedByStatus,
        Reason::CallerHungUp => RingStop::CallerHungUp,
        Reason::Answered => RingStop::Answered,
        Reason::DeviceDidNotConfirm | Reason::NotReachable => RingStop::DeviceDidNotConfirm,
        Reason::Rung
        | Reason::RungAlwaysInclude
        | Reason::RungExtensionRule
        | Reason::RungTransfer
        | Reason::RungCallback
        | Reason::RungEmergency
        | Reason::AnsweredElsewhere
        | Reason::CarrierBusy
        | Reason::SkippedAway
        | Reason::SkippedOptedOut
        | Reason::SkippedDnd
        | Reason::SkippedPaused
        | Reason::SkippedOffSchedule
        | Reason::SkippedNoDevice
        | Reason::SkippedOnCall
        | Reason::SkippedAfterCallWork
        | Reason::SkippedRingingOtherCall
        | Reason::SkippedWaveLimit
        | Reason::SkippedStickyBoundElsewhere
        | Reason::SkippedSkill
        | Reason::SkippedSeatDisabled
        | Reason::NotReached
        | Reason::BlockedCaller
        | Reason::NoFlowNow
        | Reason::NoLineFree
        | Reason::AccountSuspended => RingStop::AnsweredElsewhere,
    }
}
