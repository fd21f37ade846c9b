//! What panels ask for in calls.

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{EngineError, Input as Routing};
use cordboard_shared::call::{CallState, EndedBy, Note};
use cordboard_shared::event::ClientMessage;
use cordboard_shared::id::{AgentId, CallId, OfferId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::record::Phase;
use super::{CallCenter, Effect, ReplyTo, SocketId};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 2_000;
/// Most keys sent at once.
const MOST_DIGITS: usize = 32;
/// For so long after an answer another tab's sound offer is taken for one that was on its way, in milliseconds.
const SETTLING_MS: u64 = 2_000;
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
            ClientMessage::RtcOffer { call, sdp } => match self.browser_offer(now, socket, agent, call, sdp, reply) {
                Ok(()) => return,
                Err(problem) => Err(problem),
            },
            ClientMessage::RtcCandidate { call, candidate } => {
                let leg = self.calls.get(&call).and_then(|call| call.desks.get(&socket)).map(|desk| desk.leg);
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
            ClientMessage::Hold { call } => self.hold(agent, call),
            ClientMessage::Resume { call } => self.resume(agent, call),
            ClientMessage::Mute { call } => self.mute(agent, call, Microphone::Muted),
            ClientMessage::Unmute { call } => self.mute(agent, call, Microphone::Open),
            ClientMessage::HangUp { call } => self.own(agent, call).map(|()| {
                self.hang_up(now, call, EndedBy::Agent, 480);
                json!({})
            }),
            ClientMessage::Digits { call, digits } => self.digits(agent, call, digits),
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
            ClientMessage::Dial { .. }
            | ClientMessage::Transfer { .. }
            | ClientMessage::TransferComplete { .. }
            | ClientMessage::TransferCancel { .. }
            | ClientMessage::Swap { .. }
            | ClientMessage::Park { .. }
            | ClientMessage::Take { .. }
            | ClientMessage::Move { .. }
            | ClientMessage::Record { .. }
            | ClientMessage::Disposition { .. } => {
                Err(Problem::new(ProblemCode::InvalidRequest, "This server cannot do that yet."))
            }
        };
        self.push(Effect::Reply { to: reply, result });
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

    fn ring_confirmed(&mut self, now: Millis, agent: AgentId, offer: OfferId) -> Result<Value, Problem> {
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
        sdp: String,
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
        if connected {
            self.move_sound(now, id, socket)?;
        }
        let leg = self.desk_leg_for(now, id, socket, agent).ok_or_else(call_ended)?;
        let desk = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&socket)).ok_or_else(call_ended)?;
        if desk.reply.is_some() {
            let detail = "The last sound offer of this tab has not been answered yet.";
            return Err(Problem::new(ProblemCode::StillRunning, detail));
        }
        desk.reply = Some(reply);
        self.media(Media::PeerOffer { leg, sdp });
        Ok(())
    }

    /// The call's sound moves to this tab: from a reloaded page, another tab or another computer. The caller hears music
    /// until it is up; if it never is, the call goes back to the head of the line.
    fn move_sound(&mut self, now: Millis, id: CallId, socket: SocketId) -> Result<(), Problem> {
        let Some(call) = self.calls.get_mut(&id) else { return Err(call_ended()) };
        if call.desk == Some(socket) {
            return Ok(());
        }
        let held_elsewhere = call.desk.is_some_and(|desk| self.sockets.contains_key(&desk));
        let just_answered = call.joined_at.is_some_and(|at| now.since(at) < SETTLING_MS);
        if held_elsewhere && (call.phase == Phase::Connecting || just_answered) {
            // Sent while it rang, and overtaken by the Answer of another tab: no wish to move anything.
            return Err(answered_in_another_tab());
        }
        call.desk = Some(socket);
        call.deadline.get_or_insert(now + super::REJOIN_MS);
        let (leg, clip) = (call.caller.leg, self.sounds.music.clone());
        self.media(Media::Hear { leg, source: Source::Loop { clip } });
        self.drop_desks(id, Some(socket));
        self.show(id);
        Ok(())
    }

    fn answer(&mut self, now: Millis, socket: SocketId, agent: AgentId, offer: OfferId) -> Result<Value, Problem> {
        let id = self.own_offer(agent, offer)?;
        let before = self.calls.get_mut(&id).and_then(|call| call.desk.replace(socket));
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

    fn hold(&mut self, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        self.own(agent, id)?;
        let Some(call) = self.calls.get_mut(&id) else { return Err(call_ended()) };
        call.view.state = CallState::Held;
        let (caller, desk) = (call.caller.leg, call.desk_leg().map(|desk| desk.leg));
        let clip = self.sounds.music.clone();
        self.media(Media::Hear { leg: caller, source: Source::Loop { clip } });
        if let Some(leg) = desk {
            self.media(Media::Hear { leg, source: Source::Silence });
        }
        self.publish(id);
        Ok(json!({}))
    }

    fn resume(&mut self, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        self.own(agent, id)?;
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.state = CallState::Connected;
        }
        self.try_join(id);
        self.publish(id);
        Ok(json!({}))
    }

    fn mute(&mut self, agent: AgentId, id: CallId, microphone: Microphone) -> Result<Value, Problem> {
        self.own(agent, id)?;
        let Some(call) = self.calls.get_mut(&id) else { return Err(call_ended()) };
        call.muted = microphone == Microphone::Muted;
        let open = call.phase == Phase::Connected && !call.muted;
        if let Some(leg) = call.desk_leg().map(|desk| desk.leg) {
            self.media(Media::Gate { leg, open });
        }
        self.show(id);
        Ok(json!({}))
    }

    fn digits(&mut self, agent: AgentId, id: CallId, digits: String) -> Result<Value, Problem> {
        self.own(agent, id)?;
        let valid = digits.len() <= MOST_DIGITS && digits.chars().all(|it| matches!(it, '0'..='9' | '*' | '#'));
        if !valid {
            return Err(Problem::new(ProblemCode::InvalidField, "Keys are 0 to 9, * and #, at most 32 at once.")
                .with("pointer", "/digits"));
        }
        if let Some(leg) = self.calls.get(&id).map(|call| call.caller.leg) {
            self.media(Media::SendDigits { leg, digits });
        }
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Microphone {
    Muted,
    Open,
}

pub(super) fn call_ended() -> Problem {
    Problem::new(ProblemCode::CallEnded, "This call is over, or is not yours.")
}

fn offer_ended() -> Problem {
    Problem::new(ProblemCode::OfferEnded, "This call does not ring here any more.")
}

fn answered_in_another_tab() -> Problem {
    Problem::new(ProblemCode::AnsweredElsewhere, "This call was answered in another tab.")
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
