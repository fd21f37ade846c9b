//! A fault of ours in the handling of one call ends that call, and no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cordboard_shared::Millis;
use cordboard_shared::call::EndedBy;
use cordboard_shared::event::ClientMessage;
use cordboard_shared::id::{CallId, LegId};

use super::{CallCenter, Effect, FromMedia, Input, Owner};

impl CallCenter {
    /// Feeds one input. Afterwards [`Self::poll_effect`] is drained before the next one.
    pub fn handle_input(&mut self, now: Millis, input: Input) {
        self.now = now;
        let concerned = self.concerned(&input);
        // What a panic leaves half done is the concerned call's alone: it is ended, and nothing of it is used again.
        if catch_unwind(AssertUnwindSafe(|| self.handle(now, input))).is_ok() {
            return;
        }
        self.totals.panics += 1;
        self.carrying_out = false;
        self.push(Effect::Note {
            call: concerned,
            text: "the handling of a call has failed; the call is ended".to_owned(),
        });
        if let Some(call) = concerned
            && catch_unwind(AssertUnwindSafe(|| self.hang_up(now, call, EndedBy::System, 500))).is_err()
        {
            self.give_up(now, call);
        }
    }

    /// Closes the record of a call that cannot even be ended in the usual way.
    fn give_up(&mut self, now: Millis, id: CallId) {
        self.totals.panics += 1;
        self.carrying_out = false;
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.view.state = cordboard_shared::call::CallState::Ended;
        call.view.ended_at = Some(now);
        call.view.ended_by = Some(EndedBy::System);
        call.rev += 1;
        call.view.version = format!("1.{}", call.rev);
        let of_call = |owner: &Owner| match owner {
            Owner::Caller(of) | Owner::Desk(of, _) => *of == id,
            Owner::TestCaller(_) => false,
        };
        let legs: Vec<LegId> = self.legs.iter().filter(|(_, owner)| of_call(owner)).map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.legs.remove(&leg);
            self.media(cordboard_media::Command::Remove { leg });
        }
        let dialogs: Vec<_> = self.dialogs.iter().filter(|(_, owner)| of_call(owner)).map(|(it, _)| *it).collect();
        for dialog in dialogs {
            self.dialogs.remove(&dialog);
            self.sip(cordboard_sip::Command::HangUp { dialog });
        }
        self.push(Effect::SaveCall(Box::new(call.view)));
    }

    /// The call an input is about.
    fn concerned(&self, input: &Input) -> Option<CallId> {
        use cordboard_sip::Event as Sip;
        let of = |owner: Option<&Owner>| match owner {
            Some(Owner::Caller(id) | Owner::Desk(id, _)) => Some(*id),
            Some(Owner::TestCaller(_)) | None => None,
        };
        match input {
            Input::Sip(event) => {
                let dialog = match event {
                    Sip::Cancelled { dialog }
                    | Sip::Confirmed { dialog, .. }
                    | Sip::Reinvite { dialog, .. }
                    | Sip::Info { dialog, .. }
                    | Sip::Progress { dialog, .. }
                    | Sip::Redirected { dialog, .. }
                    | Sip::Answered { dialog, .. }
                    | Sip::OfferAnswered { dialog, .. }
                    | Sip::OfferRefused { dialog, .. }
                    | Sip::ReferProgress { dialog, .. }
                    | Sip::Failed { dialog, .. }
                    | Sip::Ended { dialog, .. } => dialog,
                    Sip::Refer(transfer) => &transfer.dialog,
                    Sip::Incoming(_) | Sip::TrunkState { .. } | Sip::Registered { .. } | Sip::Unregistered { .. } => {
                        return None;
                    }
                };
                of(self.dialogs.get(dialog))
            }
            Input::Media(event) => match event {
                FromMedia::RtpOpened { leg, .. } | FromMedia::RtpFailed { leg, .. } => of(self.legs.get(leg)),
                FromMedia::Recorded { recording, .. } | FromMedia::RecordingFailed { recording, .. } => {
                    self.recordings.get(recording).copied()
                }
                FromMedia::Event(event) => leg_of(event).and_then(|leg| of(self.legs.get(&leg))),
            },
            Input::Client { message, .. } => call_of(message).or_else(|| match &**message {
                ClientMessage::RingAck { offer }
                | ClientMessage::Answer { offer }
                | ClientMessage::Decline { offer } => self.offers.get(offer).map(|ringing| ringing.call),
                _ => None,
            }),
            _ => None,
        }
    }
}

fn leg_of(event: &cordboard_media::Event) -> Option<LegId> {
    use cordboard_media::Event as Media;
    match event {
        Media::PeerAnswer { leg, .. }
        | Media::PeerFailed { leg, .. }
        | Media::PeerConnected { leg }
        | Media::PeerLost { leg }
        | Media::Digit { leg, .. }
        | Media::PlayFinished { leg, .. }
        | Media::FirstAudio { leg }
        | Media::MediaLost { leg }
        | Media::MediaBack { leg }
        | Media::SecureFailed { leg, .. }
        | Media::Audio { leg, .. }
        | Media::Stats { leg, .. } => Some(*leg),
        Media::RecordedFrames { .. }
        | Media::RecordPaused { .. }
        | Media::RecordResumed { .. }
        | Media::RecordFinished { .. } => None,
    }
}

fn call_of(message: &ClientMessage) -> Option<CallId> {
    match message {
        ClientMessage::RtcOffer { call, .. }
        | ClientMessage::RtcCandidate { call, .. }
        | ClientMessage::Hold { call }
        | ClientMessage::Resume { call }
        | ClientMessage::Mute { call }
        | ClientMessage::Unmute { call }
        | ClientMessage::HangUp { call }
        | ClientMessage::Digits { call, .. }
        | ClientMessage::Transfer { call, .. }
        | ClientMessage::TransferComplete { call }
        | ClientMessage::TransferCancel { call }
        | ClientMessage::Swap { call }
        | ClientMessage::Park { call }
        | ClientMessage::Take { call }
        | ClientMessage::Move { call, .. }
        | ClientMessage::Record { call, .. }
        | ClientMessage::Disposition { call, .. }
        | ClientMessage::Note { call, .. } => Some(*call),
        ClientMessage::Hello(_)
        | ClientMessage::Pong { .. }
        | ClientMessage::Device(_)
        | ClientMessage::RingAck { .. }
        | ClientMessage::Answer { .. }
        | ClientMessage::Decline { .. }
        | ClientMessage::Dial { .. }
        | ClientMessage::WrapUpDone {}
        | ClientMessage::WrapUpExtend {}
        | ClientMessage::Activity {}
        | ClientMessage::CallbackDone { .. } => None,
    }
}
