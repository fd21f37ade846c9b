//! Recordings: who is recorded, pauses, and what is given out.

use std::time::Instant;

use cordboard_shared::id::{LegId, RecordingId};

use super::{MediaCore, Wake};
use crate::event::RecordEnd;
use crate::recorder::Recorder;
use crate::{Event, Output, Side};

impl MediaCore {
    pub(super) fn record(&mut self, now: Instant, recording: RecordingId, recorder: Recorder) {
        // The same name twice would mix two recordings.
        self.end_recording(now, recording, RecordEnd::Stopped);
        if !recorder.legs().any(|leg| self.legs.contains_key(&leg)) {
            let finished = Event::RecordFinished { recording, ms: 0, why: RecordEnd::LegGone };
            self.outputs.push_back(Output::Event(finished));
            return;
        }
        self.timers.set(Wake::Recorder(recording), recorder.deadline());
        for leg in recorder.legs() {
            self.taps.entry(leg).or_default().insert(recording);
        }
        self.recorders.insert(recording, recorder);
    }

    pub(super) fn record_side(&mut self, recording: RecordingId, side: Side, leg: Option<LegId>) {
        let Some(recorder) = self.recorders.get_mut(&recording) else { return };
        let before: Vec<LegId> = recorder.legs().collect();
        recorder.set_side(side, leg);
        let after: Vec<LegId> = recorder.legs().collect();
        for leg in before {
            if !after.contains(&leg) {
                self.untap(leg, recording);
            }
        }
        for leg in after {
            self.taps.entry(leg).or_default().insert(recording);
        }
    }

    pub(super) fn pause_record(&mut self, now: Instant, recording: RecordingId) {
        let Some(recorder) = self.recorders.get_mut(&recording).filter(|recorder| !recorder.is_paused()) else {
            return;
        };
        let samples = recorder.pause(now);
        let (channels, ms) = (recorder.channels(), recorder.ms());
        self.timers.set(Wake::Recorder(recording), None);
        self.give_samples(recording, channels, samples);
        self.outputs.push_back(Output::Event(Event::RecordPaused { recording, ms }));
    }

    pub(super) fn resume_record(&mut self, now: Instant, recording: RecordingId) {
        let Some(recorder) = self.recorders.get_mut(&recording).filter(|recorder| recorder.is_paused()) else {
            return;
        };
        recorder.resume(now);
        self.timers.set(Wake::Recorder(recording), recorder.deadline());
        self.outputs.push_back(Output::Event(Event::RecordResumed { recording, ms: recorder.ms() }));
    }

    pub(super) fn give_recorded(&mut self, now: Instant, recording: RecordingId) {
        let Some(recorder) = self.recorders.get_mut(&recording) else { return };
        let piece = recorder.give(now);
        let (channels, deadline) = (recorder.channels(), recorder.deadline());
        self.give_samples(recording, channels, piece.samples);
        match piece.end {
            Some(why) => self.end_recording(now, recording, why),
            None => self.timers.set(Wake::Recorder(recording), deadline),
        }
    }

    pub(super) fn end_recording(&mut self, now: Instant, recording: RecordingId, why: RecordEnd) {
        let Some(mut recorder) = self.recorders.remove(&recording) else { return };
        self.timers.set(Wake::Recorder(recording), None);
        for leg in recorder.legs() {
            self.untap(leg, recording);
        }
        if matches!(why, RecordEnd::Stopped | RecordEnd::LegGone) {
            let samples = recorder.finish(now);
            self.give_samples(recording, recorder.channels(), samples);
        }
        self.outputs.push_back(Output::Event(Event::RecordFinished { recording, ms: recorder.ms(), why }));
    }

    /// A leg is gone: what was recorded of it alone ends, a call goes on with whom it has left.
    pub(super) fn leave_recordings(&mut self, now: Instant, leg: LegId) {
        for recording in self.taps.remove(&leg).unwrap_or_default() {
            let Some(recorder) = self.recorders.get_mut(&recording) else { continue };
            recorder.drop_leg(leg);
            if recorder.legs().next().is_none() {
                self.end_recording(now, recording, RecordEnd::LegGone);
            }
        }
    }

    fn give_samples(&mut self, recording: RecordingId, channels: u8, samples: Vec<i16>) {
        if !samples.is_empty() {
            self.outputs.push_back(Output::Event(Event::RecordedFrames { recording, channels, samples }));
        }
    }

    fn untap(&mut self, leg: LegId, recording: RecordingId) {
        if let Some(taps) = self.taps.get_mut(&leg) {
            taps.remove(&recording);
            if taps.is_empty() {
                self.taps.remove(&leg);
            }
        }
    }
}
