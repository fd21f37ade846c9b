//! One call: its record, its legs and the step it is in.

use std::collections::BTreeMap;

use cordboard_media::{Command as Media, Source};
use cordboard_routing::Input as Routing;
use cordboard_shared::Millis;
use cordboard_shared::call::{
    CallCause, CallResult, CallState, CallStep, CallView, Direction, EndedBy, MOST_STEPS, MediaState, StepKind,
};
use cordboard_shared::event::{LiveCall, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, LegId, OfferId, RecordingId, TrunkId};
use cordboard_shared::phone::Extension;
use cordboard_sip::Command as Sip;

use super::device::Device;
use super::dial::Dialing;
use super::effect::{Audience, Effect};
use super::handover::Transfer;
use super::leg::SipLeg;
use super::park::Parked;
use super::tape::Tape;
use super::{CallCenter, FlowRun, Owner, ReplyTo};

/// Talk shorter than this is no message, in milliseconds.
const SHORTEST_MESSAGE_MS: u32 = 500;
/// A caller who hangs up within this time is a short abandon, in milliseconds.
const SHORT_ABANDON_MS: u64 = 10_000;

/// The far party: who called, or whom a person called outside. A colleague who calls has a device of their own there.
#[derive(Debug)]
pub(super) struct CallerLeg {
    pub(super) leg: LegId,
    /// The dialog with a phone; none for a colleague's browser.
    pub(super) sip: Option<SipLeg>,
    /// The colleague who calls.
    pub(super) person: Option<Own>,
}

impl CallerLeg {
    /// Whether sound may be sent: a 200 stands, or it is a browser.
    pub(super) fn accepted(&self) -> bool {
        self.sip.as_ref().is_none_or(|sip| sip.accepted)
    }
}

/// A colleague on the far side of a call among us.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) agent: AgentId,
    pub(super) device: Device,
    /// ICE and DTLS are up, or the desk phone is connected.
    pub(super) up: bool,
    /// The `rtc.offer` that waits for its answer.
    pub(super) reply: Option<ReplyTo>,
    pub(super) muted: bool,
    /// They have put the call on hold.
    pub(super) holds: bool,
    /// The call the engine knows them to be busy with; none in a consultation, where that is the call to be transferred.
    pub(super) busy: Option<CallId>,
}

/// A device's side of a call: the tab that sent `rtc.offer`, a desk phone, a mobile.
#[derive(Debug)]
pub(super) struct DeskLeg {
    pub(super) leg: LegId,
    /// ICE and DTLS are up, or the phone has answered.
    pub(super) up: bool,
    /// Whose device it is.
    pub(super) agent: AgentId,
    /// The `rtc.offer` that waits for its answer.
    pub(super) reply: Option<ReplyTo>,
    /// The dialog with a phone; none for a browser.
    pub(super) sip: Option<SipLeg>,
    /// What is to be called, until it is.
    pub(super) number: Option<cordboard_shared::phone::E164>,
    /// A mobile that has answered and has not pressed 1 yet; it hears the question until then.
    pub(super) asked_until: Option<Millis>,
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
    /// A person's own call: their device, then the other side.
    Dialing,
    /// Somebody answered; the sound is not up yet.
    Connecting,
    /// Two parties talk.
    Connected,
    /// Put where others can take it.
    Parked,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own: any mix of them occurs")]
pub(super) struct Call {
    pub(super) view: CallView,
    pub(super) rev: u64,
    pub(super) phase: Phase,
    pub(super) caller: CallerLeg,
    pub(super) desks: BTreeMap<Device, DeskLeg>,
    /// The offers that ring, and whom.
    pub(super) offers: BTreeMap<OfferId, AgentId>,
    /// The offers that somebody else's answer ended, for answers that come too late.
    pub(super) lost: BTreeMap<OfferId, AgentId>,
    /// The device that answered.
    pub(super) desk: Option<Device>,
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
    /// When it ends at the latest: the guard's limit of an outgoing call.
    pub(super) ends_at: Option<Millis>,
    /// The leg that sends nothing, and when that ends the call.
    pub(super) silent: Option<(LegId, Millis)>,
    pub(super) flow: Option<FlowRun>,
    /// The extension that was dialed with the number.
    pub(super) wanted: Option<Extension>,
    /// The engine was asked at the door, and is to be told when the caller's leg is gone.
    pub(super) knocked: bool,
    /// The id under which the engine routes it now, and whether it does.
    pub(super) routed: CallId,
    pub(super) in_engine: bool,
    /// Ledger entries it has.
    pub(super) decided: u32,
    /// The trunk it came by, and how many calls at once that may bring, this one included.
    pub(super) trunk: Option<(TrunkId, u32)>,
    /// Waits with music or an announcement; nobody rings.
    pub(super) in_line: bool,
    /// When the call joined a line.
    pub(super) queued_at: Option<Millis>,
    pub(super) mailbox: Option<String>,
    pub(super) play: Option<cordboard_media::PlayId>,
    /// Recordings whose files are not closed yet.
    pub(super) open_recordings: usize,
    /// The recording of the conversation.
    pub(super) tape: Option<Tape>,
    /// A person's call on its way out.
    pub(super) dialing: Option<Dialing>,
    pub(super) transfer: Option<Transfer>,
    pub(super) parked: Option<Parked>,
    /// The last keys pressed by the person on a desk phone: `*2` and an extension.
    pub(super) keys: String,
}

impl Call {
    /// A call that begins now.
    pub(super) fn new(view: CallView, caller: CallerLeg, phase: Phase) -> Self {
        Self {
            routed: view.uid,
            view,
            rev: 0,
            phase,
            caller,
            desks: BTreeMap::new(),
            offers: BTreeMap::new(),
            lost: BTreeMap::new(),
            desk: None,
            won: None,
            answered_by: None,
            joined_at: None,
            talked_ms: 0,
            muted: false,
            deadline: None,
            ends_at: None,
            silent: None,
            flow: None,
            wanted: None,
            knocked: false,
            in_engine: false,
            decided: 0,
            trunk: None,
            in_line: false,
            queued_at: None,
            mailbox: None,
            play: None,
            open_recordings: 0,
            tape: None,
            dialing: None,
            transfer: None,
            parked: None,
            keys: String::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The device's leg that has the conversation.
    pub(super) fn desk_leg(&self) -> Option<&DeskLeg> {
        self.desk.and_then(|device| self.desks.get(&device))
    }

    /// The colleague who calls.
    pub(super) fn calling_person(&self) -> Option<AgentId> {
        self.caller.person.as_ref().map(|own| own.agent)
    }

    /// Whether this person has the call: as the one who answered or calls out, or as the colleague who calls.
    pub(super) fn is_had_by(&self, agent: AgentId) -> bool {
        let near = self.view.agent == Some(agent)
            && matches!(self.phase, Phase::Dialing | Phase::Connecting | Phase::Connected);
        near || (self.calling_person() == Some(agent) && !self.is_over())
    }

    /// Who is shown this call now: those it rings, or the person who has it, and a colleague who calls.
    fn shown_to(&self) -> Vec<AgentId> {
        let mut agents: Vec<_> = if self.phase == Phase::Routing {
            self.offers.values().copied().collect()
        } else {
            self.view.agent.into_iter().collect()
        };
        agents.extend(self.calling_person());
        agents
    }

    /// The person in the record: while several ring it is nobody's call yet.
    pub(super) fn one_who_rings(&self) -> Option<AgentId> {
        let mut agents = self.offers.values();
        agents.next().copied().filter(|_| agents.next().is_none())
    }

    /// Whether the far side holds us.
    pub(super) fn far_holds(&self) -> bool {
        self.caller.sip.as_ref().is_some_and(SipLeg::holds_us)
            || self.caller.person.as_ref().is_some_and(|own| own.holds)
    }

    /// Whether our side holds the far one.
    pub(super) fn near_holds(&self) -> bool {
        self.view.state == CallState::Held
            || self.desk_leg().and_then(|desk| desk.sip.as_ref()).is_some_and(SipLeg::holds_us)
    }

    pub(super) fn media_state(&self) -> MediaState {
        match (&self.phase, self.desk_leg()) {
            (Phase::Connected, Some(desk)) if desk.up => MediaState::Open,
            (Phase::Connected, _) => MediaState::Lost,
            _ => MediaState::Gated,
        }
    }

    /// One line more of the call's journey.
    pub(super) fn step(&mut self, at: Millis, what: StepKind, agent: Option<AgentId>, text: Option<String>) {
        if self.view.steps.len() < MOST_STEPS {
            self.view.steps.push(CallStep { at, what, agent, text: text.map(Into::into) });
        }
    }

    /// Whether that person calls a colleague here.
    fn is_caller(&self, viewer: AgentId) -> bool {
        self.calling_person() == Some(viewer) && self.view.agent != Some(viewer)
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
        let shown: Vec<_> = call.shown_to().into_iter().map(|agent| (agent, self.live_for(call, agent))).collect();
        for (agent, live) in shown {
            let message = Box::new(ServerMessage::CallState(Box::new(live)));
            self.push(Effect::Live { to: Audience::Agent(agent), message });
        }
        self.floor_changed = true;
    }

    /// The call with the state of its sound, as this person's panel shows it.
    pub(super) fn live_for(&self, call: &Call, viewer: AgentId) -> LiveCall {
        let mut view = call.view.clone();
        // A message that is still being spoken cannot be played.
        view.recordings.retain(|recording| !recording.sha256.is_empty());
        let calls = call.is_caller(viewer);
        let party = if calls || view.direction == Direction::Outbound { &view.to } else { &view.from };
        let peer = party.name.clone().unwrap_or_else(|| party.number.clone());
        let own = call.caller.person.as_ref().filter(|_| calls);
        let (muted, device, held_by_peer) = match own {
            Some(own) => {
                // The colleague's own hold is theirs; the other's is the peer's.
                let theirs = call.near_holds();
                let talks = matches!(view.state, CallState::Connected | CallState::Held);
                if talks {
                    view.state = if own.holds { CallState::Held } else { CallState::Connected };
                }
                (own.muted, Some(own.device), talks && theirs)
            }
            None => (call.muted, call.desk, call.far_holds()),
        };
        let media = match own {
            Some(own) if own.up && call.phase == Phase::Connected => MediaState::Open,
            Some(_) if call.phase == Phase::Connected => MediaState::Lost,
            Some(_) => MediaState::Gated,
            None => call.media_state(),
        };
        LiveCall {
            call: view,
            media,
            muted,
            peer,
            quality: None,
            held_by_peer,
            recording: call.tape.as_ref().map(Tape::state).unwrap_or_default(),
            transfer: call.transfer.as_ref().filter(|it| it.by == viewer).map(Transfer::view),
            device: device.map(|device| self.device_name(device)),
        }
    }

    /// One line more of a call's journey.
    pub(super) fn step(&mut self, now: Millis, id: CallId, what: StepKind, agent: Option<AgentId>) {
        self.step_with(now, id, what, agent, None);
    }

    pub(super) fn step_with(
        &mut self,
        now: Millis,
        id: CallId,
        what: StepKind,
        agent: Option<AgentId>,
        text: Option<String>,
    ) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.step(now, what, agent, text);
        }
    }

    /// Sends 180 once.
    pub(super) fn ring_back(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let leg = call.caller.leg;
        match call.caller.sip.as_mut() {
            // Nobody is on the line yet.
            Some(sip) if sip.outgoing && !sip.accepted => {}
            Some(sip) if !sip.accepted => {
                if !std::mem::replace(&mut sip.ringing, true) {
                    let dialog = sip.dialog;
                    self.sip(Sip::Progress { dialog, status: 180, sdp: None });
                }
            }
            // A caller who was handed over hears music.
            Some(_) | None if call.transfer.is_some() => self.music(id),
            Some(_) | None => {
                let clip = self.sounds.ringback.clone();
                self.media(Media::Hear { leg, source: Source::Loop { clip } });
            }
        }
    }

    /// Ends a call from our side: BYE, or a final response when it was never answered.
    pub(super) fn hang_up(&mut self, now: Millis, id: CallId, by: EndedBy, status: u16) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.is_over() {
            return;
        }
        if let Some(sip) = call.caller.sip.as_mut() {
            let (ending, answered) = (sip.ending(status), sip.accepted || sip.outgoing);
            sip.gone = true;
            if let Some(ending) = ending {
                self.sip(ending);
                if !answered {
                    self.set_status(id, status);
                }
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
        call.ends_at = None;
        call.silent = None;
        call.view.ended_by = Some(by);
        let transfer = call.transfer.take();
        let (routed, in_engine) = (call.routed, std::mem::take(&mut call.in_engine));
        let busy = call.caller.person.as_ref().and_then(|own| own.busy);
        let made_for = call.view.made_for;
        if in_engine {
            let over = if phase == Phase::Routing { Routing::CallerGone(routed) } else { Routing::CallEnded(routed) };
            self.route(now, over);
        }
        if let Some(busy) = busy {
            self.route(now, Routing::CallEnded(busy));
        }
        if self.calls.get(&id).is_some_and(|call| call.knocked) {
            self.route(now, Routing::CallReleased(id));
        }
        self.routes.retain(|_, to| *to != id);
        self.tape_ends(id);
        self.close_legs(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        close_view(call, &phase, now);
        let waits_for_file = call.open_recordings > 0;
        self.publish(id);
        if !waits_for_file {
            self.file(id);
        }
        if let Some(consult) = transfer.and_then(|transfer| transfer.consult) {
            // The caller who was to be transferred is gone: the two colleagues talk on, if they do.
            if let Some(call) = self.calls.get_mut(&consult) {
                call.view.made_for = None;
            }
            self.consult_alone(now, consult);
        }
        self.consult_over(now, id, made_for);
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
        let message = ServerMessage::CallLogged(Box::new(view.clone()));
        let (view_agent, department) = (view.agent, view.department);
        self.push(Effect::Live { to, message: Box::new(message.clone()) });
        if let Some(caller) = call.caller.person.map(|own| own.agent)
            && !self.directory.may_see_call(caller, department, view_agent)
        {
            self.push(Effect::Live { to: Audience::Agent(caller), message: Box::new(message) });
        }
    }

    fn close_legs(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(sip) = &call.caller.sip {
            self.dialogs.remove(&sip.dialog);
        }
        let leg = call.caller.leg;
        let reply = call.caller.person.as_mut().and_then(|own| own.reply.take());
        self.drop_desks(id, None);
        self.legs.remove(&leg);
        self.media(Media::Remove { leg });
        if let Some(to) = reply {
            self.push(Effect::Reply { to, result: Err(super::panel::call_ended()) });
        }
    }

    /// Removes the devices' legs of a call, but for one.
    pub(super) fn drop_desks(&mut self, id: CallId, keep: Option<Device>) {
        self.drop_desks_if(id, |device, _| Some(device) != keep);
    }

    /// Removes the devices' legs of one person.
    pub(super) fn drop_desks_of(&mut self, id: CallId, agent: AgentId) {
        self.drop_desks_if(id, |_, desk| desk.agent == agent);
    }

    fn drop_desks_if(&mut self, id: CallId, goes: impl Fn(Device, &DeskLeg) -> bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let gone: Vec<_> = call.desks.iter().filter(|(device, desk)| goes(**device, desk)).map(|(it, _)| *it).collect();
        for device in gone {
            self.drop_desk(id, device, 487);
        }
    }

    /// Ends one device's leg: CANCEL or BYE for a phone.
    pub(super) fn drop_desk(&mut self, id: CallId, device: Device, status: u16) {
        let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.remove(&device)) else { return };
        self.legs.remove(&desk.leg);
        if let Some(sip) = &desk.sip {
            self.dialogs.remove(&sip.dialog);
            if let Some(ending) = sip.ending(status) {
                self.sip(ending);
            }
        }
        self.media(Media::Remove { leg: desk.leg });
        if let Some(to) = desk.reply {
            self.push(Effect::Reply { to, result: Err(super::panel::call_ended()) });
        }
    }

    /// A browser's leg of a call, made on first use.
    pub(super) fn desk_leg_for(&mut self, now: Millis, id: CallId, device: Device, agent: AgentId) -> Option<LegId> {
        if let Some(desk) = self.calls.get(&id)?.desks.get(&device) {
            return Some(desk.leg);
        }
        let leg = LegId::new(now, self.random_bytes());
        let desk = DeskLeg { leg, up: false, agent, reply: None, sip: None, number: None, asked_until: None };
        self.calls.get_mut(&id)?.desks.insert(device, desk);
        self.legs.insert(leg, Owner::Desk(id, device));
        Some(leg)
    }

    /// The call this person has, if any.
    pub(super) fn call_of(&self, agent: AgentId, id: CallId) -> Option<&Call> {
        self.calls.get(&id).filter(|call| call.is_had_by(agent))
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
    if view.direction != Direction::Outbound {
        view.agent = None;
    }
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
        Phase::Dialing
        | Phase::Connecting
        | Phase::Connected
        | Phase::Parked
        | Phase::Voicemail(_)
        | Phase::Farewell
        | Phase::Over => None,
    });
}
