//! What panels ask for in calls.

use cordboard_media::Command as Media;
use cordboard_routing::{EngineError, Input as Routing};
use cordboard_shared::call::Note;
use cordboard_shared::event::ClientMessage;
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::device::Device;
use super::dial::{Called, Wish};
use super::{CallCenter, Effect, ReplyTo, SocketId};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 2_000;
/// Longest SDP of a browser, in bytes.
const LONGEST_SDP: usize = 32_768;

impl CallCenter {
    pub(super) fn client_message(&mut self, now: Millis, socket: SocketId, message: ClientMessage, reply: ReplyTo) {
        let Some(agent) = self.socket_agent(socket) else {
            return self.push(Effect::Reply { to: reply, result: Err(socket_closed()) });
        };
        let result = match message {
            ClientMessage::Hello(_) => {
                Err(Problem::new(ProblemCode::InvalidRequest, "hello is the first frame of a socket, and only that."))
            }
            ClientMessage::Pong { state, .. } | ClientMessage::Device(state) => {
                self.device_changed(now, socket, &state);
                Ok(json!({}))
            }
            ClientMessage::RingAck { offer } => self.ring_confirmed(now, agent, offer),
            ClientMessage::RtcOffer { call, sdp, takes } => {
                match self.browser_offer(now, socket, agent, call, (sdp, takes), reply) {
                    Ok(()) => return,
                    Err(problem) => Err(problem),
                }
            }
            ClientMessage::RtcCandidate { call, candidate } => {
                let tab = Device::Tab(socket);
                let leg = self.calls.get(&call).and_then(|call| match &call.caller.person {
                    Some(own) if own.agent == agent => Some(call.caller.leg),
                    Some(_) | None => call.desks.get(&tab).map(|desk| desk.leg),
                });
                if let Some(leg) = leg {
                    self.media(Media::PeerCandidate { leg, candidate });
                }
                Ok(json!({}))
            }
            ClientMessage::Answer { offer } => {
                self.person_active(now, socket);
                self.answer(now, socket, agent, offer)
            }
            ClientMessage::Decline { offer } => {
                self.person_active(now, socket);
                self.decline(now, agent, offer)
            }
            ClientMessage::Hold { call } => self.hold(now, agent, call, true),
            ClientMessage::Resume { call } => self.hold(now, agent, call, false),
            ClientMessage::Mute { call } => self.mute(agent, call, true),
            ClientMessage::Unmute { call } => self.mute(agent, call, false),
            ClientMessage::HangUp { call } => self.hang_up_by(now, agent, call),
            ClientMessage::Digits { call, digits } => self.digits(now, agent, call, &digits),
            ClientMessage::WrapUpDone {} => self.wrap_up(now, Routing::WrapUpDone(agent)),
            ClientMessage::WrapUpExtend {} => self.wrap_up(now, Routing::WrapUpExtend(agent)),
            ClientMessage::Activity {} => {
                self.person_active(now, socket);
                Ok(json!({}))
            }
            ClientMessage::CallbackDone { call } => {
                self.person_active(now, socket);
                self.callback_dealt_with(now, agent, call)
            }
            ClientMessage::Note { call, text } => self.note(now, agent, call, text),
            ClientMessage::Dial { to, department, device, callback } => {
                self.person_active(now, socket);
                self.dial(now, socket, agent, &to, department, device.as_deref(), callback)
            }
            ClientMessage::Transfer { call, to, mode } => self.transfer(now, socket, agent, call, &to, mode),
            ClientMessage::TransferComplete { call } => self.transfer_complete(now, agent, call),
            ClientMessage::TransferCancel { call } => self.transfer_cancel(now, agent, call),
            ClientMessage::Swap { call } => self.swap(now, agent, call),
            ClientMessage::Park { call } => self.park(now, agent, call),
            ClientMessage::Take { call } => {
                self.person_active(now, socket);
                self.take(now, Device::Tab(socket), agent, call)
            }
            ClientMessage::Move { call, device } => self.move_to(now, agent, call, &device),
            ClientMessage::Record { call, on } => self.tape_pause(now, agent, call, on),
            ClientMessage::Disposition { call, disposition } => self.file_under(agent, call, disposition),
        };
        self.push(Effect::Reply { to: reply, result });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one command")]
    fn dial(
        &mut self,
        now: Millis,
        socket: SocketId,
        agent: AgentId,
        to: &str,
        department: Option<DepartmentId>,
        device: Option<&str>,
        callback: Option<CallId>,
    ) -> Result<Value, Problem> {
        let to = self.called(to)?;
        if let Called::Department(_) = to {
            return Err(
                Problem::new(ProblemCode::InvalidField, "A number or a colleague is called.").with("pointer", "/to")
            );
        }
        let device = match device {
            Some(name) => self.device_named(agent, name).ok_or_else(no_such_device)?,
            None => Device::Tab(socket),
        };
        let wish = Wish { to, department, device, callback, made_for: None, dialed: None };
        let call = self.place_call(now, agent, wish)?;
        Ok(json!({ "call": call }))
    }

    /// Files the call under one of the account's words.
    fn file_under(&mut self, agent: AgentId, id: CallId, word: Option<String>) -> Result<Value, Problem> {
        self.own(agent, id)?;
        let known = |word: &String| self.directory.telephony.dispositions.contains(word);
        if word.as_ref().is_some_and(|word| !known(word)) {
            let detail = "A call is filed under one of the account's words.";
            return Err(Problem::new(ProblemCode::InvalidField, detail).with("pointer", "/disposition"));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.disposition = word;
        }
        self.publish(id);
        Ok(json!({}))
    }

    fn own(&self, agent: AgentId, call: CallId) -> Result<(), Problem> {
        self.call_of(agent, call).map(drop).ok_or_else(call_ended)
    }

    fn own_offer(&self, agent: AgentId, offer: OfferId) -> Result<CallId, Problem> {
        if let Some(ringing) = self.offers.get(&offer) {
            return if ringing.agent == agent { Ok(ringing.call) } else { Err(offer_ended()) };
        }
        let won = self.calls.values().any(|call| call.won == Some(offer) && call.view.agent == Some(agent));
        let lost = self.calls.values().any(|call| call.lost.get(&offer) == Some(&agent));
        Err(match (won, lost) {
            (true, _) => answered_in_another_tab(),
            (false, true) => answered_elsewhere(),
            (false, false) => offer_ended(),
        })
    }

    pub(super) fn ring_confirmed(&mut self, now: Millis, agent: AgentId, offer: OfferId) -> Result<Value, Problem> {
        self.own_offer(agent, offer)?;
        if self.offers.get(&offer).is_some_and(|ringing| ringing.confirmed) {
            return Ok(json!({}));
        }
        self.try_route(now, Routing::OfferConfirmed(offer)).map_err(engine_problem)?;
        if let Some(ringing) = self.offers.get_mut(&offer) {
            // The full ring time begins with the confirmation, and the wait has grown until then.
            ringing.confirmed = true;
            ringing.ring.waited_ms += now.since(ringing.since);
            ringing.since = now;
        }
        Ok(json!({}))
    }

    fn browser_offer(
        &mut self,
        now: Millis,
        socket: SocketId,
        agent: AgentId,
        id: CallId,
        (sdp, takes): (String, bool),
        reply: ReplyTo,
    ) -> Result<(), Problem> {
        if sdp.len() > LONGEST_SDP {
            return Err(Problem::new(ProblemCode::TooLarge, "The browser's sound offer is too long."));
        }
        let rings_here = self.calls.get(&id).is_some_and(|call| call.offers.values().any(|rung| *rung == agent));
        let connected = self.call_of(agent, id).is_some();
        if !rings_here && !connected {
            return Err(call_ended());
        }
        let calls = self.calls.get_mut(&id).filter(|call| call.view.agent != Some(agent));
        if let Some(call) = calls
            && let Some(own) = call.caller.person.as_mut().filter(|own| own.agent == agent)
        {
            // The colleague who calls: their leg stays the same, whichever tab it is in.
            own.device = Device::Tab(socket);
            if own.reply.is_some() {
                return Err(still_unanswered());
            }
            own.reply = Some(reply);
            let leg = call.caller.leg;
            self.media(Media::PeerOffer { leg, sdp });
            return Ok(());
        }
        let tab = Device::Tab(socket);
        if connected {
            self.move_sound(now, id, socket, takes)?;
        }
        let leg = self.desk_leg_for(now, id, tab, agent).ok_or_else(call_ended)?;
        let desk = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&tab)).ok_or_else(call_ended)?;
        if desk.reply.is_some() {
            return Err(still_unanswered());
        }
        desk.reply = Some(reply);
        self.media(Media::PeerOffer { leg, sdp });
        Ok(())
    }

    fn answer(&mut self, now: Millis, socket: SocketId, agent: AgentId, offer: OfferId) -> Result<Value, Problem> {
        let id = self.own_offer(agent, offer)?;
        let before = self.calls.get_mut(&id).and_then(|call| call.desk.replace(Device::Tab(socket)));
        self.try_route(now, Routing::OfferAccepted(offer)).map_err(|error| {
            if let Some(call) = self.calls.get_mut(&id) {
                call.desk = before;
            }
            engine_problem(error)
        })?;
        Ok(json!({ "call": id }))
    }

    fn decline(&mut self, now: Millis, agent: AgentId, offer: OfferId) -> Result<Value, Problem> {
        self.own_offer(agent, offer)?;
        self.try_route(now, Routing::OfferDeclined(offer)).map_err(engine_problem)?;
        Ok(json!({}))
    }

    fn note(&mut self, now: Millis, agent: AgentId, id: CallId, text: String) -> Result<Value, Problem> {
        self.own(agent, id)?;
        if text.trim().is_empty() || text.chars().count() > LONGEST_NOTE {
            return Err(
                Problem::new(ProblemCode::InvalidField, "A note has 1 to 2,000 characters.").with("pointer", "/text")
            );
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.notes.push(Note { at: now, by: agent, text });
        }
        self.publish(id);
        Ok(json!({}))
    }
}

pub(super) fn call_ended() -> Problem {
    Problem::new(ProblemCode::CallEnded, "This call is over, or is not yours.")
}

fn offer_ended() -> Problem {
    Problem::new(ProblemCode::OfferEnded, "This call does not ring here any more.")
}

fn still_unanswered() -> Problem {
    Problem::new(ProblemCode::StillRunning, "The last sound offer of this tab has not been answered yet.")
}

pub(super) fn answered_in_another_tab() -> Problem {
    Problem::new(ProblemCode::AnsweredElsewhere, "This call was answered in another tab.")
}

pub(super) fn no_such_device() -> Problem {
    Problem::new(ProblemCode::InvalidField, "There is no such device now.").with("pointer", "/device")
}

fn answered_elsewhere() -> Problem {
    Problem::new(ProblemCode::AnsweredElsewhere, "This call was answered by somebody else.")
}

fn socket_closed() -> Problem {
    Problem::new(ProblemCode::InvalidRequest, "This connection has not said hello.")
}

pub(super) fn engine_problem(error: EngineError) -> Problem {
    match error {
        EngineError::OfferEnded | EngineError::UnknownCall => offer_ended(),
        EngineError::AnsweredElsewhere => answered_elsewhere(),
        EngineError::NotAllowed(verdict) => {
            Problem::new(ProblemCode::CallEnded, format!("This cannot be done while {}.", verdict.word()))
        }
        EngineError::NotMember => {
            Problem::new(ProblemCode::MissingRight, "This call waits for a department you are not a member of.")
        }
        EngineError::UnknownAgent | EngineError::UnknownDepartment => {
            Problem::new(ProblemCode::NotFound, "No such person or department.")
        }
    }
}
