//! One call: its record, its legs and the step it is in.

use std::collections::BTreeMap;

use cordboard_media::{Command as Media, Source};
use cordboard_routing::Input as Routing;
use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, EndedBy, MediaState, RecordingState};
use cordboard_shared::event::{LiveCall, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, LegId, OfferId, RecordingId};
use cordboard_sip::sdp::{NegotiatedAudio, SessionDescription};
use cordboard_sip::{Command as Sip, DialogId};

use super::effect::{Audience, Effect};
use super::{CallCenter, FlowRun, Owner, ReplyTo, SocketId};

/// Talk shorter than this is no message, in milliseconds.
const SHORTEST_MESSAGE_MS: u32 = 500;
/// A caller who hangs up within this time is a short abandon, in milliseconds.
const SHORT_ABANDON_MS: u64 = 10_000;

/// The caller's side.
#[derive(Debug)]
pub(super) struct CallerLeg {
    pub(super) dialog: DialogId,
    pub(super) leg: LegId,
    /// Their offer; none when the INVITE asked for ours.
    pub(super) offer: Option<SessionDescription>,
    /// What was negotiated, once it was.
    pub(super) audio: Option<NegotiatedAudio>,
    /// Our address, once its sockets are open.
    pub(super) local: Option<std::net::SocketAddr>,
    /// 200 was sent.
    pub(super) accepted: bool,
    /// 180 was sent.
    pub(super) ringing: bool,
    /// The far side hung up, or we did.
    pub(super) gone: bool,
    /// Rises with each description we send (RFC 3264 §8).
    pub(super) sdp_version: u64,
}

impl CallerLeg {
    /// Session id and version of the next description: the id stays, the version rises (RFC 3264 §8).
    pub(super) fn next_description(&mut self) -> (u64, u64) {
        self.sdp_version += 1;
        (u64::try_from(self.leg.0.as_u128() >> 66).unwrap_or(1), self.sdp_version)
    }
}

/// A browser's side: the tab that sent `rtc.offer`.
#[derive(Debug)]
pub(super) struct DeskLeg {
    pub(super) leg: LegId,
    /// ICE and DTLS are up.
    pub(super) up: bool,
    /// Whose tab it is.
    pub(super) agent: AgentId,
    /// The `rtc.offer` that waits for its answer.
    pub(super) reply: Option<ReplyTo>,
}

/// The step a call is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The caller's sockets are being opened.
    Opening,
    /// In a menu or a message.
    Flow,
    /// The engine has it: waiting or ringing.
    Routing,
    /// Somebody answered; the sound is not up yet.
    Connecting,
    /// Two parties talk.
    Connected,
    /// In a voicemail box.
    Voicemail(VoicemailStep),
    /// A last prompt, then the end.
    Farewell,
    /// Over; perhaps a recording is still being closed.
    Over,
}

/// The steps of leaving a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum VoicemailStep {
    /// The greeting plays.
    Greeting,
    /// The beep plays.
    Beep,
    /// The caller speaks.
    Recording(RecordingId),
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) view: CallView,
    pub(super) rev: u64,
    pub(super) phase: Phase,
    pub(super) caller: CallerLeg,
    pub(super) desks: BTreeMap<SocketId, DeskLeg>,
    /// The offers that ring, and whom.
    pub(super) offers: BTreeMap<OfferId, AgentId>,
    /// The offers that somebody else's answer ended, for answers that come too late.
    pub(super) lost: BTreeMap<OfferId, AgentId>,
    /// The tab that answered.
    pub(super) desk: Option<SocketId>,
    /// The offer that won, for tabs that come too late.
    pub(super) won: Option<OfferId>,
    /// Who answered last.
    pub(super) answered_by: Option<AgentId>,
    /// When the present conversation began.
    pub(super) joined_at: Option<Millis>,
    /// Talk of conversations before the present one, in milliseconds.
    pub(super) talked_ms: u64,
    pub(super) muted: bool,
    pub(super) deadline: Option<Millis>,
    pub(super) flow: Option<FlowRun>,
    /// The engine was asked at the door, and is to be told when the caller's leg is gone.
    pub(super) knocked: bool,
    /// Calls at once that its trunk may bring, this one included.
    pub(super) most_calls: usize,
    /// Waits with music or an announcement; nobody rings.
    pub(super) in_line: bool,
    /// When the call joined a line.
    pub(super) queued_at: Option<Millis>,
    pub(super) mailbox: Option<String>,
    pub(super) play: Option<cordboard_media::PlayId>,
    /// Recordings whose files are not closed yet.
    pub(super) open_recordings: usize,
}

impl Call {
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The browser leg that has the conversation.
    pub(super) fn desk_leg(&self) -> Option<&DeskLeg> {
        self.desk.and_then(|socket| self.desks.get(&socket))
    }

    /// Who is shown this call now: those it rings, or the person who has it.
    fn shown_to(&self) -> Vec<AgentId> {
        if self.phase == Phase::Routing {
            self.offers.values().copied().collect()
        } else {
            self.view.agent.into_iter().collect()
        }
    }

    /// The person in the record: while several ring it is nobody's call yet.
    pub(super) fn one_who_rings(&self) -> Option<AgentId> {
        let mut agents = self.offers.values();
        agents.next().copied().filter(|_| agents.next().is_none())
    }

    pub(super) fn media_state(&self) -> MediaState {
        match (&self.phase, self.desk_leg()) {
            (Phase::Connected, Some(desk)) if desk.up => MediaState::Open,
            (Phase::Connected, _) => MediaState::Lost,
            _ => MediaState::Gated,
        }
    }

    /// The call with the state of its sound, as a panel shows it.
    pub(super) fn live(&self) -> LiveCall {
        let from = &self.view.from;
        let mut call = self.view.clone();
        // A message that is still being spoken cannot be played.
        call.recordings.retain(|recording| !recording.sha256.is_empty());
        LiveCall {
            call,
            media: self.media_state(),
            muted: self.muted,
            peer: from.name.clone().unwrap_or_else(|| from.number.clone()),
            quality: None,
            held_by_peer: false,
            recording: RecordingState::Off,
            transfer: None,
            device: None,
        }
    }
}

impl CallCenter {
    /// Writes the call's record and shows it to those it rings, or the person who has it.
    pub(super) fn publish(&mut self, id: CallId) {
        self.changed.remove(&id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.rev += 1;
        call.view.version = format!("1.{}", call.rev);
        let view = call.view.clone();
        self.push(Effect::SaveCall(Box::new(view)));
        self.show(id);
    }

    /// Shows the call without a new version of the record.
    pub(super) fn show(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let live = call.live();
        for agent in call.shown_to() {
            let message = Box::new(ServerMessage::CallState(Box::new(live.clone())));
            self.push(Effect::Live { to: Audience::Agent(agent), message });
        }
    }

    /// Sends 180 once.
    pub(super) fn ring_back(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let caller = &mut call.caller;
        if caller.accepted {
            let (leg, clip) = (caller.leg, self.sounds.ringback.clone());
            self.media(Media::Hear { leg, source: Source::Loop { clip } });
        } else if !caller.ringing {
            caller.ringing = true;
            let dialog = caller.dialog;
            self.sip(Sip::Progress { dialog, status: 180, sdp: None });
        }
    }

    /// Ends a call from our side: BYE, or a final response when it was never answered.
    pub(super) fn hang_up(&mut self, now: Millis, id: CallId, by: EndedBy, status: u16) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.is_over() {
            return;
        }
        let (dialog, accepted) = (call.caller.dialog, call.caller.accepted);
        if !call.caller.gone {
            call.caller.gone = true;
            if accepted {
                self.sip(Sip::HangUp { dialog });
            } else {
                self.sip(Sip::Reject { dialog, status, retry_after: None, reason: None });
                self.set_status(id, status);
            }
        }
        self.finish(now, id, by);
    }

    pub(super) fn set_status(&mut self, id: CallId, status: u16) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.sip_status = Some(status);
        }
    }

    /// The call is over: legs end, the engine lets go, the record is closed.
    pub(super) fn finish(&mut self, now: Millis, id: CallId, by: EndedBy) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.is_over() {
            return;
        }
        let phase = std::mem::replace(&mut call.phase, Phase::Over);
        call.deadline = None;
        call.view.ended_by = Some(by);
        match phase {
            Phase::Routing => self.route(now, Routing::CallerGone(id)),
            Phase::Connecting | Phase::Connected => self.route(now, Routing::CallEnded(id)),
            Phase::Opening | Phase::Flow | Phase::Voicemail(_) | Phase::Farewell | Phase::Over => {}
        }
        if self.calls.get(&id).is_some_and(|call| call.knocked) {
            self.route(now, Routing::CallReleased(id));
        }
        self.close_legs(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        close_view(call, &phase, now);
        let waits_for_file = call.open_recordings > 0;
        self.publish(id);
        if !waits_for_file {
            self.file(id);
        }
    }

    /// The record is complete: everybody who may see the call gets it.
    pub(super) fn file(&mut self, id: CallId) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let view = &mut call.view;
        view.recordings.retain(|recording| !recording.sha256.is_empty());
        if view.result == Some(CallResult::Voicemail) && !view.recordings.iter().any(|it| it.ms >= SHORTEST_MESSAGE_MS)
        {
            view.result = Some(CallResult::Missed);
        }
        call.rev += 1;
        view.version = format!("1.{}", call.rev);
        self.push(Effect::SaveCall(Box::new(view.clone())));
        let to = Audience::Call { department: view.department, agent: view.agent };
        let message = Box::new(ServerMessage::CallLogged(Box::new(view.clone())));
        self.push(Effect::Live { to, message });
    }

    fn close_legs(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let dialog = call.caller.dialog;
        let mut legs = vec![call.caller.leg];
        let mut replies = Vec::new();
        for (_, desk) in std::mem::take(&mut call.desks) {
            legs.push(desk.leg);
            replies.extend(desk.reply);
        }
        self.dialogs.remove(&dialog);
        for leg in legs {
            self.legs.remove(&leg);
            self.media(Media::Remove { leg });
        }
        for reply in replies {
            self.push(Effect::Reply { to: reply, result: Err(super::panel::call_ended()) });
        }
    }

    /// Removes the browser legs of a call, but for one.
    pub(super) fn drop_desks(&mut self, id: CallId, keep: Option<SocketId>) {
        self.drop_desks_if(id, |socket, _| Some(socket) != keep);
    }

    /// Removes the browser legs of one person.
    pub(super) fn drop_desks_of(&mut self, id: CallId, agent: AgentId) {
        self.drop_desks_if(id, |_, desk| desk.agent == agent);
    }

    fn drop_desks_if(&mut self, id: CallId, goes: impl Fn(SocketId, &DeskLeg) -> bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let gone: Vec<_> = call.desks.iter().filter(|(socket, desk)| goes(**socket, desk)).map(|(it, _)| *it).collect();
        for socket in gone {
            let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.remove(&socket)) else { continue };
            self.legs.remove(&desk.leg);
            self.media(Media::Remove { leg: desk.leg });
            if let Some(to) = desk.reply {
                self.push(Effect::Reply { to, result: Err(super::panel::call_ended()) });
            }
        }
    }

    /// A browser leg of a call, made on first use.
    pub(super) fn desk_leg_for(&mut self, now: Millis, id: CallId, socket: SocketId, agent: AgentId) -> Option<LegId> {
        if let Some(desk) = self.calls.get(&id)?.desks.get(&socket) {
            return Some(desk.leg);
        }
        let leg = LegId::new(now, self.random_bytes());
        self.calls.get_mut(&id)?.desks.insert(socket, DeskLeg { leg, up: false, agent, reply: None });
        self.legs.insert(leg, Owner::Desk(id, socket));
        Some(leg)
    }

    /// The call this person has, if any.
    pub(super) fn call_of(&self, agent: AgentId, id: CallId) -> Option<&Call> {
        self.calls
            .get(&id)
            .filter(|call| call.view.agent == Some(agent) && matches!(call.phase, Phase::Connecting | Phase::Connected))
    }
}

/// Fills in what is known at the end.
fn close_view(call: &mut Call, phase: &Phase, now: Millis) {
    let queued_at = call.queued_at;
    let talk_ms = call.talked_ms + call.joined_at.map_or(0, |at| now.since(at));
    let view = &mut call.view;
    view.state = CallState::Ended;
    view.ended_at = Some(now);
    if view.answered_at.is_some() {
        view.result = Some(CallResult::Answered);
        view.agent = view.agent.or(call.answered_by);
        view.talk_ms = talk_ms;
        view.cause = None;
        return;
    }
    view.agent = None;
    view.waited_ms = now.since(queued_at.unwrap_or(view.started_at));
    if view.result.is_some() {
        return;
    }
    view.result = Some(CallResult::Missed);
    let short = now.since(view.started_at) < SHORT_ABANDON_MS;
    view.cause = view.cause.or(match phase {
        Phase::Opening | Phase::Flow => Some(CallCause::AbandonedInIvr),
        Phase::Routing if short => Some(CallCause::ShortAbandoned),
        Phase::Routing => Some(CallCause::AbandonedInQueue),
        Phase::Connecting | Phase::Connected | Phase::Voicemail(_) | Phase::Farewell | Phase::Over => None,
    });
}
