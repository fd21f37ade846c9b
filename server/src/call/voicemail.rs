//! Leaving a message: greeting, beep, recording.

use cordboard_media::{Command as Media, RecordEnd, Source};
use cordboard_shared::Millis;
use cordboard_shared::call::{CallResult, CallState, RecordingKind, RecordingView};
use cordboard_shared::id::{CallId, RecordingId};

use super::record::{Phase, VoicemailStep};
use super::{CallCenter, Effect, RecordingMade};

/// Longest message where the box does not say, in seconds.
const DEFAULT_SECONDS: u32 = 60;
/// A message ends after so long a silence, in milliseconds.
const SILENCE_MS: u32 = 10_000;

impl CallCenter {
    pub(super) fn enter_voicemail(&mut self, now: Millis, id: CallId, mailbox: &str) {
        self.accept(id);
        let greeting = self.voicemail_of_node(id).0.unwrap_or_else(|| {
            self.directory.mailbox(mailbox).map_or_else(|| "audio:voicemail".to_owned(), |it| it.greeting.clone())
        });
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.phase = Phase::Voicemail(VoicemailStep::Greeting);
        call.mailbox = Some(mailbox.to_owned());
        call.deadline = None;
        call.view.state = CallState::Flow;
        call.view.result = Some(CallResult::Voicemail);
        self.publish(id);
        self.play_prompt(now, id, &greeting);
    }

    pub(super) fn play_beep(&mut self, now: Millis, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Voicemail(VoicemailStep::Beep);
        }
        let clip = self.sounds.beep.clone();
        self.play(now, id, clip);
    }

    pub(super) fn start_recording(&mut self, now: Millis, id: CallId) {
        let recording = RecordingId::new(now, self.random_bytes());
        let by_node = self.voicemail_of_node(id).1;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let seconds = call
            .mailbox
            .as_deref()
            .and_then(|mailbox| self.directory.mailbox(mailbox))
            .map_or(DEFAULT_SECONDS, |mailbox| mailbox.seconds);
        let seconds = by_node.unwrap_or(seconds);
        call.phase = Phase::Voicemail(VoicemailStep::Recording(recording));
        call.open_recordings += 1;
        // Named before it exists, so that a crash in the middle leaves a trace of it.
        call.view.recordings.push(RecordingView {
            id: recording,
            kind: RecordingKind::Voicemail,
            ms: 0,
            sha256: String::new(),
        });
        let leg = call.caller.leg;
        self.recordings.insert(recording, id);
        self.media(Media::Hear { leg, source: Source::Silence });
        self.media(Media::Record { leg, recording, max_ms: seconds * 1_000, silence_ms: Some(SILENCE_MS) });
        self.publish(id);
    }

    pub(super) fn record_finished(&mut self, now: Millis, recording: RecordingId, why: RecordEnd) {
        let Some(id) = self.recordings.get(&recording).copied() else { return };
        match why {
            RecordEnd::MaxLength | RecordEnd::Silence => {
                if let Some(call) = self.calls.get_mut(&id)
                    && call.phase == Phase::Voicemail(VoicemailStep::Recording(recording))
                {
                    call.phase = Phase::Farewell;
                    self.play_prompt(now, id, "audio:goodbye");
                }
            }
            // The end of the call ended the recording too.
            RecordEnd::Stopped | RecordEnd::LegGone => {}
        }
    }

    pub(super) fn recorded(
        &mut self,
        now: Millis,
        recording: RecordingId,
        path: String,
        ms: u32,
        bytes: u64,
        sha256: String,
    ) {
        let Some(id) = self.recordings.remove(&recording) else { return };
        let mailbox = self.calls.get(&id).and_then(|call| call.mailbox.clone());
        let tape = |call: &super::record::Call| {
            call.view.recordings.iter().any(|it| it.id == recording && it.kind == RecordingKind::Call)
        };
        let kind = if self.calls.get(&id).is_some_and(tape) { RecordingKind::Call } else { RecordingKind::Voicemail };
        let mailbox = mailbox.filter(|_| kind == RecordingKind::Voicemail);
        let made =
            RecordingMade { id: recording, call: id, kind, mailbox, path, ms, bytes, sha256: sha256.clone(), at: now };
        self.push(Effect::SaveRecording(Box::new(made)));
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.recordings.retain(|it| it.id != recording);
            call.view.recordings.push(RecordingView { id: recording, kind, ms, sha256 });
        }
        self.recording_closed(id);
    }

    pub(super) fn recording_failed(&mut self, recording: RecordingId, error: &str) {
        let Some(id) = self.recordings.remove(&recording) else { return };
        self.push(Effect::Note { call: Some(id), text: format!("a message could not be recorded: {error}") });
        self.recording_closed(id);
    }

    fn recording_closed(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.open_recordings = call.open_recordings.saturating_sub(1);
        if !call.is_over() {
            self.publish(id);
        } else if call.open_recordings == 0 {
            self.file(id);
        }
    }
}
