//! Carries out commands.

use std::time::Instant;

use cordboard_shared::id::{LegId, RecordingId};
use rand_chacha::rand_core::RngCore;

use super::{MediaCore, STATS_INTERVAL, Wake};
use crate::event::RecordEnd;
use crate::leg::{Leg, Line, RtpLine};
use crate::peer::Peer;
use crate::recorder::Recorder;
use crate::{Command, Event, Output, RtpParams, Source};

impl MediaCore {
    pub(super) fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::AddRtp { leg, params } => self.add_rtp(now, leg, params),
            Command::UpdateRtp { leg, params } => self.update_rtp(now, leg, params),
            Command::PeerOffer { leg, sdp } => self.peer_offer(now, leg, &sdp),
            Command::PeerCandidate { leg, candidate } => {
                self.with_peer(now, leg, |peer, out| peer.add_candidate(&candidate, out));
            }
            Command::Hear { leg, source } => self.hear(now, leg, source),
            Command::Gate { leg, open } => self.gate(now, leg, open),
            Command::SendDigits { leg, digits } => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.send_digits(now, &digits);
                    self.timers.set(Wake::Frame(leg), found.next_frame());
                }
            }
            Command::Record { leg, recording, max_ms, silence_ms } => {
                self.record(now, leg, recording, Recorder::new(now, leg, max_ms, silence_ms));
            }
            Command::StopRecord { recording } => self.end_recording(now, recording, RecordEnd::Stopped),
            Command::Remove { leg } => self.remove(now, leg),
        }
    }

    /// Keeps a new leg.
    pub(super) fn insert(&mut self, now: Instant, leg: Leg) {
        let id = leg.id;
        self.legs.insert(id, leg);
        self.timers.set(Wake::Stats(id), Some(now + STATS_INTERVAL));
    }

    fn add_rtp(&mut self, now: Instant, leg: LegId, params: Option<RtpParams>) {
        if !self.legs.contains_key(&leg) {
            let line = Line::Rtp(RtpLine { ssrc: self.random.next_u32(), agreed: None });
            let stream = self.new_stream();
            self.insert(now, Leg::new(leg, line, stream));
        }
        if let Some(params) = params {
            self.update_rtp(now, leg, params);
        }
    }

    fn update_rtp(&mut self, now: Instant, leg: LegId, params: RtpParams) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        found.set_rtp(params);
        found.start_frames(now);
        self.timers.set(Wake::Frame(leg), found.next_frame());
    }

    fn hear(&mut self, now: Instant, leg: LegId, source: Source) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        if let Some(before) = found.listens_to()
            && let Some(listeners) = self.listeners.get_mut(&before)
        {
            listeners.remove(&leg);
            if listeners.is_empty() {
                self.listeners.remove(&before);
            }
        }
        found.hear(now, source);
        let listens_to = found.listens_to();
        if let Some(source) = listens_to {
            self.listeners.entry(source).or_default().insert(leg);
        }
        let silent = listens_to.is_some_and(|source| self.legs.get(&source).is_none_or(|source| !source.gate_open));
        if let Some(found) = self.legs.get_mut(&leg) {
            if silent {
                found.source_stopped(now);
            }
            self.timers.set(Wake::Frame(leg), found.next_frame());
        }
    }

    fn gate(&mut self, now: Instant, leg: LegId, open: bool) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        let closes = found.gate_open && !open;
        found.gate_open = open;
        if closes {
            self.silence_listeners(now, leg);
        }
    }

    fn record(&mut self, now: Instant, leg: LegId, recording: RecordingId, recorder: Recorder) {
        // The same name twice would mix two recordings.
        self.end_recording(now, recording, RecordEnd::Stopped);
        if !self.legs.contains_key(&leg) {
            let finished = Event::RecordFinished { recording, ms: 0, why: RecordEnd::LegGone };
            self.outputs.push_back(Output::Event(finished));
            return;
        }
        self.timers.set(Wake::Recorder(recording), Some(recorder.deadline()));
        self.recorders.insert(recording, recorder);
        self.taps.entry(leg).or_default().insert(recording);
    }

    fn remove(&mut self, now: Instant, leg: LegId) {
        if !self.legs.contains_key(&leg) {
            return;
        }
        self.with_peer(now, leg, Peer::close);
        let recordings: Vec<RecordingId> = self.taps.get(&leg).into_iter().flatten().copied().collect();
        for recording in recordings {
            self.end_recording(now, recording, RecordEnd::LegGone);
        }
        self.tell_stats(leg);
        self.hear(now, leg, Source::Silence);
        self.legs.remove(&leg);
        self.demux.forget(leg);
        for wake in [Wake::Peer(leg), Wake::Frame(leg), Wake::Stats(leg)] {
            self.timers.set(wake, None);
        }
        self.heard.retain(|heard| heard.leg != leg);
        self.silence_listeners(now, leg);
    }

    /// Those who listen to a leg hear no more of it for now.
    fn silence_listeners(&mut self, now: Instant, leg: LegId) {
        for listener in self.listeners.get(&leg).into_iter().flatten() {
            if let Some(found) = self.legs.get_mut(listener) {
                found.source_stopped(now);
                self.timers.set(Wake::Frame(*listener), found.next_frame());
            }
        }
    }
}
