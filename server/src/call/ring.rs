//! Offers on real phones: ringing, answering, joining the two legs.

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{Exhausted, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, EndedBy};
use cordboard_shared::decision::Reason;
use cordboard_shared::event::{LEASE_EVERY_MS, LEASE_MS, Ring, RingStop, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, LegId, OfferId};

use super::record::Phase;
use super::{CallCenter, Effect, Owner, REJOIN_MS, SOUND_WAIT_MS};

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
        let accepted = call.caller.accepted;
        match to {
            Exhausted::Voicemail { mailbox } => self.enter_voicemail(now, id, &mailbox),
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
        self.drop_desks(id, desk);
        self.tell_agent(agent, ServerMessage::RingStop { offer, reason: RingStop::Answered });
        self.publish(id);
        self.try_join(id);
    }

    /// Joins both legs as soon as the browser's sound is up.
    pub(super) fn try_join(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if !matches!(call.phase, Phase::Connecting | Phase::Connected) {
            return;
        }
        let Some(desk) = call.desk_leg().filter(|desk| desk.up).map(|desk| desk.leg) else { return };
        call.phase = Phase::Connected;
        call.deadline = None;
        call.answered_by = call.view.agent;
        let (caller, held, muted) = (call.caller.leg, call.view.state == CallState::Held, call.muted);
        let (to_caller, to_desk) = if held {
            (Source::Loop { clip: self.sounds.music.clone() }, Source::Silence)
        } else {
            (Source::Leg(desk), Source::Leg(caller))
        };
        self.media(Media::Hear { leg: caller, source: to_caller });
        self.media(Media::Hear { leg: desk, source: to_desk });
        self.media(Media::Gate { leg: desk, open: !muted });
        self.show(id);
    }

    pub(super) fn peer_answered(&mut self, leg: LegId, answer: Result<String, String>) {
        let Some(Owner::Desk(id, socket)) = self.legs.get(&leg).copied() else { return };
        let reply = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&socket)).and_then(|it| it.reply.take());
        let Some(to) = reply else { return };
        let result = answer.map(|sdp| serde_json::json!({ "sdp": sdp })).map_err(|error| {
            cordboard_shared::Problem::new(
                cordboard_shared::ProblemCode::InvalidField,
                format!("The browser's sound offer cannot be used: {error}."),
            )
            .with("pointer", "/sdp")
        });
        self.push(Effect::Reply { to, result });
    }

    pub(super) fn peer_up(&mut self, _now: Millis, leg: LegId) {
        let Some(Owner::Desk(id, socket)) = self.legs.get(&leg).copied() else { return };
        if let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&socket)) {
            desk.up = true;
        }
        self.try_join(id);
    }

    /// The browser's sound is gone in the middle of a call: the caller hears music while it may come back.
    pub(super) fn peer_lost(&mut self, now: Millis, leg: LegId) {
        let Some(Owner::Desk(id, socket)) = self.legs.get(&leg).copied() else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(desk) = call.desks.get_mut(&socket) {
            desk.up = false;
        }
        if call.phase == Phase::Connected && call.desk == Some(socket) {
            call.deadline = Some(now + REJOIN_MS);
            let (caller, clip) = (call.caller.leg, self.sounds.music.clone());
            self.media(Media::Hear { leg: caller, source: Source::Loop { clip } });
            self.show(id);
        }
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
            // The person who answered has no sound: back to the head of the line.
            Phase::Connecting | Phase::Connected => self.return_to_line(now, id),
            Phase::Opening | Phase::Routing | Phase::Voicemail(_) | Phase::Farewell | Phase::Over => {}
        }
    }

    fn return_to_line(&mut self, now: Millis, id: CallId) {
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
        let live = call.live();
        self.music(id);
        if let Some(agent) = agent {
            // The person who lost it is told that it went on without them.
            self.tell_agent(agent, ServerMessage::CallState(Box::new(live)));
        }
        self.route(now, Routing::ConnectFailed(id));
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
