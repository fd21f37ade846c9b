//! Callbacks that are made: their turn has come in the engine, a person is rung as for any call, and when they have
//! answered the number is dialed under the same guard as every call that goes out.

use cordboard_routing::{CallingOut, Input as Routing, Row};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, Direction, Party, StepKind};
use cordboard_shared::event::{RingStop, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, LegId, OfferId};
use cordboard_shared::phone::E164;
use cordboard_shared::pii::Pii;
use cordboard_shared::telephony::Encryption;
use cordboard_sip::DialogId;

use super::dial::{Called, Dialing, OWN_DEVICE_MS};
use super::leg::SipLeg;
use super::record::{Call, CallerLeg, Phase};
use super::{CallCenter, Effect, Owner};

impl CallCenter {
    /// Tells the engine which numbers can be called, where that has changed.
    pub(super) fn tell_calling_out(&mut self, now: Millis) {
        let telephony = &self.directory.telephony;
        let open = if telephony.outbound.is_empty() { Vec::new() } else { telephony.guard.prefixes.clone() };
        let calling_out = CallingOut { prefixes: open, closed: telephony.guard.closed.clone(), paused: self.draining };
        if self.calling_out != calling_out {
            self.calling_out = calling_out.clone();
            self.route(now, Routing::CallingOut(calling_out));
        }
    }

    /// A callback's turn has come: its call begins. Who rings for it follows.
    pub(super) fn call_back(
        &mut self,
        now: Millis,
        id: CallId,
        callback: CallId,
        number: &Pii<String>,
        department: DepartmentId,
        attempt: u32,
    ) {
        let Ok(number) = number.0.parse::<E164>() else {
            self.push(Effect::Note {
                call: Some(id),
                text: "a callback names no number that can be called".to_owned(),
            });
            return self.route(now, Routing::CallerGone(id));
        };
        let shown = self.shown_number(Some(department));
        let from = shown.as_ref().map_or_else(|| super::inbound::WITHHELD.to_owned(), ToString::to_string);
        let from = Party { number: from.into(), name: None };
        let to = Party { number: number.to_string().into(), name: None };
        let mut view = super::inbound::blank_view(id, Direction::Outbound, from, to, None, now);
        view.state = CallState::Waiting;
        view.made_for = Some(callback);
        view.department = Some(department);
        self.totals.calls += 1;
        self.next_dialog += 1;
        let dialog = DialogId::outgoing(self.next_dialog);
        let leg = LegId::new(now, self.random_bytes());
        // How the trunk encrypts is known when it is dialed.
        let terms = self.leg_terms(Encryption::Off);
        let caller = CallerLeg { leg, sip: Some(SipLeg::outgoing(dialog, leg, terms)), person: None };
        let mut call = Call::new(view, caller, Phase::Routing);
        call.in_engine = true;
        call.queued_at = Some(now);
        call.dialing = Some(Dialing {
            to: Called::Number(number),
            row: Row::Callback,
            shown,
            trunk: 0,
            begun: false,
            early: false,
            callback: Some(callback),
            redirected: false,
        });
        call.step(now, StepKind::Callback, None, Some(attempt.to_string()));
        self.calls.insert(id, call);
        self.legs.insert(leg, Owner::Caller(id));
        self.dialogs.insert(dialog, Owner::Caller(id));
        self.publish(id);
    }

    /// Whether this call is one for a callback whose number has not been dialed yet.
    pub(super) fn is_to_be_dialed(&self, id: CallId) -> bool {
        let dialing = self.calls.get(&id).and_then(|call| call.dialing.as_ref());
        dialing.is_some_and(|dialing| dialing.callback.is_some() && !dialing.begun)
    }

    /// Whether a callback is being made already.
    pub(super) fn is_called_back(&self, callback: CallId) -> bool {
        let of = |call: &Call| call.dialing.as_ref().and_then(|dialing| dialing.callback) == Some(callback);
        self.calls.values().any(|call| !call.is_over() && of(call))
    }

    /// A callback waits for somebody busy: nobody is on the line who could hear music.
    pub(super) fn callback_waits(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.state = CallState::Waiting;
            call.view.agent = None;
        }
        self.publish(id);
    }

    /// Somebody has taken the callback: as soon as their device is there, the number is dialed.
    pub(super) fn callback_taken(&mut self, now: Millis, offer: OfferId, id: CallId, agent: AgentId) {
        self.offers.remove(&offer);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.offers.remove(&offer);
        call.phase = Phase::Dialing;
        call.deadline = Some(now + OWN_DEVICE_MS);
        call.won = Some(offer);
        call.answered_by = Some(agent);
        call.view.agent = Some(agent);
        call.view.state = CallState::Ringing;
        call.step(now, StepKind::Joined, Some(agent), None);
        let (desk, is_up) = (call.desk, call.desk_leg().is_some_and(|desk| desk.up));
        self.drop_desks(id, desk);
        self.tell_agent(agent, ServerMessage::RingStop { offer, reason: RingStop::Answered });
        self.publish(id);
        if is_up {
            self.own_device_up(now, id);
        }
    }
}
