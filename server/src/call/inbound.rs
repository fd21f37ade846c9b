//! From the INVITE to the number's destination, and the SIP side of a running call.

use cordboard_media::{Codec, Command as Media, Event as MediaEvent, Flow, RtpParams};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, Direction, EndedBy, Party};
use cordboard_shared::department::{Destination, Trunk};
use cordboard_shared::id::{CallId, LegId};
use cordboard_shared::phone::E164;
use cordboard_sip::endpoint::{EndCause, IncomingCall};
use cordboard_sip::sdp::{self, AudioCodec, Direction as SdpDirection, NegotiatedAudio, SessionDescription};
use cordboard_sip::{Command as Sip, Event as SipEvent};

use super::command::FromMedia;
use super::record::{Call, CallerLeg, Phase};
use super::test_call::TEST_HEADER;
use super::{CallCenter, Effect, Owner};
use crate::directory::network_contains;

/// Codecs in the order we like them, when theirs leaves us a choice.
const CODECS: [AudioCodec; 2] = [AudioCodec::Pcmu, AudioCodec::Pcma];

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
                if let (Some(Owner::Caller(call)), Some(digit)) =
                    (self.dialogs.get(&dialog).copied(), info_digit(&content_type, &body))
                {
                    self.caller_digit(now, call, digit);
                }
            }
            // No user of ours has a desk phone yet.
            SipEvent::Registered { .. } | SipEvent::Unregistered { .. } => {}
            // We send no offers inside a dialog yet, place no call by a trunk, and early media of a test call is not
            // played.
            SipEvent::Progress { .. }
            | SipEvent::OfferAnswered { .. }
            | SipEvent::OfferRefused { .. }
            | SipEvent::ReferProgress { .. }
            | SipEvent::TrunkState { .. } => {}
            // Nobody outside transfers a call here: where it would lead is not theirs to say.
            SipEvent::Refer(transfer) => self.sip(Sip::RejectRefer { dialog: transfer.dialog, status: 403 }),
            SipEvent::Redirected { dialog, status, .. } => self.test_failed(dialog, status),
            SipEvent::Answered { dialog, sdp } => self.test_answered(now, dialog, sdp.as_deref()),
            SipEvent::Failed { dialog, status, .. } => self.test_failed(dialog, status),
            SipEvent::Ended { dialog, cause } => {
                if self.test_callers.contains_key(&dialog) {
                    self.test_over(dialog);
                } else {
                    let by = match cause {
                        EndCause::RemoteBye => EndedBy::Caller,
                        EndCause::LocalBye => EndedBy::System,
                        EndCause::NoAck | EndCause::Timeout | EndCause::Gone | EndCause::Expired => EndedBy::Carrier,
                    };
                    self.caller_left(now, dialog, by);
                }
            }
        }
    }

    /// The caller gave up before our 200 left: whatever was decided meanwhile, nobody has talked.
    fn cancelled(&mut self, now: Millis, dialog: cordboard_sip::DialogId) {
        let Some(Owner::Caller(id)) = self.dialogs.get(&dialog).copied() else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            call.caller.accepted = false;
            call.view.answered_at = None;
            call.view.result = None;
        }
        self.caller_left(now, dialog, EndedBy::Caller);
    }

    fn caller_left(&mut self, now: Millis, dialog: cordboard_sip::DialogId, by: EndedBy) {
        let Some(Owner::Caller(id)) = self.dialogs.get(&dialog).copied() else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            call.caller.gone = true;
            if !call.caller.accepted {
                call.view.sip_status = Some(487);
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
        let Some(trunk) = self.trunk_of(incoming).cloned() else {
            // A stranger costs one response and no row of the log.
            let text = format!("refused an INVITE from the unknown address {}", incoming.source);
            self.push(Effect::Note { call: None, text });
            return self.sip(reject(403));
        };
        let number = incoming.request_uri.user().and_then(|user| E164::from_sip_user(&user).ok());
        let id = CallId::new(now, self.random_bytes());
        let leg = LegId::new(now, self.random_bytes());
        let offer = match incoming.sdp.as_deref().map(SessionDescription::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(_)) => return self.sip(reject(400)),
        };
        let call = Call {
            view: new_view(id, incoming, number.as_ref(), now),
            rev: 0,
            phase: Phase::Opening,
            caller: CallerLeg {
                dialog: incoming.dialog,
                leg,
                offer,
                audio: None,
                local: None,
                accepted: false,
                ringing: false,
                gone: false,
                sdp_version: 0,
            },
            desks: std::collections::BTreeMap::new(),
            offers: std::collections::BTreeMap::new(),
            lost: std::collections::BTreeMap::new(),
            desk: None,
            won: None,
            answered_by: None,
            joined_at: None,
            talked_ms: 0,
            muted: false,
            deadline: None,
            flow: None,
            knocked: false,
            most_calls: usize::try_from(trunk.max_calls).unwrap_or(usize::MAX),
            in_line: false,
            queued_at: None,
            mailbox: None,
            play: None,
            open_recordings: 0,
        };
        self.totals.calls += 1;
        if let Some(secret) = incoming.headers.text_of(TEST_HEADER) {
            self.test_arrived(&secret, id);
        }
        self.calls.insert(id, call);
        self.dialogs.insert(incoming.dialog, Owner::Caller(id));
        self.legs.insert(leg, Owner::Caller(id));
        self.knock(now, id);
    }

    fn trunk_of(&self, incoming: &IncomingCall) -> Option<&Trunk> {
        let source = incoming.source.ip();
        self.directory
            .trunks
            .iter()
            .find(|trunk| trunk.addresses.iter().any(|network| network_contains(network, source)))
    }

    pub(super) fn media_event(&mut self, now: Millis, event: FromMedia) {
        match event {
            FromMedia::RtpOpened { leg, local } => match self.legs.get(&leg).copied() {
                Some(Owner::Caller(id)) => self.caller_opened(now, id, local),
                Some(Owner::TestCaller(dialog)) => self.test_opened(dialog, local),
                // The call ended while its sockets were being opened.
                Some(Owner::Desk(..)) | None => self.media(Media::Remove { leg }),
            },
            FromMedia::RtpFailed { leg, error } => match self.legs.get(&leg).copied() {
                Some(Owner::Caller(id)) => {
                    self.push(Effect::Note { call: Some(id), text: format!("no RTP port: {error}") });
                    self.refuse(now, id, CallResult::Lost, Some(CallCause::NoLineFree), 503);
                }
                Some(Owner::TestCaller(dialog)) => self.test_failed(dialog, 503),
                Some(Owner::Desk(..)) | None => {}
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
            MediaEvent::Digit { leg, digit } => {
                if let Some(Owner::Caller(call)) = self.legs.get(&leg).copied() {
                    self.caller_digit(now, call, digit);
                }
            }
            MediaEvent::PlayFinished { leg, play } => {
                if let Some(Owner::Caller(id)) = self.legs.get(&leg).copied()
                    && self.calls.get(&id).is_some_and(|call| call.play == Some(play))
                {
                    self.play_finished(now, id);
                }
            }
            MediaEvent::RecordFinished { recording, why, .. } => self.record_finished(now, recording, why),
            MediaEvent::RecordedFrames { .. }
            | MediaEvent::RecordPaused { .. }
            | MediaEvent::RecordResumed { .. }
            | MediaEvent::MediaLost { .. }
            | MediaEvent::MediaBack { .. }
            | MediaEvent::Audio { .. }
            | MediaEvent::FirstAudio { .. }
            | MediaEvent::Stats { .. } => {}
        }
    }

    fn caller_opened(&mut self, now: Millis, id: CallId, local: std::net::SocketAddr) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.caller.local = Some(local);
        call.caller.audio = call.caller.offer.as_ref().and_then(|offer| negotiate(offer, local));
        let (leg, params) = (call.caller.leg, call.caller.audio.as_ref().map(rtp_params));
        self.media(Media::AddRtp { leg, params });
        match self.destination_of(id) {
            Some(destination) => self.lead_to(now, id, &destination),
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

    /// Sends 200, once: somebody answered, or something is about to be heard.
    pub(super) fn accept(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.caller.accepted {
            return;
        }
        let Some(local) = call.caller.local else { return };
        let (session, version) = call.caller.next_description();
        let sdp = match &call.caller.offer {
            Some(offer) => match sdp::answer(offer, local, session, version, &CODECS) {
                Ok((answer, _)) => answer,
                Err(_) => return,
            },
            None => sdp::offer(local, session, version, &CODECS, SdpDirection::SendRecv),
        };
        call.caller.accepted = true;
        call.view.sip_status = Some(200);
        let dialog = call.caller.dialog;
        self.sip(Sip::Accept { dialog, sdp: sdp.to_bytes() });
    }

    /// The ACK to a 200 that carried our offer brings their answer.
    fn confirmed(&mut self, now: Millis, dialog: cordboard_sip::DialogId, answer: Option<&[u8]>) {
        let Some(Owner::Caller(id)) = self.dialogs.get(&dialog).copied() else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(local) = call.caller.local else { return };
        let ours = sdp::offer(local, 1, 1, &CODECS, SdpDirection::SendRecv);
        let audio = answer
            .and_then(|bytes| SessionDescription::parse(bytes).ok())
            .and_then(|answer| sdp::accept_answer(&ours, &answer).ok());
        if let Some(audio) = audio {
            let (leg, params) = (call.caller.leg, rtp_params(&audio));
            call.caller.audio = Some(audio);
            self.media(Media::UpdateRtp { leg, params });
        } else if call.caller.audio.is_none() {
            // We made the offer and got nothing that could be spoken: RFC 3261 §13.2.2.4 leaves only BYE.
            self.hang_up(now, id, EndedBy::System, 488);
        }
    }

    /// The far side changes the session: another address, another codec, or hold.
    fn reinvite(&mut self, dialog: cordboard_sip::DialogId, theirs: Option<&[u8]>) {
        let owner = self.dialogs.get(&dialog).copied();
        let Some(Owner::Caller(id)) = owner else {
            return self.sip(Sip::RejectOffer { dialog, status: 488 });
        };
        let described =
            self.calls.get_mut(&id).and_then(|call| Some((call.caller.local?, call.caller.next_description())));
        let Some((local, (session, version))) = described else {
            return self.sip(Sip::RejectOffer { dialog, status: 500 });
        };
        let Some(theirs) = theirs else {
            let sdp = sdp::offer(local, session, version, &CODECS, SdpDirection::SendRecv).to_bytes();
            return self.sip(Sip::AnswerOffer { dialog, sdp });
        };
        let negotiated = SessionDescription::parse(theirs)
            .ok()
            .and_then(|offer| sdp::answer(&offer, local, session, version, &CODECS).ok());
        let Some((answer, audio)) = negotiated else {
            return self.sip(Sip::RejectOffer { dialog, status: 488 });
        };
        if let Some(call) = self.calls.get_mut(&id) {
            let (leg, params) = (call.caller.leg, rtp_params(&audio));
            call.caller.audio = Some(audio);
            self.media(Media::UpdateRtp { leg, params });
        }
        self.sip(Sip::AnswerOffer { dialog, sdp: answer.to_bytes() });
    }
}

fn new_view(id: CallId, incoming: &IncomingCall, number: Option<&E164>, now: Millis) -> CallView {
    let user = incoming.from.uri.user().unwrap_or_default();
    // A number is shown in one form, whatever form the trunk sent; anything else is shown as it came.
    let caller = match E164::from_sip_user(&user) {
        Ok(number) => number.as_str().to_owned(),
        Err(_) if user.is_empty() => WITHHELD.to_owned(),
        Err(_) => user,
    };
    let called = number.map_or_else(|| incoming.request_uri.user().unwrap_or_default(), ToString::to_string);
    let name = incoming.from.display.clone().filter(|name| !name.trim().is_empty());
    CallView {
        uid: id,
        direction: Direction::Inbound,
        state: CallState::Flow,
        result: None,
        cause: None,
        ended_by: None,
        from: Party { number: caller.into(), name: name.map(Into::into) },
        to: Party { number: called.into(), name: None },
        department: None,
        agent: None,
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

pub(super) fn negotiate(offer: &SessionDescription, local: std::net::SocketAddr) -> Option<NegotiatedAudio> {
    sdp::answer(offer, local, 1, 1, &CODECS).ok().map(|(_, audio)| audio)
}

pub(super) fn rtp_params(audio: &NegotiatedAudio) -> RtpParams {
    let codec = match audio.codec {
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
    };
    let flow = match (audio.remote_direction.receives(), audio.remote_direction.sends()) {
        (true, true) => Flow::Both,
        (true, false) => Flow::Send,
        (false, true) => Flow::Receive,
        (false, false) => Flow::Neither,
    };
    RtpParams { dtmf: audio.dtmf, flow, ..RtpParams::new(audio.remote, codec, audio.payload_type) }
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
