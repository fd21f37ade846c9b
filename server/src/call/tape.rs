//! The recording of a conversation: said to both sides first, then kept in two channels.

use cordboard_media::{Command as Media, PlayId, Side};
use cordboard_shared::call::{RecordingKind, RecordingState, RecordingView, StepKind};
use cordboard_shared::department::RecordingRule;
use cordboard_shared::id::{AgentId, CallId, RecordingId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::CallCenter;
use super::panel::call_ended;

/// Longest recording of a conversation, in milliseconds.
const LONGEST_MS: u32 = 8 * 3_600_000;

/// The recording of a conversation.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) recording: RecordingId,
    /// The announcement that must end first.
    announcing: Option<PlayId>,
    paused: bool,
}

impl Tape {
    pub(super) fn state(&self) -> RecordingState {
        match (&self.announcing, self.paused) {
            (Some(_), _) => RecordingState::Off,
            (None, true) => RecordingState::Paused,
            (None, false) => RecordingState::On,
        }
    }
}

impl CallCenter {
    /// Both sides hear each other: where the department records, that is said, and then it begins.
    pub(super) fn tape_begins(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let department = call.view.department.and_then(|id| self.directory.department(id));
        if call.tape.is_some() || department.is_none_or(|it| it.recording == RecordingRule::Off) {
            return;
        }
        let legs = [Some(call.caller.leg), call.desk_leg().map(|desk| desk.leg)];
        let recording = RecordingId::new(now, self.random_bytes());
        let play = self.next_play();
        let telephony = self.directory.telephony.clone();
        let name = telephony.recording_announcement.as_deref().unwrap_or("recorded");
        let name = name.strip_prefix("audio:").unwrap_or(name);
        let clip = (self.sounds.prompt)(&self.directory.language, name);
        let announcing = clip.is_some().then_some(play);
        if let Some(call) = self.calls.get_mut(&id) {
            call.tape = Some(Tape { recording, announcing, paused: false });
        }
        match clip {
            Some(clip) => {
                for leg in legs.into_iter().flatten() {
                    self.media(Media::PlayOver { leg, clip: clip.clone(), play });
                }
            }
            None => self.tape_rolls(id),
        }
    }

    /// The announcement is over on one of the sides.
    pub(super) fn tape_announced(&mut self, id: CallId, play: PlayId) {
        let Some(tape) = self.calls.get_mut(&id).and_then(|call| call.tape.as_mut()) else { return };
        if tape.announcing == Some(play) {
            tape.announcing = None;
            self.tape_rolls(id);
        }
    }

    fn tape_rolls(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(recording) = call.tape.as_ref().map(|tape| tape.recording) else { return };
        let (left, right) = (Some(call.caller.leg), call.desk_leg().map(|desk| desk.leg));
        call.open_recordings += 1;
        let view = RecordingView { id: recording, kind: RecordingKind::Call, ms: 0, sha256: String::new() };
        call.view.recordings.push(view);
        self.recordings.insert(recording, id);
        self.media(Media::RecordCall { recording, left, right, max_ms: LONGEST_MS });
        self.publish(id);
    }

    /// Another leg is our side from now on, or none.
    pub(super) fn tape_side(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(recording) = call.tape.as_ref().filter(|tape| tape.announcing.is_none()).map(|it| it.recording) else {
            return;
        };
        let leg = call.desk_leg().map(|desk| desk.leg);
        self.media(Media::RecordSide { recording, side: Side::Right, leg });
    }

    pub(super) fn tape_ends(&mut self, id: CallId) {
        let Some(tape) = self.calls.get_mut(&id).and_then(|call| call.tape.take()) else { return };
        if tape.announcing.is_none() {
            self.media(Media::StopRecord { recording: tape.recording });
        }
    }

    /// Pauses the recording, or lets it go on.
    pub(super) fn tape_pause(&mut self, now: Millis, agent: AgentId, id: CallId, on: bool) -> Result<Value, Problem> {
        self.call_of(agent, id).ok_or_else(call_ended)?;
        let none = || Problem::new(ProblemCode::InvalidField, "This call is not recorded.").with("pointer", "/call");
        let tape = self.calls.get_mut(&id).and_then(|call| call.tape.as_mut());
        let tape = tape.filter(|tape| tape.announcing.is_none()).ok_or_else(none)?;
        if tape.paused != on {
            return Ok(json!({}));
        }
        tape.paused = !on;
        let recording = tape.recording;
        if on {
            self.media(Media::ResumeRecord { recording });
            self.step(now, id, StepKind::RecordingResumed, Some(agent));
        } else {
            self.media(Media::PauseRecord { recording });
            self.step(now, id, StepKind::RecordingPaused, Some(agent));
        }
        self.publish(id);
        Ok(json!({}))
    }
}
