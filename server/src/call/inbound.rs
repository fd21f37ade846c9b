//! From the INVITE to the number's destination, and the SIP side of a running call.

use cordboard_media::{Command as Media, Event as MediaEvent};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, Direction, EndedBy, Party};
use cordboard_shared::department::Destination;
use cordboard_shared::id::{AgentId, CallId, LegId};
use cordboard_shared::phone::E164;
use cordboard_shared::telephony::{Encryption, Trunk};
use cordboard_sip::endpoint::{EndCause, IncomingCall, relayable};
use cordboard_sip::sdp::SessionDescription;
use cordboard_sip::{Command as Sip, Event as SipEvent};

use super::command::FromMedia;
use super::device::Device;
use super::dial::Wish;
use super::flow::dial::number_and_extension;
use super::leg::SipLeg;
use super::record::{Call, CallerLeg, DeskLeg, Phase};
use super::test_call::TEST_HEADER;
use super::{CallCenter, Effect, Owner};

/// What stands in the place of a number that was withheld.
pub(super) const WITHHELD: &str = "anonymous";

impl CallCenter {
    pub(super) fn sip_event(&mut self, now: Millis, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.incoming(now, &incoming),
            SipEvent::Cancelled { dialog } => self.cancelled(now, dialog),
            SipEvent::Confirmed { dialog, sdp } => self.confirmed(now, dialog, sdp.as_deref()),
            SipEvent::Reinvite { dialog, sdp } => self.reinvite(dialog, sdp.as_deref()),
            SipEvent::Info { dialog, content_type, body } => {
                if let Some(digit) = info_digit(&content_type, &body) {
                    match self.dialogs.get(&dialog).copied() {
                        Some(Owner::Caller(call)) => self.caller_digit(now, call, digit),
                        Some(Owner::Desk(call, device)) => self.desk_digit(now, call, device, digit),
                        Some(Owner::TestCaller(_)) | None => {}
                    }
                }
            }
            SipEvent::OfferAnswered { dialog, sdp } => self.offer_answered(dialog, sdp.as_deref()),
            // The session stays as it was: a phone that cannot be told of a hold hears the music all the same.
            SipEvent::OfferRefused { .. } | SipEvent::ReferProgress { .. } | SipEvent::TrunkState { .. } => {}
            SipEvent::Registered { username, contacts } => self.registered(now, &username, contacts),
            SipEvent::Unregistered { username } => self.registered(now, &username, 0),
            SipEvent::Refer(asked) => self.refer(now, &asked),
            SipEvent::Progress { dialog, sdp, .. } => match self.dialogs.get(&dialog).copied() {
                Some(Owner::Caller(id)) => self.far_progress(id, sdp.as_deref()),
                Some(Owner::Desk(id, device)) => self.device_rings(now, id, device),
                // Early media of a test call is not played.
                Some(Owner::TestCaller(_)) | None => {}
            },
            SipEvent::Redirected { dialog, status, contacts } => match self.dialogs.get(&dialog).copied() {
                Some(Owner::Caller(id)) => self.far_redirected(now, id, status, &contacts),
                Some(owner @ Owner::Desk(id, device)) => {
                    self.leg_gone(owner);
                    self.desk_failed(now, id, device, 480);
                }
                Some(Owner::TestCaller(dialog)) => self.test_failed(dialog, status),
                None => {}
            },
            SipEvent::Answered { dialog, sdp } => match self.dialogs.get(&dialog).copied() {
                Some(Owner::Caller(id)) => self.caller_answered(now, id, sdp.as_deref()),
                Some(Owner::Desk(id, device)) => self.device_answered(now, id, device, sdp.as_deref()),
                Some(Owner::TestCaller(dialog)) => self.test_answered(now, dialog, sdp.as_deref()),
                // Withdrawn meanwhile: the endpoint hangs up what crossed.
                None => self.sip(Sip::HangUp { dialog }),
            },
            SipEvent::Failed { dialog, status, cause } => match self.dialogs.get(&dialog).copied() {
                Some(owner @ Owner::Caller(id)) => {
                    self.leg_gone(owner);
                    if self.calls.get(&id).is_some_and(|call| call.calling_person().is_some()) {
                        self.own_device_failed(now, id);
                    } else {
                        self.far_failed(now, id, status, cause);
                    }
                }
                Some(owner @ Owner::Desk(id, device)) => {
                    self.leg_gone(owner);
                    self.desk_failed(now, id, device, status);
                }
                Some(Owner::TestCaller(dialog)) => self.test_failed(dialog, status),
                None => {}
            },
            SipEvent::Ended { dialog, cause } => match self.dialogs.get(&dialog).copied() {
                Some(Owner::TestCaller(dialog)) => self.test_over(dialog),
                Some(Owner::Caller(_)) => {
                    let by = match cause {
                        EndCause::RemoteBye => EndedBy::Caller,
                        EndCause::LocalBye => EndedBy::System,
                        EndCause::NoAck | EndCause::Timeout | EndCause::Gone | EndCause::Expired => EndedBy::Carrier,
                    };
                    self.caller_left(now, dialog, by);
                }
                Some(owner @ Owner::Desk(id, device)) => {
                    self.leg_gone(owner);
                    self.desk_left(now, id, device);
                }
                None => {}
            },
        }
    }

    /// Nothing more comes from this dialog, and nothing is to be sent in it.
    fn leg_gone(&mut self, owner: Owner) {
        if let Some((sip, _)) = self.sip_leg(owner) {
            sip.gone = true;
        }
    }

    /// The INVITE of ours to the far leg was answered: by whom a person calls, or by the person's own phone.
    fn caller_answered(&mut self, now: Millis, id: CallId, sdp: Option<&[u8]>) {
        if self.calls.get(&id).is_none_or(|call| call.calling_person().is_none()) {
            return self.far_answered(now, id, sdp);
        }
        let Some((sip, leg)) = self.sip_leg(Owner::Caller(id)) else { return };
        sip.accepted = true;
        let params = sdp.and_then(|sdp| sip.take_answer(sdp));
        let Some(params) = params else { return self.own_device_failed(now, id) };
        self.media(Media::UpdateRtp { leg, params });
        if let Some(own) = self.calls.get_mut(&id).and_then(|call| call.caller.person.as_mut()) {
            own.up = true;
        }
        self.own_device_up(now, id);
    }

    /// The phone on our side hung up.
    fn desk_left(&mut self, now: Millis, id: CallId, device: Device) {
        let Some(call) = self.calls.get(&id) else { return };
        if call.desk != Some(device) {
            return self.desk_failed(now, id, device, 603);
        }
        match call.view.agent {
            Some(agent) if device != Device::Outside => drop(self.hang_up_by(now, agent, id)),
            Some(_) | None => self.hang_up(now, id, EndedBy::Agent, 480),
        }
    }

    /// The caller gave up before our 200 left: whatever was decided meanwhile, nobody has talked.
    fn cancelled(&mut self, now: Millis, dialog: cordboard_sip::DialogId) {
        match self.dialogs.get(&dialog).copied() {
            Some(owner @ Owner::Caller(id)) => {
                if let Some((sip, _)) = self.sip_leg(owner) {
                    sip.accepted = false;
                }
                if let Some(call) = self.calls.get_mut(&id) {
                    call.view.answered_at = None;
                    call.view.result = None;
                }
                self.caller_left(now, dialog, EndedBy::Caller);
            }
            // The own desk phone has dialed, and given up.
            Some(owner @ Owner::Desk(id, device)) => {
                self.leg_gone(owner);
                self.desk_left(now, id, device);
            }
            Some(Owner::TestCaller(_)) | None => {}
        }
    }

    fn caller_left(&mut self, now: Millis, dialog: cordboard_sip::DialogId, by: EndedBy) {
        let Some(Owner::Caller(id)) = self.dialogs.get(&dialog).copied() else { return };
        if let Some((sip, _)) = self.sip_leg(Owner::Caller(id)) {
            sip.gone = true;
            let unanswered = !sip.accepted;
            if unanswered {
                self.set_status(id, 487);
            }
        }
        if let Some(agent) = self.calls.get(&id).and_then(super::record::Call::calling_person)
            && by == EndedBy::Caller
        {
            // A colleague's own phone hangs up: in a consultation that hands the call over.
            let for_call = self.calls.get(&id).and_then(|call| call.view.made_for);
            let answered = for_call.and_then(|id| self.calls.get(&id)).and_then(|call| call.transfer.as_ref());
            if let (Some(for_call), true) = (for_call, answered.is_some_and(|it| it.answered)) {
                return drop(self.hang_up_by(now, agent, for_call));
            }
        }
        self.finish(now, id, by);
    }

    fn incoming(&mut self, now: Millis, incoming: &IncomingCall) {
        let reject = |status| Sip::Reject { dialog: incoming.dialog, status, retry_after: None, reason: None };
        if incoming.replaces.is_some() {
            // A call is taken over by its own people only, and they do it here.
            return self.sip(reject(403));
        }
        if let cordboard_sip::Origin::Phone(username) = &incoming.origin {
            return self.phone_calls(now, incoming, username);
        }
        // The server's own test call is known by what nobody else can say.
        let test = incoming.headers.text_of(TEST_HEADER).filter(|secret| self.is_test(secret));
        let trunk = self.trunk_of(incoming).cloned();
        if trunk.is_none() && test.is_none() {
            // A stranger costs one response and no row of the log.
            let text = format!("refused an INVITE from the unknown address {}", incoming.source);
            self.push(Effect::Note { call: None, text });
            return self.sip(reject(403));
        }
        let (number, wanted) = number_and_extension(&incoming.request_uri);
        let id = CallId::new(now, self.random_bytes());
        let leg = LegId::new(now, self.random_bytes());
        let offer = match incoming.sdp.as_deref().map(SessionDescription::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(_)) => return self.sip(reject(400)),
        };
        let encryption = match &trunk {
            Some(trunk) if test.is_none() => self.directory.telephony.inbound_encryption(trunk.id),
            // The test call stays on this machine.
            Some(_) | None => Encryption::Off,
        };
        let terms = self.leg_terms(encryption);
        let mut sip = SipLeg::incoming(incoming.dialog, leg, offer, terms);
        sip.carries = self.carried(incoming);
        let caller = CallerLeg { leg, sip: Some(sip), person: None };
        let mut call = Call::new(new_view(id, incoming, number.as_ref(), now), caller, Phase::Opening);
        call.trunk = trunk.map(|trunk| (trunk.id, trunk.max_calls));
        call.wanted = wanted;
        self.totals.calls += 1;
        if let Some(secret) = test {
            self.test_arrived(&secret, id);
        }
        self.calls.insert(id, call);
        self.dialogs.insert(incoming.dialog, Owner::Caller(id));
        self.legs.insert(leg, Owner::Caller(id));
        self.knock(now, id);
    }

    /// A desk phone of ours calls: an extension, a place of the park, or a number.
    fn phone_calls(&mut self, now: Millis, incoming: &IncomingCall, username: &str) {
        let dialog = incoming.dialog;
        let reject = |status| Sip::Reject { dialog, status, retry_after: None, reason: None };
        let Some((device, agent)) = self.phone_by_user(username) else { return self.sip(reject(403)) };
        let offer = match incoming.sdp.as_deref().map(SessionDescription::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(_)) => return self.sip(reject(400)),
        };
        let user = incoming.request_uri.user().unwrap_or_default();
        let leg = LegId::new(now, self.random_bytes());
        let terms = self.leg_terms(self.directory.telephony.phone_encryption(username));
        let mut sip = SipLeg::incoming(dialog, leg, offer, terms);
        if !sip.can_answer() {
            return self.sip(reject(488));
        }
        sip.carries = self.carried(incoming);
        if let Some(id) = self.parked_at(&user) {
            return self.take_by_phone(now, id, device, agent, (leg, sip));
        }
        // Somebody in a call who dials asks before a transfer.
        let talks =
            |call: &Call| call.view.agent == Some(agent) && call.phase == Phase::Connected && call.transfer.is_none();
        let made_for = self.calls.iter().find(|(_, call)| talks(call)).map(|(id, _)| *id);
        let placed = self.called(&user).and_then(|to| {
            let wish = Wish { to, department: None, device, callback: None, made_for, dialed: Some(sip) };
            self.place_call(now, agent, wish)
        });
        match (placed, made_for) {
            (Ok(consult), Some(id)) => self.begin_consult(now, agent, id, consult, user.clone()),
            (Ok(_), None) => {}
            (Err(problem), _) => {
                self.push(Effect::Note { call: None, text: format!("a desk phone's call: {}", problem.detail) });
                self.sip(reject(match problem.code() {
                    Some(cordboard_shared::ProblemCode::InvalidField) => 404,
                    Some(cordboard_shared::ProblemCode::Draining) => 503,
                    _ => 403,
                }));
            }
        }
    }

    /// A desk phone has dialed a place of the park.
    fn take_by_phone(&mut self, now: Millis, id: CallId, device: Device, agent: AgentId, (leg, sip): (LegId, SipLeg)) {
        let dialog = sip.dialog;
        if self.take(now, device, agent, id).is_err() {
            return self.sip(Sip::Reject { dialog, status: 403, retry_after: None, reason: None });
        }
        let desk = DeskLeg { leg, up: false, agent, reply: None, sip: Some(sip), number: None, asked_until: None };
        if let Some(call) = self.calls.get_mut(&id) {
            call.desks.insert(device, desk);
        }
        self.legs.insert(leg, Owner::Desk(id, device));
        self.dialogs.insert(dialog, Owner::Desk(id, device));
        self.push(Effect::OpenRtp(leg));
    }

    /// Header fields that go on to the other leg.
    fn carried(&self, incoming: &IncomingCall) -> Vec<(String, String)> {
        relayable(&incoming.headers, &self.directory.telephony.relay_headers, incoming.privacy)
    }

    fn trunk_of(&self, incoming: &IncomingCall) -> Option<&Trunk> {
        let cordboard_sip::Origin::Trunk(id) = &incoming.origin else { return None };
        let id = id.0.parse().ok()?;
        self.directory.telephony.trunks.iter().find(|trunk| trunk.id == id)
    }

    pub(super) fn media_event(&mut self, now: Millis, event: FromMedia) {
        match event {
            FromMedia::RtpOpened { leg, local } => match self.legs.get(&leg).copied() {
                Some(Owner::Caller(id)) => self.caller_opened(now, id, local),
                Some(Owner::TestCaller(dialog)) => self.test_opened(dialog, local),
                Some(Owner::Desk(id, device)) => self.desk_opened(now, id, device, local),
                // The call ended while its sockets were being opened.
                None => self.media(Media::Remove { leg }),
            },
            FromMedia::RtpFailed { leg, error } => match self.legs.get(&leg).copied() {
                Some(Owner::Caller(id)) => {
                    self.push(Effect::Note { call: Some(id), text: format!("no RTP port: {error}") });
                    self.refuse(now, id, CallResult::Lost, Some(CallCause::NoLineFree), 503);
                }
                Some(Owner::TestCaller(dialog)) => self.test_failed(dialog, 503),
                Some(Owner::Desk(id, device)) => self.desk_failed(now, id, device, 503),
                None => {}
            },
            FromMedia::Event(event) => self.audio_event(now, event),
            FromMedia::Recorded { recording, path, ms, bytes, sha256 } => {
                self.recorded(now, recording, path, ms, bytes, sha256);
            }
            FromMedia::RecordingFailed { recording, error } => self.recording_failed(recording, &error),
        }
    }

    fn audio_event(&mut self, now: Millis, event: MediaEvent) {
        match event {
            MediaEvent::PeerAnswer { leg, sdp } => self.peer_answered(leg, Ok(sdp)),
            MediaEvent::PeerFailed { leg, error } => self.peer_answered(leg, Err(error)),
            MediaEvent::PeerConnected { leg } => self.peer_up(now, leg),
            MediaEvent::PeerLost { leg } => self.peer_lost(now, leg),
            MediaEvent::Digit { leg, digit } => match self.legs.get(&leg).copied() {
                Some(Owner::Caller(call)) => self.caller_digit(now, call, digit),
                Some(Owner::Desk(call, device)) => self.desk_digit(now, call, device, digit),
                Some(Owner::TestCaller(_)) | None => {}
            },
            MediaEvent::PlayFinished { leg, play } => {
                if let Some(Owner::Caller(id)) = self.legs.get(&leg).copied() {
                    if self.calls.get(&id).is_some_and(|call| call.play == Some(play)) {
                        self.play_finished(now, id);
                    } else {
                        self.tape_announced(id, play);
                    }
                }
            }
            MediaEvent::MediaLost { leg } => self.silence(now, leg),
            MediaEvent::MediaBack { leg } => self.sound_back(now, leg),
            MediaEvent::SecureFailed { leg, why } => self.not_secure(now, leg, why),
            MediaEvent::Audio { leg, verdict } => self.verdict(leg, verdict),
            MediaEvent::RecordFinished { recording, why, .. } => self.record_finished(now, recording, why),
            MediaEvent::RecordedFrames { .. }
            | MediaEvent::RecordPaused { .. }
            | MediaEvent::RecordResumed { .. }
            | MediaEvent::FirstAudio { .. }
            | MediaEvent::Stats { .. } => {}
        }
    }

    fn caller_opened(&mut self, now: Millis, id: CallId, local: std::net::SocketAddr) {
        let Some(call) = self.calls.get(&id) else { return };
        if call.phase == Phase::Dialing {
            return match (call.calling_person(), call.caller.sip.as_ref().is_some_and(|sip| sip.outgoing)) {
                (None, _) => self.far_opened(now, id, local),
                (Some(_), true) => self.own_phone_rung(id, local),
                (Some(_), false) => {
                    self.phone_opened(Owner::Caller(id), local);
                    if let Some(own) = self.calls.get_mut(&id).and_then(|call| call.caller.person.as_mut()) {
                        own.up = true;
                    }
                    self.own_device_up(now, id);
                }
            };
        }
        self.phone_opened(Owner::Caller(id), local);
        match self.destination_of(id) {
            Some(destination) => match self.extension_dialed(id) {
                Some(extension) => self.lead_to(now, id, &Destination::Extension(extension)),
                None => self.lead_to(now, id, &destination),
            },
            None => self.refuse_number(now, id),
        }
    }

    fn lead_to(&mut self, now: Millis, id: CallId, destination: &Destination) {
        match destination {
            Destination::Flow(slug) => self.start_flow(now, id, slug),
            Destination::Department(slug) => self.enter_department(now, id, slug),
            Destination::Extension(extension) => {
                self.ring_extension(now, id, extension, cordboard_routing::Row::DirectExtension);
            }
        }
    }
}

fn new_view(id: CallId, incoming: &IncomingCall, number: Option<&E164>, now: Millis) -> CallView {
    // Who vouches for the caller is a trunk that is trusted with it; who wants to stay unnamed, does.
    let named = incoming.asserted.as_ref().unwrap_or(&incoming.from);
    let user = if incoming.privacy { String::new() } else { named.uri.user().unwrap_or_default() };
    // A number is shown in one form, whatever form the trunk sent; anything else is shown as it came.
    let caller = match E164::from_sip_user(&user) {
        Ok(number) => number.as_str().to_owned(),
        Err(_) if user.is_empty() => WITHHELD.to_owned(),
        Err(_) => user,
    };
    let called = number.map_or_else(|| incoming.request_uri.user().unwrap_or_default(), ToString::to_string);
    let name = named.display.clone().filter(|name| !incoming.privacy && !name.trim().is_empty());
    let from = Party { number: caller.into(), name: name.map(Into::into) };
    let to = Party { number: called.into(), name: None };
    CallView { state: CallState::Flow, ..blank_view(id, Direction::Inbound, from, to, None, now) }
}

/// The record of a call that begins.
pub(super) fn blank_view(
    id: CallId,
    direction: Direction,
    from: Party,
    to: Party,
    agent: Option<AgentId>,
    now: Millis,
) -> CallView {
    CallView {
        uid: id,
        direction,
        state: CallState::Ringing,
        result: None,
        cause: None,
        ended_by: None,
        from,
        to,
        department: None,
        agent,
        flow: None,
        started_at: now,
        answered_at: None,
        ended_at: None,
        waited_ms: 0,
        talk_ms: 0,
        sip_status: None,
        recordings: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
        disposition: None,
        made_for: None,
        version: "1.0".to_owned(),
    }
}

/// The digit of an INFO body of `application/dtmf-relay` (`Signal=5`) or `application/dtmf` (`5`).
fn info_digit(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let value = match kind.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?,
        "application/dtmf" => text,
        _ => return None,
    };
    value.trim().chars().next().filter(|digit| matches!(digit, '0'..='9' | '*' | '#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_by_info_in_two_forms() {
        assert_eq!(info_digit("application/dtmf-relay", b"Signal= 5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(info_digit("Application/DTMF; x=y", b"#"), Some('#'));
        assert_eq!(info_digit("text/plain", b"5"), None);
        assert_eq!(info_digit("application/dtmf-relay", b"Signal=hello"), None);
    }
}
